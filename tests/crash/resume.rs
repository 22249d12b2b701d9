//! A large copy that was interrupted goes on where it was, if and only if everything is as it was left.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};

use portbook::conduit::{ConduitOptions, Place};
use portbook::model::SyncMode;
use portbook::operation::RunReport;
use portbook::provider::local::{Disk as _, Local, Parts, Rename};
use portbook::provider::simulation::{ModelOptions, Op, Switch};

use crate::engine::tree::Tree;
use crate::engine::{Engine, World, at_rest, confirmed, options};

const PARTS: Parts = Parts { resumable_bytes: 100 << 10, part_bytes: PART };
const PART: u64 = 32 << 10;
/// What one write carries here.
const PIECE: u64 = PART / 2;
const SIZE: u64 = 20 * PIECE + 1_000;

fn content(seed: u8) -> Vec<u8> {
    (0..SIZE).map(|i| (i / 7) as u8 ^ (i >> 9) as u8 ^ seed).collect()
}

fn mirror() -> ConduitOptions {
    options(SyncMode::Mirror, None)
}

fn world() -> World {
    let mut world = World::new(ModelOptions::default());
    world.parts = PARTS;
    world.left().put("large", &content(1));
    world.settle();
    world
}

/// Counts the bytes that are written.
fn count(engine: &Engine) -> Arc<AtomicU64> {
    let bytes = Arc::new(AtomicU64::new(0));
    let counted = bytes.clone();
    engine.disk.rule(move |call| {
        if call.op == Op::Write {
            counted.fetch_add(PIECE, SeqCst);
        }
        None
    });
    bytes
}

/// A run that dies at this effect: the bytes that it wrote and what the book says is safe.
fn die(world: &World, at: u64) -> (u64, Vec<i64>) {
    let switch = Arc::new(Switch::default());
    let engine = world.engine_with(switch.clone());
    let written = count(&engine);
    switch.crash_at(switch.effects() + at);
    let _ = engine.sync(&mirror());
    engine.end();
    let engine = world.engine();
    let safe = engine.transfers();
    engine.end();
    (written.load(SeqCst), safe)
}

/// A world in which the process died when half of the file was safe; the offset.
fn interrupted() -> (World, u64) {
    // Where it is hardly changes from time to time, and is looked for once.
    static NEAR: OnceLock<u64> = OnceLock::new();
    let half = |at| die(&world(), at).1.first().is_some_and(|safe| *safe as u64 >= SIZE / 2);
    let near = *NEAR.get_or_init(|| (1..).find(|at| half(*at)).unwrap());
    for at in near.. {
        let world = world();
        let (_, safe) = die(&world, at);
        if let [safe] = safe[..]
            && safe as u64 >= SIZE / 2
        {
            let after = world.after_crash(3);
            after.disk.advance(10_000_000_000);
            return (after, safe as u64);
        }
    }
    unreachable!("a copy has a middle")
}

fn go_on(world: &World) -> (u64, RunReport) {
    let engine = world.engine();
    let written = count(&engine);
    let report = engine.sync(&mirror()).unwrap();
    engine.end();
    assert!(report.is_in_step(), "{report:?}");
    let wrong = at_rest(world);
    assert!(wrong.is_empty(), "{wrong:#?}");
    (written.load(SeqCst), report)
}

fn temporary(tree: &Tree<'_, portbook::provider::simulation::ModelDisk>) -> String {
    tree.all().into_keys().find(|path| path.starts_with(".portbook-tmp-")).expect("a temporary file")
}

#[test]
fn a_crash_at_any_effect_of_a_large_copy_costs_at_most_one_part() {
    let (step, losses) = match std::env::var("PORTBOOK_CRASH_POINTS").as_deref() {
        Ok("full") => (1, 8),
        Ok(_) | Err(_) => (4, 2),
    };
    let mut continued = 0;
    for at in (1..).step_by(step) {
        for seed in 0..losses {
            let world = world();
            let (first, safe) = die(&world, at);
            let after = world.after_crash(at * 1_001 + seed);
            after.disk.advance(10_000_000_000);
            let (second, report) = go_on(&after);
            assert!(after.right().all()["large"].content == content(1), "effect {at}, seed {seed}");
            // The last piece is a short one, and is counted whole.
            let resent = (first + second).saturating_sub(SIZE.next_multiple_of(PIECE));
            assert!(resent <= PART, "effect {at}, seed {seed}: {resent} bytes again, {safe:?} were safe");
            continued += u64::from(second > 0 && second < SIZE && report.bytes < SIZE);
            if first >= SIZE && second == 0 && report.counts.is_quiet() {
                assert!(continued > 5, "only {continued} copies were continued");
                return;
            }
        }
    }
}

#[test]
fn a_crash_at_any_effect_of_copies_beside_each_other_costs_at_most_one_part_of_each() {
    const FILES: u64 = 3;
    let mut both = 0;
    for at in (1..).step_by(5) {
        let mut world = World::new(ModelOptions::default());
        world.parts = PARTS;
        for file in 0..FILES {
            world.left().put(&format!("large{file}"), &content(file as u8));
        }
        world.settle();
        let (first, safe) = die(&world, at);
        let after = world.after_crash(at);
        after.disk.advance(10_000_000_000);
        let (second, report) = go_on(&after);
        for file in 0..FILES {
            let there = &after.right().all()[&format!("large{file}")];
            assert!(there.content == content(file as u8), "effect {at}, file {file}");
        }
        let resent = (first + second).saturating_sub(FILES * SIZE.next_multiple_of(PIECE));
        assert!(resent <= 2 * PART, "effect {at}: {resent} bytes again, {safe:?} were safe");
        both += u64::from(safe.iter().filter(|safe| **safe > 0).count() == 2);
        if second == 0 && report.counts.is_quiet() {
            assert!(both > 5, "only {both} times two copies were continued");
            return;
        }
    }
}

#[test]
fn what_was_left_is_continued() {
    let (world, safe) = interrupted();
    let (written, report) = go_on(&world);
    assert_eq!(report.bytes, SIZE - safe);
    assert!(written < SIZE - safe + PIECE, "{written} bytes were written");
}

#[test]
fn of_another_version_of_the_source_nothing_is_continued() {
    let (world, _) = interrupted();
    let before = world.left().disk.stat_at(&world.left().root, b"large").unwrap();
    world.left().put("large", &content(2));
    world.left().touch("large", before.mtime);
    world.settle();
    assert_eq!(go_on(&world).1.bytes, SIZE);
    assert!(world.right().all()["large"].content == content(2));
}

#[test]
fn a_temporary_file_that_is_not_what_was_left_is_begun_again() {
    type Meddle = fn(&Tree<'_, portbook::provider::simulation::ModelDisk>, &str);
    let cases: [(&str, Meddle); 5] = [
        ("gone", |tree, temp| tree.remove(temp)),
        ("cut", |tree, temp| {
            let file = tree.disk.open_read(&tree.root, temp.as_bytes()).unwrap();
            tree.disk.set_len(&file, PIECE).unwrap();
        }),
        ("another file of the same content", |tree, temp| {
            let whole = tree.all()[temp].content.clone();
            tree.put("copy", &whole);
            tree.disk.rename(&tree.root, b"copy", &tree.root, temp.as_bytes(), Rename::Replace).unwrap();
        }),
        ("torn", |tree, temp| {
            let file = tree.disk.open_read(&tree.root, temp.as_bytes()).unwrap();
            tree.disk.write_at(&file, &[0; 100], 5_000).unwrap();
        }),
        ("a directory", |tree, temp| {
            tree.rename(temp, "aside");
            tree.remove("aside");
            tree.link(temp, "/etc/passwd");
        }),
    ];
    for (what, meddle) in cases {
        let (world, _) = interrupted();
        let temp = temporary(&world.right());
        meddle(&world.right(), &temp);
        world.settle();
        assert_eq!(go_on(&world).1.bytes, SIZE, "{what}");
        assert!(world.right().all()["large"].content == content(1), "{what}");
    }
}

#[test]
fn what_lies_behind_the_safe_part_is_not_trusted() {
    let (world, safe) = interrupted();
    let right = world.right();
    let temp = temporary(&right);
    let file = right.disk.open_read(&right.root, temp.as_bytes()).unwrap();
    right.disk.write_at(&file, &[7; 3 * PIECE as usize], safe).unwrap();
    right.disk.write_at(&file, &[7; 1_000], SIZE + 5_000).unwrap();
    world.settle();
    assert_eq!(go_on(&world).1.bytes, SIZE - safe);
    assert!(world.right().all()["large"].content == content(1));
}

#[test]
fn another_conduit_to_the_same_place_has_sessions_of_its_own() {
    let (world, safe) = interrupted();
    let root = world.disk.open_root(Path::new("/")).unwrap();
    world.disk.make_dir(&root, b"other", 0o755).unwrap();
    Tree::at(&world.disk, "/other").put("large", &content(3));
    world.settle();
    let engine = world.engine();
    let place = |key: &str| {
        let provider = Local::open_parts(Arc::new(engine.disk.clone()), Path::new(key), PARTS).unwrap();
        Place::Provider { key: key.to_owned(), provider: Arc::new(provider) }
    };
    let session = engine.session().unwrap();
    let conduit = portbook::wait(session.connect(place("/other"), place("/right"), mirror())).unwrap();
    let report = portbook::wait(conduit.sync(Default::default(), confirmed()).finish()).unwrap();
    assert_eq!(report.bytes, SIZE);
    assert!(world.right().all()["large"].content == content(3));
    assert_eq!(engine.transfers(), [safe as i64], "the other conduit's session stays");
    drop((conduit, session));
    engine.end();
}

#[test]
fn a_cancelled_run_keeps_what_it_carried_and_the_next_goes_on() {
    let world = world();
    let engine = world.engine();
    let (reached, is_reached) = channel();
    let (go, may_go) = channel::<()>();
    let mut writes = 0;
    engine.disk.rule(move |call| {
        writes += u64::from(call.op == Op::Write);
        if writes == 12 && call.op == Op::Write {
            reached.send(()).unwrap();
            may_go.recv().unwrap();
        }
        None
    });
    let run = engine.connect(&mirror()).unwrap().sync(Default::default(), confirmed());
    is_reached.recv().unwrap();
    run.cancel();
    go.send(()).unwrap();
    assert!(portbook::wait(run.finish()).unwrap().cancelled);
    let safe = engine.transfers();
    assert_eq!(engine.open_intents(), 0);
    engine.end();
    assert!(safe[0] as u64 >= 10 * PIECE, "{safe:?}");
    let (written, report) = go_on(&world);
    assert_eq!(report.bytes, SIZE - safe[0] as u64);
    assert!(written <= SIZE - safe[0] as u64 + PIECE);
}

#[test]
fn a_run_that_completes_removes_what_nobody_continues() {
    let (world, _) = interrupted();
    world.left().remove("large");
    world.settle();
    go_on(&world);
}

#[test]
fn a_source_that_changes_while_it_is_copied_leaves_nothing() {
    let world = world();
    let engine = world.engine();
    let disk = world.disk.clone();
    let mut writes = 0;
    engine.disk.rule(move |call| {
        writes += u64::from(call.op == Op::Write);
        if writes == 12 && call.op == Op::Write {
            Tree::at(&disk, crate::engine::LEFT).put("large", &content(2));
        }
        None
    });
    let report = engine.sync(&mirror()).unwrap();
    assert_eq!((report.counts.failed, report.stale), (1, 1), "{report:?}");
    assert!(engine.transfers().is_empty());
    engine.end();
    assert!(world.right().all().is_empty());
    world.disk.advance(10_000_000_000);
    go_on(&world);
    assert!(world.right().all()["large"].content == content(2));
}
