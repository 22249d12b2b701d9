//! What both sides show beside what they agreed on: every row is read once, hashed as it stands, and decided about.
//!
//! The ledger lies in memory in some 66 bytes a row; rows of the source pass by. What the target shows is kept only where it is
//! another row than was agreed on. A row that did not come is gone only when the reading was whole: where it could not be
//! told which row a refused one was, nothing is deleted, and the preview says so.

mod absent;
mod source;
mod target;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::endpoint::{ChangeScan, Cursor, Endpoint, Refused, RowStream, Scan};
use crate::error::{Code, Error, Result};
use crate::identity::{RowHash, RowRef};
use crate::ledger::{At, RowLedger, RowTable};
use crate::model::{Side, Sides, Tick};
use crate::operation::run::Counts;

use super::change::{Act, RowChange};
use super::clock::RecordClock;
use super::conflict::Decisions;
use super::delta::{Decision, Later, Rules, Shown};
use super::mapping::{Mapping, Sayings};

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
    /// Of the target's, those in each of several lists.
    pub(crate) in_lists: BTreeMap<String, u64>,
    /// All of the source was read, not only what has changed.
    pub(crate) is_source_whole: bool,
    /// Rows that the ledger knows.
    pub(crate) known: u64,
    /// Why no deletion was looked for, where none was.
    pub(crate) blind: Option<String>,
    /// From where on the next survey may read the source.
    pub(crate) cursor: Option<Cursor>,
    /// All of the target was read, not only what changed there.
    pub(crate) is_target_whole: bool,
    /// From where on it may read the target.
    pub(crate) target_cursor: Option<Cursor>,
    /// Items that bear another definition's marker, and have the key of a row that is to be made: or may have it.
    pub(crate) doubled: u64,
}

/// How a side is read.
#[derive(Clone, Debug)]
pub(crate) enum Reading {
    /// All of it.
    Everything,
    /// What has changed since the cursor; all of it when there is none, or when the store no longer knows it.
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
    /// How the source is read.
    pub(crate) reading: Reading,
    /// How the target is read, if it is.
    pub(crate) target_reading: Reading,
    /// The keys of rows of the source that failed before: they are read whatever the cursor says.
    pub(crate) again: Vec<Vec<u8>>,
    /// The target is read, too: without it what the ledger says of it is believed.
    pub(crate) looks_at_target: bool,
    /// The time that transforms go by.
    pub(crate) now: Tick,
}

/// A row of the target that is not as the ledger has it. As many as there are rows where nothing was agreed on before: so it
/// is kept small.
struct AtTarget {
    hash: RowHash,
    /// What it says by the direction of its fields, where a definition has fields of one direction.
    sayings: Option<Box<Sayings>>,
    address: Box<[u8]>,
    version: Option<Box<str>>,
    name: Box<str>,
    /// When it was changed, where that is asked.
    changed: Option<Tick>,
    /// Rows have markers there, and this one has none yet.
    is_unmarked: bool,
    /// Its marker is not that of its key: another definition's, or somebody has changed the key.
    is_strange: bool,
}

/// What is kept while the rows pass by.
struct State {
    table: RowTable,
    target: HashMap<RowHash, Box<AtTarget>>,
    /// Rows of the target without the marker that they should have: looked at when those that have it are known.
    unmarked: Vec<(RowHash, AtTarget)>,
    /// Keys of rows whose marker is another.
    strange: HashSet<RowHash>,
    /// The target said that it may have lost rows: one that it does not show was not deleted by anybody.
    has_lost: bool,
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
            unmarked: Vec::new(),
            strange: HashSet::new(),
            has_lost: false,
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
                // The source has forgotten what happened since; of what it said before nothing was taken yet. It is read as
                // a whole, and the cursor begins anew.
                Err(error) if error.code() == Code::Stale && scan.since.is_some() => {
                    state.gone.clear();
                    let anew = ChangeScan { since: None, ..scan.clone() };
                    self.read_changes(&anew, &mut state, sink).await?;
                }
                read => read?,
            },
        }
        self.absent(&mut state, sink).await?;
        state.surveyed.is_source_whole = !state.is_partial;
        Ok(state.surveyed)
    }

    async fn scan(&self, side: Side) -> Result<Box<dyn RowStream>> {
        let half = &self.mapping.halves[side];
        let scan =
            Scan { table: half.table.clone(), columns: half.scanned.clone(), page_rows: PAGE_ROWS, parallel: PARALLEL };
        self.endpoints[side].scan(scan).await
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
        let join = |winner| self.mapping.joined_by(winner);
        let said = || self.decisions.get(identity)?.act(source, target.map(|seen| seen.hash), join);
        match decision {
            Decision::Wait => Some(said().unwrap_or(Act::Wait)),
            decided => Act::of(decided, join),
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

    /// Whether the target does not show a row that both agreed on, and says that it may have lost it.
    fn is_lost(&self, at: At, state: &State) -> bool {
        state.has_lost && !state.table.is_seen_at_target(at) && !state.target.contains_key(&state.table.identity(at))
    }

    /// Rows that a page could not carry.
    async fn refuse(&self, side: Side, refused: &[Refused], state: &mut State, sink: &mut dyn Sink) -> Result<()> {
        for refused_row in refused {
            let known = self.mapping.identify_known(side, &refused_row.known);
            if known.is_none() && side == Side::Right && self.mapping.is_others(&refused_row.known) {
                state.surveyed.counts.skipped += 1;
                continue;
            }
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
        is_unmarked: false,
        target_key: None,
        source: None,
        target: None,
        version: None,
        is_tie: false,
        changed_at: None,
    }
}
