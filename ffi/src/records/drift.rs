//! What has changed about tables, and what a reading of them has found.

use portbook::{bridge, model};
use serde::{Deserialize, Serialize};

use super::{Side, same_words, time};

/// A change of one of its tables, and what that is to a definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Drift {
    /// Which of its tables.
    pub side: Side,
    /// What has changed.
    pub change: SchemaChange,
    /// What that is to it.
    pub effect: DriftEffect,
    /// Why.
    pub reason: String,
}

/// What has changed about a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct SchemaChange {
    /// How it has changed.
    pub kind: SchemaChangeKind,
    /// The column; where keys have changed, the constraint.
    pub name: String,
    /// What it was: a type, `null` or `not null`, the columns of a key; none for what is new.
    pub was: Option<String>,
    /// What it is now; none for what is gone.
    pub now: Option<String>,
}

/// A change of a table, and what it is to each definition that goes by the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct TableDrift {
    /// What has changed.
    pub change: SchemaChange,
    /// The definitions.
    pub definitions: Vec<DefinitionDrift>,
}

/// What a change of a table is to a definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct DefinitionDrift {
    /// The definition's id.
    pub definition: String,
    /// What it is called.
    pub name: String,
    /// What the change is to it.
    pub effect: DriftEffect,
    /// Why.
    pub reason: String,
}

/// A reading of the metadata of a database into the inventory of the book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Introspection {
    /// The id of the database in the book (`database_instances`).
    pub instance: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// What was read: how many `tables`, `views`, `columns`, `constraints` and `indexes`, and how many tables `failed` to be described;
    /// a JSON object.
    #[serde(with = "crate::json::document")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub stats: Option<String>,
}

/// How a table has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum SchemaChangeKind {
    /// It has a column more.
    Added,
    /// A column is gone.
    Removed,
    /// A column has another type.
    Retyped,
    /// A column may hold nothing, or may no longer.
    Nullability,
    /// What no two rows may have in common is something else.
    Keys,
}

/// What a change is to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum DriftEffect {
    /// Nothing.
    Harmless,
    /// It goes on, and somebody should look at its fields.
    NeedsMapping,
    /// It does not run until its fields or the table are changed, or the table is accepted as it is.
    Blocks,
}

same_words!(SchemaChangeKind = bridge::SchemaChangeKind { Added, Removed, Retyped, Nullability, Keys });
same_words!(DriftEffect = bridge::DriftEffect { Harmless, NeedsMapping, Blocks });

impl From<bridge::SchemaChange> for SchemaChange {
    fn from(change: bridge::SchemaChange) -> Self {
        let bridge::SchemaChange { kind, name, was, is } = change;
        Self { kind: kind.into(), name, was, now: is }
    }
}

impl From<bridge::Drift> for Drift {
    fn from(drift: bridge::Drift) -> Self {
        let bridge::Drift { side, change, effect, reason } = drift;
        Self { side: side.into(), change: change.into(), effect: effect.into(), reason }
    }
}

impl From<bridge::TableDrift> for TableDrift {
    fn from(drift: bridge::TableDrift) -> Self {
        let bridge::TableDrift { change, definitions } = drift;
        Self { change: change.into(), definitions: definitions.into_iter().map(Into::into).collect() }
    }
}

impl From<bridge::DefinitionDrift> for DefinitionDrift {
    fn from(drift: bridge::DefinitionDrift) -> Self {
        let bridge::DefinitionDrift { definition, name, effect, reason } = drift;
        Self { definition: definition.0.to_string(), name, effect: effect.into(), reason }
    }
}

impl From<model::IntrospectionRun> for Introspection {
    fn from(run: model::IntrospectionRun) -> Self {
        // One that was not read to its end is an error.
        let model::IntrospectionRun { database_instance_id, started_at, ended_at, status: _, stats } = run;
        Self {
            instance: database_instance_id.0.to_string(),
            started_at: time(started_at),
            ended_at: ended_at.map(time),
            stats: Some(stats.0.to_string()),
        }
    }
}
