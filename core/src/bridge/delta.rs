//! What is to be done about one row: a pure function of what both sides show and what they last agreed on.
//!
//! A side that was not looked at is taken to be as it was agreed on; where nothing was agreed on, as without the row. So a run
//! that reads only what changed decides as one that reads everything, but for what it could not know.

use crate::model::{RecordMode, RecordPolicy, Side};

/// What one side shows of a row, beside what both agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// What was agreed on; or the side was not looked at.
    Same,
    /// A row that is another one than was agreed on, or of which nothing was agreed on.
    Changed,
    /// No row: it was there when both agreed, or nothing was agreed on.
    Gone,
}

/// What decides where the sides alone do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) mode: RecordMode,
    pub(crate) policy: RecordPolicy,
    /// Rows of the target that the ledger does not know, and the source does not have, go.
    pub(crate) exact: bool,
    /// Who wins where the last change does and nobody can tell which one that was.
    pub(crate) tie: Side,
}

/// What is to be done about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing.
    Keep,
    /// That side gets the row of the other.
    Insert(Side),
    /// The row of that side becomes the other's.
    Update(Side),
    /// Both changed it, and that side counts where both write; what goes one way only crosses all the same.
    Join(Side),
    /// The row of that side goes.
    Delete(Side),
    /// Both have the same already: the ledger learns it.
    Record,
    /// Neither has it any more: the ledger forgets it.
    Forget,
    /// Both changed it, and a person decides.
    Wait,
}

/// How the rows of both sides compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alike {
    /// In every field.
    Wholly,
    /// In every field that goes both ways: nobody has to give way.
    WhereBothWrite,
    /// In some field that goes both ways they differ.
    No,
}

/// Which side changed a row last, where both clocks say so.
pub(crate) type Later = Option<Side>;

/// Decides about a row. `is_known`: the ledger has it. `alike` says how both sides compare, `later` which one was changed last;
/// both are asked only where it matters.
pub(crate) fn decide(
    rules: Rules,
    is_known: bool,
    (source, target): (Shown, Shown),
    alike: impl FnOnce() -> Alike,
    later: impl FnOnce() -> Later,
) -> Decision {
    let two_way = match rules.mode {
        RecordMode::TwoWay => true,
        RecordMode::OneWayPush | RecordMode::ArchiveOnly => false,
    };
    let archive = rules.mode == RecordMode::ArchiveOnly;
    match (source, target) {
        (Shown::Same, Shown::Same) => Decision::Keep,
        (Shown::Changed, Shown::Same) => Decision::Update(Side::Right),
        (Shown::Changed, Shown::Changed) => match (alike(), two_way) {
            (Alike::Wholly, _) => Decision::Record,
            (Alike::WhereBothWrite | Alike::No, false) => Decision::Update(Side::Right),
            (Alike::WhereBothWrite, true) => Decision::Join(Side::Left),
            (Alike::No, true) => winner(rules, later).map_or(Decision::Wait, Decision::Join),
        },
        // Only two ways carry what the target changed; a mirror puts it right, an archive leaves it.
        (Shown::Same, Shown::Changed) if two_way => Decision::Update(Side::Left),
        (Shown::Same, Shown::Changed) if archive => Decision::Keep,
        (Shown::Same, Shown::Changed) => Decision::Update(Side::Right),
        (Shown::Gone, Shown::Gone) if is_known => Decision::Forget,
        (Shown::Gone, Shown::Gone) => Decision::Keep,
        (Shown::Gone, Shown::Same) if archive => Decision::Keep,
        (Shown::Gone, Shown::Same) => Decision::Delete(Side::Right),
        (Shown::Gone, Shown::Changed) => only_at_target(rules, is_known, two_way),
        (Shown::Same, Shown::Gone) if two_way => Decision::Delete(Side::Left),
        (Shown::Same, Shown::Gone) => Decision::Insert(Side::Right),
        (Shown::Changed, Shown::Gone) if two_way && is_known => deleted_against_changed(rules.policy, Side::Left),
        (Shown::Changed, Shown::Gone) => Decision::Insert(Side::Right),
    }
}

/// The target shows a row that the source does not have, and nothing says that the target has it from there.
fn only_at_target(rules: Rules, is_known: bool, two_way: bool) -> Decision {
    match (two_way, is_known) {
        (true, true) => deleted_against_changed(rules.policy, Side::Right),
        (true, false) => Decision::Insert(Side::Left),
        (false, _) if rules.mode == RecordMode::ArchiveOnly => Decision::Keep,
        (false, true) => Decision::Delete(Side::Right),
        (false, false) if rules.exact => Decision::Delete(Side::Right),
        (false, false) => Decision::Keep,
    }
}

/// One side deleted the row, `changed` changed it. Nobody knows when a row was deleted, so that the last change wins over it:
/// what is written can be deleted again, what is deleted cannot be written again.
fn deleted_against_changed(policy: RecordPolicy, changed: Side) -> Decision {
    let wins = match policy {
        RecordPolicy::SourceWins => Side::Left,
        RecordPolicy::DestinationWins => Side::Right,
        RecordPolicy::LatestWins => changed,
        RecordPolicy::Manual => return Decision::Wait,
    };
    if wins == changed { Decision::Insert(changed.other()) } else { Decision::Delete(changed) }
}

/// Who wins when both changed a row; nothing where a person decides.
fn winner(rules: Rules, later: impl FnOnce() -> Later) -> Option<Side> {
    match rules.policy {
        RecordPolicy::SourceWins => Some(Side::Left),
        RecordPolicy::DestinationWins => Some(Side::Right),
        RecordPolicy::LatestWins => Some(later().unwrap_or(rules.tie)),
        RecordPolicy::Manual => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A world of one row: what each side has, what the ledger has of both. 0 is no row.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct World {
        source: u8,
        target: u8,
        ledger: Option<(u8, u8)>,
    }

    fn shown(side: u8, agreed: Option<u8>) -> Shown {
        match (side, agreed) {
            (0, Some(0)) => Shown::Same,
            (0, _) => Shown::Gone,
            (now, Some(was)) if now == was => Shown::Same,
            (_, _) => Shown::Changed,
        }
    }

    fn plan(world: World, rules: Rules) -> Decision {
        let source = shown(world.source, world.ledger.map(|l| l.0));
        let target = shown(world.target, world.ledger.map(|l| l.1));
        let alike = || if world.source == world.target { Alike::Wholly } else { Alike::No };
        decide(rules, world.ledger.is_some(), (source, target), alike, || None)
    }

    fn applied(mut world: World, decision: Decision) -> World {
        let agreed = |world: World| {
            if world.source == 0 && world.target == 0 { None } else { Some((world.source, world.target)) }
        };
        match decision {
            Decision::Keep | Decision::Wait => return world,
            Decision::Insert(Side::Right) | Decision::Update(Side::Right) | Decision::Join(Side::Left) => {
                world.target = world.source;
            }
            Decision::Insert(Side::Left) | Decision::Update(Side::Left) | Decision::Join(Side::Right) => {
                world.source = world.target;
            }
            Decision::Delete(Side::Right) => world.target = 0,
            Decision::Delete(Side::Left) => world.source = 0,
            Decision::Record | Decision::Forget => {}
        }
        World { ledger: agreed(world), ..world }
    }

    fn worlds() -> Vec<World> {
        let ledgers = [None, Some((1, 1)), Some((2, 2)), Some((3, 3))];
        let sides = || 0..=3_u8;
        let pairs = sides().flat_map(|source| sides().map(move |target| (source, target)));
        pairs.flat_map(|(source, target)| ledgers.map(|ledger| World { source, target, ledger })).collect()
    }

    fn every_rule() -> Vec<Rules> {
        let modes = RecordMode::ALL.iter().copied();
        modes
            .flat_map(|mode| RecordPolicy::ALL.iter().map(move |&policy| (mode, policy)))
            .flat_map(|(mode, policy)| [false, true].map(|exact| Rules { mode, policy, exact, tie: Side::Left }))
            .collect()
    }

    #[test]
    fn one_run_settles_every_world() {
        for rules in every_rule() {
            for world in worlds() {
                let decision = plan(world, rules);
                let after = applied(world, decision);
                let again = plan(after, rules);
                let settled = [Decision::Keep, Decision::Wait];
                assert!(settled.contains(&again), "{rules:?} {world:?}: {decision:?}, then {again:?}");
            }
        }
    }

    #[test]
    fn two_ways_end_equal_or_wait() {
        for rules in every_rule().into_iter().filter(|rules| rules.mode == RecordMode::TwoWay) {
            for world in worlds() {
                let decision = plan(world, rules);
                let after = applied(world, decision);
                let waits = decision == Decision::Wait;
                assert!(waits || after.source == after.target, "{rules:?} {world:?}: {decision:?}");
                assert!(!waits || rules.policy == RecordPolicy::Manual, "{rules:?} {world:?}");
            }
        }
    }

    #[test]
    fn a_mirror_ends_as_its_source_and_never_writes_it() {
        for rules in every_rule().into_iter().filter(|rules| rules.mode == RecordMode::OneWayPush) {
            for world in worlds() {
                let after = applied(world, plan(world, rules));
                assert_eq!(after.source, world.source, "{rules:?} {world:?}");
                let is_strange = world.source == 0 && world.ledger.is_none() && !rules.exact;
                assert!(is_strange || after.target == world.source, "{rules:?} {world:?}");
            }
        }
    }

    #[test]
    fn an_archive_loses_nothing_and_never_writes_its_source() {
        for rules in every_rule().into_iter().filter(|rules| rules.mode == RecordMode::ArchiveOnly) {
            for world in worlds() {
                let after = applied(world, plan(world, rules));
                assert_eq!(after.source, world.source, "{rules:?} {world:?}");
                assert!(world.target == 0 || after.target != 0, "{rules:?} {world:?}");
            }
        }
    }

    #[test]
    fn the_last_change_wins_where_clocks_tell() {
        let rules = |tie| Rules { mode: RecordMode::TwoWay, policy: RecordPolicy::LatestWins, exact: false, tie };
        let both = (Shown::Changed, Shown::Changed);
        let at = |later| decide(rules(Side::Left), true, both, || Alike::No, || later);
        assert_eq!(at(Some(Side::Right)), Decision::Join(Side::Right));
        assert_eq!(at(Some(Side::Left)), Decision::Join(Side::Left));
        assert_eq!(at(None), Decision::Join(Side::Left));
        assert_eq!(decide(rules(Side::Right), true, both, || Alike::No, || None), Decision::Join(Side::Right));
    }

    #[test]
    fn nobody_has_to_decide_about_fields_that_go_one_way() {
        let both = (Shown::Changed, Shown::Changed);
        for rules in every_rule() {
            let decision = decide(rules, true, both, || Alike::WhereBothWrite, || None);
            match rules.mode {
                RecordMode::TwoWay => assert_eq!(decision, Decision::Join(Side::Left), "{rules:?}"),
                RecordMode::OneWayPush | RecordMode::ArchiveOnly => {
                    assert_eq!(decision, Decision::Update(Side::Right), "{rules:?}");
                }
            }
        }
    }
}
