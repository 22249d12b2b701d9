//! Reading a file from end to end, or from where an earlier attempt had come to, with its hash beside it.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, sync_channel};

use super::direct::Aligned;
use super::disk::{Disk, Stat};
use super::root::{Root, retry, stale};
use crate::error::{Code, Error, Result};
use crate::identity::{ContentHash, SegmentedHash, Span};
use crate::model::RelPath;

pub(super) const CHUNK: usize = 1 << 20;
/// Buffers in flight between the copying and the hashing thread.
const RING: usize = 4;
/// Below this a second thread costs more than it brings.
const PIPELINED: u64 = 4 << 20;

/// A file that is read.
pub(super) struct Reading<'a, D: Disk> {
    pub(super) root: &'a Root<D>,
    pub(super) file: &'a D::File,
    /// As it was before it was read.
    pub(super) stat: &'a Stat,
    pub(super) path: &'a RelPath,
}

impl<D: Disk> Reading<'_, D> {
    pub(super) fn is_sparse(&self) -> bool {
        self.stat.allocated < self.stat.size
    }
}

/// How a copy says how far it is. What is hashed and what is written of a mark come in the same order.
pub(super) struct Marks {
    /// Bytes between two marks.
    pub(super) every: u64,
    /// What there is at the mark.
    pub(super) hashed: Sender<Vec<Span>>,
    /// Told when all of that is written.
    pub(super) written: SyncSender<()>,
}

impl Marks {
    /// All of this is written.
    pub(super) fn reach(&self, path: &RelPath, spans: Vec<Span>) -> Result<()> {
        // Nobody listens after a failed flush, which the next line finds out.
        let _ = self.hashed.send(spans);
        self.reached(path)
    }

    fn reached(&self, path: &RelPath) -> Result<()> {
        let stopped = |_| Error::new(Code::Internal, "write", path).because("the flushing thread stopped");
        self.written.send(()).map_err(stopped)
    }
}

/// A piece of a file that is read.
pub(super) enum Piece<'a> {
    Data {
        bytes: &'a [u8],
        offset: u64,
    },
    /// Nothing to be written.
    Hole,
}

impl<'a> Piece<'a> {
    fn new(bytes: &'a [u8], offset: u64, is_data: bool) -> Self {
        if is_data { Self::Data { bytes, offset } } else { Self::Hole }
    }
}

/// Reads a file, hashing it and handing every piece to `take` beside it. What `take` refuses ends it.
pub(super) fn pump<D: Disk>(
    from: &Reading<'_, D>,
    mut begun: SegmentedHash,
    marks: Option<&Marks>,
    mut take: impl FnMut(Piece<'_>) -> Result<()>,
) -> Result<ContentHash> {
    let offset = begun.filled();
    let piece = marks.map_or(CHUNK as u64, |marks| marks.every.min(CHUNK as u64));
    let mut place = Place { sparse: from.is_sparse(), piece, offset, ..Place::default() };
    let mut marked = offset;
    let mut is_mark = |end: u64| {
        let due = marks.is_some_and(|marks| end - marked >= marks.every);
        if due {
            marked = end;
        }
        due
    };
    let hashed = marks.map(|marks| marks.hashed.clone());
    let tell = move |hash: &SegmentedHash| {
        // Nobody listens after a failed flush.
        let _ = hashed.as_ref().map(|hashed| hashed.send(hash.spans()));
    };
    let other_size = || stale("read", from.path, "its size changed while it was read");
    if from.stat.size - offset.min(from.stat.size) < PIPELINED {
        let mut buf = vec![0; CHUNK];
        while let Some((start, data)) = place.next(from)? {
            let buf = &mut buf[..place.length(start)];
            fill(from, buf, start, data)?;
            take(Piece::new(buf, start, data))?;
            begun.append(buf).map_err(|_| other_size())?;
            if let Some(marks) = marks.filter(|_| is_mark(place.offset)) {
                marks.reach(from.path, begun.spans())?;
            }
        }
        ends(from)?;
        return begun.finish().ok_or_else(other_size);
    }
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel::<(Arc<Aligned>, bool)>(RING);
        let (done, is_done) = sync_channel::<()>(RING);
        let hashing = scope.spawn(move || {
            for (buf, mark) in receive {
                let appended = begun.append(&buf);
                drop(buf);
                // There is room for every answer that may be waiting; nobody listens after a failed read or write.
                let _ = done.send(());
                appended.ok()?;
                if mark {
                    tell(&begun);
                }
            }
            begun.finish()
        });
        let lost = || Error::new(Code::Internal, "hash", from.path).because("the hashing thread stopped");
        let mut ring: Vec<Arc<Aligned>> = (0..RING).map(|_| Arc::default()).collect();
        let mut turn = 0;
        while let Some((start, data)) = place.next(from)? {
            if turn >= RING {
                // The hash of this buffer's last content is done.
                is_done.recv().map_err(|_| lost())?;
            }
            let shared = &mut ring[turn % RING];
            let buf = Arc::get_mut(shared).ok_or_else(lost)?;
            fill(from, buf.fit(place.length(start)), start, data)?;
            let mark = is_mark(place.offset);
            send.send((Arc::clone(shared), mark)).map_err(|_| lost())?;
            take(Piece::new(shared, start, data))?;
            if let Some(marks) = marks.filter(|_| mark) {
                marks.reached(from.path)?;
            }
            turn += 1;
        }
        drop(send);
        ends(from)?;
        hashing.join().map_err(|_| lost())?.ok_or_else(other_size)
    })
}

/// Where the pump stands in a file of data and holes.
#[derive(Default)]
struct Place {
    sparse: bool,
    /// The longest piece.
    piece: u64,
    offset: u64,
    /// The range of data that was found last.
    data: Option<(u64, u64)>,
    /// Where the current range of data or hole ends.
    end: u64,
}

impl Place {
    /// The next piece: its start, and whether it is data.
    fn next<D: Disk>(&mut self, from: &Reading<'_, D>) -> Result<Option<(u64, bool)>> {
        let Reading { root, file, stat: &Stat { size, .. }, path } = *from;
        let start = self.offset;
        if start >= size {
            return Ok(None);
        }
        if !self.sparse {
            self.end = size;
            self.offset = size.min(start + self.piece);
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
        self.offset = self.end.min(start + self.piece);
        Ok(Some((start, is_data)))
    }

    fn length(&self, start: u64) -> usize {
        usize::try_from(self.offset - start).unwrap_or(CHUNK)
    }
}

fn fill<D: Disk>(from: &Reading<'_, D>, buf: &mut [u8], start: u64, data: bool) -> Result<()> {
    let Reading { root, file, path, .. } = *from;
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

fn ends<D: Disk>(from: &Reading<'_, D>) -> Result<()> {
    let Reading { root, file, stat: &Stat { size, .. }, path } = *from;
    let more = retry(|| root.disk.read_at(file, &mut [0], size)).map_err(|e| Error::io("read", path, e))?;
    if more > 0 { Err(stale("read", path, "it became longer while it was read")) } else { Ok(()) }
}

pub(super) fn read_full<D: Disk>(root: &Root<D>, file: &D::File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buf.len() {
        match retry(|| root.disk.read_at(file, &mut buf[read..], offset + read as u64))? {
            0 => break,
            n => read += n,
        }
    }
    Ok(read)
}
