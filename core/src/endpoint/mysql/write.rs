//! Writes: inserts of many rows in one statement, updates and deletes row by row in one transaction.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};

use super::DIALECT;
use super::describe::describe;
use super::fault::{error_of, fault_of};
use super::read::Reading;
use super::value::parameter;
use crate::endpoint::sql::write::{self as sql, Fault, Seen, Transaction};
use crate::endpoint::{RowAction, RowOutcome, TableShape, WriteBatch};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::Datum;

/// Parameters of one statement; the protocol counts them in 16 bits.
const PARAMETERS: usize = 60_000;
/// Rows of one insert: more do not make it faster.
const ROWS: usize = 500;

pub(super) async fn write(conn: &mut Conn, batch: &WriteBatch, tinyint_is_boolean: bool) -> Result<Vec<RowOutcome>> {
    sql::check(batch)?;
    let fail = |e| error_of("write rows to", &batch.table, e);
    let shape = describe(conn, &batch.table, tinyint_is_boolean).await?;
    // What was committed meanwhile is seen, so that the row that stands in the way of an insert is found.
    conn.query_drop("SET TRANSACTION ISOLATION LEVEL READ COMMITTED").await.map_err(fail)?;
    conn.query_drop("START TRANSACTION").await.map_err(fail)?;
    let mut writing = Writing { conn, batch, shape: &shape };
    // On an error the connection is closed by whoever lent it, and the server takes everything back.
    let outcomes = sql::write(&mut writing, batch).await?;
    match writing.conn.query_drop("COMMIT").await.map_err(fail) {
        Ok(()) => Ok(outcomes),
        Err(error) if matches!(error.code(), Code::Offline | Code::Timeout) => Ok(sql::unknown(outcomes, &error)),
        Err(error) => Err(error),
    }
}

struct Writing<'a> {
    conn: &'a mut Conn,
    batch: &'a WriteBatch,
    shape: &'a TableShape,
}

impl Writing<'_> {
    fn values(&self, values: &[Datum]) -> std::result::Result<Vec<Value>, Fault> {
        let refused = |why| Fault::Row(Error::new(Code::Invalid, "write a row to", &self.batch.table).because(why));
        values.iter().map(|value| parameter(value).map_err(refused)).collect()
    }

    fn key(&self, row: usize) -> std::result::Result<Vec<Value>, Fault> {
        self.values(&sql::key_of(self.batch, row)?.unwrap_or_default())
    }

    fn row(&self, rows: &RowBatch, row: usize) -> std::result::Result<Vec<Value>, Fault> {
        self.values(&rows.row(row).data()?)
    }

    async fn run(&mut self, sql: String, values: Vec<Value>) -> std::result::Result<u64, Fault> {
        let done = self.conn.exec_drop(sql, Params::Positional(values)).await;
        done.map_err(|e| fault_of(&self.batch.table, e))?;
        Ok(self.conn.affected_rows())
    }
}

impl Transaction for Writing<'_> {
    fn rows_at_once(&self) -> usize {
        match &self.batch.action {
            RowAction::Insert { columns, .. } => (PARAMETERS / columns.len().max(1)).clamp(1, ROWS),
            RowAction::Update { .. } | RowAction::Delete { .. } => 1,
        }
    }

    async fn apply(&mut self, rows: &[usize]) -> std::result::Result<Vec<bool>, Fault> {
        let batch = self.batch;
        if let RowAction::Insert { columns, rows: given } = &batch.action {
            let mut values = Vec::with_capacity(rows.len() * columns.len());
            for &row in rows {
                values.extend(self.row(given, row)?);
            }
            self.run(DIALECT.insert(&batch.table, columns, rows.len()), values).await?;
            return Ok(vec![true; rows.len()]);
        }
        let mut there = Vec::with_capacity(rows.len());
        for &row in rows {
            let (statement, mut values) = match &batch.action {
                RowAction::Update { columns, rows: given, .. } => {
                    (DIALECT.update(&batch.table, columns, &batch.key), self.row(given, row)?)
                }
                RowAction::Insert { .. } | RowAction::Delete { .. } => {
                    (DIALECT.delete(&batch.table, &batch.key), Vec::new())
                }
            };
            values.extend(self.key(row)?);
            there.push(self.run(statement, values).await? > 0);
        }
        Ok(there)
    }

    async fn lock(&mut self, rows: &[usize], columns: &[String]) -> std::result::Result<Vec<Seen>, Fault> {
        let reading = Reading::of(self.shape, columns)?;
        let statement = DIALECT.select_to_change(&self.batch.table, columns, &self.batch.key);
        let mut seen = Vec::with_capacity(rows.len());
        for &row in rows {
            let key = Params::Positional(self.key(row)?);
            let found: Option<Row> =
                self.conn.exec_first(statement.as_str(), key).await.map_err(|e| fault_of(&self.batch.table, e))?;
            let mut page = reading.page();
            found.into_iter().for_each(|found| reading.take(&mut page, found));
            seen.push(match page.refused.pop() {
                Some(refused) => Seen::Unreadable(refused.error),
                None if page.rows.is_empty() => Seen::Gone,
                None => Seen::Row(page.rows),
            });
        }
        Ok(seen)
    }

    async fn exists(&mut self, row: usize) -> std::result::Result<bool, Fault> {
        if sql::key_of(self.batch, row)?.is_none() {
            return Ok(false);
        }
        let key = Params::Positional(self.key(row)?);
        let statement = DIALECT.exists(&self.batch.table, &self.batch.key);
        let found: Option<Row> =
            self.conn.exec_first(statement, key).await.map_err(|e| fault_of(&self.batch.table, e))?;
        Ok(found.is_some())
    }
}
