//! Changes by the log of the database: a logical replication slot with the plugin `pgoutput`, read by SQL functions.
//!
//! # What is taken from the log
//!
//! Only the keys of rows that changed. The rows themselves are then read as they are now: values that the log leaves out
//! because they did not change (those stored beside the table) are there, a row that changed ten times is read once, and a
//! key that is no longer there is a row that is gone, however it went.
//!
//! # The slot and the cursor
//!
//! The slot and the publication have the name of the capture; they are made by the first reading. A cursor is a position
//! in the log (`0/16B3748`). The slot is moved on only to a cursor that comes back as the beginning of a reading, since by
//! then it was kept together with what was read: whoever dies in between reads the same again. A slot that is no longer
//! there, was moved on by somebody else, or was cut off by `max_slot_wal_keep_size` makes the cursor stale. So does
//! `TRUNCATE`.
//!
//! The server needs `wal_level = logical` and version 14, the role the attribute `REPLICATION` and, for the first reading,
//! the table. Until a definition that reads by a slot is taken away with its slot, the server keeps its log.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::StreamExt;
use tokio_postgres::{Client, Row};

use super::connect::Shared;
use super::decode::put;
use super::describe::{Described, describe};
use super::fault::error_of;
use super::pgoutput::{Cell, Message, read};
use super::read::fetch;
use super::scan::Reading;
use super::types::Wire;
use super::{DIALECT, wires};
use crate::endpoint::sql::feed::{Fed, Feeder, feed};
use crate::endpoint::{ChangePage, ChangeScan, ChangeStream, ChangesEnd, Cursor, Deletions, Page};
use crate::error::{Code, Error, Result};
use crate::identity::{Encoder, RowBatch, decode};
use crate::model::CursorType;

/// A position in the log is two hexadecimal numbers.
fn is_position(text: &str) -> bool {
    let is_half = |half: &str| (1..=8).contains(&half.len()) && half.bytes().all(|digit| digit.is_ascii_hexdigit());
    text.split_once('/').is_some_and(|(high, low)| is_half(high) && is_half(low))
}

pub(super) async fn changes(connections: &Shared, scan: ChangeScan, name: &str) -> Result<Box<dyn ChangeStream>> {
    let is_name = (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_name {
        let wrong = Error::new(Code::Invalid, "read the log of", &scan.table);
        return Err(wrong.because("the name of a slot has lower-case letters, digits and underscores, 63 at most"));
    }
    let client = connections.connect().await?;
    let described = describe(&client, &scan.table).await?;
    Reading::of(&described, &scan.table, &scan.columns)?;
    let keys = Keys { names: scan.key.clone(), wires: wires(&described, &scan.key)? };
    let (feeder, pages) = feed(1, Some(connections.patience()));
    let cursor = match &scan.since {
        None => start(&client, &scan, name).await?,
        Some(cursor) => go_on(&client, &scan, name, cursor).await?,
    };
    let end = ChangesEnd {
        cursor: Cursor { cursor_type: CursorType::Lsn, value: cursor },
        deletions: if scan.since.is_none() { Deletions::ByAbsence } else { Deletions::Listed },
    };
    let (connections, name) = (Shared::clone(connections), name.to_owned());
    tokio::spawn(async move {
        let done = match scan.since {
            None => everything(&client, &scan, &described, &feeder).await,
            Some(_) => logged(&connections, &client, &scan, &described, &keys, &name, &feeder).await,
        };
        // Whoever read is gone when that fails.
        let _ = match done {
            Ok(true) => feeder.send(Ok(Fed::End(end))).await,
            Ok(false) => Ok(()),
            Err(error) => feeder.send(Err(error)).await,
        };
    });
    Ok(Box::new(pages))
}

/// Makes the slot and the publication, and says from where on the log is kept. What is read after that misses nothing.
async fn start(client: &Client, scan: &ChangeScan, name: &str) -> Result<String> {
    let fail = |e: tokio_postgres::Error| error_of("prepare to read the log of", &scan.table, e);
    let level: String = client.query_one("SELECT current_setting('wal_level')", &[]).await.map_err(fail)?.get(0);
    if level != "logical" {
        return Err(Error::new(Code::Unsupported, "read the log of", &scan.table)
            .because(format!("the server's wal_level is {level}"))
            .advise("set wal_level = logical at the server and start it again"));
    }
    let table = DIALECT.table(&scan.table);
    let published =
        client.query_opt("SELECT 1 FROM pg_publication WHERE pubname = $1", &[&name]).await.map_err(fail)?;
    if published.is_none() {
        let sql = format!("CREATE PUBLICATION {} FOR TABLE {table}", DIALECT.quoted(name));
        client.batch_execute(&sql).await.map_err(fail)?;
    }
    let slot =
        client.query_opt("SELECT 1 FROM pg_replication_slots WHERE slot_name = $1", &[&name]).await.map_err(fail)?;
    if slot.is_none() {
        let sql = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')::text";
        client.query_one(sql, &[&name]).await.map_err(fail)?;
    }
    let sql = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1";
    let row = client.query_one(sql, &[&name]).await.map_err(fail)?;
    let position: Option<String> = row.get(0);
    let here = || {
        Error::new(Code::Conflict, "read the log of", &scan.table).because("the slot of that name is of another kind")
    };
    position.ok_or_else(here)
}

/// Moves the slot on to the cursor, and says how far the log goes now.
async fn go_on(client: &Client, scan: &ChangeScan, name: &str, cursor: &Cursor) -> Result<String> {
    let fail = |e: tokio_postgres::Error| error_of("go on reading the log of", &scan.table, e);
    let stale = |why: &'static str| Error::new(Code::Stale, "go on reading the log of", &scan.table).because(why);
    if cursor.cursor_type != CursorType::Lsn || !is_position(&cursor.value) {
        return Err(stale("the cursor is of another kind"));
    }
    let sql = "SELECT confirmed_flush_lsn <= $2::text::pg_lsn, coalesce(wal_status, '') = 'lost', \
               confirmed_flush_lsn < $2::text::pg_lsn FROM pg_replication_slots WHERE slot_name = $1 AND plugin = 'pgoutput' \
               AND database = current_database()";
    let slot = client.query_opt(sql, &[&name, &cursor.value]).await.map_err(fail)?;
    let slot = slot.ok_or_else(|| stale("there is no such slot any more"))?;
    let flag = |at| slot.try_get::<_, Option<bool>>(at).ok().flatten().unwrap_or(false);
    if !flag(0) || flag(1) {
        return Err(stale("the slot has moved on without this reader, or the server has thrown its log away"));
    }
    // Taken before the log is read: all that was committed until then is in what is read.
    let end: String = client.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.map_err(fail)?.get(0);
    if flag(2) {
        let sql = "SELECT pg_replication_slot_advance($1, least($2::text::pg_lsn, pg_current_wal_flush_lsn()))::text";
        client.query_one(sql, &[&name, &cursor.value]).await.map_err(fail)?;
    }
    Ok(end)
}

/// Reads the whole table; false when nobody takes rows any more.
async fn everything(
    client: &Client,
    scan: &ChangeScan,
    described: &Described,
    feeder: &Feeder<ChangePage, ChangesEnd>,
) -> Result<bool> {
    let fail = |e| error_of("read", &scan.table, e);
    let reading = Reading::of(described, &scan.table, &scan.columns)?;
    client.batch_execute("SET statement_timeout = 0").await.map_err(fail)?;
    let statement = client.prepare(&DIALECT.select(&scan.table, &scan.columns)).await.map_err(fail)?;
    let none: [&str; 0] = [];
    let mut rows = pin!(client.query_raw(&statement, none).await.map_err(fail)?);
    let mut page = reading.page();
    let of = |page: Page| ChangePage { rows: page.rows, deleted: RowBatch::new(scan.key.len()), refused: page.refused };
    while let Some(row) = rows.next().await {
        reading.take_row(&mut page, &row.map_err(fail)?, 0, &scan.table)?;
        if super::scan::is_full(&page, scan.page_rows)
            && feeder.send(Ok(Fed::Page(of(std::mem::replace(&mut page, reading.page()))))).await.is_err()
        {
            return Ok(false);
        }
    }
    let is_empty = page.rows.is_empty() && page.refused.is_empty();
    Ok(is_empty || feeder.send(Ok(Fed::Page(of(page)))).await.is_ok())
}

/// How the key of a row is found in a message.
struct Keys {
    names: Vec<String>,
    wires: Vec<Wire>,
}

impl Keys {
    /// The encoded key; nothing where it has a null, or the message leaves a part of it out.
    fn of(&self, columns: &[String], cells: &[Cell<'_>]) -> Result<Option<Vec<Vec<u8>>>> {
        let mut key = Vec::with_capacity(self.names.len());
        for (name, wire) in self.names.iter().zip(&self.wires) {
            let place = columns.iter().position(|column| column == name);
            let Some(Cell::Binary(bytes)) = place.and_then(|place| cells.get(place)) else { return Ok(None) };
            let mut encoder = Encoder::default();
            let fault = |why| Error::new(Code::Storage, "read a key from the log", "").because(why);
            put(&mut encoder, wire, bytes).map_err(fault)?;
            key.push(encoder.into_bytes());
        }
        Ok(Some(key))
    }
}

/// Reads the log and gives on what became of the rows that it names; false when nobody takes them any more.
async fn logged(
    connections: &Shared,
    client: &Client,
    scan: &ChangeScan,
    described: &Described,
    keys: &Keys,
    name: &str,
    feeder: &Feeder<ChangePage, ChangesEnd>,
) -> Result<bool> {
    let fail = |e| error_of("read the log of", &scan.table, e);
    let stale = |why: &'static str| Error::new(Code::Stale, "go on reading the log of", &scan.table).because(why);
    // The log is read on one connection while rows are read on another.
    let mut beside = connections.connect().await?;
    client.batch_execute("SET statement_timeout = 0").await.map_err(fail)?;
    let sql = "SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', \
               'publication_names', $2, 'binary', 'true')";
    let statement = client.prepare(sql).await.map_err(fail)?;
    let mut messages = pin!(client.query_raw(&statement, [name, name]).await.map_err(fail)?);
    let mut columns: Vec<String> = Vec::new();
    let mut changed = BTreeSet::new();
    while let Some(row) = messages.next().await {
        let row: Row = row.map_err(fail)?;
        let data: &[u8] = row.try_get(0).map_err(fail)?;
        match read(data)? {
            Message::Relation { number, columns: of, .. } if number == described.oid => {
                columns = of.into_iter().map(str::to_owned).collect();
            }
            Message::Row { number, old, new } if number == described.oid => {
                let old_key = old.as_deref().map(|cells| keys.of(&columns, cells)).transpose()?.flatten();
                let new_key = new.as_deref().map(|cells| keys.of(&columns, cells)).transpose()?.flatten();
                if old_key.is_none() && new.is_none() {
                    return Err(stale(
                        "the log does not say which row is gone: its key is not the table's replica identity",
                    ));
                }
                changed.extend(old_key.into_iter().chain(new_key));
            }
            Message::Truncate { numbers } if numbers.contains(&described.oid) => {
                return Err(stale("all rows were taken out at once (TRUNCATE)"));
            }
            Message::Relation { .. } | Message::Row { .. } | Message::Truncate { .. } | Message::Other => {}
        }
        if changed.len() >= scan.page_rows.max(1) {
            let page = look(&mut beside, scan, std::mem::take(&mut changed)).await?;
            if feeder.send(Ok(Fed::Page(page))).await.is_err() {
                return Ok(false);
            }
        }
    }
    if changed.is_empty() {
        return Ok(true);
    }
    let page = look(&mut beside, scan, changed).await?;
    Ok(feeder.send(Ok(Fed::Page(page))).await.is_ok())
}

/// What became of the rows with these keys.
async fn look(client: &mut Client, scan: &ChangeScan, changed: BTreeSet<Vec<Vec<u8>>>) -> Result<ChangePage> {
    let mut keys = RowBatch::new(scan.key.len());
    for key in &changed {
        keys.push(&key.iter().map(|part| decode(part)).collect::<Result<Vec<_>>>()?)?;
    }
    let names = [&scan.columns[..], &scan.key].concat();
    let found = fetch(client, &scan.table, &names, &scan.key, &keys).await?;
    let (width, all) = (scan.columns.len(), names.len());
    let mut page =
        ChangePage { rows: RowBatch::new(width), deleted: RowBatch::new(scan.key.len()), refused: found.refused };
    let mut gone = changed;
    for row in found.rows.iter() {
        let key: Vec<_> = (width..all).map(|at| row.value(at).to_vec()).collect();
        gone.remove(&key);
        (0..width).for_each(|at| page.rows.value(|encoder| encoder.raw(row.value(at))));
    }
    // A row that is there and cannot be carried is not gone.
    for refused in &page.refused {
        let part = |name: &String| {
            refused.known.iter().find(|(known, _)| known == name).map(|(_, value)| crate::identity::encode(value))
        };
        if let Some(key) = scan.key.iter().map(part).collect::<Option<Vec<_>>>() {
            gone.remove(&key);
        }
    }
    for key in gone {
        page.deleted.push(&key.iter().map(|part| decode(part)).collect::<Result<Vec<_>>>()?)?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::is_position;

    #[test]
    fn a_position_is_two_numbers() {
        assert!(is_position("0/16B3748") && is_position("FFFFFFFF/0"));
        for wrong in ["", "/", "0/", "0/1 OR 1=1", "123456789/0", "0x1/2"] {
            assert!(!is_position(wrong), "{wrong}");
        }
    }
}
