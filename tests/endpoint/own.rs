//! A server of a test's own, which is told how it is to be.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::fixture::{Flavour, Server, Store};

/// It runs until this is dropped.
pub(crate) struct OwnServer {
    server: Server,
    directory: tempfile::TempDir,
    url: String,
}

impl OwnServer {
    /// With these options, which are words of its command line.
    pub(crate) fn start(server: Server, options: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let said = run(server, "start", directory.path(), options);
        let url = said.lines().last().unwrap().trim().to_owned();
        Self { server, directory, url }
    }

    /// A new database of it.
    pub(crate) async fn store(&self, database: &str) -> Arc<Store> {
        self.server.store(&self.url, database).await
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        run(self.server, "stop", self.directory.path(), "");
    }
}

fn run(server: Server, what: &str, directory: &Path, options: &str) -> String {
    let script = match server {
        Server::Postgres => "postgres.sh",
        Server::MySql(Flavour::MariaDb) => "mariadb.sh",
        Server::MySql(Flavour::MySql) => "mysql.sh",
    };
    let (_, variable) = server.variables();
    let mut command = Command::new("sh");
    command.arg(format!("{}/tests/lib/{script}", env!("CARGO_MANIFEST_DIR"))).arg(what).arg(directory);
    // Into a file and not a pipe, which the server would hold open.
    let said = tempfile::NamedTempFile::new().unwrap();
    let status = command.env(variable, options).stdout(said.reopen().unwrap()).status().unwrap();
    assert!(status.success(), "{script} {what}");
    std::fs::read_to_string(said.path()).unwrap()
}
