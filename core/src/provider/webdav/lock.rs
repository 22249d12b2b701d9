//! Write locks (RFC 4918, sections 6, 7, 9.10 and 9.11): taken where the place is told to, or the server refuses a change
//! with 423 while nobody holds a lock. Some lock what they work on themselves, for as long as that takes: they are asked
//! again.
//!
//! A lock is taken on what is there and is going to be changed: the item that is moved, with all that it holds, and the one
//! that is replaced. Names that nothing has yet are not locked: a server makes an empty file of them (section 7.3), which
//! everybody would see; that nothing has come there is asked for by `Overwrite: F`. What was expected is looked at once
//! more when the lock is there: whoever held one before may have written.
//!
//! Every lock has a timeout, is refreshed while the change takes, and is released afterwards, however that ended. Whose
//! answer was lost is found again by its owner, which is another one each time. Somebody else's lock is `busy`, in the
//! words of its owner.

use std::pin::pin;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Body, Response, Url};
use uuid::Uuid;

use super::change::parted;
use super::condition::stale;
use super::server::{Server, header, method};
use crate::error::{Code, Error, Result};
use crate::model::{RelPath, escaped};
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::web_site::Ask;
use crate::provider::xml::{self, Element};
use crate::provider::{TEMP_PREFIX, web};

/// How long a lock is asked for: what is left of it when this process dies.
const ASKED: Duration = Duration::from_secs(300);
/// Nobody has to be refreshed more often.
const OFTEN: Duration = Duration::from_secs(1);
/// How often a change is asked for that is refused for a lock that nobody holds, and the first pause, which doubles.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);
/// How much of an owner's words an error repeats.
const WORDS: usize = 200;
const ASKED_OF_LOCKS: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?>"#,
    r#"<d:propfind xmlns:d="DAV:"><d:prop><d:lockdiscovery/></d:prop></d:propfind>"#
);

/// An item to be locked.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) path: &'a RelPath,
    pub(super) is_dir: bool,
    /// With all that is in it.
    pub(super) is_deep: bool,
    /// It is fine when the lock makes it.
    pub(super) may_be_new: bool,
    /// Nothing is there, and nothing shall be made: only who has locked its directory is asked.
    pub(super) is_absent: bool,
}

impl<'a> Wanted<'a> {
    pub(super) fn file(path: &'a RelPath) -> Self {
        Self { path, is_dir: false, is_deep: false, may_be_new: false, is_absent: false }
    }

    /// A name that nothing has.
    pub(super) fn nothing(path: &'a RelPath) -> Self {
        Self { is_absent: true, ..Self::file(path) }
    }

    /// A file under a temporary name.
    pub(super) fn new_file(path: &'a RelPath) -> Self {
        Self { may_be_new: true, ..Self::file(path) }
    }

    /// Not what it holds: what may be added to it.
    pub(super) fn members(path: &'a RelPath) -> Self {
        Self { path, is_dir: true, is_deep: false, may_be_new: false, is_absent: false }
    }

    pub(super) fn whole(path: &'a RelPath, is_dir: bool) -> Self {
        Self { path, is_dir, is_deep: is_dir, may_be_new: false, is_absent: false }
    }

    /// Whether nobody else can know it.
    pub(super) fn is_own(&self) -> bool {
        self.path.name().is_some_and(|name| name.as_bytes().starts_with(TEMP_PREFIX))
    }
}

/// A lock that is held.
#[derive(Debug)]
struct Lock {
    url: Url,
    token: String,
    granted: Duration,
}

/// Locks that one change needs.
#[derive(Debug)]
pub(super) struct Locks(Vec<Lock>);

impl Locks {
    /// What a request says to show them; `tag` is the version that one of the items must have.
    pub(super) fn header(&self, tag: Option<(&Url, &str)>) -> HeaderValue {
        let lists = self.0.iter().map(|Lock { url, token, .. }| match tag {
            Some((tagged, tag)) if tagged == url => format!("<{url}> (<{token}> [\"{tag}\"])"),
            Some(_) | None => format!("<{url}> (<{token}>)"),
        });
        header(&lists.collect::<Vec<_>>().join(" "))
    }
}

/// What a server says of a lock.
#[derive(Debug, PartialEq, Eq)]
struct Active {
    owner: String,
    token: Option<String>,
    granted: Duration,
}

/// A change that was refused for a lock.
pub(super) struct Refused<'a> {
    action: &'static str,
    wanted: &'a [Wanted<'a>],
    tries: u32,
}

impl<'a> Refused<'a> {
    /// A change of what is to be locked for it.
    pub(super) fn new(action: &'static str, wanted: &'a [Wanted<'a>]) -> Self {
        Self { action, wanted, tries: 0 }
    }

    /// Takes the locks, or waits a moment: `None`, it is to be asked for again as it was.
    ///
    /// # Errors
    /// `error`, with the words of whoever has locked one of the items, or the server's where nobody has and it goes on
    /// for too long; `stale`: an item is gone; those of taking a lock.
    pub(super) async fn next(&mut self, server: &Server, error: Error) -> Result<Option<Locks>> {
        let error = match server.owner(self.action, self.wanted).await {
            Some(owner) => return Err(error.and_because(format_args!("it is locked by {owner}"))),
            None if !self.wanted.iter().any(|wanted| wanted.is_absent) => {
                match server.take_locks(self.action, self.wanted).await {
                    Ok(locks) => return Ok(Some(locks)),
                    Err(e) if e.code() == Code::Busy => e,
                    Err(e) => return Err(e),
                }
            }
            None => error,
        };
        self.tries += 1;
        if self.tries == TRIES {
            return Err(error);
        }
        tokio::time::sleep(PAUSE * (1 << self.tries)).await;
        Ok(None)
    }
}

impl Server {
    /// Takes locks on all of these.
    ///
    /// # Errors
    /// `busy`: somebody has locked one. `unsupported`: the server has no locks. `stale`: one is not there.
    pub(super) async fn take_locks(&self, action: &'static str, wanted: &[Wanted<'_>]) -> Result<Locks> {
        let mut locks = Locks(Vec::with_capacity(wanted.len()));
        for item in wanted {
            match self.take_lock(action, item).await {
                Ok(lock) => locks.0.push(lock),
                Err(e) => {
                    self.release(&locks).await;
                    return Err(e);
                }
            }
        }
        Ok(locks)
    }

    async fn take_lock(&self, action: &'static str, item: &Wanted<'_>) -> Result<Lock> {
        let url = self.address.url(item.path, item.is_dir);
        let owner = format!("portbook {}", Uuid::now_v7());
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><d:lockinfo xmlns:d=\"DAV:\"><d:lockscope><d:exclusive/></d:lockscope>\
             <d:locktype><d:write/></d:locktype><d:owner>{owner}</d:owner></d:lockinfo>"
        );
        let depth = if item.is_deep { "infinity" } else { "0" };
        let ask = &Ask::new(method("LOCK"), url.clone(), action, item.path)
            .with("depth", HeaderValue::from_static(depth))
            .with("timeout", asked())
            .with("content-type", HeaderValue::from_static("application/xml; charset=utf-8"));
        let body = &body;
        let once = || async move {
            let response = self.site.send(ask, || Ok(Some((body.len() as u64, Body::from(body.clone()))))).await?;
            match response.status().as_u16() {
                200 => granted(ask, response).await,
                // The lock has made an empty file of nothing.
                201 => granted(ask, response).await.map(|given| Given { is_new: true, ..given }),
                // On something in it.
                207 => Err(parted(ask, response).await),
                412 => Err(ask.error(Code::Busy).because(ask.refused(response).await.error).into()),
                405 | 501 => Err(ask
                    .error(Code::Unsupported)
                    .because("the server has no locks")
                    .advise("do not tell the place to lock")
                    .into()),
                _ => Err::<Given, Refusal>(ask.refused(response).await),
            }
        };
        let given = self.site.traffic.send(Repeat::Refused, once).await;
        let error = match given {
            Ok(Given { token, granted, is_new: false }) => return Ok(Lock { url, token, granted }),
            Ok(Given { token, granted, is_new: true }) => {
                let lock = Lock { url, token, granted };
                if item.may_be_new {
                    return Ok(lock);
                }
                let locks = Locks(vec![lock]);
                let removed = self.delete_with(action, item.path, item.is_dir, Some(&locks)).await;
                self.release(&locks).await;
                return Err(removed.err().unwrap_or_else(|| stale(action, item.path, "it is gone")));
            }
            Err(e) if matches!(e.code(), Code::Busy | Code::Timeout | Code::Offline) => e,
            Err(e) => return Err(e),
        };
        // The answer to this request may have been lost, and the lock is its own.
        let there = self.locks_on(action, item).await;
        match there.into_iter().find(|active| active.owner == owner) {
            Some(Active { token: Some(token), granted, .. }) => Ok(Lock { url, token, granted }),
            _ => Err(error),
        }
    }

    /// Does something while these locks are held, for as long as it takes.
    pub(super) async fn keeping<T>(&self, locks: &Locks, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let shortest = locks.0.iter().map(|lock| lock.granted).min().unwrap_or(ASKED);
        let every = (shortest / 2).max(OFTEN);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(every) => self.refresh(locks).await,
            }
        }
    }

    /// Asks for more time. A lock that is lost meanwhile is refused with the change.
    async fn refresh(&self, locks: &Locks) {
        for lock in &locks.0 {
            let ask = &Ask::new(method("LOCK"), lock.url.clone(), "keep the lock of", lock.url.path())
                .with("if", header(&format!("(<{}>)", lock.token)))
                .with("timeout", asked());
            let _ = self.site.ask(ask).await;
        }
    }

    /// Releases locks. One that is not released runs out; one of an item that was moved is gone with its place.
    pub(super) async fn release(&self, locks: &Locks) {
        for lock in &locks.0 {
            let ask = &Ask::new(method("UNLOCK"), lock.url.clone(), "release the lock of", lock.url.path())
                .with("lock-token", header(&format!("<{}>", lock.token)));
            let once = || async move {
                let response = self.site.ask(ask).await?;
                match response.status().is_success() {
                    true => Ok(()),
                    false => Err::<(), Refusal>(ask.refused(response).await),
                }
            };
            let _ = self.site.traffic.send(Repeat::Safe, once).await;
        }
    }

    /// The words of whoever has locked one of these items, or the directory of one.
    async fn owner(&self, action: &'static str, items: &[Wanted<'_>]) -> Option<String> {
        for item in items {
            let parent = item.path.parent().unwrap_or_default();
            for item in [*item, Wanted::members(&parent)] {
                let owners = self.locks_on(action, &item).await.into_iter().map(|active| active.owner);
                if let Some(owner) = owners.into_iter().find(|owner| !owner.is_empty()) {
                    return Some(escaped(owner.as_bytes()).chars().take(WORDS).collect());
                }
            }
        }
        None
    }

    /// The locks that the server tells of; none where it tells of nothing.
    async fn locks_on(&self, action: &'static str, item: &Wanted<'_>) -> Vec<Active> {
        let ask = &Ask::new(method("PROPFIND"), self.address.url(item.path, item.is_dir), action, item.path)
            .with("depth", HeaderValue::from_static("0"))
            .with("content-type", HeaderValue::from_static("application/xml; charset=utf-8"));
        let once = || async move {
            let length = ASKED_OF_LOCKS.len() as u64;
            let response = self.site.send(ask, || Ok(Some((length, Body::from(ASKED_OF_LOCKS))))).await?;
            Ok::<_, Refusal>(web::body_of_failure(response).await)
        };
        match self.site.traffic.send(Repeat::Safe, once).await {
            Ok(body) => active(&body),
            Err(_) => Vec::new(),
        }
    }
}

fn asked() -> HeaderValue {
    header(&format!("Second-{}", ASKED.as_secs()))
}

/// A lock as it was given.
struct Given {
    token: String,
    granted: Duration,
    /// There was nothing before.
    is_new: bool,
}

async fn granted(ask: &Ask, response: Response) -> std::result::Result<Given, Refusal> {
    let told = response.headers().get("lock-token").and_then(|value| value.to_str().ok()).and_then(token);
    let active = active(&web::body_of_failure(response).await);
    let granted = active.first().map_or(ASKED, |active| active.granted);
    let token = told.or_else(|| active.into_iter().find_map(|active| active.token));
    let token = token.ok_or_else(|| ask.error(Code::Storage).because("the server gives a lock without a token"))?;
    Ok(Given { token, granted, is_new: false })
}

/// A token as it can stand between angle brackets. It should be an absolute URI (RFC 4918, section 10.1); servers on Go's
/// `x/net/webdav` give a number.
fn token(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"'));
    is_plain.then(|| text.to_owned())
}

/// The locks that an answer tells of (RFC 4918, section 15.8).
fn active(body: &[u8]) -> Vec<Active> {
    let Ok(root) = xml::parse(body) else { return Vec::new() };
    let mut found = Vec::new();
    collect(&root, &mut found);
    found
}

fn collect(element: &Element, found: &mut Vec<Active>) {
    if element.name != "activelock" {
        element.children.iter().for_each(|child| collect(child, found));
        return;
    }
    let all_of = |name| element.all(name).next().map(all_text).unwrap_or_default();
    let seconds = all_of("timeout").strip_prefix("Second-").and_then(|seconds| seconds.parse().ok());
    let granted = seconds.map_or(ASKED, Duration::from_secs);
    found.push(Active { owner: all_of("owner"), token: token(&all_of("locktoken")), granted });
}

/// The text of an element and of those in it.
fn all_text(element: &Element) -> String {
    let inner = element.children.iter().map(all_text);
    let texts = std::iter::once(element.text.trim().to_owned()).chain(inner).filter(|text| !text.is_empty());
    texts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = br#"<?xml version="1.0"?><D:prop xmlns:D="DAV:"><D:lockdiscovery><D:activelock>
        <D:locktype><D:write/></D:locktype><D:lockscope><D:exclusive/></D:lockscope><D:depth>infinity</D:depth>
        <D:owner>Ada <D:href>mailto:ada@example.org</D:href></D:owner><D:timeout>Second-604800</D:timeout>
        <D:locktoken><D:href>urn:uuid:e71d4fae-5dec-22d6-fea5-00a0c91e6be4</D:href></D:locktoken>
        </D:activelock></D:lockdiscovery></D:prop>"#;

    #[test]
    fn a_lock_is_told_with_its_owner_its_token_and_its_time() {
        let expected = Active {
            owner: "Ada mailto:ada@example.org".into(),
            token: Some("urn:uuid:e71d4fae-5dec-22d6-fea5-00a0c91e6be4".into()),
            granted: Duration::from_secs(604_800),
        };
        assert_eq!(active(ANSWER), [expected]);
        assert_eq!(active(b"<html>"), []);
    }

    #[test]
    fn only_what_can_stand_in_a_header_is_a_token() {
        assert_eq!(token("<opaquelocktoken:a-b>").as_deref(), Some("opaquelocktoken:a-b"));
        assert_eq!(token("<1763776527>").as_deref(), Some("1763776527"));
        for bad in ["", "<>", "two words", "a:b c", "a:b>\r\nX: y", "a:<b"] {
            assert_eq!(token(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_version_is_asked_for_in_the_list_of_its_own_lock() {
        let url = |path: &str| Url::parse("http://host/").unwrap().join(path).unwrap();
        let lock = |path: &str, token: &str| Lock { url: url(path), token: token.into(), granted: ASKED };
        let locks = Locks(vec![lock("a", "x:1"), lock("b", "x:2")]);
        let said = locks.header(Some((&url("b"), "tag")));
        assert_eq!(said.to_str().unwrap(), "<http://host/a> (<x:1>) <http://host/b> (<x:2> [\"tag\"])");
    }
}
