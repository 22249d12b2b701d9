//! WebDAV servers (RFC 4918).
//!
//! What always holds:
//!
//! - bytes arrive under a temporary name beside their target and are moved over it, so that a name shows the old content
//!   or the new; a new item never overwrites (`Overwrite: F`);
//! - what is there is known from listings alone: an answer that ends half-way, tells of an item that cannot be where it
//!   claims to be, or withholds one, makes the listing partial;
//! - what others have locked stays as it is (`lock`);
//! - an item's version is its strong entity tag, where the server gives one that says more than the time does
//!   (`web_etag`).
//!
//! Files are looked at directory by directory, before and after each batch: two requests for all the files of a directory
//! beside the two that each file takes.

mod address;
mod change;
mod chunks;
mod condition;
mod lock;
mod multistatus;
mod publish;
mod read;
mod server;
mod stage;
mod trash;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};

use self::server::{Features, Server, Summed};
use super::web_auth::WebAuth;
use super::web_site::Site;
use super::{
    Capabilities, Hashed, Listing, Move, NativeHash, Opened, Provider, Publish, RootIdentity, Stage, Staged, Trash,
    Writable, is_reserved, kept, too_deep,
};
use crate::Trust;
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Entry, Kind, Name, Node, RelPath, Timestamp};

/// Where a WebDAV server is and how it is asked.
#[derive(Clone, Debug, Default)]
pub struct WebDavOptions {
    /// The address of the directory that becomes the root, `http` or `https`, without name and password.
    pub url: String,
    /// How requests prove who sends them.
    pub auth: WebAuth,
    /// Which servers are believed to be who they say.
    pub trust: Trust,
    /// What is there is locked while it is replaced, moved or thrown away (RFC 4918, section 6), which takes three more
    /// requests for each. For places whose other users lock as well, or whose server honours no conditions; elsewhere a
    /// lock is taken only when the server asks for one.
    pub lock: bool,
}

/// A directory of a WebDAV server.
///
/// ```
/// use portbook::provider::webdav::{WebDav, WebDavOptions};
/// use portbook::provider::{Provider as _, WebAuth};
/// let dav = WebDav::open(WebDavOptions {
///     url: "https://cloud.example.org/remote.php/dav/files/alice/".into(),
///     auth: WebAuth::Basic { user: "alice".into(), password: "an app password".into() },
///     ..WebDavOptions::default()
/// })?;
/// assert_eq!(dav.display(), "https://cloud.example.org/remote.php/dav/files/alice/");
/// # Ok::<(), portbook::Error>(())
/// ```
pub struct WebDav {
    server: Arc<Server>,
    /// Before the first look at the root.
    unprobed: Capabilities,
    probed: OnceLock<Capabilities>,
}

impl WebDav {
    /// Sets up the place; the server is asked for the first time when something is done.
    ///
    /// # Errors
    /// `invalid`: an address or credentials that cannot be used.
    pub fn open(options: WebDavOptions) -> Result<Self> {
        let site = Site::new(&options.url, options.auth, &options.trust, "dav")?;
        Ok(Self {
            server: Arc::new(Server::new(site, options.lock)),
            unprobed: capabilities(None, false),
            probed: OnceLock::new(),
        })
    }

    /// One result per item, several at once.
    async fn each<T, R, F>(&self, items: Vec<T>, work: impl Fn(T) -> F + Send) -> Vec<R>
    where
        T: Send,
        R: Send,
        F: Future<Output = R> + Send,
    {
        stream::iter(items).map(work).buffered(self.server.width()).collect().await
    }
}

fn capabilities(features: Option<&Features>, takes_chunks: bool) -> Capabilities {
    let keeps_times = features.is_some_and(|features| features.keeps_times);
    Capabilities {
        case_insensitive: features.is_some_and(|features| features.folds_case),
        unicode_insensitive: features.is_some_and(|features| features.folds_forms),
        windows_names: false,
        unicode_names: true,
        max_name_bytes: if features.is_some_and(|features| features.is_owncloud) { 250 } else { 255 },
        mode: false,
        set_mtime: keeps_times,
        // It goes along with every upload; servers that keep none pass over it.
        write_mtime: true,
        symlinks: false,
        time_precision_ns: 1_000_000_000,
        create_is_exclusive: true,
        native_copy: false,
        resumable_bytes: takes_chunks.then_some(chunks::IN_CHUNKS),
        resumable_native_bytes: None,
        staged_bytes: None,
        large_bytes: 8 << 20,
        streams: 1,
    }
}

/// Names of the engine's own are not listed.
fn is_listed(name: &Name) -> bool {
    !is_reserved(name.as_bytes())
}

async fn list(server: &Server, dir: &RelPath) -> Listing {
    if let Err(e) = too_deep("list the directory", dir) {
        return Listing::Unknown(e);
    }
    let found = match server.propfind(dir, true, 1).await {
        Ok(Some(found)) => found,
        Ok(None) => return Listing::Absent,
        // What is no directory cannot be listed, which each server says in its own way.
        Err(e) if matches!(e.code(), Code::Invalid | Code::Unsupported | Code::Conflict | Code::Storage) => {
            return match server.look_at(dir).await {
                Ok(Some(node)) if node.kind != Kind::Dir => Listing::Absent,
                Ok(_) | Err(_) => Listing::Unknown(e),
            };
        }
        Err(e) => return Listing::Unknown(e),
    };
    let error = |why: &'static str| Error::new(Code::Storage, "list the directory", dir).because(why);
    let mut trouble = found.trouble;
    match &found.itself {
        Some(itself) if itself.is_collection => {}
        Some(_) => return Listing::Absent,
        None => drop(trouble.get_or_insert_with(|| error("the server tells nothing of the directory itself"))),
    }
    let mut names = HashSet::new();
    let mut entries = Vec::with_capacity(found.children.len());
    for (name, props) in found.children {
        if !is_listed(&name) {
            continue;
        }
        if names.insert(name.clone()) {
            entries.push(Entry { name, node: server.node(&props) });
        } else {
            trouble.get_or_insert_with(|| error("the server lists a name twice"));
        }
    }
    trouble.map_or_else(|| Listing::Complete(entries.clone()), |trouble| Listing::Partial(entries.clone(), trouble))
}

#[async_trait]
impl Provider for WebDav {
    fn capabilities(&self) -> &Capabilities {
        match self.server.known_features() {
            Some(features) => {
                let takes_chunks = features.is_owncloud && self.server.takes_chunks();
                self.probed.get_or_init(|| capabilities(Some(features), takes_chunks))
            }
            None => &self.unprobed,
        }
    }

    fn display(&self) -> String {
        self.server.address.base().to_string()
    }

    async fn root(&self) -> Result<RootIdentity> {
        self.server.features().await?;
        let now = self.server.discover().await?.root;
        let ident = now.id.unwrap_or_else(|| self.display());
        // Negative: not computed, unknown, unlimited (Nextcloud).
        let free_bytes = now.available.and_then(|bytes| u64::try_from(bytes).ok());
        let writable = match now.permissions.as_deref() {
            Some(letters) if !letters.contains(['C', 'K']) => Writable::Beneath,
            Some(_) | None => Writable::Everywhere,
        };
        Ok(RootIdentity { ident, free_bytes, writable })
    }

    async fn list(&self, dirs: Vec<RelPath>) -> Vec<Listing> {
        self.each(dirs, |dir| async move { list(&self.server, &dir).await }).await
    }

    async fn stat(&self, paths: Vec<RelPath>) -> Vec<Result<Option<Node>>> {
        self.server.look(&paths).await
    }

    async fn hash(&self, paths: Vec<RelPath>) -> Vec<Result<Hashed>> {
        let before = self.server.look(&paths).await;
        let items = paths.into_iter().zip(before).collect();
        self.each(items, |(path, before): (RelPath, Result<Option<Node>>)| async move {
            read::hash(&self.server, &path, before?).await
        })
        .await
    }

    async fn native_hashes(&self, files: Vec<(RelPath, Node)>) -> Vec<Option<NativeHash>> {
        if !self.server.keeps_sums() {
            return vec![None; files.len()];
        }
        let paths: Vec<RelPath> = files.iter().map(|(path, _)| path.clone()).collect();
        let looks = self.server.look_with_sums(&paths).await;
        let said = |((_, expect), look): (&(RelPath, Node), Result<Option<Summed>>)| {
            let (now, sums) = look.ok()??;
            sums.into_iter().next().filter(|_| condition::is_node(expect, &now))
        };
        files.iter().zip(looks).map(said).collect()
    }

    async fn read(&self, path: &RelPath, expect: Option<&Node>, offset: u64, length: Option<u64>) -> Result<Opened> {
        read::open(&self.server, path, expect, offset, length).await
    }

    async fn make_dirs(&self, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>> {
        publish::make_dirs(&self.server, dirs).await
    }

    async fn stage(&self, items: Vec<Stage>) -> Vec<Result<Staged>> {
        self.each(items, |item| stage::stage(&self.server, item)).await
    }

    /// What a server has acknowledged is its own care: there is no request to make it durable.
    async fn flush(&self, _: Vec<RelPath>) -> Result<()> {
        Ok(())
    }

    async fn publish(&self, items: Vec<Publish>) -> Vec<Result<Node>> {
        publish::publish(&self.server, items).await
    }

    async fn move_items(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        publish::move_items(&self.server, items).await
    }

    async fn trash(&self, items: Vec<Trash>) -> Vec<Result<()>> {
        let paths: Vec<RelPath> = items.iter().map(|item| item.path.clone()).collect();
        let looks = self.server.look(&paths).await;
        let (dirs, files): (Vec<_>, Vec<_>) = items.into_iter().zip(looks).enumerate().partition(|(_, (_, now))| {
            now.as_ref().is_ok_and(|now| now.as_ref().is_some_and(|now| now.kind == Kind::Dir))
        });
        let one = |(index, (item, now)): (usize, (Trash, Result<Option<Node>>))| async move {
            let trashed = async { trash::trash(&self.server, &item, now?).await };
            (index, trashed.await)
        };
        let mut done: Vec<(usize, Result<()>)> = self.each(files, one).await;
        // Directories come after what they held, the inner ones first.
        for dir in dirs {
            done.push(one(dir).await);
        }
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, result)| result).collect()
    }

    async fn set_metadata(&self, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>> {
        publish::set_metadata(&self.server, items).await
    }

    async fn discard_staged(&self, items: Vec<(RelPath, String)>) -> Result<()> {
        let discard = |(target, tag): (RelPath, String)| async move {
            let action = "clean up beside";
            let temp = stage::temp_path(action, &target, &tag)?;
            self.server.sums.lock().await.remove(&temp);
            self.server.delete(action, &temp, false).await
        };
        self.each(items, discard).await.into_iter().collect()
    }

    async fn find_hidden(&self, names: Vec<Name>) -> Result<Vec<(RelPath, Node)>> {
        let names: HashSet<Name> = names.into_iter().collect();
        trash::walk(&self.server, RelPath::root(), |name, _| names.contains(name)).await
    }

    async fn empty_trash(&self, older_than: Timestamp) -> Result<u64> {
        trash::empty(&self.server, older_than).await
    }

    async fn move_kept(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        self.each(items, |item| async move { trash::move_kept(&self.server, &item).await }).await
    }

    async fn remove_kept(&self, paths: Vec<RelPath>) -> Vec<Result<()>> {
        self.each(paths, |path| async move {
            kept::check_removed(&path)?;
            self.server.delete(kept::REMOVE, &path, false).await
        })
        .await
    }

    fn can_hold(&self, name: &Name) -> bool {
        let Ok(text) = std::str::from_utf8(name.as_bytes()) else { return false };
        let capabilities = self.capabilities();
        let features = self.server.known_features();
        let is_owncloud = features.is_some_and(|features| features.is_owncloud);
        if text.starts_with('.') && features.is_some_and(|features| features.hides_dots) {
            return false;
        }
        let is_refused = |c: char| c.is_control() || (is_owncloud && c == '\\');
        text.len() <= capabilities.max_name_bytes && !text.chars().any(is_refused)
    }
}
