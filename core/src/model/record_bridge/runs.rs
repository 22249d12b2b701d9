//! What runs of definitions leave behind: events, cursors, metrics.

use super::definition::SyncDefinition;
use super::inventory::DatabaseInstance;
use super::sharepoint::SharepointList;
use crate::model::table::table;
use crate::model::text_enum::text_enum;
use crate::model::{Deletion, Id, Json, Moment, Rule};

text_enum! {
    /// What a run carries (`sync_runs.run_type`).
    RunType {
        /// Rows to the target, whatever goes back besides.
        Push = "PUSH",
        /// Changes of the target back to the source, and nothing else.
        Ingress = "INGRESS",
        /// What the log of the source tells.
        Cdc = "CDC",
    }
}

text_enum! {
    /// How far a run is (`sync_runs.status`).
    RunStatus {
        /// Under way.
        Running = "RUNNING",
        /// Done.
        Completed = "COMPLETED",
        /// It ended with an error.
        Failed = "FAILED",
        /// Somebody ended it.
        Cancelled = "CANCELLED",
        /// It waits to go on.
        Paused = "PAUSED",
    }
}

table! {
    /// A row of `sync_runs`: an execution of a definition.
    SyncRun = "sync_runs", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sync_runs_start": ["sync_def_id"] latest "start_time";
    },
    {
        /// Which definition.
        sync_def_id: Id<SyncDefinition>,
        /// What it carries.
        run_type: RunType,
        /// How far it is.
        status: RunStatus,
        /// When it began.
        start_time: Moment,
        /// When it ended.
        end_time: Option<Moment>,
        /// How many rows were attempted.
        items_processed: i64 [Rule::NotNegative],
        /// How many of them failed.
        items_failed: i64 [Rule::NotNegative],
        /// Why it failed.
        error_message: Option<String>,
    }
}

text_enum! {
    /// How much an event matters (`sync_events.severity`).
    EventSeverity {
        /// Good to know.
        Info = "INFO",
        /// Somebody should look.
        Warn = "WARN",
        /// Something was not done.
        Error = "ERROR",
    }
}

table! {
    /// A row of `sync_events`: something that happened in a run.
    SyncEvent = "sync_events", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sync_events_run": ["sync_run_id"];
    },
    {
        /// Which run.
        sync_run_id: Id<SyncRun>,
        /// How much it matters.
        severity: EventSeverity,
        /// What happened, in one word.
        event_type: String [Rule::NotEmpty],
        /// What happened, for a person.
        message: String,
        /// What happened, for a program.
        payload: Option<Json>,
    }
}

text_enum! {
    /// Which side a cursor is of (`sync_cursors.cursor_scope`).
    CursorScope {
        /// The source.
        Source = "SOURCE",
        /// The target.
        Target = "TARGET",
    }
}

text_enum! {
    /// What a cursor is (`sync_cursors.cursor_type`).
    CursorType {
        /// A time and the key beside it.
        Timestamp = "TIMESTAMP",
        /// A position in a log.
        Lsn = "LSN",
        /// A link that a service gave.
        DeltaLink = "DELTA_LINK",
    }
}

table! {
    /// A row of `sync_cursors`: how far one side has been read.
    SyncCursor = "sync_cursors", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sync_cursors_definition": ["sync_def_id"];
    },
    {
        /// Which definition.
        sync_def_id: Id<SyncDefinition>,
        /// Which side.
        cursor_scope: CursorScope,
        /// What it is.
        cursor_type: CursorType,
        /// The cursor.
        cursor_value: String,
        /// The instance, for a cursor of the source.
        source_instance_id: Option<Id<DatabaseInstance>>,
        /// The list, for a cursor of the target.
        target_list_id: Option<Id<SharepointList>>,
        /// The run that moved it last.
        last_run_id: Option<Id<SyncRun>>,
    }
}

text_enum! {
    /// Whether both sides hold as many rows (`sync_metrics.reconcile_status`).
    ReconcileStatus {
        /// They do.
        Match = "MATCH",
        /// They do not.
        Mismatch = "MISMATCH",
        /// Nobody counted.
        Unknown = "UNKNOWN",
    }
}

table! {
    /// A row of `sync_metrics`: how many rows a definition keeps in step.
    SyncMetric = "sync_metrics", tenant: "tenant_id", order: "id", deletion: Deletion::Hard,
    lists: {
        "idx_sync_metrics_definition": ["sync_def_id"];
    },
    {
        /// Which definition.
        sync_def_id: Id<SyncDefinition>,
        /// At which instance; nothing: at all.
        source_instance_id: Option<Id<DatabaseInstance>>,
        /// In which list; nothing: in all.
        target_list_id: Option<Id<SharepointList>>,
        /// When rows were last carried.
        last_sync_ts: Option<Moment>,
        /// How many rows were carried so far.
        total_rows_synced: i64 [Rule::NotNegative],
        /// The run that wrote this last.
        last_run_id: Option<Id<SyncRun>>,
        /// When both sides were last counted.
        last_reconcile_at: Option<Moment>,
        /// How many rows the source had.
        source_row_count: Option<i64> [Rule::NotNegative],
        /// How many rows the target had.
        target_row_count: Option<i64> [Rule::NotNegative],
        /// How many more the source had.
        reconcile_delta: Option<i64>,
        /// What the count said.
        reconcile_status: ReconcileStatus,
    }
}
