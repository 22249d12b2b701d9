//! Runs: their events, their control, their outcome.

use portbook_ffi::records::{RunEvent, RunReport, StoredProgress};
use pyo3::prelude::*;

use crate::calls::{calls, handle};
use crate::later::later;
use crate::waiting::wait;

handle! {
    /// A run under way. Iterating over it, with `for` or `async for`, reads its events. Letting go of it lets the run go
    /// on; `cancel` ends it. After its book was shut down it still tells how it ended.
    Run keeps RunEvent
}

calls! { Run {} next {
    /// The next event; none after the last. Progress is skipped when nobody reads; what was applied and what
    /// failed never is: from the first call on the run waits for its events to be taken, until `finish` drops
    /// what is unread. A wait that is given up loses no event.
    ///
    /// Errors: `invalid` after a fork.
    next_event / next_event_async -> RunEvent = |run| run.next_event().await;
} also {
    /// Ends the run at the next safe point. Returns at once; may be called from any thread, and more than once.
    fn cancel(&self) {
        self.handle.cancel();
    }

    /// Makes the run wait at the next safe point.
    fn pause(&self) {
        self.handle.pause();
    }

    /// Lets a paused run go on.
    fn resume(&self) {
        self.handle.resume();
    }

    /// Waits for the end and returns the outcome; the same again when called again. `on_progress` is called with every
    /// `RunProgress` meanwhile, on this thread.
    ///
    /// Errors: `guard`, `busy`, `storage` ...: the run as a whole could not be done. What happened to single items is in
    /// the report.
    #[pyo3(signature = (*, on_progress: "collections.abc.Callable[[RunProgress], object] | None" = None) -> "RunReport")]
    fn finish(&self, py: Python<'_>, on_progress: Option<Bound<'_, PyAny>>) -> PyResult<RunReport> {
        if let Some(on_progress) = on_progress {
            while let Some(event) = self.next_event(py)? {
                if let RunEvent::Progress { at } = event {
                    on_progress.call1((at,))?;
                }
            }
        }
        let run = self.handle.clone();
        wait(py, async move { run.finish().await })
    }

    /// Waits for the end and returns the outcome; the same again when called again. `on_progress` is called with every
    /// `RunProgress` meanwhile, by the loop.
    ///
    /// Errors: `guard`, `busy`, `storage` ...: the run as a whole could not be done. What happened to single items is in
    /// the report.
    ///
    /// To be awaited.
    #[pyo3(signature = (*, on_progress: "collections.abc.Callable[[RunProgress], object] | None" = None) -> "collections.abc.Awaitable[RunReport]")]
    fn finish_async<'py>(slf: &Bound<'py, Self>, on_progress: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(on_progress) = on_progress {
            return slf.py().import("portbook.listing")?.call_method1("finish", (slf, on_progress));
        }
        let run = slf.get().handle.clone();
        later::<_, RunReport>(slf.py(), async move { run.finish().await })?.into_pyobject(slf.py())
    }
} }

handle! {
    /// The progress of a run of this process or another, as it changes, read with `for` or `async for`. Letting go of it
    /// ends the watch and nothing else.
    ProgressWatch keeps StoredProgress
}

calls! { ProgressWatch {} next {
    /// The run's progress: at once the first time, then whenever it has changed; none after the row that
    /// completes it.
    ///
    /// Errors: `not_found` when there is no such run, or no longer; `storage`, `busy`, `offline`.
    next_row / next_row_async -> StoredProgress = |watch| watch.next_row().await;
} also {} }
