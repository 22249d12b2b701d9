//! A book with a tenant, a user, two entries and a conduit.

use std::sync::Arc;

use portbook::model::TenantId;
use portbook::store::{SqliteOptions, SqliteStore, Statement, Store, Value, Write, Written};
use portbook::{Code, Result};
use tempfile::TempDir;
use uuid::Uuid;

/// A store, and what must outlive it.
pub struct Book {
    pub store: Arc<dyn Store>,
    pub directory: TempDir,
}

/// The ids of one tenant's rows.
pub struct Tenancy {
    pub tenant: TenantId,
    pub user: Uuid,
    pub source: i64,
    pub target: i64,
    pub conduit: i64,
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

pub fn id() -> Uuid {
    Uuid::now_v7()
}

impl Book {
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("book"), SqliteOptions::default()).unwrap();
        Self { store: Arc::new(store), directory }
    }

    /// Runs one statement as no tenant in particular.
    pub async fn execute(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Written>> {
        self.store.write(TenantId(Uuid::nil()), vec![Write::Execute(Statement::new(sql, params))]).await
    }

    /// The rows of a query, each value as an integer.
    pub async fn ints(&self, sql: &'static str, params: Vec<Value>) -> Vec<i64> {
        let rows = self.store.query(TenantId(Uuid::nil()), Statement::new(sql, params)).await.unwrap();
        rows.iter().map(|r| r.int(0).unwrap()).collect()
    }

    pub async fn code(&self, sql: &'static str, params: Vec<Value>) -> Option<Code> {
        self.execute(sql, params).await.err().map(|e| e.code())
    }

    pub async fn tenancy(&self) -> Tenancy {
        let (tenant, user) = (id(), id());
        let as_tenant = TenantId(tenant);
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
