//! One way: what the source has, the target gets, and nothing else happens.

use portbook::Code;
use portbook::bridge::{RecordOptions, RowApplyOptions, RowPreviewOptions};
use portbook::conduit::MaxDelete;
use portbook::delta::ChangeKind;
use portbook::model::{ReconcileStatus, RecordMode, SyncMetric, SyncRun};
use portbook::table::Filter;

use crate::world::{World, counted, fill, people, preview, sync, try_sync};

#[test]
pub(crate) fn rows_arrive_change_and_go_and_the_next_run_has_nothing_to_do() {
    let world = World::new();
    fill(&world.source(), 0..100);
    let definition = world.connect(RecordOptions::default());
    assert_eq!(counted(&sync(&definition).counts), [100, 0, 0, 0, 0, 0]);
    assert_eq!(people(&world.target()), people(&world.source()));
    assert!(sync(&definition).counts.is_quiet());

    world
        .source()
        .execute_batch("UPDATE people SET name = 'Ann' WHERE id < 10; DELETE FROM people WHERE id >= 90")
        .unwrap();
    fill(&world.source(), 200..205);
    assert_eq!(counted(&sync(&definition).counts), [5, 10, 10, 0, 80, 0]);
    assert_eq!(people(&world.target()), people(&world.source()));
    let quiet = sync(&definition);
    assert!(quiet.counts.is_quiet() && quiet.is_in_step());
    assert_eq!((quiet.counts.unchanged, quiet.generation), (95, 4));
    let verified = portbook::wait(definition.verify()).unwrap();
    assert_eq!((verified.status, verified.source_rows, verified.target_rows), (ReconcileStatus::Match, 95, 95));
}

#[test]
fn a_preview_writes_nothing_and_is_applied_as_it_was_shown() {
    let world = World::new();
    fill(&world.source(), 0..10);
    let definition = world.connect(RecordOptions::default());
    let shown = preview(&definition);
    assert_eq!((shown.summary.counts.new, shown.summary.items, shown.source_rows), (10, 10, 10));
    assert!(people(&world.target()).is_empty());
    let id = shown.summary.id;
    let changes = portbook::wait(definition.changes(id, None, None, 100)).unwrap();
    assert_eq!(changes.len(), 10);
    assert_eq!((changes[3].row.as_str(), changes[3].kind, changes[3].action), ("3", ChangeKind::New, "insert"));

    // One is ticked out, one changes meanwhile, one goes, one more comes.
    portbook::wait(definition.tick(id, vec![changes[0].id], false)).unwrap();
    let meanwhile = "UPDATE people SET name = 'other' WHERE id = 5; DELETE FROM people WHERE id = 6";
    world.source().execute_batch(meanwhile).unwrap();
    fill(&world.source(), 50..51);
    let report = portbook::wait(definition.apply(id, RowApplyOptions::default()).finish()).unwrap();
    assert_eq!((report.counts.new, report.counts.failed, report.stale), (7, 2, 2));
    assert!(report.failures.iter().all(|failure| failure.error.code() == Code::Stale), "{:?}", report.failures);
    let arrived: Vec<i64> = people(&world.target()).into_keys().collect();
    assert_eq!(arrived, [1, 2, 3, 4, 7, 8, 9]);
    let again = portbook::wait(definition.apply(id, RowApplyOptions::default()).finish()).unwrap_err();
    assert_eq!(again.code(), Code::Invalid, "{again}");

    sync(&definition);
    assert_eq!(people(&world.target()), people(&world.source()));
}

#[test]
fn rows_that_are_there_already_are_adopted_or_put_right() {
    let world = World::new();
    fill(&world.source(), 0..10);
    fill(&world.target(), 0..5);
    world.target().execute_batch("UPDATE people SET name = 'wrong' WHERE id = 2").unwrap();
    fill(&world.target(), 70..72);
    let definition = world.connect(RecordOptions::default());
    let shown = preview(&definition);
    assert_eq!(counted(&shown.summary.counts), [5, 1, 0, 0, 4, 0]);
    assert_eq!((shown.summary.counts.skipped, shown.target_rows), (2, Some(7)));
    sync(&definition);
    let target = people(&world.target());
    assert_eq!(target.len(), 12, "what never came from the source stays");
    assert!(people(&world.source()).iter().all(|(id, row)| target.get(id) == Some(row)));
    assert!(sync(&definition).counts.is_quiet());

    let exact = RowPreviewOptions { exact: true, look_at_target: true, ..RowPreviewOptions::default() };
    assert_eq!(try_sync(&definition, exact).unwrap().counts.deleted, 2);
    assert_eq!(people(&world.target()), people(&world.source()));
}

#[test]
fn what_somebody_changed_at_the_target_is_put_right_when_it_is_looked_at() {
    let world = World::new();
    fill(&world.source(), 0..10);
    let definition = world.connect(RecordOptions::default());
    sync(&definition);
    let vandal = "UPDATE people SET score = -1 WHERE id = 3; DELETE FROM people WHERE id = 4";
    world.target().execute_batch(vandal).unwrap();
    assert!(sync(&definition).counts.is_quiet(), "the ledger is believed");
    let look = RowPreviewOptions { look_at_target: true, ..RowPreviewOptions::default() };
    assert_eq!(counted(&try_sync(&definition, look).unwrap().counts), [1, 1, 0, 0, 8, 0]);
    assert_eq!(people(&world.target()), people(&world.source()));
}

#[test]
fn an_archive_keeps_what_its_source_lost() {
    let world = World::new();
    fill(&world.source(), 0..20);
    let definition = world.connect(RecordOptions { mode: RecordMode::ArchiveOnly, ..RecordOptions::default() });
    sync(&definition);
    world
        .source()
        .execute_batch("DELETE FROM people WHERE id < 15; UPDATE people SET name = 'new' WHERE id = 19")
        .unwrap();
    assert_eq!(counted(&sync(&definition).counts), [0, 1, 0, 0, 19, 0]);
    assert_eq!(people(&world.target()).len(), 20);
    assert!(sync(&definition).counts.is_quiet());
}

#[test]
fn too_many_deletions_want_a_word() {
    let world = World::new();
    fill(&world.source(), 0..20);
    let definition = world.connect(RecordOptions::default());
    sync(&definition);
    world.source().execute_batch("DELETE FROM people WHERE id < 12").unwrap();
    let stopped = try_sync(&definition, RowPreviewOptions::default()).unwrap_err();
    assert_eq!(stopped.code(), Code::Guard, "{stopped}");
    assert_eq!(people(&world.target()).len(), 20);
    let allowed = RowPreviewOptions { max_delete: MaxDelete::Count(12), ..RowPreviewOptions::default() };
    assert_eq!(try_sync(&definition, allowed).unwrap().counts.deleted, 12);

    world.source().execute_batch("DELETE FROM people").unwrap();
    let shown = preview(&definition);
    let names: Vec<&str> = shown.summary.guards.iter().map(|guard| guard.name.as_str()).collect();
    assert_eq!(names, ["root_emptied"]);
    let confirm = RowApplyOptions { confirm: vec!["root_emptied".into()] };
    portbook::wait(definition.apply(shown.summary.id, confirm).finish()).unwrap();
    assert!(people(&world.target()).is_empty());
}

#[test]
fn a_changed_mapping_looks_at_the_target_and_writes_only_what_differs() {
    let world = World::new();
    fill(&world.source(), 0..50);
    let field = |name: &str| portbook::bridge::RecordField {
        source: name.into(),
        target: name.into(),
        direction: portbook::model::FieldDirection::Bidirectional,
        transform: None,
    };
    let few = RecordOptions { fields: vec![field("id"), field("name")], ..RecordOptions::default() };
    sync(&world.connect(few));
    assert!(people(&world.target()).values().all(|person| person.1.is_none()));
    world.target().execute_batch("UPDATE people SET score = id / 4.0, photo = (SELECT NULL) WHERE id < 10").unwrap();
    let definition = world.connect(RecordOptions::default());
    let shown = preview(&definition);
    assert_eq!(shown.target_rows, Some(50));
    sync(&definition);
    assert_eq!(people(&world.target()), people(&world.source()));
    assert!(sync(&definition).counts.is_quiet());
}

#[test]
fn a_run_leaves_its_history() {
    let world = World::new();
    fill(&world.source(), 0..3);
    let definition = world.connect(RecordOptions::default());
    sync(&definition);
    let runs = world.session.rows::<SyncRun>();
    let filter = Filter::all().equal("sync_def_id", &definition.id());
    let runs = portbook::wait(runs.list(filter, None, 10)).unwrap().rows;
    assert_eq!((runs.len(), runs[0].row.items_processed, runs[0].row.status.as_str()), (1, 3, "COMPLETED"));
    let activity = portbook::wait(world.session.activity(Default::default(), None, 10)).unwrap();
    assert!(!activity.rows.is_empty());
}

/// One row for a definition of two tables, whoever wrote it last.
#[test]
pub(crate) fn what_was_carried_is_summed_up() {
    let world = World::new();
    fill(&world.source(), 0..20);
    let definition = world.connect(RecordOptions::default());
    let metric = || {
        let all = portbook::wait(world.session.rows::<SyncMetric>().list(Filter::all(), None, 10)).unwrap().rows;
        assert_eq!(all.len(), 1);
        all.into_iter().next().unwrap().row
    };
    sync(&definition);
    let first = metric();
    assert_eq!((first.total_rows_synced, first.target_list_id, first.reconcile_status.as_str()), (20, None, "UNKNOWN"));
    assert!(first.source_instance_id.is_some() && first.last_run_id.is_some() && first.last_sync_ts.is_some());
    portbook::wait(definition.verify()).unwrap();
    sync(&definition);
    let second = metric();
    let reconciled = (second.total_rows_synced, second.source_row_count, second.reconcile_status.as_str());
    assert_eq!(reconciled, (20, Some(20), "MATCH"));
    assert_ne!(second.last_run_id, first.last_run_id, "in step again as of this run");
    world.source().execute("DELETE FROM people WHERE id = 3", []).unwrap();
    world.source().execute("UPDATE people SET name = 'x' WHERE id = 4", []).unwrap();
    sync(&definition);
    assert_eq!(metric().total_rows_synced, 22);
}
