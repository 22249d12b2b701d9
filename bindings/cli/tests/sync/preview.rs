//! A preview, and applying exactly that.

use crate::world::{World, done, text};

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(kind, path)| ((*kind).to_owned(), (*path).to_owned())).collect()
}

#[test]
fn a_preview_lists_every_kind_of_change_and_changes_nothing() {
    let world = World::with(&["same", "edited", "gone", "moved-from", "d/x"]);
    world.write("a/moved-from", vec![7; 5000]);
    world.ends(0, &["sync", "a", "b"]);
    world.write("a/edited", "edited again");
    world.write("a/fresh", "fresh");
    world.remove("a/gone");
    std::fs::rename(world.path("a/moved-from"), world.path("a/d/moved-to")).expect("renamed");
    let before = (world.stats("a"), world.stats("b"));
    let changes = world.changes(&["preview", "a", "b"]);
    let expected = [("deleted", "gone"), ("moved", "d/moved-to"), ("new", "fresh"), ("updated", "edited")];
    assert_eq!(changes, pairs(&expected));
    assert_eq!((world.stats("a"), world.stats("b")), before);
    let shown = world.ends(0, &["preview", "a", "b"]);
    for part in ["d/moved-to  (move from moved-from)", "1 new, 1 updated, 1 moved, 1 deleted", "--preview "] {
        assert!(shown.out.contains(part), "{part}: {shown:?}");
    }
}

#[test]
fn exactly_the_preview_is_applied_and_what_came_later_waits() {
    let world = World::with(&["x", "y"]);
    let id = text(&world.json(0, &["preview", "a", "b"]), "id");
    world.write("a/later", "later");
    let report = world.json(0, &["sync", "a", "b", "--preview", &id]);
    assert_eq!(done(&report), [2, 0, 0, 0, 0, 0, 2]);
    assert_eq!(world.tree("b"), ["x", "y"]);
    assert_eq!(done(&world.json(0, &["sync", "a", "b"])), [1, 0, 0, 0, 0, 0, 5]);
}

#[test]
fn what_moved_on_since_the_preview_is_left_alone_and_reported() {
    let world = World::with(&["edited-at-source", "edited-at-target", "gone-at-source", "kept", "removed"]);
    world.ends(0, &["sync", "a", "b"]);
    for name in ["edited-at-source", "edited-at-target", "gone-at-source"] {
        world.write(&format!("a/{name}"), "second state");
    }
    world.remove("a/removed");
    let id = text(&world.json(0, &["preview", "a", "b"]), "id");
    world.write("a/edited-at-source", "third state!");
    world.write("b/edited-at-target", "somebody's work");
    world.write("b/removed", "somebody's work");
    world.remove("a/gone-at-source");
    let report = world.json(1, &["sync", "a", "b", "--preview", &id]);
    assert_eq!(done(&report), [0, 0, 0, 0, 0, 4, 0]);
    assert_eq!(world.read("b/edited-at-source").as_deref(), Some("edited-at-source"));
    assert_eq!(world.read("b/edited-at-target").as_deref(), Some("somebody's work"));
    assert_eq!(world.read("b/removed").as_deref(), Some("somebody's work"));
    assert_eq!(world.read("b/gone-at-source").as_deref(), Some("gone-at-source"));
}

#[test]
fn a_preview_that_is_unknown_applied_or_of_another_pair_is_refused_and_nothing_is_made() {
    let world = World::with(&["x"]);
    let nobody = "01900000-0000-7000-8000-000000000000";
    world.ends(1, &["sync", "a", "b", "--preview", nobody]).is_one_error("not_found");
    assert!(!world.path("b").exists(), "a run that cannot begin makes no target");

    let id = text(&world.json(0, &["preview", "a", "b"]), "id");
    let other = world.ends(2, &["sync", "a", "c", "--preview", &id]);
    other.is_one_error("invalid");
    other.says("it is of another pair of places");
    assert!(!world.path("c").exists());
    world.make_dir("b");
    world.ends(2, &["sync", "b", "a", "--preview", &id]).is_one_error("invalid");

    world.ends(0, &["sync", "a", "b", "--preview", &id]);
    let again = world.ends(2, &["sync", "a", "b", "--preview", &id]);
    again.is_one_error("invalid");
    again.says("it was applied already");
    assert_eq!(done(&world.json(0, &["sync", "a", "b"])), [0; 7]);
}

#[test]
fn a_preview_of_both_directions_is_applied_whatever_mode_the_line_names() {
    let world = World::with(&["x"]);
    world.write("b/y", "y");
    let id = text(&world.json(0, &["preview", "a", "b", "--mode", "bidirectional"]), "id");
    world.ends(0, &["sync", "a", "b", "--preview", &id]);
    assert_eq!(world.tree("a"), ["x", "y"]);
    assert_eq!(world.tree("b"), ["x", "y"]);
}

#[test]
fn the_reversed_pair_is_the_same_pair() {
    let world = World::with(&["x", "y", "d/z"]);
    world.ends(0, &["sync", "a", "b"]);
    let back = world.json(0, &["sync", "b", "a"]);
    assert_eq!((done(&back), &back["generation"]), ([0; 7], &2.into()));
    world.remove("b/y");
    world.write("b/x", "from b");
    let back = world.json(0, &["sync", "b", "a"]);
    assert_eq!(done(&back), [0, 1, 1, 0, 0, 0, 6]);
    assert_eq!(world.tree("a"), ["d", "d/z", "x"]);
    assert_eq!(world.read("a/x").as_deref(), Some("from b"));
    assert_eq!(done(&world.json(0, &["sync", "a", "b"])), [0; 7]);
}

#[test]
fn yes_confirms_the_guards_of_the_preview_it_names_and_no_others() {
    let world = World::with(&["x", "y", "z"]);
    world.ends(0, &["sync", "a", "b"]);
    for name in ["x", "y", "z"] {
        world.remove(&format!("a/{name}"));
    }
    world.ends(3, &["sync", "a", "b", "--yes"]).is_one_error("guard");
    world.ends(3, &["sync", "a", "b", "--yes", "--max-delete", "100%"]).says("root_emptied");
    let shown = world.ends(0, &["preview", "a", "b"]);
    assert!(shown.out.contains("guard root_emptied") && shown.out.contains("--yes, which confirms"), "{shown:?}");
    let preview = world.json(0, &["preview", "a", "b"]);
    assert_eq!(preview["guards"][0]["name"], "root_emptied");
    let id = text(&preview, "id");
    world.ends(3, &["sync", "a", "b", "--preview", &id]).is_one_error("guard");
    assert_eq!(world.tree("b"), ["x", "y", "z"]);
    assert_eq!(done(&world.json(0, &["sync", "a", "b", "--preview", &id, "--yes"]))[2], 3);
    assert!(world.tree("b").is_empty());
}

#[test]
fn a_root_that_was_replaced_is_confirmed_for_the_preview_that_saw_it() {
    let replace = |world: &World, away: &str| {
        std::fs::rename(world.path("b"), world.path(away)).expect("moved away");
        world.make_dir("b");
    };
    let world = World::with(&["x"]);
    world.ends(0, &["sync", "a", "b"]);
    replace(&world, "away");
    let stale = text(&world.json(0, &["preview", "a", "b"]), "id");
    // Replaced once more, it is not what anybody saw.
    replace(&world, "farther");
    world.ends(3, &["sync", "a", "b", "--preview", &stale, "--yes"]).says("root_changed");
    let seen = text(&world.json(0, &["preview", "a", "b"]), "id");
    world.ends(0, &["sync", "a", "b", "--preview", &seen, "--yes"]);
    world.ends(0, &["sync", "a", "b"]);
}

#[test]
fn a_vanished_target_is_made_anew_by_the_preview_that_says_so() {
    let world = World::with(&["x"]);
    world.ends(0, &["sync", "a", "b"]);
    world.remove("b");
    let id = text(&world.json(0, &["preview", "a", "b"]), "id");
    world.ends(3, &["sync", "a", "b", "--preview", &id]).says("root_missing");
    world.ends(0, &["sync", "a", "b", "--preview", &id, "--yes"]);
    world.ends(0, &["sync", "a", "b"]);
}

#[test]
fn exact_without_a_ledger_wants_a_limit_beside_yes() {
    let world = World::with(&["x"]);
    world.write("b/stranger", "never synced");
    let id = text(&world.json(0, &["preview", "a", "b", "--exact"]), "id");
    world.ends(3, &["sync", "a", "b", "--preview", &id, "--yes"]).says("exact_without_ledger");
    assert_eq!(world.tree("b"), ["stranger"]);
    world.ends(0, &["sync", "a", "b", "--preview", &id, "--yes", "--max-delete", "1"]);
    assert_eq!(world.tree("b"), ["x"]);
}

#[test]
fn applying_a_preview_leaves_what_the_conduit_does_as_it_is() {
    let world = World::with(&["x", "y.tmp"]);
    let id = text(&world.json(0, &["preview", "a", "b", "--exclude", "*.tmp"]), "id");
    world.ends(0, &["sync", "a", "b", "--preview", &id]);
    // `verify` compares as the two were last previewed: without the temporary file.
    let verified = world.json(0, &["verify", "a", "b"]);
    assert_eq!((&verified["left_out"], &verified["exclude"][0]), (&1.into(), &"*.tmp".into()));
}
