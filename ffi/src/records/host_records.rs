//! What the engine asks of a host that brings tables of its own, and what the host answers. A row is a JSON object: what its values
//! look like is said at [`DatumKind`](super::DatumKind).

use serde::{Deserialize, Serialize};

use super::{DatumKind, ErrorCode};

/// What the host's tables are like. Nothing calls into the host: it takes requests and answers them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct HostRecordOptions {
    /// How the store is shown to people; the key unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub display: Option<String>,
    /// Every row has a version, a text in the field `@version`, which changes whenever the row does; the host writes a row only when it
    /// still has the version that is given along. Without, a row is looked at right before it is written, and a change between
    /// the look and the write can be lost.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub has_versions: Option<bool>,
    /// The host can tell what has changed: it answers `changes`, and definitions can have the cursor `log`.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub has_changes: Option<bool>,
    /// How many rows are best written at once; 500 unless told otherwise, 1,000 at most.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub write_rows: Option<i64>,
    /// How long a request waits for its answer before it fails with `timeout`; 60,000 unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub timeout_ms: Option<i64>,
}

/// What the engine asks of the host's tables. Each is answered by `reply` or `fail` with its id, in any order. What the host cannot do it
/// answers by `fail` with the code `unsupported`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(discriminant = "type", discriminant_case = "snake_case"))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub enum RecordRequest {
    /// What a table looks like: `RecordAnswer::Described`, or `Absent` when there is none.
    Describe {
        /// Names the request.
        id: i64,
        /// The table.
        table: String,
    },
    /// A page of all rows, in an order that stays: `RecordAnswer::Rows`.
    Scan {
        /// Names the request.
        id: i64,
        /// The table.
        table: String,
        /// The columns that each row has to have; others are not looked at.
        columns: Vec<String>,
        /// Where the page before ended; none for the first page.
        after: Option<String>,
        /// How many rows the page may have.
        limit: i64,
    },
    /// The rows with these keys; those that are not there are left out: `RecordAnswer::Rows` without `next`. A host that fails it with
    /// `unsupported` is asked for all rows instead, each time.
    Fetch {
        /// Names the request.
        id: i64,
        /// The table.
        table: String,
        /// The columns that each row has to have.
        columns: Vec<String>,
        /// The keys, 1,000 at most, each an object of the columns of the key.
        #[serde(with = "crate::json::documents")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>"))]
        keys: Vec<String>,
    },
    /// A page of what has changed: `RecordAnswer::Changes`. Only asked of a store that `has_changes`. A host that no longer knows what
    /// happened since then fails it with `stale`, and everything is read.
    Changes {
        /// Names the request.
        id: i64,
        /// The table.
        table: String,
        /// The columns that each row has to have.
        columns: Vec<String>,
        /// The columns of the key, which a deleted row has.
        key: Vec<String>,
        /// The cursor with which the last reading ended; none: all rows are wanted, and the cursor that follows them.
        since: Option<String>,
        /// Where the page before ended; none for the first page.
        after: Option<String>,
        /// How many rows the page may have.
        limit: i64,
    },
    /// Rows are made; one whose key is there already is `exists`: `RecordAnswer::Written`, or `Done` when all of them were.
    Insert {
        /// Names the request.
        id: i64,
        /// The table.
        table: String,
        /// The columns of the key.
        key: Vec<String>,
        /// The rows, 1,000 at most.
        #[serde(with = "crate::json::documents")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>"))]
        rows: Vec<String>,
    },
    /// Rows are changed in the columns that are given, besides those of the key, by which they are found; one that is not there is
    /// `gone`: `RecordAnswer::Written`, or `Done` when all of them were. Where rows have versions, one with another `@version` than
    /// is given is `changed`.
    Update {
        /// Names the request.
        id: i64,
        /// The table.
        table: String,
        /// The columns of the key.
        key: Vec<String>,
        /// The rows, 1,000 at most.
        #[serde(with = "crate::json::documents")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>"))]
        rows: Vec<String>,
    },
    /// Rows are taken out; one that is not there is `gone`: `RecordAnswer::Written`, or `Done` when all of them were. Versions as for
    /// `Update`.
    Delete {
        /// Names the request.
        id: i64,
        /// The table.
        table: String,
        /// Their keys, 1,000 at most, each an object of the columns of the key.
        #[serde(with = "crate::json::documents")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>"))]
        keys: Vec<String>,
    },
}

/// What a host answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(discriminant = "type", discriminant_case = "snake_case"))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub enum RecordAnswer {
    /// All of it was done.
    Done {},
    /// There is no such table.
    Absent {},
    /// What a table looks like.
    Described {
        /// The table.
        table: HostTable,
    },
    /// Rows.
    Rows {
        /// Each a JSON object.
        #[serde(with = "crate::json::documents")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>"))]
        rows: Vec<String>,
        /// What is asked for the next page; none when this was the last.
        next: Option<String>,
    },
    /// What has changed. Of a row that comes several times, what the last page says of it counts.
    Changes {
        /// Rows that are new or have changed, as they are now; each a JSON object.
        #[serde(with = "crate::json::documents")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>"))]
        rows: Vec<String>,
        /// The keys of rows that are gone; each a JSON object.
        #[serde(with = "crate::json::documents")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>"))]
        deleted: Vec<String>,
        /// What is asked for the next page; none when this was the last.
        next: Option<String>,
        /// Where the next reading begins; given with the last page.
        cursor: Option<String>,
    },
    /// What became of each row, in their order.
    Written {
        /// One for each.
        outcomes: Vec<WrittenRow>,
    },
}

/// A table of the host's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct HostTable {
    /// Its columns, in their order.
    pub columns: Vec<HostColumn>,
    /// The columns of its primary key; without one, a definition has to name a key.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub key: Option<Vec<String>>,
    /// How many rows it has, about.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub row_estimate: Option<i64>,
}

/// A column of a table of the host's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct HostColumn {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: DatumKind,
    /// What the members are, where its values are lists or sets.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub member: Option<DatumKind>,
    /// Whether it may hold nothing; all but those of the key may unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub is_nullable: Option<bool>,
    /// Whether the host computes it: it is read, never written.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub is_computed: Option<bool>,
    /// The most characters that a text may have, or bytes that bytes may have.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub max_length: Option<i64>,
    /// The digits of a decimal.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub digits: Option<i64>,
    /// How many of them are after the point.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub decimal_places: Option<i64>,
}

/// What became of a row that was to be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct WrittenRow {
    /// What became of it.
    pub outcome: WriteOutcome,
    /// Its version now, where rows have one.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub version: Option<String>,
    /// Why it was refused, or why it is not known.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub reason: Option<String>,
    /// What kind of failure that was; `host` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub code: Option<ErrorCode>,
}

/// What became of a row that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum WriteOutcome {
    /// It is written.
    Written,
    /// One with that key is there already; nothing was written.
    Exists,
    /// There is none with that key; nothing was written.
    Gone,
    /// It is no longer the row that was given; nothing was written.
    Changed,
    /// It is not taken; nothing was written.
    Refused,
    /// It may be written or not.
    Unknown,
}

impl RecordRequest {
    /// Names it.
    #[must_use]
    pub fn id(&self) -> i64 {
        match self {
            Self::Describe { id, .. }
            | Self::Scan { id, .. }
            | Self::Fetch { id, .. }
            | Self::Changes { id, .. }
            | Self::Insert { id, .. }
            | Self::Update { id, .. }
            | Self::Delete { id, .. } => *id,
        }
    }
}
