//! Content hashes of files, and the canonical encoding and hashes of rows. Pure: bytes in, hash out.
//!
//! File content is identified by BLAKE3 (32 bytes, shown as 64 hex digits): several times faster than SHA-256 and
//! it splits over cores. The content of a symbolic link is the bytes of its target.

mod batch;
mod canon;
mod json;
mod row;
mod segments;
#[cfg(test)]
mod vectors;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use batch::{RowBatch, RowRef};
#[cfg(test)]
pub(crate) use canon::tests::any_datum;
pub use canon::{Encoder, decode, encode};
pub use json::canonical_json;
pub(crate) use json::{Json, ecmascript};
pub use row::{ContentHasher, IdentityHasher, RowHash};
pub(crate) use segments::{SegmentedHash, Span};

/// The BLAKE3 hash of a file's content.
///
/// ```
/// use portbook::identity::ContentHash;
/// let hash = ContentHash::of(b"");
/// assert!(hash.to_string().starts_with("af1349b9f5f9a1a6"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
