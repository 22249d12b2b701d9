//! What types mean, and values in and out.
//!
//! | type | values |
//! |---|---|
//! | `TINYINT` … `BIGINT`, also `UNSIGNED`; `YEAR`; `BIT(n)` | integer |
//! | `TINYINT(1)`, when asked | boolean |
//! | `DECIMAL` | decimal |
//! | `FLOAT`, `DOUBLE` | float |
//! | `CHAR`, `VARCHAR`, `TEXT` of all sizes, `ENUM` | text |
//! | `BINARY`, `VARBINARY`, `BLOB` of all sizes | bytes |
//! | `DATE`, `DATETIME`, `TIMESTAMP` | date, timestamp, instant; zeros are [`Unreal`], a date with some zeros refuses its row |
//! | `TIME` | time of day; a time below zero or beyond 24 hours, which MySQL has for spans, refuses its row |
//! | `SET` | set of texts |
//! | `JSON`; in MariaDB a `LONGTEXT` that has to be `json_valid` | JSON |
//! | `UUID` (MariaDB) | UUID |
//!
//! Geometry and vectors are not carried.

use mysql_async::Value;
use uuid::Uuid;

use crate::endpoint::sql::{civil, put_json};
use crate::endpoint::{ColumnShape, ColumnTraits};
use crate::identity::{Encoder, encode};
use crate::model::{Datum, DatumKind, Tick, Unreal};

/// What values of a type are.
pub(super) fn kind_of(data_type: &str, full: &str, tinyint_is_boolean: bool) -> Option<DatumKind> {
    Some(match data_type {
        "tinyint" if tinyint_is_boolean && full.starts_with("tinyint(1)") => DatumKind::Boolean,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" | "bit" => DatumKind::Integer,
        "decimal" => DatumKind::Decimal,
        "float" | "double" => DatumKind::Float,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" => DatumKind::Text,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => DatumKind::Bytes,
        "date" => DatumKind::Date,
        "time" => DatumKind::Time,
        "datetime" => DatumKind::Timestamp,
        "timestamp" => DatumKind::Instant,
        "set" => DatumKind::Set,
        "json" => DatumKind::Json,
        "uuid" => DatumKind::Uuid,
        _ => return None,
    })
}

/// What a column of a type does with its values.
pub(super) fn traits(data_type: &str, full: &str) -> ColumnTraits {
    let bits = match data_type {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        "bigint" => 64,
        _ => 0,
    };
    let range = (bits > 0).then(|| {
        if full.contains("unsigned") {
            (0, (1_i128 << bits) - 1)
        } else {
            (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
        }
    });
    let (days, unreal) = match data_type {
        // The years 1 to 9999: the manual supports those from 1000 on and says that earlier ones may work.
        "date" => (Some((-719_162, 2_932_896)), vec![Unreal::ZeroDate]),
        "datetime" => (Some((-719_162, 2_932_896)), vec![Unreal::ZeroTime]),
        // 1970-01-01 00:00:01 to 2038-01-19, which newer MariaDB has moved to 2106.
        "timestamp" => (Some((0, 24_855)), vec![Unreal::ZeroTime]),
        _ => (None, Vec::new()),
    };
    let has_choices = matches!(data_type, "enum" | "set");
    ColumnTraits {
        range,
        days,
        unreal,
        is_single: data_type == "float",
        holds_non_finite: Some(false),
        choices: if has_choices { choices(full) } else { Vec::new() },
        pads: data_type == "char",
        json_doubles: data_type == "json",
        ..ColumnTraits::default()
    }
}

/// The texts in `enum('a','it''s')`.
fn choices(full: &str) -> Vec<String> {
    let mut choices = Vec::new();
    let mut rest = full;
    while let Some((_, after)) = rest.split_once('\'') {
        let (mut choice, mut characters) = (String::new(), after.char_indices().peekable());
        let mut end = after.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\'' if characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                    characters.next();
                    choice.push('\'');
                }
                '\'' => {
                    end = at + 1;
                    break;
                }
                other => choice.push(other),
            }
        }
        choices.push(choice);
        rest = after.get(end..).unwrap_or_default();
    }
    choices
}

/// The type of a column of a new table; nothing when none holds such values.
pub(super) fn declaration(like: &ColumnShape, is_indexed: bool) -> Option<String> {
    Some(match like.kind? {
        DatumKind::Boolean => "TINYINT(1)".into(),
        DatumKind::Integer if like.traits.range.is_some_and(|(_, most)| most > i64::MAX.into()) => {
            "BIGINT UNSIGNED".into()
        }
        DatumKind::Integer => "BIGINT".into(),
        // 65 digits at most, 30 of them after the point in MySQL (38 in MariaDB).
        DatumKind::Decimal => match like.digits {
            Some((digits, places)) if digits <= 65 && places <= 30 => format!("DECIMAL({},{places})", digits.max(1)),
            _ => "DECIMAL(65,30)".into(),
        },
        DatumKind::Float => "DOUBLE".into(),
        DatumKind::Text | DatumKind::Bytes => {
            let (short, long) =
                if like.kind == Some(DatumKind::Text) { ("VARCHAR", "LONGTEXT") } else { ("VARBINARY", "LONGBLOB") };
            match like.max_length {
                // A row has 65,535 bytes for all of its columns, a character up to four.
                Some(length @ 0..=1024) => format!("{short}({length})"),
                // An index takes 3,072 bytes.
                _ if is_indexed => format!("{short}(255)"),
                _ => long.into(),
            }
        }
        DatumKind::Uuid => "CHAR(36) CHARACTER SET ascii".into(),
        DatumKind::Date => "DATE".into(),
        DatumKind::Time => "TIME(6)".into(),
        DatumKind::Timestamp => "DATETIME(6)".into(),
        DatumKind::Instant => "TIMESTAMP(6)".into(),
        DatumKind::Json => "JSON".into(),
        DatumKind::Interval | DatumKind::List | DatumKind::Set => return None,
    })
}

/// Texts that differ at the source have to differ here: bytes decide, unless the source ignores case itself.
pub(super) fn collate(like: &ColumnShape) -> &'static str {
    if like.collation.ignores_case { " COLLATE utf8mb4_general_ci" } else { " COLLATE utf8mb4_bin" }
}

/// Writes a value of a column.
///
/// # Errors
/// Why it is none that is carried.
pub(super) fn put(encoder: &mut Encoder, column: &ColumnShape, value: &Value) -> Result<(), String> {
    let Some(kind) = column.kind else { return Err("its type is not carried".into()) };
    let other = || "the server sent it in a form that is not known".to_owned();
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| "its text is not UTF-8".to_owned());
    match (kind, value) {
        (_, Value::NULL) => encoder.null(),
        (DatumKind::Boolean, Value::Int(flag)) => encoder.boolean(*flag != 0),
        (DatumKind::Boolean, Value::UInt(flag)) => encoder.boolean(*flag != 0),
        (DatumKind::Integer, Value::Int(number)) => encoder.integer(*number),
        (DatumKind::Integer, Value::UInt(number)) => encoder.wide_integer((*number).into()),
        // BIT(n): up to eight bytes, the highest first.
        (DatumKind::Integer, Value::Bytes(bytes)) if bytes.len() <= 8 => {
            encoder.wide_integer(bytes.iter().fold(0, |number, byte| number << 8 | i128::from(*byte)));
        }
        (DatumKind::Decimal, Value::Bytes(bytes)) => {
            encoder.datum(&Datum::Decimal(text(bytes)?.parse().map_err(|_| other())?));
        }
        (DatumKind::Float, Value::Float(number)) => encoder.float32(*number),
        (DatumKind::Float, Value::Double(number)) => encoder.float(*number),
        (DatumKind::Text, Value::Bytes(bytes)) => encoder.text(text(bytes)?),
        (DatumKind::Bytes, Value::Bytes(bytes)) => encoder.bytes(bytes),
        (DatumKind::Uuid, Value::Bytes(bytes)) => encoder.uuid(Uuid::try_parse(text(bytes)?).map_err(|_| other())?),
        (DatumKind::Json, Value::Bytes(bytes)) => put_json(encoder, text(bytes)?)?,
        (DatumKind::Set, Value::Bytes(bytes)) => {
            let members = text(bytes)?.split(',').filter(|member| !member.is_empty());
            encoder.set(members.map(|member| encode(&Datum::Text(member.into()))).collect());
        }
        (DatumKind::Date, Value::Date(0, 0, 0, ..)) => encoder.unreal(Unreal::ZeroDate),
        (DatumKind::Timestamp | DatumKind::Instant, Value::Date(0, 0, 0, 0, 0, 0, 0)) => {
            encoder.unreal(Unreal::ZeroTime)
        }
        (
            DatumKind::Date | DatumKind::Timestamp | DatumKind::Instant,
            Value::Date(year, month, day, hour, minute, second, micro),
        ) => {
            let days = civil::days_of((*year).into(), (*month).into(), (*day).into())
                .ok_or("it is a date with zeros in it")?;
            let clock = i64::from(*hour) * 3600 + i64::from(*minute) * 60 + i64::from(*second);
            let tick = Tick { seconds: i64::from(days) * civil::DAY + clock, nanos: *micro * 1000 };
            match kind {
                DatumKind::Date => encoder.date(days),
                DatumKind::Timestamp => encoder.timestamp(tick),
                _ => encoder.instant(tick),
            }
        }
        (DatumKind::Time, Value::Time(false, 0, hours, minutes, seconds, micros)) => {
            let seconds = u64::from(*hours) * 3600 + u64::from(*minutes) * 60 + u64::from(*seconds);
            encoder.time(seconds * 1_000_000_000 + u64::from(*micros) * 1000);
        }
        (DatumKind::Time, Value::Time(false, 1, 0, 0, 0, 0)) => encoder.time(86_400_000_000_000),
        (DatumKind::Time, Value::Time(..)) => return Err("it is a span and no time of day".into()),
        _ => return Err(other()),
    }
    Ok(())
}

/// What is sent for a value.
///
/// # Errors
/// Why MySQL has no such value.
pub(super) fn parameter(value: &Datum) -> Result<Value, String> {
    let outside = || "MySQL has no such date".to_owned();
    let bytes = |text: String| Value::Bytes(text.into_bytes());
    Ok(match value {
        Datum::Null => Value::NULL,
        Datum::Boolean(flag) => Value::Int((*flag).into()),
        Datum::Integer(number) => match (i64::try_from(*number), u64::try_from(*number)) {
            (Ok(number), _) => Value::Int(number),
            (_, Ok(number)) => Value::UInt(number),
            _ => bytes(number.to_string()),
        },
        Datum::Decimal(number) => bytes(number.to_string()),
        Datum::Float(number) if !number.get().is_finite() => return Err("MySQL has no NaN and no infinity".into()),
        Datum::Float(number) => Value::Double(number.get()),
        Datum::Text(text) | Datum::Json(text) => bytes(text.clone()),
        Datum::Bytes(data) => Value::Bytes(data.clone()),
        Datum::Uuid(id) => bytes(id.to_string()),
        // As times and not as texts, which would be compared with a column letter by letter.
        Datum::Date(days) => date(*days, 0).ok_or_else(outside)?,
        Datum::Time(nanos) => {
            let (hours, minutes, seconds, micros) = clock(*nanos).ok_or_else(outside)?;
            Value::Time(false, u32::from(hours / 24), hours % 24, minutes, seconds, micros)
        }
        Datum::Timestamp(at) | Datum::Instant(at) => {
            civil::day_and_clock(*at).and_then(|(days, nanos)| date(days, nanos)).ok_or_else(outside)?
        }
        Datum::Unreal(Unreal::ZeroDate | Unreal::ZeroTime) => Value::Date(0, 0, 0, 0, 0, 0, 0),
        Datum::Unreal(_) => return Err(outside()),
        Datum::Set(members) => {
            let member = |member: &Datum| match member {
                Datum::Text(text) if !text.is_empty() && !text.contains(',') => Ok(text.clone()),
                _ => Err("a member of a SET is a text without a comma".to_owned()),
            };
            bytes(members.iter().map(member).collect::<Result<Vec<_>, _>>()?.join(","))
        }
        Datum::Interval(_) | Datum::List(_) => return Err("MySQL has no column for it".into()),
    })
}

/// Hours, minutes, seconds, and microseconds, cut and not rounded.
fn clock(nanos: u64) -> Option<(u8, u8, u8, u32)> {
    let (seconds, micros) = (nanos / 1_000_000_000, nanos % 1_000_000_000 / 1000);
    let small = |number: u64| u8::try_from(number).ok();
    Some((small(seconds / 3600)?, small(seconds / 60 % 60)?, small(seconds % 60)?, u32::try_from(micros).ok()?))
}

/// A day and a time of it, from the year 1 to 9999.
fn date(days: i32, nanos: u64) -> Option<Value> {
    let (year, month, day) = civil::civil_of(days);
    let year = u16::try_from(year).ok().filter(|year| (1..=9999).contains(year))?;
    let (hour, minute, second, micros) = clock(nanos)?;
    Some(Value::Date(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?, hour, minute, second, micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_with_their_quotes() {
        assert_eq!(choices("enum('a','it''s','','b,c')"), ["a", "it's", "", "b,c"]);
        assert_eq!(choices("set()"), Vec::<String>::new());
    }

    #[test]
    fn unsigned_numbers_are_wider() {
        assert_eq!(traits("bigint", "bigint(20) unsigned").range, Some((0, u64::MAX.into())));
        assert_eq!(traits("tinyint", "tinyint(4)").range, Some((-128, 127)));
    }
}
