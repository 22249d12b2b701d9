//! Rows read again where they come from, and what they become for the other side.

use std::collections::HashMap;

use super::super::change::{Act, RowChange};
use super::super::key::read_key;
use super::super::mapping::{Before, target_key};
use super::{Apply, moved_on, named};
use crate::error::Result;
use crate::identity::{RowBatch, RowHash, encode};
use crate::model::{Datum, LedgerRow, Moment, Side, Tick};
use crate::operation::clock::micros;

/// A row on its way to a side.
pub(super) struct Carried {
    /// The values of the columns that are written there.
    pub(super) values: Vec<Datum>,
    /// By what it is found there; empty until the store has said so.
    pub(super) address: Vec<u8>,
    /// By what it is found where it comes from.
    pub(super) from: Vec<u8>,
    /// What it begins with besides, where it is made.
    pub(super) seeds: Vec<Option<Datum>>,
    /// What it holds where it comes from.
    pub(super) hash: RowHash,
    /// What the row that it comes to holds then.
    pub(super) becomes: RowHash,
    /// The version that it has where it comes from, when that is the target.
    pub(super) version: Option<String>,
    /// When it is to go to the target though it stays as it is: it may belong to another list by then, or what it is for the target
    /// is another thing once it is written.
    pub(super) next_route_at: Option<Moment>,
}

/// Rows as one side shows them now, by their addresses.
pub(super) struct Fetched {
    pub(super) batch: RowBatch,
    pub(super) at: HashMap<Vec<u8>, usize>,
}

impl Apply {
    /// Reads the rows again where they come from, and makes of them what goes to `to`.
    pub(super) async fn carry(
        &self,
        to: Side,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Result<Carried>>> {
        let (from, mapping) = (to.other(), &self.opened.mapping);
        let keys: Vec<Vec<u8>> = changes
            .iter()
            .map(|change| address_at(from, change, known.get(&change.identity)).unwrap_or_default())
            .collect();
        let fetched = self.fetch(from, &keys).await?;
        let own_at = |change: &RowChange| {
            address_at(to, change, if to == Side::Right { known.get(&change.identity) } else { None })
        };
        let own: Vec<Vec<u8>> = changes.iter().map(|change| own_at(change).unwrap_or_default()).collect();
        let current = match to {
            Side::Left => self.fetch(to, &own).await?,
            // Of the target's row is asked only what nobody writes to it.
            Side::Right if mapping.has_one_way_fields() => self.fetch(to, &own).await?,
            Side::Right => Fetched { batch: RowBatch::new(0), at: HashMap::new() },
        };
        let moment = Moment(micros(self.opened.book.clock.now()));
        let now = Tick::from_micros(moment.0);
        let one = |((change, key), own): ((&&RowChange, &Vec<u8>), &Vec<u8>)| {
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
            let address = mapping.carried_address(to, row)?;
            let version = if from == Side::Right { mapping.halves.right.version_of(row)? } else { None };
            let own = current.at.get(own).map(|at| current.batch.row(*at));
            let values = mapping.carried(to, row, own.filter(|_| to == Side::Left), now)?;
            let seeds = mapping.seeds(to, row);
            let before = match (&change.act, own) {
                (Act::Insert(_), _) => Before::New(&seeds),
                (_, Some(own)) => Before::Row(own),
                (_, None) => Before::Unread,
            };
            let becomes = mapping.hash_with(to, &values, before);
            let next_route_at = match to {
                Side::Right => mapping.next_route(row, now)?,
                Side::Left if mapping.owes(&values, before, row, now) => Some(moment),
                Side::Left => self.routed_next(),
            };
            let from = mapping.halves[from].address_of(row).to_vec();
            Ok(Carried { values, seeds, address, from, hash, becomes, version, next_route_at })
        };
        let name = |(row, change): (Result<Carried>, &&RowChange)| row.map_err(|error| named(error, change));
        Ok(changes.iter().zip(&keys).zip(&own).map(one).zip(changes).map(name).collect())
    }

    pub(super) async fn fetch(&self, side: Side, keys: &[Vec<u8>]) -> Result<Fetched> {
        let (mapping, half) = (&self.opened.mapping, &self.opened.mapping.halves[side]);
        let asked = mapping.addresses(side, keys.iter().filter(|key| !key.is_empty()).map(Vec::as_slice))?;
        if asked.is_empty() {
            return Ok(Fetched { batch: RowBatch::new(half.scanned.len()), at: HashMap::new() });
        }
        let page = self.opened.endpoints[side].fetch(&half.table, &half.scanned, &half.address, &asked).await?;
        let at = page.rows.iter().enumerate().map(|(at, row)| (half.address_of(row).to_vec(), at)).collect();
        Ok(Fetched { batch: page.rows, at })
    }
}

/// By what a row is found at a side, as the preview or the ledger knows it.
pub(super) fn address_at(side: Side, change: &RowChange, known: Option<&LedgerRow>) -> Option<Vec<u8>> {
    match side {
        // The name of a row is its key, to be read back where the source was not read.
        Side::Left if change.source_key.is_empty() => {
            Some(read_key(&change.name).ok()?.iter().flat_map(encode).collect())
        }
        Side::Left => Some(change.source_key.clone()),
        Side::Right => change.target_key.clone().or_else(|| known.and_then(target_key)),
    }
}
