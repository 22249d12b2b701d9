//! Writes, and new tables.

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, Transaction as Open, TransactionBehavior, ffi, params_from_iter};

use super::describe::describe;
use super::read::Reading;
use super::value::{cell, declaration};
use super::{DIALECT, error_of};
use crate::endpoint::sql::write::{self as sql, Fault, Seen, Transaction};
use crate::endpoint::{ColumnShape, NewTable, Page, RowAction, RowOutcome, TableShape, WriteBatch};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::Datum;

pub(super) fn write(connection: &mut Connection, batch: &WriteBatch) -> Result<Vec<RowOutcome>> {
    sql::check(batch)?;
    let fail = |e| error_of("write rows to", &batch.table, e);
    let open = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    let shape = describe(&open, &batch.table)?;
    let mut writing = Writing::of(&open, batch, &shape)?;
    // Nothing in it waits: the future is ready at once.
    let outcomes = pollster::block_on(sql::write(&mut writing, batch))?;
    drop(writing);
    // A file has no connection that could be lost: a commit that fails was rolled back.
    open.commit().map_err(fail)?;
    Ok(outcomes)
}

struct Writing<'a> {
    open: &'a Open<'a>,
    batch: &'a WriteBatch,
    /// The columns whose values the statement takes first.
    columns: Vec<&'a ColumnShape>,
    key: Vec<&'a ColumnShape>,
    statement: String,
}

impl<'a> Writing<'a> {
    fn of(open: &'a Open<'a>, batch: &'a WriteBatch, shape: &'a TableShape) -> Result<Self> {
        let find = |names: &[String]| {
            names.iter().map(|name| crate::endpoint::sql::column(shape, name)).collect::<Result<Vec<_>>>()
        };
        let key = find(&batch.key)?;
        let (columns, statement) = match &batch.action {
            RowAction::Insert { columns, .. } => (find(columns)?, DIALECT.insert(&batch.table, columns, 1)),
            RowAction::Update { columns, .. } => (find(columns)?, DIALECT.update(&batch.table, columns, &batch.key)),
            RowAction::Delete { .. } => (Vec::new(), DIALECT.delete(&batch.table, &batch.key)),
        };
        Ok(Self { open, batch, columns, key, statement })
    }

    fn refused(&self, column: &ColumnShape, why: &str) -> Error {
        Error::new(Code::Invalid, "write a row to", &self.batch.table)
            .because(format!("{}: {why}", column.name.escape_debug()))
    }

    fn cells(&self, columns: &[&ColumnShape], values: Vec<Datum>) -> std::result::Result<Vec<Value>, Fault> {
        let pairs = columns.iter().zip(values);
        pairs.map(|(column, value)| cell(column, value).map_err(|why| Fault::Row(self.refused(column, &why)))).collect()
    }

    fn parameters(&self, row: usize) -> std::result::Result<Vec<Value>, Fault> {
        let (rows, keys) = match &self.batch.action {
            RowAction::Insert { rows, .. } => (Some(rows), None),
            RowAction::Update { keys, rows, .. } => (Some(rows), Some(keys)),
            RowAction::Delete { keys, .. } => (None, Some(keys)),
        };
        let values = |rows: Option<&RowBatch>| rows.map_or(Ok(Vec::new()), |rows| rows.row(row).data());
        let mut parameters = self.cells(&self.columns, values(rows)?)?;
        parameters.extend(self.cells(&self.key, values(keys)?)?);
        Ok(parameters)
    }

    fn fault(&self, error: rusqlite::Error) -> Fault {
        let refused = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.extended_code {
                ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
                    Fault::Duplicate
                }
                _ => match failure.code {
                    ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => Fault::Row,
                    _ => Fault::Batch,
                },
            },
            _ => Fault::Batch,
        };
        refused(error_of("write a row to", &self.batch.table, error))
    }
}

impl Transaction for Writing<'_> {
    /// A statement that fails leaves nothing behind, and one more costs no trip to anywhere.
    fn rows_at_once(&self) -> usize {
        1
    }

    async fn apply(&mut self, rows: &[usize]) -> std::result::Result<Vec<bool>, Fault> {
        let mut there = Vec::with_capacity(rows.len());
        for &row in rows {
            let parameters = self.parameters(row)?;
            let run = || self.open.prepare_cached(&self.statement)?.execute(params_from_iter(parameters));
            there.push(run().map_err(|e| self.fault(e))? > 0);
        }
        Ok(there)
    }

    async fn lock(&mut self, rows: &[usize], columns: &[String]) -> std::result::Result<Vec<Seen>, Fault> {
        // The transaction is the file's only writer.
        let reading = Reading::of(self.open, &self.batch.table, columns)?;
        let sql = DIALECT.select_to_change(&self.batch.table, columns, &self.batch.key);
        let mut statement = self.open.prepare_cached(&sql).map_err(|e| self.fault(e))?;
        let mut seen = Vec::with_capacity(rows.len());
        for &row in rows {
            let key = sql::key_of(self.batch, row)?.unwrap_or_default();
            let mut found =
                statement.query(params_from_iter(self.cells(&self.key, key)?)).map_err(|e| self.fault(e))?;
            let mut page = Page { rows: RowBatch::new(columns.len()), refused: Vec::new() };
            if let Some(found) = found.next().map_err(|e| self.fault(e))? {
                reading.take(found, &mut page)?;
            }
            seen.push(match page.refused.pop() {
                Some(refused) => Seen::Unreadable(refused.error),
                None if page.rows.is_empty() => Seen::Gone,
                None => Seen::Row(page.rows),
            });
        }
        Ok(seen)
    }

    async fn exists(&mut self, row: usize) -> std::result::Result<bool, Fault> {
        let Some(key) = sql::key_of(self.batch, row)? else { return Ok(false) };
        let cells = self.cells(&self.key, key)?;
        let run = || {
            self.open
                .prepare_cached(&DIALECT.exists(&self.batch.table, &self.batch.key))?
                .exists(params_from_iter(cells))
        };
        run().map_err(|e| self.fault(e))
    }
}

pub(super) fn create(connection: &mut Connection, table: &NewTable) -> Result<TableShape> {
    let fail = |e| error_of("make the table", &table.name, e);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    if describe(&transaction, &table.name).is_ok() {
        return Err(Error::new(Code::Conflict, "make the table", &table.name).because("there is one of that name"));
    }
    for statement in crate::endpoint::sql::create(&DIALECT, table, declaration, collate)? {
        transaction.execute_batch(&statement).map_err(fail)?;
    }
    let shape = describe(&transaction, &table.name)?;
    transaction.commit().map_err(fail)?;
    Ok(shape)
}

/// Texts that are equal at the source have to be equal here, where SQLite can.
fn collate(like: &ColumnShape) -> &'static str {
    match (like.collation.ignores_case, like.collation.ignores_trailing_spaces) {
        (true, _) => " COLLATE NOCASE",
        (false, true) => " COLLATE RTRIM",
        (false, false) => "",
    }
}
