//! Eight processes write to one book at once, of two tenants, and are killed at any moment; new ones take their seats. In
//! the end everything that the book confirmed is in it, everything once and nothing in part, and the book is sound.
//!
//! `PORTBOOK_HAMMER_SECONDS` says for how long, 20 unless told otherwise. The test starts itself again for each process.

mod journal;
#[path = "../lib/own_server.rs"]
mod own_server;
mod process;
#[path = "../lib/server.rs"]
mod server;
mod verdict;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portbook::Session;
use portbook::model::User;
use portbook::store::{PostgresOptions, PostgresStore, Statement, Store, Value, Write, Written};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use self::journal::Stamp;
use self::process::{At, OF_THE_SEAT, Orders, Owner, Random, endpoint};
use self::server::{APPLICATION, Database, url};

const SEATS: u32 = 8;

/// Holds the [`Orders`] of a process.
const ORDERS: &str = "PORTBOOK_HAMMER_ORDERS";

#[test]
fn eight_processes_share_a_file_and_any_may_be_killed() {
    if is_one_of_the_eight() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = At::File(directory.path().join("book"));
    wait(async {
        let owners = make(&at).await;
        let hammer = Hammer::new("eight_processes_share_a_file_and_any_may_be_killed", &at, directory.path(), owners);
        hammer.strike(|| ()).await;
    });
}

#[test]
fn eight_processes_share_a_server_that_dies_once_and_any_may_be_killed() {
    const NAME: &str = "eight_processes_share_a_server_that_dies_once_and_any_may_be_killed";
    if is_one_of_the_eight() {
        return;
    }
    if let Err(why) = url() {
        // Not println!, which the harness keeps to itself.
        writeln!(std::io::stdout().lock(), "SKIPPED {NAME}: {why}").unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    wait(async {
        // Another test's server must not die with ours.
        let server = own_server::Server::start();
        let database = Database::create(server.url.clone()).await;
        let grant = PostgresOptions { application_role: Some(APPLICATION.into()), ..Default::default() };
        PostgresStore::open(&database.owner, grant).await.unwrap().shutdown().await;
        let at = At::Server(database.application.clone());
        let owners = make(&at).await;
        let hammer = Hammer::new(NAME, &at, directory.path(), owners);
        hammer.strike(|| server.crash()).await;
        let log = std::fs::read_to_string(server.home().join("server.log")).unwrap();
        assert!(log.contains("was not properly shut down"), "it did not die");
        database.drop_it().await;
    });
}

/// Runs as one of the eight where this process was started as one. It ends by being killed.
fn is_one_of_the_eight() -> bool {
    let Ok(orders) = std::env::var(ORDERS) else { return false };
    let orders = serde_json::from_str(&orders).unwrap();
    wait(process::run(orders));
    true
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

struct Hammer<'a> {
    test: &'static str,
    at: &'a At,
    directory: &'a Path,
    /// Of each seat.
    owners: Vec<Owner>,
    lives: u32,
    random: Random,
}

impl<'a> Hammer<'a> {
    fn new(test: &'static str, at: &'a At, directory: &'a Path, owners: Vec<Owner>) -> Self {
        let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        Self { test, at, directory, owners, lives: 0, random: Random(seed) }
    }

    /// Kills and starts processes until the time is over, and looks at what is left. `halfway` happens once, meanwhile.
    async fn strike(mut self, halfway: impl Fn()) {
        let seconds = std::env::var("PORTBOOK_HAMMER_SECONDS").map_or(20, |s| s.parse().expect("a number of seconds"));
        let (begin, lasts) = (Instant::now(), Duration::from_secs(seconds));
        let mut seats: Vec<Child> = (0..SEATS).map(|seat| self.start(seat)).collect();
        let (mut kills, mut is_past_half) = (0_u32, false);
        while begin.elapsed() < lasts {
            // The time between two kills is the test's matter, nothing is waited for.
            std::thread::sleep(Duration::from_millis(20 + self.random.below(250) as u64));
            if !is_past_half && begin.elapsed() > lasts / 2 {
                is_past_half = true;
                halfway();
            }
            for (seat, child) in seats.iter_mut().enumerate() {
                if let Some(status) = child.try_wait().unwrap() {
                    panic!("the process on seat {seat} ended by itself: {status}");
                }
            }
            // Mostly one, at times several at once.
            for _ in 0..1 + self.random.below(8) / 6 * 3 {
                let seat = self.random.below(seats.len());
                end(&mut seats[seat]);
                seats[seat] = self.start(seat as u32);
                kills += 1;
            }
        }
        seats.iter_mut().for_each(end);
        let told = journal::read((0..SEATS).map(|seat| self.journal(seat)));
        let report = verdict::check(self.at, &self.owners, &told).await;
        println!("HAMMER: {} s, {kills} kills, {report}", begin.elapsed().as_secs());
    }

    fn journal(&self, seat: u32) -> PathBuf {
        self.directory.join(format!("journal-{seat}"))
    }

    fn start(&mut self, seat: u32) -> Child {
        self.lives += 1;
        let orders = Orders {
            at: self.at.clone(),
            journal: self.journal(seat),
            seat,
            life: self.lives,
            seed: self.random.below(usize::MAX) as u64,
            owner: self.owners[seat as usize].clone(),
        };
        Command::new(std::env::current_exe().unwrap())
            .args([self.test, "--exact", "--nocapture"])
            .env(ORDERS, serde_json::to_string(&orders).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Makes two tenants and what each seat writes to; gives the seats, half of them each tenant's.
async fn make(at: &At) -> Vec<Owner> {
    let store = at.open().await.unwrap();
    let book = process::open(store.clone()).await.unwrap();
    let mut owners = Vec::new();
    for name in ["even", "odd"] {
        let tenant = book.create_tenant(name).await.unwrap().id;
        let user = User { email: None, display_name: name.into() };
        let user = book.create_user(tenant, user).await.unwrap().id;
        let session = book.session(tenant, user).await.unwrap();
        let shared = conduit(&*store, tenant, "shared").await;
        for seat in 0..SEATS / 2 {
            let conduit = conduit(&*store, tenant, &seat.to_string()).await;
            let row = endpoint(OF_THE_SEAT, &Stamp::FIRST.to_string(), Stamp::FIRST);
            let endpoint = session.rows().create(row).await.unwrap().id.0;
            let definition = definition(&session, seat).await;
            owners.push(Owner { tenant: tenant.0, user: user.0, conduit, shared, definition, endpoint });
        }
    }
    store.shutdown().await;
    owners
}

async fn conduit(store: &dyn Store, tenant: portbook::model::TenantId, name: &str) -> i64 {
    let id = |written: &Written| match written {
        Written::Rows(rows) => rows.first().unwrap().int(0).unwrap(),
        Written::Changed(_) => panic!("RETURNING gives rows"),
    };
    let mut ends = Vec::new();
    for side in ["source", "target"] {
        let path = Value::Blob(format!("/{name}/{side}").into_bytes());
        let insert = "INSERT INTO entry (uuid, tenant_id, path, name) VALUES (?1, ?2, ?3, ?3) RETURNING id";
        let insert = Statement::new(insert, vec![Value::Uuid(Uuid::now_v7()), Value::Uuid(tenant.0), path]);
        ends.push(id(&store.write(tenant, vec![Write::Returning(insert)]).await.unwrap()[0]));
    }
    let insert = "INSERT INTO sync_conduit (uuid, tenant_id, source_entry_id, target_entry_id, sync_mode) \
         VALUES (?1, ?2, ?3, ?4, 'mirror') RETURNING id";
    let values = vec![Value::Uuid(Uuid::now_v7()), Value::Uuid(tenant.0), Value::Int(ends[0]), Value::Int(ends[1])];
    id(&store.write(tenant, vec![Write::Returning(Statement::new(insert, values))]).await.unwrap()[0])
}

async fn definition(session: &Session, seat: u32) -> Uuid {
    let make = async |table: &str, row: Json| {
        let Json::Object(row) = row else { unreachable!("an object") };
        let made: Map<String, Json> = session.table(table).unwrap().create(row).await.unwrap();
        made["id"].as_str().unwrap().to_owned()
    };
    let application = make("applications", json!({"name": format!("application {seat}")})).await;
    let database = json!({"application_id": application, "name": "d", "db_type": "SQLITE", "environment": "DEV",
        "database_name": "d"});
    let database = make("databases", database).await;
    let table = make("database_tables", json!({"database_id": database, "table_name": "t"})).await;
    let definition =
        json!({"name": "d", "source_table_id": table, "target_table_id": table, "sync_mode": "ONE_WAY_PUSH"});
    make("sync_definitions", definition).await.parse().unwrap()
}
