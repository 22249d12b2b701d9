//! What was done, how far it is, what failed: rows of the book that runs write.

use serde::{Deserialize, Serialize};

/// A line of activity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Activity {
    /// Its id.
    pub id: String,
    /// The run.
    pub sync_id: Option<String>,
    /// What was counted.
    pub entity_type: Option<SyncEntityType>,
    /// What happened.
    pub action: SyncAction,
    /// How it ended or stands.
    pub status: SyncStatus,
    /// Items concerned.
    pub record_count: Option<i64>,
    /// How long it took.
    pub duration_seconds: Option<f64>,
    /// Why it failed, if it did.
    pub error_message: Option<String>,
    /// Who did it.
    pub user_id: Option<String>,
    /// When.
    pub created_at: String,
}

/// Which lines of activity are wanted; every field that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ActivityFilter {
    /// What the runs of this conduit did.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub conduit: Option<String>,
    /// What this run did.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub sync_id: Option<String>,
    /// What this user did.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub user: Option<String>,
    /// What was counted.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub entity_type: Option<SyncEntityType>,
    /// What happened.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub action: Option<SyncAction>,
    /// How it ended or stands.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub status: Option<SyncStatus>,
    /// At this time or later.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub since: Option<String>,
    /// Before this time.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub until: Option<String>,
}

/// A page of lines of activity, the latest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ActivityPage {
    /// 1,000 at most.
    pub lines: Vec<Activity>,
    /// What to give for the next page; none at the end.
    pub next: Option<String>,
}

/// How far a run is or came, as the book has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct StoredProgress {
    /// Its id.
    pub id: String,
    /// The run.
    pub sync_id: String,
    /// The conduit or definition.
    pub job_id: Option<String>,
    /// What is counted.
    pub entity_type: SyncEntityType,
    /// Where it stands.
    pub status: SyncStatus,
    /// The item in hand.
    pub current_item: i64,
    /// Items in all.
    pub total_items: i64,
    /// Items done.
    pub processed_count: i64,
    /// Items that failed.
    pub failed_count: i64,
    /// Items per minute.
    pub speed_items_per_min: Option<f64>,
    /// Seconds that it will take still; none without a speed.
    pub eta_seconds: Option<i64>,
    /// Seconds since it began, or that it took.
    pub elapsed_seconds: i64,
    /// When it began.
    pub started_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// When it ended; none while it is under way.
    pub completed_at: Option<String>,
    /// Where the items come from.
    pub source_system: Option<String>,
    /// The batch in hand.
    pub batch_number: Option<i64>,
    /// Who started it.
    pub initiated_by: Option<String>,
}

/// Which progress is wanted; every field that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ProgressFilter {
    /// Of runs of this conduit.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub conduit: Option<String>,
    /// Of this run.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub sync_id: Option<String>,
    /// Of this job: for files, the conduit's id.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub job_id: Option<String>,
    /// What is counted.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub entity_type: Option<SyncEntityType>,
    /// Only what is under way.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub active: Option<bool>,
}

/// A page of progress, the last begun first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ProgressPage {
    /// 1,000 at most.
    pub rows: Vec<StoredProgress>,
    /// What to give for the next page; none at the end.
    pub next: Option<String>,
}

/// The failure of one item, as the book has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct SyncError {
    /// Its id.
    pub id: String,
    /// When it happened.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// The item's path.
    pub path: Option<String>,
    /// The volume, an owner.
    pub volume_id: Option<String>,
    /// The cloud connection, an owner.
    pub connection_id: Option<String>,
    /// The cloud sync job.
    pub sync_job_id: Option<String>,
    /// The indexed file.
    pub file_id: Option<String>,
    /// The class.
    pub error_type: SyncErrorType,
    /// The other side's code.
    pub error_code: Option<String>,
    /// What happened, for a person.
    pub error_message: String,
    /// Tries made after the first.
    pub retry_count: i64,
    /// When it was made good.
    pub resolved_at: Option<String>,
    /// How.
    pub resolution_notes: Option<String>,
}

/// Which failures are wanted; every field that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ErrorFilter {
    /// Of this cloud connection.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub connection: Option<String>,
    /// Of this volume.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub volume: Option<String>,
    /// Of this conduit.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub conduit: Option<String>,
    /// Of this cloud sync job.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub job: Option<String>,
    /// Of this class.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub error_type: Option<SyncErrorType>,
    /// Only those that nobody has marked as made good.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub unresolved: Option<bool>,
}

/// A page of failures, the latest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ErrorPage {
    /// 1,000 at most.
    pub errors: Vec<SyncError>,
    /// What to give for the next page; none at the end.
    pub next: Option<String>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum SyncEntityType {
    /// A customer.
    Customer,
    /// A product.
    Product,
    /// An order.
    Order,
    /// An invoice.
    Invoice,
    /// A supplier.
    Supplier,
    /// A stock level.
    Inventory,
    /// A category.
    Category,
    /// An attribute.
    Attribute,
    /// A file.
    File,
    /// A row.
    Row,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum SyncAction {
    /// A preview was made.
    PreviewDelta,
    /// A run began.
    SyncStart,
    /// A run ended; the status says how.
    SyncComplete,
    /// A batch was done.
    BatchProcess,
    /// A failure was made good.
    ErrorRecovery,
    /// A person started a run.
    ManualTrigger,
    /// The schedule started a run.
    ScheduledRun,
    /// A run continued where one was cut short.
    PartialResume,
}

/// Where a running thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum SyncStatus {
    /// Not begun.
    Pending,
    /// Under way.
    InProgress,
    /// Done.
    Completed,
    /// Done, but for items that failed.
    CompletedWithErrors,
    /// Stopped by an error.
    Failed,
    /// Stopped by a person.
    Cancelled,
    /// To be resumed.
    Paused,
    /// Stopped by a deadline.
    Timeout,
}

/// The class of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum SyncErrorType {
    /// Credentials were refused.
    Auth,
    /// The other side was out of reach.
    Network,
    /// No space or quota was left, or the pace was too high.
    Quota,
    /// Not allowed.
    Permission,
    /// The other side failed or answered something unexpected.
    Api,
    /// The item cannot be carried as it is.
    Validation,
    /// No answer in time.
    Timeout,
}
