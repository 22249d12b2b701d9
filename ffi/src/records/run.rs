//! What a run tells.

use portbook::{Code, operation};
use serde::{Deserialize, Serialize};

use super::{ChangeKind, Counts, PreviewSummary, count, same_words};

/// Applied items that one event holds at most.
pub(crate) const PAGE: usize = 1000;

/// What a run reports while it works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(discriminant = "type", discriminant_case = "snake_case"))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub enum RunEvent {
    /// The preview is on disk: what will be done, with its totals, before the first byte.
    Planned {
        /// The totals.
        summary: PreviewSummary,
    },
    /// How far it is; skipped when the reader lags.
    Progress {
        /// How far.
        at: RunProgress,
    },
    /// These items are done and durable; 1,000 at most.
    Applied {
        /// The items.
        items: Vec<AppliedItem>,
    },
    /// An item could not be carried.
    Failed {
        /// Which, and why.
        failure: ItemFailure,
    },
    /// The run waits until it is resumed.
    Paused {},
    /// The run goes on.
    Resumed {},
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RunProgress {
    /// What it is doing.
    pub phase: RunPhase,
    /// Items done, failed ones included; while scanning, items seen.
    pub items_done: i64,
    /// Items to do; 0 while it is not known.
    pub items_total: i64,
    /// Bytes carried.
    pub bytes_done: i64,
    /// Bytes to carry; 0 while it is not known.
    pub bytes_total: i64,
    /// Items per second, over the last seconds.
    pub items_per_second: f64,
    /// Bytes per second, over the last seconds.
    pub bytes_per_second: f64,
    /// How long it will take still, where that can be told.
    pub eta_ms: Option<i64>,
    /// Since the run began.
    pub elapsed_ms: i64,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum RunPhase {
    /// Comparing the two places with the ledger. Totals are not known yet.
    Scanning,
    /// Carrying what the preview shows.
    Applying,
    /// Looking at both sides once more.
    Verifying,
}

/// An item that was carried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct AppliedItem {
    /// Its path.
    pub path: String,
    /// How it is counted.
    pub kind: ChangeKind,
    /// Bytes that were carried.
    pub bytes: i64,
}

/// An item that was not carried, and why. Code `stale`: it moved on since it was previewed and was left alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ItemFailure {
    /// Its path.
    pub path: String,
    /// What kind of failure it was.
    pub code: ErrorCode,
    /// What was wrong.
    pub text: String,
    /// Whether the same may succeed later as it stands.
    pub is_retryable: bool,
}

/// The outcome of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct RunReport {
    /// Which execution of the conduit it was, from 1; 0 when it was cancelled while it looked at the places.
    pub generation: i64,
    /// The preview that was applied.
    pub preview: String,
    /// What was done.
    pub counts: Counts,
    /// Stale items among the failed ones.
    pub stale: i64,
    /// Conflicts that wait for a person.
    pub waiting: i64,
    /// Bytes that were carried.
    pub bytes: i64,
    /// How long it took.
    pub elapsed_ms: i64,
    /// The first failures, 100 at most; all of them are in the book.
    pub failures: Vec<ItemFailure>,
    /// What the look at both sides after the run showed: `verified`, `unverified` or `failed:` and why.
    pub verification: String,
    /// It was cancelled before it was done; the next run goes on from there.
    pub cancelled: bool,
    /// Whether both sides are in step: nothing failed, nothing waits.
    pub is_in_step: bool,
}

/// The code of a failure: the contract, while its text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum ErrorCode {
    /// An argument or a configuration cannot be used as it stands.
    Invalid,
    /// What was named does not exist, or not for this tenant.
    NotFound,
    /// Both sides changed and no policy decides, or a row was changed by someone else meanwhile.
    Conflict,
    /// The state that was previewed has moved on.
    Stale,
    /// A guard stopped the run before it did anything.
    Guard,
    /// The other side does not accept the credentials.
    Auth,
    /// The credentials are good and do not allow this.
    Permission,
    /// No space or no quota is left.
    Quota,
    /// The other side asks for a slower pace.
    Throttled,
    /// The other side cannot be reached.
    Offline,
    /// The other side did not answer in time; whether it acted is unknown.
    Timeout,
    /// The place cannot do what was asked.
    Unsupported,
    /// Another run holds what this one needs.
    Busy,
    /// The book was written by a newer version.
    Newer,
    /// The book or a file in it does not hold together.
    Corrupt,
    /// The key does not open what it should.
    WrongKey,
    /// Reading or writing a place or the book failed.
    Storage,
    /// The host's own code failed.
    Host,
    /// The call was cancelled.
    Cancelled,
    /// A defect of this library.
    Internal,
}

same_words!(RunPhase = operation::RunPhase { Scanning, Applying, Verifying });

/// `Code` may gain codes that this match does not have: a test walks `Code::ALL`.
impl From<Code> for ErrorCode {
    fn from(code: Code) -> Self {
        match code {
            Code::Invalid => Self::Invalid,
            Code::NotFound => Self::NotFound,
            Code::Conflict => Self::Conflict,
            Code::Stale => Self::Stale,
            Code::Guard => Self::Guard,
            Code::Auth => Self::Auth,
            Code::Permission => Self::Permission,
            Code::Quota => Self::Quota,
            Code::Throttled => Self::Throttled,
            Code::Offline => Self::Offline,
            Code::Timeout => Self::Timeout,
            Code::Unsupported => Self::Unsupported,
            Code::Busy => Self::Busy,
            Code::Newer => Self::Newer,
            Code::Corrupt => Self::Corrupt,
            Code::WrongKey => Self::WrongKey,
            Code::Storage => Self::Storage,
            Code::Host => Self::Host,
            Code::Cancelled => Self::Cancelled,
            _ => Self::Internal,
        }
    }
}

impl From<operation::Progress> for RunProgress {
    fn from(progress: operation::Progress) -> Self {
        Self {
            phase: progress.phase.into(),
            items_done: count(progress.items_done),
            items_total: count(progress.items_total),
            bytes_done: count(progress.bytes_done),
            bytes_total: count(progress.bytes_total),
            items_per_second: progress.items_per_second,
            bytes_per_second: progress.bytes_per_second,
            eta_ms: progress.eta.map(|eta| count(eta.as_millis())),
            elapsed_ms: count(progress.elapsed.as_millis()),
        }
    }
}

impl From<operation::AppliedItem> for AppliedItem {
    fn from(item: operation::AppliedItem) -> Self {
        Self { path: item.path, kind: item.kind.into(), bytes: count(item.bytes) }
    }
}

impl From<operation::ItemFailure> for ItemFailure {
    fn from(failure: operation::ItemFailure) -> Self {
        let operation::ItemFailure { path, error } = failure;
        Self { path, code: error.code().into(), text: error.to_string(), is_retryable: error.is_retryable() }
    }
}

impl From<operation::RunReport> for RunReport {
    fn from(report: operation::RunReport) -> Self {
        let is_in_step = report.is_in_step();
        Self {
            generation: report.generation,
            preview: report.preview.to_string(),
            counts: report.counts.into(),
            stale: count(report.stale),
            waiting: count(report.waiting),
            bytes: count(report.bytes),
            elapsed_ms: count(report.elapsed.as_millis()),
            failures: report.failures.into_iter().map(Into::into).collect(),
            verification: report.verification,
            cancelled: report.cancelled,
            is_in_step,
        }
    }
}

/// An event of the core, in pieces of at most [`PAGE`] items; none for an event that this border does not know.
pub(crate) fn events_of(event: operation::RunEvent) -> Vec<RunEvent> {
    match event {
        operation::RunEvent::Planned(summary) => vec![RunEvent::Planned { summary: summary.into() }],
        operation::RunEvent::Progress(progress) => vec![RunEvent::Progress { at: progress.into() }],
        operation::RunEvent::Applied(mut items) => {
            let mut events = Vec::with_capacity(1 + items.len() / PAGE);
            while !items.is_empty() {
                let rest = items.split_off(items.len().min(PAGE));
                events.push(RunEvent::Applied { items: items.into_iter().map(Into::into).collect() });
                items = rest;
            }
            events
        }
        operation::RunEvent::Failed(failure) => vec![RunEvent::Failed { failure: failure.into() }],
        operation::RunEvent::Paused => vec![RunEvent::Paused {}],
        operation::RunEvent::Resumed => vec![RunEvent::Resumed {}],
        _ => Vec::new(),
    }
}
