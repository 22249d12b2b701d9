//! Large files whose bytes come through the engine, piece by piece.

use tokio::sync::{mpsc, oneshot};

use super::copy::{beside_flushes, write_all};
use super::disk::Disk;
use super::pump::Marks;
use super::resume::Session;
use super::root::{Cursor, Root};
use super::stage::{Target, stage_file, wrong_size};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::Timestamp;
use crate::provider::{Pace, Staged};

/// Pieces on their way to the writing thread.
const IN_FLIGHT: usize = 4;

/// The end at which a file is read.
pub(super) struct Sender {
    /// Where to begin, once the writing thread has looked at what is there already.
    pub(super) begin: oneshot::Receiver<u64>,
    /// Told that the file is open, with its modified time, or why not.
    pub(super) opened: oneshot::Sender<Result<Option<Timestamp>>>,
    pub(super) pieces: mpsc::Sender<Result<bytes::Bytes>>,
}

/// The end at which it is written.
pub(super) struct Receiver {
    begin: oneshot::Sender<u64>,
    opened: oneshot::Receiver<Result<Option<Timestamp>>>,
    pieces: mpsc::Receiver<Result<bytes::Bytes>>,
}

pub(super) fn channel() -> (Sender, Receiver) {
    let (begin, begins) = oneshot::channel();
    let (opened, is_open) = oneshot::channel();
    let (send, receive) = mpsc::channel(IN_FLIGHT);
    (Sender { begin: begins, opened, pieces: send }, Receiver { begin, opened: is_open, pieces: receive })
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
    stage_file(root, cursor, target, pace, |new, dir, begun| {
        let resumed = begun.offset;
        let Receiver { begin, opened, mut pieces } = from;
        begin.send(resumed).map_err(|_| gone())?;
        let mtime = opened.blocking_recv().map_err(|_| gone())??;
        let receive = |marks: Option<&Marks>| {
            let (mut hasher, mut offset, mut marked) = (begun.hasher, resumed, resumed);
            while let Some(piece) = pieces.blocking_recv() {
                let piece = piece?;
                if offset + piece.len() as u64 > size {
                    return Err(wrong_size(&target.path));
                }
                write_all(root, new, &piece, offset).map_err(at)?;
                hasher.update(&piece);
                offset += piece.len() as u64;
                if let Some(marks) = marks.filter(|marks| offset - marked >= marks.every && offset < size) {
                    marks.reach(&target.path, offset, ContentHash(*hasher.finalize().as_bytes()))?;
                    marked = offset;
                }
            }
            if offset != size {
                return Err(wrong_size(&target.path));
            }
            Ok(ContentHash(*hasher.finalize().as_bytes()))
        };
        let content = match target.resume.as_ref().map(|r| Session::new(root, dir, new, target, &r.keeper)) {
            None => receive(None)?,
            session => {
                beside_flushes(root, new, &target.path, session, root.cuts.received.step(), |m| receive(Some(m)))?
            }
        };
        let staged =
            Staged { target: target.path.clone(), tag: target.tag.clone(), content, size, resumed, source: None };
        Ok((staged, mtime))
    })
}
