//! The border of Portbook: what Python, Node, Kotlin, Swift and C are made of.
//!
//! Records are flat and owned ([`records`]), handles are few ([`Book`], [`Session`], [`Conduit`], [`Definition`], [`Preview`],
//! [`Run`], [`Volume`] …), errors are one type with stable codes ([`PortbookError`]). Each operation exists once, as an async method
//! that may be awaited on any executor; [`wait`] blocks for it. Nothing calls into a host: events, questions to a host's own
//! files ([`HostStore`]), its own tables ([`HostRecords`]) and its key service ([`HostKeys`]) are pulled.
//!
//! | feature | what it adds |
//! |---|---|
//! | `c` | the C ABI (`include/portbook.h`) |
//! | `python`, `node`, `uniffi` | the derive of that binding on every record |
//! | `inspect` | what the stubs of Python are made from |
//! | `schema` | the JSON schema of every record |
//! | `fault` | panics on demand, for tests |

#[cfg(feature = "uniffi")]
uniffi::setup_scaffolding!();

mod book;
#[cfg(feature = "c")]
pub mod c;
mod caught;
mod conduit;
mod definition;
mod error;
mod host;
mod host_endpoint;
mod host_records;
mod host_rows;
mod host_write;
mod json;
mod keys;
mod life;
#[cfg(feature = "node")]
mod node;
mod preview;
mod pure;
#[cfg(feature = "python")]
pub mod python;
mod question;
mod ready;
pub mod records;
mod rows;
mod run;
#[cfg(feature = "schema")]
mod schema;
mod session;
#[cfg(feature = "uniffi")]
mod steps;
mod volume;
mod waiting;

pub use book::{Book, BookCopy};
pub use caught::{caught, caught_later};
pub use conduit::Conduit;
pub use definition::Definition;
pub use error::{CodeInfo, ErrorClass, PortbookError, Result, codes};
pub use host::HostStore;
pub use host_records::HostRecords;
pub use json::read_record;
pub use keys::HostKeys;
pub use preview::Preview;
pub use pure::{content_hash, path_bytes, show_address, show_path};
pub use rows::tables;
pub use run::{ProgressWatch, Run};
#[cfg(feature = "schema")]
pub use schema::schema;
pub use session::Session;
pub use volume::{FileReader, Volume};
pub use waiting::{Waiting, wait};

/// The version of the library, for people.
#[must_use]
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
