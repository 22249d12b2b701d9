//! The rows that runs write, as the core has them.

use portbook::model::{self, ConduitId, Id};
use portbook::operation::{self, Listing};

use super::operation::{
    Activity, ActivityFilter, ActivityPage, ErrorFilter, ErrorPage, ProgressFilter, ProgressPage, StoredProgress,
    SyncAction, SyncEntityType, SyncError, SyncErrorType, SyncStatus,
};
use super::{count, date_of, id_of, is, same_words, time};
use crate::error::Result;

same_words!(
    SyncEntityType = model::SyncEntityType {
        Customer,
        Product,
        Order,
        Invoice,
        Supplier,
        Inventory,
        Category,
        Attribute,
        File,
        Row,
    }
);
same_words!(
    SyncAction = model::SyncAction {
        PreviewDelta,
        SyncStart,
        SyncComplete,
        BatchProcess,
        ErrorRecovery,
        ManualTrigger,
        ScheduledRun,
        PartialResume,
    }
);
same_words!(
    SyncStatus =
        model::SyncStatus { Pending, InProgress, Completed, CompletedWithErrors, Failed, Cancelled, Paused, Timeout }
);
same_words!(SyncErrorType = model::SyncErrorType { Auth, Network, Quota, Permission, Api, Validation, Timeout });

fn conduit_of(text: Option<String>) -> Result<Option<ConduitId>> {
    text.map(|id| id_of("conduit", &id).map(ConduitId)).transpose()
}

fn row_of<T>(field: &'static str, text: Option<String>) -> Result<Option<Id<T>>> {
    text.map(|id| id_of(field, &id).map(Id::new)).transpose()
}

impl ActivityFilter {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<operation::ActivityFilter> {
        Ok(operation::ActivityFilter {
            conduit: conduit_of(self.conduit)?,
            sync_id: self.sync_id,
            user: row_of("user", self.user)?,
            entity_type: self.entity_type.map(Into::into),
            action: self.action.map(Into::into),
            status: self.status.map(Into::into),
            from: self.since.map(|at| date_of("since", &at)).transpose()?,
            until: self.until.map(|at| date_of("until", &at)).transpose()?,
        })
    }
}

impl ProgressFilter {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<operation::ProgressFilter> {
        Ok(operation::ProgressFilter {
            conduit: conduit_of(self.conduit)?,
            sync_id: self.sync_id,
            job_id: self.job_id,
            entity_type: self.entity_type.map(Into::into),
            active: is(self.active),
        })
    }
}

impl ErrorFilter {
    /// What the core is given.
    pub(crate) fn read(self) -> Result<operation::ErrorFilter> {
        Ok(operation::ErrorFilter {
            connection: row_of("connection", self.connection)?,
            volume: row_of("volume", self.volume)?,
            conduit: conduit_of(self.conduit)?,
            job: row_of("job", self.job)?,
            error_type: self.error_type.map(Into::into),
            unresolved: is(self.unresolved),
        })
    }
}

impl From<model::Activity> for Activity {
    fn from(line: model::Activity) -> Self {
        Self {
            id: line.id.to_string(),
            sync_id: line.sync_id,
            entity_type: line.entity_type.map(Into::into),
            action: line.action.into(),
            status: line.status.into(),
            record_count: line.record_count.map(count),
            duration_seconds: line.duration_seconds,
            error_message: line.error_message,
            user_id: line.user_id.map(|id| id.to_string()),
            created_at: time(line.created_at),
        }
    }
}

impl From<model::Progress> for StoredProgress {
    fn from(row: model::Progress) -> Self {
        Self {
            id: row.id.to_string(),
            sync_id: row.sync_id,
            job_id: row.job_id,
            entity_type: row.entity_type.into(),
            status: row.status.into(),
            current_item: count(row.current_item),
            total_items: count(row.total_items),
            processed_count: count(row.processed_count),
            failed_count: count(row.failed_count),
            speed_items_per_min: row.speed_items_per_min,
            eta_seconds: row.eta_seconds.map(count),
            elapsed_seconds: count(row.elapsed_seconds),
            started_at: time(row.started_at),
            updated_at: time(row.updated_at),
            completed_at: row.completed_at.map(time),
            source_system: row.source_system,
            batch_number: row.batch_number.map(count),
            initiated_by: row.initiated_by.map(|id| id.to_string()),
        }
    }
}

impl From<model::SyncError> for SyncError {
    fn from(error: model::SyncError) -> Self {
        Self {
            id: error.id.to_string(),
            created_at: time(error.created_at),
            updated_at: time(error.updated_at),
            path: error.path.map(|path| path.to_string()),
            volume_id: error.volume_id.map(|id| id.to_string()),
            connection_id: error.connection_id.map(|id| id.to_string()),
            sync_job_id: error.sync_job_id.map(|id| id.to_string()),
            file_id: error.file_id.map(|id| id.to_string()),
            error_type: error.error_type.into(),
            error_code: error.error_code,
            error_message: error.error_message,
            retry_count: count(error.retry_count),
            resolved_at: error.resolved_at.map(time),
            resolution_notes: error.resolution_notes,
        }
    }
}

impl From<Listing<model::Activity>> for ActivityPage {
    fn from(page: Listing<model::Activity>) -> Self {
        Self { lines: page.rows.into_iter().map(Into::into).collect(), next: page.next.map(|key| key.to_string()) }
    }
}

impl From<Listing<model::Progress>> for ProgressPage {
    fn from(page: Listing<model::Progress>) -> Self {
        Self { rows: page.rows.into_iter().map(Into::into).collect(), next: page.next.map(|key| key.to_string()) }
    }
}

impl From<Listing<model::SyncError>> for ErrorPage {
    fn from(page: Listing<model::SyncError>) -> Self {
        Self { errors: page.rows.into_iter().map(Into::into).collect(), next: page.next.map(|key| key.to_string()) }
    }
}
