//! Cursors by a column that every change moves on.
//!
//! # The text
//!
//! A JSON object: `v` is 1; `column` is the column; `at` is its value, encoded as rows are and written in hexadecimal
//! digits, so that no precision is lost on the way; `key` is that of the last row with this value, encoded in the same
//! way. Without a key, rows that have the value of `at` may be yet to come.
//!
//! # What is read
//!
//! With an overlap, rows from `at` less the overlap on. Without one, rows after (`at`, `key`), or from `at` on where there
//! is no key. Rows with no value in the column are read each time: nothing tells when they changed.

use serde::{Deserialize, Serialize};

use super::order;
use crate::endpoint::{ChangeScan, ChangeSource, ChangesEnd, Cursor, Deletions};
use crate::error::{Code, Error, Result};
use crate::identity::{decode, encode};
use crate::model::{CursorType, Datum, Tick};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    v: u32,
    column: String,
    at: String,
    key: Vec<String>,
}

/// From where on rows are read.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::endpoint) enum Start {
    /// All of them.
    Beginning,
    /// Those with this value or a later one.
    At(Datum),
    /// Those with a later value, or this one and a later key.
    After(Datum, Vec<Datum>),
}

/// The column that tells of changes, from where on it is read, and how far it was read before.
pub(in crate::endpoint) struct ByTime {
    pub(in crate::endpoint) column: String,
    pub(in crate::endpoint) from: Start,
    /// The value and the key of the cursor, which never goes back.
    pub(in crate::endpoint) reached: Option<(Datum, Vec<Datum>)>,
}

/// What a scan by a time is to read.
///
/// # Errors
/// `unsupported` for another kind of change scan, `stale` for a cursor of another column.
pub(in crate::endpoint) fn by_time(scan: &ChangeScan) -> Result<ByTime> {
    let ChangeSource::UpdatedAt { column, overlap_ms } = &scan.by else {
        let refused = Error::new(Code::Unsupported, "read changes of", &scan.table);
        return Err(refused.because("this database tells of changes by a column only"));
    };
    let Some(cursor) = &scan.since else {
        return Ok(ByTime { column: column.clone(), from: Start::Beginning, reached: None });
    };
    let (at, key) = read(cursor, column, scan)?;
    let from = match (*overlap_ms, at.clone()) {
        // Nothing was there yet.
        (_, Datum::Null) => Start::Beginning,
        (0, at) if !key.is_empty() && key.len() == scan.key.len() => Start::After(at, key.clone()),
        (overlap_ms, at) => Start::At(earlier(at, overlap_ms)),
    };
    Ok(ByTime { column: column.clone(), from, reached: Some((at, key)) })
}

fn read(cursor: &Cursor, column: &str, scan: &ChangeScan) -> Result<(Datum, Vec<Datum>)> {
    let stale = |why: &'static str| Error::new(Code::Stale, "go on reading changes of", &scan.table).because(why);
    if cursor.cursor_type != CursorType::Timestamp {
        return Err(stale("the cursor is of another kind"));
    }
    let text: Text = serde_json::from_str(&cursor.value).map_err(|_| stale("the cursor cannot be read"))?;
    if text.v != 1 || text.column != column {
        return Err(stale("the cursor is of another column"));
    }
    let value = |digits: &String| datum(digits).ok_or_else(|| stale("the cursor cannot be read"));
    Ok((value(&text.at)?, text.key.iter().map(value).collect::<Result<_>>()?))
}

/// When the last row that a cursor has seen was changed, where it tells.
pub(crate) fn reached_at(cursor: &Cursor) -> Option<Tick> {
    let text: Text = serde_json::from_str(&cursor.value).ok()?;
    match datum(&text.at)? {
        Datum::Instant(at) | Datum::Timestamp(at) => Some(at),
        _ => None,
    }
}

/// The same, where it is known which moment that is.
pub(crate) fn reached_instant(cursor: &Cursor) -> Option<Tick> {
    let text: Text = serde_json::from_str(&cursor.value).ok()?;
    match datum(&text.at)? {
        Datum::Instant(at) => Some(at),
        _ => None,
    }
}

/// The cursor that stands at a value, behind the row with that key.
pub(in crate::endpoint) fn cursor(column: &str, at: &Datum, key: &[Datum]) -> Result<Cursor> {
    let text = Text { v: 1, column: column.into(), at: digits(at), key: key.iter().map(digits).collect() };
    let value =
        serde_json::to_string(&text).map_err(|e| Error::new(Code::Internal, "write a cursor", "").because(e))?;
    Ok(Cursor { cursor_type: CursorType::Timestamp, value })
}

/// How a reading ends: behind the last row, or at the bound, from which on rows may be yet to come. It never goes back,
/// not even when the last row was taken out.
pub(in crate::endpoint) fn end(
    scan: &ChangeScan,
    by: &ByTime,
    last: Option<(Datum, Vec<Datum>)>,
    bound: Option<&Datum>,
) -> Result<ChangesEnd> {
    let is_before = |left: &Datum, right: &Datum| order(left, right).is_some_and(std::cmp::Ordering::is_lt);
    let reached = by.reached.clone().filter(|(at, _)| *at != Datum::Null);
    let place = match (last, reached) {
        (Some(last), Some(reached)) if is_before(&last.0, &reached.0) => Some(reached),
        (None, reached) => reached,
        (last, _) => last,
    };
    let (at, key) = match (place, bound) {
        (Some((at, _)), Some(bound)) if !is_before(&at, bound) => (bound.clone(), Vec::new()),
        (Some(place), _) => place,
        (None, _) => (Datum::Null, Vec::new()),
    };
    let deletions = if scan.since.is_none() { Deletions::ByAbsence } else { Deletions::Unknown };
    Ok(ChangesEnd { cursor: cursor(&by.column, &at, &key)?, deletions })
}

/// The same, that much earlier. Numbers are no times: what of them is not committed yet cannot be told.
fn earlier(at: Datum, overlap_ms: u64) -> Datum {
    let back = |at: Tick| {
        let nanos = i64::from(at.nanos) - i64::try_from(overlap_ms % 1000).unwrap_or(0) * 1_000_000;
        let seconds = at.seconds.saturating_sub(i64::try_from(overlap_ms / 1000).unwrap_or(i64::MAX));
        let seconds = seconds.saturating_add(nanos.div_euclid(1_000_000_000));
        Tick { seconds, nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0) }
    };
    match at {
        Datum::Timestamp(at) => Datum::Timestamp(back(at)),
        Datum::Instant(at) => Datum::Instant(back(at)),
        Datum::Date(days) => {
            Datum::Date(days.saturating_sub(i32::try_from(overlap_ms.div_ceil(86_400_000)).unwrap_or(i32::MAX)))
        }
        other => other,
    }
}

/// Refuses a column whose values have no order in time.
pub(in crate::endpoint) fn check_kind(
    kind: Option<crate::model::DatumKind>,
    scan: &ChangeScan,
    column: &str,
) -> Result<()> {
    use crate::model::DatumKind as K;
    match kind {
        Some(K::Timestamp | K::Instant | K::Date | K::Integer | K::Decimal) => Ok(()),
        _ => Err(Error::new(Code::Unsupported, "read changes of", &scan.table)
            .because(format!("its column {} holds neither times nor numbers", column.escape_debug()))),
    }
}

fn digits(value: &Datum) -> String {
    encode(value).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn datum(digits: &str) -> Option<Datum> {
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect::<Option<_>>()?;
    decode(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::TableName;

    fn scan(overlap_ms: u64, since: Cursor) -> ChangeScan {
        let by = ChangeSource::UpdatedAt { column: "u".into(), overlap_ms };
        let (table, since) = (TableName::new("", "t"), Some(since));
        ChangeScan { table, columns: Vec::new(), key: vec!["k".into()], by, since, page_rows: 1 }
    }

    #[test]
    fn a_cursor_loses_nothing() {
        let at = Datum::Instant(Tick { seconds: 5, nanos: 123_456_789 });
        let key = [Datum::Text("ö".into())];
        let made = cursor("u", &at, &key).unwrap();
        let read = by_time(&scan(0, made.clone())).unwrap();
        assert_eq!(read.from, Start::After(at, key.to_vec()));
        let earlier = Datum::Instant(Tick { seconds: 3, nanos: 623_456_789 });
        assert_eq!(by_time(&scan(1500, made)).unwrap().from, Start::At(earlier));
    }

    #[test]
    fn a_cursor_without_a_key_does_not_pass_over_its_own_moment() {
        let at = Datum::Timestamp(Tick { seconds: 5, nanos: 0 });
        let made = cursor("u", &at, &[]).unwrap();
        assert_eq!(by_time(&scan(0, made)).unwrap().from, Start::At(at));
    }

    #[test]
    fn a_cursor_of_something_else_is_stale() {
        for value in
            ["", "{}", r#"{"v":1,"column":"other","at":"00","key":[]}"#, r#"{"v":1,"column":"u","at":"zz","key":[]}"#]
        {
            let cursor = Cursor { cursor_type: CursorType::Timestamp, value: value.into() };
            assert_eq!(by_time(&scan(0, cursor)).err().unwrap().code(), Code::Stale, "{value}");
        }
    }
}
