//! Whole syncs over lines that fail at random: the end is equal, nothing is lost, nothing is there twice.
//!
//! `PORTBOOK_FAULTS_SEED` is the first seed, `PORTBOOK_FAULTS_MINUTES` for how long each test goes on with others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portbook::conduit::{ApplyOptions, ConduitOptions, Place, PreviewOptions};
use portbook::operation::RunReport;
use portbook::{Book, BookOptions, Session, wait};

use crate::ground::{Ground, Kind};
use crate::proxy::Proxy;
use crate::tree::{Tree, bytes, fill, left_over, tree, write};

const FILES: usize = 2_000;
/// Beyond the sizes from which on files go in parts.
const LARGE: [usize; 2] = [(17 << 20) + 3, 9 << 20];
/// A run that fails is continued by the next, so many times.
const RUNS: usize = 12;

struct World {
    dir: tempfile::TempDir,
    _book: Book,
    session: Session,
    proxy: Proxy,
    ground: Ground,
    seed: u64,
    /// What failed in the runs, and how often.
    failed: BTreeMap<String, u64>,
    runs: usize,
}

impl World {
    fn new(ground: Ground, seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let book = wait(Book::open(BookOptions::sqlite(dir.path().join("book.db")))).unwrap();
        let session = wait(book.default_session()).unwrap();
        let proxy = Proxy::start(ground.kind.protocol(), ground.port, seed);
        Self { dir, _book: book, session, proxy, ground, seed, failed: BTreeMap::new(), runs: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn local(&self, name: &str) -> Place {
        Place::Local(self.path(name))
    }

    fn remote(&self) -> Place {
        self.ground.place(self.proxy.port, "root")
    }

    fn sync(&self, from: Place, to: Place) -> portbook::Result<RunReport> {
        let conduit = wait(self.session.connect(from, to, ConduitOptions::default()))?;
        wait(conduit.sync(PreviewOptions::default(), ApplyOptions::default()).finish())
    }

    /// Syncs over the failing line until both sides are in step; then there is nothing left to do.
    fn converges(&mut self, from: Place, to: Place) {
        self.proxy.set_faulty(true);
        let mut last = String::new();
        let mut is_in_step = false;
        for _ in 0..RUNS {
            self.runs += 1;
            match self.sync(from.clone(), to.clone()) {
                Ok(report) if report.is_in_step() => {
                    is_in_step = true;
                    break;
                }
                Ok(report) => {
                    for failure in &report.failures {
                        *self.failed.entry(failure.error.code().as_str().to_owned()).or_default() += 1;
                    }
                    last = format!("{:?}", report.failures.iter().take(5).collect::<Vec<_>>());
                }
                Err(e) => {
                    *self.failed.entry(format!("run: {}", e.code().as_str())).or_default() += 1;
                    last = format!("{e:?}");
                }
            }
        }
        self.proxy.set_faulty(false);
        assert!(is_in_step, "seed {}: not in step after {RUNS} runs: {last}", self.seed);
        let quiet = self.sync(from, to).unwrap();
        let is_quiet = quiet.is_in_step() && quiet.counts.is_quiet() && quiet.bytes == 0;
        assert!(is_quiet, "seed {}: there was something left to do: {quiet:?}", self.seed);
    }

    /// What is there is what shall be there, and nothing else.
    fn is_as(&self, expected: &Tree, root: &Path) {
        let found = tree(root);
        let wrong = |tree: &Tree, other: &Tree| {
            let wrong = tree.iter().filter(|(path, content)| other.get(*path) != Some(content));
            wrong.map(|(path, _)| path.clone()).take(5).collect::<Vec<_>>()
        };
        let differing = (wrong(expected, &found), wrong(&found, expected));
        assert_eq!(differing, Default::default(), "seed {}: lacking or other, and too many or other", self.seed);
    }

    fn has_left_nothing(&self, root: &Path, may_trash: bool) {
        let (temporary, trashed) = left_over(root);
        assert!(temporary.is_empty(), "seed {}: {temporary:?}", self.seed);
        assert!(may_trash || trashed.is_empty(), "seed {}: nothing was replaced: {trashed:?}", self.seed);
    }

    /// The place itself: its files, or its keys.
    fn place_is_as(&self, expected: &Tree, may_trash: bool) {
        if let Some(root) = self.ground.directory("root") {
            self.is_as(expected, &root);
            self.has_left_nothing(&root, may_trash);
        }
        if let Some((keys, uploads)) = self.ground.keys() {
            assert_eq!(uploads, Vec::<String>::new(), "seed {}: uploads that nobody ended", self.seed);
            let reserved = keys.iter().filter(|key| key.contains(".portbook")).collect::<Vec<_>>();
            assert!(may_trash || reserved.is_empty(), "seed {}: {reserved:?}", self.seed);
        }
    }
}

/// Edits, removals and moves.
fn change(root: &Path) {
    let files: Vec<String> = tree(root).into_iter().filter(|(_, content)| content.is_some()).map(|(p, _)| p).collect();
    for (i, path) in files.iter().enumerate() {
        match i % 40 {
            3 | 17 => write(&root.join(path), &bytes(7_000_000 + i as u64, i * 3), 1_600_000_000 + i as u64),
            8 => std::fs::remove_file(root.join(path)).unwrap(),
            _ => {}
        }
    }
    std::fs::rename(root.join("d03"), root.join("d03 moved")).unwrap();
    write(&root.join("later/new"), b"new", 1_600_000_000);
}

fn survives(ground: Ground, seed: u64) {
    let kind = ground.kind;
    let begun = Instant::now();
    let mut world = World::new(ground, seed);
    for name in ["a", "b"] {
        std::fs::create_dir(world.path(name)).unwrap();
    }
    let a = world.path("a");
    fill(&a, FILES, &LARGE);
    let first = tree(&a);
    let mut said = Vec::new();
    let mut tell =
        |world: &World, what: &str| said.push(format!("{what} after {} runs, {:?}", world.runs, begun.elapsed()));
    world.converges(world.local("a"), world.remote());
    tell(&world, "up");
    world.place_is_as(&first, false);
    world.is_as(&first, &a);
    world.converges(world.remote(), world.local("b"));
    tell(&world, "down");
    world.is_as(&first, &world.path("b"));
    world.has_left_nothing(&world.path("b"), false);
    world.place_is_as(&first, false);
    change(&a);
    let second = tree(&a);
    world.converges(world.local("a"), world.remote());
    tell(&world, "changed up");
    world.place_is_as(&second, true);
    world.converges(world.remote(), world.local("b"));
    tell(&world, "changed down");
    world.is_as(&second, &world.path("b"));
    world.has_left_nothing(&world.path("b"), true);
    kept(&first, &second, &world.path("b"));
    let happened = world.proxy.happened();
    println!("FAULTS: {kind:?}, seed {seed}: {said:?}; {happened:?}; failed: {:?}", world.failed);
    assert!(happened.values().sum::<u64>() > 10, "the line was too good: {happened:?}");
}

/// A web server is read only: its files come here, and what changes there.
fn web_survives(ground: Ground, seed: u64) {
    let begun = Instant::now();
    let mut world = World::new(ground, seed);
    std::fs::create_dir(world.path("b")).unwrap();
    // Filled past the line.
    let a = world.path("a");
    fill(&a, FILES, &LARGE);
    world.sync(world.local("a"), world.ground.place(world.ground.port, "root")).unwrap();
    let first = tree(&a);
    let web = world.ground.as_web(world.proxy.port, "root");
    world.converges(web.clone(), world.local("b"));
    world.is_as(&first, &world.path("b"));
    world.has_left_nothing(&world.path("b"), false);
    change(&a);
    world.sync(world.local("a"), world.ground.place(world.ground.port, "root")).unwrap();
    let second = tree(&a);
    world.converges(web, world.local("b"));
    world.is_as(&second, &world.path("b"));
    world.has_left_nothing(&world.path("b"), true);
    kept(&first, &second, &world.path("b"));
    let (runs, happened) = (world.runs, world.proxy.happened());
    println!("FAULTS: Http, seed {seed}: {runs} runs, {:?}; {happened:?}; failed: {:?}", begun.elapsed(), world.failed);
}

/// What was removed is in the trash, with its content.
fn kept(first: &Tree, second: &Tree, root: &Path) {
    let now: std::collections::HashSet<_> = second.values().flatten().collect();
    let (_, trashed) = left_over(root);
    let trashed: std::collections::HashSet<_> =
        trashed.iter().map(|path| portbook::identity::ContentHash::of(&std::fs::read(path).unwrap())).collect();
    let removed = first.iter().filter(|(path, _)| !second.contains_key(*path));
    let lost = removed.filter(|(_, hash)| hash.as_ref().is_some_and(|h| !now.contains(h) && !trashed.contains(h)));
    assert_eq!(lost.map(|(path, _)| path).collect::<Vec<_>>(), Vec::<&String>::new(), "in no trash");
}

/// With the first seed, and with others as long as there is time.
fn goes_on(name: &str, start: impl Fn() -> Option<Ground>, survives: impl Fn(Ground, u64)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let mut seed = number("PORTBOOK_FAULTS_SEED").unwrap_or(1);
    let time = Duration::from_secs(60 * number("PORTBOOK_FAULTS_MINUTES").unwrap_or(0));
    let begun = Instant::now();
    loop {
        let Some(ground) = start() else { return };
        println!("{name}: seed {seed}");
        survives(ground, seed);
        seed += 1;
        if begun.elapsed() >= time {
            return;
        }
    }
}

#[test]
fn s3_survives_a_line_that_fails() {
    goes_on("S3", || Ground::start(Kind::S3), survives);
}

#[test]
fn webdav_survives_a_line_that_fails() {
    goes_on("WebDAV", || Ground::start(Kind::WebDav), survives);
}

#[test]
fn sftp_survives_a_line_that_fails() {
    goes_on("SFTP", || Ground::start(Kind::Sftp), survives);
}

#[test]
fn ftp_survives_a_line_that_fails() {
    goes_on("FTP", || Ground::start(Kind::Ftp), survives);
}

#[test]
fn http_survives_a_line_that_fails() {
    goes_on("HTTP", || Ground::start(Kind::WebDav), web_survives);
}
