//! Rows of stores that assign keys themselves, so that making one twice makes two. The marker tells whether a row was made.
//!
//! Before rows are made the ledger says so (`PENDING`): whatever becomes of the run, the next one looks for them by their
//! markers before it does anything else. A row of which no answer says whether it was made is looked for at once, and made
//! again only when it is not there; the store keeps markers unique, so that the later one of both is refused.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::super::change::RowChange;
use super::super::mapping::{Mapping, target_key};
use super::super::open::Opened;
use super::carry::Carried;
use super::write::{Answered, Unclear};
use super::{Apply, Done, moved_on, named, placed, refusal, taken};
use crate::endpoint::{Expect, Page, RowAction, RowOutcome, Scan, WriteBatch};
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, RowHash, RowRef};
use crate::model::{LedgerRow, LedgerState, Moment, Provenance, RecordMode, Side};
use crate::operation::clock::micros;
use crate::operation::lease::Lease;

/// More rows than these are looked for by reading the whole table.
const LOOKED_UP: usize = 2000;

/// Rows that are read at once when all are.
const PAGE_ROWS: usize = 2000;

impl Apply {
    /// Makes rows that the target does not have.
    pub(super) async fn insert_marked(
        &self,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Result<Done>>> {
        // What an interrupted run has made since the preview is not made again.
        let is_made = |change: &&RowChange| {
            let known = known.get(&change.identity).filter(|_| !change.is_known)?;
            let is_it = known.state == LedgerState::Confirmed && known.content_hash == change.source;
            is_it.then(|| super::as_agreed(known)).flatten()
        };
        let made: Vec<Option<Done>> = changes.iter().map(is_made).collect();
        let open: Vec<&RowChange> =
            changes.iter().zip(&made).filter(|(_, made)| made.is_none()).map(|(change, _)| *change).collect();
        let mut outcomes = self.make(&open, known).await?.into_iter();
        let one = |(made, change): (Option<Done>, &&RowChange)| match made {
            Some(done) => Ok(done),
            None => outcomes.next().unwrap_or_else(|| Err(super::unanswered(change))),
        };
        Ok(made.into_iter().zip(changes).map(one).collect())
    }

    async fn make(&self, changes: &[&RowChange], known: &HashMap<RowHash, LedgerRow>) -> Result<Vec<Result<Done>>> {
        let carried = self.carry(Side::Right, changes, known).await?;
        self.begin(changes, &carried, known).await?;
        let answers = self.write_insert(Side::Right, changes, &carried).await?;
        let mut done = self.answered(Side::Right, changes, carried, answers);
        self.find(changes, &mut done).await?;
        Ok(done.into_iter().map(|row| row.result).collect())
    }

    /// Writes down which rows are about to go to another list, where they are in both for a moment.
    pub(super) async fn begin_moves(
        &self,
        changes: &[&RowChange],
        carried: &[Result<Carried>],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<()> {
        let moves = |row: &Carried| self.opened.mapping.moves(&row.address, &row.values);
        self.intend(changes, carried, known, moves).await
    }

    /// Writes down what is about to be made, before it is.
    async fn begin(
        &self,
        changes: &[&RowChange],
        carried: &[Result<Carried>],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<()> {
        self.intend(changes, carried, known, |_| true).await
    }

    async fn intend(
        &self,
        changes: &[&RowChange],
        carried: &[Result<Carried>],
        known: &HashMap<RowHash, LedgerRow>,
        is_meant: impl Fn(&Carried) -> bool,
    ) -> Result<()> {
        let opened = &self.opened;
        let (attempt, now) = (Uuid::now_v7(), Moment(micros(opened.book.clock.now())));
        let intent = |(row, change): (&Result<Carried>, &&RowChange)| {
            let row = row.as_ref().ok().filter(|row| is_meant(row))?;
            let known = known.get(&change.identity);
            let address = Some(row.address.as_slice()).filter(|address| !address.is_empty());
            Some(LedgerRow {
                state: LedgerState::Pending,
                attempt_id: Some(attempt),
                content_hash: Some(row.hash),
                remote_content_hash: Some(row.becomes),
                ..placed(opened, change, address, Provenance::Push, known, now)
            })
        };
        let intents: Vec<LedgerRow> = carried.iter().zip(changes).filter_map(intent).collect();
        let Some(intents) = opened.ledger.put(intents) else { return Ok(()) };
        match opened.book.store.write(opened.tenant, vec![self.lease.fence(), intents]).await {
            Ok(_) => Ok(()),
            Err(refused) => Err(self.lease.why(refused).await),
        }
    }

    /// Looks by their markers for rows that are there already, or may be.
    async fn find(&self, changes: &[&RowChange], done: &mut [Answered]) -> Result<()> {
        let unclear: Vec<usize> = (0..done.len()).filter(|at| done[*at].unclear.is_some()).collect();
        if unclear.is_empty() {
            return Ok(());
        }
        let wanted: Vec<RowHash> = unclear.iter().map(|at| changes[*at].identity).collect();
        let there = by_markers(&self.opened, &wanted).await?;
        let places = places(&self.opened.mapping, &there);
        let mut found = Vec::new();
        for at in unclear {
            let Some(carried) = done[at].carried.take() else { continue };
            match (places.get(&changes[at].identity), done[at].unclear.take()) {
                (Some(place), _) => found.push((at, carried, there.rows.row(*place))),
                (None, Some(Unclear::Unknown(error))) => {
                    done[at].result = Ok(Done::Unclear(named(error, changes[at])));
                }
                // Another unique column than that of the marker.
                (None, Some(Unclear::Exists | Unclear::Changed) | None) => done[at].result = Err(taken(changes[at])),
            }
        }
        self.settle_found(Side::Right, changes, found, done).await
    }

    /// Changes of which no answer says whether they were made, or that met another version: made is what is there as it was
    /// sent.
    pub(super) async fn look_whether_written(&self, changes: &[&RowChange], done: &mut [Answered]) -> Result<()> {
        let (mapping, half) = (&self.opened.mapping, &self.opened.mapping.halves.right);
        if half.marker.is_none() {
            return Ok(());
        }
        let is_asked = |row: &Answered| {
            matches!(row.unclear, Some(Unclear::Unknown(_) | Unclear::Changed)) && row.carried.is_some()
        };
        let addresses: Vec<Vec<u8>> = done
            .iter()
            .filter(|row| is_asked(row))
            .filter_map(|row| row.carried.as_ref().map(|carried| carried.address.clone()))
            .collect();
        if addresses.is_empty() {
            return Ok(());
        }
        let fetched = self.fetch(Side::Right, &addresses).await?;
        for (row, change) in done.iter_mut().zip(changes).filter(|(row, _)| is_asked(row)) {
            let Some(carried) = &row.carried else { continue };
            let Some(at) = fetched.at.get(&carried.address) else {
                row.result = Err(moved_on(change));
                continue;
            };
            let there = fetched.batch.row(*at);
            if half.is_marked(there) && mapping.hash(Side::Right, there)? == carried.becomes {
                row.result = Ok(Self::agreed(Side::Right, carried, None, half.version_of(there)?));
            }
        }
        Ok(())
    }

    /// Gives rows of the target that the source has got their markers. One that is not marked counts as not carried, so that the
    /// next run sees it once more: both sides have the same then, and what is missing is the marker.
    pub(super) async fn mark(&self, changes: &[&RowChange], done: &mut [Answered]) -> Result<()> {
        let Some(marker) = self.opened.mapping.halves.right.marker else { return Ok(()) };
        let (mut addresses, mut versions, mut places) = (Vec::new(), Vec::new(), Vec::new());
        let mut rows = RowBatch::new(1);
        for (at, (row, change)) in done.iter().zip(changes).enumerate() {
            if let (true, Ok(Done::Agreed { key, version, .. })) = (change.is_unmarked, &row.result) {
                addresses.push(key.clone());
                versions.push(version.clone());
                places.push(at);
                rows.push(&[Mapping::marker(&change.identity)])?;
            }
        }
        let keys = self.opened.mapping.addresses(Side::Right, addresses.iter().map(Vec::as_slice))?;
        let (columns, expect) = (vec![marker.to_owned()], Expect::Versions(versions));
        let answers = self.write(Side::Right, RowAction::Update { keys, columns, rows, expect }).await?;
        for (at, answer) in places.into_iter().zip(answers) {
            match (answer, &mut done[at].result) {
                (RowOutcome::Written { version: marked, .. }, Ok(Done::Agreed { version, .. })) => *version = marked,
                (answer, result) => *result = Err(refusal(changes[at], answer)),
            }
        }
        Ok(())
    }
}

/// Finds out about every row whose write was begun by a run that did not end: before anything else is done.
pub(crate) async fn resolve(opened: &Opened, lease: &Lease) -> Result<()> {
    if opened.mapping.halves.right.marker.is_none() {
        return Ok(());
    }
    let pending = opened.ledger.pending().await?;
    if pending.is_empty() {
        return Ok(());
    }
    let wanted: Vec<RowHash> = pending.iter().map(|row| row.source_identity_hash).collect();
    let there = by_markers(opened, &wanted).await?;
    let mut places: HashMap<RowHash, Vec<usize>> = HashMap::new();
    for (at, row) in there.rows.iter().enumerate() {
        if let Ok(identity) = opened.mapping.identify(Side::Right, row) {
            places.entry(identity).or_default().push(at);
        }
    }
    let now = Moment(micros(opened.book.clock.now()));
    let (mut put, mut forget) = (Vec::new(), Vec::new());
    for row in pending {
        let found = places.remove(&row.source_identity_hash).unwrap_or_default();
        let found: Vec<RowRef<'_>> = found.into_iter().map(|at| there.rows.row(at)).collect();
        match only_one(opened, &row, &found).await? {
            Some(found) => put.push(confirmed(opened, row, found, now)?),
            None => forget.push(row.source_identity_hash),
        }
    }
    let mut writes = vec![lease.fence()];
    writes.extend(opened.ledger.put(put));
    writes.extend(opened.ledger.forget(&forget));
    match opened.book.store.write(opened.tenant, writes).await {
        Ok(_) => Ok(()),
        Err(refused) => Err(lease.why(refused).await),
    }
}

/// Of a row that a move between lists left in both, the one that the ledger knows: the other is taken out, and the move is made
/// anew.
async fn only_one<'r>(opened: &Opened, row: &LedgerRow, found: &[RowRef<'r>]) -> Result<Option<RowRef<'r>>> {
    let half = &opened.mapping.halves.right;
    let known = target_key(row);
    let is_known = |found: &&RowRef<'r>| known.as_deref() == Some(half.address_of(**found));
    let Some(kept) = found.iter().find(is_known).or(found.first()) else { return Ok(None) };
    let others = found.iter().map(|row| half.address_of(*row)).filter(|address| *address != half.address_of(*kept));
    let keys = opened.mapping.addresses(Side::Right, others)?;
    if !keys.is_empty() {
        let action = RowAction::Delete { keys, expect: Expect::Any };
        let batch = WriteBatch { table: half.table.clone(), key: half.address.clone(), action };
        for outcome in opened.endpoints.right.write(batch).await? {
            if let RowOutcome::Refused(error) | RowOutcome::Unknown(error) = outcome {
                return Err(error);
            }
        }
    }
    Ok(Some(*kept))
}

/// A row that was made. What it holds otherwise than was sent is nobody's agreement: a mirror sends it again, two ways the
/// policy decides.
fn confirmed(opened: &Opened, row: LedgerRow, there: RowRef<'_>, now: Moment) -> Result<LedgerRow> {
    let half = &opened.mapping.halves.right;
    let hash = opened.mapping.hash(Side::Right, there)?;
    let is_as_sent = row.remote_content_hash == Some(hash) && row.mapping_version == opened.mapping.version;
    let is_mirror = opened.mapping.mode != RecordMode::TwoWay;
    let row = super::at_address(opened, row, half.address_of(there));
    Ok(LedgerRow {
        state: LedgerState::Confirmed,
        attempt_id: None,
        etag: half.version_of(there)?,
        content_hash: row.content_hash.filter(|_| is_as_sent),
        remote_content_hash: (is_as_sent || is_mirror).then_some(hash),
        last_sync_ts: Some(now),
        updated_at: now,
        ..row
    })
}

/// The rows of the target that bear these markers.
async fn by_markers(opened: &Opened, wanted: &[RowHash]) -> Result<Page> {
    let half = &opened.mapping.halves.right;
    let marker = half.marker.ok_or_else(|| {
        Error::new(Code::Internal, "look for rows of", &half.table).because("its rows have no markers")
    })?;
    if wanted.len() <= LOOKED_UP {
        let mut keys = RowBatch::new(1);
        for identity in wanted {
            keys.push(&[Mapping::marker(identity)])?;
        }
        return opened.endpoints.right.fetch(&half.table, &half.scanned, &[marker.to_owned()], &keys).await;
    }
    let wanted: HashSet<&RowHash> = wanted.iter().collect();
    let scan = Scan { table: half.table.clone(), columns: half.scanned.clone(), page_rows: PAGE_ROWS, parallel: 1 };
    let mut rows = opened.endpoints.right.scan(scan).await?;
    let mut found = Page { rows: RowBatch::new(half.scanned.len()), refused: Vec::new() };
    while let Some(page) = rows.next().await? {
        for row in page.rows.iter().filter(|row| half.is_marked(*row)) {
            if opened.mapping.identify(Side::Right, row).is_ok_and(|identity| wanted.contains(&identity)) {
                found.rows.push_row(row)?;
            }
        }
        found.refused.extend(page.refused);
    }
    Ok(found)
}

/// Where the row of each identity stands among these.
fn places(mapping: &Mapping, there: &Page) -> HashMap<RowHash, usize> {
    let rows = there.rows.iter().enumerate();
    rows.filter_map(|(at, row)| Some((mapping.identify(Side::Right, row).ok()?, at))).collect()
}
