//! The server as it was found to be, and the two things that are asked of it most: what is there, and to move it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::header::{HeaderValue, SERVER};
use reqwest::{Body, Method, Response, StatusCode};
use tokio::sync::{Mutex, OnceCell};
use unicode_normalization::UnicodeNormalization as _;

use super::address::{Address, Meaning};
use super::lock::{Locks, Refused, Wanted};
use super::multistatus::{self, Props, Resource};
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Ident, Kind, Name, Node, RelPath, escaped};
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::web_etag::{Shown, is_version, token};
use crate::provider::web_site::{Ask, Site};
use crate::provider::{NativeHash, RESERVED_DIR, is_reserved, web};

/// What is asked about each item. Named one by one: `allprop` leaves out what a server holds to be costly.
const ASKED: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>"#,
    "<d:resourcetype/><d:getcontentlength/><d:getlastmodified/><d:getetag/><oc:id/><oc:fileid/></d:prop></d:propfind>"
);
/// As [`ASKED`], with the hashes that the server keeps; one that makes them anew each time is asked for them only where
/// they are of use.
const ASKED_WITH_SUMS: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>"#,
    "<d:resourcetype/><d:getcontentlength/><d:getlastmodified/><d:getetag/><oc:id/><oc:fileid/><oc:checksums/>",
    "</d:prop></d:propfind>"
);
/// What is asked about the root.
const ASKED_OF_ROOT: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>"#,
    "<d:resourcetype/><d:quota-available-bytes/><oc:id/><oc:fileid/><oc:permissions/></d:prop></d:propfind>"
);
/// From so many items of one directory on, the directory is listed instead of looking at each.
const WORTH_A_LISTING: usize = 3;

/// What is known of a server after the first look at its root.
#[derive(Clone, Debug)]
pub(super) struct Features {
    /// Nextcloud or ownCloud: they give ids, and keep times and checksums.
    pub(super) is_owncloud: bool,
    /// Modified times can be set and are shown.
    pub(super) keeps_times: bool,
    /// Names that differ in case only are one name.
    pub(super) folds_case: bool,
    /// Names that differ in normal form only are one name.
    pub(super) folds_forms: bool,
    /// Names that begin with a dot are there and in no listing (nginx's `dav-ext`).
    pub(super) hides_dots: bool,
    pub(super) root: Props,
}

/// A server and what it was found to do.
pub(super) struct Server {
    /// What is changed is locked first.
    locks: bool,
    pub(super) site: Arc<Site>,
    pub(super) address: Address,
    features: OnceCell<Features>,
    /// Conditions on entity tags (RFC 4918, section 10.4) are taken for something else.
    pub(super) misreads_if: AtomicBool,
    /// The tags of what is sent are others than those of listings.
    pub(super) tags_differ: AtomicBool,
    /// Tags stay weak, however old they become.
    pub(super) stays_weak: AtomicBool,
    /// It has turned out to take no uploads in chunks.
    pub(super) has_no_chunks: AtomicBool,
    /// Directories of the trash that are there.
    pub(super) bins: Mutex<HashMap<Vec<u8>, RelPath>>,
    /// The hashes of what waits under temporary names, where the server may say its own.
    pub(super) sums: Mutex<HashMap<RelPath, [NativeHash; 2]>>,
}

/// What a look at an item or a directory showed.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) itself: Option<Props>,
    pub(super) children: Vec<(Name, Props)>,
    /// Why there may be more children.
    pub(super) trouble: Option<Error>,
}

/// An item with the hashes that the server keeps of it.
pub(super) type Summed = (Node, Vec<NativeHash>);

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

pub(super) fn method(name: &'static str) -> Method {
    // These are all made of letters.
    Method::from_bytes(name.as_bytes()).unwrap_or_default()
}

pub(super) fn header(text: &str) -> HeaderValue {
    // URLs are encoded, tags were taken from a header or are not sent.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

impl Server {
    pub(super) fn new(site: Site, locks: bool) -> Self {
        let address = Address::new(site.base());
        Self {
            locks,
            site: Arc::new(site),
            address,
            features: OnceCell::new(),
            misreads_if: AtomicBool::new(false),
            tags_differ: AtomicBool::new(false),
            stays_weak: AtomicBool::new(false),
            has_no_chunks: AtomicBool::new(false),
            bins: Mutex::default(),
            sums: Mutex::default(),
        }
    }

    pub(super) fn known_features(&self) -> Option<&Features> {
        self.features.get()
    }

    /// Whether uploads in chunks may be tried.
    pub(super) fn takes_chunks(&self) -> bool {
        self.address.uploads().is_some() && !self.has_no_chunks.load(Ordering::Relaxed)
    }

    /// Whether it may say hashes of what it holds.
    pub(super) fn keeps_sums(&self) -> bool {
        // The servers that keep times are those that have checksums, too.
        self.known_features().is_some_and(|features| features.keeps_times)
    }

    /// What the server was found to be; looks at the root the first time.
    pub(super) async fn features(&self) -> Result<&Features> {
        self.features
            .get_or_try_init(|| async {
                let mut features = self.discover().await?;
                self.probe_names(&mut features).await?;
                Ok(features)
            })
            .await
    }

    /// Looks at the root.
    pub(super) async fn discover(&self) -> Result<Features> {
        let action = "open the WebDAV root";
        let root = RelPath::root();
        let mut ask = self.asking(action, &root, true, 0);
        ask.subject = self.address.base().to_string();
        let ask = &ask;
        let once = || async move {
            let response = self.send(ask, ASKED_OF_ROOT).await?;
            if response.status() != StatusCode::MULTI_STATUS {
                return Err(not_dav(ask, response).await);
            }
            let software = response.headers().get(SERVER).cloned();
            let mut first: Option<Resource> = None;
            multistatus::read(body(ask, response), |resource| first = first.take().or(Some(resource))).await?;
            Ok::<_, Refusal>((first, software))
        };
        let (first, software) = self.site.traffic.send(Repeat::Safe, once).await?;
        let first = first.filter(|first| first.status.is_none() && first.withheld.is_none());
        let Some(first) = first else { return Err(ask.error(Code::Storage).because("the server tells nothing of it")) };
        if !first.props.is_collection {
            return Err(ask.error(Code::Invalid).because("it is a file").advise("name the directory that holds it"));
        }
        first.hrefs.iter().take(1).for_each(|href| self.address.learn(href));
        let is_owncloud = first.props.id.is_some();
        let is_of = |name: &[u8]| software.as_ref().is_some_and(|software| software.as_bytes().starts_with(name));
        let is_rclone = is_of(b"rclone/");
        // What nginx is a proxy of is not known; what it lists itself lacks these names.
        let hides_dots = is_of(b"nginx") && !is_owncloud;
        // rclone serves its files through a file system that sets times and compares names by their normal form.
        let folds_forms = is_rclone;
        let keeps_times = is_owncloud || is_rclone;
        Ok(Features { is_owncloud, keeps_times, folds_case: false, folds_forms, hides_dots, root: first.props })
    }

    /// Asks for a name of the root's in another spelling: where that is there too, the server takes the two for one.
    /// Nothing is written for it, so of a root without a telling name nothing is known.
    async fn probe_names(&self, features: &mut Features) -> Result<()> {
        let root = RelPath::root();
        let Some(found) = self.ask_for(ASKED, &root, true, 1).await? else { return Ok(()) };
        features.hides_dots &= !found.children.iter().any(|(name, _)| name.as_bytes().starts_with(b"."));
        let names: HashSet<&[u8]> = found.children.iter().map(|(name, _)| name.as_bytes()).collect();
        let other_spelling = |respell: &dyn Fn(&str) -> String| {
            let texts = names.iter().filter_map(|name| std::str::from_utf8(name).ok());
            texts.map(respell).find(|text| !names.contains(text.as_bytes())).and_then(|t| Name::new(t.as_bytes()))
        };
        let swapped = |text: &str| {
            let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            text.chars().map(swap).collect()
        };
        let reformed = |text: &str| {
            let composed: String = text.nfc().collect();
            if composed == text { text.nfd().collect() } else { composed }
        };
        let (case, form) = (other_spelling(&swapped), other_spelling(&reformed));
        let is_there = async |name: Option<Name>| match name {
            // What is only refused is no other spelling of something.
            Some(name) => matches!(self.ask_for(ASKED, &root.join(&name), false, 0).await, Ok(Some(_))),
            None => false,
        };
        features.folds_case = is_there(case).await;
        features.folds_forms |= is_there(form).await;
        Ok(())
    }

    fn asking(&self, action: &'static str, path: &RelPath, is_dir: bool, depth: u8) -> Ask {
        Ask::new(method("PROPFIND"), self.address.url(path, is_dir), action, path)
            .with("depth", HeaderValue::from(u16::from(depth)))
            .with("content-type", HeaderValue::from_static("application/xml; charset=utf-8"))
    }

    async fn send(&self, ask: &Ask, asked: &'static str) -> std::result::Result<Response, Refusal> {
        self.site.send(ask, || Ok(Some((asked.len() as u64, Body::from(asked))))).await
    }

    /// Looks at an item, and at what is in it with a depth of 1; `None` is a definite absence.
    pub(super) async fn propfind(&self, path: &RelPath, is_dir: bool, depth: u8) -> Result<Option<Found>> {
        self.features().await?;
        self.ask_for(ASKED, path, is_dir, depth).await
    }

    async fn ask_for(&self, asked: &'static str, path: &RelPath, is_dir: bool, depth: u8) -> Result<Option<Found>> {
        match self.ask_once(asked, path, is_dir, depth).await {
            Err(e) if is_refusal(&e) && self.lies_in_a_file(path).await => Ok(None),
            answer => answer,
        }
    }

    /// Whether a file is in the way, in which nothing can be. Servers refuse to look there instead of saying that nothing is:
    /// Apache by 400, dav-server by 403 (observed).
    async fn lies_in_a_file(&self, path: &RelPath) -> bool {
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            match self.ask_once(ASKED, &dir, false, 0).await {
                Ok(Some(found)) => return found.itself.is_some_and(|props| !props.is_collection),
                Ok(None) => return false,
                Err(_) => above = dir.parent(),
            }
        }
        false
    }

    async fn ask_once(&self, asked: &'static str, path: &RelPath, is_dir: bool, depth: u8) -> Result<Option<Found>> {
        let ask = &self.asking("look at", path, is_dir, depth);
        let once = || async move {
            let response = self.send(ask, asked).await?;
            match response.status().as_u16() {
                207 => {}
                404 | 410 => return Ok(None),
                _ => return Err(not_dav(ask, response).await),
            }
            let mut found = Found::default();
            let read = multistatus::read(body(ask, response), |resource| self.take(path, resource, &mut found)).await;
            match read {
                // What broke off on the way comes whole another time.
                Err(e) if e.is_retryable() => return Err(e.into()),
                Err(e) => found.trouble = Some(ask.error(e.code()).because(e)),
                Ok(()) => {}
            }
            Ok::<_, Refusal>(Some(found))
        };
        self.site.traffic.send(Repeat::Safe, once).await
    }

    fn take(&self, path: &RelPath, resource: Resource, found: &mut Found) {
        let trouble = |code, why: String| Error::new(code, "look at", path).because(why);
        for href in &resource.hrefs {
            let failed = resource.status.filter(|status| *status >= 300).or(resource.withheld);
            match (self.address.meaning(path, href), failed) {
                (_, Some(404 | 410)) => {}
                (_, Some(status)) => {
                    let code = StatusCode::from_u16(status).map_or(Code::Storage, web::code);
                    found.trouble = Some(trouble(code, format!("the server answers {status} for an item in it")));
                }
                (Meaning::Itself, None) => found.itself = Some(resource.props.clone()),
                (Meaning::Child(name), None) => found.children.push((name, resource.props.clone())),
                (Meaning::Foreign, None) => {
                    found.trouble =
                        Some(trouble(Code::Storage, "the server lists an item that cannot be in it".into()));
                }
            }
        }
    }

    /// An item as it is told of.
    pub(super) fn node(&self, props: &Props) -> Node {
        let ident = props.id.as_ref().map_or(Ident::None, |id| Ident::Provider(id.as_bytes().into()));
        let keeps_times = self.features.get().is_some_and(|features| features.keeps_times);
        match props.size {
            _ if props.is_collection => Node { kind: Kind::Dir, ident, token: Default::default() },
            Some(size) => {
                let token = token(size, props.modified, props.etag.as_ref(), keeps_times);
                Node { kind: Kind::File, ident, token }
            }
            // Made when it is asked for, and of no length that could be relied on.
            None => Node { kind: Kind::Other, ident, token: Default::default() },
        }
    }

    /// Looks at items, temporary ones too, in as few requests as there are: a directory with several of them is listed.
    pub(super) async fn look(&self, paths: &[RelPath]) -> Vec<Result<Option<Node>>> {
        let looks = self.look_for(ASKED, paths).await;
        looks.into_iter().map(|look| Ok(look?.map(|props| self.node(&props)))).collect()
    }

    /// As [`look`](Self::look), with the hashes that the server keeps of them.
    pub(super) async fn look_with_sums(&self, paths: &[RelPath]) -> Vec<Result<Option<Summed>>> {
        let looks = self.look_for(ASKED_WITH_SUMS, paths).await;
        let with_sums = |props: Props| (self.node(&props), sums(props.checksums.as_deref().unwrap_or_default()));
        looks.into_iter().map(|look| Ok(look?.map(with_sums))).collect()
    }

    async fn look_for(&self, asked: &'static str, paths: &[RelPath]) -> Vec<Result<Option<Props>>> {
        if let Err(e) = self.features().await {
            return paths.iter().map(|_| Err(e.clone())).collect();
        }
        let mut groups: HashMap<RelPath, Vec<usize>> = HashMap::new();
        let mut hidden = Vec::new();
        let hides_dots = self.known_features().is_some_and(|features| features.hides_dots);
        for (index, path) in paths.iter().enumerate() {
            if hides_dots && path.name().is_some_and(|name| name.as_bytes().starts_with(b".")) {
                hidden.push(index);
                continue;
            }
            groups.entry(path.parent().unwrap_or_default()).or_default().push(index);
        }
        let (many, few): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, of)| of.len() >= WORTH_A_LISTING);
        let listed =
            stream::iter(many).map(|(dir, of)| self.look_in(asked, dir, of, paths)).buffer_unordered(self.width());
        let single = stream::iter(few.into_iter().flat_map(|(_, of)| of).chain(hidden))
            .map(|index| async move { vec![(index, self.look_once(asked, &paths[index]).await)] })
            .buffer_unordered(self.width());
        let (listed, single): (Vec<_>, Vec<_>) = futures_util::join!(listed.collect(), single.collect());
        let mut looks: HashMap<usize, Result<Option<Props>>> = listed.into_iter().chain(single).flatten().collect();
        let lost = || Err(Error::new(Code::Internal, "look at", "an item"));
        (0..paths.len()).map(|index| looks.remove(&index).unwrap_or_else(lost)).collect()
    }

    async fn look_in(
        &self,
        asked: &'static str,
        dir: RelPath,
        of: Vec<usize>,
        paths: &[RelPath],
    ) -> Vec<(usize, Result<Option<Props>>)> {
        let found = match self.ask_for(asked, &dir, true, 1).await {
            Err(e) => return of.into_iter().map(|index| (index, Err(e.clone()))).collect(),
            Ok(found) => found.filter(|found| found.itself.as_ref().is_none_or(|itself| itself.is_collection)),
        };
        let Some(Found { itself, children, trouble }) = found else {
            return of.into_iter().map(|index| (index, Ok(None))).collect();
        };
        let trouble = trouble.or_else(|| itself.is_none().then(|| untold(&dir)));
        let known: HashMap<&[u8], &Props> = children.iter().map(|(name, props)| (name.as_bytes(), props)).collect();
        let answer = |index: usize| {
            let name = paths[index].name();
            match name.and_then(|name| known.get(name.as_bytes()).copied()) {
                Some(props) => Ok(Some(props.clone())),
                None => trouble.clone().map_or(Ok(None), Err),
            }
        };
        of.into_iter().map(|index| (index, answer(index))).collect()
    }

    /// Looks at one item.
    pub(super) async fn look_at(&self, path: &RelPath) -> Result<Option<Node>> {
        self.features().await?;
        Ok(self.look_once(ASKED, path).await?.map(|props| self.node(&props)))
    }

    async fn look_once(&self, asked: &'static str, path: &RelPath) -> Result<Option<Props>> {
        let Some(found) = self.ask_for(asked, path, path.is_root(), 0).await? else { return Ok(None) };
        match (found.itself, found.trouble) {
            (Some(props), _) => Ok(Some(props)),
            (None, Some(trouble)) => Err(trouble),
            (None, None) => Err(untold(path)),
        }
    }

    /// The sizes of what is in a directory that is none of the root's, by its name; `None`: there is none.
    pub(super) async fn sizes(&self, ask: &Ask) -> Result<Option<Vec<(String, u64)>>> {
        let mut ask = Ask::new(ask.method.clone(), ask.url.clone(), ask.action, &ask.subject);
        ask = ask.with("depth", HeaderValue::from(1)).with("content-type", HeaderValue::from_static("application/xml"));
        let ask = &ask;
        let once = || async move {
            let response = self.send(ask, ASKED).await?;
            match response.status().as_u16() {
                207 => {}
                404 | 410 => return Ok(None),
                _ => return Err(ask.refused(response).await),
            }
            let mut sizes = Vec::new();
            multistatus::read(body(ask, response), |resource| {
                let name = resource.hrefs.first().and_then(|href| href.trim_end_matches('/').rsplit('/').next());
                sizes.extend(name.map(str::to_owned).zip(resource.props.size));
            })
            .await?;
            Ok::<_, Refusal>(Some(sizes))
        };
        self.site.traffic.send(Repeat::Safe, once).await
    }

    /// How many requests are worth being prepared at once.
    pub(super) fn width(&self) -> usize {
        self.site.traffic.most()
    }

    /// The head of a file as it would be sent; `None` where it is told by no success.
    pub(super) async fn head(&self, path: &RelPath) -> Result<Option<Shown>> {
        let ask = &Ask::new(Method::HEAD, self.address.url(path, false), "look at", path);
        let once = || async move {
            let response = self.site.ask(ask).await?;
            Ok::<_, Refusal>(response.status().is_success().then(|| Shown::by(&response)))
        };
        self.site.traffic.send(Repeat::Safe, once).await
    }

    /// Moves or copies. `stale`: what must not be there is, or the other way round; `not_found`: its directory is missing;
    /// `busy`: somebody has locked it.
    pub(super) async fn relocate(&self, name: &'static str, way: &Way<'_>) -> Result<()> {
        let wanted = way.wanted(name);
        let mut refused = Refused::new(way.action, &wanted);
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
            return done;
        }
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

/// `SHA1:… MD5:…`, as ownCloud writes them.
fn sums(text: &str) -> Vec<NativeHash> {
    let words = text.split_whitespace().filter_map(|word| word.split_once(':'));
    words.filter_map(|(algorithm, digits)| NativeHash::parse(algorithm, digits)).collect()
}

fn untold(path: &RelPath) -> Error {
    Error::new(Code::Storage, "look at", path).because("the server tells of other things, not of it")
}

fn body(ask: &Ask, response: Response) -> stream::BoxStream<'static, Result<bytes::Bytes>> {
    let (action, subject) = (ask.action, ask.subject.clone());
    response.bytes_stream().map_err(move |e| web::unanswered(action, &subject, &e)).boxed()
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

/// An answer that is no multistatus. A success without one is the page of something else.
async fn not_dav(ask: &Ask, response: Response) -> Refusal {
    let status = response.status();
    if !status.is_success() && !matches!(status.as_u16(), 405 | 501) {
        return ask.refused(response).await;
    }
    let error = ask.error(Code::Unsupported);
    let why = format!("the server answers {status} where a WebDAV server lists");
    error.because(why).advise("check the address; a server that only serves files is a place of kind http").into()
}

/// The entity tag that a condition can name (weak ones never match, RFC 9110, section 13.1.1).
pub(super) fn strong_tag(node: &Node) -> Option<&str> {
    let tag = std::str::from_utf8(node.token.revision.as_deref()?).ok()?;
    (!tag.starts_with("W/") && !tag.contains(['"', ']']) && tag.is_ascii()).then_some(tag)
}

/// Whether the server does not want to look there, rather than cannot just now.
fn is_refusal(error: &Error) -> bool {
    matches!(error.code(), Code::Invalid | Code::Permission | Code::Conflict)
}

/// Whether the item is the expected one. Of a directory only kind and identity count.
pub(super) fn is_node(expect: &Node, now: &Node) -> bool {
    let is_same = expect.kind == now.kind && (expect.ident == now.ident || expect.ident == Ident::None);
    is_same && (now.kind == Kind::Dir || is_version(&expect.token, &now.token))
}

/// Holds what is there against what is expected.
pub(super) fn check(action: &'static str, path: &RelPath, expect: &Expect, now: Option<&Node>) -> Result<()> {
    let why = match (expect, now) {
        (Expect::Any, _) | (Expect::Absent, None) => return Ok(()),
        (Expect::Node(node), Some(now)) if is_node(node, now) => return Ok(()),
        (Expect::Absent, Some(_)) => "something is there by now",
        (Expect::Node(_), None) => "it is gone",
        (Expect::Node(_), Some(_)) => "it has changed",
    };
    Err(stale(action, path, why))
}

pub(super) fn stale(action: &'static str, path: &RelPath, why: &'static str) -> Error {
    Error::new(Code::Stale, action, path).because(why)
}

/// Refuses to write where the engine keeps its own things.
pub(super) fn not_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse(action, path, path.components().any(is_reserved))
}

/// As [`not_reserved`], but names may be temporary: a swap passes through one.
pub(super) fn not_in_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse(action, path, path.components().any(|name| name == RESERVED_DIR))
}

fn refuse(action: &'static str, path: &RelPath, is_reserved: bool) -> Result<()> {
    match (is_reserved, path.is_root()) {
        (true, _) => Err(Error::new(Code::Invalid, action, path).because("this name is reserved")),
        (false, true) => Err(Error::new(Code::Invalid, action, path).because("this is the root itself")),
        (false, false) => Ok(()),
    }
}
