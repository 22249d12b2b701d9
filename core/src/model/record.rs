//! Typed rows: a table's columns as the fields of a struct, read and written by position.

use uuid::Uuid;

use super::{ConduitId, Moment, PreviewId, RelPath, Row, TenantId, Value, ValueKind};
use crate::error::Result;

/// A value that one column holds.
pub trait Column: Sized {
    /// What it is.
    const KIND: ValueKind;
    /// Whether it may be nothing.
    const NULLABLE: bool = false;
    /// The only texts it may be; empty when any will do.
    const WORDS: &'static [&'static str] = &[];
    /// The table whose rows it names.
    const REFERENCES: Option<&'static str> = None;

    /// Reads it from a row.
    ///
    /// # Errors
    /// `corrupt` when the column holds something else.
    fn read(row: Row<'_>, column: usize) -> Result<Self>;

    /// The value to bind.
    fn value(&self) -> Value;
}

/// A row of a table.
pub trait Record: Sized {
    /// The table.
    const TABLE: &'static str;
    /// Its columns, in the order of the fields.
    const COLUMNS: &'static [&'static str];
    /// `SELECT` every column `FROM` the table; [`select!`](crate::store::select) adds the rest.
    const SELECT: &'static str;
    /// Whether the engine numbers the first column, so that an insert leaves it out.
    const NUMBERED: bool;

    /// Reads a row of [`SELECT`](Self::SELECT).
    ///
    /// # Errors
    /// `corrupt` when a column does not hold what it should.
    fn read(row: Row<'_>) -> Result<Self>;

    /// The values, in the order of the columns.
    fn values(&self) -> Vec<Value>;
}

/// The struct of a table and its [`Record`].
macro_rules! record {
    (
        $(#[$doc:meta])* $name:ident = $table:literal, numbered: $numbered:literal,
        { $(#[$fdoc:meta])* $first:ident: $ftype:ty, $($(#[$cdoc:meta])* $column:ident: $type:ty,)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $(#[$fdoc])* pub $first: $ftype, $($(#[$cdoc])* pub $column: $type,)* }

        impl $crate::model::Record for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[stringify!($first), $(stringify!($column),)*];
            const SELECT: &'static str =
                concat!("SELECT ", stringify!($first), $(", ", stringify!($column),)* " FROM ", $table);
            const NUMBERED: bool = $numbered;

            fn read(row: $crate::model::Row<'_>) -> $crate::Result<Self> {
                let mut columns = 0..;
                let mut next = || columns.next().unwrap_or(usize::MAX);
                Ok(Self {
                    $first: $crate::model::Column::read(row, next())?,
                    $($column: $crate::model::Column::read(row, next())?,)*
                })
            }

            fn values(&self) -> Vec<$crate::model::Value> {
                vec![$crate::model::Column::value(&self.$first), $($crate::model::Column::value(&self.$column),)*]
            }
        }
    };
}
pub(crate) use record;

/// The text of a query for a [`Record`]: its `SELECT … FROM table`, a blank, and the rest.
///
/// ```
/// use portbook::model::Conduit;
/// assert!(portbook::store::select!(Conduit, "WHERE id = ?1").ends_with(" FROM sync_conduit WHERE id = ?1"));
/// ```
#[macro_export]
macro_rules! select_record {
    ($record:ty, $rest:expr) => {{
        const HEAD: &str = <$record as $crate::model::Record>::SELECT;
        const REST: &str = $rest;
        const JOINED: [u8; HEAD.len() + 1 + REST.len()] = $crate::model::join_texts(HEAD, REST);
        const TEXT: &str = match ::core::str::from_utf8(&JOINED) {
            Ok(text) => text,
            Err(_) => panic!("two texts joined by a blank are text"),
        };
        TEXT
    }};
}

/// Two texts with a blank between them; `N` is the length of all three.
#[doc(hidden)]
#[must_use]
pub const fn join_texts<const N: usize>(head: &str, rest: &str) -> [u8; N] {
    let (head, rest) = (head.as_bytes(), rest.as_bytes());
    let mut joined = [b' '; N];
    let mut i = 0;
    while i < head.len() {
        joined[i] = head[i];
        i += 1;
    }
    let mut j = 0;
    while j < rest.len() {
        joined[head.len() + 1 + j] = rest[j];
        j += 1;
    }
    joined
}

impl<T: Column> Column for Option<T> {
    const KIND: ValueKind = T::KIND;
    const NULLABLE: bool = true;
    const WORDS: &'static [&'static str] = T::WORDS;
    const REFERENCES: Option<&'static str> = T::REFERENCES;

    fn read(row: Row<'_>, column: usize) -> Result<Self> {
        if row.is_null(column) { Ok(None) } else { T::read(row, column).map(Some) }
    }

    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Column::value)
    }
}

macro_rules! columns {
    ($($type:ty, $kind:ident: |$row:ident, $at:ident| $read:expr, |$this:ident| $value:expr;)*) => {$(
        impl Column for $type {
            const KIND: ValueKind = ValueKind::$kind;

            fn read($row: Row<'_>, $at: usize) -> Result<Self> { $read }
            fn value(&self) -> Value { let $this = self; $value }
        }
    )*};
}

columns! {
    i64, Integer: |row, at| row.int(at), |v| Value::Int(*v);
    bool, Flag: |row, at| row.int(at).map(|n| n != 0), |v| Value::Bool(*v);
    f64, Number: |row, at| row.real(at), |v| Value::Real(*v);
    String, Text: |row, at| row.text(at).map(str::to_owned), |v| Value::Text(v.clone());
    Vec<u8>, Bytes: |row, at| row.blob(at).map(<[u8]>::to_vec), |v| Value::Blob(v.clone());
    Uuid, Id: |row, at| row.uuid(at), |v| Value::Uuid(*v);
    Moment, Time: |row, at| row.int(at).map(Moment), |v| Value::Time(v.0);
    RelPath, Bytes: |row, at| RelPath::parse(row.blob(at)?).ok_or_else(|| row.wrong(at, "a path")),
        |v| Value::Blob(v.as_bytes().to_vec());
    TenantId, Id: |row, at| row.uuid(at).map(TenantId), |v| Value::Uuid(v.0);
    ConduitId, Id: |row, at| row.uuid(at).map(ConduitId), |v| Value::Uuid(v.0);
    PreviewId, Id: |row, at| row.uuid(at).map(PreviewId), |v| Value::Uuid(v.0);
}
