//! Tables of a PostgreSQL database, version 12 or later.
//!
//! A scan is one snapshot, also where several connections read: each copies a range of the table's blocks under the
//! snapshot that the first one exported. Rows come by binary `COPY` and are decoded straight into their canonical
//! encoding. What the types mean is in [`types`].
//!
//! Changes by a column need to know which transactions are under way, so that a row that was stamped before and is
//! committed later is not passed over. A role sees when transactions of other roles began only as a member of
//! `pg_read_all_stats` (or `pg_monitor`); without it the overlap is all there is.

mod connect;
mod decode;
mod describe;
mod fault;
mod log;
mod pgoutput;
mod read;
mod scan;
mod text;
mod types;
mod write;

use std::sync::Arc;

use async_trait::async_trait;

use self::connect::{Connections, Shared};
use self::describe::describe;
use self::fault::error_of;
use super::sql::Dialect;
use super::{
    Capabilities, ChangeScan, ChangeSource, ChangeStream, DatabaseOptions, Endpoint, NewTable, Page, Probe, RowOutcome,
    RowStream, Scan, TableEntry, TableName, TableShape, WriteBatch,
};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::{CursorType, Tick};

const DIALECT: Dialect = Dialect { quotes: ('"', '"'), numbered: Some("$"), lock_hint: "", lock_clause: " FOR UPDATE" };

/// Connections that read parts of one scan. More do not help: the engine hashes on the other cores.
const SNAPSHOT_SCANS: usize = 4;

/// Tables of a PostgreSQL database.
pub struct PostgresEndpoint {
    connections: Shared,
}

impl PostgresEndpoint {
    /// The endpoint of that database. It is connected on use.
    ///
    /// # Errors
    /// `invalid` when the options do not name a database, or certificates that cannot be read.
    pub fn new(options: DatabaseOptions) -> Result<Self> {
        Ok(Self { connections: Arc::new(Connections::new(options)?) })
    }
}

#[async_trait]
impl Endpoint for PostgresEndpoint {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            write_rows: 4096,
            snapshot_scans: SNAPSHOT_SCANS,
            version_column: None,
            assigns_keys: false,
            cursors: vec![CursorType::Timestamp, CursorType::Lsn],
            creates_tables: true,
            writes: true,
        }
    }

    async fn probe(&self) -> Result<Probe> {
        let sql = "SELECT 'PostgreSQL ' || current_setting('server_version'), \
                   (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
        let ask = async |client: &mut tokio_postgres::Client| {
            client.query_one(sql, &[]).await.map_err(|e| error_of("ask", "the database", e))
        };
        let row = self.connections.with(ask).await?;
        Ok(Probe { product: row.get(0), clock: Tick::from_micros(row.get(1)) })
    }

    async fn tables(&self) -> Result<Vec<TableEntry>> {
        self.connections.with(async |client| describe::tables(client).await).await
    }

    async fn describe(&self, table: &TableName) -> Result<TableShape> {
        self.connections.with(async |client| Ok(describe(client, table).await?.shape)).await
    }

    async fn count(&self, table: &TableName) -> Result<u64> {
        let count = async |client: &mut tokio_postgres::Client| {
            describe(client, table).await?;
            let sql = format!("SELECT count(*) FROM {}", DIALECT.table(table));
            client.query_one(&sql, &[]).await.map_err(|e| error_of("count the rows of", table, e))
        };
        let row = self.connections.with(count).await?;
        Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
    }

    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>> {
        scan::scan(&self.connections, scan).await
    }

    async fn fetch(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        self.connections.with(async |client| read::fetch(client, table, columns, key, keys).await).await
    }

    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
        match &scan.by {
            ChangeSource::Log { name } => {
                let name = name.clone();
                log::changes(&self.connections, scan, &name).await
            }
            ChangeSource::UpdatedAt { .. } | ChangeSource::Feed => read::changes(&self.connections, scan).await,
        }
    }

    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
        self.connections.with(async |client| write::write(client, &batch).await).await
    }

    async fn create(&self, table: NewTable) -> Result<TableShape> {
        let create = async |client: &mut tokio_postgres::Client| {
            let fail = |e| error_of("make the table", &table.name, e);
            let mut statements = super::sql::create(&DIALECT, &table, types::declaration, |_| "")?;
            if !table.description.is_empty() {
                let text = table.description.replace('\'', "''");
                statements.push(format!("COMMENT ON TABLE {} IS '{text}'", DIALECT.table(&table.name)));
            }
            let transaction = client.transaction().await.map_err(fail)?;
            for statement in statements {
                transaction.batch_execute(&statement).await.map_err(fail)?;
            }
            let shape = describe(&transaction, &table.name).await?.shape;
            transaction.commit().await.map_err(fail)?;
            Ok(shape)
        };
        self.connections.with(create).await
    }

    async fn shutdown(&self) {
        self.connections.shutdown();
    }
}

/// What is asked of a column that is not carried, or not there.
fn wires(described: &describe::Described, columns: &[String]) -> Result<Vec<types::Wire>> {
    let wire = |name: &String| {
        super::sql::carried(&described.shape, name)?;
        let place = described.shape.columns.iter().position(|column| column.name == *name);
        let wire = place.and_then(|place| described.columns[place].wire.clone());
        wire.ok_or_else(|| Error::new(Code::Internal, "read the table", &described.shape.name))
    };
    columns.iter().map(wire).collect()
}

/// The types that texts for these columns are cast to.
fn casts(described: &describe::Described, columns: &[String]) -> Result<Vec<String>> {
    let cast = |name: &String| {
        super::sql::column(&described.shape, name)?;
        let place = described.shape.columns.iter().position(|column| column.name == *name);
        Ok(place.map_or_else(String::new, |place| described.columns[place].cast.clone()))
    };
    columns.iter().map(cast).collect()
}
