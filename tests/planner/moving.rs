//! Moves: each case of the contract's table "Moves and names", and the algebra of random ones (test 2.8).

use portbook::delta::{Action, ChangeKind, Settings, Step};
use portbook::model::{ConflictPolicy, Side, Sides, SyncMode};
use proptest::prelude::*;

use crate::random::{Edit, NAMES, policy};
use crate::world::{Plan, World, effects, path, settings};

fn both(policy: ConflictPolicy) -> Settings {
    settings(SyncMode::Bidirectional, policy)
}

/// Nothing but moves, and so many of them (those through a temporary name counted once).
fn only_moves(plan: &Plan, count: u64) {
    assert_eq!(plan.tally.count(ChangeKind::Moved), count, "{:#?}", effects(plan));
    assert!(
        plan.changes.iter().all(|c| matches!(c.action, Action::Move { .. } | Action::Record)),
        "{:#?}",
        effects(plan)
    );
    assert_eq!(plan.tally.bytes, 0);
}

fn agreed(items: &[&str]) -> World {
    let mut world = World::new();
    for (i, item) in items.iter().enumerate() {
        match item.strip_suffix('/') {
            Some(dir) => world.dir(Side::Left, dir),
            None => world.put(Side::Left, item, &format!("content {i}")),
        }
    }
    world.sync(&both(ConflictPolicy::KeepBoth));
    world
}

fn in_step_and_quiet(world: &World, s: &Settings) {
    assert_eq!(world.trees.left.shape(), world.trees.right.shape());
    let again = world.plan(s);
    assert!(again.changes.is_empty(), "{:#?}", again.changes);
}

fn rename(world: &mut World, side: Side, from: &str, to: &str) {
    world.trees[side].rename(&path(from), &path(to));
}

#[test]
fn a_renamed_directory_is_one_move_whatever_it_holds() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        let s = settings(mode, ConflictPolicy::KeepBoth);
        let mut world = agreed(&["d/", "d/e/", "d/e/f", "d/g", "z/"]);
        rename(&mut world, Side::Left, "d", "z/moved");
        let plan = world.sync(&s);
        only_moves(&plan, 1);
        in_step_and_quiet(&world, &s);
    }
}

#[test]
fn an_edit_on_the_other_side_follows_the_move() {
    let s = both(ConflictPolicy::KeepBoth);
    let mut world = agreed(&["p", "d/"]);
    rename(&mut world, Side::Left, "p", "d/q");
    world.put(Side::Right, "p", "edited there");
    world.sync(&s);
    assert_eq!(world.trees.left.items[&path("d/q")].content, b"edited there");
    in_step_and_quiet(&world, &s);
}

#[test]
fn moves_beneath_a_moved_directory_are_found() {
    let s = both(ConflictPolicy::KeepBoth);
    let mut world = agreed(&["a/", "a/b/", "a/b/c/", "a/b/c/f", "a/g"]);
    rename(&mut world, Side::Left, "a", "x");
    rename(&mut world, Side::Left, "x/b", "x/y");
    rename(&mut world, Side::Left, "x/y/c", "z");
    rename(&mut world, Side::Left, "z/f", "x/f");
    let plan = world.sync(&s);
    only_moves(&plan, 4);
    in_step_and_quiet(&world, &s);
}

#[test]
fn swaps_and_chains_leave_no_temporary_name() {
    let s = both(ConflictPolicy::KeepBoth);
    for items in [["p", "q", "r"], ["p/", "q/", "r/"]] {
        let mut world = agreed(&items);
        let names = ["p", "q", "r"];
        rename(&mut world, Side::Left, names[0], "t");
        rename(&mut world, Side::Left, names[1], names[0]);
        rename(&mut world, Side::Left, names[2], names[1]);
        rename(&mut world, Side::Left, "t", names[2]);
        let plan = world.sync(&s);
        only_moves(&plan, 3);
        in_step_and_quiet(&world, &s);
        let mut world = agreed(&items);
        rename(&mut world, Side::Left, "r", "s");
        rename(&mut world, Side::Left, "q", "r");
        rename(&mut world, Side::Left, "p", "q");
        only_moves(&world.sync(&s), 3);
        in_step_and_quiet(&world, &s);
    }
}

#[test]
fn a_directory_and_its_parent_change_places() {
    let s = both(ConflictPolicy::KeepBoth);
    let mut world = agreed(&["a/", "a/b/", "a/b/f"]);
    rename(&mut world, Side::Left, "a/b", "b");
    rename(&mut world, Side::Left, "a", "b/a");
    only_moves(&world.sync(&s), 2);
    in_step_and_quiet(&world, &s);
}

#[test]
fn a_rename_over_an_existing_name_is_one_move_and_one_deletion() {
    let s = both(ConflictPolicy::KeepBoth);
    let mut world = agreed(&["p", "q"]);
    world.trees.left.remove(&path("q"));
    rename(&mut world, Side::Left, "p", "q");
    let plan = world.sync(&s);
    assert_eq!(plan.tally.count(ChangeKind::Moved), 1, "{:#?}", effects(&plan));
    assert_eq!(plan.tally.count(ChangeKind::Deleted), 1, "{:#?}", effects(&plan));
    assert_eq!(plan.tally.bytes, 0);
    assert!(world.trash.contains(&b"content 1".to_vec()));
    in_step_and_quiet(&world, &s);
}

#[test]
fn the_policy_decides_between_two_moves_and_nothing_is_duplicated() {
    for (policy, place) in [
        (ConflictPolicy::SourceWins, "l"),
        (ConflictPolicy::DestinationWins, "r"),
        (ConflictPolicy::KeepBoth, "l"),
        (ConflictPolicy::LatestWins, "r"),
    ] {
        for items in [vec!["p"], vec!["p/", "p/f"]] {
            let s = both(policy);
            let mut world = agreed(&items);
            rename(&mut world, Side::Left, "p", "l");
            rename(&mut world, Side::Right, "p", "r");
            let now = world.tick();
            world.trees.right.items.get_mut(&path("r")).expect("renamed").ctime = now;
            // Directories have no time: the source's move is kept.
            let place = if policy == ConflictPolicy::LatestWins && items.len() == 2 { "l" } else { place };
            let plan = world.sync(&s);
            assert_eq!(plan.tally.count(ChangeKind::Conflict), 1);
            assert_eq!(world.trees.left.items.len(), items.len());
            assert!(world.trees.left.items.contains_key(&path(place)));
            in_step_and_quiet(&world, &s);
        }
    }
}

#[test]
fn both_sides_moving_alike_is_the_ledgers_matter_only() {
    let s = both(ConflictPolicy::KeepBoth);
    let mut world = agreed(&["p/", "p/f", "g"]);
    for side in Side::BOTH {
        rename(&mut world, side, "p", "q");
        rename(&mut world, side, "g", "q/h");
    }
    assert!(effects(&world.sync(&s)).is_empty());
    in_step_and_quiet(&world, &s);
}

#[test]
fn a_cycle_of_two_moves_keeps_the_policy_sides_move() {
    for (policy, top) in [(ConflictPolicy::SourceWins, "b"), (ConflictPolicy::DestinationWins, "a")] {
        let s = both(policy);
        let mut world = agreed(&["a/", "a/f", "b/", "b/g"]);
        rename(&mut world, Side::Left, "a", "b/a");
        rename(&mut world, Side::Right, "b", "a/b");
        let plan = world.sync(&s);
        assert_eq!(plan.tally.count(ChangeKind::Conflict), 1, "{:#?}", effects(&plan));
        assert!(world.trees.left.items.contains_key(&path(top)));
        in_step_and_quiet(&world, &s);
    }
}

#[test]
fn a_cycle_is_undone_wherever_the_two_directories_lie_and_nothing_in_them_is_touched() {
    let stories: [(&[&str], &str, &str); 3] = [
        // Side by side; one deep beneath the other's like; beneath a directory that is moved as well.
        (&["a/", "a/f", "b/", "b/g"], "b", "a"),
        (&["a/", "a/x/", "a/x/f", "b/", "b/y/", "b/y/g"], "b/y", "a/x"),
        (&["d/", "d/a/", "d/a/f", "d/b/", "d/b/g"], "d/b", "d/a"),
    ];
    for (items, into_left, into_right) in stories {
        for policy in ConflictPolicy::ALL {
            let s = both(*policy);
            let mut world = agreed(items);
            let top =
                |at: &str| at.split('/').take(if at.starts_with('d') { 2 } else { 1 }).collect::<Vec<_>>().join("/");
            let (a, b) = (top(into_right), top(into_left));
            rename(&mut world, Side::Left, &a, &format!("{into_left}/moved"));
            rename(&mut world, Side::Right, &b, &format!("{into_right}/moved"));
            let count = world.trees.left.items.len();
            let plan = world.sync(&s);
            assert_eq!(plan.tally.count(ChangeKind::Conflict), 1, "{policy:?} {items:?} {:#?}", effects(&plan));
            assert_eq!((plan.tally.bytes, plan.tally.count(ChangeKind::Deleted)), (0, 0));
            assert!(plan.changes.iter().all(|c| !matches!(c.action, Action::Skip(_))));
            let keeps_right = *policy == ConflictPolicy::DestinationWins;
            let kept = if keeps_right { format!("{into_right}/moved") } else { format!("{into_left}/moved") };
            assert!(world.trees.left.is_dir(&path(&kept)), "{policy:?} {:#?}", world.trees.left.shape());
            assert_eq!(world.trees.left.items.len(), count);
            in_step_and_quiet(&world, &s);
        }
    }
}

#[test]
fn what_one_side_moved_and_the_other_deleted_survives_unless_the_deletion_wins() {
    for policy in ConflictPolicy::ALL {
        for items in [vec!["p"], vec!["p/", "p/f"]] {
            let s = both(*policy);
            let mut world = agreed(&items);
            rename(&mut world, Side::Left, "p", "q");
            world.trees.right.remove(&path("p"));
            world.sync(&s);
            let survives = *policy != ConflictPolicy::DestinationWins;
            assert_eq!(world.trees.left.items.contains_key(&path("q")), survives, "{policy:?} {items:?}");
            in_step_and_quiet(&world, &s);
        }
    }
}

#[test]
fn a_mirror_takes_the_targets_moves_back() {
    let s = settings(SyncMode::Mirror, ConflictPolicy::SourceWins);
    let mut world = agreed(&["d/", "d/f", "p", "q"]);
    rename(&mut world, Side::Right, "d", "e");
    rename(&mut world, Side::Right, "p", "t");
    rename(&mut world, Side::Right, "q", "p");
    rename(&mut world, Side::Right, "t", "q");
    only_moves(&world.sync(&s), 3);
    in_step_and_quiet(&world, &s);
}

#[test]
fn without_identities_files_are_paired_by_unique_content() {
    let s = both(ConflictPolicy::KeepBoth);
    let mut world = World::new();
    world.gives_ident = Sides::new(false, false);
    world.put(Side::Left, "p", "one of a kind");
    world.put(Side::Left, "twin 1", "twins");
    world.put(Side::Left, "twin 2", "twins");
    world.sync(&s);
    rename(&mut world, Side::Left, "p", "q");
    rename(&mut world, Side::Left, "twin 1", "twin 3");
    rename(&mut world, Side::Left, "twin 2", "twin 4");
    let plan = world.sync(&s);
    assert_eq!(plan.tally.count(ChangeKind::Moved), 1, "ambiguous contents are no moves: {:#?}", effects(&plan));
    in_step_and_quiet(&world, &s);
}

#[test]
fn a_new_case_of_a_name_is_a_rename_where_case_does_not_count() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        let mut s = settings(mode, ConflictPolicy::KeepBoth);
        s.rules.right.case_insensitive = true;
        let mut world = agreed(&["a", "d/", "d/f"]);
        rename(&mut world, Side::Left, "a", "A");
        rename(&mut world, Side::Left, "d", "D");
        only_moves(&world.sync(&s), 2);
        in_step_and_quiet(&world, &s);
    }
}

#[test]
fn beyond_the_limit_moves_are_deleted_and_created_and_no_byte_is_lost() {
    let mut s = both(ConflictPolicy::KeepBoth);
    s.move_limit = 3;
    let names: Vec<String> = (0..10).map(|i| format!("f{i}")).collect();
    let mut world = agreed(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        rename(&mut world, Side::Left, name, &format!("moved {name}"));
    }
    let plan = world.sync(&s);
    assert!(plan.tally.count(ChangeKind::Moved) <= 3);
    in_step_and_quiet(&world, &s);
}

#[test]
fn many_new_items_do_not_hide_the_one_that_moved() {
    let mut s = both(ConflictPolicy::KeepBoth);
    s.move_limit = 3;
    let mut world = agreed(&["p"]);
    for i in 0..20 {
        world.put(Side::Left, &format!("new {i}"), &"x".repeat(i + 20));
    }
    rename(&mut world, Side::Left, "p", "z");
    let plan = world.sync(&s);
    assert_eq!(plan.tally.count(ChangeKind::Moved), 1);
    in_step_and_quiet(&world, &s);
}

#[test]
fn a_move_into_what_the_other_side_moved_into_it_is_taken_back() {
    let s = both(ConflictPolicy::DestinationWins);
    let mut world = agreed(&["b/", "c/"]);
    rename(&mut world, Side::Left, "b", "a");
    rename(&mut world, Side::Left, "c", "a/a");
    rename(&mut world, Side::Right, "b", "c/a");
    println!("{:#?}", effects(&world.sync(&s)));
    assert!(world.trees.left.items.contains_key(&path("c/a")), "{:#?}", world.trees.left.shape());
    in_step_and_quiet(&world, &s);
}

#[test]
fn of_two_items_that_move_to_one_name_one_does_not() {
    let s = both(ConflictPolicy::LatestWins);
    let mut world = agreed(&["b/", "b/a", "e/"]);
    // Left: the file and the directory beside its own change places. Right: the two directories do.
    for (side, from, to) in [(Side::Left, "b/a", "aside"), (Side::Left, "e", "b/a"), (Side::Left, "aside", "e")] {
        rename(&mut world, side, from, to);
    }
    for (from, to) in [("e", "aside"), ("b", "e"), ("aside", "b")] {
        rename(&mut world, Side::Right, from, to);
    }
    world.sync(&s);
    world.sync(&s);
    in_step_and_quiet(&world, &s);
}

#[test]
fn a_move_waits_for_one_beneath_a_moved_directory_that_frees_its_place() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        for side in Side::BOTH {
            let s = settings(mode, ConflictPolicy::SourceWins);
            let mut world = agreed(&["d/", "a/", "a/c", "e"]);
            for (from, to) in [("d", "A"), ("a", "A/a"), ("e", "aside"), ("A/a/c", "e"), ("aside", "A/a/c")] {
                rename(&mut world, side, from, to);
            }
            only_moves(&world.sync(&s), 4);
            in_step_and_quiet(&world, &s);
        }
    }
}

fn structural() -> impl Strategy<Value = Edit> {
    let n = || 0..64usize;
    prop_oneof![
        3 => (n(), n(), 0..NAMES.len()).prop_map(|(at, dir, name)| Edit::Rename { at, dir, name }),
        4 => (n(), n(), 0..NAMES.len()).prop_map(|(at, dir, name)| Edit::MoveDir { at, dir, name }),
        3 => (n(), n()).prop_map(|(a, b)| Edit::Swap { a, b }),
    ]
}

proptest! {
    #![proptest_config(crate::random::config())]

    /// Whatever one side moves, the other moves too: no byte is carried and no temporary name stays.
    #[test]
    fn moves_of_one_side_are_carried_as_moves(
        before in crate::random::edits(20), moves in prop::collection::vec(structural(), 1..8), side in prop::bool::ANY, mirror in prop::bool::ANY,
    ) {
        let mut world = World::new();
        for edit in &before {
            world.edit(Side::Left, edit);
        }
        world.sync(&both(ConflictPolicy::KeepBoth));
        let side = if side { Side::Left } else { Side::Right };
        let items = world.trees[side].items.len();
        for edit in &moves {
            world.edit(side, edit);
        }
        let overwrote = world.trees[side].items.len() < items;
        let mode = if mirror { SyncMode::Mirror } else { SyncMode::Bidirectional };
        let s = settings(mode, ConflictPolicy::KeepBoth);
        let plan = world.plan(&s);
        let outcome = world.apply(&plan.changes);
        prop_assert!(outcome.stale.is_empty(), "{}", crate::world::describe(&plan, &outcome));
        // A mirror leaves a directory alone that holds what the ledger does not know at that place, and says so; what was
        // moved into it stays there and is made again at its place.
        if plan.changes.iter().any(|c| matches!(c.action, Action::Skip(_))) {
            return Ok(());
        }
        // Where a directory takes the name of a file or the other way round (rows 19 to 22), what stands there goes before
        // anything is moved: what lies in it is carried.
        let cleared = plan.changes.iter().any(|c| c.step == Step::Clear);
        if !overwrote && !cleared {
            prop_assert!(plan.tally.bytes == 0, "carried: {:?}", effects(&plan));
        }
        prop_assert_eq!(world.trees.left.shape(), world.trees.right.shape());
        let again = world.plan(&s);
        prop_assert!(again.changes.is_empty(), "{:?}", effects(&again));
    }

    /// Both sides move as they like; the trees stay trees and no item is lost or doubled.
    #[test]
    fn moves_of_both_sides_end_in_one_tree(
        before in crate::random::edits(20), left in prop::collection::vec(structural(), 0..6),
        right in prop::collection::vec(structural(), 0..6), policy in policy(),
    ) {
        let mut world = World::new();
        for edit in &before {
            world.edit(Side::Left, edit);
        }
        world.sync(&both(ConflictPolicy::KeepBoth));
        for (side, edits) in [(Side::Left, &left), (Side::Right, &right)] {
            for edit in edits {
                world.edit(side, edit);
            }
        }
        let s = both(policy);
        for _ in 0..2 {
            let plan = world.plan(&s);
            let outcome = world.apply(&plan.changes);
            prop_assert!(outcome.stale.is_empty(), "{}", crate::world::describe(&plan, &outcome));
        }
        prop_assert_eq!(world.trees.left.shape(), world.trees.right.shape());
        let again = world.plan(&s);
        prop_assert!(again.changes.is_empty(), "{:?}", effects(&again));
        for side in Side::BOTH {
            let residue = world.trees[side].items.keys().any(|p| p.components().any(portbook::provider::is_reserved));
            prop_assert!(!residue, "a temporary name stayed");
        }
    }
}
