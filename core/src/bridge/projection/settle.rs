//! A value of the right kind as a column holds it.

use super::convert::set;
use super::{Fault, zone};
use crate::endpoint::{ColumnShape, LengthUnit, TimeSteps};
use crate::identity::Json;
use crate::model::{Datum, DatumKind, Decimal, Tick, Unreal, widened};

/// The one form of a value that the column cannot tell from others.
pub(super) fn form(value: Datum, column: &ColumnShape) -> Result<Datum, Fault> {
    let traits = &column.traits;
    let value = match value {
        Datum::Text(mut text) => {
            if traits.rewrites_line_ends && text.contains('\r') {
                text = text.replace("\r\n", "\n").replace('\r', "\n");
            }
            if traits.pads {
                text.truncate(text.trim_end_matches(' ').len());
            }
            Datum::Text(text)
        }
        Datum::Decimal(number) => match column.digits {
            Some((_, places)) => Datum::Decimal(number.rounded(places)),
            None => Datum::Decimal(number),
        },
        Datum::Float(number) if traits.is_single && number.get().is_finite() => {
            #[expect(clippy::cast_possible_truncation, reason = "rounding is what is wanted")]
            let single = number.get() as f32;
            if !single.is_finite() {
                return Err("it is too large for a float of single precision".into());
            }
            Datum::float(widened(single))
        }
        Datum::Instant(at) => match traits.day_zone {
            Some(zone) => Datum::Instant(day(at, zone).ok_or("it lies in a year that has no calendar")?),
            None => Datum::Instant(at),
        },
        Datum::Timestamp(at) => Datum::Timestamp(stepped(at, traits.time_steps)),
        Datum::Json(text) if traits.json_doubles => Datum::Json(with_doubles(&text)?),
        Datum::Set(values) => set(values),
        other => other,
    };
    let is_empty = match &value {
        Datum::Text(text) => text.is_empty(),
        Datum::List(values) | Datum::Set(values) => values.is_empty(),
        _ => false,
    };
    Ok(if is_empty && traits.empty_is_null { Datum::Null } else { value })
}

/// The last step that is not after a time, as its store shows it.
fn stepped(at: Tick, steps: TimeSteps) -> Tick {
    match steps {
        TimeSteps::Decimal => at,
        TimeSteps::Minutes => Tick { seconds: at.seconds.div_euclid(60) * 60, nanos: 0 },
        TimeSteps::ThreeHundredths => {
            let millis = at.nanos / 1_000_000;
            let nearest = (millis * 3 + 5) / 10;
            let shown = |step: u32| (step * 10 + 1) / 3;
            let step = if shown(nearest) > millis { nearest - 1 } else { nearest };
            Tick { nanos: shown(step) * 1_000_000, ..at }
        }
    }
}

fn day(at: Tick, zone: chrono_tz::Tz) -> Option<Tick> {
    zone::day_start(zone::day_of(at, zone)?, zone)
}

/// What is empty of that kind, where nothing cannot be said.
pub(super) fn empty(kind: DatumKind) -> Datum {
    match kind {
        DatumKind::Text => Datum::Text(String::new()),
        DatumKind::Bytes => Datum::Bytes(Vec::new()),
        DatumKind::List => Datum::List(Vec::new()),
        DatumKind::Set => Datum::Set(Vec::new()),
        _ => Datum::Null,
    }
}

/// Cut to that many places of a second.
pub(super) fn cut(value: Datum, places: u8) -> Datum {
    match value {
        Datum::Timestamp(at) => Datum::Timestamp(at.truncated(places)),
        Datum::Instant(at) => Datum::Instant(at.truncated(places)),
        Datum::Time(nanos) => {
            let unit = 10_u64.pow(9 - u32::from(places.min(9)));
            Datum::Time(nanos / unit * unit)
        }
        other => other,
    }
}

/// The document with its numbers as a store has them that knows 64-bit integers and doubles.
fn with_doubles(text: &str) -> Result<String, Fault> {
    let mut document = Json::parse(text).map_err(|error| error.to_string())?;
    if rounded(&mut document) {
        Ok(document.canonical())
    } else {
        Err("a number in it is too large for a double".into())
    }
}

fn rounded(value: &mut Json) -> bool {
    match value {
        Json::Number(number) => {
            let is_exact =
                number.to_integer().is_some_and(|whole| i64::try_from(whole).is_ok() || u64::try_from(whole).is_ok());
            if is_exact {
                return true;
            }
            match Decimal::of_float(number.to_float()) {
                Some(digits) => *number = digits,
                None => return false,
            }
            true
        }
        Json::List(values) => values.iter_mut().all(rounded),
        Json::Members(members) => members.values_mut().all(rounded),
        Json::Null | Json::Boolean(_) | Json::Text(_) => true,
    }
}

/// The value, if the column has room for it.
pub(super) fn fit(value: Datum, column: &ColumnShape) -> Result<Datum, Fault> {
    let traits = &column.traits;
    match &value {
        Datum::Null if !column.is_nullable => return Err(format!("{} has to hold something", column.name)),
        Datum::Integer(number) => {
            if traits.range.is_some_and(|(least, most)| *number < least || *number > most) {
                return Err("the number is out of range".into());
            }
        }
        Datum::Decimal(number) => {
            if let Some((digits, places)) = column.digits {
                let whole = i64::try_from(number.digits().len()).unwrap_or(i64::MAX) + i64::from(number.exponent());
                if whole > i64::from(digits) - i64::from(places) && number.digits() != "0" {
                    return Err(format!(
                        "the number has more than {} digits before the point",
                        digits - places.min(digits)
                    ));
                }
            }
        }
        Datum::Float(number) if !number.get().is_finite() => {
            if !traits.holds_non_finite.unwrap_or(column.kind == Some(DatumKind::Float)) {
                return Err("it is not a finite number".into());
            }
        }
        Datum::Text(text) => fit_text(text, column)?,
        Datum::Bytes(bytes) => fit_length(bytes.len(), "bytes", column)?,
        Datum::Date(days) => fit_day(*days, column)?,
        Datum::Timestamp(at) | Datum::Instant(at) => {
            if traits.days.is_some() {
                let days = i32::try_from(at.seconds.div_euclid(86_400)).map_err(|_| "the time is out of range")?;
                fit_day(days, column)?;
            }
        }
        Datum::Unreal(unreal) if !traits.unreal.contains(unreal) => return Err(unheld(*unreal).into()),
        Datum::List(values) | Datum::Set(values) => {
            for value in values {
                if let Datum::Text(text) = value {
                    fit_choice(text, column)?;
                }
            }
        }
        Datum::Boolean(_)
        | Datum::Null
        | Datum::Uuid(_)
        | Datum::Time(_)
        | Datum::Unreal(_)
        | Datum::Interval(_)
        | Datum::Float(_)
        | Datum::Json(_) => {}
    }
    Ok(value)
}

fn unheld(unreal: Unreal) -> &'static str {
    match unreal {
        Unreal::EndlessDate | Unreal::BeginninglessDate | Unreal::EndlessTime | Unreal::BeginninglessTime => {
            "an infinite date has no room"
        }
        Unreal::ZeroDate | Unreal::ZeroTime => "a date of zeros has no room",
    }
}

fn fit_text(text: &str, column: &ColumnShape) -> Result<(), Fault> {
    let (length, unit) = match column.traits.length_unit {
        LengthUnit::Characters => (text.chars().count(), "characters"),
        LengthUnit::Utf16 => (text.encode_utf16().count(), "UTF-16 units"),
        LengthUnit::Bytes => (text.len(), "bytes"),
    };
    fit_length(length, unit, column)?;
    fit_choice(text, column)
}

fn fit_length(length: usize, unit: &str, column: &ColumnShape) -> Result<(), Fault> {
    match column.max_length {
        Some(most) if length > usize::try_from(most).unwrap_or(usize::MAX) => {
            Err(format!("it has {length} {unit}, and there is room for {most}"))
        }
        _ => Ok(()),
    }
}

fn fit_choice(text: &str, column: &ColumnShape) -> Result<(), Fault> {
    let choices = &column.traits.choices;
    if choices.is_empty() || choices.iter().any(|choice| choice == text) {
        return Ok(());
    }
    Err(format!("it is not among the choices of {}", column.name))
}

fn fit_day(days: i32, column: &ColumnShape) -> Result<(), Fault> {
    match column.traits.days {
        Some((first, last)) if days < first || days > last => Err("the date is out of range".into()),
        _ => Ok(()),
    }
}
