//! What the runs of one book hold together, with places that hold what is staged until it is published.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use portbook::conduit::{ConduitOptions, Place};
use portbook::delta::{Expect, Metadata};
use portbook::model::{Name, Node, RelPath, Timestamp};
use portbook::provider::local::Local;
use portbook::provider::{
    Capabilities, Hashed, Listing, Move, Opened, Provider, Publish, RootIdentity, Source, Stage, Staged, Trash,
};
use portbook::{Book, BookOptions, Result, wait};
use tokio::sync::Semaphore;

const MIB: u64 = 1 << 20;
/// The least that a book can be told.
const BUDGET: u64 = 64 * MIB;

/// What is held by all places of a test.
#[derive(Default)]
struct Held {
    now: AtomicU64,
    most: AtomicU64,
}

impl Held {
    fn take(&self, bytes: u64) {
        let now = self.now.fetch_add(bytes, SeqCst) + bytes;
        self.most.fetch_max(now, SeqCst);
    }

    fn give_back(&self, bytes: u64) {
        self.now.fetch_sub(bytes, SeqCst);
    }
}

/// A directory that counts as a service would that holds small files until they are published, and parts of large ones.
struct Holding {
    inner: Local,
    capabilities: Capabilities,
    held: Arc<Held>,
    waiting: Mutex<HashMap<RelPath, u64>>,
    /// Whether files may arrive.
    open: Arc<Semaphore>,
}

impl Holding {
    fn at(path: &Path, held: &Arc<Held>, open: &Arc<Semaphore>) -> Place {
        std::fs::create_dir_all(path).unwrap();
        let inner = Local::open(path).unwrap();
        let mut capabilities = inner.capabilities().clone();
        capabilities.staged_bytes = Some(16 * MIB);
        capabilities.resumable_bytes = Some(20 * MIB);
        capabilities.large_bytes = 64 * MIB;
        let (held, open, waiting) = (Arc::clone(held), Arc::clone(open), Mutex::default());
        let provider = Arc::new(Self { inner, capabilities, held, waiting, open });
        Place::Provider { key: path.to_string_lossy().into_owned(), provider }
    }
}

#[async_trait]
impl Provider for Holding {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn display(&self) -> String {
        self.inner.display()
    }

    async fn root(&self) -> Result<RootIdentity> {
        self.inner.root().await
    }

    async fn list(&self, dirs: Vec<RelPath>) -> Vec<Listing> {
        self.inner.list(dirs).await
    }

    async fn stat(&self, paths: Vec<RelPath>) -> Vec<Result<Option<Node>>> {
        self.inner.stat(paths).await
    }

    async fn hash(&self, paths: Vec<RelPath>) -> Vec<Result<Hashed>> {
        self.inner.hash(paths).await
    }

    async fn read(&self, path: &RelPath, expect: Option<&Node>, offset: u64, length: Option<u64>) -> Result<Opened> {
        self.inner.read(path, expect, offset, length).await
    }

    async fn make_dirs(&self, dirs: Vec<(RelPath, Metadata)>) -> Vec<Result<Node>> {
        self.inner.make_dirs(dirs).await
    }

    async fn stage(&self, items: Vec<Stage>) -> Vec<Result<Staged>> {
        drop(self.open.acquire().await);
        let mut large = 0;
        for item in &items {
            let Source::Feed(feed) = &item.source else { panic!("the other side is of another kind") };
            if item.resume.is_some() {
                // As many parts as there is room for.
                large += feed.room().expect("a run says how much").min(64 * MIB);
            } else {
                self.held.take(feed.size());
                self.waiting.lock().unwrap().insert(item.target.clone(), feed.size());
            }
        }
        self.held.take(large);
        let staged = self.inner.stage(items).await;
        self.held.give_back(large);
        staged
    }

    async fn flush(&self, paths: Vec<RelPath>) -> Result<()> {
        self.inner.flush(paths).await
    }

    async fn publish(&self, items: Vec<Publish>) -> Vec<Result<Node>> {
        let targets: Vec<RelPath> = items.iter().map(|item| item.staged.target.clone()).collect();
        let published = self.inner.publish(items).await;
        for target in targets {
            self.held.give_back(self.waiting.lock().unwrap().remove(&target).unwrap_or_default());
        }
        published
    }

    async fn move_items(&self, items: Vec<Move>) -> Vec<Result<Node>> {
        self.inner.move_items(items).await
    }

    async fn trash(&self, items: Vec<Trash>) -> Vec<Result<()>> {
        self.inner.trash(items).await
    }

    async fn set_metadata(&self, items: Vec<(RelPath, Expect, Metadata)>) -> Vec<Result<Node>> {
        self.inner.set_metadata(items).await
    }

    async fn discard_staged(&self, items: Vec<(RelPath, String)>) -> Result<()> {
        self.inner.discard_staged(items).await
    }

    async fn empty_trash(&self, older_than: Timestamp) -> Result<u64> {
        self.inner.empty_trash(older_than).await
    }

    fn can_hold(&self, name: &Name) -> bool {
        self.inner.can_hold(name)
    }
}

fn file(path: &Path, bytes: u64) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::File::create(path).unwrap().set_len(bytes).unwrap();
}

/// Syncs each of these trees at once, through one book; the gates decide when files of each may arrive.
fn together(files: &[Vec<(String, u64)>], held: &Arc<Held>, gates: &[Arc<Semaphore>], opens: impl Fn(usize)) {
    let dir = tempfile::tempdir().unwrap();
    let book = wait(Book::open(BookOptions::sqlite(dir.path().join("book.db")).memory_bytes(BUDGET))).unwrap();
    let session = wait(book.default_session()).unwrap();
    let runs: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(number, files)| {
            let (from, to) = (dir.path().join(format!("from{number}")), dir.path().join(format!("to{number}")));
            files.iter().for_each(|(name, bytes)| file(&from.join(name), *bytes));
            let to = Holding::at(&to, held, &gates[number]);
            let conduit = wait(session.connect(Place::Local(from), to, ConduitOptions::default())).unwrap();
            conduit.sync(Default::default(), Default::default())
        })
        .collect();
    let ended = async {
        let ends = runs.iter().enumerate().map(|(number, run)| async move { (number, run.finish().await) });
        let mut ends = futures_util::stream::FuturesUnordered::from_iter(ends);
        while let Some((number, report)) = futures_util::StreamExt::next(&mut ends).await {
            let report = report.unwrap();
            assert!(report.is_in_step() && report.counts.new as usize >= files[number].len(), "{report:?}");
            opens(number);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ended = async { tokio::time::timeout(Duration::from_secs(120), ended).await };
    runtime.block_on(ended).expect("no run waits for ever");
}

fn small(count: u64, bytes: u64) -> Vec<(String, u64)> {
    (0..count).map(|number| (format!("d{}/{number}", number % 3), bytes)).collect()
}

fn large(count: u64) -> Vec<(String, u64)> {
    (0..count).map(|number| (format!("large{number}"), 24 * MIB)).collect()
}

fn open() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(1))
}

fn shut() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

#[test]
fn runs_of_one_book_hold_no_more_than_its_budget() {
    let held = Arc::default();
    let both = [small(60, MIB), large(3)].concat();
    let files = [small(100, MIB / 2), large(4), both.clone(), both];
    together(&files, &held, &[open(), open(), open(), open()], |_| {});
    let most = held.most.load(SeqCst);
    assert!(most > 0 && most <= BUDGET, "{most}");
    assert_eq!(held.now.load(SeqCst), 0);
}

#[test]
fn a_large_file_does_not_keep_small_ones_waiting_nor_the_other_way_round() {
    for last in [0, 1] {
        // One of the two arrives only after the other run has ended.
        let mut gates = [open(), open()];
        gates[last] = shut();
        let gate = Arc::clone(&gates[last]);
        together(&[small(80, MIB / 2), large(2)], &Arc::default(), &gates, |_| gate.add_permits(1));
    }
}
