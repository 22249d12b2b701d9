//! Every call of the core's handles is at the border, and every method of the border in the C ABI.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::Path;

fn source(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names of public functions; of methods of traits and of tests there are none in these files.
fn calls(source: &str) -> Vec<String> {
    let public = source.lines().map(str::trim_start);
    let public = public.filter_map(|line| line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("pub fn ")));
    public.map(|rest| rest.split(['(', '<']).next().unwrap().to_owned()).collect()
}

/// A file of the core, those of the border that have its calls, and the calls that the border has under another name or not.
const HANDLES: &[(&str, &[&str], &[&str])] = &[
    (
        "book.rs",
        &["book.rs", "records/book.rs"],
        // Records and `wait`; for tests and for hosts in Rust; a part of `shutdown`.
        &["sqlite", "postgres_with", "wait", "store", "clock", "end_runs"],
    ),
    (
        "session.rs",
        &["session.rs", "rows.rs", "preview.rs", "definition.rs"],
        // Rows by the names of tables; `changes` and `discard` of a preview; for endpoints that a host in Rust opens itself.
        &["rows", "table", "preview_changes", "delete_preview", "sharepoint_units"],
    ),
    ("rows.rs", &["rows.rs"], &["create_all", "info", "equal", "create", "get", "list", "update", "delete", "restore"]),
    ("conduit/mod.rs", &["conduit.rs"], &[]),
    ("bridge/mod.rs", &["definition.rs"], &[]),
    ("bridge/conflict/mod.rs", &["definition.rs"], &[]),
    ("operation/run.rs", &["run.rs"], &["add", "is_quiet", "is_in_step"]),
    ("operation/watch.rs", &["run.rs"], &["of", "next"]),
    ("upkeep/copy.rs", &["book.rs"], &["new"]),
    ("volume/mod.rs", &["volume.rs"], &["at", "named", "of_app", "promising", "path_of", "get"]),
];

#[test]
fn every_call_of_the_core_is_at_the_border() {
    for (core, border, elsewhere) in HANDLES {
        let known: String = border.iter().map(|file| source(&format!("src/{file}"))).collect();
        for call in calls(&source(&format!("../core/src/{core}"))) {
            let is_there = known.contains(&format!("fn {call}(")) || known.contains(&format!("pub {call}:"));
            assert!(is_there != elsewhere.contains(&call.as_str()), "{core}: {call}");
        }
    }
}

#[test]
fn every_method_of_the_border_is_in_the_c_abi() {
    let header = source("../include/portbook.h");
    for (file, types) in [
        ("book.rs", &["book", "book_copy"][..]),
        ("session.rs", &["session"]),
        ("rows.rs", &["session"]),
        ("conduit.rs", &["conduit"]),
        ("definition.rs", &["definition", "session"]),
        ("preview.rs", &["preview"]),
        ("run.rs", &["run", "progress_watch"]),
        ("volume.rs", &["volume", "file_reader"]),
        ("host.rs", &["host_store"]),
        ("host_records.rs", &["host_records"]),
        ("keys.rs", &["host_keys"]),
    ] {
        for call in calls(&source(&format!("src/{file}"))) {
            let is_there = types.iter().any(|name| header.contains(&format!("portbook_{name}_{call}(")));
            assert!(is_there || (file, call.as_str()) == ("rows.rs", "tables"), "{file}: {call}");
        }
    }
}
