//! One SFTP channel: many requests under way, each answer given to whom it belongs.
//!
//! Requests are sent in the order in which they are made, and a server handles those on one file in that order
//! (draft-ietf-secsh-filexfer-02, section 3 and "the results ... will be the same"), so that what depends only on the
//! success of an earlier request need not wait for its answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::connection::{self, Connection, Guard};
use super::fault::{Fault, status};
use super::packet::{self, Attributes, Listed, Reply, Request, kind};
use crate::error::{Code, Error, Result};

/// How long a server may say nothing at all while something is asked of it.
const SILENCE: Duration = Duration::from_secs(60);
/// The longest packet that is believed. OpenSSH sends 256 KiB at most.
const LONGEST: usize = 4 << 20;
/// Small requests that are waiting are sent together, as one packet of SSH.
const TOGETHER: usize = 32 << 10;

/// What a server can do beyond version 3, by what it announces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) posix_rename: bool,
    pub(super) hardlink: bool,
    pub(super) fsync: bool,
    pub(super) statvfs: bool,
    pub(super) lsetstat: bool,
    pub(super) limits: bool,
    /// It says hashes of what it holds (draft-ietf-secsh-filexfer-extensions-00, section 3), whatever its version.
    pub(super) check_file: bool,
}

impl Features {
    fn of(extensions: &[(Bytes, Bytes)]) -> Self {
        let has = |name: &str, version: &str| {
            extensions.iter().any(|(n, v)| n.as_ref() == name.as_bytes() && v.as_ref() == version.as_bytes())
        };
        Self {
            posix_rename: has("posix-rename@openssh.com", "1"),
            hardlink: has("hardlink@openssh.com", "1"),
            fsync: has("fsync@openssh.com", "1"),
            statvfs: has("statvfs@openssh.com", "2"),
            lsetstat: has("lsetstat@openssh.com", "1"),
            limits: has("limits@openssh.com", "1"),
            check_file: extensions.iter().any(|(name, _)| matches!(name.as_ref(), b"check-file" | b"check-file-name")),
        }
    }

    /// Whether everything is done in the order in which it was asked for, as the draft wants it. OpenSSH does; servers on
    /// Go's `pkg/sftp` do reads and writes beside everything but the close of a file. What tells them apart is announced
    /// by OpenSSH (8.5 and later) alone.
    pub(super) fn is_in_order(&self) -> bool {
        self.limits && self.lsetstat
    }

    /// Whether a file that is open several times is one file all the same: OpenSSH's server hands each write on to the disk.
    /// Those over stores of objects may make an upload of each time that it was opened.
    pub(super) fn is_one_file(&self) -> bool {
        self.is_in_order()
    }
}

/// A channel. It ends when it is dropped, and the connection with its last channel.
pub(super) struct Session {
    outgoing: mpsc::UnboundedSender<Bytes>,
    shared: Arc<Shared>,
    next: AtomicU32,
    pub(super) features: Features,
    connection: Arc<russh::client::Handle<Guard>>,
}

struct Shared {
    state: Mutex<State>,
}

struct State {
    /// By identifier; `None` after the end of the channel.
    waiting: Option<HashMap<u32, oneshot::Sender<Reply>>>,
    heard: Instant,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everybody who waits learns that no answer will come.
    fn end(&self) {
        self.state().waiting = None;
    }
}

/// An answer that is under way.
pub(super) struct Pending {
    answer: Option<oneshot::Receiver<Reply>>,
    shared: Arc<Shared>,
}

impl Session {
    /// Begins SFTP on a channel.
    pub(super) async fn begin(connection: Connection, server: &str) -> Result<Self> {
        let action = "speak SFTP with";
        let at = |why: &str| Error::new(Code::Offline, action, server).because(why);
        let Connection { channel, handle } = connection;
        let (mut reader, writer) = channel.split();
        writer.data_bytes(packet::init()).await.map_err(|e| at(&e.to_string()))?;
        let mut buffer = BytesMut::new();
        let first = timeout(SILENCE, next_packet(&mut reader, &mut buffer)).await;
        let Ok(Some(first)) = first else { return Err(at("it ended the session")) };
        let Some((version, extensions)) = packet::version(first) else {
            let why = "it does not speak SFTP: does its shell print a greeting?";
            return Err(Error::new(Code::Unsupported, action, server).because(why));
        };
        if version != packet::VERSION {
            let why = format!("it speaks version {version}");
            return Err(Error::new(Code::Unsupported, action, server).because(why));
        }
        let waiting = Some(HashMap::new());
        let shared = Arc::new(Shared { state: Mutex::new(State { waiting, heard: Instant::now() }) });
        let (outgoing, requests) = mpsc::unbounded_channel();
        let writing = tokio::spawn(write_all(writer, requests));
        tokio::spawn(read_all(reader, buffer, Arc::clone(&shared), outgoing.downgrade(), writing.abort_handle()));
        let features = Features::of(&extensions);
        Ok(Self { outgoing, shared, next: AtomicU32::new(1), features, connection: handle })
    }

    /// A further channel of the same connection.
    pub(super) async fn beside(&self, server: &str) -> Result<Self> {
        Self::begin(connection::beside(Arc::clone(&self.connection), server).await?, server).await
    }

    /// How many answers are still to come; of a channel that has ended more than of any other.
    pub(super) fn unanswered(&self) -> usize {
        self.shared.state().waiting.as_ref().map_or(usize::MAX, HashMap::len)
    }

    /// Whether it can be asked nothing any more.
    pub(super) fn is_lost(&self) -> bool {
        self.shared.state().waiting.is_none() || self.outgoing.is_closed()
    }

    /// Sends a request now; its answer comes later.
    pub(super) fn send(&self, request: Request) -> Pending {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answered, answer) = oneshot::channel();
        let mut state = self.shared.state();
        let Some(waiting) = &mut state.waiting else { return self.pending(None) };
        if waiting.is_empty() {
            state.heard = Instant::now();
        }
        if let Some(waiting) = &mut state.waiting {
            waiting.insert(id, answered);
        }
        // Sent under the lock: the order of identifiers is that of the requests. A channel that has ended drops those
        // who wait.
        let sent = self.outgoing.send(request.seal(id));
        drop(state);
        self.pending(sent.is_ok().then_some(answer))
    }

    fn pending(&self, answer: Option<oneshot::Receiver<Reply>>) -> Pending {
        Pending { answer, shared: Arc::clone(&self.shared) }
    }

    pub(super) fn lstat(&self, path: &[u8]) -> Pending {
        self.send(Request::new(kind::LSTAT).string(path))
    }

    /// Looks at an item; `None` is a definite absence.
    pub(super) async fn look(&self, path: &[u8]) -> std::result::Result<Option<Attributes>, Fault> {
        found(self.lstat(path).attributes().await)
    }

    pub(super) fn open(&self, path: &[u8], how: u32, permissions: Option<u32>) -> Pending {
        let attributes = Attributes { permissions, ..Attributes::default() };
        self.send(Request::new(kind::OPEN).string(path).u32(how).attributes(&attributes))
    }

    pub(super) fn close(&self, handle: &[u8]) -> Pending {
        self.send(Request::new(kind::CLOSE).string(handle))
    }

    pub(super) fn remove(&self, path: &[u8]) -> Pending {
        self.send(Request::new(kind::REMOVE).string(path))
    }

    /// Fails where the new name is taken, on OpenSSH; other servers replace what has it.
    pub(super) fn rename(&self, from: &[u8], to: &[u8]) -> Pending {
        self.send(Request::new(kind::RENAME).string(from).string(to))
    }

    pub(super) fn posix_rename(&self, from: &[u8], to: &[u8]) -> Pending {
        self.send(Request::extended("posix-rename@openssh.com").string(from).string(to))
    }

    pub(super) fn hardlink(&self, from: &[u8], to: &[u8]) -> Pending {
        self.send(Request::extended("hardlink@openssh.com").string(from).string(to))
    }

    pub(super) fn fsync(&self, handle: &[u8]) -> Pending {
        self.send(Request::extended("fsync@openssh.com").string(handle))
    }

    /// The hash of all of a file by the first of these algorithms that the server knows.
    pub(super) fn check_file(&self, path: &[u8], algorithms: &str) -> Pending {
        let request = Request::extended("check-file-name").string(path).string(algorithms.as_bytes());
        // From the beginning, to the end, as one block.
        self.send(request.u64(0).u64(0).u32(0))
    }

    pub(super) fn fstat(&self, handle: &[u8]) -> Pending {
        self.send(Request::new(kind::FSTAT).string(handle))
    }
}

/// A definite absence is no failure of a look.
pub(super) fn found(seen: std::result::Result<Attributes, Fault>) -> std::result::Result<Option<Attributes>, Fault> {
    match seen {
        Ok(attributes) => Ok(Some(attributes)),
        Err(fault) if fault.is_absence() => Ok(None),
        Err(fault) => Err(fault),
    }
}

impl Pending {
    /// The answer, whatever it is.
    pub(super) async fn reply(self) -> std::result::Result<Reply, Fault> {
        let Some(mut answer) = self.answer else { return Err(Fault::Lost) };
        loop {
            match timeout(SILENCE, &mut answer).await {
                Ok(reply) => return reply.map_err(|_| Fault::Lost),
                // Others may have been answered meanwhile: it is slow, not gone.
                Err(_) if self.shared.state().heard.elapsed() < SILENCE => {}
                Err(_) => {
                    self.shared.end();
                    return Err(Fault::Silent);
                }
            }
        }
    }

    pub(super) async fn done(self) -> std::result::Result<(), Fault> {
        match self.reply().await? {
            Reply::Status { code: status::OK, .. } => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    pub(super) async fn attributes(self) -> std::result::Result<Attributes, Fault> {
        match self.reply().await? {
            Reply::Attributes(attributes) => Ok(attributes),
            other => Err(unexpected(other)),
        }
    }

    pub(super) async fn handle(self) -> std::result::Result<Bytes, Fault> {
        match self.reply().await? {
            Reply::Handle(handle) => Ok(handle),
            other => Err(unexpected(other)),
        }
    }

    pub(super) async fn names(self) -> std::result::Result<Vec<Listed>, Fault> {
        match self.reply().await? {
            Reply::Names(names) => Ok(names),
            other => Err(unexpected(other)),
        }
    }

    /// `None` at the end of the file.
    pub(super) async fn data(self) -> std::result::Result<Option<Bytes>, Fault> {
        match self.reply().await? {
            Reply::Data(data) if data.is_empty() => Ok(None),
            Reply::Data(data) => Ok(Some(data)),
            Reply::Status { code: status::EOF, .. } => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    pub(super) async fn extended(self) -> std::result::Result<Bytes, Fault> {
        match self.reply().await? {
            Reply::Extended(rest) => Ok(rest),
            other => Err(unexpected(other)),
        }
    }
}

fn unexpected(reply: Reply) -> Fault {
    match reply {
        Reply::Status { code, words } if code != status::OK => Fault::Status { code, words },
        _ => Fault::Odd,
    }
}

/// The next whole packet, without its length; `None` at the end of the channel.
async fn next_packet(reader: &mut ChannelReadHalf, buffer: &mut BytesMut) -> Option<Bytes> {
    loop {
        if let Some(length) = buffer.first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > LONGEST {
                return None;
            }
            if buffer.len() >= 4 + length {
                buffer.advance(4);
                return Some(buffer.split_to(length).freeze());
            }
            buffer.reserve(4 + length - buffer.len());
        }
        match reader.wait().await? {
            ChannelMsg::Data { data } => buffer.extend_from_slice(&data),
            ChannelMsg::Eof | ChannelMsg::Close => return None,
            // What a server's shell prints as an error, its exit, windows.
            _ => {}
        }
    }
}

async fn read_all(
    mut reader: ChannelReadHalf,
    mut buffer: BytesMut,
    shared: Arc<Shared>,
    outgoing: mpsc::WeakUnboundedSender<Bytes>,
    writing: tokio::task::AbortHandle,
) {
    while let Some(packet) = next_packet(&mut reader, &mut buffer).await {
        let Some((id, reply)) = packet::reply(packet) else { break };
        let waiting = {
            let mut state = shared.state();
            state.heard = Instant::now();
            match &mut state.waiting {
                Some(waiting) => waiting.remove(&id),
                None => break,
            }
        };
        // Nobody waits any more: what was opened for them is closed.
        if let Some(Err(Reply::Handle(handle))) = waiting.map(|waiting| waiting.send(reply))
            && let Some(outgoing) = outgoing.upgrade()
        {
            // Identifier 0 is nobody's. A channel that has ended has closed everything.
            let _ = outgoing.send(Request::new(kind::CLOSE).string(&handle).seal(0));
        }
    }
    shared.end();
    writing.abort();
}

async fn write_all(writer: ChannelWriteHalf<Msg>, mut requests: mpsc::UnboundedReceiver<Bytes>) {
    let mut kept: Option<Bytes> = None;
    loop {
        let first = match kept.take() {
            Some(kept) => kept,
            None => match requests.recv().await {
                Some(first) => first,
                None => break,
            },
        };
        let mut together = BytesMut::new();
        while first.len() + together.len() < TOGETHER {
            match requests.try_recv() {
                Ok(more) if first.len() + together.len() + more.len() <= TOGETHER => together.extend_from_slice(&more),
                Ok(more) => {
                    kept = Some(more);
                    break;
                }
                Err(_) => break,
            }
        }
        let bytes = match together.is_empty() {
            true => first,
            false => [&first[..], &together[..]].concat().into(),
        };
        if writer.data_bytes(bytes).await.is_err() {
            break;
        }
    }
    // The channel ends with its connection; that the server is told first is only polite.
    let _ = writer.close().await;
}
