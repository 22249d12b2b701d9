//! Values in and out.

use std::borrow::Cow;

use tiberius::ColumnData;
use tiberius::time::{Date, DateTime2, DateTimeOffset, Time};

use super::describe::MsColumn;
use super::types::{Family, UTF_8};
use crate::endpoint::sql::{civil, put_json};
use crate::identity::Encoder;
use crate::model::{Datum, DatumKind, Decimal, Tick};

/// 0001-01-01 and 1900-01-01, from which the server counts days.
const YEAR_1: i32 = -719_162;
const YEAR_1900: i32 = -25_567;

/// Nanoseconds of what `time(7)` counts.
const STEP: u64 = 100;

/// Writes a value of a column, as its type has it [read](super::types::MsType::read).
///
/// # Errors
/// Why it is none that is carried.
pub(super) fn put(encoder: &mut Encoder, column: &MsColumn, value: &ColumnData<'_>) -> Result<(), String> {
    let Some(kind) = column.shape.kind else { return Err("its type is not carried".into()) };
    let other = || "the server sent it in a form that is not known".to_owned();
    match (kind, value) {
        (_, value) if is_null(value) => encoder.null(),
        (DatumKind::Boolean, ColumnData::Bit(Some(flag))) => encoder.boolean(*flag),
        (DatumKind::Integer, ColumnData::U8(Some(number))) => encoder.integer((*number).into()),
        (DatumKind::Integer, ColumnData::I16(Some(number))) => encoder.integer((*number).into()),
        (DatumKind::Integer, ColumnData::I32(Some(number))) => encoder.integer((*number).into()),
        (DatumKind::Integer, ColumnData::I64(Some(number))) => encoder.integer(*number),
        (DatumKind::Decimal, ColumnData::Numeric(Some(number))) => {
            let digits = number.value().unsigned_abs().to_string();
            encoder.decimal(number.value() < 0, &digits, -i32::from(number.scale()));
        }
        (DatumKind::Float, ColumnData::F32(Some(number))) => encoder.float32(*number),
        (DatumKind::Float, ColumnData::F64(Some(number))) => encoder.float(*number),
        (DatumKind::Text, ColumnData::Binary(Some(bytes))) => encoder.text(&utf16(bytes)?),
        (DatumKind::Json, ColumnData::Binary(Some(bytes))) => put_json(encoder, &utf16(bytes)?)?,
        (DatumKind::Bytes, ColumnData::Binary(Some(bytes))) => encoder.bytes(bytes),
        (DatumKind::Uuid, ColumnData::Guid(Some(id))) => encoder.uuid(*id),
        (DatumKind::Date, ColumnData::Date(Some(date))) => encoder.date(day(*date).ok_or_else(other)?),
        (DatumKind::Time, ColumnData::Time(Some(time))) => encoder.time(clock(*time).ok_or_else(other)?),
        (DatumKind::Timestamp, ColumnData::DateTime2(Some(at))) => encoder.timestamp(tick(*at).ok_or_else(other)?),
        (DatumKind::Timestamp, ColumnData::DateTime(Some(at))) => {
            // 300 to a second, shown in thousandths: 0, 3, 7, 10, …
            let millis = (u64::from(at.seconds_fragments()) * 10 + 1) / 3;
            encoder.timestamp(joined(at.days().checked_add(YEAR_1900).ok_or_else(other)?, millis * 1_000_000));
        }
        (DatumKind::Timestamp, ColumnData::SmallDateTime(Some(at))) => {
            let minutes = u64::from(at.seconds_fragments());
            encoder.timestamp(joined(i32::from(at.days()) + YEAR_1900, minutes * 60_000_000_000));
        }
        // It comes in UTC, with the offset beside it ([MS-TDS] 2.2.5.5.1.9).
        (DatumKind::Instant, ColumnData::DateTimeOffset(Some(at))) => {
            encoder.instant(tick(at.datetime2()).ok_or_else(other)?);
        }
        _ => return Err(other()),
    }
    Ok(())
}

fn is_null(value: &ColumnData<'_>) -> bool {
    matches!(
        value,
        ColumnData::U8(None)
            | ColumnData::I16(None)
            | ColumnData::I32(None)
            | ColumnData::I64(None)
            | ColumnData::F32(None)
            | ColumnData::F64(None)
            | ColumnData::Bit(None)
            | ColumnData::String(None)
            | ColumnData::Guid(None)
            | ColumnData::Binary(None)
            | ColumnData::Numeric(None)
            | ColumnData::Xml(None)
            | ColumnData::DateTime(None)
            | ColumnData::SmallDateTime(None)
            | ColumnData::Time(None)
            | ColumnData::Date(None)
            | ColumnData::DateTime2(None)
            | ColumnData::DateTimeOffset(None)
    )
}

/// The text of UTF-16 in the order of bytes of the server.
pub(super) fn utf16(bytes: &[u8]) -> Result<String, String> {
    let (units, rest) = bytes.as_chunks::<2>();
    let text = char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))).collect::<Result<String, _>>();
    text.ok().filter(|_| rest.is_empty()).ok_or_else(|| "its text is not valid UTF-16".to_owned())
}

fn day(date: Date) -> Option<i32> {
    i32::try_from(date.days()).ok()?.checked_add(YEAR_1)
}

fn clock(time: Time) -> Option<u64> {
    let places = 9_u32.checked_sub(time.scale().into())?;
    time.increments().checked_mul(10_u64.pow(places)).filter(|nanos| *nanos < 86_400_000_000_000)
}

fn tick(at: DateTime2) -> Option<Tick> {
    Some(joined(day(at.date())?, clock(at.time())?))
}

fn joined(days: i32, nanos: u64) -> Tick {
    let seconds = i64::from(days) * civil::DAY + i64::try_from(nanos / 1_000_000_000).unwrap_or(0);
    Tick { seconds, nanos: u32::try_from(nanos % 1_000_000_000).unwrap_or(0) }
}

/// What is sent for a value of a column. Exactly this value arrives, or it is refused: the server would round numbers and
/// times without a word, fill up bytes, and write a question mark for a letter that the column's code page has not.
///
/// # Errors
/// Why the column has no such value.
pub(super) fn parameter(column: &MsColumn, value: &Datum) -> Result<ColumnData<'static>, String> {
    let family = column.ms_type.family();
    let unfit = |what: &str| format!("a column of type {} holds no {what}", column.shape.data_type);
    Ok(match (family, value) {
        (Family::Bytes, Datum::Null) => ColumnData::Binary(None),
        (_, Datum::Null) => ColumnData::String(None),
        (Family::Bit, Datum::Boolean(flag)) => ColumnData::Bit(Some(*flag)),
        (Family::Integer | Family::RowVersion, Datum::Integer(number)) => {
            let (least, most) = column.shape.traits.range.unwrap_or((i64::MIN.into(), i64::MAX.into()));
            let number = Some(*number).filter(|number| (least..=most).contains(number));
            let number = number.and_then(|number| i64::try_from(number).ok());
            ColumnData::I64(Some(number.ok_or_else(|| unfit("number of that size"))?))
        }
        (Family::Decimal, Datum::Integer(number)) => decimal(
            column,
            &Decimal::new(*number < 0, &number.unsigned_abs().to_string(), 0).map_err(|e| e.to_string())?,
        )?,
        (Family::Decimal, Datum::Decimal(number)) => decimal(column, number)?,
        (Family::Float, Datum::Float(number)) if number.get().is_finite() => ColumnData::F64(Some(number.get())),
        (Family::Float, Datum::Float(_)) => return Err(unfit("NaN and no infinity")),
        (Family::WideText | Family::NarrowText, Datum::Text(text) | Datum::Json(text)) => {
            text_of(column, text)?;
            ColumnData::String(Some(Cow::Owned(text.clone())))
        }
        (Family::Bytes, Datum::Bytes(bytes)) => {
            let most = column.shape.max_length.map_or(usize::MAX, |length| length as usize);
            let is_padded = column.ms_type.name == "binary" && bytes.len() != most;
            if bytes.len() > most || is_padded {
                return Err(unfit("bytes of that length"));
            }
            ColumnData::Binary(Some(Cow::Owned(bytes.clone())))
        }
        (Family::Uuid, Datum::Uuid(id)) => ColumnData::Guid(Some(*id)),
        (Family::Date, Datum::Date(days)) => ColumnData::Date(Some(date(column, *days)?)),
        (Family::Time, Datum::Time(nanos)) => ColumnData::Time(Some(time(column, *nanos)?)),
        (Family::Timestamp, Datum::Timestamp(at)) => ColumnData::DateTime2(Some(date_time(column, *at)?)),
        (Family::Instant, Datum::Instant(at)) => {
            ColumnData::DateTimeOffset(Some(DateTimeOffset::new(date_time(column, *at)?, 0)))
        }
        _ => return Err(unfit("value of that kind")),
    })
}

/// As text, which every `decimal` reads without loss and which has one type for all of a column's values.
fn decimal(column: &MsColumn, number: &Decimal) -> Result<ColumnData<'static>, String> {
    let (digits, places) = column.shape.digits.unwrap_or((38, 0));
    let before_point = i64::try_from(number.digits().len()).unwrap_or(i64::MAX) + i64::from(number.exponent());
    if -i64::from(number.exponent()) > places.into() || before_point > i64::from(digits) - i64::from(places) {
        return Err(format!("a column of type {} holds no number of so many digits", column.shape.data_type));
    }
    Ok(ColumnData::String(Some(Cow::Owned(number.to_string()))))
}

/// Refuses a text that is too long, or that the code page of the column cannot write.
fn text_of(column: &MsColumn, text: &str) -> Result<(), String> {
    let page = column.ms_type.code_page;
    let is_narrow = column.ms_type.family() == Family::NarrowText;
    let length = match (is_narrow, page) {
        (true, UTF_8) => text.len(),
        (true, _) => text.chars().count(),
        (false, _) => text.encode_utf16().count(),
    };
    if column.shape.max_length.is_some_and(|most| length > most as usize) {
        return Err(format!("a column of type {} holds no text of that length", column.shape.data_type));
    }
    if is_narrow && page != UTF_8 && !text.is_ascii() && !can_write(page, text) {
        return Err(format!("its code page {page} has not all of its letters (nvarchar has)"));
    }
    Ok(())
}

/// Whether a code page has all of these letters; of one that is not known here, only ASCII is.
fn can_write(page: i32, text: &str) -> bool {
    use encoding_rs as e;
    let encoding = match page {
        874 => e::WINDOWS_874,
        932 => e::SHIFT_JIS,
        936 => e::GBK,
        949 => e::EUC_KR,
        950 => e::BIG5,
        1250 => e::WINDOWS_1250,
        1251 => e::WINDOWS_1251,
        1252 => e::WINDOWS_1252,
        1253 => e::WINDOWS_1253,
        1254 => e::WINDOWS_1254,
        1255 => e::WINDOWS_1255,
        1256 => e::WINDOWS_1256,
        1257 => e::WINDOWS_1257,
        1258 => e::WINDOWS_1258,
        _ => return false,
    };
    !encoding.encode(text).2
}

fn date(column: &MsColumn, days: i32) -> Result<Date, String> {
    let outside = || format!("a column of type {} holds no such day", column.shape.data_type);
    let (first, last) = column.shape.traits.days.unwrap_or((YEAR_1, i32::MAX));
    let number = u32::try_from(days.checked_sub(YEAR_1).ok_or_else(outside)?).map_err(|_| outside())?;
    // The driver has three bytes for it, and does not take more lightly.
    if !(first..=last).contains(&days) || number >= 1 << 24 { Err(outside()) } else { Ok(Date::new(number)) }
}

fn time(column: &MsColumn, nanos: u64) -> Result<Time, String> {
    let is_held = match column.ms_type.name.as_str() {
        "smalldatetime" => nanos.is_multiple_of(60_000_000_000),
        "datetime" => {
            let millis = nanos / 1_000_000;
            let steps = (millis * 3 + 5) / 10;
            nanos.is_multiple_of(1_000_000) && (steps * 10 + 1) / 3 == millis
        }
        _ => nanos.is_multiple_of(10_u64.pow(u32::from(9_u8.saturating_sub(column.ms_type.scale.min(7))))),
    };
    if is_held && nanos < 86_400_000_000_000 {
        Ok(Time::new(nanos / STEP, 7))
    } else {
        Err(format!("a column of type {} holds no such time (datetime2(7) does)", column.shape.data_type))
    }
}

fn date_time(column: &MsColumn, at: Tick) -> Result<DateTime2, String> {
    let outside = || format!("a column of type {} holds no such day", column.shape.data_type);
    let (days, nanos) = civil::day_and_clock(at).ok_or_else(outside)?;
    Ok(DateTime2::new(date(column, days)?, time(column, nanos)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::types::MsType;
    use super::*;
    use crate::endpoint::{Collation, ColumnShape};
    use crate::identity::decode;

    fn column(name: &str, length: i32, precision: u8, scale: u8) -> MsColumn {
        let ms_type = MsType { name: name.into(), length, precision, scale, collation: None, code_page: 1252 };
        let shape = ColumnShape {
            name: "c".into(),
            data_type: ms_type.declared(),
            kind: ms_type.kind(),
            member: None,
            is_nullable: true,
            default_value: None,
            is_identity: false,
            is_computed: false,
            max_length: ms_type.max_length(),
            digits: ms_type.digits(),
            second_places: ms_type.second_places(),
            collation: Collation::default(),
            traits: ms_type.traits(),
        };
        MsColumn { shape, ms_type }
    }

    /// A value that was sent, as it comes back where the server keeps the type in which it was sent.
    fn there_and_back(column: &MsColumn, value: &Datum) -> Result<Datum, String> {
        let mut encoder = Encoder::default();
        put(&mut encoder, column, &parameter(column, value)?)?;
        decode(encoder.as_bytes()).map_err(|e| e.to_string())
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_was_meant(
            number in any::<i64>(),
            float in any::<f64>(),
            days in -719_162_i32..=2_932_896,
            nanos in 0_u64..864_000_000_000,
            seconds in -62_135_596_800_i64..253_402_300_800,
            id in any::<u128>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            // Steps of 100 nanoseconds.
            let at = Tick { seconds, nanos: u32::try_from(nanos % 10_000_000).unwrap() * 100 };
            let mut cases = vec![
                (column("bigint", 8, 19, 0), Datum::Integer(number.into())),
                (column("date", 3, 10, 0), Datum::Date(days)),
                (column("time", 5, 16, 7), Datum::Time(nanos * 100)),
                (column("datetime2", 8, 27, 7), Datum::Timestamp(at)),
                (column("datetimeoffset", 10, 34, 7), Datum::Instant(at)),
                (column("uniqueidentifier", 16, 0, 0), Datum::Uuid(Uuid::from_u128(id))),
                (column("varbinary", -1, 0, 0), Datum::Bytes(bytes)),
            ];
            if float.is_finite() {
                cases.push((column("float", 8, 53, 0), Datum::float(float)));
            }
            for (column, value) in cases {
                prop_assert_eq!(there_and_back(&column, &value), Ok(value));
            }
        }

        /// A `datetime` takes what it shows, and nothing else.
        #[test]
        fn a_datetime_takes_its_own_steps(millis in 0_u32..1000) {
            let is_step = matches!(millis % 10, 0 | 3 | 7);
            let value = Datum::Timestamp(Tick { seconds: 0, nanos: millis * 1_000_000 });
            prop_assert_eq!(parameter(&column("datetime", 8, 23, 3), &value).is_ok(), is_step);
        }
    }
}
