//! A value of one kind as one of another.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono_tz::Tz;
use uuid::Uuid;

use super::{Fault, zone};
use crate::bridge::written;
use crate::identity::{Json, canonical_json, ecmascript, encode};
use crate::model::{Datum, DatumKind, Decimal, Tick};

/// How values cross where their kinds alone do not say it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The zone that days begin in.
    pub(super) zone: Option<Tz>,
    /// The zone that times without one are meant in.
    pub(super) clock_zone: Option<Tz>,
    pub(super) members: Members,
}

/// What a text is to a list or set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Members {
    /// Its only member.
    Single,
    /// All of them, in JSON.
    Json,
}

impl Rules {
    /// What is to be declared for these kinds to cross.
    pub(super) fn missing_zone(&self, from: DatumKind, to: DatumKind) -> Option<&'static str> {
        use DatumKind as K;
        match (from, to) {
            (K::Timestamp, K::Instant) | (K::Instant, K::Timestamp) if self.clock_zone.is_none() => {
                Some("a time without a zone is no point in time")
            }
            (K::Date, K::Instant) | (K::Instant, K::Date) if self.zone.is_none() => {
                Some("a day begins at no point in time without a zone")
            }
            _ => None,
        }
    }
}

pub(super) fn is_many(kind: DatumKind) -> bool {
    matches!(kind, DatumKind::List | DatumKind::Set)
}

/// Whether values of these kinds can cross in both directions.
pub(super) fn crosses(left: DatumKind, right: DatumKind) -> bool {
    use DatumKind as K;
    let one_way = |left, right| {
        matches!(
            (left, right),
            (K::Boolean, K::Integer)
                | (K::Integer, K::Decimal | K::Float | K::Text)
                | (K::Decimal, K::Float | K::Text)
                | (K::Float | K::Bytes | K::Time | K::Timestamp | K::Instant | K::Json, K::Text)
                | (K::Uuid, K::Text | K::Bytes)
                | (K::Date, K::Timestamp | K::Instant | K::Text)
                | (K::Timestamp, K::Instant)
                | (K::List, K::Set | K::Text)
                | (K::Set, K::Text)
        )
    };
    left == right || one_way(left, right) || one_way(right, left)
}

/// The value as one of that kind.
pub(super) fn to(value: Datum, kind: DatumKind, member: Option<DatumKind>, rules: &Rules) -> Result<Datum, Fault> {
    let Some(own) = value.kind() else { return Ok(Datum::Null) };
    if is_many(own) || is_many(kind) {
        return many(value, kind, member, rules);
    }
    if own == kind {
        return Ok(value);
    }
    match kind {
        DatumKind::Boolean | DatumKind::Integer | DatumKind::Decimal | DatumKind::Float => number(value, kind),
        DatumKind::Text => text(&value).map(Datum::Text),
        DatumKind::Bytes | DatumKind::Uuid => opaque(value, kind),
        DatumKind::Date | DatumKind::Time | DatumKind::Timestamp | DatumKind::Instant => moment(value, kind, rules),
        DatumKind::Json => match value {
            Datum::Text(text) => canonical_json(&text).map(Datum::Json).map_err(|error| error.to_string()),
            other => Err(strange(&other, kind)),
        },
        DatumKind::Interval | DatumKind::List | DatumKind::Set => Err(strange(&value, kind)),
    }
}

fn strange(value: &Datum, kind: DatumKind) -> Fault {
    match value {
        Datum::Unreal(_) => format!("a date that is none has no form as {kind}"),
        other => format!("{} is not {kind}", other.kind().map_or("nothing", DatumKind::as_str)),
    }
}

fn number(value: Datum, kind: DatumKind) -> Result<Datum, Fault> {
    let fault = || strange(&value, kind);
    let exact = match &value {
        Datum::Boolean(value) if kind == DatumKind::Integer => return Ok(Datum::Integer(i128::from(*value))),
        Datum::Integer(value @ (0 | 1)) if kind == DatumKind::Boolean => return Ok(Datum::Boolean(*value == 1)),
        Datum::Integer(_) if kind == DatumKind::Boolean => return Err("only 0 and 1 are truth values".into()),
        Datum::Text(word) if kind == DatumKind::Float && non_finite(word).is_some() => {
            return Ok(Datum::float(non_finite(word).unwrap_or(f64::NAN)));
        }
        Datum::Integer(value) => Decimal::from(*value),
        Datum::Decimal(value) => value.clone(),
        Datum::Float(value) => Decimal::of_float(value.get()).ok_or("it is not a finite number")?,
        Datum::Text(text) => text.parse().map_err(|_| "its text is not a number")?,
        _ => return Err(fault()),
    };
    match kind {
        DatumKind::Integer => exact.to_integer().map(Datum::Integer).ok_or_else(|| "it is not a whole number".into()),
        DatumKind::Decimal => Ok(Datum::Decimal(exact)),
        DatumKind::Float => {
            let float = exact.to_float();
            if Decimal::of_float(float).as_ref() == Some(&exact) {
                return Ok(Datum::float(float));
            }
            Err("a float cannot hold all of its digits".into())
        }
        _ => Err(fault()),
    }
}

fn non_finite(word: &str) -> Option<f64> {
    match word {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// The one text of a value.
pub(crate) fn text(value: &Datum) -> Result<String, Fault> {
    let far = || "it lies in a year that is not written".to_owned();
    Ok(match value {
        Datum::Integer(value) => value.to_string(),
        Datum::Decimal(value) => value.to_string(),
        Datum::Float(value) => match Decimal::of_float(value.get()) {
            Some(digits) => ecmascript(&digits),
            None if value.get().is_nan() => "NaN".into(),
            None => if value.get() > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        },
        Datum::Text(text) | Datum::Json(text) => text.clone(),
        Datum::Bytes(bytes) => BASE64.encode(bytes),
        Datum::Uuid(id) => id.to_string(),
        Datum::Date(days) => written::show_date(*days).ok_or_else(far)?,
        Datum::Time(nanos) => written::show_time(*nanos).ok_or("it is no time of day")?,
        Datum::Timestamp(at) => written::show_tick(*at).ok_or_else(far)?,
        Datum::Instant(at) => written::show_tick(*at).ok_or_else(far)? + "Z",
        other => return Err(strange(other, DatumKind::Text)),
    })
}

fn opaque(value: Datum, kind: DatumKind) -> Result<Datum, Fault> {
    Ok(match (value, kind) {
        (Datum::Text(text), DatumKind::Bytes) => {
            Datum::Bytes(BASE64.decode(text).map_err(|_| "its text is not base64")?)
        }
        (Datum::Uuid(id), DatumKind::Bytes) => Datum::Bytes(id.as_bytes().to_vec()),
        (Datum::Text(text), DatumKind::Uuid) => Datum::Uuid(text.parse().map_err(|_| "its text is not a UUID")?),
        (Datum::Bytes(bytes), DatumKind::Uuid) => {
            Datum::Uuid(Uuid::from_slice(&bytes).map_err(|_| "a UUID has 16 bytes")?)
        }
        (other, kind) => return Err(strange(&other, kind)),
    })
}

fn moment(value: Datum, kind: DatumKind, rules: &Rules) -> Result<Datum, Fault> {
    use DatumKind as K;
    let far = "it lies in a year that has no calendar";
    let zone = || rules.zone.ok_or("no zone is declared");
    let clock = || rules.clock_zone.ok_or("no zone is declared");
    let day = |at: Tick| written::split(at).map(|(day, _)| Datum::Date(day)).ok_or(far);
    Ok(match (value, kind) {
        (Datum::Date(days), K::Timestamp) => Datum::Timestamp(written::midnight(days)),
        (Datum::Date(days), K::Instant) => {
            Datum::Instant(zone::day_start(days, zone()?).ok_or("the zone has no such day")?)
        }
        (Datum::Timestamp(at), K::Date) => day(at)?,
        (Datum::Instant(at), K::Date) => Datum::Date(zone::day_of(at, zone()?).ok_or(far)?),
        (Datum::Timestamp(at), K::Instant) => {
            let clock = clock()?;
            Datum::Instant(zone::from_wall(at, clock).ok_or("the clock of the zone was put forward over that time")?)
        }
        (Datum::Instant(at), K::Timestamp) => Datum::Timestamp(zone::to_wall(at, clock()?).ok_or(far)?),
        (Datum::Text(text), kind) => read_moment(&text, kind).ok_or("its text is not in ISO 8601")?,
        (other, kind) => return Err(strange(&other, kind)),
    })
}

/// A day or a time from its text in ISO 8601.
pub(crate) fn read_moment(text: &str, kind: DatumKind) -> Option<Datum> {
    match kind {
        DatumKind::Date => written::read_date(text).map(Datum::Date),
        DatumKind::Time => written::read_time(text).map(Datum::Time),
        DatumKind::Timestamp => written::read_tick(text).map(Datum::Timestamp),
        DatumKind::Instant => written::read_instant(text).map(Datum::Instant),
        _ => None,
    }
}

/// Between lists, sets, and texts that stand for them.
fn many(value: Datum, kind: DatumKind, member: Option<DatumKind>, rules: &Rules) -> Result<Datum, Fault> {
    let own = value.kind();
    let of_member = |value: Datum| match member {
        Some(member) => to(value, member, None, rules),
        None => Ok(value),
    };
    let values = match value {
        Datum::List(values) | Datum::Set(values) => values,
        Datum::Text(text) => match rules.members {
            Members::Single => vec![Datum::Text(text)],
            Members::Json => listed(&text)?,
        },
        other => return Err(strange(&other, kind)),
    };
    match kind {
        DatumKind::List => Ok(Datum::List(values.into_iter().map(of_member).collect::<Result<_, _>>()?)),
        DatumKind::Set => Ok(set(values.into_iter().map(of_member).collect::<Result<_, _>>()?)),
        DatumKind::Text => match (rules.members, own) {
            (Members::Json, Some(DatumKind::List)) => in_json(values),
            // Sorted, so that the text is one whatever order they came in.
            (Members::Json, _) => match set(values) {
                Datum::Set(values) => in_json(values),
                other => Err(strange(&other, kind)),
            },
            (Members::Single, _) => match <[Datum; 1]>::try_from(values) {
                Ok([only]) => to(only, DatumKind::Text, None, rules),
                Err(values) if values.is_empty() => Ok(Datum::Null),
                Err(_) => Err("only one of its values has room".into()),
            },
        },
        other => Err(format!("a list is not {other}")),
    }
}

/// A set of these values: sorted by their encoding, each once.
pub(super) fn set(mut values: Vec<Datum>) -> Datum {
    values.sort_by_cached_key(encode);
    values.dedup();
    Datum::Set(values)
}

fn in_json(values: Vec<Datum>) -> Result<Datum, Fault> {
    let texts = values.iter().map(|value| match value {
        Datum::Null => Ok(Json::Null),
        value => text(value).map(Json::Text),
    });
    Ok(Datum::Text(Json::List(texts.collect::<Result<_, _>>()?).canonical()))
}

fn listed(text: &str) -> Result<Vec<Datum>, Fault> {
    let fault = || "its text is not a JSON list of texts".to_owned();
    let Ok(Json::List(values)) = Json::parse(text) else { return Err(fault()) };
    let member = |value| match value {
        Json::Null => Ok(Datum::Null),
        Json::Text(text) => Ok(Datum::Text(text)),
        Json::Number(number) => Ok(Datum::Text(number.to_string())),
        Json::Boolean(_) | Json::List(_) | Json::Members(_) => Err(fault()),
    };
    values.into_iter().map(member).collect()
}
