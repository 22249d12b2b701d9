//! A store that fails at every step, in every way: nothing is written twice, nothing is missing, and the run after the fault
//! sets everything right.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use portbook::bridge::{RecordOptions, RecordPlace};
use portbook::endpoint::{
    Capabilities, ChangeScan, ChangeStream, DatabaseOptions, Endpoint, NewTable, Page, Probe, RowOutcome, RowStream,
    Scan, TableEntry, TableName, TableShape, WriteBatch, open,
};
use portbook::identity::RowBatch;
use portbook::model::{DbType, RecordMode, RecordPolicy};
use portbook::{Code, Error, Result};

use crate::two_way::Random;
use crate::world::{World, fill, people, sync};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Nothing was done, and the store says so.
    Before,
    /// Everything was done, and no answer came.
    After,
    /// Every row was written, and of each it is not known.
    Unknown,
}

/// Happens in the middle of a scan.
pub(crate) type Event = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A store whose calls fail once, at the nth of them.
pub(crate) struct Faulty {
    inner: Arc<dyn Endpoint>,
    calls: AtomicU64,
    at: u64,
    fault: Fault,
    after_first_page: Option<Event>,
}

/// A scan in the middle of which something happens.
struct Interrupted {
    inner: Box<dyn RowStream>,
    event: Option<Event>,
}

#[async_trait]
impl RowStream for Interrupted {
    async fn next(&mut self) -> Result<Option<Page>> {
        let page = self.inner.next().await;
        if let Some(event) = self.event.take() {
            event().await;
        }
        page
    }
}

impl Faulty {
    /// A store of which every scan is interrupted after its first page.
    pub(crate) fn interrupted(inner: Arc<dyn Endpoint>, event: Event) -> Arc<Self> {
        let (calls, at, fault) = (AtomicU64::new(0), u64::MAX, Fault::Before);
        Arc::new(Self { inner, calls, at, fault, after_first_page: Some(event) })
    }

    fn is_now(&self) -> bool {
        self.calls.fetch_add(1, Ordering::SeqCst) == self.at
    }

    fn failed(&self) -> Error {
        Error::new(Code::Offline, "reach the store", "").because("the line broke")
    }
}

#[async_trait]
impl Endpoint for Faulty {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        // Many small batches: many steps to fail at.
        capabilities.write_rows = 7;
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

    async fn count(&self, table: &TableName) -> Result<u64> {
        self.inner.count(table).await
    }

    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>> {
        if self.is_now() {
            return Err(self.failed());
        }
        Ok(Box::new(Interrupted { inner: self.inner.scan(scan).await?, event: self.after_first_page.clone() }))
    }

    async fn fetch(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        if self.is_now() { Err(self.failed()) } else { self.inner.fetch(table, columns, key, keys).await }
    }

    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
        self.inner.changes(scan).await
    }

    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
        if !self.is_now() {
            return self.inner.write(batch).await;
        }
        match self.fault {
            Fault::Before => Err(self.failed()),
            Fault::After => {
                self.inner.write(batch).await?;
                Err(self.failed())
            }
            Fault::Unknown => {
                let rows = self.inner.write(batch).await?;
                Ok(rows.into_iter().map(|_| RowOutcome::Unknown(self.failed())).collect())
            }
        }
    }

    async fn create(&self, table: NewTable) -> Result<TableShape> {
        self.inner.create(table).await
    }

    async fn shutdown(&self) {
        self.inner.shutdown().await;
    }
}

pub(crate) fn hosted(world: &World, database: &str, at: u64, fault: Fault) -> RecordPlace {
    let path = world.path(database);
    let inner = open(DbType::Sqlite, DatabaseOptions::at("", path.to_str().unwrap())).unwrap();
    let endpoint = Arc::new(Faulty { inner, calls: AtomicU64::new(0), at, fault, after_first_page: None });
    RecordPlace::Host { name: database.into(), endpoint, table: TableName::new("", "people") }
}

/// Edits between two runs, the same for the same seed.
fn edits(world: &World, seed: u64, both: bool) {
    let mut random = Random(seed * 7919 + 1);
    let (source, target) = (world.source(), world.target());
    for _ in 0..20 {
        let id = random.below(60) as i64;
        let side = if both && random.below(2) == 1 { &target } else { &source };
        match random.below(3) {
            0 => drop(side.execute("DELETE FROM people WHERE id = ?1", [id])),
            1 => drop(side.execute("UPDATE people SET score = ?2 WHERE id = ?1", (id, random.below(9) as f64))),
            _ => drop(side.execute("INSERT OR IGNORE INTO people (id, name) VALUES (?1, 'fresh')", [id + 100])),
        }
    }
}

/// Runs the story with a fault at the nth call of the target until no call is the nth any more; how many there were.
fn cut_everywhere(mode: RecordMode, fault: Fault, seed: u64) -> u64 {
    let options = RecordOptions { mode, policy: RecordPolicy::SourceWins, ..RecordOptions::default() };
    for at in 0.. {
        let world = World::new();
        fill(&world.source(), 0..50);
        let (source, target) =
            (hosted(&world, "source.db", u64::MAX, fault), hosted(&world, "target.db", u64::MAX, fault));
        sync(&portbook::wait(world.session.connect_records(source.clone(), target, options.clone())).unwrap());
        edits(&world, seed, mode == RecordMode::TwoWay);

        let failing = hosted(&world, "target.db", at, fault);
        let definition =
            portbook::wait(world.session.connect_records(source.clone(), failing, options.clone())).unwrap();
        let cut = portbook::wait(definition.sync(Default::default(), Default::default()).finish());
        let was_hit = !cut.as_ref().is_ok_and(|report| report.is_in_step());

        let whole = hosted(&world, "target.db", u64::MAX, fault);
        let definition = portbook::wait(world.session.connect_records(source, whole, options.clone())).unwrap();
        sync(&definition);
        let last = sync(&definition);
        assert!(
            last.counts.is_quiet() && last.is_in_step(),
            "{mode:?} {fault:?} seed {seed} at {at}: {:?}",
            last.failures
        );
        assert_eq!(people(&world.target()), people(&world.source()), "{mode:?} {fault:?} seed {seed} at {at}");
        let ids: BTreeSet<i64> = people(&world.target()).into_keys().collect();
        assert_eq!(ids.len(), people(&world.target()).len());
        if !was_hit {
            return at;
        }
    }
    unreachable!("some run makes fewer calls than this")
}

#[test]
fn a_run_that_is_cut_anywhere_is_set_right_by_the_next() {
    for fault in [Fault::Before, Fault::After, Fault::Unknown] {
        for seed in 0..2 {
            let calls = cut_everywhere(RecordMode::OneWayPush, fault, seed);
            assert!(calls >= 3, "the story is too short to be cut: {calls}");
        }
    }
}

#[test]
fn so_is_one_that_goes_both_ways() {
    for fault in [Fault::Before, Fault::After, Fault::Unknown] {
        for seed in 0..2 {
            let calls = cut_everywhere(RecordMode::TwoWay, fault, seed);
            assert!(calls >= 4, "the story is too short to be cut: {calls}");
        }
    }
}
