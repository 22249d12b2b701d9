//! Changes by Change Tracking (`CHANGETABLE`), which has to be on for the database and for the table.
//!
//! It tells the keys of rows that changed after a version of the database, and what became of each; the rows are read as
//! they are now. A key that has no row any more is a row that is gone, however it went. A cursor is a version, a decimal
//! number. It is stale when the server has thrown away what came after it (`CHANGE_RETENTION`, `TRUNCATE TABLE`, another
//! table of that name, a database that was restored).
//!
//! What the server keeps does not depend on who reads it: the name of a capture means nothing here.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use tiberius::{ColumnData, ToSql};

use super::DIALECT;
use super::connect::{Connections, Session, ask};
use super::describe::{big, describe, number};
use super::fault::error_of;
use super::read::{Reading, begin, is_full, moment, stream};
use super::statement;
use crate::endpoint::sql::feed::{Fed, Feeder, feed};
use crate::endpoint::{ChangePage, ChangeScan, ChangeStream, ChangesEnd, Cursor, Deletions, Page, TableName};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::CursorType;

/// What can be read of the changes of a table.
struct Versions {
    newest: u64,
    oldest: u64,
}

fn stale(table: &TableName, why: &'static str) -> Error {
    Error::new(Code::Stale, "go on reading the changes of", table).because(why)
}

async fn versions(session: &mut Session, table: &TableName) -> Result<Versions> {
    let name = ColumnData::String(Some(Cow::Owned(DIALECT.table(table))));
    let results = ask(session, statement::VERSIONS, &[name]).await;
    let results = results.map_err(|e| error_of("read the changes of", table, e))?;
    let row = results.first().and_then(|rows| rows.first());
    let both = row.and_then(|row| Some(Versions { newest: big(row, 0)?, oldest: big(row, 1)? }));
    both.ok_or_else(|| {
        Error::new(Code::Unsupported, "read the changes of", table)
            .because("they are not tracked, or this login may not see them")
            .advise(
                "ALTER DATABASE … SET CHANGE_TRACKING = ON; ALTER TABLE … ENABLE CHANGE_TRACKING; GRANT VIEW CHANGE TRACKING",
            )
    })
}

/// The version that a cursor stands for, if what came after it is still known.
fn version_of(cursor: &Cursor, versions: &Versions, table: &TableName) -> Result<i64> {
    let version = Some(&cursor.value).filter(|_| cursor.cursor_type == CursorType::Lsn);
    let version = version.and_then(|value| value.parse::<u64>().ok());
    let version = version.ok_or_else(|| stale(table, "the cursor is of another kind"))?;
    if version < versions.oldest || version > versions.newest {
        return Err(stale(table, "the server no longer has what came after it"));
    }
    i64::try_from(version).map_err(|_| stale(table, "the cursor is of another kind"))
}

pub(super) async fn changes(connections: &Arc<Connections>, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
    let mut session = connections.connect().await?;
    let described = describe(&mut session, &scan.table).await?;
    let mut tracked = described.shape.primary_key().to_vec();
    let mut wanted = scan.key.clone();
    tracked.sort();
    wanted.sort();
    if tracked.is_empty() || tracked != wanted {
        return Err(Error::new(Code::Unsupported, "read the changes of", &scan.table)
            .because("of a row that is gone only the primary key is told, and the rows are known by another key"));
    }
    let keys = Reading::of(&described, &scan.key, 1)?;
    let moment = moment(&mut session).await?;
    begin(&mut session, &scan.table, moment).await?;
    // Before any row is read: what is committed meanwhile comes again.
    let known = versions(&mut session, &scan.table).await?;
    let since = scan.since.as_ref().map(|cursor| version_of(cursor, &known, &scan.table)).transpose()?;
    let first = if since.is_some() { 1 + scan.key.len() } else { 0 };
    let reading = Reading::of(&described, &scan.columns, first)?;
    let end = ChangesEnd {
        cursor: Cursor { cursor_type: CursorType::Lsn, value: known.newest.to_string() },
        deletions: if since.is_some() { Deletions::Listed } else { Deletions::ByAbsence },
    };
    let (feeder, pages) = feed(1, Some(connections.patience()));
    tokio::spawn(async move {
        let done = match since {
            None => everything(&mut session, &scan, &reading, &feeder).await,
            Some(version) => tracked_since(&mut session, &scan, version, &keys, &reading, &feeder).await,
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

async fn everything(
    session: &mut Session,
    scan: &ChangeScan,
    reading: &Reading,
    feeder: &Feeder<ChangePage, ChangesEnd>,
) -> Result<bool> {
    let query = (statement::scan(&scan.table, &reading.columns), Vec::new());
    let of = |page: Page| ChangePage { rows: page.rows, deleted: RowBatch::new(scan.key.len()), refused: page.refused };
    stream(session, query, reading, scan.page_rows, feeder, of).await
}

/// Reads what changed after that version; false when nobody takes it any more.
async fn tracked_since(
    session: &mut Session,
    scan: &ChangeScan,
    version: i64,
    keys: &Reading,
    reading: &Reading,
    feeder: &Feeder<ChangePage, ChangesEnd>,
) -> Result<bool> {
    let fail = |e| error_of("read the changes of", &scan.table, e);
    let sql = statement::tracked(&scan.table, &reading.columns, &keys.columns);
    let version = ColumnData::I64(Some(version));
    let values: [&dyn ToSql; 1] = [&version];
    let mut rows = session.query(sql, &values).await.map_err(fail)?.into_row_stream();
    let (mut there, mut gone) = (reading.page(), keys.page());
    while let Some(row) = rows.try_next().await.map_err(fail)? {
        match number(&row, 0) {
            Some(0) => keys.take(&mut gone, &row)?,
            _ => reading.take(&mut there, &row)?,
        }
        let is_next = is_full(&there, scan.page_rows) || is_full(&gone, scan.page_rows);
        if is_next && !give(scan, feeder, (&mut there, reading.page()), (&mut gone, keys.page())).await? {
            return Ok(false);
        }
    }
    drop(rows);
    // What was thrown away while it was read is not among it; in a snapshot nothing is.
    if let ColumnData::I64(Some(version)) = version
        && versions(session, &scan.table).await?.oldest > version.unsigned_abs()
    {
        return Err(stale(&scan.table, "the server threw away what came after it"));
    }
    give(scan, feeder, (&mut there, reading.page()), (&mut gone, keys.page())).await
}

/// Gives on what there is.
async fn give(
    scan: &ChangeScan,
    feeder: &Feeder<ChangePage, ChangesEnd>,
    (there, no_rows): (&mut Page, Page),
    (gone, no_keys): (&mut Page, Page),
) -> Result<bool> {
    let (there, gone) = (std::mem::replace(there, no_rows), std::mem::replace(gone, no_keys));
    if let Some(refused) = gone.refused.into_iter().next() {
        // Which row is gone cannot be said.
        return Err(refused.error.and_because(format!("a deleted row of {}", scan.table)));
    }
    let page = ChangePage { rows: there.rows, deleted: gone.rows, refused: there.refused };
    if page.rows.is_empty() && page.deleted.is_empty() && page.refused.is_empty() {
        return Ok(true);
    }
    Ok(feeder.send(Ok(Fed::Page(page))).await.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_version_that_the_server_still_knows() {
        let (table, versions) = (TableName::new("dbo", "t"), Versions { newest: 20, oldest: 10 });
        let of = |cursor_type, value: &str| version_of(&Cursor { cursor_type, value: value.into() }, &versions, &table);
        assert_eq!(of(CursorType::Lsn, "10").unwrap(), 10);
        assert_eq!(of(CursorType::Lsn, "20").unwrap(), 20);
        for (kind, value) in [
            (CursorType::Lsn, "9"),
            (CursorType::Lsn, "21"),
            (CursorType::Lsn, "0/16B3748"),
            (CursorType::Timestamp, "10"),
        ] {
            assert_eq!(of(kind, value).unwrap_err().code(), Code::Stale, "{value}");
        }
    }
}
