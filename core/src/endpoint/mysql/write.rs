//! Writes: many rows in one statement, in one transaction.
//!
//! Updates and deletes look for their rows first, and lock them: the number of rows that a statement changed does not tell
//! which they are.

use std::collections::HashMap;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as MyError, Params, Row, Value};

use super::DIALECT;
use super::describe::describe;
use super::fault::{error_of, fault_of};
use super::read::Reading;
use super::value::parameter;
use crate::endpoint::sql::write::{self as sql, Fault, Seen, Transaction};
use crate::endpoint::{Page, RowAction, RowOutcome, TableShape, WriteBatch};
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, encode};
use crate::model::{Datum, DatumKind};

/// Parameters of one statement; the protocol counts them in 16 bits.
const PARAMETERS: usize = 60_000;
/// Rows of one insert or delete: more do not make it faster.
const ROWS: usize = 500;
/// Rows of one update, each of which is compared with all of them.
const UPDATES: usize = 100;

/// What became of the rows, and whether the connection is still good.
pub(super) async fn write(
    conn: &mut Conn,
    batch: &WriteBatch,
    tinyint_is_boolean: bool,
    patience: Duration,
) -> Result<(Vec<RowOutcome>, bool)> {
    sql::check(batch)?;
    let late = |_| Error::new(Code::Timeout, "write rows to", &batch.table).because("a statement took too long");
    // On an error the connection is closed by whoever lent it, and the server takes everything back.
    let outcomes = tokio::time::timeout(patience, rows(conn, batch, tinyint_is_boolean)).await.map_err(late)??;
    let lost = match tokio::time::timeout(patience, conn.query_drop("COMMIT")).await {
        Ok(Ok(())) => return Ok((outcomes, true)),
        Ok(Err(source)) => {
            let is_answer = matches!(source, MyError::Server(_));
            let error = error_of("write rows to", &batch.table, source);
            // Some answers say no more than none: that the connection was ended.
            if is_answer && !matches!(error.code(), Code::Offline | Code::Timeout) {
                return Err(error);
            }
            error
        }
        Err(elapsed) => late(elapsed),
    };
    Ok((sql::unknown(outcomes, &lost), false))
}

/// Does everything but commit.
async fn rows(conn: &mut Conn, batch: &WriteBatch, tinyint_is_boolean: bool) -> Result<Vec<RowOutcome>> {
    let fail = |e| error_of("write rows to", &batch.table, e);
    let shape = describe(conn, &batch.table, tinyint_is_boolean).await?;
    // What was committed meanwhile is seen, so that the row that stands in the way of an insert is found.
    conn.query_drop("SET TRANSACTION ISOLATION LEVEL READ COMMITTED").await.map_err(fail)?;
    conn.query_drop("START TRANSACTION").await.map_err(fail)?;
    sql::write(&mut Writing { conn, batch, shape: &shape }, batch).await
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

    fn key_data(&self, row: usize) -> std::result::Result<Vec<Datum>, Fault> {
        Ok(sql::key_of(self.batch, row)?.unwrap_or_default())
    }

    fn key(&self, row: usize) -> std::result::Result<Vec<Value>, Fault> {
        self.values(&self.key_data(row)?)
    }

    fn row(&self, rows: &RowBatch, row: usize) -> std::result::Result<Vec<Value>, Fault> {
        self.values(&rows.row(row).data()?)
    }

    async fn run(&mut self, sql: String, values: Vec<Value>) -> std::result::Result<u64, Fault> {
        let done = self.conn.exec_drop(sql, Params::Positional(values)).await;
        done.map_err(|e| fault_of(&self.batch.table, e))?;
        Ok(self.conn.affected_rows())
    }

    async fn query(&mut self, sql: &str, values: Vec<Value>) -> std::result::Result<Vec<Row>, Fault> {
        let found = self.conn.exec(sql, Params::Positional(values)).await;
        found.map_err(|e| fault_of(&self.batch.table, e))
    }

    async fn insert(
        &mut self,
        rows: &[usize],
        columns: &[String],
        given: &RowBatch,
    ) -> std::result::Result<Vec<bool>, Fault> {
        let mut values = Vec::with_capacity(rows.len() * columns.len());
        for &row in rows {
            values.extend(self.row(given, row)?);
        }
        self.run(DIALECT.insert(&self.batch.table, columns, rows.len()), values).await?;
        Ok(vec![true; rows.len()])
    }

    /// Reads the rows with these keys, and keeps others from changing them until the end.
    async fn find(&mut self, rows: &[usize], columns: &[String]) -> std::result::Result<Vec<Seen>, Fault> {
        let (table, key) = (&self.batch.table, &self.batch.key);
        let names = [columns, key].concat();
        let reading = Reading::of(self.shape, &names)?;
        let mut values = Vec::with_capacity(rows.len() * key.len());
        let mut keys = Vec::with_capacity(rows.len());
        for &row in rows {
            let data = self.key_data(row)?;
            values.extend(self.values(&data)?);
            keys.push(data);
        }
        let sql = format!(
            "{} WHERE ({}) IN ({}) FOR UPDATE",
            DIALECT.select(table, &names),
            DIALECT.list(key),
            DIALECT.rows(rows.len(), key.len(), 1)
        );
        let found = self.query(&sql, values).await?;
        let mut page = reading.page();
        found.into_iter().for_each(|row| reading.take(&mut page, row));
        let mut by_key = by_key(&page, columns.len(), key)?;
        let mut seen = Vec::with_capacity(rows.len());
        for data in keys {
            let encoded: Vec<_> = data.iter().map(encode).collect();
            seen.push(match by_key.remove(&encoded) {
                Some(found) => found,
                None if self.is_exact(&data) => Seen::Gone,
                None => self.find_one(&data, columns).await?,
            });
        }
        Ok(seen)
    }

    /// Whether two such keys are the same to the server only if they are the same here.
    fn is_exact(&self, key: &[Datum]) -> bool {
        self.batch.key.iter().zip(key).all(|(name, value)| {
            let kind = self.shape.column(name).and_then(|column| column.kind);
            let is_plain = matches!(kind, Some(DatumKind::Integer | DatumKind::Date | DatumKind::Timestamp));
            *value == Datum::Null || (is_plain && value.kind() == kind)
        })
    }

    /// The same of one row, by the server's own idea of what is equal.
    async fn find_one(&mut self, key: &[Datum], columns: &[String]) -> std::result::Result<Seen, Fault> {
        let names = if columns.is_empty() { &self.batch.key } else { columns };
        let reading = Reading::of(self.shape, names)?;
        let sql = DIALECT.select_to_change(&self.batch.table, names, &self.batch.key);
        let values = self.values(key)?;
        let mut page = reading.page();
        self.query(&sql, values).await?.into_iter().take(1).for_each(|row| reading.take(&mut page, row));
        Ok(match page.refused.pop() {
            Some(refused) => Seen::Unreadable(refused.error),
            None if page.rows.is_empty() => Seen::Gone,
            None => Seen::Row(page.rows),
        })
    }

    /// Changes rows that are there.
    async fn update(&mut self, rows: &[usize], columns: &[String], given: &RowBatch) -> std::result::Result<(), Fault> {
        let (table, key) = (&self.batch.table, &self.batch.key);
        if let [row] = rows {
            let values = [self.row(given, *row)?, self.key(*row)?].concat();
            return self.run(DIALECT.update(table, columns, key), values).await.map(drop);
        }
        let mut given_rows = Vec::with_capacity(rows.len());
        for &row in rows {
            given_rows.push((self.key(row)?, self.row(given, row)?));
        }
        // Every row is one of these: without ELSE no value of the column decides what the others are.
        let when = format!(" WHEN {} THEN ?", DIALECT.is_key(key, 1)).repeat(rows.len());
        let set: Vec<_> = columns.iter().map(|name| format!("{} = CASE{when} END", DIALECT.quoted(name))).collect();
        let sql = format!(
            "UPDATE {} SET {} WHERE ({}) IN ({})",
            DIALECT.table(table),
            set.join(", "),
            DIALECT.list(key),
            DIALECT.rows(rows.len(), key.len(), 1)
        );
        let mut values = Vec::new();
        for at in 0..columns.len() {
            for (key, row) in &given_rows {
                values.extend(key.iter().cloned());
                values.push(row[at].clone());
            }
        }
        values.extend(given_rows.into_iter().flat_map(|(key, _)| key));
        self.run(sql, values).await.map(drop)
    }

    /// Takes rows out that are there.
    async fn delete(&mut self, rows: &[usize]) -> std::result::Result<(), Fault> {
        let (table, key) = (&self.batch.table, &self.batch.key);
        let mut values = Vec::with_capacity(rows.len() * key.len());
        for &row in rows {
            values.extend(self.key(row)?);
        }
        let (names, places) = (DIALECT.list(key), DIALECT.rows(rows.len(), key.len(), 1));
        let sql = format!("DELETE FROM {} WHERE ({names}) IN ({places})", DIALECT.table(table));
        self.run(sql, values).await.map(drop)
    }
}

/// The rows of a page by their keys, which stand behind that many columns.
fn by_key(page: &Page, columns: usize, key: &[String]) -> Result<HashMap<Vec<Vec<u8>>, Seen>> {
    let mut by_key = HashMap::new();
    for row in page.rows.iter() {
        let mut alone = RowBatch::new(columns.max(key.len()));
        let kept = if columns == 0 { 0..key.len() } else { 0..columns };
        kept.for_each(|at| alone.value(|encoder| encoder.raw(row.value(at))));
        by_key.insert((columns..columns + key.len()).map(|at| row.value(at).to_vec()).collect(), Seen::Row(alone));
    }
    for refused in &page.refused {
        let part = |name: &String| refused.known.iter().find(|(known, _)| known == name).map(|(_, part)| encode(part));
        if let Some(key) = key.iter().map(part).collect::<Option<Vec<_>>>() {
            by_key.insert(key, Seen::Unreadable(refused.error.clone()));
        }
    }
    Ok(by_key)
}

impl Transaction for Writing<'_> {
    fn rows_at_once(&self) -> usize {
        let key = self.batch.key.len();
        match &self.batch.action {
            RowAction::Insert { columns, .. } => (PARAMETERS / columns.len().max(1)).clamp(1, ROWS),
            // A key that changes would be looked for under another value by the next column.
            RowAction::Update { columns, .. } if columns.iter().any(|name| self.batch.key.contains(name)) => 1,
            RowAction::Update { columns, .. } => {
                (PARAMETERS / (columns.len() * (key + 1) + key).max(1)).clamp(1, UPDATES)
            }
            RowAction::Delete { .. } => (PARAMETERS / key.max(1)).clamp(1, ROWS),
        }
    }

    async fn apply(&mut self, rows: &[usize]) -> std::result::Result<Vec<bool>, Fault> {
        let batch = self.batch;
        if let RowAction::Insert { columns, rows: given } = &batch.action {
            return self.insert(rows, columns, given).await;
        }
        let seen = self.find(rows, &[]).await?;
        let there: Vec<bool> = seen.iter().map(|seen| !matches!(seen, Seen::Gone)).collect();
        let rows: Vec<usize> = rows.iter().zip(&there).filter(|(_, there)| **there).map(|(row, _)| *row).collect();
        match &batch.action {
            _ if rows.is_empty() => {}
            RowAction::Update { columns, rows: given, .. } => self.update(&rows, columns, given).await?,
            RowAction::Insert { .. } | RowAction::Delete { .. } => self.delete(&rows).await?,
        }
        Ok(there)
    }

    async fn lock(&mut self, rows: &[usize], columns: &[String]) -> std::result::Result<Vec<Seen>, Fault> {
        let mut seen = Vec::with_capacity(rows.len());
        for some in rows.chunks((PARAMETERS / self.batch.key.len().max(1)).clamp(1, ROWS)) {
            seen.extend(self.find(some, columns).await?);
        }
        Ok(seen)
    }

    async fn exists(&mut self, row: usize) -> std::result::Result<bool, Fault> {
        if sql::key_of(self.batch, row)?.is_none() {
            return Ok(false);
        }
        let statement = DIALECT.exists(&self.batch.table, &self.batch.key);
        let key = self.key(row)?;
        Ok(!self.query(&statement, key).await?.is_empty())
    }
}
