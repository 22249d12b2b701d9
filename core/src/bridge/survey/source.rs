//! The rows of the source, as they pass by.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::super::change::{Act, RowChange};
use super::super::delta::{Alike, Shown, decide};
use super::{AGAIN, AtTarget, Sink, State, Survey, blind, refusal};
use crate::endpoint::{ChangeScan, Deletions, Refused};
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, RowHash, RowRef};
use crate::ledger::At;
use crate::model::Side;

impl Survey<'_> {
    pub(super) async fn read_source(&self, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let mut rows = self.scan(Side::Left).await?;
        while let Some(page) = rows.next().await? {
            self.take(&page.rows, &page.refused, state, sink).await?;
        }
        Ok(())
    }

    /// Reads what has changed, and once more what failed before.
    pub(super) async fn read_changes(&self, scan: &ChangeScan, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let mut changes = self.endpoints.left.changes(scan.clone()).await?;
        let mut last = HashMap::new();
        let mut pages = Vec::new();
        while let Some(page) = changes.next().await? {
            for row in page.deleted.iter() {
                let identity = self.mapping.identify(Side::Left, row)?;
                state.gone.insert(identity);
                last.remove(&identity);
            }
            // One row may come several times, and the last counts: of all but that only the place is kept.
            for (at, row) in page.rows.iter().enumerate() {
                if let Ok(identity) = self.mapping.identify(Side::Left, row) {
                    state.gone.remove(&identity);
                    last.insert(identity, (pages.len(), at));
                }
            }
            sink.seen(page.rows.len() as u64).await?;
            pages.push(page);
        }
        let end = changes.end()?;
        state.is_partial = end.deletions != Deletions::ByAbsence;
        for (number, page) in pages.iter().enumerate() {
            let mut rows = RowBatch::new(page.rows.columns());
            for (at, row) in page.rows.iter().enumerate() {
                let is_last = |identity| last.get(&identity).is_none_or(|place| *place == (number, at));
                if self.mapping.identify(Side::Left, row).map_or(true, is_last) {
                    rows.push_row(row)?;
                }
            }
            self.take(&rows, &page.refused, state, sink).await?;
        }
        self.read_again(state, sink).await?;
        state.surveyed.cursor = Some(end.cursor);
        Ok(())
    }

    /// Rows that failed before and that did not come by themselves.
    async fn read_again(&self, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let half = &self.mapping.halves.left;
        for keys in self.again.chunks(AGAIN) {
            let keys = self.mapping.addresses(Side::Left, keys.iter().map(Vec::as_slice))?;
            let mut wanted = HashSet::new();
            let mut missed = RowBatch::new(keys.columns());
            for key in keys.iter() {
                let identity = self.mapping.identify(Side::Left, key)?;
                let came = state.gone.contains(&identity)
                    || state.fresh.contains(&identity)
                    || state.table.find(&identity).is_some_and(|at| state.table.is_seen_at_source(at));
                if !came {
                    wanted.insert(identity);
                    missed.push_row(key)?;
                }
            }
            if missed.is_empty() {
                continue;
            }
            let page = self.endpoints.left.fetch(&half.table, &half.scanned, &half.address, &missed).await?;
            for row in page.rows.iter() {
                wanted.remove(&self.mapping.identify(Side::Left, row)?);
            }
            self.take(&page.rows, &page.refused, state, sink).await?;
            state.gone.extend(wanted);
        }
        Ok(())
    }

    /// Rows of the source, and those that it could not give.
    async fn take(&self, rows: &RowBatch, refused: &[Refused], state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let identities: Vec<_> = rows.iter().map(|row| self.mapping.identify(Side::Left, row)).collect();
        let places = state.table.find_all(identities.iter().map(|identity| identity.as_ref().ok()));
        for ((row, identity), found) in rows.iter().zip(identities).zip(places) {
            match identity.and_then(|identity| self.compare(row, identity, found, state)) {
                Ok(Some(change)) => sink.take(change).await?,
                Ok(None) => {}
                Err(error) => {
                    state.surveyed.counts.failed += 1;
                    sink.take(refusal(&error, self.mapping.label(Side::Left, row), None)).await?;
                    blind(state, &error);
                }
            }
        }
        state.surveyed.rows.left += rows.len() as u64;
        self.refuse(Side::Left, refused, state, sink).await?;
        sink.seen(rows.len() as u64).await
    }

    /// How a row of the source compares with the target's. What cannot cross is like nothing.
    fn alike(&self, row: RowRef<'_>, seen: &AtTarget) -> Alike {
        let mapping = self.mapping;
        if mapping.has_one_way_fields() {
            let source = mapping.sayings(Side::Left, row, self.now);
            return source.zip(seen.sayings.as_deref()).map_or(Alike::No, |(source, target)| source.beside(target));
        }
        let is_same = mapping.pushed_hash(row, self.now).is_ok_and(|sent| sent == seen.hash);
        if is_same { Alike::Wholly } else { Alike::No }
    }

    /// A row of the source, and where the ledger has it: what is to be done about it, or nothing.
    fn compare(
        &self,
        row: RowRef<'_>,
        identity: RowHash,
        found: Option<At>,
        state: &mut State,
    ) -> Result<Option<RowChange>> {
        let mapping = self.mapping;
        if state.unreadable.contains(&identity) {
            return Ok(None);
        }
        let hash = mapping.hash(Side::Left, row)?;
        let is_second = match found {
            Some(at) => state.table.see_source(at),
            None => !state.fresh.insert(identity),
        };
        if is_second {
            let error = Error::new(Code::Invalid, "tell apart the rows of", &mapping.halves.left.table)
                .because("two rows have this key")
                .advise("name a key that is unique");
            state.surveyed.counts.failed += 1;
            return Ok(Some(refusal(&error, mapping.name(Side::Left, row)?, Some(identity))));
        }
        // A row whose write was begun counts as one that the ledger does not know: whether it arrived is found out by looking.
        // So does one that the target says to have lost.
        let known = found.filter(|at| !state.table.is_pending(*at) && !self.is_lost(*at, state));
        let source = match known {
            Some(at) if state.table.is_source(at, &hash) && !state.table.is_due(at) => Shown::Same,
            Some(_) | None => Shown::Changed,
        };
        if source == Shown::Same && !self.looks_at_target && known.is_some_and(|at| !state.table.waits(at)) {
            state.surveyed.counts.unchanged += 1;
            return Ok(None);
        }
        let at_target = state.target.remove(&identity);
        let target = self.shown_at_target(known, at_target.as_deref(), state);
        let alike = || at_target.as_ref().map_or(Alike::No, |seen| self.alike(row, seen));
        let is_tie = Cell::new(false);
        let later = || self.later(row, at_target.as_deref(), &is_tie);
        let decision = decide(self.rules, known.is_some(), (source, target), alike, later);
        let is_unmarked = at_target.as_ref().is_some_and(|seen| seen.is_unmarked);
        let Some(act) = self.act(decision, &identity, Some(hash), at_target.as_deref()) else {
            state.surveyed.counts.unchanged += 1;
            return Ok(None);
        };
        state.surveyed.doubled +=
            u64::from(act == Act::Insert(Side::Right) && known.is_none() && state.strange.contains(&identity));
        Ok(Some(RowChange {
            act,
            identity,
            name: mapping.name(Side::Left, row)?,
            is_known: found.is_some_and(|at| !state.table.is_pending(at)),
            is_unmarked,
            source_key: mapping.halves.left.address_of(row).to_vec(),
            source: Some(hash),
            target: at_target.as_ref().map(|seen| seen.hash),
            version: at_target.as_ref().and_then(|seen| seen.version.as_deref().map(str::to_owned)),
            target_key: at_target.map(|seen| seen.address.into_vec()),
            is_tie: is_tie.get(),
            changed_at: mapping.halves.left.changed_at(row),
        }))
    }
}
