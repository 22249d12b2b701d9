//! What a run leaves in the book: every table and every column of the data model is written by somebody.

use std::collections::BTreeSet;

use portbook::bridge::{DatabaseAt, RecordCursor, RecordOptions, RecordRoute};
use portbook::model::{RecordPolicy, TargetListMetric};
use portbook::table::Filter;
use rusqlite::Connection;

use super::routes::same;
use super::{ListWorld, asked_of_book, both_ways};
use crate::world::sync;

const TABLES: &str = "CREATE TABLE town (id INTEGER PRIMARY KEY, name TEXT); \
    CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(80) NOT NULL DEFAULT 'nobody', score REAL CHECK (score >= 0), \
    changed TIMESTAMP NOT NULL, town INTEGER REFERENCES town(id)); CREATE INDEX by_name ON people (name)";

/// Columns that nothing here has a value for.
const LEFT_EMPTY: [&str; 15] = [
    // A person says so.
    "applications.description",
    "applications.owner_team",
    "database_instances.valid_from",
    "database_instances.valid_to",
    "sync_definitions.key_constraint_name",
    "sync_definitions.schedule_cron",
    // Servers have these, a file has not; secrets are kept where there is a key.
    "database_instances.db_password",
    "database_instances.db_user",
    "database_instances.host",
    "database_instances.port",
    "database_tables.row_estimate",
    "sharepoint_connections.client_secret",
    // While a row is being made; of a run that failed; where a rule asks the clock.
    "sync_ledger.attempt_id",
    "sync_ledger.next_route_at",
    "sync_runs.error_message",
];

/// The lists of a definition have metrics of their own, and so has all of it.
#[test]
fn every_column_comes_to_life() {
    let world = ListWorld::new();
    world.world.source().execute_batch(&format!("DROP TABLE people; {TABLES}")).unwrap();
    for (id, score) in [(1, 1.0), (2, 9.0), (3, 7.0)] {
        write(&world.world.source(), id, score);
    }
    let routes = vec![RecordRoute { condition: "score >= 5".into(), target: world.list("High") }];
    // The column of the cursor has no zone, which a list wants, and is left out.
    let fields = ["id", "name", "score"].map(same).to_vec();
    let cursor = RecordCursor::column("changed");
    let key = vec!["id".to_owned()];
    let options =
        RecordOptions { create: true, routes, cursor, key, fields: fields.clone(), ..RecordOptions::default() };
    let definition = world.connect(options);
    sync(&definition);
    assert_eq!(carried(&world), [(None, 3), (Some("High".into()), 2), (Some("People".into()), 1)]);
    portbook::wait(definition.verify()).unwrap();
    sync(&definition);
    write(&world.world.source(), 4, 2.0);
    world
        .world
        .source()
        .execute("UPDATE people SET score = 2, changed = '2026-03-01 10:00:00' WHERE id = 2", [])
        .unwrap();
    sync(&definition);
    assert_eq!(carried(&world), [(None, 5), (Some("High".into()), 2), (Some("People".into()), 3)]);

    // Each list has its items, and says when it was last changed.
    let metrics =
        portbook::wait(world.session().rows::<TargetListMetric>().list(Filter::all(), None, 1000)).unwrap().rows;
    let mut counts: Vec<i64> = metrics.iter().map(|metric| metric.row.item_count).collect();
    counts.sort_unstable();
    assert_eq!(counts[..2], [0, 0], "nothing was there at first");
    assert!(metrics.iter().all(|metric| metric.row.last_modified_at.is_some()));
    let dated: i64 = asked_of_book(
        &world.world,
        "SELECT count(*) FROM sync_ledger WHERE last_source_ts = 1772359200000000", // 2026-03-01 10:00:00
    );
    assert_eq!(dated, 1);

    // A list both ways, a table, and a reading of the whole database.
    let connect = |target, options| {
        let source = world.world.place("source.db", "people");
        portbook::wait(world.session().connect_records(source, target, options)).unwrap()
    };
    let options = RecordOptions { create: true, fields: fields.clone(), ..both_ways(RecordPolicy::SourceWins) };
    sync(&connect(world.list("Both"), options));
    world.world.target().execute_batch("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, score REAL)").unwrap();
    let mut fields = fields;
    fields[1].transform = Some("upper(name)".to_owned());
    sync(&connect(world.world.place("target.db", "people"), RecordOptions { fields, ..RecordOptions::default() }));
    let at = DatabaseAt::parse(&format!("sqlite://{}/", world.world.path("source.db").display())).unwrap().0;
    portbook::wait(world.session().introspect_database(at)).unwrap();
    let expected: BTreeSet<String> = LEFT_EMPTY.iter().map(|column| (*column).to_owned()).collect();
    assert_eq!(empty_columns(&world), expected);
}

fn write(source: &Connection, id: i64, score: f64) {
    let sql = "INSERT INTO people VALUES (?1, 'x', ?2, '2026-02-01 10:00:00', NULL)";
    source.execute(sql, (id, score)).unwrap();
}

/// How many rows were carried in all, and to each list.
fn carried(world: &ListWorld) -> Vec<(Option<String>, i64)> {
    let book = Connection::open(world.world.path("book.db")).unwrap();
    let sql = "SELECT l.display_name, m.total_rows_synced FROM sync_metrics m \
               LEFT JOIN sharepoint_lists l ON l.id = m.target_list_id ORDER BY 1";
    let mut rows = book.prepare(sql).unwrap();
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// The columns of the specification that no row has a value in.
fn empty_columns(world: &ListWorld) -> BTreeSet<String> {
    let book = Connection::open(world.world.path("book.db")).unwrap();
    let lines = include_str!("../../store/spec/record-bridge.csv").lines().skip(1);
    let columns = lines.filter_map(|line| line.split(',').next().zip(line.split(',').nth(1)));
    let is_empty = |(table, column): &(&str, &str)| {
        let sql = format!("SELECT count(\"{column}\") FROM {table}");
        book.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap() == 0
    };
    columns.filter(is_empty).map(|(table, column)| format!("{table}.{column}")).collect()
}
