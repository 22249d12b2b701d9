//! Where two places differ.

use portbook::conduit;
use portbook::model::RelPath;
use serde::{Deserialize, Serialize};

use super::{Filters, Side, SyncMode, count, is};

/// What two places are compared as.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct VerifyOptions {
    /// What takes part. None: what took part when the two were last synced, and everything where they never were.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub filters: Option<Filters>,
    /// Read every file on both sides. Without, kinds and sizes are compared.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub checksum: Option<bool>,
}

/// The outcome of a verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct VerifyReport {
    /// The mode that the two were last synced in, where that and its filters decided what took part.
    pub mode: Option<SyncMode>,
    /// What took part.
    pub filters: Filters,
    /// Items that took no part.
    pub left_out: i64,
    /// Items that were compared.
    pub compared: i64,
    /// Bytes that were read on each side to compare contents.
    pub bytes: i64,
    /// How many items differ.
    pub differing: i64,
    /// The first of them, 1,000 at most.
    pub differences: Vec<Difference>,
}

/// How one item differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Difference {
    /// Where.
    pub path: String,
    /// How.
    pub kind: DifferenceKind,
    /// The side that alone has it, or that could not be looked at.
    pub side: Option<Side>,
    /// The same in words.
    pub words: String,
}

/// How one item differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum DifferenceKind {
    /// Only one side has it.
    OnlyOn,
    /// A file here, a directory there.
    Kind,
    /// The sizes differ.
    Size,
    /// The contents differ.
    Content,
    /// It could not be looked at.
    Unreadable,
}

impl From<VerifyOptions> for conduit::VerifyOptions {
    fn from(options: VerifyOptions) -> Self {
        Self { filters: options.filters.map(Into::into), checksum: is(options.checksum) }
    }
}

impl From<(RelPath, conduit::Difference)> for Difference {
    fn from((path, difference): (RelPath, conduit::Difference)) -> Self {
        let (kind, side) = match &difference {
            conduit::Difference::OnlyOn(side) => (DifferenceKind::OnlyOn, Some(*side)),
            conduit::Difference::Kind => (DifferenceKind::Kind, None),
            conduit::Difference::Size => (DifferenceKind::Size, None),
            conduit::Difference::Content => (DifferenceKind::Content, None),
            conduit::Difference::Unreadable(side, _) => (DifferenceKind::Unreadable, Some(*side)),
        };
        Self { path: path.to_string(), kind, side: side.map(Into::into), words: difference.to_string() }
    }
}

impl From<conduit::VerifyReport> for VerifyReport {
    fn from(report: conduit::VerifyReport) -> Self {
        let conduit::VerifyReport { mode, filters, left_out, compared, bytes, differing, differences } = report;
        Self {
            mode: mode.map(Into::into),
            filters: filters.into(),
            left_out: count(left_out),
            compared: count(compared),
            bytes: count(bytes),
            differing: count(differing),
            differences: differences.into_iter().map(Into::into).collect(),
        }
    }
}
