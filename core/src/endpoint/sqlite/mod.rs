//! Tables of a SQLite file.
//!
//! Every call runs on a thread of its own, on a connection that no other call uses meanwhile. A scan is one read
//! transaction: it sees the file as it was at its beginning, however long it takes. In a file without a write-ahead log
//! (`journal_mode = WAL`) writers wait for it.
//!
//! # Types
//!
//! SQLite stores what it is given, whatever the column says. The type that a column is declared with decides what its
//! values are ([`value`]); a cell that holds something else refuses its row. Nothing is converted on a guess: the far
//! side made its column by what was declared. Columns without a type, and of types that no rule names, are not carried.

mod describe;
mod read;
mod value;
mod write;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::oneshot;

use super::sql::Dialect;
use super::sql::feed::feed;
use super::{
    Capabilities, ChangeScan, ChangeStream, DatabaseOptions, Endpoint, NewTable, Page, Probe, RowOutcome, RowStream,
    Scan, TableEntry, TableName, TableShape, WriteBatch,
};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::{CursorType, Tick};

/// SQLite knows `"`, and `?` with and without a number.
const DIALECT: Dialect = Dialect { quotes: ('"', '"'), numbered: None, lock_hint: "", lock_clause: "" };

/// Tables of a SQLite file.
pub struct SqliteEndpoint {
    file: Arc<File>,
}

/// The file, and connections to it that are not in use.
struct File {
    path: PathBuf,
    patience: Duration,
    idle: Mutex<Option<Vec<Connection>>>,
}

impl SqliteEndpoint {
    /// The endpoint of the file that `database` names. It is opened on use and never made.
    ///
    /// # Errors
    /// `invalid` when no file is named.
    pub fn new(options: DatabaseOptions) -> Result<Self> {
        if options.database.is_empty() {
            return Err(Error::new(Code::Invalid, "open a database", "").because("no file is named"));
        }
        let path = std::path::absolute(&options.database)
            .map_err(|e| Error::io("open the database", options.database.escape_debug(), e))?;
        let idle = Mutex::new(Some(Vec::new()));
        Ok(Self { file: Arc::new(File { path, patience: options.statement_timeout, idle }) })
    }

    /// Runs the work on a thread and with a connection of its own.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let file = Arc::clone(&self.file);
        spawn(move || {
            // Nobody listens any more when the caller was dropped; the work is complete all the same.
            let _ = answer.send(file.with(work));
        })?;
        let stopped = |_| Error::new(Code::Internal, "use a database", "").because("its thread stopped");
        answered.await.map_err(stopped)?
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let builder = std::thread::Builder::new().name("portbook-sqlite".into());
    builder.spawn(work).map(drop).map_err(|e| Error::io("start a thread for", "a database", e))
}

impl File {
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let idle = match self.idle().as_mut() {
            Some(connections) => connections.pop(),
            None => return Err(Error::new(Code::Storage, "use a database", "").because("it has been shut down")),
        };
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let done = work(&mut connection);
        // What left a transaction open is closed, and rolled back by that.
        if connection.is_autocommit()
            && let Some(connections) = self.idle().as_mut()
        {
            connections.push(connection);
        }
        done
    }

    fn connect(&self) -> Result<Connection> {
        let name = self.path.display().to_string();
        let open = || {
            // Without CREATE: a misspelt path is an error and no empty database.
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(self.patience)?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(connection)
        };
        open().map_err(|e| error_of("open the database", name.escape_debug(), e))
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Our error for what SQLite says.
fn error_of(action: &'static str, subject: impl std::fmt::Display, source: rusqlite::Error) -> Error {
    let code = match &source {
        rusqlite::Error::QueryReturnedNoRows => Code::NotFound,
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::CannotOpen | ErrorCode::NotFound => Code::NotFound,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Code::Busy,
            ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::AuthorizationForStatementDenied => {
                Code::Permission
            }
            ErrorCode::DiskFull => Code::Quota,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Code::Corrupt,
            // SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID (https://www.sqlite.org/rescode.html).
            ErrorCode::ConstraintViolation if matches!(failure.extended_code, 1555 | 2067 | 2579) => Code::Conflict,
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => Code::Invalid,
            _ => Code::Storage,
        },
        _ => Code::Storage,
    };
    Error::new(code, action, subject).caused_by(source)
}

#[async_trait]
impl Endpoint for SqliteEndpoint {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            write_rows: 4096,
            snapshot_scans: 1,
            version_column: None,
            assigns_keys: false,
            cursors: vec![CursorType::Timestamp],
            creates_tables: true,
            writes: true,
        }
    }

    async fn probe(&self) -> Result<Probe> {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = Tick { seconds: i64::try_from(clock.as_secs()).unwrap_or(0), nanos: clock.subsec_nanos() };
        self.run(|connection| {
            let schema = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
            schema.map_err(|e| error_of("look into", "the database", e)).map(drop)
        })
        .await?;
        Ok(Probe { product: format!("SQLite {}", rusqlite::version()), clock })
    }

    async fn tables(&self) -> Result<Vec<TableEntry>> {
        self.run(|connection| describe::tables(connection)).await
    }

    async fn describe(&self, table: &TableName) -> Result<TableShape> {
        let table = table.clone();
        self.run(move |connection| describe::describe(connection, &table)).await
    }

    async fn count(&self, table: &TableName) -> Result<u64> {
        let table = table.clone();
        self.run(move |connection| {
            describe::describe(connection, &table)?;
            let sql = format!("SELECT count(*) FROM {}", DIALECT.table(&table));
            let count = connection.query_row(&sql, [], |row| row.get::<_, i64>(0));
            let count = count.map_err(|e| error_of("count the rows of", &table, e))?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
        .await
    }

    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>> {
        // What cannot be read at all is said now and not by the first page.
        let asked = scan.clone();
        self.run(move |connection| read::Reading::of(connection, &asked.table, &asked.columns).map(drop)).await?;
        let (feeder, pages) = feed(1, None);
        let file = Arc::clone(&self.file);
        spawn(move || {
            if let Err(error) = file.with(|connection| read::scan(connection, &scan, &feeder)) {
                // Whoever read is gone when that fails.
                let _ = feeder.blocking_send(Err(error));
            }
        })?;
        Ok(Box::new(pages))
    }

    async fn fetch(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        let (table, columns, key, keys) = (table.clone(), columns.to_vec(), key.to_vec(), keys.clone());
        self.run(move |connection| read::fetch(connection, &table, &columns, &key, &keys)).await
    }

    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
        let by = super::sql::cursor::by_time(&scan)?;
        let asked = scan.clone();
        let column = by.column.clone();
        self.run(move |connection| read::check_changes(connection, &asked, &column)).await?;
        let (feeder, pages) = feed(1, None);
        let file = Arc::clone(&self.file);
        spawn(move || {
            if let Err(error) = file.with(|connection| read::changes(connection, &scan, &by, &feeder)) {
                // As above.
                let _ = feeder.blocking_send(Err(error));
            }
        })?;
        Ok(Box::new(pages))
    }

    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
        self.run(move |connection| write::write(connection, &batch)).await
    }

    async fn create(&self, table: NewTable) -> Result<TableShape> {
        self.run(move |connection| write::create(connection, &table)).await
    }

    async fn shutdown(&self) {
        let file = Arc::clone(&self.file);
        let closed = spawn(move || drop(file.idle().take()));
        if closed.is_err() {
            self.file.idle().take();
        }
    }
}
