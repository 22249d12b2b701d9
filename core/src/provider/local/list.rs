//! Looking: listings, single items.

use std::io::{self, ErrorKind};

use super::disk::{Disk, Stat};
use super::root::{Cursor, Root, retry, split};
use crate::error::{Error, Result};
use crate::model::{Entry, Kind, Name, Node, RelPath};
use crate::provider::{Listing, RESERVED_DIR, is_reserved};

/// Lists one directory. Nothing but the directory's definite absence is `Absent`.
pub(super) fn list<D: Disk>(root: &Root<D>, path: &RelPath) -> Listing {
    let action = "list the directory";
    let disk = &*root.disk;
    // A handle of its own: two listings of one directory would share its position. The root is opened anew too.
    let name = if path.is_root() { b"." } else { path.as_bytes() };
    let dir = match retry(|| disk.open_dir(&root.dir, name)) {
        Ok(dir) => dir,
        Err(e) if e.kind() == ErrorKind::NotFound && !path.is_root() => return Listing::Absent,
        Err(e) if e.kind() == ErrorKind::NotADirectory && is_nowhere(root, path) => return Listing::Absent,
        Err(e) => return Listing::Unknown(Error::io(action, path, e)),
    };
    let (entries, failed, read) = loop {
        let (entries, failed, read) = read_through(disk, &dir, path);
        match read {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            read => break (entries, failed, read),
        }
    };
    match (read, failed) {
        (Ok(()), None) => Listing::Complete(entries),
        (Ok(()), Some(e)) => Listing::Partial(entries, e),
        // A directory that is removed while it is read ends its listing with ENOENT.
        (Err(e), _) if e.kind() == ErrorKind::NotFound => Listing::Unknown(Error::io(action, path, e)),
        (Err(e), _) => Listing::Partial(entries, Error::io(action, path, e)),
    }
}

/// What the directory shows, the first error of looking at one of its items, and whether it was read to its end.
fn read_through<D: Disk>(disk: &D, dir: &D::Dir, path: &RelPath) -> (Vec<Entry>, Option<Error>, io::Result<()>) {
    let mut entries = Vec::new();
    let mut failed: Option<Error> = None;
    let mut interrupted = Vec::new();
    let mut take = |name: Option<Name>, stat: io::Result<Stat>| match (name, stat) {
        (Some(name), Ok(stat)) => entries.push(Entry { name, node: stat.node() }),
        // Gone between the listing and the look at it: not there.
        (_, Err(e)) if e.kind() == ErrorKind::NotFound => {}
        (Some(name), Err(e)) => {
            failed.get_or_insert_with(|| Error::io("look at", path.join(&name), e));
        }
        (None, _) => {
            let error =
                Error::new(crate::Code::Storage, "list the directory", path).because("it shows an impossible name");
            failed.get_or_insert(error);
        }
    };
    let read = disk.read_dir(dir, is_reserved, |name, stat| match (Name::new(name), stat) {
        (Some(name), Err(e)) if e.kind() == ErrorKind::Interrupted => interrupted.push(name),
        (name, stat) => take(name, stat),
    });
    for name in interrupted {
        let stat = retry(|| disk.stat_at(dir, name.as_bytes()));
        take(Some(name), stat);
    }
    (entries, failed, read)
}

/// Looks for temporary names in the whole tree, the trash left out.
pub(super) fn find_hidden<D: Disk>(root: &Root<D>, names: &[Name]) -> Result<Vec<(RelPath, Node)>> {
    let action = "list the directory";
    let mut found = Vec::new();
    let mut dirs = vec![RelPath::root()];
    while let Some(path) = dirs.pop() {
        let name = if path.is_root() { b"." } else { path.as_bytes() };
        let each = |name: &[u8], stat: io::Result<Stat>| {
            let (Some(name), Ok(stat)) = (Name::new(name), stat) else { return };
            let at = path.join(&name);
            if stat.kind == Kind::Dir {
                dirs.push(at.clone());
            }
            if names.contains(&name) {
                found.push((at, stat.node()));
            }
        };
        let read = retry(|| root.disk.open_dir(&root.dir, name))
            .and_then(|dir| root.disk.read_dir(&dir, |name| name == RESERVED_DIR, each));
        if path.is_root() {
            read.map_err(|e| Error::io(action, &path, e))?;
        }
    }
    Ok(found)
}

/// Whether something else is where the directory should be, or a file above it. What lies beyond a link is somebody else's:
/// it is not said to be absent.
fn is_nowhere<D: Disk>(root: &Root<D>, path: &RelPath) -> bool {
    kind_of(root, path).is_some_and(|kind| kind != Kind::Dir)
        || above(path).any(|dir| kind_of(root, &dir) == Some(Kind::File))
}

/// Whether what should be a directory above it is something else.
fn lies_in_no_directory<D: Disk>(root: &Root<D>, path: &RelPath) -> bool {
    above(path).any(|dir| kind_of(root, &dir).is_some_and(|kind| kind != Kind::Dir))
}

/// The directories above it but the root.
fn above(path: &RelPath) -> impl Iterator<Item = RelPath> {
    std::iter::successors(path.parent(), RelPath::parent).take_while(|dir| !dir.is_root())
}

/// What is there, where every component but the last is a directory.
fn kind_of<D: Disk>(root: &Root<D>, path: &RelPath) -> Option<Kind> {
    let (parent, name) = split(path);
    let mut cursor = Cursor::new(root);
    let dir = cursor.dir(parent).ok()?;
    root.look(dir, name).ok()?.map(|stat| stat.kind)
}

pub(super) fn stat<D: Disk>(root: &Root<D>, cursor: &mut Cursor<'_, D>, path: &RelPath) -> Result<Option<Node>> {
    let action = "look at";
    let (parent, name) = split(path);
    let found = if name.is_empty() {
        retry(|| root.disk.stat_dir(&root.dir)).map(Some)
    } else {
        match cursor.dir(parent) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            // Nothing lies beneath a file, or beyond a link.
            Err(_) if lies_in_no_directory(root, path) => Ok(None),
            Err(e) => Err(e),
            Ok(dir) => root.look(dir, name),
        }
    };
    Ok(found.map_err(|e| Error::io(action, path, e))?.map(|s| s.node()))
}
