//! Apply: exactly the ticked changes of a preview, in the plan's order, each only if what it relies on still holds.
//!
//! The crash protocol of the reconciliation contract, section 6: an intent is in the book before an effect; an effect
//! is durable before the ledger says so; the ledger row, the removal of the intent and the position in the plan are
//! one transaction. After a crash at any point the next run finds either the old state or a state that it adopts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::delta::{Action, Change, SkipReason, Step};
use crate::error::{Code, Error, Result};
use crate::model::{Kind, Node, PairId, PreviewId, RelPath, Side, Sides, TenantId};
use crate::operation::clock::{Clock, timestamp};
use crate::operation::plan::{PlanReader, Planned, Position};
use crate::operation::progress::Meter;
use crate::operation::run::{Counts, ItemFailure, Reporter};
use crate::operation::scheduler::Share;
use crate::provider::{NativeSource, Pace, Trash};
use crate::store::Store;

use super::baseline::IntentItem;
use super::conflict;
use super::ends::Ends;
use super::journal::Journal;
use super::outcome::{Done, Outcome, Seen};
use super::pipeline::{self, Pipeline};
use super::record::Closing;
use super::recover;
use super::scene::Scene;
use super::structure::{Moved, hangs_nowhere};
use super::vain::Vain;
use crate::operation::lease::Lease;

/// A run that applies a preview.
pub(crate) struct Apply {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tenant: TenantId,
    pub(crate) preview: PreviewId,
    pub(crate) scene: Scene,
    /// The sides that are saved volumes.
    pub(crate) ends: Ends,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) journal: Journal,
    pub(crate) meter: Meter,
    /// Names this run in the trash of the roots.
    pub(crate) label: String,
    pub(crate) pace: Pace,
    /// Where room for what is carried comes from.
    pub(crate) share: Share,
    /// When the run began, which is before anything it looked at.
    pub(crate) seen: Seen,
    pub(crate) tally: Applied,
    /// Changes that were not done and on which others hang.
    pub(crate) undone: HashSet<i64>,
    /// Directories whose ledger row is missing or stands where it does not belong.
    pub(crate) missing_dirs: HashSet<PairId>,
    /// What is not tried, as there is no room for it.
    pub(crate) vain: Vain,
    /// Directories in which a row of the ledger stays that was to go: their own rows have to stay above it.
    pub(crate) kept_dirs: HashSet<PairId>,
    /// Files and links that were moved: what was scanned, what the move left.
    pub(crate) moved: HashMap<Moved, (Node, Node)>,
    /// What setting attributes left of the item that came last.
    pub(crate) attributes: HashMap<PairId, Node>,
    /// Directories that were made wider than their originals, with the mode they are to have.
    pub(crate) narrow: Vec<(Side, u32, Planned)>,
    /// Swaps whose second half is still to come.
    pub(crate) kept_intents: Vec<i64>,
    /// Versions that went aside and whose place is still to be taken.
    pub(crate) aside_intents: Vec<i64>,
    pub(crate) progress_written: Duration,
    /// Wakes those who watch the progress of this process' runs.
    pub(crate) watched: Arc<Notify>,
    /// How far in the plan the book knows the run to be.
    pub(crate) reached: Position,
    /// Changes that earlier attempts at the plan could not do.
    pub(crate) failed_before: u64,
}

/// What a run has done so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Applied {
    pub(crate) counts: Counts,
    pub(crate) stale: u64,
    pub(crate) waiting: u64,
    pub(crate) bytes: u64,
    pub(crate) failures: Vec<ItemFailure>,
}

const STEPS: [Step; 7] =
    [Step::Clear, Step::Structure, Step::Transfer, Step::Metadata, Step::Delete, Step::Ledger, Step::Report];

impl Apply {
    /// Applies everything after `from`. An error ends the run; what was done until then is in the ledger.
    pub(crate) async fn run(&mut self, from: Position) -> Result<()> {
        let mut pipeline = Pipeline::default();
        let result = self.steps(&mut pipeline, from).await;
        if result.is_err() {
            pipeline.abandon(self).await;
        }
        result
    }

    async fn steps(&mut self, pipeline: &mut Pipeline, from: Position) -> Result<()> {
        let reader = PlanReader { store: self.store.clone(), tenant: self.tenant, preview: self.preview };
        let end = Position { ord: i64::MAX, seq: i64::MAX };
        // A run that goes on with an interrupted plan knows what that one could not do.
        if from.ord >= 0 {
            for planned in reader.failed().await? {
                self.misses_dir(&planned.change);
                self.kept_dirs.insert(dir_in_ledger(&planned.change));
                self.undone.insert(planned.lead.unwrap_or(planned.at.seq));
            }
        }
        for (index, step) in STEPS.into_iter().enumerate() {
            let until = STEPS.get(index + 1).map_or(end, |next| Position::start_of(*next));
            let mut at = from.max(Position::start_of(step));
            loop {
                let page = reader.page(at, until).await?;
                let Some(last) = page.last() else { break };
                at = last.at;
                self.gate().await?;
                match step {
                    Step::Clear | Step::Delete => self.delete(page).await?,
                    Step::Structure => self.restructure(page).await?,
                    Step::Transfer => self.transfer(pipeline, page).await?,
                    Step::Metadata => self.set_metadata(page).await?,
                    Step::Ledger => self.record(page).await?,
                    Step::Report => self.report(page).await?,
                }
            }
            match step {
                Step::Structure => {
                    self.lease.hold().await?;
                    let swaps = std::mem::take(&mut self.kept_intents);
                    if !(swaps.is_empty() || self.undone.is_empty()) {
                        // A second half may have been refused: nothing stays under a name that no scan shows.
                        recover::surface_swaps(&self.scene, &swaps).await?;
                    }
                    self.release(swaps).await?;
                }
                Step::Transfer => {
                    pipeline.drain(self).await?;
                    self.lease.hold().await?;
                    self.tell_left_out().await?;
                    let asides = std::mem::take(&mut self.aside_intents);
                    self.release(asides).await?;
                    self.narrow_dirs().await?;
                }
                Step::Clear | Step::Metadata | Step::Delete | Step::Ledger | Step::Report => {}
            }
        }
        // One that was cancelled at its end is done all the same, but for what was not waited for then.
        if self.tally.counts.failed == 0 { Ok(()) } else { self.reporter.control.check() }
    }

    /// Where the run may wait or stop; behind it the conduit is this run's own.
    pub(super) async fn gate(&self) -> Result<()> {
        self.reporter.gate().await?;
        self.lease.hold().await
    }

    /// Separates what is to be done to a side from what only the ledger learns and from what cannot be done any more:
    /// the outcome of both is known. Nothing is carried into a directory that was not made or recorded: its ledger row
    /// is missing, and rows beneath it would hang nowhere.
    pub(super) fn ready(&mut self, page: Vec<Planned>, outcomes: &mut Vec<Outcome>) -> Vec<Planned> {
        let mut ready = Vec::with_capacity(page.len());
        for mut planned in page {
            let is_vain = self.vain.is_vain(&planned.change);
            let refused = if planned.lead.is_some_and(|lead| self.undone.contains(&lead)) {
                Some(
                    Error::new(Code::Stale, "carry", &planned.change.path)
                        .because("the first half of this decision was not carried out"),
                )
            } else if !is_vain && self.missing_dirs.contains(&planned.change.parent) {
                Some(hangs_nowhere(&planned.change))
            } else {
                None
            };
            if refused.is_none() && is_vain {
                self.give_up(&planned);
                self.vain.leave_out(planned);
            } else if let Some(why) = refused {
                self.misses_dir(&planned.change);
                outcomes.push(Outcome { planned, result: Err(why) });
            } else if planned.change.action.changes().is_none() {
                outcomes.push(Outcome { planned, result: Ok(Done::default()) });
            } else {
                self.expect_moved(&mut planned.change);
                ready.push(planned);
            }
        }
        ready
    }

    /// Remembers a directory whose ledger row is missing or stands where it does not belong.
    pub(super) fn misses_dir(&mut self, change: &Change) {
        let names_dir = matches!(change.action, Action::MakeDir { .. } | Action::Move { .. } | Action::Record);
        if change.item == Kind::Dir && names_dir {
            self.missing_dirs.insert(change.pair);
        }
    }

    async fn transfer(&mut self, pipeline: &mut Pipeline, page: Vec<Planned>) -> Result<()> {
        let (pace, held) = (self.pace.bytes_per_second(), self.share.batch_bytes());
        let cut = pipeline::Cut {
            most: |side: Side| pipeline::batch_bytes(self.scene.sides[side].capabilities(), pace, held),
            is_large: |side, planned: &Planned| self.is_resumable(side, planned),
            together: |side| if self.native_source(side).is_some() { pipeline::LARGE_AT_ONCE } else { 1 },
        };
        let batches = pipeline::batches(page, &cut);
        for (side, batch) in batches {
            if let Err(stop) = self.gate().await {
                // What is under way is brought home, so that the next run need not do it again.
                pipeline.drain(self).await?;
                return Err(stop);
            }
            if batch.iter().any(|planned| self.vain.is_vain(&planned.change)) {
                // What is under way may have fitted after all.
                pipeline.drain(self).await?;
            }
            let mut outcomes = Vec::new();
            let batch = self.ready(batch, &mut outcomes);
            if !outcomes.is_empty() || self.vain.has_left_out() {
                self.commit(Closing::default(), outcomes).await?;
            }
            if !batch.is_empty() {
                pipeline.push(self, side, batch).await?;
            }
        }
        Ok(())
    }

    async fn delete(&mut self, page: Vec<Planned>) -> Result<()> {
        let mut outcomes = Vec::new();
        let ready = self.ready(page, &mut outcomes);
        for side in Side::BOTH {
            let items: Vec<Planned> =
                ready.iter().filter(|p| p.change.action.changes() == Some(side)).cloned().collect();
            if items.is_empty() {
                continue;
            }
            let kept = self.kept_when_deleted(side, &items).await?;
            let requests = items.iter().map(|p| Trash {
                path: p.change.path_on(side).clone(),
                expect: p.change.expect[side].clone(),
                label: kept.label_of(p.change.path_on(side)).unwrap_or(&self.label).to_owned(),
            });
            let mut results = self.scene.sides[side].trash(requests.collect()).await;
            self.keep_deleted(side, &kept, &items, &mut results).await;
            let done = |r: Result<()>| r.map(|()| Done::default());
            outcomes.extend(items.into_iter().zip(results).map(|(planned, r)| Outcome { planned, result: done(r) }));
        }
        self.flush(&outcomes).await?;
        self.commit(Closing::default(), outcomes).await
    }

    async fn record(&mut self, page: Vec<Planned>) -> Result<()> {
        let mut outcomes = Vec::new();
        // Every change of this step is one for the ledger alone.
        self.ready(page, &mut outcomes);
        self.commit(Closing::default(), outcomes).await
    }

    /// What is shown and not applied: unreadable items are failures, clashes wait for a person.
    async fn report(&mut self, page: Vec<Planned>) -> Result<()> {
        let mut writes = Vec::new();
        for planned in page {
            let Action::Skip(reason) = &planned.change.action else { continue };
            match reason {
                SkipReason::Unknown(_, why) => {
                    let error = Error::new(why.code, "look at", &planned.change.path).because(why);
                    self.tally.counts.failed += 1;
                    writes.push(self.journal.failed(&planned.change, &error));
                    self.list_failure(&planned.change.path, error).await;
                }
                SkipReason::NameCollision(_) | SkipReason::NameNotAllowed(_) | SkipReason::Suspect(_) => {
                    self.tally.waiting += 1;
                    self.tally.counts.add(planned.change.kind, 1);
                    let why = conflict::reason(reason, self.journal.swapped);
                    writes.extend(why.map(|(reason, side)| self.journal.waits(&planned.change, reason, side)));
                }
                SkipReason::Untracked
                | SkipReason::Excluded
                | SkipReason::NotSelected
                | SkipReason::NotReleasable
                | SkipReason::UnsupportedKind => self.tally.counts.add(planned.change.kind, 1),
            }
        }
        if !writes.is_empty() {
            self.store.write(self.tenant, writes).await?;
        }
        Ok(())
    }

    /// Makes the effects of these outcomes durable on the sides they changed.
    pub(super) async fn flush(&self, outcomes: &[Outcome]) -> Result<()> {
        for side in Side::BOTH {
            let done = outcomes.iter().filter(|o| o.result.is_ok() && o.planned.change.action.changes() == Some(side));
            let mut paths: Vec<RelPath> = Vec::new();
            for outcome in done {
                paths.push(outcome.planned.change.path_on(side).clone());
                if let Action::Move { from, .. } = &outcome.planned.change.action {
                    paths.push(from.clone());
                }
            }
            if !paths.is_empty() {
                self.scene.sides[side].flush(paths).await?;
            }
        }
        Ok(())
    }

    /// The tag of the temporary name of a planned transfer: the same again when the plan is resumed.
    pub(super) fn tag(&self, planned: &Planned) -> String {
        let id = self.preview.0.as_u128() as u64;
        format!("{id:016x}-{}", planned.at.seq)
    }

    pub(super) fn native_source(&self, to: Side) -> Option<NativeSource> {
        let target = &self.scene.sides[to];
        let (own, source) = (target.native_source()?, self.scene.sides[to.other()].native_source()?);
        let is_of_its_kind = (*own.0).type_id() == (*source.0).type_id();
        (target.capabilities().native_copy && is_of_its_kind).then_some(source)
    }

    /// The intent of a batch of transfers is in the book before the first temporary file is made.
    pub(super) async fn intend_staging(&self, side: Side, batch: &[Planned]) -> Result<i64> {
        let items = batch
            .iter()
            .map(|p| IntentItem::Staged { side, target: p.change.path_on(side).clone(), tag: self.tag(p) })
            .collect();
        self.scene.ledger.intend(self.preview, items, self.clock.now()).await
    }
}

/// The directory in which the ledger has the row of a change until it is done.
pub(super) fn dir_in_ledger(change: &Change) -> PairId {
    change.was.as_ref().map_or(change.parent, |(parent, _)| *parent)
}

/// What a run begins with.
pub(crate) fn seen_at(clock: &dyn Clock, scene: &Scene) -> Seen {
    let precision = |side: Side| scene.sides[side].capabilities().time_precision_ns;
    let precision_ns = Sides::new(precision(Side::Left), precision(Side::Right));
    Seen { at: timestamp(clock.now()), taken: clock.elapsed(), precision_ns }
}
