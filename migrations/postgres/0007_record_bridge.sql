-- Databases, lists, and what keeps their rows in step. A reference is (tenant, id) to (tenant, id), so that it cannot
-- cross tenants. What belongs to something dies with it; what a definition names cannot be deleted; a reference to a
-- run is forgotten with the run.
-- Indexes that end in `id` are for lists: they come in the order of creation, page by page.

CREATE TABLE applications (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL CHECK (length(name) > 0),
    owner_team text COLLATE "C",
    description text COLLATE "C",
    status text COLLATE "C" NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'ARCHIVED')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id)
);

-- An application that has databases is archived, not deleted.
CREATE TABLE databases (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    application_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL CHECK (length(name) > 0),
    db_type text COLLATE "C" NOT NULL CHECK (db_type IN ('POSTGRES', 'SQLSERVER', 'MYSQL', 'SQLITE', 'HOST')),
    environment text COLLATE "C" NOT NULL CHECK (environment IN ('DEV', 'STAGING', 'PROD')),
    database_name text COLLATE "C" NOT NULL CHECK (length(database_name) > 0),
    status text COLLATE "C" NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications(tenant_id, id)
);

CREATE UNIQUE INDEX idx_databases_name ON databases(tenant_id, application_id, database_name, environment);
CREATE INDEX idx_databases_application ON databases(tenant_id, application_id, id);

-- db_password is what the vault sealed.
CREATE TABLE database_instances (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    database_id uuid NOT NULL,
    instance_label text COLLATE "C" NOT NULL CHECK (length(instance_label) > 0),
    host text COLLATE "C",
    port bigint CHECK (port BETWEEN 1 AND 65535),
    db_name text COLLATE "C",
    db_user text COLLATE "C",
    db_password bytea,
    config jsonb NOT NULL DEFAULT '{}',
    role text COLLATE "C" NOT NULL DEFAULT 'PRIMARY' CHECK (role IN ('PRIMARY', 'SECONDARY')),
    priority bigint NOT NULL DEFAULT 0,
    status text COLLATE "C" NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    valid_from timestamptz,
    valid_to timestamptz,
    last_verified_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    CONSTRAINT ck_database_instances_valid CHECK (valid_from <= valid_to),
    FOREIGN KEY (tenant_id, database_id) REFERENCES databases(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_database_instances_status ON database_instances(tenant_id, database_id, status, priority);
CREATE INDEX idx_database_instances_database ON database_instances(tenant_id, database_id, id);

CREATE TABLE database_tables (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    database_id uuid NOT NULL,
    schema_name text COLLATE "C" NOT NULL DEFAULT '',
    table_name text COLLATE "C" NOT NULL CHECK (length(table_name) > 0),
    table_type text COLLATE "C" NOT NULL DEFAULT 'BASE' CHECK (table_type IN ('BASE', 'VIEW')),
    primary_key text COLLATE "C",
    row_estimate bigint CHECK (row_estimate >= 0),
    last_introspected_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, database_id) REFERENCES databases(tenant_id, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX idx_database_tables_name ON database_tables(tenant_id, database_id, schema_name, table_name);
CREATE INDEX idx_database_tables_database ON database_tables(tenant_id, database_id, id);

CREATE TABLE table_columns (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    table_id uuid NOT NULL,
    ordinal_position bigint NOT NULL CHECK (ordinal_position >= 0),
    column_name text COLLATE "C" NOT NULL CHECK (length(column_name) > 0),
    data_type text COLLATE "C" NOT NULL CHECK (length(data_type) > 0),
    is_nullable boolean NOT NULL DEFAULT true,
    default_value text COLLATE "C",
    is_identity boolean NOT NULL DEFAULT false,
    is_primary_key boolean NOT NULL DEFAULT false,
    is_unique boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, table_id) REFERENCES database_tables(tenant_id, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX idx_table_columns_name ON table_columns(tenant_id, table_id, column_name);
CREATE INDEX idx_table_columns_table ON table_columns(tenant_id, table_id, id);

CREATE TABLE table_constraints (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    table_id uuid NOT NULL,
    constraint_name text COLLATE "C" NOT NULL CHECK (length(constraint_name) > 0),
    constraint_type text COLLATE "C" NOT NULL
        CHECK (constraint_type IN ('PRIMARY_KEY', 'FOREIGN_KEY', 'UNIQUE', 'CHECK')),
    columns jsonb NOT NULL DEFAULT '[]',
    referenced_table text COLLATE "C",
    definition text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, table_id) REFERENCES database_tables(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_table_constraints_type ON table_constraints(tenant_id, table_id, constraint_type);
CREATE INDEX idx_table_constraints_table ON table_constraints(tenant_id, table_id, id);

CREATE TABLE table_indexes (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    table_id uuid NOT NULL,
    index_name text COLLATE "C" NOT NULL CHECK (length(index_name) > 0),
    is_unique boolean NOT NULL DEFAULT false,
    index_method text COLLATE "C",
    columns jsonb NOT NULL DEFAULT '[]',
    definition text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, table_id) REFERENCES database_tables(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_table_indexes_unique ON table_indexes(tenant_id, table_id, is_unique);
CREATE INDEX idx_table_indexes_table ON table_indexes(tenant_id, table_id, id);

CREATE TABLE source_table_metrics (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    table_id uuid NOT NULL,
    database_instance_id uuid NOT NULL,
    captured_at timestamptz NOT NULL DEFAULT now(),
    row_count bigint NOT NULL CHECK (row_count >= 0),
    max_updated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, table_id) REFERENCES database_tables(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, database_instance_id) REFERENCES database_instances(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_source_table_metrics_captured
    ON source_table_metrics(tenant_id, table_id, database_instance_id, captured_at);

CREATE TABLE introspection_runs (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    database_instance_id uuid NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    status text COLLATE "C" CHECK (status IN ('SUCCESS', 'FAILED')),
    stats jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    CONSTRAINT ck_introspection_runs_ended CHECK ((ended_at IS NULL) = (status IS NULL)),
    FOREIGN KEY (tenant_id, database_instance_id) REFERENCES database_instances(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_introspection_runs_instance ON introspection_runs(tenant_id, database_instance_id, started_at);

CREATE TABLE schema_snapshots (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    table_id uuid NOT NULL,
    database_instance_id uuid NOT NULL,
    captured_at timestamptz NOT NULL DEFAULT now(),
    columns jsonb NOT NULL DEFAULT '[]',
    constraints jsonb NOT NULL DEFAULT '[]',
    indexes jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, table_id) REFERENCES database_tables(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, database_instance_id) REFERENCES database_instances(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_schema_snapshots_captured ON schema_snapshots(tenant_id, table_id, database_instance_id, captured_at);

-- org_id is the tenant of the book, tenant_id the one of Entra. client_secret is what the vault sealed.
CREATE TABLE sharepoint_connections (
    id uuid NOT NULL PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL CHECK (length(name) > 0),
    tenant_id text COLLATE "C" NOT NULL CHECK (length(tenant_id) > 0),
    client_id text COLLATE "C" NOT NULL CHECK (length(client_id) > 0),
    client_secret bytea,
    authority_host text COLLATE "C" NOT NULL DEFAULT 'https://login.microsoftonline.com',
    scopes jsonb NOT NULL DEFAULT '["https://graph.microsoft.com/.default"]',
    status text COLLATE "C" NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    last_verified_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (org_id, id)
);

CREATE UNIQUE INDEX idx_sharepoint_connections_client ON sharepoint_connections(org_id, tenant_id, client_id);

CREATE TABLE sharepoint_sites (
    id uuid NOT NULL PRIMARY KEY,
    org_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    tenant_id text COLLATE "C" NOT NULL CHECK (length(tenant_id) > 0),
    hostname text COLLATE "C" NOT NULL CHECK (length(hostname) > 0),
    site_path text COLLATE "C" NOT NULL,
    site_id text COLLATE "C",
    web_url text COLLATE "C",
    status text COLLATE "C" NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (org_id, id),
    FOREIGN KEY (org_id, connection_id) REFERENCES sharepoint_connections(org_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_sharepoint_sites_connection ON sharepoint_sites(org_id, connection_id, id);

CREATE TABLE sharepoint_lists (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    site_id uuid NOT NULL,
    list_id text COLLATE "C",
    display_name text COLLATE "C" NOT NULL CHECK (length(display_name) > 0),
    description text COLLATE "C",
    template text COLLATE "C" NOT NULL DEFAULT 'genericList',
    is_provisioned boolean NOT NULL DEFAULT false,
    last_provisioned_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES sharepoint_sites(org_id, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX idx_sharepoint_lists_list ON sharepoint_lists(tenant_id, site_id, list_id);
CREATE INDEX idx_sharepoint_lists_site ON sharepoint_lists(tenant_id, site_id, id);

CREATE TABLE target_list_metrics (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    target_list_id uuid NOT NULL,
    captured_at timestamptz NOT NULL DEFAULT now(),
    item_count bigint NOT NULL CHECK (item_count >= 0),
    last_modified_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, target_list_id) REFERENCES sharepoint_lists(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_target_list_metrics_captured ON target_list_metrics(tenant_id, target_list_id, captured_at);

CREATE TABLE sharepoint_columns (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    list_id uuid NOT NULL,
    column_name text COLLATE "C" NOT NULL CHECK (length(column_name) > 0),
    column_type text COLLATE "C" NOT NULL CHECK (length(column_type) > 0),
    is_required boolean NOT NULL DEFAULT false,
    is_readonly boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, list_id) REFERENCES sharepoint_lists(tenant_id, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX idx_sharepoint_columns_name ON sharepoint_columns(tenant_id, list_id, column_name);
CREATE INDEX idx_sharepoint_columns_list ON sharepoint_columns(tenant_id, list_id, id);

-- The target is a list or a table. What a definition names cannot be deleted under it.
CREATE TABLE sync_definitions (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL CHECK (length(name) > 0),
    source_table_id uuid NOT NULL,
    target_list_id uuid,
    target_table_id uuid,
    sync_mode text COLLATE "C" NOT NULL CHECK (sync_mode IN ('ONE_WAY_PUSH', 'TWO_WAY', 'ARCHIVE_ONLY')),
    conflict_policy text COLLATE "C" NOT NULL DEFAULT 'SOURCE_WINS'
        CHECK (conflict_policy IN ('SOURCE_WINS', 'DESTINATION_WINS', 'LATEST_WINS', 'MANUAL')),
    key_strategy text COLLATE "C" NOT NULL DEFAULT 'PRIMARY_KEY'
        CHECK (key_strategy IN ('PRIMARY_KEY', 'UNIQUE_CONSTRAINT', 'COMPOSITE_COLUMNS', 'HASHED')),
    key_constraint_name text COLLATE "C",
    target_strategy text COLLATE "C" NOT NULL DEFAULT 'SINGLE' CHECK (target_strategy IN ('SINGLE', 'CONDITIONAL')),
    cursor_strategy text COLLATE "C" NOT NULL DEFAULT 'FULL_SCAN'
        CHECK (cursor_strategy IN ('UPDATED_AT', 'LSN', 'FULL_SCAN')),
    cursor_column_id uuid,
    sharding_policy jsonb NOT NULL DEFAULT '{}',
    schedule_cron text COLLATE "C",
    is_enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    CONSTRAINT ck_sync_definitions_target CHECK ((target_list_id IS NULL) <> (target_table_id IS NULL)),
    FOREIGN KEY (tenant_id, source_table_id) REFERENCES database_tables(tenant_id, id),
    FOREIGN KEY (tenant_id, target_list_id) REFERENCES sharepoint_lists(tenant_id, id),
    FOREIGN KEY (tenant_id, target_table_id) REFERENCES database_tables(tenant_id, id),
    FOREIGN KEY (tenant_id, cursor_column_id) REFERENCES table_columns(tenant_id, id)
);

CREATE INDEX idx_sync_definitions_source ON sync_definitions(tenant_id, source_table_id, id);
CREATE INDEX idx_sync_definitions_list ON sync_definitions(tenant_id, target_list_id, id);
CREATE INDEX idx_sync_definitions_table ON sync_definitions(tenant_id, target_table_id, id);

CREATE TABLE sync_targets (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id uuid NOT NULL,
    target_list_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    site_id uuid NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    priority bigint NOT NULL DEFAULT 0,
    status text COLLATE "C" NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, target_list_id) REFERENCES sharepoint_lists(tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES sharepoint_connections(org_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES sharepoint_sites(org_id, id)
);

CREATE UNIQUE INDEX idx_sync_targets_list ON sync_targets(tenant_id, sync_def_id, target_list_id);
CREATE INDEX idx_sync_targets_definition ON sync_targets(tenant_id, sync_def_id, id);

-- The ledger refers to the pair, so its index has no tenant in front.
CREATE TABLE sync_sources (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id uuid NOT NULL,
    database_instance_id uuid NOT NULL,
    role text COLLATE "C" NOT NULL DEFAULT 'PRIMARY' CHECK (role IN ('PRIMARY', 'SECONDARY')),
    priority bigint NOT NULL DEFAULT 0,
    is_enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, database_instance_id) REFERENCES database_instances(tenant_id, id)
);

CREATE UNIQUE INDEX idx_sync_sources_instance ON sync_sources(sync_def_id, database_instance_id);
CREATE INDEX idx_sync_sources_definition ON sync_sources(tenant_id, sync_def_id, id);

CREATE TABLE sync_key_columns (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id uuid NOT NULL,
    column_id uuid NOT NULL,
    ordinal_position bigint NOT NULL CHECK (ordinal_position >= 0),
    is_required boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, column_id) REFERENCES table_columns(tenant_id, id)
);

CREATE UNIQUE INDEX idx_sync_key_columns_column ON sync_key_columns(tenant_id, sync_def_id, column_id);
CREATE INDEX idx_sync_key_columns_definition ON sync_key_columns(tenant_id, sync_def_id, id);

-- The target column is of a list or of a table.
CREATE TABLE field_mappings (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id uuid NOT NULL,
    source_column_id uuid NOT NULL,
    source_column_name text COLLATE "C" NOT NULL CHECK (length(source_column_name) > 0),
    target_column_id uuid,
    target_table_column_id uuid,
    target_column_name text COLLATE "C" NOT NULL CHECK (length(target_column_name) > 0),
    target_type text COLLATE "C",
    sync_direction text COLLATE "C" NOT NULL DEFAULT 'BIDIRECTIONAL'
        CHECK (sync_direction IN ('BIDIRECTIONAL', 'PUSH_ONLY', 'PULL_ONLY')),
    is_system_field boolean NOT NULL DEFAULT false,
    transform_rule text COLLATE "C",
    is_key boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    CONSTRAINT ck_field_mappings_target CHECK ((target_column_id IS NULL) <> (target_table_column_id IS NULL)),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, source_column_id) REFERENCES table_columns(tenant_id, id),
    FOREIGN KEY (tenant_id, target_column_id) REFERENCES sharepoint_columns(tenant_id, id),
    FOREIGN KEY (tenant_id, target_table_column_id) REFERENCES table_columns(tenant_id, id)
);

CREATE UNIQUE INDEX idx_field_mappings_source ON field_mappings(tenant_id, sync_def_id, source_column_id);
CREATE INDEX idx_field_mappings_definition ON field_mappings(tenant_id, sync_def_id, id);

CREATE TABLE sync_runs (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id uuid NOT NULL,
    run_type text COLLATE "C" NOT NULL CHECK (run_type IN ('PUSH', 'INGRESS', 'CDC')),
    status text COLLATE "C" NOT NULL DEFAULT 'RUNNING'
        CHECK (status IN ('RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'PAUSED')),
    start_time timestamptz NOT NULL DEFAULT now(),
    end_time timestamptz,
    items_processed bigint NOT NULL DEFAULT 0 CHECK (items_processed >= 0),
    items_failed bigint NOT NULL DEFAULT 0 CHECK (items_failed >= 0),
    error_message text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_sync_runs_start ON sync_runs(tenant_id, sync_def_id, start_time);

CREATE TABLE sync_events (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_run_id uuid NOT NULL,
    severity text COLLATE "C" NOT NULL CHECK (severity IN ('INFO', 'WARN', 'ERROR')),
    event_type text COLLATE "C" NOT NULL CHECK (length(event_type) > 0),
    message text COLLATE "C" NOT NULL,
    payload jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_run_id) REFERENCES sync_runs(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_sync_events_run ON sync_events(tenant_id, sync_run_id, id);

-- A cursor goes with what it is a cursor of. Nothing is a value in its key: one cursor per side of a definition whose
-- instance or list is not named.
CREATE TABLE sync_cursors (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id uuid NOT NULL,
    cursor_scope text COLLATE "C" NOT NULL CHECK (cursor_scope IN ('SOURCE', 'TARGET')),
    cursor_type text COLLATE "C" NOT NULL CHECK (cursor_type IN ('TIMESTAMP', 'LSN', 'DELTA_LINK')),
    cursor_value text COLLATE "C" NOT NULL,
    source_instance_id uuid,
    target_list_id uuid,
    last_run_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    CONSTRAINT ck_sync_cursors_scope
        CHECK (CASE cursor_scope WHEN 'SOURCE' THEN target_list_id IS NULL ELSE source_instance_id IS NULL END),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, source_instance_id) REFERENCES database_instances(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, target_list_id) REFERENCES sharepoint_lists(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, last_run_id) REFERENCES sync_runs(tenant_id, id) ON DELETE SET NULL (last_run_id)
);

CREATE UNIQUE INDEX idx_sync_cursors_scope
    ON sync_cursors(tenant_id, sync_def_id, cursor_scope,
    coalesce(source_instance_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(target_list_id, '00000000-0000-0000-0000-000000000000'));
CREATE INDEX idx_sync_cursors_definition ON sync_cursors(tenant_id, sync_def_id, id);

CREATE TABLE sync_metrics (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id uuid NOT NULL,
    source_instance_id uuid,
    target_list_id uuid,
    last_sync_ts timestamptz,
    total_rows_synced bigint NOT NULL DEFAULT 0 CHECK (total_rows_synced >= 0),
    last_run_id uuid,
    last_reconcile_at timestamptz,
    source_row_count bigint CHECK (source_row_count >= 0),
    target_row_count bigint CHECK (target_row_count >= 0),
    reconcile_delta bigint,
    reconcile_status text COLLATE "C" NOT NULL DEFAULT 'UNKNOWN'
        CHECK (reconcile_status IN ('MATCH', 'MISMATCH', 'UNKNOWN')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, source_instance_id) REFERENCES database_instances(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, target_list_id) REFERENCES sharepoint_lists(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, last_run_id) REFERENCES sync_runs(tenant_id, id) ON DELETE SET NULL (last_run_id)
);

CREATE UNIQUE INDEX idx_sync_metrics_scope
    ON sync_metrics(tenant_id, sync_def_id,
    coalesce(source_instance_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(target_list_id, '00000000-0000-0000-0000-000000000000'));
CREATE INDEX idx_sync_metrics_definition ON sync_metrics(tenant_id, sync_def_id, id);

-- What source and target last agreed on, row by row. Millions of rows: keyed by definition and identity hash, so that
-- an upsert needs no other index. Hashes are 32 bytes, not 64 digits. `id` needs no index: it is the front of the
-- identity hash, whose preimage holds the tenant and the definition. There is no tenant column: the definition has one.
-- The instance is one of the definition's sources, which keeps it in the tenant and lets a source be deleted without
-- reading other ledgers.
CREATE TABLE sync_ledger (
    sync_def_id uuid NOT NULL REFERENCES sync_definitions(id) ON DELETE CASCADE,
    source_identity_hash bytea NOT NULL CHECK (length(source_identity_hash) = 32),
    id uuid NOT NULL GENERATED ALWAYS AS (encode(substr(source_identity_hash, 1, 16), 'hex')::uuid) STORED,
    source_identity text COLLATE "C" NOT NULL,
    source_key_strategy text COLLATE "C" NOT NULL
        CHECK (source_key_strategy IN ('PRIMARY_KEY', 'UNIQUE_CONSTRAINT', 'COMPOSITE_COLUMNS', 'HASHED')),
    source_instance_id uuid,
    sp_list_id text COLLATE "C",
    sp_item_id bigint,
    target_key text COLLATE "C",
    state text COLLATE "C" NOT NULL CHECK (state IN ('PENDING', 'CONFIRMED', 'CONFLICT')),
    attempt_id uuid,
    etag text COLLATE "C",
    content_hash bytea CHECK (length(content_hash) = 32),
    remote_content_hash bytea CHECK (length(remote_content_hash) = 32),
    mapping_version bigint NOT NULL CHECK (mapping_version >= 0),
    last_source_ts timestamptz,
    last_sync_ts timestamptz,
    next_route_at timestamptz,
    provenance text COLLATE "C" NOT NULL CHECK (provenance IN ('PUSH', 'PULL')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sync_def_id, source_identity_hash),
    CONSTRAINT ck_sync_ledger_attempt CHECK (state <> 'PENDING' OR attempt_id IS NOT NULL),
    CONSTRAINT ck_sync_ledger_target CHECK (state = 'PENDING' OR sp_item_id IS NOT NULL OR target_key IS NOT NULL),
    FOREIGN KEY (sync_def_id, source_instance_id)
        REFERENCES sync_sources(sync_def_id, database_instance_id) ON DELETE SET NULL (source_instance_id)
);

-- A deleted item comes from SharePoint as its number alone. The other two hold only the rows they are for.
CREATE INDEX idx_sync_ledger_item ON sync_ledger(sync_def_id, sp_item_id) WHERE sp_item_id IS NOT NULL;
CREATE INDEX idx_sync_ledger_pending ON sync_ledger(sync_def_id, attempt_id) WHERE state = 'PENDING';
CREATE INDEX idx_sync_ledger_route ON sync_ledger(sync_def_id, next_route_at) WHERE next_route_at IS NOT NULL;

SELECT portbook_isolate('applications', 'tenant_id');
SELECT portbook_isolate('databases', 'tenant_id');
SELECT portbook_isolate('database_instances', 'tenant_id');
SELECT portbook_isolate('database_tables', 'tenant_id');
SELECT portbook_isolate('table_columns', 'tenant_id');
SELECT portbook_isolate('table_constraints', 'tenant_id');
SELECT portbook_isolate('table_indexes', 'tenant_id');
SELECT portbook_isolate('source_table_metrics', 'tenant_id');
SELECT portbook_isolate('introspection_runs', 'tenant_id');
SELECT portbook_isolate('schema_snapshots', 'tenant_id');
SELECT portbook_isolate('sharepoint_connections', 'org_id');
SELECT portbook_isolate('sharepoint_sites', 'org_id');
SELECT portbook_isolate('sharepoint_lists', 'tenant_id');
SELECT portbook_isolate('target_list_metrics', 'tenant_id');
SELECT portbook_isolate('sharepoint_columns', 'tenant_id');
SELECT portbook_isolate('sync_definitions', 'tenant_id');
SELECT portbook_isolate('sync_targets', 'tenant_id');
SELECT portbook_isolate('sync_sources', 'tenant_id');
SELECT portbook_isolate('sync_key_columns', 'tenant_id');
SELECT portbook_isolate('field_mappings', 'tenant_id');
SELECT portbook_isolate('sync_runs', 'tenant_id');
SELECT portbook_isolate('sync_events', 'tenant_id');
SELECT portbook_isolate('sync_cursors', 'tenant_id');
SELECT portbook_isolate('sync_metrics', 'tenant_id');
SELECT portbook_isolate_by('sync_ledger', 'sync_def_id', 'sync_definitions');
