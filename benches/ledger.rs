//! The file ledger: rows a second in and out, and bytes a row.
//!
//! `cargo bench --bench ledger -- --rows ROWS [--postgres URL]`, 1,000,000 rows on SQLite unless told. The URL is a
//! superuser's; the ledger is used as a role that row-level security binds. Rows arrive as a first run makes them: directories of
//! 100 files, in batches of 4096 pairs, each batch with an intent written and removed.

use std::sync::Arc;
use std::time::Instant;

use portbook::identity::ContentHash;
use portbook::ledger::{IntentKind, Ledger, NewIntent};
use portbook::model::{Held, Ident, Kind, Name, Pair, PairId, Sides, TenantId, Timestamp, Token};
use portbook::store::{
    PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Statement, Store, Value, Write, Written,
};

#[path = "../tests/lib/server.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod server;

const BATCH: usize = 4096;
const PER_DIRECTORY: i64 = 100;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let rows = after("--rows").and_then(|r| r.parse().ok()).unwrap_or(1_000_000);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    if let Some(url) = after("--postgres") {
        let measured = runtime.block_on(on_postgres(url, rows));
        println!(
            "{{\"bytes_per_row\":{:.1},\"rows_in_per_s\":{:.0},\"rows_out_per_s\":{:.0}}}",
            measured.size, measured.rows_in, measured.rows_out
        );
        return;
    }
    let base = runtime.block_on(on_sqlite(rows.min(1_000_000)));
    let full = if rows > 1_000_000 { runtime.block_on(on_sqlite(rows)) } else { base };
    println!(
        "{{\"bytes_per_row\":{:.1},\"rows_in_per_s\":{:.0},\"rows_out_per_s\":{:.0},\"bytes_per_row_full\":{:.1},\
         \"rows_in_per_s_full\":{:.0},\"rows_out_per_s_full\":{:.0}}}",
        base.size, base.rows_in, base.rows_out, full.size, full.rows_in, full.rows_out
    );
}

async fn on_sqlite(rows: i64) -> Measured {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("book");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
    let (rows_in, rows_out, _) = run(&store, rows).await;
    store.shutdown().await;
    measured(std::fs::metadata(&path).unwrap().len(), rows, rows_in, rows_out)
}

async fn on_postgres(url: &str, rows: i64) -> Measured {
    let database = server::Database::create(url.to_owned()).await;
    let store: Arc<dyn Store> =
        Arc::new(PostgresStore::open(&database.owner, PostgresOptions::default()).await.unwrap());
    let (rows_in, rows_out, tenant) = run(&store, rows).await;
    let size = Statement::new("SELECT pg_total_relation_size('file_pair')", vec![]);
    let bytes = store.query(tenant, size).await.unwrap().first().unwrap().int(0).unwrap();
    store.shutdown().await;
    database.drop_it().await;
    measured(bytes as u64, rows, rows_in, rows_out)
}

fn measured(bytes: u64, rows: i64, rows_in: f64, rows_out: f64) -> Measured {
    let size = bytes as f64 / rows as f64;
    println!("size:  {size:>9.1} bytes/row");
    Measured { size, rows_in, rows_out }
}

/// What was measured: bytes a row, rows a second.
#[derive(Clone, Copy)]
struct Measured {
    size: f64,
    rows_in: f64,
    rows_out: f64,
}

fn pair(number: i64) -> Pair {
    let directory = number % (PER_DIRECTORY + 1) == 0;
    let parent = number / (PER_DIRECTORY + 1) * (PER_DIRECTORY + 1);
    let time = Timestamp { secs: 1_700_000_000 + number, nanos: (number * 7919 % 1_000_000_000) as u32 };
    let held = |side: u64| Held {
        ident: Ident::File { id: 10_000_000 + number as u64 * 2 + side, birth_ns: 1_700_000_000_000_000_000 + number },
        token: Token {
            size: if directory { 0 } else { number as u64 * 31 % 1_000_000 },
            mtime: (!directory).then_some(time),
            ctime: (!directory).then_some(time),
            mode: Some(0o644),
            revision: None,
        },
        ..Held::default()
    };
    let name = format!("photo-{number:09}.jpeg");
    Pair {
        id: PairId(number + 1),
        parent: if directory { PairId::ROOT } else { PairId(parent + 1) },
        name: Name::new(name.as_bytes()).unwrap(),
        kind: if directory { Kind::Dir } else { Kind::File },
        content: (!directory).then(|| ContentHash::of(name.as_bytes())),
        held: Sides::new(held(0), held(1)),
    }
}

/// Rows a second in and out, and the tenant whose they are.
async fn run(store: &Arc<dyn Store>, rows: i64) -> (f64, f64, TenantId) {
    let (tenant, conduit) = conduit(&**store).await;
    let ledger = Ledger::new(Arc::clone(store), tenant, conduit);

    let intent = NewIntent {
        generation: 1,
        preview_id: None,
        kind: IntentKind::Batch,
        range: Some((0, BATCH as i64)),
        detail: Vec::new(),
        created_at: 0,
    };
    let (mut made, mut building, tenths) = (0, std::time::Duration::ZERO, rows / 10);
    let start = Instant::now();
    let mut tenth = Instant::now();
    while made < rows {
        let begun = Instant::now();
        let until = rows.min(made + BATCH as i64);
        let pairs: Vec<_> = (made..until).map(pair).collect();
        building += begun.elapsed();
        let written = store.write(tenant, vec![ledger.put_intent(&intent)]).await.unwrap();
        let done = ledger.remove_intent(Ledger::intent_id(&written[0]).unwrap());
        store.write(tenant, vec![ledger.put(&pairs), done]).await.unwrap();
        if until / tenths > made / tenths {
            println!("  at {until:>9}: {:>9.0} rows/s", tenths as f64 / tenth.elapsed().as_secs_f64());
            tenth = Instant::now();
        }
        made = until;
    }
    let spent = start.elapsed().checked_sub(building).unwrap();
    let rows_in = rows as f64 / spent.as_secs_f64();
    let mut rows_out = 0.0;
    println!("in:    {:>9.0} rows/s ({rows} rows in {:.2} s)", rows as f64 / spent.as_secs_f64(), spent.as_secs_f64());

    let parents: Vec<_> = (0..rows).step_by(PER_DIRECTORY as usize + 1).map(|n| PairId(n + 1)).collect();
    for round in ["out, first ", "out, second"] {
        let start = Instant::now();
        let mut read = 0;
        for parents in parents.chunks(64) {
            read += ledger.children(parents).await.unwrap().iter().map(Vec::len).sum::<usize>();
        }
        rows_out = read as f64 / start.elapsed().as_secs_f64();
        println!("{round}: {rows_out:>9.0} rows/s ({read} rows)");
    }
    (rows_in, rows_out, tenant)
}

async fn conduit(store: &dyn Store) -> (TenantId, i64) {
    let tenant = TenantId(uuid::Uuid::now_v7());
    let id = || Value::Uuid(uuid::Uuid::now_v7());
    let execute = |sql, params| Write::Execute(Statement::new(sql, params));
    let entry = "INSERT INTO entry (uuid, tenant_id, path, name) VALUES (?1, ?2, ?3, ?3)";
    let batch = vec![
        execute("INSERT INTO tenants (id, name) VALUES (?1, 'bench')", vec![Value::Uuid(tenant.0)]),
        execute(entry, vec![id(), Value::Uuid(tenant.0), Value::Blob(b"a".to_vec())]),
        execute(entry, vec![id(), Value::Uuid(tenant.0), Value::Blob(b"b".to_vec())]),
        Write::Returning(Statement::new(
            "INSERT INTO sync_conduit (uuid, tenant_id, source_entry_id, target_entry_id, sync_mode) \
             VALUES (?1, ?2, 1, 2, 'mirror') RETURNING id",
            vec![id(), Value::Uuid(tenant.0)],
        )),
    ];
    match store.write(tenant, batch).await.unwrap().pop() {
        Some(Written::Rows(rows)) => (tenant, rows.first().unwrap().int(0).unwrap()),
        Some(Written::Changed(_)) | None => panic!("RETURNING gives rows"),
    }
}
