//! One way: lists are made, adopted, filled, put right.

use portbook::Code;
use portbook::bridge::{RecordOptions, RowPreviewOptions};
use portbook::conduit::MaxDelete;
use portbook::endpoint::sharepoint::MARKER;
use portbook::model::RecordMode;
use serde_json::json;

use super::{ListWorld, asked_of_book, fill, in_book, source};
use crate::graph::Fault;
use crate::world::{counted, preview, sync, try_sync};

#[test]
fn a_list_is_made_like_the_table_and_filled() {
    let (world, definition) = ListWorld::filled(0..30, RecordOptions::default());
    let made = world.server.counters().asked.iter().filter(|(line, _)| line.starts_with("POST")).count();
    assert_eq!(made, 1, "the list with all of its columns");
    let column = |name: &str| world.server.columns("People").into_iter().find(|c| c["name"] == name).unwrap();
    assert!(column("name").get("text").is_some() && column("score").get("number").is_some());
    assert_eq!((column("id2")["displayName"].as_str(), column("id2")["indexed"].as_bool()), (Some("id"), Some(true)));

    assert_eq!(counted(&preview(&definition).summary.counts), [30, 0, 0, 0, 0, 0]);
    assert!(world.items().is_empty(), "a preview writes nothing");
    let report = sync(&definition);
    assert_eq!(counted(&report.counts), [30, 0, 0, 0, 0, 0], "{:?}", report.failures);
    assert_eq!(world.people(), source(&world.world));
    assert!(world.items().iter().all(|item| item.fields[MARKER].as_str().is_some_and(|marker| marker.len() == 64)));
    let writes = world.writes();
    assert!(sync(&definition).counts.is_quiet());
    assert_eq!(world.writes(), writes, "the second run writes nothing");

    let rows: (i64, i64) = (
        asked_of_book(
            &world.world,
            "SELECT count(*) FROM sync_ledger WHERE sp_item_id IS NOT NULL AND state = 'CONFIRMED'",
        ),
        asked_of_book(&world.world, "SELECT is_provisioned FROM sharepoint_lists"),
    );
    assert_eq!(rows, (30, 1));
    let list: String = asked_of_book(&world.world, "SELECT list_id FROM sharepoint_lists");
    assert_eq!(world.server.list_id("People"), Some(list));
    let verified = portbook::wait(definition.verify()).unwrap();
    assert_eq!((verified.status.as_str(), verified.target_rows), ("MATCH", 30));
}

#[test]
pub(crate) fn changes_and_deletions_follow() {
    let (world, definition) = ListWorld::filled(0..30, RecordOptions::default());
    sync(&definition);
    let edits = "UPDATE people SET score = 99 WHERE id = 3; UPDATE people SET name = NULL WHERE id = 4; \
        DELETE FROM people WHERE id > 27; INSERT INTO people VALUES (50, 'new', 1)";
    world.world.source().execute_batch(edits).unwrap();
    assert_eq!(counted(&sync(&definition).counts), [1, 2, 2, 0, 26, 0]);
    assert_eq!(world.people(), source(&world.world));
    assert!(sync(&definition).counts.is_quiet());
}

#[test]
fn without_being_told_no_list_is_made() {
    let world = ListWorld::new();
    let error = world.try_connect(RecordOptions::default()).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(world.server.list_id("People").is_none());
}

#[test]
fn the_ledger_is_rebuilt_from_markers_alone() {
    let (world, definition) = ListWorld::filled(0..40, RecordOptions::default());
    sync(&definition);
    let writes = world.writes();
    assert_eq!(in_book(&world.world, "DELETE FROM sync_ledger"), 40);
    let report = sync(&definition);
    assert_eq!(counted(&report.counts), [0, 0, 0, 0, 40, 0], "{:?}", report.failures);
    assert_eq!(world.writes(), writes, "nothing is written");
    let rows: i64 = asked_of_book(&world.world, "SELECT count(*) FROM sync_ledger WHERE sp_item_id IS NOT NULL");
    assert_eq!(rows, 40);
    // … even where nothing else tells which item is whose.
    in_book(&world.world, "DELETE FROM sync_ledger");
    for item in world.items() {
        world.server.edit_item("People", item.id, &json!({ "id2": null }));
    }
    assert_eq!(counted(&sync(&definition).counts), [0, 40, 0, 0, 0, 0]);
    assert_eq!(world.people(), source(&world.world));
}

#[test]
fn a_list_that_is_there_is_adopted() {
    let (first, definition) = ListWorld::filled(0..20, RecordOptions::default());
    sync(&definition);
    // Another book, and a list that never had a marker.
    let world = ListWorld::new();
    fill(&world.world, 0..20);
    drop(world.connect(RecordOptions { create: true, ..RecordOptions::default() }));
    world.server.drop_column("People", MARKER);
    for item in first.items() {
        let mut fields = item.fields.clone();
        fields.remove(MARKER);
        world.server.add_item("People", &json!(fields));
    }
    world.server.add_item("People", &json!({ "Title": "the list's own" }));
    world.server.add_item("People", &json!({ "id2": "77", "name": "its own, with a key" }));
    world.world.source().execute("UPDATE people SET score = -1 WHERE id = 7", []).unwrap();

    let definition = world.connect(RecordOptions::default());
    let shown = preview(&definition);
    assert_eq!((shown.summary.counts.new, shown.summary.counts.updated), (0, 20), "each gets its marker");
    assert_eq!(shown.summary.counts.skipped, 2, "what is the list's own is told");
    world.server.fail_after(7, "PATCH", "/fields", Fault::Before { status: 400, retry_after: None });
    let report = sync(&definition);
    assert_eq!(counted(&report.counts), [0, 19, 0, 0, 0, 1], "{:?}", report.failures);
    // The one that did not get it is not made a second time, although the list is not read again.
    let report = sync(&definition);
    assert_eq!(counted(&report.counts), [0, 1, 0, 0, 19, 0], "{:?}", report.failures);
    assert_eq!(world.items().len(), 22, "nothing is there twice");
    assert_eq!(world.items().iter().filter(|item| item.fields.contains_key(MARKER)).count(), 20);
    assert!(world.items().iter().any(|item| item.fields["score"].as_f64() == Some(-1.0)));
    assert!(sync(&definition).counts.is_quiet());
    let flags = ["indexed", "enforceUniqueValues", "hidden"];
    let marker = world.server.columns("People").into_iter().find(|column| column["name"] == MARKER).unwrap();
    assert!(flags.iter().all(|flag| marker[*flag] == true), "{marker}");
}

#[test]
fn items_of_another_definition_are_not_doubled_without_a_word() {
    let (world, definition) = ListWorld::filled(0..10, RecordOptions::default());
    sync(&definition);
    // The book is lost, and with it which definition it was.
    let other = crate::world::World::bare();
    other.source().execute_batch(super::PEOPLE).unwrap();
    fill(&other, 0..10);
    let (place, list) = (other.place("source.db", "people"), world.list("People"));
    let definition = portbook::wait(other.session.connect_records(place, list, RecordOptions::default())).unwrap();
    let error = try_sync(&definition, RowPreviewOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::Guard);
    assert!(error.to_string().contains("another definition"), "{error}");
    assert_eq!(world.items().len(), 10);
}

#[test]
fn what_somebody_does_to_a_mirror_is_put_right_where_it_is_looked_at() {
    let (world, definition) = ListWorld::filled(0..10, RecordOptions::default());
    sync(&definition);
    let items = world.items();
    world.server.edit_item("People", items[2].id, &json!({ "name": "vandal" }));
    world.server.delete_item("People", items[3].id);
    world.server.delete_item("People", items[4].id);
    assert!(sync(&definition).counts.is_quiet(), "the ledger is believed");
    // A row whose item is gone is made anew when it changes, looked at or not.
    world.world.source().execute("UPDATE people SET score = 5 WHERE id = 4", []).unwrap();
    let report = sync(&definition);
    assert_eq!(counted(&report.counts), [1, 0, 0, 0, 9, 0], "{:?}", report.failures);
    let look = || RowPreviewOptions { look_at_target: true, ..RowPreviewOptions::default() };
    assert_eq!(counted(&try_sync(&definition, look()).unwrap().counts), [1, 1, 0, 0, 8, 0]);
    assert_eq!(world.people(), source(&world.world));
    assert!(try_sync(&definition, look()).unwrap().counts.is_quiet());
}

#[test]
fn an_archive_loses_nothing() {
    let archive = RecordOptions { mode: RecordMode::ArchiveOnly, ..RecordOptions::default() };
    let (world, definition) = ListWorld::filled(0..10, archive);
    sync(&definition);
    world.world.source().execute("DELETE FROM people WHERE id < 9", []).unwrap();
    let all = RowPreviewOptions { max_delete: MaxDelete::Count(100), ..RowPreviewOptions::default() };
    try_sync(&definition, all).unwrap();
    assert_eq!(world.items().len(), 10);
}

#[test]
fn a_row_that_a_list_cannot_hold_fails_alone() {
    let (world, definition) = ListWorld::filled(0..5, RecordOptions::default());
    world.world.source().execute("UPDATE people SET name = 'two' || char(10) || 'lines' WHERE id = 2", []).unwrap();
    let report = sync(&definition);
    assert_eq!((report.counts.new, report.counts.failed), (4, 1));
    assert!(report.failures[0].error.to_string().contains("line"), "{}", report.failures[0].error);
    let pending: i64 = asked_of_book(&world.world, "SELECT count(*) FROM sync_ledger WHERE state = 'PENDING'");
    assert_eq!(pending, 0, "what is known not to be there is no question");
    world.world.source().execute("UPDATE people SET name = 'one line' WHERE id = 2", []).unwrap();
    assert_eq!(sync(&definition).counts.new, 1);
    assert_eq!(world.people(), source(&world.world));
}

#[test]
fn a_lost_answer_is_looked_up_and_never_sent_blindly() {
    for fault in [
        Fault::LostAfter,
        Fault::After { status: 429, retry_after: Some(1) },
        Fault::After { status: 504, retry_after: None },
    ] {
        let (world, definition) = ListWorld::filled(0..25, RecordOptions::default());
        let in_batch = matches!(fault, Fault::After { .. });
        world.server.fail_after(
            if in_batch { 3 } else { 0 },
            "POST",
            if in_batch { "/items" } else { "$batch" },
            fault,
        );
        let report = sync(&definition);
        assert_eq!(counted(&report.counts), [25, 0, 0, 0, 0, 0], "{:?}", report.failures);
        assert_eq!(world.server.pending_faults(), 0);
        assert_eq!(world.people(), source(&world.world));
        assert_eq!(world.writes(), 25, "each item was made once");
        assert!(sync(&definition).counts.is_quiet());
    }
}

#[test]
fn a_list_deleted_under_a_definition_is_not_mistaken_for_another() {
    let (world, definition) = ListWorld::filled(0..5, RecordOptions::default());
    sync(&definition);
    world.server.delete_list("People");
    let error = try_sync(&definition, RowPreviewOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    drop(world.connect(RecordOptions { create: true, ..RecordOptions::default() }));
    let error = try_sync(&definition, RowPreviewOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    assert!(error.to_string().contains("another one of its title"), "{error}");
    assert_eq!(sync(&world.connect(RecordOptions::default())).counts.new, 5, "the new one is another definition's");
}
