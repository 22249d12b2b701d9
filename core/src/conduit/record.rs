//! What a run has done goes into the book: the ledger, the rows of the volumes at its sides, failures, progress.

use std::time::Duration;

use crate::delta::{Action, Change, ChangeKind};
use crate::error::{Code, Error, Result};
use crate::model::RelPath;
use crate::operation::clock::timestamp;
use crate::operation::run::{AppliedItem, ItemFailure, RunEvent};
use crate::store::Write;
use crate::volume::Room;

use super::apply::{Apply, dir_in_ledger};
use super::ends::Fact;
use super::outcome::{self, Done, Entry, Outcome};

/// Failures that a report lists; the book has all of them.
const LISTED_FAILURES: usize = 100;

/// How often the progress row in the book is written at most.
const PROGRESS_ROW_EVERY: Duration = Duration::from_secs(1);

/// How often a batch is tried in which rows of a volume were changed by others meanwhile.
const ATTEMPTS: u32 = 20;

/// What a batch brings to its end.
#[derive(Default)]
pub(super) struct Closing {
    /// Its intents, and the like.
    pub(super) writes: Vec<Write>,
    /// The room that was promised to it.
    pub(super) room: Option<Room>,
    /// What there was no room for: other files may still fit.
    pub(super) refused: Vec<Outcome>,
}

impl Apply {
    /// One transaction: ledger rows, failures, the removal of the intent, the position in the plan.
    /// `closing` is what the outcomes bring to an end. Where a side is a saved volume, its rows are of it, too.
    pub(super) async fn commit(&mut self, closing: Closing, outcomes: Vec<Outcome>) -> Result<()> {
        self.seen.look_at_clock(timestamp(self.clock.now()), self.clock.elapsed());
        let mut entries = Vec::with_capacity(outcomes.len());
        let mut writes = Vec::new();
        let mut last = None;
        let mut items = Vec::new();
        let mut facts = Vec::new();
        let (mut done_items, mut done_bytes) = (0, 0);
        let Closing { writes: closing, room, refused } = closing;
        self.keep_dirs(outcomes.iter().chain(&refused));
        for planned in self.vain.take_left_out() {
            last = last.max(Some(planned.at));
            done_items += 1;
            done_bytes += planned.change.bytes;
            writes.push(self.journal.log.outcome(self.preview, planned.at, Code::Quota));
        }
        let outcomes = outcomes.into_iter().map(|outcome| (outcome, false));
        let refused = refused.into_iter().map(|outcome| (outcome, true));
        for (Outcome { planned, result }, is_refused) in outcomes.chain(refused) {
            last = last.max(Some(planned.at));
            let change = &planned.change;
            done_items += 1;
            done_bytes += change.bytes;
            let result = self.unless_kept(change, result);
            match result.and_then(|done| Ok((outcome::entry(change, &done, self.seen)?, done))) {
                Ok((entry, done)) => {
                    self.vain.fits(change);
                    self.tally.bytes += done.bytes;
                    if planned.lead.is_none() {
                        self.tally.counts.add(change.kind, 1);
                        if self.reporter.is_listened_to() && change.kind != ChangeKind::Unchanged {
                            let path = change.path.to_string();
                            items.push(AppliedItem { path, kind: change.kind, bytes: done.bytes });
                        }
                    }
                    if self.ends.is_any() && !matches!(entry, Entry::Nothing) {
                        facts.push(Fact { change: planned.change, done });
                    }
                    entries.push(entry);
                }
                // Others that are no larger have said so. (What a volume has refused says nothing of the place.)
                Err(error) if error.code() == Code::Quota && !is_refused && !self.vain.has_no_room(change) => {
                    self.give_up(&planned);
                    writes.push(self.journal.log.outcome(self.preview, planned.at, error.code()));
                }
                Err(error) => {
                    // One decision is one failure, however many of its parts could not be carried out.
                    self.misses_dir(change);
                    if self.undone.insert(planned.lead.unwrap_or(planned.at.seq)) {
                        self.tally.counts.failed += 1;
                        self.tally.stale += u64::from(error.code() == Code::Stale);
                    }
                    writes.push(self.journal.failed(change, &error));
                    writes.push(self.journal.log.outcome(self.preview, planned.at, error.code()));
                    self.list_failure(&change.path, error).await;
                }
            }
        }
        writes.extend(self.scene.ledger.writes(entries).await?);
        writes.extend(closing);
        if let Some(at) = last.filter(|at| *at > self.reached) {
            self.reached = at;
            writes.push(self.journal.log.position(self.preview, at));
        }
        self.meter.add(done_items, done_bytes);
        let now = self.clock.elapsed();
        let progress = self.meter.read(now);
        if now.saturating_sub(self.progress_written) >= PROGRESS_ROW_EVERY {
            self.progress_written = now;
            writes.push(self.journal.log.progress(&progress, self.tally.counts.failed + self.failed_before));
        }
        writes.extend(room.iter().flat_map(Room::ending));
        if !writes.is_empty() {
            self.write(facts, writes).await?;
            self.watched.notify_waiters();
        }
        self.reporter.progress(progress);
        if !items.is_empty() {
            self.reporter.fact(RunEvent::Applied(items)).await;
        }
        Ok(())
    }

    /// Remembers the directories of what failed: its row stays where it is.
    fn keep_dirs<'o>(&mut self, outcomes: impl Iterator<Item = &'o Outcome>) {
        let failed = outcomes.filter(|o| o.result.is_err()).map(|o| &o.planned.change);
        self.kept_dirs.extend(failed.map(dir_in_ledger));
    }

    /// A directory whose row would go from above another's stays in the ledger, gone as it may be: the next run finds that
    /// all of it is, and forgets it from below. (A provider may say that it could not remove what it did remove.)
    fn unless_kept(&mut self, change: &Change, result: Result<Done>) -> Result<Done> {
        let goes = matches!(change.action, Action::Delete { .. } | Action::Forget);
        if result.is_ok() && goes && self.kept_dirs.contains(&change.pair) {
            self.kept_dirs.insert(dir_in_ledger(change));
            return Err(Error::new(Code::Stale, "forget", &change.path).because("something in it could not be removed"));
        }
        result
    }

    /// Writes a batch together with the rows of the volumes at its sides.
    async fn write(&self, facts: Vec<Fact>, writes: Vec<Write>) -> Result<()> {
        if facts.is_empty() {
            return self.store.write(self.tenant, writes).await.map(drop);
        }
        let happened = self.ends.happened(&self.scene, &facts).await?;
        for attempt in 1.. {
            let mut batch = self.ends.writes(&happened).await?;
            batch.extend(writes.iter().cloned());
            match self.store.write(self.tenant, batch).await {
                // A host, or a task of the volume, has changed one of the rows since they were read.
                Err(e) if e.code() == Code::Conflict && attempt < ATTEMPTS => {}
                written => return written.map(drop),
            }
        }
        Ok(())
    }

    pub(super) async fn list_failure(&mut self, path: &RelPath, error: Error) {
        let failure = ItemFailure { path: path.to_string(), error };
        if self.tally.failures.len() < LISTED_FAILURES {
            self.tally.failures.push(failure.clone());
        }
        self.reporter.fact(RunEvent::Failed(failure)).await;
    }
}
