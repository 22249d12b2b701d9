//! Every type of every product: what is in the cell is what comes, and what is written is what is read.

use std::sync::Arc;

use portbook::endpoint::{NewTable, TableName};
use portbook::model::{Datum, DatumKind, DbType, Interval, Tick, Unreal};
use uuid::Uuid;

use crate::fixture::{Flavour, Store, integer, names, new_column, text, words};

fn decimal(text: &str) -> Datum {
    Datum::Decimal(text.parse().unwrap())
}

fn json(text: &str) -> Datum {
    Datum::Json(portbook::identity::canonical_json(text).unwrap())
}

/// Seconds of 2024-02-29 23:59:59.
const LEAP: i64 = 1_709_251_199;

fn tick(nanos: u32) -> Tick {
    Tick { seconds: LEAP, nanos }
}

/// Type, literal, value.
type Cell = (&'static str, &'static str, Datum);

fn on_sqlite() -> Vec<Cell> {
    let id = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    vec![
        ("INTEGER", "-9223372036854775808", integer(i64::MIN.into())),
        ("BIGINT", "9223372036854775807", integer(i64::MAX.into())),
        ("BOOLEAN", "1", Datum::Boolean(true)),
        ("REAL", "0.1", Datum::float(0.1)),
        ("DOUBLE", "7", Datum::float(7.0)),
        ("DECIMAL(10,2)", "12.50", decimal("12.5")),
        ("DECIMAL(10,2)", "7", decimal("7")),
        (
            "DECIMAL_TEXT(40,20)",
            "'12345678901234567890.12345678901234567890'",
            decimal("12345678901234567890.1234567890123456789"),
        ),
        ("TEXT", "'ä名'' '", text("ä名' ")),
        ("VARCHAR(5)", "''", text("")),
        ("BLOB", "x'00ff'", Datum::Bytes(vec![0, 255])),
        ("UUID", "'00112233-4455-6677-8899-AABBCCDDEEFF'", Datum::Uuid(id)),
        ("UUID", "x'00112233445566778899aabbccddeeff'", Datum::Uuid(id)),
        ("DATE", "'1969-12-31'", Datum::Date(-1)),
        ("TIME", "'23:59:59.25'", Datum::Time(86_399_250_000_000)),
        ("DATETIME", "'2024-02-29 23:59:59.123456789'", Datum::Timestamp(tick(123_456_789))),
        ("TIMESTAMP", "'2024-02-29T23:59:59'", Datum::Timestamp(tick(0))),
        ("TIMESTAMPTZ", "'2024-03-01 01:59:59+02:00'", Datum::Instant(tick(0))),
        ("TIMESTAMPTZ", "'2024-02-29 23:59:59'", Datum::Instant(tick(0))),
        ("JSON_TEXT", "'{\"b\": 1.0, \"a\": [null]}'", json(r#"{"a":[null],"b":1}"#)),
        ("TEXT", "NULL", Datum::Null),
    ]
}

fn on_postgres() -> Vec<Cell> {
    let id = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    let span = Interval { months: 14, days: -3, nanos: 4_500_000_000 };
    vec![
        ("int2", "-32768", integer(-32_768)),
        ("int4", "2147483647", integer(i32::MAX.into())),
        ("int8", "-9223372036854775808", integer(i64::MIN.into())),
        ("boolean", "true", Datum::Boolean(true)),
        ("numeric", "'1e131071'", decimal("1e131071")),
        ("numeric", "-0.000000000000000000000000012300", decimal("-0.0000000000000000000000000123")),
        ("numeric(10,2)", "0", decimal("0")),
        ("numeric(10,4)", "10000.0001", decimal("10000.0001")),
        ("numeric", "'NaN'", Datum::float(f64::NAN)),
        ("float4", "0.1", Datum::float(0.1)),
        ("float8", "'-0'", Datum::float(0.0)),
        ("float8", "'Infinity'", Datum::float(f64::INFINITY)),
        ("float8", "1e-300", Datum::float(1e-300)),
        ("text", "'ä名'' '", text("ä名' ")),
        ("varchar(5)", "''", text("")),
        ("char(5)", "'ab '", text("ab")),
        ("name", "'n'", text("n")),
        ("bytea", "'\\x00ff'", Datum::Bytes(vec![0, 255])),
        ("uuid", "'00112233-4455-6677-8899-aabbccddeeff'", Datum::Uuid(id)),
        ("date", "'1969-12-31'", Datum::Date(-1)),
        ("date", "'0044-03-15 BC'", Datum::Date(-735_160)),
        ("date", "'infinity'", Datum::Unreal(Unreal::EndlessDate)),
        ("time", "'24:00'", Datum::Time(86_400_000_000_000)),
        ("timestamp", "'2024-02-29 23:59:59.123456'", Datum::Timestamp(tick(123_456_000))),
        ("timestamp", "'-infinity'", Datum::Unreal(Unreal::BeginninglessTime)),
        ("timestamptz", "'2024-03-01 01:59:59+02'", Datum::Instant(tick(0))),
        (
            "timestamptz",
            "'1900-01-01 00:00:00.5+00'",
            Datum::Instant(Tick { seconds: -2_208_988_800, nanos: 500_000_000 }),
        ),
        ("interval", "'1 year 2 months -3 days 4.5 seconds'", Datum::Interval(span)),
        ("json", "'{\"b\": 1.0, \"a\": [null], \"b\": 2}'", json(r#"{"a":[null],"b":2}"#)),
        ("jsonb", "'[9007199254740993, 1.10]'", json("[9007199254740993,1.1]")),
        ("int4[]", "'{1,NULL,3}'", Datum::List(vec![integer(1), Datum::Null, integer(3)])),
        ("text[]", "'{}'", Datum::List(vec![])),
        ("text[]", "ARRAY['a\"b\\', 'NULL', '{,}']", Datum::List(vec![text("a\"b\\"), text("NULL"), text("{,}")])),
        (
            "int8[]",
            "'{{1,2},{3,4}}'",
            Datum::List(vec![Datum::List(vec![integer(1), integer(2)]), Datum::List(vec![integer(3), integer(4)])]),
        ),
        ("text", "NULL", Datum::Null),
    ]
}

fn on_mysql(flavour: Flavour) -> Vec<Cell> {
    let set = Datum::Set(vec![text("a"), text("c")]);
    let mut cells = vec![
        ("TINYINT(1)", "-7", integer(-7)),
        ("SMALLINT", "-32768", integer(-32_768)),
        ("BIGINT", "-9223372036854775808", integer(i64::MIN.into())),
        ("BIGINT UNSIGNED", "18446744073709551615", integer(u64::MAX.into())),
        ("BIT(12)", "b'111100001111'", integer(0xf0f)),
        ("YEAR", "2024", integer(2024)),
        (
            "DECIMAL(65,30)",
            "-12345678901234567890.000000000000000000000000000001",
            decimal("-12345678901234567890.000000000000000000000000000001"),
        ),
        ("DECIMAL(10,2)", "12.5", decimal("12.50")),
        ("FLOAT", "0.1", Datum::float(0.1)),
        ("DOUBLE", "1e-300", Datum::float(1e-300)),
        ("VARCHAR(20)", "'ä名🙂'' '", text("ä名🙂' ")),
        ("CHAR(5)", "'ab'", text("ab")),
        ("LONGTEXT", "''", text("")),
        ("VARBINARY(5)", "x'00ff'", Datum::Bytes(vec![0, 255])),
        ("BLOB", "x''", Datum::Bytes(vec![])),
        ("DATE", "'1969-12-31'", Datum::Date(-1)),
        ("DATE", "'0000-00-00'", Datum::Unreal(Unreal::ZeroDate)),
        ("TIME(2)", "'23:59:59.25'", Datum::Time(86_399_250_000_000)),
        ("DATETIME(6)", "'2024-02-29 23:59:59.123456'", Datum::Timestamp(tick(123_456_000))),
        ("DATETIME", "'0000-00-00 00:00:00'", Datum::Unreal(Unreal::ZeroTime)),
        ("TIMESTAMP(3) NULL", "'2024-02-29 23:59:59.5'", Datum::Instant(tick(500_000_000))),
        ("ENUM('glad', 'it''s')", "'it''s'", text("it's")),
        ("SET('a', 'b', 'c')", "'c,a'", set),
        ("JSON", "'{\"b\": 1.0, \"a\": [null]}'", json(r#"{"a":[null],"b":1}"#)),
        ("TEXT", "NULL", Datum::Null),
    ];
    match flavour {
        Flavour::MariaDb => cells.push((
            "UUID",
            "'00112233-4455-6677-8899-aabbccddeeff'",
            Datum::Uuid(Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff)),
        )),
        // Documents that the server keeps in a form of its own, and texts by the newer rules of Unicode.
        Flavour::MySql => cells.extend([
            (
                "JSON",
                "'[18446744073709551615, -9223372036854775808, 9007199254740993]'",
                json("[18446744073709551615,-9223372036854775808,9007199254740993]"),
            ),
            (
                "JSON",
                r#"'{"z": "ä名🙂 \\" \\\\ \\u0001", "a": {"b": [true, false, 1.5e-7]}}'"#,
                json(r#"{"a":{"b":[true,false,1.5e-7]},"z":"ä名🙂 \" \\ \u0001"}"#),
            ),
            ("JSON", "'\"text\"'", json(r#""text""#)),
            ("JSON", "'null'", json("null")),
            ("VARCHAR(20) COLLATE utf8mb4_0900_ai_ci", "'Ä '", text("Ä ")),
            ("VARCHAR(20) COLLATE utf8mb4_0900_bin", "'🙂 '", text("🙂 ")),
            ("VARCHAR(20) CHARACTER SET latin1", "'é'", text("é")),
        ]),
    }
    cells
}

fn cells(store: &Store) -> Vec<Cell> {
    match store.product {
        DbType::Sqlite => on_sqlite(),
        DbType::Postgres => on_postgres(),
        DbType::MySql => on_mysql(store.flavour()),
        other => panic!("no types of {other:?}"),
    }
}

async fn torture(store: &Store) -> (TableName, Vec<String>, Vec<Datum>) {
    let cells = cells(store);
    let columns: Vec<_> = (0..cells.len()).map(|at| format!("c{at}")).collect();
    let declared: Vec<_> = cells.iter().zip(&columns).map(|((of, ..), name)| format!("{name} {of}")).collect();
    let literals: Vec<_> = cells.iter().map(|(_, literal, _)| *literal).collect();
    store.run(&format!("CREATE TABLE torture (id INTEGER PRIMARY KEY, {})", declared.join(", "))).await;
    store.run(&format!("INSERT INTO torture VALUES (1, {})", literals.join(", "))).await;
    (TableName::new("", "torture"), columns, cells.into_iter().map(|(.., value)| value).collect())
}

pub(crate) async fn every_value_comes_as_it_is(store: Arc<Store>) {
    let (table, columns, expected) = torture(&store).await;
    let of: Vec<_> = columns.iter().map(String::as_str).collect();
    let (rows, refused) = store.rows(&table, &of).await;
    assert_eq!((rows.len(), refused), (1, 0));
    for ((value, expected), cell) in rows[0].iter().zip(&expected).zip(cells(&store)) {
        assert_eq!(value, expected, "{} {}", cell.0, cell.1);
    }
    let shape = store.endpoint.describe(&table).await.unwrap();
    for (name, value) in columns.iter().zip(&expected) {
        let column = shape.column(name).unwrap();
        let is_number = |kind| matches!(kind, Some(DatumKind::Decimal | DatumKind::Float));
        assert!(
            value
                .kind()
                .is_none_or(|kind| column.kind == Some(kind) || is_number(column.kind) && is_number(Some(kind))),
            "{column:?}"
        );
    }
    // By its key it comes in the same way.
    let keys = portbook::identity::RowBatch::of(1, &[vec![integer(1)]]).unwrap();
    let page = store.endpoint.fetch(&table, &columns, &names(&["id"]), &keys).await.unwrap();
    assert_eq!(page.rows.row(0).data().unwrap(), expected);
}

pub(crate) async fn what_is_written_reads_back(store: Arc<Store>) {
    let (table, columns, values) = torture(&store).await;
    let all: Vec<_> = std::iter::once("id").chain(columns.iter().map(String::as_str)).collect();
    let row = |id: i128| std::iter::once(integer(id)).chain(values.iter().cloned()).collect::<Vec<_>>();
    let outcomes = store.insert(&table, &all, &[row(2), row(3)]).await;
    assert_eq!(words(&outcomes), ["written", "written"], "{outcomes:?}");
    assert_eq!(store.rows(&table, &all).await.0, [row(1), row(2), row(3)]);
    // Columns that were made for such values hold them, too.
    let is_held = |kind: DatumKind| {
        // No column of SQLite holds spans; MySQL's makes texts of UUIDs, and has no sets without their choices.
        store.product != DbType::MySql || !matches!(kind, DatumKind::Uuid | DatumKind::Set)
    };
    let kinds: Vec<_> = values
        .iter()
        .filter(|value| value.kind().is_some_and(is_held))
        .filter_map(|value| Some((value.kind()?, value)))
        .filter(|(kind, value)| {
            *kind != DatumKind::List
                && !matches!(value, Datum::Float(number) if !number.get().is_finite())
                && value != &&decimal("1e131071")
        })
        .collect();
    let mut made = vec![new_column("id", DatumKind::Integer)];
    made.extend(kinds.iter().enumerate().map(|(at, (kind, value))| {
        let mut column = new_column(&format!("m{at}"), *kind);
        column.like.digits = None;
        if **value == integer(u64::MAX.into()) {
            column.like.traits.range = Some((0, u64::MAX.into()));
        }
        column
    }));
    let of: Vec<_> = made.iter().map(|column| column.name.clone()).collect();
    let of: Vec<_> = of.iter().map(String::as_str).collect();
    let name = TableName::new("", "made");
    let table = NewTable { name: name.clone(), description: String::new(), columns: made, key: names(&["id"]) };
    store.endpoint.create(table).await.unwrap();
    let row: Vec<_> = std::iter::once(integer(1)).chain(kinds.iter().map(|(_, value)| (*value).clone())).collect();
    let outcomes = store.insert(&name, &of, std::slice::from_ref(&row)).await;
    assert_eq!(words(&outcomes), ["written"], "{outcomes:?}");
    assert_eq!(store.rows(&name, &of).await.0, [row]);
}

pub(crate) async fn a_value_that_cannot_be_carried_refuses_its_row_alone(store: Arc<Store>) {
    let (of, good, bad) = match store.product {
        DbType::Sqlite => ("INTEGER", "7", "'seven'"),
        DbType::MySql => ("TIME", "'07:00:00'", "'-07:00:00'"),
        _ => ("int4[]", "'{7}'", "'[0:1]={7,8}'"),
    };
    store.run(&format!("CREATE TABLE t (id INTEGER PRIMARY KEY, v {of}, w VARCHAR(9))")).await;
    store.run(&format!("INSERT INTO t VALUES (1, {good}, 'a'), (2, {bad}, 'b'), (3, {good}, 'c')")).await;
    let scan = crate::fixture::scan_of(&TableName::new("", "t"), &["id", "v", "w"]);
    let mut stream = store.endpoint.scan(scan).await.unwrap();
    let page = stream.next().await.unwrap().unwrap();
    assert_eq!(page.rows.len(), 2);
    assert_eq!(page.refused[0].known, [("id".to_owned(), integer(2)), ("w".to_owned(), text("b"))]);
    let said = page.refused[0].error.to_string();
    assert!(said.contains(": v: ") && !said.contains("seven"), "{said}");
    assert!(stream.next().await.unwrap().is_none());
}
