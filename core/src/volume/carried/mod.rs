//! A saved volume at an end of a conduit: the rules of the volume hold for what runs carry.
//!
//! What always holds:
//!
//! - the ledger of a conduit and the rows of `files` change in one transaction, so that a row stands wherever the ledger
//!   says that the volume has a file, at `default_prefix`, the path of the place and the path of the item, and nowhere
//!   else. Directories and links have no rows; neither has what no row can name: a path that is not UTF-8, or is longer
//!   than 2,048 bytes. Such files do not count;
//! - `quota_used` changes in that transaction by exactly what the rows change;
//! - nothing is staged before room for it is promised (`room`);
//! - what a run overwrites is a version where the volume keeps versions (`keep`).
//!
//! A file that was there when the conduit first saw it counts from then on, whether or not there is room: it is there.

mod keep;
mod plan;
mod room;
mod rows;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::path::{Layout, MOST_BYTES};
use super::{Inner, PROMISE, limit, new_id, open};
use crate::book::BookInner;
use crate::error::{Code, Error, Result};
use crate::identity::ContentHash;
use crate::model::{Kind, Node, RelPath, StorageVolume, Stored, StoredFile, Table as _, TenantId, UserId, VolumeId};
use crate::provider::Provider;
use crate::store::Write;
use crate::table;

pub(crate) use keep::{Overwritten, Version};
pub(crate) use plan::Kept;
pub(crate) use room::{Coming, Room};

/// A directory of a saved volume at an end of a conduit.
pub(crate) struct End {
    inner: Arc<Inner>,
    /// The directory, from the root of the volume.
    root: RelPath,
    /// The root of the volume.
    volume: OnceCell<Arc<dyn Provider>>,
}

/// What became of the items of a place in a batch, by their paths beneath it.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) dirs: Vec<DirMove>,
    pub(crate) moved: Vec<FileMove>,
    pub(crate) gone: Vec<Gone>,
    pub(crate) there: Vec<There>,
}

/// A directory that is elsewhere now, with all that it holds. `from` is where it was before the batch.
#[derive(Debug)]
pub(crate) struct DirMove {
    pub(crate) from: RelPath,
    pub(crate) to: RelPath,
}

/// A file that is elsewhere now. `from` is where it was before the batch.
#[derive(Debug)]
pub(crate) struct FileMove {
    pub(crate) from: RelPath,
    pub(crate) to: RelPath,
}

/// A file that is not there any more.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) path: RelPath,
    /// The run has removed it itself; otherwise another may stand there by now.
    pub(crate) is_sure: bool,
}

/// A file that is there.
#[derive(Debug)]
pub(crate) struct There {
    pub(crate) path: RelPath,
    pub(crate) size: u64,
    /// None where it is not known.
    pub(crate) digest: Option<ContentHash>,
    /// What it has replaced.
    pub(crate) kept: Option<Kept>,
}

impl Happened {
    fn is_empty(&self) -> bool {
        self.dirs.is_empty() && self.moved.is_empty() && self.gone.is_empty() && self.there.is_empty()
    }
}

impl End {
    /// The directory `root` of a volume, behind `place`.
    ///
    /// # Errors
    /// `not_found`; `invalid` when it is not active or its row cannot be used.
    pub(crate) async fn open(
        book: &Arc<BookInner>,
        tenant: TenantId,
        user: UserId,
        volume: VolumeId,
        root: &str,
        place: Arc<dyn Provider>,
    ) -> Result<Self> {
        let missing = || Error::new(Code::NotFound, "find the volume", volume);
        let found = book.tables(tenant).get(&StorageVolume::INFO, volume.0).await?;
        let row: Stored<StorageVolume> = table::stored(found.first().ok_or_else(missing)?)?;
        if !row.row.is_active {
            return Err(open::inactive(&row.row));
        }
        let root = RelPath::parse(root.as_bytes()).ok_or_else(missing)?;
        let (layout, pace) = (Layout::of(&row.row)?, limit::pace(book, row.id.0, &row.row)?);
        let (book, process) = (book.clone(), open::process(book));
        let inner = Inner { book, tenant, user, row, layout, place, pace, process, promise: PROMISE };
        Ok(Self { inner: Arc::new(inner), root, volume: OnceCell::new() })
    }

    /// Names the volume; whoever changes several does it in the order of their ids.
    pub(crate) fn volume(&self) -> VolumeId {
        self.inner.row.id
    }

    /// The parts of a batch that make the rows say what happened; nothing where they say it already. They lock the volume
    /// first. `conflict` for the batch means that rows were changed meanwhile: then this is asked anew.
    ///
    /// # Errors
    /// `storage`, `busy`.
    pub(crate) async fn writes(&self, happened: &Happened) -> Result<Vec<Write>> {
        if happened.is_empty() {
            return Ok(Vec::new());
        }
        let address = |path: &RelPath| self.address(path);
        let dirs: Vec<rows::DirMove> =
            happened.dirs.iter().map(|moved| (address(&moved.from), address(&moved.to))).collect();
        let mut told = plan::Told {
            moved: happened.moved.iter().map(|moved| (address(&moved.from), address(&moved.to))).collect(),
            gone: happened.gone.iter().filter_map(|gone| address(&gone.path)).collect(),
            there: happened.there.iter().filter_map(|there| self.there(there)).collect(),
        };
        let goal = |(_, to): &(Option<String>, Option<String>)| to.clone();
        let goals: HashSet<String> = told.moved.iter().filter_map(goal).filter(|to| leaves(to, &dirs)).collect();
        let mut paths: HashSet<String> = told.moved.iter().filter_map(goal).filter(|to| !goals.contains(to)).collect();
        // What a directory takes along is not in the way of the file that comes to its place.
        paths.extend(told.moved.iter().filter_map(|(from, _)| from.clone()));
        paths.extend(told.gone.iter().cloned());
        paths.extend(told.there.iter().map(|there| there.path.clone()));
        let mut files = self.inner.files_at(&paths.into_iter().collect::<Vec<_>>()).await?;
        let doubtful: Vec<&RelPath> =
            happened.gone.iter().filter(|gone| !gone.is_sure).map(|gone| &gone.path).collect();
        let still_there = self.still_there(&doubtful, &files).await;
        told.gone.retain(|gone| !still_there.contains(gone));
        let arrived: Vec<String> = dirs.iter().filter_map(|(_, to)| to.clone()).collect();
        let arrived: Vec<String> = arrived.into_iter().filter(|to| !overlaps(to, &dirs)).collect();
        for file in self.inner.files_beneath(&arrived).await? {
            told.gone.push(file.row.storage_path.clone());
            files.insert(file.row.storage_path.clone(), file);
        }
        let rows = self.inner.with_their_versions(files, &told).await?;
        let owner = plan::Owner { volume: self.inner.row.id, user: self.inner.user };
        let plan = plan::plan(told, rows, owner, new_id);
        let is_nothing = plan.touched.is_empty() && plan.new.is_empty() && dirs.is_empty();
        Ok(if is_nothing { Vec::new() } else { self.inner.write_rows(plan, &dirs) })
    }

    /// Which of these paths that have rows have files, too. What cannot be looked at is as the scan saw it.
    async fn still_there(&self, doubtful: &[&RelPath], files: &HashMap<String, Stored<StoredFile>>) -> HashSet<String> {
        let asked: Vec<(RelPath, String)> = doubtful
            .iter()
            .filter_map(|path| Some(((*path).clone(), self.address(path)?)))
            .filter(|(_, address)| files.contains_key(address))
            .collect();
        if asked.is_empty() {
            return HashSet::new();
        }
        let seen = self.inner.place.stat(asked.iter().map(|(path, _)| path.clone()).collect()).await;
        let is_file = |node: &Result<Option<Node>>| matches!(node, Ok(Some(node)) if node.kind == Kind::File);
        asked.into_iter().zip(seen).filter(|(_, seen)| is_file(seen)).map(|((_, address), _)| address).collect()
    }

    fn there(&self, there: &There) -> Option<plan::There> {
        Some(plan::There {
            path: self.address(&there.path)?,
            size: i64::try_from(there.size).unwrap_or(i64::MAX),
            digest: there.digest.map(|digest| digest.0),
            kept: there.kept.clone(),
        })
    }

    /// The path from the root of the volume.
    fn within(&self, path: &RelPath) -> RelPath {
        path.rebase(&RelPath::root(), &self.root)
    }

    /// The storage path of a path beneath the place; none where no row can have it.
    fn address(&self, path: &RelPath) -> Option<String> {
        let whole = self.within(path);
        let text = std::str::from_utf8(whole.as_bytes()).ok()?;
        (!text.is_empty() && text.len() <= MOST_BYTES).then(|| text.to_owned())
    }
}

/// Whether a directory that moved takes this path along.
fn leaves(path: &str, dirs: &[rows::DirMove]) -> bool {
    dirs.iter().filter_map(|(from, _)| from.as_ref()).any(|from| is_beneath(path, from))
}

/// Whether one of the directories was at this path, in it, or around it.
fn overlaps(path: &str, dirs: &[rows::DirMove]) -> bool {
    let around = |from: &String| from == path || is_beneath(from, path) || is_beneath(path, from);
    dirs.iter().filter_map(|(from, _)| from.as_ref()).any(around)
}

fn is_beneath(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}
