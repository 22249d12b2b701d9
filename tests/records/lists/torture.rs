//! Every type with its odd values from PostgreSQL to a list, from there to SQLite, and through another list home: each second
//! run writes nothing, and nothing has changed that a list does not have to change.

use std::sync::Arc;

use portbook::bridge::{Definition, RecordField, RecordOptions, RecordPlace, RowPreviewOptions};
use portbook::endpoint::TableName;
use portbook::model::{FieldDirection, RecordMode};
use portbook::operation::RunReport;

use super::ListWorld;
use crate::fixture::Store;

const TABLE: &str = "(id bigint PRIMARY KEY, small smallint, whole integer, big bigint, exact numeric(38,10), \
    money numeric(10,2), double float8, single float4, flag boolean, words text, short varchar(20), padded char(5), \
    bytes bytea, ident uuid, day date, instant timestamptz(0), clock time, doc jsonb)";

/// Rows that a list can hold, in seconds and in the years that it knows.
const ROWS: &str = "
    (1, 1, 1, 1, 1.0, 1.00, 1.5, 1.5, true, 'one', 'a', 'ab', '\\x00ff', '00112233-4455-6677-8899-aabbccddeeff',
        '2024-02-29', '2024-03-31 01:59:59+00', '23:59:59.000001', '{\"b\": 1.0, \"a\": [null]}'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, -32768, -2147483648, -9223372036854775808, -9999999999999999999999999999.9999999999, -99999999.99, -0.0, -0.0, false,
        NULL, NULL, NULL, NULL, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '1900-01-02', '1970-01-01 00:00:01+00', '00:00', '[]'),
    (4, 32767, 2147483647, 9223372036854775807, 9999999999999999999999999999.9999999999, 0.10, 1e308, 3.4e38, true,
        E'trailing  ', E'\\u00e9', 'x', '\\x0a', '00000000-0000-0000-0000-000000000000', '8900-12-30',
        '2037-12-31 23:59:59+00', '12:00', '9007199254740993'),
    (5, 0, 0, 9007199254740993, 0.0000000001, 0, 0.1, 0.1, false, E'e\\u0301\\nsecond line', '<b>&amp;', 'é', '\\xdeadbeef',
        '123e4567-e89b-12d3-a456-426614174000', '1969-12-31', '1999-12-31 23:59:59+14', '00:00:00.5',
        '{\"n\": 12345678901234567890, \"t\": \"\\\\u00e9\"}'),
    (9223372036854775807, 7, 7, 7, 7, 7, 5e-324, 1e-45, true, '|a|b|', '<null>', 'NULL', '\\x27',
        '11111111-1111-1111-1111-111111111111', '2000-01-01', '2000-01-01 00:00:00-12', '01:02:03', 'null')";

const SHOWN: &str = "SELECT id, small, whole, big, exact, money, double, single, flag, words, short, padded, bytes, ident, day, \
    instant, clock, doc FROM ";

async fn sync(definition: &Definition) -> RunReport {
    let look = RowPreviewOptions { look_at_target: true, ..RowPreviewOptions::default() };
    definition.sync(look, Default::default()).finish().await.unwrap()
}

async fn twice(definition: &Definition, what: &str) {
    let first = sync(definition).await;
    assert_eq!((first.counts.new, first.counts.failed), (6, 0), "{what}: {:?}", first.failures);
    let second = sync(definition).await;
    assert!(second.counts.is_quiet(), "{what}: {:?} {:?}", second.counts, second.failures);
    assert_eq!(second.counts.unchanged, 6, "{what}");
}

/// Every column of the source by its name, but for what cannot be mapped back: the key has another name in a list.
fn renamed(names: &[(&str, &str)]) -> Vec<RecordField> {
    let columns = [
        "id", "small", "whole", "big", "exact", "money", "double", "single", "flag", "words", "short", "padded",
        "bytes", "ident", "day", "instant", "clock", "doc",
    ];
    let field = |name: &&str| RecordField {
        source: names.iter().find(|(of, _)| of == name).map_or(*name, |(_, source)| *source).to_owned(),
        target: (*name).to_owned(),
        direction: FieldDirection::Bidirectional,
        transform: None,
    };
    columns.iter().map(field).collect()
}

async fn round(postgres: Arc<Store>, mode: RecordMode) {
    postgres
        .run(&format!("CREATE TABLE torture {TABLE}; CREATE TABLE back {TABLE}; INSERT INTO torture VALUES {ROWS}"))
        .await;
    let world = tokio::task::spawn_blocking(ListWorld::new).await.unwrap();
    let table = |name: &str| RecordPlace::Host {
        name: "postgres".into(),
        endpoint: Arc::clone(&postgres.endpoint),
        table: TableName::new("public", name),
    };
    let copy = world.world.place("copy.db", "torture");
    rusqlite::Connection::open(world.world.path("copy.db")).unwrap();
    let session = world.session();
    let made = || RecordOptions { create: true, ..RecordOptions::default() };
    let connect =
        async |from: RecordPlace, to: RecordPlace, options| session.connect_records(from, to, options).await.unwrap();

    let out = connect(table("torture"), world.list("Out"), RecordOptions { mode, ..made() }).await;
    twice(&out, "PostgreSQL to a list").await;
    let there = RecordOptions { key: vec!["id2".into()], fields: renamed(&[("id", "id2")]), ..made() };
    twice(&connect(world.list("Out"), copy.clone(), there).await, "a list to SQLite").await;
    let home = RecordOptions { key: vec!["id".into()], ..made() };
    twice(&connect(copy, world.list("Home"), home).await, "SQLite to a list").await;
    let back = RecordOptions { key: vec!["id2".into()], fields: renamed(&[("id", "id2")]), ..RecordOptions::default() };
    twice(&connect(world.list("Home"), table("back"), back).await, "a list to PostgreSQL").await;

    let differ = format!("({SHOWN} torture EXCEPT {SHOWN} back) UNION ALL ({SHOWN} back EXCEPT {SHOWN} torture)");
    let crate::fixture::At::Postgres(url) = &postgres.at else { unreachable!("it is PostgreSQL") };
    let rows =
        crate::fixture::connect(url).await.query(&format!("SELECT t::text FROM ({differ}) t"), &[]).await.unwrap();
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(rows.is_empty(), "{mode:?}: {rows:#?}");

    // What a list cannot hold fails its row, and no other.
    postgres
        .run(
            "INSERT INTO torture (id, double) VALUES (100, 'NaN'), (101, 'Infinity'); \
            INSERT INTO torture (id, day) VALUES (102, '1899-12-31'), (103, 'infinity')",
        )
        .await;
    let odd = sync(&out).await;
    assert_eq!((odd.counts.new, odd.counts.failed), (0, 4), "{:?}", odd.failures);
}

#[test]
fn one_way() {
    crate::fixture::postgres("lists::torture::one_way", |postgres| round(postgres, RecordMode::OneWayPush));
}

#[test]
fn both_ways() {
    crate::fixture::postgres("lists::torture::both_ways", |postgres| round(postgres, RecordMode::TwoWay));
}
