//! What a session tells of previews, runs and failures.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, free, guard, guard_stream, read_options, read_record, read_text, read_text_or_none};
use super::{portbook_code, portbook_progress_watch, portbook_session};
use crate::{ProgressWatch, Session, wait};

/// The previews that are stored, the last computed first. `after` is `next` of the page before, or null.
///
/// Records: `filter` is a `PreviewFilter`, or null.
///
/// `json` is a `PreviewPage`, freed with `portbook_text_free`.
///
/// Errors: `invalid` when `after` is of another list.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_previews(
    session: *const portbook_session,
    filter: *const c_char,
    after: *const c_char,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            let filter = read_options("filter", filter)?;
            let after = read_text_or_none("after", after)?;
            out.json(&wait(this.previews(filter, after, limit))?)
        })
    }
}

/// Looks at two places and says where they differ, whatever any ledger says of their contents.
///
/// Records: `source` is a `Place`, `target` is a `Place`, `options` is a `VerifyOptions`, or null.
///
/// `json` is a `VerifyReport`, freed with `portbook_text_free`.
///
/// Errors: `not_found`, `permission`, `offline`: a root cannot be read; `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_verify(
    session: *const portbook_session,
    source: *const c_char,
    target: *const c_char,
    options: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            let source = read_record("source", source)?;
            let target = read_record("target", target)?;
            let options = read_options("options", options)?;
            out.json(&wait(this.verify(source, target, options))?)
        })
    }
}

/// All runs, the latest first; 1,000 at most.
///
/// `json` is a list of `GenerationSummary`, freed with `portbook_text_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_history(
    session: *const portbook_session,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            out.json(&wait(this.history(limit))?)
        })
    }
}

/// The runs between two places in either direction, the latest first; 1,000 at most.
///
/// Records: `source` is a `Place`, `target` is a `Place`.
///
/// `json` is a list of `GenerationSummary`, freed with `portbook_text_free`.
///
/// Errors: `not_found` when they were never synced with each other.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_history_between(
    session: *const portbook_session,
    source: *const c_char,
    target: *const c_char,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            let source = read_record("source", source)?;
            let target = read_record("target", target)?;
            out.json(&wait(this.history_between(source, target, limit))?)
        })
    }
}

/// What was done for the tenant, the latest first.
///
/// Records: `filter` is a `ActivityFilter`, or null.
///
/// `json` is an `ActivityPage`, freed with `portbook_text_free`.
///
/// Errors: `invalid` when `after` is of another list.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_activity(
    session: *const portbook_session,
    filter: *const c_char,
    after: *const c_char,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            let filter = read_options("filter", filter)?;
            let after = read_text_or_none("after", after)?;
            out.json(&wait(this.activity(filter, after, limit))?)
        })
    }
}

/// How far the runs of the tenant are or came, the last begun first.
///
/// Records: `filter` is a `ProgressFilter`, or null.
///
/// `json` is a `ProgressPage`, freed with `portbook_text_free`.
///
/// Errors: `invalid` when `after` is of another list.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_progress(
    session: *const portbook_session,
    filter: *const c_char,
    after: *const c_char,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            let filter = read_options("filter", filter)?;
            let after = read_text_or_none("after", after)?;
            out.json(&wait(this.progress(filter, after, limit))?)
        })
    }
}

/// Watches the progress of a run by its `sync_id`, in this process or another, until it completes.
///
/// `watch` is freed with `portbook_progress_watch_free`.
///
/// Errors: `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_watch_progress(
    session: *const portbook_session,
    sync_id: *const c_char,
    watch: *mut *mut portbook_progress_watch,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("watch", watch)?;
            let this: Arc<Session> = find(session)?;
            out.open(this.watch_progress(read_text("sync_id", sync_id)?)?);
            Ok(())
        })
    }
}

/// Failures of items, the latest first.
///
/// Records: `filter` is a `ErrorFilter`, or null.
///
/// `json` is an `ErrorPage`, freed with `portbook_text_free`.
///
/// Errors: `invalid` when `after` is of another list.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_errors(
    session: *const portbook_session,
    filter: *const c_char,
    after: *const c_char,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            let filter = read_options("filter", filter)?;
            let after = read_text_or_none("after", after)?;
            out.json(&wait(this.errors(filter, after, limit))?)
        })
    }
}

/// Marks a failure as made good, and says how.
///
/// `json` is the `SyncError`, freed with `portbook_text_free`.
///
/// Errors: `not_found`; `conflict` when it is marked already.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_resolve_error(
    session: *const portbook_session,
    id: *const c_char,
    notes: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            let id = read_text("id", id)?;
            let notes = read_text("notes", notes)?;
            out.json(&wait(this.resolve_error(id, notes))?)
        })
    }
}

/// The run's progress: at once the first time, then whenever it has changed; `PORTBOOK_END` after the row that
/// completes it.
///
/// `json` is a `StoredProgress`, freed with `portbook_text_free`.
///
/// Errors: `not_found` when there is no such run.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_progress_watch_next_row(
    progress_watch: *const portbook_progress_watch,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard_stream(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<ProgressWatch> = find(progress_watch)?;
            out.next(wait(this.next_row())?)
        })
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_progress_watch_free(progress_watch: *mut portbook_progress_watch) {
    free::<_, ProgressWatch>(progress_watch);
}
