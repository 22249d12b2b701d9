//! What the engine asks of the host's own tables.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, free, guard, guard_stream, read_code, read_record, read_text};
use super::{portbook_code, portbook_host_records};
use crate::{HostRecords, wait};

/// The next request for the host's tables; `PORTBOOK_END` after `portbook_host_records_shutdown`, and after its book was
/// shut down.
///
/// `json` is a `RecordRequest`, freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_records_next_request(
    host_records: *const portbook_host_records,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard_stream(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<HostRecords> = find(host_records)?;
            out.next(wait(this.next_request())?)
        })
    }
}

/// Answers a request.
///
/// Records: `answer` is a `RecordAnswer`.
///
/// Errors: `not_found` when nobody waits for it: it was answered before, or too late.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_records_reply(
    host_records: *const portbook_host_records,
    id: i64,
    answer: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<HostRecords> = find(host_records)?;
            this.reply(id, read_record("answer", answer)?)
        })
    }
}

/// Answers that it failed, in the host's words; `code` is 0 for `PORTBOOK_HOST`.
///
/// Errors: as `portbook_host_records_reply`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_host_records_fail(
    host_records: *const portbook_host_records,
    id: i64,
    reason: *const c_char,
    code: i32,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<HostRecords> = find(host_records)?;
            let reason = read_text("reason", reason)?;
            let code = read_code(code)?;
            this.fail(id, reason, code)
        })
    }
}

/// Ends it: nobody is asked any more, and who waits for an answer gets `host`. A handle that is none is left alone.
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_host_records_shutdown(host_records: *const portbook_host_records) {
    if let Ok(this) = find::<_, HostRecords>(host_records) {
        this.shutdown();
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_host_records_free(host_records: *mut portbook_host_records) {
    free::<_, HostRecords>(host_records);
}
