//! What a run says: of what it cannot read or write, of how far it is, and that it waits.

use std::sync::mpsc::channel;

use portbook::Code;
use portbook::conduit::{ApplyOptions, ConduitOptions};
use portbook::model::SyncMode;
use portbook::operation::{ErrorFilter, ItemFailure, RunEvent, RunPhase};
use portbook::provider::simulation::{ModelOptions, Op};

use crate::engine::{World, confirmed, options};

const EACCES: i32 = 13;
const ENOSPC: i32 = 28;

fn mirror() -> ConduitOptions {
    options(SyncMode::Mirror, None)
}

fn world() -> World {
    let world = World::new(ModelOptions::default());
    for d in 0..3 {
        world.left().dir(&format!("d{d}"));
        for f in 0..10 {
            world.left().put(&format!("d{d}/f{f}"), format!("{d}/{f}").as_bytes());
        }
    }
    world.settle();
    world
}

#[test]
fn what_may_not_be_read_is_a_matter_of_permission() {
    let world = world();
    let engine = world.engine();
    engine.disk.fail_when(|call| call.op == Op::OpenDir && call.name == b"d1", EACCES);
    let report = engine.sync(&mirror()).unwrap();
    engine.end();
    let codes: Vec<_> = report.failures.iter().map(|f| (f.path.as_str(), f.error.code())).collect();
    assert_eq!(codes, [("d1", Code::Permission)], "{report:?}");
    // The directory itself is there, with nothing in it.
    assert_eq!(world.right().all().len(), 2 * 11 + 1);
}

#[test]
fn an_item_that_fails_again_is_one_failure_until_it_is_made_good() {
    let world = world();
    let engine = world.engine();
    let errors = || {
        let session = engine.session().unwrap();
        portbook::wait(session.errors(ErrorFilter::default(), None, 10)).unwrap().rows
    };
    engine.disk.fail_when(|call| call.op == Op::OpenDir && call.name == b"d1", EACCES);
    for tries in 0..3 {
        engine.sync(&mirror()).unwrap();
        let told = errors();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((told[0].retry_count, told[0].resolved_at), (tries, None));
    }
    engine.disk.heal();
    assert!(engine.sync(&mirror()).unwrap().is_in_step());
    let told = errors();
    assert!(told.len() == 1 && told[0].resolved_at.is_some(), "{told:?}");
    // What fails after that is another matter.
    engine.disk.fail_when(|call| call.op == Op::OpenDir && call.name == b"d1", EACCES);
    engine.sync(&mirror()).unwrap();
    let told = errors();
    assert_eq!(told.iter().map(|e| e.resolved_at.is_some()).collect::<Vec<_>>(), [false, true]);
    engine.end();
}

#[test]
fn a_target_that_may_not_be_written_is_one_error_before_anything_is_begun() {
    let world = World::new(ModelOptions { writable: false, ..ModelOptions::default() });
    world.left().dir("empty");
    world.settle();
    let engine = world.engine();
    let before = engine.effects_on_disk();
    let refused = engine.sync(&mirror()).unwrap_err();
    assert_eq!(refused.code(), Code::Permission);
    assert!(refused.to_string().starts_with("could not write to"), "{refused}");
    assert!(!refused.advice().is_empty());
    assert_eq!(engine.effects_on_disk(), before);
    // There is nothing to be done again after it.
    assert_eq!(engine.open_intents(), 0);
    engine.end();
}

#[test]
fn a_full_disk_is_a_few_errors() {
    let world = world();
    let engine = world.engine();
    engine.disk.fail_when(|call| call.op == Op::Write, ENOSPC);
    let run = engine.connect(&mirror()).unwrap().sync(Default::default(), confirmed());
    let mut told: Vec<ItemFailure> = Vec::new();
    while let Some(event) = portbook::wait(run.next_event()) {
        if let RunEvent::Failed(failure) = event {
            told.push(failure);
        }
    }
    let report = portbook::wait(run.finish()).unwrap();
    assert!(told.iter().all(|failure| failure.error.code() == Code::Quota), "{told:?}");
    // Each of the first, and one for all others.
    let others = report.counts.failed - 3;
    assert!(told.len() == 4 && others > 1, "{told:?}");
    assert!(told[3].error.to_string().contains(&format!("nor for {} more", others - 1)), "{told:?}");
    engine.disk.heal();
    engine.end();
    world.disk.advance(10_000_000_000);
    assert!(world.converge(&mirror()).is_ok());
}

#[test]
fn a_run_that_is_paused_while_it_scans_says_so() {
    let world = world();
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
    let run = engine.connect(&mirror()).unwrap().sync(Default::default(), confirmed());
    is_reached.recv().unwrap();
    run.pause();
    go.send(()).unwrap();
    let mut facts = Vec::new();
    while let Some(event) = portbook::wait(run.next_event()) {
        match event {
            RunEvent::Paused => {
                facts.push("paused");
                run.resume();
            }
            RunEvent::Resumed => facts.push("resumed"),
            RunEvent::Planned(_) => facts.push("planned"),
            _ => {}
        }
    }
    assert!(portbook::wait(run.finish()).unwrap().is_in_step());
    assert_eq!(facts, ["paused", "resumed", "planned"]);
    engine.end();
}

#[test]
fn a_run_that_is_cancelled_while_it_scans_ends_with_a_report_too() {
    let world = world();
    let engine = world.engine();
    let (reached, is_reached) = channel();
    let (go, may_go) = channel::<()>();
    let mut first = true;
    engine.disk.rule(move |call| {
        if call.op == Op::OpenDir && call.name == b"d1" && std::mem::take(&mut first) {
            reached.send(()).unwrap();
            may_go.recv().unwrap();
        }
        None
    });
    let conduit = engine.connect(&mirror()).unwrap();
    let before = engine.effects_on_disk();
    let run = conduit.sync(Default::default(), ApplyOptions::default());
    is_reached.recv().unwrap();
    run.cancel();
    go.send(()).unwrap();
    let report = portbook::wait(run.finish()).unwrap();
    assert!(report.cancelled && !report.is_in_step(), "{report:?}");
    assert_eq!((report.generation, report.counts.is_quiet(), report.verification.as_str()), (0, true, "unverified"));
    assert_eq!(engine.effects_on_disk(), before);
    let session = engine.session().unwrap();
    assert!(portbook::wait(session.history(None, 10)).unwrap().is_empty());
    // Its plan is not one that can be applied, and the next run is the first.
    let refused = portbook::wait(conduit.apply(report.preview, ApplyOptions::default()).finish()).unwrap_err();
    assert!([Code::NotFound, Code::Invalid].contains(&refused.code()), "{refused}");
    let report = portbook::wait(conduit.sync(Default::default(), ApplyOptions::default()).finish()).unwrap();
    assert_eq!((report.generation, report.is_in_step()), (1, true), "{report:?}");
    drop(conduit);
    engine.end();
}

#[test]
fn a_resumed_run_knows_its_totals_and_counts_on() {
    let world = world();
    let engine = world.engine();
    let conduit = engine.connect(&mirror()).unwrap();
    let preview = portbook::wait(conduit.preview(Default::default())).unwrap();
    let (reached, is_reached) = channel();
    let (go, may_go) = channel::<()>();
    let mut first = true;
    // The directories are there, the first file is being written.
    engine.disk.rule(move |call| {
        if call.op == Op::Write && std::mem::take(&mut first) {
            reached.send(()).unwrap();
            may_go.recv().unwrap();
        }
        None
    });
    let run = conduit.apply(preview.id, ApplyOptions::default());
    is_reached.recv().unwrap();
    run.cancel();
    go.send(()).unwrap();
    assert!(portbook::wait(run.finish()).unwrap().cancelled);
    assert_eq!(engine.progress(), [(33, 3, 0)]);
    let run = conduit.apply(preview.id, ApplyOptions::default());
    let mut seen = Vec::new();
    while let Some(event) = portbook::wait(run.next_event()) {
        if let RunEvent::Progress(progress) = event
            && progress.phase == RunPhase::Applying
        {
            seen.push((progress.items_done, progress.items_total, progress.bytes_done, progress.bytes_total));
        }
    }
    assert_eq!(portbook::wait(run.finish()).unwrap().counts.new, 30);
    assert_eq!(engine.progress(), [(33, 3, 0), (33, 33, 0)]);
    assert!(seen.iter().all(|s| s.0 >= 3 && s.1 == 33 && s.3 == 90), "{seen:?}");
    assert_eq!(seen.last(), Some(&(33, 33, 90, 90)));
    drop(conduit);
    engine.end();
}
