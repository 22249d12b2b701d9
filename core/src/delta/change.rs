//! What reconciliation decides about one item.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::identity::ContentHash;
use crate::model::{Kind, Name, Node, PairId, RelPath, Side, Sides};

/// How a change is counted and shown to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum ChangeKind {
    /// An item that one side does not have yet.
    New = 1,
    /// An item whose content or metadata is carried over an older state.
    Updated = 2,
    /// An item that is removed from a side (into its trash).
    Deleted = 3,
    /// An item that is renamed or moved on a side.
    Moved = 4,
    /// Both sides changed; the action says what the policy makes of it.
    Conflict = 5,
    /// Equal on both sides; only the ledger learns something.
    Unchanged = 6,
    /// Seen and left alone, with the reason.
    Skipped = 7,
}

impl ChangeKind {
    /// Every kind, in the order of its stored number.
    pub const ALL: [ChangeKind; 7] =
        [Self::New, Self::Updated, Self::Deleted, Self::Moved, Self::Conflict, Self::Unchanged, Self::Skipped];

    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Moved => "moved",
            Self::Conflict => "conflict",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
        }
    }
}

/// Why nothing is known of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// What kind of failure it was.
    #[serde(with = "code_number")]
    pub code: Code,
    /// The other side's words.
    pub words: String,
}

impl From<&Error> for Unreadable {
    fn from(error: &Error) -> Self {
        Self { code: error.code(), words: error.to_string() }
    }
}

impl From<&str> for Unreadable {
    /// What the engine itself has to say.
    fn from(words: &str) -> Self {
        Self { code: Code::Storage, words: words.to_owned() }
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words)
    }
}

/// A code is stored by its number, which never changes.
mod code_number {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::error::Code;

    pub(super) fn serialize<S: Serializer>(code: &Code, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i32(*code as i32)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Code, D::Error> {
        let number = i32::deserialize(from)?;
        let known = Code::ALL.iter().find(|code| **code as i32 == number);
        known.copied().ok_or_else(|| D::Error::custom("no code has this number"))
    }
}

/// Why an item is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SkipReason {
    /// It or the directory it lies in could not be read on that side.
    Unknown(Side, Unreadable),
    /// Mirror mode, not *exact*: the ledger never knew it at the target.
    Untracked,
    /// The filter leaves it out; a ledger row, if any, is let go.
    Excluded,
    /// Selective mode: not chosen for the target.
    NotSelected,
    /// Selective mode: let go, but the target's copy was edited or the source does not provably have it.
    NotReleasable,
    /// A socket, a device, a pipe or a document that cannot be carried.
    UnsupportedKind,
    /// Another item has the same name under that side's folding.
    NameCollision(Side),
    /// That side cannot hold the name.
    NameNotAllowed(Side),
    /// An empty or shorter file with an unchanged time after an unclean stop: never taken for an edit.
    Suspect(Side),
}

impl SkipReason {
    /// Whether a person has to decide: the item waits in the list of conflicts.
    #[must_use]
    pub fn waits(&self) -> bool {
        match self {
            Self::NameCollision(_) | Self::NameNotAllowed(_) | Self::Suspect(_) => true,
            Self::Unknown(..)
            | Self::Untracked
            | Self::Excluded
            | Self::NotSelected
            | Self::NotReleasable
            | Self::UnsupportedKind => false,
        }
    }
}

impl std::fmt::Display for SkipReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |side: &Side| match side {
            Side::Left => "source",
            Side::Right => "target",
        };
        match self {
            Self::Unknown(side, words) => write!(f, "unreadable at the {}: {words}", name(side)),
            Self::Untracked => f.write_str("only at the target, not from here"),
            Self::Excluded => f.write_str("left out by the filter"),
            Self::NotSelected => f.write_str("not selected"),
            Self::NotReleasable => f.write_str("kept: it was edited, or the source does not have it"),
            Self::UnsupportedKind => f.write_str("neither file, link nor directory"),
            Self::NameCollision(side) => write!(f, "the {} has another item of the same name", name(side)),
            Self::NameNotAllowed(side) => write!(f, "the {} cannot hold this name", name(side)),
            Self::Suspect(side) => write!(f, "damaged by an unclean stop at the {}", name(side)),
        }
    }
}

/// Attributes that are carried beside the content. `None` leaves the attribute as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Time of the last modification.
    pub mtime: Option<crate::model::Timestamp>,
}

/// The state of an item that an action relies on. It is re-checked right before the effect; anything else makes the
/// change stale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// Nothing is there.
    Absent,
    /// Exactly this is there. Of a directory only kind and identity count.
    Node(Node),
    /// The action does not depend on this side.
    Any,
}

/// What is done. Every action except the last three changes exactly one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Make the directory on that side.
    MakeDir {
        /// The side that gets the directory.
        on: Side,
    },
    /// Rename on that side from a path there (as it is when every earlier change of the plan is done) to the
    /// change's path.
    Move {
        /// The side on which the item moves.
        on: Side,
        /// Where it is until then.
        from: RelPath,
        /// On these sides the item still has the content of the ledger row, so that the row may take a fresh look.
        settled: Sides<bool>,
    },
    /// Carry the file or link from the other side to `to`.
    Transfer {
        /// The side that is written.
        to: Side,
        /// The version that is replaced is not in the ledger and goes to the trash first.
        archive: bool,
    },
    /// Set attributes on that side; the content is equal.
    SetMetadata {
        /// The side that is written.
        on: Side,
        /// What is set.
        metadata: Metadata,
    },
    /// Move the file, link or (by then empty) directory to the trash of that side.
    Delete {
        /// The side that loses the item.
        on: Side,
    },
    /// Both sides agree: write the ledger row from a fresh look at both. No side is changed.
    Record,
    /// Drop the ledger row: both sides lost the item, or it is out of scope. No side is changed.
    Forget,
    /// Do nothing and say why.
    Skip(SkipReason),
}

impl Action {
    /// The [`number`](Self::number) of what is skipped.
    pub(crate) const SKIP: i64 = 8;

    /// The number that is stored beside a change, so that previews can be filtered without decoding.
    #[must_use]
    pub fn number(&self) -> i64 {
        match self {
            Self::MakeDir { .. } => 1,
            Self::Move { .. } => 2,
            Self::Transfer { .. } => 3,
            Self::SetMetadata { .. } => 4,
            Self::Delete { .. } => 5,
            Self::Record => 6,
            Self::Forget => 7,
            Self::Skip(_) => Self::SKIP,
        }
    }

    /// The stable text of what is done.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::MakeDir { .. } => "make_dir",
            Self::Move { .. } => "move",
            Self::Transfer { .. } => "transfer",
            Self::SetMetadata { .. } => "set_metadata",
            Self::Delete { .. } => "delete",
            Self::Record => "record",
            Self::Forget => "forget",
            Self::Skip(_) => "skip",
        }
    }

    /// The side the action changes; none for [`Record`](Self::Record), [`Forget`](Self::Forget) and
    /// [`Skip`](Self::Skip).
    #[must_use]
    pub fn changes(&self) -> Option<Side> {
        match self {
            Self::MakeDir { on } | Self::Move { on, .. } | Self::SetMetadata { on, .. } | Self::Delete { on } => {
                Some(*on)
            }
            Self::Transfer { to, .. } => Some(*to),
            Self::Record | Self::Forget | Self::Skip(_) => None,
        }
    }
}

/// When a change is applied. Within a step the lower rank comes first; changes of equal rank are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Step {
    /// What stands in the way of something else goes to the trash, deepest first.
    Clear = 1,
    /// Directories are made, recorded and items moved, top-down in the final tree, swaps through temporary names.
    Structure = 2,
    /// Files and links are carried.
    Transfer = 3,
    /// Metadata of files and directories.
    Metadata = 4,
    /// Deletions, deepest first.
    Delete = 5,
    /// The ledger alone.
    Ledger = 6,
    /// Shown, never applied.
    Report = 7,
}

/// One decision about one item: a row of a preview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The pair: the ledger's, or a new number for an item that the ledger does not know yet.
    pub pair: PairId,
    /// The directory pair that holds it once the plan is done.
    pub parent: PairId,
    /// The key of the ledger row until then (parent and name), when there is one and it differs from `parent` and the
    /// last component of `path`.
    pub was: Option<(PairId, Name)>,
    /// The agreed path once the plan is done.
    pub path: RelPath,
    /// Where each side has it, when that is not `path` (a side that cannot hold a name uses another).
    pub path_on: Sides<Option<RelPath>>,
    /// How it is counted.
    pub kind: ChangeKind,
    /// What the item is on the side the change comes from.
    pub item: Kind,
    /// What is done.
    pub action: Action,
    /// When.
    pub step: Step,
    /// The order within the step.
    pub rank: u32,
    /// Bytes that will be carried.
    pub bytes: u64,
    /// What must still hold on each side, at the side's own path (for a move: at `from`).
    pub expect: Sides<Expect>,
    /// The content where it is already known (hashed during the scan, or from the ledger).
    pub content: Option<ContentHash>,
    /// A part of the decision that the change right before it in the plan began (the second half of a keep-both, say):
    /// not counted, ticked with it, and left undone when that one was not done.
    pub follows: bool,
    /// The conflict that a person decided so.
    pub decides: Option<i64>,
}

impl Change {
    /// Where that side has the item.
    #[must_use]
    pub fn path_on(&self, side: Side) -> &RelPath {
        self.path_on[side].as_ref().unwrap_or(&self.path)
    }
}
