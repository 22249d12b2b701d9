//! Two tables of SQLite and a book between them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use portbook::bridge::{Definition, RecordOptions, RecordPlace, RowApplyOptions, RowPreview, RowPreviewOptions};
use portbook::model::SyncRun;
use portbook::operation::RunReport;
use portbook::store::PostgresOptions;
use portbook::table::Filter;
use portbook::{Book, BookOptions, Result, Session};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::server::{self, Database};

/// The table that most tests have on both sides.
pub(crate) const PEOPLE: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, score REAL, photo BLOB)";

/// A row of it without its key.
pub(crate) type Person = (Option<String>, Option<f64>, Option<Vec<u8>>);

thread_local! {
    /// Where the book of this thread's test is, if not in a file.
    static SERVER: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a test once more, its book in a database of its own on the server, under row-level security.
pub(crate) fn on_server(name: &str, test: fn()) {
    let url = match server::url() {
        Ok(url) => url,
        Err(why) => {
            // Not println!, which the harness keeps to itself.
            writeln!(std::io::stdout().lock(), "SKIPPED shared_book::{name}: {why}").unwrap();
            return;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let database = runtime.block_on(Database::create(url));
    let grant = PostgresOptions { application_role: Some(server::APPLICATION.into()), ..PostgresOptions::default() };
    let made = portbook::wait(Book::open(BookOptions::postgres_with(&database.owner, grant))).unwrap();
    portbook::wait(made.shutdown());
    SERVER.set(Some(database.application.clone()));
    test();
    SERVER.set(None);
    runtime.block_on(database.drop_it());
}

pub(crate) struct World {
    pub(crate) dir: TempDir,
    /// Kept open.
    _book: Book,
    pub(crate) session: Session,
}

impl World {
    /// A book, and a table `people` on both sides.
    pub(crate) fn new() -> Self {
        let world = Self::bare();
        world.source().execute_batch(PEOPLE).unwrap();
        world.target().execute_batch(PEOPLE).unwrap();
        world
    }

    /// A book, and an empty database on both sides.
    pub(crate) fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let on_server = SERVER.with_borrow(|url| url.as_deref().map(BookOptions::postgres));
        let options = on_server.unwrap_or_else(|| BookOptions::sqlite(dir.path().join("book.db")));
        let book = portbook::wait(Book::open(options)).unwrap();
        let session = portbook::wait(book.default_session()).unwrap();
        Self { dir, _book: book, session }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn source(&self) -> Connection {
        Connection::open(self.path("source.db")).unwrap()
    }

    pub(crate) fn target(&self) -> Connection {
        Connection::open(self.path("target.db")).unwrap()
    }

    /// A table of the source or the target database.
    pub(crate) fn place(&self, database: &str, table: &str) -> RecordPlace {
        format!("sqlite://{}/{table}", self.path(database).display()).parse().unwrap()
    }

    pub(crate) fn connect(&self, options: RecordOptions) -> Definition {
        self.try_connect("people", "people", options).unwrap()
    }

    pub(crate) fn try_connect(&self, source: &str, target: &str, options: RecordOptions) -> Result<Definition> {
        let (source, target) = (self.place("source.db", source), self.place("target.db", target));
        portbook::wait(self.session.connect_records(source, target, options))
    }
}

pub(crate) fn preview(definition: &Definition) -> RowPreview {
    portbook::wait(definition.preview(RowPreviewOptions::default())).unwrap()
}

pub(crate) fn sync(definition: &Definition) -> RunReport {
    try_sync(definition, RowPreviewOptions::default()).unwrap()
}

pub(crate) fn try_sync(definition: &Definition, options: RowPreviewOptions) -> Result<RunReport> {
    portbook::wait(definition.sync(options, RowApplyOptions::default()).finish())
}

/// What the runs of a definition carried, in the book's words.
pub(crate) fn run_types(world: &World, definition: &Definition) -> Vec<&'static str> {
    let filter = Filter::all().equal("sync_def_id", &definition.id());
    let runs = portbook::wait(world.session.rows::<SyncRun>().list(filter, None, 100)).unwrap().rows;
    // The newest comes first.
    runs.iter().rev().map(|run| run.row.run_type.as_str()).collect()
}

/// What a table `people` holds.
pub(crate) fn people(database: &Connection) -> BTreeMap<i64, Person> {
    let mut rows = database.prepare("SELECT id, name, score, photo FROM people").unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)));
    rows.query_map([], row).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

/// Writes people with these numbers.
pub(crate) fn fill(database: &Connection, ids: std::ops::Range<i64>) {
    let mut insert = database.prepare("INSERT INTO people VALUES (?1, ?2, ?3, ?4)").unwrap();
    for id in ids {
        insert.execute((id, format!("person {id}"), id as f64 / 4.0, vec![id as u8; 3])).unwrap();
    }
}

/// The six numbers of a run that tests look at: new, updated, deleted, conflicts, unchanged, failed.
pub(crate) fn counted(counts: &portbook::operation::Counts) -> [u64; 6] {
    [counts.new, counts.updated, counts.deleted, counts.conflicts, counts.unchanged, counts.failed]
}
