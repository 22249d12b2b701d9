//! What both sides show beside what they agreed on: every row is read once, hashed as it stands, and decided about.
//!
//! The ledger lies in memory in 64 bytes a row; rows of the source pass by. What the target shows is kept only where it is
//! another row than was agreed on. A row that did not come is gone only when the reading was whole: where it could not be
//! told which row a refused one was, nothing is deleted, and the preview says so.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::endpoint::{ChangeScan, Cursor, Deletions, Endpoint, Refused, Scan};
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, RowHash, RowRef};
use crate::ledger::{At, RowLedger, RowTable};
use crate::model::{LedgerRow, Side, Sides, Tick};
use crate::operation::run::Counts;

use super::change::{Act, RowChange};
use super::clock::RecordClock;
use super::conflict::Decisions;
use super::delta::{Decision, Later, Rules, Shown, decide};
use super::mapping::Mapping;

/// Rows of a page of a scan.
pub(crate) const PAGE_ROWS: usize = 8192;

/// Rows that are asked for by their keys at once.
const AGAIN: usize = 250;

/// Connections that one scan may use where they share a snapshot.
const PARALLEL: usize = 2;

/// What a survey found besides the changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surveyed {
    /// Rows that nothing is to be done about, and those that could not be carried.
    pub(crate) counts: Counts,
    /// Rows that each side has.
    pub(crate) rows: Sides<u64>,
    /// Rows that the ledger knows.
    pub(crate) known: u64,
    /// Why no deletion was looked for, where none was.
    pub(crate) blind: Option<String>,
    /// From where on the next survey may read the source.
    pub(crate) cursor: Option<Cursor>,
}

/// How the source is read.
#[derive(Clone, Debug)]
pub(crate) enum Reading {
    /// All of it.
    Everything,
    /// What has changed since the cursor; all of it when there is none, or when the source no longer knows it.
    Changes(ChangeScan),
}

/// Takes the changes that a survey finds.
#[async_trait::async_trait]
pub(crate) trait Sink: Send {
    /// One change.
    async fn take(&mut self, change: RowChange) -> Result<()>;

    /// So many rows were read; may end the survey.
    async fn seen(&mut self, rows: u64) -> Result<()>;
}

/// What is looked at.
pub(crate) struct Survey<'a> {
    pub(crate) mapping: &'a Mapping,
    pub(crate) ledger: &'a RowLedger,
    pub(crate) endpoints: &'a Sides<Arc<dyn Endpoint>>,
    pub(crate) rules: Rules,
    /// What a person has decided about rows that waited.
    pub(crate) decisions: &'a Decisions,
    /// What tells which side changed a row last.
    pub(crate) clock: Option<&'a RecordClock>,
    pub(crate) reading: Reading,
    /// The keys of rows of the source that failed before: they are read whatever the cursor says.
    pub(crate) again: Vec<Vec<u8>>,
    /// The target is read, too: without it what the ledger says of it is believed.
    pub(crate) looks_at_target: bool,
    /// The time that transforms go by.
    pub(crate) now: Tick,
}

/// A row of the target that is not as the ledger has it.
struct AtTarget {
    hash: RowHash,
    key: Vec<u8>,
    version: Option<String>,
    name: String,
    /// When it was changed, where that is asked.
    changed: Option<Tick>,
}

/// What is kept while the rows pass by.
struct State {
    table: RowTable,
    target: HashMap<RowHash, AtTarget>,
    /// Rows of the source that the ledger does not know: a key that comes twice is no key.
    fresh: HashSet<RowHash>,
    /// Rows that only the target has, as far as is known, and that cannot be read there.
    unreadable: HashSet<RowHash>,
    /// Rows that the source said are gone.
    gone: HashSet<RowHash>,
    /// Only what changed was read of the source: what did not come is as it was.
    is_partial: bool,
    surveyed: Surveyed,
}

impl Survey<'_> {
    /// Reads both sides beside what they agreed on, and says what is to be done.
    pub(crate) async fn run(&self, table: RowTable, sink: &mut dyn Sink) -> Result<Surveyed> {
        let surveyed = Surveyed { known: table.len() as u64, ..Surveyed::default() };
        let mut state = State {
            table,
            target: HashMap::new(),
            fresh: HashSet::new(),
            unreadable: HashSet::new(),
            gone: HashSet::new(),
            is_partial: false,
            surveyed,
        };
        if self.looks_at_target {
            self.read_target(&mut state, sink).await?;
        }
        match &self.reading {
            Reading::Everything => self.read_source(&mut state, sink).await?,
            Reading::Changes(scan) => match self.read_changes(scan, &mut state, sink).await {
                // The source has forgotten what happened since; nothing was taken of it yet.
                Err(error) if error.code() == Code::Stale => self.read_source(&mut state, sink).await?,
                read => read?,
            },
        }
        self.absent(&mut state, sink).await?;
        Ok(state.surveyed)
    }

    async fn scan(&self, side: Side) -> Result<Box<dyn crate::endpoint::RowStream>> {
        let half = &self.mapping.halves[side];
        let scan =
            Scan { table: half.table.clone(), columns: half.scanned.clone(), page_rows: PAGE_ROWS, parallel: PARALLEL };
        self.endpoints[side].scan(scan).await
    }

    async fn read_target(&self, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let mut rows = self.scan(Side::Right).await?;
        while let Some(page) = rows.next().await? {
            for row in page.rows.iter() {
                self.look_at(row, state)?;
            }
            state.surveyed.rows.right += page.rows.len() as u64;
            self.refuse(Side::Right, &page.refused, state, sink).await?;
            sink.seen(page.rows.len() as u64).await?;
        }
        Ok(())
    }

    /// A row of the target.
    fn look_at(&self, row: RowRef<'_>, state: &mut State) -> Result<()> {
        let mapping = self.mapping;
        // A row whose key the source could not have is none of ours.
        let Ok(identity) = mapping.identify(Side::Right, row) else { return Ok(()) };
        let hash = mapping.hash(Side::Right, row)?;
        // A second row of one identity is nothing that we made, and what is as the ledger has it needs no keeping.
        if let Some(at) = state.table.find(&identity)
            && (state.table.see_target(at) || (state.table.is_target(at, &hash) && !state.table.is_pending(at)))
        {
            return Ok(());
        }
        let half = &mapping.halves[Side::Right];
        let name = mapping.name(Side::Right, row)?;
        let (key, version) = (half.key_of(row).to_vec(), half.version_of(row)?);
        let changed = self.clock.and_then(|clock| clock.read(mapping, Side::Right, row));
        state.target.insert(identity, AtTarget { hash, key, version, name, changed });
        Ok(())
    }

    async fn read_source(&self, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        let mut rows = self.scan(Side::Left).await?;
        while let Some(page) = rows.next().await? {
            self.take(&page.rows, &page.refused, state, sink).await?;
        }
        Ok(())
    }

    /// Reads what has changed, and once more what failed before.
    async fn read_changes(&self, scan: &ChangeScan, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
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
            let keys = self.mapping.keys(keys.iter().map(Vec::as_slice))?;
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
            let page = self.endpoints.left.fetch(&half.table, &half.scanned, &half.key, &missed).await?;
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
        for row in rows.iter() {
            match self.compare(row, state) {
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

    /// A row of the source: what is to be done about it, or nothing.
    fn compare(&self, row: RowRef<'_>, state: &mut State) -> Result<Option<RowChange>> {
        let mapping = self.mapping;
        let identity = mapping.identify(Side::Left, row)?;
        if state.unreadable.contains(&identity) {
            return Ok(None);
        }
        let hash = mapping.hash(Side::Left, row)?;
        let found = state.table.find(&identity);
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
        let known = found.filter(|at| !state.table.is_pending(*at));
        let source = match known {
            Some(at) if state.table.is_source(at, &hash) => Shown::Same,
            Some(_) | None => Shown::Changed,
        };
        if source == Shown::Same && !self.looks_at_target && known.is_some_and(|at| !state.table.waits(at)) {
            state.surveyed.counts.unchanged += 1;
            return Ok(None);
        }
        let at_target = state.target.remove(&identity);
        let target = self.shown_at_target(known, at_target.as_ref(), state);
        let equal = || {
            at_target
                .as_ref()
                .is_some_and(|seen| mapping.pushed_hash(row, self.now).is_ok_and(|sent| sent == Some(seen.hash)))
        };
        let is_tie = Cell::new(false);
        let later = || self.later(row, at_target.as_ref(), &is_tie);
        let decision = decide(self.rules, known.is_some(), (source, target), equal, later);
        let Some(act) = self.act(decision, &identity, Some(hash), at_target.as_ref()) else {
            state.surveyed.counts.unchanged += 1;
            return Ok(None);
        };
        Ok(Some(RowChange {
            act,
            identity,
            name: mapping.name(Side::Left, row)?,
            is_known: known.is_some(),
            source_key: mapping.halves.left.key_of(row).to_vec(),
            source: Some(hash),
            target: at_target.as_ref().map(|seen| seen.hash),
            version: at_target.as_ref().and_then(|seen| seen.version.clone()),
            target_key: at_target.map(|seen| seen.key),
            is_tie: is_tie.get(),
        }))
    }

    /// Which side changed a row last.
    fn later(&self, source: RowRef<'_>, target: Option<&AtTarget>, is_tie: &Cell<bool>) -> Later {
        let at = |clock: &RecordClock| {
            Sides::new(clock.read(self.mapping, Side::Left, source), target.and_then(|target| target.changed))
        };
        let later = self.clock.and_then(|clock| clock.later(at(clock)));
        is_tie.set(later.is_none());
        later
    }

    /// What a decision asks for; where it asks for a person, what that person has said.
    fn act(
        &self,
        decision: Decision,
        identity: &RowHash,
        source: Option<RowHash>,
        target: Option<&AtTarget>,
    ) -> Option<Act> {
        let said = || self.decisions.get(identity)?.act(source, target.map(|seen| seen.hash));
        match decision {
            Decision::Wait => Some(said().unwrap_or(Act::Wait)),
            decided => Act::of(decided),
        }
    }

    fn shown_at_target(&self, known: Option<At>, seen: Option<&AtTarget>, state: &State) -> Shown {
        match (self.looks_at_target, known, seen) {
            (_, _, Some(_)) => Shown::Changed,
            (true, Some(at), None) if state.table.is_seen_at_target(at) => Shown::Same,
            (true, Some(_) | None, None) | (false, None, None) => Shown::Gone,
            (false, Some(_), None) => Shown::Same,
        }
    }

    /// Rows that a page could not carry.
    async fn refuse(&self, side: Side, refused: &[Refused], state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        for refused_row in refused {
            let known = self.mapping.identify_known(side, &refused_row.known);
            match known {
                Some((identity, name)) => {
                    let is_second = match (state.table.find(&identity), side) {
                        // It is there, whatever it holds.
                        (Some(at), Side::Left) => state.table.see_source(at),
                        (Some(at), Side::Right) => state.table.see_target(at),
                        (None, Side::Left) => !state.fresh.insert(identity),
                        (None, Side::Right) => !state.unreadable.insert(identity),
                    };
                    if !is_second {
                        state.surveyed.counts.failed += 1;
                        sink.take(refusal(&refused_row.error, name, Some(identity))).await?;
                    }
                }
                None => {
                    state.surveyed.counts.failed += 1;
                    sink.take(refusal(&refused_row.error, "a row without a key that could be read".to_owned(), None))
                        .await?;
                    blind(state, &refused_row.error);
                }
            }
        }
        Ok(())
    }

    /// What the source did not show: rows that the ledger knows, and rows that only the target has.
    async fn absent(&self, state: &mut State, sink: &mut dyn Sink) -> Result<()> {
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
            let decision = decide(self.rules, false, (Shown::Gone, Shown::Changed), || false, || None);
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
            let target = self.shown_at_target(Some(at), seen.as_ref(), state);
            let source = self.shown_at_source(&row.source_identity_hash, state);
            let decision = decide(self.rules, true, (source, target), || false, || None);
            self.decided(decision, row.source_identity_hash, Some(row), seen, state, sink).await?;
        }
        Ok(())
    }

    async fn decided(
        &self,
        decision: Decision,
        identity: RowHash,
        ledger: Option<LedgerRow>,
        seen: Option<AtTarget>,
        state: &mut State,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let Some(act) = self.act(decision, &identity, None, seen.as_ref()) else {
            state.surveyed.counts.skipped += u64::from(ledger.is_none());
            state.surveyed.counts.unchanged += u64::from(ledger.is_some());
            return Ok(());
        };
        let name = match (&ledger, &seen) {
            (Some(row), _) => row.source_identity.clone(),
            (None, Some(seen)) => seen.name.clone(),
            (None, None) => String::new(),
        };
        let from_ledger = ledger.as_ref().and_then(super::mapping::target_key);
        sink.take(RowChange {
            act,
            identity,
            name,
            is_known: ledger.is_some(),
            source_key: Vec::new(),
            target: seen.as_ref().map(|seen| seen.hash),
            version: seen.as_ref().and_then(|seen| seen.version.clone()),
            target_key: seen.map(|seen| seen.key).or(from_ledger),
            source: None,
            is_tie: false,
        })
        .await
    }
}

/// That it is not known which rows are gone.
fn blind(state: &mut State, error: &Error) {
    if state.surveyed.blind.is_none() {
        state.surveyed.blind = Some(format!("it is not known which row it is that cannot be read: {error}"));
    }
}

fn refusal(error: &Error, name: String, identity: Option<RowHash>) -> RowChange {
    RowChange {
        act: Act::refuse(error),
        identity: identity.unwrap_or_default(),
        name,
        is_known: false,
        source_key: Vec::new(),
        target_key: None,
        source: None,
        target: None,
        version: None,
        is_tie: false,
    }
}
