//! Previews.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, free, guard, read_options, read_record, read_text_or_none};
use super::{portbook_code, portbook_preview};
use crate::{Preview, wait};

/// Names it: give it to `portbook_conduit_apply`.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_preview_id(
    preview: *const portbook_preview,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Preview> = find(preview)?;
            out.give(&Ok::<_, crate::PortbookError>(this.id())?);
            Ok(())
        })
    }
}

/// What it holds in sum.
///
/// `json` is a `PreviewSummary`, freed with `portbook_text_free`.
///
/// Errors: `not_found` when it has expired or was deleted.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_preview_summary(
    preview: *const portbook_preview,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Preview> = find(preview)?;
            out.json(&wait(this.summary())?)
        })
    }
}

/// A page of its changes in the order in which they are applied. `after` is `next` of the page before, or null. 1,000
/// at most.
///
/// Records: `filter` is a `ChangeFilter`, or null.
///
/// `json` is a `ChangePage`, freed with `portbook_text_free`.
///
/// Errors: `not_found`, `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_preview_changes(
    preview: *const portbook_preview,
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
            let this: Arc<Preview> = find(preview)?;
            let filter = read_options("filter", filter)?;
            let after = read_text_or_none("after", after)?;
            out.json(&wait(this.changes(filter, after, limit))?)
        })
    }
}

/// Ticks changes in or out. The second halves of a decision go with the first.
///
/// Records: `changes` is a list of texts, the ids of changes.
///
/// Errors: `not_found`; `busy` once it is being applied; `conflict` when an id is none of this preview or names a
/// second half.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_preview_tick(
    preview: *const portbook_preview,
    changes: *const c_char,
    ticked: bool,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Preview> = find(preview)?;
            wait(this.tick(read_record("changes", changes)?, ticked))
        })
    }
}

/// Ticks in or out every change that the filter names.
///
/// Records: `filter` is a `ChangeFilter`, or null.
///
/// Errors: as `portbook_preview_tick`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_preview_tick_all(
    preview: *const portbook_preview,
    filter: *const c_char,
    ticked: bool,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Preview> = find(preview)?;
            wait(this.tick_all(read_options("filter", filter)?, ticked))
        })
    }
}

/// Deletes it. The handle still has to be freed.
///
/// Errors: `not_found`; `busy` when a run is applying it or is to be resumed from it.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_preview_discard(
    preview: *const portbook_preview,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Preview> = find(preview)?;
            wait(this.discard())
        })
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_preview_free(preview: *mut portbook_preview) {
    free::<_, Preview>(preview);
}
