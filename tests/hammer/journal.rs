//! What a process says it is about to write, and what the book has confirmed. It is a file of the process's own: whoever
//! is killed loses nothing that the kernel already has.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// Names one write: the seat of the process among the eight, its life, and the number of the write in it. Later ones of a
/// seat are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp {
    pub seat: u32,
    pub life: u32,
    pub number: u32,
}

impl Stamp {
    /// Of what was there before the processes began.
    pub const FIRST: Self = Self { seat: 0, life: 0, number: 0 };
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.seat, self.life, self.number)
    }
}

impl std::str::FromStr for Stamp {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.').map(str::parse);
        let mut next = || parts.next().unwrap_or_else(|| "".parse());
        Ok(Self { seat: next()?, life: next()?, number: next()? })
    }
}

/// The kinds of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// New pairs of the ledger, so many.
    Pairs,
    /// The same pairs written over.
    Ring,
    /// A preview with so many changes.
    Preview,
    /// That preview deleted.
    Discard,
    /// A progress row.
    Begin,
    /// That run completed.
    Complete,
    /// Lines of activity, so many.
    Activity,
    /// Rows with a secret each, so many.
    Secrets,
    /// The row of the seat changed, with a new secret.
    Change,
    /// The same rows of `sync_ledger` written over.
    Records,
    /// A number that all of a tenant's processes count up.
    Count,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::Pairs,
        Self::Ring,
        Self::Preview,
        Self::Discard,
        Self::Begin,
        Self::Complete,
        Self::Activity,
        Self::Secrets,
        Self::Change,
        Self::Records,
        Self::Count,
    ];
}

/// The file of one process.
pub struct Journal(File);

impl Journal {
    pub fn append(path: &Path) -> Self {
        Self(File::options().create(true).append(true).open(path).unwrap())
    }

    /// It is about to be written.
    pub fn begun(&mut self, kind: Kind, stamp: Stamp, count: usize) {
        self.line("begun", kind, stamp, count);
    }

    /// The book has confirmed it.
    pub fn done(&mut self, kind: Kind, stamp: Stamp, count: usize) {
        self.line("done", kind, stamp, count);
    }

    fn line(&mut self, what: &str, kind: Kind, stamp: Stamp, count: usize) {
        // One call of write: no line is ever seen half.
        self.0.write_all(format!("{what} {kind:?} {stamp} {count}\n").as_bytes()).unwrap();
    }
}

/// What became of a write, as far as its process has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub count: usize,
    pub is_done: bool,
}

/// Everything that the processes have told.
pub fn read(paths: impl Iterator<Item = std::path::PathBuf>) -> HashMap<(Kind, Stamp), Told> {
    let mut told = HashMap::new();
    for line in
        paths.flat_map(|path| std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
    {
        let words: Vec<_> = line.split(' ').collect();
        let kind = *Kind::ALL.iter().find(|kind| format!("{kind:?}") == words[1]).unwrap();
        let told = told.entry((kind, words[2].parse().unwrap())).or_insert(Told { count: 0, is_done: false });
        told.count = words[3].parse().unwrap();
        told.is_done |= words[0] == "done";
    }
    told
}
