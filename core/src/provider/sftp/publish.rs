//! The one moment in which a staged file becomes the item, and the other changes of names and attributes.
//!
//! A new item never overwrites: it gets a second name (`hardlink@openssh.com`) before it loses its first; a server without
//! such is asked right before whether the name is free, as some rename over what has it. A replaced item is looked at and then replaced by
//! `posix-rename@openssh.com`, which is atomic. SFTP cannot swap two names, so that an edit by somebody else between
//! that look and that rename is lost; it is in the trash all the same when an old version was to be kept.
//!
//! When the connection is lost in between, nobody knows whether the server acted: the next attempt looks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fault::{Fault, status};
use super::packet::{Attributes, Request, kind, open as how};
use super::pool::Lease;
use super::read::{File, hash_to};
use super::root::{Batch, Root, not_in_reserved, not_reserved, same, stale};
use super::session::{Session, found};
use super::stage::seconds;
use super::trash;
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Node, RelPath};
use crate::provider::{Move, Publish, TEMP_PREFIX};

const PUBLISH: &str = "put in place";
const MOVE: &str = "move";

/// Publishes one staged item.
pub(super) async fn publish(root: &Root, batch: &Batch, item: &Publish) -> Result<Node> {
    not_reserved(PUBLISH, &item.staged.target)?;
    let temp = &root.temp(PUBLISH, &item.staged.target, &item.staged.tag)?;
    let tried = &Tried::default();
    let node = root.ask(|lease| publish_by(root, batch, item, temp, tried, lease)).await?;
    root.touch(&item.staged.target);
    Ok(node)
}

/// What an earlier attempt, whose connection was lost, may have done.
#[derive(Default)]
struct Tried {
    begun: AtomicBool,
    /// The temporary file as it was before.
    staged: Mutex<Option<Node>>,
    is_archived: AtomicBool,
}

async fn publish_by(
    root: &Root,
    batch: &Batch,
    item: &Publish,
    temp: &[u8],
    tried: &Tried,
    lease: Lease,
) -> Result<Node> {
    let path = &item.staged.target;
    let at = |fault: Fault| fault.at(PUBLISH, path);
    batch.enter(root, &lease, PUBLISH, path).await?;
    let full = root.full(path);
    if tried.begun.load(Ordering::Relaxed) {
        restore(root, &lease, temp, &full).await.map_err(at)?;
    }
    if tried.begun.load(Ordering::Relaxed)
        && let Some(node) = published(root, &lease, item, tried, temp).await?
    {
        return Ok(node);
    }
    let (staged, old) = (lease.lstat(temp), root.check(&lease, PUBLISH, path, &item.expect).await);
    let staged = match staged.attributes().await {
        Ok(staged) => root.node(&staged),
        Err(fault) => return Err(at(fault)),
    };
    *lock(&tried.staged) = Some(staged.clone());
    if staged.kind == Kind::File && staged.token.size != item.staged.size {
        let why = format!("the server holds {} of its {} bytes", staged.token.size, item.staged.size);
        return Err(Error::new(Code::Storage, PUBLISH, path).because(why));
    }
    let Some(old) = old? else {
        tried.begun.store(true, Ordering::Relaxed);
        let refused = |e: Taken| e.at(PUBLISH, path);
        let linked = exclusively(root, &lease, temp, &full, staged.kind).await.map_err(refused)?;
        // The look need not wait for what is left of the first name.
        let (left, there) = (linked.then(|| lease.remove(temp)), lease.lstat(&full));
        if let Some(left) = left {
            left.done().await.map_err(at)?;
        }
        let there = found(there.attributes().await).map_err(at)?;
        return there.map(|seen| root.node(&seen)).ok_or_else(|| stale(PUBLISH, path, "it is gone again"));
    };
    if old.kind == Kind::Dir {
        return Err(stale(PUBLISH, path, "a directory is there"));
    }
    let mut archived = None;
    if let Some(label) = item.archive.as_ref().filter(|_| !tried.is_archived.load(Ordering::Relaxed)) {
        archived = Some(trash::archive(root, batch, &lease, PUBLISH, path, &old, label).await?);
        tried.is_archived.store(true, Ordering::Relaxed);
    }
    tried.begun.store(true, Ordering::Relaxed);
    let placed = match &archived {
        Some(archived) if archived.moved => exclusive(root, &lease, temp, &full, staged.kind).await,
        Some(_) | None => replace(root, &lease, temp, &full).await.map_err(Taken::Fault),
    };
    if let Err(refused) = placed {
        if let Some(archived) = archived.filter(|_| !refused.is_interruption()) {
            archived.undo(root, &lease, &full, old.kind).await.map_err(|e| e.at(PUBLISH, path))?;
        }
        return Err(refused.at(PUBLISH, path));
    }
    now(root, &lease, path, &full).await
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the attempt before has put it in place: the temporary name is gone, or a second name is left of it. What looks
/// like that may have been made by somebody else meanwhile: then it has another content.
async fn published(root: &Root, session: &Session, item: &Publish, tried: &Tried, temp: &[u8]) -> Result<Option<Node>> {
    let path = &item.staged.target;
    let at = |fault: Fault| fault.at(PUBLISH, path);
    let full = root.full(path);
    let Some(staged) = lock(&tried.staged).clone() else { return Ok(None) };
    let there = session.look(&full).await.map_err(at)?.map(|a| root.node(&a));
    let Some(there) = there.filter(|there| same(&staged, there)) else { return Ok(None) };
    if session.look(temp).await.map_err(at)?.is_none() {
        return Ok(Some(there));
    }
    if there.kind != Kind::File {
        return Ok(None);
    }
    let file = File::open(root.pool.lease().await?, &full, how::READ, None).await.map_err(at)?;
    let mut hasher = blake3::Hasher::new();
    let is_whole = hash_to(&file, root.piece, item.staged.size, &mut hasher).await.map_err(at)?;
    if !is_whole || *hasher.finalize().as_bytes() != item.staged.content.0 {
        return Ok(None);
    }
    session.remove(temp).done().await.map_err(at)?;
    Ok(Some(there))
}

async fn now(root: &Root, session: &Session, path: &RelPath, full: &[u8]) -> Result<Node> {
    match session.look(full).await {
        Ok(Some(seen)) => Ok(root.node(&seen)),
        Ok(None) => Err(stale(PUBLISH, path, "it is gone again")),
        Err(fault) => Err(fault.at(PUBLISH, path)),
    }
}

/// Why a name was not taken.
pub(super) enum Taken {
    /// Something has it.
    Taken,
    Fault(Fault),
}

impl From<Fault> for Taken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Taken {
    pub(super) fn at(&self, action: &'static str, path: &RelPath) -> Error {
        match self {
            Self::Taken => stale(action, path, "something is there by now"),
            Self::Fault(fault) => fault.at(action, path),
        }
    }

    fn is_interruption(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.is_interruption())
    }
}

/// Renames without overwriting.
pub(super) async fn exclusive(
    root: &Root,
    session: &Session,
    from: &[u8],
    to: &[u8],
    kind: Kind,
) -> std::result::Result<(), Taken> {
    if exclusively(root, session, from, to, kind).await? {
        session.remove(from).done().await?;
    }
    Ok(())
}

/// Gives it a name that nothing has; whether its first name is still to be removed.
async fn exclusively(
    root: &Root,
    session: &Session,
    from: &[u8],
    to: &[u8],
    kind: Kind,
) -> std::result::Result<bool, Taken> {
    if kind == Kind::File && root.links {
        match session.hardlink(from, to).done().await {
            Ok(()) => return Ok(true),
            Err(fault) if fault.is_interruption() || fault.is_absence() => return Err(fault.into()),
            // The name is taken, or the file system of the server knows no second names.
            Err(_) => {}
        }
    }
    if session.look(to).await?.is_some() {
        return Err(Taken::Taken);
    }
    match session.rename(from, to).done().await {
        Err(fault) if fault.is_status(status::FAILURE) && session.look(to).await?.is_some() => Err(Taken::Taken),
        other => Ok(other.map(|()| false)?),
    }
}

/// Renames over what is there.
async fn replace(root: &Root, session: &Session, from: &[u8], to: &[u8]) -> std::result::Result<(), Fault> {
    if root.features.posix_rename {
        return session.posix_rename(from, to).done().await;
    }
    // Without it the old version steps aside for a moment. Where this ends in between, `restore` finds it.
    let aside = aside(from);
    session.rename(to, &aside).done().await?;
    match session.rename(from, to).done().await {
        Ok(()) => session.remove(&aside).done().await,
        Err(fault) => {
            session.rename(&aside, to).done().await?;
            Err(fault)
        }
    }
}

fn aside(temp: &[u8]) -> Vec<u8> {
    [temp, b"-old"].concat()
}

/// Gives a version that stepped aside its name back; one whose successor is there goes.
pub(super) async fn restore(
    root: &Root,
    session: &Session,
    temp: &[u8],
    full: &[u8],
) -> std::result::Result<(), Fault> {
    if root.features.posix_rename {
        return Ok(());
    }
    let aside = aside(temp);
    if session.look(&aside).await?.is_none() {
        return Ok(());
    }
    match session.look(full).await? {
        None => session.rename(&aside, full).done().await,
        Some(_) => session.remove(&aside).done().await,
    }
}

pub(super) async fn make_dir(root: &Root, batch: &Batch, path: &RelPath, metadata: &Metadata) -> Result<Node> {
    let action = "make the directory";
    not_reserved(action, path)?;
    let tried = &AtomicBool::new(false);
    let mode = metadata.mode.filter(|_| root.capabilities.mode).map(|mode| mode & 0o7777);
    let make = |lease: Lease| async move {
        let at = |fault: Fault| fault.at(action, path);
        batch.enter(root, &lease, action, path).await?;
        let full = root.full(path);
        let there = lease.look(&full).await.map_err(at)?.map(|a| root.node(&a));
        match there {
            // The attempt before has made it, as far as can be told.
            Some(there) if tried.load(Ordering::Relaxed) && there.kind == Kind::Dir => {}
            Some(_) => return Err(stale(action, path, "something is there by now")),
            None => {
                tried.store(true, Ordering::Relaxed);
                let permissions = Attributes { permissions: mode.or(Some(0o777)), ..Attributes::default() };
                let made = lease.send(Request::new(kind::MKDIR).string(&full).attributes(&permissions)).done().await;
                if let Err(fault) = made {
                    let is_there = fault.is_status(status::FAILURE) && lease.look(&full).await.map_err(at)?.is_some();
                    return Err(if is_there { stale(action, path, "something is there by now") } else { at(fault) });
                }
            }
        }
        let mut made = lease.look(&full).await.map_err(at)?;
        // The server's mask has taken bits away.
        if let Some(mode) = mode.filter(|mode| made.and_then(|m| m.permissions).is_none_or(|p| p & 0o7777 != *mode)) {
            let permissions = Attributes { permissions: Some(mode), ..Attributes::default() };
            let set = lease.send(Request::new(kind::SETSTAT).string(&full).attributes(&permissions)).done().await;
            if let Err(fault) = set {
                // It is new and empty; what fails leaves nothing behind.
                drop(lease.send(Request::new(kind::RMDIR).string(&full)));
                return Err(unset(at(fault)));
            }
            made = lease.look(&full).await.map_err(at)?;
        }
        let made = made.ok_or_else(|| stale(action, path, "it is gone again"))?;
        batch.know(path);
        Ok(root.node(&made))
    };
    let node = root.ask(make).await?;
    root.touch(path);
    Ok(node)
}

pub(super) async fn move_item(root: &Root, item: &Move) -> Result<Node> {
    not_in_reserved(MOVE, &item.from)?;
    not_in_reserved(MOVE, &item.to)?;
    let tried = &Mutex::default();
    let node = root.ask(|lease| move_by(root, item, tried, lease)).await?;
    root.touch(&item.from);
    root.touch(&item.to);
    Ok(node)
}

/// `tried` is the item as an earlier attempt began to move it, whose connection was lost.
pub(super) async fn move_by(root: &Root, item: &Move, tried: &Mutex<Option<Node>>, lease: Lease) -> Result<Node> {
    let at = |fault: Fault| fault.at(MOVE, &item.from);
    // What was moved before may have changed what is on the way.
    let batch = Batch::default();
    batch.enter(root, &lease, MOVE, &item.from).await?;
    batch.enter(root, &lease, MOVE, &item.to).await?;
    let (from, to) = (root.full(&item.from), root.full(&item.to));
    let before = lock(tried).clone();
    if let Some(before) = before
        && lease.look(&from).await.map_err(at)?.is_none()
        && let Some(there) = lease.look(&to).await.map_err(at)?.map(|a| root.node(&a))
        && same(&before, &there)
    {
        return Ok(there);
    }
    // An attempt that came half-way leaves two names of a file. Nobody can tell them from two files, so both stay.
    let Some(old) = root.check(&lease, MOVE, &item.from, &item.expect).await? else {
        return Err(stale(MOVE, &item.from, "it is gone"));
    };
    let taken = lease.look(&to).await.map_err(at)?.map(|a| root.node(&a));
    let through = item.through.as_ref().filter(|_| taken.as_ref().is_some_and(|t| folds(root, item, &old, t)));
    if taken.is_some() && through.is_none() {
        return Err(stale(MOVE, &item.to, "something is there by now"));
    }
    *lock(tried) = Some(old.clone());
    let refused = |e: Taken| e.at(MOVE, &item.to);
    match through {
        None => exclusive(root, &lease, &from, &to, old.kind).await.map_err(refused)?,
        Some(through) => {
            let hidden = root.full(&item.to.parent().unwrap_or_default().join(through));
            exclusive(root, &lease, &from, &hidden, old.kind).await.map_err(refused)?;
            if let Err(e) = exclusive(root, &lease, &hidden, &to, old.kind).await {
                exclusive(root, &lease, &hidden, &from, old.kind).await.map_err(refused)?;
                return Err(refused(e));
            }
        }
    }
    let there = lease.look(&to).await.map_err(at)?.map(|a| root.node(&a));
    match there.filter(|there| same(&old, there)) {
        Some(there) => Ok(there),
        None => Err(stale(MOVE, &item.to, "something else is there by now")),
    }
}

/// Whether the taken name may be the item's own in another case or normal form. If it is another item's after all, the
/// second of the two renames finds it still there and the first is undone.
fn folds(root: &Root, item: &Move, old: &Node, taken: &Node) -> bool {
    let folding = root.capabilities.case_insensitive || root.capabilities.unicode_insensitive;
    folding && item.from.parent() == item.to.parent() && same(old, taken)
}

pub(super) async fn set_metadata(
    root: &Root,
    batch: &Batch,
    (path, expect, metadata): &(RelPath, Expect, Metadata),
) -> Result<Node> {
    let action = "set the attributes of";
    not_reserved(action, path)?;
    let tried = &AtomicBool::new(false);
    root.ask(|lease| async move {
        let at = |fault: Fault| fault.at(action, path);
        batch.enter(root, &lease, action, path).await?;
        let full = root.full(path);
        let checked = root.check(&lease, action, path, expect).await;
        let old = match checked {
            // The attempt before may have changed what was expected.
            Err(e) if e.code() == Code::Stale && tried.load(Ordering::Relaxed) => {
                let seen = lease.look(&full).await.map_err(at)?.map(|a| root.node(&a));
                let has_mode =
                    |seen: &Node| metadata.mode.is_none_or(|m| seen.token.mode.is_none_or(|now| now == m & 0o7777));
                let is_done = |seen: &Node| has_mode(seen) && metadata.mtime.is_none_or(|wanted| is_set(seen, wanted));
                return seen.filter(is_done).ok_or(e);
            }
            other => other?.ok_or_else(|| stale(action, path, "it is gone"))?,
        };
        let mode = metadata.mode.filter(|_| root.capabilities.mode && old.kind != Kind::Symlink).map(|m| m & 0o7777);
        let mtime = metadata.mtime.filter(|_| root.capabilities.set_mtime && old.kind != Kind::Dir);
        let attributes = Attributes {
            size: None,
            permissions: mode.filter(|mode| old.token.mode != Some(*mode)),
            mtime: mtime.filter(|mtime| !is_set(&old, *mtime)).map(seconds),
        };
        let is_link = old.kind == Kind::Symlink;
        if attributes == Attributes::default() || (is_link && !root.features.lsetstat) {
            return Ok(old);
        }
        tried.store(true, Ordering::Relaxed);
        let request = match is_link {
            true => Request::extended("lsetstat@openssh.com"),
            false => Request::new(kind::SETSTAT),
        };
        let set = lease.send(request.string(&full).attributes(&attributes)).done().await;
        set.map_err(|fault| unset(at(fault)))?;
        let now = lease.look(&full).await.map_err(at)?;
        now.map(|a| root.node(&a)).ok_or_else(|| stale(action, path, "it is gone"))
    })
    .await
}

fn is_set(node: &Node, wanted: crate::model::Timestamp) -> bool {
    node.token.mtime.is_some_and(|mtime| mtime.secs == i64::from(seconds(wanted)))
}

/// A server that sets no attributes.
pub(super) fn unset(error: Error) -> Error {
    match error.code() {
        Code::Unsupported | Code::Permission => {
            error.advise("if the server keeps no times or permission bits, switch them off in the options")
        }
        _ => error,
    }
}

/// Whether a second name can be given to a file, found out without making one: what is asked for does not exist. A
/// server that announces the extension and has it not says so.
pub(super) async fn probe_links(session: &Session, dir: &[u8]) -> bool {
    let mut random = [0; 8];
    if !session.features.hardlink || getrandom::fill(&mut random).is_err() {
        return false;
    }
    let name = |end: &str| {
        let tag = format!("probe-{:016x}{end}", u64::from_be_bytes(random));
        [dir.strip_suffix(b"/").unwrap_or(dir), b"/", TEMP_PREFIX, tag.as_bytes()].concat()
    };
    matches!(session.hardlink(&name("a"), &name("b")).done().await, Err(fault) if fault.is_absence())
}
