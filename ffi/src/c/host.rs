//! What the engine asks of the host: its files, its keys.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, OutBytes, find, free, guard, guard_stream, read_bytes, read_code, read_record, read_text};
use super::{portbook_code, portbook_host_keys, portbook_host_store};
use crate::{HostKeys, HostStore, wait};

/// The key of a book's secrets in the host's keeping, to be given to a book before it is opened. Answer its requests
/// on a thread of their own. A request waits so long for its answer; a minute when `timeout_ms` is negative.
///
/// `keys` is freed with `portbook_host_keys_free`.
///
/// Errors: `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_keys_new(
    timeout_ms: i64,
    keys: *mut *mut portbook_host_keys,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("keys", keys)?;
            out.open(HostKeys::new((timeout_ms >= 0).then_some(timeout_ms))?);
            Ok(())
        })
    }
}

/// The next request; `PORTBOOK_END` after `portbook_host_keys_shutdown`.
///
/// `json` is a `KeyRequest`, freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_keys_next_request(
    host_keys: *const portbook_host_keys,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard_stream(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<HostKeys> = find(host_keys)?;
            out.next(wait(this.next_request())?)
        })
    }
}

/// The bytes that a request is about; a secret where its action is `wrap`.
///
/// `bytes` are freed with `portbook_bytes_free`.
///
/// Errors: `not_found` when nobody waits for its answer.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_keys_bytes(
    host_keys: *const portbook_host_keys,
    id: i64,
    bytes: *mut *mut u8,
    length: *mut usize,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = OutBytes::new(bytes, length)?;
            let this: Arc<HostKeys> = find(host_keys)?;
            out.give(this.bytes(id)?);
            Ok(())
        })
    }
}

/// Answers with the bytes wrapped or unwrapped. `key_id` names the key that wrapped them; empty for `unwrap`.
///
/// Errors: `not_found` when nobody waits for it.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_keys_reply(
    host_keys: *const portbook_host_keys,
    id: i64,
    key_id: *const c_char,
    bytes: *const u8,
    length: usize,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<HostKeys> = find(host_keys)?;
            let key_id = read_text("key_id", key_id)?;
            let bytes = read_bytes(bytes, length)?;
            this.reply(id, key_id, bytes)
        })
    }
}

/// Answers that it failed, in the host's words; `code` is 0 for `PORTBOOK_HOST`.
///
/// Errors: `not_found` when nobody waits for it.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_keys_fail(
    host_keys: *const portbook_host_keys,
    id: i64,
    reason: *const c_char,
    code: i32,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<HostKeys> = find(host_keys)?;
            let reason = read_text("reason", reason)?;
            let code = read_code(code)?;
            this.fail(id, reason, code)
        })
    }
}

/// Ends it: nobody is asked any more. A handle that is none is left alone. Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_host_keys_shutdown(host_keys: *const portbook_host_keys) {
    if let Ok(this) = find::<_, HostKeys>(host_keys) {
        this.shutdown();
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_host_keys_free(host_keys: *mut portbook_host_keys) {
    free::<_, HostKeys>(host_keys);
}

/// The next request for the host's files; `PORTBOOK_END` after `portbook_host_store_shutdown`, and after its book was
/// shut down.
///
/// `json` is a `HostRequest`, freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_store_next_request(
    host_store: *const portbook_host_store,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard_stream(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<HostStore> = find(host_store)?;
            out.next(wait(this.next_request())?)
        })
    }
}

/// The bytes of a `write_at`.
///
/// `bytes` are freed with `portbook_bytes_free`.
///
/// Errors: `not_found` when nobody waits for its answer.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_store_bytes(
    host_store: *const portbook_host_store,
    id: i64,
    bytes: *mut *mut u8,
    length: *mut usize,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = OutBytes::new(bytes, length)?;
            let this: Arc<HostStore> = find(host_store)?;
            out.give(this.bytes(id)?);
            Ok(())
        })
    }
}

/// Answers a request.
///
/// Records: `answer` is a `HostAnswer`.
///
/// Errors: `not_found` when nobody waits for it: it was answered before, or too late.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_store_reply(
    host_store: *const portbook_host_store,
    id: i64,
    answer: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<HostStore> = find(host_store)?;
            this.reply(id, read_record("answer", answer)?)
        })
    }
}

/// Answers a `read_at`.
///
/// Errors: as `portbook_host_store_reply`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_store_reply_bytes(
    host_store: *const portbook_host_store,
    id: i64,
    bytes: *const u8,
    length: usize,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<HostStore> = find(host_store)?;
            this.reply_bytes(id, read_bytes(bytes, length)?)
        })
    }
}

/// Answers that it failed, in the host's words; `code` is 0 for `PORTBOOK_HOST`.
///
/// Errors: as `portbook_host_store_reply`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_store_fail(
    host_store: *const portbook_host_store,
    id: i64,
    reason: *const c_char,
    code: i32,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<HostStore> = find(host_store)?;
            let reason = read_text("reason", reason)?;
            let code = read_code(code)?;
            this.fail(id, reason, code)
        })
    }
}

/// Ends it: nobody is asked any more, and who waits for an answer gets `host`. A handle that is none is left alone.
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_host_store_shutdown(host_store: *const portbook_host_store) {
    if let Ok(this) = find::<_, HostStore>(host_store) {
        this.shutdown();
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_host_store_free(host_store: *mut portbook_host_store) {
    free::<_, HostStore>(host_store);
}
