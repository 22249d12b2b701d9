//! What the engine asks of a metastore: one set of SQL statements over two engines.
//!
//! SQL is written once, with parameters `?1`, `?2` …, in the common part of both dialects. A write is a batch of typed
//! statements that commits as a whole or not at all; there is no interactive transaction. Rows come back in pages
//! that own one buffer.

pub(crate) mod migrate;
mod postgres;
mod sqlite;

use std::borrow::Cow;
use std::path::Path;

use async_trait::async_trait;

pub use crate::select_record as select;
pub use migrate::newest_schema;
pub(crate) use postgres::postgres_code;
pub use postgres::{PostgresOptions, PostgresStore, TlsMode};
pub use sqlite::{SqliteOptions, SqliteStore};

use crate::error::Result;
use crate::model::TenantId;
pub use crate::model::{Column, Record, Row, Rows, Value};

/// One SQL statement and its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The text, with `?1` … `?n`. Engines keep statements prepared by it.
    pub sql: Cow<'static, str>,
    /// The values in order.
    pub params: Vec<Value>,
}

impl Statement {
    /// A statement with its values.
    #[must_use]
    pub fn new(sql: impl Into<Cow<'static, str>>, params: Vec<Value>) -> Self {
        Self { sql: sql.into(), params }
    }
}

/// What happens to a row that exists already during an [`Insert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The batch fails (`conflict`).
    Fail,
    /// The new row replaces the values of the columns after the `key` columns (the first `n` columns). No two rows of
    /// one insert have the same key.
    Replace {
        /// How many leading columns are the key.
        key: usize,
    },
}

/// Many rows for one table.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// The table.
    pub table: Cow<'static, str>,
    /// Its columns, key first.
    pub columns: Vec<Cow<'static, str>>,
    /// The values, row after row.
    pub values: Vec<Value>,
    /// When a row with that key exists.
    pub on_conflict: OnConflict,
}

impl Insert {
    /// Inserts these values, row after row.
    pub fn new<N: Into<Cow<'static, str>>>(
        table: impl Into<Cow<'static, str>>,
        columns: impl IntoIterator<Item = N>,
        values: Vec<Value>,
        on_conflict: OnConflict,
    ) -> Self {
        Self { table: table.into(), columns: columns.into_iter().map(Into::into).collect(), values, on_conflict }
    }

    /// Inserts these rows; the batch fails (`conflict`) when one exists.
    pub fn of<R: Record>(records: &[R]) -> Self {
        let skip = usize::from(R::NUMBERED);
        let values = records.iter().flat_map(|r| r.values().into_iter().skip(skip)).collect();
        Self::new(R::TABLE, R::COLUMNS[skip..].iter().copied(), values, OnConflict::Fail)
    }

    /// Inserts these rows; one whose first `key` columns exist already takes its place. A table that is clustered by
    /// its key wants them in that order.
    pub fn upsert<R: Record>(records: &[R], key: usize) -> Self {
        Self { on_conflict: OnConflict::Replace { key }, ..Self::of(records) }
    }
}

/// One part of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Run it; any number of rows may change.
    Execute(Statement),
    /// Run it and fail the whole batch (`conflict`) unless exactly this many rows changed.
    Expect(Statement, u64),
    /// Run it and keep what its `RETURNING` gives.
    Returning(Statement),
    /// Insert many rows.
    Insert(Insert),
    /// Do the rest of the batch as this tenant, or as [`TenantId::BOOK`]: for the few writes that concern the whole
    /// book.
    As(TenantId),
}

/// What a part of a batch did.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// This many rows changed.
    Changed(u64),
    /// What `RETURNING` gave.
    Rows(Rows),
}

/// Which engine a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// How long the lines of activity are kept, and what becomes of them then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivityRetention {
    /// Days that a line is kept.
    pub days: u32,
    /// What becomes of older ones.
    pub expired: Expired,
}

/// What becomes of lines of activity that have outlived their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// They are deleted.
    Deleted,
    /// On PostgreSQL, a month that is over is detached as a whole and stays as a table of its own
    /// (`sync_activity_log_2025_11`) when the owner of the tables tends the book. SQLite, which has no partitions,
    /// deletes.
    Detached,
}

impl Default for ActivityRetention {
    /// A year, then deleted.
    fn default() -> Self {
        Self { days: 365, expired: Expired::Deleted }
    }
}

impl ActivityRetention {
    /// The time, in microseconds, before which lines have outlived theirs.
    #[must_use]
    pub fn before(self, now: i64) -> i64 {
        now.saturating_sub(i64::from(self.days) * 86_400_000_000)
    }

    /// Whether lines are deleted one by one on that engine.
    pub(crate) fn deletes(self, engine: Engine) -> bool {
        match (self.expired, engine) {
            (Expired::Deleted, _) | (Expired::Detached, Engine::Sqlite) => true,
            (Expired::Detached, Engine::Postgres) => false,
        }
    }
}

/// A metastore.
#[async_trait]
pub trait Store: Send + Sync {
    /// Which engine it is.
    fn engine(&self) -> Engine;

    /// Runs a query as that tenant and returns its rows. Keep pages small with `LIMIT`.
    ///
    /// # Errors
    /// `storage`, `corrupt`, `offline`, `busy`.
    async fn query(&self, tenant: TenantId, statement: Statement) -> Result<Rows>;

    /// Runs several queries at one snapshot, in one hand-over.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    async fn query_many(&self, tenant: TenantId, statements: Vec<Statement>) -> Result<Vec<Rows>>;

    /// Commits the batch, durably, or nothing of it.
    ///
    /// # Errors
    /// `conflict` when an [`Write::Expect`] or a uniqueness rule does not hold, `invalid` when a check does not,
    /// else as [`query`](Self::query).
    async fn write(&self, tenant: TenantId, batch: Vec<Write>) -> Result<Vec<Written>>;

    /// Commits the batch, or nothing of it, durably no later than the next [`write`](Self::write) that begins after it has been
    /// answered: for what means nothing before that. Where the store may restart without whoever uses it, which then would not
    /// learn that the batch is gone, this is a `write`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    async fn write_ahead(&self, tenant: TenantId, batch: Vec<Write>) -> Result<Vec<Written>> {
        self.write(tenant, batch).await
    }

    /// The tenants of the book, in the order of their ids: the one question that is not asked as a tenant.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    async fn tenants(&self) -> Result<Vec<TenantId>> {
        let list = Statement::new("SELECT id FROM tenants ORDER BY id", Vec::new());
        let rows = self.query(TenantId::BOOK, list).await?;
        rows.iter().map(|row| row.uuid(0).map(TenantId)).collect()
    }

    /// Makes room for the activity of the months to come, and takes out whole months that have outlived their time,
    /// where the engine keeps activity by months. `now` is in microseconds.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    async fn tend_activity(&self, _now: i64, _retention: ActivityRetention) -> Result<()> {
        Ok(())
    }

    /// What the engine itself finds wrong with the book; nothing when it holds together.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    async fn integrity(&self) -> Result<Vec<String>>;

    /// Gives the space of deleted rows back and brings the planner's statistics up to date. Others wait meanwhile.
    ///
    /// # Errors
    /// `busy`, `quota` (a file needs its own size once more), `permission`, `storage`.
    async fn vacuum(&self) -> Result<()>;

    /// Writes a copy of the book, as of one moment, into a new file, durably, while others use it.
    ///
    /// # Errors
    /// `conflict` when the file is there; `unsupported` on a server, which has tools for this; `quota`, `storage`.
    async fn backup(&self, to: &Path) -> Result<()>;

    /// Ends the store; later calls fail. Waits for what is under way.
    async fn shutdown(&self);
}
