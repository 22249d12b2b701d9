//! Runs: their events, their control, their outcome.

use std::sync::Arc;

use napi::bindgen_prelude::{Env, PromiseRaw, Result};
use napi_derive::napi;
use portbook_ffi::records::{RunEvent, RunReport, StoredProgress};

use crate::bridge::at_once;

/// A run under way. Dropping it lets the run go on; `cancel` ends it. After its book was shut down it still
/// tells how it ended.
#[napi]
pub struct Run {
    pub(crate) core: Arc<portbook_ffi::Run>,
}

#[napi]
impl Run {
    /// The next event; none after the last. Progress is skipped when nobody reads; what was applied and what failed never is: from
    /// the first call on the run waits for its events to be taken, until `finish` drops what is unread. A wait
    /// that is given up loses no event.
    ///
    /// @throws `invalid` after a fork.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<RunEvent | null>")]
    pub fn next_event<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<RunEvent>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.next_event().await?) })
    }

    /// Ends the run at the next safe point. Returns at once; may be called from any thread, and more than once.
    #[napi]
    pub fn cancel(&self) -> Result<()> {
        at_once(|| {
            self.core.cancel();
            Ok(())
        })
    }

    /// Makes the run wait at the next safe point.
    #[napi]
    pub fn pause(&self) -> Result<()> {
        at_once(|| {
            self.core.pause();
            Ok(())
        })
    }

    /// Lets a paused run go on.
    #[napi]
    pub fn resume(&self) -> Result<()> {
        at_once(|| {
            self.core.resume();
            Ok(())
        })
    }

    /// Waits for the end and returns the outcome; the same again when called again.
    ///
    /// @throws `guard`, `busy`, `storage` …: the run as a whole could not be done. What happened to single items is in the report.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<RunReport>")]
    pub fn finish<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, RunReport>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.finish().await?) })
    }
}

/// The progress of a run of this process or another, as it changes. Dropping it ends the watch and nothing else.
#[napi]
pub struct ProgressWatch {
    pub(crate) core: Arc<portbook_ffi::ProgressWatch>,
}

#[napi]
impl ProgressWatch {
    /// The run's progress: at once the first time, then whenever it has changed; none after the row that completes it.
    ///
    /// @throws `not_found` when there is no such run, or no longer; `storage`, `busy`, `offline`.
    #[napi(ts_args_type = "call?: Abortable", ts_return_type = "Promise<StoredProgress | null>")]
    pub fn next_row<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<StoredProgress>>> {
        let core = self.core.clone();
        env.spawn_future(async move { Ok(core.next_row().await?) })
    }
}
