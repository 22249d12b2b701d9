//! Putting a file: promised, staged, flushed, published, counted.
//!
//! 1. In one transaction: the room is promised, and a row of `files` marked as deleted says what is meant and where.
//! 2. The bytes are staged and flushed. The row learns their digest, which is how they are known again after a crash.
//! 3. They are published. What they replace goes to the trash of the place in the same step, and from there to
//!    `.portbook/kept/`, until it is a version or not wanted any more.
//! 4. In one transaction: the row is the file (or the file's row changes and the row becomes the version), the bytes
//!    count, and the promise is gone.
//!
//! Whatever fails before that is undone (see [`recover`](super::recover)), by this process or by whoever comes next.

use std::sync::Arc;
use std::time::Duration;

use super::feed::Watching;
use super::mime::mime_type;
use super::path::{self, address, on_place, sharing};
use super::plan::{Plan, archived};
use super::quota::{Counted, Promised, Task, Wanted, holders};
use super::{Content, FileId, FileRef, Inner, NewFile};
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{Column as _, Kind, Node, RelPath, Stored, StoredFile, Value, VersioningMode};
use crate::operation::scheduler::{Demand, Held};
use crate::provider::{Move, OfPlace, Publish, Source, Stage, Staged};
use crate::store::Write;

/// What is at its path by now.
struct Carried {
    digest: [u8; 32],
    mime: Option<String>,
    /// Something was there before.
    replaces: bool,
}

/// What became of the last transaction of a put that failed.
enum Decided {
    /// Nothing of it was kept.
    Undone,
    /// That is not known.
    Unknown,
}

impl Inner {
    pub(super) async fn put(self: &Arc<Self>, file: NewFile) -> Result<Stored<StoredFile>> {
        let plan = self.plan(file).await?;
        let old = self.replaced(&plan).await?;
        let held = self.promise(&plan, old.as_ref()).await?;
        let settled = match self.carry_out(&plan, &held, old.as_ref()).await {
            Ok(carried) => self.count_in(&plan, &held, old.as_ref(), carried).await,
            Err(error) => Err((error, Decided::Undone)),
        };
        match settled {
            Ok(id) => self.row_of(id).await?.ok_or_else(|| self.missing(id)),
            // The book may have taken it. Whoever comes after the promise has run out knows.
            Err((error, Decided::Unknown)) => Err(error),
            Err((error, Decided::Undone)) => {
                self.take_back(&plan, &held).await;
                Err(error)
            }
        }
    }

    /// Takes back what a put has done that failed, as far as it is still its own: what cannot be undone now is taken over
    /// when the promise has run out.
    async fn take_back(&self, plan: &Plan, held: &Promised) {
        let _ = self.place.discard_staged(vec![(plan.target.clone(), plan.tag())]).await;
        if self.renew(held, Vec::new()).await.is_ok() && self.undo_put(plan.id, &plan.target, plan.digest).await.is_ok()
        {
            let _ = self.release(held, vec![self.remove(plan.id)]).await;
        }
    }

    /// The file that is overwritten.
    async fn replaced(&self, plan: &Plan) -> Result<Option<Stored<StoredFile>>> {
        if plan.digest.is_some() { Ok(None) } else { self.live_at(&plan.row.storage_path).await }
    }

    /// Has room promised, and the path to itself.
    async fn promise(&self, plan: &Plan, old: Option<&Stored<StoredFile>>) -> Result<Promised> {
        let given_back = match (old, self.row.row.versioning_mode) {
            (Some(old), VersioningMode::None) => old.row.size,
            (_, VersioningMode::None | VersioningMode::Source | VersioningMode::Target) => 0,
        };
        let (user, app) = holders(&plan.area, plan.row.app_id.as_ref());
        let now = self.now();
        let wanted = Wanted {
            id: plan.id,
            task: Task::Put,
            address: &plan.row.storage_path,
            bytes: (plan.row.size - given_back).max(0),
            user,
            app,
            with: vec![self.add(plan.id, &plan.row, now, Some(now))],
        };
        let held = self.reserve(&wanted).await?;
        let seen = |file: Option<&Stored<StoredFile>>| file.map(|file| (file.id, file.updated_at));
        match self.replaced(plan).await {
            Ok(now) if seen(now.as_ref()) == seen(old) => Ok(held),
            other => {
                let _ = self.release(&held, vec![self.remove(plan.id)]).await;
                other?;
                Err(Error::new(Code::Busy, "put the file on", self.row.row.name.escape_debug())
                    .because("another was put in its place meanwhile"))
            }
        }
    }

    /// Everything between the promise and the count.
    async fn carry_out(
        self: &Arc<Self>,
        plan: &Plan,
        held: &Promised,
        old: Option<&Stored<StoredFile>>,
    ) -> Result<Carried> {
        let look = async {
            self.make_folders(&plan.target).await?;
            self.look(&plan.target).await
        };
        let there = self.renewing(held, true, look).await?;
        if let Some(digest) = plan.digest {
            return self.carry_shared(plan, held, digest, there).await;
        }
        let expect = match (there, old) {
            (None, _) => Expect::Absent,
            (Some(node), Some(_)) if node.kind == Kind::File => Expect::Node(node),
            (Some(_), _) => return Err(taken(&plan.target)),
        };
        let (staged, mime, _room) = self.stage(plan, held).await?;
        let (digest, replaces) = (staged.content.0, matches!(expect, Expect::Node(_)));
        self.renewing(held, false, self.publish(plan, staged, expect)).await?;
        Ok(Carried { digest, mime, replaces })
    }

    /// A content that is there already, whole, is not written again.
    async fn carry_shared(
        self: &Arc<Self>,
        plan: &Plan,
        held: &Promised,
        digest: [u8; 32],
        there: Option<Node>,
    ) -> Result<Carried> {
        let whole = match &there {
            Some(_) => {
                self.renewing(held, true, self.hash_of(&plan.target)).await.is_ok_and(|(_, content)| content == digest)
            }
            None => false,
        };
        let mime = if whole {
            mime_type(&plan.feed.head(), &plan.row.filename)
        } else {
            let expect = there.map_or(Expect::Absent, Expect::Node);
            let (staged, mime, _room) = self.stage(plan, held).await?;
            if staged.content.0 != digest {
                return Err(
                    Error::new(Code::Stale, "store", &plan.target).because("its source changed while it was read")
                );
            }
            self.renewing(held, false, self.publish(plan, staged, expect)).await?;
            mime
        };
        Ok(Carried { digest, mime, replaces: false })
    }

    /// Stages and flushes the bytes, and has the row know them. What the place holds of them in memory, it holds until they are
    /// published.
    async fn stage(self: &Arc<Self>, plan: &Plan, held: &Promised) -> Result<(Staged, Option<String>, Held)> {
        let room = self.renewing(held, true, async { Ok(self.room(plan).await) }).await?;
        let stage = async {
            let item = Stage {
                target: plan.target.clone(),
                tag: plan.tag(),
                source: Source::Feed(Arc::new(Watching(plan.feed.clone()))),
                kind: Kind::File,
                metadata: Metadata::default(),
                replaces: false,
                resume: None,
            };
            let staged = only(self.place.stage(vec![item]).await, &plan.target)?;
            self.place.flush(vec![plan.target.clone()]).await?;
            Ok(staged)
        };
        let staged = self.renewing(held, true, stage).await?;
        if staged.size != plan.row.size.unsigned_abs() {
            return Err(Error::new(Code::Stale, "store", &plan.target).because("the place took more or fewer bytes"));
        }
        let mime = mime_type(&plan.feed.head(), &plan.row.filename);
        let digest = Value::Blob(staged.content.0.to_vec());
        let told = Write::Expect(
            crate::store::Statement::new(
                "UPDATE files SET digest = ?3 WHERE tenant_id = ?1 AND id = ?2 AND deleted_at IS NOT NULL",
                vec![Value::Uuid(self.tenant.0), Value::Uuid(plan.id.0), digest],
            ),
            1,
        );
        self.renew(held, vec![told]).await.map_err(|e| overdue(&plan.target, e))?;
        Ok((staged, mime, room))
    }

    /// Room in memory for the bytes, as a run of its own.
    async fn room(&self, plan: &Plan) -> Held {
        let (bytes, place) = (plan.row.size.unsigned_abs(), self.place.capabilities());
        let is_large = place.resumable_bytes.is_some_and(|least| bytes >= least);
        let demand = if is_large { Demand::large(1, place) } else { Demand::small(bytes, place) };
        self.book.scheduler.enter().take(demand).await
    }

    /// Publishes what was staged, and puts what it replaced out of sight, durably.
    async fn publish(&self, plan: &Plan, staged: Staged, expect: Expect) -> Result<()> {
        let replaces = matches!(expect, Expect::Node(_));
        let item = Publish { staged, expect, archive: replaces.then(|| plan.tag()) };
        let published = only(self.place.publish(vec![item]).await, &plan.target);
        published.map_err(|e| if e.code() == Code::Stale { taken(&plan.target).caused_by(e) } else { e })?;
        let mut touched = vec![plan.target.clone()];
        // At a content's address is only what was damaged; that has no versions.
        if replaces && plan.digest.is_none() && self.row.row.versioning_mode != VersioningMode::None {
            let from = archived(plan.id, &plan.target)?;
            let old =
                self.look(&from).await?.ok_or_else(|| Error::new(Code::Internal, "keep what was at", &plan.target))?;
            let to = on_place(&path::kept(self.row.id, plan.id))?;
            let item = Move { from, to: to.clone(), expect: Expect::Node(old), through: None };
            only(self.place.move_kept(vec![item]).await, &plan.target)?;
            touched.push(to);
        }
        self.place.flush(touched).await
    }

    /// The transaction in which the file is there.
    async fn count_in(
        &self,
        plan: &Plan,
        held: &Promised,
        old: Option<&Stored<StoredFile>>,
        carried: Carried,
    ) -> std::result::Result<FileId, (Error, Decided)> {
        let (user, app) = holders(&plan.area, plan.row.app_id.as_ref());
        let mut counted = vec![Counted { user, app, bytes: plan.row.size }];
        let mut with = vec![self.remove(plan.id)];
        match old {
            None => {
                let digest = plan.digest.as_ref().map(|d| &d[..]);
                let storage_path = self.free_path(plan.id, &plan.row.storage_path, digest).await;
                let storage_path = storage_path.map_err(|e| (e, Decided::Undone))?;
                let (mime_type, digest) = (carried.mime.clone(), Some(carried.digest.into()));
                let row = StoredFile { storage_path, mime_type, digest, ..plan.row.clone() };
                with.push(self.add(plan.id, &row, self.now(), None));
            }
            Some(old) => {
                let is_version = carried.replaces && self.keeps(&old.row, &carried.digest);
                with.extend(self.overwrite(plan, old, &carried, is_version));
                if !is_version {
                    let (user, app) = (old.row.user_id, old.row.app_id.clone());
                    counted.push(Counted { user, app, bytes: -old.row.size });
                }
            }
        }
        self.settle(held, &counted, with).await.map_err(|e| {
            let decided = match e.code() {
                Code::Conflict | Code::Invalid | Code::Busy | Code::Quota | Code::Permission => Decided::Undone,
                _ => Decided::Unknown,
            };
            (overdue(&plan.target, e), decided)
        })?;
        self.drop_unwanted(plan, old, &carried.digest).await;
        Ok(old.map_or(plan.id, |old| old.id))
    }

    /// The file's row takes the new content over, and the old one becomes a row of its own.
    fn overwrite(&self, plan: &Plan, old: &Stored<StoredFile>, carried: &Carried, is_version: bool) -> Vec<Write> {
        let (now, row) = (self.now(), &plan.row);
        let mut writes = Vec::new();
        let mut version_no = old.row.version_no;
        if is_version {
            let storage_path = path::kept(self.row.id, plan.id);
            let version = StoredFile { storage_path, version_of: Some(old.id), ..old.row.clone() };
            writes.push(self.add(plan.id, &version, now, None));
            version_no += 1;
        }
        let columns = vec![
            ("filename", row.filename.value()),
            ("app_id", row.app_id.value()),
            ("mime_type", carried.mime.value()),
            ("size", row.size.value()),
            ("digest", Value::Blob(carried.digest.into())),
            ("version_no", version_no.value()),
            ("metadata", row.metadata.value()),
            ("is_public", row.is_public.value()),
        ];
        writes.push(self.change(old.id, old.updated_at.0, now, columns));
        writes
    }

    /// Whether what a put overwrites becomes a version.
    fn keeps(&self, old: &StoredFile, digest: &[u8; 32]) -> bool {
        match self.row.row.versioning_mode {
            VersioningMode::None => false,
            VersioningMode::Source => true,
            VersioningMode::Target => old.digest.as_deref() != Some(&digest[..]),
        }
    }

    /// What was put out of sight and is no version after all: the same content again.
    async fn drop_unwanted(&self, plan: &Plan, old: Option<&Stored<StoredFile>>, digest: &[u8; 32]) {
        let unwanted = old.is_some_and(|old| !self.keeps(&old.row, digest));
        if unwanted && let Ok(path) = on_place(&path::kept(self.row.id, plan.id)) {
            // Upkeep finds what could not be removed: no row has its name.
            let _ = self.place.remove_kept(vec![path]).await;
        }
    }

    /// A path in the book that no other file has: of files that share a content, the first has its address.
    pub(super) async fn free_path(&self, id: FileId, storage_path: &str, digest: Option<&[u8]>) -> Result<String> {
        let Some(address) = address(storage_path, digest) else { return Ok(storage_path.to_owned()) };
        let taken = self.live_at(address).await?.is_some();
        Ok(if taken { sharing(address, id) } else { address.to_owned() })
    }

    /// The node at a path and its content.
    pub(super) async fn hash_of(&self, path: &RelPath) -> Result<(Node, [u8; 32])> {
        let hashed = only(self.place.hash(vec![path.clone()]).await, path)?;
        Ok((hashed.node, hashed.content.0))
    }

    /// Does something and renews the promise meanwhile. Where it may be broken off, it ends when the promise is gone.
    pub(super) async fn renewing<T>(
        &self,
        held: &Promised,
        may_end: bool,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let renew = async {
            loop {
                tokio::time::sleep((self.promise / 3).max(Duration::from_millis(1))).await;
                match self.renew(held, Vec::new()).await {
                    // It was taken over, or the volume was closed; anything else may go away by itself.
                    Err(e) if e.code() == Code::Conflict && may_end => return overdue(&RelPath::root(), e),
                    Ok(()) | Err(_) => {}
                }
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            error = renew => Err(error),
        }
    }

    pub(super) async fn restore_version(self: &Arc<Self>, version: FileId) -> Result<Stored<StoredFile>> {
        let (old, area) = self.own(&FileRef::Id(version)).await?;
        let of = old.row.version_of.filter(|_| !old.is_deleted).ok_or_else(|| self.missing(version))?;
        let file = self.row_of(of).await?.filter(|file| !file.is_deleted).ok_or_else(|| self.missing(of))?;
        let path = self.layout.given(&area, &file.row.storage_path).ok_or_else(|| {
            Error::new(Code::Conflict, "restore the version", version)
                .because("its file lies where the volume puts none any more")
        })?;
        let content = self.content_path(&old)?;
        let node = self.content(&content, old.row.size.unsigned_abs()).await?;
        let feed =
            OfPlace { place: self.place.clone(), path: content, expect: node, pace: self.pace.clone(), room: None };
        self.put(NewFile {
            path: Some(path),
            filename: old.row.filename,
            namespace: area.namespace(),
            app_id: old.row.app_id,
            metadata: old.row.metadata,
            is_public: old.row.is_public,
            content: Content::Feed(Arc::new(feed)),
        })
        .await
    }
}

pub(super) fn taken(path: &RelPath) -> Error {
    Error::new(Code::Conflict, "put the file at", path)
        .because("something is there that is no file of the volume, or that changed meanwhile")
}

/// A promise that is gone: it was not renewed in time, or a row that it relied on has changed.
fn overdue(path: &RelPath, error: Error) -> Error {
    match error.code() {
        Code::Conflict => Error::new(Code::Conflict, "count the file at", path)
            .because("its promise of room ran out, or its row was changed meanwhile")
            .caused_by(error),
        _ => error,
    }
}

pub(super) fn only<T>(mut answers: Vec<Result<T>>, path: &RelPath) -> Result<T> {
    answers.pop().unwrap_or_else(|| Err(Error::new(Code::Internal, "use", path)))
}
