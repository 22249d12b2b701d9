-- Databases, lists, and what keeps their rows in step. A reference is (tenant, id) to (tenant, id), so that it cannot
-- cross tenants. What belongs to something dies with it; what a definition names cannot be deleted; a reference to a
-- run is forgotten with the run.
-- Indexes that end in `id` are for lists: they come in the order of creation, page by page.

CREATE TABLE applications (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (length(name) > 0),
    owner_team TEXT,
    description TEXT,
    status TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'ARCHIVED')),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id)
) STRICT;

-- An application that has databases is archived, not deleted.
CREATE TABLE databases (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    application_id BLOB NOT NULL,
    name TEXT NOT NULL CHECK (length(name) > 0),
    db_type TEXT NOT NULL CHECK (db_type IN ('POSTGRES', 'SQLSERVER', 'MYSQL', 'SQLITE', 'HOST')),
    environment TEXT NOT NULL CHECK (environment IN ('DEV', 'STAGING', 'PROD')),
    database_name TEXT NOT NULL CHECK (length(database_name) > 0),
    status TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, application_id) REFERENCES applications(tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_databases_name ON databases(tenant_id, application_id, database_name, environment);
CREATE INDEX idx_databases_application ON databases(tenant_id, application_id, id);

-- db_password is what the vault sealed.
CREATE TABLE database_instances (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    database_id BLOB NOT NULL,
    instance_label TEXT NOT NULL CHECK (length(instance_label) > 0),
    host TEXT,
    port INTEGER CHECK (port BETWEEN 1 AND 65535),
    db_name TEXT,
    db_user TEXT,
    db_password BLOB,
    config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(config)),
    role TEXT NOT NULL DEFAULT 'PRIMARY' CHECK (role IN ('PRIMARY', 'SECONDARY')),
    priority INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    valid_from INTEGER,
    valid_to INTEGER,
    last_verified_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    CONSTRAINT ck_database_instances_valid CHECK (valid_from <= valid_to),
    FOREIGN KEY (tenant_id, database_id) REFERENCES databases(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_database_instances_status ON database_instances(tenant_id, database_id, status, priority);
CREATE INDEX idx_database_instances_database ON database_instances(tenant_id, database_id, id);

CREATE TABLE database_tables (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    database_id BLOB NOT NULL,
    schema_name TEXT NOT NULL DEFAULT '',
    table_name TEXT NOT NULL CHECK (length(table_name) > 0),
    table_type TEXT NOT NULL DEFAULT 'BASE' CHECK (table_type IN ('BASE', 'VIEW')),
    primary_key TEXT,
    row_estimate INTEGER CHECK (row_estimate >= 0),
    last_introspected_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, database_id) REFERENCES databases(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX idx_database_tables_name ON database_tables(tenant_id, database_id, schema_name, table_name);
CREATE INDEX idx_database_tables_database ON database_tables(tenant_id, database_id, id);

CREATE TABLE table_columns (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    table_id BLOB NOT NULL,
    ordinal_position INTEGER NOT NULL CHECK (ordinal_position >= 0),
    column_name TEXT NOT NULL CHECK (length(column_name) > 0),
    data_type TEXT NOT NULL CHECK (length(data_type) > 0),
    is_nullable INTEGER NOT NULL DEFAULT 1 CHECK (is_nullable IN (0, 1)),
    default_value TEXT,
    is_identity INTEGER NOT NULL DEFAULT 0 CHECK (is_identity IN (0, 1)),
    is_primary_key INTEGER NOT NULL DEFAULT 0 CHECK (is_primary_key IN (0, 1)),
    is_unique INTEGER NOT NULL DEFAULT 0 CHECK (is_unique IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, table_id) REFERENCES database_tables(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX idx_table_columns_name ON table_columns(tenant_id, table_id, column_name);
CREATE INDEX idx_table_columns_table ON table_columns(tenant_id, table_id, id);

CREATE TABLE table_constraints (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    table_id BLOB NOT NULL,
    constraint_name TEXT NOT NULL CHECK (length(constraint_name) > 0),
    constraint_type TEXT NOT NULL CHECK (constraint_type IN ('PRIMARY_KEY', 'FOREIGN_KEY', 'UNIQUE', 'CHECK')),
    columns TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(columns)),
    referenced_table TEXT,
    definition TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, table_id) REFERENCES database_tables(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_table_constraints_type ON table_constraints(tenant_id, table_id, constraint_type);
CREATE INDEX idx_table_constraints_table ON table_constraints(tenant_id, table_id, id);

CREATE TABLE table_indexes (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    table_id BLOB NOT NULL,
    index_name TEXT NOT NULL CHECK (length(index_name) > 0),
    is_unique INTEGER NOT NULL DEFAULT 0 CHECK (is_unique IN (0, 1)),
    index_method TEXT,
    columns TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(columns)),
    definition TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, table_id) REFERENCES database_tables(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_table_indexes_unique ON table_indexes(tenant_id, table_id, is_unique);
CREATE INDEX idx_table_indexes_table ON table_indexes(tenant_id, table_id, id);

CREATE TABLE source_table_metrics (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    table_id BLOB NOT NULL,
    database_instance_id BLOB NOT NULL,
    captured_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    row_count INTEGER NOT NULL CHECK (row_count >= 0),
    max_updated_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, table_id) REFERENCES database_tables(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, database_instance_id) REFERENCES database_instances(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_source_table_metrics_captured
    ON source_table_metrics(tenant_id, table_id, database_instance_id, captured_at);

CREATE TABLE introspection_runs (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    database_instance_id BLOB NOT NULL,
    started_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    ended_at INTEGER,
    status TEXT CHECK (status IN ('SUCCESS', 'FAILED')),
    stats TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(stats)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    CONSTRAINT ck_introspection_runs_ended CHECK ((ended_at IS NULL) = (status IS NULL)),
    FOREIGN KEY (tenant_id, database_instance_id) REFERENCES database_instances(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_introspection_runs_instance ON introspection_runs(tenant_id, database_instance_id, started_at);

CREATE TABLE schema_snapshots (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    table_id BLOB NOT NULL,
    database_instance_id BLOB NOT NULL,
    captured_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    columns TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(columns)),
    constraints TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(constraints)),
    indexes TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(indexes)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, table_id) REFERENCES database_tables(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, database_instance_id) REFERENCES database_instances(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_schema_snapshots_captured ON schema_snapshots(tenant_id, table_id, database_instance_id, captured_at);

-- org_id is the tenant of the book, tenant_id the one of Entra. client_secret is what the vault sealed.
CREATE TABLE sharepoint_connections (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (length(name) > 0),
    tenant_id TEXT NOT NULL CHECK (length(tenant_id) > 0),
    client_id TEXT NOT NULL CHECK (length(client_id) > 0),
    client_secret BLOB,
    authority_host TEXT NOT NULL DEFAULT 'https://login.microsoftonline.com',
    scopes TEXT NOT NULL DEFAULT '["https://graph.microsoft.com/.default"]' CHECK (json_valid(scopes)),
    status TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    last_verified_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (org_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_sharepoint_connections_client ON sharepoint_connections(org_id, tenant_id, client_id);

CREATE TABLE sharepoint_sites (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    org_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    connection_id BLOB NOT NULL,
    tenant_id TEXT NOT NULL CHECK (length(tenant_id) > 0),
    hostname TEXT NOT NULL CHECK (length(hostname) > 0),
    site_path TEXT NOT NULL,
    site_id TEXT,
    web_url TEXT,
    status TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (org_id, id),
    FOREIGN KEY (org_id, connection_id) REFERENCES sharepoint_connections(org_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_sharepoint_sites_connection ON sharepoint_sites(org_id, connection_id, id);

CREATE TABLE sharepoint_lists (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    site_id BLOB NOT NULL,
    list_id TEXT,
    display_name TEXT NOT NULL CHECK (length(display_name) > 0),
    description TEXT,
    template TEXT NOT NULL DEFAULT 'genericList',
    is_provisioned INTEGER NOT NULL DEFAULT 0 CHECK (is_provisioned IN (0, 1)),
    last_provisioned_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES sharepoint_sites(org_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX idx_sharepoint_lists_list ON sharepoint_lists(tenant_id, site_id, list_id);
CREATE INDEX idx_sharepoint_lists_site ON sharepoint_lists(tenant_id, site_id, id);

CREATE TABLE target_list_metrics (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    target_list_id BLOB NOT NULL,
    captured_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    item_count INTEGER NOT NULL CHECK (item_count >= 0),
    last_modified_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, target_list_id) REFERENCES sharepoint_lists(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_target_list_metrics_captured ON target_list_metrics(tenant_id, target_list_id, captured_at);

CREATE TABLE sharepoint_columns (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    list_id BLOB NOT NULL,
    column_name TEXT NOT NULL CHECK (length(column_name) > 0),
    column_type TEXT NOT NULL CHECK (length(column_type) > 0),
    is_required INTEGER NOT NULL DEFAULT 0 CHECK (is_required IN (0, 1)),
    is_readonly INTEGER NOT NULL DEFAULT 0 CHECK (is_readonly IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, list_id) REFERENCES sharepoint_lists(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX idx_sharepoint_columns_name ON sharepoint_columns(tenant_id, list_id, column_name);
CREATE INDEX idx_sharepoint_columns_list ON sharepoint_columns(tenant_id, list_id, id);

-- The target is a list or a table. What a definition names cannot be deleted under it.
CREATE TABLE sync_definitions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (length(name) > 0),
    source_table_id BLOB NOT NULL,
    target_list_id BLOB,
    target_table_id BLOB,
    sync_mode TEXT NOT NULL CHECK (sync_mode IN ('ONE_WAY_PUSH', 'TWO_WAY', 'ARCHIVE_ONLY')),
    conflict_policy TEXT NOT NULL DEFAULT 'SOURCE_WINS'
        CHECK (conflict_policy IN ('SOURCE_WINS', 'DESTINATION_WINS', 'LATEST_WINS', 'MANUAL')),
    key_strategy TEXT NOT NULL DEFAULT 'PRIMARY_KEY'
        CHECK (key_strategy IN ('PRIMARY_KEY', 'UNIQUE_CONSTRAINT', 'COMPOSITE_COLUMNS', 'HASHED')),
    key_constraint_name TEXT,
    target_strategy TEXT NOT NULL DEFAULT 'SINGLE' CHECK (target_strategy IN ('SINGLE', 'CONDITIONAL')),
    cursor_strategy TEXT NOT NULL DEFAULT 'FULL_SCAN' CHECK (cursor_strategy IN ('UPDATED_AT', 'LSN', 'FULL_SCAN')),
    cursor_column_id BLOB,
    sharding_policy TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(sharding_policy)),
    schedule_cron TEXT,
    is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    CONSTRAINT ck_sync_definitions_target CHECK ((target_list_id IS NULL) <> (target_table_id IS NULL)),
    FOREIGN KEY (tenant_id, source_table_id) REFERENCES database_tables(tenant_id, id),
    FOREIGN KEY (tenant_id, target_list_id) REFERENCES sharepoint_lists(tenant_id, id),
    FOREIGN KEY (tenant_id, target_table_id) REFERENCES database_tables(tenant_id, id),
    FOREIGN KEY (tenant_id, cursor_column_id) REFERENCES table_columns(tenant_id, id)
) STRICT;

CREATE INDEX idx_sync_definitions_source ON sync_definitions(tenant_id, source_table_id, id);
CREATE INDEX idx_sync_definitions_list ON sync_definitions(tenant_id, target_list_id, id);
CREATE INDEX idx_sync_definitions_table ON sync_definitions(tenant_id, target_table_id, id);

CREATE TABLE sync_targets (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id BLOB NOT NULL,
    target_list_id BLOB NOT NULL,
    connection_id BLOB NOT NULL,
    site_id BLOB NOT NULL,
    is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    priority INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DISABLED')),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, target_list_id) REFERENCES sharepoint_lists(tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES sharepoint_connections(org_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES sharepoint_sites(org_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_sync_targets_list ON sync_targets(tenant_id, sync_def_id, target_list_id);
CREATE INDEX idx_sync_targets_definition ON sync_targets(tenant_id, sync_def_id, id);

-- The ledger refers to the pair, so its index has no tenant in front.
CREATE TABLE sync_sources (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id BLOB NOT NULL,
    database_instance_id BLOB NOT NULL,
    role TEXT NOT NULL DEFAULT 'PRIMARY' CHECK (role IN ('PRIMARY', 'SECONDARY')),
    priority INTEGER NOT NULL DEFAULT 0,
    is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, database_instance_id) REFERENCES database_instances(tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_sync_sources_instance ON sync_sources(sync_def_id, database_instance_id);
CREATE INDEX idx_sync_sources_definition ON sync_sources(tenant_id, sync_def_id, id);

CREATE TABLE sync_key_columns (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id BLOB NOT NULL,
    column_id BLOB NOT NULL,
    ordinal_position INTEGER NOT NULL CHECK (ordinal_position >= 0),
    is_required INTEGER NOT NULL DEFAULT 1 CHECK (is_required IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, column_id) REFERENCES table_columns(tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_sync_key_columns_column ON sync_key_columns(tenant_id, sync_def_id, column_id);
CREATE INDEX idx_sync_key_columns_definition ON sync_key_columns(tenant_id, sync_def_id, id);

-- The target column is of a list or of a table.
CREATE TABLE field_mappings (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id BLOB NOT NULL,
    source_column_id BLOB NOT NULL,
    source_column_name TEXT NOT NULL CHECK (length(source_column_name) > 0),
    target_column_id BLOB,
    target_table_column_id BLOB,
    target_column_name TEXT NOT NULL CHECK (length(target_column_name) > 0),
    target_type TEXT,
    sync_direction TEXT NOT NULL DEFAULT 'BIDIRECTIONAL'
        CHECK (sync_direction IN ('BIDIRECTIONAL', 'PUSH_ONLY', 'PULL_ONLY')),
    is_system_field INTEGER NOT NULL DEFAULT 0 CHECK (is_system_field IN (0, 1)),
    transform_rule TEXT,
    is_key INTEGER NOT NULL DEFAULT 0 CHECK (is_key IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    CONSTRAINT ck_field_mappings_target CHECK ((target_column_id IS NULL) <> (target_table_column_id IS NULL)),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, source_column_id) REFERENCES table_columns(tenant_id, id),
    FOREIGN KEY (tenant_id, target_column_id) REFERENCES sharepoint_columns(tenant_id, id),
    FOREIGN KEY (tenant_id, target_table_column_id) REFERENCES table_columns(tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_field_mappings_source ON field_mappings(tenant_id, sync_def_id, source_column_id);
CREATE INDEX idx_field_mappings_definition ON field_mappings(tenant_id, sync_def_id, id);

CREATE TABLE sync_runs (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id BLOB NOT NULL,
    run_type TEXT NOT NULL CHECK (run_type IN ('PUSH', 'INGRESS', 'CDC')),
    status TEXT NOT NULL DEFAULT 'RUNNING' CHECK (status IN ('RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'PAUSED')),
    start_time INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    end_time INTEGER,
    items_processed INTEGER NOT NULL DEFAULT 0 CHECK (items_processed >= 0),
    items_failed INTEGER NOT NULL DEFAULT 0 CHECK (items_failed >= 0),
    error_message TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_sync_runs_start ON sync_runs(tenant_id, sync_def_id, start_time);

CREATE TABLE sync_events (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_run_id BLOB NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('INFO', 'WARN', 'ERROR')),
    event_type TEXT NOT NULL CHECK (length(event_type) > 0),
    message TEXT NOT NULL,
    payload TEXT CHECK (json_valid(payload)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_run_id) REFERENCES sync_runs(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_sync_events_run ON sync_events(tenant_id, sync_run_id, id);

-- A cursor goes with what it is a cursor of. Nothing is a value in its key: one cursor per side of a definition whose
-- instance or list is not named.
CREATE TABLE sync_cursors (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id BLOB NOT NULL,
    cursor_scope TEXT NOT NULL CHECK (cursor_scope IN ('SOURCE', 'TARGET')),
    cursor_type TEXT NOT NULL CHECK (cursor_type IN ('TIMESTAMP', 'LSN', 'DELTA_LINK')),
    cursor_value TEXT NOT NULL,
    source_instance_id BLOB,
    target_list_id BLOB,
    last_run_id BLOB,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    CONSTRAINT ck_sync_cursors_scope
        CHECK (CASE cursor_scope WHEN 'SOURCE' THEN target_list_id IS NULL ELSE source_instance_id IS NULL END),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, source_instance_id) REFERENCES database_instances(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, target_list_id) REFERENCES sharepoint_lists(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, last_run_id) REFERENCES sync_runs(tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_sync_cursors_scope
    ON sync_cursors(tenant_id, sync_def_id, cursor_scope,
    coalesce(source_instance_id, x''),
    coalesce(target_list_id, x''));
CREATE INDEX idx_sync_cursors_definition ON sync_cursors(tenant_id, sync_def_id, id);

CREATE TABLE sync_metrics (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id BLOB NOT NULL,
    source_instance_id BLOB,
    target_list_id BLOB,
    last_sync_ts INTEGER,
    total_rows_synced INTEGER NOT NULL DEFAULT 0 CHECK (total_rows_synced >= 0),
    last_run_id BLOB,
    last_reconcile_at INTEGER,
    source_row_count INTEGER CHECK (source_row_count >= 0),
    target_row_count INTEGER CHECK (target_row_count >= 0),
    reconcile_delta INTEGER,
    reconcile_status TEXT NOT NULL DEFAULT 'UNKNOWN' CHECK (reconcile_status IN ('MATCH', 'MISMATCH', 'UNKNOWN')),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, source_instance_id) REFERENCES database_instances(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, target_list_id) REFERENCES sharepoint_lists(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, last_run_id) REFERENCES sync_runs(tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_sync_metrics_scope
    ON sync_metrics(tenant_id, sync_def_id, coalesce(source_instance_id, x''), coalesce(target_list_id, x''));
CREATE INDEX idx_sync_metrics_definition ON sync_metrics(tenant_id, sync_def_id, id);

-- SQLite has no ON DELETE SET NULL of one column of a composite key.
CREATE TRIGGER sync_runs_leave_cursors BEFORE DELETE ON sync_runs
BEGIN UPDATE sync_cursors SET last_run_id = NULL WHERE tenant_id = OLD.tenant_id AND last_run_id = OLD.id; END;

CREATE TRIGGER sync_runs_leave_metrics BEFORE DELETE ON sync_runs
BEGIN UPDATE sync_metrics SET last_run_id = NULL WHERE tenant_id = OLD.tenant_id AND last_run_id = OLD.id; END;

-- What source and target last agreed on, row by row. Millions of rows: clustered by definition and identity hash, so
-- that a definition, or a range of its hashes, is one range read, and an upsert finds its row without another index.
-- Hashes are 32 bytes, not 64 digits. `id` costs nothing: it is the front of the identity hash, whose preimage holds
-- the tenant and the definition. There is no tenant column: the definition has one. The instance is one of its
-- sources, which keeps it in the tenant and lets a source be deleted without reading other ledgers.
CREATE TABLE sync_ledger (
    sync_def_id BLOB NOT NULL REFERENCES sync_definitions(id) ON DELETE CASCADE,
    source_identity_hash BLOB NOT NULL CHECK (length(source_identity_hash) = 32),
    id BLOB NOT NULL GENERATED ALWAYS AS (substr(source_identity_hash, 1, 16)) VIRTUAL,
    source_identity TEXT NOT NULL,
    source_key_strategy TEXT NOT NULL
        CHECK (source_key_strategy IN ('PRIMARY_KEY', 'UNIQUE_CONSTRAINT', 'COMPOSITE_COLUMNS', 'HASHED')),
    source_instance_id BLOB,
    sp_list_id TEXT,
    sp_item_id INTEGER,
    target_key TEXT,
    state TEXT NOT NULL CHECK (state IN ('PENDING', 'CONFIRMED', 'CONFLICT')),
    attempt_id BLOB CHECK (length(attempt_id) = 16),
    etag TEXT,
    content_hash BLOB CHECK (length(content_hash) = 32),
    remote_content_hash BLOB CHECK (length(remote_content_hash) = 32),
    mapping_version INTEGER NOT NULL CHECK (mapping_version >= 0),
    last_source_ts INTEGER,
    last_sync_ts INTEGER,
    next_route_at INTEGER,
    provenance TEXT NOT NULL CHECK (provenance IN ('PUSH', 'PULL')),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    PRIMARY KEY (sync_def_id, source_identity_hash),
    CONSTRAINT ck_sync_ledger_attempt CHECK (state <> 'PENDING' OR attempt_id IS NOT NULL),
    CONSTRAINT ck_sync_ledger_target CHECK (state = 'PENDING' OR sp_item_id IS NOT NULL OR target_key IS NOT NULL),
    FOREIGN KEY (sync_def_id, source_instance_id) REFERENCES sync_sources(sync_def_id, database_instance_id)
) STRICT, WITHOUT ROWID;

-- A deleted item comes from SharePoint as its number alone. The other two hold only the rows they are for.
CREATE INDEX idx_sync_ledger_item ON sync_ledger(sync_def_id, sp_item_id) WHERE sp_item_id IS NOT NULL;
CREATE INDEX idx_sync_ledger_pending ON sync_ledger(sync_def_id, attempt_id) WHERE state = 'PENDING';
CREATE INDEX idx_sync_ledger_route ON sync_ledger(sync_def_id, next_route_at) WHERE next_route_at IS NOT NULL;

-- When the definition itself is deleted its ledger goes too, and need not be written before.
CREATE TRIGGER sync_sources_leave_ledger BEFORE DELETE ON sync_sources
WHEN EXISTS (SELECT 1 FROM sync_definitions WHERE id = OLD.sync_def_id)
BEGIN
    UPDATE sync_ledger SET source_instance_id = NULL
    WHERE sync_def_id = OLD.sync_def_id AND source_instance_id = OLD.database_instance_id;
END;
