//! A book used by one user of one tenant.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, free, guard, read_options, read_record, read_text};
use super::{portbook_code, portbook_conduit, portbook_host_store, portbook_preview, portbook_session};
use crate::{Session, wait};

/// The id of the tenant this session acts for.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_tenant(
    session: *const portbook_session,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Session> = find(session)?;
            out.give(&this.tenant()?);
            Ok(())
        })
    }
}

/// The conduit of these two places, found in either direction or made; its attributes become `options`.
///
/// Records: `source` is a `Place`, `target` is a `Place`, `options` is a `ConduitOptions`, or null.
///
/// `conduit` is freed with `portbook_conduit_free`.
///
/// Errors: `invalid` when one place lies within the other, is not a directory, or a pattern cannot be used;
/// `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_connect(
    session: *const portbook_session,
    source: *const c_char,
    target: *const c_char,
    options: *const c_char,
    conduit: *mut *mut portbook_conduit,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("conduit", conduit)?;
            let this: Arc<Session> = find(session)?;
            let source = read_record("source", source)?;
            let target = read_record("target", target)?;
            let options = read_options("options", options)?;
            out.open(wait(this.connect(source, target, options))?);
            Ok(())
        })
    }
}

/// The conduit of these two places as it is: it keeps the attributes that it was given last.
///
/// Records: `source` is a `Place`, `target` is a `Place`.
///
/// `conduit` is freed with `portbook_conduit_free`.
///
/// Errors: `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_conduit(
    session: *const portbook_session,
    source: *const c_char,
    target: *const c_char,
    conduit: *mut *mut portbook_conduit,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("conduit", conduit)?;
            let this: Arc<Session> = find(session)?;
            let source = read_record("source", source)?;
            let target = read_record("target", target)?;
            out.open(wait(this.conduit(source, target))?);
            Ok(())
        })
    }
}

/// The conduit that made a preview, by the preview's id and the places that it was made of.
///
/// Records: `source` is a `Place`, `target` is a `Place`.
///
/// `conduit` is freed with `portbook_conduit_free`.
///
/// Errors: `not_found` when there is no such preview or it has expired; `invalid` when it is of other places, or goes
/// the other way.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_conduit_of(
    session: *const portbook_session,
    preview: *const c_char,
    source: *const c_char,
    target: *const c_char,
    conduit: *mut *mut portbook_conduit,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("conduit", conduit)?;
            let this: Arc<Session> = find(session)?;
            let preview = read_text("preview", preview)?;
            let source = read_record("source", source)?;
            let target = read_record("target", target)?;
            out.open(wait(this.conduit_of(preview, source, target))?);
            Ok(())
        })
    }
}

/// A preview that is stored, by its id.
///
/// `preview` is freed with `portbook_preview_free`.
///
/// Errors: `not_found` when there is none or it has expired.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_preview(
    session: *const portbook_session,
    id: *const c_char,
    preview: *mut *mut portbook_preview,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("preview", preview)?;
            let this: Arc<Session> = find(session)?;
            out.open(wait(this.preview(read_text("id", id)?))?);
            Ok(())
        })
    }
}

/// Brings files that the host itself holds, under a key that is the same every time: `{"type":"host","key":KEY}` is
/// the place. Answer its requests on a thread of their own.
///
/// Records: `options` is a `HostOptions`, or null.
///
/// `store` is freed with `portbook_host_store_free`.
///
/// Errors: `conflict` while there is one of this key; `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_host_store(
    session: *const portbook_session,
    key: *const c_char,
    options: *const c_char,
    store: *mut *mut portbook_host_store,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("store", store)?;
            let this: Arc<Session> = find(session)?;
            let key = read_text("key", key)?;
            let options = read_options("options", options)?;
            out.open(this.host_store(key, options)?);
            Ok(())
        })
    }
}

/// Gives the tenant a new data key and seals all its secrets anew with it; how many.
///
/// Errors: `wrong_key`, `corrupt`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_renew_data_key(
    session: *const portbook_session,
    number: *mut i64,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::new("number", number, 0)?;
            let this: Arc<Session> = find(session)?;
            out.put(wait(this.renew_data_key())?);
            Ok(())
        })
    }
}

/// Removes what has outlived its time: previews, trash, lines of activity, promises of room.
///
/// `json` is an `Upkeep`, freed with `portbook_text_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_maintain(
    session: *const portbook_session,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            out.json(&wait(this.maintain())?)
        })
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_session_free(session: *mut portbook_session) {
    free::<_, Session>(session);
}
