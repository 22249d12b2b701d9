//! Values as PostgreSQL's input functions read them. Every type reads text, so that what is written needs no knowledge of
//! binary forms, and a value that a type refuses is refused by the server itself.

use crate::endpoint::sql::civil;
use crate::model::{Datum, Interval, Tick, Unreal};

/// The value as text; nothing for null.
///
/// # Errors
/// Why PostgreSQL has no such value.
pub(super) fn text_of(value: &Datum) -> Result<Option<String>, String> {
    Ok(Some(match value {
        Datum::Null => return Ok(None),
        Datum::Boolean(flag) => if *flag { "t" } else { "f" }.into(),
        Datum::Integer(number) => number.to_string(),
        Datum::Decimal(number) => number.to_string(),
        Datum::Float(number) => float(number.get()),
        Datum::Text(text) | Datum::Json(text) => {
            if text.contains('\0') {
                return Err("PostgreSQL's texts have no zero bytes".into());
            }
            text.clone()
        }
        Datum::Bytes(bytes) => bytes.iter().fold(String::from("\\x"), |text, byte| text + &format!("{byte:02x}")),
        Datum::Uuid(id) => id.to_string(),
        Datum::Date(days) => date(*days, ""),
        Datum::Time(nanos) => civil::clock_text(nanos / 1000 * 1000),
        Datum::Timestamp(at) => time(*at, "")?,
        Datum::Instant(at) => time(*at, "+00")?,
        Datum::Unreal(Unreal::EndlessDate | Unreal::EndlessTime) => "infinity".into(),
        Datum::Unreal(Unreal::BeginninglessDate | Unreal::BeginninglessTime) => "-infinity".into(),
        Datum::Unreal(Unreal::ZeroDate | Unreal::ZeroTime) => return Err("PostgreSQL has no date of zeros".into()),
        Datum::Interval(span) => interval(*span)?,
        Datum::List(members) | Datum::Set(members) => list(members)?,
    }))
}

fn float(number: f64) -> String {
    if number.is_nan() {
        "NaN".into()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.into()
    } else {
        zmij::Buffer::new().format_finite(number).into()
    }
}

/// A day, and what stands between it and its era. The year before 1 is 1 BC.
fn date(days: i32, rest: &str) -> String {
    let (year, month, day) = civil::civil_of(days);
    let (shown, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    format!("{shown:04}-{month:02}-{day:02}{rest}{era}")
}

/// Cut to microseconds: the server would round, and the last moment of a year would be of the next.
fn time(at: Tick, zone: &str) -> Result<String, String> {
    let (days, nanos) = civil::day_and_clock(at.truncated(6)).ok_or("it is too far away")?;
    Ok(date(days, &format!(" {}{zone}", civil::clock_text(nanos))))
}

fn interval(span: Interval) -> Result<String, String> {
    let Interval { months, days, nanos } = span;
    if nanos % 1000 != 0 {
        return Err("PostgreSQL counts microseconds".into());
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let micros = nanos.unsigned_abs() / 1000;
    Ok(format!("{months} mons {days} days {sign}{}.{:06} secs", micros / 1_000_000, micros % 1_000_000))
}

/// `{"a","b",NULL}`: every member in quotes, so that none is read as something else.
fn list(members: &[Datum]) -> Result<String, String> {
    let mut text = String::from("{");
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        match member {
            Datum::List(inner) | Datum::Set(inner) => text += &list(inner)?,
            _ => match text_of(member)? {
                None => text += "NULL",
                Some(member) => {
                    text.push('"');
                    text += &member.replace('\\', "\\\\").replace('"', "\\\"");
                    text.push('"');
                }
            },
        }
    }
    text.push('}');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &Datum) -> String {
        text_of(value).unwrap().unwrap()
    }

    #[test]
    fn values_read_as_they_were() {
        let list = Datum::List(vec![Datum::Text("a\"b\\,".into()), Datum::Null, Datum::Text("NULL".into())]);
        assert_eq!(text(&list), r#"{"a\"b\\,",NULL,"NULL"}"#);
        assert_eq!(text(&Datum::Date(-719_529)), "0002-12-31 BC", "the year -1 is 2 BC");
        let late = Tick { seconds: 946_684_799, nanos: 999_999_999 };
        assert_eq!(text(&Datum::Instant(late)), "1999-12-31 23:59:59.999999+00");
        let span = Interval { months: -1, days: 2, nanos: -1_500_000_000 };
        assert_eq!(text(&Datum::Interval(span)), "-1 mons 2 days -1.500000 secs");
        assert!(text_of(&Datum::Text("\0".into())).is_err());
        assert!(text_of(&Datum::Unreal(Unreal::ZeroDate)).is_err());
    }
}
