use super::*;
use crate::endpoint::{ColumnTraits, ConstraintShape, IndexShape, TableName, TableTraits};
use crate::identity::RowBatch;
use crate::model::{DatumKind, TableType};

fn column(name: &str, kind: Option<DatumKind>, is_nullable: bool) -> ColumnShape {
    ColumnShape {
        name: name.into(),
        data_type: "some type".into(),
        kind,
        member: None,
        is_nullable,
        default_value: None,
        is_identity: false,
        is_computed: name == "computed",
        max_length: None,
        digits: None,
        second_places: None,
        collation: Collation { ignores_case: name == "code", ..Collation::default() },
        traits: ColumnTraits::default(),
    }
}

fn constraint(name: &str, constraint_type: ConstraintType, columns: &[&str]) -> ConstraintShape {
    ConstraintShape {
        name: name.into(),
        constraint_type,
        columns: columns.iter().map(|&column| column.into()).collect(),
        referenced_table: None,
        definition: None,
    }
}

fn index(name: &str, is_unique: bool, is_plain: bool) -> IndexShape {
    IndexShape { name: name.into(), is_unique, is_plain, method: None, columns: vec!["code".into()], definition: None }
}

fn table() -> TableShape {
    TableShape {
        name: TableName::new("public", "ports"),
        table_type: TableType::Base,
        row_estimate: None,
        columns: vec![
            column("region", Some(DatumKind::Text), false),
            column("id", Some(DatumKind::Integer), false),
            column("code", Some(DatumKind::Text), false),
            column("note", Some(DatumKind::Text), true),
            column("computed", Some(DatumKind::Integer), false),
        ],
        constraints: vec![
            constraint("pk", ConstraintType::PrimaryKey, &["region", "id"]),
            constraint("uq_code", ConstraintType::Unique, &["code"]),
            constraint("uq_note", ConstraintType::Unique, &["note"]),
            constraint("chk", ConstraintType::Check, &["id"]),
        ],
        indexes: vec![index("ux", true, true), index("ux_some", true, false), index("ix", false, true)],
        traits: TableTraits::default(),
    }
}

fn part(name: &str) -> KeyPart {
    KeyPart { name: name.into(), is_required: true }
}

fn names(key: &RowKey) -> Vec<&str> {
    key.columns().iter().map(|column| column.name.as_str()).collect()
}

#[test]
fn each_strategy_names_its_columns_in_order() {
    let of = |strategy, name, parts: &[KeyPart]| RowKey::resolve(&table(), strategy, name, parts).unwrap();
    assert_eq!(names(&of(KeyStrategy::PrimaryKey, None, &[])), ["region", "id"]);
    assert_eq!(names(&of(KeyStrategy::UniqueConstraint, Some("uq_code"), &[])), ["code"]);
    assert_eq!(names(&of(KeyStrategy::UniqueConstraint, Some("ux"), &[])), ["code"]);
    assert_eq!(names(&of(KeyStrategy::UniqueConstraint, Some("pk"), &[])), ["region", "id"]);
    assert_eq!(names(&of(KeyStrategy::CompositeColumns, None, &[part("note"), part("id")])), ["note", "id"]);
    assert_eq!(names(&of(KeyStrategy::Hashed, None, &[])), ["code", "id", "note", "region"]);
}

#[test]
fn a_key_that_is_none_is_refused_in_words() {
    let mut without_key = table();
    without_key.constraints.remove(0);
    let mut of_unknown_type = table();
    of_unknown_type.columns[3].kind = None;
    let (unique, composite) = (KeyStrategy::UniqueConstraint, KeyStrategy::CompositeColumns);
    for (table, strategy, name, parts, want) in [
        (&without_key, KeyStrategy::PrimaryKey, None, vec![], "no primary key"),
        (&table(), unique, None, vec![], "no unique constraint is named"),
        (&table(), unique, Some("uq_none"), vec![], "no constraint uq_none"),
        (&table(), unique, Some("chk"), vec![], "chk is not a unique one"),
        (&table(), unique, Some("ix"), vec![], "ix is not a unique one"),
        (&table(), unique, Some("ux_some"), vec![], "ux_some covers some rows only"),
        (&table(), unique, Some("uq_note"), vec![], "note of the constraint may hold nothing"),
        (&table(), composite, None, vec![], "no columns are chosen"),
        (&table(), composite, None, vec![part("nope")], "no column nope"),
        (&table(), composite, None, vec![part("id"), part("id")], "id is named twice"),
        (&of_unknown_type, KeyStrategy::Hashed, None, vec![], "note has type some type, which is not carried"),
    ] {
        let error = RowKey::resolve(table, strategy, name, &parts).unwrap_err();
        assert_eq!(error.code(), Code::Invalid);
        assert!(error.to_string().contains(want), "{error}");
    }
}

#[test]
fn texts_are_compared_as_the_column_compares_them_and_shown_as_they_are() {
    let key = RowKey::resolve(&table(), KeyStrategy::UniqueConstraint, Some("uq_code"), &[]).unwrap();
    let text = |text: &str| vec![Datum::Text(text.into())];
    let rows = RowBatch::of(1, &[text("HAM"), text("ham"), text("hal")]).unwrap();
    let encoded = |at: usize| {
        let mut encoder = Encoder::default();
        key.encode(rows.row(at), &[0], &mut encoder).unwrap();
        let mut of_values = Encoder::default();
        key.encode_values(&key.values(rows.row(at), &[0]).unwrap(), &mut of_values).unwrap();
        assert_eq!(encoder.as_bytes(), of_values.as_bytes());
        encoder.into_bytes()
    };
    assert_eq!(encoded(0), encoded(1));
    assert_ne!(encoded(1), encoded(2));
    assert_eq!(show_key(&key.values(rows.row(0), &[0]).unwrap()), "\"HAM\"");
    // As a whole a row is what it holds, to the letter.
    let whole = RowKey::resolve(&table(), KeyStrategy::Hashed, None, &[]).unwrap();
    assert!(whole.columns().iter().all(|column| !column.collation.folds()));
}

#[test]
fn a_row_without_a_key_is_refused_alone() {
    let parts = [part("id"), KeyPart { name: "note".into(), is_required: false }];
    let key = RowKey::resolve(&table(), KeyStrategy::CompositeColumns, None, &parts).unwrap();
    let scanned = ["note".to_owned(), "id".to_owned()];
    let places = key.places(&scanned).unwrap();
    assert_eq!(places, [1, 0]);
    assert!(key.places(&scanned[..1]).unwrap_err().to_string().contains("id is not read"));
    let rows = RowBatch::of(2, &[vec![Datum::Null, Datum::Integer(1)], vec![Datum::Null, Datum::Null]]).unwrap();
    let mut encoder = Encoder::default();
    key.encode(rows.row(0), &places, &mut encoder).unwrap();
    let error = key.encode(rows.row(1), &places, &mut encoder).unwrap_err();
    assert!(error.to_string().contains("nothing in column id of its key"), "{error}");
    assert!(key.encode_values(&[Datum::Null, Datum::Null], &mut encoder).is_err());
}
