//! What declared types mean, and cells in and out.
//!
//! | declared type (whatever stands in brackets, in upper or lower case) | values | what a cell may hold |
//! |---|---|---|
//! | `INT`, `INTEGER`, `TINYINT`, `SMALLINT`, `MEDIUMINT`, `BIGINT`, `INT2`, `INT8`, `UNSIGNED BIG INT` | integer | integers |
//! | `BOOL`, `BOOLEAN` | boolean | 0 and 1 |
//! | `REAL`, `DOUBLE`, `DOUBLE PRECISION`, `FLOAT` | float | reals |
//! | `DECIMAL…`, `NUMERIC…` | decimal | integers, reals by their shortest text, texts of numbers |
//! | `TEXT`, `CLOB` and whatever contains `CHAR` | text | texts of UTF-8 |
//! | `BLOB`, `BINARY`, `VARBINARY` | bytes | blobs |
//! | `UUID`, `GUID`, `UNIQUEIDENTIFIER` | UUID | texts, blobs of 16 bytes |
//! | `DATE` | date | `2024-02-29` |
//! | `TIME` | time of day | `23:59:59.25` |
//! | `DATETIME`, `TIMESTAMP` | timestamp | `2024-02-29 23:59:59.25`, with a `T` too; not with a zone |
//! | `TIMESTAMPTZ`, `DATETIMEOFFSET`, `INSTANT` | instant | the same with a zone; without one it is UTC, as `CURRENT_TIMESTAMP` is |
//! | `JSON…` | JSON | texts, numbers |
//!
//! The affinity of `DECIMAL` makes floats of texts, which have 15 digits that count
//! (<https://www.sqlite.org/datatype3.html>, section 3.1). A type with `TEXT` in its name has the affinity of text and
//! keeps all of them: tables made here say `DECIMAL_TEXT` and `JSON_TEXT`. Numbers with more digits than their column
//! keeps are refused.

use rusqlite::types::{Value, ValueRef};
use uuid::Uuid;

use crate::endpoint::sql::{civil, put_json};
use crate::endpoint::{ColumnShape, ColumnTraits};
use crate::identity::Encoder;
use crate::model::{Datum, DatumKind, Decimal, Tick};

/// Digits of a number that a float keeps.
const FLOAT_DIGITS: u16 = 15;

/// What a declared type says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Declared {
    pub(super) kind: Option<DatumKind>,
    pub(super) max_length: Option<u32>,
    pub(super) digits: Option<(u16, u16)>,
}

/// What this declared type means.
pub(super) fn declared(text: &str) -> Declared {
    let upper = text.to_ascii_uppercase();
    let (name, brackets) = upper.split_once('(').unwrap_or((&upper, ""));
    let numbers: Vec<u32> =
        brackets.trim_end_matches(')').split(',').filter_map(|number| number.trim().parse().ok()).collect();
    let kind = kind_of(name.trim());
    let small = |at: usize| numbers.get(at).and_then(|&number| u16::try_from(number).ok());
    let digits = match kind {
        Some(DatumKind::Decimal) if name.contains("TEXT") => small(0).map(|all| (all, small(1).unwrap_or(0))),
        Some(DatumKind::Decimal) => {
            let all = small(0).unwrap_or(FLOAT_DIGITS).min(FLOAT_DIGITS);
            Some((all, small(1).unwrap_or(if numbers.is_empty() { all } else { 0 })))
        }
        _ => None,
    };
    let has_length = matches!(kind, Some(DatumKind::Text | DatumKind::Bytes));
    Declared { kind, max_length: numbers.first().copied().filter(|_| has_length), digits }
}

fn kind_of(name: &str) -> Option<DatumKind> {
    Some(match name {
        "INT" | "INTEGER" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "BIGINT" | "INT2" | "INT8" | "UNSIGNED BIG INT" => {
            DatumKind::Integer
        }
        "BOOL" | "BOOLEAN" => DatumKind::Boolean,
        "REAL" | "DOUBLE" | "DOUBLE PRECISION" | "FLOAT" => DatumKind::Float,
        "BLOB" | "BINARY" | "VARBINARY" => DatumKind::Bytes,
        "UUID" | "GUID" | "UNIQUEIDENTIFIER" => DatumKind::Uuid,
        "DATE" => DatumKind::Date,
        "TIME" => DatumKind::Time,
        "DATETIME" | "TIMESTAMP" => DatumKind::Timestamp,
        "TIMESTAMPTZ" | "DATETIMEOFFSET" | "INSTANT" => DatumKind::Instant,
        "TEXT" | "CLOB" => DatumKind::Text,
        _ if name.starts_with("DECIMAL") || name.starts_with("NUMERIC") => DatumKind::Decimal,
        _ if name.starts_with("JSON") => DatumKind::Json,
        _ if name.contains("CHAR") => DatumKind::Text,
        _ => return None,
    })
}

/// What a column of that kind does with its values.
pub(super) fn traits(kind: Option<DatumKind>) -> ColumnTraits {
    let has_days = matches!(kind, Some(DatumKind::Date | DatumKind::Timestamp | DatumKind::Instant));
    ColumnTraits {
        range: (kind == Some(DatumKind::Integer)).then_some((i64::MIN.into(), i64::MAX.into())),
        // The years 1 to 9999.
        days: has_days.then_some((-719_162, 2_932_896)),
        holds_non_finite: Some(false),
        ..ColumnTraits::default()
    }
}

/// The type that a column of a new table is declared with; nothing when none holds such values.
pub(super) fn declaration(like: &ColumnShape) -> Option<String> {
    let sized = |name: &str| like.max_length.map_or_else(|| name.to_owned(), |length| format!("{name}({length})"));
    Some(match like.kind? {
        DatumKind::Boolean => "BOOLEAN".into(),
        DatumKind::Integer => "INTEGER".into(),
        DatumKind::Decimal => match like.digits {
            Some((digits, places)) => format!("DECIMAL_TEXT({digits},{places})"),
            None => "DECIMAL_TEXT".into(),
        },
        DatumKind::Float => "REAL".into(),
        DatumKind::Text if like.max_length.is_none() => "TEXT".into(),
        DatumKind::Text => sized("VARCHAR"),
        DatumKind::Bytes => "BLOB".into(),
        DatumKind::Uuid => "UUID".into(),
        DatumKind::Date => "DATE".into(),
        DatumKind::Time => "TIME".into(),
        DatumKind::Timestamp => "TIMESTAMP".into(),
        DatumKind::Instant => "TIMESTAMPTZ".into(),
        DatumKind::Json => "JSON_TEXT".into(),
        DatumKind::Interval | DatumKind::List | DatumKind::Set => return None,
    })
}

/// Writes what is in a cell, as a value of its column's kind.
///
/// # Errors
/// Why it is none.
pub(super) fn put(encoder: &mut Encoder, kind: DatumKind, cell: ValueRef<'_>) -> Result<(), String> {
    let other = || format!("it holds {} where its column says {kind}", what(cell));
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| "its text is not UTF-8".to_owned());
    match (kind, cell) {
        (_, ValueRef::Null) => encoder.null(),
        (DatumKind::Boolean, ValueRef::Integer(flag @ 0..=1)) => encoder.boolean(flag == 1),
        (DatumKind::Integer, ValueRef::Integer(number)) => encoder.integer(number),
        (DatumKind::Float, ValueRef::Real(number)) => encoder.float(number),
        (DatumKind::Decimal, ValueRef::Integer(number)) => {
            encoder.datum(&Datum::Decimal(Decimal::from(i128::from(number))));
        }
        (DatumKind::Decimal, ValueRef::Real(number)) if number.is_finite() => {
            encoder.datum(&decimal(zmij::Buffer::new().format_finite(number)).ok_or_else(other)?);
        }
        (DatumKind::Decimal, ValueRef::Text(bytes)) => encoder.datum(&decimal(text(bytes)?).ok_or_else(other)?),
        (DatumKind::Text, ValueRef::Text(bytes)) => encoder.text(text(bytes)?),
        (DatumKind::Bytes, ValueRef::Blob(bytes)) => encoder.bytes(bytes),
        (DatumKind::Uuid, ValueRef::Text(bytes)) => encoder.uuid(Uuid::try_parse(text(bytes)?).map_err(|_| other())?),
        (DatumKind::Uuid, ValueRef::Blob(bytes)) => encoder.uuid(Uuid::from_slice(bytes).map_err(|_| other())?),
        (DatumKind::Date, ValueRef::Text(bytes)) => encoder.date(civil::parse_date(text(bytes)?).ok_or_else(other)?),
        (DatumKind::Time, ValueRef::Text(bytes)) => encoder.time(civil::parse_clock(text(bytes)?).ok_or_else(other)?),
        (DatumKind::Timestamp, ValueRef::Text(bytes)) => match civil::parse_timestamp(text(bytes)?) {
            Some((at, None)) => encoder.timestamp(at),
            _ => return Err(other()),
        },
        (DatumKind::Instant, ValueRef::Text(bytes)) => {
            let (at, zone) = civil::parse_timestamp(text(bytes)?).ok_or_else(other)?;
            encoder.instant(Tick { seconds: at.seconds - zone.unwrap_or(0), nanos: at.nanos });
        }
        (DatumKind::Json, ValueRef::Text(bytes)) => put_json(encoder, text(bytes)?)?,
        (DatumKind::Json, ValueRef::Integer(number)) => put_json(encoder, &number.to_string())?,
        (DatumKind::Json, ValueRef::Real(number)) if number.is_finite() => {
            put_json(encoder, zmij::Buffer::new().format_finite(number))?;
        }
        _ => return Err(other()),
    }
    Ok(())
}

fn decimal(text: &str) -> Option<Datum> {
    text.parse().ok().map(Datum::Decimal)
}

fn what(cell: ValueRef<'_>) -> &'static str {
    match cell {
        ValueRef::Null => "nothing",
        ValueRef::Integer(_) => "a whole number",
        ValueRef::Real(_) => "a float",
        ValueRef::Text(_) => "a text",
        ValueRef::Blob(_) => "bytes",
    }
}

/// What is written into a cell.
///
/// # Errors
/// Why the column cannot hold it.
pub(super) fn cell(column: &ColumnShape, value: Datum) -> Result<Value, String> {
    let outside = || "SQLite has no such date".to_owned();
    let kept = column.digits.filter(|_| !column.data_type.to_ascii_uppercase().contains("TEXT"));
    Ok(match value {
        Datum::Null => Value::Null,
        Datum::Boolean(flag) => Value::Integer(i64::from(flag)),
        Datum::Integer(number) => match i64::try_from(number) {
            Ok(number) => Value::Integer(number),
            Err(_) if column.kind == Some(DatumKind::Text) => Value::Text(number.to_string()),
            Err(_) => return Err("it has more than 64 bits".into()),
        },
        Datum::Decimal(number) => match kept {
            Some((digits, _)) if number.digits().len() > usize::from(digits.min(FLOAT_DIGITS)) => {
                return Err(format!("it has more than the {digits} digits that its column keeps"));
            }
            _ => Value::Text(number.to_string()),
        },
        Datum::Float(number) if !number.get().is_finite() => {
            return Err("SQLite has no NaN, and an infinity only inside".into());
        }
        Datum::Float(number) => Value::Real(number.get()),
        Datum::Text(text) => match column.max_length {
            // SQLite does not enforce the length that it is told (FAQ 9); whoever declared it meant it.
            Some(most) if text.chars().count() > most as usize => {
                return Err(format!("it has more than {most} characters"));
            }
            _ => Value::Text(text),
        },
        Datum::Bytes(bytes) => Value::Blob(bytes),
        Datum::Uuid(id) => Value::Text(id.to_string()),
        Datum::Date(days) => Value::Text(civil::date_text(days).ok_or_else(outside)?),
        Datum::Time(nanos) => Value::Text(civil::clock_text(nanos)),
        Datum::Timestamp(at) => Value::Text(civil::timestamp_text(at).ok_or_else(outside)?),
        Datum::Instant(at) => Value::Text(civil::timestamp_text(at).ok_or_else(outside)? + "Z"),
        Datum::Unreal(_) => return Err(outside()),
        Datum::Json(text) => Value::Text(text),
        Datum::Interval(_) | Datum::List(_) | Datum::Set(_) => return Err("SQLite has no column for it".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_means_what_the_table_says() {
        for (text, kind) in [
            ("integer", Some(DatumKind::Integer)),
            ("VARCHAR(20)", Some(DatumKind::Text)),
            ("native character(70)", Some(DatumKind::Text)),
            ("decimal(10,2)", Some(DatumKind::Decimal)),
            ("DECIMAL_TEXT(38,10)", Some(DatumKind::Decimal)),
            ("timestamptz", Some(DatumKind::Instant)),
            ("POINT", None),
            ("", None),
            ("ANY", None),
        ] {
            assert_eq!(declared(text).kind, kind, "{text}");
        }
        assert_eq!(declared("VARCHAR(20)").max_length, Some(20));
        assert_eq!(declared("DECIMAL(38,10)").digits, Some((15, 10)), "a float keeps no more");
        assert_eq!(declared("DECIMAL_TEXT(38,10)").digits, Some((38, 10)));
    }

    #[test]
    fn a_cell_that_holds_something_else_is_refused() {
        for (kind, cell) in [
            (DatumKind::Integer, ValueRef::Text(b"7")),
            (DatumKind::Integer, ValueRef::Real(7.5)),
            (DatumKind::Boolean, ValueRef::Integer(2)),
            (DatumKind::Text, ValueRef::Blob(b"x")),
            (DatumKind::Text, ValueRef::Text(b"\xff")),
            (DatumKind::Timestamp, ValueRef::Text(b"2024-01-01 00:00:00Z")),
            (DatumKind::Timestamp, ValueRef::Integer(1_700_000_000)),
            (DatumKind::Date, ValueRef::Text(b"2024-02-30")),
            (DatumKind::Decimal, ValueRef::Real(f64::INFINITY)),
            (DatumKind::Uuid, ValueRef::Blob(b"short")),
        ] {
            assert!(put(&mut Encoder::default(), kind, cell).is_err(), "{kind} {cell:?}");
        }
    }
}
