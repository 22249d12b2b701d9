//! Values as items have them in JSON.
//!
//! A value that does not fit its column is refused either way: SharePoint cuts, joins and converts without a word what it
//! does not refuse.

use chrono::{DateTime, Days, NaiveDate, TimeZone as _};
use chrono_tz::Tz;
use serde_json::{Number, Value};

use super::describe::{Form, LINE};
use crate::endpoint::ColumnShape;
use crate::endpoint::sql::civil;
use crate::identity::{Encoder, encode};
use crate::model::{Datum, Tick};

const HOUR: i64 = 3600;

/// Writes what an item holds; nothing there is null.
///
/// # Errors
/// Why it is no value of its column.
pub(super) fn put(encoder: &mut Encoder, form: Form, value: Option<&Value>) -> Result<(), String> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        encoder.null();
        return Ok(());
    };
    let other = || format!("it holds {}, which its column does not say", what(value));
    match (form, value) {
        (Form::Id | Form::Lookup, Value::String(id)) => encoder.integer(id.parse().map_err(|_| other())?),
        (Form::Id | Form::Lookup, Value::Number(id)) => encoder.integer(id.as_i64().ok_or_else(other)?),
        (Form::Version | Form::Line | Form::Lines | Form::Choice, Value::String(text)) => encoder.text(text),
        (Form::Number, Value::Number(number)) => encoder.float(number.as_f64().ok_or_else(other)?),
        (Form::Flag, Value::Bool(flag)) => encoder.boolean(*flag),
        (Form::Instant, Value::String(text)) => encoder.instant(instant(text).ok_or_else(other)?),
        (Form::Day(zone), Value::String(text)) => encoder.date(day_of(instant(text).ok_or_else(other)?, zone)?),
        (Form::Choices, Value::Array(members)) => {
            let member = |member: &Value| Some(encode(&Datum::Text(member.as_str()?.to_owned())));
            encoder.set(members.iter().map(member).collect::<Option<_>>().ok_or_else(other)?);
        }
        _ => return Err(other()),
    }
    Ok(())
}

/// What is written into an item.
///
/// # Errors
/// Why the column cannot hold it.
pub(super) fn json(column: &ColumnShape, form: Form, value: &Datum) -> Result<Value, String> {
    let far = || "SharePoint knows the years 1900 to 8900".to_owned();
    match (form, value) {
        (_, Datum::Null) => Ok(Value::Null),
        (Form::Line, Datum::Text(text)) if text.contains(['\r', '\n']) => {
            Err("its column has one line, and it has a line break".into())
        }
        (Form::Line | Form::Lines | Form::Choice, Datum::Text(text)) => fitting(column, text).map(Value::from),
        (Form::Number, Datum::Float(number)) => {
            Number::from_f64(number.get()).map(Value::Number).ok_or_else(|| "SharePoint has no such number".into())
        }
        (Form::Flag, Datum::Boolean(flag)) => Ok((*flag).into()),
        (Form::Lookup, Datum::Integer(id)) => {
            u64::try_from(*id).map(Value::from).map_err(|_| "it is no id of an item".into())
        }
        (Form::Instant, Datum::Instant(at)) if at.nanos != 0 => Err("SharePoint keeps whole seconds".into()),
        (Form::Instant, Datum::Instant(at)) => written(column, *at).ok_or_else(far),
        (Form::Day(zone), Datum::Date(days)) => {
            written(column, day_start(*days, zone).ok_or_else(far)?).ok_or_else(far)
        }
        (Form::Choices, Datum::Set(members)) => {
            let member = |member: &Datum| match member {
                Datum::Text(text) => fitting(column, text).map(Value::from),
                _ => Err("its members are no texts".to_owned()),
            };
            members.iter().map(member).collect()
        }
        (_, other) => {
            let kind = other.kind().map_or("nothing", |kind| kind.as_str());
            Err(format!("it is of the kind {kind}, which its column ({}) is not", column.data_type))
        }
    }
}

/// What has to stand beside a value of that form: what its members are.
pub(super) fn annotation(form: Form) -> Option<&'static str> {
    (form == Form::Choices).then_some("Collection(Edm.String)")
}

fn fitting<'t>(column: &ColumnShape, text: &'t str) -> Result<&'t str, String> {
    let most = column.max_length.unwrap_or(u32::MAX) as usize;
    if text.encode_utf16().count() > most {
        return Err(format!("it has more than the {} characters of its column", most.min(LINE as usize)));
    }
    Ok(text)
}

fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A time of ISO 8601 that says its zone.
pub(super) fn instant(text: &str) -> Option<Tick> {
    let (at, zone) = civil::parse_timestamp(text)?;
    Some(Tick { seconds: at.seconds - zone?, nanos: at.nanos })
}

fn written(column: &ColumnShape, at: Tick) -> Option<Value> {
    let (day, _) = civil::day_and_clock(at)?;
    // A day of the years' ends may begin in the year beside it.
    let (first, last) = column.traits.days.unwrap_or((i32::MIN, i32::MAX));
    (first..=last).contains(&day).then_some(())?;
    Some(format!("{}Z", civil::timestamp_text(at)?.replacen(' ', "T", 1)).into())
}

/// The day that begins then where the site is. Without a zone it is that of the midnight nearest by, unless a site west and
/// one east of the date line could both mean it.
fn day_of(at: Tick, zone: Option<Tz>) -> Result<i32, String> {
    let far = || "it lies in a year that has no calendar".to_owned();
    let Some(zone) = zone else {
        let seconds = at.seconds.rem_euclid(civil::DAY);
        if (10 * HOUR..=12 * HOUR).contains(&seconds) {
            return Err("which day it is depends on the zone of the site, which is not told".into());
        }
        return civil::day_and_clock(Tick { seconds: at.seconds + 12 * HOUR, nanos: 0 })
            .map(|(day, _)| day)
            .ok_or_else(far);
    };
    let utc = DateTime::from_timestamp(at.seconds, 0).ok_or_else(far)?;
    let days = utc.with_timezone(&zone).date_naive().signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(days).map_err(|_| far())
}

/// When a day begins where the site is. Without a zone it is noon of UTC, which lies in that day from 12 hours west to nearly
/// 12 hours east: SharePoint makes the beginning of it.
fn day_start(days: i32, zone: Option<Tz>) -> Option<Tick> {
    let Some(zone) = zone else {
        return Some(Tick { seconds: i64::from(days) * civil::DAY + 12 * HOUR, nanos: 0 });
    };
    let day = NaiveDate::default();
    let ahead = Days::new(days.unsigned_abs().into());
    let day = if days < 0 { day.checked_sub_days(ahead) } else { day.checked_add_days(ahead) }?;
    // Where clocks are put forward at midnight the day begins an hour later.
    let start = (0..24).find_map(|hour| zone.from_local_datetime(&day.and_hms_opt(hour, 0, 0)?).earliest())?;
    Some(Tick { seconds: start.timestamp(), nanos: 0 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn day(text: &str, zone: Option<Tz>) -> Result<i32, String> {
        day_of(instant(text).unwrap(), zone)
    }

    #[test]
    fn a_day_is_where_the_site_is() {
        let expected = civil::parse_date("2024-03-10").unwrap();
        for (text, zone) in [
            ("2024-03-10T00:00:00Z", None),
            ("2024-03-10T08:00:00Z", None),
            ("2024-03-09T12:30:00Z", None),
            ("2024-03-10T10:00:00Z", Some(Tz::Pacific__Honolulu)),
            ("2024-03-09T11:00:00Z", Some(Tz::Pacific__Auckland)),
        ] {
            assert_eq!(day(text, zone), Ok(expected), "{text}");
        }
        assert!(day("2024-03-10T10:00:00Z", None).is_err(), "Hawaii and Kiribati differ");
        for zone in [Tz::Pacific__Honolulu, Tz::Pacific__Auckland, Tz::America__Sao_Paulo, Tz::Europe__Berlin] {
            for days in [expected, 0, -20_000, 17_838] {
                assert_eq!(day_of(day_start(days, Some(zone)).unwrap(), Some(zone)), Ok(days), "{zone}");
            }
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        for (form, value) in [
            (Form::Number, json!("7")),
            (Form::Flag, json!(1)),
            (Form::Line, json!(7)),
            (Form::Instant, json!("2024-01-01T00:00:00")),
            (Form::Instant, json!("soon")),
            (Form::Choices, json!("a")),
            (Form::Choices, json!(["a", 1])),
            (Form::Lookup, json!("x")),
            (Form::Lookup, json!(1.5)),
            (Form::Unknown, json!("x")),
        ] {
            assert!(put(&mut Encoder::default(), form, Some(&value)).is_err(), "{form:?} {value}");
        }
    }
}
