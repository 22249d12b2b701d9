//! Opening a book: look before touching, then bring its schema up to date.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::SqliteOptions;
use super::execute::error_of;
use crate::error::{Code, Error, Result};
use crate::store::migrate::{Applied, MIGRATIONS, checksum, newer_book, newest_schema, pending};

/// "PBok": marks a SQLite file as a Portbook book (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = 0x5042_6f6b;

const OPEN: &str = "open the book";

/// What the connection is for; decides its cache.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Writer,
    Reader,
}

/// Refuses what is no book of ours and what a newer version wrote, before SQLite opens it for writing: the header is
/// read as plain bytes, and only a book with an unfinished log is asked through a connection that cannot write.
pub(super) fn look(path: &Path) -> Result<()> {
    let shown = path.display().to_string();
    let mut header = Vec::with_capacity(100);
    match File::open(path) {
        Ok(file) => file.take(100).read_to_end(&mut header).map_err(|e| Error::io(OPEN, &shown, e))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io(OPEN, &shown, e)),
    };
    if header.is_empty() {
        return Ok(());
    }
    let word = |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, i32::from_be_bytes);
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return Err(not_a_book(&shown, "the file is not a database"));
    }
    let (mut application, mut version) = (word(68), word(60));
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(&log).is_ok_and(|m| m.len() > 0) {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let looked = Connection::open_with_flags(path, flags).and_then(|c| {
            c.busy_timeout(Duration::from_secs(5))?;
            Ok((pragma(&c, "application_id")?, pragma(&c, "user_version")?))
        });
        if let Ok((a, v)) = looked {
            (application, version) = (a, v);
        }
    }
    if application != 0 && application != APPLICATION_ID {
        return Err(not_a_book(&shown, "the database belongs to another application"));
    }
    if application == APPLICATION_ID && i64::from(version) > newest_schema() {
        return Err(newer_book(&shown, i64::from(version)));
    }
    Ok(())
}

/// A connection with our settings.
pub(super) fn connect(path: &Path, options: &SqliteOptions, role: Role) -> Result<Connection> {
    let shown = path.display().to_string();
    let flags = match role {
        Role::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Role::Reader => OpenFlags::SQLITE_OPEN_READ_WRITE,
    } | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| error_of(OPEN, &shown, e))?;
    set_up(&connection, options, role, &shown)?;
    Ok(connection)
}

const READER: &str = "PRAGMA cache_size = -2048; PRAGMA query_only = ON;";

/// Makes the connection that opened the book, and has its schema, one that reads.
pub(super) fn become_reader(connection: &Connection, path: &Path) -> Result<()> {
    connection.execute_batch(READER).map_err(|e| error_of(OPEN, path.display(), e))
}

fn set_up(connection: &Connection, options: &SqliteOptions, role: Role, shown: &str) -> Result<()> {
    let fail = |e| error_of(OPEN, shown, e);
    connection.busy_timeout(options.busy_timeout).map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(128);
    if role == Role::Writer {
        refuse_foreign(connection, shown)?;
        use_write_ahead_log(connection, options, shown)?;
    }
    // A negative cache_size is in KiB. The log is checkpointed at about 16 MiB: fewer, longer checkpoints carry a bulk
    // load, and the file is cut back to that size afterwards.
    let settings = match role {
        Role::Writer => {
            "PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 16777216;"
        }
        Role::Reader => READER,
    };
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; \
             PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; {settings}"
        ))
        .map_err(fail)
}

/// A database without our mark must be empty: a stranger's is never turned into a book.
fn refuse_foreign(connection: &Connection, shown: &str) -> Result<()> {
    let fail = |e| error_of(OPEN, shown, e);
    // One statement, one snapshot: another process may be creating the book right now.
    let (application, tables): (i64, i64) = connection
        .query_row(
            "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(fail)?;
    if application != i64::from(APPLICATION_ID) && (application != 0 || tables > 0) {
        return Err(not_a_book(shown, "the database belongs to another application"));
    }
    Ok(())
}

/// Changing the journal mode does not wait for a lock by itself when two processes do it at once.
fn use_write_ahead_log(connection: &Connection, options: &SqliteOptions, shown: &str) -> Result<()> {
    let end = Instant::now() + options.busy_timeout;
    loop {
        let error = match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(Error::new(Code::Storage, OPEN, shown)
                    .because(format!("its journal mode stays {mode}"))
                    .advise("keep the book on a local disk"));
            }
            Err(e) => error_of(OPEN, shown, e),
        };
        if error.code() != Code::Busy || Instant::now() >= end {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Brings the schema up to date. Each migration checks again inside its own transaction what is still missing, so that
/// two processes may do this at once.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let shown = path.display().to_string();
    let fail = |e| error_of("bring the schema up to date of", &shown, e);
    while !pending(MIGRATIONS, &applied(connection).map_err(fail)?, |m| m.sqlite, &shown)?.is_empty() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        let have = applied(&transaction).map_err(fail)?;
        let Some(next) = pending(MIGRATIONS, &have, |m| m.sqlite, &shown)?.first() else { break };
        if have.is_empty() {
            transaction
                .execute_batch(
                    "CREATE TABLE schema_migration (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
                     checksum BLOB NOT NULL, \
                     applied_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER))) STRICT",
                )
                .map_err(fail)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(fail)?;
        }
        transaction.execute_batch(next.sqlite).map_err(fail)?;
        transaction
            .execute(
                "INSERT INTO schema_migration (number, name, checksum) VALUES (?1, ?2, ?3)",
                rusqlite::params![next.number, next.name, checksum(next.sqlite)],
            )
            .map_err(fail)?;
        transaction.pragma_update(None, "user_version", next.number).map_err(fail)?;
        transaction.commit().map_err(fail)?;
    }
    Ok(())
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<Applied>> {
    let exists: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migration')",
        [],
        |row| row.get(0),
    )?;
    if !exists {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT number, checksum FROM schema_migration ORDER BY number")?;
    statement.query_map([], |row| Ok(Applied { number: row.get(0)?, checksum: row.get(1)? }))?.collect()
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn not_a_book(shown: &str, why: &str) -> Error {
    Error::new(Code::Corrupt, OPEN, shown).because(why).advise("name another file for the book, or restore a copy")
}
