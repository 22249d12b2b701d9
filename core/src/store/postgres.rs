//! The metastore on a server: a few connections, opened on use, each batch a transaction.
//!
//! What always holds: a transaction begins by naming its tenant, and row-level security shows it nothing else; a batch
//! is committed once or not at all, whatever becomes of the connection meanwhile.

mod connection;
mod failure;
mod open;
mod options;
mod pool;
mod statements;
mod tls;
mod value;

use std::path::Path;

use async_trait::async_trait;

use self::connection::{Ask, Failure, Mark, Turn};
pub(crate) use self::failure::postgres_code;
use self::failure::{is_lost, is_worth_another_try, lost_a_race};
use self::options::Address;
pub use self::options::{PostgresOptions, TlsMode};
use self::pool::Pool;
use super::{ActivityRetention, Engine, Expired, Rows, Statement, Store, Value, Write, Written};
use crate::error::{Code, Error, Result};
use crate::model::TenantId;

/// A book on a PostgreSQL server, version 15 or later.
pub struct PostgresStore {
    pool: Pool,
}

impl PostgresStore {
    /// Connects, creates the schema when there is none, and brings it up to date. Runs on a tokio runtime.
    ///
    /// # Errors
    /// `invalid` when the URL is none, or row-level security does not bind the role; `offline`; `auth`, also when the
    /// server's certificate is not trusted; `unsupported` when the server has no TLS; `permission` when the role may
    /// not create what is missing; `newer` when a newer version wrote the book, `corrupt` when its schema is another;
    /// `not_found` when there is no such database; `storage`.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<Self> {
        let pool = Pool::new(Address::of(url, &options)?, options.clone());
        open::prepare(&mut *pool.take().await?, &options).await?;
        Ok(Self { pool })
    }

    /// Asks, again when it is worth another try.
    async fn ask(&self, ask: Ask) -> Result<Vec<Rows>> {
        let mut patience = self.pool.patience();
        loop {
            match self.answer(&ask).await {
                Err(error) if is_worth_another_try(&error) && patience.lasts().await => {}
                outcome => return outcome,
            }
        }
    }

    async fn answer(&self, ask: &Ask) -> Result<Vec<Rows>> {
        self.pool.take().await?.answer(ask).await
    }

    async fn commit(
        &self,
        tenant: TenantId,
        batch: &[Write],
        turn: Turn,
    ) -> std::result::Result<Vec<Written>, Failure> {
        self.pool.take().await?.write(tenant, batch, turn).await
    }

    async fn was_committed(&self, mark: Mark) -> Result<bool> {
        self.pool.take().await?.was_committed(mark).await
    }

    /// Whether the write was committed.
    async fn settle(&self, mark: Mark) -> Result<bool> {
        let mut patience = self.pool.patience();
        loop {
            let unsettled = match self.was_committed(mark).await {
                Ok(committed) => return Ok(committed),
                Err(error) => error,
            };
            let may_pass = is_lost(&unsettled) || matches!(unsettled.code(), Code::Timeout | Code::Busy);
            if !(may_pass && patience.lasts().await) {
                return Err(Error::new(Code::Timeout, "learn what became of a write to", "the book")
                    .because("the connection was lost while it was being committed, and the server cannot be asked")
                    .advise("what was written is either all there or not at all; look before you repeat it")
                    .caused_by(unsettled));
            }
        }
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    async fn query(&self, tenant: TenantId, statement: Statement) -> Result<Rows> {
        Ok(self.query_many(tenant, vec![statement]).await?.pop().unwrap_or_default())
    }

    async fn query_many(&self, tenant: TenantId, statements: Vec<Statement>) -> Result<Vec<Rows>> {
        self.ask(Ask::Queries(tenant, statements)).await
    }

    async fn write(&self, tenant: TenantId, batch: Vec<Write>) -> Result<Vec<Written>> {
        let mut patience = self.pool.patience();
        let mut turn = Turn::AtOnce;
        loop {
            let error = match self.commit(tenant, &batch, turn).await {
                Ok(written) => return Ok(written),
                Err(Failure::Refused(error)) => error,
                Err(Failure::Unknown { mark, written, error }) => {
                    if self.settle(mark).await? {
                        return Ok(written);
                    }
                    error
                }
            };
            if !(is_worth_another_try(&error) && patience.lasts().await) {
                return Err(error);
            }
            if lost_a_race(&error) {
                turn = Turn::AfterLosers;
            }
        }
    }

    async fn tenants(&self) -> Result<Vec<TenantId>> {
        let pages = self.ask(Ask::Tenants).await?;
        pages.iter().flat_map(Rows::iter).map(|row| row.uuid(0).map(TenantId)).collect()
    }

    async fn tend_activity(&self, now: i64, retention: ActivityRetention) -> Result<()> {
        let ahead = Statement::new("SELECT make_activity_partitions(?1, 3)", vec![Value::Time(now)]);
        open::unless_busy(self.ask(Ask::Upkeep(ahead)).await.map(drop))?;
        // Only the owner of the tables retires months: they are every tenant's.
        let may = "SELECT has_function_privilege('retire_activity_partitions(timestamptz, boolean)', 'EXECUTE')";
        let may = self.ask(Ask::Upkeep(Statement::new(may, Vec::new()))).await?;
        let may = may.first().and_then(Rows::first).map_or(Ok(0), |row| row.int(0))?;
        if may != 0 {
            let detach = match retention.expired {
                Expired::Deleted => false,
                Expired::Detached => true,
            };
            let params = vec![Value::Time(retention.before(now)), Value::Bool(detach)];
            let retire = Statement::new("SELECT retire_activity_partitions(?1, ?2)", params);
            self.ask(Ask::Upkeep(retire)).await?;
        }
        Ok(())
    }

    async fn integrity(&self) -> Result<Vec<String>> {
        // The server checks what it stores, and every reference is enforced; what it cannot know, `Book::check` asks.
        self.pool.take().await?.unvalidated().await
    }

    async fn vacuum(&self) -> Result<()> {
        self.pool.take().await?.vacuum().await
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        Err(Error::new(Code::Unsupported, "back up the book to", "a file")
            .because("it is on a server")
            .advise("use the server's own tools (pg_dump, a base backup), or copy the book into a file"))
    }

    async fn shutdown(&self) {
        self.pool.shutdown().await;
    }
}
