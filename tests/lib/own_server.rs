//! A PostgreSQL server of a test's own, which may be killed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// It runs until this is dropped.
pub struct Server {
    directory: tempfile::TempDir,
    pub url: String,
}

impl Server {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = run("start", directory.path());
        Self { directory, url: url.trim().to_owned() }
    }

    /// Kills it without a shutdown, and starts it again.
    pub fn crash(&self) {
        run("crash", self.directory.path());
    }

    /// Where it keeps its data, in `data`, and its log, `server.log`.
    pub fn home(&self) -> PathBuf {
        std::fs::read_to_string(self.directory.path().join("home")).unwrap().trim().into()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        run("stop", self.directory.path());
    }
}

fn run(what: &str, directory: &Path) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lib/postgres.sh");
    let ran = Command::new(script).arg(what).arg(directory).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}
