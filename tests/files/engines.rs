//! Two engines on one ledger, and two ledgers on one target: one after the other, never through each other, and nothing is
//! lost. With the book in a file and two processes, and with it on a server.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use portbook::conduit::{ConduitOptions, Place};
use portbook::model::SyncMode;
use portbook::operation::RunReport;
use portbook::provider::local::OsDisk;
use portbook::store::PostgresOptions;
use portbook::{Book, BookOptions, Code};
use tempfile::TempDir;

use crate::engine::tree::{Items, Tree, contents, leftovers, visible};
use crate::engine::{confirmed, options};
use crate::server::{self, APPLICATION, Database};

const ROUNDS: usize = 12;

/// Where a book is: a path, or the URL of a server.
#[derive(Clone)]
struct At(String);

impl At {
    fn open(&self) -> Book {
        let is_server = self.0.starts_with("postgres://");
        let options = if is_server { BookOptions::postgres(&self.0) } else { BookOptions::sqlite(&self.0) };
        portbook::wait(Book::open(options)).unwrap()
    }
}

/// Directories of this machine.
struct Yard {
    dir: TempDir,
    disk: OsDisk,
}

impl Yard {
    fn new(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| std::fs::create_dir(dir.path().join(name)).unwrap());
        Self { dir, disk: OsDisk::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn book(&self, name: &str) -> At {
        At(self.path(name).to_str().unwrap().to_owned())
    }

    fn tree(&self, name: &str) -> Items {
        Tree::at(&self.disk, self.path(name).to_str().unwrap()).all()
    }
}

fn sync(book: &Book, from: &Path, to: &Path, how: &ConduitOptions) -> portbook::Result<RunReport> {
    let session = portbook::wait(book.default_session())?;
    let conduit = portbook::wait(session.connect(Place::Local(from.into()), Place::Local(to.into()), how.clone()))?;
    portbook::wait(conduit.sync(Default::default(), confirmed()).finish())
}

/// Either it ran or somebody else did.
fn sync_or_busy(book: &Book, from: &Path, to: &Path, how: &ConduitOptions) -> bool {
    match sync(book, from, to, how) {
        Ok(_) => true,
        Err(e) if e.code() == Code::Busy => false,
        Err(e) => panic!("{e}"),
    }
}

/// Edits files that nobody else edits, on both sides, and syncs until it was its turn, again and again. Returns how often
/// another was at it.
fn agitate(who: &str, at: &At, left: &Path, right: &Path) -> usize {
    let how = options(SyncMode::Bidirectional, None);
    let book = at.open();
    let mut busy = 0;
    for round in 0..ROUNDS {
        for n in 0..8 {
            let root = if n % 2 == 0 { left } else { right };
            let file = root.join(format!("{who}-{n}"));
            std::fs::write(file, format!("{who}, file {n}, {}", "x".repeat(round))).unwrap();
        }
        while !sync_or_busy(&book, left, right, &how) {
            busy += 1;
            assert!(busy < 20_000, "it is never its turn");
        }
    }
    portbook::wait(book.shutdown());
    busy
}

/// The child of the tests below: `who`, book, left and right in one variable.
#[test]
fn the_other_process() {
    let Ok(told) = std::env::var("PORTBOOK_TEST_OTHER") else { return };
    let told: Vec<&str> = told.split('\n').collect();
    let busy = agitate(told[0], &At(told[1].to_owned()), Path::new(told[2]), Path::new(told[3]));
    println!("{}: {busy} times busy", told[0]);
}

fn process(who: &str, at: &At, left: &Path, right: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "engines::the_other_process", "--nocapture"])
        .env("PORTBOOK_TEST_OTHER", [who, &at.0, left.to_str().unwrap(), right.to_str().unwrap()].join("\n"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn ended(child: Child) {
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    said.lines().filter(|line| line.ends_with("busy")).for_each(|line| println!("{line}"));
}

/// The newest version of every file of these is on both sides, and both sides are equal.
fn all_there(yard: &Yard, at: &At, whos: &[&str], left: &str, right: &str) {
    let how = options(SyncMode::Bidirectional, None);
    let book = at.open();
    for run in 0..4 {
        let report = sync(&book, &yard.path(left), &yard.path(right), &how).unwrap();
        assert_eq!(report.counts.failed, 0, "{report:?}");
        if report.counts.is_quiet() && report.bytes == 0 {
            break;
        }
        assert!(run < 3, "the fourth run still has something to do: {report:?}");
    }
    portbook::wait(book.shutdown());
    let trees = [left, right].map(|name| yard.tree(name));
    assert_eq!(trees.iter().flat_map(leftovers).collect::<Vec<_>>(), Vec::<String>::new());
    let [one, two] = trees.each_ref().map(|tree| {
        let mut items = visible(tree);
        items.values_mut().for_each(|item| (item.mode, item.mtime) = (None, None));
        items
    });
    assert_eq!(one, two);
    for who in whos {
        for n in 0..8 {
            let newest = format!("{who}, file {n}, {}", "x".repeat(ROUNDS - 1));
            assert_eq!(one[&format!("{who}-{n}")].content, newest.as_bytes(), "{who}-{n}");
        }
    }
    assert_eq!(one.len(), whos.len() * 8, "copies were made of what nobody else touched: {:?}", one.keys());
}

fn one_ledger(yard: &Yard, at: &At) {
    // Made before, so that both find the same conduit.
    let book = at.open();
    sync(&book, &yard.path("left"), &yard.path("right"), &options(SyncMode::Bidirectional, None)).unwrap();
    portbook::wait(book.shutdown());
    let (left, right) = (yard.path("left"), yard.path("right"));
    let others = ["one", "two"].map(|who| process(who, at, &left, &right));
    println!("three: {} times busy", agitate("three", at, &left, &right));
    others.into_iter().for_each(ended);
    all_there(yard, at, &["one", "two", "three"], "left", "right");
}

fn other_roots_beside(yard: &Yard, at: &At) {
    portbook::wait(at.open().shutdown());
    let pairs = [("one", "left", "right"), ("two", "second", "third")];
    let others = pairs.map(|(who, l, r)| process(who, at, &yard.path(l), &yard.path(r)));
    others.into_iter().for_each(ended);
    for (who, left, right) in pairs {
        all_there(yard, at, &[who], left, right);
    }
}

#[test]
fn processes_that_share_a_book_in_a_file_run_one_conduit_one_after_the_other() {
    let yard = Yard::new(&["left", "right"]);
    one_ledger(&yard, &yard.book("book"));
}

#[test]
fn processes_that_share_a_book_in_a_file_run_two_conduits_beside_each_other() {
    let yard = Yard::new(&["left", "right", "second", "third"]);
    other_roots_beside(&yard, &yard.book("book"));
}

fn on_server(name: &str, claim: impl Fn(&At)) {
    let url = match server::url() {
        Ok(url) => url,
        Err(why) => {
            // Not println!, which the harness keeps to itself.
            writeln!(std::io::stdout().lock(), "SKIPPED postgres::{name}: {why}").unwrap();
            return;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = runtime.block_on(Database::create(url));
    // The owner makes the tables, the application uses them.
    let grant = PostgresOptions { application_role: Some(APPLICATION.into()), ..PostgresOptions::default() };
    let made = portbook::wait(Book::open(BookOptions::postgres_with(&database.owner, grant))).unwrap();
    portbook::wait(made.shutdown());
    claim(&At(database.application.clone()));
    runtime.block_on(database.drop_it());
}

#[test]
fn engines_that_share_a_server_run_one_conduit_one_after_the_other() {
    on_server("engines_that_share_a_server_run_one_conduit_one_after_the_other", |at| {
        one_ledger(&Yard::new(&["left", "right"]), at);
    });
}

#[test]
fn engines_that_share_a_server_run_two_conduits_beside_each_other() {
    on_server("engines_that_share_a_server_run_two_conduits_beside_each_other", |at| {
        other_roots_beside(&Yard::new(&["left", "right", "second", "third"]), at);
    });
}

/// Two sources, each with a book of its own, are mirrored to one target: names that only one of them has stay, and what
/// one overwrites of the other is in the trash.
#[test]
fn two_ledgers_on_one_target_lose_nothing() {
    for exact in [false, true] {
        let yard = Yard::new(&["one", "two", "target"]);
        let how = ConduitOptions { exact, ..options(SyncMode::Mirror, None) };
        let books = ["one", "two"].map(|name| (name, yard.book(&format!("{name}.book")).open()));
        let mut written = Vec::new();
        for round in 0..4 {
            for (name, book) in &books {
                for file in ["own", "common"] {
                    let content = format!("{file} of {name}, {}", "+".repeat(round));
                    let file = if file == "own" { format!("own of {name}") } else { file.to_owned() };
                    std::fs::write(yard.path(name).join(file), &content).unwrap();
                    written.push(content.into_bytes());
                }
                let report = sync(book, &yard.path(name), &yard.path("target"), &how).unwrap();
                assert!(report.is_in_step(), "exact {exact}, round {round}, {name}: {report:?}");
                let [source, target] = [*name, "target"].map(|name| visible(&yard.tree(name)));
                for (path, item) in &source {
                    assert_eq!(target[path].content, item.content, "exact {exact}, round {round}: {path}");
                }
                assert!(!exact || target.len() == source.len(), "exact {exact}: {:?}", target.keys());
            }
        }
        let kept = contents(&[yard.tree("one"), yard.tree("two"), yard.tree("target")]);
        // An update over a state that the ledger knows need not be kept; what the other ledger wrote was not known.
        let last = &written[written.len() - 4..];
        for content in last {
            assert!(kept.contains(content), "exact {exact}: lost {}", content.escape_ascii());
        }
        for (_, book) in &books {
            portbook::wait(book.shutdown());
        }
    }
}

/// … and at once, from two processes: one of them waits.
#[test]
fn two_ledgers_on_one_target_at_once_keep_out_of_each_others_way() {
    let yard = Yard::new(&["one", "two", "target"]);
    let others = ["one", "two"].map(|who| {
        let at = yard.book(&format!("{who}.book"));
        (who, process(who, &at, &yard.path(who), &yard.path("target")))
    });
    for (_, child) in others {
        ended(child);
    }
    let how = options(SyncMode::Bidirectional, None);
    for _ in 0..3 {
        for who in ["one", "two"] {
            let book = yard.book(&format!("{who}.book")).open();
            assert!(sync(&book, &yard.path(who), &yard.path("target"), &how).unwrap().is_in_step());
            portbook::wait(book.shutdown());
        }
    }
    let [one, two, target] = ["one", "two", "target"].map(|name| visible(&yard.tree(name)));
    let bare = |items: &Items| items.iter().map(|(p, i)| (p.clone(), i.content.clone())).collect::<Vec<_>>();
    assert_eq!(bare(&one), bare(&target));
    assert_eq!(bare(&two), bare(&target));
    for who in ["one", "two"] {
        for n in 0..8 {
            let newest = format!("{who}, file {n}, {}", "x".repeat(ROUNDS - 1));
            assert_eq!(target[&format!("{who}-{n}")].content, newest.as_bytes(), "{who}-{n}");
        }
    }
}
