//! The trash of a root: `.portbook/trash/LABEL/PATH`.
//!
//! Items are moved there, never copied: what lies on a mount beneath the root cannot be, and is refused as
//! `unsupported` rather than removed without a trace. Only empty directories are removed in place. The time of a label
//! is the modified time of its directory.

use std::io::{self, ErrorKind};

use super::disk::{Disk, Stat};
use super::publish::exclusive;
use super::root::{Cursor, Root, not_reserved, retry, same_moved, split, stale};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, RelPath, Timestamp};
use crate::provider::{RESERVED_DIR, TEMP_PREFIX, Trash};

const DIR: &[u8] = b"trash";
/// How many items of one path a label can hold.
const MOST: u32 = 10_000;

pub(super) fn trash<D: Disk>(root: &Root<D>, cursor: &mut Cursor<'_, D>, item: &Trash) -> Result<()> {
    let action = "move to the trash";
    let path = &item.path;
    not_reserved(action, path)?;
    let at = |e| Error::io(action, path, e);
    let (dir, name) = cursor.parent(action, path)?;
    let Some(old) = root.check(action, path, (dir, name), &item.expect)? else { return Ok(()) };
    if old.kind == Kind::Dir {
        let dirs = remove_empty(root, action, path, (dir, name), &item.label)?;
        root.pending.touched(path, dirs, old.dev != root.dev);
        return Ok(());
    }
    let (bin, dirs) = open_bin(root, action, path, &item.label)?;
    let kept = into_bin(bin.1, |new_name| exclusive(root, (dir, name), (&bin.0, new_name)))
        .map_err(|e| refused(action, path, e))?;
    let moved = retry(|| root.disk.stat_at(&bin.0, &kept)).map_err(at)?;
    if !same_moved(&old, &moved) {
        // It was edited after the check: it goes back, unless yet another item has its name by now.
        exclusive(root, (&bin.0, &kept), (dir, name)).map_err(at)?;
        return Err(stale(action, path, "it changed at the last moment"));
    }
    root.pending.touched(path, dirs, old.dev != root.dev);
    Ok(())
}

/// A version that is kept in the trash while another takes its place.
pub(super) struct Archived<D: Disk> {
    bin: D::Dir,
    kept: Vec<u8>,
    /// It could not be given a second name, so that its own is missing until the other is there.
    pub(super) moved: bool,
    /// The directories that changed.
    pub(super) dirs: Vec<Vec<u8>>,
}

impl<D: Disk> Archived<D> {
    /// Takes it back, where the other could not take its place. What cannot be taken back stays in the trash.
    pub(super) fn undo(&self, root: &Root<D>, dir: &D::Dir, name: &[u8]) -> io::Result<()> {
        if self.moved {
            return exclusive(root, (&self.bin, &self.kept), (dir, name));
        }
        retry(|| root.disk.unlink(&self.bin, &self.kept))
    }
}

/// Keeps a version that is about to be replaced: under a second name, so that its own is never missing. It is durable
/// before this returns; the rename over it must not be the first to reach the disk.
pub(super) fn archive<D: Disk>(
    root: &Root<D>,
    action: &'static str,
    path: &RelPath,
    (dir, name): (&D::Dir, &[u8]),
    old: &Stat,
    label: &str,
) -> Result<Archived<D>> {
    let at = |e| Error::io(action, path, e);
    let ((bin, _), dirs) = open_bin(root, action, path, label)?;
    let sync = |dir: &Vec<u8>| {
        let mut cursor = Cursor::new(root);
        let dir = cursor.dir(dir).map_err(at)?;
        retry(|| root.disk.sync_dir(dir)).map_err(at)
    };
    let linked = into_bin(name, |new_name| retry(|| root.disk.link(dir, name, &bin, new_name)));
    let (kept, moved) = match linked {
        Err(e) if e.kind() == ErrorKind::Unsupported => {
            // It is to leave its name: what leads to its new one reaches the disk first.
            dirs.iter().try_for_each(sync)?;
            (into_bin(name, |new_name| exclusive(root, (dir, name), (&bin, new_name))), true)
        }
        other => (other, false),
    };
    let kept = kept.map_err(|e| refused(action, path, e))?;
    let archived = Archived { bin, kept, moved, dirs };
    let durable = (|| {
        let now = retry(|| root.disk.stat_at(&archived.bin, &archived.kept)).map_err(at)?;
        if !same_moved(old, &now) {
            return Err(stale(action, path, "it changed at the last moment"));
        }
        retry(|| root.disk.sync_dir(&archived.bin)).map_err(at)?;
        archived.dirs.iter().rev().try_for_each(sync)
    })();
    match durable {
        Ok(()) => Ok(archived),
        Err(e) => {
            archived.undo(root, dir, name).map_err(at)?;
            Err(e)
        }
    }
}

fn refused(action: &'static str, path: &RelPath, e: io::Error) -> Error {
    match e.kind() {
        ErrorKind::CrossesDevices => Error::new(Code::Unsupported, action, path)
            .because("it lies on another file system than the trash of its root"),
        _ => Error::io(action, path, e),
    }
}

/// Puts an item into its directory of the trash under the first name that is free.
fn into_bin(name: &[u8], put: impl Fn(&[u8]) -> io::Result<()>) -> io::Result<Vec<u8>> {
    for number in 0..MOST {
        let suffix = if number == 0 { String::new() } else { format!(".{number}") };
        let cut = name.len().min(255 - suffix.len());
        let candidate = [&name[..cut], suffix.as_bytes()].concat();
        match put(&candidate) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            other => return other.map(|()| candidate),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

type Bin<'p, D> = (<D as Disk>::Dir, &'p [u8]);

/// Opens the directory in the trash that an item of this path goes to, making what is missing; and the paths of the
/// directories on the way, which a flush must cover.
fn open_bin<'p, D: Disk>(
    root: &Root<D>,
    action: &'static str,
    path: &'p RelPath,
    label: &str,
) -> Result<(Bin<'p, D>, Vec<Vec<u8>>)> {
    let at = |e| Error::io(action, path, e);
    if Name::new(label.as_bytes()).is_none() {
        return Err(Error::new(Code::Invalid, action, path).because("the label of the trash is no name"));
    }
    let (parent, name) = split(path);
    let parts = [RESERVED_DIR, DIR, label.as_bytes()];
    let parts: Vec<&[u8]> = parts.into_iter().chain(parent.split(|b| *b == b'/').filter(|p| !p.is_empty())).collect();
    if let Ok(dir) = retry(|| root.disk.open_dir(&root.dir, &parts.join(&b'/'))) {
        return Ok(((dir, name), ways(&parts)));
    }
    let mut here: Option<D::Dir> = None;
    let mut names: Vec<Vec<u8>> = Vec::new();
    for part in parts {
        let above = here.as_ref().unwrap_or(&root.dir);
        let (name, dir) = enter_bin(root, above, part).map_err(at)?;
        names.push(name);
        here = Some(dir);
    }
    let dir = here.ok_or_else(|| Error::new(Code::Internal, action, path))?;
    Ok(((dir, name), ways(&names)))
}

/// The paths of the directories on the way down these names, the root first.
fn ways(names: &[impl AsRef<[u8]>]) -> Vec<Vec<u8>> {
    let mut ways = vec![Vec::new()];
    let mut full: Vec<u8> = Vec::new();
    for name in names {
        if !full.is_empty() {
            full.push(b'/');
        }
        full.extend_from_slice(name.as_ref());
        ways.push(full.clone());
    }
    ways
}

/// Opens or makes a directory of the trash. A file or link of the same run may have its name, when a directory took the
/// place of a file: then it gets the first name that is free or a directory's.
fn enter_bin<D: Disk>(root: &Root<D>, above: &D::Dir, part: &[u8]) -> io::Result<(Vec<u8>, D::Dir)> {
    let found = into_bin(part, |candidate| match retry(|| root.disk.make_dir(above, candidate, 0o700)) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let there = retry(|| root.disk.stat_at(above, candidate))?;
            if there.kind == Kind::Dir { Ok(()) } else { Err(e) }
        }
        other => other,
    })?;
    let dir = retry(|| root.disk.open_dir(above, &found))?;
    Ok((found, dir))
}

/// An empty directory is not worth keeping. What earlier runs left in it under temporary names is: a crash may have
/// stopped a swap half-way. Answers the directories of the trash that changed.
fn remove_empty<D: Disk>(
    root: &Root<D>,
    action: &'static str,
    path: &RelPath,
    (dir, name): (&D::Dir, &[u8]),
    label: &str,
) -> Result<Vec<Vec<u8>>> {
    let at = |e| Error::io(action, path, e);
    let own = retry(|| root.disk.open_dir(dir, name)).map_err(at)?;
    let mut leftovers = Vec::new();
    let mut held = false;
    root.disk
        .read_dir(
            &own,
            |_| false,
            |name, _| match name.starts_with(TEMP_PREFIX) {
                true => leftovers.extend(Name::new(name)),
                false => held = true,
            },
        )
        .map_err(at)?;
    if held {
        return Err(stale(action, path, "it is not empty"));
    }
    let mut changed = Vec::new();
    for leftover in leftovers {
        let whole = path.join(&leftover);
        let ((bin, new_name), dirs) = open_bin(root, action, &whole, label)?;
        into_bin(new_name, |kept| exclusive(root, (&own, leftover.as_bytes()), (&bin, kept)))
            .map_err(|e| refused(action, path, e))?;
        changed = dirs;
    }
    retry(|| root.disk.remove_dir(dir, name)).map_err(|e| match e.kind() {
        ErrorKind::DirectoryNotEmpty => stale(action, path, "it is not empty"),
        _ => at(e),
    })?;
    Ok(changed)
}

/// Removes the labels that have not been added to since `older_than`.
pub(super) fn empty<D: Disk>(root: &Root<D>, older_than: Timestamp) -> Result<u64> {
    let action = "empty the trash of";
    let at = |e| Error::io(action, &root.display, e);
    let path = [RESERVED_DIR, b"/", DIR].concat();
    let bin = match retry(|| root.disk.open_dir(&root.dir, &path)) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(0),
        other => other.map_err(at)?,
    };
    let mut labels = Vec::new();
    let mut first: Option<Error> = None;
    root.disk
        .read_dir(
            &bin,
            |_| false,
            |name, stat| match stat {
                Ok(stat) if stat.mtime < older_than => labels.push(name.to_vec()),
                Ok(_) => {}
                Err(e) => first = first.take().or_else(|| Some(at(e))),
            },
        )
        .map_err(at)?;
    let mut removed = 0;
    for label in labels {
        if let Err(e) = remove_tree(root, &bin, &label, &mut removed) {
            first.get_or_insert_with(|| at(e));
        }
    }
    first.map_or(Ok(removed), Err)
}

/// Removes an item with all that it holds, going on after a failure.
fn remove_tree<D: Disk>(root: &Root<D>, dir: &D::Dir, name: &[u8], removed: &mut u64) -> io::Result<()> {
    let Some(stat) = root.look(dir, name)? else { return Ok(()) };
    if stat.kind != Kind::Dir {
        retry(|| root.disk.unlink(dir, name))?;
        *removed += 1;
        return Ok(());
    }
    let own = retry(|| root.disk.open_dir(dir, name))?;
    let mut names = Vec::new();
    root.disk.read_dir(&own, |_| false, |name, _| names.push(name.to_vec()))?;
    let mut outcome = Ok(());
    for name in names {
        outcome = outcome.and(remove_tree(root, &own, &name, removed));
    }
    outcome?;
    retry(|| root.disk.remove_dir(dir, name))
}
