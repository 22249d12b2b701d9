//! What runs write of rows that wait.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::hash;
use crate::bridge::change::RowChange;
use crate::error::{Error, Result};
use crate::identity::RowHash;
use crate::model::TenantId;
use crate::operation::clock::micros;
use crate::operation::journal::execute;
use crate::store::{Statement, Store, Value, Write};

/// A row waits: what both sides show is kept. A decision about just that stays.
pub(crate) fn waits(
    tenant: TenantId,
    definition: Uuid,
    change: &RowChange,
    generation: i64,
    now: DateTime<Utc>,
) -> Write {
    let optional = |hash: Option<RowHash>| hash.map_or(Value::Null, |hash| Value::Blob(hash.to_vec()));
    let key =
        |key: Option<&Vec<u8>>| key.filter(|key| !key.is_empty()).map_or(Value::Null, |key| Value::Blob(key.clone()));
    let same = "sync_row_conflict.source_hash IS NOT DISTINCT FROM excluded.source_hash \
                AND sync_row_conflict.target_hash IS NOT DISTINCT FROM excluded.target_hash";
    Write::Execute(Statement::new(
        format!(
            "INSERT INTO sync_row_conflict (sync_def_id, source_identity_hash, source_identity, source_hash, target_hash, \
             source_key, target_key, generation, created_at, met_at, tenant_id) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10) \
             ON CONFLICT (sync_def_id, source_identity_hash) DO UPDATE SET \
             note = CASE WHEN {same} THEN sync_row_conflict.note WHEN sync_row_conflict.choice IS NULL THEN NULL \
             ELSE 'the row has changed since it was decided about' END, \
             choice = CASE WHEN {same} THEN sync_row_conflict.choice END, \
             decided_at = CASE WHEN {same} THEN sync_row_conflict.decided_at END, \
             decided_by = CASE WHEN {same} THEN sync_row_conflict.decided_by END, \
             merged_hash = CASE WHEN {same} THEN sync_row_conflict.merged_hash END, \
             source_hash = excluded.source_hash, target_hash = excluded.target_hash, \
             source_key = coalesce(excluded.source_key, sync_row_conflict.source_key), \
             target_key = coalesce(excluded.target_key, sync_row_conflict.target_key), \
             generation = excluded.generation, met_at = excluded.met_at"
        ),
        vec![
            Value::Uuid(definition),
            Value::Blob(change.identity.to_vec()),
            Value::Text(change.name.clone()),
            optional(change.source),
            optional(change.target),
            key(Some(&change.source_key)),
            key(change.target_key.as_ref()),
            Value::Int(generation),
            Value::Time(micros(now)),
            Value::Uuid(tenant.0),
        ],
    ))
}

/// A row was carried, and waits no more.
pub(crate) fn carried(definition: Uuid, identity: RowHash) -> Write {
    execute(
        "DELETE FROM sync_row_conflict WHERE sync_def_id = ?1 AND source_identity_hash = ?2",
        vec![Value::Uuid(definition), Value::Blob(identity.to_vec())],
    )
}

/// A row could not be carried as it was decided.
pub(crate) fn failed(definition: Uuid, identity: RowHash, error: &Error, generation: i64) -> Write {
    execute(
        "UPDATE sync_row_conflict SET generation = ?3, note = ?4 WHERE sync_def_id = ?1 AND source_identity_hash = ?2",
        vec![
            Value::Uuid(definition),
            Value::Blob(identity.to_vec()),
            Value::Int(generation),
            Value::Text(error.to_string()),
        ],
    )
}

/// Conflicts that a run which looked at every row did not meet are none any more.
pub(crate) fn forget_unmet(definition: Uuid, generation: i64) -> Write {
    execute(
        "DELETE FROM sync_row_conflict WHERE sync_def_id = ?1 AND generation < ?2",
        vec![Value::Uuid(definition), Value::Int(generation)],
    )
}

/// What the target's row is about to become when fields of both are joined there.
pub(crate) fn merges(definition: Uuid, identity: RowHash, merged: RowHash) -> Write {
    execute(
        "UPDATE sync_row_conflict SET merged_hash = ?3 WHERE sync_def_id = ?1 AND source_identity_hash = ?2",
        vec![Value::Uuid(definition), Value::Blob(identity.to_vec()), Value::Blob(merged.to_vec())],
    )
}

/// The rows of a definition that wait.
pub(crate) async fn waiting(store: &dyn Store, tenant: TenantId, definition: Uuid) -> Result<HashSet<RowHash>> {
    let ask = Statement::new(
        "SELECT source_identity_hash FROM sync_row_conflict WHERE sync_def_id = ?1",
        vec![Value::Uuid(definition)],
    );
    let rows = store.query(tenant, ask).await?;
    rows.iter().map(|row| hash(&row, 0).map(Option::unwrap_or_default)).collect()
}
