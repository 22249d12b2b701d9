//! A server of a test's own, which is told how it is to be.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use portbook::model::DbType;

use crate::fixture::{Store, mariadb_store, postgres_store};

/// It runs until this is dropped.
pub(crate) struct OwnServer {
    product: DbType,
    directory: tempfile::TempDir,
    url: String,
}

impl OwnServer {
    /// With these options, which are words of its command line.
    pub(crate) fn start(product: DbType, options: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let said = run(product, "start", directory.path(), options);
        let url = said.lines().last().unwrap().trim().to_owned();
        Self { product, directory, url }
    }

    /// A new database of it.
    pub(crate) async fn store(&self, database: &str) -> Arc<Store> {
        match self.product {
            DbType::Postgres => postgres_store(&self.url, database).await,
            _ => mariadb_store(&self.url, database).await,
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        run(self.product, "stop", self.directory.path(), "");
    }
}

fn run(product: DbType, what: &str, directory: &Path, options: &str) -> String {
    let (script, variable) = match product {
        DbType::Postgres => ("postgres.sh", "PORTBOOK_POSTGRES_OPTIONS"),
        _ => ("mariadb.sh", "PORTBOOK_MARIADB_OPTIONS"),
    };
    let mut command = Command::new("sh");
    command.arg(format!("{}/tests/lib/{script}", env!("CARGO_MANIFEST_DIR"))).arg(what).arg(directory);
    // Into a file and not a pipe, which the server would hold open.
    let said = tempfile::NamedTempFile::new().unwrap();
    let status = command.env(variable, options).stdout(said.reopen().unwrap()).status().unwrap();
    assert!(status.success(), "{script} {what}");
    std::fs::read_to_string(said.path()).unwrap()
}
