//! Opening: the role, the schema, its migrations, grants, and room for the months to come.

use super::connection::{Connection, quoted};
use super::failure::error_of;
use super::options::PostgresOptions;
use crate::error::{Code, Error, Result};
use crate::store::migrate::{Applied, MIGRATIONS, checksum, pending};

/// Held while a schema changes, so that two processes do not do it at once: "PBok".
const LOCK: i64 = 0x5042_6f6b;

const BOOK: &str = "on PostgreSQL";

const APPLIED: &str = "SELECT number, checksum FROM schema_migration ORDER BY number";

/// What a book that needs nothing answers: its migrations; whether policies bind this role; whether months have room.
const READY: &str = "SELECT number, checksum, row_security_active('tenants') AS bound, \
     to_regclass('sync_activity_log_' || to_char(now() AT TIME ZONE 'UTC' + INTERVAL '1 month', 'YYYY_MM')) IS NOT NULL \
     AS has_room FROM schema_migration ORDER BY number";

/// Makes the book ready: refuses a role that row-level security does not bind, creates what is missing.
pub(super) async fn prepare(connection: &mut Connection, options: &PostgresOptions) -> Result<()> {
    if options.application_role.is_none() && is_ready(connection, options).await? {
        return Ok(());
    }
    if !options.allow_bypass {
        refuse_bypass(connection).await?;
    }
    create_schema(connection, &options.schema).await?;
    migrate(connection).await?;
    if let Some(role) = &options.application_role {
        grant(connection, role).await?;
    }
    // A server that takes no writes can still be read.
    let ahead = "SELECT make_activity_partitions(now(), 3) WHERE current_setting('transaction_read_only') = 'off'";
    let made = connection.client.batch_execute(ahead).await.map_err(|e| error_of("make partitions in", e));
    unless_busy(made)
}

/// Whether nothing has to be done, which is so nearly always: one question, where the steps ask six.
async fn is_ready(connection: &Connection, options: &PostgresOptions) -> Result<bool> {
    // An empty schema has none of these tables, which is for the steps to find out.
    let Ok(rows) = connection.client.query(READY, &[]).await else { return Ok(false) };
    let have: Vec<_> = rows.iter().map(applied_of).collect();
    let is_current = pending(MIGRATIONS, &have, |m| m.postgres, BOOK)?.is_empty();
    let (bound, has_room) = rows.first().map_or((false, false), |row| (row.get("bound"), row.get("has_room")));
    Ok(is_current && has_room && (bound || options.allow_bypass))
}

/// Partitions can be made another time when someone is in the way: the default partition takes their rows meanwhile.
pub(super) fn unless_busy(made: Result<()>) -> Result<()> {
    match made {
        Err(error) if error.code() == Code::Busy => Ok(()),
        outcome => outcome,
    }
}

/// Whoever bypasses row-level security would see every tenant at once.
async fn refuse_bypass(connection: &Connection) -> Result<()> {
    let sql = "SELECT rolname::text FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)";
    let found = connection.client.query_opt(sql, &[]).await.map_err(|e| error_of("open", e))?;
    let Some(row) = found else { return Ok(()) };
    let role: String = row.get(0);
    Err(Error::new(Code::Invalid, "open the book", BOOK)
        .because(format!("row-level security does not bind the role {role}"))
        .advise("use a role without SUPERUSER and BYPASSRLS, one that owns the database or the schema"))
}

async fn create_schema(connection: &mut Connection, schema: &str) -> Result<()> {
    let fail = |e| error_of("create the schema of", e);
    let exists = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
    if connection.client.query_opt(exists, &[&schema]).await.map_err(fail)?.is_some() {
        return Ok(());
    }
    let transaction = connection.client.transaction().await.map_err(fail)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(fail)?;
    let create = format!("SET LOCAL client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS {}", quoted(schema));
    transaction.batch_execute(&create).await.map_err(fail)?;
    transaction.commit().await.map_err(fail)
}

/// Brings the schema up to date, one transaction per migration, each under the lock that keeps a second process out.
async fn migrate(connection: &mut Connection) -> Result<()> {
    let fail = |e| error_of("bring the schema up to date of", e);
    while !pending(MIGRATIONS, &applied(connection).await.map_err(fail)?, |m| m.postgres, BOOK)?.is_empty() {
        let transaction = connection.client.transaction().await.map_err(fail)?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(fail)?;
        transaction
            .batch_execute(
                "SET LOCAL client_min_messages = warning; SET LOCAL statement_timeout = 0; \
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

/// The migrations that the book has; none in an empty schema.
async fn applied(connection: &Connection) -> std::result::Result<Vec<Applied>, tokio_postgres::Error> {
    let exists = "SELECT to_regclass('schema_migration') IS NOT NULL";
    if !connection.client.query_one(exists, &[]).await?.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    Ok(connection.client.query(APPLIED, &[]).await?.iter().map(applied_of).collect())
}

fn applied_of(row: &tokio_postgres::Row) -> Applied {
    Applied { number: row.get(0), checksum: row.get(1) }
}

async fn grant(connection: &mut Connection, role: &str) -> Result<()> {
    let fail = |e| error_of("grant the use of", e);
    let transaction = connection.client.transaction().await.map_err(fail)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(fail)?;
    transaction.execute("SELECT portbook_grant($1)", &[&role]).await.map_err(fail)?;
    transaction.commit().await.map_err(fail)
}
