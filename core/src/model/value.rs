//! Typed values, as they are bound and stored by both engines.

use uuid::Uuid;

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
}
