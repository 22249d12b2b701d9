//! The one moment in which a staged file becomes the item, and the other changes of names and attributes.

use std::io::{self, ErrorKind};

use super::disk::{Disk, Rename, Stat};
use super::root::{Cursor, Root, not_in_reserved, not_reserved, retry, same_moved, split, stale, temp_name};
use super::trash;
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, RelPath};
use crate::provider::{Move, Publish};

/// Publishes one staged item. A new item never overwrites. A replaced one is swapped with its successor, looked at
/// again under the temporary name, and swapped back when it is not what was expected after all: an edit that came
/// between the check and the rename is not lost.
pub(super) fn publish<D: Disk>(root: &Root<D>, cursor: &mut Cursor<'_, D>, item: &Publish) -> Result<Node> {
    let action = "put in place";
    let path = &item.staged.target;
    not_reserved(action, path)?;
    let at = |e| Error::io(action, path, e);
    let temp = temp_name(action, &item.staged.tag)?;
    let (dir, name) = cursor.parent(action, path)?;
    let seen = root.check(action, path, (dir, name), &item.expect)?;
    let mut dirs = Vec::new();
    match seen {
        None => exclusive(root, (dir, &temp), (dir, name)).map_err(|e| taken(action, path, e))?,
        Some(old) if old.kind == Kind::Dir => {
            return Err(stale(action, path, "a directory is there"));
        }
        Some(old) => {
            let archived = match &item.archive {
                Some(label) => Some(trash::archive(root, action, path, (dir, name), &old, label)?),
                None => None,
            };
            let placed = match &archived {
                Some(archived) if archived.moved => {
                    exclusive(root, (dir, &temp), (dir, name)).map_err(|error| Unreplaced { error, stands: true })
                }
                Some(_) | None => replace(root, dir, &temp, name, &old),
            };
            if let Err(Unreplaced { error: e, stands }) = placed {
                if let Some(archived) = archived.filter(|_| stands) {
                    archived.undo(root, dir, name).map_err(at)?;
                }
                return Err(match e.kind() {
                    ErrorKind::ResourceBusy => stale(action, path, "it changed at the last moment"),
                    _ => taken(action, path, e),
                });
            }
            dirs = archived.map(|a| a.dirs).unwrap_or_default();
        }
    }
    let now = retry(|| root.disk.stat_at(dir, name)).map_err(at)?;
    root.pending.touched(path, dirs, now.dev != root.dev);
    Ok(now.node())
}

/// Why a version was not replaced.
struct Unreplaced {
    error: io::Error,
    /// It stands where it stood.
    stands: bool,
}

/// `ResourceBusy` says that the old version was not the expected one.
fn replace<D: Disk>(
    root: &Root<D>,
    dir: &D::Dir,
    temp: &[u8],
    name: &[u8],
    old: &Stat,
) -> std::result::Result<(), Unreplaced> {
    let swap = |how| retry(|| root.disk.rename(dir, temp, dir, name, how));
    let untouched = |error| Unreplaced { error, stands: true };
    match swap(Rename::Exchange) {
        Err(e) if e.kind() == ErrorKind::Unsupported => return swap(Rename::Replace).map_err(untouched),
        other => other.map_err(untouched)?,
    }
    let removed = match retry(|| root.disk.stat_at(dir, temp)) {
        Ok(swapped) if same_moved(old, &swapped) => retry(|| root.disk.unlink(dir, temp)),
        Ok(_) => Err(ErrorKind::ResourceBusy.into()),
        Err(e) => Err(e),
    };
    removed.map_err(|error| Unreplaced { error, stands: swap(Rename::Exchange).is_ok() })
}

/// Renames without overwriting, where the file system cannot by a second name, and last by looking first.
pub(super) fn exclusive<D: Disk>(
    root: &Root<D>,
    (from, name): (&D::Dir, &[u8]),
    (to, new_name): (&D::Dir, &[u8]),
) -> io::Result<()> {
    let disk = &*root.disk;
    match retry(|| disk.rename(from, name, to, new_name, Rename::NoReplace)) {
        Err(e) if e.kind() == ErrorKind::Unsupported => {}
        other => return other,
    }
    match retry(|| disk.link(from, name, to, new_name)) {
        Ok(()) => return retry(|| disk.unlink(from, name)),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(e),
        Err(_) => {}
    }
    if root.look(to, new_name)?.is_some() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    retry(|| disk.rename(from, name, to, new_name, Rename::Replace))
}

fn taken(action: &'static str, path: &RelPath, e: io::Error) -> Error {
    match e.kind() {
        ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => stale(action, path, "something is there by now"),
        _ => Error::io(action, path, e),
    }
}

pub(super) fn make_dir<D: Disk>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    path: &RelPath,
    metadata: &Metadata,
) -> Result<Node> {
    let action = "make the directory";
    not_reserved(action, path)?;
    let at = |e| Error::io(action, path, e);
    let (dir, name) = cursor.parent(action, path)?;
    retry(|| root.disk.make_dir(dir, name, metadata.mode.unwrap_or(0o777))).map_err(|e| taken(action, path, e))?;
    let made = (|| {
        let stat = retry(|| root.disk.stat_at(dir, name))?;
        match metadata.mode {
            // The process's mask has taken bits away.
            Some(mode) if root.capabilities.mode && mode & 0o7777 != stat.mode => {
                retry(|| root.disk.set_mode_at(dir, name, mode))?;
                retry(|| root.disk.stat_at(dir, name))
            }
            Some(_) | None => Ok(stat),
        }
    })();
    let stat = made.map_err(|e| {
        // It is new and empty; what fails leaves nothing behind.
        let _ = root.disk.remove_dir(dir, name);
        at(e)
    })?;
    root.pending.touched(path, Vec::new(), stat.dev != root.dev);
    Ok(stat.node())
}

pub(super) fn move_item<D: Disk>(root: &Root<D>, item: &Move) -> Result<Node> {
    let action = "move";
    not_in_reserved(action, &item.from)?;
    not_in_reserved(action, &item.to)?;
    let at = |e| Error::io(action, &item.from, e);
    let (mut sources, mut targets) = (Cursor::new(root), Cursor::new(root));
    let (from, name) = sources.parent(action, &item.from)?;
    let (to, new_name) = targets.parent(action, &item.to)?;
    let Some(old) = root.check(action, &item.from, (from, name), &item.expect)? else {
        return Err(stale(action, &item.from, "it is gone"));
    };
    match exclusive(root, (from, name), (to, new_name)) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let through = item.through.as_ref().filter(|_| folds(root, item, &old, to));
            let Some(temp) = through.map(Name::as_bytes) else { return Err(taken(action, &item.to, e)) };
            exclusive(root, (from, name), (to, temp)).map_err(at)?;
            if let Err(e) = exclusive(root, (to, temp), (to, new_name)) {
                exclusive(root, (to, temp), (from, name)).map_err(at)?;
                return Err(taken(action, &item.to, e));
            }
        }
        Err(e) if e.kind() == ErrorKind::CrossesDevices => {
            let error = Error::new(Code::Unsupported, action, &item.from);
            return Err(error.because(format_args!("{} lies on another file system", item.to)));
        }
        other => other.map_err(at)?,
    }
    let now = retry(|| root.disk.stat_at(to, new_name)).map_err(at)?;
    if now.kind != old.kind || now.ino != old.ino {
        return Err(stale(action, &item.to, "something else is there by now"));
    }
    let foreign = now.dev != root.dev;
    let (parent, _) = split(&item.from);
    root.pending.touched(&item.to, vec![parent.to_vec()], foreign);
    Ok(now.node())
}

/// Whether the taken name is the item's own in another case or normal form.
fn folds<D: Disk>(root: &Root<D>, item: &Move, old: &Stat, to: &D::Dir) -> bool {
    let (parent, _) = split(&item.from);
    let (new_parent, new_name) = split(&item.to);
    let folding = root.capabilities.case_insensitive || root.capabilities.unicode_insensitive;
    folding && parent == new_parent && matches!(root.look(to, new_name), Ok(Some(s)) if s.ino == old.ino)
}

pub(super) fn set_metadata<D: Disk>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    (path, expect, metadata): &(RelPath, Expect, Metadata),
) -> Result<Node> {
    let action = "set the attributes of";
    not_reserved(action, path)?;
    let at = |e| Error::io(action, path, e);
    let (dir, name) = cursor.parent(action, path)?;
    let Some(old) = root.check(action, path, (dir, name), expect)? else {
        return Err(stale(action, path, "it is gone"));
    };
    if let Some(mode) = metadata.mode
        && root.capabilities.mode
        && old.kind != Kind::Symlink
        && old.mode != mode & 0o7777
    {
        retry(|| root.disk.set_mode_at(dir, name, mode)).map_err(at)?;
    }
    if let Some(mtime) = metadata.mtime
        && old.kind != Kind::Dir
        && old.mtime != mtime
    {
        retry(|| root.disk.set_mtime_at(dir, name, mtime)).map_err(at)?;
    }
    let now = retry(|| root.disk.stat_at(dir, name)).map_err(at)?;
    root.pending.touched(path, Vec::new(), now.dev != root.dev);
    Ok(now.node())
}
