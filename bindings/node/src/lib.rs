//! The border as classes of Node. `index.js` checks what it is given, awaits, and makes errors of what fails; nothing here is
//! called by anybody else.

mod book;
mod bridge;
mod conduit;
mod host;
mod keys;
mod preview;
mod rows;
mod run;
mod session;
mod volume;

use napi_derive::napi;
use portbook_ffi::CodeInfo;
use portbook_ffi::records::TableInfo;

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

/// Every table whose rows hosts read and write.
#[napi]
pub fn tables() -> Vec<TableInfo> {
    portbook_ffi::tables()
}
