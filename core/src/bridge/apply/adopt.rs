//! Rows that are there already: adopted instead of being made.

use super::super::change::RowChange;
use super::carry::Carried;
use super::write::{Answered, Unclear};
use super::{Apply, moved_on, taken};
use crate::endpoint::Expect;
use crate::error::Result;
use crate::identity::RowRef;
use crate::model::Side;

impl Apply {
    /// Inserts that met a row of their key: it is adopted when it is the same. A mirror makes it the same; two ways it is
    /// another state than was previewed.
    pub(super) async fn adopt(&self, to: Side, changes: &[&RowChange], done: &mut [Answered]) -> Result<()> {
        let met: Vec<usize> = (0..done.len()).filter(|at| matches!(done[*at].unclear, Some(Unclear::Exists))).collect();
        if met.is_empty() {
            return Ok(());
        }
        let addresses: Vec<Vec<u8>> =
            met.iter().filter_map(|at| done[*at].carried.as_ref().map(|carried| carried.address.clone())).collect();
        let fetched = self.fetch(to, &addresses).await?;
        let mut found = Vec::new();
        for at in met {
            let Some(carried) = done[at].carried.take() else { continue };
            match fetched.at.get(&carried.address) {
                Some(row) => found.push((at, carried, fetched.batch.row(*row))),
                // Another unique index than that of the key: the row is in the way of this one.
                None => done[at].result = Err(taken(changes[at])),
            }
        }
        self.settle_found(to, changes, found, done).await
    }

    /// Rows that are there already: each is adopted when it is the same, and made the same where the target is a mirror's.
    pub(super) async fn settle_found(
        &self,
        to: Side,
        changes: &[&RowChange],
        found: Vec<(usize, Carried, RowRef<'_>)>,
        done: &mut [Answered],
    ) -> Result<()> {
        let (mapping, half) = (&self.opened.mapping, &self.opened.mapping.halves[to]);
        let mut differ = Vec::new();
        for (at, mut carried, row) in found {
            carried.address = half.address_of(row).to_vec();
            if mapping.hash(to, row)? == carried.becomes {
                let version = half.version_of(row)?;
                done[at].result = Ok(Self::agreed(to, &carried, None, version));
            } else if self.is_guarded() {
                done[at].result = Err(moved_on(changes[at]));
            } else {
                differ.push((at, carried));
            }
        }
        if differ.is_empty() {
            return Ok(());
        }
        let (places, carried): (Vec<usize>, Vec<Result<Carried>>) =
            differ.into_iter().map(|(at, carried)| (at, Ok(carried))).unzip();
        let of: Vec<&RowChange> = places.iter().map(|at| changes[*at]).collect();
        let answers = self.write_update(to, &of, &carried, Expect::Any).await?;
        for (at, answered) in places.iter().zip(self.answered(to, &of, carried, answers)) {
            done[*at] = answered;
        }
        Ok(())
    }
}
