//! Rows of `files`, as the volume asks for and writes them.

use std::fmt::Write as _;

use super::{FileId, Inner};
use crate::error::Result;
use crate::model::{Stored, StoredFile, Table as _, Value};
use crate::store::{Insert, OnConflict, Statement, Write};
use crate::table;

/// Rows of a page at most.
pub(super) const PAGE: usize = 1000;

/// Selects files of a tenant (`?1`) and a volume (`?2`).
fn select(rest: &str) -> String {
    let mut sql = "SELECT id, NULL, created_at, updated_at, deleted_at IS NOT NULL".to_owned();
    for column in StoredFile::INFO.columns {
        let _ = write!(sql, ", {}", column.name);
    }
    let _ = write!(sql, " FROM files WHERE tenant_id = ?1 AND volume_id = ?2 AND {rest}");
    sql
}

impl Inner {
    fn scope(&self, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
        [Value::Uuid(self.tenant.0), Value::Uuid(self.row.id.0)].into_iter().chain(more).collect()
    }

    /// Files of this volume; parameters of `rest` begin with `?3`.
    pub(super) async fn files(
        &self,
        rest: &str,
        params: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Stored<StoredFile>>> {
        let ask = self.asking(rest, params);
        self.book.store.query(self.tenant, ask).await?.iter().map(table::stored).collect()
    }

    /// The question for them.
    pub(super) fn asking(&self, rest: &str, params: impl IntoIterator<Item = Value>) -> Statement {
        Statement::new(select(rest), self.scope(params))
    }

    /// The row of that id, deleted or not.
    pub(super) async fn row_of(&self, id: FileId) -> Result<Option<Stored<StoredFile>>> {
        Ok(self.files("id = ?3", [Value::Uuid(id.0)]).await?.pop())
    }

    /// The file that is not deleted and has that storage path.
    pub(super) async fn live_at(&self, storage_path: &str) -> Result<Option<Stored<StoredFile>>> {
        Ok(self.files("storage_path = ?3 AND deleted_at IS NULL", [Value::Text(storage_path.into())]).await?.pop())
    }

    /// Whether a row other than this one relies on the content at an address: a file, or a deleted one that shares it.
    pub(super) async fn is_relied_upon(&self, address: &str, digest: Option<&[u8]>, but: FileId) -> Result<bool> {
        let (from, to) = super::path::sharers(address);
        let live = "deleted_at IS NULL AND id <> ?3 AND (storage_path = ?4 OR (storage_path >= ?5 AND storage_path < ?6)) LIMIT 1";
        let text = |text: &str| Value::Text(text.into());
        let live = self.files(live, [Value::Uuid(but.0), text(address), text(&from), text(&to)]).await?;
        if !live.is_empty() {
            return Ok(true);
        }
        let Some(digest) = digest.filter(|digest| super::path::address(address, Some(digest)).is_some()) else {
            return Ok(false);
        };
        let deleted = "deleted_at IS NOT NULL AND id <> ?3 AND digest = ?4 AND id NOT IN (SELECT id FROM quota_reservation \
             WHERE tenant_id = ?1 AND volume_id = ?2)";
        let deleted = self.files(deleted, [Value::Uuid(but.0), Value::Blob(digest.to_vec())]).await?;
        Ok(deleted.iter().any(|file| super::path::address(&file.row.storage_path, Some(digest)) == Some(address)))
    }

    /// Adds a row; marked as deleted from the start where it is only meant.
    pub(super) fn add(&self, id: FileId, file: &StoredFile, made: i64, deleted: Option<i64>) -> Write {
        let base = ["id", "tenant_id", "created_at", "updated_at", "deleted_at"];
        let columns = table::columns(file);
        let deleted = deleted.map_or(Value::Null, Value::Time);
        let values = [Value::Uuid(id.0), Value::Uuid(self.tenant.0), Value::Time(made), Value::Time(made), deleted];
        let (names, own): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let values = values.into_iter().chain(own).collect();
        Write::Insert(Insert::new(StoredFile::NAME, base.into_iter().chain(names), values, OnConflict::Fail))
    }

    /// Writes these columns of a row that was last changed at `seen`; the batch fails when it has changed since.
    pub(super) fn change(&self, id: FileId, seen: i64, now: i64, columns: Vec<(&'static str, Value)>) -> Write {
        let mut params = self.scope([Value::Uuid(id.0), Value::Time(seen), Value::Time(now.max(seen + 1))]);
        let mut sql = "UPDATE files SET updated_at = ?5".to_owned();
        for (name, value) in columns {
            params.push(value);
            let _ = write!(sql, ", {name} = ?{}", params.len());
        }
        sql.push_str(" WHERE tenant_id = ?1 AND volume_id = ?2 AND id = ?3 AND updated_at = ?4");
        Write::Expect(Statement::new(sql, params), 1)
    }

    /// Removes a row; the batch fails when it is gone.
    pub(super) fn remove(&self, id: FileId) -> Write {
        let sql = "DELETE FROM files WHERE tenant_id = ?1 AND volume_id = ?2 AND id = ?3";
        Write::Expect(Statement::new(sql, self.scope([Value::Uuid(id.0)])), 1)
    }
}
