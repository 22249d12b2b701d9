//! Values as PostgreSQL sends them in binary form, written in canonical encoding without anything in between.
//!
//! The forms are those of the types' send functions (`src/backend/utils/adt/*.c`, `*_send`): integers and floats in
//! network order, times in microseconds since 2000-01-01, `numeric` in digits of base 10,000.

use std::borrow::Cow;

use uuid::Uuid;

use super::types::Wire;
use crate::endpoint::sql::civil::DAY;
use crate::endpoint::sql::put_json;
use crate::identity::Encoder;
use crate::model::{Interval, Tick, Unreal};

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
/// How many base-10,000 digits are written on the stack.
const SHORT: usize = 32;

/// Why bytes are no value that is carried.
pub(super) type Why = Cow<'static, str>;

/// Writes the value that these bytes are.
///
/// # Errors
/// Why they are none. Part of it may have been written.
#[inline]
pub(super) fn put(encoder: &mut Encoder, wire: &Wire, bytes: &[u8]) -> Result<(), Why> {
    match wire {
        Wire::Bool => encoder.boolean(fixed::<1>(bytes)? != [0]),
        Wire::Int2 => encoder.integer(i64::from(i16::from_be_bytes(fixed(bytes)?))),
        Wire::Int4 => encoder.integer(i64::from(i32::from_be_bytes(fixed(bytes)?))),
        Wire::Int8 => encoder.integer(i64::from_be_bytes(fixed(bytes)?)),
        Wire::Oid => encoder.integer(i64::from(u32::from_be_bytes(fixed(bytes)?))),
        Wire::Numeric => numeric(encoder, bytes)?,
        Wire::Float4 => encoder.float32(f32::from_be_bytes(fixed(bytes)?)),
        Wire::Float8 => encoder.float(f64::from_be_bytes(fixed(bytes)?)),
        Wire::Text => encoder.text(text(bytes)?),
        Wire::Padded => encoder.text(text(bytes)?.trim_end_matches(' ')),
        Wire::Bytes => encoder.bytes(bytes),
        Wire::Uuid => encoder.uuid(Uuid::from_bytes(fixed(bytes)?)),
        Wire::Date => match i32::from_be_bytes(fixed(bytes)?) {
            i32::MAX => encoder.unreal(Unreal::EndlessDate),
            i32::MIN => encoder.unreal(Unreal::BeginninglessDate),
            days => encoder.date(days.checked_add(EPOCH_DAYS).ok_or(OTHER)?),
        },
        Wire::Time => {
            let micros = u64::try_from(i64::from_be_bytes(fixed(bytes)?)).map_err(|_| OTHER)?;
            encoder.time(micros.checked_mul(1000).ok_or(OTHER)?);
        }
        Wire::Timestamp => time(encoder, bytes, Encoder::timestamp)?,
        Wire::Instant => time(encoder, bytes, Encoder::instant)?,
        Wire::Interval => interval(encoder, bytes)?,
        Wire::Json => put_json(encoder, text(bytes)?)?,
        Wire::Jsonb => match bytes.split_first() {
            Some((1, rest)) => put_json(encoder, text(rest)?)?,
            _ => return Err(OTHER),
        },
        Wire::List(member) => list(encoder, member, bytes)?,
    }
    Ok(())
}

const OTHER: Why = Cow::Borrowed("the server sent it in a form that is not known");

#[inline]
fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Why> {
    bytes.try_into().map_err(|_| OTHER)
}

#[inline]
fn text(bytes: &[u8]) -> Result<&str, Why> {
    std::str::from_utf8(bytes).map_err(|_| Cow::Borrowed("its text is not UTF-8"))
}

#[inline]
fn time(encoder: &mut Encoder, bytes: &[u8], put: impl Fn(&mut Encoder, Tick)) -> Result<(), Why> {
    match i64::from_be_bytes(fixed(bytes)?) {
        i64::MAX => encoder.unreal(Unreal::EndlessTime),
        i64::MIN => encoder.unreal(Unreal::BeginninglessTime),
        micros => {
            let tick = Tick::from_micros(micros);
            put(encoder, Tick { seconds: tick.seconds + i64::from(EPOCH_DAYS) * DAY, nanos: tick.nanos });
        }
    }
    Ok(())
}

fn interval(encoder: &mut Encoder, bytes: &[u8]) -> Result<(), Why> {
    let bytes: [u8; 16] = fixed(bytes)?;
    let micros = i64::from_be_bytes(fixed(&bytes[..8])?);
    let (days, months) = (i32::from_be_bytes(fixed(&bytes[8..12])?), i32::from_be_bytes(fixed(&bytes[12..])?));
    // An interval without end, since version 17.
    if matches!((micros, days, months), (i64::MAX, i32::MAX, i32::MAX) | (i64::MIN, i32::MIN, i32::MIN)) {
        return Err("it is an interval without end".into());
    }
    encoder.interval(Interval { months, days, nanos: i128::from(micros) * 1000 });
    Ok(())
}

/// `i16` count of digits, `i16` power of the first, `u16` sign, `u16` places that are shown, digits of base 10,000.
fn numeric(encoder: &mut Encoder, bytes: &[u8]) -> Result<(), Why> {
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or(OTHER)?;
    let count = usize::from(u16::from_be_bytes([head[0], head[1]]));
    let weight = i32::from(i16::from_be_bytes([head[2], head[3]]));
    let mut special = |value| {
        encoder.float(value);
        Ok(())
    };
    let is_negative = match u16::from_be_bytes([head[4], head[5]]) {
        0 => false,
        0x4000 => true,
        0xc000 => return special(f64::NAN),
        0xd000 => return special(f64::INFINITY),
        0xf000 => return special(f64::NEG_INFINITY),
        _ => return Err(OTHER),
    };
    if rest.len() != count * 2 {
        return Err(OTHER);
    }
    let (mut short, mut long) = ([0_u8; SHORT * 4], Vec::new());
    let digits = if count <= SHORT {
        &mut short[..count * 4]
    } else {
        long.resize(count * 4, 0);
        &mut long[..]
    };
    for (place, group) in digits.chunks_exact_mut(4).zip(rest.chunks_exact(2)) {
        let mut group = u16::from_be_bytes([group[0], group[1]]);
        if group > 9999 {
            return Err(OTHER);
        }
        for digit in place.iter_mut().rev() {
            *digit = b'0' + u8::try_from(group % 10).unwrap_or(0);
            group /= 10;
        }
    }
    let exponent = (weight + 1 - i32::try_from(count).map_err(|_| OTHER)?) * 4;
    encoder.decimal(is_negative, text(digits)?, exponent);
    Ok(())
}

/// `i32` dimensions, `i32` whether there are nulls, `u32` type; for each dimension `i32` length and `i32` lower bound; the
/// members, each behind its `i32` length, which is -1 for a null.
fn list(encoder: &mut Encoder, member: &Wire, bytes: &[u8]) -> Result<(), Why> {
    let mut rest = bytes;
    let dimensions = take_number(&mut rest)?;
    take_number(&mut rest)?;
    take_number(&mut rest)?;
    let mut lengths = Vec::new();
    // PostgreSQL has six at most (`MAXDIM`).
    for _ in 0..dimensions.min(7) {
        lengths.push(u32::try_from(take_number(&mut rest)?).map_err(|_| OTHER)?);
        if take_number(&mut rest)? != 1 {
            return Err("it is an array that does not begin at 1".into());
        }
    }
    if !(0..=6).contains(&dimensions) {
        return Err(OTHER);
    }
    if lengths.is_empty() {
        lengths.push(0);
    }
    members(encoder, member, &lengths, &mut rest)?;
    if rest.is_empty() { Ok(()) } else { Err(OTHER) }
}

fn members(encoder: &mut Encoder, member: &Wire, lengths: &[u32], rest: &mut &[u8]) -> Result<(), Why> {
    let Some((&length, inner)) = lengths.split_first() else {
        return match take_number(rest)? {
            -1 => {
                encoder.null();
                Ok(())
            }
            length => {
                let length = usize::try_from(length).map_err(|_| OTHER)?;
                let (value, tail) = rest.split_at_checked(length).ok_or(OTHER)?;
                *rest = tail;
                put(encoder, member, value)
            }
        };
    };
    let mut why = None;
    // The encoder knows our errors only; ours here are cheaper.
    let done = encoder.list(length, |encoder| {
        for _ in 0..length {
            if let Err(fault) = members(encoder, member, inner, rest) {
                why = Some(fault);
                break;
            }
        }
        Ok(())
    });
    match (why, done) {
        (Some(why), _) => Err(why),
        (None, Err(error)) => Err(error.to_string().into()),
        (None, Ok(())) => Ok(()),
    }
}

fn take_number(rest: &mut &[u8]) -> Result<i32, Why> {
    let (head, tail) = rest.split_first_chunk::<4>().ok_or(OTHER)?;
    *rest = tail;
    Ok(i32::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::decode;
    use crate::model::Datum;

    fn read(wire: &Wire, bytes: &[u8]) -> Result<Datum, Why> {
        let mut encoder = Encoder::default();
        put(&mut encoder, wire, bytes)?;
        Ok(decode(encoder.as_bytes()).unwrap())
    }

    fn numeric_bytes(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let mut bytes = (digits.len() as u16).to_be_bytes().to_vec();
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend(0_u16.to_be_bytes());
        digits.iter().for_each(|digit| bytes.extend(digit.to_be_bytes()));
        bytes
    }

    #[test]
    fn numbers_of_any_size() {
        for (weight, sign, digits, expected) in [
            (0, 0, &[1][..], "1"),
            (0, 0x4000, &[12, 3400], "-12.34"),
            (-1, 0, &[1], "0.0001"),
            (2, 0, &[1], "100000000"),
            (0, 0, &[], "0"),
            (1, 0, &[1, 0, 5000], "10000.5"),
        ] {
            let value = read(&Wire::Numeric, &numeric_bytes(weight, sign, digits)).unwrap();
            assert_eq!(value, Datum::Decimal(expected.parse().unwrap()), "{expected}");
        }
        let long = read(&Wire::Numeric, &numeric_bytes(40, 0, &[9999; 50])).unwrap();
        assert_eq!(long, Datum::Decimal(format!("{}.{}", "9".repeat(164), "9".repeat(36)).parse().unwrap()));
        assert_eq!(read(&Wire::Numeric, &numeric_bytes(0, 0xc000, &[])).unwrap(), Datum::float(f64::NAN));
        assert!(read(&Wire::Numeric, &numeric_bytes(0, 0, &[10_000])).is_err());
        assert!(read(&Wire::Numeric, &[0; 7]).is_err());
    }

    #[test]
    fn times_count_from_2000() {
        assert_eq!(read(&Wire::Date, &0_i32.to_be_bytes()).unwrap(), Datum::Date(10_957));
        let instant = read(&Wire::Instant, &(-1_i64).to_be_bytes()).unwrap();
        assert_eq!(instant, Datum::Instant(Tick { seconds: 946_684_799, nanos: 999_999_000 }));
        assert_eq!(read(&Wire::Timestamp, &i64::MAX.to_be_bytes()).unwrap(), Datum::Unreal(Unreal::EndlessTime));
    }

    proptest! {
        #[test]
        fn bytes_from_outside_are_refused_or_a_value(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for wire in [Wire::Numeric, Wire::Interval, Wire::Date, Wire::List(Box::new(Wire::List(Box::new(Wire::Text))))] {
                drop(read(&wire, &bytes));
            }
        }
    }
}
