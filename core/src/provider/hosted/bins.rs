//! The trash of a root: `.portbook/trash/LABEL/PATH`.
//!
//! Hosts say nothing of the times of directories, so a label holds a file whose name says since when it is there.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::Mutex;

use super::HostFiles;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, RelPath, Timestamp};
use crate::provider::{RESERVED_DIR, TEMP_PREFIX, kept};

const DIR: &[u8] = b"trash";
/// Followed by the seconds since 1970.
const SINCE: &str = "since-";
/// How many items of one path a label can hold.
const MOST: u32 = 10_000;
const EMPTY: &str = "empty the trash of";

/// The directories of the trash that are known, with the names that are taken in them.
#[derive(Default)]
pub(super) struct Bins(Mutex<HashMap<RelPath, HashSet<Vec<u8>>>>);

impl Bins {
    /// Looks again next time.
    pub(super) async fn forget(&self) {
        self.0.lock().await.clear();
    }
}

type Known = HashMap<RelPath, HashSet<Vec<u8>>>;

/// A free path in the trash for an item, whose directories are there.
pub(super) async fn bin(
    files: &Arc<dyn HostFiles>,
    bins: &Bins,
    action: &'static str,
    label: &str,
    path: &RelPath,
) -> Result<RelPath> {
    let unusable = || Error::new(Code::Invalid, action, label.escape_debug()).because("no usable label");
    let mut known = bins.0.lock().await;
    let mut dir = RelPath::root();
    for part in [RESERVED_DIR, DIR, label.as_bytes()] {
        dir = dir.join(&Name::new(part).ok_or_else(unusable)?);
        if !enter(files, action, &mut known, &dir).await? {
            return Err(Error::new(Code::Storage, action, &dir).because("it is no directory"));
        }
    }
    date(files, &mut known, &dir).await?;
    for part in path.parent().unwrap_or_default().components() {
        dir = descend(files, action, &mut known, &dir, part).await?;
    }
    let name = path.name().ok_or_else(|| Error::new(Code::Invalid, action, path).because("this is the root itself"))?;
    let taken = known.entry(dir.clone()).or_default();
    let free = candidates(name.as_bytes()).find(|candidate| !taken.contains(candidate.as_bytes()));
    let free = free.ok_or_else(|| Error::new(Code::Storage, action, path).because("the trash holds too many of it"))?;
    taken.insert(free.as_bytes().to_vec());
    Ok(dir.join(&free))
}

/// Makes the directories that lead to what is kept out of sight, as far as they are missing.
pub(super) async fn make_way(files: &Arc<dyn HostFiles>, action: &'static str, path: &RelPath) -> Result<()> {
    let mut known = Known::new();
    for dir in kept::way(path) {
        if !enter(files, action, &mut known, &dir).await? {
            return Err(Error::new(Code::Storage, action, &dir).because("it is no directory"));
        }
    }
    Ok(())
}

/// `name`, `name.1`, …
fn candidates(name: &[u8]) -> impl Iterator<Item = Name> {
    (0..MOST).filter_map(move |number| {
        let suffix = if number == 0 { String::new() } else { format!(".{number}") };
        let text = String::from_utf8_lossy(name);
        let mut cut = text.len().min(255 - suffix.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        Name::new(format!("{}{suffix}", &text[..cut]).as_bytes())
    })
}

/// The directory of that name in a directory of the trash; another name where a file has this one.
async fn descend(
    files: &Arc<dyn HostFiles>,
    action: &'static str,
    known: &mut Known,
    above: &RelPath,
    part: &[u8],
) -> Result<RelPath> {
    for candidate in candidates(part) {
        let dir = above.join(&candidate);
        if enter(files, action, known, &dir).await? {
            return Ok(dir);
        }
    }
    Err(Error::new(Code::Storage, action, above).because("the trash holds too many of one name"))
}

/// Whether this is a directory now, made where it was missing.
async fn enter(files: &Arc<dyn HostFiles>, action: &'static str, known: &mut Known, dir: &RelPath) -> Result<bool> {
    if known.contains_key(dir) {
        return Ok(true);
    }
    let names = match files.look(dir).await? {
        Some(node) if node.kind == Kind::Dir => {
            let items = files.list(dir).await?.unwrap_or_default();
            items.into_iter().map(|item| item.name.as_bytes().to_vec()).collect()
        }
        Some(_) => return Ok(false),
        None => {
            let made = files.make_dir(dir).await;
            // Somebody else may have been faster.
            if let Err(error) = made
                && !matches!(files.look(dir).await, Ok(Some(node)) if node.kind == Kind::Dir)
            {
                return Err(error.and_because(action));
            }
            HashSet::new()
        }
    };
    if let (Some(above), Some(name)) = (dir.parent(), dir.name()) {
        known.entry(above).or_default().insert(name.as_bytes().to_vec());
    }
    known.insert(dir.clone(), names);
    Ok(true)
}

fn since(name: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(name.strip_prefix(TEMP_PREFIX)?).ok()?;
    text.strip_prefix(SINCE)?.parse().ok()
}

/// Writes down since when a label is there, unless that is known.
async fn date(files: &Arc<dyn HostFiles>, known: &mut Known, label: &RelPath) -> Result<()> {
    let names = known.entry(label.clone()).or_default();
    if names.iter().any(|name| since(name).is_some()) {
        return Ok(());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let name = [TEMP_PREFIX, format!("{SINCE}{now}").as_bytes()].concat();
    let Some(mark) = Name::new(&name) else { return Ok(()) };
    files.write(&label.join(&mark), 0, Bytes::new()).await?;
    names.insert(name);
    Ok(())
}

/// Removes the labels that are there since before `older_than`.
pub(super) async fn empty(files: &Arc<dyn HostFiles>, bins: &Bins, older_than: Timestamp) -> Result<u64> {
    let Some(trash) = RelPath::parse(&[RESERVED_DIR, b"/", DIR].concat()) else { return Ok(0) };
    let mut known = bins.0.lock().await;
    known.clear();
    let (mut removed, mut first) = (0, None);
    for label in files.list(&trash).await?.unwrap_or_default() {
        let dir = trash.join(&label.name);
        if label.node.kind != Kind::Dir || !enter(files, EMPTY, &mut known, &dir).await? {
            continue;
        }
        let begun = known.get(&dir).and_then(|names| names.iter().find_map(|name| since(name)));
        let outcome = match begun {
            Some(begun) if begun < older_than.secs => remove(files, dir, &mut removed).await,
            Some(_) => Ok(()),
            // A crash left it without its mark: its time begins now.
            None => date(files, &mut known, &dir).await,
        };
        if let Err(error) = outcome {
            first.get_or_insert(error);
        }
    }
    known.clear();
    first.map_or(Ok(removed), Err)
}

/// Removes a directory with all that it holds, going on after a failure. Counts what people put there.
fn remove<'a>(
    files: &'a Arc<dyn HostFiles>,
    dir: RelPath,
    removed: &'a mut u64,
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
    Box::pin(async move {
        let mut outcome = Ok(());
        let mut marks = Vec::new();
        for item in files.list(&dir).await?.unwrap_or_default() {
            let path = dir.join(&item.name);
            let gone = match item.node.kind {
                Kind::Dir => remove(files, path, removed).await,
                _ if since(item.name.as_bytes()).is_some() => {
                    marks.push(path);
                    Ok(())
                }
                _ => files.remove(&path).await.inspect(|()| *removed += 1),
            };
            outcome = outcome.and(gone);
        }
        outcome?;
        // The mark goes last: what is left keeps its time.
        for mark in marks {
            files.remove(&mark).await?;
        }
        files.remove(&dir).await
    })
}
