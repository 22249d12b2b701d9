//! `sync_ledger`: rows written by upserts, written over, and read back as records, a definition at a time.

use std::time::Instant;

use portbook::identity::ContentHash;
use portbook::model::{Id, KeyStrategy, LedgerRow, LedgerState, Moment, Provenance, TenantId};
use portbook::store::{Insert, Record, Statement, Store, Value, Write, select};
use uuid::Uuid;

use super::{Figures, Place, execute, tenancy, text};

/// Rows of one transaction.
const BATCH: usize = 10_000;
/// Rows of one page of a scan.
const PAGE: i64 = 10_000;

const FIRST: &str = select!(LedgerRow, "WHERE sync_def_id = ?1 ORDER BY source_identity_hash LIMIT ?2");
const NEXT: &str =
    select!(LedgerRow, "WHERE sync_def_id = ?1 AND source_identity_hash > ?3 ORDER BY source_identity_hash LIMIT ?2");

pub(super) async fn measure(place: &Place, rows: i64) -> Figures {
    let store = place.open().await;
    let (tenant, ..) = tenancy(&*store).await;
    let (definition, instance) = definition(&*store, tenant).await;
    // The whole load in the order of its hashes: the tables are clustered by them.
    let mut hashes: Vec<_> = (0..rows).map(|n| (ContentHash::of(&n.to_be_bytes()).0, n)).collect();
    hashes.sort_unstable();

    let mut figures = Figures::new();
    for (name, version) in [("rows_inserted_per_s", 1), ("rows_updated_per_s", 2)] {
        let mut spent = std::time::Duration::ZERO;
        for batch in hashes.chunks(BATCH) {
            let batch: Vec<_> = batch.iter().map(|(h, n)| row(definition, instance, *h, *n, version)).collect();
            let begun = Instant::now();
            let insert = Write::Insert(Insert::upsert(&batch, 2));
            store.write(tenant, vec![insert]).await.unwrap();
            spent += begun.elapsed();
        }
        figures.insert(name, rows as f64 / spent.as_secs_f64());
        println!("{name}: {:.0}", figures[name]);
        if version == 1 {
            figures.insert("bytes_per_row", size(place, &*store, tenant).await / rows as f64);
        }
    }
    for _ in ["cold caches of ours", "warm"] {
        let begun = Instant::now();
        assert_eq!(scan(&*store, tenant, definition).await, rows);
        figures.insert("rows_scanned_per_s", rows as f64 / begun.elapsed().as_secs_f64());
        println!("rows_scanned_per_s: {:.0}", figures["rows_scanned_per_s"]);
    }
    store.shutdown().await;
    figures
}

async fn scan(store: &dyn Store, tenant: TenantId, definition: Uuid) -> i64 {
    let (mut seen, mut after) = (0, None::<[u8; 32]>);
    loop {
        let mut params = vec![Value::Uuid(definition), Value::Int(PAGE)];
        let sql = if after.is_some() { NEXT } else { FIRST };
        params.extend(after.map(|hash| Value::Blob(hash.to_vec())));
        let page = store.query(tenant, Statement::new(sql, params)).await.unwrap();
        for row in page.iter() {
            after = Some(LedgerRow::read(row).unwrap().source_identity_hash);
            seen += 1;
        }
        if (page.len() as i64) < PAGE {
            return seen;
        }
    }
}

/// Bytes of the table with its indexes; of the whole book where it is a file, which holds next to nothing else.
async fn size(place: &Place, store: &dyn Store, tenant: TenantId) -> f64 {
    let sql = match place {
        Place::File(_) => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        Place::Server(_) => "SELECT pg_total_relation_size('sync_ledger')",
    };
    store.query(tenant, Statement::new(sql, vec![])).await.unwrap().first().unwrap().int(0).unwrap() as f64
}

fn row(definition: Uuid, instance: Uuid, hash: [u8; 32], n: i64, version: i64) -> LedgerRow {
    let now = Moment(1_763_707_869_123_456 + n);
    LedgerRow {
        sync_def_id: Id::new(definition),
        source_identity_hash: hash,
        source_identity: format!("customer={n}"),
        source_key_strategy: KeyStrategy::PrimaryKey,
        source_instance_id: Some(Id::new(instance)),
        sp_list_id: None,
        sp_item_id: Some(n),
        target_key: None,
        state: LedgerState::Confirmed,
        attempt_id: None,
        etag: Some(format!("\"{n:08x},{version}\"")),
        content_hash: Some(ContentHash::of(&[hash, [version as u8; 32]].concat()).0),
        remote_content_hash: Some(ContentHash::of(&[[version as u8; 32], hash].concat()).0),
        mapping_version: 1,
        last_source_ts: Some(now),
        last_sync_ts: Some(now),
        next_route_at: None,
        provenance: Provenance::Push,
        created_at: now,
        updated_at: Moment(now.0 + version),
    }
}

/// A definition with one source: its id and that of the source's instance.
async fn definition(store: &dyn Store, tenant: TenantId) -> (Uuid, Uuid) {
    let ids: [Uuid; 6] = std::array::from_fn(|_| Uuid::now_v7());
    let [application, database, instance, table, definition, source] = ids.map(Value::Uuid);
    let tenant_id = Value::Uuid(tenant.0);
    let name = |n: &str| text(n);
    let of = |id: &Value, more: Vec<Value>| [vec![id.clone(), tenant_id.clone()], more].concat();
    let batch = vec![
        execute(
            "INSERT INTO applications (id, tenant_id, name) VALUES (?1, ?2, ?3)",
            of(&application, vec![name("shop")]),
        ),
        execute(
            "INSERT INTO databases (id, tenant_id, application_id, name, db_type, environment, database_name) \
             VALUES (?1, ?2, ?3, 'shop', 'POSTGRES', 'PROD', 'shop')",
            of(&database, vec![application]),
        ),
        execute(
            "INSERT INTO database_instances (id, tenant_id, database_id, instance_label) VALUES (?1, ?2, ?3, 'first')",
            of(&instance, vec![database.clone()]),
        ),
        execute(
            "INSERT INTO database_tables (id, tenant_id, database_id, schema_name, table_name) \
             VALUES (?1, ?2, ?3, 'public', 'customers')",
            of(&table, vec![database]),
        ),
        execute(
            "INSERT INTO sync_definitions (id, tenant_id, name, source_table_id, target_table_id, sync_mode) \
             VALUES (?1, ?2, 'customers', ?3, ?3, 'ONE_WAY_PUSH')",
            of(&definition, vec![table]),
        ),
        execute(
            "INSERT INTO sync_sources (id, tenant_id, sync_def_id, database_instance_id) VALUES (?1, ?2, ?3, ?4)",
            of(&source, vec![definition, instance]),
        ),
    ];
    store.write(tenant, batch).await.unwrap();
    (ids[4], ids[2])
}
