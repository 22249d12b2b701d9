//! What the source did not show.

use super::super::change::RowChange;
use super::super::delta::{Alike, Decision, Shown, decide};
use super::super::mapping::target_key;
use super::{AGAIN, AtTarget, Sink, State, Survey};
use crate::error::Result;
use crate::identity::RowHash;
use crate::ledger::At;
use crate::model::{LedgerRow, Side};

impl Survey<'_> {
    /// What the source did not show: rows that the ledger knows, and rows that only the target has.
    pub(super) async fn absent(&self, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let mut some = Vec::new();
        for at in state.table.all() {
            let identity = state.table.identity(at);
            let is_quiet = state.is_partial && !state.gone.contains(&identity) && !self.moved_at_target(at, state);
            if state.table.is_seen_at_source(at) || state.table.is_pending(at) || is_quiet {
                continue;
            }
            some.push(at);
            if some.len() == AGAIN {
                self.gone(&std::mem::take(&mut some), state, sink).await?;
            }
        }
        self.gone(&some, state, sink).await?;
        // What only the target has may be a row of the source that could not be read.
        if state.surveyed.blind.is_some() {
            return Ok(());
        }
        let strangers = std::mem::take(&mut state.target);
        for (identity, seen) in strangers {
            // Rows of another definition, and those of which it cannot be told which row they would be.
            let has_key = self.mapping.halves.right.has_key();
            if seen.is_strange || !has_key {
                state.surveyed.counts.skipped += 1;
                state.surveyed.doubled += u64::from(!has_key && !seen.is_unmarked && state.surveyed.known == 0);
                continue;
            }
            let decision = decide(self.rules, false, (Shown::Gone, Shown::Changed), || Alike::No, || None);
            self.decided(decision, identity, None, Some(seen), state, sink).await?;
        }
        Ok(())
    }

    /// Whether the target was read and shows another row than the ledger has, or none.
    fn moved_at_target(&self, at: At, state: &State) -> bool {
        self.looks_at_target
            && (!state.table.is_seen_at_target(at) || state.target.contains_key(&state.table.identity(at)))
    }

    /// What the source shows of a row that did not come.
    fn shown_at_source(&self, identity: &RowHash, state: &State) -> Shown {
        let is_gone = if state.is_partial { state.gone.contains(identity) } else { state.surveyed.blind.is_none() };
        if is_gone { Shown::Gone } else { Shown::Same }
    }

    async fn gone(&self, gone: &[At], state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let identities: Vec<RowHash> = gone.iter().map(|at| state.table.identity(*at)).collect();
        let rows = self.ledger.rows(&identities).await?;
        for row in rows {
            let Some(at) = state.table.find(&row.source_identity_hash) else { continue };
            let seen = state.target.remove(&row.source_identity_hash);
            let target = self.shown_at_target(Some(at), seen.as_deref(), state);
            let source = self.shown_at_source(&row.source_identity_hash, state);
            let decision = match decide(self.rules, true, (source, target), || Alike::No, || None) {
                Decision::Delete(Side::Left) if self.is_lost(at, state) => Decision::Insert(Side::Right),
                decision => decision,
            };
            self.decided(decision, row.source_identity_hash, Some(row), seen, state, sink).await?;
        }
        Ok(())
    }

    async fn decided(
        &self,
        decision: Decision,
        identity: RowHash,
        ledger: Option<LedgerRow>,
        seen: Option<Box<AtTarget>>,
        state: &mut State,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let Some(act) = self.act(decision, &identity, None, seen.as_deref()) else {
            state.surveyed.counts.skipped += u64::from(ledger.is_none());
            state.surveyed.counts.unchanged += u64::from(ledger.is_some());
            return Ok(());
        };
        let name = match (&ledger, &seen) {
            (Some(row), _) => row.source_identity.clone(),
            (None, Some(seen)) => seen.name.to_string(),
            (None, None) => String::new(),
        };
        let from_ledger = ledger.as_ref().and_then(target_key);
        sink.take(RowChange {
            act,
            identity,
            name,
            is_known: ledger.is_some(),
            source_key: Vec::new(),
            target: seen.as_ref().map(|seen| seen.hash),
            version: seen.as_ref().and_then(|seen| seen.version.as_deref().map(str::to_owned)),
            is_unmarked: seen.as_ref().is_some_and(|seen| seen.is_unmarked),
            target_key: seen.map(|seen| seen.address.into_vec()).or(from_ledger),
            source: None,
            is_tie: false,
            changed_at: None,
        })
        .await
    }
}
