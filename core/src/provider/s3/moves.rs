//! Directories and moves. A move is a copy by the server and a removal: not atomic. It copies everything first and removes
//! only what it has copied, in the version that it has copied; a failure until then takes the copies back.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use super::key::{not_in_reserved, not_reserved};
use super::list::{GONE, TAKEN, compare, dir_node, file_node, stale};
use super::page::{Ask, MOST, Object};
use super::request::Client;
use super::trash::keep_dirs;
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Node, RelPath};
use crate::provider::kept::{self, KEEP, REMOVE};
use crate::provider::{Move, is_reserved};

const MAKE: &str = "make the directory";
const MOVE: &str = "move";

/// Makes directories, parents before children.
pub(super) async fn make_dirs(client: &Client, dirs: &[RelPath]) -> Vec<Result<Node>> {
    let mut results: Vec<Result<Node>> = dirs.iter().map(|_| Ok(dir_node())).collect();
    let mut rounds: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, dir) in dirs.iter().enumerate() {
        rounds.entry(dir.depth()).or_default().push(index);
    }
    for indexes in rounds.into_values() {
        let one = |index: usize| async move { (index, make_dir(client, &dirs[index]).await) };
        let mut done = stream::iter(indexes).map(one).buffer_unordered(client.traffic.most());
        while let Some((index, result)) = done.next().await {
            results[index] = result;
        }
    }
    results
}

async fn make_dir(client: &Client, path: &RelPath) -> Result<Node> {
    not_reserved(MAKE, path)?;
    let key = client.site.dir_key(MAKE, path)?;
    compare(MAKE, path, client.look(MAKE, path).await?, &Expect::Absent)?;
    client.put_marker(path, &key, &Expect::Absent).await
}

/// Moves items, one after the other: a later one may go where an earlier one was.
pub(super) async fn move_items(client: &Client, items: Vec<Move>) -> Vec<Result<Node>> {
    let mut results = Vec::with_capacity(items.len());
    for item in items {
        results.push(move_item(client, &item).await);
    }
    results
}

async fn move_item(client: &Client, item: &Move) -> Result<Node> {
    not_in_reserved(MOVE, &item.from)?;
    not_in_reserved(MOVE, &item.to)?;
    if item.to.is_within(&item.from) {
        return Err(Error::new(Code::Invalid, MOVE, &item.from).because("it cannot go into itself"));
    }
    let old = client.check(MOVE, &item.from, &item.expect).await?.ok_or_else(|| stale(MOVE, &item.from, GONE))?;
    if client.look(MOVE, &item.to).await?.is_some() {
        return Err(stale(MOVE, &item.to, TAKEN));
    }
    // A directory that this leaves empty stays.
    for kept in keep_dirs(client, std::slice::from_ref(&item.from)).await.into_values() {
        kept?;
    }
    if old.kind == Kind::Dir {
        return move_dir(client, item).await;
    }
    move_file(client, MOVE, item, &old).await
}

async fn move_file(client: &Client, action: &'static str, item: &Move, old: &Node) -> Result<Node> {
    let (from, to) = (client.site.key(action, &item.from)?, client.site.key(action, &item.to)?);
    let copied = client.copy(action, &item.from, &from, &to, old).await?;
    if let Err(e) = client.remove(action, &item.from, &from, old).await {
        if e.code() == Code::Stale {
            client.remove(action, &item.to, &to, &copied).await?;
        }
        return Err(e);
    }
    Ok(copied)
}

/// Moves a file out of sight or back. Directories out of sight need no marker.
pub(super) async fn move_kept(client: &Client, item: &Move) -> Result<Node> {
    kept::check(item)?;
    let old = client.check(KEEP, &item.from, &item.expect).await?.ok_or_else(|| stale(KEEP, &item.from, GONE))?;
    if old.kind != Kind::File {
        return Err(kept::no_file(&item.from));
    }
    if client.look(KEEP, &item.to).await?.is_some() {
        return Err(stale(KEEP, &item.to, TAKEN));
    }
    if !item.from.components().any(is_reserved) {
        for stays in keep_dirs(client, std::slice::from_ref(&item.from)).await.into_values() {
            stays?;
        }
    }
    move_file(client, KEEP, item, &old).await
}

pub(super) async fn remove_kept(client: &Client, path: &RelPath) -> Result<()> {
    kept::check_removed(path)?;
    client.delete(REMOVE, path, &client.site.key(REMOVE, path)?).await
}

/// An object of a directory that moves, and where it is by now.
struct Moved {
    from: String,
    to: String,
    old: Node,
    copied: Node,
}

async fn move_dir(client: &Client, item: &Move) -> Result<Node> {
    let (from, to) = (client.site.dir_key(MOVE, &item.from)?, client.site.dir_key(MOVE, &item.to)?);
    let subject = item.from.to_string();
    let ask = Ask { action: MOVE, subject: &subject, prefix: &from, is_shallow: false, most: MOST };
    let page = client.all(&ask).await?;
    if !page.unreadable.is_empty() {
        let error = Error::new(Code::Unsupported, MOVE, &item.from);
        return Err(error.because("it holds keys that cannot be file names"));
    }
    let copy = |object: Object| {
        let new = format!("{to}{}", object.key.strip_prefix(&from).unwrap_or_default());
        async move {
            let old = file_node(object.size, object.revision.as_deref());
            let copied = client.copy(MOVE, &item.from, &object.key, &new, &old).await?;
            Ok::<_, Error>(Moved { from: object.key, to: new, old, copied })
        }
    };
    let copying: Vec<_> = page.objects.into_iter().map(copy).collect();
    let copies: Vec<Result<Moved>> = stream::iter(copying).buffered(client.traffic.most()).collect().await;
    let (mut moved, mut failed) = (Vec::new(), None);
    for copy in copies {
        match copy {
            Ok(copy) => moved.push(copy),
            Err(e) => failed = failed.or(Some(e)),
        }
    }
    if let Some(e) = failed {
        for copy in moved {
            // What was changed there since is somebody's.
            let _ = client.remove(MOVE, &item.to, &copy.to, &copy.copied).await;
        }
        return Err(e);
    }
    // The deepest first; the marker, which is the shortest key, last: until then the directory is there.
    moved.sort_by(|a, b| b.from.cmp(&a.from));
    let remove = |moved: &Moved| {
        let (key, old) = (moved.from.clone(), moved.old.clone());
        async move { client.remove(MOVE, &item.from, &key, &old).await }
    };
    let (markers, files): (Vec<&Moved>, Vec<&Moved>) = moved.iter().partition(|moved| moved.from.ends_with('/'));
    let removing: Vec<_> = files.into_iter().map(remove).collect();
    let mut removed = stream::iter(removing).buffer_unordered(client.traffic.most());
    let mut result = Ok(());
    while let Some(one) = removed.next().await {
        result = result.and(one);
    }
    result?;
    for marker in markers {
        client.delete(MOVE, &item.from, &marker.from).await?;
    }
    Ok(dir_node())
}
