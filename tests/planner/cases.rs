//! Named cases beside the table: damage, doubt, attributes, names that a side cannot tell apart or hold, selection.

use std::sync::Arc;

use portbook::delta::{Action, Change, ChangeKind, Scope, Settings, SkipReason};
use portbook::model::{ConflictPolicy, RelPath, Side, SyncMode};

use crate::world::{World, effects, path, settings};

fn both() -> Settings {
    settings(SyncMode::Bidirectional, ConflictPolicy::KeepBoth)
}

fn agreed() -> World {
    let mut world = World::new();
    world.put(Side::Left, "f", "some content");
    world.dir(Side::Left, "d");
    world.sync(&both());
    world
}

/// An empty file with the time it had.
fn damage(world: &mut World, side: Side) {
    world.trees[side].items.get_mut(&path("f")).expect("agreed").content.clear();
}

#[test]
fn a_file_that_an_unclean_stop_emptied_is_fetched_again_and_never_carried() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        for side in Side::BOTH {
            let mut s = settings(mode, ConflictPolicy::KeepBoth);
            s.unclean_stop = true;
            let mut world = agreed();
            damage(&mut world, side);
            world.sync(&s);
            for side in Side::BOTH {
                assert_eq!(world.trees[side].items[&path("f")].content, b"some content", "{mode:?} {side:?}");
            }
            assert!(world.plan(&s).changes.is_empty());
        }
    }
}

#[test]
fn a_damaged_file_against_an_edit_waits_for_a_person() {
    let mut s = both();
    s.unclean_stop = true;
    let mut world = agreed();
    damage(&mut world, Side::Left);
    world.put(Side::Right, "f", "an edit");
    let plan = world.sync(&s);
    assert!(plan.changes.iter().any(|c| c.action == Action::Skip(SkipReason::Suspect(Side::Left))));
    assert_eq!(world.trees.right.items[&path("f")].content, b"an edit");
}

#[test]
fn after_a_clean_stop_a_shorter_file_is_an_edit() {
    let mut world = agreed();
    world.put(Side::Left, "f", "");
    world.sync(&both());
    assert_eq!(world.trees.right.items[&path("f")].content, b"");
}

#[test]
fn a_racy_file_is_hashed_and_an_edit_behind_its_token_is_found() {
    let mut world = agreed();
    for row in world.ledger.values_mut() {
        row.held.left.racy = true;
    }
    world.trees.left.items.get_mut(&path("f")).expect("agreed").content = b"SAME LENGTH!".to_vec();
    let plan = world.sync(&both());
    assert_eq!(plan.tally.count(ChangeKind::Updated), 1);
    assert_eq!(world.trees.right.items[&path("f")].content, b"SAME LENGTH!");
}

#[test]
fn a_file_that_took_the_place_of_another_is_hashed_whatever_its_times_say() {
    let mut world = agreed();
    let item = world.trees.left.items.get_mut(&path("f")).expect("agreed");
    item.content = b"SAME LENGTH!".to_vec();
    item.ident = 4711;
    world.sync(&both());
    assert_eq!(world.trees.right.items[&path("f")].content, b"SAME LENGTH!");
}

#[test]
fn the_mode_of_a_directory_is_carried_alone() {
    let mut world = agreed();
    world.trees.right.items.get_mut(&path("d")).expect("agreed").mode = 0o700;
    let plan = world.sync(&both());
    assert_eq!(effects(&plan).len(), 1);
    assert_eq!(world.trees.left.items[&path("d")].mode, 0o700);
    assert!(world.plan(&both()).changes.is_empty());
}

#[test]
fn an_empty_directory_is_made_and_removed_like_any_item() {
    let mut world = agreed();
    assert!(world.trees.right.is_dir(&path("d")));
    world.trees.left.remove(&path("d"));
    world.sync(&both());
    assert!(!world.trees.right.is_dir(&path("d")));
}

/// One look that fails is no reason to keep both, or to fill a directory again that somebody replaced.
#[test]
fn a_file_against_a_directory_that_cannot_be_looked_at_decides_nothing() {
    for policy in ConflictPolicy::ALL {
        let s = settings(SyncMode::Bidirectional, *policy);
        for below in ["d", "d/e"] {
            let mut world = agreed();
            world.dir(Side::Left, "d/e");
            world.put(Side::Left, "d/e/x", "agreed");
            world.sync(&s);
            world.trees.right.remove(&path("d"));
            world.put(Side::Right, "d", "a file took its place");
            world.trees.left.unreadable.push(path(below));
            let plan = world.sync(&s);
            assert!(effects(&plan).is_empty(), "{policy:?} {below}: {:#?}", effects(&plan));
            let unknown = |c: &&Change| matches!(c.action, Action::Skip(SkipReason::Unknown(Side::Left, _)));
            assert_eq!(plan.changes.iter().filter(unknown).count(), 1, "{policy:?} {below}: one failure");
            world.trees.left.unreadable.clear();
            world.sync(&s);
            assert_eq!(world.trees.left.items[&path("d")].content, b"a file took its place", "{policy:?} {below}");
            assert_eq!(world.trees.left.shape(), world.trees.right.shape(), "{policy:?} {below}");
        }
    }
}

/// What has its name later was not agreed on, and does not go for a deletion of long ago.
#[test]
fn a_file_that_went_while_a_directory_took_its_name_at_the_target_is_forgotten() {
    for mode in [SyncMode::Mirror, SyncMode::Selective] {
        for is_beneath in [false, true] {
            let s = settings(mode, ConflictPolicy::KeepBoth);
            let mut world = agreed();
            let at = if is_beneath { "d/x" } else { "x" };
            world.put(Side::Left, at, "agreed");
            world.sync(&s);
            world.trees.left.remove(&path(if is_beneath { "d" } else { "x" }));
            let agreed = world.trees.right.items[&path(at)].clone();
            world.trees.right.remove(&path(at));
            world.dir(Side::Right, at);
            world.put(Side::Right, &format!("{at}/in"), "by the target");
            world.sync(&s);
            assert!(world.trees.right.items.contains_key(&path(&format!("{at}/in"))), "{mode:?}");
            assert!(world.ledger.values().all(|row| row.name.as_bytes() != b"x"), "{mode:?} {at}: {:?}", world.ledger);
            assert!(effects(&world.plan(&s)).is_empty(), "{mode:?} {at}");
            world.trees.right.remove(&path(at));
            world.trees.right.items.insert(path(at), agreed);
            world.sync(&s);
            assert!(world.trees.right.items.contains_key(&path(at)), "{mode:?} {at}: what was put back stays");
        }
    }
}

#[test]
fn a_folder_deleted_here_and_changed_there_is_one_conflict() {
    for policy in ConflictPolicy::ALL {
        let s = settings(SyncMode::Bidirectional, *policy);
        let mut world = World::new();
        world.dir(Side::Left, "d");
        for name in ["kept", "edited", "quiet"] {
            world.put(Side::Left, &format!("d/{name}"), name);
        }
        world.sync(&s);
        world.trees.left.remove(&path("d"));
        world.put(Side::Right, "d/edited", "another content");
        let plan = world.sync(&s);
        assert_eq!(plan.tally.count(ChangeKind::Conflict), 1, "{policy:?} {:#?}", effects(&plan));
        assert_eq!(plan.tally.count(ChangeKind::Deleted), 0, "{policy:?} {:#?}", effects(&plan));
        assert!(world.plan(&s).changes.is_empty());
    }
}

#[test]
fn names_that_a_side_cannot_tell_apart_are_never_two_items_there() {
    let mut s = both();
    s.rules.right.case_insensitive = true;
    let mut world = World::new();
    world.put(Side::Left, "Name", "one");
    world.put(Side::Left, "name", "two");
    let plan = world.sync(&s);
    assert_eq!(world.trees.right.items.len(), 1);
    assert!(plan.changes.iter().any(|c| c.action == Action::Skip(SkipReason::NameCollision(Side::Right))));
    assert!(effects(&world.plan(&s)).is_empty());
    assert_eq!(world.trees.left.items.len(), 2);
}

#[test]
fn what_is_not_shown_is_not_taken_for_renamed_to_a_name_that_differs_in_case() {
    for mode in [SyncMode::Bidirectional, SyncMode::Mirror] {
        let mut s = settings(mode, ConflictPolicy::KeepBoth);
        s.rules.right.case_insensitive = true;
        let mut world = World::new();
        world.put(Side::Left, "NAME", "one");
        world.sync(&s);
        world.put(Side::Left, "nAMe", "two");
        world.trees.left.unlisted.push(path("NAME"));
        let plan = world.sync(&s);
        assert!(effects(&plan).is_empty(), "{mode:?}: {:#?}", effects(&plan));
        world.trees.left.unlisted.clear();
        world.sync(&s);
        assert_eq!(world.trees.right.items[&path("NAME")].content, b"one", "{mode:?}");
        assert_eq!(world.trees.right.items.len(), 1, "{mode:?}");
        // What was renamed is known by its identity, whatever else is not shown.
        world.trees.left.remove(&path("nAMe"));
        world.put(Side::Left, "other", "three");
        world.sync(&s);
        world.trees.left.rename(&path("NAME"), &path("nAMe"));
        world.trees.left.unlisted.push(path("other"));
        world.sync(&s);
        assert_eq!(world.trees.right.items[&path("nAMe")].content, b"one", "{mode:?}");
    }
}

#[test]
fn a_name_in_another_normalisation_is_the_same_item() {
    let mut s = both();
    s.rules.right.unicode_insensitive = true;
    let mut world = World::new();
    world.put(Side::Left, "caf\u{e9}", "one");
    world.put(Side::Right, "cafe\u{301}", "one");
    let plan = world.sync(&s);
    assert_eq!(plan.tally.bytes, 0);
    assert!(effects(&world.plan(&s)).is_empty());
    assert_eq!(world.trees.left.items.len(), 1);
    assert_eq!(world.trees.right.items.len(), 1);
}

#[test]
fn a_name_that_the_other_side_cannot_hold_is_said_and_left() {
    let mut s = both();
    s.rules.right.windows_names = true;
    let mut world = World::new();
    world.put(Side::Left, "a:b", "one");
    world.dir(Side::Left, "con");
    let plan = world.sync(&s);
    assert!(world.trees.right.items.is_empty());
    let refused = Action::Skip(SkipReason::NameNotAllowed(Side::Right));
    assert_eq!(plan.changes.iter().filter(|c| c.action == refused).count(), 2);
}

struct Only(&'static str);
impl Scope for Only {
    fn includes(&self, _: &RelPath, _: bool) -> bool {
        true
    }
    fn selects(&self, at: &RelPath) -> bool {
        at.is_within(&path(self.0))
    }
}

fn selecting(dir: &'static str) -> Settings {
    let mut s = settings(SyncMode::Selective, ConflictPolicy::SourceWins);
    s.scope = Arc::new(Only(dir));
    s
}

fn held() -> World {
    let mut world = World::new();
    for dir in ["a", "b"] {
        world.dir(Side::Left, dir);
        world.put(Side::Left, &format!("{dir}/f"), dir);
    }
    world.sync(&selecting(""));
    world
}

#[test]
fn what_is_no_longer_selected_goes_from_the_target_alone_and_comes_back() {
    let mut world = held();
    let source = world.trees.left.clone();
    world.sync(&selecting("a"));
    assert!(world.trees.right.items.contains_key(&path("a/f")));
    assert!(!world.trees.right.items.contains_key(&path("b")));
    assert_eq!(world.trees.left, source);
    assert!(world.plan(&selecting("a")).changes.is_empty());
    world.sync(&selecting(""));
    assert_eq!(world.trees.right.items[&path("b/f")].content, b"b");
}

#[test]
fn a_release_that_was_interrupted_is_completed() {
    let mut world = held();
    let plan = world.plan(&selecting("a"));
    let (last, first) = plan.changes.split_last().expect("two deletions");
    assert_eq!(last.action, Action::Delete { on: Side::Right });
    world.apply(first);
    assert!(world.trees.right.is_dir(&path("b")));
    world.sync(&selecting("a"));
    assert!(!world.trees.right.is_dir(&path("b")));
    assert!(world.plan(&selecting("a")).changes.is_empty());
}

#[test]
fn what_the_target_edited_or_the_source_lost_is_not_let_go() {
    let mut world = held();
    world.put(Side::Right, "b/f", "edited there");
    let plan = world.sync(&selecting("a"));
    assert!(plan.changes.iter().any(|c| c.action == Action::Skip(SkipReason::NotReleasable)));
    assert_eq!(world.trees.right.items[&path("b/f")].content, b"edited there");
    let mut world = held();
    world.trees.left.remove(&path("b/f"));
    world.sync(&selecting("a"));
    assert_eq!(world.trees.right.items[&path("b/f")].content, b"b");
}
