//! Saved volumes.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, guard, read_options, read_text, read_text_or_none};
use super::{portbook_code, portbook_host_store, portbook_session, portbook_volume};
use crate::{Session, wait};

/// Opens a saved volume by its name, or by its id.
///
/// `volume` is freed with `portbook_volume_free`.
///
/// Errors: `not_found`; `invalid` when it is not active or cannot be used as it stands; `permission`, `unsupported`;
/// as the place.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_volume(
    session: *const portbook_session,
    name_or_id: *const c_char,
    volume: *mut *mut portbook_volume,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("volume", volume)?;
            let this: Arc<Session> = find(session)?;
            out.open(wait(this.volume(read_text("name_or_id", name_or_id)?))?);
            Ok(())
        })
    }
}

/// As `portbook_session_volume`, on files that the host brings in the place of those that its row names.
///
/// `volume` is freed with `portbook_volume_free`.
///
/// Errors: as there.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_volume_on(
    session: *const portbook_session,
    name_or_id: *const c_char,
    store: *const portbook_host_store,
    volume: *mut *mut portbook_volume,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("volume", volume)?;
            let this: Arc<Session> = find(session)?;
            let name_or_id = read_text("name_or_id", name_or_id)?;
            let store = find(store)?;
            out.open(wait(this.volume_on(name_or_id, store))?);
            Ok(())
        })
    }
}

/// Saves a place behind a URL as a volume, with what lets one in there, sealed; its id.
///
/// Records: `access` is a `Access`, or null.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `conflict` when the name is taken; `invalid`; `wrong_key` when the book was opened without its key and
/// there is something to seal.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_save_volume(
    session: *const portbook_session,
    name: *const c_char,
    url: *const c_char,
    access: *const c_char,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Session> = find(session)?;
            let name = read_text("name", name)?;
            let url = read_text("url", url)?;
            let access = read_options("access", access)?;
            out.give(&wait(this.save_volume(name, url, access))?);
            Ok(())
        })
    }
}

/// Saves a directory of this machine as a volume, and approves it; its id.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `not_found`; `conflict` when the name is taken.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_save_directory(
    session: *const portbook_session,
    name: *const c_char,
    path: *const c_char,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            let this: Arc<Session> = find(session)?;
            let name = read_text("name", name)?;
            let path = read_text("path", path)?;
            out.give(&wait(this.save_directory(name, path))?);
            Ok(())
        })
    }
}

/// The saved volumes by their names, without what lets one in.
///
/// `json` is a list of `SavedVolume`, freed with `portbook_text_free`.
///
/// Errors: `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_volumes(
    session: *const portbook_session,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Session> = find(session)?;
            out.json(&wait(this.volumes())?)
        })
    }
}

/// Sets how fast bytes may pass to and from a saved volume; null: as fast as they can.
///
/// Errors: `not_found`, `stale`, `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_limit_volume(
    session: *const portbook_session,
    name: *const c_char,
    bandwidth: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Session> = find(session)?;
            let name = read_text("name", name)?;
            let bandwidth = read_text_or_none("bandwidth", bandwidth)?;
            wait(this.limit_volume(name, bandwidth))
        })
    }
}

/// Forgets a saved volume, with what lets one in. What is stored there stays.
///
/// Errors: `not_found`; `conflict` while files or conduits of it are in the book.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_session_remove_volume(
    session: *const portbook_session,
    name: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Session> = find(session)?;
            wait(this.remove_volume(read_text("name", name)?))
        })
    }
}
