//! Changes by a column that every change moves on.

use std::sync::Arc;

use portbook::Code;
use portbook::endpoint::{ChangeScan, ChangeSource, Cursor, Deletions, TableName};
use portbook::model::Datum;

use crate::fixture::{At, Store, connect, names, skip};

async fn table(store: &Store) -> TableName {
    let of = store.word("TIMESTAMP", "timestamp(6)", "DATETIME(6)");
    store.run(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY, at {of})")).await;
    TableName::new("", "t")
}

async fn stamp(store: &Store, id: i32, at: &str) {
    store.run(&format!("DELETE FROM t WHERE id = {id}; INSERT INTO t VALUES ({id}, {at})")).await;
}

/// The ids of what changed, the cursor behind them, and what is said of rows that are gone.
async fn changes(
    store: &Store,
    table: &TableName,
    overlap_ms: u64,
    since: Option<Cursor>,
) -> (Vec<i128>, Cursor, Deletions) {
    let by = ChangeSource::UpdatedAt { column: "at".into(), overlap_ms };
    let (columns, key) = (names(&["id"]), names(&["id"]));
    let scan = ChangeScan { table: table.clone(), columns, key, by, since, page_rows: 2 };
    let mut stream = store.endpoint.changes(scan).await.unwrap();
    assert_eq!(stream.end().unwrap_err().code(), Code::Internal, "it has not ended");
    let mut ids = Vec::new();
    while let Some(page) = stream.next().await.unwrap() {
        assert!(page.rows.len() <= 2 && page.deleted.is_empty());
        ids.extend(page.rows.iter().map(|row| match row.datum(0).unwrap() {
            Datum::Integer(id) => id,
            other => panic!("{other:?}"),
        }));
    }
    ids.sort_unstable();
    let end = stream.end().unwrap();
    (ids, end.cursor, end.deletions)
}

pub(crate) async fn a_cursor_goes_on_behind_what_was_read(store: Arc<Store>) {
    let t = table(&store).await;
    let (ids, cursor, deletions) = changes(&store, &t, 0, None).await;
    assert_eq!((ids, deletions), (vec![], Deletions::ByAbsence));
    for id in 1..=5 {
        stamp(&store, id, &format!("'2024-01-01 00:00:00.00000{id}'")).await;
    }
    stamp(&store, 6, "NULL").await;
    let (ids, cursor, _) = changes(&store, &t, 0, Some(cursor)).await;
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    // What has no time comes each time; what was read does not.
    let (ids, cursor, deletions) = changes(&store, &t, 0, Some(cursor)).await;
    assert_eq!((ids, deletions), (vec![6], Deletions::Unknown));
    // The same microsecond and a later key; a microsecond later and an earlier key.
    stamp(&store, 7, "'2024-01-01 00:00:00.000005'").await;
    let (ids, cursor, _) = changes(&store, &t, 0, Some(cursor)).await;
    assert_eq!(ids, [6, 7]);
    stamp(&store, 2, "'2024-01-01 00:00:00.000006'").await;
    let (ids, cursor, _) = changes(&store, &t, 0, Some(cursor)).await;
    assert_eq!(ids, [2, 6]);
    // A cursor of another column is none of this one.
    store.run("ALTER TABLE t ADD COLUMN other TIMESTAMP").await;
    let by = ChangeSource::UpdatedAt { column: "other".into(), overlap_ms: 0 };
    let (columns, key) = (names(&["id"]), names(&["id"]));
    let scan = ChangeScan { table: t.clone(), columns, key, by, since: Some(cursor), page_rows: 2 };
    assert_eq!(store.endpoint.changes(scan.clone()).await.err().unwrap().code(), Code::Stale);
    let by = ChangeSource::Feed;
    let refused = store.endpoint.changes(ChangeScan { by, since: None, ..scan }).await;
    assert_eq!(refused.err().unwrap().code(), Code::Unsupported);
}

pub(crate) async fn a_cursor_never_goes_back(store: Arc<Store>) {
    let t = table(&store).await;
    stamp(&store, 1, "'2024-01-01 00:00:00'").await;
    stamp(&store, 2, "'2024-01-02 00:00:00'").await;
    let (_, first, _) = changes(&store, &t, 1000, None).await;
    store.run("DELETE FROM t WHERE id = 2").await;
    let (ids, second, _) = changes(&store, &t, 1000, Some(first.clone())).await;
    assert_eq!((ids, &second), (vec![], &first), "the newest row was taken out");
    let (_, third, _) = changes(&store, &t, 1000, Some(second)).await;
    assert_eq!(third, first, "and an overlap does not add up");
    store.run("DELETE FROM t").await;
    assert_eq!(changes(&store, &t, 0, Some(third)).await.1, first);
}

pub(crate) async fn an_overlap_is_read_again(store: Arc<Store>) {
    let t = table(&store).await;
    stamp(&store, 1, "'2024-01-01 00:00:00'").await;
    stamp(&store, 2, "'2024-01-01 00:00:09.5'").await;
    stamp(&store, 3, "'2024-01-01 00:00:10'").await;
    let (_, cursor, _) = changes(&store, &t, 0, None).await;
    assert_eq!(changes(&store, &t, 500, Some(cursor.clone())).await.0, [2, 3]);
    assert_eq!(changes(&store, &t, 499, Some(cursor.clone())).await.0, [3]);
    assert_eq!(changes(&store, &t, 60_000, Some(cursor)).await.0, [1, 2, 3]);
}

pub(crate) async fn a_transaction_that_commits_late_is_not_passed_over(store: Arc<Store>) {
    let At::Postgres(url) = &store.at else { panic!("on PostgreSQL only") };
    store.run("CREATE TABLE t (id int PRIMARY KEY, at timestamptz DEFAULT now())").await;
    let t = TableName::new("", "t");
    let slow = connect(url).await;
    slow.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await.unwrap();
    store.run("INSERT INTO t VALUES (2)").await;
    let (ids, cursor, _) = changes(&store, &t, 0, None).await;
    assert_eq!(ids, [2]);
    slow.batch_execute("COMMIT").await.unwrap();
    let (ids, cursor, _) = changes(&store, &t, 0, Some(cursor)).await;
    assert_eq!(ids, [1, 2], "its time is before that of a row that was read");
    let (ids, cursor, _) = changes(&store, &t, 0, Some(cursor)).await;
    assert_eq!(ids, []);
    // One that has written nothing yet may still write with the time of its beginning.
    slow.batch_execute("BEGIN; SELECT 1").await.unwrap();
    store.run("INSERT INTO t VALUES (4)").await;
    let (_, cursor, _) = changes(&store, &t, 0, Some(cursor)).await;
    slow.batch_execute("INSERT INTO t VALUES (3); COMMIT").await.unwrap();
    assert_eq!(changes(&store, &t, 0, Some(cursor)).await.0, [3, 4]);
}

/// The ids of rows that are there, those of rows that are gone, and the cursor behind them.
async fn logged(store: &Store, since: Option<Cursor>) -> portbook::Result<(Vec<i128>, Vec<i128>, Cursor, Deletions)> {
    let by = ChangeSource::Log { name: slot(store) };
    let (columns, key) = (names(&["id", "name"]), names(&["id"]));
    let scan = ChangeScan { table: TableName::new("public", "t"), columns, key, by, since, page_rows: 2 };
    let mut stream = store.endpoint.changes(scan).await?;
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    while let Some(page) = stream.next().await? {
        for (rows, ids) in [(&page.rows, &mut there), (&page.deleted, &mut gone)] {
            ids.extend(rows.iter().map(|row| match row.datum(0).unwrap() {
                Datum::Integer(id) => id,
                other => panic!("{other:?}"),
            }));
        }
    }
    // One may come several times.
    for ids in [&mut there, &mut gone] {
        ids.sort_unstable();
        ids.dedup();
    }
    let end = stream.end()?;
    Ok((there, gone, end.cursor, end.deletions))
}

fn slot(store: &Store) -> String {
    format!("capture_{}", store.options.database)
}

pub(crate) async fn the_log_tells_of_every_change(store: Arc<Store>) {
    let At::Postgres(url) = &store.at else { panic!("on PostgreSQL only") };
    let client = connect(url).await;
    let level: String = client.query_one("SHOW wal_level", &[]).await.unwrap().get(0);
    if level != "logical" {
        return skip("postgres::the_log_tells_of_every_change", "the server's wal_level is not logical");
    }
    // A text that lies beside the table, and is left out of the log when it does not change.
    let name = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i)";
    store
        .run(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, name text, n int); ALTER TABLE t ALTER name SET STORAGE EXTERNAL;
             CREATE TABLE other (id int PRIMARY KEY); INSERT INTO t SELECT i, {name}, 0 FROM generate_series(1, 5) i"
        ))
        .await;
    let (there, gone, first, deletions) = logged(&store, None).await.unwrap();
    assert_eq!((there, gone, deletions), (vec![1, 2, 3, 4, 5], vec![], Deletions::ByAbsence));
    store
        .run(
            "UPDATE t SET n = 1 WHERE id = 1; UPDATE t SET n = 2 WHERE id = 1; DELETE FROM t WHERE id = 2;
             UPDATE t SET id = 30 WHERE id = 3; INSERT INTO t VALUES (6), (7); DELETE FROM t WHERE id = 7;
             INSERT INTO other VALUES (100)",
        )
        .await;
    store.run("BEGIN; DELETE FROM t; ROLLBACK").await;
    let (there, gone, second, deletions) = logged(&store, Some(first.clone())).await.unwrap();
    assert_eq!((there, gone, deletions), (vec![1, 6, 30], vec![2, 3, 7], Deletions::Listed));
    // Whoever did not keep the cursor reads the same again.
    let (there, gone, ..) = logged(&store, Some(first.clone())).await.unwrap();
    assert_eq!((there, gone), (vec![1, 6, 30], vec![2, 3, 7]));
    // Whoever did reads what came after.
    store.run("INSERT INTO t VALUES (8)").await;
    let (there, gone, third, _) = logged(&store, Some(second)).await.unwrap();
    assert_eq!((there, gone), (vec![8], vec![]));
    // What was passed over cannot be read again.
    assert_eq!(logged(&store, Some(first)).await.unwrap_err().code(), Code::Stale);
    store.run("TRUNCATE t").await;
    assert_eq!(logged(&store, Some(third.clone())).await.unwrap_err().code(), Code::Stale);
    store.run(&format!("SELECT pg_drop_replication_slot('{}')", slot(&store))).await;
    assert_eq!(logged(&store, Some(third)).await.unwrap_err().code(), Code::Stale);
}
