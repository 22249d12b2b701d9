//! Which of two values comes first.

use std::cmp::Ordering;

use super::{Fault, Order};
use crate::bridge::projection::read_moment;
use crate::model::{Datum, Decimal};

/// Whether the comparison holds. Nothing equals nothing, and is neither before nor after anything.
pub(super) fn holds(order: Order, left: &Datum, right: &Datum) -> Result<bool, Fault> {
    if *left == Datum::Null || *right == Datum::Null {
        return Ok(match order {
            Order::Same | Order::AtMost | Order::AtLeast => left == right,
            Order::Other => left != right,
            Order::Below | Order::Above => false,
        });
    }
    let found = ordering(left, right)?;
    Ok(match order {
        Order::Same => found.is_eq(),
        Order::Other => found.is_ne(),
        Order::Below => found.is_lt(),
        Order::AtMost => found.is_le(),
        Order::Above => found.is_gt(),
        Order::AtLeast => found.is_ge(),
    })
}

fn ordering(left: &Datum, right: &Datum) -> Result<Ordering, Fault> {
    use Datum as D;
    Ok(match (left, right) {
        (D::Text(left), D::Text(right)) => left.cmp(right),
        (D::Boolean(left), D::Boolean(right)) => left.cmp(right),
        (D::Date(left), D::Date(right)) => left.cmp(right),
        (D::Time(left), D::Time(right)) => left.cmp(right),
        (D::Timestamp(left), D::Timestamp(right)) | (D::Instant(left), D::Instant(right)) => left.cmp(right),
        (D::Uuid(left), D::Uuid(right)) => left.cmp(right),
        (D::Bytes(left), D::Bytes(right)) => left.cmp(right),
        // A date or a time is written as a text.
        (moment @ (D::Date(_) | D::Time(_) | D::Timestamp(_) | D::Instant(_)), D::Text(text)) => {
            ordering(moment, &moment_of(text, moment)?)?
        }
        (D::Text(text), moment @ (D::Date(_) | D::Time(_) | D::Timestamp(_) | D::Instant(_))) => {
            ordering(&moment_of(text, moment)?, moment)?
        }
        _ => match (float(left), float(right)) {
            (Some(of_left), Some(of_right)) => match (exact(left), exact(right)) {
                (Some(left), Some(right)) => left.cmp(&right),
                // NaN comes after everything, as in PostgreSQL.
                _ => of_left.partial_cmp(&of_right).unwrap_or_else(|| of_left.is_nan().cmp(&of_right.is_nan())),
            },
            _ => {
                let kind = |value: &Datum| value.kind().map_or("nothing", |kind| kind.as_str());
                return Err(format!("{} and {} cannot be compared", kind(left), kind(right)));
            }
        },
    })
}

fn moment_of(text: &str, like: &Datum) -> Result<Datum, Fault> {
    let read = like.kind().and_then(|kind| read_moment(text, kind));
    read.ok_or_else(|| format!("{text:?} is no {} in ISO 8601", like.kind().map_or("date", |kind| kind.as_str())))
}

/// A number as it is; nothing when it is not finite, or none.
pub(super) fn exact(value: &Datum) -> Option<Decimal> {
    match value {
        Datum::Integer(value) => Some(Decimal::from(*value)),
        Datum::Decimal(value) => Some(value.clone()),
        Datum::Float(value) => Decimal::of_float(value.get()),
        _ => None,
    }
}

fn float(value: &Datum) -> Option<f64> {
    match value {
        Datum::Float(value) => Some(value.get()),
        other => exact(other).map(|number| number.to_float()),
    }
}
