//! Rows that go to several lists by rules.

use std::collections::BTreeMap;
use std::time::Duration;

use portbook::bridge::{
    Definition, RecordCursor, RecordField, RecordOptions, RecordRoute, RowApplyOptions, RowPreviewOptions,
};
use portbook::conduit::MaxDelete;
use portbook::endpoint::sharepoint::MARKER;
use portbook::model::{FieldDirection, RecordMode};
use portbook::{Book, BookOptions, Code};
use serde_json::json;

use super::{ListWorld, asked_of_book, both_ways, fill, in_book};
use crate::graph::Fault;
use crate::two_way::Random;
use crate::world::{counted, preview, sync, try_sync};

/// People with a high score have a list of their own, and so have those without a name.
fn routed(world: &ListWorld, options: RecordOptions) -> RecordOptions {
    let to = |condition: &str, title: &str| RecordRoute { condition: condition.into(), target: world.list(title) };
    RecordOptions { create: true, routes: vec![to("score >= 5", "High"), to("name is null", "Nameless")], ..options }
}

const TITLES: [&str; 3] = ["People", "High", "Nameless"];

/// In which list each key is, and what its item holds. No key is in two.
fn spread(world: &ListWorld) -> BTreeMap<i64, (&'static str, String, f64)> {
    let mut found = BTreeMap::new();
    for title in TITLES {
        for item in world.server.items(title) {
            let text =
                |name: &str| item.fields.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
            let score = item.fields.get("score").and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN);
            let id = text("id2").parse().unwrap();
            assert_eq!(found.insert(id, (title, text("name"), score)), None, "{id} is there twice");
        }
    }
    found
}

/// What should be where.
fn wanted(world: &ListWorld) -> BTreeMap<i64, (&'static str, String, f64)> {
    let place = |(id, (name, score, _)): (i64, crate::world::Person)| {
        let title = match (&name, score) {
            (_, Some(score)) if score >= 5.0 => "High",
            (None, _) => "Nameless",
            _ => "People",
        };
        (id, (title, name.unwrap_or_default(), score.unwrap_or(f64::NAN)))
    };
    super::source(&world.world).into_iter().map(place).collect()
}

fn connected(rows: std::ops::Range<i64>, options: RecordOptions) -> (ListWorld, Definition) {
    let world = ListWorld::new();
    fill(&world.world, rows);
    let definition = world.connect(routed(&world, options));
    (world, definition)
}

#[test]
fn rows_go_to_the_list_of_the_first_rule_that_takes_them() {
    let (world, definition) = connected(0..40, RecordOptions::default());
    world.world.source().execute("UPDATE people SET name = NULL WHERE id IN (3, 30)", []).unwrap();
    assert_eq!(counted(&sync(&definition).counts), [40, 0, 0, 0, 0, 0]);
    assert_eq!(spread(&world), wanted(&world));
    assert_eq!(spread(&world)[&3].0, "Nameless");
    assert_eq!(spread(&world)[&30].0, "High", "the first rule decides");
    let (writes, titles) = (world.writes(), targets(&definition));
    assert!(sync(&definition).counts.is_quiet());
    assert_eq!(world.writes(), writes, "the second run writes nothing");
    assert_eq!(titles, [("People".to_owned(), true), ("High".to_owned(), false), ("Nameless".to_owned(), false)]);
    let verified = portbook::wait(definition.verify()).unwrap();
    assert_eq!((verified.status.as_str(), verified.target_rows), ("MATCH", 40));
    // Each row of the ledger says where its item is.
    let rows: i64 = asked_of_book(
        &world.world,
        "SELECT count(*) FROM sync_ledger l JOIN sharepoint_lists s ON s.list_id = l.sp_list_id WHERE l.sp_item_id > 0",
    );
    assert_eq!(rows, 40);
}

fn targets(definition: &Definition) -> Vec<(String, bool)> {
    let targets = portbook::wait(definition.targets()).unwrap();
    targets.into_iter().map(|target| (target.title, target.is_default)).collect()
}

#[test]
fn a_row_whose_list_changes_is_moved_with_what_only_the_list_has() {
    let (world, definition) = connected(0..40, RecordOptions::default());
    sync(&definition);
    let of = |title: &str, id: i64| {
        let text = id.to_string();
        world.server.items(title).into_iter().find(|item| item.fields["id2"] == json!(text))
    };
    world.server.edit_item("People", of("People", 7).unwrap().id, &json!({ "Title": "a remark of the list's" }));
    let edits = "UPDATE people SET score = 70 WHERE id = 7; UPDATE people SET score = 1, name = NULL WHERE id = 39; \
        DELETE FROM people WHERE id IN (0, 38)";
    world.world.source().execute_batch(edits).unwrap();
    let shown = preview(&definition);
    assert_eq!(counted(&shown.summary.counts), [0, 2, 2, 0, 36, 0]);
    assert_eq!(counted(&sync(&definition).counts), [0, 2, 2, 0, 36, 0]);
    assert_eq!(spread(&world), wanted(&world));
    let moved = of("High", 7).unwrap();
    assert_eq!(moved.fields["Title"], json!("a remark of the list's"));
    assert_eq!(moved.fields[MARKER].as_str().unwrap().len(), 64);
    assert!(of("People", 7).is_none() && of("Nameless", 39).is_some());
    assert!(sync(&definition).counts.is_quiet());
    // What a person has deleted from its list is made there again.
    world.server.delete_item("High", of("High", 7).unwrap().id);
    let look = RowPreviewOptions { look_at_target: true, ..RowPreviewOptions::default() };
    try_sync(&definition, look).unwrap();
    assert_eq!(spread(&world), wanted(&world));
}

#[test]
fn the_ledger_is_rebuilt_from_the_markers_of_all_lists() {
    let (world, definition) = connected(0..40, RecordOptions::default());
    sync(&definition);
    let writes = world.writes();
    in_book(&world.world, "DELETE FROM sync_ledger");
    assert!(sync(&definition).counts.is_quiet());
    assert_eq!(world.writes(), writes);
    assert_eq!(spread(&world), wanted(&world));
}

#[test]
fn a_move_that_is_cut_short_is_made_good() {
    for seed in 0..8 {
        let (world, definition) = connected(0..40, RecordOptions::default());
        sync(&definition);
        let edits =
            "UPDATE people SET score = 19 - score WHERE id < 20; UPDATE people SET name = NULL WHERE id % 5 = 0";
        world.world.source().execute_batch(edits).unwrap();
        let mut random = Random(seed * 31 + 5);
        world.server.draw(move |asked| match (asked.method.as_str(), random.below(12)) {
            ("GET", _) => None,
            (_, 0) => Some(Fault::LostAfter),
            (_, 1) => Some(Fault::LostBefore),
            (_, 2) => Some(Fault::After { status: 504, retry_after: None }),
            (_, 3) => Some(Fault::Before { status: 503, retry_after: Some(1) }),
            _ => None,
        });
        for _ in 0..4 {
            // A run that fails is a run that the next one makes good.
            drop(try_sync(&definition, RowPreviewOptions::default()));
        }
        world.server.draw(|_| None);
        for _ in 0..2 {
            try_sync(&definition, RowPreviewOptions::default()).unwrap();
        }
        assert_eq!(spread(&world), wanted(&world), "seed {seed}");
        assert!(sync(&definition).counts.is_quiet(), "seed {seed}");
    }
}

#[test]
fn one_run_may_send_all_rows_to_one_list() {
    let (world, definition) = connected(0..30, RecordOptions::default());
    sync(&definition);
    let high = portbook::wait(definition.targets()).unwrap().into_iter().find(|target| target.title == "High").unwrap();
    let all = RowPreviewOptions { route_to: Some(high.id), ..RowPreviewOptions::default() };
    // What was previewed so is applied so.
    let shown = portbook::wait(definition.preview(all)).unwrap();
    let report = portbook::wait(definition.apply(shown.summary.id, RowApplyOptions::default()).finish()).unwrap();
    assert_eq!(counted(&report.counts), [0, 20, 0, 0, 10, 0], "{:?}", report.failures);
    assert!(spread(&world).values().all(|(title, ..)| *title == "High"));
    assert!(sync(&definition).counts.is_quiet(), "a row stays where it was sent until it is changed");
    world.world.source().execute("UPDATE people SET score = 2 WHERE id = 1", []).unwrap();
    sync(&definition);
    assert_eq!(spread(&world)[&1].0, "People");
    let stranger =
        RowPreviewOptions { route_to: Some(portbook::model::Id::new(uuid::Uuid::nil())), ..Default::default() };
    assert_eq!(portbook::wait(definition.preview(stranger)).unwrap_err().code(), Code::Invalid);
}

pub(super) fn same(column: &str) -> RecordField {
    let direction = FieldDirection::Bidirectional;
    RecordField { source: column.into(), target: column.into(), direction, transform: None }
}

/// A rule that looks at the clock moves rows that nobody has touched, in a run that reads only what has changed, too.
#[test]
fn time_moves_rows() {
    let world = ListWorld::new();
    let source = world.world.source();
    source.execute_batch("CREATE TABLE visit (id INTEGER PRIMARY KEY, score REAL, name TEXT, seen DATE)").unwrap();
    for id in 0..10 {
        let seen = format!("2026-01-{:02}", id + 1);
        source.execute("INSERT INTO visit VALUES (?1, 0, 'x', ?2)", (id, seen)).unwrap();
    }
    let options = BookOptions::sqlite(world.world.path("other.db")).clock(world.clock.clone());
    let book = portbook::wait(Book::open(options)).unwrap();
    let session = portbook::wait(book.default_session()).unwrap();
    let old = RecordRoute { condition: "age_days(seen) >= 10".into(), target: world.list("Nameless") };
    let options = RecordOptions {
        create: true,
        routes: vec![old],
        cursor: RecordCursor::column("id"),
        // What the rule looks at need not be in the list.
        fields: ["id", "name", "score"].map(same).to_vec(),
        ..RecordOptions::default()
    };
    let place = world.world.place("source.db", "visit");
    let definition = portbook::wait(session.connect_records(place, world.list("People"), options)).unwrap();
    sync(&definition);
    let old = || world.server.items("Nameless").len();
    assert_eq!((old(), world.server.items("People").len()), (0, 10));
    // It is noon of the fifth, and the first has come on the first.
    for (hours, count) in [(6 * 24, 1), (2 * 24 + 12, 4), (40 * 24, 10)] {
        world.clock.advance(Duration::from_secs(hours * 3600));
        sync(&definition);
        assert_eq!((old(), world.server.items("People").len()), (count, 10 - count));
    }
}

#[test]
pub(crate) fn two_ways_rows_are_moved_and_edits_come_back() {
    let options = RecordOptions { mode: RecordMode::TwoWay, ..both_ways(portbook::model::RecordPolicy::SourceWins) };
    let (world, definition) = connected(0..40, options);
    sync(&definition);
    assert_eq!(spread(&world), wanted(&world));
    let item = world.server.items("High").into_iter().next().unwrap();
    world.server.edit_item("High", item.id, &json!({ "name": "edited in its list", "score": 1 }));
    world.world.source().execute("UPDATE people SET score = 90 WHERE id = 2", []).unwrap();
    for _ in 0..2 {
        let options = RowPreviewOptions { max_delete: MaxDelete::Count(1000), ..RowPreviewOptions::default() };
        assert_eq!(try_sync(&definition, options).unwrap().counts.failed, 0);
    }
    assert_eq!(spread(&world), wanted(&world));
    assert!(spread(&world).values().any(|(title, name, _)| *title == "People" && name == "edited in its list"));
    assert!(sync(&definition).counts.is_quiet());
}

#[test]
fn rules_that_lead_nowhere_are_refused_when_they_are_connected() {
    let world = ListWorld::new();
    fill(&world.world, 0..3);
    let route = |condition: &str, target| RecordRoute { condition: condition.into(), target };
    for (routes, code) in [
        (vec![route("score >=", world.list("High"))], Code::Invalid),
        (vec![route("no_such_column == 1", world.list("High"))], Code::Invalid),
        (vec![route("score > 1", world.world.place("source.db", "people"))], Code::Unsupported),
    ] {
        let refused = world.try_connect(RecordOptions { create: true, routes, ..RecordOptions::default() });
        assert_eq!(refused.map(drop).unwrap_err().code(), code);
    }
}
