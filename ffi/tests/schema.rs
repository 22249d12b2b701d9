//! `include/portbook.schema.json` is what the records say, and has all of them.

#![cfg(feature = "schema")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("include/portbook.schema.json")
}

#[test]
fn the_schema_is_what_the_records_say() {
    let schema = serde_json::to_string_pretty(&portbook_ffi::schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(committed(), &schema).unwrap();
    }
    let known = std::fs::read_to_string(committed()).unwrap_or_default();
    assert!(known == schema, "run UPDATE_HEADER=1 cargo test -p portbook-ffi --all-features --test schema");
}

#[test]
fn every_record_is_in_the_schema() {
    let schema = portbook_ffi::schema();
    let records = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/records");
    let mut count = 0;
    for file in std::fs::read_dir(records).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum ")) else {
                continue;
            };
            let name = rest.split([' ', '(']).next().unwrap();
            count += 1;
            assert!(schema["$defs"].get(name).is_some(), "{name}");
        }
    }
    assert!(count > 80, "{count}");
}
