//! Conduits.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, free, guard, read_options, read_record, read_text};
use super::{portbook_code, portbook_conduit, portbook_preview, portbook_run};
use crate::{Conduit, wait};

/// Its id in the book.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_id(
    conduit: *const portbook_conduit,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Conduit> = find(conduit)?;
            out.give(&this.id()?);
            Ok(())
        })
    }
}

/// What it does.
///
/// `json` is its `ConduitOptions`, freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_options(
    conduit: *const portbook_conduit,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Conduit> = find(conduit)?;
            out.json(&this.options()?)
        })
    }
}

/// Compares both places with the ledger and stores what would change. Writes nothing to either place.
///
/// Records: `options` is a `PreviewOptions`, or null.
///
/// `preview` is freed with `portbook_preview_free`.
///
/// Errors: `not_found`, `permission`, `offline`: a root cannot be read; `invalid`: a pattern cannot be used.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_preview(
    conduit: *const portbook_conduit,
    options: *const c_char,
    preview: *mut *mut portbook_preview,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("preview", preview)?;
            let this: Arc<Conduit> = find(conduit)?;
            out.open(wait(this.preview(read_options("options", options)?))?);
            Ok(())
        })
    }
}

/// Applies a preview as it stands, by its id, or goes on with one that was interrupted. What is wrong with it is the
/// outcome of the run.
///
/// Records: `options` is a `ApplyOptions`, or null.
///
/// `run` is freed with `portbook_run_free`.
///
/// Errors: `invalid` when an option cannot be used.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_apply(
    conduit: *const portbook_conduit,
    preview: *const c_char,
    options: *const c_char,
    run: *mut *mut portbook_run,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("run", run)?;
            let this: Arc<Conduit> = find(conduit)?;
            let preview = read_text("preview", preview)?;
            let options = read_options("options", options)?;
            out.open(this.apply(preview, options)?);
            Ok(())
        })
    }
}

/// Previews and applies.
///
/// Records: `preview` is a `PreviewOptions`, or null, `options` is a `ApplyOptions`, or null.
///
/// `run` is freed with `portbook_run_free`.
///
/// Errors: `invalid` when an option cannot be used.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_sync(
    conduit: *const portbook_conduit,
    preview: *const c_char,
    options: *const c_char,
    run: *mut *mut portbook_run,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("run", run)?;
            let this: Arc<Conduit> = find(conduit)?;
            let preview = read_options("preview", preview)?;
            let options = read_options("options", options)?;
            out.open(this.sync(preview, options)?);
            Ok(())
        })
    }
}

/// The rules of selective mode in their order.
///
/// `json` is a list of `SelectionRule`, freed with `portbook_text_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_selection_rules(
    conduit: *const portbook_conduit,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Conduit> = find(conduit)?;
            out.json(&wait(this.selection_rules())?)
        })
    }
}

/// Puts these rules in the place of the ones before.
///
/// Records: `rules` is a list of `SelectionRule`.
///
/// Errors: `invalid` when a pattern cannot be used; nothing has changed then.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_set_selection_rules(
    conduit: *const portbook_conduit,
    rules: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Conduit> = find(conduit)?;
            wait(this.set_selection_rules(read_record("rules", rules)?))
        })
    }
}

/// The pins of selective mode, ordered by path.
///
/// `json` is a list of `Pin`, freed with `portbook_text_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_pins(
    conduit: *const portbook_conduit,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Conduit> = find(conduit)?;
            out.json(&wait(this.pins())?)
        })
    }
}

/// Pins a path, whatever the rules say of it. A pin that the path has already is turned round.
///
/// Records: `pin` is a `Pin`.
///
/// Errors: `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_pin(
    conduit: *const portbook_conduit,
    pin: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Conduit> = find(conduit)?;
            wait(this.pin(read_record("pin", pin)?))
        })
    }
}

/// Leaves a path to the rules again.
///
/// Errors: `not_found` when it has no pin.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_unpin(
    conduit: *const portbook_conduit,
    path: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Conduit> = find(conduit)?;
            wait(this.unpin(read_text("path", path)?))
        })
    }
}

/// The conflicts that wait for a person, the latest first, after the one of that number; 0 for the first page. 1,000
/// at most.
///
/// `json` is a list of `Conflict`, freed with `portbook_text_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_conflicts(
    conduit: *const portbook_conduit,
    after: i64,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Conduit> = find(conduit)?;
            out.json(&wait(this.conflicts((after > 0).then_some(after), limit))?)
        })
    }
}

/// One conflict, open or closed, with what is needed to decide about it.
///
/// `json` is an `Inspection`, freed with `portbook_text_free`.
///
/// Errors: `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_inspect_conflict(
    conduit: *const portbook_conduit,
    id: i64,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Conduit> = find(conduit)?;
            out.json(&wait(this.inspect_conflict(id))?)
        })
    }
}

/// Decides about a conflict; the next run carries it out. `mark` is that of the conflict as it was looked at.
///
/// Records: `choice` is a `Choice`.
///
/// Errors: `not_found`; `stale` when it is not what was looked at any more; `invalid` when that cannot be decided
/// here.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_conduit_resolve_conflict(
    conduit: *const portbook_conduit,
    id: i64,
    mark: *const c_char,
    choice: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Conduit> = find(conduit)?;
            let mark = read_text("mark", mark)?;
            let choice = read_record("choice", choice)?;
            wait(this.resolve_conflict(id, mark, choice))
        })
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_conduit_free(conduit: *mut portbook_conduit) {
    free::<_, Conduit>(conduit);
}
