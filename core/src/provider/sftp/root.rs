//! The root on the server, how paths are resolved beneath it, and what a node is there.
//!
//! SFTP has no handles of directories to resolve names in (no `openat`): a path is resolved by the server each time.
//! So every directory on the way to an item is looked at first, without following it, once for a batch. Whoever may
//! write there and swaps a directory for a link between that look and the effect can still lead it elsewhere, as far as
//! the account's own rights reach. A server that confines the account (`ChrootDirectory`) closes that gap.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::fault::Fault;
use super::packet::{Attributes, Listed};
use super::pool::{Lease, Pool};
use super::read::AHEAD;
use super::session::{Features, Session, found};
use super::writing::PART;
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Ident, Kind, Name, Node, RelPath, Timestamp, Token};
use crate::provider::traffic::{Refusal, Repeat, Traffic};
use crate::provider::{Capabilities, RESERVED_DIR, TEMP_PREFIX, is_reserved};

/// Looks at directories that are under way at once.
const LOOKS: usize = 64;

/// Files up to this size take no turns: all that may be under way at once are little.
const LITTLE: u64 = 64 << 10;
/// What of larger ones may be under way together, in units of `UNIT` bytes.
pub(super) const UNITS: usize = 128;
const UNIT: u64 = 64 << 10;
/// Files that are sent in parts (see `writing.rs`) or are as large, beside those.
pub(super) const LARGE: usize = 2;

/// A directory of a server.
pub(super) struct Root {
    pub(super) pool: Pool,
    pub(super) traffic: std::sync::Arc<Traffic>,
    /// Absolute, as the server resolved it.
    pub(super) path: Vec<u8>,
    pub(super) ident: String,
    pub(super) display: String,
    pub(super) capabilities: Capabilities,
    pub(super) features: Features,
    /// A second name can be given to a file, which never takes one that is taken.
    pub(super) links: bool,
    /// Bytes of a request to read.
    pub(super) piece: usize,
    /// Bytes of a request to write.
    pub(super) write_piece: usize,
    /// What may be under way of files that are neither little nor large.
    pub(super) under_way: tokio::sync::Semaphore,
    /// Large files that may be under way.
    pub(super) large: tokio::sync::Semaphore,
    /// Directories in which names have changed since the last flush.
    pub(super) touched: Mutex<HashSet<Vec<u8>>>,
}

impl Root {
    /// Work on a session, in its turn, and again on another one when that was lost.
    pub(super) async fn ask<T, F>(&self, work: impl Fn(Lease) -> F + Send + Sync) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let work = &work;
        let attempt = move || async move {
            let lease = self.pool.lease().await.map_err(Refusal::from)?;
            work(lease).await.map_err(Refusal::from)
        };
        self.traffic.send(Repeat::Safe, attempt).await
    }

    /// The turn of a file of this size: room for what can be under way of it.
    ///
    /// Neither semaphore is ever closed.
    pub(super) async fn turn(&self, size: u64) -> Option<tokio::sync::SemaphorePermit<'_>> {
        if size <= LITTLE {
            return None;
        }
        if size >= PART {
            return self.large.acquire().await.ok();
        }
        let most = (AHEAD * self.piece) as u64;
        let units = size.min(most).div_ceil(UNIT).min(UNITS as u64);
        self.under_way.acquire_many(u32::try_from(units).unwrap_or(1)).await.ok()
    }

    /// The path on the server.
    pub(super) fn full(&self, path: &RelPath) -> Vec<u8> {
        if path.is_root() {
            return self.path.clone();
        }
        let root = self.path.strip_suffix(b"/").unwrap_or(&self.path);
        [root, b"/", path.as_bytes()].concat()
    }

    /// The temporary file beside an item.
    pub(super) fn temp(&self, action: &'static str, target: &RelPath, tag: &str) -> Result<Vec<u8>> {
        let name = Name::new(&[TEMP_PREFIX, tag.as_bytes()].concat()).filter(|n| n.as_bytes().len() <= 255);
        let name =
            name.ok_or_else(|| Error::new(Code::Invalid, action, tag.escape_debug()).because("no usable tag"))?;
        Ok(self.full(&target.parent().unwrap_or_default().join(&name)))
    }

    pub(super) fn touch(&self, path: &RelPath) {
        let dir = self.full(&path.parent().unwrap_or_default());
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).insert(dir);
    }

    /// Looks at an item and holds it against what is expected of it.
    pub(super) async fn check(
        &self,
        session: &Session,
        action: &'static str,
        path: &RelPath,
        expect: &Expect,
    ) -> Result<Option<Node>> {
        let seen = session.look(&self.full(path)).await.map_err(|f| f.at(action, path))?;
        let seen = seen.map(|a| self.node(&a));
        match (expect, &seen) {
            (Expect::Any, _) | (Expect::Absent, None) => Ok(seen),
            (Expect::Absent, Some(_)) => Err(stale(action, path, "something is there by now")),
            (Expect::Node(_), None) => Err(stale(action, path, "it is gone")),
            (Expect::Node(node), Some(now)) if same(node, now) => Ok(seen),
            (Expect::Node(_), Some(_)) => Err(stale(action, path, "it has changed")),
        }
    }

    /// What an item shows.
    pub(super) fn node(&self, attributes: &Attributes) -> Node {
        // A file that is said to have no size would be taken for an empty one.
        let kind = match kind_of(attributes) {
            Kind::File if attributes.size.is_none() => Kind::Other,
            kind => kind,
        };
        let dir = kind == Kind::Dir;
        let mtime = attributes.mtime.map(|secs| Timestamp { secs: secs.into(), nanos: 0 });
        let mode = attributes.permissions.map(|p| p & 0o7777);
        Node {
            kind,
            ident: Ident::None,
            token: Token {
                size: if dir { 0 } else { attributes.size.unwrap_or(0) },
                mtime: mtime.filter(|_| !dir),
                ctime: None,
                mode: mode.filter(|_| self.capabilities.mode && kind != Kind::Symlink),
                revision: None,
            },
        }
    }

    /// Whether the server says enough of an item to tell what it is.
    pub(super) fn is_whole(listed: &Listed) -> bool {
        let Attributes { size, permissions, mtime } = listed.attributes;
        size.is_some() && permissions.is_some() && mtime.is_some()
    }

    /// The code of a failed write: servers have one for everything, so that what is free is asked for.
    pub(super) async fn unwritten(&self, session: &Session, fault: Fault, path: &RelPath) -> Error {
        let error = fault.at("write", path);
        if error.code() == Code::Storage
            && let Ok(Some(disk)) = super::space::of(self, session).await
            && disk.free_bytes < self.write_piece as u64
        {
            return Error::new(Code::Quota, "write", path).because("there is no space left on the server");
        }
        error
    }
}

/// The type is in the bits of the mode (as in `st_mode`, POSIX).
pub(super) fn kind_of(attributes: &Attributes) -> Kind {
    match attributes.permissions.map(|p| p & 0o170_000) {
        Some(0o100_000) => Kind::File,
        Some(0o040_000) => Kind::Dir,
        Some(0o120_000) => Kind::Symlink,
        Some(_) | None => Kind::Other,
    }
}

/// Whether the item is the node in its exact version. Of a directory only the kind counts.
pub(super) fn same(node: &Node, seen: &Node) -> bool {
    let is_equal = seen.token.size == node.token.size && seen.token.mtime == node.token.mtime;
    seen.kind == node.kind && (node.kind == Kind::Dir || is_equal)
}

pub(super) fn stale(action: &'static str, path: &RelPath, why: &'static str) -> Error {
    Error::new(Code::Stale, action, path).because(why)
}

/// Refuses to write where the engine keeps its own things.
pub(super) fn not_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse(action, path, is_reserved)
}

/// As [`not_reserved`], but names may be temporary: what is swapped passes through one.
pub(super) fn not_in_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse(action, path, |name| name == RESERVED_DIR)
}

fn refuse(action: &'static str, path: &RelPath, is_refused: impl Fn(&[u8]) -> bool) -> Result<()> {
    let error = || Error::new(Code::Invalid, action, path);
    if path.is_root() {
        return Err(error().because("this is the root itself"));
    }
    if path.components().any(is_refused) {
        return Err(error().because("this name is reserved"));
    }
    Ok(())
}

/// What is on the way to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Real directories.
    Open,
    /// One of them does not exist.
    Missing,
    /// One of them is a link, a file, or something else.
    Blocked,
}

/// What a batch has learned already.
#[derive(Default)]
pub(super) struct Batch {
    /// Paths of directories that were looked at.
    dirs: Mutex<HashSet<RelPath>>,
    /// The same of directories in the trash, and where they are.
    pub(super) bins: tokio::sync::Mutex<std::collections::HashMap<Vec<u8>, Vec<u8>>>,
}

impl Batch {
    /// Looks at a directory and those above it, none of them followed.
    pub(super) async fn way(&self, root: &Root, session: &Session, dir: &RelPath) -> std::result::Result<Way, Fault> {
        let mut unknown = Vec::new();
        let mut here = Some(dir.clone());
        while let Some(path) = here.filter(|path| !path.is_root() && !self.is_known(path)) {
            here = path.parent();
            unknown.push(path);
        }
        unknown.reverse();
        for part in unknown.chunks(LOOKS) {
            let looks: Vec<_> = part.iter().map(|path| session.lstat(&root.full(path))).collect();
            for (look, path) in looks.into_iter().zip(part) {
                match found(look.attributes().await) {
                    Ok(Some(seen)) if kind_of(&seen) == Kind::Dir => self.know(path),
                    Ok(Some(_)) => return Ok(Way::Blocked),
                    Ok(None) => return Ok(Way::Missing),
                    Err(fault) => return Err(fault),
                }
            }
        }
        Ok(Way::Open)
    }

    /// As [`way`](Self::way) to the directory that holds an item; it must be there.
    pub(super) async fn enter(
        &self,
        root: &Root,
        session: &Session,
        action: &'static str,
        path: &RelPath,
    ) -> Result<()> {
        let dir = path.parent().unwrap_or_default();
        let error = |code, why| Err(Error::new(code, action, path).because(why));
        match self.way(root, session, &dir).await.map_err(|f| f.at(action, path))? {
            Way::Open => Ok(()),
            Way::Missing => error(Code::NotFound, "the directory that holds it does not exist"),
            Way::Blocked => error(Code::Storage, "what should hold it is no directory"),
        }
    }

    fn is_known(&self, dir: &RelPath) -> bool {
        self.dirs.lock().unwrap_or_else(PoisonError::into_inner).contains(dir)
    }

    pub(super) fn know(&self, dir: &RelPath) {
        self.dirs.lock().unwrap_or_else(PoisonError::into_inner).insert(dir.clone());
    }
}
