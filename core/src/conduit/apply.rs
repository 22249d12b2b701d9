//! Apply: exactly the ticked changes of a preview, in the plan's order, each only if what it relies on still holds.
//!
//! The crash protocol of the reconciliation contract, section 6: an intent is in the book before an effect; an effect
//! is durable before the ledger says so; the ledger row, the removal of the intent and the position in the plan are
//! one transaction. After a crash at any point the next run finds either the old state or a state that it adopts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::delta::{Action, Change, ChangeKind, Expect, Metadata, SkipReason, Step};
use crate::error::{Code, Error, Result};
use crate::model::{Ident, Kind, Node, PairId, PreviewId, RelPath, Side, Sides, TenantId};
use crate::operation::clock::{Clock, timestamp};
use crate::operation::plan::{PlanReader, Planned, Position};
use crate::operation::progress::Meter;
use crate::operation::run::{AppliedItem, Counts, ItemFailure, Reporter, RunEvent};
use crate::provider::{Move, NativeSource, Pace, Stage, Trash};
use crate::store::{Store, Write};

use super::baseline::IntentItem;
use super::journal::Journal;
use super::outcome::{self, Done, Outcome, Seen, is_swap_step};
use super::pipeline::{self, Pipeline};
use super::recover;
use super::scan::Scene;

/// Failures that a report lists; the book has all of them.
const LISTED_FAILURES: usize = 100;

/// How often the progress row in the book is written at most.
const PROGRESS_ROW_EVERY: Duration = Duration::from_secs(1);

/// A run that applies a preview.
pub(crate) struct Apply {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tenant: TenantId,
    pub(crate) preview: PreviewId,
    pub(crate) scene: Scene,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) journal: Journal,
    pub(crate) meter: Meter,
    /// Names this run in the trash of the roots.
    pub(crate) label: String,
    pub(crate) pace: Pace,
    /// When the run began, which is before anything it looked at.
    pub(crate) seen: Seen,
    pub(crate) tally: Applied,
    /// Changes that were not done and on which others hang.
    pub(crate) undone: HashSet<i64>,
    /// Directories whose ledger row is missing or stands where it does not belong.
    pub(crate) missing_dirs: HashSet<PairId>,
    /// Files and links that were moved: what was scanned, what the move left. By identity, since a version that goes
    /// aside after it was moved is another pair.
    pub(crate) moved: HashMap<(Side, Ident), (Node, Node)>,
    /// Directories that were made wider than their originals, with the mode they are to have.
    pub(crate) narrow: Vec<(Side, u32, Planned)>,
    /// Swaps whose second half is still to come.
    pub(crate) kept_intents: Vec<i64>,
    /// Versions that went aside and whose place is still to be taken.
    pub(crate) aside_intents: Vec<i64>,
    pub(crate) progress_written: Duration,
    /// How far in the plan the book knows the run to be.
    pub(crate) reached: Position,
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
                    let swaps = std::mem::take(&mut self.kept_intents);
                    if !(swaps.is_empty() || self.undone.is_empty()) {
                        // A second half may have been refused: nothing stays under a name that no scan shows.
                        recover::surface_swaps(&self.scene, &swaps).await?;
                    }
                    self.release(swaps).await?;
                }
                Step::Transfer => {
                    pipeline.drain(self).await?;
                    let asides = std::mem::take(&mut self.aside_intents);
                    self.release(asides).await?;
                    self.narrow_dirs().await?;
                }
                Step::Clear | Step::Metadata | Step::Delete | Step::Ledger | Step::Report => {}
            }
        }
        Ok(())
    }

    /// Where a run may stop or wait.
    async fn gate(&self) -> Result<()> {
        if self.reporter.control.is_paused() {
            self.reporter.fact(RunEvent::Paused).await;
            self.reporter.control.wait_while_paused().await;
            self.reporter.fact(RunEvent::Resumed).await;
        }
        self.reporter.control.check()
    }

    /// Separates what is to be done to a side from what only the ledger learns and from what cannot be done any more:
    /// the outcome of both is known. Nothing is carried into a directory that was not made or recorded: its ledger row
    /// is missing, and rows beneath it would hang nowhere.
    fn ready(&mut self, page: Vec<Planned>, outcomes: &mut Vec<Outcome>) -> Vec<Planned> {
        let mut ready = Vec::with_capacity(page.len());
        for mut planned in page {
            let refused = if planned.lead.is_some_and(|lead| self.undone.contains(&lead)) {
                Some(
                    Error::new(Code::Stale, "carry", &planned.change.path)
                        .because("the first half of this decision was not carried out"),
                )
            } else if self.missing_dirs.contains(&planned.change.parent) {
                Some(hangs_nowhere(&planned.change))
            } else {
                None
            };
            if let Some(why) = refused {
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
    fn misses_dir(&mut self, change: &Change) {
        let names_dir = matches!(change.action, Action::MakeDir { .. } | Action::Move { .. } | Action::Record);
        if change.item == Kind::Dir && names_dir {
            self.missing_dirs.insert(change.pair);
        }
    }

    /// A move changes the times of an item (`st_ctime`): what comes after it in the plan expects what the move left.
    fn expect_moved(&self, change: &mut Change) {
        if self.moved.is_empty() {
            return;
        }
        for side in Side::BOTH {
            if let Expect::Node(node) = &mut change.expect[side]
                && let Some((before, after)) = self.moved.get(&(side, node.ident.clone()))
                && node == before
            {
                *node = after.clone();
            }
        }
    }

    fn remember_move(&mut self, side: Side, change: &Change, after: &Node) {
        if let (Action::Move { .. }, Expect::Node(before)) = (&change.action, &change.expect[side])
            && after.kind != Kind::Dir
        {
            // Of a move in two halves, what was scanned is what later changes expect.
            let known = self.moved.entry((side, before.ident.clone()));
            known.and_modify(|(_, last)| *last = after.clone()).or_insert_with(|| (before.clone(), after.clone()));
        }
    }

    async fn transfer(&mut self, pipeline: &mut Pipeline, page: Vec<Planned>) -> Result<()> {
        for (side, batch) in pipeline::batches(page, self.pace.bytes_per_second()) {
            if let Err(stop) = self.gate().await {
                // What is under way is brought home, so that the next run need not do it again.
                pipeline.drain(self).await?;
                return Err(stop);
            }
            let mut outcomes = Vec::new();
            let batch = self.ready(batch, &mut outcomes);
            if !outcomes.is_empty() {
                self.commit(None, outcomes).await?;
            }
            if !batch.is_empty() {
                pipeline.push(self, side, batch).await?;
            }
        }
        Ok(())
    }

    /// Directories and moves, top-down; runs of the same kind on the same side go to the provider together.
    async fn restructure(&mut self, page: Vec<Planned>) -> Result<()> {
        let mut outcomes = Vec::new();
        let ready = self.ready(page, &mut outcomes);
        self.intend_moves(&ready).await?;
        let mut rest = ready.into_iter().peekable();
        while let Some(first) = rest.next() {
            let key = (first.change.action.number(), first.change.action.changes());
            // What moves the same item again expects what the first move left, so the two are never in one call.
            let mut idents: HashSet<Ident> = moved_ident(&first.change).cloned().into_iter().collect();
            let mut run = vec![first];
            while let Some(next) = rest.next_if(|p| {
                (p.change.action.number(), p.change.action.changes()) == key
                    && moved_ident(&p.change).is_none_or(|ident| !idents.contains(ident))
            }) {
                idents.extend(moved_ident(&next.change).cloned());
                run.push(next);
            }
            run.iter_mut().for_each(|planned| self.expect_moved(&mut planned.change));
            let Some(side) = key.1 else { continue };
            let results = self.restructure_on(side, &run).await;
            for (planned, node) in run.into_iter().zip(results) {
                // In one call a directory is made right after its parent, even where the parent turned out to be there
                // already: what hangs beneath a missing row is not recorded, and the next run adopts it.
                let hangs = self.missing_dirs.contains(&planned.change.parent);
                let node = if hangs { node.and(Err(hangs_nowhere(&planned.change))) } else { node };
                if node.is_err() {
                    self.misses_dir(&planned.change);
                }
                let result = node.map(|node| {
                    self.remember_move(side, &planned.change, &node);
                    let mut done = Done::default();
                    if let Some(source) = self.widened(side, &planned, &node) {
                        done.now[side.other()] = Some(source);
                    }
                    done.now[side] = Some(node);
                    done
                });
                outcomes.push(Outcome { planned, result });
            }
        }
        self.flush(&outcomes).await?;
        self.commit(None, outcomes).await
    }

    async fn restructure_on(&self, side: Side, run: &[Planned]) -> Vec<Result<Node>> {
        let provider = &self.scene.sides[side];
        match run.first().map(|p| &p.change.action) {
            Some(Action::Move { .. }) => {
                let moves = run.iter().filter_map(|p| match &p.change.action {
                    Action::Move { from, .. } => Some(Move {
                        from: from.clone(),
                        to: p.change.path_on(side).clone(),
                        expect: p.change.expect[side].clone(),
                    }),
                    _ => None,
                });
                provider.move_items(moves.collect()).await
            }
            _ => {
                let dirs = run.iter().map(|p| (p.change.path_on(side).clone(), self.dir_metadata(side, &p.change)));
                provider.make_dirs(dirs.collect()).await
            }
        }
    }

    /// The mode of the directory it is made after, kept enterable by its owner while the run fills it.
    fn dir_metadata(&self, side: Side, change: &Change) -> Metadata {
        let carries = self.scene.sides[side].capabilities().mode;
        let mode = match &change.expect[side.other()] {
            Expect::Node(node) if carries => node.token.mode.map(|mode| mode | 0o700),
            Expect::Node(_) | Expect::Absent | Expect::Any => None,
        };
        Metadata { mode, mtime: None }
    }

    /// A directory that its owner may not enter or fill gets its mode when it has been filled. Until then the ledger says
    /// of the other side what was made here, so that a run that comes after a crash sees the mode as still to be carried.
    fn widened(&mut self, side: Side, planned: &Planned, made: &Node) -> Option<Node> {
        let (Action::MakeDir { .. }, Expect::Node(source)) =
            (&planned.change.action, &planned.change.expect[side.other()])
        else {
            return None;
        };
        let mode = source.token.mode.filter(|mode| mode & 0o700 != 0o700)?;
        made.token.mode?;
        self.narrow.push((side, mode, planned.clone()));
        let mut source = source.clone();
        source.token.mode = made.token.mode;
        Some(source)
    }

    /// Gives the directories that were kept open for filling the mode of their originals, deepest first.
    async fn narrow_dirs(&mut self) -> Result<()> {
        let mut narrow = std::mem::take(&mut self.narrow);
        narrow.sort_by_key(|(_, _, planned)| std::cmp::Reverse(planned.change.path.depth()));
        let mut outcomes = Vec::new();
        for (side, mode, planned) in narrow {
            let metadata = Metadata { mode: Some(mode), mtime: None };
            let request = (planned.change.path_on(side).clone(), Expect::Any, metadata);
            let Some(result) = self.scene.sides[side].set_metadata(vec![request]).await.pop() else { continue };
            let result = result.map(|node| {
                let mut done = Done::default();
                done.now[side] = Some(node);
                done
            });
            outcomes.push(Outcome { planned: Planned { lead: Some(planned.at.seq), ..planned }, result });
        }
        if outcomes.is_empty() {
            return Ok(());
        }
        self.flush(&outcomes).await?;
        self.commit(None, outcomes).await
    }

    async fn set_metadata(&mut self, page: Vec<Planned>) -> Result<()> {
        let mut outcomes = Vec::new();
        let ready = self.ready(page, &mut outcomes);
        for side in Side::BOTH {
            let (items, requests): (Vec<_>, Vec<_>) = ready
                .iter()
                .filter_map(|p| match p.change.action {
                    Action::SetMetadata { on, metadata } if on == side => {
                        let request = (p.change.path_on(side).clone(), p.change.expect[side].clone(), metadata);
                        Some((p.clone(), request))
                    }
                    _ => None,
                })
                .unzip();
            if items.is_empty() {
                continue;
            }
            let results = self.scene.sides[side].set_metadata(requests).await;
            for (planned, node) in items.into_iter().zip(results) {
                let mut result = node.map(|node| {
                    let mut done = Done::default();
                    done.now[side] = Some(node);
                    done
                });
                if let Ok(done) = &mut result
                    && planned.change.expect[side.other()] == Expect::Any
                {
                    // Both sides get an attribute from each other, and the first half has changed that one.
                    done.now[side.other()] = self.look(side.other(), &planned.change).await?;
                }
                outcomes.push(Outcome { planned, result });
            }
        }
        self.flush(&outcomes).await?;
        self.commit(None, outcomes).await
    }

    async fn look(&self, side: Side, change: &Change) -> Result<Option<Node>> {
        let seen = self.scene.sides[side].stat(vec![change.path_on(side).clone()]).await.pop();
        Ok(seen.transpose()?.flatten())
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
            let requests = items.iter().map(|p| Trash {
                path: p.change.path_on(side).clone(),
                expect: p.change.expect[side].clone(),
                label: self.label.clone(),
            });
            let results = self.scene.sides[side].trash(requests.collect()).await;
            let done = |r: Result<()>| r.map(|()| Done::default());
            outcomes.extend(items.into_iter().zip(results).map(|(planned, r)| Outcome { planned, result: done(r) }));
        }
        self.flush(&outcomes).await?;
        self.commit(None, outcomes).await
    }

    async fn record(&mut self, page: Vec<Planned>) -> Result<()> {
        let mut outcomes = Vec::new();
        // Every change of this step is one for the ledger alone.
        self.ready(page, &mut outcomes);
        self.commit(None, outcomes).await
    }

    /// What is shown and not applied: unreadable items are failures, clashes wait for a person.
    async fn report(&mut self, page: Vec<Planned>) -> Result<()> {
        let mut writes = Vec::new();
        for planned in page {
            let Action::Skip(reason) = &planned.change.action else { continue };
            match reason {
                SkipReason::Unknown(_, words) => {
                    let error = Error::new(Code::Storage, "look at", &planned.change.path).because(words);
                    self.tally.counts.failed += 1;
                    writes.push(self.journal.failed(&planned.change, &error));
                    self.list_failure(&planned.change.path, error).await;
                }
                SkipReason::NameCollision(_)
                | SkipReason::NameNotAllowed(_)
                | SkipReason::MoveCycle
                | SkipReason::Suspect(_) => {
                    self.tally.waiting += 1;
                    self.tally.counts.add(planned.change.kind, 1);
                    writes.push(self.journal.waits(&planned.change, reason));
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
    async fn flush(&self, outcomes: &[Outcome]) -> Result<()> {
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

    /// One transaction: ledger rows, failures, the removal of the intent, the position in the plan.
    pub(super) async fn commit(&mut self, intent: Option<i64>, outcomes: Vec<Outcome>) -> Result<()> {
        self.seen.look_at_clock(timestamp(self.clock.now()), self.clock.elapsed());
        let mut entries = Vec::with_capacity(outcomes.len());
        let mut writes = Vec::new();
        let mut last = None;
        let mut items = Vec::new();
        let mut full = None;
        let (mut done_items, mut done_bytes) = (0, 0);
        for Outcome { planned, result } in outcomes {
            last = last.max(Some(planned.at));
            let change = &planned.change;
            done_items += 1;
            done_bytes += change.bytes;
            match result.and_then(|done| Ok((outcome::entry(change, &done, self.seen)?, done))) {
                Ok((entry, done)) => {
                    entries.push(entry);
                    self.tally.bytes += done.bytes;
                    if planned.lead.is_none() {
                        self.tally.counts.add(change.kind, 1);
                        if self.reporter.is_listened_to() && change.kind != ChangeKind::Unchanged {
                            let path = change.path.to_string();
                            items.push(AppliedItem { path, kind: change.kind, bytes: done.bytes });
                        }
                    }
                }
                Err(error) => {
                    // One decision is one failure, however many of its parts could not be carried out.
                    self.misses_dir(change);
                    if self.undone.insert(planned.lead.unwrap_or(planned.at.seq)) {
                        self.tally.counts.failed += 1;
                        self.tally.stale += u64::from(error.code() == Code::Stale);
                    }
                    writes.push(self.journal.failed(change, &error));
                    writes.push(self.journal.outcome(self.preview, planned.at, &error));
                    if error.code() == Code::Quota {
                        full = Some(error.clone());
                    }
                    self.list_failure(&change.path, error).await;
                }
            }
        }
        writes.extend(self.scene.ledger.writes(entries).await?);
        writes.extend(intent.map(|id| self.scene.ledger.remove_intent(id)));
        if let Some(at) = last.filter(|at| *at > self.reached) {
            self.reached = at;
            writes.push(self.journal.position(self.preview, at));
        }
        self.meter.add(done_items, done_bytes);
        let now = self.clock.elapsed();
        let progress = self.meter.read(now);
        if now.saturating_sub(self.progress_written) >= PROGRESS_ROW_EVERY {
            self.progress_written = now;
            writes.push(self.journal.progress(&progress, self.tally.counts.failed));
        }
        if !writes.is_empty() {
            self.store.write(self.tenant, writes).await?;
        }
        self.reporter.progress(progress);
        if !items.is_empty() {
            self.reporter.fact(RunEvent::Applied(items)).await;
        }
        // Nothing else will fit either: end the run with the one clear error rather than fail every item.
        full.map_or(Ok(()), Err)
    }

    async fn list_failure(&mut self, path: &RelPath, error: Error) {
        let failure = ItemFailure { path: path.to_string(), error };
        if self.tally.failures.len() < LISTED_FAILURES {
            self.tally.failures.push(failure.clone());
        }
        self.reporter.fact(RunEvent::Failed(failure)).await;
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

    pub(super) async fn stage_requests(&self, side: Side, batch: Vec<Planned>) -> Vec<(Planned, Result<Stage>)> {
        let mut requests = Vec::with_capacity(batch.len());
        for planned in batch {
            let request = pipeline::request(self, side, &planned).await;
            requests.push((planned, request));
        }
        requests
    }

    /// The intent of a batch of transfers is in the book before the first temporary file is made.
    pub(super) async fn intend_staging(&self, side: Side, batch: &[Planned]) -> Result<i64> {
        let items = batch
            .iter()
            .map(|p| IntentItem::Staged { side, target: p.change.path_on(side).clone(), tag: self.tag(p) })
            .collect();
        self.scene.ledger.intend(self.preview, items, self.clock.now()).await
    }

    /// A move through a temporary name leaves an intent until the swap is complete, a version that goes aside until
    /// what takes its place has come.
    async fn intend_moves(&mut self, page: &[Planned]) -> Result<()> {
        let (mut swaps, mut asides) = (Vec::new(), Vec::new());
        for change in page.iter().map(|p| &p.change) {
            let Action::Move { on: side, from, .. } = &change.action else { continue };
            let (side, from, to) = (*side, from.clone(), change.path_on(*side).clone());
            if is_swap_step(change) {
                swaps.push(IntentItem::Swap { side, temporary: to, from });
            } else if change.expect[side.other()] == Expect::Absent {
                asides.push(IntentItem::Aside { side, aside: to, from });
            }
        }
        let now = self.clock.now();
        for (items, kept) in [(swaps, &mut self.kept_intents), (asides, &mut self.aside_intents)] {
            if !items.is_empty() {
                kept.push(self.scene.ledger.intend(self.preview, items, now).await?);
            }
        }
        Ok(())
    }

    /// Removes intents whose decisions are done. After a failure they stay for the next run to look at: an item may
    /// stand under a temporary name, or aside with nothing at its place.
    async fn release(&self, intents: Vec<i64>) -> Result<()> {
        if !self.undone.is_empty() {
            return Ok(());
        }
        let writes: Vec<Write> = intents.into_iter().map(|id| self.scene.ledger.remove_intent(id)).collect();
        if !writes.is_empty() {
            self.store.write(self.tenant, writes).await?;
        }
        Ok(())
    }
}

/// The identity of the file or link that a change moves.
fn moved_ident(change: &Change) -> Option<&Ident> {
    let Action::Move { on, .. } = change.action else { return None };
    match &change.expect[on] {
        Expect::Node(node) if node.kind != Kind::Dir && node.ident != Ident::None => Some(&node.ident),
        Expect::Node(_) | Expect::Absent | Expect::Any => None,
    }
}

fn hangs_nowhere(change: &Change) -> Error {
    Error::new(Code::Stale, "carry", &change.path).because("its directory could not be brought into step")
}

/// What a run begins with.
pub(crate) fn seen_at(clock: &dyn Clock, scene: &Scene) -> Seen {
    let precision = |side: Side| scene.sides[side].capabilities().time_precision_ns;
    let precision_ns = Sides::new(precision(Side::Left), precision(Side::Right));
    Seen { at: timestamp(clock.now()), taken: clock.elapsed(), precision_ns }
}
