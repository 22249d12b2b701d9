//! The server of these tests: its packets are the published ones, and others' client is at home with it.

use std::process::Command;

use super::{around, word};
use crate::service::Service;
use crate::tds::{
    Answer, Cell, Encryption, Kind, Login, Request, Results, TdsOptions, TdsServer, Type, asked_encryption,
    login_response, packets, read_request,
};

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// Without the header of the packet.
fn body(hex: &str) -> Vec<u8> {
    bytes(hex)[8..].to_vec()
}

/// [MS-TDS] 4.1, "Pre-Login Request".
const PRELOGIN: &str = "12 01 00 2F 00 00 01 00 00 00 1A 00 06 01 00 20 00 01 02 00 21 00 01 03 00 22 00 04 04 00 26 00 \
     01 FF 09 00 00 00 00 00 01 00 B8 0D 00 00 01";

/// 4.2, "Login Request".
const LOGIN: &str = "10 01 00 90 00 00 01 00 88 00 00 00 02 00 09 72 00 10 00 00 00 00 00 07 00 01 00 00 00 00 00 00 \
     E0 03 00 00 00 00 00 00 09 04 00 00 5E 00 08 00 6E 00 02 00 72 00 00 00 72 00 07 00 80 00 00 00 80 00 00 00 80 00 04 \
     00 88 00 00 00 88 00 00 00 00 50 8B E2 B7 8F 88 00 00 00 88 00 00 00 88 00 00 00 00 00 00 00 73 00 6B 00 6F 00 73 00 \
     74 00 6F 00 76 00 31 00 73 00 61 00 4F 00 53 00 51 00 4C 00 2D 00 33 00 32 00 4F 00 44 00 42 00 43 00";

/// "Login Response".
const LOGGED_IN: &str = "04 01 01 61 00 00 01 00 E3 1B 00 01 06 6D 00 61 00 73 00 74 00 65 00 72 00 06 6D 00 61 00 73 00 \
     74 00 65 00 72 00 AB 58 00 45 16 00 00 02 00 25 00 43 00 68 00 61 00 6E 00 67 00 65 00 64 00 20 00 64 00 61 00 74 00 \
     61 00 62 00 61 00 73 00 65 00 20 00 63 00 6F 00 6E 00 74 00 65 00 78 00 74 00 20 00 74 00 6F 00 20 00 27 00 6D 00 61 \
     00 73 00 74 00 65 00 72 00 27 00 2E 00 00 00 00 00 00 00 E3 08 00 07 05 09 04 D0 00 34 00 E3 17 00 02 0A 75 00 73 00 \
     5F 00 65 00 6E 00 67 00 6C 00 69 00 73 00 68 00 00 E3 13 00 04 04 34 00 30 00 39 00 36 00 04 34 00 30 00 39 00 36 00 \
     AB 5C 00 47 16 00 00 01 00 27 00 43 00 68 00 61 00 6E 00 67 00 65 00 64 00 20 00 6C 00 61 00 6E 00 67 00 75 00 61 00 \
     67 00 65 00 20 00 73 00 65 00 74 00 74 00 69 00 6E 00 67 00 20 00 74 00 6F 00 20 00 75 00 73 00 5F 00 65 00 6E 00 67 \
     00 6C 00 69 00 73 00 68 00 2E 00 00 00 00 00 00 00 AD 36 00 01 72 09 00 02 16 4D 00 69 00 63 00 72 00 6F 00 73 00 6F \
     00 66 00 74 00 20 00 53 00 51 00 4C 00 20 00 53 00 65 00 72 00 76 00 65 00 72 00 00 00 00 00 00 00 00 00 FD 00 00 00 \
     00 00 00 00 00 00 00 00 00";

/// 4.6, "SQL Batch Client Request".
const BATCH: &str = "01 01 00 5C 00 00 01 00 16 00 00 00 12 00 00 00 02 00 00 00 00 00 00 00 00 01 00 00 00 00 0A 00 73 00 \
     65 00 6C 00 65 00 63 00 74 00 20 00 27 00 66 00 6F 00 6F 00 27 00 20 00 61 00 73 00 20 00 27 00 62 00 61 00 72 00 27 \
     00 0A 00 20 00 20 00 20 00 20 00 20 00 20 00 20 00 20 00";

/// "SQL Batch Server Response".
const ROWS: &str = "04 01 00 33 00 00 01 00 81 01 00 00 00 00 00 20 00 A7 03 00 09 04 D0 00 34 03 62 00 61 00 72 00 D1 03 \
     00 66 6F 6F FD 10 00 C1 00 01 00 00 00 00 00 00 00";

/// 4.8, "RPC Client Request".
const CALL: &str = "03 01 00 2F 00 00 01 00 16 00 00 00 12 00 00 00 02 00 00 00 00 00 00 00 00 01 00 00 00 00 04 00 66 00 \
     6F 00 6F 00 33 00 00 00 00 02 26 02 00";

#[test]
fn the_published_requests_are_read() {
    assert_eq!(asked_encryption(&body(PRELOGIN)).unwrap(), 1);
    let login = Login::read(&body(LOGIN)).unwrap();
    let said = [&login.host, &login.user, &login.password, &login.application, &login.library, &login.database];
    assert_eq!(said, ["skostov1", "sa", "", "OSQL-32", "ODBC", ""]);
    assert_eq!((login.version, login.packet_size), (0x7209_0002, 4096));
    let batch = read_request(Kind::Batch, &body(BATCH)).unwrap();
    assert_eq!(batch.sql(), Some("\nselect 'foo' as 'bar'\n        "));
    let call = read_request(Kind::Call, &body(CALL)).unwrap();
    assert_eq!(call, Request::Sql { sql: "foo3".into(), types: String::new(), values: vec![Cell::Null] });
}

#[test]
fn the_published_responses_are_what_it_sends() {
    assert_eq!(packets(Kind::Response, &login_response("master", 0x7209_0002, 4096)), bytes(LOGGED_IN));
    let rows = Answer::rows(&[("bar", Type::VarChar(3))], vec![vec![word("foo")]]);
    assert_eq!(packets(Kind::Response, &rows.encode()), bytes(ROWS));
}

/// Every type with a value, and with none: what Python is to make of it is in the program.
fn everything() -> Results {
    let id = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
    let cells: Vec<(&str, Type, Cell)> = vec![
        ("bit", Type::Bit, Cell::Int(1)),
        ("tinyint", Type::Int(1), Cell::Int(255)),
        ("smallint", Type::Int(2), Cell::Int(-32_768)),
        ("int", Type::Int(4), Cell::Int(-2)),
        ("bigint", Type::Int(8), Cell::Int(i64::MIN)),
        ("real", Type::Float(4), Cell::Float(0.5)),
        ("float", Type::Float(8), Cell::Float(0.1)),
        ("decimal", Type::Decimal { precision: 38, scale: 10 }, Cell::Decimal(-12_345_678_901_234_567_890_123)),
        ("money", Type::Money(8), Cell::Money(-9_223_372_036_854_775_807)),
        ("smallmoney", Type::Money(4), Cell::Money(12_345)),
        ("guid", Type::Guid, Cell::Guid(id)),
        ("nvarchar", Type::NVarChar(40), word("ä名🙂")),
        ("nvarchar_max", Type::NVarChar(crate::tds::MAX), word("a longer text in chunks")),
        ("varchar", Type::VarChar(20), word("é")),
        ("nchar", Type::NChar(8), word("ab  ")),
        ("char", Type::Char(4), word("ab  ")),
        ("varbinary", Type::VarBinary(4), Cell::Bytes(vec![0, 255])),
        ("varbinary_max", Type::VarBinary(crate::tds::MAX), Cell::Bytes((0..=255).collect())),
        ("binary", Type::Binary(4), Cell::Bytes(vec![1, 0, 0, 0])),
        ("date", Type::Date, Cell::Date(719_162 + 19_782)),
        ("time", Type::Time(7), Cell::Time(863_992_500_000)),
        ("datetime2", Type::DateTime2(7), Cell::DateTime2(719_162 + 19_782, 863_991_234_560)),
        ("datetimeoffset", Type::DateTimeOffset(3), Cell::DateTimeOffset(719_162 + 19_782, 86_399_500, 120)),
        ("datetime", Type::DateTime(8), Cell::DateTime(45_349, 25_919_850)),
        ("smalldatetime", Type::DateTime(4), Cell::DateTime(45_349, 1439)),
        ("ntext", Type::NText, word("old")),
        ("xml", Type::Xml, word("<a/>")),
        ("variant", Type::Variant, Cell::Int(7)),
    ];
    let columns = cells.iter().map(|(name, of, _)| ((*name).to_owned(), *of)).collect();
    let nulls = vec![Cell::Null; cells.len()];
    let row: Vec<Cell> = cells.into_iter().map(|(.., cell)| cell).collect();
    // A row of either form, with values and without.
    Results { columns, rows: vec![row.clone(), nulls.clone(), nulls, row] }
}

#[test]
fn python_tds_is_at_home() {
    let Some(python) = Service::start("pytds", &[]) else { return };
    for encryption in [Encryption::None, Encryption::Wrapped] {
        let answer = |request: &Request| match request.sql() {
            Some("SELECT everything") => Answer::of(vec![everything()]),
            Some("SELECT too much") => Answer::fails(208, 16, "Invalid object name 'too much'."),
            Some(sql) if sql.contains("given") => {
                let columns: Vec<_> = request.values().iter().map(|_| ("", Type::NVarChar(200))).collect();
                let said = request.values().iter().map(|value| word(&format!("{value:?}"))).collect();
                Answer::rows(&columns, vec![said])
            }
            _ => around(request, &super::Table::default()),
        };
        let server = TdsServer::start(TdsOptions { encryption, ..TdsOptions::default() }, answer);
        let known = TdsOptions::default();
        let mut command = Command::new(&python.address);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/endpoint/mssql/client.py"));
        command.env("PORT", server.port.to_string()).env("SQL_USER", known.user).env("PASSWORD", known.password);
        if encryption == Encryption::Wrapped {
            command.env("AUTHORITY", server.authority());
        }
        let ran = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{encryption:?}: {out}\n{err}\n{:?}", server.seen().broken);
        assert_eq!(out.lines().last(), Some("at home"));
        let seen = server.seen();
        assert_eq!(seen.logins.len(), 2, "one of them is not let in");
        assert_eq!((seen.logins[0].database.as_str(), seen.logins[0].password.as_str()), ("shop", "pässwörd 1"));
    }
}
