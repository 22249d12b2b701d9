//! Hashes of rows: which row it is, and what it holds.
//!
//! # Format (version 1)
//!
//! Both are SHA-256 over a header and the [canonical encoding](super::encode) of values. The header says what is hashed, so
//! that equal keys of two definitions, or a key and a content, never share a hash. It is filled up with zeros to whole
//! blocks of 64 bytes: the state of SHA-256 after it is computed once, and a key of up to 55 bytes takes one block more.
//!
//! - identity: `"portbook/row/id\0"` ‖ `u8` 1 ‖ 16 bytes tenant ‖ 16 bytes definition ‖ `u32` number of key columns ‖ zeros;
//!   then the values of the key, in its order.
//! - content: `"portbook/row/ct\0"` ‖ `u8` 1 ‖ `u32` number of fields ‖ (`u32` length ‖ key of the field)* ‖ zeros; then the
//!   values, in the same order. Fields are sorted by the bytes of their keys. A new field with nothing in it is another
//!   content, since the header counts.
//!
//! Vectors: `tests/vectors/canon.json`.

use sha2::block_api::compress256;
use uuid::Uuid;

use crate::model::TenantId;

/// The SHA-256 of a row's identity or content.
pub type RowHash = [u8; 32];

/// The version of both formats.
const VERSION: u8 = 1;

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// Makes the identity hashes of the rows of one definition.
///
/// ```
/// use portbook::identity::{IdentityHasher, encode};
/// use portbook::model::{Datum, TenantId};
/// # use uuid::Uuid;
/// let (tenant, definition) = (TenantId(Uuid::from_u128(1)), Uuid::from_u128(2));
/// let hasher = IdentityHasher::new(tenant, definition, 1);
/// let of = |id: i128| hasher.hash(&encode(&Datum::Integer(id)));
/// assert_eq!(of(7), of(7));
/// assert_ne!(of(7), of(8));
/// assert_ne!(of(7), IdentityHasher::new(tenant, Uuid::from_u128(3), 1).hash(&encode(&Datum::Integer(7))));
/// ```
#[derive(Clone, Debug)]
pub struct IdentityHasher(Begun);

impl IdentityHasher {
    /// For keys of that many columns.
    #[must_use]
    pub fn new(tenant: TenantId, definition: Uuid, columns: u32) -> Self {
        let mut header = b"portbook/row/id\0".to_vec();
        header.push(VERSION);
        header.extend_from_slice(tenant.0.as_bytes());
        header.extend_from_slice(definition.as_bytes());
        header.extend_from_slice(&columns.to_be_bytes());
        Self(Begun::after(header))
    }

    /// The hash of the row whose key has these values, encoded one after the other.
    #[must_use]
    pub fn hash(&self, key: &[u8]) -> RowHash {
        self.0.ended_by(key)
    }
}

/// Makes the content hashes of rows with one set of fields.
#[derive(Clone, Debug)]
pub struct ContentHasher(Begun);

impl ContentHasher {
    /// For these fields; nothing unless each comes after the one before by the bytes of its key, as the values of rows have
    /// to.
    #[must_use]
    pub fn new(fields: &[&str]) -> Option<Self> {
        if !fields.is_sorted_by(|left, right| left.as_bytes() < right.as_bytes()) {
            return None;
        }
        let mut header = b"portbook/row/ct\0".to_vec();
        header.push(VERSION);
        header.extend_from_slice(&u32::try_from(fields.len()).ok()?.to_be_bytes());
        for field in fields {
            header.extend_from_slice(&u32::try_from(field.len()).ok()?.to_be_bytes());
            header.extend_from_slice(field.as_bytes());
        }
        Some(Self(Begun::after(header)))
    }

    /// The hash of the row that has these values, encoded one after the other in the order of the fields.
    #[must_use]
    pub fn hash(&self, values: &[u8]) -> RowHash {
        self.0.ended_by(values)
    }
}

/// SHA-256 after a header of whole blocks.
///
/// The hasher of `sha2` copies every message through a buffer of its own; for messages of one to four blocks that costs as
/// much as hashing them. Padding is all that there is to do here (FIPS 180-4, section 5.1.1).
#[derive(Clone, Copy, Debug)]
struct Begun {
    state: [u32; 8],
    length: u64,
}

/// The state before the first block (FIPS 180-4, section 5.3.3).
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

impl Begun {
    /// After a header, which is filled up to whole blocks.
    fn after(mut header: Vec<u8>) -> Self {
        header.resize(header.len().next_multiple_of(BLOCK), 0);
        let mut state = START;
        compress256(&mut state, header.as_chunks().0);
        Self { state, length: header.len() as u64 }
    }

    /// The hash of the header and what follows it.
    #[inline]
    fn ended_by(&self, message: &[u8]) -> RowHash {
        let mut state = self.state;
        let (whole, rest) = message.as_chunks::<BLOCK>();
        compress256(&mut state, whole);
        let mut last = [[0; BLOCK]; 2];
        let blocks = if rest.len() < BLOCK - 8 { 1 } else { 2 };
        let padded = last[..blocks].as_flattened_mut();
        let (content, length) = padded.split_at_mut(blocks * BLOCK - 8);
        content[..rest.len()].copy_from_slice(rest);
        content[rest.len()] = 0x80;
        length.copy_from_slice(&((self.length + message.len() as u64) * 8).to_be_bytes());
        compress256(&mut state, &last[..blocks]);
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::encode;
    use crate::model::Datum;

    #[test]
    fn it_is_the_hash_of_header_and_message() {
        use sha2::{Digest as _, Sha256};
        let message: Vec<u8> = (0..300_u32).map(|at| at.to_le_bytes()[0]).collect();
        for header in [0, 1, 64, 65, 200] {
            let begun = Begun::after(vec![7; header]);
            let mut filled = vec![7; header];
            filled.resize(header.next_multiple_of(BLOCK), 0);
            for length in 0..message.len() {
                let want = Sha256::new_with_prefix(&filled).chain_update(&message[..length]).finalize();
                assert_eq!(begun.ended_by(&message[..length])[..], want[..], "{header} {length}");
            }
        }
    }

    #[test]
    fn fields_count_by_name_and_number() {
        let null = encode(&Datum::Null);
        let one = ContentHasher::new(&["a"]).unwrap().hash(&null);
        assert_ne!(one, ContentHasher::new(&["b"]).unwrap().hash(&null));
        assert_ne!(one, ContentHasher::new(&["a", "b"]).unwrap().hash(&[null.clone(), null].concat()));
    }

    #[test]
    fn fields_out_of_order_or_named_twice_are_refused() {
        assert!(ContentHasher::new(&["b", "a"]).is_none());
        assert!(ContentHasher::new(&["a", "a"]).is_none());
        assert!(ContentHasher::new(&[]).is_some());
    }
}
