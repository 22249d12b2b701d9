//! The one moment in which a staged file becomes the item, and the other changes of names and times.
//!
//! A new item is moved with `Overwrite: F`, which a server does as one step. Before a replaced one is moved over it is
//! looked at again; servers that understand a condition on its entity tag are given that as well.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use reqwest::Body;
use reqwest::header::HeaderValue;
use unicode_normalization::UnicodeNormalization as _;

use super::change::Way;
use super::condition::{check, not_in_reserved, not_reserved, stale};
use super::server::{Server, Summed, method};
use super::stage::temp_path;
use super::trash;
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Ident, Kind, Name, Node, RelPath, Timestamp};
use crate::provider::traffic::{Refusal, Repeat};
use crate::provider::web_site::Ask;
use crate::provider::{Move, NativeHash, Publish, TEMP_PREFIX};

const PUBLISH: &str = "put in place";
const MAKE: &str = "make the directory";
const MOVE: &str = "move";
const SET: &str = "set the attributes of";
/// Apache calls tags weak until the second of the change is over.
const GROWN_UP: Duration = Duration::from_millis(1100);

/// Looks at what was just changed. Where young items have weak tags, once more when they are older: what is answered here
/// has to be what a later listing shows.
pub(super) async fn look_settled(server: &Server, paths: &[RelPath]) -> Vec<Result<Option<Node>>> {
    let mut looks = server.look(paths).await;
    let is_weak = |look: &Result<Option<Node>>| match look {
        Ok(Some(node)) => node.token.revision.as_deref().is_some_and(|revision| revision.starts_with(b"W/")),
        Ok(None) | Err(_) => false,
    };
    let weak: Vec<usize> = (0..looks.len()).filter(|index| is_weak(&looks[*index])).collect();
    if weak.is_empty() || server.stays_weak.load(Ordering::Relaxed) {
        return looks;
    }
    tokio::time::sleep(GROWN_UP).await;
    let again: Vec<RelPath> = weak.iter().map(|index| paths[*index].clone()).collect();
    let again = server.look(&again).await;
    if again.iter().all(is_weak) {
        server.stays_weak.store(true, Ordering::Relaxed);
    }
    for (index, look) in weak.into_iter().zip(again) {
        looks[index] = look;
    }
    looks
}

/// Publishes a batch.
pub(super) async fn publish(server: &Server, items: Vec<Publish>) -> Vec<Result<Node>> {
    let count = items.len();
    let temps: Vec<Result<RelPath>> = items.iter().map(temp_of).collect();
    let known = temps.iter().map(|temp| temp.clone().unwrap_or_default());
    let both: Vec<RelPath> = known.chain(items.iter().map(|item| item.staged.target.clone())).collect();
    let mut looks = look_at_staged(server, &both, count).await;
    let targets = looks.split_off(count);
    let work: Vec<_> = items.iter().cloned().zip(temps).zip(looks.into_iter().zip(targets)).collect();
    let placed = stream::iter(work)
        .map(|((item, temp), (staged, now))| async move { place(server, &item, &temp?, staged?, now?).await })
        .buffered(server.width())
        .collect::<Vec<Result<()>>>()
        .await;
    let done: Vec<RelPath> =
        items.iter().zip(&placed).filter(|(_, r)| r.is_ok()).map(|(item, _)| item.staged.target.clone()).collect();
    let mut seen = look_settled(server, &done).await.into_iter();
    let answer = |(item, placed): (&Publish, Result<()>)| {
        placed?;
        let now = seen.next().unwrap_or_else(|| Ok(None))?;
        let path = &item.staged.target;
        match now {
            Some(now) if now.kind == Kind::File && now.token.size == item.staged.size => Ok(now),
            Some(_) | None => Err(stale(PUBLISH, path, "something else is there by now")),
        }
    };
    items.iter().zip(placed).map(answer).collect()
}

/// Looks at temporary files and, after so many, at targets. Where the server says hashes of its own, they are held against
/// what was sent, by the same request.
async fn look_at_staged(server: &Server, paths: &[RelPath], temps: usize) -> Vec<Result<Option<Node>>> {
    let sent: HashMap<RelPath, [NativeHash; 2]> = {
        let mut all = server.sums.lock().await;
        paths.iter().take(temps).filter_map(|path| Some((path.clone(), all.remove(path)?))).collect()
    };
    if sent.is_empty() {
        return server.look(paths).await;
    }
    let looks = server.look_with_sums(paths).await;
    let held = |(path, look): (&RelPath, Result<Option<Summed>>)| {
        let Some((node, said)) = look? else { return Ok(None) };
        let is_other = |said: &NativeHash| {
            let same_kind = |own: &&NativeHash| std::mem::discriminant(*own) == std::mem::discriminant(said);
            sent.get(path).and_then(|own| own.iter().find(same_kind)).is_some_and(|own| own != said)
        };
        if said.iter().any(is_other) {
            return Err(
                Error::new(Code::Storage, PUBLISH, path).because("the server holds something else than was sent")
            );
        }
        Ok(Some(node))
    };
    paths.iter().zip(looks).map(held).collect()
}

fn temp_of(item: &Publish) -> Result<RelPath> {
    not_reserved(PUBLISH, &item.staged.target)?;
    temp_path(PUBLISH, &item.staged.target, &item.staged.tag)
}

/// Puts one item in its place; `staged` and `now` are what is under the temporary name and at the target.
async fn place(server: &Server, item: &Publish, temp: &RelPath, staged: Option<Node>, now: Option<Node>) -> Result<()> {
    let path = &item.staged.target;
    let Some(staged) = staged else { return Err(stale(PUBLISH, path, "what was staged is gone")) };
    if staged.token.size != item.staged.size {
        let why = format!("the server holds {} of its {} bytes", staged.token.size, item.staged.size);
        return Err(Error::new(Code::Storage, PUBLISH, path).because(why));
    }
    check(PUBLISH, path, &item.expect, now.as_ref())?;
    let Some(old) = now else {
        let way = Way::new(PUBLISH, temp, path, false);
        return server.relocate("MOVE", &way).await;
    };
    if old.kind == Kind::Dir {
        return Err(stale(PUBLISH, path, "a directory is there"));
    }
    let kept = match &item.archive {
        Some(label) => Some(trash::archive(server, PUBLISH, path, label).await?),
        None => None,
    };
    let replaced = async {
        // The look at the batch may be seconds old.
        let now = server.look_at(path).await?;
        check(PUBLISH, path, &Expect::Node(old.clone()), now.as_ref())?;
        let way = Way { overwrite: true, replaced: Some(&old), ..Way::new(PUBLISH, temp, path, false) };
        server.replace(&way).await
    };
    let replaced = replaced.await;
    if let (Err(e), Some(kept)) = (&replaced, &kept)
        && !e.is_retryable()
    {
        // The version stands where it stood: its copy is not needed. One that stays is in the trash.
        let _ = server.delete(PUBLISH, kept, false).await;
    }
    replaced
}

/// Makes directories, those of one depth together.
pub(super) async fn make_dirs(server: &Server, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>> {
    let paths: Vec<RelPath> = dirs.into_iter().map(|(path, _)| path).collect();
    let mut made: Vec<Option<Result<Node>>> = paths.iter().map(|_| None).collect();
    let mut new: HashSet<RelPath> = HashSet::new();
    let mut depths: Vec<usize> = paths.iter().map(RelPath::depth).collect();
    depths.sort_unstable();
    depths.dedup();
    for depth in depths {
        let level: Vec<usize> = (0..paths.len()).filter(|index| paths[*index].depth() == depth).collect();
        // In a directory that was made just now there is nothing to look for.
        let is_new = |index: usize| paths[index].parent().is_some_and(|parent| new.contains(&parent));
        let old: Vec<usize> = level.iter().copied().filter(|index| !is_new(*index)).collect();
        let looked: Vec<RelPath> = old.iter().map(|index| paths[*index].clone()).collect();
        let mut looks: HashMap<usize, _> = old.into_iter().zip(server.look(&looked).await).collect();
        let work = level.iter().map(|index| (*index, looks.remove(index).unwrap_or(Ok(None)))).collect::<Vec<_>>();
        let done = stream::iter(work)
            .map(|(index, now)| {
                let path = paths[index].clone();
                async move { (index, make_dir(server, &path, now).await) }
            })
            .buffered(server.width())
            .collect::<Vec<_>>()
            .await;
        for (index, result) in done {
            if result.is_ok() {
                new.insert(paths[index].clone());
            }
            made[index] = Some(result);
        }
    }
    let lost = || Err(Error::new(Code::Internal, MAKE, ""));
    made.into_iter().map(|result| result.unwrap_or_else(lost)).collect()
}

async fn make_dir(server: &Server, path: &RelPath, now: Result<Option<Node>>) -> Result<Node> {
    not_reserved(MAKE, path)?;
    check(MAKE, path, &Expect::Absent, now?.as_ref())?;
    match server.make_dir(MAKE, path).await {
        Ok(()) => {}
        // The answer was lost. A directory that was not there before is as good, whoever made it.
        Err(e) if matches!(e.code(), Code::Timeout | Code::Offline) => {
            let now = server.look_at(path).await?;
            return now.filter(|now| now.kind == Kind::Dir).ok_or(e);
        }
        Err(e) => return Err(e),
    }
    if !server.features().await?.is_owncloud {
        return Ok(Node { kind: Kind::Dir, ident: Ident::None, token: Default::default() });
    }
    server.look_at(path).await?.ok_or_else(|| stale(MAKE, path, "it is gone"))
}

/// Moves a batch.
pub(super) async fn move_items(server: &Server, items: Vec<Move>) -> Vec<Result<Node>> {
    let from: Vec<RelPath> = items.iter().map(|item| item.from.clone()).collect();
    let looks = server.look(&from).await;
    let mut kinds = Vec::with_capacity(items.len());
    // One after the other: an item may go where another has just left.
    for (item, now) in items.iter().zip(looks) {
        kinds.push(move_item(server, item, now).await);
    }
    let done: Vec<RelPath> =
        items.iter().zip(&kinds).filter(|(_, r)| r.is_ok()).map(|(item, _)| item.to.clone()).collect();
    let mut seen = server.look(&done).await.into_iter();
    let answer = |(item, kind): (&Move, Result<Kind>)| {
        let kind = kind?;
        let now = seen.next().unwrap_or_else(|| Ok(None))?;
        now.filter(|now| now.kind == kind).ok_or_else(|| stale(MOVE, &item.to, "something else is there by now"))
    };
    items.iter().zip(kinds).map(answer).collect()
}

async fn move_item(server: &Server, item: &Move, now: Result<Option<Node>>) -> Result<Kind> {
    not_in_reserved(MOVE, &item.from)?;
    not_in_reserved(MOVE, &item.to)?;
    let mut now = now?;
    if check(MOVE, &item.from, &item.expect, now.as_ref()).is_err() {
        // An earlier move of the batch may have brought it there.
        now = server.look_at(&item.from).await?;
        check(MOVE, &item.from, &item.expect, now.as_ref())?;
    }
    let Some(now) = now else { return Err(stale(MOVE, &item.from, "it is gone")) };
    let is_dir = now.kind == Kind::Dir;
    let gone = &now;
    let go = async |from: &RelPath, to: &RelPath| {
        let way = Way { gone: Some(gone), ..Way::new(MOVE, from, to, is_dir) };
        server.relocate("MOVE", &way).await
    };
    let through = item.through.as_ref().filter(|_| fold_together(&item.from, &item.to));
    match (go(&item.from, &item.to).await, through) {
        (Err(e), Some(temp)) if e.code() == Code::Stale && temp.as_bytes().starts_with(TEMP_PREFIX) => {
            let temp = item.to.parent().unwrap_or_default().join(temp);
            go(&item.from, &temp).await?;
            if let Err(e) = go(&temp, &item.to).await {
                go(&temp, &item.from).await?;
                return Err(e);
            }
        }
        (other, _) => other?,
    }
    Ok(now.kind)
}

/// Whether the two names may be one, on a place that folds them.
fn fold_together(from: &RelPath, to: &RelPath) -> bool {
    let folded = |name: Option<Name>| name.map(|name| name.to_string().nfd().collect::<String>().to_lowercase());
    from.parent() == to.parent() && from != to && folded(from.name()) == folded(to.name())
}

/// Sets the modified time of files, where the server can.
pub(super) async fn set_metadata(server: &Server, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>> {
    let paths: Vec<RelPath> = items.iter().map(|(path, ..)| path.clone()).collect();
    let looks = server.look(&paths).await;
    let work: Vec<_> = items.iter().cloned().zip(looks).collect();
    let set = stream::iter(work)
        .map(|((path, expect, metadata), now)| async move { set_one(server, &path, &expect, &metadata, now?).await })
        .buffered(server.width())
        .collect::<Vec<Result<()>>>()
        .await;
    let mut seen = look_settled(server, &paths).await.into_iter();
    let answer = |((path, _, metadata), set): (&(RelPath, Expect, Metadata), Result<()>)| {
        let now = seen.next().unwrap_or_else(|| Ok(None));
        set?;
        let now = now?.ok_or_else(|| stale(SET, path, "it is gone"))?;
        let wanted = metadata.mtime.filter(|_| now.kind == Kind::File).map(|at| at.secs);
        if wanted.is_some() && now.token.mtime.map(|at| at.secs) != wanted {
            return Err(cannot_keep_times(path));
        }
        Ok(now)
    };
    items.iter().zip(set).map(answer).collect()
}

fn cannot_keep_times(path: &RelPath) -> Error {
    Error::new(Code::Unsupported, SET, path).because("the server keeps times of its own")
}

async fn set_one(
    server: &Server,
    path: &RelPath,
    expect: &Expect,
    metadata: &Metadata,
    now: Option<Node>,
) -> Result<()> {
    not_reserved(SET, path)?;
    check(SET, path, expect, now.as_ref())?;
    let Some(now) = now else { return Err(stale(SET, path, "it is gone")) };
    match metadata.mtime {
        Some(at) if now.kind == Kind::File => set_time(server, path, at).await,
        Some(_) | None => Ok(()),
    }
}

/// `lastmodified` in seconds, as Nextcloud, ownCloud and rclone have it.
async fn set_time(server: &Server, path: &RelPath, at: Timestamp) -> Result<()> {
    if !server.features().await?.keeps_times {
        return Err(cannot_keep_times(path));
    }
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><d:propertyupdate xmlns:d=\"DAV:\"><d:set><d:prop>\
         <d:lastmodified>{}</d:lastmodified></d:prop></d:set></d:propertyupdate>",
        at.secs
    );
    let ask = &Ask::new(method("PROPPATCH"), server.address.url(path, false), SET, path)
        .with("content-type", HeaderValue::from_static("application/xml; charset=utf-8"));
    let text = &text;
    let once = || async move {
        let body = || Ok(Some((text.len() as u64, Body::from(text.clone()))));
        let response = server.site.send(ask, body).await?;
        // Whether it was accepted is read back: there are servers that say so and keep it as a mere note.
        if response.status().is_success() { Ok(()) } else { Err::<(), Refusal>(ask.refused(response).await) }
    };
    server.site.traffic.send(Repeat::Safe, once).await
}
