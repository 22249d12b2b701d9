//! Versions of what runs overwrite.
//!
//! What is replaced goes to the trash of the place in the same step as its successor comes, under a label of the batch, and
//! from there to `.portbook/kept/` of the volume, before the row of the version is committed. An intent of the run says so
//! before, from which the next run finishes what this one could not (see [`End::finish`]); while one is open, upkeep
//! sweeps nothing there.

use std::sync::Arc;

use super::super::open;
use super::super::path;
use super::super::plan::tag;
use super::super::put::only;
use super::super::{FileId, new_id};
use super::plan::Kept;
use super::{End, Happened, There};
use crate::delta::Expect;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Node, RelPath, VersioningMode};
use crate::provider::{Move, Provider, RESERVED_DIR};

/// A file that is about to be overwritten.
pub(crate) struct Overwritten {
    /// Beneath the place.
    pub(crate) path: RelPath,
    /// What comes in its place.
    pub(crate) content: ContentHash,
    /// What is there is what the ledger knows.
    pub(crate) is_known: bool,
}

/// What is about to become a version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    pub(crate) id: FileId,
    /// That of the row, where the row is of what is there.
    pub(crate) digest: Option<[u8; 32]>,
}

impl End {
    /// Whether the volume keeps what is overwritten.
    pub(crate) fn keeps(&self) -> bool {
        self.inner.row.row.versioning_mode != VersioningMode::None
    }

    /// What becomes a version when it is overwritten: in `source` everything, in `target` what has another content than
    /// what comes.
    pub(crate) async fn versions(&self, files: &[Overwritten]) -> Result<Vec<Option<Version>>> {
        let paths: Vec<Option<String>> = files.iter().map(|file| self.address(&file.path)).collect();
        let held: Vec<String> = paths.iter().flatten().cloned().collect();
        let rows = self.inner.files_at(&held).await?;
        let each = |(file, path): (&Overwritten, Option<String>)| {
            let row = rows.get(&path?).filter(|_| file.is_known);
            let digest: Option<[u8; 32]> =
                row.and_then(|row| row.row.digest.as_deref()).and_then(|d| d.try_into().ok());
            let is_same = digest.is_some_and(|digest| digest == file.content.0);
            let is_kept = match self.inner.row.row.versioning_mode {
                VersioningMode::None => false,
                VersioningMode::Source => true,
                VersioningMode::Target => !is_same,
            };
            is_kept.then(|| Version { id: new_id(), digest })
        };
        Ok(files.iter().zip(paths).map(each).collect())
    }

    /// Those of these files that have versions, with the ids of their rows: when they are deleted, their content is kept
    /// under that id, so that they can be restored.
    pub(crate) async fn with_versions(&self, paths: &[RelPath]) -> Result<Vec<(RelPath, FileId)>> {
        let addresses: Vec<Option<String>> = paths.iter().map(|path| self.address(path)).collect();
        let held: Vec<String> = addresses.iter().flatten().cloned().collect();
        let rows = self.inner.files_at(&held).await?;
        let ids: Vec<FileId> = rows.values().map(|row| row.id).collect();
        let with = self.inner.with_versions(&ids).await?;
        let id = |address: Option<String>| rows.get(&address?).map(|row| row.id).filter(|id| with.contains(id));
        Ok(paths.iter().zip(addresses).filter_map(|(path, address)| Some((path.clone(), id(address)?))).collect())
    }

    /// A new label of the place's trash, for what is going to be kept.
    pub(crate) fn label() -> String {
        tag(new_id())
    }

    /// Moves what was replaced or deleted from the trash of the place to what the volume keeps, durably; answers what each
    /// was. One that is not there was not replaced.
    pub(crate) async fn keep(&self, label: &str, files: &[(RelPath, FileId)]) -> Result<Vec<Result<Option<Node>>>> {
        let root = self.volume_root().await?;
        let trashed: Vec<RelPath> = files.iter().map(|(path, _)| self.trashed(label, path)).collect::<Result<_>>()?;
        let seen = root.stat(trashed.clone()).await;
        let mut nodes = Vec::with_capacity(files.len());
        let mut moves = Vec::new();
        for ((from, (_, id)), seen) in trashed.into_iter().zip(files).zip(seen) {
            if let Ok(Some(node)) = &seen {
                let to = path::on_place(&path::kept(self.inner.row.id, *id))?;
                moves.push(Move { from, to, expect: Expect::Node(node.clone()), through: None });
            }
            nodes.push(seen);
        }
        if moves.is_empty() {
            return Ok(nodes);
        }
        let kept: Vec<RelPath> = moves.iter().map(|item| item.to.clone()).collect();
        let mut done = root.move_kept(moves).await.into_iter();
        for node in nodes.iter_mut().filter(|node| matches!(node, Ok(Some(_)))) {
            if let Some(Err(error)) = done.next() {
                *node = Err(error);
            }
        }
        root.flush(kept).await?;
        Ok(nodes)
    }

    /// Brings to its end what a run that died was about to keep: the version gets its row, if what was to replace it did.
    ///
    /// # Errors
    /// As the place; `conflict` when the rows were changed at the same time.
    pub(crate) async fn finish(&self, path: &RelPath, id: FileId, label: &str) -> Result<()> {
        let Some(address) = self.address(path) else { return Ok(()) };
        if self.inner.row_of(id).await?.is_some() {
            return Ok(());
        }
        let root = self.volume_root().await?;
        let (here, kept) = (self.within(path), path::on_place(&path::kept(self.inner.row.id, id))?);
        let mut seen = root.stat(vec![kept.clone(), self.trashed(label, path)?, here.clone()]).await.into_iter();
        let mut look = || seen.next().transpose().map(Option::flatten);
        let (in_kept, in_trash, now) = (look()?, look()?, look()?);
        if in_kept.is_none() && in_trash.is_none() {
            return Ok(());
        }
        if in_kept.is_none() {
            only(self.keep(label, &[(path.clone(), id)]).await?, path)?;
        }
        let hashed = only(root.hash(vec![kept.clone()]).await, &kept)?;
        if now.is_some_and(|now| now.kind == Kind::File) {
            let now = only(root.hash(vec![here.clone()]).await, &here)?;
            // A second name, or a copy, of what was not replaced.
            if now.content == hashed.content {
                return only(root.remove_kept(vec![kept.clone()]).await, &kept);
            }
        }
        let old = Kept { id, size: hashed.node.token.size, digest: Some(hashed.content.0) };
        let Some(row) = self.inner.live_at(&address).await? else { return Ok(()) };
        // The row still says what was there before; what is there now is recorded by the run that comes.
        let digest = row.row.digest.as_deref().and_then(|d| d.try_into().ok()).map(ContentHash);
        let size = row.row.size.unsigned_abs();
        let there = vec![There { path: path.clone(), size, digest, kept: Some(old) }];
        let writes = self.writes(&Happened { there, ..Happened::default() }).await?;
        self.inner.book.store.write(self.inner.tenant, writes).await.map(drop)
    }

    /// The volume as a whole, opened when it is first needed: conduits are rooted at a directory of it.
    async fn volume_root(&self) -> Result<&Arc<dyn Provider>> {
        let (book, tenant) = (&self.inner.book, self.inner.tenant);
        self.volume.get_or_try_init(|| open::open_provider(book, tenant, &self.inner.row)).await
    }

    /// Where the trash of the place has what was replaced, from the root of the volume.
    fn trashed(&self, label: &str, path: &RelPath) -> Result<RelPath> {
        let trash = [RESERVED_DIR, b"/trash/", label.as_bytes(), b"/", path.as_bytes()].concat();
        let trash = RelPath::parse(&trash).ok_or_else(|| Error::new(Code::Internal, "find in the trash", path))?;
        Ok(self.within(&trash))
    }
}
