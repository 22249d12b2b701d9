//! Writing files under their temporary names.
//!
//! Many requests are under way. Their answers are taken in order, so that at each moment everything before some offset
//! has been acknowledged: only such an offset, after a flush of the file, becomes a checkpoint.
//!
//! A file that is continued is read back up to its checkpoint and hashed: what the server has is what was sent, or it
//! is sent from the beginning. That costs bytes in the other direction and trusts neither the temporary name, nor a
//! server that forgot in spite of a flush, nor one that has no flush.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use super::fault::{Fault, status};
use super::packet::{Attributes, Request, checked, kind, open as how};
use super::read::{AHEAD, File, read_link};
use super::root::{Batch, Root, kind_of, not_reserved, stale};
use super::session::{Pending, Session};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Timestamp};
use crate::provider::native_hash::Hashing;
use crate::provider::{Checkpoint, Feed, NativeHash, Opened, Source, Stage, Staged, is_interruption};

const STAGE: &str = "write";
/// Files of at least this size are continued by a later run when they were interrupted, and at most so much of them is
/// sent again.
pub(super) const PART: u64 = 8 << 20;
/// Bytes between two checkpoints. So much may be acknowledged and not flushed yet, and as much may be under way.
const STEP: u64 = PART / 2;
/// Attempts that bring a file no further.
const ATTEMPTS: u32 = 3;
/// What a server is asked for by which it may say what it holds.
const ALGORITHM: &str = "md5";
/// The largest file that it is asked for: it reads all of it before it answers.
const CHECKED: u64 = 1 << 30;
/// The longest target of a link.
const LONGEST_LINK: usize = 64 << 10;

/// A failure of an attempt.
enum Failed {
    /// Of the transfer: another attempt may help.
    Here(Error),
    /// Of the source, of the book, or of what was attempted often enough already.
    There(Error),
}

/// Stages one item.
pub(super) async fn stage(root: &Arc<Root>, batch: &Batch, item: Stage) -> Result<Staged> {
    not_reserved(STAGE, &item.target)?;
    let feed = match &item.source {
        Source::Feed(feed) => Arc::clone(feed),
        Source::Native { .. } => {
            return Err(Error::new(Code::Unsupported, STAGE, &item.target).because("the source is of another kind"));
        }
    };
    let temp = root.temp(STAGE, &item.target, &item.tag)?;
    match item.kind {
        Kind::Symlink => stage_link(root, batch, &item, &temp, &*feed).await,
        Kind::File => {
            let _turn = root.turn(feed.size()).await;
            Writing::new(root, batch, &item, temp, &*feed).run().await
        }
        Kind::Dir | Kind::NativeDoc | Kind::Other => {
            Err(Error::new(Code::Unsupported, STAGE, &item.target).because("it is neither a file nor a link"))
        }
    }
}

/// Stages a link. Its content is its target.
async fn stage_link(root: &Root, batch: &Batch, item: &Stage, temp: &[u8], feed: &dyn Feed) -> Result<Staged> {
    let path = &item.target;
    let Opened { mut bytes, .. } = feed.open(0, None).await?;
    let mut points_to = Vec::new();
    while let Some(piece) = bytes.next().await {
        points_to.extend_from_slice(&piece?);
        if points_to.len() as u64 > feed.size() || points_to.len() > LONGEST_LINK {
            return Err(wrong_size(item));
        }
    }
    if points_to.len() as u64 != feed.size() {
        return Err(wrong_size(item));
    }
    let points_to = &points_to;
    root.ask(|lease| async move {
        let at = |fault: Fault| fault.at(STAGE, path);
        batch.enter(root, &lease, STAGE, path).await?;
        // OpenSSH, and all that follow it, take the target first, against the draft (OpenSSH PROTOCOL section 4.1).
        let make = || lease.send(Request::new(kind::SYMLINK).string(points_to).string(temp));
        match make().done().await {
            Err(fault) if fault.is_status(status::FAILURE) => {
                let left = lease.remove(temp);
                let made = make();
                // There may be nothing to remove.
                let _ = left.done().await;
                made.done().await.map_err(at)?;
            }
            other => other.map_err(at)?,
        }
        if let Some(mtime) = item.metadata.mtime.filter(|_| root.features.lsetstat && root.capabilities.set_mtime) {
            let times = Attributes { mtime: Some(seconds(mtime)), ..Attributes::default() };
            let set = Request::extended("lsetstat@openssh.com").string(temp).attributes(&times);
            lease.send(set).done().await.map_err(at)?;
        }
        if read_link(&lease, temp).await.map_err(at)?.as_ref() != points_to.as_slice() {
            // It was made the other way round, or is somebody else's.
            drop(lease.remove(temp));
            return Err(Error::new(Code::Unsupported, STAGE, path).because("the server makes no such links"));
        }
        Ok(())
    })
    .await?;
    Ok(Staged {
        target: path.clone(),
        tag: item.tag.clone(),
        content: ContentHash::of(points_to),
        size: points_to.len() as u64,
        resumed: 0,
        source: None,
    })
}

fn wrong_size(item: &Stage) -> Error {
    stale(STAGE, &item.target, "its source gave fewer or more bytes than it declared")
}

/// The protocol's times end in 2106 and begin in 1970.
pub(super) fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.secs.max(0)).unwrap_or(u32::MAX)
}

/// One file on its way.
struct Writing<'a> {
    root: &'a Arc<Root>,
    batch: &'a Batch,
    item: &'a Stage,
    temp: Vec<u8>,
    feed: &'a dyn Feed,
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

/// A request of which the answer is still to come.
enum Sent {
    Write(Pending),
    /// A flush after the writes before it: then everything before the offset is safe, and has this hash.
    Flush(Pending, u64, ContentHash),
    /// The same of a server that has no flush.
    Mark(u64, ContentHash),
}

impl<'a> Writing<'a> {
    fn new(root: &'a Arc<Root>, batch: &'a Batch, item: &'a Stage, temp: Vec<u8>, feed: &'a dyn Feed) -> Self {
        let safe = item.resume.as_ref().and_then(|resume| resume.from.clone());
        Self { root, batch, item, temp, feed, safe: Mutex::new(safe), resumed: Mutex::default() }
    }

    fn safe(&self) -> Option<Checkpoint> {
        self.safe.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Attempts it until it is there, or nothing of it arrives any more.
    async fn run(&self) -> Result<Staged> {
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
        let Begun { file, offset, mut hasher } = self.begin().await.map_err(Failed::There)?;
        self.resumed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(offset);
        let Opened { mut bytes, mtime } = self.feed.open(offset, None).await.map_err(Failed::There)?;
        let mut out = Out { writing: self, file: &file, sent: VecDeque::new(), piece: BytesMut::new(), at: offset };
        let (size, mut passed, mut mark) = (self.feed.size(), offset, offset + STEP);
        // Of what an earlier attempt has sent the bytes do not pass any more.
        let is_checked = self.root.features.check_file && offset == 0 && size <= CHECKED;
        let mut own = if is_checked { Hashing::by(ALGORITHM) } else { None };
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(Failed::There)?;
            passed += piece.len() as u64;
            if passed > size {
                return Err(Failed::There(wrong_size(self.item)));
            }
            // A source may give all of it as one piece.
            for part in piece.chunks(self.root.piece) {
                hasher.update(part);
                if let Some(own) = &mut own {
                    own.update(part);
                }
                out.take(part).await?;
                let at = out.at + out.piece.len() as u64;
                if self.item.resume.is_some() && at >= mark && at < size {
                    out.mark(ContentHash(*hasher.finalize().as_bytes())).await?;
                    mark = at + STEP;
                }
            }
        }
        if passed != size {
            return Err(Failed::There(wrong_size(self.item)));
        }
        out.write().await?;
        // Keeping marks takes its time, and what a server does beside its writes could be done before them.
        if self.item.resume.is_some() || !self.root.features.is_in_order() {
            out.end().await?;
        }
        self.finish(out, self.item.metadata.mtime.or(mtime)).await?;
        if let Some(own) = own {
            self.is_what_was_sent(file.session(), own.finish()).await?;
        }
        drop(file);
        let resumed = self.resumed.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(0);
        Ok(Staged {
            target: self.item.target.clone(),
            tag: self.item.tag.clone(),
            content: ContentHash(*hasher.finalize().as_bytes()),
            size,
            resumed: resumed.min(offset),
            source: None,
        })
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
    /// last writes, where these were not waited for.
    async fn finish(&self, mut out: Out<'_>, mtime: Option<Timestamp>) -> std::result::Result<(), Failed> {
        let path = &self.item.target;
        let at = |fault: Fault| Failed::Here(fault.at(STAGE, path));
        let (session, handle) = (out.file.session(), &out.file.handle);
        let permissions = self.mode(session).await.map_err(at)?;
        let mtime = mtime.filter(|_| self.root.capabilities.write_mtime).map(seconds);
        let attributes = Attributes { size: None, permissions, mtime };
        let is_set = (permissions.is_some() || mtime.is_some())
            .then(|| session.send(Request::new(kind::FSETSTAT).string(handle).attributes(&attributes)));
        let flushed = self.root.features.fsync.then(|| session.fsync(handle));
        let seen = session.fstat(handle);
        // Some disks tell only when a file is closed that a write has failed.
        let closed = out.file.closing();
        out.end().await?;
        if let Some(is_set) = is_set {
            is_set.done().await.map_err(|f| Failed::Here(super::publish::unset(f.at(STAGE, path))))?;
        }
        if let Some(flushed) = flushed {
            flushed.done().await.map_err(at)?;
        }
        let seen = seen.attributes().await.map_err(at)?;
        closed.done().await.map_err(at)?;
        if seen.size.is_some_and(|size| size != self.feed.size()) {
            let error = Error::new(Code::Storage, STAGE, path).because("the server has another size than was sent");
            return Err(Failed::Here(error));
        }
        Ok(())
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

/// Hashes a file up to an offset; `false` where it ends before.
pub(super) async fn hash_to(
    file: &File,
    piece: usize,
    end: u64,
    hasher: &mut blake3::Hasher,
) -> std::result::Result<bool, Fault> {
    let (mut asked, mut read) = (0, 0);
    let mut ahead = VecDeque::new();
    while read < end {
        while ahead.len() < AHEAD && asked < end {
            let length = usize::try_from(end - asked).unwrap_or(usize::MAX).min(piece);
            ahead.push_back((length, file.read(asked, length)));
            asked += length as u64;
        }
        let Some((length, pending)) = ahead.pop_front() else { return Ok(false) };
        let Some(data) = pending.data().await?.filter(|data| data.len() <= length) else { return Ok(false) };
        hasher.update(&data);
        read += data.len() as u64;
        if data.len() < length {
            ahead.push_front((length - data.len(), file.read(read, length - data.len())));
        }
    }
    Ok(true)
}

/// Where the bytes of a file go out.
struct Out<'a> {
    writing: &'a Writing<'a>,
    file: &'a File,
    sent: VecDeque<Sent>,
    /// What is too little for a request of its own yet.
    piece: BytesMut,
    /// The offset of that.
    at: u64,
}

impl Out<'_> {
    async fn take(&mut self, mut bytes: &[u8]) -> std::result::Result<(), Failed> {
        let whole = self.writing.root.piece;
        while !bytes.is_empty() {
            let room = bytes.len().min(whole - self.piece.len());
            self.piece.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
            if self.piece.len() == whole {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// Sends what has come together.
    async fn write(&mut self) -> std::result::Result<(), Failed> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let bytes: Bytes = self.piece.split().freeze();
        let request = Request::new(kind::WRITE).string(&self.file.handle).u64(self.at).string(&bytes);
        self.sent.push_back(Sent::Write(self.file.session().send(request)));
        self.at += bytes.len() as u64;
        while self.sent.len() >= AHEAD {
            self.answer().await?;
        }
        Ok(())
    }

    /// Everything so far is to be kept for a later run; `content` is its hash.
    async fn mark(&mut self, content: ContentHash) -> std::result::Result<(), Failed> {
        self.write().await?;
        self.sent.push_back(match self.writing.root.features.fsync {
            true => Sent::Flush(self.file.session().fsync(&self.file.handle), self.at, content),
            false => Sent::Mark(self.at, content),
        });
        Ok(())
    }

    async fn end(&mut self) -> std::result::Result<(), Failed> {
        while !self.sent.is_empty() {
            self.answer().await?;
        }
        Ok(())
    }

    /// Waits for the oldest answer.
    async fn answer(&mut self) -> std::result::Result<(), Failed> {
        let path = &self.writing.item.target;
        match self.sent.pop_front() {
            None => Ok(()),
            Some(Sent::Write(pending)) => match pending.done().await {
                Ok(()) => Ok(()),
                Err(fault) => Err(Failed::Here(self.writing.root.unwritten(self.file.session(), fault, path).await)),
            },
            Some(Sent::Flush(pending, offset, content)) => {
                pending.done().await.map_err(|f| Failed::Here(f.at(STAGE, path)))?;
                self.keep(offset, content).await
            }
            Some(Sent::Mark(offset, content)) => self.keep(offset, content).await,
        }
    }

    async fn keep(&self, offset: u64, content: ContentHash) -> std::result::Result<(), Failed> {
        let Some(resume) = &self.writing.item.resume else { return Ok(()) };
        let checkpoint = Checkpoint { offset, state: content.0.to_vec() };
        resume.keeper.keep_async(checkpoint.clone()).await.map_err(Failed::There)?;
        *self.writing.safe.lock().unwrap_or_else(PoisonError::into_inner) = Some(checkpoint);
        Ok(())
    }
}

/// Removes the temporary file of a tag, if there is one.
pub(super) async fn discard(root: &Root, batch: &Batch, target: &crate::model::RelPath, tag: &str) -> Result<()> {
    let action = "clean up beside";
    let temp = &root.temp(action, target, tag)?;
    root.ask(|lease| async move {
        match batch.enter(root, &lease, action, target).await {
            Err(e) if e.code() == Code::NotFound => return Ok(()),
            other => other?,
        }
        match lease.remove(temp).done().await {
            Err(fault) if !fault.is_absence() => return Err(fault.at(action, target)),
            Ok(()) | Err(_) => {}
        }
        super::publish::restore(root, &lease, temp, &root.full(target)).await.map_err(|f| f.at(action, target))
    })
    .await
}
