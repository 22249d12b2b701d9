//! What is out of sight: deleted, brought back, kept as a version, removed for good.
//!
//! A content moves first and the row says so in the next step; between both stands the task's reservation, from which
//! [`recover`](super::recover) knows the way back. A purge has none: it is finished. Files that share a content by its address leave it where it is, for
//! the last of them to remove.

use super::look::seen_path;
use super::path::{self, address, on_place};
use super::put::only;
use super::quota::{Counted, Promised, Task, Wanted};
use super::rows::PAGE;
use super::{FileId, FileRef, Inner};
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::model::{RelPath, Stored, StoredFile, Value};
use crate::provider::Move;

impl Inner {
    /// Has the row to itself.
    async fn hold(&self, task: Task, file: &Stored<StoredFile>) -> Result<Promised> {
        let path = address(&file.row.storage_path, file.row.digest.as_deref()).unwrap_or(&file.row.storage_path);
        let wanted = Wanted { id: file.id, task, address: path, bytes: 0, user: None, app: None, with: Vec::new() };
        let held = self.reserve(&wanted).await?;
        let now = self.row_of(file.id).await;
        if now.as_ref().is_ok_and(|now| now.as_ref().is_some_and(|now| now.updated_at == file.updated_at)) {
            return Ok(held);
        }
        let _ = self.release(&held, Vec::new()).await;
        now?;
        Err(Error::new(Code::Busy, "use the file", file.id).because("it was changed meanwhile"))
    }

    /// Ends a task that could not be done: what it moved goes back, and then the row is free again.
    async fn give_up(&self, held: &Promised, task: Task, error: Error) -> Error {
        let is_decided = matches!(error.code(), Code::Conflict | Code::Invalid) || !error.is_retryable();
        // What cannot be brought back now is taken over when the reservation has run out.
        if is_decided && self.renew(held, Vec::new()).await.is_ok() && self.undo(held.id, task).await.is_ok() {
            let _ = self.release(held, Vec::new()).await;
        }
        error
    }

    pub(super) async fn delete(&self, file: &FileRef) -> Result<Stored<StoredFile>> {
        let (found, _) = self.own(file).await?;
        if found.is_deleted {
            return Err(self.missing(found.id));
        }
        if found.row.version_of.is_some() {
            return Err(Error::new(Code::Invalid, "delete the file", found.id)
                .because("it is a version of one")
                .advise("purge it"));
        }
        seen_path(&found)?;
        let held = self.hold(Task::Delete, &found).await?;
        match self.renewing(&held, false, self.put_away(&held, &found)).await {
            Ok(()) => self.row_of(found.id).await?.ok_or_else(|| self.missing(found.id)),
            Err(error) => Err(self.give_up(&held, Task::Delete, error).await),
        }
    }

    async fn put_away(&self, held: &Promised, file: &Stored<StoredFile>) -> Result<()> {
        if address(&file.row.storage_path, file.row.digest.as_deref()).is_none() {
            let from = self.content_path(file)?;
            let to = on_place(&path::kept(self.row.id, file.id))?;
            // One that somebody has removed beneath the volume is gone already.
            if self.look(&from).await?.is_some() {
                self.shift(from, to).await?;
            }
        }
        let now = self.now();
        let mark = self.change(file.id, file.updated_at.0, now, vec![("deleted_at", Value::Time(now))]);
        self.settle(held, &[], vec![mark]).await
    }

    pub(super) async fn restore(&self, id: FileId) -> Result<Stored<StoredFile>> {
        let (found, _) = self.own(&FileRef::Id(id)).await?;
        if !found.is_deleted {
            return Err(self.missing(id));
        }
        seen_path(&found)?;
        let held = self.hold(Task::Restore, &found).await?;
        match self.renewing(&held, false, self.bring_back(&held, &found)).await {
            Ok(()) => self.row_of(id).await?.ok_or_else(|| self.missing(id)),
            Err(error) => Err(self.give_up(&held, Task::Restore, error).await),
        }
    }

    async fn bring_back(&self, held: &Promised, file: &Stored<StoredFile>) -> Result<()> {
        let content = self.content_path(file)?;
        self.content(&content, file.row.size.unsigned_abs()).await?;
        let storage_path = self.free_path(file.id, &file.row.storage_path, file.row.digest.as_deref()).await?;
        if address(&storage_path, file.row.digest.as_deref()).is_none() {
            let to = on_place(&storage_path)?;
            self.make_folders(&to).await?;
            if self.live_at(&storage_path).await?.is_some() || self.look(&to).await?.is_some() {
                return Err(Error::new(Code::Conflict, "restore the file", file.id)
                    .because("something else is at its path by now")
                    .advise("move or delete that first"));
            }
            self.shift(content, to).await?;
        }
        let now = self.now();
        let columns = vec![("deleted_at", Value::Null), ("storage_path", Value::Text(storage_path))];
        self.settle(held, &[], vec![self.change(file.id, file.updated_at.0, now, columns)]).await
    }

    /// Moves a file to or from what is kept, durably.
    pub(super) async fn shift(&self, from: RelPath, to: RelPath) -> Result<()> {
        let node = self.look(&from).await?.ok_or_else(|| self.missing(&from))?;
        let item = Move { from: from.clone(), to: to.clone(), expect: Expect::Node(node), through: None };
        only(self.place.move_kept(vec![item]).await, &from)?;
        self.place.flush(vec![to]).await
    }

    pub(super) async fn versions(&self, id: FileId) -> Result<Vec<Stored<StoredFile>>> {
        self.own(&FileRef::Id(id)).await?;
        self.kept_versions(id).await
    }

    async fn kept_versions(&self, id: FileId) -> Result<Vec<Stored<StoredFile>>> {
        let rest = "version_of = ?3 ORDER BY version_no DESC LIMIT ?4";
        self.files(rest, [Value::Uuid(id.0), Value::Int(PAGE as i64)]).await
    }

    pub(super) async fn purge(&self, id: FileId) -> Result<()> {
        let (found, _) = self.own(&FileRef::Id(id)).await?;
        if !found.is_deleted && found.row.version_of.is_none() {
            return Err(Error::new(Code::Conflict, "purge the file", id)
                .because("it is not deleted")
                .advise("delete it first"));
        }
        let held = self.hold(Task::Purge, &found).await?;
        // What fails half-way cannot go back. It is finished by whoever comes when the reservation has run out.
        self.renewing(&held, false, self.purge_held(&held, &found)).await
    }

    /// The contents go before the rows, so that no content is left that no row names.
    pub(super) async fn purge_held(&self, held: &Promised, file: &Stored<StoredFile>) -> Result<()> {
        loop {
            let versions = self.kept_versions(file.id).await?;
            let is_last = versions.len() < PAGE;
            let mut gone: Vec<&Stored<StoredFile>> = versions.iter().collect();
            if is_last {
                gone.push(file);
            }
            let mut counted = Vec::new();
            for gone in &gone {
                self.remove_content(gone).await?;
                let (user, app) = (gone.row.user_id, gone.row.app_id.clone());
                counted.push(Counted { user, app, bytes: -gone.row.size });
            }
            let rows = gone.iter().map(|gone| self.remove(gone.id)).collect();
            if is_last {
                return self.settle(held, &counted, rows).await;
            }
            self.count_off(held, &counted, rows).await?;
        }
    }

    async fn remove_content(&self, file: &Stored<StoredFile>) -> Result<()> {
        let kept = on_place(&path::kept(self.row.id, file.id))?;
        let digest = file.row.digest.as_deref();
        if let Some(address) = address(&file.row.storage_path, digest) {
            let at = on_place(address)?;
            if self.is_relied_upon(address, digest, file.id).await? {
                return Ok(());
            }
            if self.look(&at).await?.is_some() {
                self.shift(at, kept.clone()).await?;
            }
        }
        only(self.place.remove_kept(vec![kept.clone()]).await, &kept)?;
        self.place.flush(vec![kept]).await
    }
}
