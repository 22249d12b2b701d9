//! SharePoint lists on the command line: what is shown, what the exit status says, and a push that is killed.
//!
//! `PORTBOOK_LIST_KILLS` is how many times it is killed.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../../tests/lib/graph/mod.rs"]
#[allow(dead_code, unused_imports, reason = "some of it is for other tests")]
mod graph;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use graph::{AppOptions, Budget, GraphOptions, GraphServer};

struct World {
    dir: tempfile::TempDir,
    server: GraphServer,
}

impl World {
    fn new(rows: i64) -> Self {
        let budget = Budget { per_minute: 100_000_000, per_day: 1_000_000_000, ..Budget::default() };
        let server = GraphServer::start(GraphOptions { budget, ..GraphOptions::default() });
        let world = Self { dir: tempfile::tempdir().unwrap(), server };
        let mut source = world.source();
        source.execute_batch("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, score REAL)").unwrap();
        let all = source.transaction().unwrap();
        for id in 0..rows {
            let row = (id, format!("person {id}"), id as f64 / 8.0);
            all.execute("INSERT INTO people VALUES (?1, ?2, ?3)", row).unwrap();
        }
        all.commit().unwrap();
        world
    }

    fn source(&self) -> Connection {
        Connection::open(self.dir.path().join("source.db")).unwrap()
    }

    fn urls(&self) -> [String; 2] {
        let graph = format!("graph={0}/v1.0&authority={0}&units_per_minute=100000000", self.server.url());
        let list = format!("sharepoint://contoso.sharepoint.com/sites/Team/Open%20orders?{graph}");
        [format!("sqlite://{}/people", self.dir.path().join("source.db").display()), list]
    }

    fn command(&self, verb: &str, more: &[&str]) -> Command {
        let (options, app) = (GraphOptions::default(), AppOptions::default());
        let mut command = Command::new(env!("CARGO_BIN_EXE_portbook"));
        command.arg("--book").arg(self.dir.path().join("book.db")).arg(verb).args(self.urls()).args(more);
        command.env("PORTBOOK_SHAREPOINT_TENANT", options.tenant).env("PORTBOOK_SHAREPOINT_CLIENT_ID", app.id);
        command.env("PORTBOOK_SHAREPOINT_CLIENT_SECRET", app.secret).stdin(Stdio::null());
        command
    }

    fn run(&self, verb: &str, more: &[&str]) -> Output {
        self.command(verb, more).output().unwrap()
    }

    fn json(&self, verb: &str, more: &[&str], status: i32) -> Value {
        let output = self.run(verb, &[more, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(status), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn rows(&self) -> BTreeMap<String, (String, f64)> {
        let source = self.source();
        let mut rows = source.prepare("SELECT CAST(id AS TEXT), name, score FROM people").unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
        rows.query_map([], row).unwrap().map(Result::unwrap).collect()
    }

    /// What the list has; nothing of it twice.
    fn items(&self) -> BTreeMap<String, (String, f64)> {
        let mut items = BTreeMap::new();
        for item in self.server.items("Open orders") {
            let of = |name: &str| item.fields[name].as_str().unwrap().to_owned();
            let is_first = items.insert(of("id2"), (of("name"), item.fields["score"].as_f64().unwrap())).is_none();
            assert!(is_first, "two items have the key {}", of("id2"));
        }
        items
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_list_is_previewed_made_filled_and_verified() {
    let world = World::new(30);
    let missing = world.run("preview", &[]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("--create"), "{}", text(&missing.stderr));
    assert!(world.server.list_id("Open orders").is_none());

    assert_eq!(world.json("sync", &["--create"], 0)["new"], 30);
    assert_eq!(world.items(), world.rows());
    world.source().execute("UPDATE people SET score = 7 WHERE id = 4", []).unwrap();
    let preview = world.run("preview", &[]);
    assert!(text(&preview.stdout).contains("1 updated"), "{}", text(&preview.stdout));
    assert_eq!(world.run("verify", &[]).status.code(), Some(1), "they differ");
    assert_eq!(world.json("sync", &[], 0)["updated"], 1);
    assert_eq!(world.json("verify", &[], 0)["status"], "MATCH");
    let again = world.json("sync", &[], 0);
    assert_eq!(
        (again["new"].as_u64(), again["updated"].as_u64(), again["unchanged"].as_u64()),
        (Some(0), Some(0), Some(30))
    );
    assert_eq!(world.items(), world.rows());
}

#[test]
fn the_secret_is_in_no_output_and_is_kept_by_a_book_with_a_key() {
    let world = World::new(3);
    let key = world.dir.path().join("key");
    std::fs::write(&key, "5f".repeat(32)).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let secret = AppOptions::default().secret;
    let with_key = |verb: &str, more: &[&str]| {
        let mut command = world.command(verb, more);
        command.arg("--key-file").arg(&key);
        command
    };
    let first = with_key("sync", &["--create"]).output().unwrap();
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    // From now on the book lets it in.
    for name in ["TENANT", "CLIENT_ID", "CLIENT_SECRET"] {
        world.source().execute("UPDATE people SET score = score + 1", []).unwrap();
        let without = with_key("sync", &[]).env_remove(format!("PORTBOOK_SHAREPOINT_{name}")).output().unwrap();
        assert_eq!(without.status.code(), Some(0), "{name}: {}", text(&without.stderr));
    }
    let wrong = world.command("sync", &[]).env("PORTBOOK_SHAREPOINT_CLIENT_SECRET", "hush").output().unwrap();
    assert_eq!(wrong.status.code(), Some(1), "{}", text(&wrong.stderr));
    for output in [&first, &wrong] {
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(!all.contains(&secret) && !all.contains("hush"), "{all}");
    }
    let book = std::fs::read(world.dir.path().join("book.db")).unwrap();
    assert!(!book.windows(secret.len()).any(|part| part == secret.as_bytes()));
}

#[test]
fn a_push_that_is_killed_leaves_nothing_twice_and_nothing_out() {
    let kills: u64 = std::env::var("PORTBOOK_LIST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(6);
    let world = World::new(500);
    let (mut killed, mut turn) = (0, 0);
    while killed < kills {
        turn += 1;
        assert!(turn < kills * 5, "most runs are quicker than their end: {killed} of {turn} were killed");
        let mut run =
            world.command("sync", &["--create", "--json"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(30 + 37 * (turn % 20)));
        run.kill().unwrap();
        killed += u64::from(!run.wait().unwrap().success());
        // Nothing is there that the source does not have, and nothing twice.
        let (items, rows) = (world.items(), world.rows());
        assert!(items.iter().all(|(key, item)| rows.get(key) == Some(item)), "after {turn}");
        if turn % 5 == 4 {
            // Another push of them all.
            assert!([0, 1].contains(&world.run("sync", &["--create", "--checksum"]).status.code().unwrap()));
            assert_eq!(world.items(), world.rows(), "after {turn}");
            for item in world.server.items("Open orders") {
                world.server.delete_item("Open orders", item.id);
            }
            rusqlite::Connection::open(world.dir.path().join("book.db"))
                .unwrap()
                .execute("DELETE FROM sync_ledger", [])
                .unwrap();
        }
    }
    println!("LISTS: killed {killed} times in {turn} runs");
    assert_eq!(world.json("sync", &["--create"], 0)["failed"], 0);
    assert_eq!(world.items(), world.rows());
    assert_eq!(world.json("verify", &[], 0)["status"], "MATCH");
    let quiet = world.json("sync", &[], 0);
    assert_eq!((quiet["new"].as_u64(), quiet["updated"].as_u64()), (Some(0), Some(0)));
}
