//! Whole tables by binary `COPY`: the fastest way out of PostgreSQL, and every value in a form that needs no parsing.
//!
//! The format is that of the manual's page on `COPY`, section "Binary Format". The trailer has to come: a copy that
//! stops without it is an error.

use std::pin::pin;

use futures_util::StreamExt;
use tokio_postgres::{Client, CopyOutStream};

use super::connect::Shared;
use super::decode::put;
use super::describe::{Described, describe};
use super::fault::error_of;
use super::types::Wire;
use super::{DIALECT, SNAPSHOT_SCANS, wires};
use crate::endpoint::sql::feed::{Fed, Feeder, feed};
use crate::endpoint::{Page, Refused, RowStream, Scan, TableName};
use crate::error::{Code, Error, Result};
use crate::identity::{Encoder, RowBatch, decode};

/// What a copy begins with.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Blocks of 8 KiB that are worth a connection of their own: 8 MiB.
const BLOCKS: i64 = 1024;

/// The first version that reads a range of blocks without reading all.
const RANGES: i32 = 140_000;

/// Bytes of a page, whatever the number of its rows.
const PAGE_BYTES: usize = 8 << 20;

const BEGIN: &str = "SET statement_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(super) async fn scan(connections: &Shared, scan: Scan) -> Result<Box<dyn RowStream>> {
    let fail = |e| error_of("read", &scan.table, e);
    let first = connections.connect().await?;
    first.batch_execute(BEGIN).await.map_err(fail)?;
    let described = describe(&first, &scan.table).await?;
    let reading = Reading::of(&described, &scan.table, &scan.columns)?;
    let ranges = ranges(&first, &described, scan.parallel).await?;
    let mut clients = Vec::with_capacity(ranges.len());
    if ranges.len() > 1 {
        let snapshot = first.query_one("SELECT pg_export_snapshot()", &[]).await.map_err(fail)?;
        let snapshot: String = snapshot.get(0);
        for _ in 1..ranges.len() {
            let client = connections.connect().await?;
            // What the server made is hexadecimal digits and hyphens.
            let import = format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{}'", snapshot.replace('\'', ""));
            client.batch_execute(&import).await.map_err(fail)?;
            clients.push(client);
        }
    }
    clients.push(first);
    let (feeder, pages) = feed(clients.len(), Some(connections.patience()));
    let select = DIALECT.select(&scan.table, &scan.columns);
    for (client, range) in clients.into_iter().zip(ranges) {
        let sql = format!("COPY ({select}{range}) TO STDOUT (FORMAT binary)");
        let (feeder, reading) = (feeder.clone(), reading.clone());
        tokio::spawn(async move {
            if let Err(error) = copy(&client, &sql, &reading, scan.page_rows, &feeder).await {
                // Whoever read is gone when that fails.
                let _ = feeder.send(Err(error)).await;
            }
        });
    }
    Ok(Box::new(pages))
}

/// Conditions by which the parts of a table are read; a lone empty one where it is not worth it, or not possible.
async fn ranges(client: &Client, described: &Described, parallel: usize) -> Result<Vec<String>> {
    let fail = |e| error_of("read", &described.shape.name, e);
    if parallel < 2 || !described.has_blocks {
        return Ok(vec![String::new()]);
    }
    let sql = "SELECT pg_relation_size($1::oid::regclass) / current_setting('block_size')::int8, \
               current_setting('server_version_num')::int4";
    let row = client.query_one(sql, &[&described.oid]).await.map_err(fail)?;
    let (blocks, version): (i64, i32) = (row.get(0), row.get(1));
    let readers = i64::try_from(parallel.min(SNAPSHOT_SCANS)).unwrap_or(1).min(blocks / BLOCKS);
    if readers < 2 || version < RANGES {
        return Ok(vec![String::new()]);
    }
    let range = |reader: i64| {
        let from = (reader > 0).then(|| format!("ctid >= '({},0)'::tid", blocks * reader / readers));
        // The last has no end: the table may grow, and what is new is not part of the snapshot.
        let to = (reader + 1 < readers).then(|| format!("ctid < '({},0)'::tid", blocks * (reader + 1) / readers));
        let conditions: Vec<_> = from.into_iter().chain(to).collect();
        format!(" WHERE {}", conditions.join(" AND "))
    };
    Ok((0..readers).map(range).collect())
}

/// What is read of a table.
#[derive(Clone)]
pub(super) struct Reading {
    table: TableName,
    columns: Vec<(String, Wire)>,
}

impl Reading {
    pub(super) fn of(described: &Described, table: &TableName, columns: &[String]) -> Result<Self> {
        let wires = wires(described, columns)?;
        Ok(Self { table: table.clone(), columns: columns.iter().cloned().zip(wires).collect() })
    }

    pub(super) fn page(&self) -> Page {
        Page { rows: RowBatch::new(self.columns.len()), refused: Vec::new() }
    }

    /// Adds a row, among the refused if it holds what cannot be carried. `cell` gives the bytes of the next column.
    #[inline]
    pub(super) fn take<'b>(
        &self,
        page: &mut Page,
        mut cell: impl FnMut(usize) -> Result<Option<&'b [u8]>>,
    ) -> Result<()> {
        for (at, (name, wire)) in self.columns.iter().enumerate() {
            let Some(bytes) = cell(at)? else {
                page.rows.value(Encoder::null);
                continue;
            };
            let mut why = None;
            let written = page.rows.try_value(|encoder| {
                put(encoder, wire, bytes).map_err(|fault| {
                    let error = Error::new(Code::Invalid, "carry a row of", &self.table);
                    let error = error.because(format!("{}: {fault}", name.escape_debug()));
                    why = Some(error.clone());
                    error
                })
            });
            if written.is_err() {
                let error = why.unwrap_or_else(|| Error::new(Code::Internal, "carry a row of", &self.table));
                page.refused.push(Refused { known: Vec::new(), error });
                return Ok(());
            }
        }
        Ok(())
    }

    /// Those values of a row that can be carried.
    pub(super) fn known(&self, cells: &[Option<&[u8]>]) -> Vec<(String, crate::model::Datum)> {
        let value = |((name, wire), cell): (&(String, Wire), &Option<&[u8]>)| {
            let mut encoder = Encoder::default();
            match cell {
                Some(bytes) => put(&mut encoder, wire, bytes).ok()?,
                None => encoder.null(),
            }
            Some((name.clone(), decode(encoder.as_bytes()).ok()?))
        };
        self.columns.iter().zip(cells).filter_map(value).collect()
    }
}

pub(super) fn is_full(page: &Page, rows: usize) -> bool {
    page.rows.len() + page.refused.len() >= rows.max(1) || page.rows.size_bytes() >= PAGE_BYTES
}

async fn copy(
    client: &Client,
    sql: &str,
    reading: &Reading,
    page_rows: usize,
    feeder: &Feeder<Page, ()>,
) -> Result<()> {
    let fail = |e| error_of("read", &reading.table, e);
    let messages = client.copy_out(sql).await.map_err(fail)?;
    if !rows(messages, reading, page_rows, feeder).await? {
        return Ok(());
    }
    client.batch_execute("COMMIT").await.map_err(fail)?;
    // Nobody is there to be told.
    let _ = feeder.send(Ok(Fed::End(()))).await;
    Ok(())
}

/// Gives on all rows of a copy; false when nobody takes them any more.
async fn rows(messages: CopyOutStream, reading: &Reading, page_rows: usize, feeder: &Feeder<Page, ()>) -> Result<bool> {
    let fail = |e| error_of("read", &reading.table, e);
    let cut = |why: &'static str| Error::new(Code::Storage, "read", &reading.table).because(why);
    let mut messages = pin!(messages);
    let mut page = reading.page();
    let (mut has_begun, mut has_ended) = (false, false);
    while let Some(message) = messages.next().await {
        let message = message.map_err(fail)?;
        let mut rest = &message[..];
        if !has_begun {
            rest = after_header(rest).ok_or_else(|| cut("its copy begins in a form that is not known"))?;
            has_begun = true;
        }
        // A message is a row; more of them in one would be as good.
        while !rest.is_empty() && !has_ended {
            has_ended = !row(&mut rest, reading, &mut page).ok_or_else(|| cut("a row of its copy is cut off"))??;
            if is_full(&page, page_rows)
                && feeder.send(Ok(Fed::Page(std::mem::replace(&mut page, reading.page())))).await.is_err()
            {
                return Ok(false);
            }
        }
    }
    if !has_ended {
        return Err(cut("its copy ended early"));
    }
    let is_empty = page.rows.is_empty() && page.refused.is_empty();
    Ok(is_empty || feeder.send(Ok(Fed::Page(page))).await.is_ok())
}

/// What stands behind the signature, the flags and an extension.
fn after_header(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(SIGNATURE)?;
    let (_flags, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    rest.get(usize::try_from(u32::from_be_bytes(*length)).ok()?..)
}

/// Reads a row, `i16` count and the cells behind their `i32` lengths; false for the trailer, nothing for one that is cut
/// off.
#[inline]
fn row(rest: &mut &[u8], reading: &Reading, page: &mut Page) -> Option<Result<bool>> {
    let (count, tail) = rest.split_first_chunk::<2>()?;
    let count = i16::from_be_bytes(*count);
    *rest = tail;
    if count == -1 {
        return Some(Ok(false));
    }
    if usize::try_from(count) != Ok(reading.columns.len()) {
        return None;
    }
    let start = *rest;
    let refused = page.refused.len();
    let mut is_cut = false;
    let taken = reading.take(page, |_| match cell(rest) {
        Some(cell) => Ok(cell),
        None => {
            is_cut = true;
            Err(Error::new(Code::Storage, "read", &reading.table))
        }
    });
    if is_cut {
        return None;
    }
    if page.refused.len() > refused {
        // Once more from its beginning: what else it holds, and where it ends.
        *rest = start;
        let cells: Vec<_> = reading.columns.iter().map(|_| cell(rest)).collect::<Option<_>>()?;
        page.refused[refused].known = reading.known(&cells);
    }
    Some(taken.map(|()| true))
}

#[inline]
fn cell<'b>(rest: &mut &'b [u8]) -> Option<Option<&'b [u8]>> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    match i32::from_be_bytes(*length) {
        -1 => {
            *rest = tail;
            Some(None)
        }
        length => {
            let (bytes, tail) = tail.split_at_checked(usize::try_from(length).ok()?)?;
            *rest = tail;
            Some(Some(bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Datum;

    #[test]
    fn a_row_that_is_cut_off_is_none() {
        let columns = vec![("a".into(), Wire::Int2), ("b".into(), Wire::Text)];
        let reading = Reading { table: TableName::new("", "t"), columns };
        let whole = [0, 2, 0, 0, 0, 2, 0, 7, 0, 0, 0, 1, b'x'];
        let mut page = reading.page();
        assert!(row(&mut &whole[..], &reading, &mut page).unwrap().unwrap());
        assert_eq!(page.rows.row(0).data().unwrap(), [Datum::Integer(7), Datum::Text("x".into())]);
        for end in 0..whole.len() {
            assert!(row(&mut &whole[..end], &reading, &mut reading.page()).is_none(), "{end}");
        }
        assert!(!row(&mut &[0xff, 0xff][..], &reading, &mut page).unwrap().unwrap(), "the trailer");
    }

    #[test]
    fn a_refused_row_tells_what_could_be_read() {
        let columns = vec![("a".into(), Wire::Int2), ("b".into(), Wire::Text), ("c".into(), Wire::Bool)];
        let reading = Reading { table: TableName::new("", "t"), columns };
        let bytes = [0, 3, 0, 0, 0, 2, 0, 7, 0, 0, 0, 1, 0xff, 0, 0, 0, 1, 1, 0xff, 0xff];
        let (mut page, mut rest) = (reading.page(), &bytes[..]);
        assert!(row(&mut rest, &reading, &mut page).unwrap().unwrap());
        let known = [("a".to_owned(), Datum::Integer(7)), ("c".to_owned(), Datum::Boolean(true))];
        assert_eq!((page.rows.len(), &page.refused[0].known[..]), (0, &known[..]));
        assert_eq!(rest, [0xff, 0xff], "what follows it is still there");
    }
}
