//! FTP servers, plain and by TLS (RFC 959, 2228, 2389, 2428, 2640, 3659, 4217).
//!
//! What always holds:
//! - a reply is read to its end, and a session whose replies may not match its commands any more is closed: see `session`;
//! - only passive mode is used, with the port that the server names on the host that is spoken with;
//! - nothing is absent because the server refuses to show it: see `look`;
//! - a transfer is whole when the server confirmed it and the sizes agree.
//!
//! What FTP cannot: a rename overwrites silently on most servers, so that creating is not exclusive. What is expected at
//! a target is looked at right before the rename; an edit by somebody else between the two is lost, unless the old version
//! goes to the trash. On servers that refuse to overwrite, the old version is moved aside first, and for a moment no file
//! has the name. There are no locks, no permissions, no links, and nothing says when what was written is durable.
//!
//! A crate for the client was tried and dropped (suppaftp 12.2): it ends a reply of several lines at any line that begins
//! with three digits, so that the rest answers the next command; it writes the password to the log at the level `trace`;
//! it knows no code that is not on its list; a certificate that is refused is a text; implicit TLS and the parsers of
//! listings are deprecated or lossy (names that are not UTF-8, that begin with spaces, permissions with an ACL).

mod facts;
mod features;
mod login;
mod look;
mod native;
mod options;
mod publish;
mod read;
mod reply;
mod resume;
mod root;
mod server;
mod session;
mod stage;
mod text;
mod tickets;
mod trash;
mod wire;

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use unicode_normalization::UnicodeNormalization as _;

pub use options::{FtpOptions, FtpSecurity};

use self::features::Features;
use self::look::{Look, Seen, Truth};
use self::root::{Base, quoted, temp_path};
use self::server::{Lease, Server};
use self::trash::Bins;
use super::local::windows_name;
use super::traffic::{Refusal, Repeat};
use super::{
    Capabilities, Hashed, Listing, Move, NativeHash, Opened, Provider, Publish, RootIdentity, Stage, Staged, Trash,
    Writable, is_reserved,
};
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Entry, Kind, Name, Node, RelPath, Timestamp, escaped};

/// Files of at least this size are continued by a later run; they are two parts at least.
const RESUMABLE: u64 = 2 * resume::PART;

/// A directory on an FTP server. Clones share their connections.
///
/// ```no_run
/// use portbook::provider::ftp::{Ftp, FtpOptions};
/// # async fn open() -> portbook::Result<()> {
/// let options = FtpOptions { root: "photos".into(), ..FtpOptions::new("files.example", "me", "hunter2") };
/// let photos = Ftp::open(options).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Ftp(Arc<Place>);

/// What all calls share.
struct Place {
    server: Arc<Server>,
    base: Base,
    capabilities: Capabilities,
    display: String,
    bins: Bins,
}

impl std::fmt::Debug for Ftp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ftp").field(&self.0.display).finish()
    }
}

impl Ftp {
    /// Logs in and asks what the server can do. Writes nothing.
    ///
    /// # Errors
    /// `invalid`: the options. `auth`: the account, its password, or the server's certificate. `unsupported`: no TLS.
    /// `offline`, `timeout`, `throttled`: the server. Whether there is such a directory is asked by
    /// [`root`](Provider::root).
    pub async fn open(options: FtpOptions) -> Result<Self> {
        let server = Server::new(options)?;
        let (base, folding) = server
            .traffic
            .send(Repeat::Safe, || async {
                let mut lease = server.take().await?;
                Ok::<_, Refusal>(explore(&server, &mut lease).await?)
            })
            .await?;
        let features = server.features();
        let display = format!("{}{}", server.subject, escaped(base.as_bytes()));
        let capabilities = capabilities(&features, &folding);
        Ok(Self(Arc::new(Place { server, base, capabilities, display, bins: Bins::default() })))
    }

    /// Calls one function for each item, as many at once as the server is good for.
    async fn each<T, R, F>(&self, items: Vec<T>, call: impl Fn(T) -> F) -> Vec<R>
    where
        F: Future<Output = R>,
    {
        stream::iter(items.into_iter().map(call)).buffered(self.0.server.traffic.most()).collect().await
    }
}

/// The root's path, and whether names fold there.
async fn explore(server: &Server, lease: &mut Lease) -> Result<(Base, Folding)> {
    let action = "find the directory of";
    let reply = lease.ask(action, "PWD", None).await?;
    let login = if reply.code == 257 { quoted(reply.text()) } else { None };
    let root = &server.options.root;
    let base = match login {
        Some(login) => Base::new(&login, root),
        None if root.starts_with('/') => Base::new(b"/", root),
        None => return Err(Error::new(Code::Storage, action, &server.subject).because(reply.words())),
    };
    if !server.features().mlst {
        server.set_list_all(lease.lists_all(&base).await?);
    }
    // What keeps the root from being listed is told by whoever lists it.
    let items = match lease.list(&base, &RelPath::root()).await {
        Ok(Seen::All(items)) => items,
        Ok(Seen::Some(..) | Seen::Refused(_)) | Err(_) => Vec::new(),
    };
    lease.reconnect().await?;
    let folding = Folding {
        case: server.features().windows || folds(lease, &base, &items, swapped_case).await,
        unicode: folds(lease, &base, &items, other_form).await,
    };
    Ok((base, folding))
}

/// Which names are the same name.
struct Folding {
    case: bool,
    unicode: bool,
}

fn swapped_case(name: &[u8]) -> Vec<u8> {
    let swap = |b: &u8| if b.is_ascii_lowercase() { b.to_ascii_uppercase() } else { b.to_ascii_lowercase() };
    name.iter().map(swap).collect()
}

fn other_form(name: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(name) else { return name.to_vec() };
    let composed: String = text.nfc().collect();
    if composed == text { text.nfd().collect::<String>().into_bytes() } else { composed.into_bytes() }
}

/// Whether a name is found in its other form as well: one of the root's, or the root's own. Without a name that tells it is
/// not assumed, as nothing is written to find out.
async fn folds(lease: &mut Lease, base: &Base, items: &[look::Item], other: fn(&[u8]) -> Vec<u8>) -> bool {
    if let Some(answer) = folds_among(lease, base, items, other).await {
        return answer;
    }
    let Some(above) = base.parent() else { return false };
    match lease.list(&above, &RelPath::root()).await {
        Ok(Seen::All(items)) => folds_among(lease, &above, &items, other).await.unwrap_or(false),
        Ok(Seen::Some(..) | Seen::Refused(_)) | Err(_) => false,
    }
}

/// None: no name tells.
async fn folds_among(
    lease: &mut Lease,
    base: &Base,
    items: &[look::Item],
    other: fn(&[u8]) -> Vec<u8>,
) -> Option<bool> {
    let is_other = |item: &look::Item| Name::new(&other(item.name.as_bytes())).filter(|other| *other != item.name);
    let (item, other) = items.iter().find_map(|item| is_other(item).map(|other| (item, other)))?;
    if items.iter().any(|item| item.name == other) {
        return Some(false);
    }
    let looked = lease.look("look at", base, &RelPath::root().join(&other)).await;
    Some(matches!(looked, Ok(Look::There(node)) if root::same(&node, &item.node)))
}

fn capabilities(features: &Features, folding: &Folding) -> Capabilities {
    Capabilities {
        case_insensitive: folding.case,
        unicode_insensitive: folding.unicode,
        windows_names: features.windows,
        unicode_names: features.utf8,
        max_name_bytes: 255,
        mode: false,
        set_mtime: features.mfmt,
        // What has no command for it may take `MDTM` with two arguments, which is found out by the first file.
        write_mtime: features.mfmt || features.mdtm,
        symlinks: false,
        time_precision_ns: 1_000_000_000,
        create_is_exclusive: false,
        native_copy: false,
        resumable_bytes: features.rest.then_some(RESUMABLE),
        resumable_native_bytes: None,
        staged_bytes: None,
        large_bytes: 4 << 20,
        streams: 1,
    }
}

/// What a directory shows to the engine.
fn shown(items: Vec<look::Item>) -> Vec<Entry> {
    let visible = items.into_iter().filter(|item| !is_reserved(item.name.as_bytes()));
    visible.map(|item| Entry { name: item.name, node: item.node }).collect()
}

async fn list(place: &Place, dir: &RelPath) -> Result<Listing> {
    let action = "list the directory";
    place
        .server
        .traffic
        .send(Repeat::Safe, || async {
            let mut lease = place.server.take().await?;
            let reply = match lease.list(&place.base, dir).await? {
                Seen::All(items) => return Ok(Listing::Complete(shown(items))),
                Seen::Some(items, error) => return Ok(Listing::Partial(shown(items), error)),
                Seen::Refused(reply) => reply,
            };
            let kind = match lease.look(action, &place.base, dir).await? {
                Look::There(node) => Truth::There(node.kind),
                Look::Refused(why) => lease.truth(action, &place.base, dir, &why).await?,
            };
            match kind {
                Truth::There(Kind::Dir) => Err(Refusal::from(reply.error(action, dir))),
                Truth::There(_) | Truth::Absent => Ok(Listing::Absent),
            }
        })
        .await
}

#[async_trait]
impl Provider for Ftp {
    fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    fn display(&self) -> String {
        self.0.display.clone()
    }

    async fn root(&self) -> Result<RootIdentity> {
        let (place, action, root) = (&self.0, "use the directory", RelPath::root());
        let looked = place.server.traffic.send(Repeat::Safe, || async {
            let mut lease = place.server.take().await?;
            Ok::<_, Refusal>(lease.look(action, &place.base, &root).await?)
        });
        match looked.await? {
            Look::There(node) if node.kind == Kind::Dir => {
                Ok(RootIdentity { ident: place.display.clone(), free_bytes: None, writable: Writable::Everywhere })
            }
            Look::There(_) => Err(Error::new(Code::NotFound, action, &place.display).because("it is no directory")),
            Look::Refused(reply) => Err(Error::new(Code::NotFound, action, &place.display).because(reply.words())),
        }
    }

    async fn list(&self, dirs: Vec<RelPath>) -> Vec<Listing> {
        self.each(dirs, |dir| async move { list(&self.0, &dir).await.unwrap_or_else(Listing::Unknown) }).await
    }

    async fn stat(&self, paths: Vec<RelPath>) -> Vec<Result<Option<Node>>> {
        let place = &self.0;
        self.each(paths, |path| async move {
            let looked = place.server.traffic.send(Repeat::Safe, || async {
                let mut lease = place.server.take().await?;
                Ok::<_, Refusal>(lease.stat("look at", &place.base, &path).await?)
            });
            looked.await
        })
        .await
    }

    async fn hash(&self, paths: Vec<RelPath>) -> Vec<Result<Hashed>> {
        self.each(paths, |path| async move { read::hash(&self.0, &path).await }).await
    }

    async fn native_hashes(&self, files: Vec<(RelPath, Node)>) -> Vec<Option<NativeHash>> {
        if self.0.server.features().hashing.is_none() {
            return vec![None; files.len()];
        }
        self.each(files, |(path, node)| async move { native::hash(&self.0, &path, &node).await }).await
    }

    async fn read(&self, path: &RelPath, expect: Option<&Node>, offset: u64, length: Option<u64>) -> Result<Opened> {
        read::open(&self.0, path, expect, offset, length).await
    }

    async fn make_dirs(&self, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>> {
        let mut made = Vec::with_capacity(dirs.len());
        // Those of one depth do not stand in each other.
        for level in dirs.chunk_by(|(one, _), (other, _)| one.depth() == other.depth()) {
            made.extend(
                self.each(level.to_vec(), |(dir, _)| async move { publish::make_dir(&self.0, &dir).await }).await,
            );
        }
        made
    }

    async fn stage(&self, items: Vec<Stage>) -> Vec<Result<Staged>> {
        self.each(items, |item| stage::stage(&self.0, item)).await
    }

    /// There is no command for it: what the server confirmed is as durable as the server makes it.
    async fn flush(&self, _: Vec<RelPath>) -> Result<()> {
        Ok(())
    }

    async fn publish(&self, items: Vec<Publish>) -> Vec<Result<Node>> {
        let names = &publish::names_beside(&self.0, &items).await;
        self.each(items, |item| async move { publish::publish(&self.0, names, &item).await }).await
    }

    async fn move_items(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        let mut moved = Vec::with_capacity(items.len());
        // One may make room for the next.
        for item in items {
            moved.push(publish::move_item(&self.0, &item).await);
        }
        moved
    }

    async fn trash(&self, items: Vec<Trash>) -> Vec<Result<()>> {
        let mut gone = Vec::with_capacity(items.len());
        // Directories come after what they held.
        for level in items.chunk_by(|one, other| one.path.depth() == other.path.depth()) {
            gone.extend(self.each(level.to_vec(), |item| async move { trash::trash(&self.0, &item).await }).await);
        }
        gone
    }

    async fn set_metadata(&self, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>> {
        self.each(items, |item| async move { publish::set_metadata(&self.0, &item).await }).await
    }

    async fn discard_staged(&self, items: Vec<(RelPath, String)>) -> Result<()> {
        let discarded = self.each(items, |(target, tag)| async move {
            let temp = temp_path("clean up beside", &target, &tag)?;
            stage::discard(&self.0, &temp).await
        });
        discarded.await.into_iter().collect()
    }

    async fn find_hidden(&self, names: Vec<Name>) -> Result<Vec<(RelPath, Node)>> {
        let c = &self.0.capabilities;
        if names.is_empty() || !(c.case_insensitive || c.unicode_insensitive) {
            return Ok(Vec::new());
        }
        let (mut found, mut dirs) = (Vec::new(), vec![RelPath::root()]);
        let mut lease = self.0.server.take().await?;
        while let Some(dir) = dirs.pop() {
            let items = match lease.list(&self.0.base, &dir).await? {
                Seen::All(items) | Seen::Some(items, _) => items,
                Seen::Refused(reply) if dir.is_root() => return Err(reply.error("search", &self.0.display)),
                Seen::Refused(_) => Vec::new(),
            };
            for item in items {
                let path = dir.join(&item.name);
                if names.contains(&item.name) {
                    found.push((path, item.node));
                } else if item.node.kind == Kind::Dir && !is_reserved(item.name.as_bytes()) {
                    dirs.push(path);
                }
            }
        }
        Ok(found)
    }

    async fn empty_trash(&self, older_than: Timestamp) -> Result<u64> {
        trash::empty(&self.0, older_than).await
    }

    async fn move_kept(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        self.each(items, |item| async move { publish::move_kept(&self.0, &item).await }).await
    }

    async fn remove_kept(&self, paths: Vec<RelPath>) -> Vec<Result<()>> {
        self.each(paths, |path| async move { trash::remove_kept(&self.0, &path).await }).await
    }

    fn can_hold(&self, name: &Name) -> bool {
        let (bytes, c) = (name.as_bytes(), &self.0.capabilities);
        // Not every server knows that 0xFF is doubled on its way (RFC 854).
        let is_sayable = !bytes.iter().any(|b| matches!(b, b'\r' | b'\n' | 0xff));
        // A listing for people does not show where a name begins, some servers cut what follows it.
        let is_plain = !bytes.ends_with(b" ") && !bytes.starts_with(b" ");
        bytes.len() <= c.max_name_bytes
            && !is_reserved(bytes)
            && is_sayable
            && is_plain
            && (!c.unicode_names || std::str::from_utf8(bytes).is_ok())
            && (!c.windows_names || windows_name(bytes))
    }
}
