//! The stored forms of sealed values and wrapped keys. Normative; `tests/vectors/sealed.json` has vectors made by another
//! implementation (`tests/vectors/sealed.py`).
//!
//! Numbers are big-endian. `field(x)` is the length of `x` as 4 bytes, then `x`: no two lists of fields read the same.
//! The cipher is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) with a random nonce of 24 bytes and a tag of 16, keys
//! have 32 bytes.
//!
//! **A sealed value**, 45 bytes longer than what it holds:
//!
//! ```text
//! 01 ‖ generation (4) ‖ nonce (24) ‖ ciphertext ‖ tag (16)
//! associated data = field("portbook sealed value") ‖ field(01 ‖ generation) ‖ field(tenant, 16 bytes)
//!                 ‖ field(table) ‖ field(row) ‖ field(column)
//! row             = "i" ‖ 8 bytes when the row's key is an integer, "b" ‖ its bytes otherwise; an id has 16
//! ```
//!
//! The key is the tenant's data key of that generation. Generations begin with 1.
//!
//! **A wrapped key**, in one of two forms:
//!
//! ```text
//! by a key of 32 bytes: 01 ‖ nonce (24) ‖ ciphertext (32) ‖ tag (16)
//! by the host:          02 ‖ commitment (32) ‖ field(name of the host's key, UTF-8) ‖ what the host gave
//! context    = field("portbook wrapped key") ‖ field(key id, 16 bytes) ‖ field(tenant) ‖ field(generation, 4 bytes)
//! commitment = BLAKE3 of the context, keyed with the key that is wrapped
//! ```
//!
//! The context is the associated data of the first form. The commitment does the same for hosts whose service has none:
//! a wrapped key does not open as that of another tenant or generation. The check value of a book is a wrapped random
//! key that is used for nothing else: its tenant is the nil id and its generation 0.
//!
//! **The key of a passphrase** is Argon2id (RFC 9106, version 0x13) of the passphrase in Unicode's form NFC, as UTF-8,
//! with the salt and the cost that the book keeps beside the check value.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::model::{SecretBytes, TenantId, Value};

/// Bytes of every key.
pub(super) const KEY: usize = 32;
/// Bytes of a nonce.
pub(super) const NONCE: usize = 24;
const TAG: usize = 16;
/// Version and generation.
const HEAD: usize = 5;

const VERSION: u8 = 1;
const WRAPPED_BY_KEY: u8 = 1;
const WRAPPED_BY_HOST: u8 = 2;

/// Where a secret is stored. A sealed value opens at the place it was sealed for, and at no other.
#[derive(Clone, Copy, Debug)]
pub struct SecretPlace<'a> {
    /// The table.
    pub table: &'a str,
    /// The key of the row, which never changes: an integer, an id, text or bytes.
    pub row: &'a Value,
    /// The column.
    pub column: &'a str,
}

/// A data key, or the key that only checks the key-encryption key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyUse {
    pub(super) tenant: TenantId,
    pub(super) generation: u32,
}

impl KeyUse {
    pub(super) const CHECK: Self = Self { tenant: TenantId(Uuid::nil()), generation: 0 };
}

/// A wrapped key, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrapped<'a> {
    ByKey { nonce: [u8; NONCE], ciphertext: &'a [u8], tag: [u8; TAG] },
    ByHost { commitment: [u8; 32], key_id: &'a str, bytes: &'a [u8] },
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    // Names and keys of rows: far below 4 GiB, and a longer one would still not read as two fields.
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn associated(tenant: TenantId, place: &SecretPlace<'_>, generation: u32) -> Result<Vec<u8>> {
    let row = match place.row {
        Value::Int(number) => [b"i", &number.to_be_bytes()[..]].concat(),
        Value::Uuid(id) => [b"b", &id.as_bytes()[..]].concat(),
        Value::Text(text) => [b"b", text.as_bytes()].concat(),
        Value::Blob(bytes) => [b"b", &bytes[..]].concat(),
        Value::Null | Value::Bool(_) | Value::Real(_) | Value::Time(_) | Value::Secret(_) => {
            return Err(Error::new(Code::Internal, "name the place of", shown(place)).because("its row has no key"));
        }
    };
    let mut head = vec![VERSION];
    head.extend_from_slice(&generation.to_be_bytes());
    let mut out = Vec::with_capacity(128);
    let fields = [
        b"portbook sealed value",
        &head[..],
        tenant.0.as_bytes(),
        place.table.as_bytes(),
        &row,
        place.column.as_bytes(),
    ];
    fields.iter().for_each(|f| field(&mut out, f));
    Ok(out)
}

/// What a wrapped key is bound to.
pub(super) fn context(key_id: Uuid, of: KeyUse) -> Vec<u8> {
    let mut out = Vec::with_capacity(80);
    field(&mut out, b"portbook wrapped key");
    field(&mut out, key_id.as_bytes());
    field(&mut out, of.tenant.0.as_bytes());
    field(&mut out, &of.generation.to_be_bytes());
    out
}

fn cipher(key: &SecretBytes) -> Result<XChaCha20Poly1305> {
    XChaCha20Poly1305::new_from_slice(key.expose())
        .map_err(|_| Error::new(Code::Invalid, "use a key", "").because("it does not have 32 bytes"))
}

/// Seals a secret. A nonce is never used twice with one key.
pub(super) fn seal(
    key: &SecretBytes,
    generation: u32,
    nonce: [u8; NONCE],
    tenant: TenantId,
    place: &SecretPlace<'_>,
    plain: &SecretBytes,
) -> Result<Vec<u8>> {
    let associated = associated(tenant, place, generation)?;
    // Encrypted where it will be sent from, in a buffer that never moves: no plain copy stays behind.
    let mut out = Vec::with_capacity(HEAD + NONCE + plain.expose().len() + TAG);
    out.push(VERSION);
    out.extend_from_slice(&generation.to_be_bytes());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain.expose());
    let buffer = &mut out[HEAD + NONCE..];
    let tag = cipher(key)?.encrypt_inout_detached(&XNonce::from(nonce), &associated, buffer.into());
    let tag = tag.map_err(|_| Error::new(Code::Invalid, "seal", shown(place)).because("it is too long"))?;
    out.extend_from_slice(&tag);
    Ok(out)
}

/// The generation of the data key that sealed it.
///
/// # Errors
/// `newer` when the form is a later one, `corrupt` when it is none.
pub(super) fn generation(place: &SecretPlace<'_>, sealed: &[u8]) -> Result<u32> {
    match sealed {
        [VERSION, a, b, c, d, rest @ ..] if rest.len() >= NONCE + TAG => match u32::from_be_bytes([*a, *b, *c, *d]) {
            0 => Err(damaged(place).because("there is no generation 0")),
            generation => Ok(generation),
        },
        [version, ..] if *version > VERSION => {
            let newer = Error::new(Code::Newer, "open", shown(place));
            Err(newer.because(format!("its form is number {version}, this version knows {VERSION}")))
        }
        _ => Err(damaged(place).because("it is not a sealed value")),
    }
}

/// Opens a sealed value with the data key of its generation.
///
/// # Errors
/// `corrupt` when it was damaged, or sealed for another place.
pub(super) fn open(key: &SecretBytes, tenant: TenantId, place: &SecretPlace<'_>, sealed: &[u8]) -> Result<SecretBytes> {
    let associated = associated(tenant, place, generation(place, sealed)?)?;
    let (nonce, rest) = sealed[HEAD..].split_first_chunk().ok_or_else(|| damaged(place))?;
    let (ciphertext, tag) = rest.split_last_chunk().ok_or_else(|| damaged(place))?;
    decrypt(key, *nonce, &associated, ciphertext, *tag)?
        .ok_or_else(|| damaged(place).because("it was changed, or sealed for another row or column"))
}

/// None when the tag does not fit.
fn decrypt(
    key: &SecretBytes,
    nonce: [u8; NONCE],
    associated: &[u8],
    ciphertext: &[u8],
    tag: [u8; TAG],
) -> Result<Option<SecretBytes>> {
    let mut plain = SecretBytes::from(ciphertext);
    let opened = cipher(key)?.decrypt_inout_detached(
        &XNonce::from(nonce),
        associated,
        plain.expose_mut().into(),
        &Tag::from(tag),
    );
    Ok(opened.is_ok().then_some(plain))
}

/// Wraps a key by a key.
pub(super) fn wrap(by: &SecretBytes, nonce: [u8; NONCE], context: &[u8], key: &SecretBytes) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1 + NONCE + KEY + TAG);
    out.push(WRAPPED_BY_KEY);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(key.expose());
    let buffer = &mut out[1 + NONCE..];
    let tag = cipher(by)?.encrypt_inout_detached(&XNonce::from(nonce), context, buffer.into());
    out.extend_from_slice(&tag.map_err(|_| Error::new(Code::Internal, "wrap", "a data key"))?);
    Ok(out)
}

/// The stored form of a key that the host wrapped.
pub(super) fn wrapped_by_host(key: &SecretBytes, context: &[u8], key_id: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = vec![WRAPPED_BY_HOST];
    out.extend_from_slice(&commitment(key, context)?);
    field(&mut out, key_id.as_bytes());
    out.extend_from_slice(bytes);
    Ok(out)
}

/// Takes a wrapped key apart.
///
/// # Errors
/// `newer` for a form of a later version, `corrupt` for none.
pub(super) fn parse_wrapped(wrapped: &[u8]) -> Result<Wrapped<'_>> {
    let damaged = || Error::new(Code::Corrupt, "unwrap", "a data key").because("it is not a wrapped key");
    let (form, rest) = wrapped.split_first().ok_or_else(damaged)?;
    match *form {
        WRAPPED_BY_KEY if rest.len() == NONCE + KEY + TAG => {
            let (nonce, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
            let (ciphertext, tag) = rest.split_last_chunk().ok_or_else(damaged)?;
            Ok(Wrapped::ByKey { nonce: *nonce, ciphertext, tag: *tag })
        }
        WRAPPED_BY_HOST => {
            let (commitment, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
            let (length, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| damaged())?;
            let (key_id, bytes) = rest.split_at_checked(length).ok_or_else(damaged)?;
            let key_id = std::str::from_utf8(key_id).map_err(|_| damaged())?;
            Ok(Wrapped::ByHost { commitment: *commitment, key_id, bytes })
        }
        form if form > WRAPPED_BY_HOST => Err(Error::new(Code::Newer, "unwrap", "a data key")
            .because(format!("its form is number {form}, this version knows {WRAPPED_BY_HOST}"))),
        _ => Err(damaged()),
    }
}

/// Unwraps what a key wrapped; none when it is another key or another context.
pub(super) fn unwrap(
    by: &SecretBytes,
    context: &[u8],
    nonce: [u8; NONCE],
    ciphertext: &[u8],
    tag: [u8; TAG],
) -> Result<Option<SecretBytes>> {
    decrypt(by, nonce, context, ciphertext, tag)
}

/// Whether the key that the host gave back is the one that was wrapped for this context.
pub(super) fn is_committed(key: &SecretBytes, context: &[u8], to: &[u8; 32]) -> bool {
    // SecretBytes compare in constant time.
    commitment(key, context).is_ok_and(|found| SecretBytes::from(&found[..]) == SecretBytes::from(&to[..]))
}

fn commitment(key: &SecretBytes, context: &[u8]) -> Result<[u8; 32]> {
    let wrong = |_| Error::new(Code::Host, "use a key of the host", "").because("it does not have 32 bytes");
    let key = zeroize::Zeroizing::new(<[u8; KEY]>::try_from(key.expose()).map_err(wrong)?);
    Ok(*blake3::keyed_hash(&key, context).as_bytes())
}

/// A place as errors name it.
pub(super) fn shown(place: &SecretPlace<'_>) -> String {
    let row = match place.row {
        Value::Uuid(id) => format!(" of row {id}"),
        Value::Int(number) => format!(" of row {number}"),
        _ => String::new(),
    };
    format!("the secret {}.{}{row}", place.table, place.column)
}

pub(super) fn damaged(place: &SecretPlace<'_>) -> Error {
    Error::new(Code::Corrupt, "open", shown(place)).advise("enter it again")
}

#[cfg(test)]
mod tests;
