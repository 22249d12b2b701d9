//! Every type with its odd values from one product to another and back: the second run writes nothing, and nothing has
//! changed that the way did not have to change.

use std::sync::Arc;

use portbook::bridge::{Definition, RecordField, RecordOptions, RecordPlace, RowPreviewOptions};
use portbook::endpoint::{Endpoint, NewColumn, NewTable, TableName, TableShape};
use portbook::model::{FieldDirection, RecordMode};
use portbook::operation::RunReport;
use portbook::{Book, BookOptions, Session};

use crate::fixture::Store;

/// A table of PostgreSQL with a column of each type that MySQL has, too.
const TABLE: &str = "(id bigint PRIMARY KEY, small smallint, big bigint, exact numeric(38,10), money numeric(10,2), \
    double float8, single float4, flag boolean, words text, short varchar(20), padded char(5), bytes bytea, ident uuid, \
    day date, wall timestamp, instant timestamptz, clock time, doc jsonb)";

/// Rows that both products can hold.
const ROWS: &str = "
    (1, 1, 1, 1.0, 1.00, 1.5, 1.5, true, 'one', 'a', 'ab', '\\x00ff', '00112233-4455-6677-8899-aabbccddeeff',
        '2024-02-29', '2024-02-29 23:59:59.123456', '2024-03-31 01:59:59.5+00', '23:59:59.000001', '{\"b\": 1.0, \"a\": [null]}'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, -32768, -9223372036854775808, -9999999999999999999999999999.9999999999, -99999999.99, -0.0, -0.0, false, '', '', '',
        '\\x', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '1000-01-01', '1000-01-01 00:00:00', '1970-01-01 00:00:01+00',
        '00:00', '[]'),
    (4, 32767, 9223372036854775807, 9999999999999999999999999999.9999999999, 0.10, 1e308, 3.4e38, true,
        E'trailing  ', E'\\u00e9', 'x', '\\x0a', '00000000-0000-0000-0000-000000000000', '9999-12-31',
        '9999-12-31 23:59:59.999999', '2037-12-31 23:59:59.999999+00', '12:00', '9007199254740993'),
    (5, 0, 9007199254740993, 0.0000000001, 0, 0.1, 0.1, false, E'e\\u0301', E'CR\\r\\nLF', 'é', '\\xdeadbeef',
        '123e4567-e89b-12d3-a456-426614174000', '1969-12-31', '1969-12-31 23:59:59', '1999-12-31 23:59:59+14', '00:00:00.5',
        '{\"n\": 12345678901234567890, \"t\": \"\\\\u00e9\"}'),
    (9223372036854775807, 7, 7, 7, 7, 5e-324, 1e-45, true, '|a|b|', '<null>', 'NULL', '\\x27', '11111111-1111-1111-1111-111111111111',
        '2000-01-01', '2000-01-01', '2000-01-01 00:00:00-12', '01:02:03', 'null')";

/// What only PostgreSQL has: each of these fails its row and no other.
const ONLY_POSTGRES: &str = "(100, 1, 1, 1, 1, 'NaN'), (101, 1, 1, 1, 1, 'Infinity'), (102, 1, 1, 'NaN', 1, 1)";

/// Shown in one form: what may not change, however often it crosses.
const SHOWN: &str = "SELECT id, small, big, exact, money, double, single, flag, words, short, padded, bytes, ident, day, \
    wall, instant, clock, doc FROM ";

async fn session() -> (tempfile::TempDir, Session) {
    let dir = tempfile::tempdir().unwrap();
    let book = Book::open(BookOptions::sqlite(dir.path().join("book.db"))).await.unwrap();
    let session = book.default_session().await.unwrap();
    (dir, session)
}

fn at(name: &str, store: &Store, table: &TableName) -> RecordPlace {
    RecordPlace::Host { name: name.into(), endpoint: Arc::clone(&store.endpoint), table: table.clone() }
}

fn fields(shape: &TableShape) -> Vec<RecordField> {
    let field = |name: &String| RecordField {
        source: name.clone(),
        target: name.clone(),
        direction: FieldDirection::Bidirectional,
        transform: None,
    };
    shape.columns.iter().map(|column| field(&column.name)).collect()
}

/// A table of a store for rows like those of the shape.
async fn make(store: &dyn Endpoint, shape: &TableShape) -> TableName {
    let column = |like: &portbook::endpoint::ColumnShape| NewColumn {
        name: like.name.clone(),
        display_name: like.name.clone(),
        like: like.clone(),
        is_indexed: false,
        is_unique: false,
        is_hidden: false,
    };
    let columns = shape.columns.iter().map(column).collect();
    let name = TableName::new("", "torture");
    let table = NewTable { name, description: String::new(), columns, key: vec!["id".into()] };
    store.create(table).await.unwrap().name
}

async fn sync(definition: &Definition) -> RunReport {
    let look = RowPreviewOptions { look_at_target: true, ..RowPreviewOptions::default() };
    definition.sync(look, Default::default()).finish().await.unwrap()
}

async fn there_and_back(postgres: Arc<Store>, mysql: Arc<Store>, mode: RecordMode) {
    postgres
        .run(&format!("CREATE TABLE torture {TABLE}; CREATE TABLE back {TABLE}; INSERT INTO torture VALUES {ROWS}"))
        .await;
    let (_dir, session) = session().await;
    let (source, back) = (TableName::new("public", "torture"), TableName::new("public", "back"));
    let shape = postgres.endpoint.describe(&source).await.unwrap();
    let middle = make(&*mysql.endpoint, &shape).await;
    let options = RecordOptions { mode, fields: fields(&shape), ..RecordOptions::default() };
    let (from, there) = (at("postgres", &postgres, &source), at("mysql", &mysql, &middle));
    let out = session.connect_records(from, there.clone(), options.clone()).await.unwrap();
    let home = session.connect_records(there, at("postgres", &postgres, &back), options).await.unwrap();
    for definition in [&out, &home] {
        let first = sync(definition).await;
        assert_eq!((first.counts.new, first.counts.failed), (6, 0), "{mode:?}: {:?}", first.failures);
        let second = sync(definition).await;
        assert!(second.counts.is_quiet(), "{mode:?}: {:?} {:?}", second.counts, second.failures);
        assert_eq!(second.counts.unchanged, 6);
    }
    let differ = format!("({SHOWN} torture EXCEPT {SHOWN} back) UNION ALL ({SHOWN} back EXCEPT {SHOWN} torture)");
    let client = crate::fixture::connect(match &postgres.at {
        crate::fixture::At::Postgres(url) => url,
        _ => unreachable!("it is PostgreSQL"),
    });
    let rows = client.await.query(&format!("SELECT t::text FROM ({differ}) t"), &[]).await.unwrap();
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(rows.is_empty(), "{mode:?}: {rows:#?}");

    postgres.run(&format!("INSERT INTO torture (id, small, big, exact, money, double) VALUES {ONLY_POSTGRES}")).await;
    let odd = sync(&out).await;
    assert_eq!((odd.counts.new, odd.counts.failed), (0, 3), "{:?}", odd.failures);
    assert!(odd.failures.iter().all(|failure| !failure.error.to_string().is_empty()));
}

/// Between PostgreSQL, where it is there, too, and another server.
async fn beside_postgresql(other: Arc<Store>, name: &'static str, mode: RecordMode) {
    let nested = move || crate::fixture::postgres(name, |postgres| there_and_back(postgres, Arc::clone(&other), mode));
    // A runtime of its own, on a thread of its own.
    tokio::task::spawn_blocking(nested).await.unwrap();
}

pub(crate) async fn one_way(other: Arc<Store>) {
    beside_postgresql(other, "torture::one_way", RecordMode::OneWayPush).await;
}

pub(crate) async fn both_ways(other: Arc<Store>) {
    beside_postgresql(other, "torture::both_ways", RecordMode::TwoWay).await;
}

crate::fixture::on! { [mariadb, mysql] { torture::one_way; torture::both_ways; } }
