//! The value of an expression for a row.

use chrono::{Months, NaiveDateTime, TimeDelta};

use super::function::Function;
use super::pattern::{self, NumberPattern, Unit};
use super::{Fault, Node, Order, compare};
use crate::bridge::projection::cast;
use crate::bridge::written;
use crate::model::{Datum, DatumKind, Tick};

/// The longest text that an expression makes.
const LONGEST: usize = 16 << 20;

const DAY: i64 = 86_400;

/// What an expression is evaluated for.
pub(super) struct Given<'a> {
    pub(super) column: &'a dyn Fn(&str) -> Option<Datum>,
    pub(super) now: Tick,
}

type Made = Result<Datum, Fault>;

pub(super) fn value(node: &Node, given: &Given<'_>) -> Made {
    match node {
        Node::Literal(value) => Ok(value.clone()),
        Node::Column(name) => (given.column)(name).ok_or_else(|| format!("there is no column {name}")),
        Node::Call(function, arguments) => call(*function, arguments, given),
        Node::Cast(node, kind) => cast_to(value(node, given)?, *kind),
        Node::Compare(order, left, right) => {
            compare::holds(*order, &value(left, given)?, &value(right, given)?).map(Datum::Boolean)
        }
        Node::IsNull(node) => Ok(Datum::Boolean(value(node, given)? == Datum::Null)),
        Node::In(node, choices) => {
            let wanted = value(node, given)?;
            for choice in choices {
                if compare::holds(Order::Same, &wanted, &value(choice, given)?)? {
                    return Ok(Datum::Boolean(true));
                }
            }
            Ok(Datum::Boolean(false))
        }
        Node::Not(node) => Ok(Datum::Boolean(!holds(node, given)?)),
        Node::All(nodes) => all(nodes, true, given),
        Node::Any(nodes) => all(nodes, false, given),
    }
}

/// Whether all are as wanted (`and`), or not all the opposite (`or`); what decides ends it.
fn all(nodes: &[Node], wanted: bool, given: &Given<'_>) -> Made {
    for node in nodes {
        if holds(node, given)? != wanted {
            return Ok(Datum::Boolean(!wanted));
        }
    }
    Ok(Datum::Boolean(wanted))
}

fn holds(node: &Node, given: &Given<'_>) -> Result<bool, Fault> {
    match value(node, given)? {
        Datum::Boolean(value) => Ok(value),
        Datum::Null => Ok(false),
        other => Err(format!("a condition is true or false, and not {}", kind(&other))),
    }
}

fn kind(value: &Datum) -> &'static str {
    value.kind().map_or("nothing", DatumKind::as_str)
}

fn cast_to(value: Datum, to: DatumKind) -> Made {
    match (value, to) {
        (Datum::Boolean(value), DatumKind::Text) => Ok(Datum::Text(value.to_string())),
        (Datum::Text(text), DatumKind::Boolean) => match text.as_str() {
            "true" => Ok(Datum::Boolean(true)),
            "false" => Ok(Datum::Boolean(false)),
            _ => Err("its text is not true or false".into()),
        },
        (value, to) => cast(value, to),
    }
}

fn call(function: Function, arguments: &[Node], given: &Given<'_>) -> Made {
    match (function, arguments) {
        (Function::If, _) => choice(arguments, given),
        (Function::Coalesce, _) => first(arguments, |value| *value != Datum::Null, given),
        (Function::Default, _) => {
            first(arguments, |value| !matches!(value, Datum::Null) && *value != Datum::Text(String::new()), given)
        }
        (Function::Lookup, [wanted, pairs @ ..]) => lookup(&value(wanted, given)?, pairs, given),
        (Function::Concat, _) => concat(arguments, given),
        _ => {
            let values = arguments.iter().map(|node| value(node, given)).collect::<Result<Vec<_>, _>>()?;
            // What is made of nothing is nothing.
            if values.contains(&Datum::Null) { Ok(Datum::Null) } else { plain(function, &values, given.now) }
        }
    }
}

/// The first value whose condition holds, or the last.
fn choice(arguments: &[Node], given: &Given<'_>) -> Made {
    for pair in arguments.chunks(2) {
        match pair {
            [condition, then] => {
                if holds(condition, given)? {
                    return value(then, given);
                }
            }
            _ => return pair.first().map_or(Ok(Datum::Null), |last| value(last, given)),
        }
    }
    Ok(Datum::Null)
}

/// The first value that will do, or the last.
fn first(nodes: &[Node], will_do: impl Fn(&Datum) -> bool, given: &Given<'_>) -> Made {
    let mut found = Datum::Null;
    for node in nodes {
        found = value(node, given)?;
        if will_do(&found) {
            break;
        }
    }
    Ok(found)
}

fn lookup(wanted: &Datum, pairs: &[Node], given: &Given<'_>) -> Made {
    for pair in pairs.chunks(2) {
        match pair {
            [key, then] => {
                if compare::holds(Order::Same, wanted, &value(key, given)?)? {
                    return value(then, given);
                }
            }
            _ => return pair.first().map_or(Ok(Datum::Null), |last| value(last, given)),
        }
    }
    Err("the value is not in the table, and it has no last value for others".into())
}

fn concat(arguments: &[Node], given: &Given<'_>) -> Made {
    let mut out = String::new();
    for node in arguments {
        match value(node, given)? {
            Datum::Null => {}
            other => out.push_str(text(&cast_to(other, DatumKind::Text)?)?),
        }
        bounded(out.len())?;
    }
    Ok(Datum::Text(out))
}

fn bounded(length: usize) -> Result<(), Fault> {
    if length > LONGEST { Err("its text would be longer than 16 MiB".into()) } else { Ok(()) }
}

fn text(value: &Datum) -> Result<&str, Fault> {
    match value {
        Datum::Text(text) => Ok(text),
        other => Err(format!("text is wanted, and not {}; cast it", kind(other))),
    }
}

fn whole(value: &Datum) -> Result<i64, Fault> {
    match value {
        Datum::Integer(number) => i64::try_from(*number).map_err(|_| "the number is out of range".into()),
        other => Err(format!("a whole number is wanted, and not {}", kind(other))),
    }
}

/// A function of values that are all there.
fn plain(function: Function, values: &[Datum], now: Tick) -> Made {
    match (function, values) {
        (Function::Trim, [value]) => Ok(Datum::Text(text(value)?.trim().to_owned())),
        (Function::Upper, [value]) => Ok(Datum::Text(text(value)?.to_uppercase())),
        (Function::Lower, [value]) => Ok(Datum::Text(text(value)?.to_lowercase())),
        (Function::Substring, [value, start]) => substring(text(value)?, whole(start)?, i64::MAX),
        (Function::Substring, [value, start, length]) => substring(text(value)?, whole(start)?, whole(length)?),
        (Function::Replace, [value, from, to]) => replace(text(value)?, text(from)?, text(to)?),
        (Function::Round, [value, places]) => {
            let number = compare::exact(value).ok_or_else(|| format!("{} is no number to round", kind(value)))?;
            Ok(Datum::Decimal(number.rounded(pattern::places_of(places)?)))
        }
        (Function::Format, [value, pattern]) => format(value, text(pattern)?),
        (Function::Shift, [value, amount, unit]) => shift(value, whole(amount)?, pattern::unit(text(unit)?)?),
        (Function::AgeDays, [value]) => {
            Ok(Datum::Integer(i128::from((seconds_between(since(value)?, now)).div_euclid(DAY))))
        }
        _ => Err("the function is given other values than it takes".into()),
    }
}

fn substring(text: &str, start: i64, length: i64) -> Made {
    let number = |value: i64, why: &str| usize::try_from(value).map_err(|_| why.to_owned());
    let skipped = number(start.saturating_sub(1), "the first character is number 1")?;
    let length = number(length, "a length is not negative")?;
    Ok(Datum::Text(text.chars().skip(skipped).take(length).collect()))
}

fn replace(text: &str, from: &str, to: &str) -> Made {
    if from.is_empty() {
        return Err("what is to be replaced is empty".into());
    }
    bounded(text.len().saturating_add(text.matches(from).count().saturating_mul(to.len())))?;
    Ok(Datum::Text(text.replace(from, to)))
}

fn format(value: &Datum, pattern: &str) -> Made {
    let far = || "it lies in a year that is not written".to_owned();
    match (NumberPattern::read(pattern), compare::exact(value)) {
        (Some(pattern), Some(number)) => Ok(Datum::Text(pattern.write(&number))),
        (None, None) => {
            let at = match value {
                Datum::Date(days) => written::midnight(*days),
                Datum::Timestamp(at) | Datum::Instant(at) => *at,
                other => return Err(format!("{} has no format", kind(other))),
            };
            pattern::write_date(pattern, written::wall(at).ok_or_else(far)?).map(Datum::Text)
        }
        _ => Err(format!("the pattern is not one of {}", kind(value))),
    }
}

fn shift(value: &Datum, amount: i64, unit: Unit) -> Made {
    let out = || "the date would lie in a year that has no calendar".to_owned();
    match value {
        Datum::Date(_) if matches!(unit, Unit::Seconds(_)) => Err("a day is not shifted by less than a day".into()),
        Datum::Date(days) => {
            let day = written::date(*days).ok_or_else(out)?.and_time(chrono::NaiveTime::MIN);
            Ok(Datum::Date(written::days(shifted(day, amount, unit).ok_or_else(out)?.date())))
        }
        Datum::Timestamp(at) | Datum::Instant(at) => {
            let moved = written::wall(*at).and_then(|at| shifted(at, amount, unit)).and_then(written::tick);
            let moved = moved.ok_or_else(out)?;
            Ok(if matches!(value, Datum::Instant(_)) { Datum::Instant(moved) } else { Datum::Timestamp(moved) })
        }
        other => Err(format!("{} is no date to shift", kind(other))),
    }
}

fn shifted(at: NaiveDateTime, amount: i64, unit: Unit) -> Option<NaiveDateTime> {
    match unit {
        Unit::Seconds(seconds) => at.checked_add_signed(TimeDelta::try_seconds(amount.checked_mul(seconds)?)?),
        Unit::Days(days) => at.checked_add_signed(TimeDelta::try_days(amount.checked_mul(days)?)?),
        Unit::Months(months) => {
            let months = amount.checked_mul(months)?;
            let size = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
            if months < 0 { at.checked_sub_months(size) } else { at.checked_add_months(size) }
        }
    }
}

/// The point in time that an age is counted from; what has no zone is taken for UTC.
fn since(value: &Datum) -> Result<Tick, Fault> {
    match value {
        Datum::Date(days) => Ok(written::midnight(*days)),
        Datum::Timestamp(at) | Datum::Instant(at) => Ok(*at),
        other => Err(format!("{} has no age", kind(other))),
    }
}

/// Whole seconds from one to the other, rounded down.
fn seconds_between(from: Tick, to: Tick) -> i64 {
    let seconds = to.seconds.saturating_sub(from.seconds);
    if to.nanos < from.nanos { seconds.saturating_sub(1) } else { seconds }
}

/// The next time at which an age in the expression may make it another value. What has no age now has none later.
pub(super) fn next_change(node: &Node, given: &Given<'_>) -> Option<Tick> {
    match node {
        Node::Compare(_, left, right) => match (&**left, &**right) {
            (Node::Call(Function::AgeDays, of), Node::Literal(Datum::Integer(days)))
            | (Node::Literal(Datum::Integer(days)), Node::Call(Function::AgeDays, of)) => {
                // Whatever the comparison, it changes only where the age becomes the number, or one more.
                birthday(of, *days, given).or_else(|| birthday(of, days.saturating_add(1), given))
            }
            (left, right) => [left, right].into_iter().filter_map(|part| next_change(part, given)).min(),
        },
        Node::Call(Function::AgeDays, of) => match value(node, given) {
            Ok(Datum::Integer(age)) => birthday(of, age.saturating_add(1), given),
            _ => None,
        },
        other => other.parts().into_iter().filter_map(|part| next_change(part, given)).min(),
    }
}

/// When something becomes that many days old, if that is yet to come.
fn birthday(of: &[Node], days: i128, given: &Given<'_>) -> Option<Tick> {
    let born = value(of.first()?, given).and_then(|born| since(&born)).ok()?;
    let seconds = born.seconds.checked_add(i64::try_from(days).ok()?.checked_mul(DAY)?)?;
    Some(Tick { seconds, nanos: born.nanos }).filter(|at| *at > given.now)
}
