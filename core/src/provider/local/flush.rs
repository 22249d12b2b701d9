//! Durability: what was done since the last flush, and one way or the other to get it onto the disk.
//!
//! After [`flush`] returns without an error, the content and attributes of the items it was asked for and every
//! directory entry that leads to them (or to their temporary names, or to where they went) survive a power loss. The
//! engine flushes the data of one batch and the renames of the batch before it together.
//!
//! The kernel reports a failed write-back once. So a failure of the whole file system fails everything that was not
//! flushed then, and an item that failed stays failed until it is written again: nothing is ever flushed twice. (A call that a
//! signal interrupted has reported nothing and is repeated.)

use std::collections::{BTreeSet, HashMap};
use std::io::{self, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::disk::Disk;
use super::root::{Cursor, Root, retry, split};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, RelPath};

/// More items than this are flushed with their whole file system in one call.
const FEW: usize = 32;

/// What was done to an item since it was last durable.
#[derive(Clone, Default)]
struct Touched {
    /// It waits under this name beside its path.
    temp: Option<Vec<u8>>,
    /// Other directories that changed with it: where it came from, where it went.
    dirs: Vec<Vec<u8>>,
    /// It lies on another file system than the root.
    foreign: bool,
    failed: bool,
}

/// The items that are not known to be durable.
#[derive(Default)]
pub(super) struct Pending {
    items: Mutex<HashMap<RelPath, Touched>>,
    /// One flush at a time: an error is reported to one of two only.
    flushing: Mutex<()>,
}

impl Pending {
    fn items(&self) -> MutexGuard<'_, HashMap<RelPath, Touched>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An item was written under a temporary name.
    pub(super) fn staged(&self, path: &RelPath, temp: &[u8], foreign: bool) {
        let touched = Touched { temp: Some(temp.to_vec()), foreign, ..Touched::default() };
        self.items().insert(path.clone(), touched);
    }

    /// Something was done to an item, and these directories changed beside its own.
    pub(super) fn touched(&self, path: &RelPath, dirs: Vec<Vec<u8>>, foreign: bool) {
        let mut items = self.items();
        let touched = items.entry(path.clone()).or_default();
        (touched.temp, touched.failed) = (None, false);
        touched.foreign |= foreign;
        touched.dirs.extend(dirs);
    }
}

/// Makes these items durable.
pub(super) fn flush<D: Disk>(root: &Root<D>, paths: &[RelPath]) -> Result<()> {
    let _one = root.pending.flushing.lock().unwrap_or_else(PoisonError::into_inner);
    let mut work: Vec<(&RelPath, Touched)> = Vec::with_capacity(paths.len());
    {
        let items = root.pending.items();
        for path in paths {
            work.push((path, items.get(path).cloned().unwrap_or_default()));
        }
    }
    if let Some((path, _)) = work.iter().find(|(_, t)| t.failed) {
        let error = Error::new(Code::Storage, "make durable", path);
        return Err(error.because("an earlier attempt failed and it was not written again"));
    }
    let outcome = if work.len() > FEW { all(root, &work) } else { each(root, work.iter()) };
    let mut items = root.pending.items();
    match &outcome {
        Ok(()) => {
            for (path, _) in &work {
                items.remove(*path);
            }
        }
        Err(_) if work.len() > FEW => items.values_mut().for_each(|t| t.failed = true),
        Err(_) => {
            for (path, _) in &work {
                items.entry((*path).clone()).or_default().failed = true;
            }
        }
    }
    outcome
}

fn all<D: Disk>(root: &Root<D>, work: &[(&RelPath, Touched)]) -> Result<()> {
    match retry(|| root.disk.sync_all(&root.dir)) {
        // Mounts beneath the root are file systems of their own.
        Ok(()) => each(root, work.iter().filter(|(_, t)| t.foreign)),
        Err(e) if e.kind() == ErrorKind::Unsupported => each(root, work.iter()),
        Err(e) => Err(Error::io("make durable", &root.display, e)),
    }
}

/// Files first, then the directories that name them.
fn each<'a, D: Disk>(root: &Root<D>, work: impl Iterator<Item = &'a (&'a RelPath, Touched)>) -> Result<()> {
    let action = "make durable";
    let mut cursor = Cursor::new(root);
    let mut dirs = BTreeSet::new();
    for (path, touched) in work {
        let (parent, name) = split(path);
        let name = touched.temp.as_deref().unwrap_or(name);
        item(root, &mut cursor, parent, name).map_err(|e| Error::io(action, path, e))?;
        dirs.insert(parent.to_vec());
        dirs.extend(touched.dirs.iter().cloned());
    }
    for dir in dirs {
        match cursor.dir(&dir) {
            // Removed since: its own directory is on the list.
            Err(e) if gone(&e) => {}
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                retry(|| root.disk.sync_all(&root.dir)).map_err(|e| Error::io(action, dir.escape_ascii(), e))?;
            }
            Err(e) => return Err(Error::io(action, dir.escape_ascii(), e)),
            Ok(handle) => retry(|| root.disk.sync_dir(handle)).map_err(|e| Error::io(action, dir.escape_ascii(), e))?,
        }
    }
    Ok(())
}

fn item<D: Disk>(root: &Root<D>, cursor: &mut Cursor<'_, D>, parent: &[u8], name: &[u8]) -> io::Result<()> {
    if name.is_empty() {
        return retry(|| root.disk.sync_dir(&root.dir));
    }
    let dir = match cursor.dir(parent) {
        Err(e) if gone(&e) => return Ok(()),
        dir => dir?,
    };
    match root.look(dir, name)?.map(|s| s.kind) {
        Some(Kind::File) => match retry(|| root.disk.open_read(dir, name)) {
            // Its owner may not read it; the whole file system then.
            Err(e) if e.kind() == ErrorKind::PermissionDenied => retry(|| root.disk.sync_all(dir)),
            file => {
                let file = file?;
                retry(|| root.disk.sync_file(&file))
            }
        },
        Some(Kind::Dir) => match retry(|| root.disk.open_dir(dir, name)) {
            // It was just closed to its owner.
            Err(e) if e.kind() == ErrorKind::PermissionDenied => retry(|| root.disk.sync_all(dir)),
            own => {
                let own = own?;
                retry(|| root.disk.sync_dir(&own))
            }
        },
        // A link lives in its directory's journal entry; what is gone has only its directory left.
        Some(Kind::Symlink | Kind::Other | Kind::NativeDoc) | None => Ok(()),
    }
}

fn gone(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
