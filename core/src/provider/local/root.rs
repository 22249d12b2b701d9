//! The opened root, and how every path is resolved beneath it.

use std::io;
use std::sync::Arc;

use super::disk::{Disk, Stat};
use super::flush::Pending;
use super::resume::Cuts;
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Node, RelPath};
use crate::provider::{Capabilities, RESERVED_DIR, TEMP_PREFIX, Writable, is_reserved};

/// A root on a disk. Shared with providers of the same disk as their native source.
pub(super) struct Root<D: Disk> {
    pub(super) disk: Arc<D>,
    pub(super) dir: D::Dir,
    pub(super) dev: u64,
    pub(super) capabilities: Capabilities,
    pub(super) writable: Writable,
    pub(super) display: String,
    pub(super) pending: Pending,
    pub(super) cuts: Cuts,
}

/// The directory of the last item: items of one directory come together, and it is resolved once for all of them.
pub(super) struct Cursor<'r, D: Disk> {
    root: &'r Root<D>,
    last: Option<(Vec<u8>, D::Dir)>,
}

impl<'r, D: Disk> Cursor<'r, D> {
    pub(super) fn new(root: &'r Root<D>) -> Self {
        Self { root, last: None }
    }

    /// The directory that holds an item, and the item's name in it.
    pub(super) fn parent<'p>(&mut self, action: &'static str, path: &'p RelPath) -> Result<(&D::Dir, &'p [u8])> {
        let (parent, name) = split(path);
        if name.is_empty() {
            return Err(Error::new(Code::Invalid, action, path).because("this is the root itself"));
        }
        let dir = self.dir(parent).map_err(|e| Error::io(action, path, e))?;
        Ok((dir, name))
    }

    /// An opened directory, by its path.
    pub(super) fn dir(&mut self, path: &[u8]) -> io::Result<&D::Dir> {
        if path.is_empty() {
            return Ok(&self.root.dir);
        }
        let last = match self.last.take() {
            Some(last) if last.0 == path => last,
            Some(_) | None => (path.to_vec(), retry(|| self.root.disk.open_dir(&self.root.dir, path))?),
        };
        Ok(&self.last.insert(last).1)
    }
}

/// The path of the directory and the name in it; both empty for the root.
pub(super) fn split(path: &RelPath) -> (&[u8], &[u8]) {
    let bytes = path.as_bytes();
    match bytes.iter().rposition(|b| *b == b'/') {
        Some(cut) => (&bytes[..cut], &bytes[cut + 1..]),
        None => (b"", bytes),
    }
}

/// Repeats a call that a signal interrupted.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

pub(super) fn stale(action: &'static str, path: &RelPath, why: &'static str) -> Error {
    Error::new(Code::Stale, action, path).because(why)
}

/// The temporary name of a tag.
pub(super) fn temp_name(action: &'static str, tag: &str) -> Result<Vec<u8>> {
    let name = [TEMP_PREFIX, tag.as_bytes()].concat();
    match crate::model::Name::new(&name) {
        Some(_) if name.len() <= 255 => Ok(name),
        Some(_) | None => Err(Error::new(Code::Invalid, action, tag.escape_debug()).because("no usable tag")),
    }
}

/// Refuses to write where the engine keeps its own things.
pub(super) fn not_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    if path.components().any(is_reserved) {
        return Err(Error::new(Code::Invalid, action, path).because("this name is reserved"));
    }
    Ok(())
}

/// As [`not_reserved`], but names may be temporary: a swap passes through one, and what is in a directory that is
/// lifted meanwhile may be moved out of it.
pub(super) fn not_in_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    if path.components().any(|name| name == RESERVED_DIR) {
        return Err(Error::new(Code::Invalid, action, path).because("this name is reserved"));
    }
    Ok(())
}

impl<D: Disk> Root<D> {
    /// Looks at an item; `None` is a definite absence.
    pub(super) fn look(&self, dir: &D::Dir, name: &[u8]) -> io::Result<Option<Stat>> {
        match retry(|| self.disk.stat_at(dir, name)) {
            Ok(stat) => Ok(Some(stat)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Looks at an item and holds it against what is expected of it.
    pub(super) fn check(
        &self,
        action: &'static str,
        path: &RelPath,
        (dir, name): (&D::Dir, &[u8]),
        expect: &Expect,
    ) -> Result<Option<Stat>> {
        let seen = self.look(dir, name).map_err(|e| Error::io(action, path, e))?;
        match (expect, &seen) {
            (Expect::Any, _) | (Expect::Absent, None) => Ok(seen),
            (Expect::Absent, Some(_)) => Err(stale(action, path, "something is there by now")),
            (Expect::Node(_), None) => Err(stale(action, path, "it is gone")),
            (Expect::Node(node), Some(stat)) if same(node, stat) => Ok(seen),
            (Expect::Node(_), Some(_)) => Err(stale(action, path, "it has changed")),
        }
    }
}

/// Whether the item is the node in its exact version. Of a directory only kind and identity count.
pub(super) fn same(node: &Node, stat: &Stat) -> bool {
    let seen = stat.node();
    if node.kind == Kind::Dir {
        return seen.kind == Kind::Dir && seen.ident == node.ident;
    }
    seen.kind == node.kind
        && seen.ident == node.ident
        && seen.token.size == node.token.size
        && seen.token.mtime == node.token.mtime
        && seen.token.ctime == node.token.ctime
}

/// Whether the item is the same version after a rename or a link, which may change the time of change. Delayed
/// allocation may change what is allocated without any write in between.
pub(super) fn same_moved(before: &Stat, after: &Stat) -> bool {
    Stat { ctime: before.ctime, allocated: before.allocated, ..*after } == *before
}
