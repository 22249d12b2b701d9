//! What a run writes into the book whatever it carries: its progress, lines of history, how far in its preview it is.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::clock::micros;
use super::plan::{Extent, Position};
use super::progress::Progress;
use crate::error::{Code, Error, Result};
use crate::model::{PreviewId, SyncEntityType, TenantId, UserId};
use crate::store::{Statement, Value, Write};

/// Names the rows of one run.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    /// `sync_progress.sync_id`: what is run, a colon, which run of it.
    pub(crate) sync_id: String,
    pub(crate) entity: SyncEntityType,
    /// `sync_progress.source_system`.
    pub(crate) source_system: &'static str,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Completed,
    CompletedWithErrors,
    Failed,
    Cancelled,
}

impl Ending {
    /// How a run ended that came to this, and the error that it is to be answered with. `has_undone`: something failed or waits.
    pub(crate) fn of(outcome: Result<()>, has_undone: bool) -> (Self, Option<Error>) {
        match outcome {
            Ok(()) if has_undone => (Self::CompletedWithErrors, None),
            Ok(()) => (Self::Completed, None),
            Err(error) if error.code() == Code::Cancelled => (Self::Cancelled, None),
            Err(error) => (Self::Failed, Some(error)),
        }
    }

    /// Whether the plan was gone through to its end.
    pub(crate) fn is_complete(self) -> bool {
        match self {
            Self::Completed | Self::CompletedWithErrors => true,
            Self::Failed | Self::Cancelled => false,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::CompletedWithErrors => "completed_with_errors",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A number as SQL has it.
pub(crate) fn int(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// INTEGER of the specification: saturates at 2^31 - 1.
pub(crate) fn int32(n: u64) -> Value {
    Value::Int(i64::from(i32::try_from(n).unwrap_or(i32::MAX)))
}

/// A statement that may change any number of rows.
pub(crate) fn execute(sql: &'static str, params: Vec<Value>) -> Write {
    Write::Execute(Statement::new(sql, params))
}

impl Log {
    /// The run has begun: its progress row, its first line of history.
    pub(crate) fn begin(&self, extent: &Extent, now: DateTime<Utc>) -> Vec<Write> {
        let now = Value::Time(micros(now));
        let failed = extent.failed.min(extent.items_done);
        vec![
            execute(
                "INSERT INTO sync_progress (id, org_id, sync_id, job_id, entity_type, status, total_items, started_at, \
                 updated_at, source_system, initiated_by, current_item, processed_count, failed_count) \
                 VALUES (?1, ?2, ?3, ?10, ?11, 'in_progress', ?4, ?5, ?5, ?12, ?6, ?7, ?8, ?9)",
                vec![
                    Value::Uuid(Uuid::now_v7()),
                    Value::Uuid(self.tenant.0),
                    Value::Text(self.sync_id.clone()),
                    int32(extent.items),
                    now.clone(),
                    Value::Uuid(self.user.0),
                    int32(extent.items_done),
                    int32(extent.items_done - failed),
                    int32(failed),
                    Value::Text(self.sync_id.split(':').next().unwrap_or_default().to_owned()),
                    Value::Text(self.entity.as_str().to_owned()),
                    Value::Text(self.source_system.to_owned()),
                ],
            ),
            self.activity("sync_start", "in_progress", 0, None, None, now),
        ]
    }

    /// A line of history.
    pub(crate) fn activity(
        &self,
        action: &'static str,
        status: &'static str,
        records: u64,
        seconds: Option<f64>,
        error: Option<&Error>,
        now: Value,
    ) -> Write {
        execute(
            "INSERT INTO sync_activity_log (id, org_id, sync_id, entity_type, action, status, record_count, \
             duration_seconds, error_message, user_id, created_at) \
             VALUES (?1, ?2, ?3, ?11, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            vec![
                Value::Uuid(Uuid::now_v7()),
                Value::Uuid(self.tenant.0),
                Value::Text(self.sync_id.clone()),
                Value::Text(action.to_owned()),
                Value::Text(status.to_owned()),
                int32(records),
                seconds.map_or(Value::Null, |s| Value::Real((s * 100.0).round() / 100.0)),
                error.map_or(Value::Null, |e| Value::Text(e.to_string())),
                Value::Uuid(self.user.0),
                now,
                Value::Text(self.entity.as_str().to_owned()),
            ],
        )
    }

    /// How far the run is; the book computes elapsed, speed and ETA from it.
    pub(crate) fn progress(&self, progress: &Progress, failed: u64) -> Write {
        let done = progress.items_done.min(progress.items_total);
        let failed = failed.min(done);
        execute(
            "UPDATE sync_progress SET current_item = ?3, processed_count = ?4, failed_count = ?5 \
             WHERE org_id = ?1 AND sync_id = ?2",
            vec![
                Value::Uuid(self.tenant.0),
                Value::Text(self.sync_id.clone()),
                int32(done),
                int32(done - failed),
                int32(failed),
            ],
        )
    }

    /// The run has ended so.
    pub(crate) fn ended(&self, ending: Ending, now: DateTime<Utc>) -> Write {
        execute(
            "UPDATE sync_progress SET status = ?3, completed_at = ?4, updated_at = ?4 WHERE org_id = ?1 AND sync_id = ?2",
            vec![
                Value::Uuid(self.tenant.0),
                Value::Text(self.sync_id.clone()),
                Value::Text(ending.as_str().to_owned()),
                Value::Time(micros(now)),
            ],
        )
    }

    /// Runs of the same thing that were interrupted are over.
    pub(crate) fn close_others(&self, now: DateTime<Utc>) -> Write {
        let of = self.sync_id.split(':').next().unwrap_or_default();
        execute(
            "UPDATE sync_progress SET status = 'failed', completed_at = ?3, updated_at = ?3 \
             WHERE org_id = ?1 AND completed_at IS NULL AND sync_id LIKE ?2",
            vec![Value::Uuid(self.tenant.0), Value::Text(format!("{of}:%")), Value::Time(micros(now))],
        )
    }

    /// How far in its plan the run is.
    pub(crate) fn position(&self, preview: PreviewId, at: Position) -> Write {
        execute(
            "UPDATE sync_preview_cache SET applied_ord = ?3, applied_seq = ?4 WHERE org_id = ?1 AND id = ?2",
            vec![Value::Uuid(self.tenant.0), Value::Uuid(preview.0), Value::Int(at.ord), Value::Int(at.seq)],
        )
    }

    /// What became of a change that was not applied.
    pub(crate) fn outcome(&self, preview: PreviewId, at: Position, code: Code) -> Write {
        let outcome = if code == Code::Stale { "stale" } else { "failed" };
        execute(
            "UPDATE sync_preview_change SET outcome = ?4 WHERE preview_id = ?1 AND ord = ?2 AND seq = ?3",
            vec![Value::Uuid(preview.0), Value::Int(at.ord), Value::Int(at.seq), Value::Text(outcome.to_owned())],
        )
    }

    /// Where the preview stands, and whether a run needs it.
    pub(crate) fn preview_state(
        &self,
        preview: PreviewId,
        state: &'static str,
        pinned: bool,
        now: DateTime<Utc>,
    ) -> Write {
        execute(
            "UPDATE sync_preview_cache SET state = ?3, is_pinned = ?4, updated_at = ?5 WHERE org_id = ?1 AND id = ?2",
            vec![
                Value::Uuid(self.tenant.0),
                Value::Uuid(preview.0),
                Value::Text(state.to_owned()),
                Value::Bool(pinned),
                Value::Time(micros(now)),
            ],
        )
    }
}
