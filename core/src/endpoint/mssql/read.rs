//! Scans, rows by their keys, and changes by a column.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use tiberius::{ColumnData, IsolationLevel, Row, ToSql};

use super::connect::{Connections, Session, ask};
use super::describe::{Described, MsColumn, big, describe, number};
use super::fault::error_of;
use super::statement::{self, PARAMETERS};
use super::types::Family;
use super::value::{parameter, put};
use crate::endpoint::sql::cursor::{self, ByTime, Start};
use crate::endpoint::sql::feed::{Fed, Feeder, feed};
use crate::endpoint::{ChangePage, ChangeScan, ChangeStream, ChangesEnd, Page, Refused, RowStream, Scan, TableName};
use crate::error::{Code, Error, Result};
use crate::identity::{Encoder, RowBatch, decode};
use crate::model::Datum;

/// Bytes of a page, whatever the number of its rows.
const PAGE_BYTES: usize = 8 << 20;

/// What is read of a table, from a place in each row on.
pub(super) struct Reading {
    table: TableName,
    pub(super) columns: Vec<MsColumn>,
    first: usize,
}

impl Reading {
    pub(super) fn of(described: &Described, columns: &[String], first: usize) -> Result<Self> {
        Ok(Self { table: described.shape.name.clone(), columns: described.all(columns)?, first })
    }

    pub(super) fn page(&self) -> Page {
        Page { rows: RowBatch::new(self.columns.len()), refused: Vec::new() }
    }

    /// Adds a row, among the refused if it holds what cannot be carried.
    pub(super) fn take(&self, page: &mut Page, row: &Row) -> Result<()> {
        let cells = self.cells(row)?;
        for (column, cell) in self.columns.iter().zip(&cells) {
            let fault = |why: String| {
                Error::new(Code::Invalid, "carry a row of", &self.table)
                    .because(format!("{}: {why}", column.shape.name.escape_debug()))
            };
            if let Err(error) = page.rows.try_value(|encoder| put(encoder, column, cell).map_err(fault)) {
                page.refused.push(Refused { known: self.known(&cells), error });
                return Ok(());
            }
        }
        Ok(())
    }

    /// The values of a row.
    pub(super) fn cells<'r>(&self, row: &'r Row) -> Result<Vec<&'r ColumnData<'static>>> {
        let cells = (self.first..self.first + self.columns.len()).map(|at| row.get_column_data(at));
        cells.collect::<tiberius::Result<_>>().map_err(|e| error_of("read", &self.table, e))
    }

    fn known(&self, cells: &[&ColumnData<'static>]) -> Vec<(String, Datum)> {
        let known = |(column, cell): (&MsColumn, &&ColumnData<'static>)| {
            let mut encoder = Encoder::default();
            put(&mut encoder, column, cell).ok()?;
            Some((column.shape.name.clone(), decode(encoder.as_bytes()).ok()?))
        };
        self.columns.iter().zip(cells).filter_map(known).collect()
    }
}

/// How one moment of the database can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// In a transaction of its own versions.
    Snapshot,
    /// A single statement sees one moment, a transaction does not.
    Statement,
    /// Only by keeping others from writing.
    Locks,
}

pub(super) async fn moment(session: &mut Session) -> Result<Moment> {
    let results = ask(session, statement::SNAPSHOTS, &[]).await;
    let results = results.map_err(|e| error_of("ask for snapshots of", "the database", e))?;
    let row = results.first().and_then(|rows| rows.first());
    Ok(match row.map(|row| (number(row, 0), number(row, 1))) {
        // 1 is on; 2 and 3 are on their way to off and to on.
        Some((Some(1), _)) => Moment::Snapshot,
        Some((_, Some(1))) => Moment::Statement,
        Some(_) | None => Moment::Locks,
    })
}

/// Begins a transaction that reads one moment with each of its statements, or with all of them.
pub(super) async fn begin(session: &mut Session, table: &TableName, moment: Moment) -> Result<()> {
    let level = match moment {
        Moment::Snapshot => IsolationLevel::Snapshot,
        Moment::Statement => IsolationLevel::ReadCommitted,
        Moment::Locks => IsolationLevel::Serializable,
    };
    session.begin_transaction_with_isolation(level).await.map_err(|e| error_of("read", table, e))
}

pub(super) fn is_full(page: &Page, page_rows: usize) -> bool {
    page.rows.len() + page.refused.len() >= page_rows.max(1) || page.rows.size_bytes() >= PAGE_BYTES
}

/// Gives on all rows of a query; false when nobody takes them any more.
pub(super) async fn stream<P, E>(
    session: &mut Session,
    (sql, values): (String, Vec<ColumnData<'static>>),
    reading: &Reading,
    page_rows: usize,
    feeder: &Feeder<P, E>,
    of: impl Fn(Page) -> P,
) -> Result<bool> {
    let fail = |e| error_of("read", &reading.table, e);
    let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
    let mut rows = match values.is_empty() {
        true => session.simple_query(sql).await,
        false => session.query(sql, &values).await,
    }
    .map_err(fail)?
    .into_row_stream();
    let mut page = reading.page();
    while let Some(row) = rows.try_next().await.map_err(fail)? {
        reading.take(&mut page, &row)?;
        if is_full(&page, page_rows)
            && feeder.send(Ok(Fed::Page(of(std::mem::replace(&mut page, reading.page()))))).await.is_err()
        {
            return Ok(false);
        }
    }
    let is_empty = page.rows.is_empty() && page.refused.is_empty();
    Ok(is_empty || feeder.send(Ok(Fed::Page(of(page)))).await.is_ok())
}

pub(super) async fn scan(connections: &Arc<Connections>, scan: Scan) -> Result<Box<dyn RowStream>> {
    let mut session = connections.connect().await?;
    let described = describe(&mut session, &scan.table).await?;
    let reading = Reading::of(&described, &scan.columns, 0)?;
    let moment = moment(&mut session).await?;
    begin(&mut session, &scan.table, moment).await?;
    let (feeder, pages) = feed(1, Some(connections.patience()));
    tokio::spawn(async move {
        let query = (statement::scan(&scan.table, &reading.columns), Vec::new());
        let read = stream(&mut session, query, &reading, scan.page_rows, &feeder, |page| page).await;
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
    session: &mut Session,
    table: &TableName,
    columns: &[String],
    key: &[String],
    keys: &RowBatch,
) -> Result<Page> {
    let fail = |e| error_of("read", table, e);
    let described = describe(session, table).await?;
    let reading = Reading::of(&described, columns, 0)?;
    let key = described.all(key)?;
    let mut wanted = Vec::new();
    for row in keys.iter() {
        // A key that the column cannot have is that of no row.
        if let Ok(values) = values(&key, &row.data()?) {
            wanted.push(values);
        }
    }
    let mut page = reading.page();
    let at_once = (PARAMETERS / key.len().max(1)).clamp(1, statement::ROWS);
    for some in wanted.chunks(at_once) {
        let sql = statement::fetch(table, &reading.columns, &key, some.len());
        let results = ask(session, &sql, &some.concat()).await.map_err(fail)?;
        results.iter().flatten().try_for_each(|row| reading.take(&mut page, row))?;
    }
    Ok(page)
}

/// The parameters for these values.
pub(super) fn values(columns: &[MsColumn], data: &[Datum]) -> std::result::Result<Vec<ColumnData<'static>>, String> {
    columns.iter().zip(data).map(|(column, value)| parameter(column, value)).collect()
}

pub(super) async fn changes(connections: &Arc<Connections>, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
    let by = cursor::by_time(&scan)?;
    let mut session = connections.connect().await?;
    let described = describe(&mut session, &scan.table).await?;
    let column = described.carried(&by.column)?.clone();
    cursor::check_kind(column.shape.kind, &scan, &by.column)?;
    let places = Reading::of(&described, &[std::slice::from_ref(&by.column), &scan.key].concat(), 0)?;
    let reading = Reading::of(&described, &scan.columns, 0)?;
    // Before the snapshot: all that is below it is committed then, and seen.
    let bound = match column.ms_type.family() {
        Family::RowVersion => Some(active(&mut session, &scan.table).await?),
        _ => None,
    };
    let moment = moment(&mut session).await?;
    begin(&mut session, &scan.table, moment).await?;
    let (feeder, pages) = feed(1, Some(connections.patience()));
    tokio::spawn(async move {
        if let Err(error) = read(session, &scan, &by, &places, &reading, bound.as_ref(), &feeder).await {
            // Whoever read is gone when that fails.
            let _ = feeder.send(Err(error)).await;
        }
    });
    Ok(Box::new(pages))
}

/// From which `rowversion` on rows may be yet to come.
async fn active(session: &mut Session, table: &TableName) -> Result<Datum> {
    let results = ask(session, statement::ACTIVE, &[]).await.map_err(|e| error_of("read changes of", table, e))?;
    let bound = results.first().and_then(|rows| big(rows.first()?, 0));
    let none =
        || Error::new(Code::Storage, "read changes of", table).because("the server does not say what is under way");
    bound.map(|bound| Datum::Integer(bound.into())).ok_or_else(none)
}

async fn read(
    mut session: Session,
    scan: &ChangeScan,
    by: &ByTime,
    places: &Reading,
    reading: &Reading,
    bound: Option<&Datum>,
    feeder: &Feeder<ChangePage, ChangesEnd>,
) -> Result<()> {
    let fail = |e| error_of("read changes of", &scan.table, e);
    let [column, key @ ..] = &places.columns[..] else {
        return Err(Error::new(Code::Internal, "read changes of", &scan.table).because("no column tells of them"));
    };
    let mut page = places.page();
    let found = ask(&mut session, &statement::last(&scan.table, column, key), &[]).await.map_err(fail)?;
    found.iter().flatten().try_for_each(|row| places.take(&mut page, row))?;
    let last = if page.rows.is_empty() { None } else { Some(page.rows.row(0).data()?) };
    let end = cursor::end(scan, by, last.map(|mut place| (place.remove(0), place)), bound)?;
    let (sql, data) = match &by.from {
        Start::Beginning => (statement::scan(&scan.table, &reading.columns), Vec::new()),
        Start::At(at) => (statement::since(&scan.table, &reading.columns, column), vec![at.clone()]),
        Start::After(at, rest) => {
            let data = [std::slice::from_ref(at), rest].concat();
            (statement::behind(&scan.table, &reading.columns, column, key), data)
        }
    };
    let values = values(&places.columns, &data);
    let values = values.map_err(|why| Error::new(Code::Stale, "go on reading changes of", &scan.table).because(why))?;
    let of = |page: Page| ChangePage { rows: page.rows, deleted: RowBatch::new(scan.key.len()), refused: page.refused };
    if stream(&mut session, (sql, values), reading, scan.page_rows, feeder, of).await? {
        // Nobody is there to be told.
        let _ = feeder.send(Ok(Fed::End(end))).await;
    }
    Ok(())
}
