//! What a volume has taken out of sight: `.portbook/kept/…`, beside the trash, and never emptied for its age.

use std::io::{self, ErrorKind};

use super::disk::Disk;
use super::publish::exclusive;
use super::root::{Cursor, Root, retry, same_moved, split, stale};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Node, RelPath};
use crate::provider::Move;
use crate::provider::kept::{KEEP as ACTION, REMOVE, check, check_removed, is_kept, no_file};

/// Moves a file there or back. Never overwrites.
pub(super) fn move_item<D: Disk>(root: &Root<D>, item: &Move) -> Result<Node> {
    let at = |e| Error::io(ACTION, &item.from, e);
    check(item)?;
    if is_kept(&item.to) {
        make_way(root, &item.to).map_err(at)?;
    }
    let (mut sources, mut targets) = (Cursor::new(root), Cursor::new(root));
    let (from, name) = sources.parent(ACTION, &item.from)?;
    let (to, new_name) = targets.parent(ACTION, &item.to)?;
    let Some(old) = root.check(ACTION, &item.from, (from, name), &item.expect)? else {
        return Err(stale(ACTION, &item.from, "it is gone"));
    };
    if old.kind != Kind::File {
        return Err(no_file(&item.from));
    }
    exclusive(root, (from, name), (to, new_name)).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => stale(ACTION, &item.to, "something is there by now"),
        ErrorKind::CrossesDevices => Error::new(Code::Unsupported, ACTION, &item.from)
            .because(format_args!("{} lies on another file system", item.to)),
        _ => at(e),
    })?;
    let now = retry(|| root.disk.stat_at(to, new_name)).map_err(at)?;
    if !same_moved(&old, &now) {
        // It was edited after the check: it goes back, unless yet another item has its name by now.
        exclusive(root, (to, new_name), (from, name)).map_err(at)?;
        return Err(stale(ACTION, &item.from, "it changed at the last moment"));
    }
    let mut dirs = ways(&item.to);
    dirs.push(split(&item.from).0.to_vec());
    root.pending.touched(&item.to, dirs, now.dev != root.dev);
    Ok(now.node())
}

/// Removes a file that is kept.
pub(super) fn remove<D: Disk>(root: &Root<D>, cursor: &mut Cursor<'_, D>, path: &RelPath) -> Result<()> {
    check_removed(path)?;
    let removed = match cursor.parent(REMOVE, path) {
        Err(e) if e.code() == Code::NotFound => return Ok(()),
        Err(e) => return Err(e),
        Ok((dir, name)) => retry(|| root.disk.unlink(dir, name)),
    };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io(REMOVE, path, e)),
        Ok(()) | Err(_) => {
            root.pending.touched(path, Vec::new(), false);
            Ok(())
        }
    }
}

/// Makes the directories that lead there; nobody else may look into the first of them.
fn make_way<D: Disk>(root: &Root<D>, path: &RelPath) -> io::Result<()> {
    let parent = split(path).0;
    if retry(|| root.disk.open_dir(&root.dir, parent)).is_ok() {
        return Ok(());
    }
    let mut here: Option<D::Dir> = None;
    for part in parent.split(|b| *b == b'/') {
        let above = here.as_ref().unwrap_or(&root.dir);
        match retry(|| root.disk.make_dir(above, part, 0o700)) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
            Ok(()) | Err(_) => {}
        }
        here = Some(retry(|| root.disk.open_dir(above, part))?);
    }
    Ok(())
}

/// The directories on the way there, the root first: they may be new.
fn ways(path: &RelPath) -> Vec<Vec<u8>> {
    let mut ways: Vec<Vec<u8>> =
        std::iter::successors(path.parent(), RelPath::parent).map(|p| p.as_bytes().to_vec()).collect();
    ways.reverse();
    ways
}
