//! What a run of a conduit writes into the book beside the ledger and what every run writes: its generation, its failures.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::delta::{Change, Expect};
use crate::error::{Code, Error};
use crate::model::{PreviewId, Side, TenantId, WaitReason};
use crate::operation::clock::micros;
use crate::operation::journal::{Ending, Log, execute, int, int32};
use crate::operation::plan::{Extent, side_number};
use crate::store::{Value, Write};

use super::apply::Applied;

/// Names the rows of one run.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) tenant: TenantId,
    /// What every run writes.
    pub(crate) log: Log,
    /// `sync_conduit.id`.
    pub(crate) conduit: i64,
    pub(crate) generation: i64,
    /// The run before did not end cleanly.
    pub(crate) after_unclean: bool,
    /// The run goes from the conduit's target to its source.
    pub(crate) swapped: bool,
}

impl Journal {
    /// The run has begun: its generation, its progress row, its first line of history.
    pub(crate) fn begin(&self, preview: PreviewId, extent: &Extent, now: DateTime<Utc>) -> Vec<Write> {
        let generation = execute(
            "INSERT INTO sync_generation (tenant_id, conduit_id, generation, status, preview_id, started_at) \
                 VALUES (?1, ?2, ?3, 'running', ?4, ?5)",
            vec![
                Value::Uuid(self.tenant.0),
                Value::Int(self.conduit),
                Value::Int(self.generation),
                Value::Uuid(preview.0),
                Value::Time(micros(now)),
            ],
        );
        std::iter::once(generation).chain(self.log.begin(extent, now)).collect()
    }

    /// An item that could not be carried. One that failed in an earlier run, too, and was not made good since, is tried
    /// once more by this one.
    pub(crate) fn failed(&self, change: &Change, error: &Error) -> Write {
        execute(
            "INSERT INTO cloud_sync_errors (id, tenant_id, conduit_id, generation_id, path, error_type, error_code, \
             error_message) SELECT ?1, tenant_id, conduit_id, id, ?4, ?5, ?6, ?7 FROM sync_generation \
             WHERE tenant_id = ?2 AND conduit_id = ?3 AND generation = ?8 \
             ON CONFLICT (tenant_id, conduit_id, path) WHERE conduit_id IS NOT NULL AND path IS NOT NULL \
             AND resolved_at IS NULL AND NOT is_deleted DO UPDATE SET \
             retry_count = cloud_sync_errors.retry_count \
             + CASE WHEN cloud_sync_errors.generation_id = excluded.generation_id THEN 0 ELSE 1 END, \
             generation_id = excluded.generation_id, error_type = excluded.error_type, \
             error_code = excluded.error_code, error_message = excluded.error_message, updated_at = excluded.updated_at",
            vec![
                Value::Uuid(Uuid::now_v7()),
                Value::Uuid(self.tenant.0),
                Value::Int(self.conduit),
                Value::Blob(change.path.as_bytes().to_vec()),
                Value::Text(error_type(error.code()).to_owned()),
                Value::Text(error.code().as_str().to_owned()),
                Value::Text(error.to_string()),
                Value::Int(self.generation),
            ],
        )
    }

    /// A conflict that waits for a person; one that waits already is told anew. What was decided was decided about what
    /// was shown then, so those states stay until the decision is carried out or taken back.
    pub(crate) fn waits(&self, change: &Change, reason: WaitReason, side: Option<Side>) -> Write {
        let state = |side: Side| match &change.expect[if self.swapped { side.other() } else { side }] {
            Expect::Node(node) => postcard::to_stdvec(node).map_or(Value::Null, Value::Blob),
            Expect::Absent | Expect::Any => Value::Null,
        };
        execute(
            "INSERT INTO sync_conflict (tenant_id, conduit_id, pair_id, generation, path, left_state, right_state, \
             parent_id, reason, reason_side) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
             ON CONFLICT (conduit_id, path) WHERE resolved_at IS NULL DO UPDATE SET generation = excluded.generation, \
             parent_id = excluded.parent_id, pair_id = excluded.pair_id, \
             reason = CASE WHEN sync_conflict.decision IS NULL THEN excluded.reason ELSE sync_conflict.reason END, \
             reason_side = CASE WHEN sync_conflict.decision IS NULL THEN excluded.reason_side \
             ELSE sync_conflict.reason_side END, \
             left_state = CASE WHEN sync_conflict.decision IS NULL THEN excluded.left_state \
             ELSE sync_conflict.left_state END, \
             right_state = CASE WHEN sync_conflict.decision IS NULL THEN excluded.right_state \
             ELSE sync_conflict.right_state END",
            vec![
                Value::Uuid(self.tenant.0),
                Value::Int(self.conduit),
                Value::Int(change.pair.0),
                Value::Int(self.generation),
                Value::Blob(change.path.as_bytes().to_vec()),
                state(Side::Left),
                state(Side::Right),
                Value::Int(change.parent.0),
                Value::Text(reason.as_str().to_owned()),
                side.map_or(Value::Null, |side| Value::Int(side_number(side))),
            ],
        )
    }

    /// The run has ended: generation, progress and conduit say how; the lease is given back.
    pub(crate) fn end(
        &self,
        ending: Ending,
        applied: &Applied,
        unchanged: u64,
        error: Option<&Error>,
        verification: &str,
        now: DateTime<Utc>,
    ) -> Vec<Write> {
        let counts = &applied.counts;
        let verified = if verification == "verified" { Value::Time(micros(now)) } else { Value::Null };
        let message = error.map_or(Value::Null, |e| Value::Text(e.to_string()));
        let done = counts.new + counts.updated + counts.deleted + counts.moved + counts.conflicts;
        let clean = match ending {
            Ending::Completed | Ending::CompletedWithErrors => true,
            // It may have been stopped before it looked at what the unclean one had left.
            Ending::Cancelled => !self.after_unclean,
            Ending::Failed => false,
        };
        let mut end = vec![
            execute(
                "UPDATE sync_generation SET status = ?4, completed_at = ?5, files_copied = ?6, files_new = ?7, \
                 files_updated = ?8, files_deleted = ?9, files_moved = ?10, files_unchanged = ?11, files_skipped = ?12, \
                 conflicts_resolved = ?13, conflicts_pending = ?14, bytes_transferred = ?15, errors_encountered = ?16, \
                 error_message = ?17, verified_at = ?18, verification_status = ?19 \
                 WHERE tenant_id = ?1 AND conduit_id = ?2 AND generation = ?3",
                vec![
                    Value::Uuid(self.tenant.0),
                    Value::Int(self.conduit),
                    Value::Int(self.generation),
                    Value::Text(ending.as_str().to_owned()),
                    Value::Time(micros(now)),
                    int32(counts.new + counts.updated),
                    int32(counts.new),
                    int32(counts.updated),
                    int32(counts.deleted),
                    int32(counts.moved),
                    int32(unchanged),
                    int32(counts.skipped),
                    int32(counts.conflicts),
                    int32(applied.waiting),
                    int(applied.bytes),
                    int32(counts.failed),
                    message.clone(),
                    verified,
                    Value::Text(verification.to_owned()),
                ],
            ),
            self.log.ended(ending, now),
            execute(
                "UPDATE sync_conduit SET last_sync_completed_at = ?3, last_sync_error = ?4, total_syncs = total_syncs + 1, \
                 files_synced = files_synced + ?5, bytes_transferred = bytes_transferred + ?6, unclean = ?7, \
                 lease_owner = NULL, lease_expires_at = NULL, updated_at = ?3 WHERE tenant_id = ?1 AND id = ?2",
                vec![
                    Value::Uuid(self.tenant.0),
                    Value::Int(self.conduit),
                    Value::Time(micros(now)),
                    message,
                    int(done),
                    int(applied.bytes),
                    Value::Bool(!clean),
                ],
            ),
        ];
        if ending == Ending::Completed {
            end.push(self.made_good(now));
        }
        end
    }

    /// A run in which nothing failed has made good what failed before.
    fn made_good(&self, now: DateTime<Utc>) -> Write {
        execute(
            "UPDATE cloud_sync_errors SET resolved_at = ?4, updated_at = ?4, resolution_notes = ?5 \
             WHERE tenant_id = ?1 AND conduit_id = ?2 AND path IS NOT NULL AND resolved_at IS NULL AND NOT is_deleted \
             AND generation_id <> (SELECT id FROM sync_generation WHERE tenant_id = ?1 AND conduit_id = ?2 \
             AND generation = ?3)",
            vec![
                Value::Uuid(self.tenant.0),
                Value::Int(self.conduit),
                Value::Int(self.generation),
                Value::Time(micros(now)),
                Value::Text(format!("run {} carried it, or had no need to", self.generation)),
            ],
        )
    }
}

/// The classes of `cloud_sync_errors.error_type`.
fn error_type(code: Code) -> &'static str {
    match code {
        Code::Auth | Code::WrongKey => "auth",
        Code::Offline => "network",
        Code::Quota | Code::Throttled => "quota",
        Code::Permission => "permission",
        Code::Timeout => "timeout",
        Code::Invalid | Code::Conflict | Code::Stale | Code::Guard | Code::Unsupported => "validation",
        Code::NotFound
        | Code::Busy
        | Code::Newer
        | Code::Corrupt
        | Code::Storage
        | Code::Host
        | Code::Cancelled
        | Code::Internal => "api",
    }
}
