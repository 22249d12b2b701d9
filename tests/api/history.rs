//! What the book says of runs: generations, progress, activity.

use portbook::conduit::{ApplyOptions, PreviewOptions};
use portbook::model::{PreviewState, SyncAction, SyncEntityType, SyncErrorType, SyncStatus};
use portbook::operation::{ActivityFilter, ErrorFilter, PreviewFilter, ProgressFilter, RunEvent};
use portbook::{Code, wait};

use crate::world::{World, apply, claims, preview, sync};

claims! {
    a_run_leaves_a_generation_with_its_counts
    a_run_leaves_progress_that_adds_up
    a_run_leaves_activity_of_its_begin_and_end
    a_quiet_run_is_a_run_too
    a_run_that_a_guard_stops_leaves_no_generation
    a_run_can_be_watched_until_it_completes
    what_failed_is_listed_until_it_is_resolved
    stored_previews_are_listed_and_deleted
}

/// Three new files, then one edited, one gone, one moved and one that moved on after it was previewed.
fn two_runs(world: &World) {
    for (name, state) in [("edited", 1), ("gone", 2), ("d/from", 3), ("kept", 4), ("late", 5)] {
        world.write(&format!("a/{name}"), state);
    }
    let conduit = world.mirror();
    assert_eq!(sync(&conduit).counts.new, 6);
    std::fs::write(world.path("a/edited"), b"edited").unwrap();
    std::fs::write(world.path("a/late"), b"late").unwrap();
    world.remove("a/gone");
    std::fs::rename(world.path("a/d/from"), world.path("a/d/to")).unwrap();
    let id = preview(&conduit);
    std::fs::write(world.path("a/late"), b"too late").unwrap();
    let report = apply(&conduit, id);
    let c = report.counts;
    assert_eq!([c.new, c.updated, c.deleted, c.moved, c.conflicts, c.failed], [0, 1, 1, 1, 0, 1]);
}

fn a_run_leaves_a_generation_with_its_counts(world: &World) {
    two_runs(world);
    let runs = wait(world.session.history(None, 10)).unwrap();
    let said: Vec<_> = runs.iter().map(|run| (run.generation, run.status.as_str(), run.bytes)).collect();
    assert_eq!(said, [(2, "completed_with_errors", 6), (1, "completed", 50)]);
    let c = runs[0].counts;
    assert_eq!([c.new, c.updated, c.deleted, c.moved, c.unchanged, c.failed], [0, 1, 1, 1, 2, 1]);
    assert_eq!((runs[1].counts.new, runs[1].verification.as_str()), (6, "verified"));
    assert!(runs.iter().all(|run| run.completed_at.is_some_and(|end| end >= run.started_at)));
}

fn a_run_leaves_progress_that_adds_up(world: &World) {
    two_runs(world);
    let conduit = world.mirror().id();
    let rows = wait(world.session.progress(ProgressFilter::of(conduit), None, 10)).unwrap().rows;
    let said: Vec<_> = rows.iter().map(|p| (p.sync_id.clone(), p.status, p.failed_count)).collect();
    let expected = [
        (format!("{conduit}:2"), SyncStatus::CompletedWithErrors, 1),
        (format!("{conduit}:1"), SyncStatus::Completed, 0),
    ];
    assert_eq!(said, expected);
    assert_eq!((rows[1].total_items, rows[1].processed_count), (6, 6));
    for row in &rows {
        assert_eq!(row.entity_type, SyncEntityType::File);
        // Files that were looked at within the clock's tick of their change are looked at once more: total is four or more.
        assert_eq!((row.processed_count + row.failed_count, row.current_item), (row.total_items, row.total_items));
        assert!(row.completed_at.is_some() && row.elapsed_seconds >= 0);
    }
    assert_eq!(wait(world.session.progress(ProgressFilter::default(), None, 1)).unwrap().rows.len(), 1);
}

fn a_run_leaves_activity_of_its_begin_and_end(world: &World) {
    two_runs(world);
    let lines = wait(world.session.activity(ActivityFilter::of(world.mirror().id()), None, 10)).unwrap().rows;
    let all = wait(world.session.progress(ProgressFilter::default(), None, 10)).unwrap().rows;
    let totals: Vec<_> = all.iter().map(|p| Some(p.total_items)).collect();
    let said: Vec<_> = lines.iter().map(|line| (line.action, line.status, line.record_count)).collect();
    let expected = [
        (SyncAction::SyncComplete, SyncStatus::CompletedWithErrors, totals[0]),
        (SyncAction::SyncStart, SyncStatus::InProgress, Some(0)),
        (SyncAction::SyncComplete, SyncStatus::Completed, totals[1]),
        (SyncAction::SyncStart, SyncStatus::InProgress, Some(0)),
    ];
    assert_eq!(said, expected);
    assert!(lines.iter().all(|line| line.user_id.is_some() && line.entity_type == Some(SyncEntityType::File)));
}

fn a_quiet_run_is_a_run_too(world: &World) {
    world.write_many(2);
    let conduit = world.mirror();
    sync(&conduit);
    let report = sync(&conduit);
    assert_eq!((report.generation, report.verification.as_str()), (2, "verified"));
    let runs = wait(world.session.history(None, 10)).unwrap();
    assert_eq!((runs[0].status.as_str(), runs[0].counts.unchanged), ("completed", 2));
    let rows = wait(world.session.progress(ProgressFilter::default(), None, 10)).unwrap().rows;
    assert_eq!((rows[0].status, rows[0].total_items), (SyncStatus::Completed, 0));
}

fn a_run_that_a_guard_stops_leaves_no_generation(world: &World) {
    world.write_many(20);
    let conduit = world.mirror();
    sync(&conduit);
    for i in 0..20 {
        world.remove(&format!("a/f{i:05}"));
    }
    let run = conduit.sync(PreviewOptions::default(), ApplyOptions::default());
    let error = wait(run.finish()).unwrap_err();
    assert_eq!(error.code().as_str(), "guard");
    assert_eq!(wait(world.session.history(None, 10)).unwrap().len(), 1);
    assert_eq!(world.tree("b").len(), 20);
    let confirm = vec!["root_emptied".to_owned(), "max_delete".to_owned()];
    let confirmed = ApplyOptions { confirm, ..ApplyOptions::default() };
    let report = wait(conduit.sync(PreviewOptions::default(), confirmed).finish()).unwrap();
    assert_eq!((report.generation, report.counts.deleted), (2, 20));
}

fn a_run_can_be_watched_until_it_completes(world: &World) {
    world.write_many(30);
    let conduit = world.mirror();
    let run = conduit.sync(PreviewOptions::default(), ApplyOptions::default());
    // What is planned has no row yet; what is applied has.
    while !matches!(wait(run.next_event()), Some(RunEvent::Applied(_))) {}
    let filter = ProgressFilter { active: true, ..ProgressFilter::of(conduit.id()) };
    let active = wait(world.session.progress(filter.clone(), None, 10)).unwrap().rows;
    let watch = world.session.watch_progress(format!("{}:1", conduit.id()));
    // The last look at both sides may be over by now.
    assert!(active.iter().all(|row| row.status == SyncStatus::InProgress), "{active:?}");
    let reading = std::thread::spawn(move || {
        let mut seen = Vec::new();
        while let Some(row) = wait(watch.next()).unwrap() {
            seen.push(row);
        }
        seen
    });
    wait(run.finish()).unwrap();
    let seen = reading.join().unwrap();
    let last = seen.last().unwrap();
    assert_eq!((last.status, last.processed_count), (SyncStatus::Completed, 30));
    assert!(seen.iter().rev().skip(1).all(|row| row.completed_at.is_none()), "one row completes, and it is the last");
    assert!(seen.windows(2).all(|pair| pair[0].processed_count <= pair[1].processed_count));
    assert!(wait(world.session.progress(filter, None, 10)).unwrap().rows.is_empty());
    let nobody = world.session.watch_progress("nobody:1");
    assert_eq!(wait(nobody.next()).unwrap_err().code(), Code::NotFound);
}

fn what_failed_is_listed_until_it_is_resolved(world: &World) {
    two_runs(world);
    let conduit = world.mirror().id();
    let unresolved = || ErrorFilter { conduit: Some(conduit), unresolved: true, ..ErrorFilter::default() };
    let found = wait(world.session.errors(unresolved(), None, 10)).unwrap().rows;
    let [error] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((error.error_type, error.error_code.as_deref()), (SyncErrorType::Validation, Some("stale")));
    assert_eq!(error.path.as_ref().map(ToString::to_string), Some("late".to_owned()));
    let resolved = wait(world.session.resolve_error(error.id, "synced again")).unwrap();
    assert_eq!(resolved.resolution_notes.as_deref(), Some("synced again"));
    assert!(resolved.resolved_at.is_some_and(|at| at >= error.created_at));
    assert!(wait(world.session.errors(unresolved(), None, 10)).unwrap().rows.is_empty());
    assert_eq!(wait(world.session.errors(ErrorFilter::default(), None, 10)).unwrap().rows, [resolved]);
    let again = wait(world.session.resolve_error(error.id, "once more")).unwrap_err();
    assert_eq!(again.code(), Code::Conflict, "{again}");
    let missing = wait(world.session.resolve_error(uuid::Uuid::now_v7(), "")).unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
}

fn stored_previews_are_listed_and_deleted(world: &World) {
    world.write_many(3);
    let conduit = world.mirror();
    let (first, second) = (preview(&conduit), preview(&conduit));
    let listed = |filter| wait(world.session.previews(filter, None, 10)).unwrap().rows;
    let of = PreviewFilter { conduit: Some(conduit.id()), ..PreviewFilter::default() };
    let rows = listed(of.clone());
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [second, first]);
    assert!(rows.iter().all(|row| row.state == PreviewState::Ready && !row.is_expired && !row.is_pinned));
    assert!(rows.iter().all(|row| row.conduit == Some(conduit.id()) && row.computed_by.is_some()));

    wait(world.session.delete_preview(first)).unwrap();
    assert_eq!(wait(world.session.preview(first)).unwrap_err().code(), Code::NotFound);
    assert_eq!(wait(world.session.delete_preview(first)).unwrap_err().code(), Code::NotFound);
    assert_eq!(listed(PreviewFilter::default()).len(), 1);

    world.clock.advance(2 * 3600);
    let old = listed(of);
    assert!(old.len() == 1 && old[0].is_expired, "{old:?}");
    wait(world.session.maintain()).unwrap();
    assert!(listed(PreviewFilter::default()).is_empty());
}
