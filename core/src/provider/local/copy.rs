//! Writing files under temporary names, and hashing.
//!
//! Content is hashed while it moves. Large files are read and written by one thread and hashed by another, so that a
//! checked copy costs the longer of the two and not their sum.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::disk::{Disk, Stat};
use super::pool::Scratch;
use super::root::{Cursor, Root, not_reserved, retry, same, stale, temp_name};
use crate::delta::Metadata;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Node, RelPath};
use crate::provider::{Hashed, Staged};

/// One read, one hash, one write.
pub(super) const SMALL: u64 = 1 << 20;
const CHUNK: usize = 1 << 20;
/// Buffers in flight between the copying and the hashing thread.
const RING: usize = 4;
/// Below this a second thread costs more than it brings.
const PIPELINED: u64 = 4 << 20;
/// Files whose holes are worth looking for.
const SPARSE: u64 = 64 << 10;

const STAGE: &str = "write";

/// What is to be staged, apart from where its bytes come from.
pub(super) struct Target {
    pub(super) path: RelPath,
    pub(super) tag: String,
    pub(super) metadata: Metadata,
    pub(super) replaces: bool,
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

/// Creates the temporary file, hands it to `fill`, and gives it its attributes.
fn stage_file<D: Disk, T>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    target: &Target,
    fill: impl FnOnce(&D::File) -> Result<T>,
) -> Result<T> {
    let path = &target.path;
    not_reserved(STAGE, path)?;
    let temp = temp_name(STAGE, &target.tag)?;
    let (dir, name) = cursor.parent(STAGE, path)?;
    let mode = mode_of(root, dir, name, target).map_err(io_at(path))?;
    // Nobody else may read it before it has its own mode.
    let first = if mode.is_some() { 0o600 } else { 0o666 };
    let file = match retry(|| root.disk.create(dir, &temp, first)) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            retry(|| root.disk.unlink(dir, &temp)).map_err(io_at(path))?;
            retry(|| root.disk.create(dir, &temp, first)).map_err(io_at(path))?
        }
        other => other.map_err(io_at(path))?,
    };
    let mut guard = Temp { root, dir, name: &temp, complete: false };
    let filled = fill(&file)?;
    if let Some(mode) = mode {
        retry(|| root.disk.set_mode(&file, mode)).map_err(io_at(path))?;
    }
    if let Some(mtime) = target.metadata.mtime {
        retry(|| root.disk.set_mtime(&file, mtime)).map_err(io_at(path))?;
    }
    let dev = retry(|| root.disk.stat_dir(dir)).map_err(io_at(path))?.dev;
    guard.complete = true;
    root.pending.staged(path, &temp, dev != root.dev);
    Ok(filled)
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
        source: None,
    })
}

/// Stages a file or link of another root on the same kind of disk.
pub(super) fn stage_native<D: Disk>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    scratch: &mut Scratch,
    target: &Target,
    (source, from, path, expect): (&Root<D>, &mut Cursor<'_, D>, &RelPath, &Node),
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
    let content = stage_file(root, cursor, target, |new| {
        let content = copy(source, &file, &before, root, new, scratch, path, &target.path)?;
        attributes(source, &file, root, new).map_err(io_at(&target.path))?;
        unchanged(source, &file, &before, path)?;
        Ok(content)
    })?;
    Ok(Staged {
        target: target.path.clone(),
        tag: target.tag.clone(),
        content,
        size: before.size,
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
    stage_file(root, cursor, target, |new| {
        write_all(root, new, bytes, 0).map_err(io_at(&target.path))?;
        Ok(Staged {
            target: target.path.clone(),
            tag: target.tag.clone(),
            content: ContentHash::of(bytes),
            size: bytes.len() as u64,
            source: None,
        })
    })
}

/// Stages a large file whose bytes arrive piece by piece; `next` gives `None` at their end.
pub(super) fn stage_pieces<D: Disk>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    target: &Target,
    size: u64,
    mut next: impl FnMut() -> Option<Result<bytes::Bytes>>,
) -> Result<Staged> {
    stage_file(root, cursor, target, |new| {
        let mut hasher = blake3::Hasher::new();
        let mut offset = 0;
        while let Some(piece) = next() {
            let piece = piece?;
            if offset + piece.len() as u64 > size {
                return Err(wrong_size(&target.path));
            }
            write_all(root, new, &piece, offset).map_err(io_at(&target.path))?;
            hasher.update(&piece);
            root.disk.start_writeback(new, offset, piece.len() as u64);
            offset += piece.len() as u64;
        }
        if offset != size {
            return Err(wrong_size(&target.path));
        }
        Ok(Staged {
            target: target.path.clone(),
            tag: target.tag.clone(),
            content: ContentHash(*hasher.finalize().as_bytes()),
            size,
            source: None,
        })
    })
}

pub(super) fn wrong_size(path: &RelPath) -> Error {
    stale(STAGE, path, "its source gave fewer or more bytes than it declared")
}

/// Hashes a file or link.
pub(super) fn hash<D: Disk>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    scratch: &mut Scratch,
    path: &RelPath,
) -> Result<Hashed> {
    let read = "read";
    let at = |e| Error::io(read, path, e);
    let (dir, name) = cursor.parent(read, path)?;
    let seen = retry(|| root.disk.stat_at(dir, name)).map_err(at)?;
    match seen.kind {
        Kind::Symlink => {
            let points_to = retry(|| root.disk.read_link(dir, name)).map_err(at)?;
            if root.look(dir, name).map_err(at)? != Some(seen) {
                return Err(stale(read, path, "it changed while it was read"));
            }
            Ok(Hashed { node: seen.node(), content: ContentHash::of(&points_to) })
        }
        Kind::File => {
            let file = retry(|| root.disk.open_read(dir, name)).map_err(at)?;
            let before = retry(|| root.disk.stat_file(&file)).map_err(at)?;
            let content = hash_content(root, &file, &before, scratch, path)?;
            unchanged(root, &file, &before, path)?;
            Ok(Hashed { node: before.node(), content })
        }
        Kind::Dir | Kind::NativeDoc | Kind::Other => {
            Err(Error::new(Code::Unsupported, read, path).because("it is neither a file nor a link"))
        }
    }
}

fn unchanged<D: Disk>(root: &Root<D>, file: &D::File, before: &Stat, path: &RelPath) -> Result<()> {
    let after = retry(|| root.disk.stat_file(file)).map_err(|e| Error::io("read", path, e))?;
    // Delayed allocation may change what is allocated without any write in between.
    if (Stat { allocated: before.allocated, ..after }) == *before {
        return Ok(());
    }
    Err(stale("read", path, "it changed while it was read"))
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

#[allow(clippy::too_many_arguments, reason = "two roots, two files, two paths")]
fn copy<D: Disk>(
    source: &Root<D>,
    file: &D::File,
    stat: &Stat,
    root: &Root<D>,
    new: &D::File,
    scratch: &mut Scratch,
    from: &RelPath,
    to: &RelPath,
) -> Result<ContentHash> {
    if stat.size <= SMALL && !(stat.size >= SPARSE && stat.allocated < stat.size) {
        let bytes = read_small(source, file, stat, scratch, from)?;
        write_all(root, new, bytes, 0).map_err(io_at(to))?;
        return Ok(ContentHash::of(bytes));
    }
    if root.disk.reflink(file, new).is_ok() {
        return hash_content(source, file, stat, scratch, from);
    }
    let sparse = stat.allocated < stat.size;
    if sparse {
        retry(|| root.disk.set_len(new, stat.size)).map_err(io_at(to))?;
    }
    pump(source, file, stat, sparse, from, |bytes, offset| {
        write_all(root, new, bytes, offset).map_err(io_at(to))?;
        root.disk.start_writeback(new, offset, bytes.len() as u64);
        Ok(())
    })
}

fn hash_content<D: Disk>(
    root: &Root<D>,
    file: &D::File,
    stat: &Stat,
    scratch: &mut Scratch,
    path: &RelPath,
) -> Result<ContentHash> {
    if stat.size <= SMALL {
        return Ok(ContentHash::of(read_small(root, file, stat, scratch, path)?));
    }
    pump(root, file, stat, stat.allocated < stat.size, path, |_, _| Ok(()))
}

/// Reads a whole small file into the thread's buffer.
fn read_small<'s, D: Disk>(
    root: &Root<D>,
    file: &D::File,
    stat: &Stat,
    scratch: &'s mut Scratch,
    path: &RelPath,
) -> Result<&'s [u8]> {
    let size = usize::try_from(stat.size).map_err(|_| Error::new(Code::Internal, "read", path))?;
    // One byte more, to see that the file ends there.
    if scratch.buf.len() < size + 1 {
        scratch.buf.resize((size + 1).next_power_of_two().max(64 << 10), 0);
    }
    let read = read_full(root, file, &mut scratch.buf[..=size], 0).map_err(|e| Error::io("read", path, e))?;
    if read != size {
        return Err(stale("read", path, "its size changed while it was read"));
    }
    Ok(&scratch.buf[..size])
}

/// Reads a file from end to end through `write`, hashing beside it. Holes are hashed and not written.
fn pump<D: Disk>(
    root: &Root<D>,
    file: &D::File,
    stat: &Stat,
    sparse: bool,
    path: &RelPath,
    mut write: impl FnMut(&[u8], u64) -> Result<()>,
) -> Result<ContentHash> {
    if stat.size < PIPELINED {
        let mut hasher = blake3::Hasher::new();
        let mut buf = vec![0; CHUNK];
        let mut place = Place { sparse, ..Place::default() };
        while let Some((start, data)) = place.next(root, file, stat.size, path)? {
            let buf = &mut buf[..place.length(stat.size, start)];
            fill(root, file, buf, start, data, path)?;
            if data {
                write(buf, start)?;
            }
            hasher.update(buf);
        }
        ends(root, file, stat.size, path)?;
        return Ok(ContentHash(*hasher.finalize().as_bytes()));
    }
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel::<Arc<Vec<u8>>>(RING);
        let (done, is_done) = sync_channel::<()>(RING);
        let hashing = scope.spawn(move || {
            let mut hasher = blake3::Hasher::new();
            for buf in receive {
                hasher.update(&buf);
                drop(buf);
                // There is room for every answer that may be waiting; nobody listens after a failed read or write.
                let _ = done.send(());
            }
            ContentHash(*hasher.finalize().as_bytes())
        });
        let lost = || Error::new(Code::Internal, "hash", path).because("the hashing thread stopped");
        let mut ring: Vec<Arc<Vec<u8>>> = (0..RING).map(|_| Arc::new(Vec::new())).collect();
        let mut place = Place { sparse, ..Place::default() };
        let mut turn = 0;
        while let Some((start, data)) = place.next(root, file, stat.size, path)? {
            if turn >= RING {
                // The hash of this buffer's last content is done.
                is_done.recv().map_err(|_| lost())?;
            }
            let shared = &mut ring[turn % RING];
            let buf = Arc::get_mut(shared).ok_or_else(lost)?;
            buf.resize(place.length(stat.size, start), 0);
            fill(root, file, buf, start, data, path)?;
            send.send(Arc::clone(shared)).map_err(|_| lost())?;
            if data {
                write(shared, start)?;
            }
            turn += 1;
        }
        drop(send);
        ends(root, file, stat.size, path)?;
        hashing.join().map_err(|_| lost())
    })
}

/// Where the pump stands in a file of data and holes.
#[derive(Default)]
struct Place {
    sparse: bool,
    offset: u64,
    /// The range of data that was found last.
    data: Option<(u64, u64)>,
    /// Where the current range of data or hole ends.
    end: u64,
}

impl Place {
    /// The next piece: its start, and whether it is data.
    fn next<D: Disk>(
        &mut self,
        root: &Root<D>,
        file: &D::File,
        size: u64,
        path: &RelPath,
    ) -> Result<Option<(u64, bool)>> {
        let start = self.offset;
        if start >= size {
            return Ok(None);
        }
        if !self.sparse {
            self.end = size;
            self.offset = size.min(start + CHUNK as u64);
            return Ok(Some((start, true)));
        }
        if self.data.is_none_or(|(_, end)| start >= end) {
            let found = match retry(|| root.disk.next_data(file, start)) {
                Ok(found) => found,
                Err(e) if e.kind() == ErrorKind::Unsupported => Some((start, size)),
                Err(e) => return Err(Error::io("read", path, e)),
            };
            self.data = Some(found.unwrap_or((size, size)));
        }
        let (from, to) = self.data.unwrap_or((size, size));
        let is_data = start >= from;
        self.end = if is_data { to } else { from }.min(size);
        self.offset = self.end.min(start + CHUNK as u64);
        Ok(Some((start, is_data)))
    }

    fn length(&self, _size: u64, start: u64) -> usize {
        usize::try_from(self.offset - start).unwrap_or(CHUNK)
    }
}

fn fill<D: Disk>(root: &Root<D>, file: &D::File, buf: &mut [u8], start: u64, data: bool, path: &RelPath) -> Result<()> {
    if !data {
        buf.fill(0);
        return Ok(());
    }
    let read = read_full(root, file, buf, start).map_err(|e| Error::io("read", path, e))?;
    if read < buf.len() {
        return Err(stale("read", path, "it became shorter while it was read"));
    }
    Ok(())
}

fn ends<D: Disk>(root: &Root<D>, file: &D::File, size: u64, path: &RelPath) -> Result<()> {
    let more = retry(|| root.disk.read_at(file, &mut [0], size)).map_err(|e| Error::io("read", path, e))?;
    if more > 0 { Err(stale("read", path, "it became longer while it was read")) } else { Ok(()) }
}

fn read_full<D: Disk>(root: &Root<D>, file: &D::File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buf.len() {
        match retry(|| root.disk.read_at(file, &mut buf[read..], offset + read as u64))? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}

fn write_all<D: Disk>(root: &Root<D>, file: &D::File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match retry(|| root.disk.write_at(file, &bytes[written..], offset + written as u64))? {
            0 => return Err(ErrorKind::WriteZero.into()),
            n => written += n,
        }
    }
    Ok(())
}

/// Opens a file, says so, and sends its content until the receiver has enough.
pub(super) fn send_content<D: Disk>(
    root: &Root<D>,
    path: &RelPath,
    offset: u64,
    length: Option<u64>,
    opened: tokio::sync::oneshot::Sender<Result<()>>,
    mut send: impl FnMut(Result<bytes::Bytes>) -> bool,
) {
    let at = |e| Error::io("read", path, e);
    let file = (|| {
        let mut cursor = Cursor::new(root);
        let (dir, name) = cursor.parent("read", path)?;
        let file = retry(|| root.disk.open_read(dir, name)).map_err(at)?;
        match retry(|| root.disk.stat_file(&file)).map_err(at)?.kind {
            Kind::File => Ok(file),
            Kind::Dir | Kind::Symlink | Kind::NativeDoc | Kind::Other => {
                Err(Error::new(Code::Unsupported, "read", path).because("it is no file"))
            }
        }
    })();
    let file = match file {
        Ok(file) => file,
        Err(e) => {
            // A caller that is gone needs no answer.
            let _ = opened.send(Err(e));
            return;
        }
    };
    if opened.send(Ok(())).is_err() {
        return;
    }
    let mut place = offset;
    let mut left = length.unwrap_or(u64::MAX);
    while left > 0 {
        let mut buf = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
        match retry(|| root.disk.read_at(&file, &mut buf, place)) {
            Ok(0) => return,
            Ok(n) => {
                buf.truncate(n);
                place += n as u64;
                left -= n as u64;
                if !send(Ok(buf.into())) {
                    return;
                }
            }
            Err(e) => {
                send(Err(at(e)));
                return;
            }
        }
    }
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
