//! Tables: which are kept in step, and what they look like.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, guard, read_options, read_record, read_text};
use super::{portbook_code, portbook_definition, portbook_host_records, portbook_session};
use crate::{Session, wait};

/// The definition that keeps these two tables in step, found or made; its attributes become `options`. Both are looked
/// at, and the inventory of the book learns of them.
///
/// Records: `source` is a `RecordPlace`, `target` is a `RecordPlace`, `options` is a `RecordOptions`, or null.
///
/// `definition` is freed with `portbook_definition_free`.
///
/// Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at; `invalid`: there is no key, a
/// column is not there, a field cannot cross.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_connect_records(
    session: *const portbook_session,
    source: *const c_char,
    target: *const c_char,
    options: *const c_char,
    definition: *mut *mut portbook_definition,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("definition", definition)?;
            let this: Arc<Session> = find(session)?;
            let source = read_record("source", source)?;
            let target = read_record("target", target)?;
            let options = read_options("options", options)?;
            out.open(wait(this.connect_records(source, target, options))?);
            Ok(())
        })
    }
}

/// The definition of these two tables as it is: it keeps the attributes that it was given last.
///
/// Records: `source` is a `RecordPlace`, `target` is a `RecordPlace`.
///
/// `definition` is freed with `portbook_definition_free`.
///
/// Errors: `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_records(
    session: *const portbook_session,
    source: *const c_char,
    target: *const c_char,
    definition: *mut *mut portbook_definition,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("definition", definition)?;
            let this: Arc<Session> = find(session)?;
            let source = read_record("source", source)?;
            let target = read_record("target", target)?;
            out.open(wait(this.records(source, target))?);
            Ok(())
        })
    }
}

/// The definition of that id (`sync_definitions`), with what its rows in the book say of how its databases are reached.
/// One with a table of the host's own is found by `portbook_session_records`.
///
/// `definition` is freed with `portbook_definition_free`.
///
/// Errors: `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_definition(
    session: *const portbook_session,
    id: *const c_char,
    definition: *mut *mut portbook_definition,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("definition", definition)?;
            let this: Arc<Session> = find(session)?;
            out.open(wait(this.definition(read_text("id", id)?))?);
            Ok(())
        })
    }
}

/// The tables of a database, without those of its system. The URL is that of a table without the table:
/// `postgres://user@host/database`, `sqlite:///path/to/file.db/`.
///
/// Records: `access` is an `Access`, or null.
///
/// `json` is a list of `TableEntry`, freed with `portbook_text_free`.
///
/// Errors: `invalid` for another URL; `offline`, `auth`, `permission`, `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_inspect_database(
    session: *const portbook_session,
    url: *const c_char,
    access: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            let url = read_text("url", url)?;
            let access = read_options("access", access)?;
            out.json(&wait(this.inspect_database(url, access))?)
        })
    }
}

/// What a table looks like now; the inventory of the book learns it.
///
/// Records: `place` is a `RecordPlace`.
///
/// `json` is a `TableShape`, freed with `portbook_text_free`.
///
/// Errors: as `portbook_session_inspect_database`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_inspect_table(
    session: *const portbook_session,
    place: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            out.json(&wait(this.inspect_table(read_record("place", place)?))?)
        })
    }
}

/// Reads the metadata of every table of a database into the inventory of the book. A table that cannot be described fails
/// alone. The URL is as for `portbook_session_inspect_database`.
///
/// Records: `access` is an `Access`, or null.
///
/// `json` is an `Introspection`, freed with `portbook_text_free`.
///
/// Errors: as there.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_introspect_database(
    session: *const portbook_session,
    url: *const c_char,
    access: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            let url = read_text("url", url)?;
            let access = read_options("access", access)?;
            out.json(&wait(this.introspect_database(url, access))?)
        })
    }
}

/// What has changed about a table since its last snapshot, and what that is to each definition that goes by it. Nothing
/// is written: it is told until a run has gone over it, or the table is accepted.
///
/// Records: `place` is a `RecordPlace`.
///
/// `json` is a list of `TableDrift`, freed with `portbook_text_free`.
///
/// Errors: as `portbook_session_inspect_database`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_table_drift(
    session: *const portbook_session,
    place: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            out.json(&wait(this.table_drift(read_record("place", place)?))?)
        })
    }
}

/// Accepts a table as it is: what it was before stands in no definition's way any more. A key that has become another
/// one makes every row another one; a mapping over a column that is gone is refused in any case.
///
/// Records: `place` is a `RecordPlace`.
///
/// Errors: `not_found` when the book does not know the table; as `portbook_session_inspect_database`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_accept_table(
    session: *const portbook_session,
    place: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Session> = find(session)?;
            wait(this.accept_table(read_record("place", place)?))
        })
    }
}

/// How many resource units an application of SharePoint may spend; unless told otherwise, those of the smallest tenants.
///
/// Records: `account` is a `UnitAccount`.
///
/// `json` is a `UnitBudget`, freed with `portbook_text_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_sharepoint_budget(
    session: *const portbook_session,
    account: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            out.json(&wait(this.sharepoint_budget(read_record("account", account)?))?)
        })
    }
}

/// Sets how many resource units an application of SharePoint may spend, for all processes that use this book.
///
/// Records: `account` is a `UnitAccount`, `budget` is a `UnitBudget`.
///
/// Errors: `invalid` for a budget of nothing; `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_set_sharepoint_budget(
    session: *const portbook_session,
    account: *const c_char,
    budget: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Session> = find(session)?;
            let (account, budget) = (read_record("account", account)?, read_record("budget", budget)?);
            wait(this.set_sharepoint_budget(account, budget))
        })
    }
}

/// Brings tables that only the host knows, under a key that is the same every time; a place of the type `host` names
/// them by it. Answer its requests on a thread of their own, until it is shut down.
///
/// Records: `options` is a `HostRecordOptions`, or null.
///
/// `host_records` is freed with `portbook_host_records_free`.
///
/// Errors: `conflict` while there is such a store of this key; `invalid` when an option cannot be used.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_host_records(
    session: *const portbook_session,
    key: *const c_char,
    options: *const c_char,
    host_records: *mut *mut portbook_host_records,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("host_records", host_records)?;
            let this: Arc<Session> = find(session)?;
            let key = read_text("key", key)?;
            let options = read_options("options", options)?;
            out.open(this.host_records(key, options)?);
            Ok(())
        })
    }
}
