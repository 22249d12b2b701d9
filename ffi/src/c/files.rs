//! Files that were deleted, versions of files, links to files, open files.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, OutBytes, find, free, guard, guard_stream, read_record, read_text};
use super::{portbook_code, portbook_file_reader, portbook_volume};
use crate::{FileReader, Volume, wait};

/// Brings a deleted file back to its path.
///
/// `json` is the `StoredFile`, freed with `portbook_text_free`.
///
/// Errors: `not_found`; `conflict` when another file is at its path by now; `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_restore(
    volume: *const portbook_volume,
    id: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            out.json(&wait(this.restore(read_text("id", id)?))?)
        })
    }
}

/// The versions of a file that are kept, the latest first; 1,000 at most.
///
/// `json` is a list of `StoredFile`, freed with `portbook_text_free`.
///
/// Errors: `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_versions(
    volume: *const portbook_volume,
    id: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            out.json(&wait(this.versions(read_text("id", id)?))?)
        })
    }
}

/// Puts the content of a version in the place of the file it was of. The version stays.
///
/// `json` is the `StoredFile`, freed with `portbook_text_free`.
///
/// Errors: `not_found`; as `portbook_volume_put`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_restore_version(
    volume: *const portbook_volume,
    version: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            out.json(&wait(this.restore_version(read_text("version", version)?))?)
        })
    }
}

/// Removes a version, or a deleted file with its versions, for good, and gives the room back.
///
/// Errors: `not_found`; `conflict` for a file that is not deleted; `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_purge(
    volume: *const portbook_volume,
    id: *const c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Volume> = find(volume)?;
            wait(this.purge(read_text("id", id)?))
        })
    }
}

/// Makes a link by which anybody can read the file for so long: one second to seven days.
///
/// Records: `file` is a `FileAt`.
///
/// `json` is a `FileLink`, which holds a secret, freed with `portbook_text_free`.
///
/// Errors: `not_found`; `unsupported` when the place makes no links; `invalid` for another time.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_share(
    volume: *const portbook_volume,
    file: *const c_char,
    valid_ms: i64,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            out.json(&wait(this.share(read_record("file", file)?, valid_ms))?)
        })
    }
}

/// The links to a file, in the order in which they were made; 1,000 at most.
///
/// Records: `file` is a `FileAt`.
///
/// `json` is a list of `SharedLink`, freed with `portbook_text_free`.
///
/// Errors: `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_shared_links(
    volume: *const portbook_volume,
    file: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            out.json(&wait(this.shared_links(read_record("file", file)?))?)
        })
    }
}

/// Marks a link as one that shall not be used any more. The link itself opens the file until it expires.
///
/// `json` is the `SharedLink`, freed with `portbook_text_free`.
///
/// Errors: `not_found`, `stale`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_revoke_link(
    volume: *const portbook_volume,
    link: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            out.json(&wait(this.revoke_link(read_text("link", link)?))?)
        })
    }
}

/// Removes at the place what no row knows any more.
///
/// Errors: as the place.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_tidy(
    volume: *const portbook_volume,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let this: Arc<Volume> = find(volume)?;
            wait(this.tidy())
        })
    }
}

/// Counts anew what the volume, its users and its apps hold, from the files.
///
/// `json` is a `Usage`, freed with `portbook_text_free`.
///
/// Errors: `not_found` when the volume is gone; `storage`, `busy`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_recompute_quotas(
    volume: *const portbook_volume,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            out.json(&wait(this.recompute_quotas())?)
        })
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_volume_free(volume: *mut portbook_volume) {
    free::<_, Volume>(volume);
}

/// The next piece of an open file; `PORTBOOK_END` after the last.
///
/// `bytes` are freed with `portbook_bytes_free`.
///
/// Errors: `stale` when the file is not what was put any more; as the place.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_file_reader_next_piece(
    file_reader: *const portbook_file_reader,
    bytes: *mut *mut u8,
    length: *mut usize,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard_stream(error, || {
            let out = OutBytes::new(bytes, length)?;
            let this: Arc<FileReader> = find(file_reader)?;
            let next = wait(this.next_piece())?;
            let is_there = next.is_some();
            if let Some(next) = next {
                out.give(next);
            }
            Ok(is_there)
        })
    }
}

/// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
/// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_file_reader_free(file_reader: *mut portbook_file_reader) {
    free::<_, FileReader>(file_reader);
}
