//! Changes by the binary log, read as a replica reads it.
//!
//! # What is taken from the log
//!
//! Only the keys of rows that changed. The rows are then read as they are now: one that changed ten times is read once, and
//! a key that no row has any more is that of a row that is gone. They are read with a lock that waits for whoever is about
//! to commit: a transaction stands in the log a moment before others see it. Whoever holds such a row for more than half a
//! minute makes the reading `busy`.
//!
//! # The cursor
//!
//! A JSON object: `v` is 1; `server` the number of the server (`server_id`), `file` and `position` the place in its log,
//! `made` when that file was begun, so that a log that was begun anew is not taken for the old one. It is stale when the
//! file was thrown away (`PURGE BINARY LOGS`, `binlog_expire_logs_seconds`), when the server is another one, and when the table was
//! altered, emptied or written by statements: what columns a row of the log had is not in it.
//!
//! The server needs `log_bin`, `binlog_format = ROW` and `binlog_row_image = FULL`; the user `REPLICATION SLAVE`,
//! `BINLOG MONITOR` (MariaDB) or `REPLICATION CLIENT`, and for the first reading from MySQL `LOCK TABLES`. The log is the
//! server's, whoever reads it: the name of a capture means nothing here. What the events say is read in [`follow`](super::follow).

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as MyError, Row};
use serde::{Deserialize, Serialize};

use super::binlog::Keys;
use super::connect::Connections;
use super::describe::describe;
use super::fault::error_of;
use super::read::{Reading, begin, stream};
use crate::endpoint::sql::feed::{Fed, Feeder, feed};
use crate::endpoint::{
    ChangePage, ChangeScan, ChangeStream, ChangesEnd, Cursor, Deletions, Page, TableName, TableShape,
};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::CursorType;

/// How long somebody is waited for who holds what is read, as the sessions wait for locks.
const PATIENCE_MS: u64 = 30_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    v: u32,
    server: u32,
    pub(super) file: String,
    pub(super) position: u64,
    pub(super) made: u32,
}

pub(super) fn stale(table: &TableName, why: impl std::fmt::Display) -> Error {
    Error::new(Code::Stale, "go on reading the log of", table).because(why)
}

pub(super) fn fail(table: &TableName) -> impl Fn(MyError) -> Error {
    move |error| error_of("read the log of", table, error)
}

/// What the log is like.
struct Settings {
    is_mariadb: bool,
    /// How it says that rows are to be read with a shared lock. MySQL's asks for no right to write; 5.7 does not know it, and
    /// MariaDB has the other word alone ("Locking Reads", "LOCK IN SHARE MODE").
    lock: &'static str,
    server: u32,
}

async fn settings(conn: &mut Conn, table: &TableName) -> Result<Settings> {
    let sql = "SELECT VERSION(), @@server_id, @@log_bin, @@binlog_format, @@binlog_row_image";
    let row: Option<(String, u32, bool, String, String)> = conn.query_first(sql).await.map_err(fail(table))?;
    let none = || Error::new(Code::Storage, "read the log of", table).because("the server says nothing of it");
    let (version, server, is_on, format, image) = row.ok_or_else(none)?;
    let why = match (is_on, format.as_str(), image.as_str()) {
        (false, ..) => "the server writes none",
        (true, "ROW", "FULL") => {
            let is_mariadb = version.contains("MariaDB");
            let lock = if is_mariadb || version.starts_with("5.") { " LOCK IN SHARE MODE" } else { " FOR SHARE" };
            return Ok(Settings { is_mariadb, lock, server });
        }
        (true, "ROW", _) => "it does not have whole rows",
        (true, ..) => "it has statements and not rows",
    };
    Err(Error::new(Code::Unsupported, "read the log of", table)
        .because(why)
        .advise("set log_bin, binlog_format = ROW and binlog_row_image = FULL at the server and start it again"))
}

/// How far the log goes.
async fn end_of_log(conn: &mut Conn, table: &TableName) -> Result<(String, u64)> {
    // MySQL 8.4 has no other word than the new one, which MariaDB does not know.
    let row: Option<Row> = match conn.query_first("SHOW MASTER STATUS").await {
        Err(MyError::Server(said)) if said.code == 1064 => conn.query_first("SHOW BINARY LOG STATUS").await,
        answered => answered,
    }
    .map_err(fail(table))?;
    place_in(row, 0, 1).ok_or_else(|| {
        Error::new(Code::Unsupported, "read the log of", table).because("the server does not say how far it goes")
    })
}

fn place_in(row: Option<Row>, file: usize, position: usize) -> Option<(String, u64)> {
    let row = row?;
    Some((row.get_opt::<String, _>(file)?.ok()?, row.get_opt::<u64, _>(position)?.ok()?))
}

/// Begins to read one moment of the table, and says where the log was before it: what stands before that place is in it.
///
/// The rows of a transaction of two phases are in the log when it is prepared (`XA PREPARE`), and in the table whenever it is
/// committed. MySQL's locks wait for such a one; MariaDB's do not when whoever prepared it has gone.
async fn snapshot(conn: &mut Conn, table: &TableName, settings: &Settings) -> Result<(String, u64)> {
    if settings.is_mariadb {
        let place = end_of_log(conn, table).await?;
        prepared_are_gone(conn, table).await?;
        // A snapshot that is consistent has what the log has: "START TRANSACTION", "Enhanced Consistent Snapshots".
        begin(conn, table).await?;
        return Ok(place);
    }
    // Whoever has written to the table has committed before it is locked; whoever writes after it stands behind.
    let lock = format!("LOCK TABLES {} READ", super::DIALECT.table(table));
    conn.query_drop("SET SESSION lock_wait_timeout = 30").await.map_err(fail(table))?;
    conn.query_drop(lock).await.map_err(fail(table))?;
    let place = end_of_log(conn, table).await?;
    conn.query_drop("UNLOCK TABLES").await.map_err(fail(table))?;
    begin(conn, table).await?;
    Ok(place)
}

/// Waits for the transactions that are prepared now, not for those that come.
async fn prepared_are_gone(conn: &mut Conn, table: &TableName) -> Result<()> {
    type Prepared = (i64, i64, i64, Vec<u8>);
    let mut left: Vec<Prepared> = conn.query("XA RECOVER").await.map_err(fail(table))?;
    for _ in 0..PATIENCE_MS / 100 {
        if left.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now: Vec<Prepared> = conn.query("XA RECOVER").await.map_err(fail(table))?;
        left.retain(|one| now.contains(one));
    }
    Err(Error::new(Code::Busy, "read the log of", table)
        .because("a transaction is prepared, and neither committed nor rolled back")
        .advise("see which one with XA RECOVER"))
}

pub(super) async fn changes(connections: &Arc<Connections>, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
    let mut conn = connections.connect().await?;
    let settings = settings(&mut conn, &scan.table).await?;
    let shape = describe(&mut conn, &scan.table, connections.tinyint_is_boolean()).await?;
    Reading::of(&shape, &scan.columns)?;
    Reading::of(&shape, &scan.key)?;
    let table = stored_name(&mut conn, &scan.table).await?;
    let keys = Keys::of(&table, &shape.columns, &scan.key)?;
    let since = scan.since.as_ref().map(|cursor| place_of(cursor, &settings, &scan.table)).transpose()?;
    let (file, position) = match since {
        None => snapshot(&mut conn, &scan.table, &settings).await?,
        Some(_) => end_of_log(&mut conn, &scan.table).await?,
    };
    let end = Place { v: 1, server: settings.server, file, position, made: 0 };
    // A long log may say nothing of this table; whoever reads it sees whether it stands still.
    let patience = if since.is_some() { None } else { Some(connections.patience()) };
    let (feeder, pages) = feed(1, patience);
    let log = Log { connections: Arc::clone(connections), scan, shape, table, keys, lock: settings.lock };
    tokio::spawn(async move {
        // Whoever read is gone when that fails.
        let _ = match log.read(conn, since, end, &feeder).await {
            Ok(Some(end)) => feeder.send(Ok(Fed::End(end))).await,
            Ok(None) => Ok(()),
            Err(error) => feeder.send(Err(error)).await,
        };
    });
    Ok(Box::new(pages))
}

fn place_of(cursor: &Cursor, settings: &Settings, table: &TableName) -> Result<Place> {
    let place = Some(&cursor.value).filter(|_| cursor.cursor_type == CursorType::Lsn);
    let place = place.and_then(|value| serde_json::from_str::<Place>(value).ok()).filter(|place| place.v == 1);
    let place = place.ok_or_else(|| stale(table, "the cursor is of another kind"))?;
    if place.server != settings.server {
        return Err(stale(table, "the server is another one"));
    }
    Ok(place)
}

/// The table as the log names it.
async fn stored_name(conn: &mut Conn, table: &TableName) -> Result<TableName> {
    let sql = "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
               WHERE TABLE_SCHEMA = IF(? = '', DATABASE(), ?) AND TABLE_NAME = ?";
    let params = (table.schema.as_str(), table.schema.as_str(), table.name.as_str());
    let row: Option<(String, String)> = conn.exec_first(sql, params).await.map_err(fail(table))?;
    row.map(|(schema, name)| TableName::new(schema, name))
        .ok_or_else(|| Error::new(Code::NotFound, "find the table", table))
}

/// The reading of one table.
pub(super) struct Log {
    pub(super) connections: Arc<Connections>,
    pub(super) scan: ChangeScan,
    pub(super) shape: TableShape,
    /// As the log names it.
    pub(super) table: TableName,
    pub(super) keys: Keys,
    /// What stands behind a statement that waits for whoever is about to commit.
    pub(super) lock: &'static str,
}

impl Log {
    /// Reads everything, or what came after a place; nothing when nobody takes it any more.
    async fn read(
        &self,
        mut conn: Conn,
        since: Option<Place>,
        mut end: Place,
        feeder: &Feeder<ChangePage, ChangesEnd>,
    ) -> Result<Option<ChangesEnd>> {
        let (is_taken, deletions) = match since {
            None => {
                end.made = self.follow(&end, &end, &mut conn, None).await?.1;
                (self.everything(&mut conn, feeder).await?, Deletions::ByAbsence)
            }
            Some(since) => {
                // Each statement sees what was committed before it, and keeps no lock.
                let sql = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
                conn.query_drop(sql).await.map_err(fail(&self.scan.table))?;
                let (is_taken, made) = self.follow(&since, &end, &mut conn, Some(feeder)).await?;
                end.made = made;
                (is_taken, Deletions::Listed)
            }
        };
        let value = serde_json::to_string(&end)
            .map_err(|e| Error::new(Code::Internal, "write a cursor", &self.scan.table).because(e))?;
        let cursor = Cursor { cursor_type: CursorType::Lsn, value };
        Ok(is_taken.then_some(ChangesEnd { cursor, deletions }))
    }

    async fn everything(&self, conn: &mut Conn, feeder: &Feeder<ChangePage, ChangesEnd>) -> Result<bool> {
        let scan = &self.scan;
        let reading = Reading::of(&self.shape, &scan.columns)?;
        let query = (super::DIALECT.select(&scan.table, &scan.columns), mysql_async::Params::Empty);
        let of =
            |page: Page| ChangePage { rows: page.rows, deleted: RowBatch::new(scan.key.len()), refused: page.refused };
        stream(conn, query, &reading, scan.page_rows, feeder, of).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_place_in_the_log_of_one_server() {
        let (table, settings) = (TableName::new("", "t"), Settings { is_mariadb: true, lock: "", server: 7 });
        let place = Place { v: 1, server: 7, file: "binlog.000001".into(), position: 4, made: 9 };
        let cursor = |cursor_type, value: String| Cursor { cursor_type, value };
        let text = serde_json::to_string(&place).unwrap();
        assert_eq!(place_of(&cursor(CursorType::Lsn, text.clone()), &settings, &table).unwrap(), place);
        let other = serde_json::to_string(&Place { server: 8, ..place }).unwrap();
        for wrong in
            [cursor(CursorType::Timestamp, text), cursor(CursorType::Lsn, other), cursor(CursorType::Lsn, "0/1".into())]
        {
            assert_eq!(place_of(&wrong, &settings, &table).unwrap_err().code(), Code::Stale);
        }
    }
}
