//! Instances that are servers: one of two dies before, within and between runs.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portbook::bridge::{Definition, RecordOptions, RecordPlace, RowApplyOptions, RowPreviewOptions};
use portbook::model::{DatabaseInstance, InstanceRole, Moment, RecordMode, Stored};
use portbook::{Code, wait};

use crate::instances::{bind, by_rows, instances, served};
use crate::own_server::Server;
use crate::world::{World, sync};

/// Rows that are more than what is on its way when a server dies.
const ROWS: i64 = 60_000;
const NOTES: &str = "CREATE TABLE notes (id bigint PRIMARY KEY, body text)";

/// Without a server at all there is none to start either, and the test says so.
fn has_servers(name: &str) -> bool {
    let has = std::env::var("PORTBOOK_TEST_POSTGRES").is_ok();
    if !has {
        crate::fixture::skip(&format!("failover::{name}"), "PORTBOOK_TEST_POSTGRES names no server");
    }
    has
}

/// Runs statements, and gives the first number that they answer.
fn run(server: &Server, sql: &str) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let said = crate::fixture::connect(&server.url).await.simple_query(sql).await.unwrap();
        let number = said.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        });
        number.unwrap_or_default()
    })
}

fn count(server: &Server) -> i64 {
    run(server, "SELECT count(*) FROM notes")
}

/// A server with the table and that many rows.
fn filled(rows: i64) -> Server {
    let server = Server::start();
    let fill = "INSERT INTO notes SELECT i, repeat('note ', 30) || i FROM generate_series";
    run(&server, &format!("{NOTES}; {fill}(1, {rows}) i"));
    server
}

fn port(server: &Server) -> u16 {
    url::Url::parse(&server.url).unwrap().port().unwrap()
}

fn place(port: u16) -> RecordPlace {
    format!("postgres://portbook@127.0.0.1:{port}/postgres/public.notes").parse().unwrap()
}

/// Another instance of the database that has one at this port.
fn another(world: &World, first: u16, second: u16, role: InstanceRole) -> (String, Stored<DatabaseInstance>) {
    let first = instances(world).into_iter().find(|one| one.row.port == Some(first.into())).unwrap();
    let (instance_label, port) = (format!("at {second}"), Some(second.into()));
    let row = DatabaseInstance { instance_label, port, role, priority: 1, ..first.row.clone() };
    (first.row.instance_label, wait(world.session.rows::<DatabaseInstance>().create(row)).unwrap())
}

/// The table is pushed to SQLite, from a server behind that port or, when it is away, from another one.
struct Pushed {
    world: World,
    definition: Definition,
    first: String,
    second: Stored<DatabaseInstance>,
}

impl Pushed {
    fn new(first: u16, second: &Server) -> Self {
        let world = World::bare();
        world.target().execute_batch("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)").unwrap();
        let target = world.place("target.db", "notes");
        let options = RecordOptions { mode: RecordMode::OneWayPush, ..RecordOptions::default() };
        let definition = wait(world.session.connect_records(place(first), target, options)).unwrap();
        let (first, second) = another(&world, first, port(second), InstanceRole::Secondary);
        bind(&world, definition.id(), &second);
        // As a process has it that knows nothing but the book.
        let definition = by_rows(&world, &definition);
        Self { world, definition, first, second }
    }

    fn count(&self) -> i64 {
        self.world.target().query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap()
    }

    fn told(&self) -> Vec<(String, String)> {
        served(&self.world, &self.definition)
    }

    fn first_serves(&self) -> Vec<(String, String)> {
        vec![("served_by".into(), self.first.clone())]
    }

    fn second_serves(&self) -> Vec<(String, String)> {
        let second = self.second.row.instance_label.clone();
        vec![("instance_away".into(), self.first.clone()), ("served_by".into(), second)]
    }
}

#[test]
fn a_server_that_is_dead_is_passed_over() {
    if !has_servers("a_server_that_is_dead_is_passed_over") {
        return;
    }
    let (first, second) = (filled(100), filled(101));
    let pushed = Pushed::new(port(&first), &second);
    assert_eq!(sync(&pushed.definition).counts.new, 100);
    assert_eq!(pushed.told(), pushed.first_serves());
    drop(first);
    assert_eq!(sync(&pushed.definition).counts.new, 1);
    assert_eq!((pushed.told(), pushed.count()), (pushed.second_serves(), 101));
    drop(second);
    let error = wait(pushed.definition.sync(Default::default(), Default::default()).finish()).unwrap_err();
    assert_eq!((error.code(), pushed.count()), (Code::Offline, 101), "{error}");
}

/// A way to a server that is open until the server is dead.
struct Door {
    port: u16,
    /// Bytes that the server may still say.
    left: Arc<AtomicI64>,
}

impl Door {
    /// Before a server that dies when it has said too much.
    fn to(server: Server) -> Self {
        let to = port(&server);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (left, is_shut) = (Arc::new(AtomicI64::new(i64::MAX)), Arc::new(AtomicBool::new(false)));
        let (said, server) = (Arc::clone(&left), Arc::new(Mutex::new(Some(server))));
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            while !is_shut.load(Ordering::SeqCst) {
                let Ok((client, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                client.set_nonblocking(false).unwrap();
                let Ok(line) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let (is_shut, said, server) = (Arc::clone(&is_shut), Arc::clone(&said), Arc::clone(&server));
                std::thread::spawn(move || {
                    let (mut from, mut up) = (client.try_clone().unwrap(), line.try_clone().unwrap());
                    std::thread::spawn(move || {
                        std::io::copy(&mut from, &mut up).ok();
                        up.shutdown(Shutdown::Write).ok();
                    });
                    pass(line, &client, &said, || {
                        is_shut.store(true, Ordering::SeqCst);
                        drop(server.lock().unwrap().take());
                    });
                    client.shutdown(Shutdown::Both).ok();
                });
            }
        });
        Self { port, left }
    }
}

fn pass(mut server: TcpStream, mut client: &TcpStream, left: &AtomicI64, die: impl Fn()) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        if left.fetch_sub(count as i64, Ordering::SeqCst) < 0 {
            die();
        }
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
}

#[test]
fn a_server_that_dies_in_the_middle_of_a_scan_ends_the_run_and_another_serves_the_next() {
    if !has_servers("a_server_that_dies_in_the_middle_of_a_scan_ends_the_run_and_another_serves_the_next") {
        return;
    }
    let (first, second) = (filled(ROWS), filled(ROWS));
    for server in [&first, &second] {
        run(server, "UPDATE notes SET body = 'before' WHERE id = 7");
    }
    let door = Door::to(first);
    let pushed = Pushed::new(door.port, &second);
    assert_eq!(sync(&pushed.definition).counts.new, ROWS as u64);
    assert_eq!(pushed.told(), pushed.first_serves());
    run(&second, "UPDATE notes SET body = 'after' WHERE id = 7; DELETE FROM notes WHERE id = 8");

    door.left.store(2 << 20, Ordering::SeqCst);
    let error = wait(pushed.definition.sync(Default::default(), Default::default()).finish()).unwrap_err();
    assert_eq!(error.code(), Code::Offline, "{error}");
    assert!(door.left.load(Ordering::SeqCst) < 0, "it died within the scan");
    assert_eq!(pushed.count(), ROWS, "nothing goes on half a reading");

    let report = sync(&pushed.definition);
    assert_eq!((report.counts.updated, report.counts.deleted, report.counts.failed), (1, 1, 0));
    assert_eq!((pushed.told(), pushed.count()), (pushed.second_serves(), ROWS - 1));
    assert!(sync(&pushed.definition).counts.is_quiet());
}

#[test]
fn the_replica_of_a_target_is_never_written() {
    if !has_servers("the_replica_of_a_target_is_never_written") {
        return;
    }
    let (primary, replica) = (filled(0), filled(0));
    let world = World::bare();
    for database in [world.source(), world.target()] {
        database.execute_batch("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)").unwrap();
    }
    let more = |ids: std::ops::Range<i64>| {
        for id in ids {
            world.source().execute("INSERT INTO notes VALUES (?1, 'note')", [id]).unwrap();
        }
    };
    more(0..10);
    let source = world.place("source.db", "notes");
    let definition =
        wait(world.session.connect_records(source, place(port(&primary)), RecordOptions::default())).unwrap();
    let mode = RecordOptions { mode: RecordMode::TwoWay, ..RecordOptions::default() };
    let target = world.place("target.db", "notes");
    let both = wait(world.session.connect_records(place(port(&primary)), target, mode)).unwrap();
    let (_, standby) = another(&world, port(&primary), port(&replica), InstanceRole::Secondary);
    bind(&world, both.id(), &standby);
    let (definition, both) = (by_rows(&world, &definition), by_rows(&world, &both));
    assert_eq!(sync(&definition).counts.new, 10);
    world.target().execute("INSERT INTO notes VALUES (1000, 'of the target')", []).unwrap();
    assert_eq!(sync(&both).counts.new, 11);
    assert_eq!((count(&primary), count(&replica)), (11, 0));
    world.target().execute("INSERT INTO notes VALUES (1001, 'of the target')", []).unwrap();

    // It dies between what is shown and what is done, and is dead before the next run.
    more(10..20);
    let shown = wait(definition.preview(RowPreviewOptions::default())).unwrap();
    assert_eq!(shown.summary.counts.new, 10);
    drop(primary);
    let applied = wait(definition.apply(shown.summary.id, RowApplyOptions::default()).finish());
    match applied {
        Ok(report) => assert_eq!(report.counts.new, 0, "{:?}", report.failures),
        Err(error) => assert_eq!(error.code(), Code::Offline, "{error}"),
    }
    let error = wait(definition.sync(Default::default(), Default::default()).finish()).unwrap_err();
    assert_eq!(error.code(), Code::Offline, "{error}");
    // Neither is that of a source whose rows are written, too.
    let error = wait(both.sync(Default::default(), Default::default()).finish()).unwrap_err();
    assert_eq!(error.code(), Code::Offline, "{error}");
    assert_eq!(run(&replica, "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables"), 0);
}

#[test]
fn an_instance_whose_time_is_over_or_not_yet_come_is_not_asked() {
    if !has_servers("an_instance_whose_time_is_over_or_not_yet_come_is_not_asked") {
        return;
    }
    let (first, second) = (filled(100), filled(101));
    let pushed = Pushed::new(port(&first), &second);
    assert_eq!(sync(&pushed.definition).counts.new, 100);
    let rows = || pushed.world.session.rows::<DatabaseInstance>();
    let set = |label: &str, change: &dyn Fn(&mut DatabaseInstance)| {
        let mut one = instances(&pushed.world).into_iter().find(|one| one.row.instance_label == label).unwrap();
        change(&mut one.row);
        wait(rows().update(one)).unwrap();
    };
    let second_label = pushed.second.row.instance_label.clone();
    // 2020 and 2100, in microseconds.
    let (past, future) = (Moment(1_577_836_800_000_000), Moment(4_102_444_800_000_000));
    set(&pushed.first, &|row| row.valid_to = Some(past));
    assert_eq!(sync(&pushed.definition).counts.new, 1);
    let only_second = vec![("served_by".to_owned(), second_label.clone())];
    assert_eq!(pushed.told(), only_second, "it is alive, and was not even asked");
    set(&second_label, &|row| row.valid_from = Some(future));
    let error = wait(pushed.definition.sync(Default::default(), Default::default()).finish()).unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    set(&pushed.first, &|row| row.valid_to = Some(future));
    assert_eq!(sync(&pushed.definition).counts.deleted, 1, "its own rows count again");
    assert_eq!(pushed.told(), pushed.first_serves());
}
