//! Files that a host brings by the few calls that every store of files has. [`Hosted`] makes a [`Provider`] of them.
//!
//! | step | what is asked of the host |
//! |---|---|
//! | stage | the pieces of a file, in order, to a temporary name beside the target |
//! | publish | a look at the target, then a rename |
//! | flush | [`HostFiles::flush`] |
//! | trash | a rename to `.portbook/trash/LABEL/PATH` |
//!
//! What is expected is looked at right before a change: between the look and the rename an edit by somebody else can be lost,
//! unless it gave the item another name.

mod bins;
pub(crate) mod cancel;
mod change;
mod transfer;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use self::bins::Bins;
use self::cancel::Cancellable;
use super::local::windows_name;
use super::{
    Capabilities, Hashed, Listing, Move, Opened, Provider, Publish, RootIdentity, Stage, Staged, Trash, Writable,
    is_reserved,
};
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Entry, Kind, Name, Node, RelPath, Timestamp};

/// Requests that are under way at once.
const AT_ONCE: usize = 8;

/// A host's files. Names are UTF-8. Calls may run at once; of one file, writes come one at a time and in order.
///
/// Of a file's node, [`Token::size`](crate::model::Token::size) and `mtime` or `revision` are to be set: what of them is set must
/// change whenever the content does, and stay when the file is renamed. Of a directory nothing but its kind is looked at.
#[async_trait]
pub trait HostFiles: Send + Sync {
    /// Everything in a directory; none when there is no such directory.
    ///
    /// # Errors
    /// Any: then nothing is known of what is in it.
    async fn list(&self, dir: &RelPath) -> Result<Option<Vec<Entry>>>;

    /// One item; none is a definite absence. The root is a directory.
    ///
    /// # Errors
    /// Any.
    async fn look(&self, path: &RelPath) -> Result<Option<Node>>;

    /// A piece of a file; fewer bytes only where the file ends.
    ///
    /// # Errors
    /// Any; `not_found` when it is gone.
    async fn read(&self, path: &RelPath, offset: u64, length: u64) -> Result<Bytes>;

    /// Writes a piece at the end of a file. At offset 0 the file is made, or emptied.
    ///
    /// # Errors
    /// Any.
    async fn write(&self, path: &RelPath, offset: u64, bytes: Bytes) -> Result<()>;

    /// Sets a file's modified time. Only asked where [`HostedOptions::sets_modified`] says so.
    ///
    /// # Errors
    /// Any.
    async fn set_modified(&self, path: &RelPath, time: Timestamp) -> Result<()>;

    /// Makes a directory in one that is there.
    ///
    /// # Errors
    /// Any.
    async fn make_dir(&self, path: &RelPath) -> Result<()>;

    /// Renames an item, a directory with all that is in it, at once or not at all. Where it may `replace`, a file may be there.
    ///
    /// # Errors
    /// Any; `conflict` when something is there that may not be replaced.
    async fn rename(&self, from: &RelPath, to: &RelPath, replace: bool) -> Result<()>;

    /// Removes a file or an empty directory, if it is there.
    ///
    /// # Errors
    /// Any.
    async fn remove(&self, path: &RelPath) -> Result<()>;

    /// Makes durable what was written, made, renamed and removed so far.
    ///
    /// # Errors
    /// Any: then nothing of it may be assumed durable.
    async fn flush(&self) -> Result<()>;
}

/// What a host's files are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedOptions {
    /// How the root is shown to a person.
    pub display: String,
    /// What tells the root from another one that was put in its place.
    pub ident: String,
    /// Names that differ only in case are the same name.
    pub case_insensitive: bool,
    /// Names that differ only in Unicode normalisation are the same name.
    pub unicode_insensitive: bool,
    /// Names that Windows cannot hold cannot be held.
    pub windows_names: bool,
    /// The longest name in bytes, at least 64.
    pub max_name_bytes: usize,
    /// The granularity of modified times.
    pub time_precision_ns: u64,
    /// Modified times are set when that is asked.
    pub sets_modified: bool,
    /// Nothing can be written.
    pub read_only: bool,
}

impl HostedOptions {
    /// Names and times as on most file systems, modified times that are not set.
    #[must_use]
    pub fn new(ident: impl Into<String>) -> Self {
        let ident = ident.into();
        Self {
            display: ident.clone(),
            ident,
            case_insensitive: false,
            unicode_insensitive: false,
            windows_names: false,
            max_name_bytes: 255,
            time_precision_ns: 1_000,
            sets_modified: false,
            read_only: false,
        }
    }
}

/// A place of a host's files.
pub struct Hosted {
    files: Arc<dyn HostFiles>,
    options: HostedOptions,
    capabilities: Capabilities,
    bins: Bins,
}

impl Hosted {
    /// A place of these files. Asks nothing yet.
    #[must_use]
    pub fn new(files: Arc<dyn HostFiles>, options: HostedOptions) -> Self {
        let capabilities = Capabilities {
            case_insensitive: options.case_insensitive,
            unicode_insensitive: options.unicode_insensitive,
            windows_names: options.windows_names,
            unicode_names: true,
            max_name_bytes: options.max_name_bytes.max(64),
            mode: false,
            set_mtime: options.sets_modified,
            write_mtime: options.sets_modified,
            symlinks: false,
            time_precision_ns: options.time_precision_ns.max(1),
            create_is_exclusive: false,
            native_copy: false,
            resumable_bytes: None,
            resumable_native_bytes: None,
            staged_bytes: None,
            large_bytes: 4 << 20,
            streams: 1,
        };
        let files = Arc::new(Cancellable(files));
        Self { files, options, capabilities, bins: Bins::default() }
    }

    /// Does something for each, some at once, in the order of the items.
    async fn each<T, R, F: Future<Output = R>>(&self, items: Vec<T>, act: impl Fn(T) -> F) -> Vec<R> {
        stream::iter(items).map(act).buffered(AT_ONCE).collect().await
    }

    async fn show(&self, dir: &RelPath) -> Listing {
        match self.files.list(dir).await {
            Ok(None) => Listing::Absent,
            Ok(Some(items)) => {
                Listing::Complete(items.into_iter().filter(|item| !is_reserved(item.name.as_bytes())).collect())
            }
            Err(error) => Listing::Unknown(error),
        }
    }
}

/// Whether it is the same version. Of a directory only the kind is known.
fn same(node: &Node, seen: &Node) -> bool {
    node.kind == seen.kind && (node.kind == Kind::Dir || node.token == seen.token)
}

fn stale(action: &'static str, path: &RelPath, why: &'static str) -> Error {
    Error::new(Code::Stale, action, path).because(why)
}

#[async_trait]
impl Provider for Hosted {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn display(&self) -> String {
        self.options.display.clone()
    }

    async fn root(&self) -> Result<RootIdentity> {
        let missing = |why| Error::new(Code::NotFound, "use the files of", &self.options.display).because(why);
        match self.files.look(&RelPath::root()).await? {
            Some(node) if node.kind == Kind::Dir => {}
            Some(_) => return Err(missing("its root is no directory")),
            None => return Err(missing("it has no root")),
        }
        let writable = if self.options.read_only { Writable::Nowhere } else { Writable::Everywhere };
        Ok(RootIdentity { ident: self.options.ident.clone(), free_bytes: None, writable })
    }

    async fn list(&self, dirs: Vec<RelPath>) -> Vec<Listing> {
        self.each(dirs, |dir| async move { self.show(&dir).await }).await
    }

    async fn stat(&self, paths: Vec<RelPath>) -> Vec<Result<Option<Node>>> {
        self.each(paths, |path| async move { self.files.look(&path).await }).await
    }

    async fn hash(&self, paths: Vec<RelPath>) -> Vec<Result<Hashed>> {
        self.each(paths, |path| async move { transfer::hash(&self.files, &path).await }).await
    }

    async fn read(&self, path: &RelPath, expect: Option<&Node>, offset: u64, length: Option<u64>) -> Result<Opened> {
        transfer::open(&self.files, path, expect, offset, length).await
    }

    async fn make_dirs(&self, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>> {
        let mut made = Vec::with_capacity(dirs.len());
        // Those of one depth do not stand in each other.
        for level in dirs.chunk_by(|(one, _), (other, _)| one.depth() == other.depth()) {
            made.extend(self.each(level.to_vec(), |(dir, _)| async move { self.make_dir(&dir).await }).await);
        }
        made
    }

    async fn stage(&self, items: Vec<Stage>) -> Vec<Result<Staged>> {
        self.each(items, |item| transfer::stage(self, item)).await
    }

    async fn flush(&self, _: Vec<RelPath>) -> Result<()> {
        self.files.flush().await
    }

    async fn publish(&self, items: Vec<Publish>) -> Vec<Result<Node>> {
        self.each(items, |item| async move { self.put_in_place(&item).await }).await
    }

    async fn move_items(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        let mut moved = Vec::with_capacity(items.len());
        // One may make room for the next.
        for item in items {
            moved.push(self.move_item(&item).await);
        }
        moved
    }

    async fn trash(&self, items: Vec<Trash>) -> Vec<Result<()>> {
        let mut gone = Vec::with_capacity(items.len());
        // Directories come after what they held.
        for level in items.chunk_by(|one, other| one.path.depth() == other.path.depth()) {
            gone.extend(self.each(level.to_vec(), |item| async move { self.throw_away(&item).await }).await);
        }
        gone
    }

    async fn set_metadata(&self, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>> {
        self.each(items, |item| async move { self.set_attributes(&item).await }).await
    }

    async fn discard_staged(&self, items: Vec<(RelPath, String)>) -> Result<()> {
        let discarded = self.each(items, |(target, tag)| async move {
            self.files.remove(&change::temp_path("clean up beside", &target, &tag)?).await
        });
        discarded.await.into_iter().collect()
    }

    async fn find_hidden(&self, names: Vec<Name>) -> Result<Vec<(RelPath, Node)>> {
        let c = &self.capabilities;
        if names.is_empty() || !(c.case_insensitive || c.unicode_insensitive) {
            return Ok(Vec::new());
        }
        let (mut found, mut dirs) = (Vec::new(), vec![RelPath::root()]);
        while let Some(dir) = dirs.pop() {
            let items = match self.files.list(&dir).await {
                Ok(items) => items.unwrap_or_default(),
                Err(error) if dir.is_root() => return Err(error),
                Err(_) => Vec::new(),
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
        bins::empty(&self.files, &self.bins, older_than).await
    }

    async fn move_kept(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        self.each(items, |item| async move { self.keep(&item).await }).await
    }

    async fn remove_kept(&self, paths: Vec<RelPath>) -> Vec<Result<()>> {
        self.each(paths, |path| async move {
            super::kept::check_removed(&path)?;
            self.files.remove(&path).await
        })
        .await
    }

    fn can_hold(&self, name: &Name) -> bool {
        let (bytes, c) = (name.as_bytes(), &self.capabilities);
        bytes.len() <= c.max_name_bytes
            && !is_reserved(bytes)
            && std::str::from_utf8(bytes).is_ok()
            && (!c.windows_names || windows_name(bytes))
    }
}
