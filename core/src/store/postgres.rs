//! The metastore on a server: a few connections, opened on use, each batch a transaction.
//!
//! What always holds: a transaction begins by naming its tenant; a connection on which anything was left unfinished is
//! closed, never reused.

mod connection;
mod value;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio_postgres::Config;

use self::connection::{Connection, error_of};
use super::migrate::{Applied, MIGRATIONS, checksum, pending};
use super::{Engine, Rows, Statement, Store, Write, Written};
use crate::error::{Code, Error, Result};
use crate::model::TenantId;

/// Held while a migration runs, so that two processes do not run the same one: "PBok".
const MIGRATION_LOCK: i64 = 0x5042_6f6b;

/// How a book on a server is opened.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Connections at most, at least 1.
    pub connections: usize,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { connections: 4 }
    }
}

/// A book on a PostgreSQL server, version 15 or later. Its tables are in the first schema of the search path.
pub struct PostgresStore {
    config: Config,
    permits: Semaphore,
    connections: u32,
    idle: Mutex<Vec<Connection>>,
}

impl PostgresStore {
    /// Connects, creates the schema when there is none, and brings it up to date. Runs on a tokio runtime.
    ///
    /// # Errors
    /// `invalid` when the URL is none, `offline`, `auth`, `newer` when a newer version wrote the book, `corrupt` when its
    /// schema is another, `storage`.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<Self> {
        // The URL may hold a password: it is never shown.
        let config: Config = url.parse().map_err(|_| {
            Error::new(Code::Invalid, "open the book", "on PostgreSQL").because("its URL cannot be read")
        })?;
        let connections = u32::try_from(options.connections.max(1)).unwrap_or(u32::MAX);
        let mut first = Connection::open(&config).await?;
        migrate(&mut first).await?;
        let permits = Semaphore::new(connections as usize);
        Ok(Self { config, permits, connections, idle: Mutex::new(vec![first]) })
    }

    /// Runs `work` on a connection. Only one that came through goes back: when the caller goes away in between, the
    /// connection is dropped, and the server rolls back.
    async fn with<T>(&self, work: impl AsyncFnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let shut_down = |_| Error::new(Code::Storage, "use", "the book").because("it has been shut down");
        let _permit = self.permits.acquire().await.map_err(shut_down)?;
        let idle = self.idle().pop().filter(|c| !c.client.is_closed());
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::open(&self.config).await?,
        };
        let outcome = work(&mut connection).await;
        if !connection.unfinished && !connection.client.is_closed() {
            self.idle().push(connection);
        }
        outcome
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.with(async |c: &mut Connection| c.read(tenant, &statements).await).await
    }

    async fn write(&self, tenant: TenantId, batch: Vec<Write>) -> Result<Vec<Written>> {
        self.with(async |c: &mut Connection| c.write(tenant, &batch).await).await
    }

    async fn integrity(&self) -> Result<Vec<String>> {
        // The server checks what it stores, and every reference is enforced; what it cannot know, `Book::check` asks.
        self.with(async |c: &mut Connection| c.unvalidated().await).await
    }

    async fn vacuum(&self) -> Result<()> {
        self.with(async |c: &mut Connection| c.vacuum().await).await
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        Err(Error::new(Code::Unsupported, "back up the book to", "a file")
            .because("it is on a server")
            .advise("use the server's own tools (pg_dump, a base backup), or copy the book into a file"))
    }

    async fn shutdown(&self) {
        // Every permit: nothing is under way any more. An error says that it was shut down before.
        if let Ok(permits) = self.permits.acquire_many(self.connections).await {
            self.permits.close();
            drop(permits);
        }
        self.idle().clear();
    }
}

/// Brings the schema up to date, one transaction per migration, each under the lock that keeps a second process out.
async fn migrate(connection: &mut Connection) -> Result<()> {
    const BOOK: &str = "on PostgreSQL";
    let fail = |e| error_of("bring the schema up to date of", e);
    while !pending(MIGRATIONS, &applied(connection).await.map_err(fail)?, |m| m.postgres, BOOK)?.is_empty() {
        let transaction = connection.client.transaction().await.map_err(fail)?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await.map_err(fail)?;
        transaction
            .batch_execute(
                "SET LOCAL client_min_messages = warning; \
                 CREATE TABLE IF NOT EXISTS schema_migration (number bigint PRIMARY KEY, name text NOT NULL, \
                 checksum bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
            )
            .await
            .map_err(fail)?;
        let have = transaction.query(APPLIED, &[]).await.map_err(fail)?;
        let have: Vec<_> = have.iter().map(applied_of).collect();
        let Some(next) = pending(MIGRATIONS, &have, |m| m.postgres, BOOK)?.first() else { break };
        transaction.batch_execute(next.postgres).await.map_err(fail)?;
        transaction
            .execute(
                "INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)",
                &[&next.number, &next.name, &&checksum(next.postgres)[..]],
            )
            .await
            .map_err(fail)?;
        transaction.commit().await.map_err(fail)?;
    }
    Ok(())
}

const APPLIED: &str = "SELECT number, checksum FROM schema_migration ORDER BY number";

async fn applied(connection: &Connection) -> std::result::Result<Vec<Applied>, tokio_postgres::Error> {
    let exists = connection.client.query_one("SELECT to_regclass('schema_migration') IS NOT NULL", &[]).await?;
    if !exists.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    Ok(connection.client.query(APPLIED, &[]).await?.iter().map(applied_of).collect())
}

fn applied_of(row: &tokio_postgres::Row) -> Applied {
    Applied { number: row.get(0), checksum: row.get(1) }
}
