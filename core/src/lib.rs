//! Portbook: an embeddable sync engine. Preview what would change between two places, apply exactly that, and keep a
//! ledger that proves what was carried.
//!
//! ```
//! use portbook::conduit::{ApplyOptions, ConduitOptions, Place, PreviewOptions};
//! use portbook::{Book, BookOptions};
//!
//! # fn main() -> portbook::Result<()> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let (photos, backup) = (dir.path().join("photos"), dir.path().join("backup"));
//! # std::fs::create_dir(&photos).unwrap();
//! # std::fs::write(photos.join("a.jpg"), b"...").unwrap();
//! let book = portbook::wait(Book::open(BookOptions::sqlite(dir.path().join("book.db"))))?;
//! let session = portbook::wait(book.default_session())?;
//! let (source, target) = (Place::Local(photos), Place::Local(backup));
//! let conduit = portbook::wait(session.connect(source, target, ConduitOptions::default()))?;
//!
//! let preview = portbook::wait(conduit.preview(PreviewOptions::default()))?;
//! assert_eq!((preview.counts.new, preview.bytes), (1, 3));
//!
//! let report = portbook::wait(conduit.apply(preview.id, ApplyOptions::default()).finish())?;
//! assert!(report.is_in_step());
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | [`bridge`] | record sync: survey, delta, writing, ledger |
//! | [`conduit`] | file sync: scan, delta, transfer, ledger, verification |
//! | [`volume`] | files of saved volumes: paths, versions, quotas |
//! | [`operation`] | previews, runs, progress, history |
//! | [`provider`] | one file per storage service behind one trait |
//! | [`endpoint`] | one file per record store behind one trait |
//! | [`table`] | rows of the tables that hosts read and write |
//! | [`upkeep`] | checking a book, copying it to the other engine |
//! | [`ledger`] | what both sides last agreed on |
//! | [`vault`] | secrets at rest |
//! | [`store`] | the metastore: one set of SQL statements, two engines |
//! | [`delta`] | pure reconciliation |
//! | [`model`] | typed rows, names, nodes |
//! | [`identity`] | content hashes of files, encoding and hashes of rows |

mod book;
pub mod bridge;
pub mod conduit;
pub mod delta;
pub mod endpoint;
mod error;
pub mod identity;
pub mod ledger;
pub mod model;
pub mod operation;
pub mod provider;
mod rows;
mod session;
pub mod store;
pub mod table;
mod tenants;
mod tls;
pub mod upkeep;
pub mod vault;
pub mod volume;

pub use book::{Book, BookOptions};
pub use error::{Class, Code, Error, Result};
pub use rows::{JsonRows, Rows};
pub use session::Session;
pub use tls::Trust;

/// Waits for an operation of a book on the calling thread. Not to be called from inside of an executor.
pub fn wait<T>(operation: impl std::future::Future<Output = T>) -> T {
    pollster::block_on(operation)
}
