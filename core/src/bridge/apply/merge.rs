//! Rows that get fields from both sides, by their directions or because a person has chosen so: they are joined at the target,
//! which then gives the row to the source.
//!
//! What the target's row becomes is written into the book before: a run that dies between the two sides is finished by the next.

use std::collections::{BTreeSet, HashMap};

use super::write::Still;
use super::{Apply, Done, moved_on, named, refusal};
use crate::bridge::change::{Act, RowChange};
use crate::bridge::conflict;
use crate::endpoint::{RowAction, RowOutcome};
use crate::error::Result;
use crate::identity::{RowBatch, RowHash};
use crate::model::{Datum, LedgerRow, Side};

/// A row as it is to be at the target.
struct Joined {
    key: Vec<u8>,
    /// The columns that are written there, without those of the key.
    columns: Vec<String>,
    values: Vec<Datum>,
    /// Any of them is another one than the target has.
    differs: bool,
    hash: RowHash,
}

impl Apply {
    /// Joins rows, one by one: each has fields of its own.
    pub(super) async fn merge(
        &self,
        changes: &[&RowChange],
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Vec<Result<Done>>> {
        let mut done = Vec::with_capacity(changes.len());
        for change in changes {
            done.push(match self.joined(change, known).await? {
                Ok(joined) => self.write_joined(change, joined, known).await?,
                Err(error) => Err(error),
            });
        }
        Ok(done)
    }

    /// The row of both, if both sides still are what was decided about.
    async fn joined(&self, change: &RowChange, known: &HashMap<RowHash, LedgerRow>) -> Result<Result<Joined>> {
        let (mapping, half) = (&self.opened.mapping, &self.opened.mapping.halves.right);
        let none = BTreeSet::new();
        let of_target = if let Act::Merge(of_target) = &change.act { of_target } else { &none };
        let Some(key) = change.target_key.clone() else { return Ok(Err(moved_on(change))) };
        let carried = match self.carry(Side::Right, &[change], known).await?.into_iter().next() {
            Some(Ok(carried)) => carried,
            Some(Err(error)) => return Ok(Err(error)),
            None => return Ok(Err(moved_on(change))),
        };
        let there = self.fetch(Side::Right, std::slice::from_ref(&key)).await?;
        let Some(row) = there.at.get(&key).map(|at| there.batch.row(*at)) else { return Ok(Err(moved_on(change))) };
        if Some(mapping.hash(Side::Right, row)?) != change.target {
            return Ok(Err(moved_on(change)));
        }
        let (mut columns, mut values, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        let mut differs = false;
        for (at, column) in half.scanned.iter().enumerate() {
            let place = half.written.iter().position(|written| written == column);
            let own = row.datum(at)?;
            let value = match place {
                Some(place) if !of_target.contains(column) && !half.is_key(column) => {
                    let value = carried.values[place].clone();
                    differs |= value != own;
                    columns.push(column.clone());
                    values.push(value.clone());
                    value
                }
                Some(_) | None => own,
            };
            whole.push(value);
        }
        let whole = RowBatch::of(half.scanned.len(), &[whole])?;
        let hash = mapping.hash(Side::Right, whole.row(0))?;
        Ok(Ok(Joined { key, columns, values, differs, hash }))
    }

    /// Writes the row to the target, and from there to the source.
    async fn write_joined(
        &self,
        change: &RowChange,
        joined: Joined,
        known: &HashMap<RowHash, LedgerRow>,
    ) -> Result<Result<Done>> {
        let Joined { key, columns, values, differs, hash } = joined;
        let mut next = RowChange { act: Act::Update(Side::Left), ..change.clone() };
        if differs {
            let opened = &self.opened;
            // Where only what goes one way is written, joining the row once more is the same.
            if Some(hash) != change.target {
                let intent = conflict::merges(opened.definition, change.identity, hash);
                opened.book.store.write(opened.tenant, vec![self.lease.fence(), intent]).await?;
            }
            let still = self.still(Side::Right, &[change], known).await?;
            if still.iter().any(|still| matches!(still, Still::Moved | Still::Gone)) {
                return Ok(Err(moved_on(change)));
            }
            let expect = self.expect(Side::Right, &[change], still, known);
            let keys = opened.mapping.addresses(Side::Right, [key.as_slice()])?;
            let rows = RowBatch::of(columns.len(), &[values])?;
            match self.write(Side::Right, RowAction::Update { keys, columns, rows, expect }).await?.into_iter().next() {
                Some(RowOutcome::Written { version, .. }) => next.version = version,
                Some(other) => return Ok(Err(refusal(change, other))),
                None => return Ok(Err(moved_on(change))),
            }
            // The target may write a value in its own way.
            let there = self.fetch(Side::Right, std::slice::from_ref(&key)).await?;
            let Some(at) = there.at.get(&key) else { return Ok(Err(moved_on(change))) };
            next.target = Some(opened.mapping.hash(Side::Right, there.batch.row(*at))?);
        }
        let done = self.update(Side::Left, &[&next], known).await?.into_iter().next();
        Ok(done.unwrap_or_else(|| Err(moved_on(change))).map_err(|error| named(error, change)))
    }
}
