//! Binary logs of servers of their own, which are thrown away or written in other ways.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use portbook::Code;

use crate::binlog::{
    ids, keys_are_found_among_columns_of_every_type, keys_of_every_legible_type_are_read_from_the_log, logged, stale,
};
use crate::fixture::{At, Flavour, Server, Store};
use crate::own::OwnServer;

pub(crate) async fn a_log_that_was_thrown_away_is_stale(like: Arc<Store>) {
    let server = OwnServer::start(Server::MySql(like.flavour()), "");
    let store = server.store("log").await;
    store.run("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let first = logged(&store, &["id"], None).await.unwrap().2;
    store.run("INSERT INTO t VALUES (2); FLUSH BINARY LOGS; INSERT INTO t VALUES (3)").await;
    assert_eq!(logged(&store, &["id"], Some(first.clone())).await.unwrap().0, ids(&[2, 3]));
    // MySQL renamed both in 8.4.
    let (status, reset) = match like.flavour() {
        Flavour::MariaDb => ("SHOW MASTER STATUS", "RESET MASTER"),
        Flavour::MySql => ("SHOW BINARY LOG STATUS", "RESET BINARY LOGS AND GTIDS"),
    };
    let last: String = {
        let At::MySql(_, url) = &store.at else { panic!("on MySQL and MariaDB only") };
        let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
        let row: mysql_async::Row = conn.query_first(status).await.unwrap().unwrap();
        row.get(0).unwrap()
    };
    // What somebody still reads is kept: the readers before may not have left yet.
    let purge = format!("PURGE BINARY LOGS TO '{last}'");
    for _ in 0..100 {
        store.run(&purge).await;
        if logged(&store, &["id"], Some(first.clone())).await.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(stale(&store, &first).await, "the file is gone");
    let second = logged(&store, &["id"], None).await.unwrap().2;
    // The same names and positions, and another log.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let insert = "FLUSH BINARY LOGS; FLUSH BINARY LOGS; INSERT INTO t VALUES (4), (5), (6), (7), (8)";
    store.run(&format!("{reset}; {insert}")).await;
    assert!(stale(&store, &second).await, "the log was begun anew");
    store.endpoint.shutdown().await;
}

/// On a server whose log has no whole rows.
pub(crate) async fn a_server_without_such_a_log_is_told_so(like: Arc<Store>) {
    let server = OwnServer::start(Server::MySql(like.flavour()), "--binlog-row-image=MINIMAL");
    let store = server.store("log").await;
    store.run("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let error = logged(&store, &["id"], None).await.unwrap_err();
    assert_eq!(error.code(), Code::Unsupported);
    assert!(error.advice().contains("binlog_row_image"), "{error}");
    store.endpoint.shutdown().await;
}

/// Statements that bring rows from a file, in a session that writes statements.
pub(crate) async fn rows_that_a_file_brought_are_not_passed_over(like: Arc<Store>) {
    let server = OwnServer::start(Server::MySql(like.flavour()), "--local-infile=ON");
    let store = server.store("log").await;
    store.run("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let At::MySql(_, url) = &store.at else { panic!("on MySQL and MariaDB only") };
    let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
    conn.query_drop("SET SESSION binlog_format = 'STATEMENT'").await.unwrap();
    let first = logged(&store, &["id"], None).await.unwrap().2;
    assert!(!stale(&store, &first).await);
    conn.set_infile_handler(async { Ok(Box::pin(futures_util::stream::once(async { Ok("1\n2\n".into()) })) as _) });
    conn.query_drop("LOAD DATA LOCAL INFILE 'rows' INTO TABLE t").await.unwrap();
    assert!(stale(&store, &first).await);
    conn.disconnect().await.unwrap();
    store.endpoint.shutdown().await;
}

/// Whole transactions that are compressed (MySQL), and events that are (MariaDB).
pub(crate) async fn compressed_logs_are_read_or_refused(like: Arc<Store>) {
    let (options, is_read) = match like.flavour() {
        Flavour::MySql => ("--binlog-transaction-compression=ON", true),
        Flavour::MariaDb => ("--log-bin-compress=ON --log-bin-compress-min-len=10", false),
    };
    let server = OwnServer::start(Server::MySql(like.flavour()), options);
    let store = server.store("log").await;
    store.run("CREATE TABLE t (id INT PRIMARY KEY, name LONGTEXT)").await;
    let mut cursor = logged(&store, &["id"], None).await.unwrap().2;
    // Several events of rows in one transaction, which is the last one in the log.
    let insert = format!("INSERT INTO t SELECT i, REPEAT('x', 1000) FROM {}", store.numbers(500));
    for (change, there, gone) in [
        (format!("BEGIN; {insert}; DELETE FROM t WHERE id % 2 = 0; COMMIT"), 250, 250),
        ("FLUSH BINARY LOGS; UPDATE t SET name = 'short' WHERE id < 10; DELETE FROM t WHERE id = 499".to_owned(), 5, 1),
        ("SET SESSION binlog_format = 'ROW'".to_owned(), 0, 0),
    ] {
        store.run(&change).await;
        match logged(&store, &["id"], Some(cursor.clone())).await {
            Ok(read) => {
                assert!(is_read);
                assert_eq!((read.0.len(), read.1.len()), (there, gone), "{change}");
                cursor = read.2;
            }
            Err(error) => {
                assert_eq!((error.code(), is_read), (Code::Unsupported, false), "{error}");
                assert!(error.advice().contains("log_bin_compress"), "{error}");
            }
        }
    }
    if is_read {
        // What is altered in one is seen as well.
        store.run("ALTER TABLE t ADD COLUMN extra INT").await;
        assert!(stale(&store, &cursor).await);
    }
    store.endpoint.shutdown().await;
}

/// On MySQL without what the newest version has on by itself, and with parts of documents in its log.
pub(crate) async fn other_settings_of_mysql_make_no_difference(_: Arc<Store>) {
    for options in [
        "--gtid-mode=OFF --enforce-gtid-consistency=OFF --binlog-row-metadata=MINIMAL",
        "--gtid-mode=ON --enforce-gtid-consistency=ON --binlog-row-value-options=PARTIAL_JSON --binlog-checksum=NONE",
    ] {
        let server = OwnServer::start(Server::MySql(Flavour::MySql), options);
        let store = server.store("log").await;
        keys_of_every_legible_type_are_read_from_the_log(Arc::clone(&store)).await;
        store.run("DROP TABLE IF EXISTS t").await;
        keys_are_found_among_columns_of_every_type(Arc::clone(&store)).await;
        store.run("DROP TABLE t; CREATE TABLE t (a JSON, id INT PRIMARY KEY, b JSON)").await;
        let document = r#"{"name": "a long enough text to be worth a part of it", "n": 1, "list": [1, 2, 3]}"#;
        store.run(&format!("INSERT INTO t VALUES ('{document}', 1, '{document}'), ('{document}', 2, NULL)")).await;
        let first = logged(&store, &["id"], None).await.unwrap().2;
        store
            .run(
                "UPDATE t SET a = JSON_SET(a, '$.n', 2) WHERE id = 1; UPDATE t SET b = JSON_REMOVE(b, '$.list[1]') WHERE id = 1;
                 UPDATE t SET a = JSON_REPLACE(a, '$.name', 'x', '$.list[0]', 'y'), id = 3 WHERE id = 2",
            )
            .await;
        let (there, gone, ..) = logged(&store, &["id"], Some(first)).await.unwrap();
        assert_eq!((there, gone), (ids(&[1, 3]), ids(&[2])), "{options}");
        store.endpoint.shutdown().await;
    }
}

/// Rows of a transaction of two phases stand in the log long before anybody sees them.
pub(crate) async fn transactions_that_are_prepared_are_waited_for(like: Arc<Store>) {
    let server = OwnServer::start(Server::MySql(like.flavour()), "");
    let store = server.store("log").await;
    store.run("CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 0)").await;
    let prepare =
        |id: i32| format!("XA START 'x{id}'; INSERT INTO t VALUES ({id}, 0); XA END 'x{id}'; XA PREPARE 'x{id}'");
    let mut cursor = None;
    // Whoever prepared the second one has gone; another one commits it.
    for (id, there) in [(5, &[1, 5][..]), (6, &[6])] {
        store.run(&prepare(id)).await;
        let reading = tokio::spawn({
            let (store, cursor) = (Arc::clone(&store), cursor.clone());
            async move { logged(&store, &["id"], cursor).await }
        });
        // It has come to where it waits, or has ended, which it should not.
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if reading.is_finished() {
            panic!("{id} was not waited for: {:?}", reading.await.unwrap());
        }
        store.run(&format!("XA COMMIT 'x{id}'")).await;
        let (found, gone, next, _) = reading.await.unwrap().unwrap();
        assert_eq!((found, gone), (ids(there), ids(&[])));
        cursor = Some(next);
    }
    store.endpoint.shutdown().await;
}
