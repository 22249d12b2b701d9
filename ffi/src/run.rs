//! Runs: their events, their control, their outcome.

use std::sync::Arc;

use portbook::operation;

use crate::error::Result;
use crate::life::{Life, Own};
use crate::ready::Ready;
use crate::records::{RunEvent, RunReport, StoredProgress, events_of};

/// A run under way. Dropping it lets the run go on; [`cancel`](Self::cancel) ends it. After its book was shut down it still
/// tells how it ended.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct Run {
    life: Arc<Life>,
    core: Own<operation::Run>,
    /// Pieces of an event that were not taken yet.
    ready: Ready<RunEvent>,
}

impl Run {
    pub(crate) fn new(life: &Arc<Life>, core: operation::Run) -> Arc<Self> {
        Arc::new(Self { life: life.clone(), core: Own::new(core), ready: Ready::new() })
    }

    /// Waits until an event can be taken; false after the last.
    pub(crate) async fn is_ready(&self) -> Result<bool> {
        self.life.check_process()?;
        while self.ready.is_empty() {
            let Some(event) = self.core.get()?.next_event().await else {
                // Another reader may have been given the last event in pieces.
                return Ok(!self.ready.is_empty());
            };
            // Nothing is awaited between taking the event and keeping it.
            self.ready.put(events_of(event));
        }
        Ok(true)
    }

    pub(crate) fn take(&self) -> Option<RunEvent> {
        self.ready.take()
    }
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Run {
    /// The next event; none after the last. Progress is skipped when nobody reads; what was applied and what failed never is: from
    /// the first call on the run waits for its events to be taken, until [`finish`](Self::finish) drops what is unread. A wait
    /// that is given up loses no event.
    ///
    /// # Errors
    /// `invalid` after a fork.
    pub async fn next_event(&self) -> Result<Option<RunEvent>> {
        while self.is_ready().await? {
            if let Some(event) = self.take() {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Ends the run at the next safe point. Returns at once; may be called from any thread, and more than once.
    pub fn cancel(&self) {
        if let Ok(core) = self.core.get() {
            core.cancel();
        }
    }

    /// Makes the run wait at the next safe point.
    pub fn pause(&self) {
        if let Ok(core) = self.core.get() {
            core.pause();
        }
    }

    /// Lets a paused run go on.
    pub fn resume(&self) {
        if let Ok(core) = self.core.get() {
            core.resume();
        }
    }

    /// Waits for the end and returns the outcome; the same again when called again.
    ///
    /// # Errors
    /// `guard`, `busy`, `storage` …: the run as a whole could not be done. What happened to single items is in the report.
    pub async fn finish(&self) -> Result<RunReport> {
        self.life.check_process()?;
        Ok(self.core.get()?.finish().await?.into())
    }
}

/// The progress of a run of this process or another, as it changes. Dropping it ends the watch and nothing else.
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct ProgressWatch {
    life: Arc<Life>,
    core: Own<operation::ProgressWatch>,
    ready: Ready<StoredProgress>,
}

impl ProgressWatch {
    pub(crate) fn new(life: &Arc<Life>, core: operation::ProgressWatch) -> Arc<Self> {
        Arc::new(Self { life: life.clone(), core: Own::new(core), ready: Ready::new() })
    }

    /// Waits until a row can be taken; false after the last.
    pub(crate) async fn is_ready(&self) -> Result<bool> {
        self.life.check()?;
        if self.ready.is_empty() {
            self.ready.put(self.core.get()?.next().await?.map(Into::into));
        }
        Ok(!self.ready.is_empty())
    }

    pub(crate) fn take(&self) -> Option<StoredProgress> {
        self.ready.take()
    }
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl ProgressWatch {
    /// The run's progress: at once the first time, then whenever it has changed; none after the row that completes it.
    ///
    /// # Errors
    /// `not_found` when there is no such run, or no longer; `storage`, `busy`, `offline`.
    pub async fn next_row(&self) -> Result<Option<StoredProgress>> {
        while self.is_ready().await? {
            if let Some(row) = self.take() {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}
