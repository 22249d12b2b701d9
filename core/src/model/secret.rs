//! Secrets in memory, and the column type of secrets at rest.
//!
//! What always holds: the bytes are wiped when they are dropped; no `Debug` shows them, and there is no `Display` and no
//! `Serialize` to show them by accident; they are compared in constant time. A plain secret does not reach the disk:
//! [`Secret::Plain`] binds as [`Value::Secret`], which both engines refuse. What is stored is what the
//! vault sealed.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{Column, Row, Value, ValueKind};
use crate::error::{Code, Error, Result};

/// Bytes that nobody may see: a password, a token, a key.
///
/// ```
/// use portbook::model::SecretBytes;
/// let password = SecretBytes::from("hunter2");
/// assert_eq!(format!("{password:?}"), "SecretBytes(..)");
/// assert_eq!(password.expose(), b"hunter2");
/// ```
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// The bytes. Whoever copies them has to wipe the copy.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text.
    ///
    /// # Errors
    /// `invalid` when they are not UTF-8; the error does not show them.
    pub fn expose_text(&self) -> Result<&str> {
        std::str::from_utf8(&self.0)
            .map_err(|_| Error::new(Code::Invalid, "read a secret as text", "").because("it is not UTF-8"))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn zeroed(length: usize) -> Self {
        Self(Zeroizing::new(vec![0; length]))
    }

    pub(crate) fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl ZeroizeOnDrop for SecretBytes {}

/// Takes the bytes over, without a copy.
impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

/// Takes the bytes over, without a copy.
impl From<String> for SecretBytes {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

/// Copies the bytes; the caller has to wipe theirs.
impl From<&[u8]> for SecretBytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

/// Copies the text; the caller has to wipe theirs.
impl From<&str> for SecretBytes {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not even the length.
        f.write_str("SecretBytes(..)")
    }
}

/// In constant time for secrets of equal length; the length itself is not hidden.
impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretBytes {}

/// A column that holds a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// In the open, as it came from the host or from a service. To be sealed before it is stored.
    Plain(SecretBytes),
    /// As it is stored: what the vault gave. Reading a row gives this.
    Sealed(Vec<u8>),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Secret::Plain(_) => "Plain(..)",
            Secret::Sealed(_) => "Sealed(..)",
        })
    }
}

impl Column for Secret {
    const KIND: ValueKind = ValueKind::Secret;

    fn read(row: Row<'_>, column: usize) -> Result<Self> {
        Ok(Secret::Sealed(row.blob(column)?.to_vec()))
    }

    fn value(&self) -> Value {
        match self {
            Secret::Plain(bytes) => Value::Secret(bytes.clone()),
            Secret::Sealed(bytes) => Value::Blob(bytes.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_shows_a_secret() {
        let secret = SecretBytes::from("hunter2");
        let shown = [
            format!("{secret:?}"),
            format!("{secret:#?}"),
            format!("{:?}", Some(Secret::Plain(secret.clone()))),
            format!("{:?}", Secret::Sealed(b"hunter2".to_vec())),
            format!("{:?}", Value::Secret(secret.clone())),
            format!("{:?}", SecretBytes::from(vec![0xff]).expose_text()),
        ];
        for text in shown {
            assert!(!text.contains("hunter") && !text.contains("104, 117") && !text.contains("255"), "{text}");
        }
    }

    #[test]
    fn secrets_are_wiped_by_type() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        let secret = SecretBytes::from("hunter2");
        wiped(&secret);
        wiped(&secret.0);
    }

    #[test]
    fn equality_is_that_of_the_bytes() {
        assert_eq!(SecretBytes::from("a"), SecretBytes::from(vec![b'a']));
        assert_ne!(SecretBytes::from("a"), SecretBytes::from("b"));
        assert_ne!(SecretBytes::from("a"), SecretBytes::from("aa"));
    }

    #[test]
    fn a_plain_secret_never_binds_as_bytes() {
        assert!(matches!(Secret::Plain("p".into()).value(), Value::Secret(_)));
        assert_eq!(Secret::Sealed(vec![1]).value(), Value::Blob(vec![1]));
    }
}
