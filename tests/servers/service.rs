//! Servers that nobody here wrote, started by the scripts beside this file.

use std::path::Path;
use std::process::Command;

/// A server; it runs until this is dropped.
pub struct Service {
    name: &'static str,
    directory: tempfile::TempDir,
    /// What the script said of where it is: a port, or more words.
    pub address: String,
}

impl Service {
    /// Starts it, or says why it cannot be had here: then there is a line for the summary of `tests/run`.
    pub fn start(name: &'static str, words: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let ran = run(name, "start", directory.path(), words);
        if !ran.status.success() {
            let said = String::from_utf8_lossy(&ran.stderr);
            println!("SKIPPED tests with {name}: {}", said.lines().last().unwrap_or("it did not start"));
            return None;
        }
        let said = String::from_utf8(ran.stdout).unwrap();
        let address = said.lines().last().unwrap_or_default().to_owned();
        Some(Self { name, directory, address })
    }

    /// The port, where that is all the script says.
    pub fn port(&self) -> u16 {
        self.address.parse().unwrap()
    }

    /// Where it keeps its files: data, logs.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        run(self.name, "stop", self.directory.path(), &[]);
    }
}

/// Runs a script of this name.
pub fn run(name: &str, what: &str, directory: &Path, words: &[&str]) -> std::process::Output {
    // Of this crate or of one of the workspace's beneath it.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|dir| dir.join("tests/servers"));
    let script = above.map(|dir| dir.join(format!("{name}.sh"))).find(|script| script.is_file()).unwrap();
    Command::new(script).arg(what).arg(directory).args(words).output().unwrap()
}
