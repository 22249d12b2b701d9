//! Counts of a finished walk: what a report shows and what the guards ask.

use super::change::{Action, Change, ChangeKind, Expect};
use crate::model::{Kind, Side, Sides};

/// Counts of a finished walk, after moves were paired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pairs that are equal and need nothing.
    pub unchanged: u64,
    /// Items seen and left alone without a row of their own (not selected, beneath something unknown).
    pub skipped: u64,
    /// Ledger rows that were seen, the root's excepted.
    pub base: u64,
    /// Ledger rows directly beneath the root.
    pub root_base: u64,
    /// Entries each side shows directly beneath the root; `None` where that is not known.
    pub root_entries: Sides<Option<u64>>,
    /// Files, links and directories seen on each side.
    pub entries: Sides<u64>,
    /// Deletions planned on each side.
    pub deletes: Sides<u64>,
    /// Files and links of each side that are replaced by another content.
    pub overwrites: Sides<u64>,
    /// Files of each side that are replaced by an empty or nearly empty one.
    pub shrinks: Sides<u64>,
    /// Items that share a name under a side's folding.
    pub collisions: u64,
    /// Ledger rows let go because the filter leaves them out.
    pub detached: u64,
    /// Changes that are counted by kind, in the order of [`ChangeKind::ALL`].
    pub kinds: [u64; 7],
    /// Bytes that will be carried.
    pub bytes: u64,
}

/// A file of this size or less that replaces a larger one is counted as shrunk.
const NEARLY_EMPTY: u64 = 16;

impl Tally {
    /// How many changes of that kind there are (parts that follow another change are not counted).
    #[must_use]
    pub fn count(&self, kind: ChangeKind) -> u64 {
        self.kinds[kind as usize - 1]
    }

    pub(super) fn add(&mut self, change: &Change) {
        if !change.follows {
            self.kinds[change.kind as usize - 1] += 1;
        }
        self.bytes += change.bytes;
        match &change.action {
            Action::Delete { on } => self.deletes[*on] += 1,
            Action::Transfer { to, .. } => self.add_transfer(change, *to),
            Action::Skip(super::change::SkipReason::NameCollision(_)) => self.collisions += 1,
            Action::Forget if change.kind == ChangeKind::Skipped => self.detached += 1,
            Action::Forget
            | Action::MakeDir { .. }
            | Action::Move { .. }
            | Action::SetMetadata { .. }
            | Action::Record
            | Action::Skip(_) => {}
        }
    }

    fn add_transfer(&mut self, change: &Change, to: Side) {
        let Expect::Node(replaced) = &change.expect[to] else { return };
        self.overwrites[to] += 1;
        if change.item == Kind::File && change.bytes <= NEARLY_EMPTY && replaced.token.size > NEARLY_EMPTY {
            self.shrinks[to] += 1;
        }
    }
}
