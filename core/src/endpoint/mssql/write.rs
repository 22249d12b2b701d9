//! Writes: as many rows in one statement as its parameters allow, in one transaction.
//!
//! A statement that fails takes back itself and leaves the transaction, but for some faults (a conversion that fails, a
//! trigger that rolls back) that end the transaction with all that was done in it. Then the rows are written once more, each
//! in a transaction of its own: so it is known of each what became of it.

use std::collections::HashMap;

use tiberius::{ColumnData, IsolationLevel, Row};

use super::connect::{Session, ask};
use super::describe::{Described, MsColumn, describe, number};
use super::fault::{error_of, fault_of, is_lost};
use super::read::{Reading, values};
use super::statement::{self, PARAMETERS, ROWS};
use crate::endpoint::sql::write::{self as sql, Fault, Seen, Transaction};
use crate::endpoint::{ContentGuard, Expect, RowAction, RowOutcome, TableName, WriteBatch};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::Datum;

/// What became of the rows, and whether the session is still good.
pub(super) async fn write(session: &mut Session, batch: &WriteBatch) -> Result<(Vec<RowOutcome>, bool)> {
    sql::check(batch)?;
    let described = describe(session, &batch.table).await?;
    let is_numbered = match &batch.action {
        RowAction::Insert { columns, .. } => {
            described.shape.columns.iter().any(|column| column.is_identity && columns.contains(&column.name))
        }
        RowAction::Update { .. } | RowAction::Delete { .. } => false,
    };
    if is_numbered {
        number_by_hand(session, &batch.table, true).await?;
    }
    let outcomes = match transaction(session, batch, &described).await? {
        Ended::Whole(outcomes) => outcomes,
        // A session in which a transaction was doomed is as good as new after its rollback.
        Ended::Doomed(_) => one_by_one(session, batch, &described).await?,
    };
    let is_lost = outcomes.iter().any(|outcome| matches!(outcome, RowOutcome::Unknown(_)));
    // What was written is written, whatever is said now: a session that numbers by hand for ever is not used again.
    let is_good = !is_lost && (!is_numbered || number_by_hand(session, &batch.table, false).await.is_ok());
    Ok((outcomes, is_good))
}

async fn number_by_hand(session: &mut Session, table: &TableName, is_allowed: bool) -> Result<()> {
    let done = ask(session, &statement::identity_insert(table, is_allowed), &[]).await;
    done.map(drop).map_err(|e| error_of("write rows to", table, e))
}

/// How a transaction ended.
enum Ended {
    /// It was committed, or it is not known whether it was.
    Whole(Vec<RowOutcome>),
    /// A row ended it, for this reason, and nothing is written.
    Doomed(Error),
}

async fn transaction(session: &mut Session, batch: &WriteBatch, described: &Described) -> Result<Ended> {
    let fail = |e| error_of("write rows to", &batch.table, e);
    // What was committed meanwhile is seen, so that the row that stands in the way of an insert is found.
    session.begin_transaction_with_isolation(IsolationLevel::ReadCommitted).await.map_err(fail)?;
    let mut writing = Writing::of(session, batch, described)?;
    let outcomes = match sql::write(&mut writing, batch).await {
        Ok(outcomes) => outcomes,
        // On any other error the connection is closed by whoever lent it, and the server takes everything back.
        Err(error) if writing.is_doomed => {
            rolled_back(session, &batch.table).await?;
            return Ok(Ended::Doomed(error));
        }
        Err(error) => return Err(error),
    };
    match session.commit_transaction().await.map_err(fail) {
        Ok(()) => Ok(Ended::Whole(outcomes)),
        Err(error) if is_lost(&error) => Ok(Ended::Whole(sql::unknown(outcomes, &error))),
        Err(error) => Err(error),
    }
}

/// Ends a transaction that cannot go on, where the server has not done so already.
async fn rolled_back(session: &mut Session, table: &TableName) -> Result<()> {
    let done = ask(session, "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION", &[]).await;
    done.map(drop).map_err(|e| error_of("take back what was written to", table, e))
}

/// Writes each row in a transaction of its own.
async fn one_by_one(session: &mut Session, batch: &WriteBatch, described: &Described) -> Result<Vec<RowOutcome>> {
    let mut outcomes = Vec::with_capacity(batch.action.len());
    for row in 0..batch.action.len() {
        let alone = WriteBatch { action: only(&batch.action, row)?, ..batch.clone() };
        let outcome = match transaction(session, &alone, described).await {
            Ok(Ended::Whole(mut ended)) => ended.pop(),
            Ok(Ended::Doomed(error)) => Some(RowOutcome::Refused(error)),
            // Rows before it are written: what is not known of the others is said of each.
            Err(error) if row > 0 => Some(RowOutcome::Unknown(error)),
            Err(error) => return Err(error),
        };
        outcomes.extend(outcome);
    }
    Ok(outcomes)
}

/// The same of one row.
fn only(action: &RowAction, row: usize) -> Result<RowAction> {
    let one = |rows: &RowBatch| RowBatch::of(rows.columns(), &[rows.row(row).data()?]);
    let expected = |expect: &Expect| match expect {
        Expect::Any => Expect::Any,
        Expect::Versions(versions) => Expect::Versions(versions.get(row).cloned().into_iter().collect()),
        Expect::Content(guard) => Expect::Content(ContentGuard {
            expected: vec![guard.expected.get(row).copied().flatten()],
            ..guard.clone()
        }),
    };
    Ok(match action {
        RowAction::Insert { columns, rows } => RowAction::Insert { columns: columns.clone(), rows: one(rows)? },
        RowAction::Update { keys, columns, rows, expect } => {
            RowAction::Update { keys: one(keys)?, columns: columns.clone(), rows: one(rows)?, expect: expected(expect) }
        }
        RowAction::Delete { keys, expect } => RowAction::Delete { keys: one(keys)?, expect: expected(expect) },
    })
}

struct Writing<'a> {
    session: &'a mut Session,
    batch: &'a WriteBatch,
    described: &'a Described,
    key: Vec<MsColumn>,
    columns: Vec<MsColumn>,
    /// Statements of that many rows, which are long.
    statements: HashMap<usize, String>,
    /// The transaction cannot go on.
    is_doomed: bool,
}

impl<'a> Writing<'a> {
    fn of(session: &'a mut Session, batch: &'a WriteBatch, described: &'a Described) -> Result<Self> {
        let columns = match &batch.action {
            RowAction::Insert { columns, .. } | RowAction::Update { columns, .. } => described.all(columns)?,
            RowAction::Delete { .. } => Vec::new(),
        };
        let key = described.all(&batch.key)?;
        Ok(Self { session, batch, described, key, columns, statements: HashMap::new(), is_doomed: false })
    }

    fn parameters(&self, columns: &[MsColumn], data: &[Datum]) -> std::result::Result<Vec<ColumnData<'static>>, Fault> {
        let unfit = |why| Fault::Row(Error::new(Code::Invalid, "write a row to", &self.batch.table).because(why));
        values(columns, data).map_err(unfit)
    }

    /// The key of a row; nothing when the columns of the key cannot have it.
    fn key(&self, row: usize) -> std::result::Result<Option<Vec<ColumnData<'static>>>, Fault> {
        let data = sql::key_of(self.batch, row)?.unwrap_or_default();
        Ok(values(&self.key, &data).ok())
    }

    /// Those of these rows whose keys there can be, and their keys.
    fn keyed(&self, rows: &[usize]) -> std::result::Result<(Vec<usize>, Vec<Vec<ColumnData<'static>>>), Fault> {
        let (mut places, mut keys) = (Vec::new(), Vec::new());
        for (place, &row) in rows.iter().enumerate() {
            if let Some(key) = self.key(row)? {
                places.push(place);
                keys.push(key);
            }
        }
        Ok((places, keys))
    }

    async fn run(&mut self, sql: &str, values: &[ColumnData<'static>]) -> std::result::Result<Vec<Row>, Fault> {
        match ask(self.session, sql, values).await {
            Ok(results) => Ok(results.into_iter().next_back().unwrap_or_default()),
            Err(source) => {
                let fault = fault_of(&self.batch.table, source);
                // After some faults of a row nothing more can be done in the transaction, and nothing was.
                match fault {
                    Fault::Duplicate(error) | Fault::Row(error) if !self.goes_on().await => {
                        self.is_doomed = true;
                        Err(Fault::Batch(error))
                    }
                    fault => Err(fault),
                }
            }
        }
    }

    async fn goes_on(&mut self) -> bool {
        let state = ask(self.session, statement::STATE, &[]).await;
        state.is_ok_and(|results| results.first().and_then(|rows| number(rows.first()?, 0)) == Some(1))
    }

    async fn insert(&mut self, rows: &[usize], given: &RowBatch) -> std::result::Result<Vec<bool>, Fault> {
        let mut values = Vec::with_capacity(rows.len() * self.columns.len());
        for &row in rows {
            values.extend(self.parameters(&self.columns, &given.row(row).data()?)?);
        }
        let sql = self
            .statement(rows.len(), |writing, count| statement::insert(&writing.batch.table, &writing.columns, count));
        let said = self.run(&sql, &values).await?;
        // A trigger may keep rows away; then it is not known which.
        if said.first().and_then(|row| number(row, 0)) != i32::try_from(rows.len()).ok() {
            let why = "the database took it and did not make a row of it (a trigger or a view)";
            return Err(Fault::Row(Error::new(Code::Invalid, "write a row to", &self.batch.table).because(why)));
        }
        Ok(vec![true; rows.len()])
    }

    fn statement(&mut self, count: usize, text: impl Fn(&Self, usize) -> String) -> String {
        if let Some(known) = self.statements.get(&count) {
            return known.clone();
        }
        let made = text(self, count);
        self.statements.insert(count, made.clone());
        made
    }
}

impl Transaction for Writing<'_> {
    fn rows_at_once(&self) -> usize {
        let width = match &self.batch.action {
            RowAction::Insert { .. } => self.columns.len(),
            RowAction::Update { .. } | RowAction::Delete { .. } => self.columns.len() + self.key.len(),
        };
        (PARAMETERS / width.max(1)).clamp(1, ROWS)
    }

    async fn apply(&mut self, rows: &[usize]) -> std::result::Result<Vec<bool>, Fault> {
        let batch = self.batch;
        let given = match &batch.action {
            RowAction::Insert { rows: given, .. } => return self.insert(rows, given).await,
            RowAction::Update { rows: given, .. } => Some(given),
            RowAction::Delete { .. } => None,
        };
        let mut there = vec![false; rows.len()];
        let (places, keys) = self.keyed(rows)?;
        let mut values = Vec::with_capacity(rows.len() * (self.columns.len() + self.key.len()));
        for (&place, key) in places.iter().zip(keys) {
            if let Some(given) = given {
                values.extend(self.parameters(&self.columns, &given.row(rows[place]).data()?)?);
            }
            values.extend(key);
        }
        if places.is_empty() {
            return Ok(there);
        }
        let sql = self.statement(places.len(), |writing, count| match given {
            Some(_) => statement::update(&batch.table, &writing.columns, &writing.key, count),
            None => statement::delete(&batch.table, &writing.key, count),
        });
        for row in self.run(&sql, &values).await? {
            if let Some(place) = placed(&row, &places) {
                there[place] = true;
            }
        }
        Ok(there)
    }

    async fn lock(&mut self, rows: &[usize], columns: &[String]) -> std::result::Result<Vec<Seen>, Fault> {
        let reading = Reading::of(self.described, columns, 1)?;
        let mut seen: Vec<Seen> = rows.iter().map(|_| Seen::Gone).collect();
        let (places, keys) = self.keyed(rows)?;
        let at_once = (PARAMETERS / self.key.len().max(1)).clamp(1, ROWS);
        for (places, keys) in places.chunks(at_once).zip(keys.chunks(at_once)) {
            let sql = statement::lock(&self.batch.table, &reading.columns, &self.key, keys.len());
            for row in self.run(&sql, &keys.concat()).await? {
                let Some(place) = placed(&row, places) else { continue };
                let mut page = reading.page();
                reading.take(&mut page, &row)?;
                seen[place] = match page.refused.pop() {
                    Some(refused) => Seen::Unreadable(refused.error),
                    None => Seen::Row(page.rows),
                };
            }
        }
        Ok(seen)
    }

    async fn exists(&mut self, row: usize) -> std::result::Result<bool, Fault> {
        if sql::key_of(self.batch, row)?.is_none() {
            return Ok(false);
        }
        let Some(key) = self.key(row)? else { return Ok(false) };
        let sql = statement::exists(&self.batch.table, &self.key);
        Ok(!self.run(&sql, &key).await?.is_empty())
    }
}

/// Which of the rows a row of the answer is about: it begins with its place among those that were sent.
fn placed(row: &Row, places: &[usize]) -> Option<usize> {
    let place = number(row, 0).and_then(|place| usize::try_from(place).ok())?;
    places.get(place).copied()
}
