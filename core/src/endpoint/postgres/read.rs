//! Rows by their keys, and changes by a column.

use std::pin::pin;

use futures_util::StreamExt;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Row, Transaction};

use super::connect::Shared;
use super::describe::{Described, describe};
use super::fault::{error_of, is_unfit};
use super::scan::{Reading, is_full};
use super::text::text_of;
use super::{DIALECT, casts};
use crate::endpoint::sql::cursor::{self, ByTime, Start};
use crate::endpoint::sql::feed::{Fed, Feeder, feed};
use crate::endpoint::{ChangePage, ChangeScan, ChangeStream, ChangesEnd, Page, TableName};
use crate::error::{Error, Result};
use crate::identity::RowBatch;
use crate::model::{Datum, DatumKind};

/// The bytes of a cell as the server sent them, whatever its type.
pub(super) struct Cell<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Cell<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Reading {
    /// Adds a row of a query whose columns begin at `first`.
    pub(super) fn take_row(&self, page: &mut Page, row: &Row, first: usize, table: &TableName) -> Result<()> {
        let cell = |at: usize| {
            let cell: std::result::Result<Cell<'_>, _> = row.try_get(first + at);
            cell.map(|cell| cell.0).map_err(|e| error_of("read", table, e))
        };
        let refused = page.refused.len();
        self.take(page, cell)?;
        if page.refused.len() > refused {
            let cells = (first..row.len()).map(|at| cell(at - first)).collect::<Result<Vec<_>>>()?;
            page.refused[refused].known = self.known(&cells);
        }
        Ok(())
    }
}

/// Values of rows as one array of texts for each column, null for null.
pub(super) fn arrays<'r>(
    width: usize,
    rows: impl IntoIterator<Item = crate::identity::RowRef<'r>>,
) -> Result<std::result::Result<Vec<Vec<Option<String>>>, String>> {
    let mut columns = vec![Vec::new(); width];
    for row in rows {
        for (at, column) in columns.iter_mut().enumerate() {
            match text_of(&row.datum(at)?) {
                Ok(text) => column.push(text),
                Err(why) => return Ok(Err(why)),
            }
        }
    }
    Ok(Ok(columns))
}

/// `$1::text[], $2::text[]`
pub(super) fn unnested(count: usize, first: usize) -> String {
    (0..count).map(|at| format!("${}::text[]", first + at)).collect::<Vec<_>>().join(", ")
}

/// `t."k" = u.k0::int8 AND …`, for a list of keys whose members are named k0, k1, …
pub(super) fn joined(key: &[String], casts: &[String]) -> String {
    let equal =
        |(at, (name, cast)): (usize, (&String, &String))| format!("t.{} = u.k{at}::{cast}", DIALECT.quoted(name));
    key.iter().zip(casts).enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
}

/// `k0, k1`
pub(super) fn members(letter: char, count: usize) -> String {
    (0..count).map(|at| format!("{letter}{at}")).collect::<Vec<_>>().join(", ")
}

pub(super) fn of_t(columns: &[String]) -> String {
    columns.iter().map(|name| format!("t.{}", DIALECT.quoted(name))).collect::<Vec<_>>().join(", ")
}

pub(super) async fn fetch(
    client: &mut Client,
    table: &TableName,
    columns: &[String],
    key: &[String],
    keys: &RowBatch,
) -> Result<Page> {
    let fail = |e| error_of("read", table, e);
    let transaction = client.build_transaction().read_only(true);
    let transaction = transaction.isolation_level(tokio_postgres::IsolationLevel::RepeatableRead);
    let mut transaction = transaction.start().await.map_err(fail)?;
    let described = describe(&transaction, table).await?;
    let reading = Reading::of(&described, table, columns)?;
    let casts = casts(&described, key)?;
    let sql = format!(
        "SELECT {} FROM unnest({}) AS u ({}) JOIN {} AS t ON {}",
        of_t(columns),
        unnested(key.len(), 1),
        members('k', key.len()),
        DIALECT.table(table),
        joined(key, &casts)
    );
    let statement = transaction.prepare(&sql).await.map_err(fail)?;
    let mut page = reading.page();
    let mut todo: Vec<_> = std::iter::once(0..keys.len()).collect();
    while let Some(range) = todo.pop() {
        let halve = || {
            let middle = range.start + range.len() / 2;
            [middle..range.end, range.start..middle]
        };
        let Ok(arrays) = arrays(key.len(), range.clone().map(|at| keys.row(at)))? else {
            // A key that PostgreSQL does not have is that of no row; so is, below, one that its column cannot hold.
            todo.extend(halve().into_iter().filter(|_| range.len() > 1));
            continue;
        };
        let parameters: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| array as &(dyn ToSql + Sync)).collect();
        let point = transaction.savepoint("keys").await.map_err(fail)?;
        match point.query(&statement, &parameters).await {
            Ok(rows) => {
                for row in &rows {
                    reading.take_row(&mut page, row, 0, table)?;
                }
                point.commit().await.map_err(fail)?;
            }
            Err(error) if is_unfit(&error) => {
                point.rollback().await.map_err(fail)?;
                todo.extend(halve().into_iter().filter(|_| range.len() > 1));
            }
            Err(error) => return Err(fail(error)),
        }
    }
    Ok(page)
}

pub(super) async fn changes(connections: &Shared, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
    let by = cursor::by_time(&scan)?;
    let client = connections.connect().await?;
    let described = describe(&client, &scan.table).await?;
    // What cannot be read at all is said now and not by the first page.
    cursor::check_kind(crate::endpoint::sql::column(&described.shape, &by.column)?.kind, &scan, &by.column)?;
    Reading::of(&described, &scan.table, &scan.columns)?;
    Reading::of(&described, &scan.table, &scan.key)?;
    let (feeder, pages) = feed(1, Some(connections.patience()));
    tokio::spawn(async move {
        if let Err(error) = read(client, &scan, &by, &feeder).await {
            // Whoever read is gone when that fails.
            let _ = feeder.send(Err(error)).await;
        }
    });
    Ok(Box::new(pages))
}

async fn read(
    mut client: Client,
    scan: &ChangeScan,
    by: &ByTime,
    feeder: &Feeder<ChangePage, ChangesEnd>,
) -> Result<()> {
    let fail = |e| error_of("read changes of", &scan.table, e);
    // Before the snapshot: a transaction that ends in between is then either listed or in it.
    let bound = bound(&client, scan).await?;
    client.batch_execute("SET statement_timeout = 0").await.map_err(fail)?;
    let transaction = client.build_transaction().read_only(true);
    let transaction = transaction.isolation_level(tokio_postgres::IsolationLevel::RepeatableRead);
    let transaction = transaction.start().await.map_err(fail)?;
    let described = describe(&transaction, &scan.table).await?;
    let end = end(&transaction, scan, by, &described, &bound).await?;
    if !rows(&transaction, scan, by, &described, feeder).await? {
        return Ok(());
    }
    transaction.commit().await.map_err(fail)?;
    // Nobody is there to be told.
    let _ = feeder.send(Ok(Fed::End(end))).await;
    Ok(())
}

/// When the oldest transaction began that may yet commit rows, as an instant, and on the wall clock of those who do not
/// say which zone they are in: that of the database.
struct Bound {
    instant: Datum,
    timestamp: Datum,
}

async fn bound(client: &Client, scan: &ChangeScan) -> Result<Bound> {
    let sql = "WITH oldest (at) AS (SELECT least(clock_timestamp(), \
                 (SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() \
                  AND pid <> pg_backend_pid() AND backend_type NOT IN ('autovacuum worker', 'walsender')), \
                 (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database()))) \
               SELECT (extract(epoch FROM at) * 1000000)::int8, (extract(epoch FROM (at AT TIME ZONE \
                 (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'))) * 1000000)::int8 FROM oldest";
    let row = client.query_one(sql, &[]).await.map_err(|e| error_of("read changes of", &scan.table, e))?;
    let tick = |at| crate::model::Tick::from_micros(row.get(at));
    Ok(Bound { instant: Datum::Instant(tick(0)), timestamp: Datum::Timestamp(tick(1)) })
}

/// Times and numbers that have an order; `infinity` has none that anything could follow.
fn is_finite(column: &str, kind: Option<DatumKind>) -> String {
    match kind {
        Some(DatumKind::Timestamp | DatumKind::Instant | DatumKind::Date) => format!("isfinite({column})"),
        Some(DatumKind::Decimal) => format!("{column} NOT IN ('NaN', 'Infinity', '-Infinity')"),
        _ => format!("{column} IS NOT NULL"),
    }
}

/// Where the next reading begins: behind the last row, or at the oldest transaction that is under way.
async fn end(
    transaction: &Transaction<'_>,
    scan: &ChangeScan,
    by: &ByTime,
    described: &Described,
    bound: &Bound,
) -> Result<ChangesEnd> {
    let fail = |e| error_of("read changes of", &scan.table, e);
    let column = DIALECT.quoted(&by.column);
    let kind = crate::endpoint::sql::column(&described.shape, &by.column)?.kind;
    let order: Vec<_> =
        std::iter::once(&by.column).chain(&scan.key).map(|name| format!("{} DESC", DIALECT.quoted(name))).collect();
    let names = [std::slice::from_ref(&by.column), &scan.key].concat();
    let sql = format!(
        "{} WHERE {} ORDER BY {} LIMIT 1",
        DIALECT.select(&scan.table, &names),
        is_finite(&column, kind),
        order.join(", ")
    );
    let reading = Reading::of(described, &scan.table, &names)?;
    let mut page = reading.page();
    if let Some(row) = transaction.query_opt(&sql, &[]).await.map_err(fail)? {
        reading.take_row(&mut page, &row, 0, &scan.table)?;
    }
    let last = match page.rows.is_empty() {
        true => None,
        false => Some(page.rows.row(0).data()?),
    };
    let last = last.map(|mut place| (place.remove(0), place));
    let bound = match kind {
        Some(DatumKind::Instant) => Some(&bound.instant),
        Some(DatumKind::Timestamp) => Some(&bound.timestamp),
        _ => None,
    };
    cursor::end(scan, by, last, bound)
}

/// Gives on the rows that are new; false when nobody takes them any more.
async fn rows(
    transaction: &Transaction<'_>,
    scan: &ChangeScan,
    by: &ByTime,
    described: &Described,
    feeder: &Feeder<ChangePage, ChangesEnd>,
) -> Result<bool> {
    let fail = |e| error_of("read changes of", &scan.table, e);
    let names = [std::slice::from_ref(&by.column), &scan.key].concat();
    let casts = casts(described, &names)?;
    let places: Vec<_> = casts.iter().enumerate().map(|(at, cast)| format!("${}::text::{cast}", at + 1)).collect();
    let column = DIALECT.quoted(&by.column);
    let kind = crate::endpoint::sql::column(&described.shape, &by.column)?.kind;
    let (condition, values) = match &by.from {
        Start::Beginning => (String::new(), Vec::new()),
        Start::At(at) => (format!("{column} >= {}", places[0]), vec![at.clone()]),
        Start::After(at, key) => {
            let values = [std::slice::from_ref(at), key].concat();
            (format!("({}) > ({})", DIALECT.list(&names), places.join(", ")), values)
        }
    };
    let mut sql = DIALECT.select(&scan.table, &scan.columns);
    if !condition.is_empty() {
        // What has no time that could be compared comes each time.
        sql += &format!(" WHERE {condition} OR {column} IS NULL OR NOT ({})", is_finite(&column, kind));
    }
    let texts = values.iter().map(text_of).collect::<std::result::Result<Vec<_>, _>>();
    let texts = texts
        .map_err(|why| Error::new(crate::error::Code::Stale, "go on reading changes of", &scan.table).because(why))?;
    let reading = Reading::of(described, &scan.table, &scan.columns)?;
    let statement = transaction.prepare(&sql).await.map_err(fail)?;
    let parameters = texts.iter().map(|text| text as &(dyn ToSql + Sync));
    let mut found = pin!(transaction.query_raw(&statement, parameters).await.map_err(fail)?);
    let mut page = reading.page();
    while let Some(row) = found.next().await {
        reading.take_row(&mut page, &row.map_err(fail)?, 0, &scan.table)?;
        if is_full(&page, scan.page_rows)
            && feeder.send(Ok(Fed::Page(page_of(std::mem::replace(&mut page, reading.page()), scan)))).await.is_err()
        {
            return Ok(false);
        }
    }
    let is_empty = page.rows.is_empty() && page.refused.is_empty();
    Ok(is_empty || feeder.send(Ok(Fed::Page(page_of(page, scan)))).await.is_ok())
}

fn page_of(page: Page, scan: &ChangeScan) -> ChangePage {
    ChangePage { rows: page.rows, deleted: RowBatch::new(scan.key.len()), refused: page.refused }
}

/// The place that a statement says of a row first.
pub(super) fn place(row: &Row) -> Option<usize> {
    usize::try_from(row.try_get::<_, i64>(0).ok()?).ok()
}
