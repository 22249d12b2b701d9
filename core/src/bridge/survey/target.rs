//! The rows of the target: all of them, or those that have changed since the last time.
//!
//! What the target shows is an echo when it holds what the ledger says, or when its version is the one that our own write
//! left: then the store has rewritten what it was given, and nobody has changed it.

use std::collections::{HashMap, HashSet};

use super::super::mapping::listed_item;
use super::{AtTarget, Reading, Sink, State, Survey};
use crate::endpoint::{ChangeScan, ChangeStream, Page};
use crate::error::{Code, Result};
use crate::identity::{RowHash, RowRef};
use crate::model::{LedgerState, Side};

/// Rows of the ledger that are asked for at once.
const ASKED: usize = 1000;

impl Survey<'_> {
    pub(super) async fn read_target(&self, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        match &self.target_reading {
            Reading::Everything => self.read_whole_target(state, sink).await?,
            Reading::Changes(scan) => self.read_target_since(scan, state, sink).await?,
        }
        self.settle_unmarked(state);
        self.leave_echoes(state).await
    }

    async fn read_whole_target(&self, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let mut rows = self.scan(Side::Right).await?;
        while let Some(page) = rows.next().await? {
            self.look(&page, state, sink).await?;
        }
        state.surveyed.is_target_whole = true;
        Ok(())
    }

    /// By a cursor where there is one and the target still knows it; else everything is read, and the next cursor with it.
    async fn read_target_since(&self, scan: &ChangeScan, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let target = &self.endpoints.right;
        if scan.since.is_some() {
            let read = match target.changes(scan.clone()).await {
                Ok(mut changes) => {
                    let read = self.read_feed(&mut *changes, state, sink).await;
                    state.has_lost = changes.may_have_lost();
                    read
                }
                Err(error) => Err(error),
            };
            match read {
                Err(error) if error.code() == Code::Stale => {}
                read => return read,
            }
        }
        let mut changes = match target.changes(ChangeScan { since: None, ..scan.clone() }).await {
            Ok(changes) => changes,
            // There is no feed: the table is read without.
            Err(error) if error.code() == Code::Stale => return self.read_whole_target(state, sink).await,
            Err(error) => return Err(error),
        };
        while let Some(page) = changes.next().await? {
            self.look(&Page { rows: page.rows, refused: page.refused }, state, sink).await?;
        }
        state.surveyed.target_cursor = Some(changes.end()?.cursor);
        state.surveyed.is_target_whole = true;
        Ok(())
    }

    /// Nothing is taken of changes before all of them are there: a feed may end as stale at any page. What they say last of a
    /// row counts; what they do not name is as it was.
    async fn read_feed(&self, changes: &mut dyn ChangeStream, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let half = &self.mapping.halves.right;
        let mut last: HashMap<Vec<u8>, Option<(usize, usize)>> = HashMap::new();
        let mut pages = Vec::new();
        while let Some(page) = changes.next().await? {
            for row in page.deleted.iter() {
                last.insert(row.values(0..row.columns()).to_vec(), None);
            }
            for (at, row) in page.rows.iter().enumerate() {
                last.insert(half.address_of(row).to_vec(), Some((pages.len(), at)));
            }
            sink.seen(page.rows.len() as u64).await?;
            pages.push(page);
        }
        let end = changes.end()?;
        let gone = last.iter().filter(|(_, at)| at.is_none()).map(|(address, _)| address.as_slice());
        let gone: HashSet<RowHash> = self.ledger.at_target(gone).await?.into_iter().collect();
        for (number, page) in pages.iter().enumerate() {
            for (at, row) in page.rows.iter().enumerate() {
                if last.get(half.address_of(row)) == Some(&Some((number, at))) {
                    self.look_at(row, state)?;
                }
            }
            self.refuse(Side::Right, &page.refused, state, sink).await?;
        }
        for at in state.table.all() {
            if !gone.contains(&state.table.identity(at)) {
                state.table.see_target(at);
            }
        }
        state.surveyed.target_cursor = Some(end.cursor);
        Ok(())
    }

    async fn look(&self, page: &Page, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        for row in page.rows.iter() {
            self.look_at(row, state)?;
        }
        state.surveyed.rows.right += page.rows.len() as u64;
        if self.mapping.is_routed() {
            let half = &self.mapping.halves.right;
            for (list, _) in page.rows.iter().filter_map(|row| listed_item(half.address_of(row))) {
                *state.surveyed.in_lists.entry(list).or_default() += 1;
            }
        }
        self.refuse(Side::Right, &page.refused, state, sink).await?;
        sink.seen(page.rows.len() as u64).await
    }

    /// A row of the target.
    fn look_at(&self, row: RowRef<'_>, state: &mut State) -> Result<()> {
        let (mapping, half) = (self.mapping, &self.mapping.halves.right);
        // A row whose key the source could not have is none of ours.
        let Ok(identity) = mapping.identify(Side::Right, row) else {
            state.surveyed.counts.skipped += u64::from(half.marker.is_some());
            return Ok(());
        };
        let hash = mapping.hash(Side::Right, row)?;
        let is_unmarked = !half.is_marked(row);
        let known = if is_unmarked { None } else { state.table.find(&identity) };
        // A second row of one identity is nothing that we made, and what is as the ledger has it needs no keeping.
        if let Some(at) = known
            && (state.table.see_target(at) || (state.table.is_target(at, &hash) && !state.table.is_pending(at)))
        {
            return Ok(());
        }
        let (address, version) = (half.address_of(row).into(), half.version_of(row)?.map(Into::into));
        let name = mapping.name(Side::Right, row)?.into();
        let changed = self.clock.and_then(|clock| clock.read(mapping, Side::Right, row));
        let sayings = mapping.sayings(Side::Right, row, self.now).map(Box::new);
        let mut seen = AtTarget { hash, sayings, address, version, name, changed, is_unmarked, is_strange: false };
        if is_unmarked {
            state.unmarked.push((identity, seen));
            return Ok(());
        }
        if half.marker.is_some() && known.is_none() {
            let by_key = mapping.identify_by_key(Side::Right, row).ok().filter(|by_key| *by_key != identity);
            seen.is_strange = by_key.is_some();
            state.strange.extend(by_key);
        }
        state.target.insert(identity, Box::new(seen));
        Ok(())
    }

    /// Rows without a marker are those that their keys say, unless there is one with its marker already.
    fn settle_unmarked(&self, state: &mut State) {
        for (identity, seen) in std::mem::take(&mut state.unmarked) {
            let is_second = match state.table.find(&identity) {
                Some(at) => state.table.see_target(at),
                None => false,
            };
            if is_second || state.target.contains_key(&identity) {
                state.surveyed.counts.skipped += 1;
            } else {
                state.target.insert(identity, Box::new(seen));
            }
        }
    }

    /// Forgets about rows that have the version that our own write left.
    async fn leave_echoes(&self, state: &mut State) -> Result<()> {
        let versioned = state.target.iter().filter(|(_, seen)| seen.version.is_some() && !seen.is_unmarked);
        let changed: Vec<RowHash> = versioned
            .filter(|(identity, _)| state.table.find(identity).is_some_and(|at| !state.table.is_pending(at)))
            .map(|(identity, _)| *identity)
            .collect();
        for some in changed.chunks(ASKED) {
            for row in self.ledger.rows(some).await? {
                let is_echo = row.state == LedgerState::Confirmed
                    && row.mapping_version == self.mapping.version
                    && row.remote_content_hash.is_some()
                    && row.etag.is_some()
                    && state
                        .target
                        .get(&row.source_identity_hash)
                        .is_some_and(|seen| seen.version.as_deref() == row.etag.as_deref());
                if is_echo {
                    state.target.remove(&row.source_identity_hash);
                }
            }
        }
        Ok(())
    }
}
