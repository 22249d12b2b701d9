//! An unclean stop damages files that were written lately and keeps their times. Damage is never an edit: it is not
//! carried to the other side.

use std::sync::Arc;
use std::sync::mpsc::channel;

use portbook::conduit::{Choice, ConduitOptions};
use portbook::identity::ContentHash;
use portbook::model::{Kind, Side, SyncMode, WaitReason};
use portbook::provider::local::Disk;
use portbook::provider::simulation::{ModelOptions, Op, Switch};

use crate::engine::tree::Tree;
use crate::engine::{World, options};

const SIZE: usize = 9_000;

fn content(n: usize) -> Vec<u8> {
    vec![b'a' + (n % 26) as u8; SIZE]
}

/// What a power loss makes of a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Emptied,
    Cut,
    Zeros,
    PartlyZeros,
}

/// Six files that the first run carried; then the run that follows it dies in the middle.
fn stopped(how: &ConduitOptions) -> World {
    let world = World::new(ModelOptions::default());
    for n in 0..6 {
        world.left().put(&format!("f{n}"), &content(n));
    }
    world.settle();
    world.sync(how).unwrap();
    world.disk.advance(10_000_000_000);
    world.left().put("later", b"what the second run carries");
    world.settle();
    let switch = Arc::new(Switch::default());
    let engine = world.engine_with(switch.clone());
    let conduit = engine.connect(how).unwrap();
    // The plan and the intent are in the book.
    switch.crash_at(switch.effects() + 4);
    assert!(portbook::wait(conduit.sync(Default::default(), crate::engine::confirmed()).finish()).is_err());
    engine.end();
    world.after_crash(3)
}

/// Damages the file and sets its times back to what they were.
fn damage(tree: &Tree<'_, impl Disk>, path: &str, how: Damage) {
    let before = tree.disk.stat_at(&tree.root, path.as_bytes()).unwrap();
    assert_eq!(before.kind, Kind::File);
    let file = tree.disk.open_read(&tree.root, path.as_bytes()).unwrap();
    match how {
        Damage::Emptied => tree.disk.set_len(&file, 0).unwrap(),
        Damage::Cut => tree.disk.set_len(&file, 4_096).unwrap(),
        Damage::Zeros => drop(tree.disk.write_at(&file, &[0; SIZE], 0).unwrap()),
        Damage::PartlyZeros => drop(tree.disk.write_at(&file, &[0; 4_096], 4_096).unwrap()),
    }
    tree.disk.set_mtime(&file, before.mtime).unwrap();
}

#[test]
fn damage_is_never_carried_to_the_other_side() {
    for mode in [SyncMode::Mirror, SyncMode::Bidirectional] {
        for on_left in [false, true] {
            for how in [Damage::Emptied, Damage::Cut, Damage::Zeros, Damage::PartlyZeros] {
                let what = format!("{mode:?}, left: {on_left}, {how:?}");
                let options = options(mode, None);
                let world = stopped(&options);
                let damaged = if on_left { world.left() } else { world.right() };
                damage(&damaged, "f2", how);
                world.settle();
                for run in 0..3 {
                    let report = world.sync(&options).unwrap();
                    world.disk.advance(10_000_000_000);
                    let other = if on_left { world.right() } else { world.left() };
                    assert!(other.all()["f2"].content == content(2), "{what}, run {run}: {report:?}");
                }
                let whole = damaged.all()["f2"].content == content(2);
                println!("{what}: {}", if whole { "fetched again" } else { "left for a person" });
                // Where a wrong guess cannot lose anything the file is made whole.
                assert!(whole || mode == SyncMode::Bidirectional || on_left, "{what}: the target was not made whole");
                assert!(whole || mode == SyncMode::Mirror, "{what}: it was not fetched again");
            }
        }
    }
}

/// The same sizes and times after a run that ended well are edits of a person.
#[test]
fn after_a_clean_run_a_shorter_file_is_an_edit() {
    let options = options(SyncMode::Bidirectional, None);
    let world = World::new(ModelOptions::default());
    world.left().put("f2", &content(2));
    world.settle();
    world.sync(&options).unwrap();
    world.disk.advance(10_000_000_000);
    damage(&world.right(), "f2", Damage::Cut);
    world.settle();
    world.sync(&options).unwrap();
    assert_eq!(world.left().all()["f2"].content.len(), 4_096);
}

/// A run that is cancelled has not looked at everything; the next one still takes no damage for an edit.
#[test]
fn a_cancelled_run_does_not_make_the_unclean_stop_forgotten() {
    let options = options(SyncMode::Bidirectional, None);
    let world = stopped(&options);
    damage(&world.left(), "f2", Damage::Zeros);
    world.settle();
    let engine = world.engine();
    let (reached, is_reached) = channel();
    let (go, may_go) = channel::<()>();
    let mut first = true;
    engine.disk.rule(move |call| {
        if call.op == Op::ReadDir && std::mem::take(&mut first) {
            reached.send(()).unwrap();
            may_go.recv().unwrap();
        }
        None
    });
    let run = engine.connect(&options).unwrap().sync(Default::default(), crate::engine::confirmed());
    is_reached.recv().unwrap();
    run.cancel();
    go.send(()).unwrap();
    assert!(portbook::wait(run.finish()).unwrap().cancelled);
    engine.end();
    world.sync(&options).unwrap();
    assert!(world.right().all()["f2"].content == content(2), "the damage was carried");
    assert!(world.left().all()["f2"].content == content(2), "it was not fetched again");
}

/// What may be damage stays in doubt through clean runs, until a person says which version counts.
#[test]
fn damage_against_an_edit_waits_through_clean_runs_until_it_is_decided() {
    let options = options(SyncMode::Bidirectional, None);
    for (choice, counts) in [(Choice::KeepDestination, b"edited".to_vec()), (Choice::KeepSource, Vec::new())] {
        let world = stopped(&options);
        damage(&world.left(), "f2", Damage::Emptied);
        world.right().put("f2", b"edited");
        world.settle();
        for run in 0..3 {
            let report = world.sync(&options).unwrap();
            assert_eq!(report.waiting, 1, "run {run}");
            assert!(world.right().all()["f2"].content == b"edited" && world.left().all()["f2"].content.is_empty());
            world.settle();
        }
        let engine = world.engine();
        let conduit = engine.connect(&options).unwrap();
        let waiting = portbook::wait(conduit.conflicts(None, 10)).unwrap();
        let [conflict] = &waiting[..] else { panic!("{waiting:?}") };
        assert_eq!((conflict.reason, conflict.side), (WaitReason::Suspect, Some(Side::Left)));
        let base = portbook::wait(conduit.inspect_conflict(conflict.id)).unwrap().base;
        assert_eq!(base.and_then(|pair| pair.content), Some(ContentHash::of(&content(2))));
        portbook::wait(conduit.resolve_conflict(conflict.id, &conflict.mark, choice)).unwrap();
        assert!(engine.sync(&options).unwrap().is_in_step());
        engine.end();
        assert_eq!(world.left().all()["f2"].content, counts);
        assert_eq!(world.right().all()["f2"].content, counts);
        world.settle();
        assert!(world.sync(&options).unwrap().counts.is_quiet());
    }
}
