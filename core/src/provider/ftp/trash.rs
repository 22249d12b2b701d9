//! The trash of a root: `.portbook/trash/LABEL/PATH`.
//!
//! Items are moved there by a rename. As a rename overwrites, a name in the trash is chosen from what its directory
//! holds and given out once. The time of a label is the modified time of its directory.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::Place;
use super::look::{Item, Look, Seen};
use super::root::{check, not_reserved, same, sayable, split, stale};
use super::server::Lease;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, RelPath, Timestamp};
use crate::provider::kept::{self, REMOVE};
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::{RESERVED_DIR, TEMP_PREFIX, Trash};

const DIR: &[u8] = b"trash";
/// How many items of one path a label can hold.
const MOST: u32 = 10_000;
/// What a listing for people may be wrong by: the zone of the server and the hours it leaves out.
const ROUGHLY: i64 = 2 * 86_400;

/// The directories of the trash that are known, with the names that are taken in them.
#[derive(Default)]
pub(super) struct Bins(Mutex<HashMap<RelPath, HashSet<Vec<u8>>>>);

pub(super) async fn trash(place: &Arc<Place>, item: &Trash) -> Result<()> {
    let action = "move to the trash";
    let path = &item.path;
    not_reserved(action, path)?;
    place
        .server
        .traffic
        .send(Repeat::Refused, || async {
            let mut lease = place.server.take().await?;
            let seen = lease.stat(action, &place.base, path).await?;
            check(action, path, &item.expect, seen.as_ref())?;
            let Some(old) = seen else { return Ok(()) };
            if old.kind == Kind::Dir {
                return Ok::<_, Refusal>(remove_empty(place, &mut lease, action, path, &item.label).await?);
            }
            let kept = bin(place, &mut lease, action, &item.label, path).await?;
            Ok(move_aside(place, &mut lease, action, (path, &kept), &old).await?)
        })
        .await
}

/// Renames an item out of the way. One that was edited after the last look goes back.
pub(super) async fn move_aside(
    place: &Place,
    lease: &mut Lease,
    action: &'static str,
    (from, to): (&RelPath, &RelPath),
    old: &Node,
) -> Result<()> {
    if let Err(reply) = lease.rename(action, &place.base, from, to).await? {
        place.bins.forget().await;
        return Err(match lease.stat(action, &place.base, from).await? {
            None => stale(action, from, "it is gone"),
            Some(_) => reply.error(action, from),
        });
    }
    match lease.look(action, &place.base, to).await? {
        Look::There(moved) if same(old, &moved) => Ok(()),
        Look::There(_) | Look::Refused(_) => {
            if matches!(lease.stat(action, &place.base, from).await, Ok(None)) {
                let _ = lease.rename(action, &place.base, to, from).await?;
            }
            Err(stale(action, from, "it changed at the last moment"))
        }
    }
}

/// A free path in the trash for an item, whose directories are there.
pub(super) async fn bin(
    place: &Place,
    lease: &mut Lease,
    action: &'static str,
    label: &str,
    path: &RelPath,
) -> Result<RelPath> {
    let (parent, name) = split(action, path)?;
    let unusable = || Error::new(Code::Invalid, action, label.escape_debug()).because("no usable label");
    let mut bins = place.bins.0.lock().await;
    let mut dir = RelPath::root();
    for part in [RESERVED_DIR, DIR, label.as_bytes()] {
        dir = dir.join(&Name::new(part).ok_or_else(unusable)?);
        if !enter(place, lease, action, &mut bins, &dir).await? {
            return Err(Error::new(Code::Storage, action, &dir).because("it is no directory"));
        }
    }
    for part in parent.components() {
        dir = descend(place, lease, action, &mut bins, &dir, part).await?;
    }
    let taken = bins.entry(dir.clone()).or_default();
    let free = candidates(name.as_bytes()).find(|candidate| !taken.contains(candidate.as_bytes()));
    let free = free.ok_or_else(|| Error::new(Code::Storage, action, path).because("the trash holds too many of it"))?;
    taken.insert(free.as_bytes().to_vec());
    Ok(dir.join(&free))
}

/// Makes the directories that lead to what is kept out of sight, as far as they are missing.
pub(super) async fn make_way(place: &Place, lease: &mut Lease, action: &'static str, path: &RelPath) -> Result<()> {
    let mut bins = place.bins.0.lock().await;
    for dir in kept::way(path) {
        if !enter(place, lease, action, &mut bins, &dir).await? {
            return Err(Error::new(Code::Storage, action, &dir).because("it is no directory"));
        }
    }
    Ok(())
}

/// Removes a file that is kept out of sight.
pub(super) async fn remove_kept(place: &Arc<Place>, path: &RelPath) -> Result<()> {
    kept::check_removed(path)?;
    sayable(REMOVE, path)?;
    let remove = || async {
        let mut lease = place.server.take().await?;
        Ok::<_, Refusal>(remove_file(place, &mut lease, REMOVE, path).await?)
    };
    place.server.traffic.send(Repeat::Safe, remove).await
}

async fn remove_file(place: &Place, lease: &mut Lease, action: &'static str, path: &RelPath) -> Result<()> {
    let reply = lease.ask(action, "DELE", Some(&place.base.of(path))).await?;
    if !reply.is_done() && lease.stat(action, &place.base, path).await?.is_some() {
        return Err(reply.error(action, path));
    }
    Ok(())
}

/// `name`, `name.1`, …
fn candidates(name: &[u8]) -> impl Iterator<Item = Name> {
    (0..MOST).filter_map(move |number| {
        let suffix = if number == 0 { String::new() } else { format!(".{number}") };
        let cut = name.len().min(255 - suffix.len());
        Name::new(&[&name[..cut], suffix.as_bytes()].concat())
    })
}

/// The directory of that name in a directory of the trash; another name where a file has this one.
async fn descend(
    place: &Place,
    lease: &mut Lease,
    action: &'static str,
    bins: &mut HashMap<RelPath, HashSet<Vec<u8>>>,
    above: &RelPath,
    part: &[u8],
) -> Result<RelPath> {
    for candidate in candidates(part) {
        let dir = above.join(&candidate);
        if enter(place, lease, action, bins, &dir).await? {
            return Ok(dir);
        }
    }
    Err(Error::new(Code::Storage, action, above).because("the trash holds too many of one name"))
}

/// Whether this is a directory of the trash now, made where it was missing.
async fn enter(
    place: &Place,
    lease: &mut Lease,
    action: &'static str,
    bins: &mut HashMap<RelPath, HashSet<Vec<u8>>>,
    dir: &RelPath,
) -> Result<bool> {
    if bins.contains_key(dir) {
        return Ok(true);
    }
    let names = match lease.look(action, &place.base, dir).await? {
        Look::There(node) if node.kind == Kind::Dir => match lease.list(&place.base, dir).await? {
            Seen::All(items) => items.into_iter().map(|item| item.name.as_bytes().to_vec()).collect(),
            Seen::Some(_, error) => return Err(error),
            Seen::Refused(reply) => return Err(reply.error(action, dir)),
        },
        Look::There(_) => return Ok(false),
        Look::Refused(_) => {
            let reply = lease.ask(action, "MKD", Some(&place.base.of(dir))).await?;
            if !reply.is_done() {
                return Err(reply.error(action, dir));
            }
            HashSet::new()
        }
    };
    if let (Some(above), Some(name)) = (dir.parent(), dir.name()) {
        bins.entry(above).or_default().insert(name.as_bytes().to_vec());
    }
    bins.insert(dir.clone(), names);
    Ok(true)
}

impl Bins {
    /// Looks again next time.
    pub(super) async fn forget(&self) {
        self.0.lock().await.clear();
    }
}

/// An empty directory is not worth keeping. What earlier runs left in it under temporary names is: a crash may have
/// stopped a move half-way.
async fn remove_empty(
    place: &Place,
    lease: &mut Lease,
    action: &'static str,
    path: &RelPath,
    label: &str,
) -> Result<()> {
    let full = || stale(action, path, "it is not empty");
    let items = items(place, lease, action, path).await?;
    if items.iter().any(|item| !item.name.as_bytes().starts_with(TEMP_PREFIX)) {
        return Err(full());
    }
    for item in items {
        let leftover = path.join(&item.name);
        // What is hidden is listed without its time where that costs a command.
        if let Look::There(node) = lease.look(action, &place.base, &leftover).await? {
            let kept = bin(place, lease, action, label, &leftover).await?;
            move_aside(place, lease, action, (&leftover, &kept), &node).await?;
        }
    }
    remove_dir(place, lease, action, path).await
}

async fn remove_dir(place: &Place, lease: &mut Lease, action: &'static str, path: &RelPath) -> Result<()> {
    match lease.ask(action, "RMD", Some(&place.base.of(path))).await {
        Ok(reply) if reply.is_done() => Ok(()),
        Ok(reply) => match lease.stat(action, &place.base, path).await? {
            None => Ok(()),
            Some(_) => match lease.list(&place.base, path).await? {
                Seen::All(items) if items.is_empty() => Err(reply.error(action, path)),
                Seen::All(_) | Seen::Some(..) => Err(stale(action, path, "it is not empty")),
                Seen::Refused(_) => Err(reply.error(action, path)),
            },
        },
        Err(error) => {
            lease.reconnect().await.map_err(|_| error.clone())?;
            let is_gone = matches!(lease.stat(action, &place.base, path).await, Ok(None));
            if is_gone { Ok(()) } else { Err(error) }
        }
    }
}

async fn items(place: &Place, lease: &mut Lease, action: &'static str, dir: &RelPath) -> Result<Vec<Item>> {
    match lease.list(&place.base, dir).await? {
        Seen::All(items) => Ok(items),
        Seen::Some(_, error) => Err(error),
        Seen::Refused(reply) => Err(reply.error(action, dir)),
    }
}

/// Removes the labels that have not been added to since `older_than`.
pub(super) async fn empty(place: &Arc<Place>, older_than: Timestamp) -> Result<u64> {
    let action = "empty the trash of";
    let Some(dir) = RelPath::parse(&[RESERVED_DIR, b"/", DIR].concat()) else { return Ok(0) };
    let mut lease = place.server.take().await?;
    place.bins.forget().await;
    let Look::There(_) = lease.look(action, &place.base, &dir).await? else {
        return match lease.stat(action, &place.base, &dir).await? {
            None => Ok(0),
            Some(_) => Err(Error::new(Code::Permission, action, &dir).because("it cannot be looked at")),
        };
    };
    let margin = if place.server.features().mlst { 0 } else { ROUGHLY };
    let is_old = |item: &Item| item.about.is_some_and(|at| at.secs.saturating_add(margin) < older_than.secs);
    let (mut removed, mut first) = (0, None);
    for label in items(place, &mut lease, action, &dir).await?.iter().filter(|item| is_old(item)) {
        if let Err(error) =
            remove(place, &mut lease, action, dir.join(&label.name), label.node.kind, &mut removed).await
        {
            first.get_or_insert(error);
            lease.reconnect().await?;
        }
    }
    place.bins.forget().await;
    first.map_or(Ok(removed), Err)
}

/// Removes an item with all that it holds, going on after a failure.
fn remove<'a>(
    place: &'a Place,
    lease: &'a mut Lease,
    action: &'static str,
    path: RelPath,
    kind: Kind,
    removed: &'a mut u64,
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
    Box::pin(async move {
        if kind != Kind::Dir {
            remove_file(place, lease, action, &path).await?;
            *removed += 1;
            return Ok(());
        }
        let mut outcome = Ok(());
        for item in items(place, lease, action, &path).await? {
            let inside = remove(place, lease, action, path.join(&item.name), item.node.kind, removed).await;
            outcome = outcome.and(inside);
        }
        outcome?;
        remove_dir(place, lease, action, &path).await
    })
}
