//! Rows and enumerations of `sync_preview_cache`, `sync_progress`, `sync_activity_log` and `cloud_sync_errors`.

use uuid::Uuid;

use super::text_enum::text_enum;
use super::{
    CloudConnection, CloudFile, CloudSyncJob, Id, Moment, PreviewId, RelPath, TenantId, UserId, VolumeId, record,
};

text_enum! {
    /// What a preview is of (`sync_type`).
    SyncType {
        /// A WooCommerce shop.
        Woocommerce = "woocommerce",
        /// An Odoo instance.
        Odoo = "odoo",
        /// A Shopify shop.
        Shopify = "shopify",
        /// A host's own store.
        Custom = "custom",
        /// A conduit.
        Files = "files",
        /// A definition between tables and lists.
        Records = "records",
    }
}

text_enum! {
    /// What is counted (`sync_entity_type`).
    SyncEntityType {
        /// A customer.
        Customer = "customer",
        /// A product.
        Product = "product",
        /// An order.
        Order = "order",
        /// An invoice.
        Invoice = "invoice",
        /// A supplier.
        Supplier = "supplier",
        /// A stock level.
        Inventory = "inventory",
        /// A category.
        Category = "category",
        /// An attribute.
        Attribute = "attribute",
        /// A file.
        File = "file",
        /// A row.
        Row = "row",
    }
}

text_enum! {
    /// What happened (`sync_action`).
    SyncAction {
        /// A preview was made.
        PreviewDelta = "preview_delta",
        /// A run began.
        SyncStart = "sync_start",
        /// A run ended; the status says how.
        SyncComplete = "sync_complete",
        /// A batch was done.
        BatchProcess = "batch_process",
        /// A failure was made good.
        ErrorRecovery = "error_recovery",
        /// A person started a run.
        ManualTrigger = "manual_trigger",
        /// The schedule started a run.
        ScheduledRun = "scheduled_run",
        /// A run continued where one was cut short.
        PartialResume = "partial_resume",
    }
}

text_enum! {
    /// Where a running thing stands (`sync_status_type`).
    SyncStatus {
        /// Not begun.
        Pending = "pending",
        /// Under way.
        InProgress = "in_progress",
        /// Done.
        Completed = "completed",
        /// Done, but for items that failed.
        CompletedWithErrors = "completed_with_errors",
        /// Stopped by an error.
        Failed = "failed",
        /// Stopped by a person.
        Cancelled = "cancelled",
        /// To be resumed.
        Paused = "paused",
        /// Stopped by a deadline.
        Timeout = "timeout",
    }
}

text_enum! {
    /// Where a preview stands (`sync_preview_cache.state`).
    PreviewState {
        /// Its changes are being written; never applied.
        Building = "building",
        /// Complete.
        Ready = "ready",
        /// A run applies it, or was cut short doing so.
        Applying = "applying",
        /// Done with.
        Applied = "applied",
    }
}

text_enum! {
    /// What became of a change (`sync_preview_change.outcome`).
    Outcome {
        /// Done and in the ledger.
        Applied = "applied",
        /// Tried and failed.
        Failed = "failed",
        /// The state it relied on has moved on.
        Stale = "stale",
        /// Left out, or left alone.
        Skipped = "skipped",
    }
}

text_enum! {
    /// The class of a failure (`cloud_sync_errors.error_type`).
    SyncErrorType {
        /// Credentials were refused.
        Auth = "auth",
        /// The other side was out of reach.
        Network = "network",
        /// No space or quota was left, or the pace was too high.
        Quota = "quota",
        /// Not allowed.
        Permission = "permission",
        /// The other side failed or answered something unexpected.
        Api = "api",
        /// The item cannot be carried as it is.
        Validation = "validation",
        /// No answer in time.
        Timeout = "timeout",
    }
}

record! {
    /// A row of `sync_preview_cache`: a stored delta with a lifetime.
    PreviewRow = "sync_preview_cache", numbered: false,
    {
        /// Its id.
        id: PreviewId,
        /// Whose it is.
        org_id: TenantId,
        /// What it is of.
        sync_type: SyncType,
        /// What it is of, in that thing's own words; at most 255 characters.
        sync_id: Option<String>,
        /// The conduit, for files.
        conduit_id: Option<i64>,
        /// Where it stands.
        state: PreviewState,
        /// A running or resumable run keeps it from clean-up.
        is_pinned: bool,
        /// How far a run has come in it: `ord` of the last change.
        applied_ord: i64,
        /// How far a run has come in it: `seq` of the last change.
        applied_seq: i64,
        /// Summary, options and totals, as JSON.
        delta_json: String,
        /// When the places were looked at.
        computed_at: Moment,
        /// When it may be cleaned up; after now when inserted.
        expires_at: Moment,
        /// Who asked.
        computed_by: Option<UserId>,
        /// Finds it again; unique per tenant.
        cache_key: Option<String>,
        /// When it was stored.
        created_at: Moment,
        /// When it was last changed.
        updated_at: Moment,
    }
}

record! {
    /// A row of `sync_preview_change`: one change of a preview.
    PreviewChange = "sync_preview_change", numbered: false,
    {
        /// The preview.
        preview_id: PreviewId,
        /// When it is applied: step × 2^32 + rank.
        ord: i64,
        /// Its place in the preview, from 0; its id for selection.
        seq: i64,
        /// The change that began the decision this one is a part of.
        lead_seq: Option<i64>,
        /// The number of the `ChangeKind`.
        kind: i64,
        /// The side that changes: 1 left, 2 right; none for neither.
        direction: Option<i64>,
        /// The number of the action.
        action: i64,
        /// The number of the item's `Kind`.
        item_kind: i64,
        /// The agreed path once the plan is done.
        path: RelPath,
        /// Bytes that will be carried.
        bytes: i64,
        /// Its tick is the opposite of the preview's default.
        is_exception: bool,
        /// What became of it.
        outcome: Option<Outcome>,
        /// The whole change, in the engine's form.
        detail: Vec<u8>,
    }
}

record! {
    /// A row of `sync_progress`. Elapsed, speed and ETA are computed by the book from the other columns.
    Progress = "sync_progress", numbered: false,
    {
        /// Its id.
        id: Uuid,
        /// Whose it is.
        org_id: TenantId,
        /// The run, at most 255 characters, unique per tenant.
        sync_id: String,
        /// The conduit or definition.
        job_id: Option<String>,
        /// What is counted.
        entity_type: SyncEntityType,
        /// Where it stands; a final one sets `completed_at`.
        status: SyncStatus,
        /// The item in hand; never more than `total_items`.
        current_item: i64,
        /// Items in all.
        total_items: i64,
        /// Items done.
        processed_count: i64,
        /// Items that failed.
        failed_count: i64,
        /// Computed: 2 decimals.
        speed_items_per_min: Option<f64>,
        /// Computed; none without a speed.
        eta_seconds: Option<i64>,
        /// Computed: from `started_at` to `updated_at` or `completed_at`.
        elapsed_seconds: i64,
        /// When it began.
        started_at: Moment,
        /// Now, by the writer's clock.
        updated_at: Moment,
        /// When it ended.
        completed_at: Option<Moment>,
        /// Where the items come from, at most 50 characters.
        source_system: Option<String>,
        /// The batch in hand.
        batch_number: Option<i64>,
        /// Anything else, as JSON.
        metadata: Option<String>,
        /// Who started it.
        initiated_by: Option<UserId>,
    }
}

record! {
    /// A row of `sync_activity_log`.
    Activity = "sync_activity_log", numbered: false,
    {
        /// Its id, unique together with `created_at`.
        id: Uuid,
        /// Whose it is.
        org_id: TenantId,
        /// The run.
        sync_id: Option<String>,
        /// What was counted.
        entity_type: Option<SyncEntityType>,
        /// What happened.
        action: SyncAction,
        /// How it ended or stands.
        status: SyncStatus,
        /// Items concerned.
        record_count: Option<i64>,
        /// How long it took, 2 decimals.
        duration_seconds: Option<f64>,
        /// Why it failed, if it did.
        error_message: Option<String>,
        /// Who did it.
        user_id: Option<UserId>,
        /// When.
        created_at: Moment,
    }
}

record! {
    /// A row of `cloud_sync_errors`: the failure of one item. One owner at least is set.
    SyncError = "cloud_sync_errors", numbered: true,
    {
        /// Its place in the order of writing; 0 until it is inserted.
        index_id: i64,
        /// Its id.
        id: Uuid,
        /// Whose it is.
        tenant_id: TenantId,
        /// When it happened.
        created_at: Moment,
        /// When it was last changed.
        updated_at: Moment,
        /// Hidden by a person.
        is_deleted: bool,
        /// The cloud sync job.
        sync_job_id: Option<Id<CloudSyncJob>>,
        /// The cloud connection, an owner.
        connection_id: Option<Id<CloudConnection>>,
        /// The volume, an owner.
        volume_id: Option<VolumeId>,
        /// The conduit, an owner.
        conduit_id: Option<i64>,
        /// The `sync_generation.id` of the run, an owner.
        generation_id: Option<i64>,
        /// The indexed file.
        file_id: Option<Id<CloudFile>>,
        /// The item's agreed path.
        path: Option<RelPath>,
        /// The class.
        error_type: SyncErrorType,
        /// The other side's code, at most 100 characters.
        error_code: Option<String>,
        /// What happened, for a person.
        error_message: String,
        /// Technical detail.
        stack_trace: Option<String>,
        /// Tries made after the first.
        retry_count: i64,
        /// When it was made good.
        resolved_at: Option<Moment>,
        /// How.
        resolution_notes: Option<String>,
        /// More, as JSON.
        error_metadata: Option<String>,
    }
}
