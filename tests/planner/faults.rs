//! What must hold when something cannot be seen, moves on meanwhile, or is not known any more (tests 2.1, 2.5, 2.15,
//! 2.17, 2.23, invariants I9 and I10).

use std::collections::BTreeSet;
use std::sync::Arc;

use portbook::delta::{Action, Scope};
use portbook::identity::ContentHash;
use portbook::model::{ConflictPolicy, Entry, Kind, RelPath, Side, SyncMode};
use proptest::prelude::*;

use crate::random::{Edit, edit, story};
use crate::world::{World, effects, settings};

struct Without(&'static str);
impl Scope for Without {
    fn includes(&self, path: &RelPath, _: bool) -> bool {
        path.components().all(|c| c != self.0.as_bytes())
    }
    fn selects(&self, _: &RelPath) -> bool {
        true
    }
}

fn contents(world: &World) -> BTreeSet<Vec<u8>> {
    let files = Side::BOTH
        .into_iter()
        .flat_map(|s| world.trees[s].items.values())
        .filter(|i| i.kind != Kind::Dir)
        .map(|i| i.content.clone());
    files.chain(world.trash.iter().cloned()).collect()
}

#[test]
fn attributes_that_cross_are_agreed_on_only_if_nothing_changes_meanwhile() {
    let s = settings(SyncMode::Bidirectional, ConflictPolicy::KeepBoth);
    for when in 0..3 {
        let mut world = World::new();
        world.put(Side::Left, "f", "agreed");
        world.sync(&s);
        for (side, edit) in [(Side::Left, Edit::Touch { at: 0 }), (Side::Right, Edit::Chmod { at: 0, mode: 1 })] {
            world.edit(side, &edit);
        }
        let plan = world.plan(&s);
        world.apply_with(&plan.changes, &mut |world, n| {
            if n == when {
                world.put(Side::Left, "f", "edited");
            }
        });
        for _ in 0..2 {
            let plan = world.plan(&s);
            world.apply(&plan.changes);
        }
        let wanted = if when < plan.changes.len() { b"edited" } else { b"agreed" };
        assert_eq!(world.trees.right.items.values().next().expect("one file").content, wanted, "{when}");
        assert_eq!(world.trees.left.shape(), world.trees.right.shape());
        assert!(world.plan(&s).changes.is_empty());
    }
}

proptest! {
    #![proptest_config(crate::random::config())]

    #[test]
    fn the_plan_does_not_depend_on_the_order_of_listings(story in story(), ahead in 1..9usize) {
        let s = settings(SyncMode::Bidirectional, story.policy);
        let world = story.world();
        let plain = world.plan_shuffled(&s, ahead, &mut |_| {});
        let reversed = world.plan_shuffled(&s, ahead, &mut |entries: &mut Vec<Entry>| entries.reverse());
        prop_assert_eq!(&plain.changes, &reversed.changes);
        prop_assert_eq!(plain.tally, reversed.tally);
        prop_assert!(plain.rounds <= 20);
    }

    #[test]
    fn a_lost_ledger_deletes_nothing(story in story()) {
        for mode in [SyncMode::Mirror, SyncMode::Bidirectional, SyncMode::Selective] {
            let s = settings(mode, ConflictPolicy::KeepBoth);
            let mut world = story.world();
            world.ledger.clear();
            let before = contents(&world);
            let plan = world.plan(&s);
            let deletes = plan.changes.iter().any(|c| matches!(c.action, Action::Delete { .. }));
            prop_assert!(mode != SyncMode::Bidirectional || !deletes, "{:?}", effects(&plan));
            world.apply(&plan.changes);
            let after = contents(&world);
            prop_assert!(before.is_subset(&after));
        }
    }

    #[test]
    fn a_changed_filter_deletes_nothing(story in story(), out in prop::sample::select(&crate::random::NAMES[..])) {
        let mut s = settings(SyncMode::Bidirectional, story.policy);
        s.scope = Arc::new(Without(out));
        let mut world = story.agreed();
        let before = world.trees.clone();
        let plan = world.sync(&s);
        prop_assert!(effects(&plan).is_empty(), "{:?}", effects(&plan));
        prop_assert_eq!(&before, &world.trees);
        prop_assert!(world.plan(&s).changes.is_empty());
    }

    #[test]
    fn nothing_happens_beneath_what_cannot_be_read(story in story(), at in 0..64usize, left in prop::bool::ANY) {
        let s = settings(SyncMode::Bidirectional, story.policy);
        let mut world = story.world();
        let side = if left { Side::Left } else { Side::Right };
        // Only where both sides agree on where the directory is; a move hides it from the walk by name.
        let on_both = |p: &&RelPath| Side::BOTH.iter().all(|s| world.trees[*s].items.get(*p).is_some_and(|i| i.kind == Kind::Dir));
        let dirs: Vec<RelPath> = world.trees[side].items.keys().filter(on_both).cloned().collect();
        if dirs.is_empty() {
            return Ok(());
        }
        let unreadable = dirs[at % dirs.len()].clone();
        world.trees[side].unreadable.push(unreadable.clone());
        let plan = world.plan(&s);
        let touched = plan.changes.iter().find(|c| {
            c.path.is_within(&unreadable) && matches!(c.action, Action::Delete { on } if on != side)
        });
        prop_assert!(touched.is_none() || plan.rounds > 1, "{:?}", effects(&plan));
        let before: Vec<_> = world.trees[side].items.iter().filter(|(p, i)| p.is_within(&unreadable) && i.kind != Kind::Dir).map(|(_, i)| i.content.clone()).collect();
        world.apply(&plan.changes);
        let after = contents(&world);
        prop_assert!(before.iter().all(|c| after.contains(c)));
    }

    #[test]
    fn what_moves_on_between_plan_and_effect_is_taken_up_by_the_next_runs(story in story(), drift in prop::collection::vec((edit(), prop::bool::ANY, 0..12usize), 1..5)) {
        let s = settings(SyncMode::Bidirectional, story.policy);
        let mut world = story.world();
        let plan = world.plan(&s);
        let known: BTreeSet<_> = world.ledger.values().filter_map(|p| p.content).collect();
        let mut had = contents(&world);
        let mut lost = Vec::new();
        world.apply_with(&plan.changes, &mut |world, n| {
            // What was there after the last edit is there or archived, unless the ledger knew it.
            let has = contents(world);
            lost.extend(had.difference(&has).filter(|c| !known.contains(&ContentHash::of(c))).cloned());
            for (edit, left, when) in &drift {
                if *when == n {
                    world.edit(if *left { Side::Left } else { Side::Right }, edit);
                }
            }
            had = contents(world);
        });
        let has = contents(&world);
        lost.extend(had.difference(&has).filter(|c| !known.contains(&ContentHash::of(c))).cloned());
        prop_assert!(lost.is_empty(), "lost: {lost:?}");
        let had = has;
        let known: BTreeSet<_> = world.ledger.values().filter_map(|p| p.content).collect();
        let s = settings(SyncMode::Bidirectional, ConflictPolicy::KeepBoth);
        for _ in 0..3 {
            let plan = world.plan(&s);
            world.apply(&plan.changes);
        }
        let has = contents(&world);
        prop_assert!(had.iter().all(|c| has.contains(c) || known.contains(&ContentHash::of(c))));
        let last = world.plan(&s);
        prop_assert!(world.trees.left.shape() == world.trees.right.shape(), "{:?} {:#?}", world.trees, last.changes);
        prop_assert!(last.changes.is_empty(), "{:#?}\n{:#?}\n{:#?}", world.trees, world.ledger, last.changes);
    }

    #[test]
    fn clocks_do_not_decide_directions(story in story(), shift in -100_000..100_000i64) {
        if story.policy == ConflictPolicy::LatestWins {
            return Ok(());
        }
        let s = settings(SyncMode::Bidirectional, story.policy);
        let world = story.world();
        let mut shifted = world.clone();
        for item in shifted.trees.right.items.values_mut() {
            item.mtime += shift;
            item.ctime += shift;
        }
        for row in shifted.ledger.values_mut() {
            let token = &mut row.held.right.token;
            for time in [&mut token.mtime, &mut token.ctime].into_iter().flatten() {
                time.secs += shift;
            }
        }
        let direction = |world: &World| -> Vec<_> {
            let plan = world.plan(&s);
            let of = |c: &portbook::delta::Change| (c.path.clone(), c.kind, c.action.changes());
            // Two sides that happen to show the same time need no metadata.
            plan.changes.iter().filter(|c| c.step != portbook::delta::Step::Metadata && c.step != portbook::delta::Step::Ledger).map(of).collect()
        };
        prop_assert_eq!(direction(&world), direction(&shifted));
    }
}
