//! The trash of a root: `.portbook/trash/LABEL/PATH` (decisions 19).
//!
//! Items are moved there, directories as well: a server removes a directory with whatever somebody put into it meanwhile,
//! and what is in the trash can be had back.

use futures_util::{StreamExt as _, stream};

use super::change::Way;
use super::condition::{check, not_reserved, stale};
use super::multistatus::Props;
use super::server::Server;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, RelPath, Timestamp};
use crate::provider::kept::{self, KEEP};
use crate::provider::{Move, RESERVED_DIR, TEMP_PREFIX, Trash};

const DIR: &[u8] = b"trash";
/// How many items of one path a label can hold.
const MOST: u32 = 10_000;
const TRASH: &str = "move to the trash";

/// Moves one item to the trash; `now` is what is there.
pub(super) async fn trash(server: &Server, item: &Trash, now: Option<Node>) -> Result<()> {
    let path = &item.path;
    not_reserved(TRASH, path)?;
    check(TRASH, path, &item.expect, now.as_ref())?;
    let Some(now) = now else { return Ok(()) };
    if now.kind == Kind::Dir {
        empty_but_for_leftovers(server, path, &item.label).await?;
    }
    into_bin(server, TRASH, "MOVE", (path, now.kind == Kind::Dir, Some(&now)), (&item.label, path)).await.map(|_| ())
}

/// Keeps a version that is about to be replaced. It is copied, so that its name is never missing; answers where it is.
pub(super) async fn archive(server: &Server, action: &'static str, path: &RelPath, label: &str) -> Result<RelPath> {
    into_bin(server, action, "COPY", (path, false, None), (label, path)).await
}

/// What earlier runs left under temporary names goes to the trash: a crash may have stopped a swap half-way.
async fn empty_but_for_leftovers(server: &Server, path: &RelPath, label: &str) -> Result<()> {
    let Some(found) = server.propfind(path, true, 1).await? else { return Err(stale(TRASH, path, "it is gone")) };
    if let Some(trouble) = found.trouble {
        return Err(trouble);
    }
    if found.children.iter().any(|(name, _)| !name.as_bytes().starts_with(TEMP_PREFIX)) {
        return Err(stale(TRASH, path, "it is not empty"));
    }
    for (name, props) in found.children {
        let whole = path.join(&name);
        into_bin(server, TRASH, "MOVE", (&whole, props.is_collection, None), (label, &whole)).await?;
    }
    Ok(())
}

/// Puts an item into its directory of the trash under the first name that is free.
async fn into_bin(
    server: &Server,
    action: &'static str,
    method: &'static str,
    (from, is_dir, gone): (&RelPath, bool, Option<&Node>),
    (label, path): (&str, &RelPath),
) -> Result<RelPath> {
    let Some(name) = path.name() else { return Err(stale(action, path, "this is the root itself")) };
    let mut is_fresh = false;
    for number in 0..MOST {
        let mut bin = bin(server, action, path, label).await?;
        let candidate = numbered(&name, number);
        loop {
            let to = bin.join(&candidate);
            let way = Way { gone, ..Way::new(action, from, &to, is_dir) };
            match server.relocate(method, &way).await {
                Ok(()) => return Ok(to),
                // Somebody emptied the trash.
                Err(e) if e.code() == Code::NotFound && !is_fresh => {
                    is_fresh = true;
                    server.bins.lock().await.clear();
                    bin = self::bin(server, action, path, label).await?;
                }
                Err(e) if e.is_retryable() => return Err(e),
                // Either the name in the trash is taken, which servers say in many ways, or it cannot be.
                Err(e) => match server.look_at(&to).await? {
                    Some(_) => break,
                    None => return Err(e),
                },
            }
        }
    }
    Err(Error::new(Code::Storage, action, path).because("the trash is full of this name"))
}

/// Moves a file out of sight or back.
pub(super) async fn move_kept(server: &Server, item: &Move) -> Result<Node> {
    kept::check(item)?;
    let now = server.look_at(&item.from).await?;
    check(KEEP, &item.from, &item.expect, now.as_ref())?;
    let Some(old) = now else { return Err(stale(KEEP, &item.from, "it is gone")) };
    if old.kind != Kind::File {
        return Err(kept::no_file(&item.from));
    }
    let parent = item.to.parent().unwrap_or_default();
    let way = Way { gone: Some(&old), ..Way::new(KEEP, &item.from, &item.to, false) };
    if kept::is_kept(&item.to) {
        enter_all(server, KEEP, parent.components()).await?;
    }
    match server.relocate("MOVE", &way).await {
        // Somebody removed what is kept.
        Err(e) if e.code() == Code::NotFound && kept::is_kept(&item.to) => {
            server.bins.lock().await.clear();
            enter_all(server, KEEP, parent.components()).await?;
            server.relocate("MOVE", &way).await?;
        }
        other => other?,
    }
    let there = server.look_at(&item.to).await?.filter(|there| there.token.size == old.token.size);
    there.ok_or_else(|| stale(KEEP, &item.to, "something else is there by now"))
}

fn numbered(name: &Name, number: u32) -> Name {
    let suffix = if number == 0 { String::new() } else { format!(".{number}") };
    let cut = name.as_bytes().len().min(255 - suffix.len());
    let short = String::from_utf8_lossy(&name.as_bytes()[..cut]).trim_end_matches('\u{fffd}').to_owned();
    match number {
        0 => name.clone(),
        _ => Name::new(format!("{short}{suffix}").as_bytes()).unwrap_or_else(|| name.clone()),
    }
}

/// The directory in the trash that an item of this path goes to; what is missing of it is made.
async fn bin(server: &Server, action: &'static str, path: &RelPath, label: &str) -> Result<RelPath> {
    let unusable = || Error::new(Code::Invalid, action, path).because("the label of the trash is no name");
    let label = Name::new(label.as_bytes()).ok_or_else(unusable)?;
    let parent = path.parent().unwrap_or_default();
    let parts = [RESERVED_DIR, DIR, label.as_bytes()].into_iter().chain(parent.components());
    enter_all(server, action, parts).await
}

/// Goes down these directories of the engine's own; those that are missing are made.
async fn enter_all<'a>(
    server: &Server,
    action: &'static str,
    parts: impl Iterator<Item = &'a [u8]>,
) -> Result<RelPath> {
    // One at a time: two items of one directory make it once.
    let mut bins = server.bins.lock().await;
    let mut wanted: Vec<u8> = Vec::new();
    let mut here = RelPath::root();
    for part in parts {
        wanted.extend_from_slice(part);
        wanted.push(b'/');
        here = match bins.get(&wanted) {
            Some(known) => known.clone(),
            None => {
                let made = enter(server, action, &here, part).await?;
                bins.insert(wanted.clone(), made.clone());
                made
            }
        };
    }
    Ok(here)
}

/// Makes a directory of the trash, or finds it. A file of the same run may have its name, when a directory took the place
/// of a file: then it gets the first name that is free or a directory's.
async fn enter(server: &Server, action: &'static str, above: &RelPath, part: &[u8]) -> Result<RelPath> {
    let Some(name) = Name::new(part) else { return Err(stale(action, above, "this is no name")) };
    for number in 0..MOST {
        let candidate = above.join(&numbered(&name, number));
        // Looking goes first: there are servers that make what is there already, and say so.
        match server.look_at(&candidate).await? {
            Some(there) if there.kind == Kind::Dir => return Ok(candidate),
            Some(_) => continue,
            None => {}
        }
        match server.make_dir(action, &candidate).await {
            Ok(()) => return Ok(candidate),
            Err(e) if e.code() == Code::Stale => match server.look_at(&candidate).await? {
                Some(there) if there.kind == Kind::Dir => return Ok(candidate),
                Some(_) | None => {}
            },
            Err(e) => return Err(e),
        }
    }
    Err(Error::new(Code::Storage, action, above).because("the trash is full of this name"))
}

/// Removes the labels that have not been added to since `older_than`.
pub(super) async fn empty(server: &Server, older_than: Timestamp) -> Result<u64> {
    let action = "empty the trash of";
    let Some(trash) = RelPath::parse(&[RESERVED_DIR, b"/", DIR].concat()) else { return Ok(0) };
    let Some(found) = server.propfind(&trash, true, 1).await? else { return Ok(0) };
    // Of a directory without a time nobody knows how old it is.
    let old = |at: Option<Timestamp>| at.is_some_and(|at| at < older_than);
    let labels = found.children.into_iter().filter(|(_, props)| old(props.modified));
    let mut first = found.trouble;
    let mut removed = 0;
    server.bins.lock().await.clear();
    for (name, props) in labels {
        let label = trash.join(&name);
        let emptied = remove(server, action, &label, props.is_collection);
        match emptied.await {
            Ok(files) => removed += files,
            Err(e) => drop(first.get_or_insert(e)),
        }
    }
    first.map_or(Ok(removed), Err)
}

/// Removes an item with all that it holds; answers how many files that were.
async fn remove(server: &Server, action: &'static str, path: &RelPath, is_dir: bool) -> Result<u64> {
    let mut held = if is_dir { walk(server, path.clone(), |_, _| true).await? } else { Vec::new() };
    let files = held.iter().filter(|(_, node)| node.kind != Kind::Dir).count() as u64;
    match server.delete(action, path, is_dir).await {
        Ok(()) => return Ok(if is_dir { files } else { 1 }),
        Err(e) if !is_dir => return Err(e),
        // There are servers that remove no directory while there is something in it.
        Err(_) => {}
    }
    held.sort_by_key(|(path, _)| std::cmp::Reverse(path.depth()));
    for (path, node) in held {
        server.delete(action, &path, node.kind == Kind::Dir).await?;
    }
    // All that was listed is gone. What is left unlisted is seen another time.
    let _ = server.delete(action, path, true).await;
    Ok(files)
}

/// Everything that is `wanted` in a directory at any depth.
pub(super) async fn walk(
    server: &Server,
    from: RelPath,
    wanted: impl Fn(&Name, &Props) -> bool,
) -> Result<Vec<(RelPath, Node)>> {
    let mut all = Vec::new();
    let mut level = vec![from];
    while !level.is_empty() {
        let looks = stream::iter(std::mem::take(&mut level))
            .map(|dir| async move { (server.propfind(&dir, true, 1).await, dir) })
            .buffer_unordered(server.width());
        for (found, dir) in looks.collect::<Vec<_>>().await {
            // What lies in a directory that is gone or may not be read is not found.
            let found = match found {
                Ok(found) => found.unwrap_or_default(),
                Err(e) if e.code() == Code::Permission => continue,
                Err(e) => return Err(e),
            };
            for (name, props) in found.children {
                let path = dir.join(&name);
                if props.is_collection && name.as_bytes() != RESERVED_DIR {
                    level.push(path.clone());
                }
                if wanted(&name, &props) {
                    all.push((path, server.node(&props)));
                }
            }
        }
    }
    Ok(all)
}
