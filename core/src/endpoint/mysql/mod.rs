//! Tables of MySQL (5.7 and later) and MariaDB (10.5 and later).
//!
//! A scan is one consistent snapshot, read by one connection in the binary protocol: MySQL has no way to share a
//! snapshot. Tables of engines without transactions (MyISAM) have none at all. The session's zone is UTC, so that a
//! `TIMESTAMP` is an instant; a `DATETIME` is what the wall clock of whoever wrote it said. The session is strict: a value
//! that does not fit is refused and not made to fit.
//!
//! Changes by a column have no bound but the overlap: neither product tells when the transactions of others began. Changes
//! by the binary log are exact ([`log`]).
//!
//! The tests run on both, in the versions that Debian has of them. MySQL 5.7 and 8.0 are written by their manuals.

mod binlog;
mod connect;
mod describe;
mod fault;
mod follow;
mod log;
mod read;
mod value;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use self::connect::Connections;
use self::fault::error_of;
use super::sql::Dialect;
use super::{
    Capabilities, ChangeScan, ChangeSource, ChangeStream, DatabaseOptions, Endpoint, NewTable, Page, Probe, RowOutcome,
    RowStream, Scan, TableEntry, TableName, TableShape, WriteBatch,
};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::{CursorType, Tick};

const DIALECT: Dialect = Dialect { quotes: ('`', '`'), numbered: None, lock_hint: "", lock_clause: " FOR UPDATE" };

/// Tables of a MySQL or MariaDB database.
pub struct MySqlEndpoint {
    connections: Arc<Connections>,
}

impl MySqlEndpoint {
    /// The endpoint of that database. It is connected on use.
    ///
    /// # Errors
    /// `invalid` when the options do not name a database, or certificates that cannot be read.
    pub fn new(options: DatabaseOptions) -> Result<Self> {
        Ok(Self { connections: Arc::new(Connections::new(options)?) })
    }
}

#[async_trait]
impl Endpoint for MySqlEndpoint {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            write_rows: 1000,
            snapshot_scans: 1,
            version_column: None,
            assigns_keys: false,
            cursors: vec![CursorType::Timestamp, CursorType::Lsn],
            creates_tables: true,
            writes: true,
        }
    }

    async fn probe(&self) -> Result<Probe> {
        let ask = async |conn: &mut Conn| {
            let sql = "SELECT VERSION(), CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)";
            let row: Option<(String, i64)> =
                conn.query_first(sql).await.map_err(|e| error_of("ask", "the database", e))?;
            row.ok_or_else(|| Error::new(Code::Storage, "ask", "the database").because("it said nothing"))
        };
        let (version, micros) = self.connections.with(ask).await?;
        let product = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
        Ok(Probe { product: format!("{product} {version}"), clock: Tick::from_micros(micros) })
    }

    async fn tables(&self) -> Result<Vec<TableEntry>> {
        self.connections.with(async |conn| describe::tables(conn).await).await
    }

    async fn describe(&self, table: &TableName) -> Result<TableShape> {
        let tinyint = self.connections.tinyint_is_boolean();
        self.connections.with(async |conn| describe::describe(conn, table, tinyint).await).await
    }

    async fn count(&self, table: &TableName) -> Result<u64> {
        let tinyint = self.connections.tinyint_is_boolean();
        let count = async |conn: &mut Conn| {
            describe::describe(conn, table, tinyint).await?;
            let sql = format!("SELECT COUNT(*) FROM {}", DIALECT.table(table));
            let count: Option<u64> =
                conn.query_first(sql).await.map_err(|e| error_of("count the rows of", table, e))?;
            Ok(count.unwrap_or(0))
        };
        self.connections.with(count).await
    }

    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>> {
        read::scan(&self.connections, scan).await
    }

    async fn fetch(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        let tinyint = self.connections.tinyint_is_boolean();
        self.connections.with(async |conn| read::fetch(conn, table, columns, key, keys, tinyint).await).await
    }

    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
        match &scan.by {
            ChangeSource::Log { .. } => log::changes(&self.connections, scan).await,
            ChangeSource::UpdatedAt { .. } | ChangeSource::Feed => read::changes(&self.connections, scan).await,
        }
    }

    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
        let (tinyint, patience) = (self.connections.tinyint_is_boolean(), self.connections.patience());
        self.connections.lend(async |conn| write::write(conn, &batch, tinyint, patience).await).await
    }

    async fn create(&self, table: NewTable) -> Result<TableShape> {
        let tinyint = self.connections.tinyint_is_boolean();
        let create = async |conn: &mut Conn| {
            let in_key = |name: &String| table.key.contains(name);
            let indexed: Vec<_> =
                table.columns.iter().filter(|c| c.is_indexed || c.is_unique || in_key(&c.name)).collect();
            let is_indexed = |like: &super::ColumnShape| indexed.iter().any(|column| column.like == *like);
            let declare = |like: &super::ColumnShape| value::declaration(like, is_indexed(like));
            // Each statement commits by itself here: what was made before one that fails is taken out again.
            for (at, statement) in
                super::sql::create(&DIALECT, &table, declare, value::collate)?.into_iter().enumerate()
            {
                if let Err(error) = conn.query_drop(statement).await {
                    if at > 0 {
                        // The first failure is the one that is told.
                        let _ = conn.query_drop(format!("DROP TABLE {}", DIALECT.table(&table.name))).await;
                    }
                    return Err(error_of("make the table", &table.name, error));
                }
            }
            describe::describe(conn, &table.name, tinyint).await
        };
        self.connections.with(create).await
    }

    async fn shutdown(&self) {
        self.connections.shutdown();
    }
}
