use super::seen::SeenColumn;
use super::*;

fn column(name: &str, kind: &str) -> SeenColumn {
    SeenColumn {
        name: name.into(),
        data_type: kind.into(),
        kind: Some(kind.into()),
        is_nullable: true,
        default_value: None,
        is_identity: false,
        is_computed: false,
        max_length: None,
        digits: None,
        second_places: None,
        range: None,
    }
}

fn key(name: &str, kind: &str, columns: &[&str]) -> SeenKey {
    SeenKey { name: name.into(), kind: kind.into(), columns: columns.iter().map(|&name| name.to_owned()).collect() }
}

/// `id` is the key, `name` is mapped, `note` is not.
fn table() -> Seen {
    let id = SeenColumn { is_nullable: false, ..column("id", "integer") };
    Seen {
        columns: vec![id, column("name", "text"), column("note", "text")],
        constraints: vec![key("t_pkey", "PRIMARY_KEY", &["id"])],
        indexes: vec![key("t_pkey", "UNIQUE", &["id"])],
    }
}

fn uses(side: Side, mode: RecordMode) -> Uses {
    let all = || ["id".to_owned(), "name".to_owned()].into();
    let written = side == Side::Right || mode == RecordMode::TwoWay;
    let (strategy, key) = (KeyStrategy::PrimaryKey, ["id".to_owned()].into());
    let written = if written { all() } else { BTreeSet::new() };
    Uses { side, mode, strategy, constraint: None, key, cursor: None, read: all(), written }
}

/// What changes of the table come to, in words.
fn told(uses: &Uses, change: impl FnOnce(&mut Seen)) -> Vec<(SchemaChangeKind, String, DriftEffect)> {
    let mut now = table();
    change(&mut now);
    let drift = effects(&table(), &now, uses);
    drift.into_iter().map(|drift| (drift.change.kind, drift.change.name, drift.effect)).collect()
}

fn one(uses: &Uses, change: impl FnOnce(&mut Seen)) -> DriftEffect {
    let told = told(uses, change);
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].2
}

use DriftEffect::{Blocks, Harmless, NeedsMapping};
use RecordMode::{OneWayPush, TwoWay};

#[test]
fn nothing_has_changed() {
    assert_eq!(told(&uses(Side::Left, TwoWay), |_| ()), []);
}

#[test]
fn a_new_column_matters_where_it_is_not_carried_or_has_to_be_given() {
    let (source, target) = (uses(Side::Left, OneWayPush), uses(Side::Right, OneWayPush));
    let plain = |t: &mut Seen| t.columns.push(column("new", "text"));
    let needed = |t: &mut Seen| t.columns.push(SeenColumn { is_nullable: false, ..column("new", "text") });
    let defaulted = |t: &mut Seen| {
        let default_value = Some("''".to_owned());
        t.columns.push(SeenColumn { is_nullable: false, default_value, ..column("new", "text") });
    };
    assert_eq!([one(&source, plain), one(&target, plain)], [NeedsMapping, Harmless]);
    assert_eq!([one(&source, needed), one(&target, needed)], [NeedsMapping, Blocks]);
    assert_eq!(one(&uses(Side::Left, TwoWay), needed), Blocks, "rows come back");
    assert_eq!(one(&target, defaulted), Harmless);
    let mapped = Uses { read: ["new".to_owned()].into(), ..source.clone() };
    assert_eq!(one(&mapped, plain), Harmless);
    let hashed = Uses { strategy: KeyStrategy::Hashed, ..source.clone() };
    assert_eq!(one(&hashed, plain), Blocks);
    let strange = |t: &mut Seen| t.columns.push(SeenColumn { kind: None, ..column("new", "geometry") });
    assert_eq!(one(&source, strange), Harmless, "nobody could carry it");
}

#[test]
fn a_column_that_is_gone_blocks_who_used_it() {
    let source = uses(Side::Left, OneWayPush);
    let drop = |name: &'static str| move |t: &mut Seen| t.columns.retain(|column| column.name != name);
    assert_eq!([one(&source, drop("name")), one(&source, drop("note"))], [Blocks, Harmless]);
    let cursor = Uses { cursor: Some("note".into()), ..source };
    assert_eq!(one(&cursor, drop("note")), Blocks);
}

#[test]
fn a_type_matters_by_what_its_values_are() {
    let (source, target) = (uses(Side::Left, OneWayPush), uses(Side::Right, OneWayPush));
    let become_of = |at: usize, change: fn(&mut SeenColumn)| move |t: &mut Seen| change(&mut t.columns[at]);
    let number = |column: &mut SeenColumn| (column.kind, column.data_type) = (Some("integer".into()), "int8".into());
    let renamed = |column: &mut SeenColumn| column.data_type = "varchar".into();
    let short = |column: &mut SeenColumn| column.max_length = Some(20);
    let strange = |column: &mut SeenColumn| column.kind = None;
    let small = |column: &mut SeenColumn| {
        (column.data_type, column.range) = ("int2".into(), Some(["-32768".into(), "32767".into()]));
    };
    assert_eq!(one(&source, become_of(1, number)), NeedsMapping);
    assert_eq!(one(&source, become_of(2, number)), Harmless, "nobody uses it");
    assert_eq!(one(&source, become_of(1, renamed)), Harmless);
    assert_eq!(one(&source, become_of(1, strange)), Blocks);
    assert_eq!([one(&source, become_of(1, short)), one(&target, become_of(1, short))], [Harmless, NeedsMapping]);
    assert_eq!([one(&source, become_of(0, small)), one(&target, become_of(0, small))], [Harmless, NeedsMapping]);
    assert_eq!(one(&source, |t: &mut Seen| t.columns[0].kind = Some("text".into())), Blocks, "it is of the key");
}

#[test]
fn what_may_hold_nothing_matters_to_who_writes_it_and_to_keys() {
    let (source, target) = (uses(Side::Left, OneWayPush), uses(Side::Right, OneWayPush));
    let strict = |at: usize| move |t: &mut Seen| t.columns[at].is_nullable = false;
    let lax = |t: &mut Seen| t.columns[0].is_nullable = true;
    assert_eq!([one(&source, strict(1)), one(&target, strict(1))], [Harmless, NeedsMapping]);
    assert_eq!([one(&source, strict(2)), one(&target, strict(2))], [Harmless, Blocks]);
    assert_eq!(one(&source, lax), NeedsMapping);
}

#[test]
fn keys_matter_where_rows_are_told_apart_by_them() {
    let (source, target) = (uses(Side::Left, OneWayPush), uses(Side::Right, OneWayPush));
    let wider = |t: &mut Seen| {
        t.constraints[0].columns.push("name".into());
        t.indexes[0].columns.push("name".into());
    };
    assert_eq!([one(&source, wider), one(&target, wider)], [Blocks, NeedsMapping]);
    let gone = |t: &mut Seen| {
        t.constraints.clear();
        t.indexes.clear();
    };
    assert_eq!([one(&source, gone), one(&target, gone)], [Blocks, NeedsMapping]);
    let chosen = Uses { strategy: KeyStrategy::CompositeColumns, ..source.clone() };
    assert_eq!([one(&chosen, wider), one(&chosen, gone)], [NeedsMapping, NeedsMapping]);
    let unique = |t: &mut Seen| t.indexes.push(key("t_name", "UNIQUE", &["name"]));
    let plain = |t: &mut Seen| t.indexes.push(key("t_note", "INDEX", &["note"]));
    assert_eq!([one(&source, unique), one(&target, unique)], [Harmless, Harmless]);
    assert_eq!(told(&source, plain), [], "an index that keeps nothing apart is no matter");
    let by_constraint = Uses { strategy: KeyStrategy::UniqueConstraint, constraint: Some("t_name".into()), ..source };
    let mut before = table();
    unique(&mut before);
    assert_eq!(effects(&before, &table(), &by_constraint)[0].effect, Blocks);
}

#[test]
fn changes_are_told_in_words() {
    let mut now = table();
    now.columns.remove(2);
    now.columns[1].max_length = Some(9);
    now.columns.push(column("new", "date"));
    now.constraints[0].columns = vec!["name".into()];
    now.indexes.clear();
    let words: Vec<String> = changes(&table(), &now).iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "column name was text, text and is text, text of at most 9",
            "column new (date) is new",
            "column note (text) is gone",
            "key PRIMARY KEY was (id) and is (name)",
        ]
    );
}

#[test]
fn a_snapshot_reads_back() {
    let column = SeenColumn { range: Some(["-9".into(), "9".into()]), digits: Some((3, 1)), ..column("x", "decimal") };
    let text = serde_json::to_value(&column).unwrap();
    assert_eq!(serde_json::from_value::<SeenColumn>(text).unwrap(), column);
}
