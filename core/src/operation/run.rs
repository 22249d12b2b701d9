//! A run under way: its events, its control, its outcome.
//!
//! Events are pulled. Progress may be skipped when the reader is slow; facts (applied, failed, stale, conflict) may
//! not: once a host has asked for events, the run waits for it to take them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, mpsc, oneshot, watch};

use super::progress::Progress;
use crate::delta::ChangeKind;
use crate::error::{Code, Error, Result};
use crate::model::PreviewId;
use crate::operation::preview::PreviewSummary;

/// What a run reports while it works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunEvent {
    /// The preview is on disk: what will be done, with its totals, before the first byte.
    Planned(PreviewSummary),
    /// How far it is; skipped when nobody reads.
    Progress(Progress),
    /// These items are done and durable.
    Applied(Vec<AppliedItem>),
    /// An item could not be carried.
    Failed(ItemFailure),
    /// The run waits until it is resumed.
    Paused,
    /// The run goes on.
    Resumed,
}

/// An item that was carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedItem {
    /// Its path, escaped for display.
    pub path: String,
    /// How it is counted.
    pub kind: ChangeKind,
    /// Bytes that were carried.
    pub bytes: u64,
}

/// An item that was not carried, and why. Code `stale`: it moved on since it was previewed and was left alone.
#[derive(Clone, Debug)]
pub struct ItemFailure {
    /// Its path, escaped for display.
    pub path: String,
    /// What was wrong.
    pub error: Error,
}

/// How many items of each kind; of a preview what would be done, of a run what was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Items that one side did not have.
    pub new: u64,
    /// Items carried over an older state.
    pub updated: u64,
    /// Items removed.
    pub deleted: u64,
    /// Items renamed or moved.
    pub moved: u64,
    /// Items that both sides had changed.
    pub conflicts: u64,
    /// Items that were equal.
    pub unchanged: u64,
    /// Items left alone for a stated reason.
    pub skipped: u64,
    /// Items that could not be carried, stale ones included.
    pub failed: u64,
}

impl Counts {
    /// Counts `n` items of that kind.
    pub fn add(&mut self, kind: ChangeKind, n: u64) {
        *match kind {
            ChangeKind::New => &mut self.new,
            ChangeKind::Updated => &mut self.updated,
            ChangeKind::Deleted => &mut self.deleted,
            ChangeKind::Moved => &mut self.moved,
            ChangeKind::Conflict => &mut self.conflicts,
            ChangeKind::Unchanged => &mut self.unchanged,
            ChangeKind::Skipped => &mut self.skipped,
        } += n;
    }

    /// Whether there is nothing to do: all but `unchanged` and `skipped` are zero.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let Self { new, updated, deleted, moved, conflicts, unchanged: _, skipped: _, failed } = *self;
        [new, updated, deleted, moved, conflicts, failed].iter().all(|n| *n == 0)
    }
}

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// Which execution of the conduit it was, from 1. 0 when it was cancelled while it looked at the places: nothing was
    /// begun, and the history has no line of it.
    pub generation: i64,
    /// The preview that was applied; one that cannot be, when the run was cancelled before it was complete.
    pub preview: PreviewId,
    /// What was done.
    pub counts: Counts,
    /// Stale items among the failed ones.
    pub stale: u64,
    /// Conflicts that wait for a person.
    pub waiting: u64,
    /// Bytes that were carried.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// The first failures, 100 at most; all of them are in the book. What was left out for want of room is one of them for each
    /// side, by the path of the first.
    pub failures: Vec<ItemFailure>,
    /// What the look at both sides after the run showed (`sync_generation.verification_status`).
    pub verification: String,
    /// It was cancelled before it was done; the next run goes on from there.
    pub cancelled: bool,
}

impl RunReport {
    /// Whether both sides are in step: nothing failed, nothing waits.
    #[must_use]
    pub fn is_in_step(&self) -> bool {
        self.counts.failed == 0 && self.waiting == 0 && !self.cancelled
    }
}

const RUNNING: u8 = 0;
const PAUSED: u8 = 1;
const CANCELLED: u8 = 2;

/// Cancel and pause, seen by the run at every batch.
#[derive(Debug, Default)]
pub(crate) struct Control {
    state: AtomicU8,
    changed: Notify,
    /// For whom waits for somebody who need not answer.
    is_cancelled: watch::Sender<bool>,
    /// The stop flag that provider threads look at inside of a long copy.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Control {
    pub(crate) fn cancel(&self) {
        self.state.store(CANCELLED, Ordering::SeqCst);
        self.stop.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
        self.is_cancelled.send_replace(true);
    }

    /// Becomes true when the run is cancelled.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.is_cancelled.subscribe()
    }

    fn swap(&self, from: u8, to: u8) {
        // A cancelled run stays cancelled: only the named state changes.
        if self.state.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.changed.notify_waiters();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.state.load(Ordering::SeqCst) == CANCELLED
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state.load(Ordering::SeqCst) == PAUSED
    }

    /// Fails with `cancelled` once the run was cancelled.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::new(Code::Cancelled, "finish the run", "").because("it was cancelled"))
        } else {
            Ok(())
        }
    }

    /// Waits while the run is paused.
    pub(crate) async fn wait_while_paused(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.is_paused() {
                return;
            }
            changed.await;
        }
    }
}

/// The run's own end of a [`Run`].
pub(crate) struct Reporter {
    pub(crate) control: Arc<Control>,
    events: mpsc::Sender<RunEvent>,
    listening: Arc<AtomicBool>,
}

impl Reporter {
    /// A fact: waits until there is room, unless nobody listens.
    pub(crate) async fn fact(&self, event: RunEvent) {
        if self.listening.load(Ordering::SeqCst) {
            // A reader that was dropped takes no more facts; the book has them all.
            let _ = self.events.send(event).await;
        } else {
            let _ = self.events.try_send(event);
        }
    }

    /// Progress: skipped when there is no room.
    pub(crate) fn progress(&self, progress: Progress) {
        let _ = self.events.try_send(RunEvent::Progress(progress));
    }

    /// Where a run may wait or stop.
    ///
    /// # Errors
    /// `cancelled` once the run was cancelled.
    pub(crate) async fn gate(&self) -> Result<()> {
        if self.control.is_paused() {
            self.fact(RunEvent::Paused).await;
            self.control.wait_while_paused().await;
            self.fact(RunEvent::Resumed).await;
        }
        self.control.check()
    }

    pub(crate) fn is_listened_to(&self) -> bool {
        self.listening.load(Ordering::SeqCst)
    }
}

/// An operation under way. Dropping it lets the operation go on; [`cancel`](Self::cancel) ends it.
pub struct Run {
    control: Arc<Control>,
    listening: Arc<AtomicBool>,
    events: Mutex<mpsc::Receiver<RunEvent>>,
    outcome: Mutex<Outcome>,
}

enum Outcome {
    Pending(oneshot::Receiver<Result<RunReport>>),
    Known(Result<RunReport>),
}

impl Run {
    /// A run and the end that reports into it.
    pub(crate) fn new() -> (Self, Reporter, oneshot::Sender<Result<RunReport>>) {
        let control = Arc::new(Control::default());
        let (sender, receiver) = mpsc::channel(256);
        let (outcome, pending) = oneshot::channel();
        let listening = Arc::new(AtomicBool::new(false));
        let run = Self {
            control: control.clone(),
            listening: listening.clone(),
            events: Mutex::new(receiver),
            outcome: Mutex::new(Outcome::Pending(pending)),
        };
        (run, Reporter { control, events: sender, listening }, outcome)
    }

    pub(crate) fn control(&self) -> Arc<Control> {
        self.control.clone()
    }

    /// The next event; `None` after the last. The first call makes the run wait for its facts to be read; take events
    /// until `None`, or call [`finish`](Self::finish), which drops what is unread.
    pub async fn next_event(&self) -> Option<RunEvent> {
        self.listening.store(true, Ordering::SeqCst);
        self.events.lock().await.recv().await
    }

    /// Ends the run at the next safe point. Returns at once; may be called from any thread and more than once.
    pub fn cancel(&self) {
        self.control.cancel();
    }

    /// Makes the run wait at the next safe point.
    pub fn pause(&self) {
        self.control.swap(RUNNING, PAUSED);
    }

    /// Lets a paused run go on.
    pub fn resume(&self) {
        self.control.swap(PAUSED, RUNNING);
    }

    /// Waits for the end and returns the outcome; again the same outcome when called again.
    ///
    /// # Errors
    /// `guard`, `busy`, `storage` …: the run as a whole could not be done. What happened to single items is in the
    /// report.
    pub async fn finish(&self) -> Result<RunReport> {
        self.listening.store(false, Ordering::SeqCst);
        let drain = async {
            let mut events = self.events.lock().await;
            while events.recv().await.is_some() {}
        };
        let mut outcome = self.outcome.lock().await;
        if let Outcome::Pending(pending) = &mut *outcome {
            let (_, result) = futures_util::join!(drain, pending);
            let lost =
                |_| Err(Error::new(Code::Internal, "finish the run", "").because("its task ended without an outcome"));
            *outcome = Outcome::Known(result.unwrap_or_else(lost));
        }
        match &*outcome {
            Outcome::Known(result) => result.clone(),
            Outcome::Pending(_) => unreachable!("an outcome was stored right above"),
        }
    }
}
