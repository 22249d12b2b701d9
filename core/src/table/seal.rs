//! Secrets of a row: sealed for their place on the way in, opened only when somebody asks for that one.

use uuid::Uuid;

use super::sql::BASE;
use super::{Columns, Tables, no_column};
use crate::error::{Code, Error, Result};
use crate::model::{SecretBytes, TableInfo, Value, ValueKind};
use crate::vault::SecretPlace;

impl Tables {
    /// Seals the secrets of a row that is to be made.
    ///
    /// # Errors
    /// `invalid` when one is sealed already: it was sealed for another row. As [`Vault::seal`](crate::vault::Vault::seal).
    pub(super) async fn seal_new(&self, table: &TableInfo, id: Uuid, columns: &mut Columns) -> Result<()> {
        for (name, value) in columns.iter() {
            if is_secret(table, name) && matches!(value, Value::Blob(_)) {
                return Err(Error::new(Code::Invalid, "accept a value for", format!("{}.{name}", table.name))
                    .because("it is sealed, and opens only in the row it was sealed for")
                    .advise("give the secret itself"));
            }
        }
        self.seal(table, id, columns).await
    }

    /// Seals the new secrets of a row. One that is still sealed is the one that the row has: it is left alone.
    pub(super) async fn seal_changes(&self, table: &TableInfo, id: Uuid, columns: &mut Columns) -> Result<()> {
        columns.retain(|(name, value)| !(is_secret(table, name) && matches!(value, Value::Blob(_))));
        self.seal(table, id, columns).await
    }

    async fn seal(&self, table: &TableInfo, id: Uuid, columns: &mut Columns) -> Result<()> {
        if !columns.iter().any(|(_, value)| matches!(value, Value::Secret(_))) {
            return Ok(());
        }
        let keys = self.vault.sealing_keys(self.tenant).await?;
        let row = Value::Uuid(id);
        for (column, value) in columns {
            if let Value::Secret(plain) = value {
                *value = Value::Blob(keys.seal(SecretPlace { table: table.name, row: &row, column }, plain)?);
            }
        }
        Ok(())
    }

    /// The secret in a column of a row; none where there is none.
    pub(crate) async fn reveal(
        &self,
        table: &'static TableInfo,
        id: Uuid,
        column: &str,
    ) -> Result<Option<SecretBytes>> {
        let at = table.columns.iter().position(|c| c.name == column);
        let at = at.ok_or_else(|| no_column("reveal a secret of", table, column))?;
        if table.columns[at].kind != ValueKind::Secret {
            return Err(
                Error::new(Code::Invalid, "reveal a secret of", table.name).because(format!("{column} holds none"))
            );
        }
        let found = self.get(table, id).await?;
        let Some(row) = found.first().filter(|row| !row.is_null(BASE + at)) else { return Ok(None) };
        let place = SecretPlace { table: table.name, row: &Value::Uuid(id), column };
        self.vault.open(self.tenant, place, row.blob(BASE + at)?).await.map(Some)
    }
}

fn is_secret(table: &TableInfo, column: &str) -> bool {
    table.column(column).is_some_and(|c| c.kind == ValueKind::Secret)
}
