//! Rows of the book's tables, by the name of the table: each row is the text of a JSON object.

use portbook::model::TABLES;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::records::{RowFilter, RowPage, TableInfo, id_of, invalid, is, read, rows};
use crate::session::Session;

/// Every table whose rows hosts read and write.
#[must_use]
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn tables() -> Vec<TableInfo> {
    TABLES.iter().map(|table| (*table).into()).collect()
}

fn object(text: &str) -> Result<Map<String, Value>> {
    Ok(serde_json::from_str(text).map_err(|e| invalid("read the row", "", "it is no JSON object").caused_by(e))?)
}

fn text(row: Map<String, Value>) -> String {
    Value::Object(row).to_string()
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Session {
    /// Makes a row of the fields given; the others get their defaults.
    ///
    /// # Errors
    /// `not_found` when there is no such table, or the row names a row that is not there; `invalid` when a value breaks a rule of
    /// its column; `conflict` when it repeats what has to be unique.
    pub async fn create_row(&self, table: String, row: String) -> Result<String> {
        let row = object(&row)?;
        Ok(text(self.core()?.table(&table)?.create(row).await?))
    }

    /// The row of that id.
    ///
    /// # Errors
    /// `not_found` when there is none, or it is deleted.
    pub async fn get_row(&self, table: String, id: String) -> Result<String> {
        Ok(text(self.core()?.table(&table)?.get(id_of("row", &id)?).await?))
    }

    /// A page of the rows that the filter names, after the page that ended there; 1,000 at most.
    ///
    /// # Errors
    /// `invalid` when no index serves the list, or `after` is of another list.
    pub async fn list_rows(
        &self,
        table: String,
        filter: RowFilter,
        after: Option<String>,
        limit: u32,
    ) -> Result<RowPage> {
        let table = self.core()?.table(&table)?;
        let mut wanted = table.equal(&filter.equal.as_deref().map(object).transpose()?.unwrap_or_default())?;
        if is(filter.with_deleted) {
            wanted = wanted.with_deleted();
        }
        if is(filter.latest_first) {
            wanted = wanted.latest_first();
        }
        let (found, next) = table.list(wanted, read(after)?, rows(limit)).await?;
        Ok(RowPage { rows: found.into_iter().map(text).collect(), next: next.map(|key| key.to_string()) })
    }

    /// Changes the fields given of the row that was read with this `updated_at`.
    ///
    /// # Errors
    /// `stale` when it was changed since; `not_found`; else as [`create_row`](Self::create_row).
    pub async fn update_row(&self, table: String, id: String, updated_at: String, fields: String) -> Result<String> {
        let (id, fields) = (id_of("row", &id)?, object(&fields)?);
        Ok(text(self.core()?.table(&table)?.update(id, &updated_at, fields).await?))
    }

    /// Deletes a row, or marks it where the table keeps deleted rows.
    ///
    /// # Errors
    /// `not_found` when there is none, or it is deleted already; `conflict` while other rows refer to it.
    pub async fn delete_row(&self, table: String, id: String) -> Result<()> {
        Ok(self.core()?.table(&table)?.delete(id_of("row", &id)?).await?)
    }

    /// Takes a deletion back.
    ///
    /// # Errors
    /// `unsupported` where deleted rows are gone; `not_found`; `conflict` when another row has taken its place.
    pub async fn restore_row(&self, table: String, id: String) -> Result<String> {
        Ok(text(self.core()?.table(&table)?.restore(id_of("row", &id)?).await?))
    }

    /// The secret in a column of a row, in the open; none where the column is empty.
    ///
    /// # Errors
    /// `wrong_key` when the book was opened without its key; `invalid` when the column holds no secrets, or one that is not
    /// text; `not_found`.
    pub async fn reveal(&self, table: String, id: String, column: String) -> Result<Option<String>> {
        let secret = self.core()?.table(&table)?.reveal(id_of("row", &id)?, &column).await?;
        Ok(secret.map(|secret| secret.expose_text().map(ToOwned::to_owned)).transpose()?)
    }
}
