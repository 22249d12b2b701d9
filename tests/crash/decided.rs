//! A crash at every side effect of a run that carries out what a person decided.

use std::sync::Arc;

use portbook::conduit::{Choice, Conduit, Conflict};
use portbook::model::{Name, Resolution, Side, SyncMode};
use portbook::provider::simulation::{ModelOptions, Switch};

use crate::engine::{Engine, World, at_rest, lost, options};

/// A mirror's target has a stranger in a directory that became a file at the source; the conflict waits.
fn waiting() -> World {
    let world = World::new(ModelOptions::default());
    world.left().dir("x");
    world.left().put("x/known", b"what both sides have");
    world.settle();
    world.sync(&mirror()).unwrap();
    world.right().dir("x/deep");
    world.right().put("x/deep/stranger", b"what only the target has");
    world.left().remove("x");
    world.left().put("x", b"a file by now");
    world.settle();
    assert_eq!(world.sync(&mirror()).unwrap().waiting, 1);
    world.settle();
    world
}

fn mirror() -> portbook::conduit::ConduitOptions {
    options(SyncMode::Mirror, None)
}

fn conflicts(conduit: &Conduit) -> Vec<Conflict> {
    portbook::wait(conduit.conflicts(None, 10)).unwrap()
}

fn decide(engine: &Engine, choice: &Choice) {
    let conduit = engine.connect(&mirror()).unwrap();
    for conflict in conflicts(&conduit) {
        portbook::wait(conduit.resolve_conflict(conflict.id, &conflict.mark, choice.clone())).unwrap();
    }
}

/// Syncs until nothing waits. A decision that a crash has made stale is made once more, as a person would.
fn converge(world: &World, choice: &Choice) -> Result<(), String> {
    for _ in 0..3 {
        let engine = world.engine();
        let report = engine.sync(&mirror()).map_err(|e| e.to_string());
        let open = conflicts(&engine.connect(&mirror()).unwrap());
        if open.iter().any(|conflict| conflict.choice.is_none()) {
            decide(&engine, choice);
        }
        engine.end();
        world.disk.advance(10_000_000_000);
        if open.is_empty() && report?.is_in_step() {
            return world.converge(&mirror()).map(|_| ());
        }
    }
    Err("it still waits".into())
}

fn resolution(world: &World) -> Option<Resolution> {
    let engine = world.engine();
    let conduit = engine.connect(&mirror()).unwrap();
    let how = portbook::wait(conduit.inspect_conflict(1)).unwrap().conflict.resolution;
    engine.end();
    how
}

#[test]
fn a_crash_while_a_decision_is_carried_out_loses_nothing_and_the_decision_is_carried_out() {
    let aside = Choice::Rename { side: Side::Left, name: Name::new(b"y").unwrap() };
    let cases = [
        (Choice::KeepSource, Resolution::Source),
        (Choice::KeepDestination, Resolution::Destination),
        (Choice::KeepBoth, Resolution::Both),
        (aside, Resolution::RenameSource),
    ];
    let mut wrong = Vec::new();
    for (choice, how) in cases {
        let world = waiting();
        let engine = world.engine();
        decide(&engine, &choice);
        engine.end();
        let before = world.trees();
        let twin = world.twin();
        let switch = Arc::new(Switch::default());
        let engine = twin.engine_with(switch.clone());
        let report = engine.sync(&mirror()).unwrap();
        engine.end();
        assert!(report.is_in_step() && switch.effects() > 4, "{choice:?}: {report:?}");
        assert_eq!(resolution(&twin), Some(how), "{choice:?}");
        for at in 1..=switch.effects() {
            let twin = world.twin();
            let switch = Arc::new(Switch::default());
            switch.crash_at(at);
            let engine = twin.engine_with(switch);
            let _ = engine.sync(&mirror());
            engine.end();
            let after = twin.after_crash(at);
            let mut found = lost(&before, &before, &after.trees());
            after.disk.advance(10_000_000_000);
            found.extend(converge(&after, &choice).err());
            found.extend(lost(&[Default::default(), Default::default()], &before, &after.trees()));
            found.extend(at_rest(&after));
            if resolution(&after).is_none() {
                found.push("the conflict is open".into());
            }
            wrong.extend(found.into_iter().map(|w| format!("{choice:?} at {at}: {w}")));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
