//! Directories of SFTP servers (SSH File Transfer Protocol, version 3, with OpenSSH's extensions where announced).
//!
//! What always holds:
//!
//! - a server is spoken with only after its key was found to be one that the user knows;
//! - names are bytes; no link is followed, as far as the protocol can say so (see `root.rs` for the limits);
//! - a published name shows the old content or the new; what could not be told after a lost connection is looked at;
//! - a failed effect leaves its item as it was, and no temporary file that a later run would not find.
//!
//! # What makes it durable
//!
//! Files are flushed when they are staged (`fsync@openssh.com`), directories by [`flush`](Provider::flush) where the
//! server opens them as files (OpenSSH on Linux does). A server that has no such flush decides itself when its data
//! reaches the disk; so it is with every other client of it.

mod connection;
mod fault;
mod kept;
mod known_hosts;
mod list;
mod options;
mod out;
mod packet;
mod pool;
mod publish;
mod read;
mod root;
mod session;
mod space;
mod stage;
mod trash;
mod ways;
mod writing;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Buf as _;
use futures_util::StreamExt as _;
use futures_util::stream;

pub use options::{HostKey, SftpAuth, SftpOptions};

use self::fault::Fault;
use self::packet::{Request, kind, open as how};
use self::pool::{Lease, Pool};
use self::root::{Batch, Root, kind_of};
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, RelPath, Timestamp, escaped};
use crate::provider::traffic::{Lanes, Traffic};
use crate::provider::{
    Capabilities, Hashed, Listing, Move, Opened, Provider, Publish, RootIdentity, Stage, Staged, Trash, Writable,
};

/// Items that are worked on at once. Latency of a network is hidden behind others; a server works on one thing after
/// another all the same.
const LANES: Lanes = Lanes { first: 32, most: 64 };
/// Bytes of a request to read or write that every server takes (draft-ietf-secsh-filexfer-02, section 3).
const PIECE: usize = 32 << 10;
/// The same of a server that tells a higher limit: half as many requests, and as many bytes under way as a fast and
/// distant server needs.
const LARGE_PIECE: usize = 64 << 10;
/// The same of a request to write: whole pages, and little more than packets of SSH (32 KiB at OpenSSH) have room for.
/// OpenSSH takes 255 KiB.
const LARGE_WRITE: usize = 252 << 10;

/// A directory of an SFTP server.
pub struct Sftp {
    root: Arc<Root>,
}

impl Sftp {
    /// Connects, logs in and finds the root, which must be there.
    ///
    /// Connections live on threads of their own until this is dropped, and are made again when they are lost.
    ///
    /// # Errors
    /// `auth`: the server's key is not known, or it does not accept the user. `offline`, `timeout`: there is no such
    /// server or no way to it. `not_found`: there is no such directory. `invalid`, `unsupported`.
    pub async fn connect(options: SftpOptions) -> Result<Self> {
        options.check()?;
        let server = options.server();
        let traffic = Traffic::to(&server, LANES);
        let (capabilities, wanted) = (capabilities(&options), options.root.clone());
        let display = shown(&options);
        let pool = Pool::new(options)?;
        let mut root = Root {
            pool,
            traffic,
            path: Vec::new(),
            ident: String::new(),
            display,
            capabilities,
            features: session::Features::default(),
            links: false,
            piece: PIECE,
            write_piece: PIECE,
            under_way: tokio::sync::Semaphore::new(root::UNITS),
            large: tokio::sync::Semaphore::new(root::LARGE),
            touched: Mutex::default(),
        };
        let found = {
            let (root, wanted) = (&root, &wanted);
            root.ask(
                |lease| async move { find(&lease, wanted).await.map_err(|f| f.at("find the root", &root.display)) },
            )
            .await?
        };
        // The host's key is no part of it: who may be believed is the user's to say, and keys are exchanged.
        root.ident = format!("{server} {}", escaped(&found.path));
        root.path = found.path;
        root.features = found.features;
        root.links = found.links;
        root.piece = found.piece;
        root.write_piece = found.write_piece;
        root.capabilities.create_is_exclusive = found.links;
        let sftp = Self { root: Arc::new(root) };
        sftp.root().await?;
        Ok(sftp)
    }
}

/// What the server says of itself and the root.
struct Found {
    path: Vec<u8>,
    features: session::Features,
    links: bool,
    piece: usize,
    write_piece: usize,
}

async fn find(lease: &Lease, wanted: &[u8]) -> std::result::Result<Found, Fault> {
    let wanted = if wanted.is_empty() { b"." } else { wanted };
    let names = lease.send(Request::new(kind::REALPATH).string(wanted)).names().await?;
    let path = names.into_iter().next().map(|listed| listed.name.to_vec()).ok_or(Fault::Odd)?;
    if path.is_empty() || path.contains(&0) {
        return Err(Fault::Odd);
    }
    let (mut piece, mut write_piece) = (PIECE, PIECE);
    if lease.features.limits {
        // Packet, read, write, handles (OpenSSH PROTOCOL section 4.8); 0 is none.
        let mut limits = lease.send(Request::extended("limits@openssh.com")).extended().await?;
        limits.try_get_u64().map_err(|_| Fault::Odd)?;
        let mut limit = |most: usize| match limits.try_get_u64() {
            Ok(0) => Ok(PIECE),
            Ok(told) => Ok(usize::try_from(told).unwrap_or(usize::MAX).min(most)),
            Err(_) => Err(Fault::Odd),
        };
        (piece, write_piece) = (limit(LARGE_PIECE)?, limit(LARGE_WRITE)?);
    }
    let links = publish::probe_links(lease, &path).await;
    Ok(Found { path, features: lease.features.clone(), links, piece, write_piece })
}

fn shown(options: &SftpOptions) -> String {
    let root = escaped(&options.root);
    let slash = if root.starts_with('/') { "" } else { "/" };
    format!("{}{slash}{root}", options.server())
}

fn capabilities(options: &SftpOptions) -> Capabilities {
    Capabilities {
        case_insensitive: options.case_insensitive,
        unicode_insensitive: options.unicode_insensitive,
        windows_names: false,
        unicode_names: false,
        max_name_bytes: 255,
        mode: options.modes,
        set_mtime: options.times,
        write_mtime: options.times,
        symlinks: options.symlinks,
        time_precision_ns: 1_000_000_000,
        create_is_exclusive: false,
        native_copy: false,
        resumable_bytes: Some(writing::PART),
        resumable_native_bytes: None,
        staged_bytes: None,
        large_bytes: 16 << 20,
        streams: 1,
    }
}

/// All results, in order; some of the work is under way at once.
async fn each<T, R, F>(items: Vec<T>, work: impl Fn(T) -> F) -> Vec<R>
where
    F: Future<Output = R> + Send,
{
    stream::iter(items.into_iter().map(work).collect::<Vec<_>>()).buffered(LANES.most as usize).collect().await
}

/// As [`each`], those of one depth together, one depth after the other.
async fn by_depth<T, R, F>(
    items: &[T],
    depth: impl Fn(&T) -> i64,
    work: impl Fn(usize) -> F,
    missing: impl Fn() -> R,
) -> Vec<R>
where
    F: Future<Output = R> + Send,
{
    let mut levels: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (i, item) in items.iter().enumerate() {
        levels.entry(depth(item)).or_default().push(i);
    }
    let mut results: Vec<Option<R>> = std::iter::repeat_with(|| None).take(items.len()).collect();
    for level in levels.into_values() {
        let done = each(level.clone(), &work).await;
        for (i, result) in level.into_iter().zip(done) {
            results[i] = Some(result);
        }
    }
    results.into_iter().map(|result| result.unwrap_or_else(&missing)).collect()
}

fn undone<T>() -> Result<T> {
    Err(Error::new(Code::Internal, "do", "an item of a batch"))
}

#[async_trait]
impl Provider for Sftp {
    fn capabilities(&self) -> &Capabilities {
        &self.root.capabilities
    }

    fn display(&self) -> String {
        self.root.display.clone()
    }

    async fn root(&self) -> Result<RootIdentity> {
        let root = &self.root;
        let action = "look at the root";
        root.ask(|lease| async move {
            let at = |fault: Fault| fault.at(action, &root.display);
            let error = |code, why| Err(Error::new(code, action, &root.display).because(why));
            match lease.look(&root.path).await.map_err(at)?.map(|seen| kind_of(&seen)) {
                Some(Kind::Dir) => {}
                Some(_) => return error(Code::Invalid, "it is not a directory"),
                None => return error(Code::NotFound, "there is no such directory"),
            }
            let disk = space::of(root, &lease).await.map_err(at)?;
            let is_read_only = disk.as_ref().is_some_and(|disk| disk.read_only);
            Ok(RootIdentity {
                ident: root.ident.clone(),
                free_bytes: disk.map(|disk| disk.free_bytes),
                writable: if is_read_only { Writable::Nowhere } else { Writable::Everywhere },
            })
        })
        .await
    }

    async fn list(&self, dirs: Vec<RelPath>) -> Vec<Listing> {
        let (root, batch) = (&self.root, &Batch::default());
        let list = |path: RelPath| async move {
            let path = &path;
            let listed = root.ask(|lease| async move { list::list(root, &lease, batch, path).await }).await;
            listed.unwrap_or_else(Listing::Unknown)
        };
        each(dirs, list).await
    }

    async fn stat(&self, paths: Vec<RelPath>) -> Vec<Result<Option<Node>>> {
        let (root, batch) = (&self.root, &Batch::default());
        let stat = |path: RelPath| async move {
            let path = &path;
            root.ask(|lease| async move { list::stat(root, &lease, batch, path).await }).await
        };
        each(paths, stat).await
    }

    async fn hash(&self, paths: Vec<RelPath>) -> Vec<Result<Hashed>> {
        let root = &self.root;
        let hash = |path: RelPath| async move { read::hash(root, &path).await };
        each(paths, hash).await
    }

    async fn read(&self, path: &RelPath, expect: Option<&Node>, offset: u64, length: Option<u64>) -> Result<Opened> {
        read::open(&self.root, path, expect, offset, length).await
    }

    async fn make_dirs(&self, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>> {
        let (root, batch, dirs) = (&self.root, &Batch::default(), &dirs);
        let make = |i: usize| async move { publish::make_dir(root, batch, &dirs[i].0, &dirs[i].1).await };
        by_depth(dirs, |dir| dir.0.depth() as i64, make, undone).await
    }

    async fn stage(&self, items: Vec<Stage>) -> Vec<Result<Staged>> {
        let (root, batch) = (&self.root, &Batch::default());
        each(items, |item: Stage| async move { stage::stage(root, batch, item).await }).await
    }

    /// Flushes the directories in which names have changed, where the server can. Files were flushed when they were
    /// staged.
    async fn flush(&self, _: Vec<RelPath>) -> Result<()> {
        let dirs = std::mem::take(&mut *self.root.touched.lock().unwrap_or_else(PoisonError::into_inner));
        if !self.root.features.fsync {
            return Ok(());
        }
        let root = &self.root;
        let flush = |dir: Vec<u8>| async move {
            let dir = &dir;
            root.ask(|lease| async move { flush_dir(&lease, dir).await.map_err(|f| f.at("flush", escaped(dir))) }).await
        };
        each(HashSet::into_iter(dirs).collect(), flush).await.into_iter().collect()
    }

    async fn publish(&self, items: Vec<Publish>) -> Vec<Result<Node>> {
        let (root, batch) = (&self.root, &Batch::default());
        each(items, |item: Publish| async move { publish::publish(root, batch, &item).await }).await
    }

    async fn move_items(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        let mut moved = Vec::with_capacity(items.len());
        // Each may rely on those before it.
        for item in &items {
            moved.push(publish::move_item(&self.root, item).await);
        }
        moved
    }

    async fn trash(&self, items: Vec<Trash>) -> Vec<Result<()>> {
        let (root, batch, items) = (&self.root, &Batch::default(), &items);
        let trash = |i: usize| async move { trash::trash(root, batch, &items[i]).await };
        by_depth(items, |item| -(item.path.depth() as i64), trash, undone).await
    }

    async fn set_metadata(&self, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>> {
        let (root, batch) = (&self.root, &Batch::default());
        each(items, |item| async move { publish::set_metadata(root, batch, &item).await }).await
    }

    async fn discard_staged(&self, items: Vec<(RelPath, String)>) -> Result<()> {
        let (root, batch) = (&self.root, &Batch::default());
        let discard = |(path, tag): (RelPath, String)| async move { stage::discard(root, batch, &path, &tag).await };
        each(items, discard).await.into_iter().collect()
    }

    async fn find_hidden(&self, names: Vec<Name>) -> Result<Vec<(RelPath, Node)>> {
        list::find_hidden(&self.root, &names).await
    }

    async fn empty_trash(&self, older_than: Timestamp) -> Result<u64> {
        trash::empty(&self.root, older_than).await
    }

    async fn move_kept(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        let (root, batch) = (&self.root, &Batch::default());
        each(items, |item: Move| async move { kept::move_item(root, batch, &item).await }).await
    }

    async fn remove_kept(&self, paths: Vec<RelPath>) -> Vec<Result<()>> {
        let root = &self.root;
        each(paths, |path: RelPath| async move { kept::remove(root, &path).await }).await
    }

    fn can_hold(&self, name: &Name) -> bool {
        name.as_bytes().len() <= self.root.capabilities.max_name_bytes
    }
}

/// A directory that cannot be opened as a file is flushed by the server when it likes.
async fn flush_dir(lease: &Lease, dir: &[u8]) -> std::result::Result<(), Fault> {
    let handle = match lease.open(dir, how::READ, None).handle().await {
        Ok(handle) => handle,
        Err(fault) if fault.is_interruption() => return Err(fault),
        Err(_) => return Ok(()),
    };
    let flushed = lease.fsync(&handle);
    drop(lease.close(&handle));
    match flushed.done().await {
        Err(fault) if fault.is_unsupported() => Ok(()),
        other => other,
    }
}
