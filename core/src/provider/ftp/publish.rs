//! The changes of names and attributes.
//!
//! FTP has no rename that refuses to overwrite and none that compares first. What is expected is looked at right before,
//! and what was moved aside is looked at again; between the last look and the rename an edit by somebody else can be
//! lost. A rename whose answer was lost is resolved by looking.

use std::collections::BTreeSet;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

use super::Place;
use super::facts::{self, bare};
use super::look::{Look, Names, Seen};
use super::reply::Reply;
use super::root::{Base, check, not_in_reserved, not_reserved, same, sayable, split, stale, temp_path};
use super::server::Lease;
use super::trash;
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, RelPath};
use crate::provider::kept::{self, KEEP};
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::{Move, Publish, TEMP_PREFIX};

const PUBLISH: &str = "put in place";
const MOVE: &str = "move";

impl Lease {
    /// Renames; the server's reply where it refuses. It overwrites on most servers.
    ///
    /// # Errors
    /// `offline`, `timeout`: what became of it could not be found out.
    pub(super) async fn rename(
        &mut self,
        action: &'static str,
        base: &Base,
        from: &RelPath,
        to: &RelPath,
    ) -> Result<std::result::Result<(), Reply>> {
        let reply = self.ask(action, "RNFR", Some(&base.of(from))).await?;
        if reply.code != 350 {
            return Ok(Err(reply));
        }
        let error = match self.ask(action, "RNTO", Some(&base.of(to))).await {
            Ok(reply) if reply.is_done() => return Ok(Ok(())),
            Ok(reply) => return Ok(Err(reply)),
            Err(error) => error,
        };
        if self.reconnect().await.is_err() {
            return Err(error);
        }
        match (self.stat(action, base, from).await, self.stat(action, base, to).await) {
            (Ok(None), Ok(Some(_))) => Ok(Ok(())),
            _ => Err(error),
        }
    }
}

/// What the directories of new items hold, each listed once for a batch.
pub(super) async fn names_beside(place: &Arc<Place>, items: &[Publish]) -> Names {
    let new = items.iter().filter(|item| item.expect == Expect::Absent);
    let dirs: BTreeSet<_> = new.filter_map(|item| item.staged.target.parent()).collect();
    let mut names = Names::default();
    for dir in dirs {
        let listed = place.server.traffic.send(Repeat::Safe, || async {
            let mut lease = place.server.take().await?;
            Ok::<_, Refusal>(lease.list(&place.base, &dir).await?)
        });
        // A directory that could not be listed is asked again for each item.
        if let Ok(Seen::All(items)) = listed.await {
            names.learn(dir, items);
        }
    }
    names
}

/// Publishes one staged item.
pub(super) async fn publish(place: &Arc<Place>, names: &Names, item: &Publish) -> Result<Node> {
    let target = &item.staged.target;
    not_reserved(PUBLISH, target)?;
    let temp = temp_path(PUBLISH, target, &item.staged.tag)?;
    place
        .server
        .traffic
        .send(Repeat::Refused, || async {
            let mut lease = place.server.take().await?;
            let seen = match lease.look(PUBLISH, &place.base, target).await? {
                Look::There(node) => Some(node),
                Look::Refused(_) if names.lacks(target) => None,
                Look::Refused(_) => lease.stat(PUBLISH, &place.base, target).await?,
            };
            check(PUBLISH, target, &item.expect, seen.as_ref())?;
            match seen {
                Some(old) if old.kind == Kind::Dir => {
                    return Err(Refusal::from(stale(PUBLISH, target, "a directory is there")));
                }
                Some(old) => replace(place, &mut lease, item, &temp, &old).await?,
                None => rename_or(place, &mut lease, &temp, target).await?,
            }
            let now = there(place, &mut lease, target).await?;
            if now.kind != Kind::File || now.token.size != item.staged.size {
                return Err(Refusal::from(stale(PUBLISH, target, "it changed at the last moment")));
            }
            Ok(now)
        })
        .await
}

async fn there(place: &Place, lease: &mut Lease, path: &RelPath) -> Result<Node> {
    match lease.look(PUBLISH, &place.base, path).await? {
        Look::There(node) => Ok(node),
        Look::Refused(reply) => Err(reply.error(PUBLISH, path)),
    }
}

/// A rename that has to succeed. What is renamed may be gone: a staged item that was discarded.
async fn rename_or(place: &Place, lease: &mut Lease, from: &RelPath, to: &RelPath) -> Result<()> {
    let Err(reply) = lease.rename(PUBLISH, &place.base, from, to).await? else { return Ok(()) };
    match lease.stat(PUBLISH, &place.base, from).await? {
        None => Err(Error::new(Code::NotFound, PUBLISH, to).because("what was staged is gone")),
        Some(_) => Err(reply.error(PUBLISH, to)),
    }
}

/// Puts the new version over the old one, which goes to the trash if it is to be kept.
async fn replace(place: &Place, lease: &mut Lease, item: &Publish, temp: &RelPath, old: &Node) -> Result<()> {
    let target = &item.staged.target;
    // The old version is touched only when the new one is there.
    there(place, lease, temp).await?;
    let aside = match &item.archive {
        Some(label) => trash::bin(place, lease, PUBLISH, label, target).await?,
        None => match lease.rename(PUBLISH, &place.base, temp, target).await? {
            Ok(()) => return Ok(()),
            // Servers of Windows refuse to overwrite. For a moment neither version has the name.
            Err(reply) if matches!(reply.code, 450 | 521 | 550 | 553) => aside(PUBLISH, target, &item.staged.tag)?,
            Err(reply) => return Err(reply.error(PUBLISH, target)),
        },
    };
    trash::move_aside(place, lease, PUBLISH, (target, &aside), old).await?;
    if let Err(error) = rename_or(place, lease, temp, target).await {
        // The old version goes back, unless something has its name by now.
        // What cannot be put back stays where it was kept.
        if lease.reconnect().await.is_ok() && matches!(lease.stat(PUBLISH, &place.base, target).await, Ok(None)) {
            let _ = lease.rename(PUBLISH, &place.base, &aside, target).await;
        }
        return Err(error);
    }
    if item.archive.is_none() {
        // The new version is in place; what cannot be removed now is hidden from every listing.
        let _ = lease.ask(PUBLISH, "DELE", Some(&place.base.of(&aside))).await;
    }
    Ok(())
}

/// The hidden name of a version that is about to be removed.
fn aside(action: &'static str, target: &RelPath, tag: &str) -> Result<RelPath> {
    temp_path(action, target, &format!("{tag}-old")).or_else(|_| {
        let (parent, _) = split(action, target)?;
        let hash = blake3::hash(tag.as_bytes()).to_hex();
        let name = Name::new(&[TEMP_PREFIX, hash.as_bytes()].concat());
        name.map(|name| parent.join(&name)).ok_or_else(|| Error::new(Code::Internal, action, target))
    })
}

pub(super) async fn make_dir(place: &Arc<Place>, path: &RelPath) -> Result<Node> {
    let action = "make the directory";
    not_reserved(action, path)?;
    place
        .server
        .traffic
        .send(Repeat::Refused, || async {
            let mut lease = place.server.take().await?;
            // Some servers say of a directory that was there that they have made it.
            if let Look::There(_) = lease.look(action, &place.base, path).await? {
                return Err(Refusal::from(stale(action, path, "something is there by now")));
            }
            match lease.ask(action, "MKD", Some(&place.base.of(path))).await {
                Ok(reply) if reply.is_done() => {}
                Ok(reply) => {
                    return Err(match lease.stat(action, &place.base, path).await? {
                        Some(_) => stale(action, path, "something is there by now"),
                        None => reply.error(action, path),
                    }
                    .into());
                }
                Err(error) => {
                    // It was not there a moment ago: if it is now, it was made.
                    lease.reconnect().await.map_err(|_| error.clone())?;
                    match lease.look(action, &place.base, path).await {
                        Ok(Look::There(node)) if node.kind == Kind::Dir => {}
                        Ok(_) | Err(_) => return Err(error.into()),
                    }
                }
            }
            Ok(bare(Kind::Dir))
        })
        .await
}

pub(super) async fn move_item(place: &Arc<Place>, item: &Move) -> Result<Node> {
    not_in_reserved(MOVE, &item.from)?;
    not_in_reserved(MOVE, &item.to)?;
    move_checked(place, MOVE, item).await
}

/// Moves a file out of sight or back.
pub(super) async fn move_kept(place: &Arc<Place>, item: &Move) -> Result<Node> {
    kept::check(item)?;
    sayable(KEEP, &item.from)?;
    sayable(KEEP, &item.to)?;
    move_checked(place, KEEP, item).await
}

async fn move_checked(place: &Arc<Place>, action: &'static str, item: &Move) -> Result<Node> {
    place
        .server
        .traffic
        .send(Repeat::Refused, || async {
            let mut lease = place.server.take().await?;
            if kept::is_kept(&item.to) {
                trash::make_way(place, &mut lease, action, &item.to).await?;
            }
            let seen = lease.stat(action, &place.base, &item.from).await?;
            check(action, &item.from, &item.expect, seen.as_ref())?;
            let Some(old) = seen else { return Err(Refusal::from(stale(action, &item.from, "it is gone"))) };
            let is_taken = lease.stat(action, &place.base, &item.to).await?.is_some();
            if is_taken {
                let through = item.through.as_ref().filter(|_| folds(place, item));
                let Some(temp) = through else {
                    return Err(Refusal::from(stale(action, &item.to, "something is there by now")));
                };
                let temp = split(action, &item.to)?.0.join(temp);
                moved(place, &mut lease, (&item.from, &temp)).await?;
                if let Err(error) = moved(place, &mut lease, (&temp, &item.to)).await {
                    moved(place, &mut lease, (&temp, &item.from)).await?;
                    return Err(error.into());
                }
            } else {
                moved(place, &mut lease, (&item.from, &item.to)).await?;
            }
            match lease.look(action, &place.base, &item.to).await? {
                Look::There(now) if same(&old, &now) => Ok(now),
                Look::There(_) | Look::Refused(_) => {
                    Err(Refusal::from(stale(action, &item.to, "something else is there by now")))
                }
            }
        })
        .await
}

async fn moved(place: &Place, lease: &mut Lease, (from, to): (&RelPath, &RelPath)) -> Result<()> {
    let Err(reply) = lease.rename(MOVE, &place.base, from, to).await? else { return Ok(()) };
    // A directory that it should go to may have been removed by somebody.
    place.bins.forget().await;
    Err(match lease.stat(MOVE, &place.base, from).await? {
        None => stale(MOVE, from, "it is gone"),
        Some(_) => reply.error(MOVE, from),
    })
}

/// Whether the taken name is the item's own in another case or normal form.
fn folds(place: &Place, item: &Move) -> bool {
    let c = &place.capabilities;
    let folded = |path: &RelPath| {
        let text = String::from_utf8_lossy(path.as_bytes());
        let text = if c.case_insensitive { text.to_lowercase() } else { text.into_owned() };
        if c.unicode_insensitive { text.nfc().collect() } else { text }
    };
    folded(&item.from) == folded(&item.to)
}

pub(super) async fn set_metadata(
    place: &Arc<Place>,
    (path, expect, metadata): &(RelPath, Expect, Metadata),
) -> Result<Node> {
    let action = "set the attributes of";
    not_reserved(action, path)?;
    place
        .server
        .traffic
        .send(Repeat::Safe, || async {
            let mut lease = place.server.take().await?;
            let seen = lease.stat(action, &place.base, path).await?;
            check(action, path, expect, seen.as_ref())?;
            let Some(old) = seen else { return Err(Refusal::from(stale(action, path, "it is gone"))) };
            let wanted = metadata.mtime.filter(|_| place.capabilities.set_mtime && old.kind == Kind::File);
            let Some(text) = wanted.and_then(facts::written) else { return Ok(old) };
            let at = [text.as_bytes(), b" ", &place.base.of(path)].concat();
            let reply = lease.ask(action, "MFMT", Some(&at)).await?;
            if !reply.is_done() {
                return Err(Refusal::from(reply.error(action, path)));
            }
            match lease.look(action, &place.base, path).await? {
                Look::There(now) => Ok(now),
                Look::Refused(reply) => Err(Refusal::from(reply.error(action, path))),
            }
        })
        .await
}
