//! What the rows of a volume are to be after a batch. Pure.
//!
//! Rows are found by the storage paths they had before the batch. What moved takes its row along; what is gone loses its
//! row, unless versions of it are kept: then the row is marked as deleted; what is there has a row that says so. What
//! counts is the difference of all rows after and before, so that a count made anew from the rows is the same.

use std::collections::{BTreeMap, HashMap};

use super::super::FileId;
use super::super::mime::mime_type;
use super::super::path;
use super::super::quota::Counted;
use crate::model::{Json, Namespace, Stored, StoredFile, UserId, VolumeId};

/// What became of files, by their storage paths. Directories that moved are none of this: their rows move by range.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// From where to where; none where no row can have the path.
    pub(super) moved: Vec<(Option<String>, Option<String>)>,
    pub(super) gone: Vec<String>,
    pub(super) there: Vec<There>,
}

/// A file as it is now.
#[derive(Clone, Debug)]
pub(super) struct There {
    pub(super) path: String,
    pub(super) size: i64,
    /// None where it is not known.
    pub(super) digest: Option<[u8; 32]>,
    /// What was there before and is kept as a version.
    pub(super) kept: Option<Kept>,
}

/// A content that was overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: FileId,
    pub(crate) size: u64,
    /// None where it is not known.
    pub(crate) digest: Option<[u8; 32]>,
}

/// A row before the batch.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) file: Stored<StoredFile>,
    pub(super) has_versions: bool,
}

/// Whose the new rows are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) volume: VolumeId,
    pub(super) user: UserId,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Rows that change or go, with the time of their last change.
    pub(super) touched: Vec<(FileId, i64)>,
    pub(super) removed: Vec<FileId>,
    /// Rows as they will be.
    pub(super) changed: Vec<Stored<StoredFile>>,
    /// New ones; a version comes after what it is of.
    pub(super) new: Vec<(FileId, StoredFile)>,
    /// By how much more or less each holds.
    pub(super) counted: Vec<Counted>,
}

/// A row while it changes.
struct Slot {
    id: FileId,
    before: Option<Known>,
    row: StoredFile,
}

/// `rows` has every row at the paths that are told, by its path.
pub(super) fn plan(
    told: Told,
    mut rows: HashMap<String, Known>,
    owner: Owner,
    mut new_id: impl FnMut() -> FileId,
) -> Plan {
    let mut slots: BTreeMap<String, Slot> = BTreeMap::new();
    let mut gone: Vec<Known> = Vec::new();
    // All leave before any arrives: two may change places.
    let left: Vec<_> =
        told.moved.into_iter().map(|(from, to)| (from.and_then(|from| rows.remove(&from)), to)).collect();
    for (known, to) in left {
        // What stood there is what the run did not know of, and is not there any more.
        gone.extend(to.as_ref().and_then(|to| rows.remove(to)));
        match (known, to) {
            (Some(known), Some(to)) => drop(slots.insert(to.clone(), moved(known, to))),
            (Some(known), None) => gone.push(known),
            (None, _) => {}
        }
    }
    gone.extend(told.gone.iter().filter_map(|path| rows.remove(path)));
    let mut versions = Vec::new();
    for there in told.there {
        let slot = slots.entry(there.path.clone()).or_insert_with(|| match rows.remove(&there.path) {
            Some(known) => Slot { id: known.file.id, row: known.file.row.clone(), before: Some(known) },
            None => Slot { id: new_id(), before: None, row: new_row(&there, owner) },
        });
        versions.extend(there.kept.as_ref().map(|kept| version(slot, kept)));
        show(&mut slot.row, &there);
    }
    written(slots, gone, versions)
}

/// The row under its new path. A name that a host gave stays.
fn moved(known: Known, to: String) -> Slot {
    let mut row = known.file.row.clone();
    let (old, new) = (name_of(&row.storage_path).to_owned(), name_of(&to).to_owned());
    if row.filename == old {
        if row.mime_type == mime_type(&[], &old) {
            row.mime_type = mime_type(&[], &new);
        }
        row.filename = new;
    }
    row.storage_path = to;
    Slot { id: known.file.id, before: Some(known), row }
}

fn new_row(there: &There, owner: Owner) -> StoredFile {
    let filename = name_of(&there.path).to_owned();
    StoredFile {
        volume_id: owner.volume,
        user_id: Some(owner.user),
        app_id: None,
        namespace: Namespace::Users,
        mime_type: mime_type(&[], &filename),
        filename,
        storage_path: there.path.clone(),
        size: there.size,
        digest: there.digest.map(Into::into),
        version_of: None,
        version_no: 1,
        metadata: Json(serde_json::json!({})),
        is_public: false,
    }
}

/// The row of the content that was overwritten; the file goes on with the next number.
fn version(slot: &mut Slot, kept: &Kept) -> (FileId, StoredFile) {
    let version = StoredFile {
        storage_path: path::kept(slot.row.volume_id, kept.id),
        size: i64::try_from(kept.size).unwrap_or(i64::MAX),
        digest: kept.digest.map(Into::into),
        version_of: Some(slot.id),
        ..slot.row.clone()
    };
    slot.row.version_no += 1;
    (kept.id, version)
}

/// The row says what is there. Where it says that already, it stays as it is.
fn show(row: &mut StoredFile, there: &There) {
    let is_same = row.size == there.size && there.digest.is_none_or(|new| row.digest.as_deref() == Some(&new[..]));
    if is_same {
        return;
    }
    row.size = there.size;
    row.digest = there.digest.map(Into::into);
    row.mime_type = mime_type(&[], &row.filename);
}

fn written(slots: BTreeMap<String, Slot>, gone: Vec<Known>, versions: Vec<(FileId, StoredFile)>) -> Plan {
    let mut plan = Plan::default();
    for Slot { id, before, row } in slots.into_values() {
        match before {
            None => {
                count(&mut plan.counted, &row, row.size);
                plan.new.push((id, row));
            }
            Some(known) if known.file.row == row => {}
            Some(known) => {
                count(&mut plan.counted, &row, row.size - known.file.row.size);
                plan.touched.push((id, known.file.updated_at.0));
                plan.changed.push(Stored { row, ..known.file });
            }
        }
    }
    for Known { file, has_versions } in gone {
        plan.touched.push((file.id, file.updated_at.0));
        // What is marked as deleted counts until it is purged.
        if !has_versions {
            count(&mut plan.counted, &file.row, -file.row.size);
            plan.removed.push(file.id);
        }
    }
    for (id, version) in versions {
        count(&mut plan.counted, &version, version.size);
        plan.new.push((id, version));
    }
    plan.counted.retain(|counted| counted.bytes != 0);
    plan
}

fn count(counted: &mut Vec<Counted>, row: &StoredFile, bytes: i64) {
    match counted.iter_mut().find(|c| c.user == row.user_id && c.app == row.app_id) {
        Some(counted) => counted.bytes += bytes,
        None => counted.push(Counted { user: row.user_id, app: row.app_id.clone(), bytes }),
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
