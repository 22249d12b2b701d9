//! Tables that hosts read and write: one declaration each, from which all calls work.
//!
//! A declaration names the columns that are the table's own; what every such table has besides (id, tenant, times, the
//! mark of deletion) is in [`Stored`]. The declarations are plain data ([`TableInfo`]): the generic implementation, the
//! bindings and the tests walk them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Column, Moment, Row, Value};
use crate::error::{Code, Error, Result};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// True or false.
    Flag,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Number,
    /// Text.
    Text,
    /// A JSON document.
    Json,
    /// Bytes.
    Bytes,
    /// An id.
    Id,
    /// A time.
    Time,
    /// A secret, sealed where it is stored.
    Secret,
}

/// What a value has to keep besides its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Text of that many characters at most.
    MaxChars(usize),
    /// Text of one character at least.
    NotEmpty,
    /// A number from here to there, both included.
    Between(i64, i64),
    /// A whole number that is not negative.
    NotNegative,
    /// A number kept with that many digits after the point; others are rounded.
    Decimals(u8),
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct ColumnInfo {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ValueKind,
    /// Whether it may hold nothing.
    pub nullable: bool,
    /// The only texts it may hold; empty when any will do.
    pub words: &'static [&'static str],
    /// The table whose rows it names, always of the same tenant.
    pub references: Option<&'static str>,
    /// What else holds.
    pub rules: &'static [Rule],
}

/// What deleting a row means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The row is gone.
    Hard,
    /// It is marked in a column of flags, and can be restored.
    Flag(&'static str),
    /// The time of its deletion is kept in a column, and it can be restored.
    Time(&'static str),
}

/// An order that an index of the table serves.
#[derive(Clone, Copy, Debug)]
pub struct ListInfo {
    /// The index.
    pub index: &'static str,
    /// The columns to compare with, in the order of the index, after the tenant where the index has it.
    pub by: &'static [&'static str],
    /// A column of times by which the rows come, the latest first; none: in the order of creation.
    pub latest: Option<&'static str>,
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub struct TableInfo {
    /// Its name.
    pub name: &'static str,
    /// The column of its tenant.
    pub tenant: &'static str,
    /// The column that is the order of creation: `index_id` where the specification has it, else `id`.
    pub order: &'static str,
    /// What deleting a row means.
    pub deletion: Deletion,
    /// Its own columns.
    pub columns: &'static [ColumnInfo],
    /// The orders its indexes serve.
    pub lists: &'static [ListInfo],
}

impl TableInfo {
    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'static ColumnInfo> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// The columns of a table that are its own, as the fields of a struct.
pub trait Table: Clone + fmt::Debug + PartialEq + Send + Sync + 'static {
    /// Its name.
    const NAME: &'static str;
    /// Its declaration.
    const INFO: TableInfo;

    /// Reads the columns from `first` on.
    ///
    /// # Errors
    /// `corrupt` when a column does not hold what it should.
    fn read(row: Row<'_>, first: usize) -> Result<Self>;

    /// The values, in the order of the columns.
    fn values(&self) -> Vec<Value>;
}

/// The id of a row of one table.
pub struct Id<T>(pub Uuid, PhantomData<fn() -> T>);

impl<T> Id<T> {
    /// An id that is known.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id, PhantomData)
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Serialize for Id<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::new)
    }
}

impl<T: Table> Column for Id<T> {
    const KIND: ValueKind = ValueKind::Id;
    const REFERENCES: Option<&'static str> = Some(T::NAME);

    fn read(row: Row<'_>, column: usize) -> Result<Self> {
        row.uuid(column).map(Self::new)
    }

    fn value(&self) -> Value {
        Value::Uuid(self.0)
    }
}

/// A row as the book holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<T> {
    /// Its id.
    pub id: Id<T>,
    /// Its number in the order of creation, where the table has one.
    pub index_id: Option<i64>,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last changed; an update of a row that has moved on is refused by it.
    pub updated_at: Moment,
    /// Whether it is deleted, and can be restored.
    pub is_deleted: bool,
    /// Its own columns.
    pub row: T,
}

/// A JSON document in a column.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub serde_json::Value);

impl Json {
    /// Reads a document.
    ///
    /// # Errors
    /// `invalid` when the text is none.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |e| Error::new(Code::Invalid, "read", "a JSON document").caused_by(e);
        serde_json::from_str(text).map(Self).map_err(wrong)
    }
}

impl Column for Json {
    const KIND: ValueKind = ValueKind::Json;

    fn read(row: Row<'_>, column: usize) -> Result<Self> {
        super::text_enum::stored(row.text(column)?, Self::parse)
    }

    fn value(&self) -> Value {
        Value::Text(self.0.to_string())
    }
}

/// The struct of a table and its [`Table`].
macro_rules! table {
    (
        $(#[$doc:meta])* $name:ident = $table:literal, tenant: $tenant:literal, order: $order:literal,
        deletion: $deletion:expr,
        lists: { $($index:literal: [$($by:literal),*] $(latest $latest:literal)?;)* },
        { $($(#[$cdoc:meta])* $column:ident: $type:ty $([$($rule:expr),*])?,)* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $($(#[$cdoc])* pub $column: $type,)* }

        impl $crate::model::Table for $name {
            const NAME: &'static str = $table;
            const INFO: $crate::model::TableInfo = $crate::model::TableInfo {
                name: $table,
                tenant: $tenant,
                order: $order,
                deletion: $deletion,
                columns: &[$($crate::model::ColumnInfo {
                    name: stringify!($column),
                    kind: <$type as $crate::model::Column>::KIND,
                    nullable: <$type as $crate::model::Column>::NULLABLE,
                    words: <$type as $crate::model::Column>::WORDS,
                    references: <$type as $crate::model::Column>::REFERENCES,
                    rules: &[$($($rule),*)?],
                },)*],
                lists: &[$($crate::model::ListInfo {
                    index: $index,
                    by: &[$($by),*],
                    latest: $crate::model::table::latest!($($latest)?),
                },)*],
            };

            fn read(row: $crate::model::Row<'_>, first: usize) -> $crate::Result<Self> {
                let mut columns = first..;
                let mut next = || columns.next().unwrap_or(usize::MAX);
                Ok(Self { $($column: $crate::model::Column::read(row, next())?,)* })
            }

            fn values(&self) -> Vec<$crate::model::Value> {
                vec![$($crate::model::Column::value(&self.$column),)*]
            }
        }
    };
}
pub(crate) use table;

macro_rules! latest {
    () => {
        None
    };
    ($column:literal) => {
        Some($column)
    };
}
pub(crate) use latest;
