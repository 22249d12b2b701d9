-- Previews, progress, activity and item errors.

CREATE TABLE sync_preview_cache (
    id uuid NOT NULL PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_type text COLLATE "C" NOT NULL CHECK (sync_type IN ('woocommerce', 'odoo', 'shopify', 'custom', 'files', 'records')),
    sync_id text COLLATE "C" CHECK (length(sync_id) <= 255),
    conduit_id bigint,
    state text COLLATE "C" NOT NULL DEFAULT 'building' CHECK (state IN ('building', 'ready', 'applying', 'applied')),
    is_pinned boolean NOT NULL DEFAULT false,
    applied_ord bigint NOT NULL DEFAULT -1,
    applied_seq bigint NOT NULL DEFAULT -1,
    delta_json jsonb NOT NULL DEFAULT '{}',
    computed_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT (now() + INTERVAL '1 hour'),
    computed_by uuid,
    cache_key text COLLATE "C" CHECK (length(cache_key) <= 255),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (org_id, computed_by) REFERENCES users(tenant_id, id) ON DELETE SET NULL (computed_by),
    FOREIGN KEY (org_id, conduit_id) REFERENCES sync_conduit(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_sync_preview_cache_org_type ON sync_preview_cache(org_id, sync_type);
CREATE INDEX idx_sync_preview_cache_expires ON sync_preview_cache(expires_at);
CREATE INDEX idx_sync_preview_cache_computed ON sync_preview_cache(computed_at DESC);
CREATE UNIQUE INDEX idx_sync_preview_cache_key ON sync_preview_cache(org_id, cache_key) WHERE cache_key IS NOT NULL;
CREATE INDEX idx_sync_preview_cache_conduit ON sync_preview_cache(org_id, conduit_id) WHERE conduit_id IS NOT NULL;

-- The writer's clock rules, as the row gives it: the book's own may be ahead of it. A CHECK would hold at later updates too.
CREATE FUNCTION preview_cache_not_expired() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.expires_at <= NEW.computed_at THEN
        RAISE EXCEPTION 'preview_cache_not_expired: the preview has expired already' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER preview_cache_not_expired BEFORE INSERT ON sync_preview_cache
    FOR EACH ROW EXECUTE FUNCTION preview_cache_not_expired();

-- Removes the previews of the tenant that have expired, except what a run still needs.
CREATE FUNCTION auto_cleanup_preview_cache() RETURNS TABLE (deleted_count integer, error_message text)
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM sync_preview_cache WHERE expires_at < now() AND NOT is_pinned;
    GET DIAGNOSTICS deleted_count = ROW_COUNT;
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    deleted_count := 0;
    error_message := SQLERRM;
    RETURN NEXT;
END;
$$;

-- One row per change of a preview. ord = step << 32 | rank is the order of application, seq the order shown.
CREATE TABLE sync_preview_change (
    preview_id uuid NOT NULL REFERENCES sync_preview_cache(id) ON DELETE CASCADE,
    ord bigint NOT NULL CHECK (ord >= 0),
    seq bigint NOT NULL CHECK (seq >= 0),
    lead_seq bigint,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 7),
    direction smallint CHECK (direction IN (1, 2)),
    action smallint NOT NULL,
    item_kind smallint NOT NULL CHECK (item_kind BETWEEN 1 AND 5),
    path bytea NOT NULL,
    bytes bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    is_exception boolean NOT NULL DEFAULT false,
    outcome text COLLATE "C" CHECK (outcome IN ('applied', 'failed', 'stale', 'skipped')),
    detail bytea NOT NULL,
    PRIMARY KEY (preview_id, ord, seq)
);

CREATE TABLE sync_progress (
    id uuid NOT NULL PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_id text COLLATE "C" NOT NULL CHECK (length(sync_id) <= 255),
    job_id text COLLATE "C" CHECK (length(job_id) <= 255),
    entity_type text COLLATE "C" NOT NULL CHECK (entity_type IN ('customer', 'product', 'order', 'invoice', 'supplier',
        'inventory', 'category', 'attribute', 'file', 'row')),
    status text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'in_progress', 'completed',
        'completed_with_errors', 'failed', 'cancelled', 'paused', 'timeout')),
    current_item bigint NOT NULL DEFAULT 0,
    total_items bigint NOT NULL DEFAULT 0,
    processed_count bigint NOT NULL DEFAULT 0,
    failed_count bigint NOT NULL DEFAULT 0,
    speed_items_per_min double precision,
    eta_seconds bigint,
    elapsed_seconds bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    source_system text COLLATE "C" CHECK (length(source_system) <= 50),
    batch_number bigint DEFAULT 0,
    metadata jsonb DEFAULT '{}',
    initiated_by uuid,
    CONSTRAINT sync_progress_positive_counts CHECK (
        processed_count >= 0 AND failed_count >= 0 AND processed_count + failed_count <= total_items),
    CONSTRAINT sync_progress_positive_items CHECK (
        current_item >= 0 AND total_items >= 0 AND current_item <= total_items),
    FOREIGN KEY (org_id, initiated_by) REFERENCES users(tenant_id, id) ON DELETE SET NULL (initiated_by)
);

CREATE INDEX idx_sync_progress_org_job ON sync_progress(org_id, job_id);
CREATE UNIQUE INDEX idx_sync_progress_org_sync ON sync_progress(org_id, sync_id);
CREATE INDEX idx_sync_progress_updated ON sync_progress(org_id, updated_at DESC);
CREATE INDEX idx_sync_progress_active ON sync_progress(org_id, updated_at DESC) WHERE completed_at IS NULL;
CREATE INDEX idx_sync_progress_entity ON sync_progress(org_id, entity_type, started_at DESC);

CREATE TABLE sync_activity_log (
    id uuid NOT NULL,
    org_id uuid NOT NULL CONSTRAINT fk_sync_activity_org REFERENCES tenants(id) ON DELETE CASCADE,
    sync_id text COLLATE "C" CHECK (length(sync_id) <= 255),
    entity_type text COLLATE "C" CHECK (entity_type IN ('customer', 'product', 'order', 'invoice', 'supplier',
        'inventory', 'category', 'attribute', 'file', 'row')),
    action text COLLATE "C" NOT NULL CHECK (action IN ('preview_delta', 'sync_start', 'sync_complete', 'batch_process',
        'error_recovery', 'manual_trigger', 'scheduled_run', 'partial_resume')),
    status text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed',
        'completed_with_errors', 'failed', 'cancelled', 'paused', 'timeout')),
    record_count bigint DEFAULT 0,
    duration_seconds double precision,
    error_message text COLLATE "C",
    user_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sync_activity_log_pkey PRIMARY KEY (id, created_at),
    CONSTRAINT sync_activity_log_positive_count CHECK (record_count >= 0),
    CONSTRAINT sync_activity_log_positive_duration CHECK (duration_seconds IS NULL OR duration_seconds >= 0),
    CONSTRAINT fk_sync_activity_user
        FOREIGN KEY (org_id, user_id) REFERENCES users(tenant_id, id) ON DELETE SET NULL (user_id)
) PARTITION BY RANGE (created_at);

-- Whatever has no month of its own yet, so that an insert never fails for want of one.
CREATE TABLE sync_activity_log_default PARTITION OF sync_activity_log DEFAULT;

SELECT portbook_isolate('sync_activity_log_default', 'org_id');

-- Makes the partitions of the month (UTC) that holds this time and of `ahead` months after it. Rows of those months, and
-- of the two years before, that lie in the default partition are moved to partitions of their own. Gives how many were
-- made. Anyone who may use the book may call it; so that nobody fills the catalog, a time ten years from now or ago makes
-- none.
CREATE FUNCTION make_activity_partitions(at timestamptz, ahead bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET lock_timeout = '2s' AS $$
DECLARE
    this_month timestamp := date_trunc('month', at AT TIME ZONE 'UTC');
    last_month timestamp := this_month + least(ahead, 12) * INTERVAL '1 month';
    has_strays boolean := pg_relation_size('sync_activity_log_default') > 0;
    made bigint := 0;
    month timestamp;
    lower_bound timestamptz;
    upper_bound timestamptz;
    partition_name text;
    reference text;
BEGIN
    IF at NOT BETWEEN now() - INTERVAL '10 years' AND now() + INTERVAL '10 years' THEN
        RETURN 0;
    END IF;
    IF NOT has_strays AND NOT EXISTS (SELECT FROM generate_series(this_month, last_month, INTERVAL '1 month') AS m
        WHERE to_regclass('sync_activity_log_' || to_char(m, 'YYYY_MM')) IS NULL) THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('sync_activity_log_default'::regclass::oid::text, 0));
    -- The rows of every tenant move. The lock that this takes keeps everyone else out of the default partition until the
    -- transaction ends, when the policies bind the owner again.
    ALTER TABLE sync_activity_log_default NO FORCE ROW LEVEL SECURITY;
    FOR month IN
        SELECT m FROM generate_series(this_month, last_month, INTERVAL '1 month') AS m
        UNION SELECT DISTINCT date_trunc('month', created_at AT TIME ZONE 'UTC') FROM sync_activity_log_default
            WHERE created_at >= (this_month - INTERVAL '2 years') AT TIME ZONE 'UTC'
            AND created_at < this_month AT TIME ZONE 'UTC'
    LOOP
        partition_name := 'sync_activity_log_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass(partition_name) IS NOT NULL;
        lower_bound := month AT TIME ZONE 'UTC';
        upper_bound := (month + INTERVAL '1 month') AT TIME ZONE 'UTC';
        EXECUTE format('CREATE TABLE %I (LIKE sync_activity_log INCLUDING ALL)', partition_name);
        -- While it is empty: the policies of the referenced tables would hide every tenant from the validation of rows.
        FOR reference IN SELECT pg_get_constraintdef(oid) FROM pg_constraint
            WHERE conrelid = 'sync_activity_log'::regclass AND contype = 'f'
        LOOP
            EXECUTE format('ALTER TABLE %I ADD %s', partition_name, reference);
        END LOOP;
        EXECUTE format('WITH strays AS (DELETE FROM sync_activity_log_default WHERE created_at >= %L AND created_at < %L
            RETURNING *) INSERT INTO %I SELECT * FROM strays', lower_bound, upper_bound, partition_name);
        EXECUTE format('ALTER TABLE sync_activity_log ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            partition_name, lower_bound, upper_bound);
        -- The policies of the parent do not hold for whoever names a partition.
        PERFORM portbook_isolate(partition_name::regclass, 'org_id');
        made := made + 1;
    END LOOP;
    ALTER TABLE sync_activity_log_default FORCE ROW LEVEL SECURITY;
    RETURN made;
END;
$$;

-- Takes the partitions out that hold only rows older than that, and gives how many: dropped, or detached to stay as
-- tables of their own. It reaches every tenant's rows, so only the owner may call it.
CREATE FUNCTION retire_activity_partitions(before timestamptz, detach boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    retired bigint := 0;
    partition regclass;
BEGIN
    FOR partition IN SELECT inhrelid FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = 'sync_activity_log'::regclass AND relname ~ '^sync_activity_log_[0-9]{4}_[0-9]{2}$'
        AND (to_timestamp(right(relname, 7) || '_01', 'YYYY_MM_DD')::timestamp + INTERVAL '1 month')
            AT TIME ZONE 'UTC' <= before
    LOOP
        IF detach THEN
            EXECUTE format('ALTER TABLE sync_activity_log DETACH PARTITION %s', partition);
        ELSE
            EXECUTE format('DROP TABLE %s', partition);
        END IF;
        retired := retired + 1;
    END LOOP;
    RETURN retired;
END;
$$;

REVOKE EXECUTE ON FUNCTION retire_activity_partitions(timestamptz, boolean) FROM PUBLIC;

CREATE INDEX idx_sync_activity_log_org_created ON sync_activity_log(org_id, created_at DESC);
CREATE INDEX idx_sync_activity_log_user ON sync_activity_log(user_id, created_at DESC);
CREATE INDEX idx_sync_activity_log_entity ON sync_activity_log(org_id, entity_type, created_at DESC);
CREATE INDEX idx_sync_activity_log_action ON sync_activity_log(action, created_at DESC);
CREATE INDEX idx_sync_activity_log_status ON sync_activity_log(status, created_at DESC);
CREATE INDEX idx_sync_activity_log_sync_id ON sync_activity_log(sync_id, created_at DESC);

-- Triggers of one table fire in the order of their names: elapsed, timestamp, totals. Each stands by itself.

-- The writer gives `updated_at`, so that its clock rules; a writer that leaves it gets the engine's clock.
CREATE FUNCTION update_sync_progress_timestamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.updated_at = OLD.updated_at THEN
        NEW.updated_at := greatest(OLD.updated_at, now());
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER sync_progress_update_timestamp BEFORE UPDATE ON sync_progress
    FOR EACH ROW EXECUTE FUNCTION update_sync_progress_timestamp();

-- Elapsed, speed and ETA follow from the counts and the time of the update, which is now where the writer left it.
CREATE FUNCTION update_sync_progress_elapsed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := NEW.updated_at;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.updated_at = OLD.updated_at THEN
            at := greatest(OLD.updated_at, now());
        END IF;
    END IF;
    NEW.elapsed_seconds := greatest(0, round(extract(epoch FROM coalesce(NEW.completed_at, at) - NEW.started_at)));
    NEW.speed_items_per_min := CASE WHEN NEW.elapsed_seconds > 0 AND NEW.processed_count > 0
        THEN least(round(NEW.processed_count * 60.0 / NEW.elapsed_seconds, 2), 99999999.99) ELSE 0 END;
    NEW.eta_seconds := CASE WHEN NEW.total_items > 0 AND NEW.speed_items_per_min > 0
        THEN round(((NEW.total_items - NEW.processed_count) * 60.0 / NEW.speed_items_per_min)::numeric) END;
    RETURN NEW;
END;
$$;

CREATE TRIGGER sync_progress_update_elapsed BEFORE INSERT OR UPDATE ON sync_progress
    FOR EACH ROW EXECUTE FUNCTION update_sync_progress_elapsed();

-- Impossible counts are refused, the current item stays within the total, and a row whose status says that it has ended
-- takes `completed_at` from its last update: the engine decides when a run is complete, not the counts.
CREATE FUNCTION validate_sync_progress_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.processed_count + NEW.failed_count > NEW.total_items THEN
        RAISE EXCEPTION 'processed_count (%) + failed_count (%) exceeds total_items (%)',
            NEW.processed_count, NEW.failed_count, NEW.total_items USING ERRCODE = 'check_violation';
    END IF;
    NEW.current_item := least(NEW.current_item, NEW.total_items);
    IF NEW.status IN ('completed', 'completed_with_errors', 'failed', 'cancelled', 'timeout') THEN
        NEW.completed_at := coalesce(NEW.completed_at, NEW.updated_at);
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER sync_progress_validate_totals BEFORE INSERT OR UPDATE ON sync_progress
    FOR EACH ROW EXECUTE FUNCTION validate_sync_progress_totals();

CREATE FUNCTION auto_log_sync_activity_on_progress_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.completed_at IS NOT NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    IF NEW.completed_at IS NOT NULL THEN
        INSERT INTO sync_activity_log (id, org_id, sync_id, entity_type, action, status, record_count,
            duration_seconds, user_id, created_at)
        VALUES (gen_random_uuid(), NEW.org_id, NEW.sync_id, NEW.entity_type, 'sync_complete',
            CASE WHEN NEW.status NOT IN ('pending', 'in_progress', 'paused') THEN NEW.status
                WHEN NEW.failed_count = 0 THEN 'completed' ELSE 'completed_with_errors' END,
            NEW.processed_count + NEW.failed_count,
            greatest(0, round(extract(epoch FROM NEW.completed_at - NEW.started_at), 2)), NEW.initiated_by,
            NEW.completed_at);
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER sync_progress_log_completion AFTER INSERT OR UPDATE ON sync_progress
    FOR EACH ROW EXECUTE FUNCTION auto_log_sync_activity_on_progress_change();

-- One row per failure of an item. One owner at least is set, and the row goes with it; a job and a file leave theirs
-- behind.
CREATE TABLE cloud_sync_errors (
    index_id bigint GENERATED BY DEFAULT AS IDENTITY,
    id uuid NOT NULL CONSTRAINT ix_cloud_sync_errors_id PRIMARY KEY,
    tenant_id uuid NOT NULL CONSTRAINT fk_cloud_sync_errors_tenant REFERENCES tenants(id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    is_deleted boolean NOT NULL DEFAULT false,
    sync_job_id uuid,
    connection_id uuid,
    volume_id uuid,
    conduit_id bigint,
    generation_id bigint,
    file_id uuid,
    path bytea,
    error_type text COLLATE "C" NOT NULL CONSTRAINT ck_cloud_sync_errors_error_type CHECK (
        error_type IN ('auth', 'network', 'quota', 'permission', 'api', 'validation', 'timeout')),
    error_code text COLLATE "C" CHECK (length(error_code) <= 100),
    error_message text COLLATE "C" NOT NULL,
    stack_trace text COLLATE "C",
    retry_count bigint NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    resolved_at timestamptz,
    resolution_notes text COLLATE "C",
    error_metadata jsonb,
    CHECK (coalesce(connection_id, volume_id) IS NOT NULL OR coalesce(conduit_id, generation_id) IS NOT NULL),
    CONSTRAINT fk_cloud_sync_errors_sync_job
        FOREIGN KEY (tenant_id, sync_job_id) REFERENCES cloud_sync_jobs(tenant_id, id) ON DELETE SET NULL (sync_job_id),
    CONSTRAINT fk_cloud_sync_errors_connection
        FOREIGN KEY (tenant_id, connection_id) REFERENCES cloud_connections(tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_cloud_sync_errors_file
        FOREIGN KEY (tenant_id, file_id) REFERENCES cloud_files(tenant_id, id) ON DELETE SET NULL (file_id),
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, conduit_id) REFERENCES sync_conduit(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, generation_id) REFERENCES sync_generation(tenant_id, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX ix_cloud_sync_errors_index_id ON cloud_sync_errors(index_id);
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

SELECT portbook_isolate('sync_preview_cache', 'org_id', 'preview_cache');
SELECT portbook_isolate_by('sync_preview_change', 'preview_id', 'sync_preview_cache');
SELECT portbook_isolate('sync_progress', 'org_id');
SELECT portbook_isolate('sync_activity_log', 'org_id');
SELECT portbook_isolate('cloud_sync_errors', 'tenant_id');
