//! What became of a batch, as the book keeps it.

use std::collections::{BTreeMap, HashMap};

use super::super::change::{Act, RowChange};
use super::super::conflict;
use super::super::mapping::{hex, listed_item, target_key};
use super::super::metrics;
use super::super::open::Opened;
use super::super::planned::PlannedRow;
use super::{Apply, Done, LISTED, PROGRESS, moved_on};
use crate::error::{Code, Result};
use crate::identity::RowHash;
use crate::ledger::item_at;
use crate::model::{LedgerRow, LedgerState, Moment, Provenance, Side};
use crate::operation::clock::micros;
use crate::operation::plan::Position;
use crate::operation::run::{AppliedItem, ItemFailure, RunEvent};

impl Apply {
    /// Writes what became of a batch: ledger, position, failures, progress, in one transaction.
    pub(super) async fn settle(
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
        let mut carried: BTreeMap<Option<String>, u64> = BTreeMap::new();
        for (mut row, outcome) in batch.into_iter().zip(outcomes) {
            let outcome = match outcome {
                // Looked for and not found: it is made again when all others are done.
                Ok(Done::Unclear(_)) if reached.is_some() => {
                    self.again.push(row);
                    continue;
                }
                Ok(Done::Vanished) if reached.is_some() => {
                    forget.push(row.change.identity);
                    row.change.act = Act::Insert(Side::Right);
                    self.again.push(row);
                    continue;
                }
                Ok(Done::Vanished) => {
                    forget.push(row.change.identity);
                    Err(moved_on(&row.change))
                }
                // Its intent stays: the next run looks for it first.
                Ok(Done::Unclear(error)) => Err(error),
                Err(error) => {
                    let (change, known) = (&row.change, known.get(&row.change.identity));
                    if is_unmade(change, known, &opened) {
                        forget.push(change.identity);
                    }
                    put.extend(self.unmarked(change, known, Moment(micros(now))));
                    Err(error)
                }
                done => done,
            };
            let change = &row.change;
            match outcome {
                Ok(done) => {
                    self.count(change, &done);
                    items.push(AppliedItem { path: change.name.clone(), kind: change.act.kind(), bytes: 0 });
                    writes.extend(self.journal.made_good(change.identity));
                    writes.extend(self.journal.settled(change, matches!(done, Done::Waits), now));
                    let before = known.get(&change.identity);
                    let row = self.ledger_row(change, done, before, Moment(micros(now)));
                    if change.act.changes().is_some() {
                        let list = row.as_ref().or(before).and_then(|row| row.sp_list_id.clone());
                        *carried.entry(list).or_default() += 1;
                    }
                    match row {
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
        writes.extend(metrics::carried(&opened, &carried, self.journal.run, Moment(micros(now))));
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
            Done::Unclear(_) | Done::Vanished => {}
            Done::Agreed { .. } | Done::Gone => match change.act {
                // Nothing was carried.
                Act::Record | Act::Forget => {}
                _ => self.tally.counts.add(change.act.kind(), 1),
            },
        }
    }

    /// A row of a mirror that was to get its marker and did not: that it is there is remembered, for nothing else tells so when
    /// the target is not read again.
    fn unmarked(&self, change: &RowChange, known: Option<&LedgerRow>, now: Moment) -> Option<LedgerRow> {
        let is_ours = change.is_unmarked && change.act == Act::Update(Side::Right) && !self.is_guarded();
        let address = change.target_key.as_deref().filter(|_| is_ours)?;
        Some(placed(&self.opened, change, Some(address), Provenance::Push, known, now))
    }

    /// What the ledger is to say; nothing: it forgets the row.
    fn ledger_row(&self, change: &RowChange, done: Done, known: Option<&LedgerRow>, now: Moment) -> Option<LedgerRow> {
        let opened = &self.opened;
        match done {
            Done::Gone | Done::Unclear(_) | Done::Vanished => None,
            Done::Agreed { source, target, key, version, by, next_route_at } => Some(LedgerRow {
                etag: version,
                next_route_at,
                content_hash: Some(source),
                remote_content_hash: target,
                ..placed(opened, change, Some(&key), by, known, now)
            }),
            Done::Waits => {
                let address = change.target_key.clone().or_else(|| known.and_then(target_key));
                let by = known.map_or(Provenance::Push, |row| row.provenance);
                Some(LedgerRow {
                    state: LedgerState::Conflict,
                    etag: change.version.clone(),
                    content_hash: known.and_then(|row| row.content_hash),
                    remote_content_hash: known.and_then(|row| row.remote_content_hash),
                    ..placed(opened, change, address.as_deref(), by, known, now)
                })
            }
        }
    }
}

/// Whether a row that was to be made was refused, so that its intent is void. One that the ledger had before keeps it: so the
/// next run tries again.
fn is_unmade(change: &RowChange, known: Option<&LedgerRow>, opened: &Opened) -> bool {
    opened.mapping.halves.right.marker.is_some()
        && change.act == Act::Insert(Side::Right)
        && known.is_none_or(|row| row.state == LedgerState::Pending)
}

/// A row of the ledger at an address of the target, without what was agreed on.
pub(super) fn placed(
    opened: &Opened,
    change: &RowChange,
    address: Option<&[u8]>,
    by: Provenance,
    known: Option<&LedgerRow>,
    now: Moment,
) -> LedgerRow {
    let row = LedgerRow {
        sync_def_id: opened.ledger.definition,
        source_identity_hash: change.identity,
        source_identity: change.name.clone(),
        source_key_strategy: opened.mapping.strategy,
        source_instance_id: opened.instance,
        sp_list_id: opened.list.as_ref().and_then(|list| list.at_sharepoint.clone()),
        sp_item_id: None,
        target_key: None,
        state: LedgerState::Confirmed,
        attempt_id: None,
        etag: None,
        content_hash: None,
        remote_content_hash: None,
        mapping_version: opened.mapping.version,
        last_source_ts: change.changed_at.or_else(|| known.and_then(|row| row.last_source_ts)),
        last_sync_ts: Some(now),
        next_route_at: None,
        provenance: by,
        created_at: known.map_or(now, |row| row.created_at),
        updated_at: now,
    };
    match address {
        Some(address) => at_address(opened, row, address),
        None => row,
    }
}

/// The same row at this address of the target: an item has its number, and among several lists its list.
pub(super) fn at_address(opened: &Opened, row: LedgerRow, address: &[u8]) -> LedgerRow {
    if let Some((list, item)) = listed_item(address).filter(|_| opened.mapping.is_routed()) {
        return LedgerRow { sp_list_id: Some(list), sp_item_id: Some(item), target_key: Some(hex(address)), ..row };
    }
    match item_at(address).filter(|_| opened.mapping.halves.right.marker.is_some()) {
        Some(item) => LedgerRow { sp_item_id: Some(item), target_key: None, ..row },
        None => LedgerRow { sp_item_id: None, target_key: Some(hex(address)), ..row },
    }
}

/// What a row of the ledger says that both sides agree on.
pub(super) fn as_agreed(row: &LedgerRow) -> Option<Done> {
    Some(Done::Agreed {
        source: row.content_hash?,
        target: row.remote_content_hash,
        key: target_key(row)?,
        version: row.etag.clone(),
        by: row.provenance,
        next_route_at: row.next_route_at,
    })
}
