//! How a batch is written, in whatever database: in one transaction, as few statements as it takes, and an answer for
//! every row.
//!
//! What always holds: a row that fails takes no other with it; a row is compared and written in one transaction, locked
//! in between; only a connection that is lost while the transaction is committed leaves anything unknown.

use crate::endpoint::{ContentGuard, Expect, RowAction, RowOutcome, WriteBatch};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;

/// Why a statement did nothing.
pub(in crate::endpoint) enum Fault {
    /// Two rows would be the same by a unique index. The transaction goes on.
    Duplicate(Error),
    /// The store refuses what a row would hold. The transaction goes on.
    Row(Error),
    /// Nothing more can be done in this transaction.
    Batch(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Batch(error)
    }
}

impl Fault {
    fn into_error(self) -> Error {
        match self {
            Self::Duplicate(error) | Self::Row(error) | Self::Batch(error) => error,
        }
    }
}

/// A row that was looked for.
pub(in crate::endpoint) enum Seen {
    /// It is not there.
    Gone,
    /// It is the only row of a batch of its own.
    Row(RowBatch),
    /// It holds what cannot be carried.
    Unreadable(Error),
}

/// A transaction that writes one batch.
pub(in crate::endpoint) trait Transaction {
    /// How many rows one statement may write.
    fn rows_at_once(&self) -> usize;

    /// Does to these rows of the batch what it says, all of them or none; for each, whether it was there.
    async fn apply(&mut self, rows: &[usize]) -> std::result::Result<Vec<bool>, Fault>;

    /// Reads the rows with these keys, and keeps others from changing them until the end.
    async fn lock(&mut self, rows: &[usize], columns: &[String]) -> std::result::Result<Vec<Seen>, Fault>;

    /// Whether there is a row with the key of this row, which could not be inserted.
    async fn exists(&mut self, row: usize) -> std::result::Result<bool, Fault>;
}

/// What the rows of a batch became, if the transaction is committed.
///
/// # Errors
/// The transaction is to be rolled back.
pub(in crate::endpoint) async fn write(
    transaction: &mut impl Transaction,
    batch: &WriteBatch,
) -> Result<Vec<RowOutcome>> {
    let mut outcomes: Vec<Option<RowOutcome>> = vec![None; batch.action.len()];
    match &batch.action {
        RowAction::Update { expect: Expect::Content(guard), .. }
        | RowAction::Delete { expect: Expect::Content(guard), .. } => {
            compare(transaction, guard, &mut outcomes).await?;
        }
        RowAction::Insert { .. } | RowAction::Update { .. } | RowAction::Delete { .. } => {}
    }
    let open: Vec<usize> = (0..outcomes.len()).filter(|&row| outcomes[row].is_none()).collect();
    let is_insert = matches!(batch.action, RowAction::Insert { .. });
    // From the last to the first, so that the first is the next to come off.
    let mut todo: Vec<&[usize]> = open.chunks(transaction.rows_at_once().max(1)).rev().collect();
    while let Some(rows) = todo.pop() {
        match transaction.apply(rows).await {
            Ok(there) => {
                for (&row, there) in rows.iter().zip(there) {
                    outcomes[row] =
                        Some(if there { RowOutcome::Written { key: None, version: None } } else { RowOutcome::Gone });
                }
            }
            Err(Fault::Batch(error)) => return Err(error),
            // Halves until the row that is at fault stands alone: a few statements for a batch with a few such rows.
            Err(Fault::Duplicate(_) | Fault::Row(_)) if rows.len() > 1 => {
                let (first, second) = rows.split_at(rows.len() / 2);
                todo.extend([second, first]);
            }
            Err(Fault::Duplicate(error)) => {
                let is_there = is_insert && transaction.exists(rows[0]).await.map_err(Fault::into_error)?;
                outcomes[rows[0]] = Some(if is_there { RowOutcome::Exists } else { RowOutcome::Refused(error) });
            }
            Err(Fault::Row(error)) => outcomes[rows[0]] = Some(RowOutcome::Refused(error)),
        }
    }
    let lost = || Error::new(Code::Internal, "write a row to", &batch.table).because("nothing was said of it");
    outcomes.into_iter().map(|outcome| outcome.ok_or_else(lost)).collect()
}

/// Says of the rows that are not what they were that they are not.
async fn compare(
    transaction: &mut impl Transaction,
    guard: &ContentGuard,
    outcomes: &mut [Option<RowOutcome>],
) -> Result<()> {
    let is_guarded = |&row: &usize| guard.expected.get(row).is_some_and(Option::is_some);
    let guarded: Vec<usize> = (0..outcomes.len()).filter(is_guarded).collect();
    let mut todo = vec![&guarded[..]];
    while let Some(rows) = todo.pop().filter(|rows| !rows.is_empty()) {
        let seen = match transaction.lock(rows, &guard.columns).await {
            Ok(seen) => seen,
            Err(Fault::Batch(error)) => return Err(error),
            Err(Fault::Duplicate(_) | Fault::Row(_)) if rows.len() > 1 => {
                let (first, second) = rows.split_at(rows.len() / 2);
                todo.extend([second, first]);
                continue;
            }
            Err(Fault::Duplicate(error) | Fault::Row(error)) => vec![Seen::Unreadable(error)],
        };
        for (&row, seen) in rows.iter().zip(seen) {
            outcomes[row] = match seen {
                Seen::Gone => Some(RowOutcome::Gone),
                Seen::Unreadable(error) => Some(RowOutcome::Refused(error)),
                Seen::Row(found) => {
                    let hash = (guard.hash)(found.row(0))?;
                    let is_same = guard.expected[row].is_none_or(|expected| expected == hash);
                    (!is_same).then_some(RowOutcome::Changed)
                }
            };
        }
    }
    Ok(())
}

/// What is known when the connection was lost while the transaction was being committed.
pub(in crate::endpoint) fn unknown(outcomes: Vec<RowOutcome>, error: &Error) -> Vec<RowOutcome> {
    let doubt = |outcome| match outcome {
        RowOutcome::Written { .. } => RowOutcome::Unknown(error.clone()),
        settled => settled,
    };
    outcomes.into_iter().map(doubt).collect()
}

/// Refuses a batch that does not hold together, or asks for what no SQL endpoint has.
pub(in crate::endpoint) fn check(batch: &WriteBatch) -> Result<()> {
    let wrong = |why: &'static str| Error::new(Code::Internal, "write rows to", &batch.table).because(why);
    let (keys, columns, rows, expect) = match &batch.action {
        RowAction::Insert { columns, rows } => (None, Some(columns), Some(rows), None),
        RowAction::Update { keys, columns, rows, expect } => (Some(keys), Some(columns), Some(rows), Some(expect)),
        RowAction::Delete { keys, expect } => (Some(keys), None, None, Some(expect)),
    };
    if keys.is_some_and(|keys| batch.key.is_empty() || keys.columns() != batch.key.len()) {
        return Err(wrong("the keys are not those of the table"));
    }
    if let (Some(columns), Some(rows)) = (columns, rows)
        && (columns.is_empty() || rows.columns() != columns.len() || rows.len() != batch.action.len())
    {
        return Err(wrong("the rows do not have the columns that are named"));
    }
    match expect {
        Some(Expect::Versions(versions)) if versions.iter().any(Option::is_some) => {
            Err(Error::new(Code::Unsupported, "write rows to", &batch.table).because("its rows have no versions"))
        }
        Some(Expect::Content(guard)) if guard.expected.len() != batch.action.len() => {
            Err(wrong("what is expected is not said of every row"))
        }
        Some(Expect::Any | Expect::Versions(_) | Expect::Content(_)) | None => Ok(()),
    }
}

/// The keys of some rows of a batch, wherever they stand in it: in a batch of their own, or among the columns.
pub(in crate::endpoint) fn key_of(batch: &WriteBatch, row: usize) -> Result<Option<Vec<crate::model::Datum>>> {
    if batch.key.is_empty() {
        return Ok(None);
    }
    match &batch.action {
        RowAction::Update { keys, .. } | RowAction::Delete { keys, .. } => keys.row(row).data().map(Some),
        RowAction::Insert { columns, rows } => {
            let place = |name| columns.iter().position(|column| column == name);
            let Some(places) = batch.key.iter().map(place).collect::<Option<Vec<_>>>() else { return Ok(None) };
            let row = rows.row(row);
            places.into_iter().map(|place| row.datum(place)).collect::<Result<_>>().map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::TableName;
    use crate::model::Datum;

    /// Rows of these numbers fail; it counts the statements.
    struct Failing {
        bad: Vec<usize>,
        statements: usize,
        written: Vec<usize>,
    }

    impl Transaction for Failing {
        fn rows_at_once(&self) -> usize {
            1024
        }

        async fn apply(&mut self, rows: &[usize]) -> std::result::Result<Vec<bool>, Fault> {
            self.statements += 1;
            if rows.iter().any(|row| self.bad.contains(row)) {
                return Err(Fault::Duplicate(Error::new(Code::Conflict, "write", "")));
            }
            self.written.extend(rows);
            Ok(vec![true; rows.len()])
        }

        async fn lock(&mut self, _: &[usize], _: &[String]) -> std::result::Result<Vec<Seen>, Fault> {
            Ok(Vec::new())
        }

        async fn exists(&mut self, row: usize) -> std::result::Result<bool, Fault> {
            Ok(row != 7)
        }
    }

    #[test]
    fn rows_at_fault_are_found_by_halving_and_take_no_other_with_them() {
        let rows = RowBatch::of(1, &(0..1000).map(|n| vec![Datum::Integer(n)]).collect::<Vec<_>>()).unwrap();
        let action = RowAction::Insert { columns: vec!["k".into()], rows };
        let batch = WriteBatch { table: TableName::new("", "t"), key: vec!["k".into()], action };
        let mut transaction = Failing { bad: vec![7, 500], statements: 0, written: Vec::new() };
        let outcomes = pollster::block_on(write(&mut transaction, &batch)).unwrap();
        assert!(matches!(outcomes[7], RowOutcome::Refused(_)));
        assert!(matches!(outcomes[500], RowOutcome::Exists));
        assert_eq!(outcomes.iter().filter(|o| matches!(o, RowOutcome::Written { .. })).count(), 998);
        let expected: Vec<usize> = (0..1000).filter(|row| ![7, 500].contains(row)).collect();
        assert_eq!(transaction.written, expected, "in their order");
        assert!(transaction.statements < 60, "{} statements", transaction.statements);
    }
}
