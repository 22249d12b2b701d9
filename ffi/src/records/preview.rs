//! What a preview shows.

use portbook::delta::{self, SkipReason};
use portbook::model::{self, Sides};
use portbook::operation;
use serde::{Deserialize, Serialize};

use super::{count, date, path_of, same_words};
use crate::error::Result;

/// How many items of each kind; of a preview what would be done, of a run what was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Counts {
    /// Items that one side did not have.
    pub new: i64,
    /// Items carried over an older state.
    pub updated: i64,
    /// Items removed.
    pub deleted: i64,
    /// Items renamed or moved.
    pub moved: i64,
    /// Items that both sides had changed.
    pub conflicts: i64,
    /// Items that were equal.
    pub unchanged: i64,
    /// Items left alone for a stated reason.
    pub skipped: i64,
    /// Items that could not be carried, stale ones included.
    pub failed: i64,
}

/// What a preview holds in sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct PreviewSummary {
    /// Names it.
    pub id: String,
    /// How many changes of each kind.
    pub counts: Counts,
    /// Items that applying it acts on.
    pub items: i64,
    /// Files and links that applying it carries.
    pub files: i64,
    /// Bytes that applying it carries.
    pub bytes: i64,
    /// The guards that applying it stops at until each is confirmed.
    pub guards: Vec<Guard>,
    /// When it was computed.
    pub computed_at: String,
    /// When it ends.
    pub expires_at: String,
}

/// A guard that stops a run before it does anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Guard {
    /// Stable text of the guard, to confirm it with.
    pub name: String,
    /// What it saw.
    pub reason: String,
    /// What lifts it.
    pub advice: String,
}

/// A change of a preview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Change {
    /// Names it within its preview.
    pub id: String,
    /// Where, relative to both roots.
    pub path: String,
    /// Where the source has it, when that is not `path`.
    pub path_on_source: Option<String>,
    /// Where the target has it, when that is not `path`.
    pub path_on_target: Option<String>,
    /// How it is counted.
    pub kind: ChangeKind,
    /// What is done.
    pub action: ChangeAction,
    /// The side that is changed; none when none is.
    pub changes: Option<Side>,
    /// What the item is.
    pub item: ItemKind,
    /// Bytes that are carried.
    pub bytes: i64,
    /// Where a moved item comes from.
    pub moved_from: Option<String>,
    /// Why a skipped item is left alone.
    pub cause: Option<SkipCause>,
    /// The same in words.
    pub reason: Option<String>,
    /// It is going to be applied.
    pub ticked: bool,
    /// It is the second half of the decision before it, and is ticked with it.
    pub follows: bool,
    /// The conflict that a person decided so.
    pub decides: Option<i64>,
}

/// A page of changes, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ChangePage {
    /// 1,000 at most.
    pub changes: Vec<Change>,
    /// What to give for the next page; none at the end.
    pub next: Option<String>,
}

/// Which changes of a preview are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct ChangeFilter {
    /// Only this kind. Items that are equal and only recorded are listed when `unchanged` is asked for.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub kind: Option<ChangeKind>,
    /// Only this path and what lies beneath it.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub under: Option<String>,
}

/// One side of a conduit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum Side {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Target,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum ItemKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A document that exists only inside a service.
    NativeDoc,
    /// A socket, a device, a pipe.
    Other,
}

/// How a change is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum ChangeKind {
    /// An item that one side does not have yet.
    New,
    /// An item whose content or metadata is carried over an older state.
    Updated,
    /// An item that is removed from a side, into its trash.
    Deleted,
    /// An item that is renamed or moved on a side.
    Moved,
    /// Both sides changed; the action says what the policy makes of it.
    Conflict,
    /// Equal on both sides; only the ledger learns something.
    Unchanged,
    /// Seen and left alone, with the reason.
    Skipped,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum ChangeAction {
    /// A directory is made.
    MakeDir,
    /// The item is renamed.
    Move,
    /// The file or link is carried.
    Transfer,
    /// Attributes are set.
    SetMetadata,
    /// The item goes to the trash.
    Delete,
    /// The ledger learns that both sides agree.
    Record,
    /// The ledger lets go of it.
    Forget,
    /// Nothing.
    Skip,
}

/// Why an item is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum SkipCause {
    /// It or the directory it lies in could not be read.
    Unknown,
    /// Mirror mode, not exact: the ledger never knew it at the target.
    Untracked,
    /// The filter leaves it out.
    Excluded,
    /// Selective mode: not chosen for the target.
    NotSelected,
    /// Selective mode: let go, but the target's copy was edited or the source does not provably have it.
    NotReleasable,
    /// Neither file, link nor directory.
    UnsupportedKind,
    /// Another item has the same name on a side.
    NameCollision,
    /// A side cannot hold the name.
    NameNotAllowed,
    /// Damaged by an unclean stop.
    Suspect,
}

same_words!(ItemKind = model::Kind { File, Dir, Symlink, NativeDoc, Other });
same_words!(ChangeKind = delta::ChangeKind { New, Updated, Deleted, Moved, Conflict, Unchanged, Skipped });

impl From<model::Side> for Side {
    fn from(side: model::Side) -> Self {
        match side {
            model::Side::Left => Self::Source,
            model::Side::Right => Self::Target,
        }
    }
}

impl From<Side> for model::Side {
    fn from(side: Side) -> Self {
        match side {
            Side::Source => Self::Left,
            Side::Target => Self::Right,
        }
    }
}

impl ChangeAction {
    fn named(action: &str) -> Self {
        match action {
            "make_dir" => Self::MakeDir,
            "move" => Self::Move,
            "transfer" => Self::Transfer,
            "set_metadata" => Self::SetMetadata,
            "delete" => Self::Delete,
            "record" => Self::Record,
            "forget" => Self::Forget,
            _ => Self::Skip,
        }
    }
}

impl From<&SkipReason> for SkipCause {
    fn from(reason: &SkipReason) -> Self {
        match reason {
            SkipReason::Unknown(..) => Self::Unknown,
            SkipReason::Untracked => Self::Untracked,
            SkipReason::Excluded => Self::Excluded,
            SkipReason::NotSelected => Self::NotSelected,
            SkipReason::NotReleasable => Self::NotReleasable,
            SkipReason::UnsupportedKind => Self::UnsupportedKind,
            SkipReason::NameCollision(_) => Self::NameCollision,
            SkipReason::NameNotAllowed(_) => Self::NameNotAllowed,
            SkipReason::Suspect(_) => Self::Suspect,
        }
    }
}

impl From<operation::Counts> for Counts {
    fn from(counts: operation::Counts) -> Self {
        let operation::Counts { new, updated, deleted, moved, conflicts, unchanged, skipped, failed } = counts;
        Self {
            new: count(new),
            updated: count(updated),
            deleted: count(deleted),
            moved: count(moved),
            conflicts: count(conflicts),
            unchanged: count(unchanged),
            skipped: count(skipped),
            failed: count(failed),
        }
    }
}

impl From<operation::Guard> for Guard {
    fn from(guard: operation::Guard) -> Self {
        let operation::Guard { name, reason, advice } = guard;
        Self { name, reason, advice }
    }
}

impl From<operation::PreviewSummary> for PreviewSummary {
    fn from(summary: operation::PreviewSummary) -> Self {
        let operation::PreviewSummary { id, counts, items, files, bytes, guards, computed_at, expires_at } = summary;
        Self {
            id: id.to_string(),
            counts: counts.into(),
            items: count(items),
            files: count(files),
            bytes: count(bytes),
            guards: guards.into_iter().map(Into::into).collect(),
            computed_at: date(computed_at),
            expires_at: date(expires_at),
        }
    }
}

impl From<operation::PreviewChange> for Change {
    fn from(change: operation::PreviewChange) -> Self {
        let text = |path: Option<model::RelPath>| path.map(|path| path.to_string());
        let Sides { left, right } = change.path_on;
        Self {
            id: change.id.to_string(),
            path: change.path.to_string(),
            path_on_source: text(left),
            path_on_target: text(right),
            kind: change.kind.into(),
            action: ChangeAction::named(change.action),
            changes: change.changes.map(Into::into),
            item: change.item.into(),
            bytes: count(change.bytes),
            moved_from: text(change.from),
            cause: change.reason.as_ref().map(Into::into),
            reason: change.reason.as_ref().map(ToString::to_string),
            ticked: change.ticked,
            follows: change.follows,
            decides: change.decides,
        }
    }
}

impl ChangeFilter {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<operation::ChangeFilter> {
        let under = self.under.as_deref().map(path_of).transpose()?;
        Ok(operation::ChangeFilter { kind: self.kind.map(Into::into), under })
    }
}
