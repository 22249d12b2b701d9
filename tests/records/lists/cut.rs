//! A push that is cut at any step: the service fails before or after it has done what was asked, answers are lost, and the
//! program dies between two calls. No item is there twice, and none is missing.
//!
//! The program's death is a copy of its book as it stands at that moment: what goes on is another book, opened on the copy.
//! `PORTBOOK_LIST_CUTS` is how many stories there are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use portbook::bridge::{Definition, RecordOptions, RecordPlace, RowApplyOptions, RowPreviewOptions};
use portbook::conduit::MaxDelete;
use portbook::endpoint::sharepoint::SharepointEndpoint;
use portbook::endpoint::{
    Capabilities, ChangeScan, ChangeStream, Endpoint, NewTable, Page, Probe, RowOutcome, RowStream, Scan, TableEntry,
    TableName, TableShape, WriteBatch,
};
use portbook::identity::RowBatch;
use portbook::{Book, BookOptions, Code, Error, Result};

use super::{ListWorld, fill, source};
use crate::graph::Fault;
use crate::two_way::Random;

fn cuts() -> u64 {
    std::env::var("PORTBOOK_LIST_CUTS").ok().and_then(|count| count.parse().ok()).unwrap_or(8)
}

/// A site as a program sees it that dies at one of its calls.
struct Mortal {
    inner: SharepointEndpoint,
    write_rows: usize,
    calls: AtomicU64,
    dies_at: u64,
    /// It dies when the call was answered, not before it is made.
    dies_after: bool,
    is_dead: AtomicBool,
    /// Its book, and where the copy goes.
    book: PathBuf,
    left: PathBuf,
}

impl Mortal {
    async fn step<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        if self.is_dead.load(Ordering::SeqCst) {
            return Err(dead());
        }
        let is_now = self.calls.fetch_add(1, Ordering::SeqCst) == self.dies_at;
        if is_now && !self.dies_after {
            self.die();
            return Err(dead());
        }
        let answer = call.await;
        if is_now {
            self.die();
            return Err(dead());
        }
        answer
    }

    fn die(&self) {
        for ending in ["", "-wal"] {
            let of = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
            if of(&self.book).exists() {
                std::fs::copy(of(&self.book), of(&self.left)).unwrap();
            }
        }
        // A process that has died holds nothing: its lease is taken over, which the copy cannot know, as we live.
        let book = rusqlite::Connection::open(&self.left).unwrap();
        book.execute("UPDATE sync_definition_state SET lease_owner = NULL, lease_expires_at = NULL", []).unwrap();
        self.is_dead.store(true, Ordering::SeqCst);
    }
}

fn dead() -> Error {
    Error::new(Code::Offline, "reach the store", "").because("the program has died")
}

#[async_trait]
impl Endpoint for Mortal {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        capabilities.write_rows = self.write_rows;
        capabilities
    }

    async fn probe(&self) -> Result<Probe> {
        self.inner.probe().await
    }

    async fn tables(&self) -> Result<Vec<TableEntry>> {
        self.inner.tables().await
    }

    async fn describe(&self, table: &TableName) -> Result<TableShape> {
        self.inner.describe(table).await
    }

    async fn prepare(&self, table: &TableName) -> Result<TableShape> {
        self.step(self.inner.prepare(table)).await
    }

    async fn count(&self, table: &TableName) -> Result<u64> {
        self.inner.count(table).await
    }

    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>> {
        self.step(self.inner.scan(scan)).await
    }

    async fn fetch(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        self.step(self.inner.fetch(table, columns, key, keys)).await
    }

    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
        self.step(self.inner.changes(scan)).await
    }

    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
        self.step(self.inner.write(batch)).await
    }

    async fn create(&self, table: NewTable) -> Result<TableShape> {
        self.inner.create(table).await
    }

    async fn shutdown(&self) {
        self.inner.shutdown().await;
    }
}

/// A program with its book.
struct Life {
    mortal: Arc<Mortal>,
    _book: Book,
    definition: Definition,
}

impl Life {
    fn begin(world: &ListWorld, book: PathBuf, left: PathBuf, dies_at: u64, random: &mut Random) -> Self {
        let opened = portbook::wait(Book::open(BookOptions::sqlite(&book))).unwrap();
        let session = portbook::wait(opened.default_session()).unwrap();
        let mortal = Arc::new(Mortal {
            inner: SharepointEndpoint::new(world.options()).unwrap(),
            write_rows: 5 + random.below(40) as usize,
            calls: AtomicU64::new(0),
            dies_at,
            dies_after: random.below(2) == 1,
            is_dead: AtomicBool::new(false),
            book,
            left,
        });
        let target =
            RecordPlace::Host { name: "site".into(), endpoint: mortal.clone(), table: TableName::new("", "People") };
        let options = RecordOptions { create: true, ..RecordOptions::default() };
        let source = world.world.place("source.db", "people");
        let definition = portbook::wait(session.connect_records(source, target, options)).unwrap();
        Self { mortal, _book: opened, definition }
    }

    fn sync(&self) -> Result<portbook::operation::RunReport> {
        let options = RowPreviewOptions { max_delete: MaxDelete::Count(1000), ..RowPreviewOptions::default() };
        portbook::wait(self.definition.sync(options, RowApplyOptions::default()).finish())
    }
}

fn trouble(world: &ListWorld, seed: u64) {
    let mut random = Random(seed * 7919 + 3);
    world.server.draw(move |asked| {
        // Reading fails less, or nothing would ever be written.
        let often = if asked.method == "GET" { 400 } else { 80 };
        match random.below(often) {
            0 => Some(Fault::LostBefore),
            1 => Some(Fault::LostAfter),
            2 => Some(Fault::After { status: 429, retry_after: Some(1) }),
            3 => Some(Fault::After { status: 503, retry_after: None }),
            4 => Some(Fault::After { status: 504, retry_after: None }),
            5 => Some(Fault::Before { status: 503, retry_after: Some(1) }),
            6 => Some(Fault::Before { status: 429, retry_after: Some(1) }),
            _ => None,
        }
    });
}

fn edit(world: &ListWorld, random: &mut Random) {
    let database = world.world.source();
    for _ in 0..20 {
        let id = random.below(120) as i64;
        match random.below(4) {
            0 => drop(database.execute("DELETE FROM people WHERE id = ?1", [id])),
            1 => drop(database.execute("INSERT OR IGNORE INTO people (id, name) VALUES (?1, 'fresh')", [id])),
            _ => drop(database.execute("UPDATE people SET score = score + 1 WHERE id = ?1", [id])),
        }
    }
}

/// The story of one seed; how often the program has died.
fn story(seed: u64) -> u64 {
    let world = ListWorld::new();
    fill(&world.world, 0..100);
    let mut random = Random(seed + 1);
    let book = |life: u64| world.world.path(&format!("life{life}.db"));
    let mut deaths = 0;
    drop(Life::begin(&world, book(0), book(1), u64::MAX, &mut random));
    for round in 0..3 {
        trouble(&world, seed * 3 + round);
        // Die at one call or another, be born again, until a life is long enough.
        for _ in 0..4 {
            let dies_at = random.below(14);
            let life = Life::begin(&world, book(deaths), book(deaths + 1), dies_at, &mut random);
            let ended = life.sync();
            if life.mortal.is_dead.load(Ordering::SeqCst) {
                deaths += 1;
            } else if ended.is_ok_and(|report| report.is_in_step()) {
                break;
            }
        }
        world.server.calm();
        let life = Life::begin(&world, book(deaths), book(deaths + 1), u64::MAX, &mut random);
        let report = life.sync().unwrap();
        assert!(report.is_in_step(), "seed {seed} round {round}: {:?}", report.failures);
        world.is_filled(&format!("seed {seed} round {round}"));
        assert_eq!(world.items().len(), source(&world.world).len(), "seed {seed} round {round}");
        let writes = world.writes();
        assert!(life.sync().unwrap().counts.is_quiet(), "seed {seed} round {round}");
        assert_eq!(world.writes(), writes, "seed {seed} round {round}");
        edit(&world, &mut random);
    }
    deaths
}

#[test]
fn a_push_cut_at_any_step_leaves_nothing_twice_and_nothing_out() {
    let deaths: u64 = (0..cuts()).map(story).sum();
    println!("LISTS: {} stories of 100 rows, the program died {deaths} times", cuts());
    assert!(deaths >= cuts(), "it died {deaths} times in {} stories", cuts());
}
