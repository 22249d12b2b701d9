//! Looking: listings, single items.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;

use super::fault::{Fault, status};
use super::packet::{Request, kind};
use super::root::{Batch, Root, Way};
use super::session::Session;
use crate::error::{Code, Error, Result};
use crate::model::{Entry, Kind, Name, Node, RelPath};
use crate::provider::{Listing, RESERVED_DIR, is_reserved, too_deep};

const LIST: &str = "list the directory";
/// Requests for the next names that are under way, once a directory has shown to be large.
const AHEAD: usize = 16;
/// So many answers may bring no new name before the server is taken for one that never ends.
const NOTHING_NEW: u32 = 64;

/// Lists one directory, without reserved names. An error is one after which another attempt is worth it.
pub(super) async fn list(root: &Root, session: &Session, batch: &Batch, path: &RelPath) -> Result<Listing> {
    list_but(root, session, batch, path, is_reserved).await
}

async fn list_but(
    root: &Root,
    session: &Session,
    batch: &Batch,
    path: &RelPath,
    is_hidden: impl Fn(&[u8]) -> bool,
) -> Result<Listing> {
    let unknown = |fault: Fault| {
        let error = fault.at(LIST, path);
        if fault.is_interruption() { Err(error) } else { Ok(Listing::Unknown(error)) }
    };
    if let Err(e) = too_deep(LIST, path) {
        return Ok(Listing::Unknown(e));
    }
    match batch.way(root, session, path).await {
        Ok(Way::Open) => {}
        Ok(Way::Missing | Way::Blocked) => return Ok(Listing::Absent),
        Err(fault) => return unknown(fault),
    }
    let full = root.full(path);
    let handle = match session.send(Request::new(kind::OPENDIR).string(&full)).handle().await {
        Ok(handle) => handle,
        Err(fault) if fault.is_absence() && !path.is_root() => return Ok(Listing::Absent),
        Err(fault) => return unknown(fault),
    };
    let mut reading = Reading { root, session, path, full, entries: Vec::new(), names: HashSet::new(), failed: None };
    let ended = reading.all(&handle, is_hidden).await;
    // Its answer matters to nobody: everything was read, or the reading has failed.
    drop(session.close(&handle));
    let Reading { entries, failed, .. } = reading;
    match (ended, failed) {
        (Ok(()), None) => Ok(Listing::Complete(entries)),
        (Ok(()), Some(error)) => Ok(Listing::Partial(entries, error)),
        (Err(fault), _) if fault.is_interruption() => Err(fault.at(LIST, path)),
        // Removed while it was read.
        (Err(fault), _) if fault.is_absence() => Ok(Listing::Unknown(fault.at(LIST, path))),
        (Err(fault), _) => Ok(Listing::Partial(entries, fault.at(LIST, path))),
    }
}

struct Reading<'a> {
    root: &'a Root,
    session: &'a Session,
    path: &'a RelPath,
    full: Vec<u8>,
    entries: Vec<Entry>,
    names: HashSet<Bytes>,
    /// Why something is missing.
    failed: Option<Error>,
}

impl Reading<'_> {
    /// Asks for names until there are no more. Some requests are ahead of the answers; those that are behind the end
    /// are answered by the end too.
    async fn all(&mut self, handle: &[u8], is_hidden: impl Fn(&[u8]) -> bool) -> std::result::Result<(), Fault> {
        let next = || self.session.send(Request::new(kind::READDIR).string(handle));
        let session = self.session;
        let more = || session.send(Request::new(kind::READDIR).string(handle));
        let mut ahead = VecDeque::from([next(), next()]);
        let (mut wanted, mut idle) = (2, 0);
        while let Some(pending) = ahead.pop_front() {
            let names = match pending.names().await {
                Ok(names) => names,
                Err(fault) if fault.is_status(status::EOF) => break,
                Err(fault) => return Err(fault),
            };
            let known = self.names.len();
            for listed in names {
                if !self.names.insert(listed.name.clone()) {
                    self.fails("it shows a name twice");
                    continue;
                }
                if matches!(listed.name.as_ref(), b"." | b"..") || is_hidden(&listed.name) {
                    continue;
                }
                self.take(listed).await?;
            }
            idle = if self.names.len() > known { 0 } else { idle + 1 };
            if idle > NOTHING_NEW {
                self.fails("it does not end");
                break;
            }
            wanted = AHEAD.min(wanted + 1);
            while ahead.len() < wanted {
                ahead.push_back(more());
            }
        }
        Ok(())
    }

    fn fails(&mut self, why: &'static str) {
        self.failed.get_or_insert_with(|| Error::new(Code::Storage, LIST, self.path).because(why));
    }

    async fn take(&mut self, listed: super::packet::Listed) -> std::result::Result<(), Fault> {
        let Some(name) = Name::new(&listed.name) else {
            self.fails("it shows an impossible name");
            return Ok(());
        };
        let mut attributes = listed.attributes;
        if !Root::is_whole(&listed) {
            let at = [&self.full[..], b"/", name.as_bytes()].concat();
            match self.session.look(&at).await {
                Ok(Some(seen)) => attributes = seen,
                // Gone between the listing and the look at it, or only said to be.
                Ok(None) => {
                    self.fails("it shows an item that is said not to be there");
                    return Ok(());
                }
                Err(fault) if fault.is_interruption() => return Err(fault),
                Err(fault) => {
                    let error = fault.at("look at", self.path.join(&name));
                    self.failed.get_or_insert(error);
                    return Ok(());
                }
            }
        }
        self.entries.push(Entry { name, node: self.root.node(&attributes) });
        Ok(())
    }
}

/// Looks at an item; `None` is a definite absence, of it or of a directory on the way to it.
pub(super) async fn stat(root: &Root, session: &Session, batch: &Batch, path: &RelPath) -> Result<Option<Node>> {
    let action = "look at";
    let at = |fault: Fault| fault.at(action, path);
    match batch.way(root, session, &path.parent().unwrap_or_default()).await.map_err(at)? {
        Way::Open => {}
        // Nothing lies beneath a file, or beyond a link.
        Way::Missing | Way::Blocked => return Ok(None),
    }
    let seen = session.look(&root.full(path)).await.map_err(at)?;
    Ok(seen.map(|a| root.node(&a)))
}

/// Looks for temporary names in the whole tree, the trash left out.
pub(super) async fn find_hidden(root: &Root, names: &[Name]) -> Result<Vec<(RelPath, Node)>> {
    let batch = Batch::default();
    let mut found = Vec::new();
    let mut dirs = vec![RelPath::root()];
    while !dirs.is_empty() {
        let level = std::mem::take(&mut dirs);
        let batch = &batch;
        let listing = |path: RelPath| async move {
            let listed = root
                .ask(|lease| {
                    let path = &path;
                    async move { list_but(root, &lease, batch, path, |name| name == RESERVED_DIR).await }
                })
                .await;
            (path, listed)
        };
        for (path, listed) in super::each(level, listing).await {
            let entries = match listed? {
                Listing::Complete(entries) => entries,
                Listing::Partial(_, e) | Listing::Unknown(e) if path.is_root() => return Err(e),
                Listing::Partial(entries, _) => entries,
                Listing::Absent | Listing::Unknown(_) => Vec::new(),
            };
            for entry in entries {
                let at = path.join(&entry.name);
                if entry.node.kind == Kind::Dir {
                    dirs.push(at.clone());
                }
                if names.contains(&entry.name) {
                    found.push((at, entry.node));
                }
            }
        }
    }
    Ok(found)
}
