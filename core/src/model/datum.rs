//! Values of rows, as sources and targets of records hold them.
//!
//! A value keeps what its database can tell apart and the other side could need: a timestamp without a zone is another
//! thing than an instant, a decimal another thing than a float. What two databases only write differently (`1.0` and
//! `1.00`, `-0` and `0`) is one value, so that it is equal and hashes alike.

use std::fmt;

use uuid::Uuid;

use super::Decimal;

/// A value of a row.
///
/// ```
/// use portbook::model::Datum;
/// assert_eq!(Datum::float(-0.0), Datum::float(0.0));
/// assert_ne!(Datum::Text(String::new()), Datum::Null);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// No value.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number of any width.
    Integer(i128),
    /// A number with a fraction that is exact.
    Decimal(Decimal),
    /// A number that is not. Made by [`float`](Self::float), which knows one zero and one NaN.
    Float(Binary64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A UUID.
    Uuid(Uuid),
    /// A day: days since 1970-01-01 in the proleptic Gregorian calendar.
    Date(i32),
    /// A time of day: nanoseconds since midnight, at most 86,400 × 10⁹ (24:00, which PostgreSQL knows).
    Time(u64),
    /// A date and a time that no zone belongs to.
    Timestamp(Tick),
    /// A point in time.
    Instant(Tick),
    /// A date or a time that is none.
    Unreal(Unreal),
    /// A span of time that calendars and clocks measure differently.
    Interval(Interval),
    /// A JSON document in the form of RFC 8785, made by [`canonical_json`](crate::identity::canonical_json).
    Json(String),
    /// Values in an order.
    List(Vec<Datum>),
    /// Values without an order: sorted by their encoding, each once.
    Set(Vec<Datum>),
}

/// A float that equals itself: NaN is one value, `-0` is `0`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Binary64(u64);

impl Binary64 {
    /// The value of that float.
    #[must_use]
    pub fn new(value: f64) -> Self {
        // One NaN (records differ in payload and sign by engine), one zero.
        Self(if value.is_nan() { 0x7ff8_0000_0000_0000 } else { (value + 0.0).to_bits() })
    }

    /// The float.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }

    /// Its bits.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Binary64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.get(), f)
    }
}

/// A number of seconds since 1970-01-01 00:00 and the nanoseconds after it: of UTC in an instant, of the wall clock in a
/// timestamp without a zone. How finely the column counts is not part of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tick {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// Nanoseconds, below 10⁹.
    pub nanos: u32,
}

impl Tick {
    /// That many microseconds since 1970.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        let nanos = u32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0) * 1000;
        Self { seconds: micros.div_euclid(1_000_000), nanos }
    }

    /// Microseconds since 1970, rounded down; nothing outside of what 64 bits hold.
    #[must_use]
    pub fn micros(self) -> Option<i64> {
        self.seconds.checked_mul(1_000_000)?.checked_add(i64::from(self.nanos / 1000))
    }

    /// The same without what is finer than that many decimal places of a second (0 to 9).
    #[must_use]
    pub fn truncated(self, places: u8) -> Self {
        let unit = 10_u32.pow(9 - u32::from(places.min(9)));
        Self { seconds: self.seconds, nanos: self.nanos / unit * unit }
    }
}

/// A date or a time that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unreal {
    /// Later than every date (PostgreSQL's `infinity`).
    EndlessDate,
    /// Earlier than every date (PostgreSQL's `-infinity`).
    BeginninglessDate,
    /// Later than every time.
    EndlessTime,
    /// Earlier than every time.
    BeginninglessTime,
    /// MySQL's `0000-00-00`.
    ZeroDate,
    /// MySQL's `0000-00-00 00:00:00`.
    ZeroTime,
}

impl Unreal {
    /// All of them, by the number that stands for each in the encoding.
    pub(crate) const ALL: [Self; 6] = [
        Self::EndlessDate,
        Self::BeginninglessDate,
        Self::EndlessTime,
        Self::BeginninglessTime,
        Self::ZeroDate,
        Self::ZeroTime,
    ];
}

/// A span of time; its three parts do not convert into each other (a month has no number of days).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Months.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Nanoseconds.
    pub nanos: i128,
}

impl Datum {
    /// A float; there is one NaN and one zero.
    #[must_use]
    pub fn float(value: f64) -> Self {
        Self::Float(Binary64::new(value))
    }

    /// A float of single precision: the number that its shortest text says, so that `0.1` of four bytes is `0.1`.
    #[must_use]
    pub fn float32(value: f32) -> Self {
        Self::float(widened(value))
    }

    /// What kind of value it is; nothing for [`Null`](Self::Null).
    #[must_use]
    pub fn kind(&self) -> Option<DatumKind> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(_) => DatumKind::Boolean,
            Self::Integer(_) => DatumKind::Integer,
            Self::Decimal(_) => DatumKind::Decimal,
            Self::Float(_) => DatumKind::Float,
            Self::Text(_) => DatumKind::Text,
            Self::Bytes(_) => DatumKind::Bytes,
            Self::Uuid(_) => DatumKind::Uuid,
            Self::Date(_) => DatumKind::Date,
            Self::Time(_) => DatumKind::Time,
            Self::Timestamp(_) => DatumKind::Timestamp,
            Self::Instant(_) => DatumKind::Instant,
            Self::Unreal(Unreal::EndlessDate | Unreal::BeginninglessDate | Unreal::ZeroDate) => DatumKind::Date,
            Self::Unreal(Unreal::EndlessTime | Unreal::BeginninglessTime | Unreal::ZeroTime) => DatumKind::Timestamp,
            Self::Interval(_) => DatumKind::Interval,
            Self::Json(_) => DatumKind::Json,
            Self::List(_) => DatumKind::List,
            Self::Set(_) => DatumKind::Set,
        })
    }
}

/// The number that the shortest text of a single-precision float says. Widening the bits instead would make
/// `0.10000000149011612` of `0.1`, and no other database holds that.
pub(crate) fn widened(value: f32) -> f64 {
    if value.is_finite() {
        zmij::Buffer::new().format_finite(value).parse().unwrap_or(f64::from(value))
    } else {
        f64::from(value)
    }
}

/// What kind of value a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatumKind {
    /// Truth values.
    Boolean,
    /// Whole numbers.
    Integer,
    /// Exact numbers with a fraction.
    Decimal,
    /// Floats.
    Float,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// UUIDs.
    Uuid,
    /// Days.
    Date,
    /// Times of day.
    Time,
    /// Dates with times and no zone.
    Timestamp,
    /// Points in time.
    Instant,
    /// Spans of time.
    Interval,
    /// JSON documents.
    Json,
    /// Lists.
    List,
    /// Sets.
    Set,
}

impl DatumKind {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Float => "float",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Uuid => "uuid",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Instant => "instant",
            Self::Interval => "interval",
            Self::Json => "json",
            Self::List => "list",
            Self::Set => "set",
        }
    }
}

impl fmt::Display for DatumKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_of_four_bytes_is_what_its_text_says() {
        assert_eq!(Datum::float32(0.1), Datum::float(0.1));
        assert_eq!(Datum::float32(f32::MAX), Datum::float(3.402_823_5e38));
        assert_eq!(Datum::float32(f32::NAN), Datum::float(f64::NAN));
        assert_eq!(Datum::float32(f32::NEG_INFINITY), Datum::float(f64::NEG_INFINITY));
    }

    #[test]
    fn ticks_round_towards_the_past() {
        assert_eq!(Tick::from_micros(-1), Tick { seconds: -1, nanos: 999_999_000 });
        assert_eq!(Tick::from_micros(-1).micros(), Some(-1));
        assert_eq!(Tick { seconds: -1, nanos: 999_999_999 }.truncated(3), Tick { seconds: -1, nanos: 999_000_000 });
        assert_eq!(Tick { seconds: i64::MAX, nanos: 0 }.micros(), None);
    }
}
