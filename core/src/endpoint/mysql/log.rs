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
//! file was thrown away (`PURGE BINARY LOGS`, `expire_logs_days`), when the server is another one, and when the table was
//! altered, emptied or written by statements: what columns a row of the log had is not in it.
//!
//! The server needs `log_bin`, `binlog_format = ROW` and `binlog_row_image = FULL`; the user `REPLICATION SLAVE`,
//! `BINLOG MONITOR` (MariaDB) or `REPLICATION CLIENT`, and for the first reading from MySQL `LOCK TABLES`. The log is the
//! server's, whoever reads it: the name of a capture means nothing here.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use mysql_async::binlog::events::{EventData, QueryEvent, RotateEvent};
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStreamRequest, Conn, Error as MyError, Row};
use serde::{Deserialize, Serialize};

use super::binlog::{Key, Keys, concerns};
use super::connect::Connections;
use super::describe::describe;
use super::fault::error_of;
use super::read::{Reading, begin, select, stream};
use crate::endpoint::sql::feed::{Fed, Feeder, feed};
use crate::endpoint::{
    ChangePage, ChangeScan, ChangeStream, ChangesEnd, Cursor, Deletions, Page, TableName, TableShape,
};
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, decode, encode};
use crate::model::CursorType;

/// Kinds of events (the page "Binlog event types" of both manuals).
const QUERY: u8 = 2;
const ROTATE: u8 = 4;
const FORMAT: u8 = 15;
const ROWS: [u8; 6] = [23, 24, 25, 30, 31, 32];
/// A change of a part of a JSON document, and rows that are compressed by MariaDB.
const ILLEGIBLE: [u8; 5] = [39, 166, 167, 168, 169];

/// The server cannot read the log from where it is asked to.
const NO_SUCH_PLACE: u16 = 1236;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    v: u32,
    server: u32,
    file: String,
    position: u64,
    made: u32,
}

fn stale(table: &TableName, why: &'static str) -> Error {
    Error::new(Code::Stale, "go on reading the log of", table).because(why)
}

fn fail(table: &TableName) -> impl Fn(MyError) -> Error {
    move |error| error_of("read the log of", table, error)
}

/// What the log is like.
struct Settings {
    is_mariadb: bool,
    server: u32,
}

async fn settings(conn: &mut Conn, table: &TableName) -> Result<Settings> {
    let sql = "SELECT VERSION(), @@server_id, @@log_bin, @@binlog_format, @@binlog_row_image";
    let row: Option<(String, u32, bool, String, String)> = conn.query_first(sql).await.map_err(fail(table))?;
    let none = || Error::new(Code::Storage, "read the log of", table).because("the server says nothing of it");
    let (version, server, is_on, format, image) = row.ok_or_else(none)?;
    let why = match (is_on, format.as_str(), image.as_str()) {
        (false, ..) => "the server writes none",
        (true, "ROW", "FULL") => return Ok(Settings { is_mariadb: version.contains("MariaDB"), server }),
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

/// Begins to read one moment of the table, and says where in the log it is. What is committed after it stands behind.
async fn snapshot(conn: &mut Conn, table: &TableName, settings: &Settings) -> Result<(String, u64)> {
    if settings.is_mariadb {
        begin(conn, table).await?;
        let sql = "SELECT (SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = \
                   'binlog_snapshot_file'), (SELECT CAST(VARIABLE_VALUE AS UNSIGNED) FROM \
                   information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'binlog_snapshot_position')";
        let row: Option<Row> = conn.query_first(sql).await.map_err(fail(table))?;
        return place_in(row, 0, 1).ok_or_else(|| {
            Error::new(Code::Unsupported, "read the log of", table).because("the server does not say where it reads")
        });
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
    let log = Log { connections: Arc::clone(connections), scan, shape, table, keys, is_mariadb: settings.is_mariadb };
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

struct Log {
    connections: Arc<Connections>,
    scan: ChangeScan,
    shape: TableShape,
    /// As the log names it.
    table: TableName,
    keys: Keys,
    is_mariadb: bool,
}

impl Log {
    fn stale(&self, why: &'static str) -> Error {
        stale(&self.scan.table, why)
    }

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

    /// Reads the log from one place to another and gives on what became of the rows that it names: whether somebody took
    /// it, and when the file at the end was begun. Without a feeder nothing but that.
    async fn follow(
        &self,
        since: &Place,
        end: &Place,
        beside: &mut Conn,
        feeder: Option<&Feeder<ChangePage, ChangesEnd>>,
    ) -> Result<(bool, u32)> {
        let table = &self.scan.table;
        let mut number = [0; 4];
        getrandom::fill(&mut number).map_err(|e| Error::new(Code::Internal, "read the log of", table).because(e))?;
        // A number that no replica has: the server ends an older reader of the same number.
        let request = BinlogStreamRequest::new(u32::from_le_bytes(number) | 1 << 31)
            .with_non_blocking()
            .with_filename(since.file.as_bytes())
            .with_pos(since.position);
        let conn = self.connections.connect().await?;
        let mut events = conn.get_binlog_stream(request).await.map_err(fail(table))?;
        // When the file that is read was begun: what it says first.
        let (mut file, mut made, mut is_first) = (since.file.clone(), None, true);
        let mut reached = since.position;
        let mut changed: BTreeSet<Key> = BTreeSet::new();
        let late = |_| Error::new(Code::Timeout, "read the log of", table).because("the server stands still");
        let patience = self.connections.patience();
        while let Some(event) = tokio::time::timeout(patience, events.next()).await.map_err(late)? {
            let event = event.map_err(|error| match error {
                MyError::Server(said) if said.code == NO_SUCH_PLACE => {
                    self.stale("the server has thrown away what came after it")
                }
                other => fail(table)(other),
            })?;
            let broken = |e: std::io::Error| Error::new(Code::Storage, "read the log of", table).because(e);
            let header = event.header();
            match header.event_type_raw() {
                // It names the file that was asked for, and the bytes of its checksum as if they were of the name.
                ROTATE if is_first => continue,
                ROTATE => {
                    let next: RotateEvent<'_> = event.read_event().map_err(broken)?;
                    (file, reached, made) = (next.name().into_owned(), next.position(), None);
                    continue;
                }
                FORMAT => {
                    if is_first && feeder.is_some() && header.timestamp() != since.made {
                        return Err(self.stale("the log was begun anew"));
                    }
                    (made, is_first) = (Some(header.timestamp()), false);
                }
                QUERY => {
                    let said: QueryEvent<'_> = event.read_event().map_err(broken)?;
                    if concerns(&said.query(), &said.schema(), &self.table) {
                        return Err(self.stale("the table was altered, or written by statements"));
                    }
                }
                kind if ROWS.contains(&kind) => {
                    let Some(EventData::RowsEvent(rows)) = event.read_data().map_err(broken)? else { continue };
                    let Some(map) = events.get_tme(rows.table_id()) else { continue };
                    if map.table_name() == self.table.name && map.database_name() == self.table.schema {
                        let keys = self.keys.named(&rows, map)?;
                        changed.extend(keys.ok_or_else(|| self.stale("the table looked otherwise"))?);
                    }
                }
                kind if ILLEGIBLE.contains(&kind) => {
                    return Err(Error::new(Code::Unsupported, "read the log of", table)
                        .because("its rows are compressed, or parts of documents")
                        .advise("turn log_bin_compress, or binlog_row_value_options, off at the server"));
                }
                _ => {}
            }
            reached = reached.max(header.log_pos().into());
            if changed.len() >= self.scan.page_rows.max(1)
                && !self.give(beside, std::mem::take(&mut changed), feeder).await?
            {
                return Ok((false, 0));
            }
            if made.is_some() && file == end.file && reached >= end.position {
                break;
            }
        }
        let made = made.filter(|_| file == end.file && reached >= end.position).ok_or_else(|| {
            Error::new(Code::Storage, "read the log of", table).because("it ended before the place where it was to end")
        })?;
        Ok((self.give(beside, changed, feeder).await?, made))
    }

    /// Gives on what became of the rows with these keys.
    async fn give(
        &self,
        beside: &mut Conn,
        changed: BTreeSet<Key>,
        feeder: Option<&Feeder<ChangePage, ChangesEnd>>,
    ) -> Result<bool> {
        let Some(feeder) = feeder.filter(|_| !changed.is_empty()) else { return Ok(true) };
        let page = self.look(beside, changed).await?;
        Ok(feeder.send(Ok(Fed::Page(page))).await.is_ok())
    }

    async fn look(&self, conn: &mut Conn, changed: BTreeSet<Key>) -> Result<ChangePage> {
        let (scan, width) = (&self.scan, self.scan.columns.len());
        let found = self.found(conn, &changed).await?;
        let mut page =
            ChangePage { rows: RowBatch::new(width), deleted: RowBatch::new(scan.key.len()), refused: found.refused };
        let mut gone = changed;
        for row in found.rows.iter() {
            let key: Key = (width..width + scan.key.len()).map(|at| row.value(at).to_vec()).collect();
            gone.remove(&key);
            (0..width).for_each(|at| page.rows.value(|encoder| encoder.raw(row.value(at))));
        }
        // A row that is there and cannot be carried is not gone.
        for refused in &page.refused {
            let part =
                |name: &String| refused.known.iter().find(|(known, _)| known == name).map(|(_, part)| encode(part));
            if let Some(key) = scan.key.iter().map(part).collect::<Option<Key>>() {
                gone.remove(&key);
            }
        }
        let folds = scan.key.iter().any(|name| self.shape.column(name).is_some_and(|column| column.collation.folds()));
        for key in gone {
            // A key that was written otherwise is still that of its row.
            if folds && !self.is_nowhere(conn, &key).await? {
                continue;
            }
            page.deleted.push(&key.iter().map(|part| decode(part)).collect::<Result<Vec<_>>>()?)?;
        }
        Ok(page)
    }

    async fn is_nowhere(&self, conn: &mut Conn, key: &Key) -> Result<bool> {
        let found = self.found(conn, &BTreeSet::from([key.clone()])).await?;
        Ok(found.rows.is_empty() && found.refused.is_empty())
    }

    /// The rows with these keys, and their keys behind their columns.
    async fn found(&self, conn: &mut Conn, keys: &BTreeSet<Key>) -> Result<Page> {
        let scan = &self.scan;
        let mut wanted = RowBatch::new(scan.key.len());
        for key in keys {
            wanted.push(&key.iter().map(|part| decode(part)).collect::<Result<Vec<_>>>()?)?;
        }
        let names = [&scan.columns[..], &scan.key].concat();
        // It waits for whoever is about to commit. MySQL's asks for no right to write.
        let lock = if self.is_mariadb { " LOCK IN SHARE MODE" } else { " FOR SHARE" };
        select(conn, &Reading::of(&self.shape, &names)?, &names, &scan.key, &wanted, lock).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_place_in_the_log_of_one_server() {
        let (table, settings) = (TableName::new("", "t"), Settings { is_mariadb: true, server: 7 });
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
