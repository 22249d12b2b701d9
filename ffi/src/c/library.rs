//! The library itself: its versions, its codes, what it gave.

use std::ffi::{CString, c_char};

use portbook::Code;

use super::bridge::{Out, OutBytes, guard, read_bytes, read_text};
use super::{PORTBOOK_ABI_VERSION, portbook_code};
use crate::{codes, content_hash, path_bytes, show_address, show_path, tables};

/// The ABI of the library that is loaded: the same as `PORTBOOK_ABI_VERSION` while that is 0, not less from 1 on. Returns at
/// once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_abi_version() -> u32 {
    PORTBOOK_ABI_VERSION
}

/// The version of the library, for people. Never freed. Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The text of a code, the same in every language: `not_found` for `PORTBOOK_NOT_FOUND`, `ok`, `end`; null for a number that is
/// no code. Never freed. Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub extern "C" fn portbook_code_text(code: i32) -> *const c_char {
    let text = match code {
        -1 => "end\0",
        0 => "ok\0",
        _ => {
            return Code::ALL
                .iter()
                .find(|known| **known as i32 == code)
                .map_or(std::ptr::null(), |known| named(*known));
        }
    };
    text.as_ptr().cast()
}

/// The text of a code with a NUL.
fn named(code: Code) -> *const c_char {
    use std::sync::OnceLock;
    static TEXTS: OnceLock<Vec<CString>> = OnceLock::new();
    let all = || Code::ALL.iter().map(|code| CString::new(code.as_str()).unwrap_or_default()).collect();
    let place = Code::ALL.iter().position(|known| *known == code);
    place.and_then(|place| TEXTS.get_or_init(all).get(place)).map_or(std::ptr::null(), |text| text.as_ptr())
}

/// The table of codes: what each asks for, whether the same call may succeed later, its number.
///
/// `json` is a list of `CodeInfo`, freed with `portbook_text_free`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_codes(json: *mut *mut c_char, error: *mut *mut c_char) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe { guard(error, || Out::text("json", json)?.json(&codes())) }
}

/// Every table whose rows hosts read and write.
///
/// `json` is a list of `TableInfo`, freed with `portbook_text_free`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_tables(json: *mut *mut c_char, error: *mut *mut c_char) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe { guard(error, || Out::text("json", json)?.json(&tables())) }
}

/// The hash by which the engine knows content (BLAKE3, 64 hexadecimal digits): that of `AgreedItem`.
///
/// `text` is freed with `portbook_text_free`.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_content_hash(
    bytes: *const u8,
    length: usize,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            out.give(&content_hash(read_bytes(bytes, length)?));
            Ok(())
        })
    }
}

/// How a path beneath a root is shown, and named in calls: see the top of this header. The root, without bytes, is `.`.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `invalid` when no path beneath a root has such bytes.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_show_path(
    bytes: *const u8,
    length: usize,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            out.give(&show_path(read_bytes(bytes, length)?)?);
            Ok(())
        })
    }
}

/// The bytes of a path that is shown so, separated by `/`; none for the root.
///
/// `bytes` are freed with `portbook_bytes_free`.
///
/// Errors: `invalid` when no path is shown so.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_path_bytes(
    shown: *const c_char,
    bytes: *mut *mut u8,
    length: *mut usize,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = OutBytes::new(bytes, length)?;
            out.give(path_bytes(read_text("shown", shown)?)?);
            Ok(())
        })
    }
}

/// A URL as the engine writes it: the same for all ways to write the same place.
///
/// `text` is freed with `portbook_text_free`.
///
/// Errors: `invalid` when it is no place, or holds a secret.
///
/// Returns at once; any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_show_address(
    url: *const c_char,
    text: *mut *mut c_char,
    error: *mut *mut c_char,
) -> portbook_code {
    // SAFETY: as the caller promises.
    unsafe {
        guard(error, || {
            let out = Out::text("text", text)?;
            out.give(&show_address(read_text("url", url)?)?);
            Ok(())
        })
    }
}

/// Frees a text that the library gave. Null is left alone. To be called once for each. Any thread. Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_text_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: it came from `CString::into_raw`.
        drop(unsafe { CString::from_raw(text) });
    }
}

/// Frees bytes that the library gave, with the length that it gave. Null is left alone. To be called once for each. Any thread.
/// Since ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn portbook_bytes_free(bytes: *mut u8, length: usize) {
    if !bytes.is_null() {
        // SAFETY: it came from `Box::into_raw` of so many bytes.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(bytes, length)) });
    }
}
