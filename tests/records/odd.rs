//! Rows and tables that cannot be carried as they stand: the row or the run stops with words, everything else goes on.

use portbook::Code;
use portbook::bridge::{RecordField, RecordOptions};
use portbook::delta::ChangeKind;
use portbook::model::FieldDirection;

use crate::world::{World, counted, fill, people, preview, sync};

fn field(source: &str, target: &str, transform: Option<&str>) -> RecordField {
    let direction = if transform.is_some() { FieldDirection::PushOnly } else { FieldDirection::Bidirectional };
    RecordField { source: source.into(), target: target.into(), direction, transform: transform.map(str::to_owned) }
}

#[test]
fn a_key_that_is_none_is_refused_for_its_rows_alone() {
    let world = World::bare();
    let loose = "CREATE TABLE people (id INTEGER, name TEXT)";
    world.source().execute_batch(loose).unwrap();
    world.target().execute_batch("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)").unwrap();
    let rows = "INSERT INTO people VALUES (1, 'a'), (2, 'b'), (2, 'c'), (NULL, 'd'), (3, 'e')";
    world.source().execute_batch(rows).unwrap();
    let no_key = world.try_connect("people", "people", RecordOptions::default()).map(|_| ()).unwrap_err();
    assert_eq!(no_key.code(), Code::Invalid, "{no_key}");
    let options = RecordOptions { key: vec!["id".into()], ..RecordOptions::default() };
    let definition = world.try_connect("people", "people", options).unwrap();
    let shown = preview(&definition);
    assert_eq!(shown.summary.counts.failed, 2);
    assert!(shown.blind.is_some(), "the row without a key may be any of those that are gone");
    let report = sync(&definition);
    // Of two rows with one key neither is carried: which of them it would be is chance.
    assert_eq!((report.counts.new, report.counts.failed), (2, 3), "{:?}", report.failures);
    let words: Vec<String> = report.failures.iter().map(|failure| failure.error.to_string()).collect();
    assert!(words.iter().any(|words| words.contains("two rows have this key")), "{words:?}");

    // While it is not known which rows there are, nothing is deleted.
    world.source().execute_batch("DELETE FROM people WHERE id = 3").unwrap();
    assert_eq!(sync(&definition).counts.deleted, 0);
    world.source().execute_batch("DELETE FROM people WHERE id IS NULL OR name = 'c'").unwrap();
    let report = sync(&definition);
    assert_eq!((report.counts.new, report.counts.deleted, report.counts.failed), (1, 1, 0));
}

#[test]
fn a_value_that_the_target_cannot_hold_fails_its_row_and_is_tried_again() {
    let world = World::bare();
    world.source().execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT)").unwrap();
    world
        .target()
        .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT CHECK (length(code) < 4))")
        .unwrap();
    world.source().execute_batch("INSERT INTO t VALUES (1, 'abc'), (2, 'abcdef'), (3, 'x')").unwrap();
    let definition = world.try_connect("t", "t", RecordOptions::default()).unwrap();
    let report = sync(&definition);
    assert_eq!((report.counts.new, report.counts.failed), (2, 1), "{:?}", report.failures);
    assert_eq!(report.failures[0].path, "2");
    assert_eq!(sync(&definition).counts.failed, 1, "it is told again until it is put right");
    world.source().execute_batch("UPDATE t SET code = 'ok' WHERE id = 2").unwrap();
    assert_eq!(counted(&sync(&definition).counts), [1, 0, 0, 0, 2, 0]);
    assert!(sync(&definition).counts.is_quiet());
}

#[test]
fn a_column_that_was_dropped_stops_the_run_with_its_name() {
    let world = World::new();
    fill(&world.source(), 0..3);
    let definition = world.connect(RecordOptions::default());
    sync(&definition);
    world.source().execute_batch("ALTER TABLE people DROP COLUMN photo").unwrap();
    let error = portbook::wait(definition.preview(Default::default())).unwrap_err();
    assert_eq!(error.code(), Code::Invalid);
    assert!(error.to_string().contains("photo"), "{error}");
    assert_eq!(people(&world.target()).len(), 3);
}

#[test]
fn a_transform_that_fails_on_one_row_fails_that_row() {
    let world = World::bare();
    world.source().execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, price TEXT)").unwrap();
    world.target().execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, price REAL)").unwrap();
    world.source().execute_batch("INSERT INTO t VALUES (1, ' 1.5 '), (2, 'much'), (3, '2')").unwrap();
    let fields = vec![field("id", "id", None), field("price", "price", Some("cast(trim(price) as float)"))];
    let options = RecordOptions { fields, ..RecordOptions::default() };
    let definition = world.try_connect("t", "t", options).unwrap();
    let report = sync(&definition);
    assert_eq!((report.counts.new, report.counts.failed), (2, 1), "{:?}", report.failures);
    assert_eq!(report.failures[0].path, "2");
    let prices: Vec<f64> = world
        .target()
        .prepare("SELECT price FROM t ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(prices, [1.5, 2.0]);
}

#[test]
fn a_place_in_a_unique_index_that_becomes_free_is_taken_in_the_same_run() {
    let world = World::bare();
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, mail TEXT UNIQUE)";
    world.source().execute_batch(table).unwrap();
    world.target().execute_batch(table).unwrap();
    world.source().execute_batch("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')").unwrap();
    let definition = world.try_connect("t", "t", RecordOptions::default()).unwrap();
    sync(&definition);
    // 1 is gone and 9 has its address; 2 has the address that 3 gave up.
    let moves = "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (9, 'a'); UPDATE t SET mail = 'd' WHERE id = 3; \
                 UPDATE t SET mail = 'c' WHERE id = 2";
    world.source().execute_batch(moves).unwrap();
    let report = sync(&definition);
    assert!(report.is_in_step(), "{:?}", report.failures);
    assert!(sync(&definition).counts.is_quiet());
    assert_eq!(portbook::wait(definition.verify()).unwrap().different, 0);
}

#[test]
fn what_is_refused_in_a_preview_says_why() {
    let world = World::bare();
    world.source().execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)").unwrap();
    world.target().execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)").unwrap();
    // SQLite keeps a text in a column of numbers.
    world.source().execute_batch("INSERT INTO t VALUES (1, 5), (2, 'five')").unwrap();
    let definition = world.try_connect("t", "t", RecordOptions::default()).unwrap();
    let shown = preview(&definition);
    assert_eq!(shown.summary.counts.failed, 1);
    let changes = portbook::wait(definition.changes(shown.summary.id, None, None, 10)).unwrap();
    let refused = changes.iter().find(|change| change.kind == ChangeKind::Skipped).unwrap();
    assert_eq!(refused.row, "2");
    assert!(refused.reason.as_deref().is_some_and(|reason| !reason.is_empty()), "{refused:?}");
    let report = sync(&definition);
    assert_eq!((report.counts.new, report.counts.failed), (1, 1), "{:?}", report.failures);
}

#[test]
fn two_fields_of_one_column_are_refused_with_its_name() {
    let world = World::new();
    let fields =
        vec![field("id", "id", None), field("name", "name", None), field("name", "photo", Some("upper(name)"))];
    let refused = world.try_connect("people", "people", RecordOptions { fields, ..RecordOptions::default() });
    let error = refused.err().unwrap();
    assert_eq!(error.code(), Code::Invalid);
    assert!(error.to_string().contains("two fields have its column name"), "{error}");
}
