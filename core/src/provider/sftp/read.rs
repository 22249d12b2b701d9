//! Reading: many requests under way, the pieces in order, each of the version that was opened.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::fault::Fault;
use super::packet::{Request, kind, open as how};
use super::pool::Lease;
use super::root::{Batch, Root, same, stale};
use super::session::{Pending, Session, found};
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Node, RelPath};
use crate::provider::{Hashed, Opened};

const READ: &str = "read";
/// Requests of one file that are under way.
pub(super) const AHEAD: usize = 64;
/// How often a file is opened again after its connection was lost, while nothing of it arrives.
const ATTEMPTS: u32 = 3;

/// What was opened.
enum Open {
    File(Content),
    /// A link, and what it points to.
    Link(Node, Bytes),
}

/// Opens a file or link.
pub(super) async fn open(
    root: &Arc<Root>,
    path: &RelPath,
    expect: Option<&Node>,
    offset: u64,
    length: Option<u64>,
) -> Result<Opened> {
    let bytes = match find(root, path, expect).await? {
        Open::Link(_, points_to) => {
            let clamp = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(points_to.len());
            let end = length.map_or(points_to.len(), |length| clamp(offset.saturating_add(length)));
            stream::iter([Ok(points_to.slice(clamp(offset).min(end)..end))]).boxed()
        }
        Open::File(mut content) => {
            content.is_checked = expect.is_some();
            content.go_to(offset, length);
            content.ask();
            let next = |mut content: Content| async move { Ok(content.next().await?.map(|piece| (piece, content))) };
            stream::try_unfold(content, next).boxed()
        }
    };
    Ok(Opened { bytes, mtime: None })
}

/// Hashes a file or link.
pub(super) async fn hash(root: &Arc<Root>, path: &RelPath) -> Result<Hashed> {
    match find(root, path, None).await? {
        Open::Link(node, points_to) => Ok(Hashed { node, content: ContentHash::of(&points_to) }),
        Open::File(mut content) => {
            let _turn = root.turn(content.node.token.size).await;
            content.is_checked = true;
            content.go_to(0, None);
            let mut hasher = blake3::Hasher::new();
            while let Some(piece) = content.next().await? {
                hasher.update(&piece);
            }
            Ok(Hashed { node: content.node.clone(), content: ContentHash(*hasher.finalize().as_bytes()) })
        }
    }
}

async fn find(root: &Arc<Root>, path: &RelPath, expect: Option<&Node>) -> Result<Open> {
    root.ask(|lease| find_by(root, lease, path, expect)).await
}

async fn find_by(root: &Arc<Root>, lease: Lease, path: &RelPath, expect: Option<&Node>) -> Result<Open> {
    let at = |fault: Fault| fault.at(READ, path);
    let full = root.full(path);
    // Sent together with the looks at the directories on the way.
    let look = lease.lstat(&full);
    Batch::default().enter(root, &lease, READ, path).await?;
    let seen = match found(look.attributes().await).map_err(at)? {
        Some(seen) => root.node(&seen),
        None if expect.is_some() => return Err(stale(READ, path, "it is gone")),
        None => return Err(Error::new(Code::NotFound, READ, path).because("there is no such file")),
    };
    if expect.is_some_and(|expect| !same(expect, &seen)) {
        return Err(stale(READ, path, "it has changed"));
    }
    match seen.kind {
        Kind::Symlink => {
            let points_to = read_link(&lease, &full).await.map_err(at)?;
            match lease.look(&full).await.map_err(at)? {
                Some(now) if same(&seen, &root.node(&now)) => Ok(Open::Link(seen, points_to)),
                Some(_) | None => Err(stale(READ, path, "it changed while it was read")),
            }
        }
        Kind::File => {
            let file = File::open(lease, &full, how::READ, None).await.map_err(at)?;
            Ok(Open::File(Content::new(root, path, seen, file)))
        }
        Kind::Dir | Kind::NativeDoc | Kind::Other => {
            Err(Error::new(Code::Unsupported, READ, path).because("it is neither a file nor a link"))
        }
    }
}

pub(super) async fn read_link(session: &Session, path: &[u8]) -> std::result::Result<Bytes, Fault> {
    let names = session.send(Request::new(kind::READLINK).string(path)).names().await?;
    names.into_iter().next().map(|listed| listed.name).ok_or(Fault::Odd)
}

/// A file that is open on the server until this is dropped.
pub(super) struct File {
    lease: Lease,
    pub(super) handle: Bytes,
    is_open: AtomicBool,
}

impl File {
    pub(super) async fn open(
        lease: Lease,
        path: &[u8],
        how: u32,
        permissions: Option<u32>,
    ) -> std::result::Result<Self, Fault> {
        let handle = lease.open(path, how, permissions).handle().await?;
        Ok(Self::of(lease, handle))
    }

    pub(super) fn of(lease: Lease, handle: Bytes) -> Self {
        Self { lease, handle, is_open: AtomicBool::new(true) }
    }

    pub(super) fn session(&self) -> &Session {
        &self.lease
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(super) fn read(&self, offset: u64, length: usize) -> Pending {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.lease.send(Request::new(kind::READ).string(&self.handle).u64(offset).u32(length))
    }

    /// Closes it; the answer is still to come.
    pub(super) fn closing(&self) -> Pending {
        self.is_open.store(false, Ordering::Relaxed);
        self.lease.close(&self.handle)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if self.is_open.load(Ordering::Relaxed) {
            // Nothing depends on it.
            drop(self.lease.close(&self.handle));
        }
    }
}

/// The bytes of an open file.
pub(super) struct Content {
    root: Arc<Root>,
    path: RelPath,
    /// The version that was opened.
    pub(super) node: Node,
    file: File,
    /// Answers under way, in order, and what was asked for.
    ahead: VecDeque<(usize, Pending)>,
    /// Before here everything was given on.
    given: u64,
    /// Before here everything was asked for.
    asked: u64,
    end: u64,
    /// What was opened, as it is told of; nothing is given on before it is known to be what was looked at.
    opened: Option<Pending>,
    /// It must still be the same version at the end.
    is_checked: bool,
    /// How it is at the end, when that was asked for together with the last piece.
    ended: Option<Pending>,
    failures: u32,
}

impl Content {
    fn new(root: &Arc<Root>, path: &RelPath, node: Node, file: File) -> Self {
        Self {
            root: Arc::clone(root),
            path: path.clone(),
            end: node.token.size,
            node,
            opened: Some(file.session().fstat(&file.handle)),
            ended: None,
            file,
            ahead: VecDeque::new(),
            given: 0,
            asked: 0,
            is_checked: false,
            failures: 0,
        }
    }

    fn go_to(&mut self, offset: u64, length: Option<u64>) {
        let size = self.node.token.size;
        self.end = length.map_or(size, |length| offset.saturating_add(length).min(size));
        self.given = offset.min(self.end);
        self.asked = self.given;
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let next = if self.given < self.end { self.piece().await } else { self.ending().await };
            match next {
                Ok(piece) => {
                    self.failures = 0;
                    return Ok(piece);
                }
                Err(Failed::Changed(why)) => return Err(stale(READ, &self.path, why)),
                Err(Failed::Fault(fault)) if fault.is_interruption() && self.failures < ATTEMPTS => {
                    self.failures += 1;
                    self.reopen().await?;
                }
                Err(Failed::Fault(fault)) => return Err(fault.at(READ, &self.path)),
            }
        }
    }

    /// Has as many requests under way as are worth it.
    fn ask(&mut self) {
        while self.ahead.len() < AHEAD && self.asked < self.end {
            let length = usize::try_from(self.end - self.asked).unwrap_or(usize::MAX).min(self.root.piece);
            self.ahead.push_back((length, self.file.read(self.asked, length)));
            self.asked += length as u64;
        }
        let is_all = self.asked == self.end && self.is_checked && self.root.features.is_in_order();
        if is_all && self.ended.is_none() {
            self.ended = Some(self.file.session().fstat(&self.file.handle));
        }
    }

    /// A link that took the name after it was looked at was followed: then it is another file.
    async fn is_opened(&mut self) -> std::result::Result<(), Failed> {
        let Some(opened) = self.opened.take() else { return Ok(()) };
        let now = opened.attributes().await?;
        match same(&self.node, &self.root.node(&now)) {
            true => Ok(()),
            false => Err(Failed::Changed("it changed while it was opened")),
        }
    }

    async fn piece(&mut self) -> std::result::Result<Option<Bytes>, Failed> {
        self.ask();
        self.is_opened().await?;
        let Some((length, pending)) = self.ahead.pop_front() else { return Err(Failed::Fault(Fault::Odd)) };
        // A file that has become shorter.
        let Some(data) = pending.data().await? else {
            return Err(Failed::Changed("it became shorter while it was read"));
        };
        if data.len() > length {
            return Err(Failed::Fault(Fault::Odd));
        }
        self.given += data.len() as u64;
        if data.len() < length {
            // Servers may answer with less than was asked for. How the file is has to be asked after the rest.
            self.ended = None;
            let rest = length - data.len();
            self.ahead.push_front((rest, self.file.read(self.given, rest)));
        }
        Ok(Some(data))
    }

    async fn ending(&mut self) -> std::result::Result<Option<Bytes>, Failed> {
        self.is_opened().await?;
        if self.is_checked {
            let ended = self.ended.take().unwrap_or_else(|| self.file.session().fstat(&self.file.handle));
            let now = ended.attributes().await?;
            if !same(&self.node, &self.root.node(&now)) {
                return Err(Failed::Changed("it changed while it was read"));
            }
        }
        Ok(None)
    }

    /// Goes on with another connection, if the file is still the one that was opened.
    async fn reopen(&mut self) -> Result<()> {
        self.ahead.clear();
        self.asked = self.given;
        match find(&self.root, &self.path, Some(&self.node)).await? {
            Open::File(again) => {
                (self.file, self.opened, self.ended) = (again.file, again.opened, None);
                Ok(())
            }
            Open::Link(..) => Err(stale(READ, &self.path, "it has changed")),
        }
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

enum Failed {
    Fault(Fault),
    Changed(&'static str),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
