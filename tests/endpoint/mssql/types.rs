//! Types: what the catalogue says, what comes over the network, what becomes of it, and what is sent for it.

use portbook::Code;
use portbook::endpoint::{LengthUnit, RowAction, TableName, WriteBatch};
use portbook::identity::RowBatch;
use portbook::model::{ConstraintType, Datum, DatumKind, Tick};

use super::cases::{cases, decimal, tick};
use super::{Column, Index, Table, column, run, scripted, t, unique};
use crate::fixture::{data, integer, names, scan_of, text, words};
use crate::tds::{Answer, Cell, Request, Type};

fn table(of: Column) -> Table {
    Table::keyed(vec![column("id", "int", (4, 10, 0)), of], &["id"])
}

#[test]
fn every_value_comes_as_it_is_and_goes_as_it_came() {
    run(async {
        for case in cases() {
            let (of, comes, read) = (case.of, case.comes.clone(), case.read);
            let expected = format!("SELECT t.[id], {read} FROM [dbo].[t] AS t");
            let script = move |request: &Request| {
                let sql = request.sql()?;
                if sql == expected {
                    let rows = vec![vec![Cell::Int(1), comes.1.clone()], vec![Cell::Int(2), comes.1.clone()]];
                    return Some(Answer::rows(&[("", Type::INT), ("", comes.0)], rows));
                }
                let counted = Answer::rows(&[("", Type::INT)], vec![vec![Cell::Int(1)]]);
                sql.starts_with("INSERT").then_some(counted)
            };
            let (server, endpoint) = scripted(table(column("c", of.0, of.1)), script);
            let shape = endpoint.describe(&t()).await.unwrap();
            assert_eq!(shape.column("c").unwrap().kind, case.value.kind(), "{of:?}");
            let mut stream = endpoint.scan(scan_of(&t(), &["id", "c"])).await.unwrap();
            let page = stream.next().await.unwrap().unwrap_or_else(|| panic!("{of:?}: {:?}", server.statements()));
            assert!(page.refused.is_empty(), "{of:?}: {:?}", page.refused);
            assert_eq!(data(&page), [1, 2].map(|id| vec![integer(id), case.value.clone()]), "{of:?}");
            assert!(stream.next().await.unwrap().is_none());
            let rows = RowBatch::of(2, &[vec![integer(1), case.value.clone()]]).unwrap();
            let action = RowAction::Insert { columns: names(&["id", "c"]), rows };
            let outcomes = endpoint.write(WriteBatch { table: t(), key: names(&["id"]), action }).await.unwrap();
            assert_eq!(words(&outcomes), ["written"], "{of:?}: {outcomes:?}");
            let seen = server.seen().requests;
            let insert =
                seen.iter().find(|request| request.sql().is_some_and(|sql| sql.starts_with("INSERT"))).unwrap();
            let given = format!("VALUES (CAST(@P1 AS int), {});", case.given);
            assert!(insert.sql().unwrap().contains(&given), "{of:?}: {insert:?}");
            assert_eq!(insert.values(), [Cell::Int(1), case.sent], "{of:?}");
        }
    });
}

#[test]
fn nothing_is_nothing_in_every_column() {
    run(async {
        for case in cases() {
            let of = case.of;
            let comes = match case.comes.0 {
                // Types that are never null have a form that may be.
                Type::SMALLINT => Type::Int(2),
                Type::FLOAT => Type::Float(8),
                Type::DATETIME => Type::DateTime(8),
                Type::SMALLDATETIME => Type::DateTime(4),
                other => other,
            };
            let script = move |request: &Request| {
                let sql = request.sql()?;
                if sql.starts_with("SELECT t.[id]") {
                    let rows = vec![vec![Cell::Int(1), Cell::Null], vec![Cell::Int(2), Cell::Null]];
                    return Some(Answer::rows(&[("", Type::INT), ("", comes)], rows));
                }
                let counted = Answer::rows(&[("", Type::INT)], vec![vec![Cell::Int(1)]]);
                sql.starts_with("INSERT").then_some(counted)
            };
            let (server, endpoint) = scripted(table(column("c", of.0, of.1)), script);
            let mut stream = endpoint.scan(scan_of(&t(), &["id", "c"])).await.unwrap();
            let page = stream.next().await.unwrap().unwrap();
            assert_eq!(data(&page), [1, 2].map(|id| vec![integer(id), Datum::Null]), "{of:?}");
            let rows = RowBatch::of(2, &[vec![integer(1), Datum::Null]]).unwrap();
            let action = RowAction::Insert { columns: names(&["id", "c"]), rows };
            let outcomes = endpoint.write(WriteBatch { table: t(), key: names(&["id"]), action }).await.unwrap();
            assert_eq!(words(&outcomes), ["written"], "{of:?}: {outcomes:?}");
            let seen = server.seen().requests;
            let insert =
                seen.iter().find(|request| request.sql().is_some_and(|sql| sql.starts_with("INSERT"))).unwrap();
            assert_eq!(insert.values(), [Cell::Int(1), Cell::Null], "{of:?}");
            // A null has a type that the cast takes.
            let Request::Sql { types, .. } = insert else { panic!("{insert:?}") };
            let is_bytes = case.value.kind() == Some(DatumKind::Bytes);
            assert!(types.contains(if is_bytes { "@P2 varbinary(max)" } else { "@P2 nvarchar(4000)" }), "{types}");
        }
    });
}

#[test]
fn a_value_that_does_not_fit_is_refused_and_not_made_to() {
    let letters = "x".repeat(21);
    let cases: Vec<(&str, (i64, i64, i64), Datum)> = vec![
        ("tinyint", (1, 3, 0), integer(-1)),
        ("int", (4, 10, 0), integer(1 << 31)),
        ("decimal", (9, 5, 2), decimal("1.239")),
        ("decimal", (9, 5, 2), decimal("1000")),
        ("money", (8, 19, 4), decimal("0.00001")),
        ("float", (8, 53, 0), Datum::float(f64::NAN)),
        ("nvarchar", (40, 0, 0), text(&letters)),
        ("varchar", (20, 0, 0), text(&letters)),
        // Its code page is 1252.
        ("varchar", (20, 0, 0), text("名")),
        ("binary", (2, 0, 0), Datum::Bytes(vec![1])),
        ("varbinary", (2, 0, 0), Datum::Bytes(vec![1, 2, 3])),
        ("datetime", (8, 23, 3), tick(1_000_000)),
        ("datetime", (8, 23, 3), Datum::Timestamp(Tick { seconds: -7_000_000_000, nanos: 0 })),
        ("smalldatetime", (4, 16, 0), tick(0)),
        ("datetime2", (6, 19, 3), tick(123_456_000)),
        ("date", (3, 10, 0), Datum::Date(2_932_897)),
        ("time", (5, 16, 7), Datum::Time(86_400_000_000_000)),
        ("int", (4, 10, 0), text("7")),
        ("datetime2", (8, 27, 7), Datum::Instant(Tick { seconds: 0, nanos: 0 })),
    ];
    run(async {
        for (of, size, value) in cases {
            let script = |request: &Request| {
                let counted = Answer::rows(&[("", Type::INT)], vec![vec![Cell::Int(1)]]);
                request.sql()?.starts_with("INSERT").then_some(counted)
            };
            let (server, endpoint) = scripted(table(column("c", of, size)), script);
            let rows = RowBatch::of(2, &[vec![integer(1), Datum::Null], vec![integer(2), value.clone()]]).unwrap();
            let action = RowAction::Insert { columns: names(&["id", "c"]), rows };
            let outcomes = endpoint.write(WriteBatch { table: t(), key: names(&["id"]), action }).await.unwrap();
            assert_eq!(words(&outcomes), ["written", "refused"], "{of} {value:?}: {outcomes:?}");
            let sent = server.seen().requests.iter().filter(|request| request.values().len() > 1).count();
            assert_eq!(sent, 1, "the row beside it alone was sent");
        }
    });
}

#[test]
fn a_text_that_is_none_refuses_its_row_alone() {
    run(async {
        let script = |request: &Request| {
            let columns = [("", Type::INT), ("", Type::VarBinary(40))];
            let row = |id, bytes: &[u8]| vec![Cell::Int(id), Cell::Bytes(bytes.to_vec())];
            // Half a surrogate pair; half a unit.
            let rows = vec![row(1, b"a\0"), row(2, &[0, 0xd8]), row(3, &[b'a', 0, b'b']), row(4, b"b\0")];
            request.sql()?.starts_with("SELECT t.[id]").then(|| Answer::rows(&columns, rows))
        };
        let (_server, endpoint) = scripted(table(column("c", "nvarchar", (40, 0, 0))), script);
        let mut stream = endpoint.scan(scan_of(&t(), &["id", "c"])).await.unwrap();
        let page = stream.next().await.unwrap().unwrap();
        assert_eq!(data(&page), [vec![integer(1), text("a")], vec![integer(4), text("b")]]);
        let known: Vec<_> = page.refused.iter().map(|refused| refused.known.clone()).collect();
        assert_eq!(known, [2, 3].map(|id| vec![("id".to_owned(), integer(id))]));
        assert!(stream.next().await.unwrap().is_none());
    });
}

#[test]
fn what_is_not_carried_is_refused_at_once() {
    run(async {
        for of in ["sql_variant", "xml", "geometry", "geography", "hierarchyid", "vector", "mytype"] {
            let (server, endpoint) = scripted(table(column("c", of, (-1, 0, 0))), |_| None);
            let shape = endpoint.describe(&t()).await.unwrap();
            assert_eq!(shape.column("c").unwrap().kind, None, "{of}");
            let refused = endpoint.scan(scan_of(&t(), &["id", "c"])).await.err().unwrap();
            assert_eq!(refused.code(), Code::Unsupported, "{of}");
            assert!(!server.statements().iter().any(|sql| sql.contains("t.[c]")));
        }
    });
}

#[test]
fn a_table_is_described() {
    run(async {
        let mut table = Table::keyed(
            vec![
                column("id", "int", (4, 10, 0)),
                column("code", "varchar", (10, 0, 0)),
                column("note", "nvarchar", (-1, 0, 0)),
                column("body", "nvarchar", (-1, 0, 0)),
                column("rank", "timestamp", (8, 0, 0)),
                column("total", "decimal", (9, 18, 2)),
                column("utf8", "varchar", (30, 0, 0)),
                column("at", "datetime", (8, 23, 3)),
            ],
            &["id"],
        );
        table.columns[0].is_identity = true;
        table.columns[1].collation = Some(("SQL_Latin1_General_CP1_CI_AS", 1252));
        table.columns[2].collation = Some(("Latin1_General_100_BIN2", 1252));
        table.columns[5].is_computed = true;
        table.columns[6].collation = Some(("Latin1_General_100_CI_AI_SC_UTF8", 65_001));
        table.indexes.push(Index { is_constraint: true, ..unique("UQ_code", &["code", "total"]) });
        table.indexes.push(Index { filter: Some("([note] IS NOT NULL)"), ..unique("loose", &["note"]) });
        table.indexes.push(Index { filter: Some("([total]>(0))"), ..unique("some", &["total"]) });
        table.references.push(("FK_t_c", "country", "code"));
        table.checks.push(("CK_body", "(isjson([body])=(1))"));
        table.checks.push(("CK_total", "([total]>(0))"));
        let (_server, endpoint) = scripted(table, |_| None);
        let shape = endpoint.describe(&t()).await.unwrap();
        assert_eq!((shape.row_estimate, shape.primary_key()), (Some(7), &names(&["id"])[..]));
        let column = |name: &str| shape.column(name).unwrap();
        assert!(column("id").is_identity && !column("id").is_nullable && column("code").is_nullable);
        assert!(column("code").collation.ignores_case && column("code").collation.ignores_trailing_spaces);
        assert_eq!((column("code").max_length, column("code").data_type.as_str()), (Some(10), "varchar(10)"));
        assert!(!column("note").collation.ignores_case);
        assert_eq!((column("note").max_length, column("note").traits.length_unit), (None, LengthUnit::Utf16));
        assert_eq!((column("body").kind, column("note").kind), (Some(DatumKind::Json), Some(DatumKind::Text)));
        assert_eq!((column("rank").kind, column("rank").is_computed), (Some(DatumKind::Integer), true));
        assert_eq!((column("total").digits, column("total").is_computed), (Some((18, 2)), true));
        assert_eq!((column("utf8").traits.length_unit, column("utf8").max_length), (LengthUnit::Bytes, Some(30)));
        assert!(column("utf8").collation.ignores_accents);
        assert_eq!((column("at").second_places, column("at").traits.days), (Some(3), Some((-79_258, 2_932_896))));
        let of = |kind| shape.constraints.iter().filter(move |c| c.constraint_type == kind).collect::<Vec<_>>();
        assert_eq!(of(ConstraintType::Unique)[0].columns, names(&["code", "total"]));
        assert_eq!(of(ConstraintType::ForeignKey)[0].referenced_table, Some(TableName::new("dbo", "country")));
        assert_eq!(of(ConstraintType::Check).len(), 2);
        let index = |name: &str| shape.indexes.iter().find(|index| index.name == name).unwrap();
        assert!(index("loose").is_plain && !index("some").is_plain && index("UQ_code").is_plain);
        assert_eq!(index("UQ_code").columns, names(&["code", "total"]));
    });
}
