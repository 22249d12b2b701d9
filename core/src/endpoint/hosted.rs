//! A store that the host brings need not answer, and a run that is cancelled does not wait for it: reading is given up at once;
//! of what writes, and may have had its effect, it is worth a moment to know. Rows whose answer was not waited for are looked at
//! anew by the next run.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Allowance, Capabilities, ChangePage, ChangeScan, ChangeStream, ChangesEnd, Endpoint, NewTable, Page, Probe,
    RowOutcome, RowStream, Scan, TableEntry, TableName, TableShape, WriteBatch,
};
use crate::error::Result;
use crate::identity::RowBatch;
use crate::provider::hosted::cancel::{MOMENT, unless_cancelled};

/// A host's store, whose answers a cancelled run does not wait for.
pub(crate) struct Cancellable(pub(crate) Arc<dyn Endpoint>);

struct Rows(Box<dyn RowStream>);

struct Changes(Box<dyn ChangeStream>);

async fn read<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    unless_cancelled(Duration::ZERO, answer).await
}

#[async_trait]
impl RowStream for Rows {
    async fn next(&mut self) -> Result<Option<Page>> {
        read(self.0.next()).await
    }
}

#[async_trait]
impl ChangeStream for Changes {
    async fn next(&mut self) -> Result<Option<ChangePage>> {
        read(self.0.next()).await
    }

    fn end(&self) -> Result<ChangesEnd> {
        self.0.end()
    }

    fn may_have_lost(&self) -> bool {
        self.0.may_have_lost()
    }
}

#[async_trait]
impl Endpoint for Cancellable {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn probe(&self) -> Result<Probe> {
        read(self.0.probe()).await
    }

    async fn tables(&self) -> Result<Vec<TableEntry>> {
        read(self.0.tables()).await
    }

    async fn describe(&self, table: &TableName) -> Result<TableShape> {
        read(self.0.describe(table)).await
    }

    async fn identity(&self, table: &TableName) -> Result<Option<String>> {
        read(self.0.identity(table)).await
    }

    async fn prepare(&self, table: &TableName) -> Result<TableShape> {
        unless_cancelled(MOMENT, self.0.prepare(table)).await
    }

    async fn allowance(&self) -> Option<Allowance> {
        self.0.allowance().await
    }

    /// Nobody knows how a host counts; usually by reading.
    fn counts_cheaply(&self) -> bool {
        false
    }

    async fn count(&self, table: &TableName) -> Result<u64> {
        read(self.0.count(table)).await
    }

    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>> {
        Ok(Box::new(Rows(read(self.0.scan(scan)).await?)))
    }

    async fn fetch(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        read(self.0.fetch(table, columns, key, keys)).await
    }

    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
        Ok(Box::new(Changes(read(self.0.changes(scan)).await?)))
    }

    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
        unless_cancelled(MOMENT, self.0.write(batch)).await
    }

    async fn create(&self, table: NewTable) -> Result<TableShape> {
        unless_cancelled(MOMENT, self.0.create(table)).await
    }

    async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}
