//! Typed values, as they are bound and stored by both engines.

use std::fmt;

use uuid::Uuid;

use super::SecretBytes;

/// A value of a column or parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A flag: 0 or 1 in SQLite.
    Bool(bool),
    /// An integer of any width.
    Int(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text; also the text of an enumeration, and JSON.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// An id: 16 bytes in SQLite.
    Uuid(Uuid),
    /// A time: microseconds since 1970 (UTC), INTEGER in SQLite, timestamptz in PostgreSQL.
    Time(i64),
    /// A secret in the open. No engine binds it: it has to be sealed first, and is then a [`Blob`](Self::Blob).
    Secret(SecretBytes),
}

/// Why an engine refuses a [`Value::Secret`]; the batch fails with the code `internal`.
#[derive(Debug)]
pub(crate) struct Unsealed;

impl fmt::Display for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an unsealed secret was about to be stored")
    }
}

impl std::error::Error for Unsealed {}
