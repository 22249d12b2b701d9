//! A change of a row, as a preview keeps it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::delta::Decision;
use crate::delta::ChangeKind;
use crate::error::{Code, Error, Result};
use crate::identity::RowHash;
use crate::model::{Moment, Side};
use crate::operation::plan::{PlanRow, Position};

/// What is done about a row. The numbers are stored (`sync_preview_change.action`); 5 to 8 mean the same for files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Act {
    /// That side gets the row of the other.
    Insert(Side),
    /// The row of that side becomes the other's.
    Update(Side),
    /// The row of that side goes.
    Delete(Side),
    /// Both have the same already: the ledger learns it.
    Record,
    /// Neither has it any more: the ledger forgets it.
    Forget,
    /// Both sides changed it: it waits for a person.
    Wait,
    /// It cannot be carried, for this reason.
    Refuse {
        /// The number of the code.
        code: i32,
        /// Why.
        words: String,
    },
    /// Both sides get a row of both: these columns of the target as it has them, all others as the source has them.
    Merge(BTreeSet<String>),
}

/// A change of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowChange {
    /// What is done.
    pub(crate) act: Act,
    /// Which row; its text is the path of the stored change.
    #[serde(with = "serde_bytes_32")]
    pub(crate) identity: RowHash,
    #[serde(skip)]
    pub(crate) name: String,
    /// Both sides have it as the ledger says it, or it was not looked at.
    pub(crate) is_known: bool,
    /// Rows of the target have markers, and this one has none yet.
    pub(crate) is_unmarked: bool,
    /// Its key at the source, encoded; empty where only the ledger and the target have it.
    pub(crate) source_key: Vec<u8>,
    /// Its key at the target, encoded, where it was seen.
    pub(crate) target_key: Option<Vec<u8>>,
    /// What the source showed.
    pub(crate) source: Option<RowHash>,
    /// What the target showed, where it was looked at.
    pub(crate) target: Option<RowHash>,
    /// The version that the target's row had.
    pub(crate) version: Option<String>,
    /// Both sides changed it, and which one did last could not be told.
    pub(crate) is_tie: bool,
    /// When the source says that it changed it.
    pub(crate) changed_at: Option<Moment>,
}

/// Bytes as they are: as a sequence of numbers a hash would take two bytes for each above 127.
mod serde_bytes_32 {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(hash: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(hash)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<[u8; 32], D::Error> {
        <&[u8]>::deserialize(from)?.try_into().map_err(|_| D::Error::custom("a hash has another length"))
    }
}

/// The kind of item of a row in a stored change.
const ROW: i64 = 6;

impl Act {
    /// What a decision asks for; `join` says how both sides get a row in which that side's fields count.
    pub(crate) fn of(decision: Decision, join: impl FnOnce(Side) -> Self) -> Option<Self> {
        Some(match decision {
            Decision::Keep => return None,
            Decision::Insert(side) => Self::Insert(side),
            Decision::Update(side) => Self::Update(side),
            Decision::Join(side) => join(side),
            Decision::Delete(side) => Self::Delete(side),
            Decision::Record => Self::Record,
            Decision::Forget => Self::Forget,
            Decision::Wait => Self::Wait,
        })
    }

    /// A refusal.
    pub(crate) fn refuse(error: &Error) -> Self {
        Self::Refuse { code: error.code() as i32, words: error.to_string() }
    }

    /// Its stored number.
    pub(crate) fn number(&self) -> i64 {
        match self {
            Self::Delete(_) => 5,
            Self::Record => 6,
            Self::Forget => 7,
            Self::Wait | Self::Refuse { .. } => 8,
            Self::Insert(_) => 9,
            Self::Update(_) => 10,
            Self::Merge(_) => 11,
        }
    }

    /// Its name for hosts.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Insert(_) => "insert",
            Self::Update(_) => "update",
            Self::Merge(_) => "merge",
            Self::Delete(_) => "delete",
            Self::Record => "record",
            Self::Forget => "forget",
            Self::Wait | Self::Refuse { .. } => "skip",
        }
    }

    /// How it is counted.
    pub(crate) fn kind(&self) -> ChangeKind {
        match self {
            Self::Insert(_) => ChangeKind::New,
            Self::Update(_) | Self::Merge(_) => ChangeKind::Updated,
            Self::Delete(_) => ChangeKind::Deleted,
            Self::Record | Self::Forget => ChangeKind::Unchanged,
            Self::Wait => ChangeKind::Conflict,
            Self::Refuse { .. } => ChangeKind::Skipped,
        }
    }

    /// The side that it changes; of both the one that it changes first.
    pub(crate) fn changes(&self) -> Option<Side> {
        match self {
            Self::Insert(side) | Self::Update(side) | Self::Delete(side) => Some(*side),
            Self::Merge(_) => Some(Side::Right),
            Self::Record | Self::Forget | Self::Wait | Self::Refuse { .. } => None,
        }
    }

    /// When its turn is. Deletions come before what may need their place in a unique index, and what is only written into the
    /// ledger comes first, so that it is there whatever else fails.
    fn step(&self) -> i64 {
        match self {
            Self::Record | Self::Forget => 0,
            Self::Wait | Self::Refuse { .. } => 1,
            Self::Delete(_) => 2,
            Self::Update(_) | Self::Merge(_) => 3,
            Self::Insert(_) => 4,
        }
    }

    /// Whether both can be done in one batch.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.number() == other.number()
            && self.changes() == other.changes()
            && matches!(self, Self::Wait) == matches!(other, Self::Wait)
    }

    /// The refusal as an error.
    pub(crate) fn error(&self, name: &str) -> Option<Error> {
        let Self::Refuse { code, words } = self else { return None };
        let code = Code::ALL.iter().copied().find(|known| *known as i32 == *code).unwrap_or(Code::Internal);
        Some(Error::new(code, "carry the row", name).because(words))
    }
}

impl RowChange {
    /// It as a row of the preview.
    pub(crate) fn row(&self, seq: i64) -> Result<PlanRow> {
        let detail = postcard::to_stdvec(self)
            .map_err(|e| Error::new(Code::Internal, "encode a change of", &self.name).caused_by(e))?;
        Ok(PlanRow {
            at: Position { ord: self.act.step() << 32 | self.share(), seq },
            lead: None,
            kind: self.act.kind(),
            side: self.act.changes(),
            action: self.act.number(),
            item: ROW,
            path: self.name.as_bytes().to_vec(),
            bytes: 0,
            detail,
        })
    }

    /// Which 256th of the ledger it belongs to, where nothing but the ledger is written: that lies in the order of identities,
    /// which are hashes, and rows in the order of their keys would each meet another page of it. A plan with more shares than
    /// that would itself have more places to grow at than fit into the cache of the store.
    fn share(&self) -> i64 {
        match &self.act {
            Act::Record | Act::Forget => i64::from(self.identity[0]),
            Act::Insert(_) | Act::Update(_) | Act::Merge(_) | Act::Delete(_) | Act::Wait | Act::Refuse { .. } => 0,
        }
    }

    /// It from the two columns that hold it.
    pub(crate) fn read(path: &[u8], detail: &[u8]) -> Result<Self> {
        let corrupt = || Error::new(Code::Corrupt, "read the preview", "");
        let mut change: Self = postcard::from_bytes(detail).map_err(|e| corrupt().caused_by(e))?;
        change.name = String::from_utf8(path.to_vec()).map_err(|e| corrupt().caused_by(e))?;
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> RowChange {
        RowChange {
            act: Act::Update(Side::Right),
            identity: [200; 32],
            name: "id=7".into(),
            is_known: true,
            is_unmarked: false,
            source_key: vec![1, 2],
            target_key: Some(vec![3]),
            source: Some([1; 32]),
            target: None,
            version: Some("\"1\"".into()),
            is_tie: true,
            changed_at: Some(Moment(5)),
        }
    }

    #[test]
    fn a_change_reads_back() {
        let change = change();
        let row = change.row(5).unwrap();
        assert_eq!(RowChange::read(&row.path, &row.detail).unwrap(), change);
        assert_eq!((row.item, row.side, row.action), (6, Some(Side::Right), 10));
    }

    #[test]
    fn what_only_the_ledger_learns_comes_in_its_order() {
        let place = |act: Act, first: u8, seq| {
            let change = RowChange { act, identity: [first; 32], ..change() };
            change.row(seq).unwrap().at
        };
        assert!(place(Act::Record, 9, 1) < place(Act::Record, 200, 0), "by share");
        assert!(place(Act::Forget, 9, 0) < place(Act::Record, 9, 1), "within a share as they come");
        assert!(place(Act::Record, 255, 1) < place(Act::Delete(Side::Right), 0, 0), "before all that is written");
        assert!(
            place(Act::Insert(Side::Right), 200, 0) < place(Act::Insert(Side::Right), 9, 1),
            "the order of the source stays"
        );
    }
}
