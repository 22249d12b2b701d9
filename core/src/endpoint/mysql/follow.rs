//! What the log says from one place to another, and what became of the rows that it names.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use mysql_async::binlog::TransactionPayloadCompressionType as Packing;
use mysql_async::binlog::events::{
    Event, EventData, ExecuteLoadQueryEvent, QueryEvent, RotateEvent, TransactionPayloadEvent,
};
use mysql_async::prelude::Queryable as _;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn, Error as MyError};

use super::binlog::{Key, concerns};
use super::log::{Log, Place, fail, stale};
use super::read::{Reading, select};
use crate::endpoint::sql::feed::{Fed, Feeder};
use crate::endpoint::{ChangePage, ChangesEnd, Page};
use crate::error::{Code, Error, Result};
use crate::identity::{RowBatch, decode, encode};

/// Kinds of events (the pages "Binlog event types" of both manuals).
const QUERY: u8 = 2;
const ROTATE: u8 = 4;
const FORMAT: u8 = 15;
/// `LOAD DATA`, which is in the log of a session that writes statements.
const LOAD: u8 = 18;
/// The server knows that something is not in its log.
const INCIDENT: u8 = 26;
/// Rows, the last ones with documents of which only a part changed (MySQL, `binlog_row_value_options`).
const ROWS: [u8; 7] = [23, 24, 25, 30, 31, 32, 39];
/// A whole transaction, compressed (MySQL, `binlog_transaction_compression`).
const PACKED: u8 = 40;
/// What no compressed transaction has in it: files begin and end with these, transactions begin with them.
const OUTSIDE: [u8; 7] = [ROTATE, FORMAT, 33, 34, 35, PACKED, 42];
/// Statements and rows that are compressed one by one (MariaDB, `log_bin_compress`).
const ILLEGIBLE: [u8; 7] = [165, 166, 167, 168, 169, 170, 171];

/// The server cannot read the log from where it is asked to.
const NO_SUCH_PLACE: u16 = 1236;

/// How far the log was read.
struct Course {
    file: String,
    position: u64,
    /// When the file was begun: what it says first.
    made: Option<u32>,
    /// How much of a compressed transaction is still to come, in bytes. What is in it has no places of its own.
    packed: u64,
}

impl Course {
    fn is_at(&self, end: &Place) -> bool {
        self.packed == 0 && self.made.is_some() && self.file == end.file && self.position >= end.position
    }

    /// Goes behind an event. The driver leaves out what it could not decompress; then the sizes do not add up.
    fn pass(&mut self, kind: u8, size: u64, position: u64) -> std::result::Result<(), &'static str> {
        if self.packed == 0 {
            self.position = self.position.max(position);
            return Ok(());
        }
        let left = self.packed.checked_sub(size).filter(|_| !OUTSIDE.contains(&kind));
        self.packed = left.ok_or("a transaction in it could not be decompressed")?;
        Ok(())
    }
}

impl Log {
    fn stale(&self, why: impl std::fmt::Display) -> Error {
        stale(&self.scan.table, why)
    }

    fn broken(&self, why: impl std::fmt::Display) -> Error {
        Error::new(Code::Storage, "read the log of", &self.scan.table).because(why)
    }

    async fn events(&self, since: &Place) -> Result<BinlogStream> {
        let table = &self.scan.table;
        let mut number = [0; 4];
        getrandom::fill(&mut number).map_err(|e| Error::new(Code::Internal, "read the log of", table).because(e))?;
        // A number that no replica has: the server ends an older reader of the same number.
        let request = BinlogStreamRequest::new(u32::from_le_bytes(number) | 1 << 31)
            .with_non_blocking()
            .with_filename(since.file.as_bytes())
            .with_pos(since.position);
        let mut conn = self.connections.connect().await?;
        // MariaDB says in another way to those who know no GTIDs what it has of a transaction, and has no other way for one of
        // two phases (`XA`). To MySQL it is a variable like any (MariaDB's page "5-Replica Registration").
        conn.query_drop("SET @mariadb_slave_capability = 4").await.map_err(fail(table))?;
        conn.get_binlog_stream(request).await.map_err(fail(table))
    }

    /// Reads the log from one place to another and gives on what became of the rows that it names: whether somebody took
    /// it, and when the file at the end was begun. Without a feeder nothing but that.
    pub(super) async fn follow(
        &self,
        since: &Place,
        end: &Place,
        beside: &mut Conn,
        feeder: Option<&Feeder<ChangePage, ChangesEnd>>,
    ) -> Result<(bool, u32)> {
        let mut events = self.events(since).await?;
        let mut course = Course { file: since.file.clone(), position: since.position, made: None, packed: 0 };
        let (mut is_first, mut changed): (bool, BTreeSet<Key>) = (true, BTreeSet::new());
        let late =
            |_| Error::new(Code::Timeout, "read the log of", &self.scan.table).because("the server stands still");
        let patience = self.connections.patience();
        while let Some(event) = tokio::time::timeout(patience, events.next()).await.map_err(late)? {
            let event = event.map_err(|error| self.unreadable(error))?;
            let (header, broken) = (event.header(), |e: std::io::Error| self.broken(e));
            let kind = header.event_type_raw();
            course.pass(kind, header.event_size().into(), header.log_pos().into()).map_err(|why| self.broken(why))?;
            match kind {
                // It names the file that was asked for, and the bytes of its checksum as if they were of the name.
                ROTATE if is_first => {}
                ROTATE => {
                    let next: RotateEvent<'_> = event.read_event().map_err(broken)?;
                    (course.file, course.position, course.made) = (next.name().into_owned(), next.position(), None);
                }
                FORMAT => {
                    if is_first && feeder.is_some() && header.timestamp() != since.made {
                        return Err(self.stale("the log was begun anew"));
                    }
                    (course.made, is_first) = (Some(header.timestamp()), false);
                }
                PACKED => course.packed = unpacked_size(&event.read_event().map_err(broken)?),
                _ => changed.extend(self.named(&event, &events)?),
            }
            if changed.len() >= self.scan.page_rows.max(1)
                && !self.give(beside, std::mem::take(&mut changed), feeder).await?
            {
                return Ok((false, 0));
            }
            if course.is_at(end) {
                break;
            }
        }
        let made = course.made.filter(|_| course.is_at(end));
        let made = made.ok_or_else(|| self.broken("it ended before the place where it was to end"))?;
        Ok((self.give(beside, changed, feeder).await?, made))
    }

    fn unreadable(&self, error: MyError) -> Error {
        match error {
            MyError::Server(said) if said.code == NO_SUCH_PLACE => {
                self.stale(format!("the server does not have what came after it: {}", said.message))
            }
            other => fail(&self.scan.table)(other),
        }
    }

    /// The keys of the rows that an event is about.
    fn named(&self, event: &Event, events: &BinlogStream) -> Result<Vec<Key>> {
        let broken = |e: std::io::Error| self.broken(e);
        let (sql, schema) = match event.header().event_type_raw() {
            kind if ROWS.contains(&kind) => {
                let Some(EventData::RowsEvent(rows)) = event.read_data().map_err(broken)? else {
                    return Ok(Vec::new());
                };
                let Some(map) = events.get_tme(rows.table_id()) else { return Ok(Vec::new()) };
                if map.table_name() != self.table.name || map.database_name() != self.table.schema {
                    return Ok(Vec::new());
                }
                return self.keys.named(&rows, map)?.map_err(|why| self.stale(why));
            }
            QUERY => {
                let said: QueryEvent<'_> = event.read_event().map_err(broken)?;
                (said.query().into_owned(), said.schema().into_owned())
            }
            LOAD => {
                let said: ExecuteLoadQueryEvent<'_> = event.read_event().map_err(broken)?;
                (said.query().into_owned(), said.schema().into_owned())
            }
            INCIDENT => return Err(self.stale("the server knows of changes that are not in it")),
            kind if ILLEGIBLE.contains(&kind) => {
                return Err(Error::new(Code::Unsupported, "read the log of", &self.scan.table)
                    .because("what it says is compressed, event by event")
                    .advise("turn log_bin_compress off at the server"));
            }
            _ => return Ok(Vec::new()),
        };
        if concerns(&sql, &schema, &self.table) {
            return Err(self.stale("the table was altered, or written by statements"));
        }
        Ok(Vec::new())
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
        // It waits for whoever is about to commit.
        select(conn, &Reading::of(&self.shape, &names)?, &names, &scan.key, &wanted, self.lock).await
    }
}

/// How long what is in a compressed transaction is.
fn unpacked_size(event: &TransactionPayloadEvent<'_>) -> u64 {
    match event.algorithm() {
        Packing::NONE => event.payload_raw().len() as u64,
        Packing::ZSTD => event.uncompressed_size(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_transaction_is_read_to_its_end() {
        let mut course = Course { file: "a".into(), position: 4, made: Some(1), packed: 0 };
        let end: Place = serde_json::from_str(r#"{"v":1,"server":1,"file":"a","position":90,"made":1}"#).unwrap();
        assert_eq!(course.pass(PACKED, 80, 90), Ok(()));
        course.packed = 150;
        assert!(!course.is_at(&end), "its place comes before what is in it");
        assert_eq!((course.pass(QUERY, 50, 70), course.position), (Ok(()), 90));
        assert_eq!((course.pass(30, 100, 170), course.position), (Ok(()), 90));
        assert!(course.is_at(&end));
        course.packed = 10;
        assert!(course.pass(30, 11, 0).is_err(), "it is longer than it says");
        assert!(course.pass(33, 5, 95).is_err(), "it ended early");
    }
}
