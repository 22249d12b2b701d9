//! Values, batches and failures.

use std::sync::Arc;

use portbook::model::TenantId;
use portbook::store::{Insert, OnConflict, Statement, Value, Write, Written};
use portbook::{Code, Error};

use crate::fixture::{Book, Tenancy, id};

const TENANT: &str = "INSERT INTO tenants (id, name) VALUES (?1, ?2)";

fn user(t: &Tenancy, name: Value) -> Write {
    let sql = "INSERT INTO users (id, tenant_id, display_name) VALUES (?1, ?2, ?3)";
    Write::Execute(Statement::new(sql, vec![Value::Uuid(id()), Value::Uuid(t.tenant.0), name]))
}

fn named(t: &Tenancy, name: &str) -> Write {
    user(t, Value::Text(name.into()))
}

fn nameless(t: &Tenancy) -> Write {
    user(t, Value::Null)
}

/// How many users have a name, as the first has none.
async fn users(book: &Book) -> i64 {
    book.ints("SELECT count(*) FROM users WHERE display_name <> ''", vec![]).await[0]
}

pub(crate) async fn every_value_comes_back_as_it_went(book: Arc<Book>) {
    let t = book.tenancy().await;
    let (progress, time) = (id(), 1_763_707_869_123_457);
    let sql = "INSERT INTO sync_progress (id, org_id, sync_id, entity_type, total_items, started_at, updated_at, \
         metadata, job_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let params = vec![
        Value::Uuid(progress),
        Value::Uuid(t.tenant.0),
        Value::Text("naïve 'quoted' ?1 \u{1f6a2}".into()),
        Value::Text("file".into()),
        Value::Int(i64::MAX),
        Value::Time(time),
        Value::Time(time),
        Value::Text("{}".into()),
        Value::Null,
    ];
    book.execute(sql, params).await.unwrap();
    let ask = "SELECT id, sync_id, total_items, started_at, metadata, job_id, speed_items_per_min FROM sync_progress \
         WHERE id = ?1 AND started_at = ?2 AND sync_id <> '?1'";
    let rows = book.store.query(t.tenant, Statement::new(ask, vec![Value::Uuid(progress), Value::Time(time)])).await;
    let rows = rows.unwrap();
    let row = rows.first().unwrap();
    assert_eq!(row.uuid(0).unwrap(), progress);
    assert_eq!(row.text(1).unwrap(), "naïve 'quoted' ?1 \u{1f6a2}");
    assert_eq!(row.int(2).unwrap(), i64::MAX);
    assert_eq!(row.int(3).unwrap(), time);
    assert_eq!(row.text(4).unwrap(), "{}");
    assert!(row.is_null(5));
    assert_eq!(row.real(6).unwrap(), 0.0);
    assert_eq!(row.int(1).unwrap_err().code(), Code::Corrupt);

    let before_1970 = book.ints("SELECT 1 FROM sync_progress WHERE started_at > ?1", vec![Value::Time(-1)]).await;
    assert_eq!(before_1970, [1]);
    book.execute(
        "UPDATE entry SET path = ?1, observed_at = ?2 WHERE id = ?3",
        vec![Value::Blob(vec![0, 255, b'\'']), Value::Time(-5), Value::Int(t.source)],
    )
    .await
    .unwrap();
    let ask = Statement::new("SELECT path, observed_at, kind FROM entry WHERE id = ?1", vec![Value::Int(t.source)]);
    let rows = book.store.query(t.tenant, ask).await.unwrap();
    let row = rows.first().unwrap();
    assert_eq!((row.blob(0).unwrap(), row.int(1).unwrap(), row.int(2).unwrap()), (&[0, 255, b'\''][..], -5, 1));

    let flag = "UPDATE sync_conduit SET enabled = ?1 WHERE id = ?2";
    book.execute(flag, vec![Value::Bool(false), Value::Int(t.conduit)]).await.unwrap();
    let off = book.ints("SELECT enabled FROM sync_conduit WHERE enabled = ?1", vec![Value::Bool(false)]).await;
    assert_eq!(off, [0]);
    assert_eq!(book.ints("SELECT sum(total_items) FROM sync_progress", vec![]).await, [i64::MAX]);
}

pub(crate) async fn a_batch_commits_as_a_whole_or_not_at_all(book: Arc<Book>) {
    let t = book.tenancy().await;
    let failed = book.store.write(t.tenant, vec![named(&t, "a"), named(&t, "b"), nameless(&t)]).await;
    assert_eq!(failed.unwrap_err().code(), Code::Invalid);
    assert_eq!(users(&book).await, 0);
    let written = book.store.write(t.tenant, vec![named(&t, "a"), named(&t, "b")]).await.unwrap();
    assert_eq!(written, [Written::Changed(1), Written::Changed(1)]);
    assert_eq!(users(&book).await, 2);
    assert!(book.store.write(t.tenant, vec![]).await.unwrap().is_empty());
}

pub(crate) async fn a_failing_batch_does_not_touch_those_beside_it(book: Arc<Book>) {
    let t = book.tenancy().await;
    let batches = (0..200).map(|i| {
        let last = if i % 10 == 3 { nameless(&t) } else { named(&t, "kept") };
        let first = named(&t, if i % 10 == 3 { "lost" } else { "kept" });
        book.store.write(t.tenant, vec![first, last])
    });
    let outcomes = futures_util::future::join_all(batches).await;
    for (i, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.is_err(), i % 10 == 3, "batch {i}");
    }
    assert_eq!(users(&book).await, 360);
    assert_eq!(book.ints("SELECT count(*) FROM users WHERE display_name = 'lost'", vec![]).await, [0]);
}

pub(crate) async fn an_expectation_that_fails_undoes_its_batch(book: Arc<Book>) {
    let t = book.tenancy().await;
    let rename = |expected| {
        let sql = "UPDATE users SET display_name = ?1 WHERE display_name <> ''";
        Write::Expect(Statement::new(sql, vec![Value::Text("renamed".into())]), expected)
    };
    let wrong = book.store.write(t.tenant, vec![named(&t, "a"), rename(2)]).await;
    assert_eq!(wrong.unwrap_err().code(), Code::Conflict);
    assert_eq!(users(&book).await, 0);
    book.store.write(t.tenant, vec![named(&t, "a"), rename(1)]).await.unwrap();
    assert_eq!(book.ints("SELECT count(*) FROM users WHERE display_name = 'renamed'", vec![]).await, [1]);
}

fn pins(conduit: i64, tenant: TenantId, pins: &[(&str, bool)], on_conflict: OnConflict) -> Write {
    let values = pins.iter().flat_map(|(path, held)| {
        [Value::Uuid(tenant.0), Value::Int(conduit), Value::Blob(path.as_bytes().to_vec()), Value::Bool(*held)]
    });
    let columns = ["tenant_id", "conduit_id", "path", "is_held"];
    Write::Insert(Insert::new("sync_pin", columns, values.collect(), on_conflict))
}

pub(crate) async fn an_insert_replaces_by_key(book: Arc<Book>) {
    let t = book.tenancy().await;
    let first = pins(t.conduit, t.tenant, &[("a", true), ("b", true)], OnConflict::Fail);
    assert_eq!(book.store.write(t.tenant, vec![first.clone()]).await.unwrap(), [Written::Changed(2)]);
    assert_eq!(book.store.write(t.tenant, vec![first]).await.unwrap_err().code(), Code::Conflict);
    let second = pins(t.conduit, t.tenant, &[("b", false), ("c", true)], OnConflict::Replace { key: 3 });
    book.store.write(t.tenant, vec![second]).await.unwrap();
    assert_eq!(book.ints("SELECT is_held FROM sync_pin ORDER BY path", vec![]).await, [1, 0, 1]);
}

pub(crate) async fn an_insert_of_many_rows_comes_through(book: Arc<Book>) {
    let t = book.tenancy().await;
    let names: Vec<String> = (0..10_001).map(|i| format!("{i:05}")).collect();
    let rows: Vec<_> = names.iter().map(|n| (n.as_str(), n.ends_with('7'))).collect();
    let written = book.store.write(t.tenant, vec![pins(t.conduit, t.tenant, &rows, OnConflict::Fail)]).await.unwrap();
    assert_eq!(written, [Written::Changed(10_001)]);
    let held = book.ints("SELECT count(*) FROM sync_pin WHERE is_held = ?1", vec![Value::Bool(true)]).await;
    assert_eq!(held, [1000]);
    // Two of these exist: all of them go in, and those are replaced, within a batch that has written before.
    let more: Vec<String> = (1..=5000).map(|i| format!("{:05}", 15_000 - i)).collect();
    let more: Vec<_> = more.iter().map(|n| (n.as_str(), false)).chain([("00007", false)]).collect();
    let before = pins(t.conduit, t.tenant, &[("a", true)], OnConflict::Fail);
    let batch = vec![before, pins(t.conduit, t.tenant, &more, OnConflict::Replace { key: 3 })];
    let written = book.store.write(t.tenant, batch).await.unwrap();
    assert_eq!(written, [Written::Changed(1), Written::Changed(5001)]);
    let count = || book.ints("SELECT count(*) FROM sync_pin WHERE is_held = ?1", vec![Value::Bool(true)]);
    assert_eq!(count().await, [1000], "one more, one fewer");
    // Rows that fail for another reason take the whole batch with them.
    let homeless = pins(t.conduit + 1000, t.tenant, &more, OnConflict::Replace { key: 3 });
    let batch = vec![pins(t.conduit, t.tenant, &[("b", true)], OnConflict::Fail), homeless];
    assert!(book.store.write(t.tenant, batch).await.is_err());
    assert_eq!(count().await, [1000]);
    assert_eq!(book.ints("SELECT count(*) FROM sync_pin", vec![]).await, [15_001]);
}

pub(crate) async fn queries_of_one_call_see_one_moment(book: Arc<Book>) {
    let t = book.tenancy().await;
    let writers = async {
        for _ in 0..50 {
            book.store.write(t.tenant, vec![named(&t, "x"), named(&t, "x")]).await.unwrap();
        }
    };
    let readers = async {
        for _ in 0..50 {
            let count = || Statement::new("SELECT count(*) FROM users WHERE display_name <> ''", vec![]);
            let pages = book.store.query_many(t.tenant, (0..40).map(|_| count()).collect()).await.unwrap();
            let counts: Vec<i64> = pages.iter().map(|p| p.first().unwrap().int(0).unwrap()).collect();
            assert!(counts.iter().all(|c| *c == counts[0] && c % 2 == 0), "{counts:?}");
        }
    };
    futures_util::future::join(writers, readers).await;
}

pub(crate) async fn failures_have_the_code_of_their_cause(book: Arc<Book>) {
    let t = book.tenancy().await;
    let text = |s: &str| Value::Text(s.into());
    let again = vec![Value::Uuid(t.tenant.0), text("again")];
    assert_eq!(book.code(TENANT, again).await, Some(Code::Conflict), "primary key");
    let rename = "UPDATE tenants SET name = ?1";
    assert_eq!(book.code(rename, vec![Value::Null]).await, Some(Code::Invalid), "not null");
    assert_eq!(book.code(rename, vec![text("")]).await, Some(Code::Invalid), "check");
    assert_eq!(book.code(rename, vec![Value::Blob(vec![1])]).await, Some(Code::Invalid), "type");
    let user = "INSERT INTO users (id, tenant_id) VALUES (?1, ?2)";
    let move_away = "UPDATE sync_conduit SET target_entry_id = ?1";
    assert_eq!(book.code(move_away, vec![Value::Int(-1)]).await, Some(Code::Invalid), "foreign key");
    let mode = "UPDATE sync_conduit SET sync_mode = ?1";
    assert_eq!(book.code(mode, vec![text("sideways")]).await, Some(Code::Invalid), "enumeration");
    let json = "UPDATE sync_conduit SET filters = ?1";
    assert_eq!(book.code(json, vec![text("{")]).await, Some(Code::Invalid), "json");
    assert_eq!(book.code("SELECT nonsense", vec![]).await, Some(Code::Storage), "no SQL");
    assert_eq!(book.code(user, vec![]).await, Some(Code::Storage), "too few values");
    let failed: Error = book.execute(rename, vec![Value::Null]).await.unwrap_err();
    assert!(failed.to_string().starts_with("could not write to the book: "), "{failed}");
}
