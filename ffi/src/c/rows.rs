//! Rows of the book's tables, by the name of the table. A row is a JSON object; what the tables are is told by `portbook_tables`.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, guard, read_options, read_text, read_text_or_none};
use super::{portbook_code, portbook_session};
use crate::{Session, wait};

/// Makes a row of the fields given; the others get their defaults. The row as it is then.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `not_found` when there is no such table, or the row names a row that is not there; `invalid`, `conflict`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_create_row(
    session: *const portbook_session,
    table: *const c_char,
    row: *const c_char,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Session> = find(session)?;
            let table = read_text("table", table)?;
            let row = read_text("row", row)?;
            out.give(&wait(this.create_row(table, row))?);
            Ok(())
        })
    }
}

/// The row of that id.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `not_found` when there is none, or it is deleted.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_get_row(
    session: *const portbook_session,
    table: *const c_char,
    id: *const c_char,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Session> = find(session)?;
            let table = read_text("table", table)?;
            let id = read_text("id", id)?;
            out.give(&wait(this.get_row(table, id))?);
            Ok(())
        })
    }
}

/// A page of the rows that `filter`, a `RowFilter`, names; null for all.
///
/// `json` is a `RowPage`, freed with `portbook_text_free`.
///
/// Errors: `invalid` when no index serves the list, or `after` is of another list.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_list_rows(
    session: *const portbook_session,
    table: *const c_char,
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
            let table = read_text("table", table)?;
            let filter = read_options("filter", filter)?;
            let after = read_text_or_none("after", after)?;
            out.json(&wait(this.list_rows(table, filter, after, limit))?)
        })
    }
}

/// Changes the fields given of the row that was read with this `updated_at`. The row as it is then.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `stale` when it was changed since; `not_found`, `invalid`, `conflict`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_update_row(
    session: *const portbook_session,
    table: *const c_char,
    id: *const c_char,
    updated_at: *const c_char,
    fields: *const c_char,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Session> = find(session)?;
            let table = read_text("table", table)?;
            let id = read_text("id", id)?;
            let updated_at = read_text("updated_at", updated_at)?;
            let fields = read_text("fields", fields)?;
            out.give(&wait(this.update_row(table, id, updated_at, fields))?);
            Ok(())
        })
    }
}

/// Deletes a row, or marks it where the table keeps deleted rows.
///
/// Errors: `not_found`; `conflict` while other rows refer to it.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_delete_row(
    session: *const portbook_session,
    table: *const c_char,
    id: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Session> = find(session)?;
            let table = read_text("table", table)?;
            let id = read_text("id", id)?;
            wait(this.delete_row(table, id))
        })
    }
}

/// Takes a deletion back.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `unsupported` where deleted rows are gone; `not_found`, `conflict`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_restore_row(
    session: *const portbook_session,
    table: *const c_char,
    id: *const c_char,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Session> = find(session)?;
            let table = read_text("table", table)?;
            let id = read_text("id", id)?;
            out.give(&wait(this.restore_row(table, id))?);
            Ok(())
        })
    }
}

/// The secret in a column of a row, in the open.
///
/// `text` is freed with `portbook_text_free`; null where there is none.
///
/// Errors: `wrong_key` when the book was opened without its key; `invalid` when the column holds no secrets;
/// `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_reveal(
    session: *const portbook_session,
    table: *const c_char,
    id: *const c_char,
    column: *const c_char,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Session> = find(session)?;
            let table = read_text("table", table)?;
            let id = read_text("id", id)?;
            let column = read_text("column", column)?;
            if let Some(found) = wait(this.reveal(table, id, column))? {
                out.give(&found);
            }
            Ok(())
        })
    }
}
