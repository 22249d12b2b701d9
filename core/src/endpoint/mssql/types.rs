//! What types mean, and how they are named in statements.
//!
//! | type | values |
//! |---|---|
//! | `bit` | boolean |
//! | `tinyint` (0 to 255) … `bigint` | integer |
//! | `decimal`, `numeric`; `money`, `smallmoney` with their four places | decimal |
//! | `real`, `float` | float |
//! | `char`, `varchar`, `text`, `nchar`, `nvarchar`, `ntext` | text |
//! | `json`; a text that a check wants to be `ISJSON` | JSON |
//! | `binary`, `varbinary`, `image` | bytes |
//! | `uniqueidentifier` | UUID |
//! | `date`, `time` | date, time of day |
//! | `datetime2`, `datetime`, `smalldatetime` | timestamp |
//! | `datetimeoffset` | instant; its offset is not kept |
//! | `rowversion` | integer, which the server counts up with every change of the database; it is read, never written |
//!
//! `sql_variant`, `xml`, `geometry`, `geography`, `hierarchyid`, `vector` and types of .NET are not carried.
//!
//! # How values are read
//!
//! Texts come as the bytes of their UTF-16 (a `varchar` is made an `nvarchar` first, by the server, which knows its code
//! page): one that is no valid UTF-16 then refuses its row and not the whole scan. `money` comes as a decimal, since the
//! driver has floats for it.

use crate::endpoint::{ColumnShape, ColumnTraits, LengthUnit, TimeSteps};
use crate::model::DatumKind;

/// Characters of the longest `nvarchar` with a length, bytes of the longest `varbinary`.
const NVARCHAR: u32 = 4000;
const VARBINARY: u32 = 8000;

/// A type of a column, by the name of the system's type beneath it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MsType {
    pub(super) name: String,
    /// Bytes; -1: up to 2³¹ - 1.
    pub(super) length: i32,
    pub(super) precision: u8,
    pub(super) scale: u8,
    /// The collation of texts.
    pub(super) collation: Option<String>,
    /// The code page of a text that is not Unicode: 65001 is UTF-8.
    pub(super) code_page: i32,
}

/// What is done with values of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Bit,
    Integer,
    Decimal,
    Float,
    /// In UTF-16.
    WideText,
    /// In a code page.
    NarrowText,
    Bytes,
    Uuid,
    Date,
    Time,
    Timestamp,
    Instant,
    RowVersion,
    Other,
}

impl MsType {
    pub(super) fn family(&self) -> Family {
        match self.name.as_str() {
            "bit" => Family::Bit,
            "tinyint" | "smallint" | "int" | "bigint" => Family::Integer,
            "decimal" | "numeric" | "money" | "smallmoney" => Family::Decimal,
            "real" | "float" => Family::Float,
            "nchar" | "nvarchar" | "ntext" | "json" => Family::WideText,
            "char" | "varchar" | "text" => Family::NarrowText,
            "binary" | "varbinary" | "image" => Family::Bytes,
            "uniqueidentifier" => Family::Uuid,
            "date" => Family::Date,
            "time" => Family::Time,
            "datetime2" | "datetime" | "smalldatetime" => Family::Timestamp,
            "datetimeoffset" => Family::Instant,
            "timestamp" | "rowversion" => Family::RowVersion,
            _ => Family::Other,
        }
    }

    /// What values are; nothing when they are not carried.
    pub(super) fn kind(&self) -> Option<DatumKind> {
        Some(match self.family() {
            Family::Bit => DatumKind::Boolean,
            Family::Integer | Family::RowVersion => DatumKind::Integer,
            Family::Decimal => DatumKind::Decimal,
            Family::Float => DatumKind::Float,
            Family::WideText if self.name == "json" => DatumKind::Json,
            Family::WideText | Family::NarrowText => DatumKind::Text,
            Family::Bytes => DatumKind::Bytes,
            Family::Uuid => DatumKind::Uuid,
            Family::Date => DatumKind::Date,
            Family::Time => DatumKind::Time,
            Family::Timestamp => DatumKind::Timestamp,
            Family::Instant => DatumKind::Instant,
            Family::Other => return None,
        })
    }

    /// Characters of a text, bytes of bytes; nothing where there is no bound but 2 GB.
    pub(super) fn max_length(&self) -> Option<u32> {
        let length =
            u32::try_from(self.length).ok().filter(|_| !matches!(self.name.as_str(), "text" | "ntext" | "image"));
        match self.family() {
            Family::WideText if self.name != "json" => length.map(|bytes| bytes / 2),
            Family::NarrowText | Family::Bytes => length,
            _ => None,
        }
    }

    /// The digits of a decimal, and those after its point.
    pub(super) fn digits(&self) -> Option<(u16, u16)> {
        match self.name.as_str() {
            "money" => Some((19, 4)),
            "smallmoney" => Some((10, 4)),
            "decimal" | "numeric" => Some((self.precision.into(), self.scale.into())),
            _ => None,
        }
    }

    /// How many decimal places of a second there are. Those of a `datetime` are steps of 1/300 second, shown as thousandths.
    pub(super) fn second_places(&self) -> Option<u8> {
        match self.name.as_str() {
            "time" | "datetime2" | "datetimeoffset" => Some(self.scale),
            "datetime" => Some(3),
            "smalldatetime" => Some(0),
            _ => None,
        }
    }

    /// The type as it is declared.
    pub(super) fn declared(&self) -> String {
        let name = &self.name;
        let sized = |length: i32| if length < 0 { format!("{name}(max)") } else { format!("{name}({length})") };
        match name.as_str() {
            "decimal" | "numeric" => format!("{name}({},{})", self.precision, self.scale),
            "nchar" | "nvarchar" => sized(if self.length < 0 { -1 } else { self.length / 2 }),
            "char" | "varchar" | "binary" | "varbinary" => sized(self.length),
            "time" | "datetime2" | "datetimeoffset" => format!("{name}({})", self.scale),
            "timestamp" => "rowversion".into(),
            _ => name.clone(),
        }
    }

    /// What is selected for a value of this column, which is named as it stands in a statement.
    pub(super) fn read(&self, column: &str) -> String {
        let in_bytes = |text: String, characters: Option<u32>| match characters {
            Some(characters) => format!("CAST({text} AS varbinary({}))", characters.max(1) * 2),
            None => format!("CAST({text} AS varbinary(max))"),
        };
        let short = self.max_length().filter(|length| *length <= NVARCHAR);
        match (self.family(), self.name.as_str()) {
            (Family::WideText, "nchar" | "nvarchar") => in_bytes(column.into(), short),
            (Family::WideText | Family::NarrowText, _) => {
                let size = short.map_or_else(|| "max".to_owned(), |length| length.max(1).to_string());
                in_bytes(format!("CAST({column} AS nvarchar({size}))"), short)
            }
            (Family::Decimal, "money") => format!("CAST({column} AS decimal(19,4))"),
            (Family::Decimal, "smallmoney") => format!("CAST({column} AS decimal(10,4))"),
            (Family::RowVersion, _) => format!("CAST({column} AS bigint)"),
            (Family::Bytes, "image") => format!("CAST({column} AS varbinary(max))"),
            _ => column.into(),
        }
    }

    /// A parameter as a value of this type. Texts and bytes stay what they are: a cast would cut them.
    pub(super) fn given(&self, parameter: &str) -> String {
        match self.family() {
            Family::WideText | Family::NarrowText | Family::Bytes | Family::Other => parameter.into(),
            Family::RowVersion => format!("CAST({parameter} AS binary(8))"),
            _ => format!("CAST({parameter} AS {})", self.declared()),
        }
    }

    /// What a comparison with this column needs beside the value: two columns of a derived table have no collation of their
    /// own that would decide.
    pub(super) fn comparing(&self) -> String {
        let is_name = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        self.collation.as_ref().filter(is_name).map_or_else(String::new, |name| format!(" COLLATE {name}"))
    }

    /// What the column does with values.
    pub(super) fn traits(&self) -> ColumnTraits {
        let range = match self.name.as_str() {
            "tinyint" => Some((0, u8::MAX.into())),
            "smallint" => Some((i16::MIN.into(), i16::MAX.into())),
            "int" => Some((i32::MIN.into(), i32::MAX.into())),
            "bigint" | "timestamp" | "rowversion" => Some((i64::MIN.into(), i64::MAX.into())),
            _ => None,
        };
        let days = match self.name.as_str() {
            // From the year 1, from 1753, and from 1900 to 2079-06-06.
            "date" | "datetime2" | "datetimeoffset" => Some((-719_162, 2_932_896)),
            "datetime" => Some((-79_258, 2_932_896)),
            "smalldatetime" => Some((-25_567, 39_967)),
            _ => None,
        };
        let length_unit = match (self.family(), self.code_page) {
            (Family::WideText, _) => LengthUnit::Utf16,
            (Family::NarrowText, UTF_8) => LengthUnit::Bytes,
            _ => LengthUnit::Characters,
        };
        ColumnTraits {
            range,
            days,
            is_single: self.name == "real",
            holds_non_finite: (self.family() == Family::Float).then_some(false),
            length_unit,
            pads: matches!(self.name.as_str(), "char" | "nchar"),
            time_steps: match self.name.as_str() {
                "datetime" => TimeSteps::ThreeHundredths,
                "smalldatetime" => TimeSteps::Minutes,
                _ => TimeSteps::Decimal,
            },
            ..ColumnTraits::default()
        }
    }
}

/// The code page of collations whose names have `UTF8` in them.
pub(super) const UTF_8: i32 = 65_001;

/// The type of a column of a new table; nothing when none holds such values.
pub(super) fn declaration(like: &ColumnShape, is_indexed: bool) -> Option<String> {
    let sized = |name: &str, length: Option<u32>, most: u32, indexed: u32| match length {
        Some(length) if length <= most => format!("{name}({})", length.max(1)),
        // An index takes 900 bytes where it orders the table.
        Some(_) | None if is_indexed => format!("{name}({indexed})"),
        Some(_) | None => format!("{name}(max)"),
    };
    Some(match like.kind? {
        DatumKind::Boolean => "bit".into(),
        DatumKind::Integer if like.traits.range.is_some_and(|(_, most)| most > i64::MAX.into()) => {
            "decimal(20,0)".into()
        }
        DatumKind::Integer => "bigint".into(),
        DatumKind::Decimal => match like.digits {
            Some((digits, places)) if digits <= 38 && places <= digits => {
                format!("decimal({},{places})", digits.max(1))
            }
            _ => "decimal(38,10)".into(),
        },
        DatumKind::Float if like.traits.is_single => "real".into(),
        DatumKind::Float => "float".into(),
        DatumKind::Text => {
            // A character may take two of the units that an nvarchar counts.
            let units = if like.traits.length_unit == LengthUnit::Utf16 { 1 } else { 2 };
            sized("nvarchar", like.max_length.map(|length| length.saturating_mul(units)), NVARCHAR, 450)
        }
        DatumKind::Bytes => sized("varbinary", like.max_length, VARBINARY, 900),
        DatumKind::Uuid => "uniqueidentifier".into(),
        DatumKind::Date => "date".into(),
        DatumKind::Time => "time(7)".into(),
        DatumKind::Timestamp => "datetime2(7)".into(),
        DatumKind::Instant => "datetimeoffset(7)".into(),
        DatumKind::Json => "nvarchar(max)".into(),
        DatumKind::Interval | DatumKind::List | DatumKind::Set => return None,
    })
}

/// Texts that differ at the source have to differ here: bytes decide, unless the source ignores case itself. Spaces at the
/// end are no matter in any collation.
pub(super) fn collate(like: &ColumnShape) -> &'static str {
    if like.collation.ignores_case {
        " COLLATE Latin1_General_100_CI_AS_SC"
    } else {
        " COLLATE Latin1_General_100_BIN2"
    }
}
