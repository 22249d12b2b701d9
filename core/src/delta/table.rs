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

    /// Target := source. What the target has is archived where the ledger does not know it; where both sides changed
    /// that is a conflict, which the source wins.
    fn mirrored(&self, states: &Sides<State>) -> Verdict {
        match (&states.left, &states.right) {
            (State::Absent, State::Added) if !(self.exact && self.mode == SyncMode::Mirror) => {
                Verdict::Skip(SkipReason::Untracked)
            }
            (State::Absent, State::Modified) => Verdict::Remove { on: Side::Right, kind: ChangeKind::Conflict },
            (State::Absent, _) => Verdict::Remove { on: Side::Right, kind: ChangeKind::Deleted },
            (State::Modified, State::Absent) => {
                Verdict::Carry { to: Side::Right, archive: false, kind: ChangeKind::Conflict }
            }
            (_, State::Absent) => Verdict::Carry { to: Side::Right, archive: false, kind: ChangeKind::New },
            (left, right) => {
                let both = !left.is_settled() && !right.is_settled();
                let kind = if both { ChangeKind::Conflict } else { ChangeKind::Updated };
                Verdict::Carry { to: Side::Right, archive: !right.is_settled(), kind }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    const POLICIES: [ConflictPolicy; 4] = [
        ConflictPolicy::SourceWins,
        ConflictPolicy::DestinationWins,
        ConflictPolicy::LatestWins,
        ConflictPolicy::KeepBoth,
    ];

    /// The reconciliation contract, section 3, rows 1 to 17: states, whether the contents are equal, and what each policy
    /// does: `>` carries to the right, `<` to the left (with `!` over an archived version), `xR`/`xL` removes, `=`
    /// records, `.` nothing, `2` keeps both, `0` drops the row, `?` leaves alone. *Latest* is told that the left is later.
    const TABLE: [(&str, char, char, bool, [&str; 4]); 15] = [
        ("2: new left", 'A', '-', false, [">", ">", ">", ">"]),
        ("3: new right", '-', 'A', false, ["<", "<", "<", "<"]),
        ("4: new alike", 'A', 'A', true, ["=", "=", "=", "="]),
        ("5: new differing", 'A', 'A', false, [">!", "<!", ">!", "2"]),
        ("6: quiet", 'U', 'U', false, [".", ".", ".", "."]),
        ("7: edited left", 'M', 'U', false, [">", ">", ">", ">"]),
        ("8: edited right", 'U', 'M', false, ["<", "<", "<", "<"]),
        ("9: edited alike", 'M', 'M', true, ["=", "=", "=", "="]),
        ("10: edited differently", 'M', 'M', false, [">!", "<!", ">!", "2"]),
        ("11: both gone", '-', '-', false, ["0", "0", "0", "0"]),
        ("12: deleted left", '-', 'U', false, ["xR", "xR", "xR", "xR"]),
        ("13: deleted right", 'U', '-', false, ["xL", "xL", "xL", "xL"]),
        ("14: deleted left, edited right", '-', 'M', false, ["xR", "<", "<", "<"]),
        ("15: edited left, deleted right", 'M', '-', false, [">", "xL", ">", ">"]),
        ("16: unknown left", '?', 'U', false, ["?", "?", "?", "?"]),
    ];

    fn state(letter: char) -> State {
        match letter {
            'A' => State::Added,
            'M' => State::Modified,
            'U' => State::Same,
            '-' => State::Absent,
            '?' => State::Unknown("unreadable".into()),
            other => panic!("no state {other}"),
        }
    }

    fn letters(verdict: &Verdict) -> String {
        match verdict {
            Verdict::Nothing => ".".into(),
            Verdict::Record => "=".into(),
            Verdict::Attributes => "~".into(),
            Verdict::Forget => "0".into(),
            Verdict::Carry { to, archive, .. } => {
                let direction = if *to == Side::Right { ">" } else { "<" };
                format!("{direction}{}", if *archive { "!" } else { "" })
            }
            Verdict::Remove { on: Side::Left, .. } => "xL".into(),
            Verdict::Remove { on: Side::Right, .. } => "xR".into(),
            Verdict::KeepBoth => "2".into(),
            Verdict::Skip(_) => "?".into(),
        }
    }

    #[test]
    fn a_bidirectional_run_follows_every_row_under_every_policy() {
        for (row, left, right, equal, expected) in TABLE {
            for (policy, expected) in POLICIES.into_iter().zip(expected) {
                let rule = Rule { mode: SyncMode::Bidirectional, exact: false, policy };
                let verdict = rule.decide(&Sides::new(state(left), state(right)), equal, || Some(Side::Left));
                assert_eq!(letters(&verdict), expected, "row {row} under {policy:?}");
            }
        }
    }

    #[test]
    fn a_mirror_imposes_the_source_under_every_policy() {
        let rows = [
            ('A', '-', ">"),
            ('-', 'A', "?"),
            ('A', 'A', ">!"),
            ('U', 'U', "."),
            ('M', 'U', ">"),
            ('U', 'M', ">!"),
            ('M', 'M', ">!"),
            ('-', '-', "0"),
            ('-', 'U', "xR"),
            ('U', '-', ">"),
            ('-', 'M', "xR"),
            ('M', '-', ">"),
            ('?', 'U', "?"),
            ('U', '?', "?"),
        ];
        for (left, right, expected) in rows {
            for policy in POLICIES {
                for mode in [SyncMode::Mirror, SyncMode::Selective] {
                    let rule = Rule { mode, exact: false, policy };
                    let verdict = rule.decide(&Sides::new(state(left), state(right)), false, || None);
                    assert_eq!(letters(&verdict), expected, "{left}{right} under {policy:?}");
                }
            }
        }
        let exact = Rule { mode: SyncMode::Mirror, exact: true, policy: ConflictPolicy::SourceWins };
        let verdict = exact.decide(&Sides::new(state('-'), state('A')), false, || None);
        assert_eq!(letters(&verdict), "xR");
    }
}
