//! The canonical encoding of values: equal values have equal bytes, different ones different bytes, and what was encoded
//! can be read back. Identity and content hashes of rows are made over it, so it never changes; a change is another
//! version beside it.
//!
//! # Format (version 1)
//!
//! A value is `0x00` for null, else `u8 tag ‖ u32 length ‖ bytes`. All numbers are big-endian.
//!
//! | tag | value | bytes |
//! |---|---|---|
//! | 1 | boolean | `0` or `1` |
//! | 2 | integer | two's complement, as few bytes as hold it, at least one |
//! | 3 | decimal | `u8` 1 when below zero ‖ `i32` exponent ‖ ASCII digits without zeros at both ends; zero is `0` with exponent 0 |
//! | 4 | float | the 8 bytes of IEEE 754; zero has no sign, NaN is `7ff8000000000000` |
//! | 5 | text | UTF-8 |
//! | 6 | bytes | themselves |
//! | 7 | UUID | 16 bytes, as its text has them |
//! | 8 | date | `i32` days since 1970-01-01 |
//! | 9 | time of day | `u64` nanoseconds since midnight |
//! | 10 | timestamp without a zone | `i64` seconds since 1970-01-01 ‖ `u32` nanoseconds |
//! | 11 | instant | the same, of UTC |
//! | 12 | a date or time that is none | `u8`: its place in [`Unreal`] |
//! | 13 | interval | `i32` months ‖ `i32` days ‖ `i128` nanoseconds |
//! | 14 | JSON | its text by RFC 8785 |
//! | 15 | list | `u32` count ‖ values |
//! | 16 | set | `u32` count ‖ values, sorted by their bytes, each once |
//!
//! Lengths are part of the encoding because joining texts by a separator is not: `a|b`, `c` would equal `a`, `b|c`.
//! A time has no tag for the precision of its column: the same instant is the same, and what one side cannot hold is cut
//! off before it is encoded. Vectors: `tests/vectors/canon.json`.

use uuid::Uuid;

use crate::error::{Code, Error, Result};
use crate::model::{Binary64, Datum, Decimal, Interval, Tick, Unreal, stripped_digits, widened};

/// The tag of null, which is a value's only byte.
const NULL: u8 = 0;
const BOOLEAN: u8 = 1;
const INTEGER: u8 = 2;
const DECIMAL: u8 = 3;
const FLOAT: u8 = 4;
const TEXT: u8 = 5;
const BYTES: u8 = 6;
const UUID: u8 = 7;
const DATE: u8 = 8;
const TIME: u8 = 9;
const TIMESTAMP: u8 = 10;
const INSTANT: u8 = 11;
const UNREAL: u8 = 12;
const INTERVAL: u8 = 13;
const JSON: u8 = 14;
const LIST: u8 = 15;
const SET: u8 = 16;

/// How deep lists may lie in lists. No database has them deeper than six; a limit keeps a reader of bytes from outside on
/// its stack.
const DEEPEST: usize = 32;

/// Writes values in their canonical encoding, one after the other, without making a [`Datum`] of them first.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// What was written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Values that are encoded already.
    pub(crate) fn raw(&mut self, encoded: &[u8]) {
        self.bytes.extend_from_slice(encoded);
    }

    #[inline]
    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        // No engine has a value of 4 GiB: PostgreSQL, MySQL, SQL Server and SQLite all end at 1, 2 or 4 GiB less one.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let head = length.to_be_bytes();
        self.bytes.reserve(5 + bytes.len());
        self.bytes.extend_from_slice(&[tag, head[0], head[1], head[2], head[3]]);
        self.bytes.extend_from_slice(bytes);
    }

    /// No value.
    #[inline]
    pub fn null(&mut self) {
        self.bytes.push(NULL);
    }

    /// A truth value.
    #[inline]
    pub fn boolean(&mut self, value: bool) {
        self.tagged(BOOLEAN, &[u8::from(value)]);
    }

    /// A whole number.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        // The bits that say the same as the sign need no byte.
        let spare = (if value < 0 { value.leading_ones() } else { value.leading_zeros() } - 1) as usize / 8;
        self.tagged(INTEGER, &value.to_be_bytes()[spare.min(7)..]);
    }

    /// A whole number of more than 64 bits.
    pub fn wide_integer(&mut self, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.integer(value),
            Err(_) => {
                let spare = (if value < 0 { value.leading_ones() } else { value.leading_zeros() } - 1) as usize / 8;
                self.tagged(INTEGER, &value.to_be_bytes()[spare.min(15)..]);
            }
        }
    }

    /// The exact number `± digits × 10^exponent`; zeros at both ends of the ASCII digits are no matter.
    pub fn decimal(&mut self, negative: bool, digits: &str, exponent: i32) {
        let (digits, exponent) = stripped_digits(digits, exponent);
        let (negative, digits) = if digits.is_empty() { (false, "0") } else { (negative, digits) };
        let length = u32::try_from(5 + digits.len()).unwrap_or(u32::MAX);
        self.bytes.push(DECIMAL);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.push(u8::from(negative));
        self.bytes.extend_from_slice(&exponent.to_be_bytes());
        self.bytes.extend_from_slice(digits.as_bytes());
    }

    /// A float.
    #[inline]
    pub fn float(&mut self, value: f64) {
        self.tagged(FLOAT, &Binary64::new(value).bits().to_be_bytes());
    }

    /// A float of single precision, as the number that its shortest text says.
    pub fn float32(&mut self, value: f32) {
        self.float(widened(value));
    }

    /// Text.
    #[inline]
    pub fn text(&mut self, value: &str) {
        self.tagged(TEXT, value.as_bytes());
    }

    /// Bytes.
    #[inline]
    pub fn bytes(&mut self, value: &[u8]) {
        self.tagged(BYTES, value);
    }

    /// A UUID.
    #[inline]
    pub fn uuid(&mut self, value: Uuid) {
        self.tagged(UUID, value.as_bytes());
    }

    /// A day, in days since 1970-01-01.
    #[inline]
    pub fn date(&mut self, days: i32) {
        self.tagged(DATE, &days.to_be_bytes());
    }

    /// A time of day, in nanoseconds since midnight.
    #[inline]
    pub fn time(&mut self, nanos: u64) {
        self.tagged(TIME, &nanos.to_be_bytes());
    }

    /// A date and a time without a zone.
    #[inline]
    pub fn timestamp(&mut self, at: Tick) {
        self.tick(TIMESTAMP, at);
    }

    /// A point in time.
    #[inline]
    pub fn instant(&mut self, at: Tick) {
        self.tick(INSTANT, at);
    }

    #[inline]
    fn tick(&mut self, tag: u8, at: Tick) {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&at.seconds.to_be_bytes());
        bytes[8..].copy_from_slice(&at.nanos.to_be_bytes());
        self.tagged(tag, &bytes);
    }

    /// A date or a time that is none.
    pub fn unreal(&mut self, value: Unreal) {
        let place = Unreal::ALL.iter().position(|each| *each == value).and_then(|at| u8::try_from(at).ok());
        self.tagged(UNREAL, &[place.unwrap_or(u8::MAX)]);
    }

    /// A span of time.
    pub fn interval(&mut self, value: Interval) {
        let mut bytes = [0; 24];
        bytes[..4].copy_from_slice(&value.months.to_be_bytes());
        bytes[4..8].copy_from_slice(&value.days.to_be_bytes());
        bytes[8..].copy_from_slice(&value.nanos.to_be_bytes());
        self.tagged(INTERVAL, &bytes);
    }

    /// A JSON document, in the form of RFC 8785.
    pub fn json(&mut self, canonical: &str) {
        self.tagged(JSON, canonical.as_bytes());
    }

    /// Values in an order; each is written by itself, and `fill` writes all of them.
    ///
    /// # Errors
    /// What `fill` says.
    pub fn list(&mut self, count: u32, fill: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let start = self.open(LIST, count);
        fill(self)?;
        self.close(start);
        Ok(())
    }

    /// Values without an order, each encoded by itself.
    pub fn set(&mut self, mut members: Vec<Vec<u8>>) {
        members.sort_unstable();
        members.dedup();
        let start = self.open(SET, u32::try_from(members.len()).unwrap_or(u32::MAX));
        members.iter().for_each(|member| self.bytes.extend_from_slice(member));
        self.close(start);
    }

    fn open(&mut self, tag: u8, count: u32) -> usize {
        self.bytes.extend_from_slice(&[tag, 0, 0, 0, 0]);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&count.to_be_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start - 4..start].copy_from_slice(&length.to_be_bytes());
    }

    /// Any value.
    pub fn datum(&mut self, value: &Datum) {
        match value {
            Datum::Null => self.null(),
            Datum::Boolean(value) => self.boolean(*value),
            Datum::Integer(value) => self.wide_integer(*value),
            Datum::Decimal(value) => self.decimal(value.is_negative(), value.digits(), value.exponent()),
            Datum::Float(value) => self.float(value.get()),
            Datum::Text(value) => self.text(value),
            Datum::Bytes(value) => self.bytes(value),
            Datum::Uuid(value) => self.uuid(*value),
            Datum::Date(days) => self.date(*days),
            Datum::Time(nanos) => self.time(*nanos),
            Datum::Timestamp(at) => self.timestamp(*at),
            Datum::Instant(at) => self.instant(*at),
            Datum::Unreal(value) => self.unreal(*value),
            Datum::Interval(value) => self.interval(*value),
            Datum::Json(value) => self.json(value),
            Datum::List(values) => {
                let start = self.open(LIST, u32::try_from(values.len()).unwrap_or(u32::MAX));
                values.iter().for_each(|value| self.datum(value));
                self.close(start);
            }
            Datum::Set(values) => self.set(values.iter().map(encode).collect()),
        }
    }
}

/// The canonical encoding of a value.
#[must_use]
pub fn encode(value: &Datum) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.datum(value);
    encoder.into_bytes()
}

/// The value of an encoding.
///
/// # Errors
/// `corrupt` when the bytes are no value, more than one, or not in canonical form.
///
/// ```
/// use portbook::identity::{decode, encode};
/// use portbook::model::Datum;
/// let value = Datum::List(vec![Datum::Integer(5), Datum::Null]);
/// assert_eq!(decode(&encode(&value)).unwrap(), value);
/// ```
pub fn decode(bytes: &[u8]) -> Result<Datum> {
    let mut rest = bytes;
    let value = take(&mut rest, 0)?;
    // What was read is written again: bytes that say the same in another way (an integer with spare bytes) are none of ours.
    if !rest.is_empty() || encode(&value) != bytes {
        return Err(malformed("it is not in canonical form"));
    }
    Ok(value)
}

/// How many bytes the first value of an encoding takes.
///
/// # Errors
/// `corrupt` when the bytes end before it does.
pub(crate) fn first_length(bytes: &[u8]) -> Result<usize> {
    let mut rest = bytes;
    split(&mut rest).map(|_| bytes.len() - rest.len())
}

fn malformed(reason: &'static str) -> Error {
    Error::new(Code::Corrupt, "read the encoding of a value", "").because(reason)
}

/// The tag and the bytes of the first value, which leaves.
fn split<'a>(rest: &mut &'a [u8]) -> Result<(u8, &'a [u8])> {
    let (&tag, tail) = rest.split_first().ok_or_else(|| malformed("it ends early"))?;
    if tag == NULL {
        *rest = tail;
        return Ok((tag, &[]));
    }
    let (head, tail) = tail.split_first_chunk::<4>().ok_or_else(|| malformed("it ends early"))?;
    let length = usize::try_from(u32::from_be_bytes(*head)).map_err(|_| malformed("it is too long"))?;
    let (body, tail) = tail.split_at_checked(length).ok_or_else(|| malformed("it ends early"))?;
    *rest = tail;
    Ok((tag, body))
}

fn take(rest: &mut &[u8], depth: usize) -> Result<Datum> {
    if depth > DEEPEST {
        return Err(malformed("its lists lie too deep"));
    }
    let (tag, body) = split(rest)?;
    let text = || std::str::from_utf8(body).map(str::to_owned).map_err(|_| malformed("its text is not UTF-8"));
    Ok(match tag {
        NULL => Datum::Null,
        BOOLEAN => Datum::Boolean(fixed::<1>(body)? == [1]),
        INTEGER => Datum::Integer(integer(body)?),
        DECIMAL => Datum::Decimal(decimal(body)?),
        FLOAT => Datum::float(f64::from_bits(u64::from_be_bytes(fixed(body)?))),
        TEXT => Datum::Text(text()?),
        BYTES => Datum::Bytes(body.to_vec()),
        UUID => Datum::Uuid(Uuid::from_bytes(fixed(body)?)),
        DATE => Datum::Date(i32::from_be_bytes(fixed(body)?)),
        TIME => Datum::Time(u64::from_be_bytes(fixed(body)?)),
        TIMESTAMP => Datum::Timestamp(tick(body)?),
        INSTANT => Datum::Instant(tick(body)?),
        UNREAL => {
            let [place] = fixed(body)?;
            Datum::Unreal(*Unreal::ALL.get(usize::from(place)).ok_or_else(|| malformed("it is no date"))?)
        }
        INTERVAL => Datum::Interval(interval(body)?),
        JSON => Datum::Json(text()?),
        LIST => Datum::List(members(body, depth)?),
        SET => Datum::Set(members(body, depth)?),
        _ => return Err(malformed("its kind is not known")),
    })
}

fn fixed<const N: usize>(body: &[u8]) -> Result<[u8; N]> {
    body.try_into().map_err(|_| malformed("its length is wrong"))
}

fn integer(body: &[u8]) -> Result<i128> {
    let spare = 16_usize.checked_sub(body.len()).ok_or_else(|| malformed("its integer is too long"))?;
    let sign = if body.first().ok_or_else(|| malformed("its integer is empty"))? & 0x80 == 0 { 0 } else { 0xff };
    let mut bytes = [sign; 16];
    bytes[spare..].copy_from_slice(body);
    Ok(i128::from_be_bytes(bytes))
}

fn decimal(body: &[u8]) -> Result<Decimal> {
    let (head, digits) = body.split_first_chunk::<5>().ok_or_else(|| malformed("its number ends early"))?;
    let [negative, exponent @ ..] = *head;
    let digits = std::str::from_utf8(digits).map_err(|_| malformed("its number has no digits"))?;
    Decimal::new(negative == 1, digits, i32::from_be_bytes(exponent)).map_err(|_| malformed("its number is none"))
}

fn tick(body: &[u8]) -> Result<Tick> {
    let bytes: [u8; 12] = fixed(body)?;
    let (seconds, nanos) = (fixed(&bytes[..8])?, fixed(&bytes[8..])?);
    Ok(Tick { seconds: i64::from_be_bytes(seconds), nanos: u32::from_be_bytes(nanos) })
}

fn interval(body: &[u8]) -> Result<Interval> {
    let bytes: [u8; 24] = fixed(body)?;
    Ok(Interval {
        months: i32::from_be_bytes(fixed(&bytes[..4])?),
        days: i32::from_be_bytes(fixed(&bytes[4..8])?),
        nanos: i128::from_be_bytes(fixed(&bytes[8..])?),
    })
}

fn members(body: &[u8], depth: usize) -> Result<Vec<Datum>> {
    let (count, mut rest) = body.split_first_chunk::<4>().ok_or_else(|| malformed("its list ends early"))?;
    let values =
        std::iter::from_fn(|| (!rest.is_empty()).then(|| take(&mut rest, depth + 1))).collect::<Result<Vec<_>>>()?;
    if u32::try_from(values.len()) != Ok(u32::from_be_bytes(*count)) {
        return Err(malformed("its list has another length"));
    }
    Ok(values)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any value, small integers and the like more often than chance would have them.
    pub(crate) fn any_datum() -> impl Strategy<Value = Datum> {
        let tick = (any::<i64>(), 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Tick { seconds, nanos });
        let leaf =
            prop_oneof![
                Just(Datum::Null),
                any::<bool>().prop_map(Datum::Boolean),
                prop_oneof![any::<i8>().prop_map(i128::from), any::<i64>().prop_map(i128::from), any::<i128>()]
                    .prop_map(Datum::Integer),
                (any::<i128>(), -40_i32..40).prop_map(|(value, exponent)| {
                    Datum::Decimal(Decimal::new(value < 0, &value.unsigned_abs().to_string(), exponent).unwrap())
                }),
                any::<f64>().prop_map(Datum::float),
                any::<f32>().prop_map(Datum::float32),
                ".{0,12}".prop_map(Datum::Text),
                proptest::collection::vec(any::<u8>(), 0..12).prop_map(Datum::Bytes),
                any::<u128>().prop_map(|id| Datum::Uuid(Uuid::from_u128(id))),
                any::<i32>().prop_map(Datum::Date),
                any::<u64>().prop_map(Datum::Time),
                tick.clone().prop_map(Datum::Timestamp),
                tick.prop_map(Datum::Instant),
                (0..Unreal::ALL.len()).prop_map(|place| Datum::Unreal(Unreal::ALL[place])),
                (any::<i32>(), any::<i32>(), any::<i128>())
                    .prop_map(|(months, days, nanos)| Datum::Interval(Interval { months, days, nanos })),
                "[a-z]{0,6}".prop_map(|text| Datum::Json(format!("\"{text}\""))),
            ];
        leaf.prop_recursive(3, 16, 4, |inner| proptest::collection::vec(inner, 0..4).prop_map(Datum::List))
    }

    proptest! {
        #[test]
        fn what_is_encoded_reads_back(value in any_datum()) {
            prop_assert_eq!(decode(&encode(&value)).unwrap(), value);
        }

        #[test]
        fn different_rows_have_different_bytes(left in proptest::collection::vec(any_datum(), 0..4), right in proptest::collection::vec(any_datum(), 0..4)) {
            let encoded = |row: &[Datum]| row.iter().flat_map(encode).collect::<Vec<u8>>();
            prop_assert_eq!(left == right, encoded(&left) == encoded(&right));
        }

        #[test]
        fn bytes_from_outside_are_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = decode(&bytes) {
                prop_assert_eq!(encode(&value), bytes);
            }
        }

        #[test]
        fn the_order_of_a_set_is_no_matter(mut values in proptest::collection::vec(any_datum(), 0..5)) {
            let forwards = encode(&Datum::Set(values.clone()));
            values.reverse();
            values.extend(values.clone());
            prop_assert_eq!(encode(&Datum::Set(values)), forwards);
        }
    }

    #[test]
    fn lists_without_end_are_refused() {
        let mut nested = encode(&Datum::Null);
        for _ in 0..40 {
            let mut outer = Encoder::default();
            let start = outer.open(LIST, 1);
            outer.raw(&nested);
            outer.close(start);
            nested = outer.into_bytes();
        }
        assert_eq!(decode(&nested).unwrap_err().code(), Code::Corrupt);
    }
}
