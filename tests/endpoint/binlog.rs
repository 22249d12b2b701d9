//! Changes by the binary log of MySQL and MariaDB.

use std::collections::BTreeSet;
use std::sync::Arc;

use mysql_async::prelude::Queryable as _;
use portbook::Code;
use portbook::endpoint::{ChangeScan, ChangeSource, Cursor, Deletions, TableName};
use portbook::model::{CursorType, Datum};

use crate::fixture::{At, Flavour, Store, integer, names, text};

/// The rows that are there, the keys of rows that are gone, and the cursor behind them.
pub(crate) type Read = (Vec<Vec<Datum>>, Vec<Vec<Datum>>, Cursor, Deletions);

pub(crate) async fn logged(store: &Store, key: &[&str], since: Option<Cursor>) -> portbook::Result<Read> {
    let by = ChangeSource::Log { name: "any".into() };
    let (columns, key) = (names(key), names(key));
    let scan = ChangeScan { table: TableName::new("", "t"), columns, key, by, since, page_rows: 2 };
    let mut stream = store.endpoint.changes(scan).await?;
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    while let Some(page) = stream.next().await? {
        assert!(page.refused.is_empty());
        there.extend(page.rows.iter().map(|row| row.data().unwrap()));
        gone.extend(page.deleted.iter().map(|row| row.data().unwrap()));
    }
    // One may come several times.
    for rows in [&mut there, &mut gone] {
        rows.sort_by_key(|row| row.iter().flat_map(portbook::identity::encode).collect::<Vec<u8>>());
        rows.dedup();
    }
    let end = stream.end()?;
    Ok((there, gone, end.cursor, end.deletions))
}

pub(crate) fn ids(ids: &[i128]) -> Vec<Vec<Datum>> {
    ids.iter().map(|id| vec![integer(*id)]).collect()
}

pub(crate) async fn stale(store: &Store, since: &Cursor) -> bool {
    match logged(store, &["id"], Some(since.clone())).await {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.code(), Code::Stale, "{error}");
            true
        }
    }
}

pub(crate) async fn the_log_tells_of_every_change(store: Arc<Store>) {
    store
        .run(
            "CREATE TABLE t (id INT PRIMARY KEY, name LONGTEXT, n INT); CREATE TABLE other (id INT PRIMARY KEY);
             INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0), (3, 'c', 0), (4, 'd', 0), (5, 'e', 0)",
        )
        .await;
    let (there, gone, first, deletions) = logged(&store, &["id"], None).await.unwrap();
    assert_eq!((there, gone, deletions), (ids(&[1, 2, 3, 4, 5]), ids(&[]), Deletions::ByAbsence));
    store
        .run(
            "UPDATE t SET n = 1 WHERE id = 1; UPDATE t SET n = 2 WHERE id = 1; DELETE FROM t WHERE id = 2;
             FLUSH BINARY LOGS; UPDATE t SET id = 30 WHERE id = 3; INSERT INTO t VALUES (6, '', 0), (7, '', 0);
             FLUSH BINARY LOGS; DELETE FROM t WHERE id = 7; INSERT INTO other VALUES (100);
             BEGIN; DELETE FROM t; ROLLBACK",
        )
        .await;
    let (there, gone, second, deletions) = logged(&store, &["id"], Some(first.clone())).await.unwrap();
    assert_eq!((there, gone, deletions), (ids(&[1, 6, 30]), ids(&[2, 3, 7]), Deletions::Listed));
    // Whoever did not keep the cursor reads the same again.
    let (there, gone, ..) = logged(&store, &["id"], Some(first)).await.unwrap();
    assert_eq!((there, gone), (ids(&[1, 6, 30]), ids(&[2, 3, 7])));
    // Whoever did reads what came after.
    let (there, gone, third, _) = logged(&store, &["id"], Some(second)).await.unwrap();
    assert_eq!((there, gone), (ids(&[]), ids(&[])));
    store.run("INSERT INTO t VALUES (8, '', 0)").await;
    assert_eq!(logged(&store, &["id"], Some(third.clone())).await.unwrap().0, ids(&[8]));
    let other = Cursor { cursor_type: CursorType::Timestamp, ..third };
    assert!(stale(&store, &other).await);
}

pub(crate) async fn what_the_log_does_not_say_row_by_row_makes_it_stale(store: Arc<Store>) {
    for change in [
        "ALTER TABLE t ADD m INT FIRST",
        "TRUNCATE TABLE t",
        "SET SESSION binlog_format = 'STATEMENT'; UPDATE t SET n = n + 1",
        "RENAME TABLE t TO u; CREATE TABLE t (id INT PRIMARY KEY, n INT)",
    ] {
        store.run("DROP TABLE IF EXISTS t, u; CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
        store.run("INSERT INTO t VALUES (1, 0), (2, 0)").await;
        let first = logged(&store, &["id"], None).await.unwrap().2;
        store.run("INSERT INTO t VALUES (3, 0)").await;
        store.run(change).await;
        assert!(stale(&store, &first).await, "{change}");
        // Read as a whole once, it goes on.
        let next = logged(&store, &["id"], None).await.unwrap().2;
        store.run("INSERT INTO t (id) VALUES (9)").await;
        assert_eq!(logged(&store, &["id"], Some(next)).await.unwrap().0, ids(&[9]), "{change}");
    }
}

pub(crate) async fn keys_of_every_legible_type_are_read_from_the_log(store: Arc<Store>) {
    let columns = [
        ("a", "BIGINT UNSIGNED", "18446744073709551615"),
        ("b", "SMALLINT UNSIGNED", "65535"),
        ("c", "TINYINT", "-128"),
        ("d", "MEDIUMINT UNSIGNED", "16777215"),
        ("e", "DECIMAL(20,5)", "-123456789012345.67890"),
        ("f", "VARCHAR(20)", "'ä名🙂 '"),
        ("g", "CHAR(5)", "'ab'"),
        ("h", "BINARY(4)", "x'01ff0000'"),
        ("i", "VARBINARY(4)", "x'01ff0000'"),
        ("j", "DATE", "'1969-12-31'"),
        ("k", "DATETIME(6)", "'2024-02-29 23:59:59.123456'"),
        ("l", "TIMESTAMP(3)", "'2024-02-29 23:59:59.250'"),
        ("m", "TIME(2)", "'23:59:59.25'"),
        ("n", "YEAR", "2024"),
        ("o", "BIT(12)", "b'111100001111'"),
        ("p", "INT UNSIGNED", "4294967295"),
    ];
    for (name, of, literal) in columns {
        store.run(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t ({name} {of} PRIMARY KEY, x INT)")).await;
        let first = logged(&store, &[name], None).await.unwrap().2;
        store.run(&format!("INSERT INTO t VALUES ({literal}, 1)")).await;
        let (there, gone, second, _) = logged(&store, &[name], Some(first)).await.unwrap();
        assert_eq!((there.len(), gone.len()), (1, 0), "{of}: {there:?} {gone:?}");
        store.run("DELETE FROM t").await;
        let (none, gone, ..) = logged(&store, &[name], Some(second)).await.unwrap();
        assert_eq!((none.len(), gone), (0, there), "{of}");
    }
    for (of, what) in [
        ("VARCHAR(9) CHARACTER SET latin1", "another character set"),
        ("ENUM('a', 'b')", "an enumeration"),
        ("SET('a', 'b')", "another form"),
    ] {
        store.run(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (id {of} PRIMARY KEY)")).await;
        let error = logged(&store, &["id"], None).await.unwrap_err();
        assert_eq!(error.code(), Code::Unsupported);
        assert!(error.to_string().contains(what), "{error}");
    }
}

pub(crate) async fn a_key_that_was_written_otherwise_is_not_gone(store: Arc<Store>) {
    store.run("CREATE TABLE t (id VARCHAR(9) COLLATE utf8mb4_general_ci PRIMARY KEY)").await;
    store.run("INSERT INTO t VALUES ('a'), ('b'), ('c')").await;
    let first = logged(&store, &["id"], None).await.unwrap().2;
    store
        .run("UPDATE t SET id = 'A' WHERE id = 'a'; UPDATE t SET id = 'd' WHERE id = 'b'; DELETE FROM t WHERE id = 'c'")
        .await;
    let (there, gone, ..) = logged(&store, &["id"], Some(first)).await.unwrap();
    let words = |words: &[&str]| words.iter().map(|word| vec![text(word)]).collect::<Vec<_>>();
    assert_eq!((there, gone), (words(&["A", "d"]), words(&["b", "c"])));
}

/// Writers that commit whenever they like, and a reader who goes on from where it ended.
pub(crate) async fn nobody_who_commits_is_passed_over(store: Arc<Store>) {
    const WRITERS: i32 = 8;
    const ROWS: i32 = 150;
    store.run("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let At::MySql(_, url) = &store.at else { panic!("on MySQL and MariaDB only") };
    let writers = (0..WRITERS).map(|writer| {
        let url = url.clone();
        tokio::spawn(async move {
            let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
            for row in 0..ROWS {
                let id = writer * ROWS + row;
                // Long ones and short ones, some of which take something back.
                conn.query_drop("BEGIN").await.unwrap();
                conn.query_drop(format!("INSERT INTO t VALUES ({id}, 0)")).await.unwrap();
                if row % 7 == 0 {
                    conn.query_drop("DO SLEEP(0.01)").await.unwrap();
                }
                conn.query_drop("COMMIT").await.unwrap();
                if row % 10 == 3 {
                    conn.query_drop(format!("DELETE FROM t WHERE id = {}", id - 1)).await.unwrap();
                }
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let (mut known, mut cursor) = (BTreeSet::new(), None);
    loop {
        let is_last = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let (there, gone, next, _) = logged(&store, &["id"], cursor).await.unwrap();
        let number = |row: &Vec<Datum>| match row[0] {
            Datum::Integer(id) => id,
            ref other => panic!("{other:?}"),
        };
        // What the last page says counts; a row here is deleted for good.
        known.extend(there.iter().map(number));
        known.retain(|id| !gone.iter().any(|row| number(row) == *id));
        cursor = Some(next);
        if is_last {
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let table = TableName::new("", "t");
    let (rows, _) = store.rows(&table, &["id"]).await;
    let expected: BTreeSet<i128> =
        rows.into_iter().map(|row| if let Datum::Integer(id) = row[0] { id } else { 0 }).collect();
    assert_eq!(expected.len() as i32, WRITERS * (ROWS - ROWS / 10));
    assert_eq!(known, expected);
}

/// Beside columns of every type, hidden ones and computed ones: a row of the log has no names, and no lengths.
pub(crate) async fn keys_are_found_among_columns_of_every_type(store: Arc<Store>) {
    let functional = match store.flavour() {
        Flavour::MySql => ", KEY lowered ((lower(c12)))",
        Flavour::MariaDb => "",
    };
    store
        .run(&format!(
            "CREATE TABLE t (c0 TINYINT UNSIGNED, c1 YEAR, c2 BIT(12), c3 DECIMAL(65,30) UNSIGNED, c4 FLOAT UNSIGNED, c5 DOUBLE,
                 c6 MEDIUMINT UNSIGNED, k1 BIGINT UNSIGNED NOT NULL, c7 DATE, c8 TIME(2), c9 DATETIME(6), c10 TIMESTAMP(3) NULL,
                 c11 CHAR(255), c12 VARCHAR(300) CHARACTER SET latin1, c13 TINYBLOB, c14 LONGTEXT, c15 ENUM('a', 'é'),
                 c16 SET('a', 'b', 'c'), c17 JSON, c18 GEOMETRY, k2 VARCHAR(20) COLLATE utf8mb4_bin NOT NULL,
                 c19 INT AS (c0 + 1) VIRTUAL, c20 INT AS (c0 + 2) STORED, c21 BINARY(3), c22 SMALLINT UNSIGNED,
                 PRIMARY KEY (k1, k2){functional})"
        ))
        .await;
    let key = |number: u64| vec![integer(number.into()), text("ä🙂")];
    let columns =
        "c0, c1, c2, c3, c4, c5, c6, k1, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, k2, c21, c22";
    let values = |number: u64| {
        format!(
            "(200, 2024, b'1', 1.5, 0.5, -1e300, 16777215, {number}, '2024-02-29', '23:59:59.25', '2024-02-29 23:59:59.123456',
              '2024-02-29 23:59:59.5', 'x', 'é', x'00ff', REPEAT('y', 70000), 'é', 'a,c', '{{\"a\": [1, 2.5, null, \"b\"]}}',
              ST_GeomFromText('POINT(1 2)'), 'ä🙂', x'0102', 65535)"
        )
    };
    let first = logged(&store, &["k1", "k2"], None).await.unwrap().2;
    store.run(&format!("INSERT INTO t ({columns}) VALUES {}, {}", values(u64::MAX), values(1))).await;
    let (there, gone, second, _) = logged(&store, &["k1", "k2"], Some(first)).await.unwrap();
    assert_eq!((there, gone), (vec![key(1), key(u64::MAX)], vec![]));
    // With everything else unknown.
    let unknown: Vec<_> =
        columns.split(", ").filter(|name| name.starts_with('c')).map(|name| format!("{name} = NULL")).collect();
    store.run(&format!("UPDATE t SET {} WHERE k1 = 1; DELETE FROM t WHERE k1 > 1", unknown.join(", "))).await;
    let (there, gone, ..) = logged(&store, &["k1", "k2"], Some(second)).await.unwrap();
    assert_eq!((there, gone), (vec![key(1)], vec![key(u64::MAX)]));
}

/// A session may leave out of its rows what the server's setting would have there.
pub(crate) async fn sessions_that_leave_columns_out_are_understood(store: Arc<Store>) {
    store.run("CREATE TABLE t (a INT, b LONGTEXT, id INT PRIMARY KEY, n INT DEFAULT 7, u INT UNIQUE)").await;
    store.run("INSERT INTO t (a, b, id) VALUES (11, 'x', 1), (12, 'x', 2), (13, 'x', 3), (14, 'x', 4)").await;
    for image in ["MINIMAL", "NOBLOB"] {
        let first = logged(&store, &["id"], None).await.unwrap().2;
        let there = |row| format!("INSERT INTO t (id, n) VALUES ({row}, 1)");
        store
            .run(&format!(
                "SET SESSION binlog_row_image = '{image}'; UPDATE t SET n = n + 1 WHERE id = 1; UPDATE t SET id = 20 WHERE id = 2;
                 DELETE FROM t WHERE id = 3; {}",
                there(5)
            ))
            .await;
        let (there, gone, second, _) = logged(&store, &["id"], Some(first)).await.unwrap();
        assert_eq!((there, gone), (ids(&[1, 5, 20]), ids(&[2, 3])), "{image}");
        store.run("DELETE FROM t WHERE id IN (5, 20); INSERT INTO t (id) VALUES (2), (3)").await;
        let (there, gone, ..) = logged(&store, &["id"], Some(second)).await.unwrap();
        assert_eq!((there, gone), (ids(&[2, 3]), ids(&[5, 20])), "{image}");
    }
    // A key that is not the table's own is not in such rows; the table is read as a whole then, and nothing is lost.
    let first = logged(&store, &["u"], None).await.unwrap().2;
    store.run("SET SESSION binlog_row_image = 'MINIMAL'; UPDATE t SET n = 100 WHERE id = 1").await;
    let error = logged(&store, &["u"], Some(first)).await.unwrap_err();
    assert_eq!(error.code(), Code::Stale);
    assert!(error.to_string().contains("binlog_row_image"), "{error}");
}

/// A table without a key gets one from MySQL, which it may hide; it is in every row of the log.
pub(crate) async fn keys_that_mysql_made_are_seen(store: Arc<Store>) {
    store.run("SET SESSION sql_generate_invisible_primary_key = ON; CREATE TABLE t (name VARCHAR(9))").await;
    store.run("INSERT INTO t VALUES ('a'), ('b')").await;
    let shape = store.endpoint.describe(&TableName::new("", "t")).await.unwrap();
    assert_eq!(shape.primary_key(), names(&["my_row_id"]));
    let first = logged(&store, &["my_row_id"], None).await.unwrap().2;
    store.run("DELETE FROM t WHERE name = 'a'; INSERT INTO t VALUES ('c')").await;
    let (there, gone, ..) = logged(&store, &["my_row_id"], Some(first)).await.unwrap();
    assert_eq!((there, gone), (ids(&[3]), ids(&[1])));
}
