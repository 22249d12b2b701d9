-- Previews, progress, activity and item errors.

CREATE TABLE sync_preview_cache (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_type TEXT NOT NULL CHECK (sync_type IN ('woocommerce', 'odoo', 'shopify', 'custom', 'files', 'records')),
    sync_id TEXT CHECK (length(sync_id) <= 255),
    conduit_id INTEGER,
    state TEXT NOT NULL DEFAULT 'building' CHECK (state IN ('building', 'ready', 'applying', 'applied')),
    is_pinned INTEGER NOT NULL DEFAULT 0 CHECK (is_pinned IN (0, 1)),
    applied_ord INTEGER NOT NULL DEFAULT -1,
    applied_seq INTEGER NOT NULL DEFAULT -1,
    delta_json TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(delta_json)),
    computed_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    expires_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER) + 3600000000),
    computed_by BLOB,
    cache_key TEXT CHECK (length(cache_key) <= 255),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    FOREIGN KEY (org_id, computed_by) REFERENCES users(tenant_id, id),
    FOREIGN KEY (org_id, conduit_id) REFERENCES sync_conduit(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_sync_preview_cache_org_type ON sync_preview_cache(org_id, sync_type);
CREATE INDEX idx_sync_preview_cache_expires ON sync_preview_cache(expires_at);
CREATE INDEX idx_sync_preview_cache_computed ON sync_preview_cache(computed_at DESC);
CREATE UNIQUE INDEX idx_sync_preview_cache_key ON sync_preview_cache(org_id, cache_key) WHERE cache_key IS NOT NULL;
CREATE INDEX idx_sync_preview_cache_conduit ON sync_preview_cache(org_id, conduit_id) WHERE conduit_id IS NOT NULL;

-- The writer's clock rules, as the row gives it: the book's own may be ahead of it. A CHECK would hold at later updates too.
CREATE TRIGGER preview_cache_not_expired BEFORE INSERT ON sync_preview_cache
WHEN NEW.expires_at <= NEW.computed_at
BEGIN SELECT RAISE(ABORT, 'preview_cache_not_expired: the preview has expired already'); END;

-- SQLite has no ON DELETE SET NULL of one column of a composite key.
CREATE TRIGGER users_leave_previews BEFORE DELETE ON users
BEGIN UPDATE sync_preview_cache SET computed_by = NULL WHERE org_id = OLD.tenant_id AND computed_by = OLD.id; END;

-- One row per change of a preview. ord = step << 32 | rank, so that the key is the order of application. How far a run
-- has come is applied_ord and applied_seq of the preview: outcome is set only where a change was not applied.
CREATE TABLE sync_preview_change (
    preview_id BLOB NOT NULL REFERENCES sync_preview_cache(id) ON DELETE CASCADE,
    ord INTEGER NOT NULL CHECK (ord >= 0),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    lead_seq INTEGER,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 7),
    direction INTEGER CHECK (direction IN (1, 2)),
    action INTEGER NOT NULL,
    item_kind INTEGER NOT NULL CHECK (item_kind BETWEEN 1 AND 5),
    path BLOB NOT NULL,
    bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    is_exception INTEGER NOT NULL DEFAULT 0 CHECK (is_exception IN (0, 1)),
    outcome TEXT CHECK (outcome IN ('applied', 'failed', 'stale', 'skipped')),
    detail BLOB NOT NULL,
    PRIMARY KEY (preview_id, ord, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_progress (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_id TEXT NOT NULL CHECK (length(sync_id) <= 255),
    job_id TEXT CHECK (length(job_id) <= 255),
    entity_type TEXT NOT NULL CHECK (entity_type IN ('customer', 'product', 'order', 'invoice', 'supplier',
        'inventory', 'category', 'attribute', 'file', 'row')),
    status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'in_progress', 'completed',
        'completed_with_errors', 'failed', 'cancelled', 'paused', 'timeout')),
    current_item INTEGER NOT NULL DEFAULT 0,
    total_items INTEGER NOT NULL DEFAULT 0,
    processed_count INTEGER NOT NULL DEFAULT 0,
    failed_count INTEGER NOT NULL DEFAULT 0,
    speed_items_per_min REAL,
    eta_seconds INTEGER,
    elapsed_seconds INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    completed_at INTEGER,
    source_system TEXT CHECK (length(source_system) <= 50),
    batch_number INTEGER DEFAULT 0,
    metadata TEXT DEFAULT '{}' CHECK (json_valid(metadata)),
    initiated_by BLOB,
    CONSTRAINT sync_progress_positive_counts CHECK (
        processed_count >= 0 AND failed_count >= 0 AND processed_count + failed_count <= total_items),
    -- current_item <= total_items holds by the clamp below, which runs after this check.
    CONSTRAINT sync_progress_positive_items CHECK (current_item >= 0 AND total_items >= 0),
    FOREIGN KEY (org_id, initiated_by) REFERENCES users(tenant_id, id)
) STRICT;

-- Of indexes that serve a query equally well SQLite takes the last made: those for few rows come after the others.
CREATE INDEX idx_sync_progress_org_job ON sync_progress(org_id, job_id);
CREATE UNIQUE INDEX idx_sync_progress_org_sync ON sync_progress(org_id, sync_id);
CREATE INDEX idx_sync_progress_updated ON sync_progress(org_id, updated_at DESC);
CREATE INDEX idx_sync_progress_active ON sync_progress(org_id, updated_at DESC) WHERE completed_at IS NULL;
CREATE INDEX idx_sync_progress_entity ON sync_progress(org_id, entity_type, started_at DESC);

CREATE TRIGGER users_leave_progress BEFORE DELETE ON users
BEGIN UPDATE sync_progress SET initiated_by = NULL WHERE org_id = OLD.tenant_id AND initiated_by = OLD.id; END;

CREATE TABLE sync_activity_log (
    id BLOB NOT NULL CHECK (length(id) = 16),
    org_id BLOB NOT NULL CONSTRAINT fk_sync_activity_org REFERENCES tenants(id) ON DELETE CASCADE,
    sync_id TEXT CHECK (length(sync_id) <= 255),
    entity_type TEXT CHECK (entity_type IN ('customer', 'product', 'order', 'invoice', 'supplier',
        'inventory', 'category', 'attribute', 'file', 'row')),
    action TEXT NOT NULL CHECK (action IN ('preview_delta', 'sync_start', 'sync_complete', 'batch_process',
        'error_recovery', 'manual_trigger', 'scheduled_run', 'partial_resume')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed',
        'completed_with_errors', 'failed', 'cancelled', 'paused', 'timeout')),
    record_count INTEGER DEFAULT 0,
    duration_seconds REAL,
    error_message TEXT,
    user_id BLOB,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    CONSTRAINT sync_activity_log_pkey PRIMARY KEY (id, created_at),
    CONSTRAINT sync_activity_log_positive_count CHECK (record_count >= 0),
    CONSTRAINT sync_activity_log_positive_duration CHECK (duration_seconds IS NULL OR duration_seconds >= 0),
    CONSTRAINT fk_sync_activity_user
        FOREIGN KEY (org_id, user_id) REFERENCES users(tenant_id, id)
) STRICT;

CREATE INDEX idx_sync_activity_log_org_created ON sync_activity_log(org_id, created_at DESC);
CREATE INDEX idx_sync_activity_log_user ON sync_activity_log(user_id, created_at DESC);
CREATE INDEX idx_sync_activity_log_entity ON sync_activity_log(org_id, entity_type, created_at DESC);
CREATE INDEX idx_sync_activity_log_action ON sync_activity_log(action, created_at DESC);
CREATE INDEX idx_sync_activity_log_status ON sync_activity_log(status, created_at DESC);
CREATE INDEX idx_sync_activity_log_sync_id ON sync_activity_log(sync_id, created_at DESC);

CREATE TRIGGER users_leave_activity BEFORE DELETE ON users
BEGIN UPDATE sync_activity_log SET user_id = NULL WHERE org_id = OLD.tenant_id AND user_id = OLD.id; END;

-- The writer gives `updated_at`, so that its clock rules; a writer that leaves it gets the engine's clock. A row that
-- completes takes `completed_at` from it. Then elapsed, speed and ETA follow, and completion is logged once.
-- An insert goes through the trigger of updates; an ETA of -1, which never stays, tells it so.
CREATE TRIGGER sync_progress_inserted AFTER INSERT ON sync_progress
BEGIN UPDATE sync_progress SET eta_seconds = -1 WHERE id = NEW.id; END;

CREATE TRIGGER sync_progress_updated AFTER UPDATE ON sync_progress
BEGIN
    UPDATE sync_progress SET
        updated_at = CASE WHEN NEW.updated_at = OLD.updated_at AND NEW.eta_seconds IS NOT -1
            THEN max(OLD.updated_at, CAST(unixepoch('subsec') * 1000000 AS INTEGER)) ELSE NEW.updated_at END,
        current_item = min(current_item, total_items)
        WHERE id = NEW.id;
    UPDATE sync_progress SET
        completed_at = CASE WHEN status IN ('completed', 'completed_with_errors', 'failed', 'cancelled', 'timeout')
            THEN ifnull(completed_at, updated_at) ELSE completed_at END
        WHERE id = NEW.id;
    UPDATE sync_progress SET
        elapsed_seconds = max(0, CAST(round((ifnull(completed_at, updated_at) - started_at) / 1000000.0) AS INTEGER))
        WHERE id = NEW.id;
    UPDATE sync_progress SET
        speed_items_per_min = CASE WHEN elapsed_seconds > 0 AND processed_count > 0
            THEN min(round(processed_count * 60.0 / elapsed_seconds, 2), 99999999.99) ELSE 0.0 END
        WHERE id = NEW.id;
    UPDATE sync_progress SET
        eta_seconds = CASE WHEN total_items > 0 AND speed_items_per_min > 0
            THEN CAST(round((total_items - processed_count) * 60.0 / speed_items_per_min) AS INTEGER) END
        WHERE id = NEW.id;
    INSERT INTO sync_activity_log (id, org_id, sync_id, entity_type, action, status, record_count, duration_seconds,
        user_id, created_at)
    SELECT randomblob(16), org_id, sync_id, entity_type, 'sync_complete',
        CASE WHEN status NOT IN ('pending', 'in_progress', 'paused') THEN status
            WHEN failed_count = 0 THEN 'completed' ELSE 'completed_with_errors' END,
        processed_count + failed_count, max(0.0, round((completed_at - started_at) / 1000000.0, 2)), initiated_by,
        completed_at
    FROM sync_progress WHERE id = NEW.id AND completed_at IS NOT NULL
        AND (OLD.completed_at IS NULL OR NEW.eta_seconds IS -1);
END;

-- One row per failure of an item. One owner at least is set, and the row goes with it; a job and a file leave theirs
-- behind.
CREATE TABLE cloud_sync_errors (
    index_id INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL CONSTRAINT fk_cloud_sync_errors_tenant REFERENCES tenants(id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
    sync_job_id BLOB,
    connection_id BLOB,
    volume_id BLOB,
    conduit_id INTEGER,
    generation_id INTEGER,
    file_id BLOB,
    path BLOB,
    error_type TEXT NOT NULL CONSTRAINT ck_cloud_sync_errors_error_type CHECK (
        error_type IN ('auth', 'network', 'quota', 'permission', 'api', 'validation', 'timeout')),
    error_code TEXT CHECK (length(error_code) <= 100),
    error_message TEXT NOT NULL,
    stack_trace TEXT,
    retry_count INTEGER NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    resolved_at INTEGER,
    resolution_notes TEXT,
    error_metadata TEXT CHECK (json_valid(error_metadata)),
    CHECK (coalesce(connection_id, volume_id) IS NOT NULL OR coalesce(conduit_id, generation_id) IS NOT NULL),
    CONSTRAINT fk_cloud_sync_errors_sync_job
        FOREIGN KEY (tenant_id, sync_job_id) REFERENCES cloud_sync_jobs(tenant_id, id),
    CONSTRAINT fk_cloud_sync_errors_connection
        FOREIGN KEY (tenant_id, connection_id) REFERENCES cloud_connections(tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_cloud_sync_errors_file
        FOREIGN KEY (tenant_id, file_id) REFERENCES cloud_files(tenant_id, id),
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, conduit_id) REFERENCES sync_conduit(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, generation_id) REFERENCES sync_generation(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX ix_cloud_sync_errors_id ON cloud_sync_errors(id);
CREATE INDEX ix_cloud_sync_errors_tenant_active ON cloud_sync_errors(tenant_id, index_id) WHERE NOT is_deleted;
CREATE UNIQUE INDEX ix_cloud_sync_errors_tenant_id_lookup ON cloud_sync_errors(tenant_id, id);
CREATE INDEX ix_cloud_sync_errors_created ON cloud_sync_errors(tenant_id, created_at DESC);
CREATE INDEX ix_cloud_sync_errors_connection_type
    ON cloud_sync_errors(tenant_id, connection_id, error_type, created_at DESC);
CREATE INDEX ix_cloud_sync_errors_unresolved ON cloud_sync_errors(error_type, created_at DESC) WHERE resolved_at IS NULL;
CREATE INDEX ix_cloud_sync_errors_sync_job ON cloud_sync_errors(sync_job_id) WHERE sync_job_id IS NOT NULL;
CREATE INDEX ix_cloud_sync_errors_file ON cloud_sync_errors(tenant_id, file_id) WHERE file_id IS NOT NULL;
CREATE INDEX ix_cloud_sync_errors_generation
    ON cloud_sync_errors(tenant_id, generation_id) WHERE generation_id IS NOT NULL;
CREATE INDEX ix_cloud_sync_errors_conduit
    ON cloud_sync_errors(tenant_id, conduit_id, created_at DESC) WHERE conduit_id IS NOT NULL;
-- An item that fails again is told once: see `retry_count`.
CREATE UNIQUE INDEX ix_cloud_sync_errors_item ON cloud_sync_errors(tenant_id, conduit_id, path)
    WHERE conduit_id IS NOT NULL AND path IS NOT NULL AND resolved_at IS NULL AND NOT is_deleted;
CREATE INDEX ix_cloud_sync_errors_connection
    ON cloud_sync_errors(tenant_id, connection_id, created_at DESC) WHERE connection_id IS NOT NULL;
CREATE INDEX ix_cloud_sync_errors_volume
    ON cloud_sync_errors(tenant_id, volume_id, created_at DESC) WHERE volume_id IS NOT NULL;

CREATE TRIGGER cloud_sync_jobs_leave_errors BEFORE DELETE ON cloud_sync_jobs
BEGIN UPDATE cloud_sync_errors SET sync_job_id = NULL WHERE tenant_id = OLD.tenant_id AND sync_job_id = OLD.id; END;

CREATE TRIGGER cloud_files_leave_errors BEFORE DELETE ON cloud_files
BEGIN UPDATE cloud_sync_errors SET file_id = NULL WHERE tenant_id = OLD.tenant_id AND file_id = OLD.id; END;
