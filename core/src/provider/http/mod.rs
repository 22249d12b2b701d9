//! Files of an HTTP server, to be read only.
//!
//! HTTP has no listings (RFC 9110). Where a server gives a page of a directory, names are taken from it and each file is
//! asked for its length, time and tag; or the host names a document that lists all files. Anything else is unknown,
//! never empty.

mod index;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use reqwest::header::{CONTENT_TYPE, HeaderValue, RANGE};
use reqwest::{Method, Response, Url};
use tokio::sync::Mutex;

use self::index::{Indexed, Listed};
use super::traffic::{Refusal, Repeat};
use super::web_auth::WebAuth;
use super::web_etag::{Etag, Shown, is_version, token};
use super::web_get::{After, Get};
use super::web_site::{Ask, Site, expected, url_of};
use super::{
    Capabilities, Hashed, Listing, Move, Opened, Provider, Publish, RootIdentity, Stage, Staged, Trash, Writable,
    is_reserved, too_deep,
};
use crate::Trust;
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Entry, Ident, Kind, Name, Node, RelPath, Timestamp};

/// The largest page or index document.
const LARGEST: usize = 64 << 20;
/// A server reads a file of this size in one go; a larger one may be written to while it is sent.
const AT_ONCE: u64 = 16 << 10;

/// Where an HTTP server is and how it is asked.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// The address of the directory that becomes the root, `http` or `https`, without name and password.
    pub url: String,
    /// How requests prove who sends them.
    pub auth: WebAuth,
    /// Which servers are believed to be who they say.
    pub trust: Trust,
    /// Files are identified by this query parameter (`?id=…`) instead of by their path. They are listed by an index
    /// document.
    pub use_query_params: Option<String>,
    /// The path of a JSON document beneath the address that lists all files:
    /// `[{"path": "a/b.txt", "size": 3, "modified": "2026-01-02T03:04:05Z", "etag": "…", "id": "…"}]`. None: the pages
    /// that the server makes of its directories are read.
    pub index: Option<String>,
}

/// A directory of an HTTP server.
///
/// ```
/// use portbook::provider::Provider as _;
/// use portbook::provider::http::{Http, HttpOptions};
/// let options = HttpOptions { url: "https://example.org/files/".into(), ..HttpOptions::default() };
/// assert_eq!(Http::open(options)?.display(), "https://example.org/files/");
/// # Ok::<(), portbook::Error>(())
/// ```
pub struct Http(Arc<Server>);

struct Server {
    site: Arc<Site>,
    base: Url,
    parameter: Option<String>,
    index: Option<RelPath>,
    /// The index document as it was when the root was listed last.
    document: Mutex<Option<Arc<BTreeMap<RelPath, Indexed>>>>,
    capabilities: Capabilities,
}

impl Http {
    /// Sets up the place; the server is asked for the first time when something is done.
    ///
    /// # Errors
    /// `invalid`: an address, credentials or names that cannot be used.
    pub fn open(options: HttpOptions) -> Result<Self> {
        let site = Site::new(&options.url, options.auth, &options.trust, "http")?;
        let unusable = |why: &'static str| Error::new(Code::Invalid, "use the address", "").because(why);
        let index = match &options.index {
            None if options.use_query_params.is_some() => {
                return Err(unusable("files that are identified by a query need an index document"));
            }
            None => None,
            Some(path) => {
                Some(RelPath::parse(path.as_bytes()).ok_or_else(|| unusable("the index has no usable path"))?)
            }
        };
        let mut base = site.base().clone();
        if options.use_query_params.is_none() && !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(Self(Arc::new(Server {
            site: Arc::new(site),
            base,
            parameter: options.use_query_params,
            index,
            document: Mutex::default(),
            capabilities: capabilities(),
        })))
    }

    async fn each<T: Send, R: Send, F>(&self, items: Vec<T>, work: impl Fn(T) -> F + Send) -> Vec<R>
    where
        F: Future<Output = R> + Send,
    {
        stream::iter(items).map(work).buffered(self.0.site.traffic.most()).collect().await
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        case_insensitive: false,
        unicode_insensitive: false,
        windows_names: false,
        unicode_names: true,
        max_name_bytes: 255,
        mode: false,
        set_mtime: false,
        write_mtime: false,
        symlinks: false,
        time_precision_ns: 1_000_000_000,
        create_is_exclusive: false,
        native_copy: false,
        resumable_bytes: None,
        resumable_native_bytes: None,
        staged_bytes: None,
        large_bytes: 0,
        streams: 1,
    }
}

fn read_only<R>(action: &'static str, path: impl std::fmt::Display) -> Result<R> {
    Err(Error::new(Code::Unsupported, action, path).because("an HTTP server can only be read"))
}

fn dir() -> Node {
    Node { kind: Kind::Dir, ident: Ident::None, token: Default::default() }
}

fn file(size: Option<u64>, modified: Option<Timestamp>, etag: Option<&Etag>) -> Node {
    match size {
        Some(size) => Node { kind: Kind::File, ident: Ident::None, token: token(size, modified, etag, false) },
        // Made when it is asked for, and of no length that could be relied on.
        None => Node { kind: Kind::Other, ident: Ident::None, token: Default::default() },
    }
}

impl Server {
    fn url(&self, path: &RelPath, is_dir: bool) -> Url {
        url_of(&self.base, path, is_dir)
    }

    /// The URL of a file: its path, or the query that identifies it.
    fn file_url(&self, path: &RelPath, indexed: Option<&Indexed>) -> Url {
        let Some(parameter) = &self.parameter else { return self.url(path, false) };
        let mut url = self.base.clone();
        let id = indexed.and_then(|file| file.id.clone());
        let id = id.unwrap_or_else(|| String::from_utf8_lossy(path.as_bytes()).into_owned());
        url.query_pairs_mut().append_pair(parameter, &id);
        url
    }

    async fn fetch(&self, ask: &Ask) -> Result<Option<(String, Vec<u8>)>> {
        let once = || async move {
            let mut response = self.site.ask(ask).await?;
            match response.status().as_u16() {
                200 => {}
                404 | 410 => return Ok(None),
                _ => return Err(ask.refused(response).await),
            }
            let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            let kind = kind.to_ascii_lowercase();
            let mut body = Vec::new();
            let broken = |e: reqwest::Error| super::web::unanswered(ask.action, &ask.subject, &e);
            while let Some(piece) = response.chunk().await.map_err(broken)? {
                body.extend_from_slice(&piece);
                if body.len() > LARGEST {
                    return Err(ask.error(Code::Storage).because("the list is larger than 64 MiB").into());
                }
            }
            Ok::<_, Refusal>(Some((kind, body)))
        };
        self.site.traffic.send(Repeat::Safe, once).await
    }

    /// The index document; `anew`: as it is now.
    async fn document(&self, index: &RelPath, anew: bool) -> Result<Arc<BTreeMap<RelPath, Indexed>>> {
        let mut known = self.document.lock().await;
        if let Some(known) = known.as_ref().filter(|_| !anew) {
            return Ok(Arc::clone(known));
        }
        let mut base = self.url(index, false);
        base.set_query(None);
        let ask = Ask::new(Method::GET, base, "read the index document", index);
        let body = self.fetch(&ask).await?.ok_or_else(|| ask.error(Code::NotFound).because("it is not there"))?.1;
        let files = index::document(&body)?.into_iter().map(|file| (file.path.clone(), file)).collect();
        Ok(Arc::clone(known.insert(Arc::new(files))))
    }

    /// Asks for the head of a file; nothing when there is none.
    async fn head(&self, path: &RelPath, url: Url) -> Result<Option<(Shown, bool)>> {
        let ask = &Ask::new(Method::HEAD, url.clone(), "look at", path);
        let first =
            &Ask::new(Method::GET, url, "look at", path).with(RANGE.as_str(), HeaderValue::from_static("bytes=0-0"));
        let once = || async move {
            let mut response = self.site.ask(ask).await?;
            // Some servers answer no HEAD, or leave the length out of it (Apache, of an empty file).
            let is_untold = response.status().is_success() && Shown::by(&response).size.is_none() && !is_dir(&response);
            if is_untold || matches!(response.status().as_u16(), 403 | 405 | 501) {
                response = self.site.ask(first).await?;
            }
            let is_empty = response.status().as_u16() == 416 && Shown::by(&response).size == Some(0);
            match response.status().as_u16() {
                200 | 206 => {}
                416 if is_empty => {}
                404 | 410 => return Ok(None),
                _ => return Err(ask.refused(response).await),
            }
            Ok::<_, Refusal>(Some((Shown::by(&response), is_dir(&response))))
        };
        self.site.traffic.send(Repeat::Safe, once).await
    }

    async fn look_at_file(&self, path: &RelPath, indexed: Option<&Indexed>) -> Result<Option<Node>> {
        if let Some(Indexed { size: Some(size), modified, etag, .. }) = indexed
            && (modified.is_some() || etag.is_some())
        {
            let etag = etag.as_deref().and_then(Etag::parse);
            return Ok(Some(file(Some(*size), *modified, etag.as_ref())));
        }
        let head = self.head(path, self.file_url(path, indexed)).await?;
        Ok(head
            .map(|(shown, is_dir)| if is_dir { dir() } else { file(shown.size, shown.modified, shown.etag.as_ref()) }))
    }

    async fn look_at(&self, path: &RelPath) -> Result<Option<Node>> {
        if path.is_root() {
            return Ok(Some(dir()));
        }
        if let Some(index) = &self.index {
            let files = self.document(index, false).await?;
            return match files.get(path) {
                Some(indexed) => self.look_at_file(path, Some(indexed)).await,
                None => Ok(files.keys().any(|file| file.is_within(path)).then(dir)),
            };
        }
        if let Some(node) = self.look_at_file(path, None).await? {
            return Ok(Some(node));
        }
        // There are servers that know a directory only by its slash.
        let as_dir = self.head(path, self.url(path, true)).await?;
        Ok(as_dir.filter(|(_, is_dir)| *is_dir).map(|_| dir()))
    }

    async fn list(&self, path: &RelPath) -> Listing {
        if let Err(e) = too_deep("list the directory", path) {
            return Listing::Unknown(e);
        }
        let found = match &self.index {
            Some(index) => self.list_indexed(path, index).await,
            None => self.list_page(path).await,
        };
        match found {
            Ok(Some((entries, None))) => Listing::Complete(entries),
            Ok(Some((entries, Some(trouble)))) => Listing::Partial(entries, trouble),
            Ok(None) => Listing::Absent,
            Err(e) => Listing::Unknown(e),
        }
    }

    async fn list_indexed(&self, path: &RelPath, index: &RelPath) -> Result<Option<(Vec<Entry>, Option<Error>)>> {
        let files = self.document(index, path.is_root()).await?;
        let mut names: HashMap<Name, Option<&Indexed>> = HashMap::new();
        let depth = path.depth();
        for (file, indexed) in files.iter().filter(|(file, _)| file.is_within(path) && file.depth() > depth) {
            let Some(name) = file.components().nth(depth).and_then(Name::new) else { continue };
            names.insert(name, (file.depth() == depth + 1).then_some(indexed));
        }
        if names.is_empty() && !path.is_root() {
            return Ok(None);
        }
        let items = names.into_iter().map(|(name, indexed)| (name, indexed.cloned(), indexed.is_none())).collect();
        Ok(Some(self.entries(path, items, None).await))
    }

    async fn list_page(&self, path: &RelPath) -> Result<Option<(Vec<Entry>, Option<Error>)>> {
        let ask = Ask::new(Method::GET, self.url(path, true), "list the directory", path);
        let Some((kind, body)) = self.fetch(&ask).await? else { return Ok(None) };
        let page = index::page(&kind, &body).map_err(|e| ask.error(e.code()).because(&e).advise(e.advice()))?;
        let trouble = page.trouble.map(|why| ask.error(Code::Storage).because(why));
        let items = page.items.into_iter().map(|Listed { name, is_dir }| (name, None, is_dir)).collect();
        Ok(Some(self.entries(path, items, trouble).await))
    }

    /// The items as they are: what is no directory is asked for its head.
    async fn entries(
        &self,
        path: &RelPath,
        items: Vec<(Name, Option<Indexed>, bool)>,
        mut trouble: Option<Error>,
    ) -> (Vec<Entry>, Option<Error>) {
        let mut names = HashSet::new();
        let (items, again): (Vec<_>, Vec<_>) = items
            .into_iter()
            .filter(|(name, ..)| !is_reserved(name.as_bytes()))
            .partition(|(name, ..)| names.insert(name.clone()));
        if let Some((name, ..)) = again.first() {
            let error = Error::new(Code::Storage, "list the directory", path);
            trouble = Some(error.because(format_args!("{name} is listed as a file and as a directory")));
        }
        let looked = stream::iter(items)
            .map(|(name, indexed, is_dir)| async move {
                let node = match is_dir {
                    true => Ok(Some(dir())),
                    false => self.look_at_file(&path.join(&name), indexed.as_ref()).await,
                };
                (name, node)
            })
            .buffered(self.site.traffic.most())
            .collect::<Vec<_>>()
            .await;
        let mut entries = Vec::with_capacity(looked.len());
        for (name, node) in looked {
            match node {
                Ok(Some(node)) => entries.push(Entry { name, node }),
                // It is on the list and not there: what the server means is not known.
                Ok(None) => {
                    let error = Error::new(Code::Storage, "look at", path.join(&name));
                    trouble = Some(error.because("it is listed and not there"));
                }
                Err(e) => trouble = Some(e),
            }
        }
        (entries, trouble)
    }

    async fn indexed(&self, path: &RelPath) -> Result<Option<Indexed>> {
        match &self.index {
            Some(index) => Ok(self.document(index, false).await?.get(path).cloned()),
            None => Ok(None),
        }
    }

    /// Whether the expected version is still there.
    async fn still(&self, path: &RelPath, url: Url, expect: &Node) -> Result<()> {
        let stale = |why: &'static str| Err(Error::new(Code::Stale, "read", path).because(why));
        let Some((shown, _)) = self.head(path, url).await? else { return stale("it is gone") };
        agrees(path, expect, &shown)
    }
}

/// A directory is answered under an address that ends in a slash.
fn is_dir(response: &Response) -> bool {
    response.url().path().ends_with('/')
}

fn agrees(path: &RelPath, expect: &Node, shown: &Shown) -> Result<()> {
    let now = token(
        shown.size.unwrap_or(expect.token.size),
        shown.modified,
        shown.etag.as_ref(),
        expect.token.mtime.is_some(),
    );
    if is_version(&expect.token, &now) {
        return Ok(());
    }
    Err(Error::new(Code::Stale, "read", path).because("it has changed"))
}

async fn open(
    server: &Arc<Server>,
    path: &RelPath,
    expect: Option<&Node>,
    offset: u64,
    length: Option<u64>,
) -> Result<Opened> {
    let indexed = server.indexed(path).await?;
    let expect = expected(path, expect, server.look_at(path)).await?;
    let url = server.file_url(path, indexed.as_ref());
    let is_long = expect.token.size > AT_ONCE;
    let (agreed, after) =
        ((path.clone(), expect.clone()), (Arc::clone(server), path.clone(), url.clone(), expect.clone()));
    let get = Get {
        site: Arc::clone(&server.site),
        url,
        subject: path.to_string(),
        expect: Some(expect),
        agrees: Arc::new(move |shown| {
            let (path, expect) = agreed.clone();
            Box::pin(async move { agrees(&path, &expect, &shown) })
        }),
        after: is_long.then(|| {
            let look: After = Arc::new(move || {
                let (server, path, url, expect) = after.clone();
                Box::pin(async move { server.still(&path, url, &expect).await })
            });
            look
        }),
    };
    get.open(offset, length).await
}

async fn hash(server: &Arc<Server>, path: &RelPath) -> Result<Hashed> {
    let Some(node) = server.look_at(path).await? else {
        return Err(Error::new(Code::NotFound, "read", path).because("it is not there"));
    };
    let mut opened = open(server, path, Some(&node), 0, None).await?;
    let mut hasher = blake3::Hasher::new();
    while let Some(piece) = opened.bytes.next().await {
        hasher.update(&piece?);
    }
    Ok(Hashed { node, content: ContentHash(*hasher.finalize().as_bytes()) })
}

#[async_trait]
impl Provider for Http {
    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn display(&self) -> String {
        // A query may hold a key.
        let mut shown = self.0.base.clone();
        shown.set_query(None);
        shown.to_string()
    }

    async fn root(&self) -> Result<RootIdentity> {
        let server = &self.0;
        match &server.index {
            Some(index) => drop(server.document(index, true).await?),
            None => {
                let root = RelPath::root();
                let ask = Ask::new(Method::GET, server.url(&root, true), "open the root", self.display());
                let Some((kind, body)) = server.fetch(&ask).await? else {
                    return Err(ask.error(Code::NotFound).because("there is nothing at this address"));
                };
                index::page(&kind, &body).map_err(|e| ask.error(e.code()).because(&e).advise(e.advice()))?;
            }
        }
        Ok(RootIdentity { ident: self.display(), free_bytes: None, writable: Writable::Nowhere })
    }

    async fn list(&self, dirs: Vec<RelPath>) -> Vec<Listing> {
        self.each(dirs, |dir| async move { self.0.list(&dir).await }).await
    }

    async fn stat(&self, paths: Vec<RelPath>) -> Vec<Result<Option<Node>>> {
        self.each(paths, |path| async move { self.0.look_at(&path).await }).await
    }

    async fn hash(&self, paths: Vec<RelPath>) -> Vec<Result<Hashed>> {
        self.each(paths, |path| async move { hash(&self.0, &path).await }).await
    }

    async fn read(&self, path: &RelPath, expect: Option<&Node>, offset: u64, length: Option<u64>) -> Result<Opened> {
        open(&self.0, path, expect, offset, length).await
    }

    async fn make_dirs(&self, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>> {
        dirs.iter().map(|(path, _)| read_only("make the directory", path)).collect()
    }

    async fn stage(&self, items: Vec<Stage>) -> Vec<Result<Staged>> {
        items.iter().map(|item| read_only("write", &item.target)).collect()
    }

    async fn flush(&self, _: Vec<RelPath>) -> Result<()> {
        Ok(())
    }

    async fn publish(&self, items: Vec<Publish>) -> Vec<Result<Node>> {
        items.iter().map(|item| read_only("put in place", &item.staged.target)).collect()
    }

    async fn move_items(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        items.iter().map(|item| read_only("move", &item.from)).collect()
    }

    async fn trash(&self, items: Vec<Trash>) -> Vec<Result<()>> {
        items.iter().map(|item| read_only("move to the trash", &item.path)).collect()
    }

    async fn set_metadata(&self, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>> {
        items.iter().map(|(path, ..)| read_only("set the attributes of", path)).collect()
    }

    /// There can be none.
    async fn discard_staged(&self, _: Vec<(RelPath, String)>) -> Result<()> {
        Ok(())
    }

    /// There is none.
    async fn empty_trash(&self, _: Timestamp) -> Result<u64> {
        Ok(0)
    }

    fn can_hold(&self, name: &Name) -> bool {
        std::str::from_utf8(name.as_bytes()).is_ok()
    }
}
