//! A run under way: its events, its control, its outcome.

use std::time::{Duration, Instant};

use portbook::conduit::{ApplyOptions, PreviewOptions};
use portbook::operation::{Run, RunEvent, RunPhase};
use portbook::provider::Bandwidth;
use portbook::wait;

use crate::world::{World, apply, claims, sync};

claims! {
    totals_are_known_before_the_first_byte_and_progress_never_goes_back
    a_listener_that_is_slow_misses_no_fact
    a_failed_item_is_a_fact_and_the_rest_goes_on
    a_paused_run_waits_until_it_is_resumed
    a_cancelled_run_says_so_and_the_same_preview_goes_on
    after_a_cancelled_run_the_next_sync_carries_the_rest
    a_run_that_is_cancelled_at_once_changes_nothing
    finish_gives_the_same_outcome_twice
    a_run_that_is_dropped_goes_on
}

/// More files than one batch of transfers holds, so that a limited run waits between two batches.
const MORE_THAN_A_BATCH: usize = 2_100;

fn events(run: &Run, mut take: impl FnMut(&RunEvent)) -> Vec<RunEvent> {
    let mut events = Vec::new();
    while let Some(event) = wait(run.next_event()) {
        take(&event);
        events.push(event);
    }
    events
}

fn limited(bytes_per_second: u64) -> ApplyOptions {
    ApplyOptions { bandwidth: Some(Bandwidth::constant(bytes_per_second)), ..ApplyOptions::default() }
}

fn totals_are_known_before_the_first_byte_and_progress_never_goes_back(world: &World) {
    world.write_many(300);
    world.write("a/d/x", 2);
    let run = world.mirror().sync(PreviewOptions::default(), ApplyOptions::default());
    let (mut totals, mut last, mut carried, mut bytes) = (None, (0, 0), 0, 0);
    events(&run, |event| match event {
        RunEvent::Planned(summary) => {
            assert_eq!((summary.items, summary.files, summary.bytes), (302, 301, 3010));
            totals = Some((summary.items, summary.bytes));
        }
        RunEvent::Progress(p) if p.phase == RunPhase::Applying => {
            assert_eq!(Some((p.items_total, p.bytes_total)), totals);
            assert!(p.items_done >= last.0 && p.bytes_done >= last.1, "{p:?} after {last:?}");
            assert!(p.items_done <= p.items_total && p.bytes_done <= p.bytes_total, "{p:?}");
            last = (p.items_done, p.bytes_done);
        }
        RunEvent::Progress(p) => assert_eq!((p.phase, totals), (RunPhase::Scanning, None)),
        RunEvent::Applied(items) => {
            assert!(totals.is_some(), "applied before it was planned");
            carried += items.len();
            bytes += items.iter().map(|item| item.bytes).sum::<u64>();
        }
        other => panic!("{other:?}"),
    });
    let report = wait(run.finish()).unwrap();
    assert_eq!((carried, bytes), (302, 3010));
    assert_eq!((report.counts.new, report.bytes, report.verification.as_str()), (302, 3010, "verified"));
}

fn a_listener_that_is_slow_misses_no_fact(world: &World) {
    // More facts than the run keeps for a listener: one for each file that cannot be carried.
    world.write_many(600);
    let conduit = world.mirror();
    let id = crate::world::preview(&conduit);
    for i in 0..600 {
        world.write(&format!("a/f{i:05}"), 2);
        std::fs::write(world.path(&format!("a/f{i:05}")), b"longer than it was previewed").unwrap();
    }
    let run = conduit.apply(id, ApplyOptions::default());
    let first = wait(run.next_event()).unwrap();
    assert!(matches!(first, RunEvent::Planned(_)), "{first:?}");
    std::thread::sleep(Duration::from_millis(300));
    let failed = events(&run, |_| {}).iter().filter(|e| matches!(e, RunEvent::Failed(_))).count();
    let report = wait(run.finish()).unwrap();
    assert_eq!((failed, report.counts.failed, report.stale), (600, 600, 600));
    assert_eq!(report.failures.len(), 100);
}

fn a_failed_item_is_a_fact_and_the_rest_goes_on(world: &World) {
    world.write("a/x", 1);
    world.write("a/y", 1);
    let conduit = world.mirror();
    let id = crate::world::preview(&conduit);
    std::fs::create_dir_all(world.path("b/x")).unwrap();
    let run = conduit.apply(id, ApplyOptions::default());
    let mut failed = Vec::new();
    events(&run, |event| {
        if let RunEvent::Failed(failure) = event {
            failed.push((failure.path.clone(), failure.error.code().as_str()));
        }
    });
    let report = wait(run.finish()).unwrap();
    assert_eq!(failed, [("x".to_owned(), "stale")]);
    assert_eq!((report.counts.new, report.counts.failed, report.stale), (1, 1, 1));
    assert!(!report.is_in_step());
    assert_eq!(world.tree("b"), ["x", "y"]);
}

fn a_paused_run_waits_until_it_is_resumed(world: &World) {
    world.write_many(MORE_THAN_A_BATCH);
    let run = world.mirror().sync(PreviewOptions::default(), limited(40_000));
    let mut seen = Vec::new();
    events(&run, |event| match event {
        RunEvent::Planned(_) => run.pause(),
        RunEvent::Paused => {
            seen.push("paused");
            run.resume();
        }
        RunEvent::Resumed => seen.push("resumed"),
        _ => {}
    });
    assert_eq!(seen, ["paused", "resumed"]);
    let report = wait(run.finish()).unwrap();
    assert_eq!(report.counts.new, MORE_THAN_A_BATCH as u64);
}

/// Cancels a run between its first two batches; how many items it had carried.
fn cancelled_between_batches(world: &World) -> portbook::operation::RunReport {
    world.write_many(MORE_THAN_A_BATCH);
    let begun = Instant::now();
    let run = world.mirror().sync(PreviewOptions::default(), limited(100));
    events(&run, |event| {
        if matches!(event, RunEvent::Planned(_)) {
            run.cancel();
        }
    });
    let report = wait(run.finish()).unwrap();
    assert!(report.cancelled && !report.is_in_step());
    assert!(report.counts.new < MORE_THAN_A_BATCH as u64);
    assert_eq!(world.tree("b").len() as u64, report.counts.new);
    assert!(begun.elapsed() < Duration::from_secs(60), "it waits for its bandwidth");
    let runs = wait(world.session.history(None, 10)).unwrap();
    assert_eq!(runs[0].status, "cancelled");
    report
}

fn a_cancelled_run_says_so_and_the_same_preview_goes_on(world: &World) {
    let first = cancelled_between_batches(world);
    let second = apply(&world.mirror(), first.preview);
    assert_eq!((second.counts.failed, second.cancelled), (0, false));
    assert_eq!(first.counts.new + second.counts.new, MORE_THAN_A_BATCH as u64);
    assert_eq!(world.tree("b"), world.tree("a"));
}

fn after_a_cancelled_run_the_next_sync_carries_the_rest(world: &World) {
    let first = cancelled_between_batches(world);
    let second = sync(&world.mirror());
    assert_eq!(first.counts.new + second.counts.new, MORE_THAN_A_BATCH as u64);
    assert!(second.is_in_step());
    assert!(sync(&world.mirror()).counts.is_quiet());
}

fn a_run_that_is_cancelled_at_once_changes_nothing(world: &World) {
    world.write_many(10);
    let run = world.mirror().sync(PreviewOptions::default(), ApplyOptions::default());
    run.cancel();
    let report = wait(run.finish()).unwrap();
    assert!(report.cancelled && !report.is_in_step() && report.counts.is_quiet(), "{report:?}");
    assert!(!world.path("b").exists() || world.tree("b").is_empty());
    assert_eq!(sync(&world.mirror()).counts.new, 10);
}

fn finish_gives_the_same_outcome_twice(world: &World) {
    world.write_many(3);
    let conduit = world.mirror();
    let run = conduit.sync(PreviewOptions::default(), ApplyOptions::default());
    let (one, two) = (wait(run.finish()).unwrap(), wait(run.finish()).unwrap());
    assert_eq!((one.generation, one.counts, one.elapsed), (two.generation, two.counts, two.elapsed));
    assert!(wait(run.next_event()).is_none());
    let run = conduit.apply(one.preview, ApplyOptions::default());
    for _ in 0..2 {
        assert_eq!(wait(run.finish()).unwrap_err().code().as_str(), "invalid");
    }
}

fn a_run_that_is_dropped_goes_on(world: &World) {
    world.write_many(100);
    drop(world.mirror().sync(PreviewOptions::default(), ApplyOptions::default()));
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let runs = wait(world.session.history(None, 1)).unwrap();
        if runs.first().is_some_and(|run| run.status == "completed") {
            break;
        }
        assert!(Instant::now() < end, "{runs:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(world.tree("b").len(), 100);
}
