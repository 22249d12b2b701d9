//! Every type: how it is read, what comes, what it is, and what is sent for it.

use portbook::identity::canonical_json;
use portbook::model::{Datum, Tick};
use uuid::Uuid;

use super::word;
use crate::fixture::{integer, text};
use crate::tds::{Cell, Type};

/// Days from the year 1 to 1970, and from 1900.
const YEAR_1: u32 = 719_162;
const YEAR_1900: i32 = 25_567;

/// 2024-02-29 23:59:59, in days and in seconds since 1970.
const DAY: i32 = 19_782;
const LEAP: i64 = 1_709_251_199;

pub(super) fn tick(nanos: u32) -> Datum {
    Datum::Timestamp(Tick { seconds: LEAP, nanos })
}

pub(super) fn decimal(text: &str) -> Datum {
    Datum::Decimal(text.parse().unwrap())
}

fn wide(text: &str) -> Cell {
    Cell::Bytes(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
}

/// A column; how it is selected; the type and the cell that come; the value; the cell that is sent, and how it is given.
pub(super) struct Case {
    pub(super) of: (&'static str, (i64, i64, i64)),
    pub(super) read: &'static str,
    pub(super) comes: (Type, Cell),
    pub(super) value: Datum,
    pub(super) sent: Cell,
    pub(super) given: &'static str,
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(super) fn cases() -> Vec<Case> {
    let case = |of, read, comes, value, sent, given| Case { of, read, comes, value, sent, given };
    let max = Type::VarBinary(crate::tds::MAX);
    let id = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    let (c, p) = ("t.[c]", "@P2");
    let steps = |seconds: u64, scale: u32| seconds * 10_u64.pow(scale);
    let day = YEAR_1 + DAY.unsigned_abs();
    vec![
        case(("bit", (1, 1, 0)), c, (Type::Bit, Cell::Int(1)), Datum::Boolean(true), Cell::Int(1), "CAST(@P2 AS bit)"),
        case(
            ("tinyint", (1, 3, 0)),
            c,
            (Type::Int(1), Cell::Int(255)),
            integer(255),
            Cell::Int(255),
            "CAST(@P2 AS tinyint)",
        ),
        case(
            ("smallint", (2, 5, 0)),
            c,
            (Type::SMALLINT, Cell::Int(-32_768)),
            integer(-32_768),
            Cell::Int(-32_768),
            "CAST(@P2 AS smallint)",
        ),
        case(("int", (4, 10, 0)), c, (Type::Int(4), Cell::Int(-2)), integer(-2), Cell::Int(-2), "CAST(@P2 AS int)"),
        case(
            ("bigint", (8, 19, 0)),
            c,
            (Type::Int(8), Cell::Int(i64::MIN)),
            integer(i64::MIN.into()),
            Cell::Int(i64::MIN),
            "CAST(@P2 AS bigint)",
        ),
        case(
            ("decimal", (17, 38, 10)),
            c,
            (Type::Decimal { precision: 38, scale: 10 }, Cell::Decimal(-12_345_678_901_234_567_890_123)),
            decimal("-1234567890123.4567890123"),
            word("-1234567890123.4567890123"),
            "CAST(@P2 AS decimal(38,10))",
        ),
        case(
            ("numeric", (17, 38, 38)),
            c,
            (Type::Decimal { precision: 38, scale: 38 }, Cell::Decimal(1)),
            decimal("1e-38"),
            word("0.00000000000000000000000000000000000001"),
            "CAST(@P2 AS numeric(38,38))",
        ),
        case(
            ("money", (8, 19, 4)),
            "CAST(t.[c] AS decimal(19,4))",
            (Type::Decimal { precision: 19, scale: 4 }, Cell::Decimal(-9_223_372_036_854_775_808)),
            decimal("-922337203685477.5808"),
            word("-922337203685477.5808"),
            "CAST(@P2 AS money)",
        ),
        case(
            ("smallmoney", (4, 10, 4)),
            "CAST(t.[c] AS decimal(10,4))",
            (Type::Decimal { precision: 10, scale: 4 }, Cell::Decimal(125_000)),
            decimal("12.5"),
            word("12.5"),
            "CAST(@P2 AS smallmoney)",
        ),
        case(
            ("real", (4, 24, 0)),
            c,
            (Type::Float(4), Cell::Float(0.100_000_001_490_116_12)),
            Datum::float(0.1),
            Cell::Float(0.1),
            "CAST(@P2 AS real)",
        ),
        case(
            ("float", (8, 53, 0)),
            c,
            (Type::FLOAT, Cell::Float(1e-300)),
            Datum::float(1e-300),
            Cell::Float(1e-300),
            "CAST(@P2 AS float)",
        ),
        case(
            ("nvarchar", (40, 0, 0)),
            "CAST(t.[c] AS varbinary(40))",
            (Type::VarBinary(40), wide("ä名🙂' ")),
            text("ä名🙂' "),
            word("ä名🙂' "),
            p,
        ),
        case(
            ("nvarchar", (-1, 0, 0)),
            "CAST(t.[c] AS varbinary(max))",
            (max, wide("a longer text")),
            text("a longer text"),
            word("a longer text"),
            p,
        ),
        case(
            ("nchar", (10, 0, 0)),
            "CAST(t.[c] AS varbinary(10))",
            (Type::VarBinary(10), wide("ab   ")),
            text("ab   "),
            word("ab   "),
            p,
        ),
        case(
            ("varchar", (20, 0, 0)),
            "CAST(CAST(t.[c] AS nvarchar(20)) AS varbinary(40))",
            (Type::VarBinary(40), wide("é€")),
            text("é€"),
            word("é€"),
            p,
        ),
        case(
            ("varchar", (8000, 0, 0)),
            "CAST(CAST(t.[c] AS nvarchar(max)) AS varbinary(max))",
            (max, wide("")),
            text(""),
            word(""),
            p,
        ),
        case(
            ("char", (4, 0, 0)),
            "CAST(CAST(t.[c] AS nvarchar(4)) AS varbinary(8))",
            (Type::VarBinary(8), wide("DE  ")),
            text("DE  "),
            word("DE  "),
            p,
        ),
        case(
            ("ntext", (16, 0, 0)),
            "CAST(CAST(t.[c] AS nvarchar(max)) AS varbinary(max))",
            (max, wide("old")),
            text("old"),
            word("old"),
            p,
        ),
        case(
            ("json", (-1, 0, 0)),
            "CAST(CAST(t.[c] AS nvarchar(max)) AS varbinary(max))",
            (max, wide("{\"b\": 1.0, \"a\": [null]}")),
            Datum::Json(canonical_json(r#"{"a":[null],"b":1.0}"#).unwrap()),
            word(&canonical_json(r#"{"a":[null],"b":1.0}"#).unwrap()),
            p,
        ),
        case(
            ("varbinary", (4, 0, 0)),
            c,
            (Type::VarBinary(4), Cell::Bytes(vec![0, 255])),
            Datum::Bytes(vec![0, 255]),
            Cell::Bytes(vec![0, 255]),
            p,
        ),
        case(
            ("binary", (2, 0, 0)),
            c,
            (Type::Binary(2), Cell::Bytes(vec![1, 0])),
            Datum::Bytes(vec![1, 0]),
            Cell::Bytes(vec![1, 0]),
            p,
        ),
        case(
            ("image", (16, 0, 0)),
            "CAST(t.[c] AS varbinary(max))",
            (max, Cell::Bytes(Vec::new())),
            Datum::Bytes(Vec::new()),
            Cell::Bytes(Vec::new()),
            p,
        ),
        case(
            ("uniqueidentifier", (16, 0, 0)),
            c,
            (Type::Guid, Cell::Guid(*id.as_bytes())),
            Datum::Uuid(id),
            Cell::Guid(*id.as_bytes()),
            "CAST(@P2 AS uniqueidentifier)",
        ),
        case(
            ("date", (3, 10, 0)),
            c,
            (Type::Date, Cell::Date(0)),
            Datum::Date(-719_162),
            Cell::Date(0),
            "CAST(@P2 AS date)",
        ),
        case(
            ("time", (4, 12, 3)),
            c,
            (Type::Time(3), Cell::Time(86_399_999)),
            Datum::Time(86_399_999_000_000),
            Cell::Time(863_999_990_000),
            "CAST(@P2 AS time(3))",
        ),
        case(
            ("datetime2", (8, 27, 7)),
            c,
            (Type::DateTime2(7), Cell::DateTime2(day, steps(86_399, 7) + 1_234_567)),
            tick(123_456_700),
            Cell::DateTime2(day, steps(86_399, 7) + 1_234_567),
            "CAST(@P2 AS datetime2(7))",
        ),
        case(
            ("datetime2", (6, 19, 0)),
            c,
            (Type::DateTime2(0), Cell::DateTime2(day, 86_399)),
            tick(0),
            Cell::DateTime2(day, steps(86_399, 7)),
            "CAST(@P2 AS datetime2(0))",
        ),
        case(
            ("datetime", (8, 23, 3)),
            c,
            (Type::DATETIME, Cell::DateTime(DAY + YEAR_1900, 86_399 * 300 + 1)),
            tick(3_000_000),
            Cell::DateTime2(day, steps(86_399, 7) + 30_000),
            "CAST(@P2 AS datetime)",
        ),
        case(
            ("datetime", (8, 23, 3)),
            c,
            (Type::DateTime(8), Cell::DateTime(DAY + YEAR_1900, 86_399 * 300 + 299)),
            tick(997_000_000),
            Cell::DateTime2(day, steps(86_399, 7) + 9_970_000),
            "CAST(@P2 AS datetime)",
        ),
        case(
            ("smalldatetime", (4, 16, 0)),
            c,
            (Type::SMALLDATETIME, Cell::DateTime(DAY + YEAR_1900, 1439)),
            Datum::Timestamp(Tick { seconds: LEAP - 59, nanos: 0 }),
            Cell::DateTime2(day, steps(86_340, 7)),
            "CAST(@P2 AS smalldatetime)",
        ),
        case(
            ("datetimeoffset", (9, 30, 3)),
            c,
            (Type::DateTimeOffset(3), Cell::DateTimeOffset(day, 86_399_500, 120)),
            Datum::Instant(Tick { seconds: LEAP, nanos: 500_000_000 }),
            Cell::DateTimeOffset(day, steps(86_399, 7) + 5_000_000, 0),
            "CAST(@P2 AS datetimeoffset(3))",
        ),
    ]
}
