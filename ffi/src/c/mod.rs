//! The C ABI: `include/portbook.h` is generated from here, and teaches. `unsafe` is nowhere else.
//!
//! Every function has one form: handles and inputs, then outputs, then `char **error`. Its body runs in `bridge::guard`.

#![allow(non_camel_case_types, reason = "these are the names in C")]
#![allow(clippy::missing_safety_doc, reason = "it is the same for all, and said once at the top of the header")]

mod book;
mod bridge;
mod conduit;
mod definition;
mod files;
mod history;
mod host;
mod host_records;
mod library;
mod preview;
mod records;
mod rows;
mod run;
mod session;
mod table;
mod types;
mod upkeep;
mod volume;
mod volumes;

pub use types::*;
