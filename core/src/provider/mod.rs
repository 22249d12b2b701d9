//! One file per storage service behind one trait.
//!
//! A provider is opened on one root and resolves every path beneath it, component by component; nothing it does can
//! leave the root, symbolic links included. Calls are coarse (a batch of directories, a batch of files) and may run
//! together; the engine never sends two effects on the same path at once.
//!
//! The engine asks [`Capabilities`], never names.
//!
//! # How bytes arrive
//!
//! 1. [`stage`](Provider::stage) takes each file completely where nobody sees it, with its metadata: under a reserved
//!    temporary name beside its target ([`TEMP_PREFIX`]), or, where a service puts a file in place in one request, in
//!    memory or as parts of an upload. The content is hashed while it passes.
//! 2. [`flush`](Provider::flush) makes all staged data durable.
//! 3. [`publish`](Provider::publish) re-checks what must still stand at the target, moves a version that is not in
//!    the ledger to the trash, and puts the staged file in the place of the target in one atomic step.
//! 4. [`flush`](Provider::flush) makes the renames durable. Only then does the ledger say that it happened.

mod access;
mod address;
mod bandwidth;
pub mod ftp;
pub mod hosted;
pub mod http;
mod kept;
pub mod local;
mod names;
mod native_hash;
mod pace;
mod resume;
pub mod s3;
pub mod sftp;
#[cfg(feature = "simulation")]
pub mod simulation;
mod source;
pub mod traffic;
pub(crate) mod vacant;
pub(crate) mod web;
mod web_auth;
mod web_etag;
mod web_get;
mod web_site;
pub mod webdav;
mod xml;

pub use access::Access;
pub use address::{Address, Server, Web};
pub use bandwidth::Bandwidth;
pub use native_hash::NativeHash;
pub use pace::{Limit, Pace};
pub use resume::{Checkpoint, Keeper, Report, Resumable, is_interruption};
pub use source::{Feed, InMemory, NativeSource, OfPlace, Opened, Source};
pub use web_auth::WebAuth;

use std::any::Any;

use async_trait::async_trait;

use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Entry, Name, Node, RelPath, SecretBytes, Timestamp};

/// Names that begin with this are temporary files of an engine: never listed, never carried.
pub const TEMP_PREFIX: &[u8] = b".portbook-tmp-";

/// The directory at the root that holds trash and versions: never listed, at any depth.
pub const RESERVED_DIR: &[u8] = b".portbook";

/// The directory in [`RESERVED_DIR`] that holds what a volume has taken out of sight and may give back. Unlike the trash
/// it is never emptied for its age.
pub const KEPT_DIR: &[u8] = b"kept";

/// The longest path of a directory that is listed over a network. Servers exist that show the same page at every address,
/// or follow a link to a directory above: of these there is no end.
pub(crate) const LONGEST_PATH: usize = 4096;

/// That a directory is too deep to be listed.
pub(crate) fn too_deep(action: &'static str, dir: &RelPath) -> Result<()> {
    if dir.as_bytes().len() <= LONGEST_PATH {
        return Ok(());
    }
    Err(Error::new(Code::Invalid, action, dir).because("its path is too long"))
}

/// Whether a name belongs to the engine and is hidden from every listing.
#[must_use]
pub fn is_reserved(name: &[u8]) -> bool {
    name == RESERVED_DIR || name.starts_with(TEMP_PREFIX)
}

/// What a place can do and how it treats names and times.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Names that differ only in case are the same name.
    pub case_insensitive: bool,
    /// Names that differ only in Unicode normalisation (NFC, NFD) are the same name.
    pub unicode_insensitive: bool,
    /// Characters and names that cannot be held are those of Windows (`<>:"|?*\`, control characters, `CON`, trailing
    /// dot or space).
    pub windows_names: bool,
    /// Names must be valid UTF-8.
    pub unicode_names: bool,
    /// The longest name in bytes.
    pub max_name_bytes: usize,
    /// Permission bits can be read and set.
    pub mode: bool,
    /// The modified time of what is there can be set.
    pub set_mtime: bool,
    /// A file can be given its modified time when it is written, whether or not listings show it.
    pub write_mtime: bool,
    /// Symbolic links can be held.
    pub symlinks: bool,
    /// The granularity of modified times in nanoseconds.
    pub time_precision_ns: u64,
    /// [`publish`](Provider::publish) creates without overwriting, atomically.
    pub create_is_exclusive: bool,
    /// Files can be taken straight from a provider whose [`native_source`](Provider::native_source) this one knows.
    pub native_copy: bool,
    /// Files of at least this size are staged with a session, so that a later process can continue; none: never.
    pub resumable_bytes: Option<u64>,
    /// As [`resumable_bytes`](Self::resumable_bytes), for files that are taken natively: what is copied within a moment
    /// is not worth a session.
    pub resumable_native_bytes: Option<u64>,
    /// The most bytes of small files that may be staged and not yet published: what is staged is kept in memory; none:
    /// it is kept at the place.
    pub staged_bytes: Option<u64>,
    /// What one large file takes in memory at most while it is staged.
    pub large_bytes: u64,
    /// How many parts of one large file are worth reading at once; 1: one stream is as fast.
    pub streams: usize,
}

/// What tells a root from another one that was put in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootIdentity {
    /// Stable text of the identity (inode and birth time, or a provider's id).
    pub ident: String,
    /// Bytes that can still be written, where that is known.
    pub free_bytes: Option<u64>,
    /// Whether and where it can be written.
    pub writable: Writable,
}

/// Where in a root this user may write, as far as that can be asked before trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writable {
    /// Wherever the permissions of each directory allow.
    Everywhere,
    /// As that, but nothing can be put into the root itself or taken from it, and no trash be made in it.
    Beneath,
    /// Nowhere: it is read-only as a whole.
    Nowhere,
}

/// What a directory shows.
#[derive(Clone, Debug)]
pub enum Listing {
    /// Everything that is in it, in no particular order.
    Complete(Vec<Entry>),
    /// Some of what is in it: what is listed is present, everything else is unknown, for this reason.
    Partial(Vec<Entry>, crate::Error),
    /// There is no such directory: definitely.
    Absent,
    /// It could not be read: nothing is known of what is in it.
    Unknown(crate::Error),
}

/// A file's content hash with the node it was read from (looked at before and after the read; equal both times).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// The state that was hashed.
    pub node: Node,
    /// The hash.
    pub content: ContentHash,
}

/// The lock on a root; it ends when this is dropped, or with the process.
pub struct RootLock(pub Box<dyn Any + Send + Sync>);

/// A file or link to be written under a temporary name.
pub struct Stage {
    /// Where it will be published.
    pub target: RelPath,
    /// Tells the temporary name: `TEMP_PREFIX` + tag. Unique per item of the plan, the same again after a crash.
    pub tag: String,
    /// Where the bytes come from. A link's bytes are its target.
    pub source: Source,
    /// File or symlink.
    pub kind: crate::model::Kind,
    /// Attributes that the published item has.
    pub metadata: Metadata,
    /// The state of the version to replace whose mode is kept when `metadata` has none.
    pub replaces: bool,
    /// The session of a file that can be continued. After an interruption ([`is_interruption`]) its temporary file stays.
    pub resume: Option<Resumable>,
}

/// A file that waits under its temporary name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Where it will be published.
    pub target: RelPath,
    /// The tag of its temporary name.
    pub tag: String,
    /// The hash of its bytes.
    pub content: ContentHash,
    /// How many bytes it has.
    pub size: u64,
    /// How many of them an earlier attempt had carried.
    pub resumed: u64,
    /// The source as it was read, where it came by native copy.
    pub source: Option<Node>,
}

/// A staged file to be published.
#[derive(Clone, Debug)]
pub struct Publish {
    /// What was staged.
    pub staged: Staged,
    /// What must still be at the target: [`Expect::Absent`] or the node that is replaced.
    pub expect: Expect,
    /// The replaced version goes to the trash under this label (see [`Trash::label`]).
    pub archive: Option<String>,
}

/// An item to be moved.
#[derive(Clone, Debug)]
pub struct Move {
    /// Where it is.
    pub from: RelPath,
    /// Where it goes. Nothing may be there (another case of the same name on a folding place excepted).
    pub to: RelPath,
    /// What must be at `from`.
    pub expect: Expect,
    /// The reserved name beside `to` under which it may stand in between, where the place cannot tell its old name from
    /// the new one. The caller looks for it there after a crash; without one such a move is refused (`stale`).
    pub through: Option<Name>,
}

/// An item to be moved to the trash.
#[derive(Clone, Debug)]
pub struct Trash {
    /// Where it is.
    pub path: RelPath,
    /// What must be there. A directory must be empty of everything but reserved names.
    pub expect: Expect,
    /// Names the run: the item goes to `.portbook/trash/LABEL/PATH` (a number is appended when that is taken).
    pub label: String,
}

/// A place that holds files.
///
/// Batch calls answer one result per item in the order of the request. An effect that fails leaves its item as it
/// was. An error with code `stale` says that an expectation did not hold and nothing was done.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What the place can do.
    fn capabilities(&self) -> &Capabilities;

    /// How the root is shown to a person. Never holds a secret.
    fn display(&self) -> String;

    /// Looks at the root.
    ///
    /// # Errors
    /// `not_found`, `permission`, `offline` …: the root cannot be used.
    async fn root(&self) -> Result<RootIdentity>;

    /// Locks the root against other runs, alone or together with others that only read; `None` where the place has no
    /// locks.
    ///
    /// # Errors
    /// `busy` when another run holds it.
    async fn lock(&self, exclusive: bool) -> Result<Option<RootLock>> {
        let _ = exclusive;
        Ok(None)
    }

    /// Lists directories, without reserved names.
    async fn list(&self, dirs: Vec<RelPath>) -> Vec<Listing>;

    /// Looks at single items; `None` is a definite absence.
    async fn stat(&self, paths: Vec<RelPath>) -> Vec<Result<Option<Node>>>;

    /// Hashes the content of files and links. A file that changes while it is read is `stale`.
    async fn hash(&self, paths: Vec<RelPath>) -> Vec<Result<Hashed>>;

    /// What the place itself says of the content of files in exactly these versions, without a byte of them being carried;
    /// `None` where it does not say. An answer that differs from a hash by the same algorithm says nothing: services keep
    /// other things in the same form.
    async fn native_hashes(&self, files: Vec<(RelPath, Node)>) -> Vec<Option<NativeHash>> {
        vec![None; files.len()]
    }

    /// Opens a file at `offset`, to its end or for `length` bytes. A link's bytes are its target.
    ///
    /// With `expect` every byte is of that version: a file that is another one is `stale` at once, one that changes while
    /// it is read is `stale` in the place of its last piece.
    ///
    /// # Errors
    /// `not_found`, `permission`, `stale`, `storage`, `offline` …
    async fn read(&self, path: &RelPath, expect: Option<&Node>, offset: u64, length: Option<u64>) -> Result<Opened>;

    /// Makes a URL by which anybody can read what is at the path, for so long and without anything else; none can be taken
    /// back. The URL is a secret.
    ///
    /// # Errors
    /// `unsupported`: the place makes no links. `invalid`: not for such a time.
    async fn share(&self, path: &RelPath, valid: std::time::Duration) -> Result<SecretBytes> {
        let _ = valid;
        Err(Error::new(Code::Unsupported, "make a link to", path).because("this place makes no links"))
    }

    /// What a provider of the same kind can take files from without the bytes passing through the engine.
    fn native_source(&self) -> Option<NativeSource> {
        None
    }

    /// Makes directories, parents before children in one batch. One that is there already is an error (`stale`).
    async fn make_dirs(&self, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>>;

    /// Writes files under their temporary names. The parent directories exist.
    async fn stage(&self, items: Vec<Stage>) -> Vec<Result<Staged>>;

    /// Makes everything that was staged, published, made, moved, trashed or set so far durable: data first, then
    /// the directories that name it. `paths` are the items concerned (a staged one by its target); an implementation
    /// may flush more.
    ///
    /// # Errors
    /// After an error nothing may be assumed durable; the items are done again from the start, never re-flushed.
    async fn flush(&self, paths: Vec<RelPath>) -> Result<()>;

    /// Publishes staged files and returns what is there then.
    async fn publish(&self, items: Vec<Publish>) -> Vec<Result<Node>>;

    /// Moves items and returns what is there then. Never overwrites.
    async fn move_items(&self, items: Vec<Move>) -> Vec<Result<Node>>;

    /// Moves items to the trash of the root. Directories must come after what they held.
    async fn trash(&self, items: Vec<Trash>) -> Vec<Result<()>>;

    /// Sets attributes and returns what is there then.
    async fn set_metadata(&self, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>>;

    /// Removes temporary files of these tags beside these targets, if there are any (after a crash).
    async fn discard_staged(&self, items: Vec<(RelPath, String)>) -> Result<()>;

    /// As [`discard_staged`](Self::discard_staged), of a file that had a session: `state` is the place's own of its last
    /// [`Checkpoint`]. For places that give what is staged names of their own.
    async fn discard_session(&self, target: RelPath, tag: String, state: &[u8]) -> Result<()> {
        let _ = state;
        self.discard_staged(vec![(target, tag)]).await
    }

    /// Finds items of these temporary names wherever they are by now: a directory that held one may have been moved by
    /// somebody. Looks at the whole place; a place that never moves items through temporary names finds none.
    ///
    /// # Errors
    /// `storage`, `offline`: the root cannot be read. What lies in a directory that cannot be read is not found.
    async fn find_hidden(&self, names: Vec<Name>) -> Result<Vec<(RelPath, Node)>> {
        let _ = names;
        Ok(Vec::new())
    }

    /// Removes what has been in the trash since before `older_than`; returns how many items went.
    ///
    /// # Errors
    /// The first failure; the rest is removed all the same.
    async fn empty_trash(&self, older_than: Timestamp) -> Result<u64>;

    /// Moves files to or from `.portbook/kept/`, or there from `.portbook/trash/` of this root or of a directory beneath it: as [`move_items`](Self::move_items),
    /// and directories beneath `.portbook/kept/` are made as needed. What lies there is looked at, read and hashed by its
    /// path like any file, and flushed by its new path.
    async fn move_kept(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        items.iter().map(|item| Err(keeps_nothing("keep", &item.from))).collect()
    }

    /// Removes files beneath `.portbook/kept/` for good. One that is gone already is no error.
    async fn remove_kept(&self, paths: Vec<RelPath>) -> Vec<Result<()>> {
        paths.iter().map(|path| Err(keeps_nothing("remove", path))).collect()
    }

    /// Whether the place can hold this name as it is.
    fn can_hold(&self, name: &Name) -> bool;
}

fn keeps_nothing(action: &'static str, path: &RelPath) -> Error {
    Error::new(Code::Unsupported, action, path).because("this place cannot keep files out of sight")
}
