//! Patterns of numbers and dates, and the other words that have to stand in an expression as they are: they are checked when
//! it is read.

use chrono::{Datelike as _, NaiveDateTime, Timelike as _};

use super::function::Function;
use super::{Fault, Node};
use crate::model::{Datum, Decimal};

/// The most places that a number may be given.
pub(super) const PLACES: u16 = 100;

/// How a number is written: `#,##0.00##`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberPattern {
    is_grouped: bool,
    /// The fewest digits before the point.
    whole: usize,
    /// The fewest and the most digits after the point.
    fewest: u16,
    most: u16,
}

/// A unit that times are shifted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds(i64),
    Days(i64),
    Months(i64),
}

const UNITS: [(&str, Unit); 7] = [
    ("seconds", Unit::Seconds(1)),
    ("minutes", Unit::Seconds(60)),
    ("hours", Unit::Seconds(3600)),
    ("days", Unit::Days(1)),
    ("weeks", Unit::Days(7)),
    ("months", Unit::Months(1)),
    ("years", Unit::Months(12)),
];

/// Whether what has to be known when an expression is read is there.
pub(super) fn check(function: Function, arguments: &[Node]) -> Result<(), Fault> {
    match (function, arguments) {
        (Function::Format, [_, Node::Literal(Datum::Text(pattern))]) => {
            if NumberPattern::read(pattern).is_none() {
                pieces(pattern)?;
            }
            Ok(())
        }
        (Function::Format, _) => Err("the pattern of format is a text in quotes".into()),
        (Function::Shift, [.., Node::Literal(Datum::Text(name))]) => unit(name).map(|_| ()),
        (Function::Shift, _) => Err("the unit of shift is a text in quotes".into()),
        (Function::Round, [_, Node::Literal(places)]) => places_of(places).map(|_| ()),
        (Function::Round, _) => Err("the places of round are a number".into()),
        _ => Ok(()),
    }
}

pub(super) fn unit(name: &str) -> Result<Unit, Fault> {
    let found = UNITS.iter().find(|(each, _)| *each == name);
    found
        .map(|(_, unit)| *unit)
        .ok_or_else(|| format!("there is no unit {name:?}; there are {}", UNITS.map(|(name, _)| name).join(", ")))
}

pub(super) fn places_of(places: &Datum) -> Result<u16, Fault> {
    let Datum::Integer(places) = places else { return Err("the places of a number are a whole number".into()) };
    let places = u16::try_from(*places).ok().filter(|places| *places <= PLACES);
    places.ok_or_else(|| format!("a number may have 0 to {PLACES} places"))
}

impl NumberPattern {
    pub(super) fn read(pattern: &str) -> Option<Self> {
        let (whole, fraction) = pattern.split_once('.').unwrap_or((pattern, ""));
        let (is_grouped, zeros) = match whole.strip_prefix("#,##") {
            Some(zeros) => (true, zeros),
            None => (false, whole),
        };
        let optional = fraction.trim_start_matches('0');
        let is_one = !zeros.is_empty()
            && zeros.bytes().all(|byte| byte == b'0')
            && optional.bytes().all(|byte| byte == b'#')
            && (pattern.contains('.') != fraction.is_empty());
        let count = |text: &str| u16::try_from(text.len()).ok().filter(|count| *count <= PLACES);
        let (fewest, most) = (count(&fraction[..fraction.len() - optional.len()])?, count(fraction)?);
        is_one.then_some(Self { is_grouped, whole: count(zeros)?.into(), fewest, most })
    }

    pub(super) fn write(self, number: &Decimal) -> String {
        let text = number.rounded(self.most).to_string();
        let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |text| ("-", text));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let whole = format!("{whole:0>width$}", width = self.whole);
        let whole = if self.is_grouped { grouped(&whole) } else { whole };
        let fraction = format!("{fraction:0<width$}", width = usize::from(self.fewest));
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}")
    }
}

/// Digits with a comma before every three.
fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A part of the pattern of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Other(char),
}

const PIECES: [(&str, Piece); 6] = [
    ("YYYY", Piece::Year),
    ("MM", Piece::Month),
    ("DD", Piece::Day),
    ("HH", Piece::Hour),
    ("mm", Piece::Minute),
    ("ss", Piece::Second),
];

fn pieces(pattern: &str) -> Result<Vec<Piece>, Fault> {
    let mut rest = pattern;
    let mut pieces = Vec::new();
    while let Some(first) = rest.chars().next() {
        if let Some((name, piece)) = PIECES.iter().find(|(name, _)| rest.starts_with(name)) {
            pieces.push(*piece);
            rest = &rest[name.len()..];
        } else if first.is_alphanumeric() || first == '#' {
            return Err(format!(
                "the pattern {pattern:?} is neither of a number (0, 0.00, #,##0.00) nor of a date (YYYY MM DD HH mm ss)"
            ));
        } else {
            pieces.push(Piece::Other(first));
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(pieces)
}

/// A date and a time by a pattern.
pub(super) fn write_date(pattern: &str, at: NaiveDateTime) -> Result<String, Fault> {
    let said = |piece| match piece {
        Piece::Year => format!("{:04}", at.year()),
        Piece::Month => format!("{:02}", at.month()),
        Piece::Day => format!("{:02}", at.day()),
        Piece::Hour => format!("{:02}", at.hour()),
        Piece::Minute => format!("{:02}", at.minute()),
        Piece::Second => format!("{:02}", at.second()),
        Piece::Other(other) => other.to_string(),
    };
    Ok(pieces(pattern)?.into_iter().map(said).collect())
}
