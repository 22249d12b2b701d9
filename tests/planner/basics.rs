//! Small stories that a reader can check by eye.

use portbook::model::{ConflictPolicy, Side, SyncMode};

use crate::world::{World, effects, path, settings};

fn in_step(world: &World) {
    assert_eq!(world.trees.left.shape(), world.trees.right.shape());
}

#[test]
fn a_first_sync_carries_everything_and_the_second_finds_nothing_to_do() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional, SyncMode::Selective] {
        let s = settings(mode, ConflictPolicy::KeepBoth);
        let mut world = World::new();
        world.dir(Side::Left, "a");
        world.dir(Side::Left, "a/b");
        world.put(Side::Left, "a/b/c", "1");
        world.put(Side::Left, "x", "2");
        let plan = world.sync(&s);
        assert_eq!(plan.changes.len(), 4);
        in_step(&world);
        let again = world.plan(&s);
        assert!(again.changes.is_empty(), "{:?}", effects(&again));
        assert_eq!(again.tally.unchanged, 4);
    }
}

#[test]
fn an_edit_a_creation_and_a_deletion_flow_both_ways() {
    let s = settings(SyncMode::Bidirectional, ConflictPolicy::KeepBoth);
    let mut world = World::new();
    for name in ["a", "b", "c", "d"] {
        world.put(Side::Left, name, "old");
    }
    world.sync(&s);
    world.put(Side::Left, "a", "new");
    world.put(Side::Right, "b", "longer");
    world.trees.left.remove(&path("c"));
    world.trees.right.remove(&path("d"));
    world.put(Side::Right, "e", "more");
    world.sync(&s);
    in_step(&world);
    assert_eq!(world.trees.left.items.len(), 3);
    assert!(effects(&world.plan(&s)).is_empty());
}

#[test]
fn both_versions_of_a_conflict_are_kept_on_both_sides() {
    let s = settings(SyncMode::Bidirectional, ConflictPolicy::KeepBoth);
    let mut world = World::new();
    world.put(Side::Left, "a.txt", "left");
    world.put(Side::Right, "a.txt", "rite");
    let plan = world.sync(&s);
    assert_eq!(plan.tally.count(portbook::delta::ChangeKind::Conflict), 1);
    in_step(&world);
    assert_eq!(world.trees.left.items[&path("a (conflict right 2026-11-21 064500).txt")].content, b"rite");
    assert!(effects(&world.plan(&s)).is_empty());
}

#[test]
fn a_deleted_folder_comes_back_where_the_other_side_added_to_it() {
    let s = settings(SyncMode::Bidirectional, ConflictPolicy::KeepBoth);
    let mut world = World::new();
    world.dir(Side::Left, "d");
    world.put(Side::Left, "d/kept", "1");
    world.sync(&s);
    world.trees.left.remove(&path("d"));
    world.put(Side::Right, "d/new", "2");
    world.sync(&s);
    in_step(&world);
    assert!(world.trees.left.items.contains_key(&path("d/new")));
    assert!(!world.trees.left.items.contains_key(&path("d/kept")));
    assert!(effects(&world.plan(&s)).is_empty());
}
