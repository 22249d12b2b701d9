//! Keys as people read them (`source_identity` in the ledger): different keys have different texts, and a text can be read
//! back.
//!
//! Values are joined by commas. Whole numbers, `null`, `true` and `false` stand as they are, text as in JSON
//! (`"DE",4711`), anything else after the name of its kind: `uuid:…`, `date:2026-11-22`, `bytes:00ff`, `decimal:7.5`.
//! Dates and times of years that nobody writes are numbers after an `@`.

use std::fmt::Write as _;

use crate::bridge::written;
use crate::error::{Code, Error, Result};
use crate::identity::{Json, ecmascript};
use crate::model::{Datum, Interval, Tick, Unreal};

/// How deep lists may lie in lists, as in the canonical encoding.
const DEEPEST: usize = 32;

const UNREAL: [(Unreal, &str); 6] = [
    (Unreal::EndlessDate, "endless-date"),
    (Unreal::BeginninglessDate, "beginningless-date"),
    (Unreal::EndlessTime, "endless-time"),
    (Unreal::BeginninglessTime, "beginningless-time"),
    (Unreal::ZeroDate, "zero-date"),
    (Unreal::ZeroTime, "zero-time"),
];

/// A key as people read it.
///
/// ```
/// use portbook::bridge::{read_key, show_key};
/// use portbook::model::Datum;
/// let key = [Datum::Text("DE,\"1\"".into()), Datum::Integer(4711)];
/// assert_eq!(show_key(&key), r#""DE,\"1\"",4711"#);
/// assert_eq!(read_key(&show_key(&key)).unwrap(), key);
/// ```
#[must_use]
pub fn show_key(values: &[Datum]) -> String {
    let mut out = String::new();
    all(values, &mut out);
    out
}

fn all(values: &[Datum], out: &mut String) {
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        one(value, out);
    }
}

fn one(value: &Datum, out: &mut String) {
    let quoted = |text: &str| Json::Text(text.to_owned()).canonical();
    let said = match value {
        Datum::Null => "null".to_owned(),
        Datum::Boolean(value) => value.to_string(),
        Datum::Integer(value) => value.to_string(),
        Datum::Text(text) => quoted(text),
        Datum::Decimal(number) => format!("decimal:{}", ecmascript(number)),
        Datum::Float(number) => format!("float:{:?}", number.get()),
        Datum::Bytes(bytes) => bytes.iter().fold("bytes:".to_owned(), |mut out, byte| {
            // Writing into a text cannot fail.
            write!(out, "{byte:02x}").unwrap_or_default();
            out
        }),
        Datum::Uuid(id) => format!("uuid:{id}"),
        Datum::Date(days) => {
            format!("date:{}", written::show_date(*days).unwrap_or_else(|| format!("@{days}")))
        }
        Datum::Time(nanos) => {
            format!("time:{}", written::show_time(*nanos).unwrap_or_else(|| format!("@{nanos}")))
        }
        Datum::Timestamp(at) => format!("timestamp:{}", tick(*at, "")),
        Datum::Instant(at) => format!("instant:{}", tick(*at, "Z")),
        Datum::Unreal(value) => {
            let name = UNREAL.iter().find(|(each, _)| each == value).map_or("", |(_, name)| name);
            format!("unreal:{name}")
        }
        Datum::Interval(span) => format!("interval:{}/{}/{}", span.months, span.days, span.nanos),
        Datum::Json(text) => format!("json:{}", quoted(text)),
        Datum::List(values) => return members("list:[", values, out),
        Datum::Set(values) => return members("set:[", values, out),
    };
    out.push_str(&said);
}

fn members(opening: &str, values: &[Datum], out: &mut String) {
    out.push_str(opening);
    all(values, out);
    out.push(']');
}

fn tick(at: Tick, zone: &str) -> String {
    match written::show_tick(at) {
        Some(text) => text + zone,
        None => format!("@{}.{:09}", at.seconds, at.nanos),
    }
}

/// The key of a text that [`show_key`] made.
///
/// # Errors
/// `invalid` when it is none.
pub fn read_key(text: &str) -> Result<Vec<Datum>> {
    let mut rest = text;
    let values = values(&mut rest, 0).filter(|_| rest.is_empty());
    // A text that says the same in another way was not made here.
    values.filter(|values| show_key(values) == text).ok_or_else(|| {
        Error::new(Code::Invalid, "read the key", crate::model::escaped(text.as_bytes()))
            .because("it is not written as keys are")
    })
}

fn values(rest: &mut &str, depth: usize) -> Option<Vec<Datum>> {
    let mut values = Vec::new();
    if depth > DEEPEST || rest.is_empty() || rest.starts_with(']') {
        return (depth <= DEEPEST).then_some(values);
    }
    loop {
        values.push(value(rest, depth)?);
        match rest.strip_prefix(',') {
            Some(tail) => *rest = tail,
            None => return Some(values),
        }
    }
}

fn value(rest: &mut &str, depth: usize) -> Option<Datum> {
    if rest.starts_with('"') {
        return quoted(rest).map(Datum::Text);
    }
    for (opening, make) in [("list:[", Datum::List as fn(Vec<Datum>) -> Datum), ("set:[", Datum::Set)] {
        if let Some(tail) = rest.strip_prefix(opening) {
            *rest = tail;
            let members = values(rest, depth + 1)?;
            *rest = rest.strip_prefix(']')?;
            return Some(make(members));
        }
    }
    if let Some(tail) = rest.strip_prefix("json:") {
        *rest = tail;
        return quoted(rest).map(Datum::Json);
    }
    let (word, tail) = rest.split_at(rest.find([',', ']']).unwrap_or(rest.len()));
    *rest = tail;
    plain(word)
}

/// Takes a text in quotes.
fn quoted(rest: &mut &str) -> Option<String> {
    let mut is_escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        ends
    })?;
    let (text, tail) = rest.split_at(end.0 + 1);
    *rest = tail;
    serde_json::from_str(text).ok()
}

fn plain(word: &str) -> Option<Datum> {
    let Some((kind, said)) = word.split_once(':') else {
        return Some(match word {
            "null" => Datum::Null,
            "true" => Datum::Boolean(true),
            "false" => Datum::Boolean(false),
            _ => Datum::Integer(word.parse().ok()?),
        });
    };
    let numbered = said.strip_prefix('@');
    Some(match kind {
        "decimal" => Datum::Decimal(said.parse().ok()?),
        "float" => Datum::float(said.parse().ok()?),
        "bytes" => Datum::Bytes(bytes(said)?),
        "uuid" => Datum::Uuid(said.parse().ok()?),
        "date" => Datum::Date(numbered.map_or_else(|| written::read_date(said), |days| days.parse().ok())?),
        "time" => Datum::Time(numbered.map_or_else(|| written::read_time(said), |nanos| nanos.parse().ok())?),
        "timestamp" => Datum::Timestamp(numbered.map_or_else(|| written::read_tick(said), far)?),
        "instant" => Datum::Instant(numbered.map_or_else(|| written::read_instant(said), far)?),
        "unreal" => Datum::Unreal(UNREAL.iter().find(|(_, name)| *name == said)?.0),
        "interval" => {
            let mut parts = said.splitn(3, '/');
            let (months, days) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Datum::Interval(Interval { months, days, nanos: parts.next()?.parse().ok()? })
        }
        _ => return None,
    })
}

fn far(text: &str) -> Option<Tick> {
    let (seconds, nanos) = text.split_once('.')?;
    Some(Tick { seconds: seconds.parse().ok()?, nanos: nanos.parse().ok()? })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::any_datum;

    proptest! {
        #[test]
        fn keys_read_back_so_different_ones_differ(key in proptest::collection::vec(any_datum(), 0..4)) {
            prop_assert_eq!(read_key(&show_key(&key)).unwrap(), key);
        }

        #[test]
        fn other_texts_are_refused_or_read_as_themselves(text in "[a-z0-9\":,@./\\[\\]\\\\ -]{0,24}|(list:\\[|set:\\[|\"a\"|,|\\]|date:2026-01-01|time:24:00){0,6}") {
            if let Ok(key) = read_key(&text) {
                prop_assert_eq!(show_key(&key), text);
            }
        }
    }

    #[test]
    fn what_separates_may_be_part_of_a_value() {
        let text = |text: &str| Datum::Text(text.into());
        let keys = [
            vec![text("a|b"), text("c")],
            vec![text("a"), text("b|c")],
            vec![text("a,b")],
            vec![text("a"), text("b")],
            vec![text("null")],
            vec![Datum::Null],
            vec![text("7")],
            vec![Datum::Integer(7)],
            vec![Datum::Decimal(7.into())],
            vec![],
            vec![text("")],
        ];
        let shown: std::collections::BTreeSet<_> = keys.iter().map(|key| show_key(key)).collect();
        assert_eq!(shown.len(), keys.len());
    }
}
