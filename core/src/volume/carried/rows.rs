//! Rows of `files` by the batch: statements of a few fixed sizes, so that they are prepared once.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::super::quota::ANY_LOCK;
use super::super::{FileId, Inner};
use super::plan::{Known, Plan, Told};
use crate::error::Result;
use crate::model::{Stored, StoredFile, Table as _, Value};
use crate::provider::RESERVED_DIR;
use crate::store::{Insert, OnConflict, Write};
use crate::table;

/// How many rows one statement names.
const SIZES: [usize; 3] = [1, 16, LARGEST];
const LARGEST: usize = 256;

/// Rows that are looked for where a directory has moved to, at most: nothing should be there.
const MOST_IN_THE_WAY: i64 = 10_000;

const MOVED_ON: &str = "updated_at = CASE WHEN updated_at < ?3 THEN ?3 ELSE updated_at END";

/// A directory that moved, by its storage paths; none where no row can have the path.
pub(super) type DirMove = (Option<String>, Option<String>);

/// Cuts into pieces of the fixed sizes; the last item of a piece that is not full is repeated.
fn pieces<T: Clone>(items: &[T]) -> impl Iterator<Item = (Vec<T>, usize)> {
    items.chunks(LARGEST).map(|piece| {
        let size = SIZES.into_iter().find(|size| piece.len() <= *size).unwrap_or(LARGEST);
        let last = piece.last().into_iter().cycle().cloned();
        (piece.iter().cloned().chain(last).take(size).collect(), piece.len())
    })
}

/// `?first, ?first+1 …`
fn places(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ")
}

/// From where, included, to where, excluded, the storage paths beneath a directory go.
fn beneath(dir: &str) -> [Value; 2] {
    // What comes after the separator.
    [Value::Text(format!("{dir}/")), Value::Text(format!("{dir}0"))]
}

impl Inner {
    /// The files that are not deleted and have these storage paths, by their paths.
    pub(super) async fn files_at(&self, paths: &[String]) -> Result<HashMap<String, Stored<StoredFile>>> {
        let ask = pieces(paths).map(|(piece, _)| {
            let rest = format!("storage_path IN ({}) AND deleted_at IS NULL", places(3, piece.len()));
            self.asking(&rest, piece.into_iter().map(Value::Text))
        });
        let found = self.book.store.query_many(self.tenant, ask.collect()).await?;
        let mut files = HashMap::with_capacity(paths.len());
        for row in found.iter().flat_map(crate::model::Rows::iter) {
            let file: Stored<StoredFile> = table::stored(row)?;
            files.insert(file.row.storage_path.clone(), file);
        }
        Ok(files)
    }

    /// Which of these files have versions.
    pub(super) async fn with_versions(&self, ids: &[FileId]) -> Result<HashSet<FileId>> {
        let ask = pieces(ids).map(|(piece, _)| {
            let sql = format!(
                "SELECT DISTINCT version_of FROM files WHERE tenant_id = ?1 AND volume_id = ?2 AND version_of IN ({})",
                places(3, piece.len())
            );
            self.scoped(sql, piece.into_iter().map(|id| Value::Uuid(id.0)).collect())
        });
        let found = self.book.store.query_many(self.tenant, ask.collect()).await?;
        found.iter().flat_map(crate::model::Rows::iter).map(|row| row.uuid(0).map(FileId::new)).collect()
    }

    /// What stands in the book where directories have moved to: nothing, but for what was changed beneath the volume.
    pub(super) async fn files_beneath(&self, dirs: &[String]) -> Result<Vec<Stored<StoredFile>>> {
        let mut files = Vec::new();
        for dir in dirs {
            let rest = "storage_path >= ?3 AND storage_path < ?4 AND deleted_at IS NULL LIMIT ?5";
            files.extend(self.files(rest, beneath(dir).into_iter().chain([Value::Int(MOST_IN_THE_WAY)])).await?);
        }
        Ok(files)
    }

    /// The parts of a batch that carry a plan out. The first locks the volume; the batch fails (`conflict`) when a row is
    /// not any more what it was when the plan was made.
    pub(super) fn write_rows(&self, plan: Plan, dirs: &[DirMove]) -> Vec<Write> {
        let now = self.now();
        let mut batch = match plan.counted.as_slice() {
            [] => vec![Write::Expect(self.scoped(ANY_LOCK, Vec::new()), 1)],
            counted => self.count(counted, now),
        };
        batch.extend(self.touch(&plan.touched, now));
        batch.extend(self.move_beneath(dirs, now));
        batch.extend(self.remove_all(&plan.removed));
        if !dirs.is_empty() {
            let arriving = plan.changed.iter().map(|file| &file.row).chain(plan.new.iter().map(|(_, row)| row));
            let arriving: Vec<String> = arriving.map(|row| row.storage_path.clone()).collect();
            batch.extend(self.clear(&arriving, now));
        }
        let changed = plan.changed.into_iter().map(|file| {
            let moved_on = now.max(file.updated_at.0 + 1);
            (file.id, file.created_at.0, moved_on, file.row)
        });
        batch.extend(self.insert(changed.collect(), OnConflict::Replace { key: 1 }));
        let new = plan.new.into_iter().map(|(id, row)| (id, now, now, row));
        batch.extend(self.insert(new.collect(), OnConflict::Fail));
        batch
    }

    /// Marks rows as deleted, if they are what they were: until they are written anew nothing stands in their way, and
    /// they stand in nobody's.
    fn touch<'a>(&'a self, rows: &'a [(FileId, i64)], now: i64) -> impl Iterator<Item = Write> + 'a {
        pieces(rows).map(move |(piece, count)| {
            let mut sql = format!(
                "UPDATE files SET deleted_at = ?3, {MOVED_ON} WHERE tenant_id = ?1 AND volume_id = ?2 AND deleted_at IS NULL AND ("
            );
            let mut params = vec![Value::Time(now)];
            for (i, (id, seen)) in piece.into_iter().enumerate() {
                let or = if i == 0 { "" } else { " OR " };
                let _ = write!(sql, "{or}(id = ?{} AND updated_at = ?{})", 4 + 2 * i, 5 + 2 * i);
                params.extend([Value::Uuid(id.0), Value::Time(seen)]);
            }
            sql.push(')');
            Write::Expect(self.scoped(sql, params), count as u64)
        })
    }

    fn remove_all<'a>(&'a self, ids: &'a [FileId]) -> impl Iterator<Item = Write> + 'a {
        pieces(ids).map(move |(piece, count)| {
            let sql = format!(
                "DELETE FROM files WHERE tenant_id = ?1 AND volume_id = ?2 AND id IN ({})",
                places(3, piece.len())
            );
            let ids = piece.into_iter().map(|id| Value::Uuid(id.0));
            Write::Expect(self.scoped(sql, ids.collect()), count as u64)
        })
    }

    /// What was moved to these paths together with a directory and cannot be there.
    fn clear<'a>(&'a self, paths: &'a [String], now: i64) -> impl Iterator<Item = Write> + 'a {
        pieces(paths).map(move |(piece, _)| {
            let sql = format!(
                "UPDATE files SET deleted_at = ?3, {MOVED_ON} WHERE tenant_id = ?1 AND volume_id = ?2 \
                 AND deleted_at IS NULL AND storage_path IN ({})",
                places(4, piece.len())
            );
            let params = [Value::Time(now)].into_iter().chain(piece.into_iter().map(Value::Text));
            Write::Execute(self.scoped(sql, params.collect()))
        })
    }

    /// All rows beneath directories that moved: aside first, the deepest before those that held them, as directories may
    /// change places; then to where they are now.
    fn move_beneath(&self, dirs: &[DirMove], now: i64) -> Vec<Write> {
        let mut order: Vec<usize> = (0..dirs.len()).filter(|i| dirs[*i].0.is_some()).collect();
        order.sort_by_key(|i| std::cmp::Reverse(dirs[*i].0.as_ref().map_or(0, |from| from.matches('/').count())));
        let aside = |i: usize| format!("{}/moving/{i}", String::from_utf8_lossy(RESERVED_DIR));
        let leave = order.iter().filter_map(|i| dirs[*i].0.as_ref().map(|from| self.rebase(from, &aside(*i), now)));
        let in_the_way = dirs.iter().filter_map(|(_, to)| to.as_ref()).map(|to| self.mark_beneath(to, now));
        let arrive = order.iter().map(|i| match &dirs[*i].1 {
            Some(to) => self.rebase(&aside(*i), to, now),
            None => self.mark_beneath(&aside(*i), now),
        });
        leave.chain(in_the_way).chain(arrive).collect()
    }

    fn rebase(&self, from: &str, to: &str, now: i64) -> Write {
        let sql = format!(
            "UPDATE files SET storage_path = ?6 || substr(storage_path, ?7), {MOVED_ON} WHERE tenant_id = ?1 AND volume_id = ?2 \
             AND storage_path >= ?4 AND storage_path < ?5 AND deleted_at IS NULL"
        );
        let rest = i64::try_from(from.chars().count() + 1).unwrap_or(i64::MAX);
        let range = [Value::Time(now)].into_iter().chain(beneath(from));
        let params = range.chain([Value::Text(to.to_owned()), Value::Int(rest)]);
        Write::Execute(self.scoped(sql, params.collect()))
    }

    /// What no row can name any more, or is known of nobody, is marked as deleted. It counts until it is purged.
    fn mark_beneath(&self, dir: &str, now: i64) -> Write {
        let sql = format!(
            "UPDATE files SET deleted_at = ?3, {MOVED_ON} WHERE tenant_id = ?1 AND volume_id = ?2 \
             AND storage_path >= ?4 AND storage_path < ?5 AND deleted_at IS NULL"
        );
        Write::Execute(self.scoped(sql, [Value::Time(now)].into_iter().chain(beneath(dir)).collect()))
    }

    fn insert(&self, rows: Vec<(FileId, i64, i64, StoredFile)>, on_conflict: OnConflict) -> Option<Write> {
        let mut names = Vec::new();
        let mut values = Vec::new();
        for (id, made, changed, row) in rows {
            let (columns, own): (Vec<_>, Vec<_>) = table::columns(&row).into_iter().unzip();
            names = columns;
            values.extend([Value::Uuid(id.0), Value::Uuid(self.tenant.0), Value::Time(made), Value::Time(changed)]);
            values.push(Value::Null);
            values.extend(own);
        }
        let base = ["id", "tenant_id", "created_at", "updated_at", "deleted_at"];
        let columns = base.into_iter().chain(names);
        (!values.is_empty()).then(|| Write::Insert(Insert::new(StoredFile::NAME, columns, values, on_conflict)))
    }

    /// The rows with whether there are versions of them, which is asked of those that may go.
    pub(super) async fn with_their_versions(
        &self,
        files: HashMap<String, Stored<StoredFile>>,
        told: &Told,
    ) -> Result<HashMap<String, Known>> {
        let moved = told.moved.iter().flat_map(|(from, to)| [from, to]).flatten();
        let may_go: HashSet<&String> = moved.chain(&told.gone).collect();
        let ids: Vec<FileId> =
            files.iter().filter(|(path, _)| may_go.contains(path)).map(|(_, file)| file.id).collect();
        let with_versions = self.with_versions(&ids).await?;
        let known = |file: Stored<StoredFile>| Known { has_versions: with_versions.contains(&file.id), file };
        Ok(files.into_iter().map(|(path, file)| (path, known(file))).collect())
    }
}
