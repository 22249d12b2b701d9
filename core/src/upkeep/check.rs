//! Whether a book holds together: what the engine itself finds, and what only the ledger's rules say.

use crate::error::Result;
use crate::model::TenantId;
use crate::store::{Statement, Store, Value};

/// What kind of trouble a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The engine's own check: damage, or a rule that its rows break. Restore a backup.
    Damage,
    /// A ledger row whose directory has no row. Its next run treats the item as unknown to the ledger.
    LostDirectory,
    /// An intent that no run has finished and no run is working on: the next run of the conduit finishes it.
    OpenIntent,
    /// A run that is recorded as under way and that nobody is working on: the next run of the conduit closes it.
    OpenRun,
}

/// Something that [`Book::check`](crate::Book::check) found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub trouble: Trouble,
    /// Whose rows; none where the engine speaks of the whole book.
    pub tenant: Option<TenantId>,
    /// What was found, in words.
    pub words: String,
}

/// Each gives the conduit's name or id and a count.
const QUESTIONS: &[(Trouble, &str, &str)] = &[
    (
        Trouble::LostDirectory,
        "ledger rows lie in a directory that has no row",
        "SELECT c.uuid, count(*) FROM sync_conduit c JOIN file_pair p ON p.conduit_id = c.id \
         WHERE c.tenant_id = ?1 AND p.parent_id <> 0 AND NOT EXISTS (SELECT 1 FROM file_pair d \
         WHERE d.conduit_id = p.conduit_id AND d.kind = 2 AND d.id = p.parent_id) GROUP BY c.uuid",
    ),
    (
        Trouble::OpenIntent,
        "intents are open and no run is under way",
        "SELECT c.uuid, count(*) FROM sync_conduit c JOIN file_intent i ON i.conduit_id = c.id \
         AND i.tenant_id = c.tenant_id WHERE c.tenant_id = ?1 AND (c.lease_expires_at IS NULL \
         OR c.lease_expires_at < ?2) GROUP BY c.uuid",
    ),
    (
        Trouble::OpenRun,
        "runs are recorded as under way, and none is",
        "SELECT c.uuid, count(*) FROM sync_conduit c JOIN sync_generation g ON g.conduit_id = c.id \
         AND g.tenant_id = c.tenant_id WHERE c.tenant_id = ?1 AND g.status = 'running' \
         AND (c.lease_expires_at IS NULL OR c.lease_expires_at < ?2) GROUP BY c.uuid",
    ),
];

/// Asks the engine, then each tenant's ledger. `now` in microseconds.
pub(crate) async fn check(store: &dyn Store, tenants: &[TenantId], now: i64) -> Result<Vec<Finding>> {
    let damage = |words| Finding { trouble: Trouble::Damage, tenant: None, words };
    let mut findings: Vec<_> = store.integrity().await?.into_iter().map(damage).collect();
    for tenant in tenants {
        for (trouble, words, question) in QUESTIONS {
            let params = [Value::Uuid(tenant.0), Value::Time(now)];
            let params = params.into_iter().take(if question.contains("?2") { 2 } else { 1 }).collect();
            let rows = store.query(*tenant, Statement::new(*question, params)).await?;
            for row in rows.iter() {
                let words = format!("{} {words} (conduit {})", row.int(1)?, row.uuid(0)?);
                findings.push(Finding { trouble: *trouble, tenant: Some(*tenant), words });
            }
        }
    }
    Ok(findings)
}
