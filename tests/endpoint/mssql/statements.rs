//! The text of every statement, as it is checked in beside this file; a parser of T-SQL that nobody here wrote reads it.

use std::fmt::Write as _;
use std::process::Command;
use std::sync::{Arc, Mutex};

use portbook::endpoint::{
    ChangeScan, ChangeSource, ContentGuard, Cursor, Endpoint, Expect, NewTable, RowAction, TableName, WriteBatch,
};
use portbook::identity::{ContentHasher, RowBatch};
use portbook::model::{CursorType, Datum, DatumKind, Tick};

use super::{Table, column, run, scripted, t};
use crate::fixture::{integer, names, new_column, scan_of, text};
use crate::service::Service;
use crate::tds::{Answer, Cell, Request, Type};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/endpoint/mssql/statements.sql");

/// A key of two columns, one of them text; names and types that want care.
fn table() -> Table {
    let mut columns = vec![
        column("code", "varchar", (10, 0, 0)),
        column("n]o", "bigint", (8, 19, 0)),
        column("note", "nvarchar", (-1, 0, 0)),
        column("price", "money", (8, 19, 4)),
        column("at", "datetime2", (8, 27, 7)),
        column("rank", "timestamp", (8, 0, 0)),
        column("file", "varbinary", (-1, 0, 0)),
    ];
    columns[1].is_identity = true;
    Table::keyed(columns, &["code", "n]o"])
}

fn key() -> Vec<String> {
    names(&["code", "n]o"])
}

fn keys(count: i128) -> RowBatch {
    RowBatch::of(2, &(0..count).map(|n| vec![text("A"), integer(n)]).collect::<Vec<_>>()).unwrap()
}

fn values(count: i128) -> RowBatch {
    let row = |n: i128| vec![text("ä"), Datum::Decimal("1.5".parse().unwrap()), Datum::Bytes(vec![n as u8])];
    RowBatch::of(3, &(0..count).map(row).collect::<Vec<_>>()).unwrap()
}

fn script(request: &Request) -> Option<Answer> {
    let sql = request.sql()?;
    let (int, big) = (Type::INT, Type::BIGINT);
    if sql.starts_with("INSERT") {
        // The row that is at fault is looked for.
        return Some(match request.values().len() {
            10 => Answer::fails(2627, 14, "Violation of PRIMARY KEY constraint 'PK_t'."),
            count => Answer::rows(&[("", int)], vec![vec![Cell::Int(count as i64 / 5)]]),
        });
    }
    if sql.contains("CHANGE_TRACKING_CURRENT_VERSION") {
        return Some(Answer::rows(&[("", big), ("", big)], vec![vec![Cell::Int(9), Cell::Int(0)]]));
    }
    let bound = || Answer::rows(&[("", big)], vec![vec![Cell::Int(7)]]);
    (sql.contains("MIN_ACTIVE") || sql.contains("COUNT_BIG")).then(bound)
}

/// Takes down what is said from here on, each statement when it is said first.
struct Notes {
    server: crate::tds::TdsServer,
    heard: Mutex<usize>,
    text: Mutex<String>,
}

impl Notes {
    fn take(&self, title: &str) {
        let (mut heard, mut text) = (self.heard.lock().unwrap(), self.text.lock().unwrap());
        let statements = self.server.statements();
        writeln!(text, "-- {title}").unwrap();
        for (at, sql) in statements.iter().enumerate().skip(*heard) {
            if !statements[..at].contains(sql) {
                writeln!(text, "{sql};").unwrap();
            }
        }
        writeln!(text).unwrap();
        *heard = statements.len();
    }
}

async fn drain_changes(endpoint: &Arc<dyn Endpoint>, by: ChangeSource, since: Option<Cursor>) -> Cursor {
    let columns = names(&["code", "n]o", "price"]);
    let scan = ChangeScan { table: t(), columns, key: key(), by, since, page_rows: 10 };
    let mut stream = endpoint.changes(scan).await.unwrap();
    while stream.next().await.unwrap().is_some() {}
    stream.end().unwrap().cursor
}

async fn write(endpoint: &Arc<dyn Endpoint>, action: RowAction) {
    endpoint.write(WriteBatch { table: t(), key: key(), action }).await.unwrap();
}

async fn everything() -> String {
    let (server, endpoint) = scripted(table(), script);
    let notes = Notes { server, heard: Mutex::new(0), text: Mutex::default() };
    endpoint.probe().await.unwrap();
    notes.take("what every session is told, and whether the server answers");
    endpoint.tables().await.unwrap();
    notes.take("the tables");
    endpoint.describe(&t()).await.unwrap();
    notes.take("what a table looks like");
    endpoint.count(&t()).await.unwrap();
    notes.take("how many rows it has");
    let all = ["code", "n]o", "note", "price", "at", "rank", "file"];
    let mut stream = endpoint.scan(scan_of(&t(), &all)).await.unwrap();
    while stream.next().await.unwrap().is_some() {}
    notes.take("all of it");
    endpoint.fetch(&t(), &names(&["note"]), &key(), &keys(2)).await.unwrap();
    notes.take("rows by their keys");
    let columns = names(&["note", "price", "file"]);
    let given = [key(), columns.clone()].concat();
    let rows: Vec<_> =
        (0..2).map(|n| [keys(2).row(n).data().unwrap(), values(2).row(n).data().unwrap()].concat()).collect();
    let rows = RowBatch::of(5, &rows).unwrap();
    write(&endpoint, RowAction::Insert { columns: given, rows }).await;
    notes.take("rows are made, one of them by a number that the server would give, and both again, as one is there");
    write(&endpoint, RowAction::Update { keys: keys(2), columns, rows: values(2), expect: Expect::Any }).await;
    notes.take("rows are changed");
    let hasher = ContentHasher::new(&["note"]).unwrap();
    let known = hasher.hash(values(1).row(0).values(0..1));
    let hash = Arc::new(move |row: portbook::identity::RowRef<'_>| Ok(hasher.hash(row.values(0..1))));
    let guard = ContentGuard { columns: names(&["note"]), hash, expected: vec![Some(known)] };
    write(&endpoint, RowAction::Delete { keys: keys(1), expect: Expect::Content(guard) }).await;
    notes.take("a row is compared, and not there any more");
    write(&endpoint, RowAction::Delete { keys: keys(2), expect: Expect::Any }).await;
    notes.take("rows are taken out");
    let by = |column: &str, overlap_ms| ChangeSource::UpdatedAt { column: column.into(), overlap_ms };
    drain_changes(&endpoint, by("rank", 0), None).await;
    notes.take("changes by a rowversion, for the first time");
    // As it is written down: a value, and a key behind it.
    let digits = |value: &Datum| portbook::identity::encode(value).iter().map(|byte| format!("{byte:02x}")).collect();
    let cursor = |column: &str, at: Datum, key: &[Datum]| {
        let (at, key): (String, Vec<String>) = (digits(&at), key.iter().map(digits).collect());
        let value = serde_json::json!({"v": 1, "column": column, "at": at, "key": key}).to_string();
        Some(Cursor { cursor_type: CursorType::Timestamp, value })
    };
    drain_changes(&endpoint, by("rank", 0), cursor("rank", integer(7), &[text("A"), integer(1)])).await;
    notes.take("changes by a rowversion, behind a row");
    let at = Datum::Timestamp(Tick { seconds: 1_709_251_199, nanos: 0 });
    drain_changes(&endpoint, by("at", 1000), cursor("at", at, &[text("A"), integer(1)])).await;
    notes.take("changes by a time, with an overlap");
    let log = ChangeSource::Log { name: "any".into() };
    let first = drain_changes(&endpoint, log.clone(), None).await;
    drain_changes(&endpoint, log, Some(first)).await;
    notes.take("changes by Change Tracking, for the first time and after it");
    use DatumKind as K;
    let kinds = [
        K::Integer,
        K::Boolean,
        K::Decimal,
        K::Float,
        K::Text,
        K::Bytes,
        K::Uuid,
        K::Date,
        K::Time,
        K::Timestamp,
        K::Instant,
        K::Json,
    ];
    let mut columns: Vec<_> = kinds.iter().map(|kind| new_column(&format!("c_{kind}"), *kind)).collect();
    columns.push(new_column("id", DatumKind::Integer));
    columns[0].is_indexed = true;
    let mut marker = new_column("marker", DatumKind::Text);
    (marker.is_unique, marker.like.max_length) = (true, Some(64));
    let mut short = new_column("it's", DatumKind::Text);
    (short.like.max_length, short.like.is_nullable, short.is_unique) = (Some(5), false, true);
    short.like.collation.ignores_case = true;
    columns.extend([marker, short]);
    let name = TableName::new("dbo", "made]");
    endpoint.create(NewTable { name, description: "it's made".into(), columns, key: names(&["id"]) }).await.unwrap();
    notes.take("a table is made");
    notes.text.into_inner().unwrap()
}

#[test]
fn the_statements_are_those_that_are_checked_in() {
    run(async {
        let said = everything().await;
        if std::env::var_os("PORTBOOK_WRITE_STATEMENTS").is_some() {
            std::fs::write(FILE, &said).unwrap();
        }
        let known = std::fs::read_to_string(FILE).unwrap_or_default();
        assert!(said == known, "statements.sql says something else; this is said:\n{said}");
    });
}

#[test]
fn a_parser_of_others_reads_the_statements() {
    let Some(python) = Service::start("pytds", &[]) else { return };
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/endpoint/mssql/parse.py");
    let ran = Command::new(&python.address).args([program, FILE]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
}
