//! One module per record store behind one trait: tables of databases, lists, and stores that only the host knows.
//!
//! An endpoint is opened on one database, site or account. Calls are coarse (a page of rows, a batch of writes) and may run
//! together, but for two writes of the same row. The engine asks [`Capabilities`], never names.
//!
//! # Rows
//!
//! Rows cross as [`RowBatch`]: in canonical encoding, in the order of the columns that were asked for. A value that a column
//! holds and that cannot be carried fails its row alone ([`Page::refused`]), never silently.
//!
//! # Writes
//!
//! A write answers row by row ([`RowOutcome`]). What may have happened although no answer came is [`RowOutcome::Unknown`]: the
//! engine looks before it writes again. An insert never overwrites, an update touches only the columns that it names, and
//! both can be made to hold only if the row is still the one that was compared ([`Expect`]).
//!
//! A key with a null in it is that of no row, as SQL has it: such a row is read by a scan only, and a write that names it
//! is [`RowOutcome::Gone`].

mod allowance;
mod batch;
mod database;
pub(crate) mod hosted;
mod mssql;
mod mysql;
mod postgres;
mod routed;
mod shape;
pub mod sharepoint;
mod sql;
mod sqlite;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use allowance::Allowance;
pub use batch::{ContentGuard, Expect, RowAction, RowOutcome, WriteBatch};
pub use database::{DatabaseOptions, open};
pub use mssql::SqlServerEndpoint;
pub use mysql::MySqlEndpoint;
pub use postgres::PostgresEndpoint;
pub(crate) use routed::{LIST, Part, Routed};
pub use shape::{
    Collation, ColumnShape, ColumnTraits, ConstraintShape, IndexShape, LengthUnit, TableEntry, TableName, TableShape,
    TableTraits, TimeSteps,
};
pub(crate) use sql::cursor::{reached_at, reached_instant};
pub use sqlite::SqliteEndpoint;

use crate::error::{Error, Result};
use crate::identity::RowBatch;
use crate::model::{CursorType, Datum, Tick};

/// The column with the engine's marker of a row that it made, in stores that assign keys: 64 hexadecimal digits, indexed,
/// unique, not shown to people.
pub const MARKER: &str = "SyncKey";

/// What an endpoint can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// How many rows one [`write`](Endpoint::write) is best called with.
    pub write_rows: usize,
    /// How many scans of one table may share a snapshot; 1: a scan reads by one connection.
    pub snapshot_scans: usize,
    /// Rows have a version that an update can name ([`Expect::Versions`]), under the name of this column.
    pub version_column: Option<&'static str>,
    /// The key of a row is given by the store when the row is made, so that making it twice makes two. A column of the
    /// engine's own ([`MARKER`]), unique in the store, then tells whether a row was made.
    pub assigns_keys: bool,
    /// The cursors that [`changes`](Endpoint::changes) understands. [`scan`](Endpoint::scan) is always there.
    pub cursors: Vec<CursorType>,
    /// A table can be made ([`create`](Endpoint::create)).
    pub creates_tables: bool,
    /// Rows can be written.
    pub writes: bool,
}

impl Capabilities {
    /// What only reads whole tables can do.
    #[must_use]
    pub fn read_only() -> Self {
        Self {
            write_rows: 1,
            snapshot_scans: 1,
            version_column: None,
            assigns_keys: false,
            cursors: Vec::new(),
            creates_tables: false,
            writes: false,
        }
    }

    /// The column that tells whether a row was made, where its key does not.
    #[must_use]
    pub fn marker_column(&self) -> Option<&'static str> {
        self.assigns_keys.then_some(MARKER)
    }
}

/// That an endpoint answers, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The product and its version, in its own words.
    pub product: String,
    /// What its clock says.
    pub clock: Tick,
}

/// What is to be read of a table.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The table.
    pub table: TableName,
    /// The values that each row has, in this order. The version column may be among them.
    pub columns: Vec<String>,
    /// How many rows a page has at most.
    pub page_rows: usize,
    /// How many connections may read; more than [`Capabilities::snapshot_scans`] are not used.
    pub parallel: usize,
}

/// Some rows of a table, in no order.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The rows.
    pub rows: RowBatch,
    /// Rows that hold what cannot be carried.
    pub refused: Vec<Refused>,
}

/// A row that holds what cannot be carried.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Those of its values that could be read, by the names of their columns: its key, if all is well.
    pub known: Vec<(String, Datum)>,
    /// The column and the value's fault.
    pub error: Error,
}

/// Rows on their way.
#[async_trait]
pub trait RowStream: Send {
    /// The next page; nothing when every row was given: only then is a row that did not come not there.
    ///
    /// # Errors
    /// `offline`, `throttled`, `auth`, `permission`, `not_found`, `storage`. The stream is over then, and incomplete.
    async fn next(&mut self) -> Result<Option<Page>>;
}

/// A place in the history of a table, from which on changes are read. Opaque, kept as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// What it is.
    pub cursor_type: CursorType,
    /// The endpoint's own text.
    pub value: String,
}

/// Which changes are to be read.
#[derive(Clone, Debug)]
pub struct ChangeScan {
    /// The table.
    pub table: TableName,
    /// The values that each row has, in this order.
    pub columns: Vec<String>,
    /// The columns of the key: a deleted row has no others.
    pub key: Vec<String>,
    /// How changes are found.
    pub by: ChangeSource,
    /// Where the last reading ended; nothing: everything is read, and the cursor begins there.
    pub since: Option<Cursor>,
    /// How many rows a page has at most.
    pub page_rows: usize,
}

/// How changes are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeSource {
    /// By a column that every change moves on. `overlap_ms` is read again each time: a transaction that took longer than
    /// that to commit may be missed where the store cannot say which ones are under way.
    UpdatedAt {
        /// The column.
        column: String,
        /// Milliseconds.
        overlap_ms: u64,
    },
    /// By the log of the database, or its change tracking. `name` tells this reader from others.
    Log {
        /// The name of the slot or capture.
        name: String,
    },
    /// By what the service itself keeps (a delta link).
    Feed,
}

/// Some changes.
#[derive(Clone, Debug, Default)]
pub struct ChangePage {
    /// Rows that are new or have changed, as they are now. One may come several times, among the deleted too; what the last
    /// page says of it counts.
    pub rows: RowBatch,
    /// The keys of rows that are gone.
    pub deleted: RowBatch,
    /// Rows that hold what cannot be carried.
    pub refused: Vec<Refused>,
}

/// How a reading of changes ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesEnd {
    /// Where the next one begins. To be kept only together with what was read.
    pub cursor: Cursor,
    /// What the changes say of rows that are gone.
    pub deletions: Deletions,
}

/// What a reading of changes says of rows that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletions {
    /// Each is listed.
    Listed,
    /// The reading was of everything: a row that did not come is gone.
    ByAbsence,
    /// Nothing: the store does not tell.
    Unknown,
}

/// Changes on their way.
#[async_trait]
pub trait ChangeStream: Send {
    /// The next page; nothing when all were given.
    ///
    /// # Errors
    /// As [`RowStream::next`]; `stale` when the store no longer knows the cursor, and everything has to be read.
    async fn next(&mut self) -> Result<Option<ChangePage>>;

    /// Where the next reading begins, after [`next`](Self::next) gave nothing.
    ///
    /// # Errors
    /// `internal` before that.
    fn end(&self) -> Result<ChangesEnd>;

    /// Whether the store said, when it no longer knew the cursor, that it may have lost rows itself. Then a row that it does
    /// not show was not deleted by anybody.
    fn may_have_lost(&self) -> bool {
        false
    }
}

/// A table that is to be made.
#[derive(Clone, Debug)]
pub struct NewTable {
    /// Its name.
    pub name: TableName,
    /// What it is for, for people.
    pub description: String,
    /// Its columns.
    pub columns: Vec<NewColumn>,
    /// The columns of its key.
    pub key: Vec<String>,
}

/// A column that is to be made.
#[derive(Clone, Debug)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// What it is called for people.
    pub display_name: String,
    /// What it is to hold, as the source has it.
    pub like: ColumnShape,
    /// Whether it is looked up by: it gets an index before there are rows.
    pub is_indexed: bool,
    /// Whether no two rows have the same.
    pub is_unique: bool,
    /// Whether people are not to see it.
    pub is_hidden: bool,
}

/// A record store.
#[async_trait]
pub trait Endpoint: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Whether it answers.
    ///
    /// # Errors
    /// `offline`, `auth`, `permission`, `not_found`.
    async fn probe(&self) -> Result<Probe>;

    /// Its tables, without those of the system.
    ///
    /// # Errors
    /// As [`probe`](Self::probe).
    async fn tables(&self) -> Result<Vec<TableEntry>>;

    /// What a table looks like.
    ///
    /// # Errors
    /// `not_found` when there is none, else as [`probe`](Self::probe).
    async fn describe(&self, table: &TableName) -> Result<TableShape>;

    /// What the store itself knows the table by, whatever it is called: another table of its name has another one. Nothing
    /// where the name is all there is.
    ///
    /// # Errors
    /// As [`describe`](Self::describe).
    async fn identity(&self, _table: &TableName) -> Result<Option<String>> {
        Ok(None)
    }

    /// Gives a table that is there what the engine needs to write it: the column [`MARKER`] where keys are assigned.
    ///
    /// # Errors
    /// As [`describe`](Self::describe); `conflict` when there is a column of that name which is no marker.
    async fn prepare(&self, table: &TableName) -> Result<TableShape> {
        self.describe(table).await
    }

    /// Whether counting is cheaper than reading.
    fn counts_cheaply(&self) -> bool {
        true
    }

    /// How many rows a table has now, counted.
    ///
    /// # Errors
    /// As [`describe`](Self::describe).
    async fn count(&self, table: &TableName) -> Result<u64>;

    /// Reads a whole table as it is at one moment, where the store has such a thing.
    ///
    /// # Errors
    /// As [`describe`](Self::describe); `invalid` for a column that is not there, `unsupported` for one of a type that is
    /// not carried.
    async fn scan(&self, scan: Scan) -> Result<Box<dyn RowStream>>;

    /// Reads the rows with these keys. Those that are not there are left out.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    async fn fetch(&self, table: &TableName, columns: &[String], key: &[String], keys: &RowBatch) -> Result<Page>;

    /// Reads what has changed.
    ///
    /// # Errors
    /// As [`scan`](Self::scan); `unsupported` for a cursor that is not among the capabilities, `stale` when the store no
    /// longer knows the cursor.
    async fn changes(&self, scan: ChangeScan) -> Result<Box<dyn ChangeStream>>;

    /// Writes rows; one answer for each, in their order.
    ///
    /// # Errors
    /// Only when no row was written: `offline`, `auth`, `permission`, `not_found`, `throttled`, `busy`.
    async fn write(&self, batch: WriteBatch) -> Result<Vec<RowOutcome>>;

    /// Makes a table.
    ///
    /// # Errors
    /// `conflict` when there is one of that name, `unsupported` where tables are not made or a type has no equal.
    async fn create(&self, table: NewTable) -> Result<TableShape>;

    /// What it lets through from now on, where it has a budget; nothing where its speed alone bounds a run.
    async fn allowance(&self) -> Option<Allowance> {
        None
    }

    /// Ends its connections.
    async fn shutdown(&self);
}
