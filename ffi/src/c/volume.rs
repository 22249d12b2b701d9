//! The files of a volume.

use std::ffi::c_char;
use std::sync::Arc;

use super::bridge::{Out, find, guard, read_bytes, read_options, read_record, read_text, read_text_or_none};
use super::{portbook_code, portbook_file_reader, portbook_volume};
use crate::{Volume, wait};

/// Its rules, as they were when it was opened.
///
/// `json` is a `StorageVolume`, freed with `portbook_text_free`.
///
/// Errors: `invalid`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_row(
    volume: *const portbook_volume,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            out.json(&this.row()?)
        })
    }
}

/// Puts a file on the volume, where there is one in the place of that; a file that is overwritten keeps its id.
///
/// Records: `file` is a `NewFile`.
///
/// `json` is the `StoredFile`, freed with `portbook_text_free`.
///
/// Errors: `quota`; `busy` while another puts a file there; `conflict` when something is there that is no file of the
/// volume; `invalid`; as the place.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_put(
    volume: *const portbook_volume,
    file: *const c_char,
    bytes: *const u8,
    length: usize,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            let file = read_record("file", file)?;
            let bytes = read_bytes(bytes, length)?;
            out.json(&wait(this.put(file, bytes))?)
        })
    }
}

/// As `portbook_volume_put`, with the content of a file of this machine.
///
/// Records: `file` is a `NewFile`.
///
/// `json` is the `StoredFile`, freed with `portbook_text_free`.
///
/// Errors: as there; `stale` when it has another size meanwhile; `not_found`, `permission` when it cannot be read.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_put_from(
    volume: *const portbook_volume,
    file: *const c_char,
    path: *const c_char,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            let file = read_record("file", file)?;
            let path = read_text("path", path)?;
            out.json(&wait(this.put_from(file, path))?)
        })
    }
}

/// Opens a file at `offset`, for `length` bytes; to its end when `length` is negative.
///
/// Records: `file` is a `FileAt`.
///
/// `reader` is freed with `portbook_file_reader_free`.
///
/// Errors: `not_found`; `invalid` when it ends before `offset`; `stale` when what is there is not what was put; as
/// the place.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_open_file(
    volume: *const portbook_volume,
    file: *const c_char,
    offset: i64,
    length: i64,
    reader: *mut *mut portbook_file_reader,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::handle("reader", reader)?;
            let this: Arc<Volume> = find(volume)?;
            let file = read_record("file", file)?;
            let length = (length >= 0).then_some(length);
            out.open(wait(this.open_file(file, offset, length))?);
            Ok(())
        })
    }
}

/// What the book knows of a file.
///
/// Records: `file` is a `FileAt`.
///
/// `json` is the `StoredFile`, freed with `portbook_text_free`.
///
/// Errors: `not_found`.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_stat(
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
            out.json(&wait(this.stat(read_record("file", file)?))?)
        })
    }
}

/// A page of the files that are not deleted, versions left out, in the order of their paths.
///
/// Records: `filter` is a `FileFilter`, or null.
///
/// `json` is a `FilePage`, freed with `portbook_text_free`.
///
/// Errors: `invalid` when no path can begin like that.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_list(
    volume: *const portbook_volume,
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
            let this: Arc<Volume> = find(volume)?;
            let filter = read_options("filter", filter)?;
            let after = read_text_or_none("after", after)?;
            out.json(&wait(this.list(filter, after, limit))?)
        })
    }
}

/// A page of the deleted files, which can be restored or purged.
///
/// `json` is a `FilePage`, freed with `portbook_text_free`.
///
/// Errors: `invalid` when `after` is of another list.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_list_deleted(
    volume: *const portbook_volume,
    after: *const c_char,
    limit: u32,
    json: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("json", json)?;
            let this: Arc<Volume> = find(volume)?;
            out.json(&wait(this.list_deleted(read_text_or_none("after", after)?, limit))?)
        })
    }
}

/// Deletes a file: it is out of sight, and can be restored. Its versions stay.
///
/// Records: `file` is a `FileAt`.
///
/// `json` is the `StoredFile`, freed with `portbook_text_free`.
///
/// Errors: `not_found`, `busy`; `invalid` for a version, which can only be purged.
///
/// Blocks; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_volume_delete(
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
            out.json(&wait(this.delete(read_record("file", file)?))?)
        })
    }
}
