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

use super::feed::{Watched, Watching};
use super::mime::mime_type;
use super::path::{self, Area, address, on_place, sharing};
use super::quota::{Counted, Promised, Task, Wanted, holders};
use super::{Content, FileId, FileRef, Inner, NewFile, new_id};
use crate::delta::{Expect, Metadata};
use crate::error::{Code, Error, Result};
use crate::model::{
    AutoPathStrategy, Column as _, Json, Kind, Node, RelPath, Stored, StoredFile, Value, VersioningMode,
};
use crate::provider::{InMemory, Move, OfPlace, Pace, Publish, RESERVED_DIR, Source, Stage, Staged};
use crate::store::Write;

/// The most bytes of one file: numbers at the border are below 2^53.
const MOST_BYTES: u64 = 1 << 53;

/// The most bytes of a file's name.
const MOST_NAME: usize = 1024;

/// What is to be done, checked.
pub(super) struct Plan {
    id: FileId,
    /// The row as it will be, but for what only its bytes tell.
    row: StoredFile,
    area: Area,
    /// Where the content goes.
    target: RelPath,
    feed: Arc<Watched>,
    /// Known before a byte is written only where the path is made of it.
    digest: Option<[u8; 32]>,
}

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

impl Plan {
    fn tag(&self) -> String {
        tag(self.id)
    }
}

/// Names the temporary file of a put, and what it archives.
pub(super) fn tag(id: FileId) -> String {
    format!("put-{}", id.0.simple())
}

/// Where the place's trash has what a put replaced.
pub(super) fn archived(id: FileId, target: &RelPath) -> Result<RelPath> {
    let trash = [RESERVED_DIR, b"/trash/", tag(id).as_bytes(), b"/", target.as_bytes()].concat();
    RelPath::parse(&trash).ok_or_else(|| Error::new(Code::Internal, "find in the trash", target))
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

    async fn plan(&self, file: NewFile) -> Result<Plan> {
        let NewFile { path, filename, namespace, app_id, metadata, is_public, content } = file;
        let area = self.area(namespace, app_id.as_ref())?;
        let metadata = checked(&filename, app_id.as_deref(), metadata)?;
        let (feed, size): (Arc<dyn crate::provider::Feed>, u64) = match content {
            Content::Bytes(bytes) => {
                let size = bytes.len() as u64;
                (Arc::new(InMemory(bytes)), size)
            }
            Content::Feed(feed) => {
                let size = feed.size();
                (feed, size)
            }
        };
        if size >= MOST_BYTES {
            return Err(invalid(&filename, "how many bytes it has is not known, or they are too many"));
        }
        let feed = Arc::new(Watched::new(feed, size, &filename));
        let (id, strategy) = (new_id(), self.row.row.auto_path_strategy);
        let mut digest = None;
        let storage_path = match (path, strategy) {
            (Some(_), AutoPathStrategy::Hash) => {
                return Err(invalid(&filename, "the paths of this volume are made of the content; leave it out"));
            }
            (Some(path), AutoPathStrategy::None | AutoPathStrategy::Uuid) => self.layout.place(&area, &path)?,
            (None, AutoPathStrategy::None) => return Err(invalid(&filename, "this volume wants a path")),
            (None, AutoPathStrategy::Uuid) => self.layout.place_of_id(&area, id.0)?,
            (None, AutoPathStrategy::Hash) => {
                let content = feed.content().await?;
                digest = Some(content.0);
                self.layout.place_of_content(&area, &content)?
            }
        };
        let target = on_place(&storage_path)?;
        for name in target.components() {
            if crate::model::Name::new(name).is_none_or(|name| !self.place.can_hold(&name)) {
                return Err(invalid(
                    &filename,
                    "the place cannot hold a name of its path: it is too long, or not allowed there",
                ));
            }
        }
        let row = StoredFile {
            volume_id: self.row.id,
            user_id: area.user(),
            app_id,
            namespace: area.namespace(),
            filename,
            storage_path,
            mime_type: None,
            size: size as i64,
            digest: digest.map(Vec::from),
            version_of: None,
            version_no: 1,
            metadata,
            is_public,
        };
        Ok(Plan { id, row, area, target, feed, digest })
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
        let (staged, mime) = self.stage(plan, held).await?;
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
            let (staged, mime) = self.stage(plan, held).await?;
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

    /// Stages and flushes the bytes, and has the row know them.
    async fn stage(self: &Arc<Self>, plan: &Plan, held: &Promised) -> Result<(Staged, Option<String>)> {
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
        Ok((staged, mime))
    }

    /// The folders that lead there, from the top, as far as they are there. One that is no folder ends them all.
    async fn way(&self, target: &RelPath) -> Result<(Vec<RelPath>, usize)> {
        let above = std::iter::successors(target.parent(), RelPath::parent).filter(|dir| !dir.is_root());
        let mut dirs: Vec<RelPath> = above.collect();
        dirs.reverse();
        let mut there = 0;
        for (seen, dir) in self.place.stat(dirs.clone()).await.into_iter().zip(&dirs) {
            match seen? {
                Some(node) if node.kind == Kind::Dir => there += 1,
                Some(_) => return Err(taken(dir)),
                None => break,
            }
        }
        Ok((dirs, there))
    }

    /// Whether all folders that lead there are there.
    pub(super) async fn is_reachable(&self, target: &RelPath) -> Result<bool> {
        match self.way(target).await {
            Ok((dirs, there)) => Ok(there == dirs.len()),
            Err(e) if e.code() == Code::Conflict => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Makes what leads there.
    pub(super) async fn make_folders(&self, target: &RelPath) -> Result<()> {
        let (mut dirs, there) = self.way(target).await?;
        let missing = dirs.split_off(there);
        if missing.is_empty() {
            return Ok(());
        }
        let made = missing.iter().map(|dir| (dir.clone(), Metadata::default())).collect();
        for (made, dir) in self.place.make_dirs(made).await.into_iter().zip(&missing) {
            // Another task may have made it meanwhile.
            if let Err(e) = made
                && self.look(dir).await?.is_none_or(|node| node.kind != Kind::Dir)
            {
                return Err(e);
            }
        }
        self.place.flush(missing).await
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
        let Carried { digest, mime, replaces } = carried;
        let now = self.now();
        let (user, app) = holders(&plan.area, plan.row.app_id.as_ref());
        let mut counted = vec![Counted { user, app, bytes: plan.row.size }];
        let mut with = Vec::new();
        let learned =
            vec![("mime_type", mime.value()), ("size", plan.row.size.value()), ("digest", Value::Blob(digest.into()))];
        let id = match old {
            None => {
                let storage_path = self.free_path(plan).await.map_err(|e| (e, Decided::Undone))?;
                with.push(self.remove(plan.id));
                let row = StoredFile { storage_path, mime_type: mime, digest: Some(digest.into()), ..plan.row.clone() };
                with.push(self.add(plan.id, &row, now, None));
                plan.id
            }
            Some(old) => {
                with.push(self.remove(plan.id));
                let mut columns = learned;
                columns.extend([
                    ("filename", plan.row.filename.value()),
                    ("app_id", plan.row.app_id.value()),
                    ("metadata", plan.row.metadata.value()),
                    ("is_public", plan.row.is_public.value()),
                ]);
                if replaces && self.keeps(&old.row, &digest) {
                    let storage_path = path::kept(self.row.id, plan.id);
                    let version = StoredFile { storage_path, version_of: Some(old.id), ..old.row.clone() };
                    with.push(self.add(plan.id, &version, now, None));
                    columns.push(("version_no", (old.row.version_no + 1).value()));
                } else {
                    let (user, app) = (old.row.user_id, old.row.app_id.clone());
                    counted.push(Counted { user, app, bytes: -old.row.size });
                }
                with.push(self.change(old.id, old.updated_at.0, now, columns));
                old.id
            }
        };
        self.settle(held, &counted, with).await.map_err(|e| {
            let decided = match e.code() {
                Code::Conflict | Code::Invalid | Code::Busy | Code::Quota | Code::Permission => Decided::Undone,
                _ => Decided::Unknown,
            };
            (overdue(&plan.target, e), decided)
        })?;
        self.drop_unwanted(plan, old, &digest).await;
        Ok(id)
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
    pub(super) async fn free_path_of(&self, id: FileId, storage_path: &str, digest: Option<&[u8]>) -> Result<String> {
        let Some(address) = address(storage_path, digest) else { return Ok(storage_path.to_owned()) };
        let taken = self.live_at(address).await?.is_some();
        Ok(if taken { sharing(address, id) } else { address.to_owned() })
    }

    async fn free_path(&self, plan: &Plan) -> Result<String> {
        match plan.digest {
            None => Ok(plan.row.storage_path.clone()),
            Some(digest) => self.free_path_of(plan.id, &plan.row.storage_path, Some(&digest)).await,
        }
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
        let feed = OfPlace { place: self.place.clone(), path: content, expect: node, pace: Pace::default() };
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

/// Checks what a host says of a file.
fn checked(filename: &str, app: Option<&str>, metadata: Json) -> Result<Json> {
    if filename.is_empty() || filename.len() > MOST_NAME || filename.contains('\0') {
        return Err(invalid(filename, "a name has 1 to 1,024 bytes, none of them 0"));
    }
    if app.is_some_and(|app| app.is_empty() || app.chars().count() > 100 || app.contains('\0')) {
        return Err(invalid(filename, "an app has 1 to 100 characters, none of them 0"));
    }
    match metadata.0 {
        serde_json::Value::Null => Ok(Json(serde_json::json!({}))),
        // PostgreSQL holds no text with the character 0, in JSON either.
        serde_json::Value::Object(_) if !metadata.0.to_string().contains("\\u0000") => Ok(metadata),
        _ => Err(invalid(filename, "its metadata is no JSON object, or has the character 0 in it")),
    }
}

fn invalid(filename: &str, why: &'static str) -> Error {
    let shown: String = filename.chars().take(80).collect();
    Error::new(Code::Invalid, "put the file", shown.escape_debug()).because(why)
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
