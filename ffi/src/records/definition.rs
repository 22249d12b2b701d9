//! What definitions of records are told, and what they show.

use serde::{Deserialize, Serialize};

use super::{ChangeKind, Drift, PreviewSummary, RecordPlace, Side};

/// How two tables are kept in step. The definition remembers what it was given last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RecordOptions {
    /// What the definition is called; by both places unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub name: Option<String>,
    /// Which way rows go; `one_way_push` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub mode: Option<RecordMode>,
    /// Who wins when a row changed on both sides; `source_wins` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub policy: Option<RecordPolicy>,
    /// The columns of the source that make a row's key; its primary key unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub key: Option<Vec<String>>,
    /// How changed rows of the source are found; by a full scan unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub cursor: Option<RecordCursor>,
    /// The fields that are kept in step; every column that both have by the same name, and that the target can be given, unless
    /// told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub fields: Option<Vec<RecordField>>,
    /// What tells which side changed a row last, for `latest_wins`; without it that cannot be told, and the source's counts.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub clock: Option<RecordClock>,
    /// A target that is not there is made, like the source: a list with all its columns at once.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub create: Option<bool>,
    /// The lists that rows go to instead of the target, by the first of these rules that takes them; all go to the target unless
    /// told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub routes: Option<Vec<RecordRoute>>,
}

/// How changed rows of the source are found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(discriminant = "type", discriminant_case = "snake_case"))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub enum RecordCursor {
    /// By reading them all.
    FullScan {},
    /// By a column that every change moves on: only rows after the last one seen are read. Rows that are deleted do not show in
    /// it; a preview with `full_scan` finds them.
    Column {
        /// The column.
        column: String,
        /// How far back is read again, where the database cannot tell which transactions are under way (all but PostgreSQL): as
        /// long as one takes to commit; 120,000 unless told otherwise.
        overlap_ms: Option<i64>,
    },
    /// By what the database itself tells, deletions included: the log of PostgreSQL (`wal_level = logical`), that of MySQL and MariaDB
    /// (`binlog_format = ROW`, `binlog_row_image = FULL`), the Change Tracking of SQL Server, or the `changes` of a host's own store.
    Log {},
}

/// The columns that say when a row was last changed. Both have to be mapped, and hold points in time or dates with times, which are
/// then taken to be of one zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RecordClock {
    /// The column of the source.
    pub source: String,
    /// The column of the target.
    pub target: String,
    /// Changes that are no further apart may have been made in either order: how far the clocks of both sides may be off; 1,000
    /// unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub skew_ms: Option<i64>,
    /// Whose change counts then, and where a side does not say when; `source` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub tie: Option<Side>,
}

/// A rule that sends rows to a list of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RecordRoute {
    /// Which rows it takes: a condition over the columns of the source (docs/expressions.md).
    pub condition: String,
    /// The list.
    pub target: RecordPlace,
}

/// A field that is kept in step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RecordField {
    /// The column of the source.
    pub source: String,
    /// The column of the target.
    pub target: String,
    /// Which way it goes; `bidirectional` unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub direction: Option<FieldDirection>,
    /// What is made of the source's row for it, instead of its column: an expression (docs/expressions.md).
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub transform: Option<String>,
}

/// How rows are previewed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RowPreviewOptions {
    /// Reads the target, too, instead of believing the ledger: rows that somebody changed there are put right. Two ways, without a
    /// ledger, or when the mapping has changed, it is always read.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub look_at_target: Option<bool>,
    /// Reads the whole source although there is a cursor: so it is found out which rows are gone where the cursor does not tell.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub full_scan: Option<bool>,
    /// Deletes rows of the target that the source does not have although they did not come from there. One way only.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub exact: Option<bool>,
    /// Deletions before a guard stops the run: a number, or a share such as `50%`; half unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub max_delete: Option<String>,
    /// Sends every row to this list in the run, whatever the rules say: the id of one of `Definition::targets`. A row stays there
    /// until it is changed at the source.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub route_to: Option<String>,
    /// How long the preview can be applied, an hour unless told otherwise.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub lifetime_ms: Option<i64>,
}

/// How a preview of rows is applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RowApplyOptions {
    /// Guards that a person has seen and confirmed for this plan, by their names.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub confirm: Option<Vec<String>>,
}

/// What a preview of rows holds in sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RowPreview {
    /// The sums that every preview has; items are rows.
    pub summary: PreviewSummary,
    /// Rows of the source.
    pub source_rows: i64,
    /// Rows of the target; none when it was not read.
    pub target_rows: Option<i64>,
    /// Why deletions were not looked for, where they were not: a row that could not be read may be any of those that seem to be
    /// gone.
    pub blind: Option<String>,
    /// What has changed about both tables since the last run, and what that is to the definition.
    pub drift: Vec<Drift>,
}

/// A row of a preview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct PreviewedRow {
    /// Names the change within its preview.
    pub id: String,
    /// The row, by its key.
    pub row: String,
    /// How it is counted.
    pub kind: ChangeKind,
    /// What is done.
    pub action: RowAction,
    /// The side that is changed; none when none is.
    pub changes: Option<Side>,
    /// Why it is left alone.
    pub reason: Option<String>,
    /// It is going to be applied.
    pub ticked: bool,
}

/// A page of the rows of a preview, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct PreviewedRowPage {
    /// 1,000 at most.
    pub rows: Vec<PreviewedRow>,
    /// What to give for the next page; none at the end.
    pub next: Option<String>,
}

/// What a comparison of both tables showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RowVerifyReport {
    /// Whether both hold the same.
    pub status: ReconcileStatus,
    /// Rows of the source.
    pub source_rows: i64,
    /// Rows of the target.
    pub target_rows: i64,
    /// Rows that only the source has.
    pub missing: i64,
    /// Rows that only the target has.
    pub extra: i64,
    /// Rows that both have and that differ.
    pub different: i64,
    /// Rows that could not be compared.
    pub unreadable: i64,
    /// The first of all these, 100 at most.
    pub differences: Vec<RowDifference>,
}

/// A row that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RowDifference {
    /// The row, by its key.
    pub row: String,
    /// What is different.
    pub kind: RowDifferenceKind,
    /// Why it could not be compared.
    pub reason: Option<String>,
}

/// Which way rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum RecordMode {
    /// From the source to the target, deletions included.
    OneWayPush,
    /// Both ways.
    TwoWay,
    /// To the target, where nothing is deleted.
    ArchiveOnly,
}

/// Who wins when a row changed on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum RecordPolicy {
    /// The source.
    SourceWins,
    /// The target.
    DestinationWins,
    /// The side that changed it last, by the clocks of both.
    LatestWins,
    /// Nobody: the row waits for a person.
    Manual,
}

/// Which way a field goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum FieldDirection {
    /// Both ways.
    Bidirectional,
    /// From the source to the target.
    PushOnly,
    /// From the target to the source.
    PullOnly,
}

/// What is done about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum RowAction {
    /// It is made.
    Insert,
    /// It is changed.
    Update,
    /// Both sides get fields of both: as a person has decided, or since some go one way only.
    Merge,
    /// It is taken out.
    Delete,
    /// The ledger learns that both sides agree.
    Record,
    /// The ledger lets go of it.
    Forget,
    /// Nothing.
    Skip,
}

/// Whether two tables hold the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum ReconcileStatus {
    /// They do.
    Match,
    /// They do not.
    Mismatch,
    /// Rows could not be read.
    Unknown,
}

/// What is different about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum RowDifferenceKind {
    /// Only the source has it.
    Missing,
    /// Only the target has it.
    Extra,
    /// Both have it, and it is not the same.
    Different,
    /// It could not be compared.
    Unreadable,
}
