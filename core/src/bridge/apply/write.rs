//! What is written to a side, and what its answers mean.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::change::RowChange;
use super::super::mapping::Mapping;
use super::carry::{Carried, address_at};
use super::{Apply, Done, lost, moved_on, refusal, unanswered};
use crate::endpoint::{ContentGuard, Expect, RowAction, RowOutcome, WriteBatch};
use crate::error::{Error, Result};
use crate::identity::{RowBatch, RowHash, RowRef};
use crate::model::{Datum, LedgerRow, Provenance, RecordMode, Side};

/// A row with its answer.
pub(super) struct Answered {
    pub(super) carried: Option<Carried>,
    pub(super) result: Result<Done>,
    /// What has to be looked at before anything else is done.
    pub(super) unclear: Option<Unclear>,
}

/// An answer that does not say what is there now.
pub(super) enum Unclear {
    /// One of its key or marker is there already.
    Exists,
    /// It is no longer the row that was compared.
    Changed,
    /// It may be written or not.
    Unknown(Error),
}

/// What a row that is to be written has to be still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Still {
    /// Of this version.
    Version(String),
    /// Whatever it is.
    Any,
    /// It is another one.
    Moved,
    /// It is gone.
    Gone,
}

impl Apply {
    /// Writes the rows of the other side that `to` does not have.
    pub(super) async fn insert(
        &self,
        to: Side,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Result<Done>>> {
        let carried = self.carry(to, changes, known).await?;
        let answers = self.write_insert(to, changes, &carried).await?;
        let mut done = self.answered(to, changes, carried, answers);
        self.adopt(to, changes, &mut done).await?;
        if to == Side::Left {
            self.mark(changes, &mut done).await?;
        }
        Ok(done.into_iter().map(|row| row.result).collect())
    }

    /// Makes rows, those that begin with the same columns together.
    pub(super) async fn write_insert(
        &self,
        to: Side,
        changes: &[&RowChange],
        carried: &[Result<Carried>],
    ) -> Result<Vec<RowOutcome>> {
        let ready: Vec<(&Carried, &RowChange)> = carried
            .iter()
            .zip(changes)
            .filter_map(|(row, change)| row.as_ref().ok().map(|row| (row, *change)))
            .collect();
        let mut alike: BTreeMap<Vec<bool>, Vec<usize>> = BTreeMap::new();
        for (place, (row, _)) in ready.iter().enumerate() {
            alike.entry(row.seeds.iter().map(Option::is_some).collect()).or_default().push(place);
        }
        let mut outcomes: Vec<Option<RowOutcome>> = ready.iter().map(|_| None).collect();
        let mut has_written = false;
        for (seeds, places) in alike {
            let rows: Vec<(&Carried, &RowChange)> = places.iter().map(|place| ready[*place]).collect();
            match self.write(to, self.insertion(to, &seeds, &rows)?).await {
                Ok(answers) => {
                    has_written = true;
                    places.into_iter().zip(answers).for_each(|(place, answer)| outcomes[place] = Some(answer));
                }
                // Of others it is known what became of them.
                Err(error) if has_written => {
                    places.into_iter().for_each(|place| outcomes[place] = Some(RowOutcome::Unknown(error.clone())));
                }
                Err(error) => return Err(error),
            }
        }
        let missing = |(outcome, (_, change)): (Option<RowOutcome>, &(&Carried, &RowChange))| {
            outcome.unwrap_or_else(|| RowOutcome::Unknown(unanswered(change)))
        };
        Ok(outcomes.into_iter().zip(&ready).map(missing).collect())
    }

    /// New rows with their fields, their marker, and what they begin with.
    fn insertion(&self, to: Side, seeds: &[bool], rows: &[(&Carried, &RowChange)]) -> Result<RowAction> {
        let half = &self.opened.mapping.halves[to];
        let marker = half.marker.map(str::to_owned);
        let seeded = half.seeded.iter().zip(seeds).filter(|(_, is_there)| **is_there).map(|(column, _)| column.clone());
        let columns: Vec<String> = half.written.iter().cloned().chain(marker.clone()).chain(seeded).collect();
        let mut batch = RowBatch::new(columns.len());
        for (row, change) in rows {
            let mark = marker.is_some().then(|| Mapping::marker(&change.identity));
            let seeds = row.seeds.iter().flatten().cloned();
            batch.push(&row.values.iter().cloned().chain(mark).chain(seeds).collect::<Vec<Datum>>())?;
        }
        Ok(RowAction::Insert { columns, rows: batch })
    }

    /// Brings rows that `to` has to what the other side has.
    pub(super) async fn update(
        &self,
        to: Side,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Result<Done>>> {
        let mut carried = self.carry(to, changes, known).await?;
        let still = self.still(to, changes, known).await?;
        for ((row, change), still) in carried.iter_mut().zip(changes).zip(&still) {
            match (row.as_mut(), still) {
                (Ok(_), Still::Moved | Still::Gone) => *row = Err(moved_on(change)),
                (Ok(carried), Still::Any | Still::Version(_)) => {
                    if let Some(address) = address_at(to, change, known.get(&change.identity)) {
                        carried.address = address;
                    }
                }
                (Err(_), _) => {}
            }
        }
        let ready = carried.iter().zip(changes).zip(still).filter(|((row, _), _)| row.is_ok());
        let (ready, versions): (Vec<&RowChange>, Vec<Still>) =
            ready.map(|((_, change), still)| (*change, still)).unzip();
        if to == Side::Right {
            self.begin_moves(changes, &carried, known).await?;
        }
        let expect = if self.is_guarded() { self.expect(to, &ready, versions, known) } else { Expect::Any };
        let answers = self.write_update(to, changes, &carried, expect).await?;
        let mut done = self.answered(to, changes, carried, answers);
        match to {
            Side::Left => self.mark(changes, &mut done).await?,
            Side::Right => self.look_whether_written(changes, &mut done).await?,
        }
        Ok(done.into_iter().map(|row| row.result).collect())
    }

    /// Two ways, a row is only written if it is still what was compared; a mirror's target is the mirror's.
    pub(super) fn is_guarded(&self) -> bool {
        self.opened.mapping.mode == RecordMode::TwoWay
    }

    pub(super) async fn write_update(
        &self,
        to: Side,
        changes: &[&RowChange],
        carried: &[Result<Carried>],
        expect: Expect,
    ) -> Result<Vec<RowOutcome>> {
        let half = &self.opened.mapping.halves[to];
        // What the row is found by is not what is changed.
        let places: Vec<usize> = (0..half.written.len()).filter(|at| !half.is_fixed(&half.written[*at])).collect();
        let marker = half.marker.map(str::to_owned);
        let columns: Vec<String> = places.iter().map(|at| half.written[*at].clone()).chain(marker.clone()).collect();
        let ready =
            || carried.iter().zip(changes).filter_map(|(row, change)| row.as_ref().ok().map(|row| (row, *change)));
        let keys = self.opened.mapping.addresses(to, ready().map(|(row, _)| row.address.as_slice()))?;
        let mut rows = RowBatch::new(columns.len());
        for (row, change) in ready() {
            let mark = marker.is_some().then(|| Mapping::marker(&change.identity));
            let values: Vec<Datum> = places.iter().map(|at| row.values[*at].clone()).chain(mark).collect();
            rows.push(&values)?;
        }
        if columns.is_empty() {
            return Ok(ready().map(|_| RowOutcome::Written { key: None, version: None }).collect());
        }
        self.write(to, RowAction::Update { keys, columns, rows, expect }).await
    }

    /// What has to hold for rows: their version where rows have one, else what they hold.
    pub(super) fn expect(
        &self,
        side: Side,
        changes: &[&RowChange],
        versions: Vec<Still>,
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Expect {
        if self.has_versions(side) {
            let version = |still| if let Still::Version(version) = still { Some(version) } else { None };
            return Expect::Versions(versions.into_iter().map(version).collect());
        }
        let expected = changes.iter().map(|change| shown(side, change, known)).collect();
        let half = &self.opened.mapping.halves[side];
        let columns = half.address.iter().chain(&half.hashed).cloned().collect();
        let opened = self.opened.clone();
        let hash = Arc::new(move |row: RowRef<'_>| opened.mapping.hash(side, row));
        Expect::Content(ContentGuard { columns, hash, expected })
    }

    fn has_versions(&self, side: Side) -> bool {
        side == Side::Right && self.opened.endpoints.right.capabilities().version_column.is_some()
    }

    /// What rows have to be still where versions tell. A version that nobody knows is looked up, and is the right one if the
    /// row holds what was compared.
    pub(super) async fn still(
        &self,
        side: Side,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Still>> {
        if !self.is_guarded() || !self.has_versions(side) {
            return Ok(vec![Still::Any; changes.len()]);
        }
        let version = |change: &RowChange| change.version.clone().or_else(|| known.get(&change.identity)?.etag.clone());
        let address = |change: &RowChange| address_at(side, change, known.get(&change.identity)).unwrap_or_default();
        let unknown: Vec<Vec<u8>> =
            changes.iter().filter(|change| version(change).is_none()).map(|change| address(change)).collect();
        let fetched = self.fetch(side, &unknown).await?;
        let (mapping, half) = (&self.opened.mapping, &self.opened.mapping.halves[side]);
        let one = |change: &&RowChange| {
            if let Some(version) = version(change) {
                return Ok(Still::Version(version));
            }
            let Some(at) = fetched.at.get(&address(change)) else { return Ok(Still::Gone) };
            let row = fetched.batch.row(*at);
            let is_same = Some(mapping.hash(side, row)?) == shown(side, change, known);
            Ok(half.version_of(row)?.filter(|_| is_same).map_or(Still::Moved, Still::Version))
        };
        changes.iter().map(one).collect()
    }

    /// Takes out rows of `from`.
    pub(super) async fn delete(
        &self,
        from: Side,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Result<Done>>> {
        let still = self.still(from, changes, known).await?;
        let keyed: Vec<Option<Vec<u8>>> =
            changes.iter().map(|change| address_at(from, change, known.get(&change.identity))).collect();
        let is_asked = |still: &Still| matches!(still, Still::Any | Still::Version(_));
        let (mut asked, mut addresses, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        for ((key, change), still) in keyed.iter().zip(changes).zip(&still) {
            if let Some(key) = key.as_deref().filter(|_| is_asked(still)) {
                asked.push(*change);
                addresses.push(key);
                versions.push(still.clone());
            }
        }
        let keys = self.opened.mapping.addresses(from, addresses)?;
        let expect = if self.is_guarded() { self.expect(from, &asked, versions, known) } else { Expect::Any };
        let mut answers = self.write(from, RowAction::Delete { keys, expect }).await?.into_iter();
        let one = |((key, change), still): ((&Option<Vec<u8>>, &&RowChange), &Still)| match (key, still) {
            (None, _) => Err(lost(change)),
            (Some(_), Still::Gone) => Ok(Done::Gone),
            (Some(_), Still::Moved) => Err(moved_on(change)),
            (Some(_), Still::Any | Still::Version(_)) => match answers.next() {
                Some(RowOutcome::Written { .. } | RowOutcome::Gone) => Ok(Done::Gone),
                Some(other) => Err(refusal(change, other)),
                None => Err(unanswered(change)),
            },
        };
        Ok(keyed.iter().zip(changes).zip(&still).map(one).collect())
    }

    pub(super) async fn write(&self, side: Side, action: RowAction) -> Result<Vec<RowOutcome>> {
        if action.is_empty() {
            return Ok(Vec::new());
        }
        let half = &self.opened.mapping.halves[side];
        let batch = WriteBatch { table: half.table.clone(), key: half.address.clone(), action };
        self.opened.endpoints[side].write(batch).await
    }

    /// Joins the answers with what was asked.
    pub(super) fn answered(
        &self,
        to: Side,
        changes: &[&RowChange],
        carried: Vec<Result<Carried>>,
        answers: Vec<RowOutcome>,
    ) -> Vec<Answered> {
        let mut answers = answers.into_iter();
        let vanishes = to == Side::Right && self.opened.mapping.halves.right.marker.is_some() && !self.is_guarded();
        carried
            .into_iter()
            .zip(changes)
            .map(|(carried, change)| {
                let carried = match carried {
                    Ok(carried) => carried,
                    Err(error) => return Answered { carried: None, result: Err(error), unclear: None },
                };
                let (result, unclear) = match answers.next() {
                    Some(RowOutcome::Written { key, version }) => (Ok(Self::agreed(to, &carried, key, version)), None),
                    // Somebody has deleted it: a mirror makes it anew.
                    Some(RowOutcome::Gone) if vanishes => (Ok(Done::Vanished), None),
                    Some(other) => {
                        let unclear = match &other {
                            RowOutcome::Exists => Some(Unclear::Exists),
                            RowOutcome::Changed => Some(Unclear::Changed),
                            RowOutcome::Unknown(error) => Some(Unclear::Unknown(error.clone())),
                            RowOutcome::Written { .. } | RowOutcome::Gone | RowOutcome::Refused(_) => None,
                        };
                        (Err(refusal(change, other)), unclear)
                    }
                    None => (Err(unanswered(change)), None),
                };
                Answered { carried: Some(carried), result, unclear }
            })
            .collect()
    }

    /// What both sides agree on once a row is written. What anybody changes of it meanwhile is a change.
    pub(super) fn agreed(to: Side, carried: &Carried, key: Option<Vec<u8>>, version: Option<String>) -> Done {
        match to {
            Side::Right => Done::Agreed {
                source: carried.hash,
                target: Some(carried.becomes),
                key: key.unwrap_or_else(|| carried.address.clone()),
                version,
                by: Provenance::Push,
                next_route_at: carried.next_route_at,
            },
            Side::Left => Done::Agreed {
                source: carried.becomes,
                target: Some(carried.hash),
                key: carried.from.clone(),
                version: carried.version.clone(),
                by: Provenance::Pull,
                next_route_at: carried.next_route_at,
            },
        }
    }
}

/// What the preview saw of a row, or what both agreed on where it did not see it changed.
fn shown(side: Side, change: &RowChange, known: &HashMap<RowHash, LedgerRow>) -> Option<RowHash> {
    let agreed = known.get(&change.identity);
    match side {
        Side::Left => change.source.or_else(|| agreed?.content_hash),
        Side::Right => change.target.or_else(|| agreed?.remote_content_hash),
    }
}
