//! One file on its way to its temporary name, through as many attempts as it takes.
//!
//! A file that is continued is read back up to its checkpoint and hashed: what the server has is what was sent, or it
//! is sent from the beginning. That costs bytes in the other direction and trusts neither the temporary name, nor a
//! server that forgot in spite of a flush, nor one that has no flush.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};

use super::fault::Fault;
use super::out::{self, Out, Room};
use super::packet::{Attributes, Request, checked, kind, open as how};
use super::read::{File, hash_to};
use super::root::{Batch, Root, kind_of};
use super::session::{Pending, Session};
use super::stage::{STAGE, seconds, wrong_size};
use super::ways::{self, Ways};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Timestamp};
use crate::provider::native_hash::Hashing;
use crate::provider::{Checkpoint, Feed, NativeHash, Opened, Stage, Staged, is_interruption};

/// Files of at least this size are continued by a later run when they were interrupted, and at most so much of them is
/// sent again.
pub(super) const PART: u64 = 8 << 20;
/// Attempts that bring a file no further.
const ATTEMPTS: u32 = 3;
/// What a server is asked for by which it may say what it holds.
const ALGORITHM: &str = "md5";
/// The largest file that it is asked for: it reads all of it before it answers.
const CHECKED: u64 = 1 << 30;

/// A failure of an attempt.
pub(super) enum Failed {
    /// Of the transfer: another attempt may help.
    Here(Error),
    /// Of the source, of the book, or of what was attempted often enough already.
    There(Error),
}

/// One file on its way.
pub(super) struct Writing<'a> {
    pub(super) root: &'a Arc<Root>,
    batch: &'a Batch,
    pub(super) item: &'a Stage,
    temp: Vec<u8>,
    pub(super) feed: &'a dyn Feed,
    /// The last checkpoint, of an earlier run or of this one.
    safe: Mutex<Option<Checkpoint>>,
    /// Where the first attempt went on, until one had to begin anew.
    resumed: Mutex<Option<u64>>,
}

/// A temporary file that is open, and what is in it already.
struct Begun {
    file: File,
    offset: u64,
    hasher: blake3::Hasher,
}

/// Answers to what ends a file on one channel.
struct Ending {
    flushed: Option<Pending>,
    seen: Pending,
    /// Some disks tell only then that a write has failed.
    closed: Pending,
}

impl<'a> Writing<'a> {
    pub(super) fn new(
        root: &'a Arc<Root>,
        batch: &'a Batch,
        item: &'a Stage,
        temp: Vec<u8>,
        feed: &'a dyn Feed,
    ) -> Self {
        let safe = item.resume.as_ref().and_then(|resume| resume.from.clone());
        Self { root, batch, item, temp, feed, safe: Mutex::new(safe), resumed: Mutex::default() }
    }

    fn safe(&self) -> Option<Checkpoint> {
        self.safe.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Attempts it until it is there, or nothing of it arrives any more.
    pub(super) async fn run(&self) -> Result<Staged> {
        let mut failures = 0;
        loop {
            let before = self.safe().map_or(0, |safe| safe.offset);
            let error = match self.attempt().await {
                Ok(staged) => return Ok(staged),
                Err(Failed::There(error)) => return self.give_up(error).await,
                Err(Failed::Here(error)) => error,
            };
            let after = self.safe().map_or(0, |safe| safe.offset);
            failures = if after > before { 1 } else { failures + 1 };
            if !error.is_retryable() || failures == ATTEMPTS {
                return self.give_up(error).await;
            }
        }
    }

    /// What arrived is kept for a later run where that is of use to it, and removed otherwise.
    async fn give_up(&self, error: Error) -> Result<Staged> {
        let is_kept = self.item.resume.is_some() && is_interruption(&error);
        if !is_kept && error.code() != Code::Offline {
            // What cannot be removed now is found by its name and removed by the next run.
            let _ = self.root.ask(|lease| async move { Ok(lease.remove(&self.temp).done().await) }).await;
        }
        Err(error)
    }

    async fn attempt(&self) -> std::result::Result<Staged, Failed> {
        let Begun { file, offset, hasher } = self.begin().await.map_err(Failed::There)?;
        self.resumed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(offset);
        let Opened { bytes, mtime } = self.feed.open(offset, None).await.map_err(Failed::There)?;
        let (size, features, is_kept) = (self.feed.size(), &self.root.features, self.item.resume.is_some());
        let ways = Ways::new(file, offset);
        // It ends with this attempt.
        let _widening = (size >= PART && features.is_one_file())
            .then(|| self.root.pool.run(ways::widen(Arc::clone(self.root), Arc::clone(&ways), self.temp.clone())));
        // Of what an earlier attempt has sent the bytes do not pass any more.
        let is_checked = features.check_file && offset == 0 && size <= CHECKED;
        let own = if is_checked { Hashing::by(ALGORITHM) } else { None };
        let room = Room::of(self.root, size, is_kept);
        let (out, answers) = out::begin(self, (&ways, &room), (offset, hasher), own);
        let mut answered = pin!(answers.take_all());
        let out = match select(pin!(self.send(bytes, out, offset)), answered.as_mut()).await {
            Either::Left((sent, _)) => sent?,
            // It was waited for what is not sent yet: only a failure ends that.
            Either::Right((ended, sending)) => {
                ended?;
                sending.await?
            }
        };
        let (content, own) = out.end();
        let further = ways.take_further();
        // Keeping marks takes its time, and what a server does beside its writes, or by other channels, could be done
        // before them.
        let is_waited_for = is_kept || !further.is_empty() || !features.is_in_order();
        if is_waited_for {
            answered.as_mut().await?;
        }
        let rest = async { if is_waited_for { Ok(()) } else { answered.await } };
        self.finish(&ways.first, &further, self.item.metadata.mtime.or(mtime), rest).await?;
        if let Some(own) = own {
            self.is_what_was_sent(ways.first.session(), own).await?;
        }
        let resumed = self.resumed.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(0);
        Ok(Staged {
            target: self.item.target.clone(),
            tag: self.item.tag.clone(),
            content,
            size,
            resumed: resumed.min(offset),
            source: None,
        })
    }

    /// Sends everything from `offset` on.
    async fn send<'o>(
        &self,
        mut bytes: futures_util::stream::BoxStream<'static, Result<bytes::Bytes>>,
        mut out: Out<'o>,
        offset: u64,
    ) -> std::result::Result<Out<'o>, Failed> {
        let (size, mut passed) = (self.feed.size(), offset);
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(Failed::There)?;
            passed += piece.len() as u64;
            if passed > size {
                return Err(Failed::There(wrong_size(self.item)));
            }
            out.put(&piece).await;
        }
        if passed != size {
            return Err(Failed::There(wrong_size(self.item)));
        }
        Ok(out)
    }

    /// Takes a checkpoint into the book: everything before the offset is safe, and has this hash.
    pub(super) async fn keep(&self, offset: u64, content: ContentHash) -> std::result::Result<(), Failed> {
        let Some(resume) = &self.item.resume else { return Ok(()) };
        let checkpoint = Checkpoint { offset, state: content.0.to_vec() };
        resume.keeper.keep_async(checkpoint.clone()).await.map_err(Failed::There)?;
        *self.safe.lock().unwrap_or_else(PoisonError::into_inner) = Some(checkpoint);
        Ok(())
    }

    /// Creates the temporary file, or takes up the one that an earlier attempt left.
    async fn begin(&self) -> Result<Begun> {
        if let Some(safe) = self.safe() {
            if let Some(begun) = self.take_up(&safe).await? {
                return Ok(begun);
            }
            *self.safe.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        // Nobody else may read it before it has its own mode.
        let first = if self.has_mode() { 0o600 } else { 0o666 };
        let (temp, path) = (&self.temp, &self.item.target);
        let open = |lease: super::pool::Lease| async move {
            self.batch.enter(self.root, &lease, STAGE, path).await?;
            let flags = how::WRITE | how::CREATE | how::EXCLUSIVE;
            match lease.open(temp, flags, Some(first)).handle().await {
                Ok(handle) => Ok(File::of(lease, handle)),
                Err(fault) if fault.is_interruption() || fault.is_absence() => Err(fault.at(STAGE, path)),
                Err(fault) => {
                    // What an earlier attempt left, or another reason, which remains.
                    if lease.look(temp).await.map_err(|f| f.at(STAGE, path))?.is_none() {
                        return Err(self.root.unwritten(&lease, fault, path).await);
                    }
                    drop(lease.remove(temp));
                    File::open(lease, temp, flags, Some(first)).await.map_err(|f| f.at(STAGE, path))
                }
            }
        };
        let file = self.root.ask(open).await?;
        Ok(Begun { file, offset: 0, hasher: blake3::Hasher::new() })
    }

    fn has_mode(&self) -> bool {
        self.root.capabilities.mode && (self.item.metadata.mode.is_some() || self.item.replaces)
    }

    /// The temporary file of an earlier attempt, if what is in it is what was sent.
    async fn take_up(&self, safe: &Checkpoint) -> Result<Option<Begun>> {
        let (temp, path) = (&self.temp, &self.item.target);
        let open = |lease: super::pool::Lease| async move {
            self.batch.enter(self.root, &lease, STAGE, path).await?;
            let at = |fault: Fault| fault.at(STAGE, path);
            let is_it = lease.look(temp).await.map_err(at)?;
            if !is_it.is_some_and(|seen| kind_of(&seen) == Kind::File && seen.size >= Some(safe.offset)) {
                return Ok(None);
            }
            match File::open(lease, temp, how::READ | how::WRITE, None).await {
                Ok(file) => Ok(Some(file)),
                Err(fault) if fault.is_interruption() => Err(at(fault)),
                Err(_) => Ok(None),
            }
        };
        let Some(file) = self.root.ask(open).await? else { return Ok(None) };
        let mut hasher = blake3::Hasher::new();
        match hash_to(&file, self.root.piece, safe.offset, &mut hasher).await {
            Ok(true) if hasher.finalize().as_bytes()[..] == safe.state[..] => {}
            Ok(_) => return Ok(None),
            Err(fault) if fault.is_interruption() => return Err(fault.at(STAGE, path)),
            Err(_) => return Ok(None),
        }
        // What lies behind is sent anew in any case; a server that cannot cut it off loses nothing.
        let cut = Attributes { size: Some(safe.offset), ..Attributes::default() };
        let cut = Request::new(kind::FSETSTAT).string(&file.handle).attributes(&cut);
        let _ = file.session().send(cut).done().await;
        Ok(Some(Begun { file, offset: safe.offset, hasher }))
    }

    /// Gives it its attributes, makes it durable and looks whether it is whole, all in one round trip; together with the
    /// last writes, where these were not waited for (`rest`).
    async fn finish(
        &self,
        first: &File,
        further: &[Arc<File>],
        mtime: Option<Timestamp>,
        rest: impl Future<Output = std::result::Result<(), Failed>>,
    ) -> std::result::Result<(), Failed> {
        let path = &self.item.target;
        let at = |fault: Fault| Failed::Here(fault.at(STAGE, path));
        let session = first.session();
        let permissions = self.mode(session).await.map_err(at)?;
        let mtime = mtime.filter(|_| self.root.capabilities.write_mtime).map(seconds);
        let attributes = Attributes { size: None, permissions, mtime };
        let mut endings: Vec<Ending> = further.iter().map(|file| self.end(file)).collect();
        let is_set = (permissions.is_some() || mtime.is_some())
            .then(|| session.send(Request::new(kind::FSETSTAT).string(&first.handle).attributes(&attributes)));
        endings.push(self.end(first));
        rest.await?;
        if let Some(is_set) = is_set {
            is_set.done().await.map_err(|f| Failed::Here(super::publish::unset(f.at(STAGE, path))))?;
        }
        for Ending { flushed, seen, closed } in endings {
            if let Some(flushed) = flushed {
                flushed.done().await.map_err(at)?;
            }
            let seen = seen.attributes().await.map_err(at)?;
            closed.done().await.map_err(at)?;
            // By each handle it must be the same file.
            if seen.size.is_some_and(|size| size != self.feed.size()) {
                let error = Error::new(Code::Storage, STAGE, path);
                return Err(Failed::Here(error.because("the server has another size than was sent")));
            }
        }
        Ok(())
    }

    /// Flushes, looks at and closes it; the answers are still to come.
    fn end(&self, file: &File) -> Ending {
        let flushed = self.root.features.fsync.then(|| file.session().fsync(&file.handle));
        Ending { flushed, seen: file.session().fstat(&file.handle), closed: file.closing() }
    }

    /// Asks the server what it holds, where it says hashes. That it says nothing proves nothing.
    async fn is_what_was_sent(&self, session: &Session, own: NativeHash) -> std::result::Result<(), Failed> {
        let said = match session.check_file(&self.temp, ALGORITHM).extended().await {
            Ok(said) => said,
            Err(fault) if fault.is_interruption() => return Err(Failed::Here(fault.at(STAGE, &self.item.target))),
            Err(_) => return Ok(()),
        };
        let said = checked(said).and_then(|(algorithm, hash)| {
            let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            NativeHash::parse(std::str::from_utf8(&algorithm).ok()?, &digits)
        });
        let is_same_kind = |said: &NativeHash| std::mem::discriminant(said) == std::mem::discriminant(&own);
        if said.filter(is_same_kind).is_some_and(|said| said != own) {
            let error = Error::new(Code::Storage, STAGE, &self.item.target);
            return Err(Failed::There(error.because("the server holds something else than was sent")));
        }
        Ok(())
    }

    /// The mode the file will have: the wanted one, else that of the version it replaces.
    async fn mode(&self, session: &Session) -> std::result::Result<Option<u32>, Fault> {
        if !self.has_mode() {
            return Ok(None);
        }
        if let Some(mode) = self.item.metadata.mode {
            return Ok(Some(mode & 0o7777));
        }
        let old = session.look(&self.root.full(&self.item.target)).await?;
        let old = old.filter(|old| kind_of(old) == Kind::File);
        Ok(Some(old.and_then(|old| old.permissions).map_or(0o644, |mode| mode & 0o7777)))
    }
}
