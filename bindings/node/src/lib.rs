//! The border as classes of Node. `index.js` checks what it is given, awaits, and makes errors of what fails; nothing here is
//! called by anybody else.

mod book;
mod bridge;
mod conduit;
mod definition;
mod host;
mod keys;
mod listing;
mod preview;
mod rows;
mod run;
mod session;
mod volume;

use napi::bindgen_prelude::{Buffer, Result};
use napi_derive::napi;
use portbook_ffi::CodeInfo;
use portbook_ffi::records::TableInfo;

use crate::bridge::at_once;

/// The version of the library, for people.
#[napi]
pub fn version() -> String {
    portbook_ffi::version()
}

/// Every code, in the order of its number.
#[napi]
pub fn codes() -> Vec<CodeInfo> {
    portbook_ffi::codes()
}

/// The hash by which the engine knows content (BLAKE3, 64 hexadecimal digits): that of `AgreedItem.content`.
#[napi(ts_args_type = "bytes: Uint8Array")]
pub fn content_hash(bytes: &[u8]) -> Result<String> {
    at_once(|| Ok(portbook_ffi::content_hash(bytes.to_vec())))
}

/// How a path beneath a root is shown, and named in calls: a byte that is no UTF-8 is `\xNN`, the backslash doubled, a control
/// character escaped; the root is `.`.
///
/// @throws `invalid` when no path beneath a root has such bytes.
#[napi(ts_args_type = "bytes: Uint8Array")]
pub fn show_path(bytes: &[u8]) -> Result<String> {
    at_once(|| Ok(portbook_ffi::show_path(bytes.to_vec())?))
}

/// The bytes of a path that is shown so, separated by `/`; none for the root.
///
/// @throws `invalid` when no path is shown so.
#[napi]
pub fn path_bytes(shown: String) -> Result<Buffer> {
    at_once(|| Ok(portbook_ffi::path_bytes(shown)?.into()))
}

/// A URL as the engine writes it: the same for all ways to write the same place.
///
/// @throws `invalid` when it is no place, or holds a secret.
#[napi]
pub fn show_address(url: String) -> Result<String> {
    at_once(|| Ok(portbook_ffi::show_address(url)?))
}

/// Every table whose rows hosts read and write.
#[napi]
pub fn tables() -> Vec<TableInfo> {
    portbook_ffi::tables()
}
