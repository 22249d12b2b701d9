//! `include/portbook.h` is what the source says, declares what the library exports, and compiles by itself.

#![cfg(feature = "c")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use cbindgen::{Builder, Config};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn committed() -> PathBuf {
    root().join("include/portbook.h")
}

/// Sources in the order in which a reader wants to meet what they declare.
const SOURCES: &[&str] = &[
    "types",
    "library",
    "book",
    "upkeep",
    "session",
    "history",
    "rows",
    "conduit",
    "preview",
    "run",
    "records",
    "definition",
    "volumes",
    "volume",
    "files",
    "host",
    "host_records",
];

fn generated() -> String {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut builder = Builder::new().with_config(Config::from_file(manifest.join("cbindgen.toml")).unwrap());
    for source in SOURCES {
        builder = builder.with_src(manifest.join(format!("src/c/{source}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    String::from_utf8(header).unwrap()
}

#[test]
fn the_header_is_what_the_source_says() {
    let header = generated();
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::create_dir_all(committed().parent().unwrap()).unwrap();
        std::fs::write(committed(), &header).unwrap();
    }
    let known = std::fs::read_to_string(committed()).unwrap_or_default();
    let differs = known.lines().zip(header.lines()).position(|(known, new)| known != new);
    assert!(
        known == header,
        "differs from line {differs:?}: run UPDATE_HEADER=1 cargo test -p portbook-ffi --test header"
    );
}

#[test]
fn every_source_of_the_abi_is_in_the_header() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/c");
    let mut defined: Vec<String> = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let names = text.split("extern \"C\" fn ").skip(1).map(|rest| rest.split('(').next().unwrap().to_owned());
        defined.extend(names);
    }
    let header = generated();
    assert!(defined.len() > 100, "{}", defined.len());
    for name in defined {
        let declarations = header.matches(&format!(" {name}(")).count() + header.matches(&format!("*{name}(")).count();
        assert_eq!(declarations, 1, "{name}");
    }
}

#[test]
fn it_compiles_alone_in_every_dialect() {
    let dir = tempfile::tempdir().unwrap();
    for (compiler, dialect, name) in
        [("cc", "c99", "a.c"), ("cc", "c11", "a.c"), ("c++", "c++17", "a.cc"), ("c++", "c++11", "a.cc")]
    {
        if Command::new(compiler).arg("--version").output().is_err() {
            println!("SKIPPED header as {dialect}: there is no {compiler}");
            continue;
        }
        let source = dir.path().join(name);
        std::fs::write(&source, "#include <portbook.h>\n#include <portbook.h>\nint main(void) { return 0; }\n")
            .unwrap();
        let compile = Command::new(compiler)
            .args([&format!("-std={dialect}"), "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I"])
            .arg(root().join("include"))
            .arg(&source)
            .output()
            .unwrap();
        assert!(compile.status.success(), "{dialect}: {}", String::from_utf8_lossy(&compile.stderr));
    }
}
