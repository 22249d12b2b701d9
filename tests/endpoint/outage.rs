//! Servers that go away, and those that do not let anybody in.

use std::sync::Arc;

use portbook::Code;
use portbook::endpoint::{Scan, TableName, open};
use portbook::model::DbType;

use crate::fixture::{Store, integer, scan_of};

/// Ends every connection of the endpoint at the server.
async fn cut(store: &Store) {
    match store.product {
        DbType::Postgres => {
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE application_name = 'portbook' AND datname = current_database()";
            store.run(sql).await;
        }
        _ => {
            let sql = "BEGIN NOT ATOMIC FOR c IN (SELECT id FROM information_schema.PROCESSLIST \
                       WHERE db = DATABASE() AND id <> CONNECTION_ID()) DO KILL c.id; END FOR; END";
            store.run(sql).await;
        }
    }
}

pub(crate) async fn a_server_that_stops_in_the_middle_is_an_error(store: Arc<Store>) {
    let numbers = store.word("", "generate_series(1, 200000) i", "(SELECT seq AS i FROM seq_1_to_200000) i");
    store.run(&format!("CREATE TABLE t AS SELECT i AS id, repeat('x', 500) AS name FROM {numbers}")).await;
    for parallel in [1, 4] {
        let scan = Scan { page_rows: 10, parallel, ..scan_of(&TableName::new("", "t"), &["id", "name"]) };
        let mut stream = store.endpoint.scan(scan).await.unwrap();
        assert!(stream.next().await.unwrap().is_some());
        cut(&store).await;
        let mut seen = 10;
        let error = loop {
            match stream.next().await {
                Ok(Some(page)) => seen += page.rows.len(),
                Ok(None) => panic!("a scan of {seen} rows came to a good end"),
                Err(error) => break error,
            }
        };
        assert!(seen < 200_000);
        assert_eq!(error.code(), Code::Offline, "{error}");
        assert!(stream.next().await.is_err(), "and it stays at its bad end");
    }
}

pub(crate) async fn the_next_call_connects_again(store: Arc<Store>) {
    store.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    let table = TableName::new("", "t");
    store.endpoint.count(&table).await.unwrap();
    cut(&store).await;
    // The first call may meet the connection that was cut; it says so and does not use it again.
    if let Err(error) = store.endpoint.count(&table).await {
        assert_eq!(error.code(), Code::Offline);
    }
    assert_eq!(store.endpoint.count(&table).await.unwrap(), 0);
    assert!(store.insert(&table, &["id"], &[vec![integer(1)]]).await.len() == 1);
    store.endpoint.shutdown().await;
    assert_eq!(store.endpoint.count(&table).await.unwrap_err().code(), Code::Storage);
}

pub(crate) async fn a_wrong_password_is_said_without_showing_it(store: Arc<Store>) {
    let mut options = store.options.clone();
    options.user = "nobody_here".into();
    options.password = Some("hunter2".to_owned().into());
    let error = open(store.product, options).unwrap().probe().await.unwrap_err();
    assert_eq!(error.code(), Code::Auth, "{error}");
    assert!(error.to_string().contains("nobody_here") && error.to_string().contains("SQLSTATE 28"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    // A port at which nobody listens.
    let mut options = store.options.clone();
    options.port = Some(1);
    assert_eq!(open(store.product, options).unwrap().probe().await.unwrap_err().code(), Code::Offline);
}
