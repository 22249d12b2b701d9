//! The table of the reconciliation contract (section 3) for files and links: what two states and a policy decide.

use super::change::{ChangeKind, SkipReason};
use super::classify::State;
use crate::model::{ConflictPolicy, Side, Sides, SyncMode};

/// What is done about a file or link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Both sides show what the ledger knows.
    Nothing,
    /// The contents agree and the ledger does not know it yet.
    Record,
    /// The contents agree; times or permissions are merged.
    Attributes,
    /// Both sides lost it.
    Forget,
    /// Make `to` like the other side.
    Carry { to: Side, archive: bool, kind: ChangeKind },
    /// Move it to the trash of that side.
    Remove { on: Side, kind: ChangeKind },
    /// Both stay, the target's version under another name.
    KeepBoth,
    /// Leave it alone.
    Skip(SkipReason),
}

/// What the table depends on beside the two states.
pub(super) struct Rule {
    pub(super) mode: SyncMode,
    pub(super) exact: bool,
    pub(super) policy: ConflictPolicy,
}

impl Rule {
    /// The decision for one item. `equal`: both sides provably hold the same content. `later`: the side with the later
    /// change, none where that cannot be told; asked only for *latest wins*.
    pub(super) fn decide(&self, states: &Sides<State>, equal: bool, later: impl FnOnce() -> Option<Side>) -> Verdict {
        for side in Side::BOTH {
            if let State::Unknown(reason) = &states[side] {
                return Verdict::Skip(SkipReason::Unknown(side, reason.clone()));
            }
        }
        for side in Side::BOTH {
            if states[side] == State::Suspect {
                return if states[side.other()].is_settled() {
                    Verdict::Carry { to: side, archive: true, kind: ChangeKind::Updated }
                } else {
                    Verdict::Skip(SkipReason::Suspect(side))
                };
            }
        }
        match (&states.left, &states.right) {
            (State::Absent, State::Absent) => Verdict::Forget,
            (State::Same, State::Same) => Verdict::Nothing,
            (State::Same | State::Touched, State::Same | State::Touched) => Verdict::Attributes,
            _ if equal => Verdict::Record,
            _ => match self.mode {
                SyncMode::Mirror | SyncMode::Selective => self.mirrored(states),
                SyncMode::Bidirectional => self.merged(states, later),
            },
        }
    }

    /// Target := source. There are no conflicts: what the target has is archived where the ledger does not know it.
    fn mirrored(&self, states: &Sides<State>) -> Verdict {
        match (&states.left, &states.right) {
            (State::Absent, State::Added) if !(self.exact && self.mode == SyncMode::Mirror) => {
                Verdict::Skip(SkipReason::Untracked)
            }
            (State::Absent, _) => Verdict::Remove { on: Side::Right, kind: ChangeKind::Deleted },
            (_, State::Absent) => Verdict::Carry { to: Side::Right, archive: false, kind: ChangeKind::New },
            (_, right) => Verdict::Carry { to: Side::Right, archive: !right.is_settled(), kind: ChangeKind::Updated },
        }
    }

    /// Rows 2 to 15: an unopposed change propagates, the policy decides the rest.
    fn merged(&self, states: &Sides<State>, later: impl FnOnce() -> Option<Side>) -> Verdict {
        for side in Side::BOTH {
            let (here, there) = (&states[side], &states[side.other()]);
            match (here, there) {
                (State::Added, State::Absent) => {
                    return Verdict::Carry { to: side.other(), archive: false, kind: ChangeKind::New };
                }
                (State::Modified, there) if there.is_settled() => {
                    return Verdict::Carry { to: side.other(), archive: false, kind: ChangeKind::Updated };
                }
                (State::Absent, there) if there.is_settled() => {
                    return Verdict::Remove { on: side.other(), kind: ChangeKind::Deleted };
                }
                // An edit outranks a deletion, unless the policy names the side that deleted.
                (State::Modified, State::Absent) => {
                    return if self.winner() == Some(side.other()) {
                        Verdict::Remove { on: side, kind: ChangeKind::Conflict }
                    } else {
                        Verdict::Carry { to: side.other(), archive: false, kind: ChangeKind::Conflict }
                    };
                }
                _ => {}
            }
        }
        let winner = match self.policy {
            ConflictPolicy::LatestWins => later(),
            ConflictPolicy::SourceWins | ConflictPolicy::DestinationWins | ConflictPolicy::KeepBoth => self.winner(),
        };
        match winner {
            Some(side) => Verdict::Carry { to: side.other(), archive: true, kind: ChangeKind::Conflict },
            None => Verdict::KeepBoth,
        }
    }

    /// The side that the policy names, whatever happened there.
    pub(super) fn winner(&self) -> Option<Side> {
        match self.policy {
            ConflictPolicy::SourceWins => Some(Side::Left),
            ConflictPolicy::DestinationWins => Some(Side::Right),
            ConflictPolicy::LatestWins | ConflictPolicy::KeepBoth => None,
        }
    }
}
