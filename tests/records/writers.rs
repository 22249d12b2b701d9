//! Many writers at once, each holding its row back for a while: a cursor that goes by the time of a row must not pass a row that
//! is not there yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portbook::bridge::{RecordCursor, RecordOptions, RecordPlace};
use portbook::endpoint::TableName;
use portbook::{Book, BookOptions};

use crate::fixture::{At, Store};
use crate::two_way::Random;

/// Writers in all, and how many of them have a connection at once.
const WRITERS: u64 = 1000;
const AT_ONCE: u64 = 25;

const ON_POSTGRES: &str = "CREATE TABLE notes (id bigint PRIMARY KEY, body text, changed timestamptz NOT NULL)";
const ON_MYSQL: &str = "CREATE TABLE notes (id bigint PRIMARY KEY, body text, changed datetime(6) NOT NULL)";

/// One connection's share of the writers. The time is that of the beginning of the transaction, as `now()` has it; what comes
/// later commits earlier.
async fn write(store: Arc<Store>, share: u64) {
    let mut random = Random(share + 1);
    let ids = (0..WRITERS).filter(|id| id % AT_ONCE == share);
    match &store.at {
        At::Postgres(url) => {
            let client = crate::fixture::connect(url).await;
            for id in ids {
                let hold = random.below(60);
                client.batch_execute(&format!("BEGIN; INSERT INTO notes VALUES ({id}, 'a', now())")).await.unwrap();
                tokio::time::sleep(Duration::from_millis(hold)).await;
                client.batch_execute("COMMIT").await.unwrap();
            }
        }
        At::MySql(_, url) => {
            use mysql_async::prelude::Queryable as _;
            let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
            for id in ids {
                let hold = random.below(60);
                conn.query_drop("BEGIN").await.unwrap();
                conn.query_drop(format!("INSERT INTO notes VALUES ({id}, 'a', utc_timestamp(6))")).await.unwrap();
                tokio::time::sleep(Duration::from_millis(hold)).await;
                conn.query_drop("COMMIT").await.unwrap();
            }
            conn.disconnect().await.unwrap();
        }
        At::File(_) => unreachable!("writers are on servers"),
    }
}

async fn nothing_is_lost(source: Arc<Store>, table: &'static str, overlap: Duration) {
    source.run(table).await;
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.db");
    let target = rusqlite::Connection::open(&copy).unwrap();
    target.execute_batch("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, changed TIMESTAMPTZ)").unwrap();
    let book = Book::open(BookOptions::sqlite(dir.path().join("book.db"))).await.unwrap();
    let session = book.default_session().await.unwrap();
    let schema = if matches!(source.at, At::Postgres(_)) { "public" } else { "" };
    let from = RecordPlace::Host {
        name: "writers".into(),
        endpoint: Arc::clone(&source.endpoint),
        table: TableName::new(schema, "notes"),
    };
    let to = format!("sqlite://{}/notes", copy.display()).parse().unwrap();
    let field = |name: &str| portbook::bridge::RecordField {
        source: name.into(),
        target: name.into(),
        direction: portbook::model::FieldDirection::Bidirectional,
        transform: None,
    };
    let cursor = RecordCursor::Column { column: "changed".into(), overlap };
    let options = RecordOptions { cursor, fields: vec![field("id"), field("body")], ..RecordOptions::default() };
    let definition = session.connect_records(from, to, options).await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let writers = {
        let ended = Arc::clone(&ended);
        tokio::spawn(async move {
            let writers: Vec<_> = (0..AT_ONCE).map(|share| tokio::spawn(write(Arc::clone(&source), share))).collect();
            for writer in writers {
                writer.await.unwrap();
            }
            ended.store(true, Ordering::SeqCst);
        })
    };
    let mut runs = 0;
    while !ended.load(Ordering::SeqCst) {
        definition.sync(Default::default(), Default::default()).finish().await.unwrap();
        runs += 1;
    }
    writers.await.unwrap();
    definition.sync(Default::default(), Default::default()).finish().await.unwrap();
    let arrived: i64 = target.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap();
    assert!(runs > 3, "the writers were too quick to be overtaken: {runs}");
    assert_eq!(arrived, WRITERS as i64, "after {runs} runs");
}

pub(crate) async fn postgresql_says_how_far_it_is_safe_to_read(source: Arc<Store>) {
    nothing_is_lost(source, ON_POSTGRES, Duration::ZERO).await;
}

pub(crate) async fn elsewhere_the_overlap_covers_what_is_held_back(source: Arc<Store>) {
    nothing_is_lost(source, ON_MYSQL, Duration::from_secs(30)).await;
}

crate::fixture::on! { [postgres] { writers::postgresql_says_how_far_it_is_safe_to_read; } }
crate::fixture::on! { [mariadb, mysql] { writers::elsewhere_the_overlap_covers_what_is_held_back; } }
