//! Tables whose rows hosts read and write by name.

use portbook::model::{self, Rule};
use serde::{Deserialize, Serialize};

use super::{count, same_words};

/// A page of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RowPage {
    /// The rows in order, 1,000 at most; each is a JSON object.
    #[serde(with = "crate::json::documents")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>"))]
    pub rows: Vec<String>,
    /// What to give for the next page; none at the end.
    pub next: Option<String>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// What deleting a row means.
    pub deletion: Deletion,
    /// Its own columns. Every row has `id`, `created_at`, `updated_at` and `is_deleted` besides.
    pub columns: Vec<ColumnInfo>,
    /// The lists that its indexes serve.
    pub lists: Vec<ListInfo>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ValueKind,
    /// Whether it may hold nothing.
    pub nullable: bool,
    /// The only texts it may hold; empty when any will do.
    pub words: Vec<String>,
    /// The table whose rows it names.
    pub references: Option<String>,
    /// Whether a text has one character at least.
    pub not_empty: bool,
    /// Characters that a text has at most.
    pub max_chars: Option<i64>,
    /// The least number it may hold.
    pub least: Option<i64>,
    /// The largest number it may hold.
    pub most: Option<i64>,
    /// Digits after the point that a number is kept with.
    pub decimals: Option<i64>,
}

/// A list that an index serves: a filter has to name a front of `by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ListInfo {
    /// The columns to compare with, in the order of the index.
    pub by: Vec<String>,
    /// A column of times by which the rows come, the latest first; none: in the order of creation.
    pub latest: Option<String>,
}

/// Which rows a list has, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RowFilter {
    /// Only rows whose columns hold these values: a JSON object; none: all.
    #[serde(default, with = "crate::json::document")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    #[cfg_attr(feature = "node", napi(ts_type = "Row"))]
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub equal: Option<String>,
    /// Deleted rows, too, where the table keeps them.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub with_deleted: Option<bool>,
    /// The last made first, where the list has no order of its own.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub latest_first: Option<bool>,
}

/// What deleting a row means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum Deletion {
    /// The row is gone.
    Gone,
    /// The row is marked, and can be restored.
    Marked,
}

/// What a column holds, and how that is written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum ValueKind {
    /// True or false.
    Flag,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Number,
    /// Text.
    Text,
    /// Any JSON.
    Json,
    /// Bytes, as hexadecimal text.
    Bytes,
    /// An id, as text.
    Id,
    /// A time, as text.
    Time,
    /// A secret: given as text, and read back as `true`.
    Secret,
}

same_words!(ValueKind = model::ValueKind { Flag, Integer, Number, Text, Json, Bytes, Id, Time, Secret });

impl From<model::ColumnInfo> for ColumnInfo {
    fn from(column: model::ColumnInfo) -> Self {
        let mut info = Self {
            name: column.name.to_owned(),
            kind: column.kind.into(),
            nullable: column.nullable,
            words: column.words.iter().map(|word| (*word).to_owned()).collect(),
            references: column.references.map(ToOwned::to_owned),
            not_empty: false,
            max_chars: None,
            least: None,
            most: None,
            decimals: None,
        };
        for rule in column.rules {
            match *rule {
                Rule::MaxChars(most) => info.max_chars = Some(count(most)),
                Rule::NotEmpty => info.not_empty = true,
                Rule::Between(least, most) => (info.least, info.most) = (Some(count(least)), Some(count(most))),
                Rule::NotNegative => info.least = Some(0),
                Rule::Decimals(digits) => info.decimals = Some(digits.into()),
            }
        }
        info
    }
}

impl From<&model::TableInfo> for TableInfo {
    fn from(table: &model::TableInfo) -> Self {
        let deletion = match table.deletion {
            model::Deletion::Hard => Deletion::Gone,
            model::Deletion::Flag(_) | model::Deletion::Time(_) => Deletion::Marked,
        };
        let lists = table.lists.iter().map(|list| ListInfo {
            by: list.by.iter().map(|column| (*column).to_owned()).collect(),
            latest: list.latest.map(ToOwned::to_owned),
        });
        Self {
            name: table.name.to_owned(),
            deletion,
            columns: table.columns.iter().map(|column| (*column).into()).collect(),
            lists: lists.collect(),
        }
    }
}
