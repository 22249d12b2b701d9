//! What tables look like, whichever store has them.

use portbook::{endpoint, model};
use serde::{Deserialize, Serialize};

use super::{count, same_words};

/// A table as a list of tables shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct TableEntry {
    /// Its schema; empty where there are none.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub table_type: TableType,
    /// How many rows it has, about; none where the store does not estimate.
    pub row_estimate: Option<i64>,
}

/// What is known of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct TableShape {
    /// Its schema; empty where there are none.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub table_type: TableType,
    /// How many rows it has, about.
    pub row_estimate: Option<i64>,
    /// Its columns, in their order.
    pub columns: Vec<ColumnShape>,
    /// The columns of its primary key, in the order of that; empty when it has none.
    pub primary_key: Vec<String>,
    /// Its constraints.
    pub constraints: Vec<ConstraintShape>,
    /// Its indexes.
    pub indexes: Vec<IndexShape>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ColumnShape {
    /// Its name.
    pub name: String,
    /// Its type, in the words of its store.
    pub data_type: String,
    /// What its values are; none when the type is one that is not carried.
    pub kind: Option<DatumKind>,
    /// What the members are, where its values are lists or sets.
    pub member: Option<DatumKind>,
    /// Whether it may hold nothing.
    pub is_nullable: bool,
    /// Its default, in the words of its store.
    pub default_value: Option<String>,
    /// Whether the store numbers it.
    pub is_identity: bool,
    /// Whether the store computes it: it is read, never written.
    pub is_computed: bool,
    /// The most characters that a text may have, or bytes that bytes may have.
    pub max_length: Option<i64>,
    /// The digits of a decimal.
    pub digits: Option<i64>,
    /// How many of them are after the point.
    pub decimal_places: Option<i64>,
    /// How many decimal places of a second its times have.
    pub second_places: Option<i64>,
    /// What its texts are equal by, in the words of its store; empty: the usual.
    pub collation: String,
    /// Texts that differ only in case are equal.
    pub ignores_case: bool,
    /// Texts that differ only in accents are equal.
    pub ignores_accents: bool,
    /// Spaces at the end of a text are no matter.
    pub ignores_trailing_spaces: bool,
    /// The texts that it takes; empty: any.
    pub choices: Vec<String>,
}

/// A constraint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ConstraintShape {
    /// Its name.
    pub name: String,
    /// What it says.
    pub constraint_type: ConstraintType,
    /// Its columns, in its order.
    pub columns: Vec<String>,
    /// The table that it refers to.
    pub referenced_table: Option<String>,
    /// It in the words of its store.
    pub definition: Option<String>,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct IndexShape {
    /// Its name.
    pub name: String,
    /// Whether no two rows have the same.
    pub is_unique: bool,
    /// Whether it covers all rows, and columns only (no expression, no condition).
    pub is_plain: bool,
    /// How it is built.
    pub method: Option<String>,
    /// Its columns; expressions are left out.
    pub columns: Vec<String>,
    /// It in the words of its store.
    pub definition: Option<String>,
}

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum TableType {
    /// A table.
    Base,
    /// A view.
    View,
}

/// What a constraint says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum ConstraintType {
    /// The key.
    PrimaryKey,
    /// A reference.
    ForeignKey,
    /// No two rows alike.
    Unique,
    /// A condition.
    Check,
}

/// What the values of a column are. How each is written in the rows of a host's own store stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum DatumKind {
    /// Truth values: `true`, `false`.
    Boolean,
    /// Whole numbers: below 2^53 as numbers, any as the text of their digits.
    Integer,
    /// Exact numbers with a fraction: the text of their digits, or a number of at most 15 digits.
    Decimal,
    /// Floats: numbers; `"NaN"`, `"Infinity"`, `"-Infinity"`.
    Float,
    /// Text.
    Text,
    /// Bytes: base64.
    Bytes,
    /// UUIDs: their text.
    Uuid,
    /// Days: `2026-11-22`.
    Date,
    /// Times of day: `10:11:12.5`.
    Time,
    /// Dates with times and no zone: `2026-11-22T10:11:12.5`.
    Timestamp,
    /// Points in time: `2026-11-22T10:11:12.5Z`.
    Instant,
    /// Spans of time; a host's own store cannot have them.
    Interval,
    /// JSON documents: as they are.
    Json,
    /// Lists: lists of their members.
    List,
    /// Sets: lists of their members, in any order.
    Set,
}

same_words!(TableType = model::TableType { Base, View });
same_words!(ConstraintType = model::ConstraintType { PrimaryKey, ForeignKey, Unique, Check });
same_words!(
    DatumKind = model::DatumKind {
        Boolean,
        Integer,
        Decimal,
        Float,
        Text,
        Bytes,
        Uuid,
        Date,
        Time,
        Timestamp,
        Instant,
        Interval,
        Json,
        List,
        Set,
    }
);

impl From<endpoint::TableEntry> for TableEntry {
    fn from(entry: endpoint::TableEntry) -> Self {
        let endpoint::TableEntry { name: endpoint::TableName { schema, name }, table_type, row_estimate } = entry;
        Self { schema, name, table_type: table_type.into(), row_estimate: row_estimate.map(count) }
    }
}

impl From<endpoint::TableShape> for TableShape {
    fn from(shape: endpoint::TableShape) -> Self {
        let primary_key = shape.primary_key().to_vec();
        Self {
            schema: shape.name.schema,
            name: shape.name.name,
            table_type: shape.table_type.into(),
            row_estimate: shape.row_estimate.map(count),
            columns: shape.columns.into_iter().map(Into::into).collect(),
            primary_key,
            constraints: shape.constraints.into_iter().map(Into::into).collect(),
            indexes: shape.indexes.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<endpoint::ColumnShape> for ColumnShape {
    fn from(column: endpoint::ColumnShape) -> Self {
        Self {
            name: column.name,
            data_type: column.data_type,
            kind: column.kind.map(Into::into),
            member: column.member.map(Into::into),
            is_nullable: column.is_nullable,
            default_value: column.default_value,
            is_identity: column.is_identity,
            is_computed: column.is_computed,
            max_length: column.max_length.map(Into::into),
            digits: column.digits.map(|(digits, _)| digits.into()),
            decimal_places: column.digits.map(|(_, places)| places.into()),
            second_places: column.second_places.map(Into::into),
            collation: column.collation.name,
            ignores_case: column.collation.ignores_case,
            ignores_accents: column.collation.ignores_accents,
            ignores_trailing_spaces: column.collation.ignores_trailing_spaces,
            choices: column.traits.choices,
        }
    }
}

impl From<endpoint::ConstraintShape> for ConstraintShape {
    fn from(constraint: endpoint::ConstraintShape) -> Self {
        let endpoint::ConstraintShape { name, constraint_type, columns, referenced_table, definition } = constraint;
        let referenced_table = referenced_table.map(|table| table.to_string());
        Self { name, constraint_type: constraint_type.into(), columns, referenced_table, definition }
    }
}

impl From<endpoint::IndexShape> for IndexShape {
    fn from(index: endpoint::IndexShape) -> Self {
        let endpoint::IndexShape { name, is_unique, is_plain, method, columns, definition } = index;
        Self { name, is_unique, is_plain, method, columns, definition }
    }
}
