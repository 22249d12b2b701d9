//! Tables on the command line: what is shown, what the exit status says, and a push that is killed.
//!
//! `PORTBOOK_ROW_KILLS` is how many times it is killed.

#![cfg(unix)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        for side in ["source", "target"] {
            let table = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, score REAL)";
            world.open(side).execute_batch(table).unwrap();
        }
        world
    }

    fn path(&self, side: &str) -> PathBuf {
        self.dir.path().join(format!("{side}.db"))
    }

    fn open(&self, side: &str) -> Connection {
        Connection::open(self.path(side)).unwrap()
    }

    fn url(&self, side: &str) -> String {
        format!("sqlite://{}/people", self.path(side).display())
    }

    fn fill(&self, rows: i64) {
        let mut source = self.open("source");
        let all = source.transaction().unwrap();
        for id in 0..rows {
            all.execute("INSERT INTO people VALUES (?1, ?2, ?3)", (id, format!("person {id}"), id as f64 / 8.0))
                .unwrap();
        }
        all.commit().unwrap();
    }

    fn fill_timed(&self) {
        self.open("source").execute_batch("INSERT INTO people VALUES (1, 'x', 1, '2026-01-01 09:00:00')").unwrap();
    }

    fn command(&self, verb: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portbook"));
        command.arg("--book").arg(self.dir.path().join("book.db")).arg(verb);
        command.args([self.url("source"), self.url("target")]).args(more).stdin(Stdio::null());
        command
    }

    fn run(&self, verb: &str, more: &[&str]) -> Output {
        self.command(verb, more).output().unwrap()
    }

    fn json(&self, verb: &str, more: &[&str], status: i32) -> Value {
        let output = self.run(verb, &[more, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn rows(&self, side: &str) -> Vec<(i64, Option<String>, Option<f64>)> {
        let database = self.open(side);
        let mut rows = database.prepare("SELECT id, name, score FROM people ORDER BY id").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_preview_is_shown_and_applied_and_the_answer_is_in_the_status() {
    let world = World::new();
    world.fill(3);
    let preview = world.run("preview", &[]);
    let shown = text(&preview.stdout);
    assert_eq!(preview.status.code(), Some(0), "{}", text(&preview.stderr));
    assert!(shown.contains("3 new") && shown.contains("(insert)") && shown.contains("--preview"), "{shown}");
    assert!(world.rows("target").is_empty());
    let id = shown.split("--preview ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();

    assert_eq!(world.run("verify", &[]).status.code(), Some(1), "they differ");
    let applied = world.json("sync", &["--preview", id], 0);
    assert_eq!(applied["new"], 3);
    assert_eq!(world.rows("target"), world.rows("source"));
    let verified = world.json("verify", &[], 0);
    assert_eq!((verified["status"].as_str(), verified["source_rows"].as_u64()), (Some("MATCH"), Some(3)));
    let again = world.json("sync", &[], 0);
    assert_eq!((again["new"].as_u64(), again["unchanged"].as_u64()), (Some(0), Some(3)));
}

#[test]
fn modes_maps_and_guards_are_those_of_the_line() {
    let world = World::new();
    world.fill(20);
    let map = world.dir.path().join("map.json");
    let fields = r#"[{"source": "id", "target": "id"},
        {"source": "name", "target": "name", "direction": "PUSH_ONLY", "transform": "upper(name)"}]"#;
    std::fs::write(&map, fields).unwrap();
    world.json("sync", &["--map", map.to_str().unwrap()], 0);
    assert_eq!(world.rows("target")[3], (3, Some("PERSON 3".into()), None));

    world.open("source").execute_batch("DELETE FROM people WHERE id > 2").unwrap();
    let stopped = world.run("sync", &["--map", map.to_str().unwrap()]);
    assert_eq!(stopped.status.code(), Some(3), "{}", text(&stopped.stderr));
    assert_eq!(world.json("sync", &["--map", map.to_str().unwrap(), "--max-delete", "20"], 0)["deleted"], 17);

    world.open("target").execute_batch("INSERT INTO people VALUES (50, 'there', 1)").unwrap();
    let both = world.json("sync", &["--mode", "two-way"], 0);
    assert_eq!(both["failed"], 0);
    assert_eq!(world.rows("target"), world.rows("source"));
    assert!(world.rows("source").iter().any(|row| row.0 == 50));

    for wrong in [&["--mode", "selective"][..], &["--conflict", "keep-both"], &["--include", "*.jpg"]] {
        let refused = world.run("sync", wrong);
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {}", text(&refused.stderr));
    }
}

#[test]
fn a_database_and_a_table_are_inspected() {
    let world = World::new();
    let inspect = |url: String, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portbook"));
        command.arg("--book").arg(world.dir.path().join("book.db")).arg("inspect").arg(url).args(more);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let tables = inspect(format!("sqlite://{}/", world.path("source").display()), &[]);
    assert!(tables.contains("people"), "{tables}");
    let columns = inspect(world.url("source"), &[]);
    assert!(columns.contains("id  INTEGER  (integer, primary key"), "{columns}");
    let json: Value = serde_json::from_str(&inspect(world.url("source"), &["--json"])).unwrap();
    assert_eq!(json["columns"][1]["kind"], "text");
}

#[test]
fn a_push_that_is_killed_leaves_nothing_twice_and_nothing_out() {
    let kills: u64 = std::env::var("PORTBOOK_ROW_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(10);
    let world = World::new();
    world.fill(60_000);
    let mut killed = 0;
    for turn in 0..kills {
        let mut run = world.command("sync", &["--json"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(60 + 90 * (turn % 12)));
        run.kill().unwrap();
        killed += u64::from(!run.wait().unwrap().success());
        // Whatever was carried is what the source has.
        let source = world.rows("source");
        assert!(
            world
                .rows("target")
                .iter()
                .all(|row| source.binary_search_by_key(&row.0, |row| row.0).is_ok_and(|at| source[at] == *row))
        );
        world
            .open("source")
            .execute("UPDATE people SET score = score + 1 WHERE id % 7 = ?1", [(turn % 7) as i64])
            .unwrap();
    }
    assert!(killed > 0, "every run was quicker than its end");
    assert_eq!(world.json("sync", &["--checksum"], 0)["failed"], 0);
    assert_eq!(world.rows("target"), world.rows("source"));
    assert_eq!(world.json("verify", &[], 0)["status"], "MATCH");
    let quiet = world.json("sync", &[], 0);
    assert_eq!((quiet["new"].as_u64(), quiet["updated"].as_u64()), (Some(0), Some(0)));
}

#[test]
fn a_row_that_waits_is_listed_shown_and_decided() {
    let world = World::new();
    world.fill(3);
    let manual = ["--mode", "two-way", "--conflict", "manual"];
    world.json("sync", &manual, 0);
    world.open("source").execute_batch("UPDATE people SET name = 'left', score = 1 WHERE id = 1").unwrap();
    world.open("target").execute_batch("UPDATE people SET name = 'right', score = 2 WHERE id = 1").unwrap();
    world.json("sync", &manual, 1);
    let listed = text(&world.run("conflicts", &[]).stdout);
    assert!(
        listed.contains("1  (both sides changed it)") && listed.contains("1 rows wait, 0 of them decided"),
        "{listed}"
    );
    let waiting = world.json("conflicts", &[], 1);
    let id = waiting["conflicts"][0]["id"].as_str().unwrap();
    let shown = text(&world.run("conflicts", &["--show", id]).stdout);
    assert!(shown.contains(r#"name: "left" at the source, "right" at the target"#), "{shown}");
    assert_eq!(world.run("conflicts", &["--resolve", id]).status.code(), Some(2), "and whose it is to be");
    let decided = world.json("conflicts", &["--resolve", id, "--field", "score=target"], 0);
    assert_eq!(decided["conflicts"][0]["decided"]["score"], "target");
    world.json("sync", &manual, 0);
    assert_eq!(world.rows("source")[1], (1, Some("left".into()), Some(2.0)));
    assert_eq!(world.rows("target"), world.rows("source"));
    assert_eq!(world.json("conflicts", &[], 0)["conflicts"].as_array().unwrap().len(), 0);
}

#[test]
fn the_last_change_wins_by_a_clock() {
    let world = World::new();
    for side in ["source", "target"] {
        world.open(side).execute_batch("ALTER TABLE people ADD COLUMN at TIMESTAMP").unwrap();
    }
    world.fill_timed();
    let latest = ["--mode", "two-way", "--conflict", "latest-wins", "--clock", "at", "--clock-skew", "5"];
    world.json("sync", &latest, 0);
    let set = |side: &str, name: &str, at: &str| {
        world.open(side).execute("UPDATE people SET name = ?1, at = ?2", (name, at)).unwrap();
    };
    set("source", "left", "2026-01-01 10:00:00");
    set("target", "right", "2026-01-01 10:00:09");
    world.json("sync", &latest, 0);
    assert_eq!(world.rows("source")[0].1.as_deref(), Some("right"));
}

#[test]
fn a_table_that_changed_is_told_and_accepted() {
    let world = World::new();
    world.fill(3);
    world.json("sync", &[], 0);
    world.open("source").execute_batch("ALTER TABLE people ADD COLUMN born TEXT").unwrap();
    let preview = text(&world.run("preview", &[]).stdout);
    assert!(preview.contains("drift at the source: column born (TEXT) is new (needs_mapping:"), "{preview}");
    world.json("sync", &[], 0);
    world.open("source").execute_batch("ALTER TABLE people DROP COLUMN score").unwrap();
    let stopped = world.run("sync", &[]);
    assert_eq!(stopped.status.code(), Some(2));
    assert!(
        text(&stopped.stderr).contains("column score (REAL) is gone; a field uses it"),
        "{}",
        text(&stopped.stderr)
    );
    let inspect = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portbook"));
        command.arg("--book").arg(world.dir.path().join("book.db")).arg("inspect").arg(world.url("source")).args(more);
        text(&command.output().unwrap().stdout)
    };
    let told = inspect(&[]);
    assert!(told.contains("since the last run: column score (REAL) is gone") && told.contains("blocks: "), "{told}");
    let json: Value = serde_json::from_str(&inspect(&["--json"])).unwrap();
    assert_eq!(json["drift"][0]["definitions"][0]["effect"], "blocks");
    inspect(&["--accept"]);
    assert!(!inspect(&[]).contains("since the last run"));
    world.json("sync", &[], 0);
}
