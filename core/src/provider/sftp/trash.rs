//! The trash of a root: `.portbook/trash/LABEL/PATH`.
//!
//! Items are moved there, never copied. Only empty directories are removed in place. The time of a label is the
//! modified time of its directory.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::fault::{Fault, status};
use super::packet::{Attributes, Request, kind};
use super::pool::Lease;
use super::publish::{Taken, exclusive};
use super::root::{Batch, Root, kind_of, not_reserved, same, stale};
use super::session::Session;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, RelPath, Timestamp};
use crate::provider::{RESERVED_DIR, TEMP_PREFIX, Trash};

const DIR: &[u8] = b"trash";
/// How many items of one path a label can hold.
const MOST: u32 = 10_000;

pub(super) async fn trash(root: &Root, batch: &Batch, item: &Trash) -> Result<()> {
    let action = "move to the trash";
    let path = &item.path;
    not_reserved(action, path)?;
    let tried = &std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::Relaxed;
    root.ask(|lease| async move {
        batch.enter(root, &lease, action, path).await?;
        let old = match root.check(&lease, action, path, &item.expect).await {
            Ok(Some(old)) => old,
            Ok(None) => return Ok(()),
            Err(e) if e.code() == Code::Stale && tried.load(order) => {
                let seen = lease.look(&root.full(path)).await.map_err(|f| f.at(action, path))?;
                // The attempt before has moved it.
                return if seen.is_none() { Ok(()) } else { Err(e) };
            }
            Err(e) => return Err(e),
        };
        tried.store(true, order);
        if old.kind == Kind::Dir {
            return remove_empty(root, batch, &lease, action, path, &item.label).await;
        }
        let full = root.full(path);
        let bin = open_bin(root, batch, &lease, action, path, &item.label).await?;
        let (session, full) = (&*lease, &full);
        let put = |to: Vec<u8>| async move { exclusive(root, session, full, &to, old.kind).await }.boxed();
        let kept = into_bin(&bin, &name(path), put).await.map_err(|e| e.at(action, path))?;
        check_kept(root, &lease, action, path, &old, &kept).await
    })
    .await?;
    root.touch(path);
    Ok(())
}

fn name(path: &RelPath) -> Vec<u8> {
    path.name().map(|name| name.as_bytes().to_vec()).unwrap_or_default()
}

/// What was edited after the check goes back, unless yet another item has its name by now.
async fn check_kept(
    root: &Root,
    session: &Session,
    action: &'static str,
    path: &RelPath,
    old: &Node,
    kept: &[u8],
) -> Result<()> {
    let moved = session.look(kept).await.map_err(|f| f.at(action, path))?.map(|a| root.node(&a));
    if moved.as_ref().is_some_and(|moved| same(old, moved)) {
        return Ok(());
    }
    if let Some(moved) = moved {
        exclusive(root, session, kept, &root.full(path), moved.kind).await.map_err(|e| e.at(action, path))?;
    }
    Err(stale(action, path, "it changed at the last moment"))
}

/// A version that is kept in the trash while another takes its place.
pub(super) struct Archived {
    kept: Vec<u8>,
    /// It could not be given a second name, so that its own is missing until the other is there.
    pub(super) moved: bool,
}

impl Archived {
    /// Takes it back, where the other could not take its place. What cannot be taken back stays in the trash.
    pub(super) async fn undo(
        &self,
        root: &Root,
        session: &Session,
        full: &[u8],
        kind: Kind,
    ) -> std::result::Result<(), Taken> {
        if self.moved {
            return exclusive(root, session, &self.kept, full, kind).await;
        }
        Ok(session.remove(&self.kept).done().await?)
    }
}

/// Keeps a version that is about to be replaced: under a second name where there are such.
pub(super) async fn archive(
    root: &Root,
    batch: &Batch,
    session: &Session,
    action: &'static str,
    path: &RelPath,
    old: &Node,
    label: &str,
) -> Result<Archived> {
    let full = &root.full(path);
    let bin = open_bin(root, batch, session, action, path, label).await?;
    let mut archived = None;
    if root.links && old.kind == Kind::File {
        let linked = into_bin(&bin, &name(path), |to| async move { link(session, full, &to).await }.boxed()).await;
        match linked {
            Ok(kept) => archived = Some(Archived { kept, moved: false }),
            Err(Taken::Fault(fault)) if fault.is_interruption() || fault.is_absence() => {
                return Err(fault.at(action, path));
            }
            // The file system of the server knows no second names.
            Err(_) => {}
        }
    }
    let archived = match archived {
        Some(archived) => archived,
        None => {
            let put = |to: Vec<u8>| async move { exclusive(root, session, full, &to, old.kind).await }.boxed();
            let kept = into_bin(&bin, &name(path), put).await.map_err(|e| e.at(action, path))?;
            Archived { kept, moved: true }
        }
    };
    let now = session.look(&archived.kept).await.map_err(|f| f.at(action, path))?.map(|a| root.node(&a));
    if now.as_ref().is_some_and(|now| same(old, now)) {
        return Ok(archived);
    }
    archived.undo(root, session, full, old.kind).await.map_err(|e| e.at(action, path))?;
    Err(stale(action, path, "it changed at the last moment"))
}

async fn link(session: &Session, from: &[u8], to: &[u8]) -> std::result::Result<(), Taken> {
    match session.hardlink(from, to).done().await {
        Err(fault) if fault.is_status(status::FAILURE) && session.look(to).await?.is_some() => Err(Taken::Taken),
        other => Ok(other?),
    }
}

/// Puts an item into its directory of the trash under the first name that is free; answers its path.
async fn into_bin<'a, T>(
    bin: &[u8],
    name: &[u8],
    put: impl Fn(Vec<u8>) -> BoxFuture<'a, std::result::Result<T, Taken>> + Send,
) -> std::result::Result<Vec<u8>, Taken> {
    for number in 0..MOST {
        let suffix = if number == 0 { String::new() } else { format!(".{number}") };
        let cut = name.len().min(255 - suffix.len());
        let candidate = [bin, b"/", &name[..cut], suffix.as_bytes()].concat();
        match put(candidate.clone()).await {
            Err(Taken::Taken) => {}
            other => return other.map(|_| candidate),
        }
    }
    Err(Taken::Taken)
}

/// The directory in the trash that an item of this path goes to, made as far as it is missing.
async fn open_bin(
    root: &Root,
    batch: &Batch,
    session: &Session,
    action: &'static str,
    path: &RelPath,
    label: &str,
) -> Result<Vec<u8>> {
    if Name::new(label.as_bytes()).is_none() {
        return Err(Error::new(Code::Invalid, action, path).because("the label of the trash is no name"));
    }
    let parent = path.parent().unwrap_or_default();
    let key = [label.as_bytes(), b"/", parent.as_bytes()].concat();
    // One after the other: two must not make the same directory.
    let mut bins = batch.bins.lock().await;
    if let Some(bin) = bins.get(&key) {
        return Ok(bin.clone());
    }
    let mut here = root.path.strip_suffix(b"/").unwrap_or(&root.path).to_vec();
    for part in [RESERVED_DIR, DIR, label.as_bytes()].into_iter().chain(parent.components()) {
        let enter = |dir: Vec<u8>| async move { enter_bin(session, &dir).await }.boxed();
        let above = here;
        here = into_bin(&above, part, enter).await.map_err(|e| e.at(action, path))?;
        root.touched.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend([above, here.clone()]);
    }
    bins.insert(key, here.clone());
    Ok(here)
}

/// Makes these directories, parents before children, as far as they are missing; nobody else may look into them.
pub(super) async fn make_private(
    root: &Root,
    batch: &Batch,
    session: &Session,
    action: &'static str,
    dirs: &[RelPath],
) -> Result<()> {
    // One after the other: two must not make the same directory.
    let _turn = batch.bins.lock().await;
    for dir in dirs {
        enter_bin(session, &root.full(dir)).await.map_err(|e| e.at(action, dir))?;
        root.touch(dir);
    }
    Ok(())
}

/// Opens or makes a directory of the trash. A file or link of the same run may have its name, when a directory took the
/// place of a file: then it gets the first name that is free or a directory's.
async fn enter_bin(session: &Session, dir: &[u8]) -> std::result::Result<(), Taken> {
    for _ in 0..2 {
        match session.look(dir).await? {
            Some(there) if kind_of(&there) == Kind::Dir => return Ok(()),
            Some(_) => return Err(Taken::Taken),
            None => {}
        }
        let private = Attributes { permissions: Some(0o700), ..Attributes::default() };
        match session.send(Request::new(kind::MKDIR).string(dir).attributes(&private)).done().await {
            Ok(()) => return Ok(()),
            // Somebody else may have made it.
            Err(fault) if fault.is_status(status::FAILURE) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(Taken::Fault(Fault::Status { code: status::FAILURE, words: String::new() }))
}

/// The names and attributes in a directory, all of them.
async fn names(session: &Session, dir: &[u8]) -> std::result::Result<Vec<(Vec<u8>, Attributes)>, Fault> {
    let handle = session.send(Request::new(kind::OPENDIR).string(dir)).handle().await?;
    let mut found = Vec::new();
    let ended = loop {
        match session.send(Request::new(kind::READDIR).string(&handle)).names().await {
            Ok(names) => {
                let real = names.into_iter().filter(|n| Name::new(&n.name).is_some());
                found.extend(real.map(|n| (n.name.to_vec(), n.attributes)));
            }
            Err(fault) if fault.is_status(status::EOF) => break Ok(found),
            Err(fault) => break Err(fault),
        }
    };
    // Its answer matters to nobody.
    drop(session.close(&handle));
    ended
}

/// An empty directory is not worth keeping. What earlier runs left in it under temporary names is: a crash may have
/// stopped them half-way.
async fn remove_empty(
    root: &Root,
    batch: &Batch,
    session: &Lease,
    action: &'static str,
    path: &RelPath,
    label: &str,
) -> Result<()> {
    let at = |fault: Fault| fault.at(action, path);
    let full = root.full(path);
    let held = names(session, &full).await.map_err(at)?;
    if held.iter().any(|(name, _)| !name.starts_with(TEMP_PREFIX)) {
        return Err(stale(action, path, "it is not empty"));
    }
    for (leftover, attributes) in held {
        let Some(leftover) = Name::new(&leftover) else { continue };
        let whole = path.join(&leftover);
        let from = &root.full(&whole);
        let bin = open_bin(root, batch, session, action, &whole, label).await?;
        let kind = kind_of(&attributes);
        let put = |to: Vec<u8>| async move { exclusive(root, session, from, &to, kind).await }.boxed();
        into_bin(&bin, leftover.as_bytes(), put).await.map_err(|e| e.at(action, path))?;
    }
    match session.send(Request::new(kind::RMDIR).string(&full)).done().await {
        Err(fault) if fault.is_status(status::FAILURE) => {
            let left = names(session, &full).await.map_err(at)?;
            Err(if left.is_empty() { at(fault) } else { stale(action, path, "it is not empty") })
        }
        other => other.map_err(at),
    }
}

/// Removes the labels that have not been added to since `older_than`.
pub(super) async fn empty(root: &Root, older_than: Timestamp) -> Result<u64> {
    let action = "empty the trash of";
    let at = |fault: Fault| fault.at(action, &root.display);
    let bin = [root.path.strip_suffix(b"/").unwrap_or(&root.path), b"/", RESERVED_DIR, b"/", DIR].concat();
    let lease = root.pool.lease().await?;
    let labels = match names(&lease, &bin).await {
        Err(fault) if fault.is_absence() => return Ok(0),
        other => other.map_err(at)?,
    };
    let mut first: Option<Error> = None;
    let mut removed = 0;
    for (label, _) in labels {
        let dir = [&bin[..], b"/", &label].concat();
        let outcome = match lease.look(&dir).await {
            Ok(Some(seen)) if is_older(&seen, older_than) => {
                remove_tree(&lease, dir, kind_of(&seen), &mut removed).await
            }
            Ok(_) => Ok(()),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = outcome {
            first.get_or_insert_with(|| at(fault));
        }
    }
    first.map_or(Ok(removed), Err)
}

fn is_older(label: &Attributes, than: Timestamp) -> bool {
    label.mtime.is_some_and(|secs| Timestamp { secs: secs.into(), nanos: 0 } < than)
}

/// Removes an item with all that it holds, going on after a failure. No link is followed: what a link names is not
/// held by it.
fn remove_tree<'a>(
    session: &'a Session,
    path: Vec<u8>,
    what: Kind,
    removed: &'a mut u64,
) -> BoxFuture<'a, std::result::Result<(), Fault>> {
    async move {
        if what != Kind::Dir {
            session.remove(&path).done().await?;
            *removed += 1;
            return Ok(());
        }
        let mut outcome = Ok(());
        for (name, attributes) in names(session, &path).await? {
            let inner = [&path[..], b"/", &name].concat();
            let kind = match attributes.permissions {
                Some(_) => kind_of(&attributes),
                None => session.look(&inner).await?.map_or(Kind::Other, |seen| kind_of(&seen)),
            };
            outcome = outcome.and(remove_tree(session, inner, kind, removed).await);
        }
        outcome?;
        session.send(Request::new(kind::RMDIR).string(&path)).done().await
    }
    .boxed()
}
