//! Failures of items (`cloud_sync_errors`): found again, and marked as made good.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::clock::micros;
use super::listing::{self, Listing, Order, Query};
use crate::error::{Code, Error, Result};
use crate::model::{
    CloudConnection, CloudSyncJob, ConduitId, Id, Record, SyncError, SyncErrorType, TenantId, Value, VolumeId,
};
use crate::store::{Statement, Store, Write, select};
use crate::table::PageKey;

/// Which failures are wanted; every one that is set narrows the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorFilter {
    /// Of this cloud connection.
    pub connection: Option<Id<CloudConnection>>,
    /// Of this volume.
    pub volume: Option<VolumeId>,
    /// Of this conduit.
    pub conduit: Option<ConduitId>,
    /// Of this cloud sync job.
    pub job: Option<Id<CloudSyncJob>>,
    /// Of this class.
    pub error_type: Option<SyncErrorType>,
    /// Only those that nobody has marked as made good.
    pub unresolved: bool,
}

/// A page of failures, the latest first.
pub(crate) async fn list(
    store: &dyn Store,
    tenant: TenantId,
    filter: &ErrorFilter,
    page: (Option<PageKey>, usize),
) -> Result<Listing<SyncError>> {
    listing::page(store, tenant, query(tenant, filter), &order(), page, SyncError::read).await
}

pub(super) fn order() -> Order {
    Order::of::<SyncError>("created_at", "index_id", false)
}

pub(super) fn query(tenant: TenantId, filter: &ErrorFilter) -> Query {
    let ErrorFilter { connection, volume, conduit, job, error_type, unresolved } = filter;
    let mut query = Query::of::<SyncError>("tenant_id", tenant);
    query.and_also("NOT is_deleted").equal("connection_id", connection.as_ref()).equal("volume_id", volume.as_ref());
    if let Some(conduit) = conduit {
        let of = "conduit_id = (SELECT id FROM sync_conduit WHERE tenant_id = ?1 AND uuid = {})";
        query.and(of, Value::Uuid(conduit.0));
    }
    query.equal("sync_job_id", job.as_ref()).equal("error_type", error_type.as_ref());
    if *unresolved {
        query.and_also("resolved_at IS NULL");
    }
    query
}

/// Marks a failure as made good.
///
/// # Errors
/// `not_found`; `conflict` when it is marked already.
pub(crate) async fn resolve(
    store: &dyn Store,
    tenant: TenantId,
    id: Uuid,
    notes: String,
    now: DateTime<Utc>,
) -> Result<SyncError> {
    let set = Statement::new(
        "UPDATE cloud_sync_errors SET resolved_at = ?3, resolution_notes = ?4, updated_at = ?3 \
         WHERE tenant_id = ?1 AND id = ?2 AND resolved_at IS NULL AND NOT is_deleted",
        vec![Value::Uuid(tenant.0), Value::Uuid(id), Value::Time(micros(now)), Value::Text(notes)],
    );
    let written = store.write(tenant, vec![Write::Expect(set, 1)]).await;
    let ask = Statement::new(
        select!(SyncError, "WHERE tenant_id = ?1 AND id = ?2 AND NOT is_deleted"),
        vec![Value::Uuid(tenant.0), Value::Uuid(id)],
    );
    let found = store.query(tenant, ask).await?;
    let Some(row) = found.first() else {
        return Err(Error::new(Code::NotFound, "resolve the error", id).because("there is none of this id"));
    };
    match written {
        Ok(_) => SyncError::read(row),
        Err(error) if error.code() == Code::Conflict => Err(Error::new(Code::Conflict, "resolve the error", id)
            .because("it was resolved before")
            .advise("its notes say how")),
        Err(error) => Err(error),
    }
}
