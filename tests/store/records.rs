//! The tables of record sync: the ledger of rows, and what deleting does.

use std::sync::Arc;

use portbook::model::{
    Database, DatabaseInstance, Id, KeyStrategy, LedgerRow, LedgerState, Moment, Provenance, SyncDefinition,
    SyncSource, Table, TenantId,
};
use portbook::store::{Insert, Record, Statement, Value, Write};
use portbook::{Code, Session};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::fixture::Book;
use crate::tables::{sample, session};

const NOW: Moment = Moment(1_763_707_869_123_456);

/// A definition with one source.
struct Bridge {
    tenant: TenantId,
    session: Session,
    definition: Uuid,
    instance: Uuid,
    source: Uuid,
}

async fn bridge(book: &Arc<Book>) -> Bridge {
    let session = session(book).await;
    let tenant = book.acting();
    let source = session.table(SyncSource::NAME).unwrap();
    let source = source.create(sample(&session, &SyncSource::INFO, 1).await).await.unwrap();
    let (definition, instance) = (id(&source["sync_def_id"]), id(&source["database_instance_id"]));
    Bridge { tenant, source: id(&source["id"]), definition, instance, session }
}

fn id(value: &Json) -> Uuid {
    value.as_str().unwrap().parse().unwrap()
}

/// A row that is in step.
fn row(bridge: &Bridge, n: u8) -> LedgerRow {
    LedgerRow {
        sync_def_id: Id::new(bridge.definition),
        source_identity_hash: [n; 32],
        source_identity: format!("customer {n}"),
        source_key_strategy: KeyStrategy::CompositeColumns,
        source_instance_id: Some(Id::new(bridge.instance)),
        sp_list_id: Some("a list".into()),
        sp_item_id: Some(n.into()),
        target_key: None,
        state: LedgerState::Confirmed,
        attempt_id: None,
        etag: Some("\"1\"".into()),
        content_hash: Some([1; 32]),
        remote_content_hash: Some([2; 32]),
        mapping_version: 3,
        last_source_ts: Some(NOW),
        last_sync_ts: Some(NOW),
        next_route_at: Some(NOW),
        provenance: Provenance::Pull,
        created_at: NOW,
        updated_at: NOW,
    }
}

async fn write(book: &Book, bridge: &Bridge, insert: Insert) -> portbook::Result<()> {
    book.store.write(bridge.tenant, vec![Write::Insert(insert)]).await.map(drop)
}

async fn ledger(book: &Book, bridge: &Bridge) -> Vec<LedgerRow> {
    let all = portbook::store::select!(LedgerRow, "WHERE sync_def_id = ?1 ORDER BY source_identity_hash");
    let asked = Statement::new(all, vec![Value::Uuid(bridge.definition)]);
    let rows = book.store.query(bridge.tenant, asked).await.unwrap();
    rows.iter().map(|row| LedgerRow::read(row).unwrap()).collect()
}

pub(crate) async fn an_upsert_of_the_ledger_adds_and_replaces(book: Arc<Book>) {
    let bridge = bridge(&book).await;
    let mut rows = vec![row(&bridge, 1), row(&bridge, 3)];
    write(&book, &bridge, Insert::upsert(&rows, 2)).await.unwrap();
    assert_eq!(ledger(&book, &bridge).await, rows);
    let changed = LedgerRow {
        sp_item_id: None,
        state: LedgerState::Pending,
        attempt_id: Some(Uuid::now_v7()),
        etag: None,
        content_hash: None,
        remote_content_hash: None,
        last_source_ts: None,
        last_sync_ts: None,
        next_route_at: None,
        provenance: Provenance::Push,
        source_instance_id: None,
        ..row(&bridge, 3)
    };
    rows = vec![rows[0].clone(), row(&bridge, 2), changed];
    write(&book, &bridge, Insert::upsert(&rows[1..], 2)).await.unwrap();
    assert_eq!(ledger(&book, &bridge).await, rows);
    let again = write(&book, &bridge, Insert::of(&rows[..1])).await;
    assert_eq!(again.unwrap_err().code(), Code::Conflict, "an identity is in a ledger once");
    let ids = "SELECT id FROM sync_ledger WHERE sync_def_id = ?1 ORDER BY source_identity_hash";
    let ids = Statement::new(ids, vec![Value::Uuid(bridge.definition)]);
    let ids = book.store.query(bridge.tenant, ids).await.unwrap();
    let shown: Vec<_> = ids.iter().map(|row| row.uuid(0).unwrap()).collect();
    assert_eq!(shown, rows.iter().map(LedgerRow::id).collect::<Vec<_>>());
}

pub(crate) async fn the_ledger_refuses_what_cannot_be(book: Arc<Book>) {
    let (bridge, other) = (bridge(&book).await, bridge(&book).await);
    let refused = [
        LedgerRow { state: LedgerState::Pending, attempt_id: None, ..row(&bridge, 1) },
        LedgerRow { sp_item_id: None, ..row(&bridge, 1) },
        LedgerRow { mapping_version: -1, ..row(&bridge, 1) },
        LedgerRow { source_instance_id: Some(Id::new(other.instance)), ..row(&bridge, 1) },
        LedgerRow { sync_def_id: Id::new(Uuid::now_v7()), ..row(&bridge, 1) },
    ];
    for row in refused {
        let answer = write(&book, &bridge, Insert::upsert(std::slice::from_ref(&row), 2)).await;
        // A definition that the tenant does not have is refused by row-level security, where there is any.
        let code = answer.expect_err(&format!("{row:?}")).code();
        assert!(matches!(code, Code::Invalid | Code::Permission), "{code:?}: {row:?}");
    }
    let table = LedgerRow { sp_item_id: None, target_key: Some("7".into()), ..row(&bridge, 1) };
    write(&book, &bridge, Insert::upsert(&[table], 2)).await.unwrap();
}

pub(crate) async fn a_ledger_outlives_its_source_and_not_its_definition(book: Arc<Book>) {
    let (gone, kept) = (bridge(&book).await, bridge(&book).await);
    for bridge in [&gone, &kept] {
        write(&book, bridge, Insert::upsert(&[row(bridge, 1)], 2)).await.unwrap();
    }
    gone.session.table(SyncSource::NAME).unwrap().delete(gone.source).await.unwrap();
    let row = LedgerRow { source_instance_id: None, ..row(&gone, 1) };
    assert_eq!(ledger(&book, &gone).await, [row]);
    gone.session.table(DatabaseInstance::NAME).unwrap().delete(gone.instance).await.unwrap();
    gone.session.table(SyncDefinition::NAME).unwrap().delete(gone.definition).await.unwrap();
    assert!(ledger(&book, &gone).await.is_empty());
    kept.session.table(SyncDefinition::NAME).unwrap().delete(kept.definition).await.unwrap();
    assert!(ledger(&book, &kept).await.is_empty(), "a definition takes its sources and its ledger along");
}

pub(crate) async fn what_a_definition_names_is_not_deleted_under_it(book: Arc<Book>) {
    let bridge = bridge(&book).await;
    let definition = bridge.session.table(SyncDefinition::NAME).unwrap().get(bridge.definition).await.unwrap();
    let delete = async |table: &str, id: Uuid| bridge.session.table(table).unwrap().delete(id).await;
    for (table, named) in [
        ("database_tables", id(&definition["source_table_id"])),
        ("sharepoint_lists", id(&definition["target_list_id"])),
        ("table_columns", id(&definition["cursor_column_id"])),
        ("database_instances", bridge.instance),
    ] {
        assert_eq!(delete(table, named).await.unwrap_err().code(), Code::Conflict, "{table}");
    }
    let instance = bridge.session.table("database_instances").unwrap().get(bridge.instance).await.unwrap();
    let database = id(&instance["database_id"]);
    assert_eq!(delete(Database::NAME, database).await.unwrap_err().code(), Code::Conflict, "nor what that is part of");
    delete(SyncDefinition::NAME, bridge.definition).await.unwrap();
    delete(Database::NAME, database).await.unwrap();
    let instances = bridge.session.table("database_instances").unwrap();
    assert_eq!(instances.get(bridge.instance).await.unwrap_err().code(), Code::NotFound, "parts go with the whole");
}

pub(crate) async fn a_target_is_a_list_or_a_table(book: Arc<Book>) {
    let session = session(&book).await;
    let pairs = [
        ("sync_definitions", "target_list_id", "target_table_id", "database_tables"),
        ("field_mappings", "target_column_id", "target_table_column_id", "table_columns"),
    ];
    for (table, list, other, parent) in pairs {
        let rows = session.table(table).unwrap();
        let listed = sample(&session, rows.info(), 1).await;
        let info = session.table(parent).unwrap().info();
        let parent = session.table(parent).unwrap().create(sample(&session, info, 2).await).await.unwrap();
        let with = |list_value: &Json, table_value: &Json| {
            let mut row = listed.clone();
            row.insert(list.into(), list_value.clone());
            row.insert(other.into(), table_value.clone());
            row
        };
        for row in [with(&Json::Null, &Json::Null), with(&listed[list], &parent["id"])] {
            assert_eq!(rows.create(row).await.unwrap_err().code(), Code::Invalid, "{table}");
        }
        rows.create(with(&Json::Null, &parent["id"])).await.unwrap();
    }
}

pub(crate) async fn a_cursor_is_of_one_side_and_there_once(book: Arc<Book>) {
    let session = session(&book).await;
    let cursors = session.table("sync_cursors").unwrap();
    let given = sample(&session, cursors.info(), 1).await;
    let with = |fields: Json| {
        let Json::Object(fields) = fields else { unreachable!("an object") };
        given.clone().into_iter().chain(fields).collect::<Map<_, _>>()
    };
    let run = id(&given["last_run_id"]);
    let made = cursors.create(given.clone()).await.unwrap();
    assert_eq!(cursors.create(given.clone()).await.unwrap_err().code(), Code::Conflict);
    assert_eq!(cursors.create(with(json!({"cursor_scope": "TARGET"}))).await.unwrap_err().code(), Code::Invalid);
    let whole = with(json!({"source_instance_id": null}));
    cursors.create(whole.clone()).await.unwrap();
    assert_eq!(cursors.create(whole).await.unwrap_err().code(), Code::Conflict, "nothing is a value");
    cursors.create(with(json!({"cursor_scope": "TARGET", "source_instance_id": null}))).await.unwrap();
    session.table("sync_runs").unwrap().delete(run).await.unwrap();
    assert_eq!(
        cursors.get(id(&made["id"])).await.unwrap()["last_run_id"],
        Json::Null,
        "a run that is gone is forgotten"
    );
}

pub(crate) async fn a_tenant_takes_every_table_along(book: Arc<Book>) {
    let bridge = bridge(&book).await;
    write(&book, &bridge, Insert::upsert(&[row(&bridge, 1)], 2)).await.unwrap();
    for table in portbook::model::TABLES {
        let row = sample(&bridge.session, table, 2).await;
        bridge.session.table(table.name).unwrap().create(row).await.unwrap();
    }
    book.act_as(bridge.tenant)
        .execute("DELETE FROM tenants WHERE id = ?1", vec![Value::Uuid(bridge.tenant.0)])
        .await
        .unwrap();
    let tables = portbook::model::TABLES.iter().map(|table| table.name).chain([LedgerRow::TABLE]);
    for table in tables {
        let count = Statement::new(format!("SELECT count(*) FROM {table}"), vec![]);
        let rows = book.store.query(bridge.tenant, count).await.unwrap();
        assert_eq!(rows.first().unwrap().int(0).unwrap(), 0, "{table}");
    }
}
