//! A book of each engine with a clock that can be set forward, and folders to sync.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use portbook::conduit::{ApplyOptions, Conduit, ConduitOptions, Place, PreviewOptions};
use portbook::model::{PreviewId, SyncMode};
use portbook::operation::{ChangeFilter, Clock, PreviewChange, RunReport};
use portbook::store::PostgresOptions;
use portbook::{Book, BookOptions, Session, wait};
use tempfile::TempDir;

use crate::server::{self, APPLICATION, Database};

pub struct World {
    pub dir: TempDir,
    pub book: Book,
    pub session: Session,
    pub clock: Arc<Ahead>,
}

/// The machine's clock, set forward.
pub struct Ahead {
    start: Instant,
    seconds: AtomicI64,
}

impl Ahead {
    pub fn advance(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + chrono::Duration::seconds(self.seconds.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Tests of each claim on both engines.
macro_rules! claims {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[test] fn $name() { crate::world::on_sqlite(super::$name); })*
        }
        mod postgres {
            $(#[test] fn $name() { crate::world::on_postgres(stringify!($name), super::$name); })*
        }
    };
}
pub(crate) use claims;

pub fn on_sqlite(claim: fn(&World)) {
    let dir = tempfile::tempdir().unwrap();
    let options = BookOptions::sqlite(dir.path().join("book.db"));
    claim(&World::open(dir, options));
}

pub fn on_postgres(name: &str, claim: fn(&World)) {
    let url = match server::url() {
        Ok(url) => url,
        Err(why) => {
            // Not println!, which the harness keeps to itself.
            writeln!(std::io::stdout().lock(), "SKIPPED postgres::{name}: {why}").unwrap();
            return;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let database = runtime.block_on(Database::create(url));
    // The owner makes the book, the application uses it, under row-level security.
    let grant = PostgresOptions { application_role: Some(APPLICATION.into()), ..Default::default() };
    let made = wait(Book::open(BookOptions::postgres_with(&database.owner, grant))).unwrap();
    wait(made.shutdown());
    let world = World::open(tempfile::tempdir().unwrap(), BookOptions::postgres(&database.application));
    claim(&world);
    wait(world.book.shutdown());
    runtime.block_on(database.drop_it());
}

impl World {
    fn open(dir: TempDir, options: BookOptions) -> Self {
        let clock = Arc::new(Ahead { start: Instant::now(), seconds: AtomicI64::new(0) });
        let book = wait(Book::open(options.clock(clock.clone()))).unwrap();
        let session = wait(book.default_session()).unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        Self { dir, book, session, clock }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn place(&self, name: &str) -> Place {
        Place::Local(self.path(name))
    }

    /// The conduit from `a` to `b`.
    pub fn conduit(&self, options: ConduitOptions) -> Conduit {
        wait(self.session.connect(self.place("a"), self.place("b"), options)).unwrap()
    }

    pub fn mirror(&self) -> Conduit {
        self.conduit(ConduitOptions::default())
    }

    pub fn in_mode(&self, mode: SyncMode) -> Conduit {
        self.conduit(ConduitOptions { mode, ..ConduitOptions::default() })
    }

    /// Writes a file; an hour old: ten bytes of `state`.
    pub fn write(&self, name: &str, state: u8) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, [state; 10]).unwrap();
        // What was written just now is looked at twice, as it could be written again within the clock's tick.
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }

    pub fn write_many(&self, count: usize) {
        for i in 0..count {
            self.write(&format!("a/f{i:05}"), 1);
        }
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// What a directory holds at any depth, sorted, without what the engine keeps for itself.
    pub fn tree(&self, name: &str) -> Vec<String> {
        let root = self.path(name);
        let mut found = Vec::new();
        let mut stack = vec![root.clone()];
        while let Some(dir) = stack.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let shown = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                if shown == ".portbook" {
                    continue;
                }
                if path.is_dir() {
                    stack.push(path);
                }
                found.push(shown);
            }
        }
        found.sort();
        found
    }

    pub fn changes(&self, id: PreviewId, filter: ChangeFilter) -> Vec<PreviewChange> {
        let mut all: Vec<PreviewChange> = Vec::new();
        loop {
            let after = all.last().map(|change| change.id);
            let page = wait(self.session.preview_changes(id, filter.clone(), after, 1000)).unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }
}

pub fn sync(conduit: &Conduit) -> RunReport {
    wait(conduit.sync(PreviewOptions::default(), ApplyOptions::default()).finish()).unwrap()
}

pub fn preview(conduit: &Conduit) -> PreviewId {
    wait(conduit.preview(PreviewOptions::default())).unwrap().id
}

pub fn apply(conduit: &Conduit, id: PreviewId) -> RunReport {
    wait(conduit.apply(id, ApplyOptions::default()).finish()).unwrap()
}
