//! Readings of the metadata of databases: each is a row of `introspection_runs` with what was read, also when it failed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::inventoried::place_in_book;
use super::inventory::record;
use super::place::{DatabaseAt, RecordPlace};
use crate::book::BookInner;
use crate::endpoint::{Endpoint, TableName, TableShape, open};
use crate::error::{Error, Result};
use crate::model::{
    Database, DatabaseInstance, Id, IntrospectionRun, IntrospectionStatus, Json, Moment, TableType, TenantId,
};
use crate::operation::clock::micros;
use crate::table::Tables;

/// What a reading has found.
#[derive(Default)]
struct Stats {
    tables: u64,
    views: u64,
    columns: u64,
    constraints: u64,
    indexes: u64,
    /// Tables that could not be described.
    failed: u64,
}

impl Stats {
    fn add(&mut self, shape: &TableShape) {
        match shape.table_type {
            TableType::Base => self.tables += 1,
            TableType::View => self.views += 1,
        }
        self.columns += shape.columns.len() as u64;
        self.constraints += shape.constraints.len() as u64;
        self.indexes += shape.indexes.len() as u64;
    }

    fn json(&self) -> Value {
        let Self { tables, views, columns, constraints, indexes, failed } = self;
        json!({
            "tables": tables, "views": views, "columns": columns, "constraints": constraints, "indexes": indexes, "failed": failed,
        })
    }
}

/// A reading of one table, which has been written down.
pub(crate) async fn one_table(
    tables: &Tables,
    instance: Id<DatabaseInstance>,
    shape: &TableShape,
    started: Moment,
    ended: Moment,
) -> Result<()> {
    let mut stats = Stats::default();
    stats.add(shape);
    let run = run(instance, started, ended, IntrospectionStatus::Success, stats.json());
    tables.make(run).await.map(|_| ())
}

fn run(
    database_instance_id: Id<DatabaseInstance>,
    started_at: Moment,
    ended: Moment,
    status: IntrospectionStatus,
    stats: Value,
) -> IntrospectionRun {
    IntrospectionRun {
        database_instance_id,
        started_at,
        ended_at: Some(ended),
        status: Some(status),
        stats: Json(stats),
    }
}

/// Reads the metadata of every table of a database into the inventory. A table that cannot be described fails alone.
pub(crate) async fn introspect(book: &Arc<BookInner>, tenant: TenantId, at: DatabaseAt) -> Result<IntrospectionRun> {
    let tables = book.tables(tenant);
    let now = || Moment(micros(book.clock.now()));
    let started = now();
    let endpoint = open(at.db_type, at.options.clone())?;
    let place = RecordPlace::Table { database: at, table: TableName::new("", "") };
    let (database, instance) = place_in_book(&tables, &place, started).await?;
    let read = read(&tables, database, &*endpoint, started).await;
    endpoint.shutdown().await;
    let (status, stats) = match &read {
        Ok(stats) => (IntrospectionStatus::Success, stats.json()),
        Err(error) => {
            (IntrospectionStatus::Failed, json!({ "error": error.to_string(), "code": error.code().as_str() }))
        }
    };
    let run = tables.make(run(instance, started, now(), status, stats)).await?.row;
    read.map(|_| run)
}

async fn read(tables: &Tables, database: Id<Database>, endpoint: &dyn Endpoint, now: Moment) -> Result<Stats> {
    let mut stats = Stats::default();
    for entry in endpoint.tables().await? {
        match endpoint.describe(&entry.name).await {
            Ok(shape) => {
                record(tables, database, &shape, now).await?;
                stats.add(&shape);
            }
            Err(error) if is_of_the_table(&error) => stats.failed += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(stats)
}

/// Whether an error says nothing of the other tables.
fn is_of_the_table(error: &Error) -> bool {
    use crate::error::Code;
    matches!(error.code(), Code::NotFound | Code::Permission | Code::Invalid | Code::Unsupported)
}
