//! A book of each engine, and in it a tenant, a user, two entries and a conduit.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use portbook::model::TenantId;
use portbook::store::{
    Engine, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Statement, Store, Value, Write, Written,
};
use portbook::{Code, Result};
use tempfile::TempDir;
use uuid::Uuid;

use crate::server::{APPLICATION, Database, url};

/// A store, and where it is. On a server it is used as the application role, under row-level security.
pub(crate) struct Book {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) at: At,
    acting: Mutex<TenantId>,
}

/// Where a book is.
#[derive(Clone)]
pub(crate) enum At {
    File(PathBuf),
    Server(Database),
}

impl At {
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>> {
        Ok(match self {
            At::File(path) => Arc::new(SqliteStore::open(path, SqliteOptions::default())?),
            At::Server(database) => {
                Arc::new(PostgresStore::open(&database.application, PostgresOptions::default()).await?)
            }
        })
    }

    /// Opens it as the role that may change its schema.
    pub(crate) async fn open_as_owner(&self) -> Result<Arc<dyn Store>> {
        match self {
            At::File(_) => self.open().await,
            At::Server(database) => {
                let options = PostgresOptions { application_role: Some(APPLICATION.into()), ..Default::default() };
                Ok(Arc::new(PostgresStore::open(&database.owner, options).await?))
            }
        }
    }
}

/// Runs the claim on a new book in a file.
pub(crate) fn on_sqlite<F: Future<Output = ()>>(claim: impl Fn(Arc<Book>) -> F) {
    let directory: TempDir = tempfile::tempdir().unwrap();
    block_on(run(At::File(directory.path().join("book")), claim));
}

/// Runs the claim on a new book in a database of its own.
pub(crate) fn on_postgres<F: Future<Output = ()>>(name: &str, claim: impl Fn(Arc<Book>) -> F) {
    let url = match url() {
        Ok(url) => url,
        Err(why) => {
            // Not println!, which the harness keeps to itself.
            writeln!(std::io::stdout().lock(), "SKIPPED postgres::{name}: {why}").unwrap();
            return;
        }
    };
    block_on(async {
        let database = Database::create(url).await;
        run(At::Server(database.clone()), claim).await;
        database.drop_it().await;
    });
}

async fn run<F: Future<Output = ()>>(at: At, claim: impl Fn(Arc<Book>) -> F) {
    at.open_as_owner().await.unwrap().shutdown().await;
    let book = Arc::new(Book::new(at.open().await.unwrap(), at));
    claim(Arc::clone(&book)).await;
    book.store.shutdown().await;
}

/// The ids of one tenant's rows.
pub(crate) struct Tenancy {
    pub(crate) tenant: TenantId,
    pub(crate) user: Uuid,
    pub(crate) source: i64,
    pub(crate) target: i64,
    pub(crate) conduit: i64,
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

pub(crate) fn id() -> Uuid {
    Uuid::now_v7()
}

impl Book {
    pub(crate) fn new(store: Arc<dyn Store>, at: At) -> Self {
        Self { store, at, acting: Mutex::new(TenantId(Uuid::nil())) }
    }

    /// The tenant that statements are run as: the one made last, or chosen.
    pub(crate) fn acting(&self) -> TenantId {
        *self.acting.lock().unwrap()
    }

    /// Runs what follows as this tenant.
    pub(crate) fn act_as(&self, tenant: TenantId) -> &Self {
        *self.acting.lock().unwrap() = tenant;
        self
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.store.engine() == Engine::Sqlite
    }

    /// Runs one statement.
    pub(crate) async fn execute(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Written>> {
        self.store.write(self.acting(), vec![Write::Execute(Statement::new(sql, params))]).await
    }

    /// The rows of a query, each value as an integer.
    pub(crate) async fn ints(&self, sql: &'static str, params: Vec<Value>) -> Vec<i64> {
        let rows = self.store.query(self.acting(), Statement::new(sql, params)).await.unwrap();
        rows.iter().map(|r| r.int(0).unwrap()).collect()
    }

    pub(crate) async fn code(&self, sql: &'static str, params: Vec<Value>) -> Option<Code> {
        self.execute(sql, params).await.err().map(|e| e.code())
    }

    pub(crate) async fn tenancy(&self) -> Tenancy {
        let (tenant, user) = (id(), id());
        let as_tenant = TenantId(tenant);
        self.act_as(as_tenant);
        let entry = |path: &str| {
            Write::Returning(Statement::new(
                "INSERT INTO entry (uuid, tenant_id, path, name) VALUES (?1, ?2, ?3, ?4) RETURNING id",
                vec![
                    Value::Uuid(id()),
                    Value::Uuid(tenant),
                    Value::Blob(path.as_bytes().to_vec()),
                    Value::Blob(path.as_bytes().to_vec()),
                ],
            ))
        };
        let first = |written: &Written| match written {
            Written::Rows(rows) => rows.first().unwrap().int(0).unwrap(),
            Written::Changed(_) => panic!("RETURNING gives rows"),
        };
        let batch = vec![
            Write::Execute(Statement::new(
                "INSERT INTO tenants (id, name) VALUES (?1, ?2)",
                vec![Value::Uuid(tenant), Value::Text("t".into())],
            )),
            Write::Execute(Statement::new(
                "INSERT INTO users (id, tenant_id) VALUES (?1, ?2)",
                vec![Value::Uuid(user), Value::Uuid(tenant)],
            )),
            entry("/a"),
            entry("/b"),
        ];
        let written = self.store.write(as_tenant, batch).await.unwrap();
        let (source, target) = (first(&written[2]), first(&written[3]));
        let conduit = Statement::new(
            "INSERT INTO sync_conduit (uuid, tenant_id, source_entry_id, target_entry_id, sync_mode) \
             VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
            vec![
                Value::Uuid(id()),
                Value::Uuid(tenant),
                Value::Int(source),
                Value::Int(target),
                Value::Text("mirror".into()),
            ],
        );
        let written = self.store.write(as_tenant, vec![Write::Returning(conduit)]).await.unwrap();
        Tenancy { tenant: as_tenant, user, source, target, conduit: first(&written[0]) }
    }
}
