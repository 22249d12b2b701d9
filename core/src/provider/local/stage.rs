//! Writing files under temporary names.

use std::io::{self, ErrorKind};

use super::copy::{Filling, copy, unchanged, write_all};
use super::disk::Disk;
use super::pool::Scratch;
use super::pump::Reading;
use super::resume::{self, Session};
use super::root::{Cursor, Root, not_reserved, retry, same, stale, temp_name};
use crate::delta::Metadata;
use crate::error::{Code, Error, Result};
use crate::identity::{ContentHash, SegmentedHash};
use crate::model::{Kind, Node, RelPath, Timestamp};
use crate::provider::{Pace, Resumable, Staged, is_interruption};

const STAGE: &str = "write";

/// What is to be staged, apart from where its bytes come from.
pub(super) struct Target {
    pub(super) path: RelPath,
    pub(super) tag: String,
    pub(super) metadata: Metadata,
    pub(super) replaces: bool,
    pub(super) resume: Option<Resumable>,
}

/// A temporary file that is removed again unless it was completed.
pub(super) struct Temp<'r, D: Disk> {
    root: &'r Root<D>,
    dir: &'r D::Dir,
    name: &'r [u8],
    complete: bool,
}

impl<D: Disk> Drop for Temp<'_, D> {
    fn drop(&mut self) {
        if !self.complete {
            // What cannot be removed now is found by its name and removed by the next run.
            let _ = self.root.disk.unlink(self.dir, self.name);
        }
    }
}

fn io_at(path: &RelPath) -> impl Fn(io::Error) -> Error + '_ {
    move |e| Error::io(STAGE, path, e)
}

/// The mode the file will have: the wanted one, else that of the version it replaces.
fn mode_of<D: Disk>(root: &Root<D>, dir: &D::Dir, name: &[u8], target: &Target) -> io::Result<Option<u32>> {
    if !root.capabilities.mode {
        return Ok(None);
    }
    match target.metadata.mode {
        None if target.replaces => Ok(root.look(dir, name)?.filter(|s| s.kind == Kind::File).map(|s| s.mode)),
        mode => Ok(mode),
    }
}

/// Creates the temporary file of so many bytes, or takes up the one that an earlier attempt left; hands it to `fill` with
/// what is in it, and gives it its attributes. `fill` answers with the modified time, where only reading showed it.
pub(super) fn stage_file<D: Disk, T>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    target: &Target,
    size: u64,
    pace: &Pace,
    fill: impl FnOnce(&D::File, &D::Dir, SegmentedHash) -> Result<(T, Option<Timestamp>)>,
) -> Result<T> {
    let path = &target.path;
    not_reserved(STAGE, path)?;
    let temp = temp_name(STAGE, &target.tag)?;
    let (dir, name) = cursor.parent(STAGE, path)?;
    let mode = mode_of(root, dir, name, target).map_err(io_at(path))?;
    // Nobody else may read it before it has its own mode.
    let first = if mode.is_some() { 0o600 } else { 0o666 };
    let checkpoint = target.resume.as_ref().and_then(|resume| resume.from.as_ref());
    let taken_up = match checkpoint {
        Some(checkpoint) => resume::take_up(root, dir, &temp, checkpoint, size, pace)?,
        None => None,
    };
    let (file, begun) = match taken_up {
        Some(taken_up) => taken_up,
        None => (create_anew(root, dir, &temp, first).map_err(io_at(path))?, SegmentedHash::new(size)),
    };
    let mut guard = Temp { root, dir, name: &temp, complete: false };
    let (filled, mtime) = fill(&file, dir, begun).inspect_err(|e| {
        // What arrived is for a later run.
        guard.complete = target.resume.is_some() && is_interruption(e);
    })?;
    if let Some(mode) = mode {
        retry(|| root.disk.set_mode(&file, mode)).map_err(io_at(path))?;
    }
    if let Some(mtime) = target.metadata.mtime.or(mtime) {
        retry(|| root.disk.set_mtime(&file, mtime)).map_err(io_at(path))?;
    }
    let dev = retry(|| root.disk.stat_dir(dir)).map_err(io_at(path))?.dev;
    guard.complete = true;
    root.pending.staged(path, &temp, dev != root.dev);
    Ok(filled)
}

fn create_anew<D: Disk>(root: &Root<D>, dir: &D::Dir, temp: &[u8], mode: u32) -> io::Result<D::File> {
    match retry(|| root.disk.create(dir, temp, mode)) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            retry(|| root.disk.unlink(dir, temp))?;
            retry(|| root.disk.create(dir, temp, mode))
        }
        other => other,
    }
}

/// Stages a link. Its content is its target.
pub(super) fn stage_link<D: Disk>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    target: &Target,
    points_to: &[u8],
) -> Result<Staged> {
    let path = &target.path;
    not_reserved(STAGE, path)?;
    let temp = temp_name(STAGE, &target.tag)?;
    let (dir, _) = cursor.parent(STAGE, path)?;
    match retry(|| root.disk.symlink(points_to, dir, &temp)) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            retry(|| root.disk.unlink(dir, &temp)).map_err(io_at(path))?;
            retry(|| root.disk.symlink(points_to, dir, &temp)).map_err(io_at(path))?;
        }
        other => other.map_err(io_at(path))?,
    }
    let mut guard = Temp { root, dir, name: &temp, complete: false };
    if let Some(mtime) = target.metadata.mtime {
        retry(|| root.disk.set_mtime_at(dir, &temp, mtime)).map_err(io_at(path))?;
    }
    let dev = retry(|| root.disk.stat_dir(dir)).map_err(io_at(path))?.dev;
    guard.complete = true;
    root.pending.staged(path, &temp, dev != root.dev);
    Ok(Staged {
        target: path.clone(),
        tag: target.tag.clone(),
        content: ContentHash::of(points_to),
        size: points_to.len() as u64,
        resumed: 0,
        source: None,
    })
}

/// Stages a file or link of another root on the same kind of disk.
pub(super) fn stage_native<D: Disk>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    scratch: &mut Scratch,
    target: &Target,
    (source, from, path, expect, pace): (&Root<D>, &mut Cursor<'_, D>, &RelPath, &Node, &Pace),
) -> Result<Staged> {
    let read = "read";
    let at_source = |e| Error::io(read, path, e);
    let (dir, name) = from.parent(read, path)?;
    if expect.kind == Kind::Symlink {
        let before = source.look(dir, name).map_err(at_source)?;
        let Some(before) = before.filter(|s| same(expect, s)) else {
            return Err(stale(read, path, "it has changed"));
        };
        let points_to = retry(|| source.disk.read_link(dir, name)).map_err(at_source)?;
        if source.look(dir, name).map_err(at_source)? != Some(before) {
            return Err(stale(read, path, "it changed while it was read"));
        }
        let staged = stage_link(root, cursor, target, &points_to)?;
        return Ok(Staged { source: Some(before.node()), ..staged });
    }
    if expect.kind != Kind::File {
        return Err(Error::new(Code::Unsupported, read, path).because("it is neither a file nor a link"));
    }
    let file = match retry(|| source.disk.open_read(dir, name)) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(stale(read, path, "it is gone")),
        other => other.map_err(at_source)?,
    };
    let before = retry(|| source.disk.stat_file(&file)).map_err(at_source)?;
    if !same(expect, &before) {
        return Err(stale(read, path, "it has changed"));
    }
    let (content, resumed) = stage_file(root, cursor, target, before.size, pace, |new, dir, begun| {
        let (before_gaps, begun) = (begun.filled(), begun.without_gaps());
        let resumed = begun.filled();
        if resumed < before_gaps {
            // It was received in several streams. What they left behind a gap would stand where the source has a hole.
            retry(|| root.disk.set_len(new, resumed)).map_err(io_at(&target.path))?;
        }
        let reading = Reading { root: source, file: &file, stat: &before, path };
        let keeper = target.resume.as_ref().map(|resume| &resume.keeper);
        let session = keeper.map(|keeper| Session::new(root, dir, new, target, keeper));
        let filling = Filling { root, file: new, path: &target.path, begun, session };
        let content = copy(&reading, filling, scratch, pace)?;
        attributes(source, &file, root, new).map_err(io_at(&target.path))?;
        unchanged(source, &file, &before, path)?;
        Ok(((content, resumed), None))
    })?;
    Ok(Staged {
        target: target.path.clone(),
        tag: target.tag.clone(),
        content,
        size: before.size,
        resumed,
        source: Some(before.node()),
    })
}

/// Stages a small file whose bytes are all there.
pub(super) fn stage_bytes<D: Disk>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    target: &Target,
    bytes: &[u8],
) -> Result<Staged> {
    stage_file(root, cursor, target, bytes.len() as u64, &Pace::default(), |new, _, _| {
        write_all(root, new, bytes, 0).map_err(io_at(&target.path))?;
        let staged = Staged {
            target: target.path.clone(),
            tag: target.tag.clone(),
            content: ContentHash::of(bytes),
            size: bytes.len() as u64,
            resumed: 0,
            source: None,
        };
        Ok((staged, None))
    })
}

pub(super) fn wrong_size(path: &RelPath) -> Error {
    stale(STAGE, path, "its source gave fewer or more bytes than it declared")
}

/// Attributes are carried as far as the place can hold them.
fn attributes<D: Disk>(source: &Root<D>, file: &D::File, root: &Root<D>, new: &D::File) -> io::Result<()> {
    for (name, value) in retry(|| source.disk.attributes(file))? {
        match retry(|| root.disk.set_attribute(new, &name, &value)) {
            Err(e) if !matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => return Err(e),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Removes the temporary file of a tag, if there is one.
pub(super) fn discard<D: Disk>(root: &Root<D>, cursor: &mut Cursor<'_, D>, path: &RelPath, tag: &str) -> Result<()> {
    let action = "clean up beside";
    let temp = temp_name(action, tag)?;
    match cursor.parent(action, path) {
        Err(e) if e.code() == Code::NotFound => Ok(()),
        Err(e) => Err(e),
        Ok((dir, _)) => match retry(|| root.disk.unlink(dir, &temp)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io(action, path, e)),
            Ok(()) | Err(_) => Ok(()),
        },
    }
}
