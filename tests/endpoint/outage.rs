//! Servers that go away, and those that do not let anybody in.

use std::sync::Arc;

use portbook::Code;
use portbook::endpoint::{Scan, TableName, open};
use portbook::model::DbType;

use crate::fixture::{Store, integer, scan_of};

pub(crate) async fn a_server_that_stops_in_the_middle_is_an_error(store: Arc<Store>) {
    let numbers = store.numbers(200_000);
    store.run(&format!("CREATE TABLE t AS SELECT i AS id, repeat('x', 500) AS name FROM {numbers}")).await;
    for parallel in [1, 4] {
        let scan = Scan { page_rows: 10, parallel, ..scan_of(&TableName::new("", "t"), &["id", "name"]) };
        let mut stream = store.endpoint.scan(scan).await.unwrap();
        assert!(stream.next().await.unwrap().is_some());
        store.cut().await;
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
    store.cut().await;
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
    options.password = Some("hunter2".to_owned().into());
    for user in ["nobody_here", &store.options.user] {
        if store.product == DbType::Postgres && user == store.options.user {
            // It asks whom it knows for nothing.
            continue;
        }
        options.user = user.into();
        let error = open(store.product, options.clone()).unwrap().probe().await.unwrap_err();
        assert_eq!(error.code(), Code::Auth, "{error}");
        // MySQL may ask for a kind of password that nobody has whom it does not know.
        let is_decoy = error.to_string().contains("Unknown authentication plugin");
        assert!(error.to_string().contains(user), "{error}");
        assert!(error.to_string().contains("SQLSTATE 28") || (is_decoy && user == "nobody_here"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    // A port at which nobody listens.
    let mut options = store.options.clone();
    options.port = Some(1);
    assert_eq!(open(store.product, options).unwrap().probe().await.unwrap_err().code(), Code::Offline);
}

/// Accounts that are there, and let nobody in; and those that do, in plain text, where the password is not sent as it is.
pub(crate) async fn accounts_say_why_they_are_shut(store: Arc<Store>) {
    let user = |kind: &str| format!("{kind}{}", &store.options.database[20..]);
    let accounts = [
        ("lock", "IDENTIFIED BY 'hunter2' ACCOUNT LOCK", Some("unlock")),
        ("old", "IDENTIFIED BY 'hunter2' PASSWORD EXPIRE", Some("new password")),
        ("tls", "IDENTIFIED BY 'hunter2' REQUIRE SSL", Some("")),
        ("open", "IDENTIFIED BY 'hunter2'", None),
    ];
    for (kind, how, advice) in accounts {
        let user = user(kind);
        store.run(&format!("CREATE USER '{user}'@'127.0.0.1' {how}")).await;
        store.run(&format!("GRANT ALL ON {}.* TO '{user}'@'127.0.0.1'", store.options.database)).await;
        let mut options = store.options.clone();
        (options.user, options.password) = (user.clone(), Some("hunter2".to_owned().into()));
        options.configure(r#"{"sslmode": "disable"}"#).unwrap();
        // Twice: MySQL knows the second time who that is, and asks for less.
        for _ in 0..2 {
            let endpoint = open(store.product, options.clone()).unwrap();
            match (endpoint.probe().await, advice) {
                (Ok(_), None) => {}
                (Err(error), Some(advice)) => {
                    assert_eq!(error.code(), Code::Auth, "{kind}: {error}");
                    assert!(error.advice().contains(advice), "{kind}: {error}");
                    assert!(!format!("{error} {error:?}").contains("hunter2"));
                }
                (probed, _) => panic!("{kind}: {probed:?}"),
            }
            endpoint.shutdown().await;
        }
        store.run(&format!("DROP USER '{user}'@'127.0.0.1'")).await;
    }
}
