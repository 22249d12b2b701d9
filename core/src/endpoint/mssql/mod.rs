//! Tables of SQL Server (2016 and later) and Azure SQL Database.
//!
//! A scan is one snapshot where the database allows them (`ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON`) or reads
//! committed rows by versions (`READ_COMMITTED_SNAPSHOT`). Otherwise it keeps others from writing to the table until it was
//! read, since rows that move under a scan would come twice or not at all; [`probe`](Endpoint::probe) says so. It is read by
//! one connection.
//!
//! Changes by a `rowversion` are exact: rows below the oldest one that is not committed are there
//! (`MIN_ACTIVE_ROWVERSION`). Changes by a time have no bound but the overlap. Changes by Change Tracking tell of rows that
//! are gone ([`tracking`]).
//!
//! Two texts that differ in their width or their kana only are equal in most collations; keys that differ so are told apart
//! here.
//!
//! No server could be had for the tests. What is shown without one: the types, the text of the statements, and what is
//! said over the network, against a server of the tests' own that a client of others has approved.

mod connect;
mod describe;
mod fault;
mod packet;
mod read;
mod statement;
mod tls;
mod tracking;
mod types;
mod value;
mod write;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use tiberius::{ColumnData, IsolationLevel};

use self::connect::{Connections, Session, ask};
use self::fault::error_of;
use self::read::Moment;
use super::sql::Dialect;
use super::{
    Capabilities, ChangeScan, ChangeSource, ChangeStream, ColumnShape, DatabaseOptions, Endpoint, NewTable, Page,
    Probe, RowOutcome, RowStream, Scan, TableEntry, TableName, TableShape, WriteBatch,
};
use crate::error::{Code, Error, Result};
use crate::identity::RowBatch;
use crate::model::{CursorType, DatumKind, Tick};

const DIALECT: Dialect =
    Dialect { quotes: ('[', ']'), numbered: Some("@P"), lock_hint: " WITH (UPDLOCK)", lock_clause: "" };

/// Tables of a SQL Server database.
pub struct SqlServerEndpoint {
    connections: Arc<Connections>,
}

impl SqlServerEndpoint {
    /// The endpoint of that database. It is connected on use.
    ///
    /// # Errors
    /// `invalid` when the options do not name a database, or certificates that cannot be read.
    pub fn new(options: DatabaseOptions) -> Result<Self> {
        Ok(Self { connections: Arc::new(Connections::new(options)?) })
    }
}

#[async_trait]
impl Endpoint for SqlServerEndpoint {
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
        let probe = async |session: &mut Session| {
            let results = ask(session, statement::PROBE, &[]).await.map_err(|e| error_of("ask", "the database", e))?;
            let said = results.first().and_then(|rows| rows.first()).and_then(probed);
            let none = || Error::new(Code::Storage, "ask", "the database").because("it said nothing");
            let mut said = said.ok_or_else(none)?;
            if read::moment(session).await? == Moment::Locks {
                said.product.push_str("; without snapshots: whoever reads a table keeps others from writing to it");
            }
            Ok(said)
        };
        self.connections.with(probe).await
    }

    async fn tables(&self) -> Result<Vec<TableEntry>> {
        self.connections.with(async |session| describe::tables(session).await).await
    }

    async fn describe(&self, table: &TableName) -> Result<TableShape> {
        let describe = async |session: &mut Session| Ok(describe::describe(session, table).await?.shape);
        self.connections.with(describe).await
    }

    async fn count(&self, table: &TableName) -> Result<u64> {
        let count = async |session: &mut Session| {
            let fail = |e| error_of("count the rows of", table, e);
            let results = ask(session, &statement::count(table), &[]).await.map_err(fail)?;
            let count = results.first().and_then(|rows| describe::big(rows.first()?, 0));
            count.ok_or_else(|| Error::new(Code::Storage, "count the rows of", table).because("it said nothing"))
        };
        self.connections.with(count).await
    }

    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>> {
        read::scan(&self.connections, scan).await
    }

    async fn fetch(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page> {
        self.connections.with(async |session| read::fetch(session, table, columns, key, keys).await).await
    }

    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>> {
        match &scan.by {
            ChangeSource::Log { .. } => tracking::changes(&self.connections, scan).await,
            ChangeSource::UpdatedAt { .. } | ChangeSource::Feed => read::changes(&self.connections, scan).await,
        }
    }

    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>> {
        self.connections.lend(async |session| write::write(session, &batch).await).await
    }

    async fn create(&self, table: NewTable) -> Result<TableShape> {
        let create = async |session: &mut Session| {
            let fail = |e| error_of("make the table", &table.name, e);
            let statements = created(&table)?;
            session.begin_transaction_with_isolation(IsolationLevel::ReadCommitted).await.map_err(fail)?;
            for sql in statements {
                ask(session, &sql, &[]).await.map_err(fail)?;
            }
            if !table.description.is_empty() {
                let text = |text: &str| ColumnData::String(Some(Cow::Owned(text.to_owned())));
                let values = [text(&table.description), text(&table.name.schema), text(&table.name.name)];
                ask(session, DESCRIPTION, &values).await.map_err(fail)?;
            }
            let described = describe::describe(session, &table.name).await?;
            session.commit_transaction().await.map_err(fail)?;
            Ok(described.shape)
        };
        self.connections.with(create).await
    }

    async fn shutdown(&self) {
        self.connections.shutdown();
    }
}

/// Keeps what a table is for (`@P1`) where tools look for it. A schema that is left out (`@P2`) is the login's own.
const DESCRIPTION: &str = "DECLARE @schema sysname = COALESCE(NULLIF(@P2, N''), SCHEMA_NAME()); \
     EXEC sys.sp_addextendedproperty @name = N'MS_Description', @value = @P1, @level0type = N'SCHEMA', \
     @level0name = @schema, @level1type = N'TABLE', @level1name = @P3";

fn probed(row: &tiberius::Row) -> Option<Probe> {
    let (version, edition) = (describe::text(row, 0)?, describe::text(row, 1)?);
    let seconds = row.try_get::<i64, _>(2).ok().flatten()?;
    let nanos = describe::number(row, 3).and_then(|nanos| u32::try_from(nanos).ok())?;
    Some(Probe { product: format!("SQL Server {version} ({edition})"), clock: Tick { seconds, nanos } })
}

/// The statements that make a table. A unique column that may be null is one by an index without nulls: a unique constraint
/// would let in a single one.
fn created(table: &NewTable) -> Result<Vec<String>> {
    let indexed: Vec<_> = table
        .columns
        .iter()
        .filter(|column| column.is_indexed || column.is_unique || table.key.contains(&column.name))
        .map(|column| column.like.clone())
        .collect();
    let declare = |like: &ColumnShape| types::declaration(like, indexed.contains(like));
    let is_loose =
        |column: &super::NewColumn| column.is_unique && column.like.is_nullable && !table.key.contains(&column.name);
    let mut plain = table.clone();
    plain.columns.iter_mut().filter(|column| is_loose(column)).for_each(|column| column.is_unique = false);
    let mut statements = super::sql::create(&DIALECT, &plain, declare, types::collate)?;
    let name = DIALECT.table(&table.name);
    for column in &table.columns {
        let quoted = DIALECT.quoted(&column.name);
        if is_loose(column) {
            let index = DIALECT.quoted(&format!("{}_{}_unique", table.name.name, column.name));
            statements.push(format!("CREATE UNIQUE INDEX {index} ON {name} ({quoted}) WHERE {quoted} IS NOT NULL"));
        }
        if column.like.kind == Some(DatumKind::Json) {
            statements.push(format!("ALTER TABLE {name} ADD CHECK (ISJSON({quoted}) = 1)"));
        }
    }
    Ok(statements)
}
