//! The metastore by itself, on either engine.
//!
//! `cargo bench --bench metastore -- CASE [--rows N] [--seconds N] [--postgres URL]`, on SQLite unless a URL is given.
//! CASE is `records` (the ledger of rows), `opening` or `small` (small transactions). The URL is a superuser's; the book is
//! used as a role that row-level security binds. The last line of the output is a JSON object.

mod opening;
mod records;
mod small;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portbook::model::TenantId;
use portbook::store::{
    PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Statement, Store, Value, Write, Written,
};
use uuid::Uuid;

#[path = "../../tests/lib/server.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod server;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str, unless: i64| after(name).and_then(|n| n.parse().ok()).unwrap_or(unless);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let case = arguments.first().map(String::as_str).unwrap_or_default();
    let seconds = number("--seconds", 5) as u64;
    if case == "worker" {
        let place = Place::of(after("--at").unwrap());
        return runtime.block_on(small::work_for_parent(&place, after("--tenant").unwrap(), seconds));
    }
    let figures = runtime.block_on(async {
        let yard = Yard::make(after("--postgres")).await;
        let figures = match case {
            "records" => records::measure(&yard.place, number("--rows", 1_000_000)).await,
            "opening" => opening::measure(&yard.place, number("--rows", 200_000)).await,
            "small" => small::measure(&yard.place, seconds).await,
            _ => panic!("records, opening or small"),
        };
        yard.clear().await;
        figures
    });
    println!("{}", serde_json::to_string(&figures).unwrap());
}

/// What a case found out, by name.
type Figures = std::collections::BTreeMap<&'static str, f64>;

/// Where the book is.
enum Place {
    File(PathBuf),
    /// Its URL, for the role that owns it.
    Server(String),
}

impl Place {
    fn of(text: &str) -> Self {
        if text.starts_with("postgres://") { Self::Server(text.into()) } else { Self::File(text.into()) }
    }

    fn text(&self) -> &str {
        match self {
            Self::File(path) => path.to_str().unwrap(),
            Self::Server(url) => url,
        }
    }

    async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::File(path) => Arc::new(SqliteStore::open(path, SqliteOptions::default()).unwrap()),
            Self::Server(url) => Arc::new(PostgresStore::open(url, PostgresOptions::default()).await.unwrap()),
        }
    }
}

/// A new book, and what has to be removed afterwards.
struct Yard {
    place: Place,
    directory: tempfile::TempDir,
    database: Option<server::Database>,
}

impl Yard {
    async fn make(postgres: Option<&String>) -> Self {
        // Beside the build, on a disk: the directory for temporary files may be memory.
        let directory = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        match postgres {
            None => Self { place: Place::File(directory.path().join("book")), directory, database: None },
            Some(url) => {
                let database = server::Database::create(url.clone()).await;
                Self { place: Place::Server(database.owner.clone()), directory, database: Some(database) }
            }
        }
    }

    async fn clear(self) {
        self.directory.close().unwrap();
        if let Some(database) = self.database {
            database.drop_it().await;
        }
    }
}

fn execute(sql: &'static str, params: Vec<Value>) -> Write {
    Write::Execute(Statement::new(sql, params))
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// A tenant with a user and a conduit: the tenant, the user and the number of the conduit.
async fn tenancy(store: &dyn Store) -> (TenantId, Uuid, i64) {
    let (tenant, user) = (TenantId(Uuid::now_v7()), Uuid::now_v7());
    let new = || Value::Uuid(Uuid::now_v7());
    let entry = |path: &str| {
        let params = vec![new(), Value::Uuid(tenant.0), Value::Blob(path.into())];
        let sql = "INSERT INTO entry (uuid, tenant_id, path, name) VALUES (?1, ?2, ?3, ?3) RETURNING id";
        Write::Returning(Statement::new(sql, params))
    };
    let batch = vec![
        execute("INSERT INTO tenants (id, name) VALUES (?1, 'bench')", vec![Value::Uuid(tenant.0)]),
        execute("INSERT INTO users (id, tenant_id) VALUES (?1, ?2)", vec![Value::Uuid(user), Value::Uuid(tenant.0)]),
        entry("a"),
        entry("b"),
    ];
    let written = store.write(tenant, batch).await.unwrap();
    let ends = written[2..].iter().map(|w| Value::Int(returned(w)));
    let params = [new(), Value::Uuid(tenant.0)].into_iter().chain(ends).collect();
    let conduit = "INSERT INTO sync_conduit (uuid, tenant_id, source_entry_id, target_entry_id, sync_mode) \
         VALUES (?1, ?2, ?3, ?4, 'mirror') RETURNING id";
    let written = store.write(tenant, vec![Write::Returning(Statement::new(conduit, params))]).await.unwrap();
    (tenant, user, returned(&written[0]))
}

fn returned(written: &Written) -> i64 {
    match written {
        Written::Rows(rows) => rows.first().unwrap().int(0).unwrap(),
        Written::Changed(_) => panic!("RETURNING gives rows"),
    }
}
