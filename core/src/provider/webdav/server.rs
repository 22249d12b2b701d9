//! The server as it was found to be, and what is asked of it most: what is there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::header::{HeaderValue, SERVER};
use reqwest::{Body, Method, Response, StatusCode};
use tokio::sync::{Mutex, OnceCell};
use unicode_normalization::UnicodeNormalization as _;

use super::address::{Address, Meaning};
use super::multistatus::{self, Props, Resource};
use crate::error::{Code, Error, Result};
use crate::model::{Ident, Kind, Name, Node, RelPath};
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::web_etag::{Shown, token};
use crate::provider::web_site::{Ask, Site};
use crate::provider::{NativeHash, web};

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
    pub(super) locks: bool,
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
}

/// `SHA1:… MD5:…`, as ownCloud writes them.
fn sums(text: &str) -> Vec<NativeHash> {
    let words = text.split_whitespace().filter_map(|word| word.split_once(':'));
    words.filter_map(|(algorithm, digits)| NativeHash::parse(algorithm, digits)).collect()
}

fn untold(path: &RelPath) -> Error {
    Error::new(Code::Storage, "look at", path).because("the server tells of other things, not of it")
}

pub(super) fn body(ask: &Ask, response: Response) -> stream::BoxStream<'static, Result<bytes::Bytes>> {
    let (action, subject) = (ask.action, ask.subject.clone());
    response.bytes_stream().map_err(move |e| web::unanswered(action, &subject, &e)).boxed()
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

/// Whether the server does not want to look there, rather than cannot just now.
fn is_refusal(error: &Error) -> bool {
    matches!(error.code(), Code::Invalid | Code::Permission | Code::Conflict)
}
