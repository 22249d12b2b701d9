//! What runs there were, and what was done.

use chrono::{DateTime, Utc};

use super::clock::{from_micros, micros};
use super::listing::{self, Listing, Order, Query};
use super::run::Counts;
use crate::error::Result;
use crate::model::escaped;
use crate::model::{Activity, ConduitId, SyncAction, SyncEntityType, SyncStatus, TenantId, UserId};
use crate::store::{Record, Row, Statement, Store, Value};
use crate::table::PageKey;

/// One execution of a conduit (`sync_generation`).
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationSummary {
    /// The conduit.
    pub conduit: ConduitId,
    /// Its source and target as the book names them.
    pub source: String,
    /// Where it goes.
    pub target: String,
    /// Which execution it was, from 1.
    pub generation: i64,
    /// `running`, `completed`, `completed_with_errors`, `failed`, `cancelled` or `paused`.
    pub status: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; none while it is under way.
    pub completed_at: Option<DateTime<Utc>>,
    /// What it did.
    pub counts: Counts,
    /// Bytes that were carried.
    pub bytes: u64,
    /// What ended it, if it failed.
    pub error: Option<String>,
    /// What the look at both sides after it showed.
    pub verification: String,
}

const COLUMNS: &str = "SELECT c.uuid, s.path, t.path, g.generation, g.status, g.started_at, g.completed_at, g.files_new, \
    g.files_updated, g.files_deleted, g.files_moved, g.conflicts_resolved, g.files_unchanged, g.files_skipped, \
    g.errors_encountered, g.bytes_transferred, g.error_message, g.verification_status \
    FROM sync_generation g JOIN sync_conduit c ON c.tenant_id = g.tenant_id AND c.id = g.conduit_id \
    JOIN entry s ON s.tenant_id = c.tenant_id AND s.id = c.source_entry_id \
    JOIN entry t ON t.tenant_id = c.tenant_id AND t.id = c.target_entry_id \
    WHERE g.tenant_id = ?1 AND (?2 = 0 OR g.conduit_id = ?3) ORDER BY g.id DESC LIMIT ?4";

/// The latest runs first.
pub(crate) async fn list(
    store: &dyn Store,
    tenant: TenantId,
    conduit: Option<i64>,
    limit: usize,
) -> Result<Vec<GenerationSummary>> {
    let statement = Statement::new(
        COLUMNS,
        vec![
            Value::Uuid(tenant.0),
            Value::Int(i64::from(conduit.is_some())),
            Value::Int(conduit.unwrap_or(0)),
            Value::Int(limit as i64),
        ],
    );
    store.query(tenant, statement).await?.iter().map(summary).collect()
}

/// Which lines of activity are wanted; every one that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityFilter {
    /// What the runs of this conduit did.
    pub conduit: Option<ConduitId>,
    /// What this run did (`sync_id`).
    pub sync_id: Option<String>,
    /// What this user did.
    pub user: Option<UserId>,
    /// What was counted.
    pub entity_type: Option<SyncEntityType>,
    /// What happened.
    pub action: Option<SyncAction>,
    /// How it ended or stands.
    pub status: Option<SyncStatus>,
    /// At this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
}

impl ActivityFilter {
    /// What the runs of this conduit did.
    #[must_use]
    pub fn of(conduit: ConduitId) -> Self {
        Self { conduit: Some(conduit), ..Self::default() }
    }
}

/// A page of lines of activity, the latest first.
pub(crate) async fn activity(
    store: &dyn Store,
    tenant: TenantId,
    filter: &ActivityFilter,
    page: (Option<PageKey>, usize),
) -> Result<Listing<Activity>> {
    listing::page(store, tenant, query(tenant, filter), &order(), page, Activity::read).await
}

pub(super) fn order() -> Order {
    Order::of::<Activity>("created_at", "id", true)
}

pub(super) fn query(tenant: TenantId, filter: &ActivityFilter) -> Query {
    let ActivityFilter { conduit, sync_id, user, entity_type, action, status, from, until } = filter;
    let mut query = Query::of::<Activity>("org_id", tenant);
    if let Some(conduit) = conduit {
        // A run is named after its conduit, `uuid:generation`; `;` comes right after `:`.
        query.and("sync_id >= {}", Value::Text(format!("{conduit}:")));
        query.and("sync_id < {}", Value::Text(format!("{conduit};")));
    }
    query.equal("sync_id", sync_id.as_ref()).equal("user_id", user.as_ref()).equal("entity_type", entity_type.as_ref());
    query.equal("action", action.as_ref()).equal("status", status.as_ref());
    if let Some(from) = from {
        query.and("created_at >= {}", Value::Time(micros(*from)));
    }
    if let Some(until) = until {
        query.and("created_at < {}", Value::Time(micros(*until)));
    }
    query
}

fn summary(row: Row<'_>) -> Result<GenerationSummary> {
    let count = |column| row.int(column).map(|n| u64::try_from(n).unwrap_or(0));
    let path = |column| row.blob(column).map(escaped);
    Ok(GenerationSummary {
        conduit: ConduitId(row.uuid(0)?),
        source: path(1)?,
        target: path(2)?,
        generation: row.int(3)?,
        status: row.text(4)?.to_owned(),
        started_at: from_micros(row.int(5)?),
        completed_at: if row.is_null(6) { None } else { Some(from_micros(row.int(6)?)) },
        counts: Counts {
            new: count(7)?,
            updated: count(8)?,
            deleted: count(9)?,
            moved: count(10)?,
            conflicts: count(11)?,
            unchanged: count(12)?,
            skipped: count(13)?,
            failed: count(14)?,
        },
        bytes: count(15)?,
        error: if row.is_null(16) { None } else { Some(row.text(16)?.to_owned()) },
        verification: row.text(17)?.to_owned(),
    })
}
