//! Large files whose bytes come through the engine, piece by piece: in one stream, or in several beside each other.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::{mpsc, oneshot};

use super::copy::{beside_flushes, write_all};
use super::disk::Disk;
use super::pump::Marks;
use super::resume::Session;
use super::root::{Cursor, Root};
use super::stage::{Target, stage_file, wrong_size};
use crate::error::{Code, Error, Result};
use crate::model::{RelPath, Timestamp};
use crate::provider::{Feed, Opened, Pace, Staged};

/// Pieces on their way to the writing thread.
const IN_FLIGHT: usize = 4;

/// Bytes and where they stand.
struct Piece {
    offset: u64,
    bytes: Bytes,
}

/// The end at which a file is read.
pub(super) struct Sender {
    /// What is missing, once the writing thread has looked at what is there already.
    missing: oneshot::Receiver<Vec<Range<u64>>>,
    /// Told that the file is open, with its modified time.
    opened: oneshot::Sender<Option<Timestamp>>,
    pieces: mpsc::Sender<Result<Piece>>,
}

/// The end at which it is written.
pub(super) struct Receiver {
    missing: oneshot::Sender<Vec<Range<u64>>>,
    opened: oneshot::Receiver<Option<Timestamp>>,
    pieces: mpsc::Receiver<Result<Piece>>,
}

pub(super) fn channel() -> (Sender, Receiver) {
    let (tell, missing) = oneshot::channel();
    let (opened, is_open) = oneshot::channel();
    let (send, receive) = mpsc::channel(IN_FLIGHT);
    (Sender { missing, opened, pieces: send }, Receiver { missing: tell, opened: is_open, pieces: receive })
}

/// Why nothing more is sent.
enum Ended {
    /// The file cannot be read.
    Failed(Error),
    /// The writing thread does not listen any more. It says why.
    Unheard,
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Sends what is missing of a file.
pub(super) async fn send(feed: &dyn Feed, path: &RelPath, to: Sender) {
    let Sender { missing, opened, pieces } = to;
    let Ok(missing) = missing.await else { return };
    let sending = Sending { feed, path, opened: Mutex::new(Some(opened)), pieces: &pieces };
    if let Err(Ended::Failed(e)) = sending.all(missing).await {
        // Nobody listens when the writing thread has failed as well.
        let _ = pieces.send(Err(e)).await;
    }
}

struct Sending<'a> {
    feed: &'a dyn Feed,
    path: &'a RelPath,
    opened: Mutex<Option<oneshot::Sender<Option<Timestamp>>>>,
    pieces: &'a mpsc::Sender<Result<Piece>>,
}

impl Sending<'_> {
    /// Segments beside each other where that is worth it; otherwise whatever follows on each other as one.
    async fn all(&self, missing: Vec<Range<u64>>) -> std::result::Result<(), Ended> {
        let at_once = self.feed.streams();
        let mut ranges = if at_once > 1 && missing.len() > 1 { missing } else { joined(missing) };
        if ranges.is_empty() {
            // It is opened all the same, for its modified time.
            ranges.push(self.feed.size()..self.feed.size());
        }
        stream::iter(ranges).map(Ok::<_, Ended>).try_for_each_concurrent(at_once.max(1), |range| self.one(range)).await
    }

    async fn one(&self, range: Range<u64>) -> std::result::Result<(), Ended> {
        // To the end, a source that became longer is noticed.
        let is_to_end = range.end == self.feed.size() && self.feed.streams() <= 1;
        let length = (!is_to_end).then_some(range.end - range.start);
        let Opened { mut bytes, mtime } = self.feed.open(range.start, length).await?;
        if let Some(opened) = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take() {
            opened.send(mtime).map_err(|_| Ended::Unheard)?;
        }
        let mut offset = range.start;
        while let Some(bytes) = bytes.try_next().await? {
            let end = offset + bytes.len() as u64;
            if end > range.end {
                return Err(wrong_size(self.path).into());
            }
            self.pieces.send(Ok(Piece { offset, bytes })).await.map_err(|_| Ended::Unheard)?;
            offset = end;
        }
        if offset == range.end { Ok(()) } else { Err(wrong_size(self.path).into()) }
    }
}

/// With those that follow on each other as one.
fn joined(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => joined.push(range),
        }
    }
    joined
}

/// Stages a file from what arrives, on a thread that may block. What is safe is reported to its session.
pub(super) fn stage_received<D: Disk>(
    root: &Root<D>,
    cursor: &mut Cursor<'_, D>,
    target: &Target,
    size: u64,
    from: Receiver,
    pace: &Pace,
) -> Result<Staged> {
    let at = |e| Error::io("write", &target.path, e);
    let gone = || Error::new(Code::Internal, "write", &target.path).because("nobody sends it");
    stage_file(root, cursor, target, size, pace, |new, dir, mut hash| {
        let resumed = hash.filled();
        let Receiver { missing, opened, mut pieces } = from;
        missing.send(hash.missing()).map_err(|_| gone())?;
        let mut receive = |marks: Option<&Marks>| {
            let mut marked = resumed;
            while let Some(piece) = pieces.blocking_recv() {
                let Piece { offset, bytes } = piece?;
                write_all(root, new, &bytes, offset).map_err(at)?;
                hash.update(offset, &bytes).map_err(|_| wrong_size(&target.path))?;
                let filled = hash.filled();
                if let Some(marks) = marks.filter(|marks| filled - marked >= marks.every && filled < size) {
                    marks.reach(&target.path, hash.spans())?;
                    marked = filled;
                }
            }
            hash.finish().ok_or_else(|| wrong_size(&target.path))
        };
        let content = match target.resume.as_ref().map(|r| Session::new(root, dir, new, target, &r.keeper)) {
            None => receive(None)?,
            session => {
                beside_flushes(root, new, &target.path, session, root.cuts.received.step(), |m| receive(Some(m)))?
            }
        };
        let mtime = opened.blocking_recv().map_err(|_| gone())?;
        let staged =
            Staged { target: target.path.clone(), tag: target.tag.clone(), content, size, resumed, source: None };
        Ok((staged, mtime))
    })
}
