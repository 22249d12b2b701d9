//! Writing rows, and what is said of each.

use std::sync::Arc;

use portbook::Code;
use portbook::endpoint::{ContentGuard, Expect, RowAction, TableName, WriteBatch};
use portbook::identity::{ContentHasher, RowBatch};
use portbook::model::{Datum, DatumKind};

use crate::fixture::{Store, integer, names, text, words};

const COLUMNS: &[(&str, DatumKind)] = &[("id", DatumKind::Integer), ("a", DatumKind::Text), ("b", DatumKind::Text)];

async fn three(store: &Store) -> TableName {
    let table = store.table("t", COLUMNS).await;
    let rows: Vec<_> = (1..=3).map(|id| vec![integer(id), text("a"), text("b")]).collect();
    assert_eq!(words(&store.insert(&table, &["id", "a", "b"], &rows).await), ["written"; 3]);
    table
}

fn batch(table: &TableName, action: RowAction) -> WriteBatch {
    WriteBatch { table: table.clone(), key: names(&["id"]), action }
}

fn one(values: &[Datum]) -> RowBatch {
    RowBatch::of(1, &values.iter().map(|value| vec![value.clone()]).collect::<Vec<_>>()).unwrap()
}

fn update(ids: &[Datum], values: &[Datum], expect: Expect) -> RowAction {
    RowAction::Update { keys: one(ids), columns: names(&["a"]), rows: one(values), expect }
}

pub(crate) async fn a_row_that_is_there_is_not_made_again(store: Arc<Store>) {
    let table = three(&store).await;
    let rows: Vec<_> = [4, 2, 5, 4].into_iter().map(|id| vec![integer(id), text("new"), Datum::Null]).collect();
    let outcomes = store.insert(&table, &["id", "a", "b"], &rows).await;
    assert_eq!(words(&outcomes), ["written", "exists", "written", "exists"]);
    let (rows, _) = store.rows(&table, &["id", "a", "b"]).await;
    assert_eq!(rows.len(), 5);
    assert!(rows.contains(&vec![integer(2), text("a"), text("b")]), "it is not overwritten");
}

pub(crate) async fn rows_at_fault_take_no_others_with_them(store: Arc<Store>) {
    let table = store.word("t", "t", "t");
    store
        .run("CREATE TABLE t (id BIGINT PRIMARY KEY, a VARCHAR(5) NOT NULL, b VARCHAR(9) UNIQUE, CHECK (a <> 'bad'))")
        .await;
    let table = TableName::new("", table);
    let mut rows: Vec<_> = (0..500).map(|id| vec![integer(id), text("a"), text(&format!("b{id}"))]).collect();
    rows[10][1] = text("too long");
    rows[200][1] = text("bad");
    rows[300][2] = text("b5");
    rows[301][1] = Datum::Null;
    rows[499][0] = integer(0);
    let outcomes = words(&store.insert(&table, &["id", "a", "b"], &rows).await);
    let faults: Vec<_> = outcomes.iter().enumerate().filter(|(_, word)| **word != "written").collect();
    let expected = [(10, &"refused"), (200, &"refused"), (300, &"refused"), (301, &"refused"), (499, &"exists")];
    assert_eq!(faults, expected);
    assert_eq!(store.endpoint.count(&table).await.unwrap(), 495);
    // The same of updates.
    let ids: Vec<_> = (0..20).map(integer).collect();
    let mut values = vec![text("ok"); 20];
    values[3] = text("bad");
    values[7] = text("too long");
    let outcomes = store.endpoint.write(batch(&table, update(&ids, &values, Expect::Any))).await.unwrap();
    let outcomes = words(&outcomes);
    assert_eq!((outcomes[3], outcomes[7], outcomes[10]), ("refused", "refused", "gone"));
    assert_eq!(outcomes.iter().filter(|word| **word == "written").count(), 17);
}

pub(crate) async fn updates_touch_only_what_they_name(store: Arc<Store>) {
    let table = three(&store).await;
    let action = update(&[integer(2), integer(3)], &[text("x"), Datum::Null], Expect::Any);
    assert_eq!(words(&store.endpoint.write(batch(&table, action)).await.unwrap()), ["written"; 2]);
    let (rows, _) = store.rows(&table, &["id", "a", "b"]).await;
    let row = |id, a| vec![integer(id), a, text("b")];
    assert_eq!(rows, [row(1, text("a")), row(2, text("x")), row(3, Datum::Null)]);
    // What changes nothing is written all the same.
    let action = update(&[integer(2)], &[text("x")], Expect::Any);
    assert_eq!(words(&store.endpoint.write(batch(&table, action)).await.unwrap()), ["written"]);
}

pub(crate) async fn rows_that_are_gone_are_said_to_be(store: Arc<Store>) {
    let table = three(&store).await;
    let action = update(&[integer(9), integer(1)], &[text("x"), text("y")], Expect::Any);
    assert_eq!(words(&store.endpoint.write(batch(&table, action)).await.unwrap()), ["gone", "written"]);
    let action = RowAction::Delete { keys: one(&[integer(1), integer(9), integer(3)]), expect: Expect::Any };
    assert_eq!(words(&store.endpoint.write(batch(&table, action)).await.unwrap()), ["written", "gone", "written"]);
    assert_eq!(store.endpoint.count(&table).await.unwrap(), 1);
}

pub(crate) async fn a_row_that_changed_meanwhile_is_left_alone(store: Arc<Store>) {
    let table = three(&store).await;
    let hasher = ContentHasher::new(&["a", "b"]).unwrap();
    let of = |a: &str| {
        let row = RowBatch::of(2, &[vec![text(a), text("b")]]).unwrap();
        Some(hasher.hash(row.row(0).values(0..2)))
    };
    let guard = |expected| {
        let hasher = hasher.clone();
        let hash = Arc::new(move |row: portbook::identity::RowRef<'_>| Ok(hasher.hash(row.values(0..2))));
        Expect::Content(ContentGuard { columns: names(&["a", "b"]), hash, expected })
    };
    store.run("UPDATE t SET b = 'other' WHERE id = 2").await;
    let ids: Vec<_> = [1, 2, 9, 3].into_iter().map(integer).collect();
    let action = update(&ids, &vec![text("x"); 4], guard(vec![of("a"), of("a"), of("a"), None]));
    let outcomes = store.endpoint.write(batch(&table, action)).await.unwrap();
    assert_eq!(words(&outcomes), ["written", "changed", "gone", "written"]);
    let keys = one(&[integer(1), integer(2), integer(3)]);
    let action = RowAction::Delete { keys, expect: guard(vec![of("a"), of("a"), of("x")]) };
    let outcomes = store.endpoint.write(batch(&table, action)).await.unwrap();
    assert_eq!(words(&outcomes), ["changed", "changed", "written"]);
    assert_eq!(store.endpoint.count(&table).await.unwrap(), 2);
}

pub(crate) async fn a_row_without_a_key_is_nobodys(store: Arc<Store>) {
    store.run("CREATE TABLE t (id INTEGER UNIQUE, a VARCHAR(5)); INSERT INTO t (a) VALUES ('x'), ('y')").await;
    let table = TableName::new("", "t");
    let action = update(&[Datum::Null], &[text("z")], Expect::Any);
    assert_eq!(words(&store.endpoint.write(batch(&table, action)).await.unwrap()), ["gone"]);
    let action = RowAction::Delete { keys: one(&[Datum::Null]), expect: Expect::Any };
    assert_eq!(words(&store.endpoint.write(batch(&table, action)).await.unwrap()), ["gone"]);
    let (rows, _) = store.rows(&table, &["id", "a"]).await;
    assert_eq!(rows, [vec![Datum::Null, text("x")], vec![Datum::Null, text("y")]]);
}

pub(crate) async fn versions_are_not_pretended(store: Arc<Store>) {
    let table = three(&store).await;
    let action = update(&[integer(1)], &[text("x")], Expect::Versions(vec![Some("1".into())]));
    assert_eq!(store.endpoint.write(batch(&table, action)).await.unwrap_err().code(), Code::Unsupported);
}

/// Updates of many rows with values of every kind, by keys of two columns, one of them text.
pub(crate) async fn many_rows_are_changed_at_once_and_each_to_its_own(store: Arc<Store>) {
    store
        .run(
            "CREATE TABLE t (k VARCHAR(9) COLLATE utf8mb4_general_ci, n BIGINT UNSIGNED, a VARCHAR(20) CHARACTER SET latin1,
                 b VARBINARY(9), c DECIMAL(20,5), d DATETIME(6), e DOUBLE, f BIGINT UNSIGNED, g JSON NOT NULL DEFAULT ('{}'),
                 h TIME(3), PRIMARY KEY (k, n))",
        )
        .await;
    let table = TableName::new("", "t");
    let numbers = store.numbers(250);
    store.run(&format!("INSERT INTO t (k, n) SELECT concat('key', i), i FROM {numbers}")).await;
    let columns = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let row = |n: i128| -> Vec<Datum> {
        let nothing = n % 5 == 0;
        let or = |value| if nothing { Datum::Null } else { value };
        vec![
            or(text(&format!("é{n}"))),
            or(Datum::Bytes(vec![0xff, 0, n as u8])),
            or(Datum::Decimal(format!("-{n}.5").parse().unwrap())),
            or(Datum::Timestamp(portbook::model::Tick { seconds: 1_700_000_000 + n as i64, nanos: 5000 })),
            or(Datum::float(n as f64 / 7.0)),
            or(integer(i128::from(u64::MAX) - n)),
            Datum::Json(portbook::identity::canonical_json(&format!("{{\"n\":{n}}}")).unwrap()),
            or(Datum::Time(n as u64 * 1_000_000_000)),
        ]
    };
    // Each fifth key is written otherwise, which is the same to the server; one is nobody's; one text has no letter there.
    let key = |n: i128| vec![text(&format!("{}{n}", if n % 5 == 1 { "KEY" } else { "key" })), integer(n)];
    let mut keys: Vec<_> = (1..=250).map(key).collect();
    let mut values: Vec<_> = (1..=250).map(row).collect();
    keys.push(key(251));
    values.push(row(251));
    values[9][0] = text("名");
    let action = RowAction::Update {
        keys: RowBatch::of(2, &keys).unwrap(),
        columns: names(&columns),
        rows: RowBatch::of(8, &values).unwrap(),
        expect: Expect::Any,
    };
    let batch = WriteBatch { table: table.clone(), key: names(&["k", "n"]), action };
    let outcomes = store.endpoint.write(batch).await.unwrap();
    let expected = |at: usize| match at {
        9 => "refused",
        250 => "gone",
        _ => "written",
    };
    assert_eq!(words(&outcomes), (0..251).map(expected).collect::<Vec<_>>(), "{:?}", outcomes[9]);
    let all = [&["n"], &columns[..]].concat();
    let (rows, refused) = store.rows(&table, &all).await;
    assert_eq!((rows.len(), refused), (250, 0));
    for found in rows {
        let Datum::Integer(n) = found[0] else { panic!("{found:?}") };
        if n != 10 {
            assert_eq!(found[1..], row(n), "{n}");
        }
    }
    let keys: Vec<_> = (1..=250).step_by(2).chain([999]).map(key).collect();
    let action = RowAction::Delete { keys: RowBatch::of(2, &keys).unwrap(), expect: Expect::Any };
    let outcomes =
        store.endpoint.write(WriteBatch { table: table.clone(), key: names(&["k", "n"]), action }).await.unwrap();
    assert_eq!(words(&outcomes).iter().filter(|word| **word == "written").count(), 125);
    assert_eq!(words(&outcomes)[125], "gone");
    assert_eq!(store.endpoint.count(&table).await.unwrap(), 125);
}
