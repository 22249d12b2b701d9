//! Values of rows as JSON, for hosts that bring rows of their own.
//!
//! The forms are those of `docs/rows.md`, whose examples are tested here: what every host has in JSON as it is, and text for the rest.
//! Whole numbers are numbers between ±(2^53 - 1), decimal ones of at most 15 digits; beyond that they are the text of their digits.
//!
//! `null` is nothing, whatever the kind. Anything else is no value of its column: nothing is converted on a guess.

use serde_json::{Number, Value};

use super::projection::{cast, text};
use crate::error::{Code, Error};
use crate::identity::{canonical_json, encode};
use crate::model::{Datum, DatumKind, Decimal};

/// The largest whole number that every host has.
const MOST: i64 = (1 << 53) - 1;

/// Digits of a decimal number that a double keeps.
const DOUBLE_DIGITS: usize = 15;

/// The value of a column of that kind that a JSON value is; `member` is the kind of the members of lists and sets.
///
/// ```
/// use portbook::bridge::read_value;
/// use portbook::model::{Datum, DatumKind};
/// use serde_json::json;
/// assert_eq!(read_value(&json!("12.50"), DatumKind::Decimal, None).unwrap(), Datum::Decimal("12.5".parse().unwrap()));
/// assert!(read_value(&json!(9007199254740993_i64), DatumKind::Integer, None).is_err());
/// assert_eq!(read_value(&json!("9007199254740993"), DatumKind::Integer, None).unwrap(), Datum::Integer(9007199254740993));
/// ```
///
/// # Errors
/// `invalid` when it is none.
pub fn read_value(value: &Value, kind: DatumKind, member: Option<DatumKind>) -> crate::Result<Datum> {
    let wrong = |why: String| Error::new(Code::Invalid, "read a value of the kind", kind).because(why);
    read(value, kind, member).map_err(wrong)
}

fn read(value: &Value, kind: DatumKind, member: Option<DatumKind>) -> Result<Datum, String> {
    use DatumKind as K;
    match (kind, value) {
        (_, Value::Null) => Ok(Datum::Null),
        (K::Json, document) => {
            canonical_json(&document.to_string()).map(Datum::Json).map_err(|error| error.to_string())
        }
        (K::Boolean, Value::Bool(flag)) => Ok(Datum::Boolean(*flag)),
        (K::Integer | K::Decimal | K::Float, Value::Number(said)) => number(said, kind),
        (K::Text, Value::String(said)) => Ok(Datum::Text(said.clone())),
        (
            K::Integer | K::Decimal | K::Float | K::Bytes | K::Uuid | K::Date | K::Time | K::Timestamp | K::Instant,
            Value::String(said),
        ) => cast(Datum::Text(said.clone()), kind),
        (K::List | K::Set, Value::Array(members)) => {
            let member = member.ok_or("what its members are is not known")?;
            let members = members.iter().map(|value| read(value, member, None)).collect::<Result<Vec<_>, _>>()?;
            Ok(if kind == K::List { Datum::List(members) } else { set(members) })
        }
        (K::Interval, _) => Err("spans of time have no form in JSON".into()),
        (_, other) => Err(format!("it is {}", what(other))),
    }
}

/// Sorted by their encoding, each once.
fn set(mut members: Vec<Datum>) -> Datum {
    members.sort_by_cached_key(encode);
    members.dedup();
    Datum::Set(members)
}

fn number(said: &Number, kind: DatumKind) -> Result<Datum, String> {
    let float = said.as_f64().ok_or("it is no number")?;
    if kind == DatumKind::Float {
        return Ok(Datum::float(float));
    }
    let many = || "it has more digits than a number of every host keeps: give it as text".to_owned();
    match said.as_i64() {
        Some(whole) if (-MOST..=MOST).contains(&whole) => cast(Datum::Integer(whole.into()), kind),
        None if said.is_f64() => {
            let exact =
                Decimal::of_float(float).filter(|exact| exact.digits().len() <= DOUBLE_DIGITS).ok_or_else(many)?;
            cast(Datum::Decimal(exact), kind)
        }
        Some(_) | None => Err(many()),
    }
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

/// The JSON of a value, which [`read_value`] reads back.
///
/// # Errors
/// `unsupported` for what has no form in JSON: spans of time, dates and times that are none, years that have no calendar, and
/// documents with numbers that are no doubles.
pub fn show_value(value: &Datum) -> crate::Result<Value> {
    show(value).map_err(|why| Error::new(Code::Unsupported, "write a value as JSON", "").because(why))
}

fn show(value: &Datum) -> Result<Value, String> {
    Ok(match value {
        Datum::Null => Value::Null,
        Datum::Boolean(flag) => Value::Bool(*flag),
        Datum::Integer(whole) => match i64::try_from(*whole) {
            Ok(whole) if (-MOST..=MOST).contains(&whole) => whole.into(),
            Ok(_) | Err(_) => whole.to_string().into(),
        },
        Datum::Float(float) => {
            Number::from_f64(float.get()).map_or_else(|| text(value).map(Value::String), |n| Ok(n.into()))?
        }
        Datum::Json(document) => {
            let shown: Value = serde_json::from_str(document).map_err(|error| error.to_string())?;
            if canonical_json(&shown.to_string()).map_err(|error| error.to_string())? != *document {
                return Err("it has numbers with more digits than a double keeps".into());
            }
            shown
        }
        Datum::List(members) | Datum::Set(members) => members.iter().map(show).collect::<Result<_, _>>()?,
        Datum::Decimal(_)
        | Datum::Text(_)
        | Datum::Bytes(_)
        | Datum::Uuid(_)
        | Datum::Date(_)
        | Datum::Time(_)
        | Datum::Timestamp(_)
        | Datum::Instant(_)
        | Datum::Unreal(_)
        | Datum::Interval(_) => text(value).map(Value::String)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::identity::any_datum;

    /// The kind of the members of a list, where they have one.
    fn member(value: &Datum) -> Option<Option<DatumKind>> {
        let (Datum::List(members) | Datum::Set(members)) = value else { return Some(None) };
        let mut kinds = members.iter().filter_map(Datum::kind);
        let first = kinds.next().unwrap_or(DatumKind::Text);
        let is_plain = !matches!(first, DatumKind::List | DatumKind::Set);
        (is_plain && kinds.all(|kind| kind == first)).then_some(Some(first))
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(value in any_datum()) {
            let (Some(kind), Some(member)) = (value.kind(), member(&value)) else { return Ok(()) };
            if let Ok(shown) = show_value(&value) {
                // `null` as a document and nothing are one in JSON.
                let is_null = shown.is_null();
                // Through the text, as it crosses.
                let again: Value = serde_json::from_str(&shown.to_string()).unwrap();
                let read = read_value(&again, kind, member).unwrap();
                prop_assert!(read == value || (is_null && read == Datum::Null), "{shown}: {read:?}");
            }
        }
    }

    /// The kinds of a row of the table of the document, and its examples.
    fn documented(line: &str) -> Option<(Vec<DatumKind>, Vec<Value>)> {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let kinds = cells.next()?.split(", ").map(|kind| kind.trim_matches('`'));
        let kinds: Vec<DatumKind> =
            kinds.filter_map(|kind| KINDS.iter().copied().find(|k| k.as_str() == kind)).collect();
        let examples = cells.next()?.split('`').skip(1).step_by(2).map(|said| serde_json::from_str(said).unwrap());
        (!kinds.is_empty()).then(|| (kinds, examples.collect()))
    }

    const KINDS: &[DatumKind] = {
        use DatumKind as K;
        &[
            K::Boolean,
            K::Integer,
            K::Decimal,
            K::Float,
            K::Text,
            K::Bytes,
            K::Uuid,
            K::Date,
            K::Time,
            K::Timestamp,
            K::Instant,
            K::Json,
            K::List,
            K::Set,
        ]
    };

    #[test]
    fn the_examples_of_the_document_hold() {
        let document = include_str!("../../../docs/rows.md");
        let mut met = Vec::new();
        for (kinds, examples) in document.lines().filter_map(documented) {
            for kind in kinds {
                for said in &examples {
                    let read = read_value(said, kind, Some(DatumKind::Text)).unwrap();
                    assert_eq!(read.kind(), Some(kind), "{said}");
                }
                assert!(!examples.is_empty(), "{kind}");
                met.push(kind);
            }
        }
        assert_eq!(met, KINDS);
    }

    #[test]
    fn every_kind_has_its_form() {
        use DatumKind as K;
        for (kind, said, expected) in [
            (K::Boolean, json!(true), Datum::Boolean(true)),
            (K::Integer, json!(-7), Datum::Integer(-7)),
            (K::Integer, json!("170141183460469231731687303715884105727"), Datum::Integer(i128::MAX)),
            (K::Decimal, json!(0.1), Datum::Decimal("0.1".parse().unwrap())),
            (
                K::Decimal,
                json!("12345678901234567890.123"),
                Datum::Decimal("12345678901234567890.123".parse().unwrap()),
            ),
            (K::Float, json!(1e300), Datum::float(1e300)),
            (K::Float, json!("-Infinity"), Datum::float(f64::NEG_INFINITY)),
            (K::Text, json!(""), Datum::Text(String::new())),
            (K::Bytes, json!("AP8="), Datum::Bytes(vec![0, 255])),
            (K::Date, json!("1970-01-02"), Datum::Date(1)),
            (K::Json, json!({"b": [1.0, null], "a": "x"}), Datum::Json(r#"{"a":"x","b":[1,null]}"#.into())),
        ] {
            assert_eq!(read_value(&said, kind, None).unwrap(), expected, "{kind} {said}");
            assert_eq!(read_value(&Value::Null, kind, None).unwrap(), Datum::Null);
        }
        let members = [Datum::Integer(2), Datum::Null];
        assert_eq!(read_value(&json!([2, null]), K::List, Some(K::Integer)).unwrap(), Datum::List(members.to_vec()));
    }

    #[test]
    fn nothing_is_guessed() {
        use DatumKind as K;
        for (kind, said) in [
            (K::Boolean, json!(1)),
            (K::Boolean, json!("true")),
            (K::Integer, json!(1.5)),
            (K::Integer, json!(9_007_199_254_740_992_i64)),
            (K::Integer, json!(u64::MAX)),
            (K::Integer, json!(true)),
            (K::Integer, json!("one")),
            (K::Decimal, json!(0.1_f64 + 0.2)),
            (K::Decimal, json!("NaN")),
            (K::Float, json!("much")),
            (K::Text, json!(7)),
            (K::Text, json!(["x"])),
            (K::Bytes, json!("not base64!")),
            (K::Bytes, json!([1, 2])),
            (K::Uuid, json!("x")),
            (K::Date, json!("2026-02-30")),
            (K::Instant, json!("2026-11-22T10:00:00")),
            (K::Timestamp, json!(1_700_000_000)),
            (K::Interval, json!("P1D")),
            (K::List, json!([1])),
        ] {
            let error = read_value(&said, kind, None).unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{kind} {said}");
        }
    }
}
