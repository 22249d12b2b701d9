//! The changes of names and attributes.

use unicode_normalization::UnicodeNormalization as _;

use super::{Hosted, bins, same, stale};
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Name, Node, RelPath};
use crate::provider::kept::{self, KEEP};
use crate::provider::{Move, Publish, RESERVED_DIR, TEMP_PREFIX, Trash, is_reserved};

const PUBLISH: &str = "put in place";
const MOVE: &str = "move";
const TRASH: &str = "move to the trash";

/// The temporary path of a tag, beside its target.
pub(super) fn temp_path(action: &'static str, target: &RelPath, tag: &str) -> Result<RelPath> {
    let name = Name::new(&[TEMP_PREFIX, tag.as_bytes()].concat()).filter(|name| name.as_bytes().len() <= 255);
    match (name, target.parent()) {
        (Some(name), Some(parent)) => Ok(parent.join(&name)),
        (None, _) => Err(Error::new(Code::Invalid, action, tag.escape_debug()).because("no usable tag")),
        (_, None) => Err(Error::new(Code::Invalid, action, target).because("this is the root itself")),
    }
}

/// Refuses to write where the engine keeps its own things.
pub(super) fn not_reserved(action: &'static str, path: &RelPath) -> Result<()> {
    refuse(action, path, is_reserved)
}

fn refuse(action: &'static str, path: &RelPath, is_refused: fn(&[u8]) -> bool) -> Result<()> {
    if path.components().any(is_refused) {
        return Err(Error::new(Code::Invalid, action, path).because("this name is reserved"));
    }
    if path.is_root() {
        return Err(Error::new(Code::Invalid, action, path).because("this is the root itself"));
    }
    if std::str::from_utf8(path.as_bytes()).is_err() {
        return Err(Error::new(Code::Invalid, action, path).because("a host's names are UTF-8"));
    }
    Ok(())
}

/// Whether what is there is what was expected.
fn check(action: &'static str, path: &RelPath, expect: &Expect, seen: Option<&Node>) -> Result<()> {
    match (expect, seen) {
        (Expect::Any, _) | (Expect::Absent, None) => Ok(()),
        (Expect::Absent, Some(_)) => Err(taken(action, path)),
        (Expect::Node(_), None) => Err(stale(action, path, "it is gone")),
        (Expect::Node(node), Some(seen)) if same(node, seen) => Ok(()),
        (Expect::Node(_), Some(_)) => Err(stale(action, path, "it has changed")),
    }
}

fn taken(action: &'static str, path: &RelPath) -> Error {
    stale(action, path, "something is there by now")
}

impl Hosted {
    pub(super) async fn make_dir(&self, path: &RelPath) -> Result<Node> {
        let action = "make the directory";
        not_reserved(action, path)?;
        if self.files.look(path).await?.is_some() {
            return Err(taken(action, path));
        }
        self.files.make_dir(path).await?;
        self.there(action, path).await
    }

    pub(super) async fn put_in_place(&self, item: &Publish) -> Result<Node> {
        let target = &item.staged.target;
        not_reserved(PUBLISH, target)?;
        let temp = temp_path(PUBLISH, target, &item.staged.tag)?;
        let seen = self.files.look(target).await?;
        check(PUBLISH, target, &item.expect, seen.as_ref())?;
        // The old version is touched only when the new one is there.
        self.there(PUBLISH, &temp).await?;
        match (seen, &item.archive) {
            (Some(old), _) if old.kind == Kind::Dir => return Err(stale(PUBLISH, target, "a directory is there")),
            (Some(old), Some(label)) => {
                let kept = bins::bin(&self.files, &self.bins, PUBLISH, label, target).await?;
                self.move_aside(PUBLISH, (target, &kept), &old).await?;
                if let Err(error) = self.rename(PUBLISH, &temp, target, false).await {
                    // The old version goes back, unless something has its name by now. What cannot be put back stays kept.
                    let _ = self.files.rename(&kept, target, false).await;
                    return Err(error);
                }
            }
            (Some(_), None) => self.rename(PUBLISH, &temp, target, true).await?,
            (None, _) => self.rename(PUBLISH, &temp, target, false).await?,
        }
        let now = self.there(PUBLISH, target).await?;
        if now.kind != Kind::File || now.token.size != item.staged.size {
            return Err(stale(PUBLISH, target, "it changed at the last moment"));
        }
        Ok(now)
    }

    pub(super) async fn move_item(&self, item: &Move) -> Result<Node> {
        // A move may pass through a temporary name.
        for path in [&item.from, &item.to] {
            refuse(MOVE, path, |name| name == RESERVED_DIR)?;
        }
        self.move_checked(MOVE, item).await
    }

    /// Moves a file out of sight or back.
    pub(super) async fn keep(&self, item: &Move) -> Result<Node> {
        kept::check(item)?;
        if kept::is_kept(&item.to) {
            bins::make_way(&self.files, KEEP, &item.to).await?;
        }
        self.move_checked(KEEP, item).await
    }

    async fn move_checked(&self, action: &'static str, item: &Move) -> Result<Node> {
        let seen = self.files.look(&item.from).await?;
        check(action, &item.from, &item.expect, seen.as_ref())?;
        let old = seen.ok_or_else(|| stale(action, &item.from, "it is gone"))?;
        if self.files.look(&item.to).await?.is_some() {
            let through = item.through.as_ref().filter(|_| self.folds(item)).ok_or_else(|| taken(action, &item.to))?;
            let parent = item.to.parent().unwrap_or_default();
            let between = parent.join(through);
            self.rename(action, &item.from, &between, false).await?;
            if let Err(error) = self.rename(action, &between, &item.to, false).await {
                self.rename(action, &between, &item.from, false).await?;
                return Err(error);
            }
        } else {
            self.rename(action, &item.from, &item.to, false).await?;
        }
        match self.files.look(&item.to).await? {
            Some(now) if same(&old, &now) => Ok(now),
            Some(_) | None => Err(stale(action, &item.to, "something else is there by now")),
        }
    }

    pub(super) async fn throw_away(&self, item: &Trash) -> Result<()> {
        not_reserved(TRASH, &item.path)?;
        let seen = self.files.look(&item.path).await?;
        check(TRASH, &item.path, &item.expect, seen.as_ref())?;
        let Some(old) = seen else { return Ok(()) };
        if old.kind == Kind::Dir {
            return self.remove_empty(&item.path, &item.label).await;
        }
        let kept = bins::bin(&self.files, &self.bins, TRASH, &item.label, &item.path).await?;
        self.move_aside(TRASH, (&item.path, &kept), &old).await
    }

    pub(super) async fn set_attributes(&self, (path, expect, metadata): &(RelPath, Expect, Metadata)) -> Result<Node> {
        let action = "set the attributes of";
        not_reserved(action, path)?;
        let seen = self.files.look(path).await?;
        check(action, path, expect, seen.as_ref())?;
        let old = seen.ok_or_else(|| stale(action, path, "it is gone"))?;
        match metadata.mtime.filter(|_| self.capabilities.set_mtime && old.kind == Kind::File) {
            None => Ok(old),
            Some(time) => {
                self.files.set_modified(path, time).await?;
                self.there(action, path).await
            }
        }
    }

    /// Renames an item out of the way. One that was edited after the last look goes back.
    async fn move_aside(&self, action: &'static str, (from, to): (&RelPath, &RelPath), old: &Node) -> Result<()> {
        if let Err(error) = self.rename(action, from, to, false).await {
            // A directory of the trash may have been removed by somebody.
            self.bins.forget().await;
            return Err(error);
        }
        match self.files.look(to).await? {
            Some(moved) if same(old, &moved) => Ok(()),
            Some(_) | None => {
                // What cannot go back is in the trash.
                let _ = self.files.rename(to, from, false).await;
                Err(stale(action, from, "it changed at the last moment"))
            }
        }
    }

    /// An empty directory is not worth keeping. What earlier runs left in it under temporary names is: a crash may have
    /// stopped a move half-way.
    async fn remove_empty(&self, path: &RelPath, label: &str) -> Result<()> {
        let items = self.files.list(path).await?.unwrap_or_default();
        if items.iter().any(|item| !item.name.as_bytes().starts_with(TEMP_PREFIX)) {
            return Err(stale(TRASH, path, "it is not empty"));
        }
        for item in items {
            let leftover = path.join(&item.name);
            let kept = bins::bin(&self.files, &self.bins, TRASH, label, &leftover).await?;
            self.move_aside(TRASH, (&leftover, &kept), &item.node).await?;
        }
        self.files.remove(path).await
    }

    async fn there(&self, action: &'static str, path: &RelPath) -> Result<Node> {
        let gone = || Error::new(Code::NotFound, action, path).because("the host does not show it");
        self.files.look(path).await?.ok_or_else(gone)
    }

    /// A rename that meets something where nothing should be is stale.
    async fn rename(&self, action: &'static str, from: &RelPath, to: &RelPath, replace: bool) -> Result<()> {
        self.files.rename(from, to, replace).await.map_err(|error| match error.code() {
            Code::Conflict => taken(action, to),
            Code::NotFound => stale(action, from, "it is gone"),
            _ => error,
        })
    }

    /// Whether the taken name is the item's own in another case or normal form.
    fn folds(&self, item: &Move) -> bool {
        let c = &self.capabilities;
        let folded = |path: &RelPath| {
            let text = String::from_utf8_lossy(path.as_bytes());
            let text = if c.case_insensitive { text.to_lowercase() } else { text.into_owned() };
            if c.unicode_insensitive { text.nfc().collect() } else { text }
        };
        folded(&item.from) == folded(&item.to)
    }
}
