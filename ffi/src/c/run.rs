//! Runs.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, free, guard, guard_stream};
use super::{portbook_code, portbook_run};
use crate::{Run, wait};

/// The next event; `PORTBOOK_END` after the last. Progress is skipped when nobody reads; what was applied and what
/// failed never is: from the first call on the run waits for its events to be taken.
///
/// `json` is a `RunEvent`, freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_run_next_event(
    run: *const portbook_run,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard_stream(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Run> = find(run)?;
            out.next(wait(this.next_event())?)
        })
    }
}

/// Ends the run at the next safe point. May be called more than once. A handle that is none is left alone. Returns at
/// once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_run_cancel(run: *const portbook_run) {
    if let Ok(this) = find::<_, Run>(run) {
        this.cancel();
    }
}

/// Makes the run wait at the next safe point. A handle that is none is left alone. Returns at once; any thread. Since
/// ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_run_pause(run: *const portbook_run) {
    if let Ok(this) = find::<_, Run>(run) {
        this.pause();
    }
}

/// Lets a paused run go on. A handle that is none is left alone. Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_run_resume(run: *const portbook_run) {
    if let Ok(this) = find::<_, Run>(run) {
        this.resume();
    }
}

/// Waits for the end and returns the outcome; the same again when called again. What is unread of its events is
/// dropped.
///
/// `json` is a `RunReport`, freed with `portbook_text_free`.
///
/// Errors: `guard`, `busy`, `storage` …: the run as a whole could not be done. What happened to single items is in
/// the report.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_run_finish(
    run: *const portbook_run,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Run> = find(run)?;
            out.json(&wait(this.finish())?)
        })
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_run_free(run: *mut portbook_run) {
    free::<_, Run>(run);
}
