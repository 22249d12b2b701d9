//! Databases that go away in the middle, and secrets that are taken back: the run ends with what it is, nothing is deleted on half
//! a reading, and the next run goes on.

use std::sync::Arc;
use std::time::Duration;

use portbook::Code;
use portbook::bridge::{Definition, RecordOptions, RecordPlace};
use portbook::endpoint::TableName;
use portbook::model::{RecordMode, RecordPolicy};
use rusqlite::Connection;

use crate::faults::{Event, Faulty};
use crate::fixture::{At, Store, connect, on_mariadb, on_postgres};
use crate::lists::{ListWorld, both_ways};
use crate::world::{World, sync};

const ROWS: i64 = 60_000;
const TARGET: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)";

fn count(database: &Connection) -> i64 {
    database.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap()
}

/// Ends every connection to a database but its own, as a server does that is restarted.
async fn cut_off(at: &At) {
    match at {
        At::Postgres(url) => {
            let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
            connect(url).await.batch_execute(all).await.unwrap();
        }
        At::MariaDb(url) => {
            use mysql_async::prelude::Queryable as _;
            let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
            let all = "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()";
            let ids: Vec<u64> = conn.query(all).await.unwrap();
            for id in ids {
                // It may have gone by itself.
                let _ = conn.query_drop(format!("KILL {id}")).await;
            }
            conn.disconnect().await.unwrap();
        }
        At::File(_) => unreachable!("files have no connections"),
    }
}

/// A connection that was idle for so long is asked whether it still is one.
fn forget_idle_connections() {
    std::thread::sleep(Duration::from_secs(6));
}

fn ends_with_its_reason(store: Arc<Store>, fill: &str) {
    let world = World::bare();
    world.target().execute_batch(TARGET).unwrap();
    tokio::task::block_in_place(|| {
        let run = |sql: String| portbook::wait(store.run(&sql));
        run("CREATE TABLE notes (id bigint PRIMARY KEY, body varchar(200))".to_owned());
        run(fill.to_owned());
        let schema = if matches!(store.at, At::Postgres(_)) { "public" } else { "" };
        let at =
            |endpoint| RecordPlace::Host { name: "notes".into(), endpoint, table: TableName::new(schema, "notes") };
        let target = || world.place("target.db", "notes");
        let connected = |endpoint| -> Definition {
            let options = RecordOptions { mode: RecordMode::OneWayPush, ..RecordOptions::default() };
            portbook::wait(world.session.connect_records(at(endpoint), target(), options)).unwrap()
        };
        sync(&connected(Arc::clone(&store.endpoint)));
        assert_eq!(count(&world.target()), ROWS);
        run("DELETE FROM notes WHERE id = 7".to_owned());
        run("UPDATE notes SET body = 'changed' WHERE id = 8".to_owned());

        let cut = Arc::clone(&store);
        let event: Event = Arc::new(move || {
            let cut = Arc::clone(&cut);
            Box::pin(async move { cut_off(&cut.at).await })
        });
        let definition = connected(Faulty::interrupted(Arc::clone(&store.endpoint), event));
        let error = portbook::wait(definition.sync(Default::default(), Default::default()).finish()).unwrap_err();
        assert_eq!(error.code(), Code::Offline, "{error}");
        assert_eq!(count(&world.target()), ROWS, "nothing goes on half a reading");

        forget_idle_connections();
        let report = sync(&connected(Arc::clone(&store.endpoint)));
        assert_eq!((report.counts.deleted, report.counts.updated, report.counts.failed), (1, 1, 0));
    });
}

#[test]
fn postgresql_goes_away_in_the_middle_of_a_scan() {
    on_postgres("outages", |store| async {
        let fill = format!("INSERT INTO notes SELECT i, repeat('note ', 30) || i FROM generate_series(1, {ROWS}) i");
        ends_with_its_reason(store, &fill);
    });
}

#[test]
fn mariadb_goes_away_in_the_middle_of_a_scan() {
    on_mariadb("outages", |store| async {
        let fill = format!("INSERT INTO notes SELECT seq, concat(repeat('note ', 30), seq) FROM seq_1_to_{ROWS}");
        ends_with_its_reason(store, &fill);
    });
}

#[test]
fn a_password_that_is_no_longer_good_is_said_and_not_shown() {
    on_mariadb("passwords", |store| async move {
        let user = format!("u{}", &store.options.database[20..]);
        store.run(&format!("CREATE USER {user} IDENTIFIED BY 'hunter2-old'")).await;
        store.run(&format!("GRANT ALL ON {}.* TO {user}", store.options.database)).await;
        store.run("CREATE TABLE notes (id bigint PRIMARY KEY, body varchar(200))").await;
        store.run("INSERT INTO notes VALUES (1, 'one')").await;
        let world = World::bare();
        world.target().execute_batch(TARGET).unwrap();
        let (host, port) = (&store.options.host, store.options.port.unwrap());
        let place = || -> RecordPlace {
            let url = format!("mysql://{user}@{host}:{port}/{}/notes", store.options.database);
            url.parse::<RecordPlace>().unwrap().with_password("hunter2-old".into())
        };
        let connected = async || {
            world.session.connect_records(place(), world.place("target.db", "notes"), RecordOptions::default()).await
        };
        let definition = connected().await.unwrap();
        definition.sync(Default::default(), Default::default()).finish().await.unwrap();
        store.run(&format!("ALTER USER {user} IDENTIFIED BY 'hunter2-new'")).await;
        store.run("DELETE FROM notes").await;
        store.run(&format!("KILL USER {user}")).await;
        tokio::task::block_in_place(forget_idle_connections);
        let error = definition.sync(Default::default(), Default::default()).finish().await.unwrap_err();
        let again = connected().await.err().unwrap();
        for error in [error, again] {
            assert_eq!(error.code(), Code::Auth, "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        assert_eq!(count(&world.target()), 1);
        store.run(&format!("DROP USER {user}")).await;
    });
}

#[test]
fn a_secret_that_is_taken_back_ends_the_run_and_deletes_nothing() {
    let (world, definition) = ListWorld::filled(0..30, both_ways(RecordPolicy::SourceWins));
    sync(&definition);
    world.world.source().execute_batch("UPDATE people SET name = 'new' WHERE id < 10").unwrap();
    let app = crate::graph::AppOptions::default();
    world.server.change_secret(&app.id, "another");
    world.server.forget_tokens();
    let error = portbook::wait(definition.sync(Default::default(), Default::default()).finish()).unwrap_err();
    assert_eq!(error.code(), Code::Auth, "{error}");
    let left: i64 = world.world.source().query_row("SELECT count(*) FROM people", [], |row| row.get(0)).unwrap();
    assert_eq!((world.items().len(), left), (30, 30));
    world.server.change_secret(&app.id, &app.secret);
    assert_eq!(sync(&definition).counts.updated, 10);
    world.is_filled("the secret is back");
}
