//! Applies a preview of rows, exactly: a row that is no longer what was previewed is left alone, as `stale`.
//!
//! Rows go in batches of one kind. Of each batch the rows are read again at the side they come from, written at the other,
//! and only then the ledger learns of them, in one transaction with how far the run has come. A run that dies in between
//! finds its rows written at the next attempt: an insert meets the row that is there already and adopts it when it is the
//! same, an update or a deletion does again what was done. Where a row would be made twice, the ledger knows of it before
//! it is made (`marked`).

mod adopt;
mod carry;
mod marked;
mod merge;
mod settle;
mod write;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::change::{Act, RowChange};
use super::journal::RowJournal;
use super::open::Opened;
use super::pace::Pace;
use super::planned::{PAGE, PlannedRow, page};
use crate::endpoint::RowOutcome;
use crate::error::{Code, Error, Result};
use crate::identity::RowHash;
use crate::model::{LedgerRow, Moment, PreviewId, Provenance, Side};
use crate::operation::clock::micros;
use crate::operation::lease::Lease;
use crate::operation::plan::Position;
use crate::operation::progress::Meter;
use crate::operation::run::{Counts, ItemFailure, Reporter};

pub(crate) use marked::resolve;
use settle::{as_agreed, at_address, placed};

/// How often progress goes to the book.
const PROGRESS: Duration = Duration::from_secs(1);

/// Rows that are carried at once at most: between batches a run tells how far it is, waits for a budget, and can be ended.
const CARRIED: usize = 2048;

/// Failures that a report lists.
const LISTED: usize = 100;

/// What a run did.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    pub(crate) counts: Counts,
    pub(crate) stale: u64,
    pub(crate) waiting: u64,
    pub(crate) failures: Vec<ItemFailure>,
}

/// A run that applies a preview.
pub(crate) struct Apply {
    pub(crate) opened: Arc<Opened>,
    pub(crate) preview: PreviewId,
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) journal: RowJournal,
    pub(crate) meter: Meter,
    pub(crate) pace: Pace,
    pub(crate) progress_written: Duration,
    pub(crate) failed_before: u64,
    pub(crate) tally: Applied,
    /// Rows whose place in a unique index was taken: once everything else is done it may be free.
    pub(crate) again: Vec<PlannedRow>,
}

/// What became of one change.
enum Done {
    /// Both sides agree on it.
    Agreed {
        source: RowHash,
        target: Option<RowHash>,
        key: Vec<u8>,
        version: Option<String>,
        by: Provenance,
        /// When the row may go to another list though it stays as it is.
        next_route_at: Option<Moment>,
    },
    /// Neither side has it.
    Gone,
    /// It waits for a person.
    Waits,
    /// Nobody knows whether it was made; it is not there.
    Unclear(Error),
    /// The row that was to be changed at the target is gone there.
    Vanished,
}

impl Apply {
    /// Applies what is ticked after `from`.
    pub(crate) async fn run(&mut self, mut from: Position) -> Result<()> {
        loop {
            let book = self.opened.book.clone();
            let planned = page(&*book.store, self.opened.tenant, self.preview, from).await?;
            let Some(last) = planned.last().map(|row| row.at) else { break };
            for batch in batches(planned, &self.opened) {
                self.pace.ready(&mut self.meter, &self.reporter, &self.lease).await?;
                let reached = batch.last().map_or(last, |row| row.at);
                self.batch(batch, Some(reached)).await?;
            }
            from = last;
        }
        let again = std::mem::take(&mut self.again);
        for batch in batches(again, &self.opened) {
            self.pace.ready(&mut self.meter, &self.reporter, &self.lease).await?;
            self.batch(batch, None).await?;
        }
        Ok(())
    }

    /// One batch of one kind; `reached` is where the run stands after it, nothing when it is the last attempt at its rows.
    async fn batch(&mut self, batch: Vec<PlannedRow>, reached: Option<Position>) -> Result<()> {
        let Some(act) = batch.first().map(|row| row.change.act.clone()) else { return Ok(()) };
        let identities: Vec<RowHash> = batch.iter().map(|row| row.change.identity).collect();
        let known = self.opened.ledger.rows(&identities).await?;
        let known: HashMap<RowHash, LedgerRow> = known.into_iter().map(|row| (row.source_identity_hash, row)).collect();
        let changes: Vec<&RowChange> = batch.iter().map(|row| &row.change).collect();
        let outcomes = match &act {
            Act::Insert(Side::Right) if self.opened.mapping.halves.right.marker.is_some() => {
                self.insert_marked(&changes, &known).await?
            }
            Act::Insert(side) => self.insert(*side, &changes, &known).await?,
            Act::Update(side) => self.update(*side, &changes, &known).await?,
            Act::Merge(_) => self.merge(&changes, &known).await?,
            Act::Delete(side) => self.delete(*side, &changes, &known).await?,
            Act::Record => record(&changes, self.routed_next()),
            Act::Forget => changes.iter().map(|_| Ok(Done::Gone)).collect(),
            Act::Wait => changes.iter().map(|_| Ok(Done::Waits)).collect(),
            Act::Refuse { .. } => changes
                .iter()
                .map(|change| Err(change.act.error(&change.name).unwrap_or_else(|| lost(change))))
                .collect(),
        };
        self.settle(batch, outcomes, &known, reached).await
    }

    /// Where a row goes of several lists is asked at the next run when it was not carried there by this one.
    fn routed_next(&self) -> Option<Moment> {
        self.opened.mapping.is_routed().then(|| Moment(micros(self.opened.book.clock.now())))
    }
}

/// Batches of one kind each, as large as the side that is written likes them; where only the ledger is, a page.
fn batches(planned: Vec<PlannedRow>, opened: &Opened) -> Vec<Vec<PlannedRow>> {
    let mut batches: Vec<Vec<PlannedRow>> = Vec::new();
    for row in planned {
        let liked = |side| opened.endpoints[side].capabilities().write_rows.clamp(1, CARRIED);
        let most = row.change.act.changes().map_or(PAGE, liked);
        match batches.last_mut() {
            Some(batch) if batch.len() < most && batch[0].change.act.is_like(&row.change.act) => batch.push(row),
            Some(_) | None => batches.push(vec![row]),
        }
    }
    batches
}

/// Both sides have these already, and the preview says what.
fn record(changes: &[&RowChange], next_route_at: Option<Moment>) -> Vec<Result<Done>> {
    let one = |change: &&RowChange| match (change.source, change.target, &change.target_key) {
        (Some(source), target, Some(key)) => Ok(Done::Agreed {
            source,
            target,
            key: key.clone(),
            version: change.version.clone(),
            by: Provenance::Push,
            next_route_at,
        }),
        _ => Err(lost(change)),
    };
    changes.iter().map(one).collect()
}

fn named(error: Error, change: &RowChange) -> Error {
    Error::new(error.code(), "carry the row", &change.name).because(&error).caused_by(error)
}

fn moved_on(change: &RowChange) -> Error {
    Error::new(Code::Stale, "carry the row", &change.name)
        .because("it is no longer what was previewed")
        .advise("preview again")
}

fn taken(change: &RowChange) -> Error {
    Error::new(Code::Conflict, "carry the row", &change.name)
        .because("another row has what no two rows may have")
        .advise("look which row it is; a row that is to go may have to be deleted first")
}

fn unanswered(change: &RowChange) -> Error {
    Error::new(Code::Internal, "carry the row", &change.name).because("there was no answer for it")
}

fn lost(change: &RowChange) -> Error {
    Error::new(Code::Corrupt, "carry the row", &change.name)
        .because("neither the preview nor the ledger has its key")
        .advise("preview again")
}

fn refusal(change: &RowChange, outcome: RowOutcome) -> Error {
    match outcome {
        RowOutcome::Gone | RowOutcome::Changed => moved_on(change),
        RowOutcome::Exists => taken(change),
        RowOutcome::Refused(error) | RowOutcome::Unknown(error) => named(error, change),
        RowOutcome::Written { .. } => unanswered(change),
    }
}
