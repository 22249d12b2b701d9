//! Applies a preview of rows, exactly: a row that is no longer what was previewed is left alone, as `stale`.
//!
//! Rows go in batches of one kind. Of each batch the rows are read again at the side they come from, written at the other,
//! and only then the ledger learns of them, in one transaction with how far the run has come. A run that dies in between
//! finds its rows written at the next attempt: an insert meets the row that is there already and adopts it when it is the
//! same, an update or a deletion does again what was done.

mod merge;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::change::{Act, RowChange};
use super::conflict;
use super::journal::RowJournal;
use super::key::read_key;
use super::mapping::{hex, target_key};
use super::open::Opened;
use super::pace::Pace;
use super::preview::{PlannedRow, page};
use crate::endpoint::{ContentGuard, Expect, RowAction, RowOutcome, WriteBatch};
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, RowHash, encode};
use crate::model::{Datum, LedgerRow, LedgerState, Moment, PreviewId, Provenance, RecordMode, Side, Tick};
use crate::operation::clock::micros;
use crate::operation::lease::Lease;
use crate::operation::plan::Position;
use crate::operation::progress::Meter;
use crate::operation::run::{AppliedItem, Counts, ItemFailure, Reporter, RunEvent};

/// How often progress goes to the book.
const PROGRESS: Duration = Duration::from_secs(1);

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
    Agreed { source: RowHash, target: Option<RowHash>, key: Vec<u8>, version: Option<String>, by: Provenance },
    /// Neither side has it.
    Gone,
    /// It waits for a person.
    Waits,
}

/// A row as one side shows it now.
struct Fetched {
    batch: RowBatch,
    at: HashMap<Vec<u8>, usize>,
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
            Act::Insert(side) => self.insert(*side, &changes, &known).await?,
            Act::Update(side) => self.update(*side, &changes, &known).await?,
            Act::Merge(_) => self.merge(&changes, &known).await?,
            Act::Delete(side) => self.delete(*side, &changes, &known).await?,
            Act::Record => self.record(&changes).await?,
            Act::Forget => changes.iter().map(|_| Ok(Done::Gone)).collect(),
            Act::Wait => changes.iter().map(|_| Ok(Done::Waits)).collect(),
            Act::Refuse { .. } => changes
                .iter()
                .map(|change| Err(change.act.error(&change.name).unwrap_or_else(|| lost(change))))
                .collect(),
        };
        self.settle(batch, outcomes, &known, reached).await
    }

    /// Writes the rows of the other side that `to` does not have.
    async fn insert(
        &self,
        to: Side,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Result<Done>>> {
        let opened = &self.opened;
        let carried = self.carry(to, changes, known).await?;
        let columns = opened.mapping.halves[to].written.clone();
        let mut rows = RowBatch::new(columns.len());
        for row in carried.iter().flatten() {
            rows.push(&row.values)?;
        }
        let answers = self.write(to, RowAction::Insert { columns, rows }).await?;
        let mut done = self.answered(to, changes, carried, answers).await?;
        self.adopt(to, changes, &mut done).await?;
        Ok(done.into_iter().map(|row| row.result).collect())
    }

    /// Brings rows that `to` has to what the other side has.
    async fn update(
        &self,
        to: Side,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Result<Done>>> {
        let mut carried = self.carry(to, changes, known).await?;
        for (row, change) in carried.iter_mut().zip(changes) {
            if let Ok(carried) = row
                && let Some(key) = key_at(to, change, known.get(&change.identity))
            {
                carried.key = key;
            }
        }
        let answers = self.write_update(to, changes, &carried, self.is_guarded().then_some(known)).await?;
        let done = self.answered(to, changes, carried, answers).await?;
        Ok(done.into_iter().map(|row| row.result).collect())
    }

    /// Two ways, a row is only written if it is still what was compared; a mirror's target is the mirror's.
    fn is_guarded(&self) -> bool {
        self.opened.mapping.mode == RecordMode::TwoWay
    }

    async fn write_update(
        &self,
        to: Side,
        changes: &[&RowChange],
        carried: &[Result<Carried>],
        guarded: Option<&HashMap<RowHash, LedgerRow>>,
    ) -> Result<Vec<RowOutcome>> {
        let half = &self.opened.mapping.halves[to];
        // The key is what the row is found by, not what is changed.
        let places: Vec<usize> = (0..half.written.len()).filter(|at| !half.key.contains(&half.written[*at])).collect();
        let columns: Vec<String> = places.iter().map(|at| half.written[*at].clone()).collect();
        let ready =
            || carried.iter().zip(changes).filter_map(|(row, change)| row.as_ref().ok().map(|row| (row, *change)));
        let keys = self.opened.mapping.keys(ready().map(|(row, _)| row.key.as_slice()))?;
        let mut rows = RowBatch::new(columns.len());
        for (row, _) in ready() {
            let values: Vec<Datum> = places.iter().map(|at| row.values[*at].clone()).collect();
            rows.push(&values)?;
        }
        if columns.is_empty() {
            return Ok(ready().map(|_| RowOutcome::Written { key: None, version: None }).collect());
        }
        let expect = guarded.map_or(Expect::Any, |known| self.expect(to, ready().map(|(_, change)| change), known));
        self.write(to, RowAction::Update { keys, columns, rows, expect }).await
    }

    /// What a row has to be still: its version where rows have one, else what it holds. Where the preview did not see it
    /// changed it is what both agreed on.
    fn expect<'c>(
        &self,
        side: Side,
        changes: impl Iterator<Item = &'c RowChange>,
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Expect {
        let opened = &self.opened;
        let agreed = |change: &RowChange| known.get(&change.identity);
        if side == Side::Right && opened.endpoints.right.capabilities().version_column.is_some() {
            let version = |change: &RowChange| change.version.clone().or_else(|| agreed(change)?.etag.clone());
            return Expect::Versions(changes.map(version).collect());
        }
        let shown = |change: &RowChange| match side {
            Side::Left => change.source.or_else(|| agreed(change)?.content_hash),
            Side::Right => change.target.or_else(|| agreed(change)?.remote_content_hash),
        };
        let expected = changes.map(shown).collect();
        let half = &opened.mapping.halves[side];
        let columns = half.key.iter().chain(&half.hashed).cloned().collect();
        let opened = self.opened.clone();
        let hash = Arc::new(move |row: crate::identity::RowRef<'_>| opened.mapping.hash(side, row));
        Expect::Content(ContentGuard { columns, hash, expected })
    }

    /// Takes out rows of `from`.
    async fn delete(
        &self,
        from: Side,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Result<Done>>> {
        let keyed: Vec<Option<Vec<u8>>> =
            changes.iter().map(|change| key_at(from, change, known.get(&change.identity))).collect();
        let ready = || keyed.iter().zip(changes).filter_map(|(key, change)| key.as_deref().map(|key| (key, *change)));
        let keys = self.opened.mapping.keys(ready().map(|(key, _)| key))?;
        let changes_ready = ready().map(|(_, change)| change);
        let expect = if self.is_guarded() { self.expect(from, changes_ready, known) } else { Expect::Any };
        let mut answers = self.write(from, RowAction::Delete { keys, expect }).await?.into_iter();
        let one = |(key, change): (&Option<Vec<u8>>, &&RowChange)| match key {
            None => Err(lost(change)),
            Some(_) => match answers.next() {
                Some(RowOutcome::Written { .. } | RowOutcome::Gone) => Ok(Done::Gone),
                Some(other) => Err(refusal(change, other)),
                None => Err(unanswered(change)),
            },
        };
        Ok(keyed.iter().zip(changes).map(one).collect())
    }

    /// Both sides have these already: what they have is read, so that the ledger says what is there.
    async fn record(&self, changes: &[&RowChange]) -> Result<Vec<Result<Done>>> {
        let one = |change: &&RowChange| match (change.source, change.target, &change.target_key) {
            (Some(source), target, Some(key)) => Ok(Done::Agreed {
                source,
                target,
                key: key.clone(),
                version: change.version.clone(),
                by: Provenance::Push,
            }),
            _ => Err(lost(change)),
        };
        Ok(changes.iter().map(one).collect())
    }

    /// Reads the rows again where they come from, and makes of them what goes to `to`.
    async fn carry(
        &self,
        to: Side,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Result<Carried>>> {
        let (from, mapping) = (to.other(), &self.opened.mapping);
        let keys: Vec<Vec<u8>> = changes
            .iter()
            .map(|change| key_at(from, change, known.get(&change.identity)).unwrap_or_default())
            .collect();
        let fetched = self.fetch(from, &keys).await?;
        let current = match to {
            Side::Left => {
                let own: Vec<Vec<u8>> =
                    changes.iter().map(|change| key_at(to, change, None).unwrap_or_default()).collect();
                self.fetch(to, &own).await?
            }
            Side::Right => Fetched { batch: RowBatch::new(0), at: HashMap::new() },
        };
        let now = Tick::from_micros(micros(self.opened.book.clock.now()));
        let one = |(change, key): (&&RowChange, &Vec<u8>)| {
            let row = fetched.at.get(key).map(|at| fetched.batch.row(*at)).ok_or_else(|| moved_on(change))?;
            let hash = mapping.hash(from, row)?;
            // A side that the preview did not read is to be what both agreed on.
            let agreed = known.get(&change.identity);
            let previewed = match from {
                Side::Left => change.source.or_else(|| agreed?.content_hash),
                Side::Right => change.target.or_else(|| agreed?.remote_content_hash),
            };
            if previewed != Some(hash) {
                return Err(moved_on(change));
            }
            let key = mapping.carried_key(to, row)?;
            let version = if from == Side::Right { mapping.halves.right.version_of(row)? } else { None };
            let own =
                key_at(Side::Left, change, None).and_then(|key| current.at.get(&key)).map(|at| current.batch.row(*at));
            Ok(Carried {
                values: mapping.carried(to, row, own, now)?,
                key,
                from_key: key_of(mapping, from, row),
                hash,
                version,
            })
        };
        let name = |(row, change): (Result<Carried>, &&RowChange)| row.map_err(|error| named(error, change));
        Ok(changes.iter().zip(&keys).map(one).zip(changes).map(name).collect())
    }

    async fn fetch(&self, side: Side, keys: &[Vec<u8>]) -> Result<Fetched> {
        let (mapping, half) = (&self.opened.mapping, &self.opened.mapping.halves[side]);
        let asked = mapping.keys(keys.iter().filter(|key| !key.is_empty()).map(Vec::as_slice))?;
        if asked.is_empty() {
            return Ok(Fetched { batch: RowBatch::new(half.scanned.len()), at: HashMap::new() });
        }
        let page = self.opened.endpoints[side].fetch(&half.table, &half.scanned, &half.key, &asked).await?;
        let at = page.rows.iter().enumerate().map(|(at, row)| (half.key_of(row).to_vec(), at)).collect();
        Ok(Fetched { batch: page.rows, at })
    }

    async fn write(&self, side: Side, action: RowAction) -> Result<Vec<RowOutcome>> {
        if action.is_empty() {
            return Ok(Vec::new());
        }
        let half = &self.opened.mapping.halves[side];
        let batch = WriteBatch { table: half.table.clone(), key: half.key.clone(), action };
        self.opened.endpoints[side].write(batch).await
    }

    /// Joins the answers with what was asked.
    async fn answered(
        &self,
        to: Side,
        changes: &[&RowChange],
        carried: Vec<Result<Carried>>,
        answers: Vec<RowOutcome>,
    ) -> Result<Vec<Answered>> {
        let mut answers = answers.into_iter();
        let mut rows: Vec<Answered> = carried
            .into_iter()
            .zip(changes)
            .map(|(carried, change)| match carried {
                Err(error) => Answered { carried: None, result: Err(error), exists: false },
                Ok(carried) => match answers.next() {
                    Some(RowOutcome::Written { key, version }) => {
                        let result = Ok(self.agreed(to, &carried, key, version));
                        Answered { carried: Some(carried), result, exists: false }
                    }
                    Some(other) => {
                        let exists = matches!(other, RowOutcome::Exists);
                        Answered { carried: Some(carried), result: Err(refusal(change, other)), exists }
                    }
                    None => Answered { carried: Some(carried), result: Err(unanswered(change)), exists: false },
                },
            })
            .collect();
        self.look_again(to, &mut rows).await?;
        Ok(rows)
    }

    fn agreed(&self, to: Side, carried: &Carried, key: Option<Vec<u8>>, version: Option<String>) -> Done {
        let written = self.opened.mapping.hash_of(to, &carried.values);
        match to {
            Side::Right => Done::Agreed {
                source: carried.hash,
                target: written,
                key: key.unwrap_or_else(|| carried.key.clone()),
                version,
                by: Provenance::Push,
            },
            Side::Left => Done::Agreed {
                // Looked at again below where it cannot be told.
                source: written.unwrap_or_default(),
                target: Some(carried.hash),
                key: carried.from_key.clone(),
                version: carried.version.clone(),
                by: Provenance::Pull,
            },
        }
    }

    /// Where a side hashes more than was written to it (fields that only come from there), it is read once more.
    async fn look_again(&self, to: Side, rows: &mut [Answered]) -> Result<()> {
        let mapping = &self.opened.mapping;
        let half = &mapping.halves[to];
        if half.hashed.iter().all(|column| half.written.binary_search(column).is_ok()) {
            return Ok(());
        }
        let keys: Vec<Vec<u8>> = rows
            .iter()
            .filter(|row| row.result.is_ok())
            .filter_map(|row| row.carried.as_ref().map(|carried| carried.key.clone()))
            .collect();
        let fetched = self.fetch(to, &keys).await?;
        for row in rows {
            let (Ok(Done::Agreed { source, target, .. }), Some(carried)) = (&mut row.result, &row.carried) else {
                continue;
            };
            let Some(at) = fetched.at.get(&carried.key) else { continue };
            let hash = mapping.hash(to, fetched.batch.row(*at))?;
            match to {
                Side::Left => *source = hash,
                Side::Right => *target = Some(hash),
            }
        }
        Ok(())
    }

    /// Inserts that met a row of their key: it is adopted when it is the same. A mirror makes it the same; two ways it is
    /// another state than was previewed.
    async fn adopt(&self, to: Side, changes: &[&RowChange], done: &mut [Answered]) -> Result<()> {
        let met: Vec<usize> = (0..done.len()).filter(|at| done[*at].exists).collect();
        if met.is_empty() {
            return Ok(());
        }
        let mapping = &self.opened.mapping;
        let keys: Vec<Vec<u8>> =
            met.iter().filter_map(|at| done[*at].carried.as_ref().map(|carried| carried.key.clone())).collect();
        let fetched = self.fetch(to, &keys).await?;
        let mut differ = Vec::new();
        for at in met {
            let Some(carried) = done[at].carried.take() else { continue };
            let there = fetched.at.get(&carried.key).map(|row| fetched.batch.row(*row));
            let same = match there {
                Some(row) => Some(mapping.hash(to, row)?) == mapping.hash_of(to, &carried.values),
                // Another unique index than that of the key: the row is in the way of this one.
                None => false,
            };
            if same {
                let version = there.map(|row| mapping.halves[to].version_of(row)).transpose()?.flatten();
                done[at].result = Ok(self.agreed(to, &carried, None, version));
            } else if there.is_some() && !self.is_guarded() {
                differ.push((at, carried));
            } else if there.is_some() {
                done[at].result = Err(moved_on(changes[at]));
            } else {
                done[at].result = Err(taken(changes[at]));
            }
        }
        if differ.is_empty() {
            return Ok(());
        }
        let (places, carried): (Vec<usize>, Vec<Result<Carried>>) =
            differ.into_iter().map(|(at, carried)| (at, Ok(carried))).unzip();
        let of: Vec<&RowChange> = places.iter().map(|at| changes[*at]).collect();
        let answers = self.write_update(to, &of, &carried, None).await?;
        for (at, answered) in places.iter().zip(self.answered(to, &of, carried, answers).await?) {
            done[*at] = answered;
        }
        Ok(())
    }

    /// Writes what became of a batch: ledger, position, failures, progress, in one transaction.
    async fn settle(
        &mut self,
        batch: Vec<PlannedRow>,
        outcomes: Vec<Result<Done>>,
        known: &HashMap<RowHash, LedgerRow>,
        reached: Option<Position>,
    ) -> Result<()> {
        let opened = self.opened.clone();
        let now = opened.book.clock.now();
        let (mut put, mut forget, mut writes) = (Vec::new(), Vec::new(), vec![self.lease.fence()]);
        let (mut items, mut failures) = (Vec::new(), Vec::new());
        for (row, outcome) in batch.into_iter().zip(outcomes) {
            let change = &row.change;
            match outcome {
                Ok(done) => {
                    self.count(change, &done);
                    items.push(AppliedItem { path: change.name.clone(), kind: change.act.kind(), bytes: 0 });
                    writes.extend(self.journal.made_good(change.identity));
                    writes.extend(self.journal.settled(change, matches!(done, Done::Waits), now));
                    match self.ledger_row(change, done, known.get(&change.identity), Moment(micros(now))) {
                        Some(row) => put.push(row),
                        None => forget.push(change.identity),
                    }
                }
                // Its place may become free.
                Err(error) if error.code() == Code::Conflict && reached.is_some() => self.again.push(row),
                Err(error) => {
                    self.tally.counts.failed += 1;
                    self.tally.stale += u64::from(error.code() == Code::Stale);
                    writes.push(self.journal.log.outcome(self.preview, row.at, error.code()));
                    writes.extend(self.journal.failed(change, &error, now));
                    if self.journal.waiting.contains(&change.identity) {
                        let (definition, generation) = (opened.definition, self.journal.generation);
                        writes.push(conflict::failed(definition, change.identity, &error, generation));
                    }
                    failures.push(ItemFailure { path: change.name.clone(), error });
                }
            }
        }
        writes.extend(opened.ledger.put(put));
        writes.extend(opened.ledger.forget(&forget));
        writes.extend(reached.map(|at| self.journal.log.position(self.preview, at)));
        self.meter.add((items.len() + failures.len()) as u64, 0);
        self.pace.tell(&mut self.meter).await;
        let elapsed = opened.book.clock.elapsed();
        let progress = self.meter.read(elapsed);
        if elapsed.saturating_sub(self.progress_written) >= PROGRESS {
            self.progress_written = elapsed;
            writes.push(self.journal.log.progress(&progress, self.tally.counts.failed + self.failed_before));
        }
        if let Err(refused) = opened.book.store.write(opened.tenant, writes).await {
            return Err(self.lease.why(refused).await);
        }
        opened.book.progress_written.notify_waiters();
        self.reporter.progress(progress);
        if !items.is_empty() {
            self.reporter.fact(RunEvent::Applied(items)).await;
        }
        for failure in failures {
            self.reporter.fact(RunEvent::Failed(failure.clone())).await;
            if self.tally.failures.len() < LISTED {
                self.tally.failures.push(failure);
            }
        }
        Ok(())
    }

    fn count(&mut self, change: &RowChange, done: &Done) {
        match done {
            Done::Waits => {
                self.tally.waiting += 1;
                self.tally.counts.conflicts += 1;
            }
            Done::Agreed { .. } | Done::Gone => match change.act {
                // Nothing was carried.
                Act::Record | Act::Forget => {}
                _ => self.tally.counts.add(change.act.kind(), 1),
            },
        }
    }

    /// What the ledger is to say; nothing: it forgets the row.
    fn ledger_row(&self, change: &RowChange, done: Done, known: Option<&LedgerRow>, now: Moment) -> Option<LedgerRow> {
        let opened = &self.opened;
        let (source, target, key, version, by, state) = match done {
            Done::Gone => return None,
            Done::Agreed { source, target, key, version, by } => {
                (Some(source), target, Some(hex(&key)), version, by, LedgerState::Confirmed)
            }
            Done::Waits => {
                let base = known.cloned();
                let key = change
                    .target_key
                    .as_deref()
                    .map(hex)
                    .or_else(|| base.as_ref().and_then(|row| row.target_key.clone()));
                let (source, target) =
                    base.as_ref().map_or((None, None), |row| (row.content_hash, row.remote_content_hash));
                let by = base.as_ref().map_or(Provenance::Push, |row| row.provenance);
                (source, target, key, change.version.clone(), by, LedgerState::Conflict)
            }
        };
        Some(LedgerRow {
            sync_def_id: opened.ledger.definition,
            source_identity_hash: change.identity,
            source_identity: change.name.clone(),
            source_key_strategy: opened.mapping.strategy,
            source_instance_id: opened.instance,
            sp_list_id: None,
            sp_item_id: None,
            target_key: key,
            state,
            attempt_id: None,
            etag: version,
            content_hash: source,
            remote_content_hash: target,
            mapping_version: opened.mapping.version,
            last_source_ts: None,
            last_sync_ts: Some(now),
            next_route_at: None,
            provenance: by,
            created_at: known.map_or(now, |row| row.created_at),
            updated_at: now,
        })
    }
}

/// A row on its way to a side.
struct Carried {
    /// The values of the columns that are written there.
    values: Vec<Datum>,
    /// Its key there.
    key: Vec<u8>,
    /// Its key where it comes from.
    from_key: Vec<u8>,
    /// What it holds where it comes from.
    hash: RowHash,
    /// The version that it has where it comes from, when that is the target.
    version: Option<String>,
}

/// A row with its answer.
struct Answered {
    carried: Option<Carried>,
    result: Result<Done>,
    /// One of its key is there already.
    exists: bool,
}

fn key_of(mapping: &super::mapping::Mapping, side: Side, row: crate::identity::RowRef<'_>) -> Vec<u8> {
    mapping.halves[side].key_of(row).to_vec()
}

/// The key of a row at a side, as the preview or the ledger knows it.
fn key_at(side: Side, change: &RowChange, known: Option<&LedgerRow>) -> Option<Vec<u8>> {
    match side {
        // The name of a row is its key, to be read back where the source was not read.
        Side::Left if change.source_key.is_empty() => {
            Some(read_key(&change.name).ok()?.iter().flat_map(encode).collect())
        }
        Side::Left => Some(change.source_key.clone()),
        Side::Right => change.target_key.clone().or_else(|| known.and_then(target_key)),
    }
}

/// Batches of one kind each, as large as the side that is written likes them.
fn batches(planned: Vec<PlannedRow>, opened: &Opened) -> Vec<Vec<PlannedRow>> {
    let mut batches: Vec<Vec<PlannedRow>> = Vec::new();
    for row in planned {
        let most =
            row.change.act.changes().map_or(1000, |side| opened.endpoints[side].capabilities().write_rows.max(1));
        match batches.last_mut() {
            Some(batch) if batch.len() < most && batch[0].change.act.is_like(&row.change.act) => batch.push(row),
            Some(_) | None => batches.push(vec![row]),
        }
    }
    batches
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
