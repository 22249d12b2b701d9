//! A store that dies with the disks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use portbook::model::TenantId;
use portbook::provider::simulation::Switch;
use portbook::store::{ActivityRetention, Engine, Rows, Statement, Store, Write, Written};
use portbook::{Code, Error, Result};

/// Counts every write as a side effect; after the crash nothing is read and nothing reaches the book.
pub struct Frozen {
    pub inner: Arc<dyn Store>,
    pub switch: Arc<Switch>,
    pub writes: AtomicU64,
}

impl Frozen {
    pub fn new(inner: Arc<dyn Store>, switch: Arc<Switch>) -> Self {
        Self { inner, switch, writes: AtomicU64::new(0) }
    }
}

fn crashed<E>(_: E) -> Error {
    Error::new(Code::Storage, "use the book", "").because("simulated crash")
}

#[async_trait]
impl Store for Frozen {
    fn engine(&self) -> Engine {
        self.inner.engine()
    }

    async fn query(&self, tenant: TenantId, statement: Statement) -> Result<Rows> {
        self.switch.alive().map_err(crashed)?;
        self.inner.query(tenant, statement).await
    }

    async fn query_many(&self, tenant: TenantId, statements: Vec<Statement>) -> Result<Vec<Rows>> {
        self.switch.alive().map_err(crashed)?;
        self.inner.query_many(tenant, statements).await
    }

    async fn write(&self, tenant: TenantId, batch: Vec<Write>) -> Result<Vec<Written>> {
        self.switch.tick().map_err(crashed)?;
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.inner.write(tenant, batch).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>> {
        self.switch.alive().map_err(crashed)?;
        self.inner.tenants().await
    }

    async fn tend_activity(&self, now: i64, retention: ActivityRetention) -> Result<()> {
        self.switch.tick().map_err(crashed)?;
        self.inner.tend_activity(now, retention).await
    }

    async fn integrity(&self) -> Result<Vec<String>> {
        self.inner.integrity().await
    }

    async fn vacuum(&self) -> Result<()> {
        self.inner.vacuum().await
    }

    async fn backup(&self, to: &std::path::Path) -> Result<()> {
        self.inner.backup(to).await
    }

    async fn shutdown(&self) {
        self.inner.shutdown().await;
    }
}
