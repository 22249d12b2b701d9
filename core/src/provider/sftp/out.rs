//! The bytes of one file as they go out, and the answers as they come back.
//!
//! Many requests are under way. A file goes out in stretches: each is written by one channel from its beginning to its
//! end and flushed there, while another channel writes the next one. Answers are taken in the order of the file, so that
//! at each moment everything before some offset has been acknowledged, and at the end of a stretch flushed: only such an
//! offset becomes a checkpoint. What is not in the book yet is never more than [`PART`].

use std::sync::Arc;

use futures_util::future::try_join;
use tokio::sync::{Semaphore, mpsc};

use super::packet::Write;
use super::read::{AHEAD, File};
use super::root::Root;
use super::session::Pending;
use super::stage::STAGE;
use super::ways::Ways;
use super::writing::{Failed, PART, Writing};
use crate::identity::ContentHash;
use crate::provider::NativeHash;
use crate::provider::native_hash::Hashing;

/// Bytes between two checkpoints: few, as all of [`PART`] is to be under way and what is under way is behind them.
const STRETCH: u64 = PART / 4;

/// How many requests to write may be under way.
pub(super) struct Room {
    unanswered: Semaphore,
    /// Of a file that can be continued, those that no checkpoint covers yet.
    unkept: Option<Semaphore>,
}

impl Room {
    pub(super) fn of(root: &Root, size: u64, is_kept: bool) -> Self {
        let requests = |bytes: u64| usize::try_from(bytes / root.write_piece as u64).unwrap_or(usize::MAX).max(1);
        let bytes = if size < PART { (AHEAD * root.piece) as u64 } else { PART };
        Self {
            unanswered: Semaphore::new(requests(bytes).min(AHEAD)),
            unkept: is_kept.then(|| Semaphore::new(requests(PART))),
        }
    }

    /// Waits for the turn of one more.
    async fn take(&self) {
        for semaphore in [Some(&self.unanswered), self.unkept.as_ref()].into_iter().flatten() {
            // They are never closed.
            if let Ok(permit) = semaphore.acquire().await {
                permit.forget();
            }
        }
    }
}

/// A request of which the answer is still to come.
enum Sent {
    /// One to write, by which channel, and where its bytes end.
    Write(Pending, Arc<File>, u64),
    /// A flush at the end of a stretch, where the server has one.
    Flush(Option<Pending>, Mark),
}

/// The end of a stretch.
struct Mark {
    offset: u64,
    /// The hash of everything before.
    content: ContentHash,
    /// Its requests to write.
    writes: usize,
}

/// The end at which bytes go out.
pub(super) struct Out<'a> {
    root: &'a Root,
    ways: &'a Ways,
    room: &'a Room,
    sent: mpsc::UnboundedSender<Sent>,
    size: u64,
    hasher: blake3::Hasher,
    /// What the server may be asked for.
    own: Option<Hashing>,
    /// By which channel the stretch is written that has begun, its requests so far, and what is left of it in bytes.
    by: Option<Arc<File>>,
    writes: usize,
    left: u64,
    next: Option<Next>,
    /// The offset of its bytes.
    at: u64,
}

/// The request that is being put together, and the channel that it is for.
struct Next {
    write: Write,
    by: Arc<File>,
}

/// The end at which answers come back.
pub(super) struct Answers<'a> {
    writing: &'a Writing<'a>,
    ways: &'a Ways,
    room: &'a Room,
    sent: mpsc::UnboundedReceiver<Sent>,
}

/// Both ends, for a file of which everything before `at` is there and hashed.
pub(super) fn begin<'a>(
    writing: &'a Writing<'a>,
    (ways, room): (&'a Ways, &'a Room),
    (at, hasher): (u64, blake3::Hasher),
    own: Option<Hashing>,
) -> (Out<'a>, Answers<'a>) {
    let (sent, answered) = mpsc::unbounded_channel();
    let (root, size) = (&**writing.root, writing.feed.size());
    let out = Out { root, ways, room, sent, size, hasher, own, by: None, writes: 0, left: 0, next: None, at };
    (out, Answers { writing, ways, room, sent: answered })
}

impl Out<'_> {
    /// Sends these bytes, of which the file must have room, as soon as they make a request.
    pub(super) async fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Next { mut write, by } = match self.next.take() {
                Some(next) => next,
                None => {
                    self.room.take().await;
                    self.begin()
                }
            };
            bytes = write.fill(bytes);
            if write.is_full() {
                self.send(write, by);
            } else {
                self.next = Some(Next { write, by });
            }
        }
    }

    /// The next request, of this stretch or of a new one.
    fn begin(&mut self) -> Next {
        let piece = self.root.write_piece as u64;
        let by = self.by.take().unwrap_or_else(|| {
            self.left = (STRETCH / piece).max(1) * piece;
            self.writes = 0;
            self.ways.least()
        });
        let size = piece.min(self.size - self.at);
        let write = Write::new(&by.handle, self.at, usize::try_from(size).unwrap_or(usize::MAX));
        Next { write, by }
    }

    fn send(&mut self, write: Write, by: Arc<File>) {
        let bytes = write.bytes();
        self.hasher.update(bytes);
        if let Some(own) = &mut self.own {
            own.update(bytes);
        }
        self.at += bytes.len() as u64;
        self.left -= bytes.len() as u64;
        self.writes += 1;
        self.tell(Sent::Write(by.session().send(write.into_request()), Arc::clone(&by), self.at));
        if self.left > 0 {
            self.by = Some(by);
        } else if self.at < self.size && self.room.unkept.is_some() {
            let flushed = self.root.features.fsync.then(|| by.session().fsync(&by.handle));
            self.tell(Sent::Flush(flushed, Mark { offset: self.at, content: self.content(), writes: self.writes }));
        }
    }

    fn tell(&self, sent: Sent) {
        // Who takes the answers has failed, or will: then this is dropped.
        let _ = self.sent.send(sent);
    }

    fn content(&self) -> ContentHash {
        ContentHash(*self.hasher.finalize().as_bytes())
    }

    /// The hash of everything, and what the server may be asked for. Answers end with those to what was sent by now.
    pub(super) fn end(self) -> (ContentHash, Option<NativeHash>) {
        (self.content(), self.own.map(Hashing::finish))
    }
}

impl Answers<'_> {
    /// Waits for all of them, and keeps what they make safe.
    pub(super) async fn take_all(self) -> std::result::Result<(), Failed> {
        let Self { writing, ways, room, mut sent } = self;
        let (root, path) = (writing.root, &writing.item.target);
        let (safe, mut is_safe) = mpsc::unbounded_channel();
        let answered = async move {
            while let Some(sent) = sent.recv().await {
                match sent {
                    Sent::Write(answer, by, end) => {
                        if let Err(fault) = answer.done().await {
                            return Err(Failed::Here(root.unwritten(by.session(), fault, path).await));
                        }
                        ways.acknowledge(end);
                        room.unanswered.add_permits(1);
                    }
                    Sent::Flush(flushed, mark) => {
                        if let Some(flushed) = flushed {
                            flushed.done().await.map_err(|f| Failed::Here(f.at(STAGE, path)))?;
                        }
                        // Nobody hears it any more after a failure.
                        let _ = safe.send(mark);
                    }
                }
            }
            Ok::<_, Failed>(())
        };
        let kept = async {
            while let Some(Mark { mut offset, mut content, mut writes }) = is_safe.recv().await {
                // While the book wrote the one before, there may have come several.
                while let Ok(later) = is_safe.try_recv() {
                    (offset, content, writes) = (later.offset, later.content, writes + later.writes);
                }
                writing.keep(offset, content).await?;
                if let Some(unkept) = &room.unkept {
                    unkept.add_permits(writes);
                }
            }
            Ok::<_, Failed>(())
        };
        try_join(answered, kept).await.map(|((), ())| ())
    }
}
