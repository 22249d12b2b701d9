//! Values on the wire: each is sent as the type that the server inferred for its place, and read back as the same
//! value that SQLite gives (times as microseconds since 1970, ids as 16 bytes, flags as 0 and 1, JSON as text).

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use super::failure::Unfit;
use crate::model::Unsealed;
use crate::store::{Rows, Value};

type Failure = Box<dyn std::error::Error + Sync + Send>;

/// Microseconds from 1970 to 2000, where PostgreSQL's times begin.
const EPOCH_2000: i64 = 946_684_800_000_000;

/// A type without the domains around it.
fn base(of: &Type) -> &Type {
    match of.kind() {
        Kind::Domain(inner) => base(inner),
        _ => of,
    }
}

impl ToSql for Value {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        let wanted = base(wanted);
        match self {
            Value::Null => return Ok(IsNull::Yes),
            Value::Bool(flag) => put_integer(i64::from(*flag), wanted, out)?,
            Value::Int(number) => put_integer(*number, wanted, out)?,
            Value::Real(number) => match *wanted {
                Type::FLOAT8 => out.put_f64(*number),
                Type::FLOAT4 => out.put_f32(*number as f32),
                _ => return Err(unfit("a number", wanted)),
            },
            Value::Text(text) => match *wanted {
                Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => {
                    out.put_slice(text.as_bytes());
                }
                Type::JSONB => {
                    out.put_u8(1);
                    out.put_slice(text.as_bytes());
                }
                _ if matches!(wanted.kind(), Kind::Enum(_)) => out.put_slice(text.as_bytes()),
                _ => return Err(unfit("text", wanted)),
            },
            Value::Blob(bytes) if *wanted == Type::BYTEA => out.put_slice(bytes),
            Value::Blob(_) => return Err(unfit("bytes", wanted)),
            Value::Uuid(id) if *wanted == Type::UUID || *wanted == Type::BYTEA => out.put_slice(id.as_bytes()),
            Value::Uuid(_) => return Err(unfit("an id", wanted)),
            Value::Time(micros) => match *wanted {
                Type::TIMESTAMPTZ | Type::TIMESTAMP => {
                    let micros = micros.checked_sub(EPOCH_2000).ok_or_else(|| out_of_range("the time"))?;
                    out.put_i64(micros);
                }
                Type::INT8 => out.put_i64(*micros),
                _ => return Err(unfit("a time", wanted)),
            },
            Value::Secret(_) => return Err(Box::new(Unsealed)),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn put_integer(number: i64, wanted: &Type, out: &mut BytesMut) -> Result<(), Failure> {
    match *wanted {
        Type::INT8 => out.put_i64(number),
        Type::INT4 => out.put_i32(number.try_into().map_err(|_| out_of_range("the integer"))?),
        Type::INT2 => out.put_i16(number.try_into().map_err(|_| out_of_range("the integer"))?),
        Type::FLOAT8 => out.put_f64(number as f64),
        Type::BOOL if number == 0 || number == 1 => out.put_u8(number as u8),
        _ => return Err(unfit("an integer", wanted)),
    }
    Ok(())
}

fn unfit(what: &str, wanted: &Type) -> Failure {
    Unfit(format!("{what} was given where {wanted} is wanted")).into()
}

fn out_of_range(what: &str) -> Failure {
    Unfit(format!("{what} is out of range")).into()
}

/// One column of many rows, sent as an array.
#[derive(Debug)]
pub(super) struct ColumnOf<'a> {
    pub(super) values: &'a [Value],
    pub(super) column: usize,
    pub(super) width: usize,
}

impl ToSql for ColumnOf<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        let Kind::Array(element) = wanted.kind() else { return Err(unfit("an array", wanted)) };
        let column = || self.values.iter().skip(self.column).step_by(self.width);
        out.put_i32(1);
        out.put_i32(i32::from(column().any(|v| *v == Value::Null)));
        out.put_u32(element.oid());
        out.put_i32(column().count().try_into()?);
        out.put_i32(1);
        for value in column() {
            let start = out.len();
            out.put_i32(-1);
            if let IsNull::No = value.to_sql(element, out)? {
                let length = i32::try_from(out.len() - start - 4)?;
                out[start..start + 4].copy_from_slice(&length.to_be_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The bytes of a cell as they came.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Appends a row to a page.
pub(super) fn push_row(rows: &mut Rows, row: &tokio_postgres::Row) -> Result<(), Failure> {
    for (at, column) in row.columns().iter().enumerate() {
        match row.try_get::<_, Option<Raw<'_>>>(at)? {
            None => rows.push_null(),
            Some(Raw(raw)) => push_cell(rows, base(column.type_()), raw)?,
        }
    }
    Ok(())
}

fn push_cell(rows: &mut Rows, of: &Type, raw: &[u8]) -> Result<(), Failure> {
    match *of {
        Type::BOOL => rows.push_int(i64::from(raw.first() == Some(&1))),
        Type::INT2 => rows.push_int(i16::from_be_bytes(raw.try_into()?).into()),
        Type::INT4 => rows.push_int(i32::from_be_bytes(raw.try_into()?).into()),
        Type::INT8 => rows.push_int(i64::from_be_bytes(raw.try_into()?)),
        Type::FLOAT4 => rows.push_real(f32::from_be_bytes(raw.try_into()?).into()),
        Type::FLOAT8 => rows.push_real(f64::from_be_bytes(raw.try_into()?)),
        Type::TIMESTAMPTZ | Type::TIMESTAMP => {
            let micros = i64::from_be_bytes(raw.try_into()?);
            rows.push_int(micros.checked_add(EPOCH_2000).ok_or("the time is out of range")?);
        }
        Type::NUMERIC => rows.push_int(whole_number(raw).ok_or("the number is not a whole one of 64 bits")?),
        Type::JSONB => rows.push_bytes(raw.get(1..).unwrap_or_default()),
        Type::UUID | Type::BYTEA | Type::JSON | Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => {
            rows.push_bytes(raw);
        }
        _ if matches!(of.kind(), Kind::Enum(_)) => rows.push_bytes(raw),
        _ => return Err(format!("no value of the book has the type {of}").into()),
    }
    Ok(())
}

/// A `numeric` without a fraction, which is what `sum` of integers gives: digit count, weight of the first digit, sign,
/// scale, then digits of base 10,000.
fn whole_number(raw: &[u8]) -> Option<i64> {
    let word = |i: usize| raw.get(2 * i..2 * i + 2)?.try_into().ok().map(i16::from_be_bytes);
    let (count, weight, sign) = (word(0)?, word(1)?, word(2)?);
    if count > weight + 1 || !(-1..5).contains(&weight) {
        return (count == 0).then_some(0);
    }
    let mut value = 0_i64;
    for i in 0..=weight {
        let digit = if i < count { word(4 + usize::try_from(i).ok()?)? } else { 0 };
        // Built up below zero, where the range is the wider one.
        value = value.checked_mul(10_000)?.checked_sub(digit.into())?;
    }
    match sign {
        0 => value.checked_neg(),
        0x4000 => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_numeric_is_an_integer() {
        let numeric = |words: &[i16]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>();
        assert_eq!(whole_number(&numeric(&[0, 0, 0, 0])), Some(0));
        assert_eq!(whole_number(&numeric(&[2, 1, 0, 0, 12, 3456])), Some(123_456));
        assert_eq!(whole_number(&numeric(&[1, 1, 0x4000, 0, 12])), Some(-120_000));
        assert_eq!(whole_number(&numeric(&[2, 0, 0, 2, 1, 5000])), None);
    }
}
