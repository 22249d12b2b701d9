//! Scans, rows by their keys, and changes by a column.

use rusqlite::{Connection, Row, Statement, TransactionBehavior, params_from_iter};
use tokio::sync::mpsc::Sender;

use super::describe::describe;
use super::value::{cell, put};
use super::{DIALECT, error_of};
use crate::endpoint::sql::cursor::{self, ByTime, Start};
use crate::endpoint::sql::feed::{Fed, Feeder};
use crate::endpoint::{ChangePage, ChangeScan, ChangesEnd, Page, Refused, Scan, TableName, TableShape};
use crate::error::{Code, Error, Result};
use crate::identity::{Encoder, RowBatch, decode};
use crate::model::{Datum, DatumKind};

/// Bytes of a page, whatever the number of its rows.
const PAGE_BYTES: usize = 8 << 20;

/// What is read of a table.
pub(super) struct Reading {
    pub(super) shape: TableShape,
    table: TableName,
    columns: Vec<(String, DatumKind)>,
}

impl Reading {
    /// # Errors
    /// `invalid` for a column that is not there, `unsupported` for one that is not carried.
    pub(super) fn of(connection: &Connection, table: &TableName, columns: &[String]) -> Result<Self> {
        let shape = describe(connection, table)?;
        let columns =
            columns.iter().map(|name| crate::endpoint::sql::carried(&shape, name).map(|kind| (name.clone(), kind)));
        let columns = columns.collect::<Result<_>>()?;
        Ok(Self { table: table.clone(), shape, columns })
    }

    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    fn prepare<'c>(&self, connection: &'c Connection, sql: &str) -> Result<Statement<'c>> {
        connection.prepare(sql).map_err(|e| error_of("read", &self.table, e))
    }

    /// Adds the row to the page, among the refused if it holds what cannot be carried.
    pub(super) fn take(&self, row: &Row<'_>, page: &mut Page) -> Result<()> {
        for (at, (name, kind)) in self.columns.iter().enumerate() {
            let cell = row.get_ref(at).map_err(|e| error_of("read", &self.table, e))?;
            let fault = |why: String| {
                Error::new(Code::Invalid, "carry a row of", &self.table)
                    .because(format!("{}: {why}", name.escape_debug()))
            };
            if let Err(error) = page.rows.try_value(|encoder| put(encoder, *kind, cell).map_err(fault)) {
                page.refused.push(Refused { known: self.known(row), error });
                return Ok(());
            }
        }
        Ok(())
    }

    /// Those values of a row that can be carried.
    fn known(&self, row: &Row<'_>) -> Vec<(String, Datum)> {
        let value = |(at, (name, kind)): (usize, &(String, DatumKind))| {
            let mut encoder = Encoder::default();
            put(&mut encoder, *kind, row.get_ref(at).ok()?).ok()?;
            Some((name.clone(), decode(encoder.as_bytes()).ok()?))
        };
        self.columns.iter().enumerate().filter_map(value).collect()
    }

    fn page(&self) -> Page {
        Page { rows: RowBatch::new(self.columns.len()), refused: Vec::new() }
    }
}

/// Whether nobody takes pages any more: then the work ends without a word.
fn put_out<P, E>(feeder: &Sender<Result<Fed<P, E>>>, page: P) -> bool {
    feeder.blocking_send(Ok(Fed::Page(page))).is_err()
}

fn is_full(page: &Page, rows: usize) -> bool {
    page.rows.len() + page.refused.len() >= rows.max(1) || page.rows.size_bytes() >= PAGE_BYTES
}

pub(super) fn scan(connection: &mut Connection, scan: &Scan, feeder: &Feeder<Page, ()>) -> Result<()> {
    let fail = |e| error_of("read", &scan.table, e);
    let transaction = connection.transaction().map_err(fail)?;
    let reading = Reading::of(&transaction, &scan.table, &scan.columns)?;
    {
        let mut statement = reading.prepare(&transaction, &DIALECT.select(&scan.table, &scan.columns))?;
        let mut rows = statement.query([]).map_err(fail)?;
        let mut page = reading.page();
        while let Some(row) = rows.next().map_err(fail)? {
            reading.take(row, &mut page)?;
            if is_full(&page, scan.page_rows) && put_out(feeder, std::mem::replace(&mut page, reading.page())) {
                return Ok(());
            }
        }
        if !(page.rows.is_empty() && page.refused.is_empty()) && put_out(feeder, page) {
            return Ok(());
        }
    }
    transaction.commit().map_err(fail)?;
    // Nobody is there to be told.
    let _ = feeder.blocking_send(Ok(Fed::End(())));
    Ok(())
}

pub(super) fn fetch(
    connection: &mut Connection,
    table: &TableName,
    columns: &[String],
    key: &[String],
    keys: &RowBatch,
) -> Result<Page> {
    let fail = |e| error_of("read", table, e);
    let transaction = connection.transaction().map_err(fail)?;
    let reading = Reading::of(&transaction, table, columns)?;
    let key_shapes =
        key.iter().map(|name| crate::endpoint::sql::column(&reading.shape, name)).collect::<Result<Vec<_>>>()?;
    let mut page = reading.page();
    let sql = format!("{} WHERE {}", DIALECT.select(table, &reading.names()), DIALECT.is_key(key, 1));
    let mut statement = reading.prepare(&transaction, &sql)?;
    for wanted in keys.iter() {
        let values = wanted.data()?.into_iter().zip(&key_shapes).map(|(value, shape)| cell(shape, value));
        // A key that the column cannot hold is that of no row.
        let Ok(values) = values.collect::<std::result::Result<Vec<_>, String>>() else { continue };
        let mut rows = statement.query(params_from_iter(values)).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            reading.take(row, &mut page)?;
        }
    }
    Ok(page)
}

/// Refuses what cannot be read, before anything is.
pub(super) fn check_changes(connection: &mut Connection, scan: &ChangeScan, column: &str) -> Result<()> {
    let reading = Reading::of(connection, &scan.table, &scan.columns)?;
    Reading::of(connection, &scan.table, &scan.key)?;
    cursor::check_kind(crate::endpoint::sql::column(&reading.shape, column)?.kind, scan, column)
}

/// Reads the whole table and gives on what is new: one text can stand for a time in several ways, so that SQLite cannot
/// compare them as times. The file is read at several hundred thousand rows a second, and no server is asked for it.
pub(super) fn changes(
    connection: &mut Connection,
    scan: &ChangeScan,
    by: &ByTime,
    feeder: &Feeder<ChangePage, ChangesEnd>,
) -> Result<()> {
    let fail = |e| error_of("read", &scan.table, e);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred).map_err(fail)?;
    let reading = Reading::of(&transaction, &scan.table, &scan.columns)?;
    let beside = [std::slice::from_ref(&by.column), &scan.key].concat();
    let beside = Reading::of(&transaction, &scan.table, &beside)?;
    let names = [reading.names(), beside.names()].concat();
    let first: Option<Vec<Datum>> = match &by.from {
        Start::Beginning => None,
        Start::At(at) => Some(vec![at.clone()]),
        Start::After(at, key) => Some([std::slice::from_ref(at), key].concat()),
    };
    let reached = by.reached.clone().filter(|(at, _)| *at != Datum::Null);
    let mut last: Option<Vec<Datum>> = reached.map(|(at, key)| [vec![at], key].concat());
    {
        let mut statement = reading.prepare(&transaction, &DIALECT.select(&scan.table, &names))?;
        let mut rows = statement.query([]).map_err(fail)?;
        let mut page = reading.page();
        while let Some(row) = rows.next().map_err(fail)? {
            // Of a row without a place nothing tells when it changed: its time is null, or none.
            if let Some(place) = beside.place(row, scan.columns.len()) {
                let is_new = first.as_ref().is_none_or(|first| match place.compared_to(first) {
                    Some(order) => order.is_gt() || (order.is_eq() && first.len() == 1),
                    None => true,
                });
                if !is_new {
                    continue;
                }
                if last.as_ref().is_none_or(|last| place.compared_to(last).is_none_or(std::cmp::Ordering::is_ge)) {
                    last = Some(place.0);
                }
            }
            reading.take(row, &mut page)?;
            if is_full(&page, scan.page_rows)
                && put_out(feeder, change_page(std::mem::replace(&mut page, reading.page()), scan))
            {
                return Ok(());
            }
        }
        if !(page.rows.is_empty() && page.refused.is_empty()) && put_out(feeder, change_page(page, scan)) {
            return Ok(());
        }
    }
    transaction.commit().map_err(fail)?;
    let end = cursor::end(scan, by, last.map(|mut place| (place.remove(0), place)), None)?;
    // Nobody is there to be told.
    let _ = feeder.blocking_send(Ok(Fed::End(end)));
    Ok(())
}

fn change_page(page: Page, scan: &ChangeScan) -> ChangePage {
    ChangePage { rows: page.rows, deleted: RowBatch::new(scan.key.len()), refused: page.refused }
}

/// Where a row stands: its time, and its key.
struct Place(Vec<Datum>);

impl Place {
    /// Compares with what it has in common: a place without a key is at the beginning of its time.
    fn compared_to(&self, other: &[Datum]) -> Option<std::cmp::Ordering> {
        let pairs = self.0.iter().zip(other);
        for (mine, theirs) in pairs {
            match crate::endpoint::sql::order(mine, theirs)? {
                std::cmp::Ordering::Equal => {}
                unequal => return Some(unequal),
            }
        }
        Some(std::cmp::Ordering::Equal)
    }
}

impl Reading {
    /// The place of a row whose values of it begin at that column; nothing when its time is null or none.
    fn place(&self, row: &Row<'_>, start: usize) -> Option<Place> {
        let mut place = Vec::with_capacity(self.columns.len());
        for (at, (_, kind)) in self.columns.iter().enumerate() {
            let mut encoder = Encoder::default();
            put(&mut encoder, *kind, row.get_ref(start + at).ok()?).ok()?;
            place.push(decode(encoder.as_bytes()).ok()?);
        }
        (place.first()? != &Datum::Null).then_some(Place(place))
    }
}
