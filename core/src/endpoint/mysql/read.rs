//! Scans, rows by their keys, and changes by a column.

use std::sync::Arc;

use futures_util::StreamExt;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};

use super::DIALECT;
use super::connect::Connections;
use super::describe::describe;
use super::fault::error_of;
use super::value::{parameter, put};
use crate::endpoint::sql::cursor::{self, ByTime, Start};
use crate::endpoint::sql::feed::{Fed, Feeder, feed};
use crate::endpoint::sql::{carried, column};
use crate::endpoint::{
    ChangePage, ChangeScan, ChangeStream, ChangesEnd, ColumnShape, Page, Refused, RowStream, Scan, TableName,
    TableShape,
};
use crate::error::{Code, Error, Result};
use crate::identity::{Encoder, RowBatch, decode};
use crate::model::Datum;

/// Bytes of a page, whatever the number of its rows.
const PAGE_BYTES: usize = 8 << 20;

/// Keys of one statement.
const KEYS: usize = 500;

/// What is read of a table.
pub(super) struct Reading {
    table: TableName,
    columns: Vec<ColumnShape>,
}

impl Reading {
    pub(super) fn of(shape: &TableShape, columns: &[String]) -> Result<Self> {
        let of = |name: &String| carried(shape, name).and_then(|_| column(shape, name).cloned());
        Ok(Self { table: shape.name.clone(), columns: columns.iter().map(of).collect::<Result<_>>()? })
    }

    pub(super) fn page(&self) -> Page {
        Page { rows: RowBatch::new(self.columns.len()), refused: Vec::new() }
    }

    /// Adds a row, among the refused if it holds what cannot be carried.
    pub(super) fn take(&self, page: &mut Page, row: Row) {
        // It panics for a row of which a value was taken; this one is as it came.
        let values = row.unwrap();
        for (column, value) in self.columns.iter().zip(&values) {
            let fault = |why: String| {
                Error::new(Code::Invalid, "carry a row of", &self.table)
                    .because(format!("{}: {why}", column.name.escape_debug()))
            };
            if let Err(error) = page.rows.try_value(|encoder| put(encoder, column, value).map_err(fault)) {
                page.refused.push(Refused { known: self.known(&values), error });
                return;
            }
        }
    }

    fn known(&self, values: &[Value]) -> Vec<(String, Datum)> {
        let known = |(column, value): (&ColumnShape, &Value)| {
            let mut encoder = Encoder::default();
            put(&mut encoder, column, value).ok()?;
            Some((column.name.clone(), decode(encoder.as_bytes()).ok()?))
        };
        self.columns.iter().zip(values).filter_map(known).collect()
    }
}

pub(super) async fn begin(conn: &mut Conn, table: &TableName) -> Result<()> {
    let fail = |e| error_of("read", table, e);
    conn.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await.map_err(fail)?;
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await.map_err(fail)
}

/// Gives on all rows of a query; false when nobody takes them any more.
pub(super) async fn stream<P, E>(
    conn: &mut Conn,
    (sql, params): (String, Params),
    reading: &Reading,
    page_rows: usize,
    feeder: &Feeder<P, E>,
    of: impl Fn(Page) -> P,
) -> Result<bool> {
    let fail = |e| error_of("read", &reading.table, e);
    let mut rows = conn.exec_stream::<Row, _, _>(sql, params).await.map_err(fail)?;
    let mut page = reading.page();
    while let Some(row) = rows.next().await {
        reading.take(&mut page, row.map_err(fail)?);
        let is_full = page.rows.len() + page.refused.len() >= page_rows.max(1) || page.rows.size_bytes() >= PAGE_BYTES;
        if is_full && feeder.send(Ok(Fed::Page(of(std::mem::replace(&mut page, reading.page()))))).await.is_err() {
            return Ok(false);
        }
    }
    let is_empty = page.rows.is_empty() && page.refused.is_empty();
    Ok(is_empty || feeder.send(Ok(Fed::Page(of(page)))).await.is_ok())
}

pub(super) async fn scan(connections: &Arc<Connections>, scan: Scan) -> Result<Box<dyn RowStream>> {
    let mut conn = connections.connect().await?;
    begin(&mut conn, &scan.table).await?;
    let shape = describe(&mut conn, &scan.table, connections.tinyint_is_boolean()).await?;
    let reading = Reading::of(&shape, &scan.columns)?;
    let (feeder, pages) = feed(1, Some(connections.patience()));
    tokio::spawn(async move {
        let query = (DIALECT.select(&scan.table, &scan.columns), Params::Empty);
        let read = stream(&mut conn, query, &reading, scan.page_rows, &feeder, |page| page).await;
        // Whoever read is gone when that fails.
        let _ = match read {
            Ok(true) => feeder.send(Ok(Fed::End(()))).await,
            Ok(false) => Ok(()),
            Err(error) => feeder.send(Err(error)).await,
        };
    });
    Ok(Box::new(pages))
}

pub(super) async fn fetch(
    conn: &mut Conn,
    table: &TableName,
    columns: &[String],
    key: &[String],
    keys: &RowBatch,
    tinyint_is_boolean: bool,
) -> Result<Page> {
    begin(conn, table).await?;
    let shape = describe(conn, table, tinyint_is_boolean).await?;
    let reading = Reading::of(&shape, columns)?;
    key.iter().try_for_each(|name| column(&shape, name).map(drop))?;
    let page = select(conn, &reading, columns, key, keys, "").await?;
    conn.query_drop("COMMIT").await.map_err(|e| error_of("read", table, e))?;
    Ok(page)
}

/// Reads the rows with these keys, with that behind each statement.
pub(super) async fn select(
    conn: &mut Conn,
    reading: &Reading,
    columns: &[String],
    key: &[String],
    keys: &RowBatch,
    lock: &str,
) -> Result<Page> {
    let mut wanted = Vec::new();
    for row in keys.iter() {
        // A key that MySQL does not have is that of no row.
        if let Ok(values) = row.data()?.iter().map(parameter).collect::<std::result::Result<Vec<_>, _>>() {
            wanted.push(values);
        }
    }
    let mut page = reading.page();
    for some in wanted.chunks(KEYS) {
        let sql = format!(
            "{} WHERE ({}) IN ({}){lock}",
            DIALECT.select(&reading.table, columns),
            DIALECT.list(key),
            DIALECT.rows(some.len(), key.len(), 1)
        );
        let rows: Vec<Row> =
            conn.exec(sql, Params::Positional(some.concat())).await.map_err(|e| error_of("read", &reading.table, e))?;
        rows.into_iter().for_each(|row| reading.take(&mut page, row));
    }
    Ok(page)
}

pub(super) async fn changes(connections: &Arc<Connections>, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
    let by = cursor::by_time(&scan)?;
    let mut conn = connections.connect().await?;
    begin(&mut conn, &scan.table).await?;
    let shape = describe(&mut conn, &scan.table, connections.tinyint_is_boolean()).await?;
    cursor::check_kind(column(&shape, &by.column)?.kind, &scan, &by.column)?;
    Reading::of(&shape, &scan.columns)?;
    Reading::of(&shape, &scan.key)?;
    let (feeder, pages) = feed(1, Some(connections.patience()));
    tokio::spawn(async move {
        if let Err(error) = read(conn, &scan, &by, &shape, &feeder).await {
            // Whoever read is gone when that fails.
            let _ = feeder.send(Err(error)).await;
        }
    });
    Ok(Box::new(pages))
}

async fn read(
    mut conn: Conn,
    scan: &ChangeScan,
    by: &ByTime,
    shape: &TableShape,
    feeder: &Feeder<ChangePage, ChangesEnd>,
) -> Result<()> {
    let fail = |e| error_of("read changes of", &scan.table, e);
    let names = [std::slice::from_ref(&by.column), &scan.key].concat();
    let order: Vec<_> = names.iter().map(|name| format!("{} DESC", DIALECT.quoted(name))).collect();
    let time = DIALECT.quoted(&by.column);
    // A date of zeros is before all others, and no time that anything follows.
    let last =
        format!("{} WHERE {time} > 0 ORDER BY {} LIMIT 1", DIALECT.select(&scan.table, &names), order.join(", "));
    let places = Reading::of(shape, &names)?;
    let mut page = places.page();
    // A prepared statement: in the protocol of others a time is a text.
    if let Some(row) = conn.exec_first::<Row, _, _>(last, Params::Empty).await.map_err(fail)? {
        places.take(&mut page, row);
    }
    let last = if page.rows.is_empty() { None } else { Some(page.rows.row(0).data()?) };
    let end = cursor::end(scan, by, last.map(|mut place| (place.remove(0), place)), None)?;
    let (condition, values) = match &by.from {
        Start::Beginning => (String::new(), Vec::new()),
        Start::At(at) => (format!(" WHERE {time} >= ? OR {time} IS NULL"), vec![at.clone()]),
        Start::After(at, key) => {
            let condition =
                format!(" WHERE ({}) > {} OR {time} IS NULL", DIALECT.list(&names), DIALECT.rows(1, names.len(), 1));
            (condition, [std::slice::from_ref(at), key].concat())
        }
    };
    let values = values.iter().map(parameter).collect::<std::result::Result<Vec<_>, _>>();
    let values = values.map_err(|why| Error::new(Code::Stale, "go on reading changes of", &scan.table).because(why))?;
    let params = if values.is_empty() { Params::Empty } else { Params::Positional(values) };
    let query = (DIALECT.select(&scan.table, &scan.columns) + &condition, params);
    let reading = Reading::of(shape, &scan.columns)?;
    let of = |page: Page| ChangePage { rows: page.rows, deleted: RowBatch::new(scan.key.len()), refused: page.refused };
    if stream(&mut conn, query, &reading, scan.page_rows, feeder, of).await? {
        // Nobody is there to be told.
        let _ = feeder.send(Ok(Fed::End(end))).await;
    }
    Ok(())
}
