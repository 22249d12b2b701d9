//! Reading tables.

use std::collections::HashSet;
use std::sync::Arc;

use portbook::Code;
use portbook::endpoint::{Scan, TableName};
use portbook::identity::RowBatch;
use portbook::model::{Datum, DatumKind};

use crate::fixture::{Store, data, integer, names, scan_of, text, words};

const COLUMNS: &[(&str, DatumKind)] = &[("id", DatumKind::Integer), ("name", DatumKind::Text)];

pub(crate) async fn a_table_without_rows_has_no_pages(store: Arc<Store>) {
    let table = store.table("empty", COLUMNS).await;
    let mut stream = store.endpoint.scan(scan_of(&table, &["id"])).await.unwrap();
    assert!(stream.next().await.unwrap().is_none());
    assert!(stream.next().await.unwrap().is_none(), "and it stays at its end");
    assert_eq!(store.endpoint.count(&table).await.unwrap(), 0);
}

pub(crate) async fn a_column_that_cannot_be_read_is_refused_at_once(store: Arc<Store>) {
    let uncarried = store.word("POINT", "point", "point");
    store.run(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY, place {uncarried})")).await;
    let table = TableName::new("", "t");
    let code = |columns: &'static [&'static str]| {
        let (endpoint, scan) = (Arc::clone(&store.endpoint), scan_of(&table, columns));
        async move { endpoint.scan(scan).await.err().unwrap().code() }
    };
    assert_eq!(code(&["id", "nothing"]).await, Code::Invalid);
    assert_eq!(code(&["id", "place"]).await, Code::Unsupported);
    assert!(store.endpoint.scan(scan_of(&table, &["id"])).await.is_ok(), "the others are read");
}

async fn filled(store: &Store, rows: i128) -> TableName {
    let table = store.table("many", COLUMNS).await;
    let all: Vec<_> = (0..rows).map(|id| vec![integer(id), text(&format!("row {id}"))]).collect();
    for some in all.chunks(5000) {
        let outcomes = store.insert(&table, &["id", "name"], some).await;
        assert!(words(&outcomes).iter().all(|word| *word == "written"));
    }
    table
}

async fn ids(store: &Store, scan: Scan) -> Vec<Datum> {
    let most = scan.page_rows;
    let mut stream = store.endpoint.scan(scan).await.unwrap();
    let mut ids = Vec::new();
    while let Some(page) = stream.next().await.unwrap() {
        assert!(!page.rows.is_empty() && page.rows.len() <= most);
        ids.extend(data(&page).into_iter().map(|row| row[0].clone()));
    }
    ids
}

pub(crate) async fn a_hundred_thousand_rows_come_in_pages_and_each_once(store: Arc<Store>) {
    let table = filled(&store, 100_000).await;
    assert_eq!(store.endpoint.count(&table).await.unwrap(), 100_000);
    for (page_rows, parallel) in [(999, 1), (4096, 8)] {
        let scan = Scan { page_rows, parallel, ..scan_of(&table, &["id", "name"]) };
        let ids = ids(&store, scan).await;
        let distinct: HashSet<_> = ids.iter().map(portbook::identity::encode).collect();
        assert_eq!((ids.len(), distinct.len()), (100_000, 100_000));
    }
}

pub(crate) async fn a_scan_is_of_one_moment(store: Arc<Store>) {
    let table = filled(&store, 20_000).await;
    let mut stream = store.endpoint.scan(Scan { page_rows: 10, ..scan_of(&table, &["id"]) }).await.unwrap();
    let mut seen = stream.next().await.unwrap().unwrap().rows.len();
    store.run("DELETE FROM many WHERE id >= 10").await;
    while let Some(page) = stream.next().await.unwrap() {
        seen += page.rows.len();
    }
    assert_eq!(seen, 20_000);
    assert_eq!(store.endpoint.count(&table).await.unwrap(), 10);
}

pub(crate) async fn readers_of_ranges_share_a_snapshot(store: Arc<Store>) {
    store.run("CREATE TABLE wide AS SELECT i AS id, repeat('x', 200) AS name FROM generate_series(1, 200000) i").await;
    let table = TableName::new("", "wide");
    let scan = Scan { page_rows: 100, parallel: 4, ..scan_of(&table, &["id"]) };
    let mut stream = store.endpoint.scan(scan).await.unwrap();
    let mut ids: HashSet<Vec<u8>> = HashSet::new();
    let mut pages = 0;
    while let Some(page) = stream.next().await.unwrap() {
        if pages == 0 {
            store
                .run(
                    "DELETE FROM wide WHERE id % 2 = 0; INSERT INTO wide SELECT -i, '' FROM generate_series(1, 1000) i",
                )
                .await;
        }
        pages += 1;
        ids.extend(page.rows.iter().map(|row| row.value(0).to_vec()));
    }
    assert_eq!(ids.len(), 200_000);
}

pub(crate) async fn rows_are_fetched_by_their_keys(store: Arc<Store>) {
    let table = filled(&store, 100).await;
    let keys = |of: &[Datum]| RowBatch::of(1, &of.iter().map(|key| vec![key.clone()]).collect::<Vec<_>>()).unwrap();
    let (columns, key) = (names(&["name", "id"]), names(&["id"]));
    let wanted = keys(&[integer(7), integer(1_000), Datum::Null, integer(99)]);
    let page = store.endpoint.fetch(&table, &columns, &key, &wanted).await.unwrap();
    let mut found = data(&page);
    found.sort_by_key(|row| format!("{row:?}"));
    assert_eq!(found, [vec![text("row 7"), integer(7)], vec![text("row 99"), integer(99)]]);
    // A number that no column of the store holds is the key of no row.
    let wanted = keys(&[integer(1 << 100), integer(3)]);
    let page = store.endpoint.fetch(&table, &columns, &key, &wanted).await.unwrap();
    assert_eq!(data(&page), [vec![text("row 3"), integer(3)]]);
    assert!(store.endpoint.fetch(&table, &columns, &key, &keys(&[])).await.unwrap().rows.is_empty());
}
