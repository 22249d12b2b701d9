//! What PostgreSQL's types mean, and how their values come over the wire.
//!
//! | type | values |
//! |---|---|
//! | `bool` | boolean |
//! | `int2` `int4` `int8` `oid` | integer |
//! | `numeric` | decimal; `NaN` and the infinities as floats, which no decimal equals |
//! | `float4` `float8` | float |
//! | `text` `varchar` `name` `citext`, enums | text |
//! | `char(n)` | text without the spaces at its end, which do not count in PostgreSQL either |
//! | `bytea` | bytes |
//! | `uuid` | UUID |
//! | `date` `time` | date, time of day |
//! | `timestamp`, `timestamptz` | timestamp, instant |
//! | `interval` | interval |
//! | `json` `jsonb` | JSON |
//! | arrays of these | lists; an array with other lower bounds than 1 is refused |
//! | domains | as what they are made of |
//!
//! All others (`money`, `xml`, ranges, geometry, `timetz`, bit strings, composite types …) are not carried: what their
//! text is depends on settings, or no other database has it.

use tokio_postgres::types::Type;

use crate::endpoint::{ColumnShape, ColumnTraits};
use crate::model::{DatumKind, Unreal};

/// How a value comes over the wire.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wire {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Numeric,
    Float4,
    Float8,
    Text,
    /// `char(n)`.
    Padded,
    Bytes,
    Uuid,
    Date,
    Time,
    Timestamp,
    Instant,
    Interval,
    Json,
    Jsonb,
    List(Box<Wire>),
}

/// What is known of a type, domains looked through.
#[derive(Clone, Debug)]
pub(super) struct PgType {
    pub(super) oid: u32,
    pub(super) name: String,
    /// `b` base, `e` enum, and others.
    pub(super) kind: String,
    /// The same of the members, of an array.
    pub(super) member: Option<Box<PgType>>,
}

impl PgType {
    /// How its values come; nothing when they are not carried.
    pub(super) fn wire(&self) -> Option<Wire> {
        if let Some(member) = &self.member {
            return member.wire().map(|wire| Wire::List(Box::new(wire)));
        }
        if self.kind == "e" || (self.kind == "b" && self.name == "citext") {
            return Some(Wire::Text);
        }
        let known = [
            (Type::BOOL, Wire::Bool),
            (Type::INT2, Wire::Int2),
            (Type::INT4, Wire::Int4),
            (Type::INT8, Wire::Int8),
            (Type::OID, Wire::Oid),
            (Type::NUMERIC, Wire::Numeric),
            (Type::FLOAT4, Wire::Float4),
            (Type::FLOAT8, Wire::Float8),
            (Type::TEXT, Wire::Text),
            (Type::VARCHAR, Wire::Text),
            (Type::NAME, Wire::Text),
            (Type::BPCHAR, Wire::Padded),
            (Type::BYTEA, Wire::Bytes),
            (Type::UUID, Wire::Uuid),
            (Type::DATE, Wire::Date),
            (Type::TIME, Wire::Time),
            (Type::TIMESTAMP, Wire::Timestamp),
            (Type::TIMESTAMPTZ, Wire::Instant),
            (Type::INTERVAL, Wire::Interval),
            (Type::JSON, Wire::Json),
            (Type::JSONB, Wire::Jsonb),
        ];
        known.into_iter().find(|(of, _)| of.oid() == self.oid).map(|(_, wire)| wire)
    }
}

impl Wire {
    pub(super) fn kind(&self) -> DatumKind {
        match self {
            Self::Bool => DatumKind::Boolean,
            Self::Int2 | Self::Int4 | Self::Int8 | Self::Oid => DatumKind::Integer,
            Self::Numeric => DatumKind::Decimal,
            Self::Float4 | Self::Float8 => DatumKind::Float,
            Self::Text | Self::Padded => DatumKind::Text,
            Self::Bytes => DatumKind::Bytes,
            Self::Uuid => DatumKind::Uuid,
            Self::Date => DatumKind::Date,
            Self::Time => DatumKind::Time,
            Self::Timestamp => DatumKind::Timestamp,
            Self::Instant => DatumKind::Instant,
            Self::Interval => DatumKind::Interval,
            Self::Json | Self::Jsonb => DatumKind::Json,
            Self::List(_) => DatumKind::List,
        }
    }

    /// What the members are, of a list.
    pub(super) fn member(&self) -> Option<DatumKind> {
        match self {
            Self::List(member) => Some(member.kind()),
            _ => None,
        }
    }

    /// What a column of it does with its values.
    pub(super) fn traits(&self) -> ColumnTraits {
        let of = |lowest: i64, highest: i64| Some((lowest.into(), highest.into()));
        let unreal = match self {
            Self::Date => vec![Unreal::EndlessDate, Unreal::BeginninglessDate],
            Self::Timestamp | Self::Instant => vec![Unreal::EndlessTime, Unreal::BeginninglessTime],
            _ => Vec::new(),
        };
        ColumnTraits {
            range: match self {
                Self::Int2 => of(i16::MIN.into(), i16::MAX.into()),
                Self::Int4 => of(i32::MIN.into(), i32::MAX.into()),
                Self::Int8 => of(i64::MIN, i64::MAX),
                Self::Oid => of(0, u32::MAX.into()),
                _ => None,
            },
            // 4713-11-24 BC to the last day of 5874897, of 294276 (datatype-datetime, table 8.9).
            days: match self {
                Self::Date => Some((-2_440_588, 2_145_042_905)),
                Self::Timestamp | Self::Instant => Some((-2_440_588, 106_762_939)),
                _ => None,
            },
            is_single: *self == Self::Float4,
            holds_non_finite: (*self == Self::Numeric).then_some(true),
            unreal,
            pads: *self == Self::Padded,
            ..ColumnTraits::default()
        }
    }

    /// The most characters that a type modifier allows.
    pub(super) fn max_length(&self, modifier: i32) -> Option<u32> {
        // The length and four bytes of a header (`VARHDRSZ`).
        matches!(self, Self::Text | Self::Padded).then(|| u32::try_from(modifier - 4).ok()).flatten()
    }

    /// Digits and places of a `numeric(p, s)`.
    pub(super) fn digits(&self, modifier: i32) -> Option<(u16, u16)> {
        if *self != Self::Numeric || modifier < 4 {
            return None;
        }
        // `((p << 16) | (s & 0x7ff)) + 4`; the eleven bits of the scale have a sign since version 15.
        let (digits, places) = ((modifier - 4) >> 16 & 0xffff, (((modifier - 4) & 0x7ff) ^ 1024) - 1024);
        let digits = digits + (-places).max(0);
        Some((u16::try_from(digits).ok()?, u16::try_from(places.max(0)).ok()?))
    }

    /// Decimal places of a second.
    pub(super) fn second_places(&self, modifier: i32) -> Option<u8> {
        let is_time = matches!(self, Self::Time | Self::Timestamp | Self::Instant);
        is_time.then(|| u8::try_from(modifier).unwrap_or(6).min(6))
    }
}

/// The type of a column of a new table; nothing when none holds such values.
pub(super) fn declaration(like: &ColumnShape) -> Option<String> {
    let of = |kind| {
        Some(match kind {
            DatumKind::Boolean => "boolean".to_owned(),
            // An unsigned number of 64 bits has 20 digits.
            DatumKind::Integer if like.traits.range.is_some_and(|(_, most)| most > i64::MAX.into()) => {
                "numeric(20,0)".into()
            }
            DatumKind::Integer => "bigint".into(),
            DatumKind::Decimal => match like.digits {
                Some((digits, places)) if digits <= 1000 => format!("numeric({},{places})", digits.max(1)),
                _ => "numeric".into(),
            },
            DatumKind::Float => "double precision".into(),
            DatumKind::Text => match like.max_length {
                // The longest that PostgreSQL declares.
                Some(length @ 1..=10_485_760) => format!("varchar({length})"),
                _ => "text".into(),
            },
            DatumKind::Bytes => "bytea".into(),
            DatumKind::Uuid => "uuid".into(),
            DatumKind::Date => "date".into(),
            DatumKind::Time => "time".into(),
            DatumKind::Timestamp => "timestamp".into(),
            DatumKind::Instant => "timestamptz".into(),
            DatumKind::Interval => "interval".into(),
            DatumKind::Json => "jsonb".into(),
            DatumKind::List | DatumKind::Set => return None,
        })
    };
    match like.kind? {
        DatumKind::List => of(like.member?).map(|member| format!("{member}[]")),
        kind => of(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_read() {
        let numeric = |digits: i32, places: i32| ((digits << 16) | (places & 0x7ff)) + 4;
        assert_eq!(Wire::Numeric.digits(numeric(10, 2)), Some((10, 2)));
        assert_eq!(Wire::Numeric.digits(numeric(3, -2)), Some((5, 0)), "numeric(3,-2) holds 99900");
        assert_eq!(Wire::Numeric.digits(-1), None);
        assert_eq!(Wire::Text.max_length(24), Some(20));
        assert_eq!(Wire::Text.max_length(-1), None);
        assert_eq!(Wire::Instant.second_places(3), Some(3));
        assert_eq!(Wire::Instant.second_places(-1), Some(6));
    }
}
