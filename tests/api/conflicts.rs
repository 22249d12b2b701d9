//! Conflicts that wait for a person: listed, noted, met again, and closed once they are gone.

use std::path::Path;
use std::sync::Arc;

use portbook::conduit::{Conduit, ConduitOptions, Place};
use portbook::model::{Resolution, SyncMode};
use portbook::provider::local::Local;
use portbook::provider::simulation::{ModelDisk, ModelOptions};
use portbook::{Code, wait};

use crate::world::{World, claims, sync};

claims! {
    names_that_the_target_cannot_tell_apart_wait_until_one_is_renamed
    a_decision_is_a_note_and_what_is_still_there_waits_again
    what_is_unknown_cannot_be_resolved
}

/// A conduit to a disk that folds case, on which `Name` and `name` are one.
fn folding(world: &World) -> Conduit {
    world.write("a/Name", 1);
    world.write("a/name", 2);
    world.write("a/other", 3);
    let disk = ModelDisk::new(ModelOptions { case_insensitive: true, ..ModelOptions::default() });
    let target = Local::open_on(Arc::new(disk), Path::new("/")).unwrap();
    let target = Place::Provider { key: "disk".into(), provider: Arc::new(target) };
    let options = ConduitOptions { mode: SyncMode::Bidirectional, ..ConduitOptions::default() };
    wait(world.session.connect(world.place("a"), target, options)).unwrap()
}

fn names_that_the_target_cannot_tell_apart_wait_until_one_is_renamed(world: &World) {
    let conduit = folding(world);
    let report = sync(&conduit);
    assert!(report.waiting > 0 && !report.is_in_step(), "{report:?}");
    let waiting = wait(conduit.conflicts(10)).unwrap();
    assert_eq!(waiting.len() as u64, report.waiting);
    assert!(waiting.iter().all(|c| c.path.to_string().eq_ignore_ascii_case("name")), "{waiting:?}");
    // A second run meets the same ones and lists each once.
    let again = sync(&conduit);
    assert_eq!((again.waiting, again.is_in_step()), (report.waiting, false));
    let told = wait(conduit.conflicts(10)).unwrap();
    assert_eq!(told.iter().map(|c| c.id).collect::<Vec<_>>(), waiting.iter().map(|c| c.id).collect::<Vec<_>>());
    assert!(told.iter().all(|c| c.generation == 2));
    std::fs::rename(world.path("a/name"), world.path("a/renamed")).unwrap();
    let renamed = sync(&conduit);
    assert!(renamed.is_in_step(), "{renamed:?}");
    assert!(wait(conduit.conflicts(10)).unwrap().is_empty());
    assert!(sync(&conduit).counts.is_quiet());
}

fn a_decision_is_a_note_and_what_is_still_there_waits_again(world: &World) {
    let conduit = folding(world);
    let waiting = sync(&conduit).waiting;
    for conflict in wait(conduit.conflicts(10)).unwrap() {
        wait(conduit.resolve_conflict(conflict.id, Resolution::Source)).unwrap();
        let again = wait(conduit.resolve_conflict(conflict.id, Resolution::Source)).unwrap_err();
        assert_eq!(again.code(), Code::NotFound);
    }
    assert!(wait(conduit.conflicts(10)).unwrap().is_empty());
    assert_eq!(sync(&conduit).waiting, waiting);
    assert_eq!(wait(conduit.conflicts(10)).unwrap().len() as u64, waiting);
}

fn what_is_unknown_cannot_be_resolved(world: &World) {
    let unknown = wait(world.mirror().resolve_conflict(7, Resolution::Both)).unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}
