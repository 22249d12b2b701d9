//! What all functions of the C ABI share: texts, records, bytes and handles in and out, and the guard around each body.

use std::ffi::{CStr, CString, c_char};
use std::panic::catch_unwind;
use std::sync::Arc;

use portbook::{Code, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::portbook_code;
use super::table::{self, Handled};
use crate::caught::caught;
use crate::error::Result;
use crate::json;
use crate::records::{ErrorCode, invalid};

/// Runs the body of a function: its error is written to `error` if there is one and `error` is not null; a panic is `internal`.
///
/// # Safety
/// `error` is null or valid for writing a pointer.
pub(super) unsafe fn guard(error: *mut *mut c_char, body: impl FnOnce() -> Result<()>) -> portbook_code {
    // SAFETY: as this function's.
    unsafe {
        guard_stream(error, || {
            body()?;
            Ok(true)
        })
    }
}

/// As [`guard`], of a stream: `false` is its end.
///
/// # Safety
/// As there.
pub(super) unsafe fn guard_stream(error: *mut *mut c_char, body: impl FnOnce() -> Result<bool>) -> portbook_code {
    let failed = match caught(body) {
        Ok(true) => return portbook_code::PORTBOOK_OK,
        Ok(false) => return portbook_code::PORTBOOK_END,
        Err(failed) => failed,
    };
    if !error.is_null() {
        // SAFETY: it is valid for writing a pointer.
        unsafe { error.write(new_text(failed.text())) };
    }
    failed.code().into()
}

/// A text for the caller, who frees it by `portbook_text_free`. A NUL in it becomes U+FFFD.
pub(super) fn new_text(text: &str) -> *mut c_char {
    let text = if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() };
    CString::new(text).unwrap_or_default().into_raw()
}

/// The text of the caller.
///
/// # Errors
/// `invalid` when it is null or not UTF-8.
///
/// # Safety
/// `text` is null or ends with NUL, and stays as it is during the call.
pub(super) unsafe fn read_text(name: &'static str, text: *const c_char) -> Result<String> {
    // SAFETY: as this function's.
    let text = unsafe { read_text_or_none(name, text) }?;
    Ok(text.ok_or_else(|| invalid("read the argument", name, "it is null"))?)
}

/// The text of the caller; null is none.
///
/// # Errors
/// `invalid` when it is not UTF-8.
///
/// # Safety
/// As for [`read_text`].
pub(super) unsafe fn read_text_or_none(name: &'static str, text: *const c_char) -> Result<Option<String>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: it is not null and ends with NUL.
    let bytes = unsafe { CStr::from_ptr(text) };
    let text = bytes.to_str().map_err(|_| invalid("read the argument", name, "it is not UTF-8"))?;
    Ok(Some(text.to_owned()))
}

/// The record that the JSON of the caller is.
///
/// # Errors
/// `invalid` when it is null, not UTF-8, no JSON, or not of this record.
///
/// # Safety
/// As for [`read_text`].
pub(super) unsafe fn read_record<T: DeserializeOwned>(name: &'static str, json: *const c_char) -> Result<T> {
    // SAFETY: as this function's.
    let json = unsafe { read_text(name, json) }?;
    json::read_record(name, &json)
}

/// As [`read_record`], where null stands for a record without fields.
///
/// # Errors
/// As there.
///
/// # Safety
/// As for [`read_text`].
pub(super) unsafe fn read_options<T: DeserializeOwned + Default>(name: &'static str, json: *const c_char) -> Result<T> {
    // SAFETY: as this function's.
    if json.is_null() { Ok(T::default()) } else { unsafe { read_record(name, json) } }
}

/// The word that the caller gives as text; null is none.
///
/// # Errors
/// `invalid` when it is none of the words.
///
/// # Safety
/// As for [`read_text`].
pub(super) unsafe fn read_word<T: DeserializeOwned>(name: &'static str, text: *const c_char) -> Result<Option<T>> {
    // SAFETY: as this function's.
    let text = unsafe { read_text_or_none(name, text) }?;
    text.map(|text| json::read_record(name, &serde_json::Value::String(text).to_string())).transpose()
}

/// The bytes of the caller.
///
/// # Errors
/// `invalid` when there are some at null.
///
/// # Safety
/// `bytes` is null or valid for reading `length` bytes.
pub(super) unsafe fn read_bytes(bytes: *const u8, length: usize) -> Result<Vec<u8>> {
    match (bytes.is_null(), length) {
        (_, 0) => Ok(Vec::new()),
        (true, _) => Err(invalid("read the argument", "bytes", "they are null").into()),
        // SAFETY: it is not null, and valid for reading so many.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(bytes, length) }.to_vec()),
    }
}

/// What the caller gave for an answer to be written to; null or zero until it is.
pub(super) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// # Errors
    /// `invalid` when it is null.
    ///
    /// # Safety
    /// `out` is null or valid for writing, during the call.
    pub(super) unsafe fn new(name: &'static str, out: *mut T, nothing: T) -> Result<Self> {
        if out.is_null() {
            return Err(invalid("read the argument", name, "it is null").into());
        }
        // SAFETY: it is valid for writing.
        unsafe { out.write(nothing) };
        Ok(Self(out))
    }

    pub(super) fn put(self, value: T) {
        // SAFETY: it is valid for writing during the call, which `new` was told.
        unsafe { self.0.write(value) }
    }
}

impl Out<*mut c_char> {
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn text(name: &'static str, out: *mut *mut c_char) -> Result<Self> {
        // SAFETY: as this function's.
        unsafe { Self::new(name, out, std::ptr::null_mut()) }
    }

    pub(super) fn give(self, text: &str) {
        self.put(new_text(text));
    }

    /// The record as JSON.
    pub(super) fn json(self, record: &impl Serialize) -> Result<()> {
        let wrong = |e| Error::new(Code::Internal, "write the record", "").because(e);
        let json = serde_json::to_string(record).map_err(wrong)?;
        self.give(&json);
        Ok(())
    }

    /// The next record as JSON; whether there is one.
    pub(super) fn next(self, record: Option<impl Serialize>) -> Result<bool> {
        record.map_or(Ok(false), |record| self.json(&record).map(|()| true))
    }
}

impl<H> Out<*mut H> {
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn handle(name: &'static str, out: *mut *mut H) -> Result<Self> {
        // SAFETY: as this function's.
        unsafe { Self::new(name, out, std::ptr::null_mut()) }
    }

    /// A new handle.
    pub(super) fn open<T: Handled>(self, this: Arc<T>) {
        self.put(std::ptr::without_provenance_mut(table::give(this)));
    }
}

/// Where bytes are to be given: the caller frees them by `portbook_bytes_free`.
pub(super) struct OutBytes(Out<*mut u8>, Out<usize>);

impl OutBytes {
    /// # Errors
    /// `invalid` when one of them is null.
    ///
    /// # Safety
    /// Both are null or valid for writing, during the call.
    pub(super) unsafe fn new(bytes: *mut *mut u8, length: *mut usize) -> Result<Self> {
        // SAFETY: as this function's.
        unsafe { Ok(Self(Out::new("bytes", bytes, std::ptr::null_mut())?, Out::new("length", length, 0)?)) }
    }

    pub(super) fn give(self, bytes: Vec<u8>) {
        self.1.put(bytes.len());
        self.0.put(Box::into_raw(bytes.into_boxed_slice()).cast());
    }
}

/// What a handle stands for.
///
/// # Errors
/// `invalid` when it is null, freed, of another type or of another process.
pub(super) fn find<H, T: Handled>(handle: *const H) -> Result<Arc<T>> {
    table::find(handle.addr())
}

/// Takes a handle back.
pub(super) fn free<H, T: Handled>(handle: *mut H) {
    // What is dropped must not unwind into C.
    let number = handle.addr();
    let _ = catch_unwind(|| table::free::<T>(number));
}

/// The code of a number; `host` for 0.
///
/// # Errors
/// `invalid` for a number that is no code.
pub(super) fn read_code(number: i32) -> Result<Option<ErrorCode>> {
    if number == 0 {
        return Ok(None);
    }
    let known = Code::ALL.iter().find(|code| **code as i32 == number);
    Ok(Some((*known.ok_or_else(|| invalid("read the argument", "code", "it is no code"))?).into()))
}
