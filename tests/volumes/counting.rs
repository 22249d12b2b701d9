//! A store that counts the statements it is given.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use portbook::Result;
use portbook::model::TenantId;
use portbook::store::{ActivityRetention, Engine, Rows, Statement, Store, Write, Written};

pub struct Counting {
    inner: Arc<dyn Store>,
    statements: AtomicUsize,
}

impl Counting {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, statements: AtomicUsize::new(0) }
    }

    pub fn statements(&self) -> usize {
        self.statements.load(Ordering::SeqCst)
    }

    fn count(&self, statements: usize) {
        self.statements.fetch_add(statements, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Counting {
    fn engine(&self) -> Engine {
        self.inner.engine()
    }

    async fn query(&self, tenant: TenantId, statement: Statement) -> Result<Rows> {
        self.count(1);
        self.inner.query(tenant, statement).await
    }

    async fn query_many(&self, tenant: TenantId, statements: Vec<Statement>) -> Result<Vec<Rows>> {
        self.count(statements.len());
        self.inner.query_many(tenant, statements).await
    }

    async fn write(&self, tenant: TenantId, batch: Vec<Write>) -> Result<Vec<Written>> {
        self.count(batch.len());
        self.inner.write(tenant, batch).await
    }

    async fn tend_activity(&self, now: i64, retention: ActivityRetention) -> Result<()> {
        self.inner.tend_activity(now, retention).await
    }

    async fn integrity(&self) -> Result<Vec<String>> {
        self.inner.integrity().await
    }

    async fn vacuum(&self) -> Result<()> {
        self.inner.vacuum().await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        self.inner.backup(to).await
    }

    async fn shutdown(&self) {
        self.inner.shutdown().await;
    }
}
