//! Databases that go away in the middle, and secrets that are taken back: the run ends with what it is, nothing is deleted on half
//! a reading, and the next run goes on.

use std::sync::Arc;
use std::time::Duration;

use portbook::Code;
use portbook::bridge::{Definition, RecordOptions, RecordPlace};
use portbook::endpoint::TableName;
use portbook::model::{RecordMode, RecordPolicy, SyncRun};
use portbook::table::Filter;
use rusqlite::Connection;

use crate::faults::{Event, Faulty};
use crate::fixture::{At, Store};
use crate::lists::{ListWorld, both_ways};
use crate::world::{World, sync};

const ROWS: i64 = 60_000;
const TARGET: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)";

fn count(database: &Connection) -> i64 {
    database.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap()
}

/// How the runs of a definition ended, and why.
fn history(world: &World, definition: &Definition) -> Vec<(String, Option<String>)> {
    let of = Filter::all().equal("sync_def_id", &definition.id());
    let mut runs = portbook::wait(world.session.rows::<SyncRun>().list(of, None, 100)).unwrap().rows;
    runs.sort_by_key(|run| (run.row.start_time, run.id));
    runs.into_iter().map(|run| (run.row.status.as_str().to_owned(), run.row.error_message)).collect()
}

/// A connection that was idle for so long is asked whether it still is one.
fn forget_idle_connections() {
    std::thread::sleep(Duration::from_secs(6));
}

pub(crate) async fn a_database_goes_away_in_the_middle_of_a_scan(store: Arc<Store>) {
    let world = World::bare();
    world.target().execute_batch(TARGET).unwrap();
    tokio::task::block_in_place(|| {
        let run = |sql: String| portbook::wait(store.run(&sql));
        run("CREATE TABLE notes (id bigint PRIMARY KEY, body varchar(200))".to_owned());
        let numbers = store.numbers(ROWS);
        run(format!("INSERT INTO notes SELECT i, concat(repeat('note ', 30), i) FROM {numbers}"));
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
            Box::pin(async move { cut.cut().await })
        });
        let definition = connected(Faulty::interrupted(Arc::clone(&store.endpoint), event));
        let error = portbook::wait(definition.sync(Default::default(), Default::default()).finish()).unwrap_err();
        assert_eq!(error.code(), Code::Offline, "{error}");
        assert_eq!(count(&world.target()), ROWS, "nothing goes on half a reading");
        assert_eq!(history(&world, &definition).pop(), Some(("FAILED".to_owned(), Some(error.to_string()))));

        forget_idle_connections();
        let report = sync(&connected(Arc::clone(&store.endpoint)));
        assert_eq!((report.counts.deleted, report.counts.updated, report.counts.failed), (1, 1, 0));
    });
}

pub(crate) async fn a_password_that_is_no_longer_good_is_said_and_not_shown(store: Arc<Store>) {
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
    store.cut().await;
    tokio::task::block_in_place(forget_idle_connections);
    let error = definition.sync(Default::default(), Default::default()).finish().await.unwrap_err();
    let again = connected().await.err().unwrap();
    for error in [error, again] {
        assert_eq!(error.code(), Code::Auth, "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    assert_eq!(count(&world.target()), 1);
    let runs = tokio::task::block_in_place(|| history(&world, &definition));
    assert_eq!(runs.iter().map(|(status, _)| status.as_str()).collect::<Vec<_>>(), ["COMPLETED", "FAILED"]);
    assert!(!format!("{runs:?}").contains("hunter2"), "{runs:?}");
    store.run(&format!("DROP USER {user}")).await;
}

crate::fixture::on! { [postgres, mariadb, mysql] { outages::a_database_goes_away_in_the_middle_of_a_scan; } }

mod passwords {
    crate::fixture::on! { [mariadb, mysql] { outages::a_password_that_is_no_longer_good_is_said_and_not_shown; } }
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
