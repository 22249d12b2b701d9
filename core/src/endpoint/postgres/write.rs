//! Writes: one statement for a whole batch, its values as arrays of texts, each under a savepoint.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Transaction as Open};

use super::describe::{Described, describe};
use super::fault::{error_of, fault_of, is_lost};
use super::read::{arrays, joined, members, of_t, place, unnested};
use super::scan::Reading;
use super::{DIALECT, casts};
use crate::endpoint::sql::write::{self as sql, Fault, Seen, Transaction};
use crate::endpoint::{RowAction, RowOutcome, WriteBatch};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;

pub(super) async fn write(client: &mut Client, batch: &WriteBatch) -> Result<Vec<RowOutcome>> {
    sql::check(batch)?;
    let fail = |e| error_of("write rows to", &batch.table, e);
    let open = client.transaction().await.map_err(fail)?;
    // A constraint that would be checked at the end is checked at once, while it is known which row breaks it.
    open.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await.map_err(fail)?;
    let described = describe(&open, &batch.table).await?;
    let statements = Statements::of(batch, &described)?;
    let mut writing = Writing { open, batch, described: &described, statements, prepared: HashMap::new() };
    let outcomes = sql::write(&mut writing, batch).await?;
    match writing.open.commit().await.map_err(fail) {
        Ok(()) => Ok(outcomes),
        Err(error) if is_lost(&error) => Ok(sql::unknown(outcomes, &error)),
        Err(error) => Err(error),
    }
}

/// The text of what is done. Rows are numbered by their place in the arrays, from 1.
struct Statements {
    apply: String,
    /// Reads the columns named in `{}` of rows by their keys.
    from_keys: String,
    exists: String,
}

impl Statements {
    fn of(batch: &WriteBatch, described: &Described) -> Result<Self> {
        let (table, key) = (DIALECT.table(&batch.table), &batch.key);
        let key_casts = casts(described, key)?;
        let (keys, is_key) = (members('k', key.len()), joined(key, &key_casts));
        let from_keys = |arrays: String| format!("unnest({arrays}) WITH ORDINALITY AS u ({keys}, place)");
        let apply = match &batch.action {
            RowAction::Insert { columns, .. } => {
                let casts = casts(described, columns)?;
                let values: Vec<_> = casts.iter().enumerate().map(|(at, cast)| format!("u.c{at}::{cast}")).collect();
                format!(
                    "INSERT INTO {table} ({}){} SELECT {} FROM unnest({}) WITH ORDINALITY AS u ({}, place) ORDER BY place",
                    DIALECT.list(columns),
                    overriding(described, columns),
                    values.join(", "),
                    unnested(columns.len(), 1),
                    members('c', columns.len()),
                )
            }
            RowAction::Update { columns, .. } => {
                let casts = casts(described, columns)?;
                let set = |(at, (name, cast)): (usize, (&String, &String))| {
                    format!("{} = u.c{at}::{cast}", DIALECT.quoted(name))
                };
                let set: Vec<_> = columns.iter().zip(&casts).enumerate().map(set).collect();
                format!(
                    "UPDATE {table} AS t SET {} FROM unnest({}) WITH ORDINALITY AS u ({}, {keys}, place) \
                     WHERE {is_key} RETURNING u.place",
                    set.join(", "),
                    unnested(columns.len() + key.len(), 1),
                    members('c', columns.len()),
                )
            }
            RowAction::Delete { .. } => {
                format!(
                    "DELETE FROM {table} AS t USING {} WHERE {is_key} RETURNING u.place",
                    from_keys(unnested(key.len(), 1))
                )
            }
        };
        let from_keys = format!("FROM {} JOIN {table} AS t ON {is_key}", from_keys(unnested(key.len(), 1)));
        let exists = format!("SELECT u.place {from_keys} LIMIT 1");
        Ok(Self { apply, from_keys, exists })
    }
}

/// A column that is always numbered by the server takes a number only from someone who says that it is meant.
fn overriding(described: &Described, columns: &[String]) -> &'static str {
    let is_given = |(column, pg): (&crate::endpoint::ColumnShape, &super::describe::PgColumn)| {
        pg.is_always_identity && columns.contains(&column.name)
    };
    if described.shape.columns.iter().zip(&described.columns).any(is_given) { " OVERRIDING SYSTEM VALUE" } else { "" }
}

struct Writing<'a> {
    open: Open<'a>,
    batch: &'a WriteBatch,
    described: &'a Described,
    statements: Statements,
    prepared: HashMap<String, tokio_postgres::Statement>,
}

impl Writing<'_> {
    fn unfit(&self, why: &str) -> Fault {
        Fault::Row(Error::new(Code::Invalid, "write a row to", &self.batch.table).because(why))
    }

    fn texts(&self, rows: &RowBatch, which: &[usize]) -> std::result::Result<Vec<Vec<Option<String>>>, Fault> {
        arrays(rows.columns(), which.iter().map(|&row| rows.row(row)))?.map_err(|why| self.unfit(&why))
    }

    /// The keys of some rows.
    fn keys(&self, which: &[usize]) -> std::result::Result<Vec<Vec<Option<String>>>, Fault> {
        let mut keys = RowBatch::new(self.batch.key.len());
        for &row in which {
            keys.push(&sql::key_of(self.batch, row)?.unwrap_or_default())?;
        }
        let all: Vec<_> = (0..which.len()).collect();
        self.texts(&keys, &all)
    }

    /// Runs a statement under a savepoint, so that the transaction goes on after a fault.
    async fn run(
        &mut self,
        statement: &str,
        arrays: &[Vec<Option<String>>],
    ) -> std::result::Result<(u64, Vec<tokio_postgres::Row>), Fault> {
        let table = &self.batch.table;
        let fail = |e| fault_of(table, e);
        let parameters: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| array as &(dyn ToSql + Sync)).collect();
        let point = self.open.savepoint("rows").await.map_err(fail)?;
        let run = async {
            let prepared = match self.prepared.get(statement) {
                Some(prepared) => prepared.clone(),
                None => {
                    let prepared = point.prepare(statement).await?;
                    self.prepared.insert(statement.to_owned(), prepared.clone());
                    prepared
                }
            };
            if prepared.columns().is_empty() {
                return Ok((point.execute(&prepared, &parameters).await?, Vec::new()));
            }
            Ok((0, point.query(&prepared, &parameters).await?))
        };
        match run.await {
            Ok(done) => {
                point.commit().await.map_err(fail)?;
                Ok(done)
            }
            Err(error) => {
                point.rollback().await.map_err(|e| Fault::Batch(error_of("write rows to", table, e)))?;
                Err(fault_of(table, error))
            }
        }
    }
}

impl Transaction for Writing<'_> {
    fn rows_at_once(&self) -> usize {
        4096
    }

    async fn apply(&mut self, rows: &[usize]) -> std::result::Result<Vec<bool>, Fault> {
        let mut arrays = match &self.batch.action {
            RowAction::Insert { rows: values, .. } | RowAction::Update { rows: values, .. } => {
                self.texts(values, rows)?
            }
            RowAction::Delete { .. } => Vec::new(),
        };
        let is_insert = matches!(self.batch.action, RowAction::Insert { .. });
        if !is_insert {
            arrays.extend(self.keys(rows)?);
        }
        let statement = std::mem::take(&mut self.statements.apply);
        let done = self.run(&statement, &arrays).await;
        self.statements.apply = statement;
        let (changed, places) = done?;
        if is_insert {
            // A trigger may keep rows away, or a rule send them elsewhere; then it is not known which.
            if changed != rows.len() as u64 {
                return Err(self.unfit("the database took it and did not make a row of it (a trigger or a rule)"));
            }
            return Ok(vec![true; rows.len()]);
        }
        let mut there = vec![false; rows.len()];
        for place in places.iter().filter_map(place) {
            if let Some(flag) = place.checked_sub(1).and_then(|at| there.get_mut(at)) {
                *flag = true;
            }
        }
        Ok(there)
    }

    async fn lock(&mut self, rows: &[usize], columns: &[String]) -> std::result::Result<Vec<Seen>, Fault> {
        let reading = Reading::of(self.described, &self.batch.table, columns)?;
        let statement = format!("SELECT u.place, {} {} FOR UPDATE OF t", of_t(columns), self.statements.from_keys);
        let keys = self.keys(rows)?;
        let (_, found) = self.run(&statement, &keys).await?;
        let mut seen: Vec<Seen> = rows.iter().map(|_| Seen::Gone).collect();
        for row in &found {
            let Some(slot) = place(row).and_then(|place| seen.get_mut(place.checked_sub(1)?)) else { continue };
            let mut page = reading.page();
            reading.take_row(&mut page, row, 1, &self.batch.table)?;
            *slot = match page.refused.pop() {
                Some(refused) => Seen::Unreadable(refused.error),
                None => Seen::Row(page.rows),
            };
        }
        Ok(seen)
    }

    async fn exists(&mut self, row: usize) -> std::result::Result<bool, Fault> {
        if sql::key_of(self.batch, row)?.is_none() {
            return Ok(false);
        }
        let (statement, keys) = (self.statements.exists.clone(), self.keys(&[row])?);
        Ok(!self.run(&statement, &keys).await?.1.is_empty())
    }
}
