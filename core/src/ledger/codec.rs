//! The stored form of what one side showed of an item ([`Held`]). Normative; vectors in `tests/vectors/held.json`.
//!
//! ```text
//! held      = head presence ident size [mtime] [ctime] [mode] [revision] [alias]
//! head      = one byte: bits 0-3 version (1), bit 4 racy, bit 5 verified, bits 6-7 ident (0 none, 1 file, 2 provider)
//! presence  = one byte: bit 0 mtime, 1 ctime, 2 mode, 3 revision, 4 alias, 5 birth; bits 6-7 are 0
//! ident     = nothing | id:varint [birth_ns:zigzag, when bit 5] | bytes
//! size      = varint
//! mtime     = secs:zigzag nanos:varint        nanos below 10^9
//! ctime     = as mtime
//! mode      = varint                          below 2^32
//! revision  = bytes
//! alias     = bytes                           one component of a path
//! bytes     = length:varint, then so many bytes
//! varint    = unsigned LEB128, the shortest form, at most 10 bytes
//! zigzag    = varint of (n << 1) ^ (n >> 63)
//! ```
//!
//! There is exactly one encoding of a value, and whatever is not one is refused as corrupt: bytes left over, a bit
//! without meaning, an overlong number, a birth of 0 that is spelled out. A later version gets a new number in `head`
//! and reads this one. A local file takes about 40 bytes a side.

use crate::error::{Code, Error, Result};
use crate::model::{Held, Ident, Name, Timestamp, Token};

const VERSION: u8 = 1;
const RACY: u8 = 1 << 4;
const VERIFIED: u8 = 1 << 5;
const IDENT_SHIFT: u8 = 6;

const MTIME: u8 = 1;
const CTIME: u8 = 1 << 1;
const MODE: u8 = 1 << 2;
const REVISION: u8 = 1 << 3;
const ALIAS: u8 = 1 << 4;
const BIRTH: u8 = 1 << 5;
const MEANINGLESS: u8 = 0b1100_0000;

/// The stored form.
#[must_use]
pub fn encode(held: &Held) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    let (ident, birth) = match &held.ident {
        Ident::None => (0, 0),
        Ident::File { birth_ns, .. } => (1, if *birth_ns == 0 { 0 } else { BIRTH }),
        Ident::Provider(_) => (2, 0),
    };
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let token = &held.token;
    out.push(VERSION | flag(held.racy, RACY) | flag(held.verified, VERIFIED) | ident << IDENT_SHIFT);
    out.push(
        flag(token.mtime.is_some(), MTIME)
            | flag(token.ctime.is_some(), CTIME)
            | flag(token.mode.is_some(), MODE)
            | flag(token.revision.is_some(), REVISION)
            | flag(held.alias.is_some(), ALIAS)
            | birth,
    );
    match &held.ident {
        Ident::None => {}
        Ident::File { id, birth_ns } => {
            put_varint(&mut out, *id);
            if *birth_ns != 0 {
                put_signed(&mut out, *birth_ns);
            }
        }
        Ident::Provider(id) => put_bytes(&mut out, id),
    }
    put_varint(&mut out, token.size);
    for time in [token.mtime, token.ctime].into_iter().flatten() {
        put_signed(&mut out, time.secs);
        put_varint(&mut out, u64::from(time.nanos));
    }
    if let Some(mode) = token.mode {
        put_varint(&mut out, u64::from(mode));
    }
    if let Some(revision) = &token.revision {
        put_bytes(&mut out, revision);
    }
    if let Some(alias) = &held.alias {
        put_bytes(&mut out, alias.as_bytes());
    }
    out
}

/// The value of a stored form.
///
/// # Errors
/// `corrupt` when the bytes are not the encoding of a value; `newer` when their version is a later one.
pub fn decode(bytes: &[u8]) -> Result<Held> {
    match bytes.first().map(|head| head & 0x0f) {
        Some(VERSION) => {}
        Some(later) if later > VERSION => {
            return Err(Error::new(Code::Newer, "read the ledger", "").because(format!("a state of version {later}")));
        }
        Some(_) | None => return Err(corrupt()),
    }
    Input(bytes).held().ok_or_else(corrupt)
}

fn corrupt() -> Error {
    Error::new(Code::Corrupt, "read the ledger", "").because("a state does not decode")
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// What is still to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn held(mut self) -> Option<Held> {
        let head = self.byte()?;
        let presence = self.byte()?;
        if presence & MEANINGLESS != 0 {
            return None;
        }
        let has = |bit: u8| presence & bit != 0;
        let ident = match head >> IDENT_SHIFT {
            0 if !has(BIRTH) => Ident::None,
            1 => {
                let id = self.varint()?;
                let birth_ns = if has(BIRTH) { self.signed().filter(|birth| *birth != 0)? } else { 0 };
                Ident::File { id, birth_ns }
            }
            2 if !has(BIRTH) => Ident::Provider(self.bytes()?.into()),
            _ => return None,
        };
        let size = self.varint()?;
        let mtime = if has(MTIME) { Some(self.time()?) } else { None };
        let ctime = if has(CTIME) { Some(self.time()?) } else { None };
        let mode = if has(MODE) { Some(u32::try_from(self.varint()?).ok()?) } else { None };
        let revision = if has(REVISION) { Some(self.bytes()?.into()) } else { None };
        let alias = if has(ALIAS) { Some(Name::new(self.bytes()?)?) } else { None };
        let token = Token { size, mtime, ctime, mode, revision };
        let held = Held { ident, token, alias, racy: head & RACY != 0, verified: head & VERIFIED != 0 };
        self.0.is_empty().then_some(held)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return None;
            }
            value |= part << shift;
            if byte < 0x80 {
                // The shortest form does not end in a zero byte, unless it is the only one.
                return (byte != 0 || shift == 0).then_some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn time(&mut self) -> Option<Timestamp> {
        let secs = self.signed()?;
        let nanos = u32::try_from(self.varint()?).ok().filter(|n| *n < 1_000_000_000)?;
        Some(Timestamp { secs, nanos })
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../tests/vectors/held.json")).unwrap()
    }

    #[test]
    fn the_vectors_hold_in_both_directions() {
        for vector in vectors()["good"].as_array().unwrap() {
            let bytes = hex(vector["hex"].as_str().unwrap());
            let held: Held = serde_json::from_value(vector["held"].clone()).unwrap();
            assert_eq!(encode(&held), bytes, "{}", vector["name"]);
            assert_eq!(decode(&bytes).unwrap(), held, "{}", vector["name"]);
        }
    }

    #[test]
    fn what_is_no_encoding_is_refused() {
        for vector in vectors()["bad"].as_array().unwrap() {
            let error = decode(&hex(vector["hex"].as_str().unwrap())).unwrap_err();
            assert_eq!(error.code().as_str(), vector["code"].as_str().unwrap(), "{}", vector["name"]);
        }
    }

    prop_compose! {
        fn times()(secs in any::<i64>(), nanos in 0_u32..1_000_000_000) -> Timestamp { Timestamp { secs, nanos } }
    }

    fn blobs() -> impl Strategy<Value = Box<[u8]>> {
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Into::into)
    }

    fn idents() -> impl Strategy<Value = Ident> {
        let births = prop_oneof![Just(0), any::<i64>()];
        prop_oneof![
            Just(Ident::None),
            (any::<u64>(), births).prop_map(|(id, birth_ns)| Ident::File { id, birth_ns }),
            blobs().prop_map(Ident::Provider),
        ]
    }

    prop_compose! {
        fn states()(
            ident in idents(),
            size in any::<u64>(),
            mtime in proptest::option::of(times()),
            ctime in proptest::option::of(times()),
            mode in proptest::option::of(any::<u32>()),
            revision in proptest::option::of(blobs()),
            alias in proptest::option::of("[^/\0.]{1,9}"),
            flags in any::<(bool, bool)>(),
        ) -> Held {
            let alias = alias.and_then(|text| Name::new(text.as_bytes()));
            let token = Token { size, mtime, ctime, mode, revision };
            Held { ident, token, alias, racy: flags.0, verified: flags.1 }
        }
    }

    proptest! {
        #[test]
        fn a_state_reads_as_it_was_written(held in states()) {
            prop_assert_eq!(decode(&encode(&held)).unwrap(), held);
        }

        #[test]
        fn bytes_that_decode_are_the_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut bytes = bytes;
            if let Some(head) = bytes.first_mut() {
                *head = *head & 0xf0 | VERSION;
            }
            if let Ok(held) = decode(&bytes) {
                prop_assert_eq!(encode(&held), bytes);
            }
        }

        #[test]
        fn a_damaged_state_is_refused_or_another_state(held in states(), at in any::<usize>(), bit in 0_u8..8) {
            let mut bytes = encode(&held);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(other) = decode(&bytes) {
                prop_assert_ne!(other, held);
            }
        }
    }
}
