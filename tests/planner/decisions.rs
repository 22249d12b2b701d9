//! What a person has decided about an item that waits, as the planner carries it out.

use std::collections::HashMap;
use std::sync::Arc;

use portbook::delta::{Action, ChangeKind, Decision, Decisions, Settings, SkipReason, Waiting};
use portbook::model::{ConflictPolicy, Kind, RelPath, Side, Sides, SyncMode};

use crate::world::{World, effects, name, path, settings};

const CONFLICT: i64 = 42;

fn both() -> Settings {
    settings(SyncMode::Bidirectional, ConflictPolicy::KeepBoth)
}

/// The settings, with a decision about what both sides show at that path now.
fn decided(world: &World, settings: &Settings, at: &str, suspect: Option<Side>, decision: Decision) -> Settings {
    waits(world, settings, at, suspect, Some(decision))
}

fn waits(world: &World, s: &Settings, at: &str, suspect: Option<Side>, decision: Option<Decision>) -> Settings {
    let seen = |side: Side| world.trees[side].items.get(&path(at)).map(crate::world::Item::node);
    let seen = Sides::new(seen(Side::Left), seen(Side::Right));
    let waiting = Waiting { conflict: CONFLICT, seen, suspect, decision, interrupted: false };
    Settings { decisions: Arc::new(Decisions::new(HashMap::from([(path(at), waiting)]))), ..s.clone() }
}

/// `Name` and `name` against a side that folds case.
fn colliding() -> (World, Settings) {
    let mut s = both();
    s.rules.right.case_insensitive = true;
    let mut world = World::new();
    world.put(Side::Left, "Name", "one");
    world.put(Side::Left, "name", "two");
    world.sync(&s);
    (world, s)
}

/// A file that an unclean stop emptied on the left and that was edited on the right.
fn suspect() -> World {
    let mut world = World::new();
    world.put(Side::Left, "f", "some content");
    world.sync(&both());
    world.trees.left.items.get_mut(&path("f")).expect("agreed").content.clear();
    world.put(Side::Right, "f", "an edit");
    world
}

fn contents(world: &World, at: &str) -> Sides<Option<Vec<u8>>> {
    let content = |side: Side| world.trees[side].items.get(&path(at)).map(|item| item.content.clone());
    Sides::new(content(Side::Left), content(Side::Right))
}

fn same(content: &str) -> Sides<Option<Vec<u8>>> {
    Sides::new(Some(content.into()), Some(content.into()))
}

#[test]
fn a_name_clash_is_decided_by_a_new_name() {
    let (mut world, s) = colliding();
    let decision = Decision::Rename(Side::Left, name("second"));
    let with = decided(&world, &s, "name", None, decision);
    let plan = world.sync(&with);
    let own: Vec<_> = plan.changes.iter().filter(|c| c.decides == Some(CONFLICT)).collect();
    assert!(own.iter().all(|c| c.kind == ChangeKind::Conflict && c.path == path("second")), "{own:#?}");
    assert_eq!(plan.tally.count(ChangeKind::Conflict), 1);
    assert_eq!((contents(&world, "second"), contents(&world, "Name")), (same("two"), same("one")));
    assert!(world.plan(&s).changes.is_empty());
    // The decision is about an item that is gone by now: nothing more follows from it.
    assert!(world.plan(&with).changes.is_empty());
}

#[test]
fn a_name_that_the_other_side_cannot_hold_is_decided_by_one_it_can() {
    let mut s = both();
    s.rules.right.windows_names = true;
    let mut world = World::new();
    world.put(Side::Left, "a:b", "one");
    world.dir(Side::Left, "con");
    world.put(Side::Left, "con/deep", "two");
    world.sync(&s);
    for (at, to) in [("a:b", "a-b"), ("con", "console")] {
        world.sync(&decided(&world, &s, at, None, Decision::Rename(Side::Left, name(to))));
    }
    assert_eq!((contents(&world, "a-b"), contents(&world, "console/deep")), (same("one"), same("two")));
    assert!(world.plan(&s).changes.is_empty());
    assert_eq!(world.trees.left.items.len(), 3);
}

#[test]
fn a_new_name_that_is_taken_or_cannot_be_held_drops_the_decision() {
    for to in ["Name", "NAME"] {
        let (mut world, s) = colliding();
        let with = decided(&world, &s, "name", None, Decision::Rename(Side::Left, name(to)));
        let plan = world.sync(&with);
        assert!(plan.changes.iter().any(|c| c.action == Action::Skip(SkipReason::NameCollision(Side::Right))));
        assert_eq!(plan.dropped.iter().map(|d| d.conflict).collect::<Vec<_>>(), [CONFLICT], "{to}");
        assert!(effects(&plan).is_empty());
    }
}

#[test]
fn a_damaged_file_is_taken_from_the_other_side_or_trusted() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        for (keep, content) in [(Side::Right, "an edit"), (Side::Left, "")] {
            let mut world = suspect();
            let s = settings(mode, ConflictPolicy::KeepBoth);
            let with = decided(&world, &s, "f", Some(Side::Left), Decision::Keep(keep));
            let plan = world.sync(&with);
            assert_eq!(contents(&world, "f"), same(content), "{mode:?} {keep:?}");
            let transfer = Action::Transfer { to: keep.other(), archive: true };
            assert!(plan.changes.iter().any(|c| c.action == transfer), "the loser goes to the trash: {plan:?}");
            assert!(world.plan(&s).changes.is_empty(), "{mode:?} {keep:?}");
        }
        let mut world = suspect();
        let s = settings(mode, ConflictPolicy::KeepBoth);
        world.sync(&decided(&world, &s, "f", Some(Side::Left), Decision::KeepBoth));
        assert_eq!((world.trees.left.items.len(), world.trees.right.items.len()), (2, 2), "{mode:?}");
        assert_eq!(world.trees.left.shape(), world.trees.right.shape());
    }
}

#[test]
fn damage_that_waits_is_not_an_edit_after_a_clean_stop_either() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        for policy in [ConflictPolicy::SourceWins, ConflictPolicy::KeepBoth] {
            let mut world = suspect();
            let s = settings(mode, policy);
            let with = waits(&world, &s, "f", Some(Side::Left), None);
            let plan = world.sync(&with);
            assert!(plan.changes.iter().any(|c| c.action == Action::Skip(SkipReason::Suspect(Side::Left))));
            assert_eq!(world.trees.right.items[&path("f")].content, b"an edit", "{mode:?} {policy:?}");
            // Written since, it is an edit.
            world.put(Side::Left, "f", "written again");
            let plan = world.plan(&with);
            assert!(!plan.changes.iter().any(|c| matches!(c.action, Action::Skip(_))), "{mode:?} {policy:?}");
        }
    }
}

#[test]
fn a_decision_about_what_a_side_no_longer_shows_drops_out() {
    for side in Side::BOTH {
        for gone in [false, true] {
            let mut world = suspect();
            let mut s = both();
            s.unclean_stop = true;
            let with = decided(&world, &s, "f", Some(Side::Left), Decision::Keep(Side::Right));
            if gone {
                world.trees[side].remove(&path("f"));
            } else {
                let clock = world.tick();
                let item = world.trees[side].items.get_mut(&path("f")).expect("it is there");
                item.content.extend_from_slice(b" and more");
                if side == Side::Right {
                    item.mtime = clock;
                }
            }
            let plan = world.plan(&with);
            let decides = plan.changes.iter().any(|c| c.decides.is_some());
            assert!(!decides, "{side:?} {gone}: {:#?}", effects(&plan));
        }
    }
}

/// A mirror's target has a stranger in a directory that became a file at the source.
fn file_against_directory() -> (World, Settings) {
    let s = settings(SyncMode::Mirror, ConflictPolicy::SourceWins);
    let mut world = World::new();
    world.dir(Side::Left, "x");
    world.put(Side::Left, "x/known", "one");
    world.sync(&s);
    world.put(Side::Right, "x/stranger", "two");
    world.trees.left.remove(&path("x"));
    world.put(Side::Left, "x", "a file");
    (world, s)
}

#[test]
fn a_file_against_a_directory_that_may_not_go_is_decided_each_way() {
    let (world, s) = file_against_directory();
    let waits = world.plan(&s);
    assert!(waits.changes.iter().any(|c| c.action == Action::Skip(SkipReason::NameCollision(Side::Right))));
    let expected: [(Decision, &[&str]); 4] = [
        (Decision::Keep(Side::Left), &["x"]),
        (Decision::Keep(Side::Right), &["x", "x/known", "x/stranger"]),
        (Decision::Rename(Side::Left, name("y")), &["x", "x/known", "x/stranger", "y"]),
        (Decision::KeepBoth, &["x", "x (conflict left 2026-11-21 064500)", "x/known", "x/stranger"]),
    ];
    for (decision, items) in expected {
        let (mut world, s) = file_against_directory();
        let with = decided(&world, &s, "x", None, decision.clone());
        let plan = world.sync(&with);
        assert!(plan.changes.iter().any(|c| c.decides == Some(CONFLICT)) && plan.dropped.is_empty(), "{decision:?}");
        let mut items: Vec<RelPath> = items.iter().map(|at| path(at)).collect();
        items.sort();
        for side in Side::BOTH {
            let shown: Vec<_> = world.trees[side].items.keys().cloned().collect();
            assert_eq!(shown, items, "{decision:?} {side:?}");
        }
        assert!(world.plan(&s).changes.is_empty(), "{decision:?}");
        assert!(!world.has_twins());
    }
}

#[test]
fn a_directory_that_cannot_be_read_whole_is_not_removed_by_a_decision() {
    let (mut world, s) = file_against_directory();
    world.trees.right.unreadable.push(path("x"));
    let with = decided(&world, &s, "x", None, Decision::Keep(Side::Left));
    let plan = world.sync(&with);
    assert_eq!(world.trees.right.items[&path("x")].kind, Kind::Dir);
    assert_eq!(plan.dropped.len(), 1);
    assert!(plan.changes.iter().any(|c| c.action == Action::Skip(SkipReason::NameCollision(Side::Right))));
}
