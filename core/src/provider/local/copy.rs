//! How content moves from file to file, and is hashed while it does.
//!
//! Shared content first: a file system that can share blocks copies nothing, and the hash is read from the source.
//! Otherwise large files are read and written by one thread and hashed by another, so that a checked copy costs the
//! longer of the two and not their sum. `copy_file_range` is not used: on ext4 it took as long as reading and writing
//! (2 GiB: 1.65 s and 1.69 s before the flush), and the hash would have to read everything once more.

use std::io::{self, ErrorKind};
use std::sync::mpsc::{channel, sync_channel};

use super::direct::Writer;
use super::disk::{Disk, Stat};
use super::pool::Scratch;
use super::pump::{Marks, Piece, Reading, pump, read_full};
use super::resume::Session;
use super::root::{Root, retry, stale};
use crate::error::{Code, Error, Result};
use crate::identity::{ContentHash, SegmentedHash, Span};
use crate::model::RelPath;
use crate::provider::Pace;

/// One read, one hash, one write.
pub(super) const SMALL: u64 = 1 << 20;
/// Files whose holes are worth looking for.
const SPARSE: u64 = 64 << 10;

/// The file that a copy fills.
pub(super) struct Filling<'a, D: Disk> {
    pub(super) root: &'a Root<D>,
    pub(super) file: &'a D::File,
    /// The path that the file will have.
    pub(super) path: &'a RelPath,
    /// What is in it already, and is the beginning of the source.
    pub(super) begun: SegmentedHash,
    /// Where it says how far it is.
    pub(super) session: Option<Session<'a, D>>,
}

pub(super) fn copy<D: Disk>(
    from: &Reading<'_, D>,
    to: Filling<'_, D>,
    scratch: &mut Scratch,
    pace: &Pace,
) -> Result<ContentHash> {
    let (stat, root, new) = (from.stat, to.root, to.file);
    let at = |e| Error::io("write", to.path, e);
    if stat.size <= SMALL && to.session.is_none() && !(stat.size >= SPARSE && stat.allocated < stat.size) {
        pace.take(stat.size)?;
        let bytes = read_small(from, scratch)?;
        write_all(root, new, bytes, 0).map_err(at)?;
        return Ok(ContentHash::of(bytes));
    }
    if to.begun.filled() == 0 && root.disk.reflink(from.file, new).is_ok() {
        return hash_content(from, scratch, Some(pace));
    }
    if from.is_sparse() {
        retry(|| root.disk.set_len(new, stat.size)).map_err(at)?;
    }
    let step = root.cuts.native.step();
    let is_large = stat.size >= 2 * step;
    let mut writer = if is_large { Writer::past(root, new) } else { Writer::through(root, new) };
    let write = |piece: Piece<'_>| match piece {
        Piece::Data { bytes, offset } => {
            pace.take(bytes.len() as u64)?;
            writer.write(bytes, offset).map_err(at)
        }
        Piece::Hole => pace.check(),
    };
    if !is_large {
        return pump(from, to.begun, None, write);
    }
    beside_flushes(root, new, to.path, to.session, step, |marks| pump(from, to.begun, Some(marks), write))
}

/// Runs `copy` with a thread beside it that flushes the file at each mark, so that the disk writes while the copy goes on
/// and the last flush finds little left to do; what is flushed is reported to the session. The copy is never more than
/// two marks ahead of what is reported: that is all that has to be carried again after a crash, and all that waits for
/// the disk in memory. An error of such a flush is the copy's: the kernel reports it once, and the last flush would not
/// see it again.
pub(super) fn beside_flushes<D: Disk>(
    root: &Root<D>,
    new: &D::File,
    to: &RelPath,
    session: Option<Session<'_, D>>,
    every: u64,
    copy: impl FnOnce(&Marks) -> Result<ContentHash>,
) -> Result<ContentHash> {
    std::thread::scope(|scope| {
        // A mark is handed over when the one before it is dealt with.
        let (written, reached) = sync_channel::<()>(0);
        let (hashed, hashes) = channel::<Vec<Span>>();
        let marks = Marks { every, hashed, written };
        let flushing = scope.spawn(move || {
            let mut session = session;
            for () in reached {
                retry(|| root.disk.sync_file(new)).map_err(|e| Error::io("write", to, e))?;
                // Without hashes the copy has failed, and says why.
                let Ok(spans) = hashes.recv() else { return Ok(()) };
                if let Some(session) = &mut session {
                    session.keep(spans)?;
                }
            }
            Ok(())
        });
        let content = copy(&marks);
        drop(marks);
        match flushing.join() {
            Ok(Ok(())) => content,
            Ok(Err(e)) => Err(e),
            Err(_) => Err(Error::new(Code::Internal, "write", to).because("the flushing thread stopped")),
        }
    })
}

/// The hash of a file's content. With a pace it ends when the run does.
pub(super) fn hash_content<D: Disk>(
    from: &Reading<'_, D>,
    scratch: &mut Scratch,
    pace: Option<&Pace>,
) -> Result<ContentHash> {
    if from.stat.size <= SMALL {
        return Ok(ContentHash::of(read_small(from, scratch)?));
    }
    pump(from, SegmentedHash::new(from.stat.size), None, |_| pace.map_or(Ok(()), Pace::check))
}

/// Reads a whole small file into the thread's buffer.
fn read_small<'s, D: Disk>(from: &Reading<'_, D>, scratch: &'s mut Scratch) -> Result<&'s [u8]> {
    let Reading { root, file, stat, path } = *from;
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
