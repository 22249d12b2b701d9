//! Conflicts that wait for a person.

use portbook::conduit;
use portbook::model::{self, Node, Sides};
use serde::{Deserialize, Serialize};

use super::{ItemKind, Side, count, date, name_of, same_words};
use crate::error::Result;

/// A conflict that waits, or waited, for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Conflict {
    /// Names it within its conduit.
    pub id: i64,
    /// Where, relative to both roots.
    pub path: String,
    /// Why it waits.
    pub reason: WaitReason,
    /// The side that the reason speaks of.
    pub side: Option<Side>,
    /// What the source showed; none where it had nothing.
    pub seen_at_source: Option<SeenItem>,
    /// What the target showed; none where it had nothing.
    pub seen_at_target: Option<SeenItem>,
    /// The run that met it last.
    pub generation: i64,
    /// When it was met first.
    pub created_at: String,
    /// Names what was seen: give it back with the decision.
    pub mark: String,
    /// What was decided, and in the end carried out.
    pub choice: Option<Choice>,
    /// When that was decided.
    pub decided_at: Option<String>,
    /// Who decided it; none once that user is gone.
    pub decided_by: Option<String>,
    /// Why the last decision came to nothing.
    pub note: Option<String>,
    /// When it was closed; none while it waits.
    pub resolved_at: Option<String>,
    /// How it was closed.
    pub resolution: Option<Resolution>,
}

/// What a side showed of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct SeenItem {
    /// What it was.
    pub item: ItemKind,
    /// Bytes; 0 for directories.
    pub bytes: i64,
    /// When it was last modified, where the place says so.
    pub modified_at: Option<String>,
}

/// What both sides last agreed on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct AgreedItem {
    /// What it is.
    pub item: ItemKind,
    /// Its agreed name.
    pub name: String,
    /// The BLAKE3 of the agreed content; none for directories, and where it is not known.
    pub content: Option<String>,
}

/// What is to become of an item that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(discriminant = "type", discriminant_case = "snake_case"))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub enum Choice {
    /// The source's state counts: the target becomes like it.
    KeepSource {},
    /// The target's state counts: the source becomes like it, in every mode.
    KeepDestination {},
    /// Both stay, one of them under a conflict name.
    KeepBoth {},
    /// The item of that side gets another name, and both sides have it under that name.
    Rename {
        /// Whose item.
        side: Side,
        /// Its new name, in the same directory.
        name: String,
    },
}

/// A conflict with what is needed to decide about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct Inspection {
    /// The conflict.
    pub conflict: Conflict,
    /// What both sides last agreed on; none where they never did.
    pub base: Option<AgreedItem>,
    /// What can be decided; `rename-source` and `rename-destination` stand for `rename` of that side.
    pub choices: Vec<Resolution>,
}

/// What a person can decide about a conflict, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "kebab-case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum Resolution {
    /// The source's state counts.
    Source,
    /// The target's state counts.
    Destination,
    /// Both, one of them under another name.
    Both,
    /// The source's item gets another name.
    RenameSource,
    /// The target's item gets another name.
    RenameDestination,
    /// The conflict went away by itself.
    Dropped,
}

/// Why an item waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum WaitReason {
    /// Another item has the same name on that side, or a directory and a file have one name.
    NameCollision,
    /// That side cannot hold the name.
    NameNotAllowed,
    /// An unclean stop may have damaged that side's file.
    Suspect,
}

same_words!(Resolution = model::Resolution { Source, Destination, Both, RenameSource, RenameDestination, Dropped });
same_words!(WaitReason = model::WaitReason { NameCollision, NameNotAllowed, Suspect });

impl From<Node> for SeenItem {
    fn from(node: Node) -> Self {
        let modified = node.token.mtime.and_then(|at| chrono::DateTime::from_timestamp(at.secs, at.nanos));
        Self { item: node.kind.into(), bytes: count(node.token.size), modified_at: modified.map(date) }
    }
}

impl From<model::Pair> for AgreedItem {
    fn from(pair: model::Pair) -> Self {
        let content = pair.content.map(|content| content.to_string());
        Self { item: pair.kind.into(), name: pair.name.to_string(), content }
    }
}

impl Choice {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<conduit::Choice> {
        Ok(match self {
            Self::KeepSource {} => conduit::Choice::KeepSource,
            Self::KeepDestination {} => conduit::Choice::KeepDestination,
            Self::KeepBoth {} => conduit::Choice::KeepBoth,
            Self::Rename { side, name } => conduit::Choice::Rename { side: side.into(), name: name_of(&name)? },
        })
    }
}

impl From<conduit::Choice> for Choice {
    fn from(choice: conduit::Choice) -> Self {
        match choice {
            conduit::Choice::KeepSource => Self::KeepSource {},
            conduit::Choice::KeepDestination => Self::KeepDestination {},
            conduit::Choice::KeepBoth => Self::KeepBoth {},
            conduit::Choice::Rename { side, name } => Self::Rename { side: side.into(), name: name.to_string() },
        }
    }
}

impl From<conduit::Conflict> for Conflict {
    fn from(conflict: conduit::Conflict) -> Self {
        let Sides { left, right } = conflict.seen;
        Self {
            id: conflict.id,
            path: conflict.path.to_string(),
            reason: conflict.reason.into(),
            side: conflict.side.map(Into::into),
            seen_at_source: left.map(Into::into),
            seen_at_target: right.map(Into::into),
            generation: conflict.generation,
            created_at: date(conflict.created_at),
            mark: conflict.mark,
            choice: conflict.choice.map(Into::into),
            decided_at: conflict.decided_at.map(date),
            decided_by: conflict.decided_by.map(|user| user.to_string()),
            note: conflict.note,
            resolved_at: conflict.resolved_at.map(date),
            resolution: conflict.resolution.map(Into::into),
        }
    }
}

impl From<conduit::Inspection> for Inspection {
    fn from(inspection: conduit::Inspection) -> Self {
        let conduit::Inspection { conflict, base, choices } = inspection;
        Self {
            conflict: conflict.into(),
            base: base.map(Into::into),
            choices: choices.into_iter().map(Into::into).collect(),
        }
    }
}
