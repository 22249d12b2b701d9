//! Items that stand under a temporary name in the middle of a swap come to light again, wherever they are by then.

use std::sync::Arc;

use portbook::conduit::ConduitOptions;
use portbook::model::SyncMode;
use portbook::provider::simulation::{Fault, ModelOptions, Op, Switch};

use crate::engine::tree::{Tree, contents, leftovers, visible};
use crate::engine::{RIGHT, World, at_rest, options};

const EACCES: i32 = 13;

fn both() -> ConduitOptions {
    options(SyncMode::Bidirectional, None)
}

/// Two files and two directories that were agreed on and changed their names at the source.
fn swapped() -> World {
    let world = World::new(ModelOptions::default());
    let left = world.left();
    for (path, content) in [("docs/a", "a"), ("docs/b", "b"), ("docs/c/in", "in c"), ("docs/d/in", "in d")] {
        for (at, _) in path.match_indices('/') {
            if !left.all().contains_key(&path[..at]) {
                left.dir(&path[..at]);
            }
        }
        left.put(path, content.as_bytes());
    }
    world.settle();
    world.sync(&both()).unwrap();
    world.disk.advance(10_000_000_000);
    left.swap("docs/a", "docs/b");
    left.swap("docs/c", "docs/d");
    world.settle();
    world
}

/// Nothing is hidden, nothing is lost, and the next runs bring both sides into step.
fn is_whole(world: &World, what: &str) {
    let before = contents(&world.trees());
    world.disk.advance(10_000_000_000);
    let converged = world.converge(&both());
    assert!(converged.is_ok(), "{what}: {converged:?}");
    // Whoever was swapped has the name that it was to have, or its old one, and no other.
    let numbered: Vec<_> = world.trees().iter().flat_map(visible).filter(|(path, _)| path.contains(" (1)")).collect();
    assert!(numbered.is_empty(), "{what}: {numbered:?}");
    let lost: Vec<_> = before.difference(&contents(&world.trees())).cloned().collect();
    assert!(lost.is_empty(), "{what}: lost {lost:?}");
    let wrong = at_rest(world);
    assert!(wrong.is_empty(), "{what}: {wrong:#?}");
}

#[test]
fn an_item_is_found_in_a_directory_that_was_renamed_between_the_halves_of_its_swap() {
    let mut hidden = 0;
    for at in 1.. {
        let world = swapped();
        let switch = Arc::new(Switch::default());
        let engine = world.engine_with(switch.clone());
        switch.crash_at(switch.effects() + at);
        let ended = engine.sync(&both()).is_ok();
        engine.end();
        let after = world.after_crash(3);
        let caught = leftovers(&after.right().all());
        after.right().rename("docs", "papers");
        after.settle();
        if !caught.is_empty() {
            hidden += 1;
            // Another directory has its old name.
            after.right().dir("docs");
            after.settle();
            after.sync(&both()).unwrap();
            let left = leftovers(&after.right().all());
            assert!(left.is_empty(), "effect {at}: {caught:?} became {left:?}");
        }
        is_whole(&after, &format!("effect {at}, {caught:?}"));
        if ended {
            assert!(hidden > 1, "{hidden} crashes were caught in the middle of a swap");
            return;
        }
    }
}

#[test]
fn an_item_comes_to_light_in_the_run_in_which_the_second_half_of_its_swap_is_refused() {
    for moved_away in [false, true] {
        let world = swapped();
        let engine = world.engine();
        let disk = world.disk.clone();
        let mut refused = false;
        engine.disk.rule(move |call| {
            // The last move of the swap of the files: from the temporary name to its place.
            if call.op != Op::Rename || call.name.starts_with(b".portbook") || refused {
                return None;
            }
            let tree = Tree::at(&disk, RIGHT);
            let is_second = leftovers(&tree.all()).iter().any(|path| path.starts_with("docs/"))
                && tree.all().keys().filter(|path| ["docs/a", "docs/b"].contains(&path.as_str())).count() == 1
                && !tree.all().contains_key(&format!("docs/{}", call.name.escape_ascii()));
            if !is_second {
                return None;
            }
            refused = true;
            if moved_away {
                tree.rename("docs", "papers");
            }
            Some(Fault::Errno(EACCES))
        });
        let report = engine.sync(&both()).unwrap();
        assert!(report.counts.failed > 0, "{report:?}");
        engine.disk.heal();
        engine.end();
        let left = leftovers(&world.right().all());
        assert!(left.is_empty(), "moved away: {moved_away}: {left:?}");
        world.settle();
        is_whole(&world, &format!("moved away: {moved_away}"));
    }
}

/// A file and a directory whose names changed their case at the source, which the target cannot tell apart.
fn recased() -> World {
    let world = World::new(ModelOptions { case_insensitive: true, ..ModelOptions::default() });
    let left = world.left();
    left.put("file", b"a file");
    left.dir("dir");
    left.put("dir/in", b"in it");
    world.settle();
    world.sync(&both()).unwrap();
    world.disk.advance(10_000_000_000);
    left.rename("file", "FILE");
    left.rename("dir", "Dir");
    world.settle();
    world
}

fn is_recased(world: &World, what: &str) {
    is_whole(world, what);
    for (side, tree) in ["left", "right"].into_iter().zip(world.trees()) {
        let names: Vec<String> = visible(&tree).into_keys().collect();
        assert_eq!(names, ["Dir", "Dir/in", "FILE"], "{what}: on the {side}");
    }
}

/// The name in between is no name that a person gave.
#[test]
fn a_rename_of_case_alone_that_is_cut_in_the_middle_is_finished_by_the_next_run() {
    let mut hidden = 0;
    for at in 1.. {
        let mut ended = false;
        for seed in [3, at * 4] {
            let world = recased();
            let switch = Arc::new(Switch::default());
            let engine = world.engine_with(switch.clone());
            switch.crash_at(switch.effects() + at);
            ended = engine.sync(&both()).is_ok();
            engine.end();
            let after = world.after_crash(seed);
            hidden += usize::from(!leftovers(&after.right().all()).is_empty());
            is_recased(&after, &format!("effect {at}, loss {seed}"));
        }
        if ended {
            assert!(hidden > 1, "{hidden} crashes were caught in the middle of a rename");
            return;
        }
    }
}

#[test]
fn an_item_comes_to_light_in_the_run_in_which_a_rename_of_case_alone_is_refused_and_cannot_be_taken_back() {
    let world = recased();
    let engine = world.engine();
    let (mut there, mut back) = (0, 0);
    engine.disk.rule(move |call| {
        there += u32::from(call.op == Op::Rename && call.name == b"FILE");
        back += u32::from(call.op == Op::Rename && call.name == b"file");
        // It is tried in one step first. The second half is refused, and so is the first way back.
        let is_refused = call.name == b"FILE" && there == 2 || call.name == b"file" && back == 1;
        (call.op == Op::Rename && is_refused).then_some(Fault::Errno(EACCES))
    });
    let report = engine.sync(&both()).unwrap();
    assert!(report.counts.failed > 0, "{report:?}");
    engine.disk.heal();
    engine.end();
    let left = leftovers(&world.right().all());
    assert!(left.is_empty(), "{left:?}");
    world.settle();
    is_recased(&world, "refused");
}
