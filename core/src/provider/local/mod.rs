//! Directories of this machine.
//!
//! All policy is here and above [`Disk`]: resolution beneath the root, reserved and temporary names, preconditions,
//! the trash, how content is copied and hashed, what is flushed and when. What always holds:
//!
//! - every path is resolved from the opened root, no link is followed, and what an effect relies on is looked at
//!   through the handle of the directory that it happens in;
//! - a published name shows the old content or the new, at no moment a part or nothing;
//! - a failed effect leaves its item as it was, and no temporary file.

mod copy;
mod direct;
mod disk;
mod flush;
mod kept;
mod list;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod os;
mod pool;
mod portable;
mod publish;
mod pump;
mod read;
mod receive;
mod resume;
mod root;
mod stage;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod traits;
mod trash;

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use futures_util::{FutureExt as _, StreamExt as _};

pub use disk::{Attribute, DIRECT, Disk, Rename, Stat, Traits};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use os::OsDisk;
pub use portable::{PortableDir, PortableDisk};
pub use resume::Parts;
/// The disk of this operating system.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub type OsDisk = PortableDisk;

use self::pool::{Pool, Scratch};
use self::resume::Cuts;
use self::root::{Cursor, Root, retry};
use self::stage::Target;
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, RelPath, Timestamp};
use crate::provider::{
    Capabilities, Feed, Hashed, Listing, Move, NativeSource, Opened, Pace, Provider, Publish, RootIdentity, RootLock,
    Source, Stage, Staged, Trash, is_reserved,
};

/// Threads for local work: the disk is kept busy, the other cores are left to the engine.
const THREADS: usize = 2;
/// Large files that are received at once.
const STREAMS: usize = 4;
/// Small files that are: each costs its source some round trips, and next to no bytes.
const SMALL_STREAMS: usize = 64;
/// What makes a file small here. As many as are received at once are held in memory.
const SMALL_BYTES: u64 = 128 << 10;

/// A directory of this machine, or of a simulated disk.
pub struct Local<D: Disk = OsDisk> {
    root: Arc<Root<D>>,
    pool: Pool,
}

impl Local {
    /// Opens a directory of this machine as a root.
    ///
    /// # Errors
    /// `not_found`, `permission`, `storage`: the directory cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(Arc::new(OsDisk::default()), path, THREADS, Cuts::default())
    }

    /// Opens a directory of this machine as a root that is worked on by so many threads, at least one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_threads(path: &Path, threads: usize) -> Result<Self> {
        Self::open_with(Arc::new(OsDisk::default()), path, threads, Cuts::default())
    }
}

impl<D: Disk> Local<D> {
    /// Opens a directory of this disk as a root.
    ///
    /// # Errors
    /// As [`Local::open`].
    pub fn open_on(disk: Arc<D>, path: &Path) -> Result<Self> {
        Self::open_with(disk, path, THREADS, Cuts::default())
    }

    /// As [`open_on`](Self::open_on), with large files cut as this says.
    ///
    /// # Errors
    /// As [`Local::open`].
    pub fn open_parts(disk: Arc<D>, path: &Path, parts: Parts) -> Result<Self> {
        Self::open_with(disk, path, THREADS, parts.into())
    }

    fn open_with(disk: Arc<D>, path: &Path, threads: usize, cuts: Cuts) -> Result<Self> {
        let display = crate::model::shown(path);
        let at = |e| Error::io("open the root", &display, e);
        let dir = retry(|| disk.open_root(path)).map_err(at)?;
        let traits = retry(|| disk.traits(&dir)).map_err(at)?;
        let stat = retry(|| disk.stat_dir(&dir)).map_err(at)?;
        let capabilities = Capabilities {
            case_insensitive: traits.case_insensitive,
            unicode_insensitive: traits.unicode_insensitive,
            windows_names: traits.windows_names,
            unicode_names: traits.unicode_names,
            max_name_bytes: traits.max_name_bytes,
            mode: traits.mode,
            set_mtime: true,
            write_mtime: true,
            symlinks: traits.symlinks,
            time_precision_ns: traits.time_precision_ns,
            create_is_exclusive: true,
            native_copy: true,
            staged_bytes: None,
            large_bytes: 8 << 20,
            streams: 1,
            resumable_bytes: Some(cuts.received.resumable_bytes),
            resumable_native_bytes: Some(cuts.native.resumable_bytes),
        };
        let root = Root {
            disk,
            dir,
            dev: stat.dev,
            capabilities,
            writable: traits.writable,
            display,
            pending: flush::Pending::default(),
            cuts,
        };
        Ok(Self { root: Arc::new(root), pool: Pool::start(threads.max(1))? })
    }

    /// One result per item, each made with the directory of the item before it at hand.
    async fn each<T, R>(
        &self,
        items: Vec<T>,
        work: impl Fn(&Root<D>, &mut Cursor<'_, D>, &mut Scratch, T) -> Result<R> + Send + Sync + 'static,
    ) -> Vec<Result<R>>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let root = Arc::clone(&self.root);
        let part = move |scratch: &mut Scratch, items: Vec<T>| {
            let mut cursor = Cursor::new(&*root);
            items.into_iter().map(|item| work(&root, &mut cursor, scratch, item)).collect()
        };
        self.pool.spread(items, part).await
    }

    /// All results in one piece of work, in order: each item may rely on those before it.
    async fn in_order<T, R>(
        &self,
        items: Vec<T>,
        work: impl Fn(&Root<D>, &mut Cursor<'_, D>, T) -> Result<R> + Send + 'static,
    ) -> Vec<Result<R>>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let root = Arc::clone(&self.root);
        let count = items.len();
        let done = self.pool.run(move |_| {
            let mut cursor = Cursor::new(&*root);
            Ok(items.into_iter().map(|item| work(&root, &mut cursor, item)).collect())
        });
        match done.await {
            Ok(results) => results,
            Err(e) => (0..count).map(|_| Err(e.clone())).collect(),
        }
    }

    async fn stage_fed(&self, mut target: Target, kind: Kind, feed: Arc<dyn Feed>) -> Result<Staged> {
        let size = feed.size();
        if (size <= copy::SMALL && target.resume.is_none()) || kind == Kind::Symlink {
            let Opened { mut bytes, mtime } = feed.open(0, None).await?;
            target.metadata.mtime = target.metadata.mtime.or(mtime);
            let mut content = Vec::new();
            while let Some(piece) = bytes.next().await {
                content.extend_from_slice(&piece?);
                if content.len() as u64 > size.min(copy::SMALL) {
                    return Err(stage::wrong_size(&target.path));
                }
            }
            if content.len() as u64 != size {
                return Err(stage::wrong_size(&target.path));
            }
            let root = Arc::clone(&self.root);
            let work = move |_: &mut Scratch| {
                let mut cursor = Cursor::new(&*root);
                match kind {
                    Kind::Symlink => stage::stage_link(&root, &mut cursor, &target, &content),
                    Kind::File => stage::stage_bytes(&root, &mut cursor, &target, &content),
                    Kind::Dir | Kind::NativeDoc | Kind::Other => Err(uncarried(&target.path)),
                }
            };
            return self.pool.run(work).await;
        }
        // A thread of its own: a slow sender must not hold one of the pool.
        let (sender, receiver) = receive::channel();
        let (answer, answered) = tokio::sync::oneshot::channel();
        let root = Arc::clone(&self.root);
        let path = target.path.clone();
        let work = move || {
            let mut cursor = Cursor::new(&*root);
            let staged = receive::stage_received(&root, &mut cursor, &target, size, receiver, &Pace::default());
            // Nobody listens when the caller was dropped; the temporary file is found by its name.
            let _ = answer.send(staged);
        };
        std::thread::Builder::new()
            .name("portbook-stream".into())
            .spawn(work)
            .map_err(|e| Error::io("start a thread for", &path, e))?;
        receive::send(&*feed, &path, sender).await;
        answered.await.unwrap_or_else(|_| Err(Error::new(Code::Internal, "write", &path)))
    }
}

fn uncarried(path: &RelPath) -> Error {
    Error::new(Code::Unsupported, "write", path).because("it is neither a file nor a link")
}

#[async_trait]
impl<D: Disk> Provider for Local<D> {
    fn capabilities(&self) -> &Capabilities {
        &self.root.capabilities
    }

    fn display(&self) -> String {
        self.root.display.clone()
    }

    async fn lock(&self, exclusive: bool) -> Result<Option<RootLock>> {
        let action = "lock the root";
        match retry(|| self.root.disk.lock(&self.root.dir, exclusive)) {
            Ok(Some(lock)) => Ok(Some(RootLock(Box::new(lock)))),
            Ok(None) => Err(Error::new(Code::Busy, action, &self.root.display)
                .because("another run holds it")
                .advise("wait until it has ended")),
            Err(e) => Err(Error::io(action, &self.root.display, e)),
        }
    }

    async fn root(&self) -> Result<RootIdentity> {
        let root = Arc::clone(&self.root);
        let work = move |_: &mut Scratch| {
            let at = |e: io::Error| Error::io("look at the root", &root.display, e);
            let stat = retry(|| root.disk.stat_dir(&root.dir)).map_err(at)?;
            Ok(RootIdentity {
                ident: format!("{}:{}", stat.ino, stat.birth_ns),
                free_bytes: root.disk.free_bytes(&root.dir).ok(),
                writable: root.writable,
            })
        };
        self.pool.run(work).await
    }

    async fn list(&self, dirs: Vec<RelPath>) -> Vec<Listing> {
        let root = Arc::clone(&self.root);
        let work = move |_: &mut Scratch, dirs: Vec<RelPath>| dirs.iter().map(|d| list::list(&root, d)).collect();
        self.pool.spread(dirs, work).await
    }

    async fn stat(&self, paths: Vec<RelPath>) -> Vec<Result<Option<Node>>> {
        self.each(paths, |root, cursor, _, path| list::stat(root, cursor, &path)).await
    }

    async fn hash(&self, paths: Vec<RelPath>) -> Vec<Result<Hashed>> {
        self.each(paths, |root, cursor, scratch, path| read::hash(root, cursor, scratch, &path)).await
    }

    async fn read(&self, path: &RelPath, expect: Option<&Node>, offset: u64, length: Option<u64>) -> Result<Opened> {
        let root = Arc::clone(&self.root);
        let part = read::Part { path: path.clone(), expect: expect.cloned(), offset, length };
        if expect.is_some_and(|expect| expect.token.size <= SMALL_BYTES) {
            // It is read at once: a thread for each would cost more than the file.
            let pieces = self.pool.run(move |_| read::content(&root, &part)).await?;
            return Ok(Opened { bytes: stream::iter(pieces).boxed(), mtime: None });
        }
        let (send, receive) = tokio::sync::mpsc::channel::<Result<Bytes>>(2);
        let (opened, is_open) = tokio::sync::oneshot::channel();
        // A thread of its own: a slow receiver must not hold one of the pool.
        std::thread::Builder::new()
            .name("portbook-read".into())
            .spawn(move || read::send_content(&root, &part, opened, |piece| send.blocking_send(piece).is_ok()))
            .map_err(|e| Error::io("start a thread for", path, e))?;
        is_open.await.unwrap_or_else(|_| Err(Error::new(Code::Internal, "read", path)))?;
        let bytes = stream::unfold(receive, |mut receive| async move { receive.recv().await.map(|p| (p, receive)) });
        Ok(Opened { bytes: bytes.boxed(), mtime: None })
    }

    fn native_source(&self) -> Option<NativeSource> {
        Some(NativeSource(Arc::clone(&self.root) as Arc<dyn Any + Send + Sync>))
    }

    async fn make_dirs(&self, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>> {
        let make = |root: &Root<D>, cursor: &mut Cursor<'_, D>, (path, metadata): (RelPath, Metadata)| {
            publish::make_dir(root, cursor, &path, &metadata)
        };
        self.in_order(dirs, make).await
    }

    async fn stage(&self, items: Vec<Stage>) -> Vec<Result<Staged>> {
        let mut results: Vec<Option<Result<Staged>>> = std::iter::repeat_with(|| None).take(items.len()).collect();
        let (mut native, mut fed) = (Vec::new(), Vec::new());
        for (i, item) in items.into_iter().enumerate() {
            let Stage { target: path, tag, source, kind, metadata, replaces, resume } = item;
            let target = Target { path, tag, metadata, replaces, resume };
            match source {
                Source::Native { source, path, expect, pace } => match source.0.downcast::<Root<D>>() {
                    Ok(from) => native.push((i, target, from, path, expect, pace)),
                    Err(_) => {
                        let error = Error::new(Code::Unsupported, "write", &target.path);
                        results[i] = Some(Err(error.because("the source is of another kind")));
                    }
                },
                Source::Feed(feed) => fed.push((i, target, kind, feed)),
            }
        }
        let order: Vec<usize> = native.iter().map(|n| n.0).collect();
        let root = Arc::clone(&self.root);
        let work = move |scratch: &mut Scratch, items: Vec<(usize, Target, Arc<Root<D>>, RelPath, Node, Pace)>| {
            let mut cursor = Cursor::new(&*root);
            let source = items.first().map(|item| Arc::clone(&item.2));
            let mut from = source.as_deref().map(Cursor::new);
            let mut staged = Vec::with_capacity(items.len());
            for (_, target, other, path, expect, pace) in &items {
                let known = source.as_ref().is_some_and(|s| Arc::ptr_eq(s, other));
                staged.push(match from.as_mut().filter(|_| known) {
                    Some(from) => {
                        stage::stage_native(&root, &mut cursor, scratch, target, (other, from, path, expect, pace))
                    }
                    None => {
                        let from = &mut Cursor::new(&**other);
                        stage::stage_native(&root, &mut cursor, scratch, target, (other, from, path, expect, pace))
                    }
                });
            }
            staged
        };
        let (small, large): (Vec<_>, Vec<_>) = fed.into_iter().partition(|fed| fed.3.size() <= SMALL_BYTES);
        let receive = |fed: Vec<_>, at_once| {
            let receiving = fed
                .into_iter()
                .map(|(i, target, kind, feed)| async move { (i, self.stage_fed(target, kind, feed).await) }.boxed());
            stream::iter(receiving.collect::<Vec<_>>()).buffer_unordered(at_once).collect::<Vec<_>>()
        };
        let received = async { futures_util::join!(receive(small, SMALL_STREAMS), receive(large, STREAMS)) };
        let (copied, (small, large)) = futures_util::join!(self.pool.spread(native, work), received);
        for (i, result) in order.into_iter().zip(copied).chain(small).chain(large) {
            results[i] = Some(result);
        }
        let lost = || Err(Error::new(Code::Internal, "write", "a file"));
        results.into_iter().map(|r| r.unwrap_or_else(lost)).collect()
    }

    async fn flush(&self, paths: Vec<RelPath>) -> Result<()> {
        let root = Arc::clone(&self.root);
        self.pool.run(move |_| flush::flush(&root, &paths)).await
    }

    async fn publish(&self, items: Vec<Publish>) -> Vec<Result<Node>> {
        self.each(items, |root, cursor, _, item| publish::publish(root, cursor, &item)).await
    }

    async fn move_items(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        self.in_order(items, |root, _, item| publish::move_item(root, &item)).await
    }

    async fn trash(&self, items: Vec<Trash>) -> Vec<Result<()>> {
        self.in_order(items, |root, cursor, item| trash::trash(root, cursor, &item)).await
    }

    async fn set_metadata(&self, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>> {
        self.in_order(items, |root, cursor, item| publish::set_metadata(root, cursor, &item)).await
    }

    async fn discard_staged(&self, items: Vec<(RelPath, String)>) -> Result<()> {
        let work = |root: &Root<D>, cursor: &mut Cursor<'_, D>, (path, tag): (RelPath, String)| {
            stage::discard(root, cursor, &path, &tag)
        };
        self.in_order(items, work).await.into_iter().fold(Ok(()), Result::and)
    }

    async fn find_hidden(&self, names: Vec<Name>) -> Result<Vec<(RelPath, Node)>> {
        let root = Arc::clone(&self.root);
        self.pool.run(move |_| list::find_hidden(&root, &names)).await
    }

    async fn empty_trash(&self, older_than: Timestamp) -> Result<u64> {
        let root = Arc::clone(&self.root);
        self.pool.run(move |_| trash::empty(&root, older_than)).await
    }

    async fn move_kept(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        self.in_order(items, |root, _, item| kept::move_item(root, &item)).await
    }

    async fn remove_kept(&self, paths: Vec<RelPath>) -> Vec<Result<()>> {
        self.in_order(paths, |root, cursor, path| kept::remove(root, cursor, &path)).await
    }

    fn can_hold(&self, name: &Name) -> bool {
        let (bytes, c) = (name.as_bytes(), &self.root.capabilities);
        bytes.len() <= c.max_name_bytes
            && !is_reserved(bytes)
            && (!c.unicode_names || std::str::from_utf8(bytes).is_ok())
            && (!c.windows_names || windows_name(bytes))
    }
}

/// Whether Windows takes the name and gives it back unchanged.
pub(crate) fn windows_name(name: &[u8]) -> bool {
    let bad = |b: &u8| *b < 32 || b"<>:\"|?*\\".contains(b);
    if name.iter().any(bad) || matches!(name.last(), Some(b'.' | b' ')) {
        return false;
    }
    let stem = name.split(|b| *b == b'.').next().unwrap_or(name).trim_ascii_end().to_ascii_uppercase();
    let device = match &stem[..] {
        b"CON" | b"PRN" | b"AUX" | b"NUL" | b"CONIN$" | b"CONOUT$" => true,
        [b'C', b'O', b'M', rest @ ..] | [b'L', b'P', b'T', rest @ ..] => {
            matches!(rest, [b'0'..=b'9']) || ["¹", "²", "³"].iter().any(|d| d.as_bytes() == rest)
        }
        _ => false,
    };
    !device
}
