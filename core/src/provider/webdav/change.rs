//! What changes things on the server: moves, copies, deletions, new directories, under locks where they are wanted.

use std::sync::atomic::Ordering;

use reqwest::header::HeaderValue;
use reqwest::{Method, Response, StatusCode};

use super::condition::{check, is_node, strong_tag};
use super::lock::{Locks, Refused, Wanted};
use super::multistatus;
use super::server::{Server, body, header, method};
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Node, RelPath, escaped};
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::web;
use crate::provider::web_site::Ask;

/// How often a change is made anew whose lock the server has lost.
const LOST: u32 = 3;

/// How a thing is moved or copied.
pub(super) struct Way<'a> {
    pub(super) action: &'static str,
    pub(super) from: &'a RelPath,
    pub(super) to: &'a RelPath,
    pub(super) is_dir: bool,
    pub(super) overwrite: bool,
    /// The version that goes.
    pub(super) gone: Option<&'a Node>,
    /// The version that must be at the end of the way.
    pub(super) replaced: Option<&'a Node>,
    /// The server is told which version that is.
    pub(super) is_conditional: bool,
}

impl<'a> Way<'a> {
    /// To where nothing is.
    pub(super) fn new(action: &'static str, from: &'a RelPath, to: &'a RelPath, is_dir: bool) -> Self {
        Self { action, from, to, is_dir, overwrite: false, gone: None, replaced: None, is_conditional: false }
    }

    /// Whether nothing that is there is changed by it, so that nothing can be locked for it.
    fn is_new(&self, name: &str) -> bool {
        !self.overwrite && (name != "MOVE" || Wanted::whole(self.from, self.is_dir).is_own())
    }

    /// What has to be locked for it: items that are there.
    fn wanted(&self, name: &str) -> Vec<Wanted<'_>> {
        if self.is_new(name) {
            return vec![Wanted::nothing(self.to)];
        }
        let from = Wanted::whole(self.from, self.is_dir);
        let goes = (name == "MOVE" && !from.is_own()).then_some(from);
        goes.into_iter().chain(self.overwrite.then(|| Wanted::file(self.to))).collect()
    }
}

impl Server {
    /// Moves or copies. `stale`: what must not be there is, or the other way round; `not_found`: its directory is missing;
    /// `busy`: somebody has locked it.
    pub(super) async fn relocate(&self, name: &'static str, way: &Way<'_>) -> Result<()> {
        let wanted = way.wanted(name);
        let mut refused = Refused::new(way.action, &wanted);
        let mut lost = 0;
        loop {
            let locks = if self.locks && !way.is_new(name) {
                match self.take_locks(way.action, &wanted).await {
                    Err(e) if e.code() == Code::Busy => refused.next(self, e).await?,
                    taken => Some(taken?),
                }
            } else {
                match self.relocate_with(name, way, None).await {
                    Err(e) if e.code() == Code::Busy => refused.next(self, e).await?,
                    other => return other,
                }
            };
            let Some(locks) = locks else { continue };
            let done = self.keeping(&locks, self.relocate_under(name, way, &locks)).await;
            self.release(&locks).await;
            match done {
                Err(e) if e.code() == Code::Stale && lost < LOST && self.is_untouched(way).await => lost += 1,
                done => return done,
            }
        }
    }

    /// Whether both ends still are what was expected. A condition that failed all the same did so for the lock: Apache loses some
    /// from its database when several come and go at once.
    async fn is_untouched(&self, way: &Way<'_>) -> bool {
        let (from, to) = futures_util::join!(self.look_at(way.from), self.look_at(way.to));
        let (Ok(Some(from)), Ok(to)) = (from, to) else { return false };
        let is_from = way.gone.is_none_or(|gone| is_node(gone, &from));
        let is_to = match (way.replaced, to) {
            (Some(replaced), Some(to)) => is_node(replaced, &to),
            (Some(_), None) => false,
            (None, to) => way.overwrite || to.is_none(),
        };
        is_from && is_to
    }

    /// Under locks: what was expected is looked at once more.
    async fn relocate_under(&self, name: &'static str, way: &Way<'_>, locks: &Locks) -> Result<()> {
        for (path, node) in [(way.from, way.gone), (way.to, way.replaced)] {
            if let Some(node) = node {
                let now = self.look_at(path).await?;
                check(way.action, path, &Expect::Node(node.clone()), now.as_ref())?;
            }
        }
        self.relocate_with(name, way, Some(locks)).await
    }

    async fn relocate_with(&self, name: &'static str, way: &Way<'_>, locks: Option<&Locks>) -> Result<()> {
        let to = self.address.url(way.to, way.is_dir);
        let overwrite = if way.overwrite { "T" } else { "F" };
        let mut ask = Ask::new(method(name), self.address.url(way.from, way.is_dir), way.action, way.from)
            .with("destination", header(to.as_str()))
            .with("overwrite", HeaderValue::from_static(overwrite));
        let tag = way.replaced.filter(|_| way.is_conditional).and_then(strong_tag);
        match (locks, tag) {
            (Some(locks), tag) => ask = ask.with("if", locks.header(tag.map(|tag| (&to, tag)))),
            (None, Some(tag)) => ask = ask.with("if", header(&format!("<{to}> ([\"{tag}\"])"))),
            (None, None) => {}
        }
        let ask = &ask;
        let once = || async move {
            let response = self.site.ask(ask).await?;
            let stale = |why: &'static str| Err(ask.error(Code::Stale).because(why).into());
            match response.status().as_u16() {
                200 | 201 | 204 => Ok(()),
                412 if way.overwrite => stale("it has changed"),
                412 => stale("something is there by now"),
                404 | 410 => stale("it is gone"),
                409 => {
                    let refusal = ask.refused(response).await;
                    Err(ask.error(Code::NotFound).because(refusal.error).into())
                }
                207 => Err(parted(ask, response).await),
                _ => Err(ask.refused(response).await),
            }
        };
        let moved = self.site.traffic.send(Repeat::Refused, once).await;
        match moved {
            Err(e) if matches!(e.code(), Code::Timeout | Code::Offline) && name == "MOVE" => {
                self.look_whether_moved(way, e).await
            }
            other => other,
        }
    }

    /// The answer to a move was lost, or was no answer: what is there now tells.
    async fn look_whether_moved(&self, way: &Way<'_>, error: Error) -> Result<()> {
        let (from, to) = futures_util::join!(self.look_at(way.from), self.look_at(way.to));
        match (from, to) {
            (Ok(None), Ok(Some(_))) => Ok(()),
            _ => Err(error),
        }
    }

    /// Moves over a version, which is named to servers that understand it.
    pub(super) async fn replace(&self, way: &Way<'_>) -> Result<()> {
        let is_conditional = !self.misreads_if.load(Ordering::Relaxed) && way.replaced.and_then(strong_tag).is_some();
        let plain = Way { is_conditional: false, ..*way };
        if !is_conditional {
            return self.relocate("MOVE", &plain).await;
        }
        match (self.relocate("MOVE", &Way { is_conditional, ..*way }).await, way.replaced) {
            (Err(e), Some(node)) if matches!(e.code(), Code::Stale | Code::Invalid | Code::Unsupported) => {
                // Nothing was done; and where it is still that version, the condition was misunderstood.
                let now = self.look_at(way.to).await?;
                if !now.is_some_and(|now| is_node(node, &now)) {
                    return Err(e);
                }
                self.misreads_if.store(true, Ordering::Relaxed);
                self.relocate("MOVE", &plain).await
            }
            (other, _) => other,
        }
    }

    /// Removes what is there; that there is nothing is as good.
    pub(super) async fn delete(&self, action: &'static str, path: &RelPath, is_dir: bool) -> Result<()> {
        let wanted = [Wanted::whole(path, is_dir)];
        let mut refused = Refused::new(action, &wanted);
        loop {
            let locks = match self.delete_with(action, path, is_dir, None).await {
                Err(e) if e.code() == Code::Busy => refused.next(self, e).await,
                other => return other,
            };
            match locks {
                Ok(None) => {}
                Ok(Some(locks)) => {
                    let done = self.keeping(&locks, self.delete_with(action, path, is_dir, Some(&locks))).await;
                    self.release(&locks).await;
                    return done;
                }
                // Meanwhile it has gone.
                Err(e) if e.code() == Code::Stale => return Ok(()),
                Err(e) => return Err(e),
            }
        }
    }

    pub(super) async fn delete_with(
        &self,
        action: &'static str,
        path: &RelPath,
        is_dir: bool,
        locks: Option<&Locks>,
    ) -> Result<()> {
        let mut ask = Ask::new(Method::DELETE, self.address.url(path, is_dir), action, path);
        if let Some(locks) = locks {
            ask = ask.with("if", locks.header(None));
        }
        let ask = &ask;
        let once = || async move {
            let response = self.site.ask(ask).await?;
            match response.status().as_u16() {
                200 | 202 | 204 | 404 | 409 | 410 => Ok(Ok(())),
                207 => {
                    let refusal = parted(ask, response).await;
                    if refusal.error.code() == Code::Busy { Ok(Err(refusal.error)) } else { Err(refusal) }
                }
                // Waiting is no way to get a lock.
                423 => Ok(Err(ask.refused(response).await.error)),
                _ => Err::<Result<()>, Refusal>(ask.refused(response).await),
            }
        };
        self.site.traffic.send(Repeat::Safe, once).await?
    }

    /// Makes a directory. `stale`: something is there already; `not_found`: its own directory is not; `busy`: somebody has
    /// locked that.
    pub(super) async fn make_dir(&self, action: &'static str, path: &RelPath) -> Result<()> {
        let parent = path.parent().unwrap_or_default();
        let wanted = [Wanted::members(&parent)];
        let mut refused = Refused::new(action, &wanted);
        loop {
            let locks = match self.make_dir_with(action, path, None).await {
                Err(e) if e.code() == Code::Busy => refused.next(self, e).await?,
                other => return other,
            };
            let Some(locks) = locks else { continue };
            let done = self.keeping(&locks, self.make_dir_with(action, path, Some(&locks))).await;
            self.release(&locks).await;
            return done;
        }
    }

    async fn make_dir_with(&self, action: &'static str, path: &RelPath, locks: Option<&Locks>) -> Result<()> {
        let mut ask = Ask::new(method("MKCOL"), self.address.url(path, true), action, path);
        if let Some(locks) = locks {
            ask = ask.with("if", locks.header(None));
        }
        let ask = &ask;
        let once = || async move {
            let response = self.site.ask(ask).await?;
            match response.status().as_u16() {
                200 | 201 | 204 => Ok(()),
                207 => Err(parted(ask, response).await),
                405 => Err(ask.error(Code::Stale).because("something is there by now").into()),
                409 => Err(ask.error(Code::NotFound).because("its directory is missing").into()),
                _ => Err::<(), Refusal>(ask.refused(response).await),
            }
        };
        self.site.traffic.send(Repeat::Refused, once).await
    }
}

/// What an effect has come to that was not carried out, or not wholly: the server names the items that it failed for, and
/// leaves those out that failed because of others (RFC 4918, sections 9.6.1 and 9.9.4).
pub(super) async fn parted(ask: &Ask, response: Response) -> Refusal {
    let mut failed: Option<(u16, String)> = None;
    let read = multistatus::read(body(ask, response), |resource| {
        let status = resource.status.filter(|status| *status >= 300);
        let is_cause = failed.as_ref().is_none_or(|(known, _)| *known == StatusCode::FAILED_DEPENDENCY.as_u16());
        if let (Some(status), true) = (status, is_cause) {
            failed = Some((status, resource.hrefs.into_iter().next().unwrap_or_default()));
        }
    });
    let read = read.await;
    let Some((status, href)) = failed else {
        let why = read.err().map_or_else(String::new, |e| format!(": {e}"));
        return ask.error(Code::Storage).because(format!("the server did a part of it only{why}")).into();
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::MULTI_STATUS);
    let href = escaped(href.as_bytes());
    // Whether anything of it was done is not known: it is not repeated as a throttled request would be.
    let code = match web::code(status) {
        Code::Throttled => Code::Offline,
        code => code,
    };
    ask.error(code).because(format!("{status} for {href}")).into()
}
