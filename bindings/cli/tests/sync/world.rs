//! Two folders and a book in a temporary directory, and the program run upon them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// `a` and `b` are the folders that most tests sync; neither exists at first.
pub struct World {
    dir: TempDir,
}

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// Everything that `stat` tells of an item but the time of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    ino: u64,
    mode: u32,
    links: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl World {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    /// A world with files in `a`, each with its path as its content.
    pub fn with(files: &[&str]) -> Self {
        let world = Self::new();
        world.make_dir("a");
        for file in files {
            world.write(&format!("a/{file}"), file);
        }
        world
    }

    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.dir.path().join(Path::new(name.as_ref()))
    }

    pub fn make_dir(&self, name: &str) {
        std::fs::create_dir_all(self.path(name)).expect("a directory can be made");
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file has a parent")).expect("a directory can be made");
        std::fs::write(path, content).expect("a file can be written");
    }

    pub fn read(&self, name: &str) -> Option<String> {
        std::fs::read(self.path(name)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn remove(&self, name: &str) {
        let path = self.path(name);
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.expect("it can be removed");
    }

    /// The paths of files and directories beneath `name`, sorted, without what the engine keeps for itself.
    pub fn tree(&self, name: &str) -> Vec<String> {
        let root = self.path(name);
        let kept = self.stats(name).into_keys().filter_map(|path| {
            let path = path.strip_prefix(&root).ok()?.to_string_lossy().into_owned();
            (!path.is_empty() && !path.starts_with(".portbook")).then_some(path)
        });
        kept.collect()
    }

    pub fn stats(&self, name: &str) -> BTreeMap<PathBuf, Stat> {
        let mut stats = BTreeMap::new();
        let mut stack = vec![self.path(name)];
        while let Some(path) = stack.pop() {
            let m = std::fs::symlink_metadata(&path).expect("it is there");
            if m.is_dir() {
                stack.extend(std::fs::read_dir(&path).expect("a list").map(|entry| entry.expect("an entry").path()));
            }
            let stat = Stat {
                ino: m.ino(),
                mode: m.mode(),
                links: m.nlink(),
                size: m.size(),
                modified: (m.mtime(), m.mtime_nsec()),
                changed: (m.ctime(), m.ctime_nsec()),
            };
            stats.insert(path, stat);
        }
        stats
    }

    /// The program with these words, run in the temporary directory.
    pub fn command(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portbook"));
        command
            .args(words)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .env("PORTBOOK_BOOK", self.path("book.db"))
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[impl AsRef<OsStr>]) -> Ran {
        self.command(words).output().expect("the program starts").into()
    }

    /// As [`run`](Self::run), of which this exit status is claimed.
    pub fn ends(&self, status: i32, words: &[&str]) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.status, status, "{words:?}: {ran:?}");
        ran
    }

    /// Runs it with `--json` and gives the object, of which it is claimed that nothing else was printed.
    pub fn json(&self, status: i32, words: &[&str]) -> Value {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let ran = self.ends(status, &words);
        assert!(ran.out.ends_with('\n') && ran.out.lines().count() == 1, "{words:?}: {ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
    }

    /// The kinds and paths of the changes of a preview, sorted.
    pub fn changes(&self, words: &[&str]) -> Vec<(String, String)> {
        let mut changes: Vec<(String, String)> = self.json(0, words)["changes"]
            .as_array()
            .expect("a list of changes")
            .iter()
            .map(|change| (text(change, "kind"), text(change, "path")))
            .collect();
        changes.sort();
        changes
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("the program prints Unicode"),
            err: String::from_utf8(output.stderr).expect("the program prints Unicode"),
        }
    }
}

impl Ran {
    /// Claims that nothing was printed on standard output, and one line `portbook: could not … [code]` on standard error.
    #[track_caller]
    pub fn is_one_error(&self, code: &str) {
        assert_eq!(self.out, "", "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        assert!(self.err.starts_with("portbook: could not "), "{self:?}");
        assert!(self.err.ends_with(&format!(" [{code}]\n")), "{self:?}");
    }

    #[track_caller]
    pub fn says(&self, words: &str) {
        assert!(self.err.contains(words), "{words:?} in {self:?}");
    }
}

pub fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key} of {value}")).to_owned()
}

/// The numbers of a report that say whether anything was done, in the order of the contract.
pub fn done(report: &Value) -> [u64; 7] {
    ["new", "updated", "deleted", "moved", "conflicts", "failed", "bytes"]
        .map(|key| report[key].as_u64().unwrap_or_else(|| panic!("{key} of {report}")))
}

/// A claim that cannot be tried here says why; the harness keeps `println!` to itself.
pub fn skip(claim: &str, why: &str) {
    writeln!(std::io::stdout().lock(), "SKIPPED {claim}: {why}").expect("standard output is there");
}

pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}
