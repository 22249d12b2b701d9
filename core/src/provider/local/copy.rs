//! How content moves from file to file, and is hashed while it does.
//!
//! Shared content first: a file system that can share blocks copies nothing, and the hash is read from the source.
//! Otherwise large files are read and written by one thread and hashed by another, so that a checked copy costs the
//! longer of the two and not their sum. `copy_file_range` is not used: on ext4 it took as long as reading and writing
//! (2 GiB: 1.65 s and 1.69 s before the flush), and the hash would have to read everything once more.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::disk::{Disk, Stat};
use super::pool::Scratch;
use super::root::{Root, retry, stale};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::RelPath;
use crate::provider::Pace;

/// One read, one hash, one write.
pub(super) const SMALL: u64 = 1 << 20;
pub(super) const CHUNK: usize = 1 << 20;
/// Buffers in flight between the copying and the hashing thread.
const RING: usize = 4;
/// Below this a second thread costs more than it brings.
const PIPELINED: u64 = 4 << 20;
/// Bytes after which the disk is made to begin writing a large file.
const EARLY: u64 = 64 << 20;
/// Files whose holes are worth looking for.
const SPARSE: u64 = 64 << 10;

#[allow(clippy::too_many_arguments, reason = "two roots, two files, two paths, one pace")]
pub(super) fn copy<D: Disk>(
    source: &Root<D>,
    file: &D::File,
    stat: &Stat,
    root: &Root<D>,
    new: &D::File,
    scratch: &mut Scratch,
    from: &RelPath,
    to: &RelPath,
    pace: &Pace,
) -> Result<ContentHash> {
    if stat.size <= SMALL && !(stat.size >= SPARSE && stat.allocated < stat.size) {
        pace.take(stat.size)?;
        let bytes = read_small(source, file, stat, scratch, from)?;
        write_all(root, new, bytes, 0).map_err(|e| Error::io("write", to, e))?;
        return Ok(ContentHash::of(bytes));
    }
    if root.disk.reflink(file, new).is_ok() {
        return hash_content(source, file, stat, scratch, from);
    }
    let sparse = stat.allocated < stat.size;
    if sparse {
        retry(|| root.disk.set_len(new, stat.size)).map_err(|e| Error::io("write", to, e))?;
    }
    let write = |bytes: &[u8], offset| {
        pace.take(bytes.len() as u64)?;
        write_all(root, new, bytes, offset).map_err(|e| Error::io("write", to, e))
    };
    if stat.size < EARLY {
        return pump(source, file, stat, sparse, from, write);
    }
    flushed_early(root, new, to, |due| {
        let mut since = 0;
        pump(source, file, stat, sparse, from, |bytes, offset| {
            write(bytes, offset)?;
            since += bytes.len() as u64;
            if since >= EARLY {
                since = 0;
                due();
            }
            Ok(())
        })
    })
}

/// Runs `copy` with a thread beside it that flushes the file each time `due` is called, so that the disk writes while
/// the copy goes on and the last flush finds little left to do. An error of such a flush is the copy's: the kernel
/// reports it once, and the last flush would not see it again.
fn flushed_early<D: Disk>(
    root: &Root<D>,
    new: &D::File,
    to: &RelPath,
    copy: impl FnOnce(&dyn Fn()) -> Result<ContentHash>,
) -> Result<ContentHash> {
    std::thread::scope(|scope| {
        let (due, wanted) = sync_channel::<()>(1);
        let flushing = scope.spawn(move || wanted.iter().try_for_each(|()| root.disk.sync_file(new)));
        // A flush that is under way or already asked for covers what was written until now, or the next one does.
        let content = copy(&|| {
            let _ = due.try_send(());
        });
        drop(due);
        match flushing.join() {
            Ok(Ok(())) => content,
            Ok(Err(e)) => Err(Error::io("write", to, e)),
            Err(_) => Err(Error::new(Code::Internal, "write", to).because("the flushing thread stopped")),
        }
    })
}

pub(super) fn hash_content<D: Disk>(
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

pub(super) fn write_all<D: Disk>(root: &Root<D>, file: &D::File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match retry(|| root.disk.write_at(file, &bytes[written..], offset + written as u64))? {
            0 => return Err(ErrorKind::WriteZero.into()),
            n => written += n,
        }
    }
    Ok(())
}

pub(super) fn unchanged<D: Disk>(root: &Root<D>, file: &D::File, before: &Stat, path: &RelPath) -> Result<()> {
    let after = retry(|| root.disk.stat_file(file)).map_err(|e| Error::io("read", path, e))?;
    // Delayed allocation may change what is allocated without any write in between.
    if (Stat { allocated: before.allocated, ..after }) == *before {
        return Ok(());
    }
    Err(stale("read", path, "it changed while it was read"))
}
