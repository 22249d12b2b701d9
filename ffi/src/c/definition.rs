//! Definitions of records.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, free, guard, read_options, read_record, read_text, read_text_or_none, read_word};
use super::{portbook_code, portbook_definition, portbook_run};
use crate::{Definition, wait};

/// Its id in the book (`sync_definitions`).
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_id(
    definition: *const portbook_definition,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Definition> = find(definition)?;
            out.give(&this.id()?);
            Ok(())
        })
    }
}

/// Compares both tables with the ledger and stores what would change. Writes nothing to either.
///
/// Records: `options` is a `RowPreviewOptions`, or null.
///
/// `json` is a `RowPreview`, freed with `portbook_text_free`; the id in its summary names it from here on.
///
/// Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be read; `invalid`: the mapping does not fit the
/// tables as they are now.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_preview(
    definition: *const portbook_definition,
    options: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Definition> = find(definition)?;
            out.json(&wait(this.preview(read_options("options", options)?))?)
        })
    }
}

/// What a preview holds in sum, by its id.
///
/// `json` is a `RowPreview`, freed with `portbook_text_free`.
///
/// Errors: `not_found` when there is none of this definition, or it has expired.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_stored_preview(
    definition: *const portbook_definition,
    preview: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Definition> = find(definition)?;
            out.json(&wait(this.stored_preview(read_text("preview", preview)?))?)
        })
    }
}

/// A page of the rows of a preview in the order in which they are applied. `kind` is a `ChangeKind` as text, or null for
/// all; rows that are equal and only recorded are listed when `unchanged` is asked for. `after` is `next` of the page
/// before, or null. 1,000 at most.
///
/// `json` is a `PreviewedRowPage`, freed with `portbook_text_free`.
///
/// Errors: `not_found`, `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_changes(
    definition: *const portbook_definition,
    preview: *const c_char,
    kind: *const c_char,
    after: *const c_char,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Definition> = find(definition)?;
            let preview = read_text("preview", preview)?;
            let kind = read_word("kind", kind)?;
            let after = read_text_or_none("after", after)?;
            out.json(&wait(this.changes(preview, kind, after, limit))?)
        })
    }
}

/// Ticks changes of a preview in or out.
///
/// Records: `changes` is a list of texts, the ids of changes.
///
/// Errors: `not_found`; `busy` once it is being applied; `conflict` for a change that it does not have.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_tick(
    definition: *const portbook_definition,
    preview: *const c_char,
    changes: *const c_char,
    ticked: bool,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Definition> = find(definition)?;
            let preview = read_text("preview", preview)?;
            wait(this.tick(preview, read_record("changes", changes)?, ticked))
        })
    }
}

/// Applies a preview as it stands, by its id, or goes on with one that was interrupted. What is wrong with it is the
/// outcome of the run.
///
/// Records: `options` is a `RowApplyOptions`, or null.
///
/// `run` is freed with `portbook_run_free`.
///
/// Errors: `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_apply(
    definition: *const portbook_definition,
    preview: *const c_char,
    options: *const c_char,
    run: *mut *mut portbook_run,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("run", run)?;
            let this: Arc<Definition> = find(definition)?;
            let preview = read_text("preview", preview)?;
            let options = read_options("options", options)?;
            out.open(this.apply(preview, options)?);
            Ok(())
        })
    }
}

/// Previews and applies.
///
/// Records: `preview` is a `RowPreviewOptions`, or null, `options` is a `RowApplyOptions`, or null.
///
/// `run` is freed with `portbook_run_free`.
///
/// Errors: `invalid` when an option cannot be used.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_sync(
    definition: *const portbook_definition,
    preview: *const c_char,
    options: *const c_char,
    run: *mut *mut portbook_run,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("run", run)?;
            let this: Arc<Definition> = find(definition)?;
            let preview = read_options("preview", preview)?;
            let options = read_options("options", options)?;
            out.open(this.sync(preview, options)?);
            Ok(())
        })
    }
}

/// Compares both tables row by row, whatever the ledger says, and writes down what came of it (`sync_metrics`).
///
/// `json` is a `RowVerifyReport`, freed with `portbook_text_free`.
///
/// Errors: as `portbook_definition_preview`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_verify(
    definition: *const portbook_definition,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Definition> = find(definition)?;
            out.json(&wait(this.verify())?)
        })
    }
}

/// The lists that its rows may go to; none where the target is a table.
///
/// `json` is a list of `RecordTarget`, freed with `portbook_text_free`.
///
/// Errors: `not_found` when the definition is gone.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_targets(
    definition: *const portbook_definition,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Definition> = find(definition)?;
            out.json(&wait(this.targets())?)
        })
    }
}

/// What has changed about both tables since the last run, or since they were accepted as they are, and what that is to
/// this definition; also what keeps it from running.
///
/// `json` is a list of `Drift`, freed with `portbook_text_free`.
///
/// Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_drift(
    definition: *const portbook_definition,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Definition> = find(definition)?;
            out.json(&wait(this.drift())?)
        })
    }
}

/// The rows that wait for a person. `after` is the id of the last one of the page before, or null. 1,000 at most.
///
/// `json` is a list of `RowConflict`, freed with `portbook_text_free`.
///
/// Errors: `invalid` when `after` is no id; `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_conflicts(
    definition: *const portbook_definition,
    after: *const c_char,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Definition> = find(definition)?;
            out.json(&wait(this.conflicts(read_text_or_none("after", after)?, limit))?)
        })
    }
}

/// A row that waits, with what both sides hold in its fields now.
///
/// `json` is a `RowInspection`, freed with `portbook_text_free`.
///
/// Errors: `not_found` when no row waits by this id; as `portbook_definition_preview`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_inspect_conflict(
    definition: *const portbook_definition,
    id: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Definition> = find(definition)?;
            out.json(&wait(this.inspect_conflict(read_text("id", id)?))?)
        })
    }
}

/// Decides about a row that waits. `mark` is that of the conflict as it was looked at. The next preview shows what was
/// decided, and applying it carries it out.
///
/// Records: `choice` is a `RowChoice`.
///
/// Errors: `not_found`; `stale` when it is not what was looked at any more; `invalid` for columns of a row that one side
/// has deleted, or for one that does not go both ways.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_definition_resolve_conflict(
    definition: *const portbook_definition,
    id: *const c_char,
    mark: *const c_char,
    choice: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Definition> = find(definition)?;
            let (id, mark) = (read_text("id", id)?, read_text("mark", mark)?);
            let choice = read_record("choice", choice)?;
            wait(this.resolve_conflict(id, mark, choice))
        })
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_definition_free(definition: *mut portbook_definition) {
    free::<_, Definition>(definition);
}
