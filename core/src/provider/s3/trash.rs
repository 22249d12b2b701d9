//! The trash of a root: `.portbook/trash/LABEL/PATH`. An item is copied there by the server, and removed where it was when
//! the copy stands. The time of a label is that of its youngest object; each batch leaves one of its own there, since some
//! servers give a copy the time of the file.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt as _, stream};
use tokio::sync::Mutex;

use super::key::not_reserved;
use super::list::{dir_node, stale};
use super::multipart::Upload;
use super::page::{Ask, MOST, Object, Pages};
use super::request::Client;
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, RelPath, Timestamp};
use crate::provider::{RESERVED_DIR, TEMP_PREFIX, Trash};

const TRASH: &str = "move to the trash";
const EMPTY: &str = "empty the trash of";
const DIR: &str = "trash";
/// Uploads that are younger are somebody's.
const ABANDONED: TimeDelta = TimeDelta::days(1);
/// How many items of one path a label can hold.
const MOST_OF_A_NAME: u32 = 10_000;

/// The trash as one batch of items finds and fills it.
pub(super) struct Bin<'c> {
    client: &'c Client,
    /// What each of its directories holds: names, and whether they are directories.
    dirs: Mutex<HashMap<String, HashMap<String, bool>>>,
}

impl<'c> Bin<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self { client, dirs: Mutex::default() }
    }

    /// The key that an item of this path goes to: the first one that is free. A file of the same run may have the name of
    /// a directory, when a directory took its place.
    pub(super) async fn reserve(&self, label: &str, path: &RelPath) -> Result<String> {
        let refuse = |why: &str| Error::new(Code::Invalid, TRASH, path).because(why);
        if Name::new(label.as_bytes()).is_none() {
            return Err(refuse("the label of the trash is no name"));
        }
        let text = std::str::from_utf8(path.as_bytes()).map_err(|_| refuse("its name is not UTF-8"))?;
        let mut dirs = self.dirs.lock().await;
        let mut key = format!("{}{label}/", root_of_trash(&self.client.site.prefix));
        if !dirs.contains_key(&key) {
            self.client.touch_label(path, &key).await?;
        }
        let mut names = text.split('/').peekable();
        while let Some(name) = names.next() {
            let is_dir = names.peek().is_some();
            if !dirs.contains_key(&key) {
                dirs.insert(key.clone(), self.names_in(&key).await?);
            }
            let taken = dirs.entry(key.clone()).or_default();
            let free = first_free(name, |name| match taken.get(name) {
                None => true,
                Some(there_is_dir) => is_dir && *there_is_dir,
            });
            let free = free.ok_or_else(|| refuse("the trash holds too many items of this name"))?;
            taken.insert(free.clone(), is_dir);
            key = format!("{key}{free}{}", if is_dir { "/" } else { "" });
        }
        if key.len() > super::key::LONGEST_KEY {
            return Err(refuse("its key in the trash would have more than 1024 bytes"));
        }
        Ok(key)
    }

    async fn names_in(&self, dir: &str) -> Result<HashMap<String, bool>> {
        let ask = Ask { action: TRASH, subject: dir, prefix: dir, is_shallow: true, most: MOST };
        let page = self.client.all(&ask).await?;
        let name = |key: &str| key.strip_prefix(dir).map(|name| name.trim_end_matches('/').to_owned());
        let files = page.objects.iter().filter_map(|object| Some((name(&object.key)?, false)));
        let dirs = page.prefixes.iter().filter_map(|prefix| Some((name(prefix)?, true)));
        Ok(files.chain(dirs).collect())
    }
}

fn root_of_trash(prefix: &str) -> String {
    format!("{prefix}{}/{DIR}/", String::from_utf8_lossy(RESERVED_DIR))
}

fn first_free(name: &str, is_free: impl Fn(&str) -> bool) -> Option<String> {
    let numbered = (1..MOST_OF_A_NAME).map(|number| format!("{name}.{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name))
}

/// Moves items to the trash: files first, then directories from the deepest up.
pub(super) async fn trash(client: &Client, items: Vec<Trash>) -> Vec<Result<()>> {
    let bin = Bin::new(client);
    let is_dir = |item: &Trash| matches!(&item.expect, Expect::Node(node) if node.kind == Kind::Dir);
    let mut results: Vec<Result<()>> = items.iter().map(|_| Ok(())).collect();
    let goes: Vec<RelPath> = items.iter().map(|item| item.path.clone()).collect();
    let kept = keep_dirs(client, &goes).await;
    let mut rounds: BTreeMap<std::cmp::Reverse<usize>, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        let round = if is_dir(item) { item.path.depth() } else { usize::MAX };
        rounds.entry(std::cmp::Reverse(round)).or_default().push(index);
    }
    for indexes in rounds.into_values() {
        let (bin, items, kept) = (&bin, &items, &kept);
        let one = |index: usize| async move {
            let item = &items[index];
            let parent = item.path.parent().unwrap_or_default();
            let result = match kept.get(&parent) {
                Some(Err(e)) => Err(e.clone()),
                Some(Ok(())) | None if is_dir(item) => trash_dir(client, item).await,
                Some(Ok(())) | None => trash_file(client, bin, item).await,
            };
            (index, result)
        };
        let mut done = stream::iter(indexes).map(one).buffer_unordered(client.traffic.most());
        while let Some((index, result)) = done.next().await {
            results[index] = result;
        }
    }
    results
}

async fn trash_file(client: &Client, bin: &Bin<'_>, item: &Trash) -> Result<()> {
    let path = &item.path;
    not_reserved(TRASH, path)?;
    let key = client.site.key(TRASH, path)?;
    let old = match &item.expect {
        Expect::Node(node) => node.clone(),
        expect @ (Expect::Absent | Expect::Any) => match client.check(TRASH, path, expect).await? {
            None => return Ok(()),
            Some(node) if node.kind == Kind::Dir => return trash_dir(client, item).await,
            Some(node) => node,
        },
    };
    let kept = bin.reserve(&item.label, path).await?;
    client.copy(TRASH, path, &key, &kept, &old).await?;
    let removed = client.remove(TRASH, path, &key, &old).await;
    if removed.as_ref().is_err_and(|e| e.code() == Code::Stale) {
        // It was edited after all and stays. What cannot be taken back stays in the trash.
        let _ = client.delete(TRASH, path, &kept).await;
    }
    removed
}

/// An empty directory is not worth keeping: its marker goes, and what earlier runs left in it under temporary names.
async fn trash_dir(client: &Client, item: &Trash) -> Result<()> {
    let path = &item.path;
    not_reserved(TRASH, path)?;
    let (prefix, subject) = (client.site.dir_key(TRASH, path)?, path.to_string());
    let ask = Ask { action: TRASH, subject: &subject, prefix: &prefix, is_shallow: false, most: MOST };
    let page = client.all(&ask).await?;
    if page.objects.is_empty() && page.unreadable.is_empty() {
        // Without a marker it went with the last object in it; an object may have its name by now.
        let key = client.site.key(TRASH, path)?;
        return match client.look_at_object(TRASH, path, &key).await? {
            Some(_) => Err(stale(TRASH, path, "it is no directory any more")),
            None => Ok(()),
        };
    }
    let temp = format!("{prefix}{}", String::from_utf8_lossy(TEMP_PREFIX));
    let is_nothing = |object: &Object| object.key == prefix || object.key.starts_with(&temp);
    if !page.unreadable.is_empty() || !page.objects.iter().all(is_nothing) {
        return Err(stale(TRASH, path, "it is not empty"));
    }
    for object in &page.objects {
        client.delete(TRASH, path, &object.key).await?;
    }
    Ok(())
}

/// A directory that these paths are the last of would be gone with them: it gets a marker first, unless it goes too.
pub(super) async fn keep_dirs(client: &Client, goes: &[RelPath]) -> HashMap<RelPath, Result<()>> {
    let mut leaving: HashMap<RelPath, HashSet<RelPath>> = HashMap::new();
    let all: HashSet<&RelPath> = goes.iter().collect();
    for path in goes {
        let parent = path.parent().unwrap_or_default();
        if !parent.is_root() && !all.contains(&parent) {
            leaving.entry(parent).or_default().insert(path.clone());
        }
    }
    let keep = |(dir, gone): (RelPath, HashSet<RelPath>)| async move {
        let kept = keep_dir(client, &dir, &gone).await;
        (dir, kept)
    };
    let keeping: Vec<_> = leaving.into_iter().map(keep).collect();
    stream::iter(keeping).buffer_unordered(client.traffic.most()).collect().await
}

async fn keep_dir(client: &Client, dir: &RelPath, gone: &HashSet<RelPath>) -> Result<()> {
    let (prefix, subject) = (client.site.dir_key(TRASH, dir)?, dir.to_string());
    let most = u32::try_from(gone.len() + 1).unwrap_or(MOST).min(MOST);
    let ask = Ask { action: TRASH, subject: &subject, prefix: &prefix, is_shallow: true, most };
    let goes = |key: &str| {
        let name = key.strip_prefix(&prefix).and_then(|rest| Name::new(rest.trim_end_matches('/').as_bytes()));
        name.is_some_and(|name| gone.contains(&dir.join(&name)))
    };
    let (mut pages, mut is_left) = (Pages::of(client, &ask), false);
    while let Some(page) = pages.next().await? {
        let mut keys = page.objects.iter().map(|o| &o.key).chain(&page.prefixes).peekable();
        is_left |= keys.peek().is_some();
        // The marker of the directory is a key that stays, too.
        if keys.any(|key| !goes(key)) || !page.unreadable.is_empty() {
            return Ok(());
        }
    }
    if !is_left {
        // It is gone already.
        return Ok(());
    }
    client.put_marker(dir, &prefix, &Expect::Any).await.map(drop)
}

impl Client {
    /// Leaves the time of now at a label.
    async fn touch_label(&self, path: &RelPath, label: &str) -> Result<()> {
        let key = format!("{label}{}added", String::from_utf8_lossy(TEMP_PREFIX));
        self.put_empty(path, &key, &[], &Expect::Any).await
    }

    /// Writes the object that makes a directory exist while nothing is in it: `dir/`, and where the server cannot hold
    /// that, a reserved name in it.
    pub(super) async fn put_marker(&self, path: &RelPath, key: &str, expect: &Expect) -> Result<crate::model::Node> {
        let headers = [("content-type".into(), "application/x-directory".to_owned())];
        if self.traits().await?.markers {
            self.put_empty(path, key, &headers, expect).await?;
        } else {
            let key = format!("{key}{}dir", String::from_utf8_lossy(TEMP_PREFIX));
            self.put_empty(path, &key, &headers, expect).await?;
        }
        Ok(dir_node())
    }
}

/// Removes the labels that have not been added to since `older_than`, and uploads that nobody will end any more.
pub(super) async fn empty(client: &Client, older_than: Timestamp) -> Result<u64> {
    let subject = client.site.display();
    let prefix = root_of_trash(&client.site.prefix);
    let ask = Ask { action: EMPTY, subject: &subject, prefix: &prefix, is_shallow: false, most: MOST };
    let page = client.all(&ask).await?;
    let limit = DateTime::from_timestamp(older_than.secs, older_than.nanos).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let mut labels: HashMap<String, (Option<DateTime<Utc>>, Vec<String>)> = HashMap::new();
    for object in page.objects {
        let rest = object.key.strip_prefix(&prefix).unwrap_or_default();
        let (label, _) = rest.split_once('/').unwrap_or((rest, ""));
        let (youngest, keys) = labels.entry(label.to_owned()).or_insert((Some(DateTime::<Utc>::MIN_UTC), Vec::new()));
        // What has no time is not known to be old.
        *youngest = youngest.zip(object.written).map(|(youngest, at)| youngest.max(at));
        keys.push(object.key);
    }
    let old = labels.into_values().filter(|(youngest, _)| youngest.is_some_and(|at| at < limit));
    let keys: Vec<String> = old.flat_map(|(_, keys)| keys).collect();
    let (gone, removed) = client.delete_all(EMPTY, &keys).await;
    let aborted = abort_abandoned(client, &subject, limit).await;
    removed.and(aborted)?;
    let temp = format!("/{}", String::from_utf8_lossy(TEMP_PREFIX));
    Ok(gone.iter().filter(|key| !key.ends_with('/') && !key.contains(&temp)).count() as u64)
}

/// Ends the uploads of this root that were begun before the limit, at least a day ago, and have had no part since. Whose they
/// are nobody says; one that is continued now and then, by us or by others, stays.
async fn abort_abandoned(client: &Client, subject: &str, limit: DateTime<Utc>) -> Result<()> {
    let limit = limit.min(client.now() - ABANDONED);
    let mut result = Ok(());
    for upload in client.uploads(subject, &client.site.prefix).await? {
        let rest = upload.key.strip_prefix(&client.site.prefix).unwrap_or_default();
        let Some(path) = RelPath::parse(rest.as_bytes()) else { continue };
        if upload.at.is_some_and(|at| at < limit) {
            let upload = Upload { path: &path, key: &upload.key, id: &upload.id };
            result = result.and(abort_unless_younger(client, &upload, limit).await);
        }
    }
    result
}

async fn abort_unless_younger(client: &Client, upload: &Upload<'_>, limit: DateTime<Utc>) -> Result<()> {
    let parts = client.parts(upload).await?.unwrap_or_default();
    // What has no time is not known to be old.
    if parts.values().all(|part| part.written.is_some_and(|at| at < limit)) {
        client.abort(upload).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let taken = ["a", "a.1"];
        assert_eq!(first_free("a", |name| !taken.contains(&name)).as_deref(), Some("a.2"));
        assert_eq!(first_free("b", |name| !taken.contains(&name)).as_deref(), Some("b"));
        assert_eq!(first_free("a", |_| false), None);
        assert_eq!(root_of_trash("p/"), "p/.portbook/trash/");
    }
}
