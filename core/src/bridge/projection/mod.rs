//! How a value crosses from a column of one store to a column of another, and back.
//!
//! The target may hold less than the source: fewer places, no difference between an empty text and nothing, days as points
//! in time. A value is therefore compared and hashed only in the form that the target can hold: what was sent and what is
//! read back are then equal, and a row that nobody changed is never written again. For every value `x` of a source
//! `push(pull(push(x))) == push(x)`.
//!
//! | from, to | how |
//! |---|---|
//! | integer, decimal, float | only if not a digit changes; a float is the number that its shortest text says |
//! | decimal, decimal | rounded to the places of the target, half away from zero |
//! | boolean, integer | 0 and 1 |
//! | number, text | its digits |
//! | uuid, text or bytes | its usual text; its 16 bytes in the order of the text |
//! | bytes, text | base64 |
//! | time, time | cut to the lower of both precisions |
//! | day, timestamp, instant | a day is its beginning, a time crosses as its day; what has no zone needs one declared |
//! | day or time, text | ISO 8601; an instant in UTC |
//! | JSON, text | the canonical text |
//! | list, set | member by member; a set has no order |
//! | text, list or set | the text is the only member |
//! | list or set, text | a JSON list of texts; the only member where the target's texts are choices |
//!
//! Anything else is refused when the mapping is made; a transform can cast it.

mod convert;
mod identical;
mod settle;
mod zone;

use chrono_tz::Tz;

use crate::endpoint::{ColumnShape, TimeSteps};
use crate::error::{Code, Error, Result};
use crate::model::{Datum, DatumKind};

use convert::{Members, Rules};
pub(crate) use convert::{read_moment, text};

/// A value as one of another kind, where the kinds alone say how.
pub(crate) fn cast(value: Datum, kind: DatumKind) -> std::result::Result<Datum, Fault> {
    convert::to(value, kind, None, &Rules { zone: None, clock_zone: None, members: Members::Json })
}

/// What is declared of a definition, beyond the columns, for values to cross.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The zone that times without one are meant in.
    pub zone: Option<Tz>,
}

/// Why a value cannot cross.
type Fault = String;

/// How values cross between two columns.
///
/// ```
/// use portbook::bridge::{Ends, Projection};
/// # use portbook::endpoint::{Collation, ColumnShape, ColumnTraits};
/// use portbook::model::{Datum, DatumKind};
/// # let column = |name: &str, kind| ColumnShape {
/// #     name: name.into(), data_type: String::new(), kind: Some(kind), member: None, is_nullable: true, default_value: None,
/// #     is_identity: false, is_computed: false, max_length: None, digits: None, second_places: None,
/// #     collation: Collation::default(), traits: ColumnTraits::default(),
/// # };
/// let (source, target) = (column("id", DatumKind::Integer), column("Number", DatumKind::Float));
/// let projection = Projection::between(&source, &target, Ends::default()).unwrap();
/// assert_eq!(projection.push(&Datum::Integer(7)).unwrap(), Datum::float(7.0));
/// assert_eq!(projection.pull(&Datum::float(8.0)).unwrap(), Datum::Integer(8));
/// assert!(projection.push(&Datum::Integer(9_007_199_254_740_993)).is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Projection {
    source: ColumnShape,
    target: ColumnShape,
    rules: Rules,
    /// The lower precision of both ends.
    second_places: u8,
    is_identity: bool,
}

impl Projection {
    /// How values cross between a column of the source and one of the target.
    ///
    /// # Errors
    /// `unsupported` when a type is not carried or the two have nothing in common, `invalid` when a zone has to be declared.
    pub fn between(source: &ColumnShape, target: &ColumnShape, ends: Ends) -> Result<Self> {
        let subject = || format!("{} to {}", source.name, target.name);
        let unfit = |code, reason: String| Error::new(code, "map column", subject()).because(reason);
        let unknown = |column: &ColumnShape| {
            unfit(Code::Unsupported, format!("{} has type {}, which is not carried", column.name, column.data_type))
        };
        let from = source.kind.ok_or_else(|| unknown(source))?;
        let to = target.kind.ok_or_else(|| unknown(target))?;
        let is_single = if convert::is_many(from) { !target.traits.choices.is_empty() } else { true };
        let rules = Rules {
            zone: target.traits.day_zone.or(source.traits.day_zone).or(ends.zone),
            clock_zone: ends.zone,
            members: if is_single { Members::Single } else { Members::Json },
        };
        let inner = (source.member.unwrap_or(from), target.member.unwrap_or(to));
        let is_crossing = convert::crosses(from, to)
            && (!convert::is_many(from) || !convert::is_many(to) || convert::crosses(inner.0, inner.1));
        if !is_crossing {
            return Err(unfit(Code::Unsupported, format!("{from} and {to} have no values in common"))
                .advise("cast it by a transform, or map another column"));
        }
        if let Some(missing) = rules.missing_zone(from, to) {
            return Err(unfit(Code::Invalid, missing.into()).advise("declare the zone of the definition"));
        }
        let places = |column: &ColumnShape| column.second_places.unwrap_or(9);
        let mut projection = Self {
            source: source.clone(),
            target: target.clone(),
            rules,
            second_places: places(source).min(places(target)),
            is_identity: false,
        };
        projection.is_identity = identical::holds(source, target);
        Ok(projection)
    }

    /// Whether every value that the source column can hold, and that is of its kind, crosses as it is: its canonical bytes
    /// may be copied.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.is_identity
    }

    /// A value of the source as the target can hold it.
    ///
    /// # Errors
    /// `invalid`, with the columns and the reason: too long, out of range, not to be said there.
    pub fn push(&self, value: &Datum) -> Result<Datum> {
        let crossed = self
            .cut(settle::form(value.clone(), &self.source))
            .and_then(|value| self.arrives(value, &self.source, &self.target));
        crossed.map_err(|fault| self.refusal("carry a value of column", &self.source, &self.target, fault))
    }

    /// A value read at the target as the source would hold it.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn pull(&self, value: &Datum) -> Result<Datum> {
        let crossed = self.cut(settle::form(value.clone(), &self.target)).and_then(|value| {
            if value == Datum::Null && self.target.traits.empty_is_null && !self.source.is_nullable {
                // The target cannot say which of both it was, and here it can only be one.
                return Ok(settle::empty(kind(&self.source)?));
            }
            self.arrives(value, &self.target, &self.source)
        });
        crossed.map_err(|fault| self.refusal("carry back a value of column", &self.target, &self.source, fault))
    }

    /// A value read at the target in the one form that is compared: `seen(y) == y` for what was pushed and read back, and
    /// whatever the target writes its own way is undone.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn seen(&self, value: &Datum) -> Result<Datum> {
        let form = self.cut(settle::form(value.clone(), &self.target));
        form.map_err(|fault| self.refusal("compare a value of column", &self.target, &self.source, fault))
    }

    /// What the source is to hold for a value read at the target: what it holds already, if that crosses to the same value.
    /// So a number keeps the places that the target does not have.
    ///
    /// # Errors
    /// As [`pull`](Self::pull).
    pub fn pull_onto(&self, value: &Datum, current: &Datum) -> Result<Datum> {
        match (self.push(current), self.seen(value)) {
            (Ok(pushed), Ok(seen)) if pushed == seen => Ok(current.clone()),
            _ => self.pull(value),
        }
    }

    /// A value of one end as the other holds it.
    fn arrives(&self, value: Datum, from: &ColumnShape, column: &ColumnShape) -> std::result::Result<Datum, Fault> {
        let is_day = from.traits.day_zone.is_some() && value.kind() == Some(DatumKind::Instant);
        let was_float = value.kind() == Some(DatumKind::Float);
        let converted = convert::to(value, kind(column)?, column.member, &self.rules)?;
        let float = match converted {
            Datum::Float(number) if !was_float => Some(Datum::Float(number)),
            _ => None,
        };
        let day = is_day.then(|| converted.clone());
        let settled = self.cut(settle::form(converted, column))?;
        // Where clocks went by the sun, as in most places before 1914, it begins at seconds: cut off, they make it the day before.
        if day.is_some_and(|begin| column.traits.time_steps == TimeSteps::Minutes && begin != settled) {
            return Err("the day begins at no whole minute, and the column holds no other times".into());
        }
        // A float gives up places to one of less precision; a number that is exact does not become another one.
        if float.is_some_and(|float| float != settled) {
            return Err("a float of single precision cannot hold all of its digits".into());
        }
        settle::fit(settled, column)
    }

    /// Cut to the lower precision of both ends.
    fn cut(&self, value: std::result::Result<Datum, Fault>) -> std::result::Result<Datum, Fault> {
        value.map(|value| settle::cut(value, self.second_places))
    }

    fn refusal(&self, action: &'static str, from: &ColumnShape, to: &ColumnShape, fault: Fault) -> Error {
        Error::new(Code::Invalid, action, format!("{} to {}", from.name, to.name)).because(fault)
    }
}

/// The kind of a column of which [`Projection::between`] knows that it has one.
fn kind(column: &ColumnShape) -> std::result::Result<DatumKind, Fault> {
    column.kind.ok_or_else(|| format!("{} has a type that is not carried", column.name))
}

#[cfg(test)]
mod tests;
