//! Lists as sources, and what the change feed tells.

use portbook::bridge::{RecordOptions, RecordPlace, RowPreviewOptions};
use portbook::model::RecordPolicy;
use serde_json::json;

use super::{ListWorld, asked_of_book, both_ways, fill, source};
use crate::graph::{Fault, Resync};
use crate::world::{counted, sync, try_sync};

/// How often the list was read as a whole, and by its feed.
fn readings(world: &ListWorld) -> (usize, usize) {
    let asked = world.server.counters().asked;
    let with = |what: &str| asked.iter().filter(|(line, _)| line.starts_with("GET") && line.contains(what)).count();
    (with("/items?"), with("/items/delta?token=ey"))
}

#[test]
fn a_list_is_read_like_a_table() {
    let (world, definition) = ListWorld::filled(0..20, RecordOptions::default());
    sync(&definition);
    let copy = || -> RecordPlace { world.world.place("copy.db", "people") };
    rusqlite::Connection::open(world.world.path("copy.db")).unwrap();
    let options = RecordOptions { create: true, key: vec!["id2".into()], ..RecordOptions::default() };
    let out = portbook::wait(world.session().connect_records(world.list("People"), copy(), options)).unwrap();
    assert_eq!(counted(&sync(&out).counts), [20, 0, 0, 0, 0, 0]);
    assert!(sync(&out).counts.is_quiet());
    let database = rusqlite::Connection::open(world.world.path("copy.db")).unwrap();
    let columns: String =
        database.query_row("SELECT group_concat(name) FROM pragma_table_info('people')", [], |row| row.get(0)).unwrap();
    assert!(columns.contains("id2") && !columns.contains("SyncKey") && !columns.contains("Modified"), "{columns}");
    let total: f64 = database.query_row("SELECT sum(score) FROM people", [], |row| row.get(0)).unwrap();
    assert_eq!(total, (0..20).map(|id| f64::from(id) / 4.0).sum::<f64>());
    let both = RecordOptions { key: vec!["id2".into()], ..both_ways(RecordPolicy::SourceWins) };
    let refused = portbook::wait(world.session().connect_records(world.list("People"), copy(), both));
    assert_eq!(refused.map(drop).unwrap_err().code(), portbook::Code::Unsupported);
}

#[test]
fn two_ways_only_what_changed_is_read_of_the_list() {
    let (world, definition) = ListWorld::filled(0..30, both_ways(RecordPolicy::SourceWins));
    sync(&definition);
    assert!(sync(&definition).counts.is_quiet(), "its own writes come back as echoes");
    let (whole, _) = readings(&world);
    let items = world.items();
    world.server.edit_item("People", items[5].id, &json!({ "name": "edited there" }));
    world.server.delete_item("People", items[6].id);
    world.server.add_item("People", &json!({ "id2": "500", "name": "made there", "score": 2.5 }));
    let report = sync(&definition);
    assert_eq!(counted(&report.counts), [1, 1, 1, 0, 28, 0], "{:?}", report.failures);
    assert_eq!(world.people(), source(&world.world));
    assert!(sync(&definition).counts.is_quiet());
    assert_eq!(readings(&world).0, whole, "the list was not read as a whole again");
    assert!(readings(&world).1 >= 3);
    assert!(world.items().iter().all(|item| item.fields.contains_key("SyncKey")), "what was made there is marked");
    let cursor: String =
        asked_of_book(&world.world, "SELECT cursor_value FROM sync_cursors WHERE cursor_scope = 'TARGET'");
    assert!(cursor.contains("token=") && !cursor.contains(super::SECRET));
}

#[test]
fn a_feed_that_forgets_or_fails_is_replaced_by_reading_everything() {
    for trouble in 0..3 {
        let (world, definition) = ListWorld::filled(0..30, both_ways(RecordPolicy::SourceWins));
        sync(&definition);
        sync(&definition);
        let items = world.items();
        world.server.edit_item("People", items[5].id, &json!({ "name": "edited there" }));
        world.server.delete_item("People", items[6].id);
        match trouble {
            0 => world.server.forget_changes("People"),
            1 => {
                world.server.rules(|rules| rules.resync = Resync::UploadDifferences);
                world.server.forget_changes("People");
            }
            _ => world.server.rules(|rules| rules.delta_error_elements = true),
        }
        let (whole, _) = readings(&world);
        let report = sync(&definition);
        // What the service may have lost itself is given to it again; elsewhere it was deleted there.
        let expected = if trouble == 1 { [1, 1, 0, 0, 28, 0] } else { [0, 1, 1, 0, 28, 0] };
        assert_eq!(counted(&report.counts), expected, "{trouble}: {:?}", report.failures);
        assert_eq!(readings(&world).0, whole + 1, "{trouble}");
        assert_eq!(world.people(), source(&world.world), "{trouble}");
        assert!(sync(&definition).counts.is_quiet(), "{trouble}");
    }
}

#[test]
fn nothing_is_deleted_on_half_a_reading() {
    let (world, definition) = ListWorld::filled(0..30, both_ways(RecordPolicy::SourceWins));
    sync(&definition);
    world.server.rules(|rules| (rules.page_items, rules.max_top) = (10, 10));
    world.server.forget_changes("People");
    for _ in 0..8 {
        world.server.fail_after(1, "GET", "/items", Fault::Before { status: 500, retry_after: None });
    }
    let cut = try_sync(&definition, RowPreviewOptions::default());
    assert!(cut.is_err(), "{cut:?}");
    assert_eq!(source(&world.world).len(), 30);
    world.server.calm();
    assert!(sync(&definition).counts.is_quiet());
}

#[test]
fn a_change_that_waits_for_a_person_is_not_forgotten_by_the_feed() {
    let (world, definition) = ListWorld::filled(0..10, both_ways(RecordPolicy::Manual));
    sync(&definition);
    sync(&definition);
    let item = &world.items()[4];
    world.server.edit_item("People", item.id, &json!({ "name": "there" }));
    world.world.source().execute("UPDATE people SET name = 'here' WHERE id = 4", []).unwrap();
    for _ in 0..3 {
        assert_eq!(sync(&definition).waiting, 1);
        assert_eq!(world.people()[&4].0.as_deref(), Some("there"));
        assert_eq!(source(&world.world)[&4].0.as_deref(), Some("here"));
    }
    world.world.source().execute("UPDATE people SET name = 'there' WHERE id = 4", []).unwrap();
    assert!(sync(&definition).is_in_step());
    assert!(sync(&definition).counts.is_quiet());
}

#[test]
fn what_the_service_rewrites_is_no_change() {
    let (world, definition) = ListWorld::filled(0..0, both_ways(RecordPolicy::SourceWins));
    fill(&world.world, 0..5);
    world.server.rules(|rules| rules.line_breaks = crate::graph::LineBreaks::Spaces);
    sync(&definition);
    let writes = world.writes();
    for _ in 0..2 {
        assert!(sync(&definition).counts.is_quiet());
    }
    assert_eq!(world.writes(), writes);
}
