-- Accounts at clouds, their folders, jobs, files and shared links; cloud_sync_errors comes with the operations.
--
-- A reference between tables of a tenant names the tenant, too: a row of another tenant cannot be referred to, which is
-- what the specification's checks of tenant consistency ask for.

-- A user's grant of access to a cloud. The tokens are sealed.
CREATE TABLE cloud_connections (
    index_id INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL CONSTRAINT fk_cloud_connections_tenant REFERENCES tenants(id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
    user_id BLOB NOT NULL,
    provider_type TEXT NOT NULL CONSTRAINT ck_cloud_connections_provider_type CHECK (
        provider_type IN ('onedrive', 'gdrive', 'dropbox', 'box', 'sharepoint')),
    provider_user_id TEXT NOT NULL CHECK (length(provider_user_id) <= 255),
    provider_user_email TEXT CHECK (length(provider_user_email) <= 255),
    encrypted_access_token BLOB NOT NULL,
    encrypted_refresh_token BLOB,
    token_expiry INTEGER NOT NULL,
    scope TEXT NOT NULL,
    last_used_at INTEGER,
    last_sync_at INTEGER,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'revoked', 'expired', 'error')),
    display_name TEXT CHECK (length(display_name) <= 255),
    connection_metadata TEXT CHECK (json_valid(connection_metadata)),
    -- Also ck_cloud_connections_tenant_consistency: the user is of the same tenant.
    CONSTRAINT fk_cloud_connections_user FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX ix_cloud_connections_id ON cloud_connections(id);
CREATE INDEX ix_cloud_connections_tenant_active ON cloud_connections(tenant_id, index_id) WHERE NOT is_deleted;
CREATE UNIQUE INDEX ix_cloud_connections_tenant_id_lookup ON cloud_connections(tenant_id, id);
CREATE UNIQUE INDEX ix_cloud_connections_tenant_user_provider
    ON cloud_connections(tenant_id, user_id, provider_type, provider_user_id) WHERE NOT is_deleted;
CREATE INDEX ix_cloud_connections_status ON cloud_connections(tenant_id, status) WHERE NOT is_deleted;
CREATE INDEX ix_cloud_connections_token_expiry ON cloud_connections(token_expiry) WHERE status = 'active';

CREATE TABLE cloud_folders (
    index_id INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL CONSTRAINT fk_cloud_folders_tenant REFERENCES tenants(id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
    connection_id BLOB NOT NULL,
    folder_name TEXT NOT NULL CHECK (length(folder_name) <= 255),
    provider_folder_id TEXT NOT NULL CHECK (length(provider_folder_id) <= 255),
    folder_path TEXT,
    folder_type TEXT NOT NULL CONSTRAINT ck_cloud_folders_folder_type CHECK (
        folder_type IN ('export', 'import', 'archive', 'models', 'results', 'general')),
    is_default_export_folder INTEGER NOT NULL DEFAULT 0 CHECK (is_default_export_folder IN (0, 1)),
    is_default_import_folder INTEGER NOT NULL DEFAULT 0 CHECK (is_default_import_folder IN (0, 1)),
    auto_sync_enabled INTEGER NOT NULL DEFAULT 0 CHECK (auto_sync_enabled IN (0, 1)),
    last_sync_at INTEGER,
    sync_frequency_minutes INTEGER CHECK (sync_frequency_minutes > 0),
    folder_permissions TEXT NOT NULL DEFAULT 'read_write' CONSTRAINT ck_cloud_folders_permissions CHECK (
        folder_permissions IN ('read_only', 'read_write', 'write_only')),
    -- Also ck_cloud_folders_tenant_consistency: the connection is of the same tenant.
    CONSTRAINT fk_cloud_folders_connection
        FOREIGN KEY (tenant_id, connection_id) REFERENCES cloud_connections(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX ix_cloud_folders_id ON cloud_folders(id);
CREATE INDEX ix_cloud_folders_tenant_active ON cloud_folders(tenant_id, index_id) WHERE NOT is_deleted;
CREATE UNIQUE INDEX ix_cloud_folders_tenant_id_lookup ON cloud_folders(tenant_id, id);
CREATE INDEX ix_cloud_folders_tenant_connection ON cloud_folders(tenant_id, connection_id) WHERE NOT is_deleted;
CREATE UNIQUE INDEX ix_cloud_folders_provider_folder
    ON cloud_folders(connection_id, provider_folder_id) WHERE NOT is_deleted;
CREATE INDEX ix_cloud_folders_default_export
    ON cloud_folders(tenant_id, connection_id) WHERE is_default_export_folder AND NOT is_deleted;
CREATE INDEX ix_cloud_folders_auto_sync
    ON cloud_folders(auto_sync_enabled, sync_frequency_minutes) WHERE auto_sync_enabled AND NOT is_deleted;

-- A job is a run of a conduit that ends on a cloud folder.
CREATE TABLE cloud_sync_jobs (
    index_id INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL CONSTRAINT fk_cloud_sync_jobs_tenant REFERENCES tenants(id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
    folder_id BLOB NOT NULL,
    initiated_by_user_id BLOB,
    job_type TEXT NOT NULL CONSTRAINT ck_cloud_sync_jobs_job_type CHECK (
        job_type IN ('upload', 'download', 'bidirectional', 'export', 'import')),
    status TEXT NOT NULL DEFAULT 'pending' CONSTRAINT ck_cloud_sync_jobs_status CHECK (
        status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
    started_at INTEGER,
    completed_at INTEGER,
    progress_percentage REAL NOT NULL DEFAULT 0.0 CHECK (progress_percentage BETWEEN 0 AND 100),
    files_processed INTEGER NOT NULL DEFAULT 0 CHECK (files_processed >= 0),
    files_total INTEGER CHECK (files_total >= 0),
    bytes_transferred INTEGER NOT NULL DEFAULT 0 CHECK (bytes_transferred >= 0),
    error_message TEXT,
    job_metadata TEXT CHECK (json_valid(job_metadata)),
    -- Also ck_cloud_sync_jobs_tenant_consistency: the folder is of the same tenant.
    CONSTRAINT fk_cloud_sync_jobs_folder
        FOREIGN KEY (tenant_id, folder_id) REFERENCES cloud_folders(tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_cloud_sync_jobs_initiated_by
        FOREIGN KEY (tenant_id, initiated_by_user_id) REFERENCES users(tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX ix_cloud_sync_jobs_id ON cloud_sync_jobs(id);
CREATE INDEX ix_cloud_sync_jobs_tenant_active ON cloud_sync_jobs(tenant_id, index_id) WHERE NOT is_deleted;
CREATE UNIQUE INDEX ix_cloud_sync_jobs_tenant_id_lookup ON cloud_sync_jobs(tenant_id, id);
CREATE INDEX ix_cloud_sync_jobs_folder_status ON cloud_sync_jobs(tenant_id, folder_id, status, created_at DESC);
CREATE INDEX ix_cloud_sync_jobs_status_created ON cloud_sync_jobs(status, created_at DESC);
CREATE INDEX ix_cloud_sync_jobs_running ON cloud_sync_jobs(status) WHERE status IN ('pending', 'running');

-- SQLite has no ON DELETE SET NULL of one column of a composite key.
CREATE TRIGGER users_leave_cloud_sync_jobs BEFORE DELETE ON users
BEGIN
    UPDATE cloud_sync_jobs SET initiated_by_user_id = NULL
        WHERE tenant_id = OLD.tenant_id AND initiated_by_user_id = OLD.id;
END;

-- The index of a cloud folder. The temporary URLs are sealed.
CREATE TABLE cloud_files (
    index_id INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL CONSTRAINT fk_cloud_files_tenant REFERENCES tenants(id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
    folder_id BLOB NOT NULL,
    quodsi_file_type TEXT NOT NULL CONSTRAINT ck_cloud_files_file_type CHECK (
        quodsi_file_type IN ('model', 'result', 'animation', 'export', 'import', 'document', 'image')),
    quodsi_entity_id BLOB CHECK (length(quodsi_entity_id) = 16),
    provider_file_id TEXT NOT NULL CHECK (length(provider_file_id) <= 255),
    file_name TEXT NOT NULL CHECK (length(file_name) <= 255),
    file_path TEXT,
    file_size_bytes INTEGER NOT NULL CHECK (file_size_bytes >= 0),
    content_hash TEXT CHECK (length(content_hash) <= 64),
    mime_type TEXT CHECK (length(mime_type) <= 255),
    cloud_created_at INTEGER,
    cloud_modified_at INTEGER,
    last_synced_at INTEGER,
    sync_status TEXT NOT NULL DEFAULT 'synced' CONSTRAINT ck_cloud_files_sync_status CHECK (
        sync_status IN ('synced', 'needs_upload', 'needs_download', 'conflict', 'error')),
    upload_url BLOB,
    download_url BLOB,
    file_metadata TEXT CHECK (json_valid(file_metadata)),
    -- Also ck_cloud_files_tenant_consistency: the folder is of the same tenant.
    CONSTRAINT fk_cloud_files_folder
        FOREIGN KEY (tenant_id, folder_id) REFERENCES cloud_folders(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX ix_cloud_files_id ON cloud_files(id);
CREATE INDEX ix_cloud_files_tenant_active ON cloud_files(tenant_id, index_id) WHERE NOT is_deleted;
CREATE UNIQUE INDEX ix_cloud_files_tenant_id_lookup ON cloud_files(tenant_id, id);
CREATE INDEX ix_cloud_files_folder_type ON cloud_files(tenant_id, folder_id, quodsi_file_type);
CREATE UNIQUE INDEX ix_cloud_files_provider_file ON cloud_files(folder_id, provider_file_id) WHERE NOT is_deleted;
CREATE INDEX ix_cloud_files_entity
    ON cloud_files(tenant_id, quodsi_entity_id, quodsi_file_type) WHERE quodsi_entity_id IS NOT NULL;
CREATE INDEX ix_cloud_files_sync_status ON cloud_files(sync_status, last_synced_at) WHERE sync_status <> 'synced';
CREATE INDEX ix_cloud_files_content_hash ON cloud_files(content_hash) WHERE content_hash IS NOT NULL;

-- Whoever has the URL has what it opens: it is sealed.
CREATE TABLE cloud_shared_links (
    index_id INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL CONSTRAINT fk_cloud_shared_links_tenant REFERENCES tenants(id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
    created_by_user_id BLOB NOT NULL,
    resource_type TEXT NOT NULL CHECK (resource_type IN ('file', 'folder')),
    file_id BLOB,
    folder_id BLOB,
    provider_share_id TEXT CHECK (length(provider_share_id) <= 255),
    share_url BLOB NOT NULL,
    share_type TEXT NOT NULL CONSTRAINT ck_cloud_shared_links_share_type CHECK (
        share_type IN ('view', 'edit', 'download', 'comment')),
    password_protected INTEGER NOT NULL DEFAULT 0 CHECK (password_protected IN (0, 1)),
    expires_at INTEGER,
    access_count INTEGER NOT NULL DEFAULT 0 CHECK (access_count >= 0),
    last_accessed_at INTEGER,
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    CONSTRAINT ck_cloud_shared_links_resource CHECK (
        (resource_type = 'file' AND file_id IS NOT NULL AND folder_id IS NULL)
        OR (resource_type = 'folder' AND folder_id IS NOT NULL AND file_id IS NULL)),
    CONSTRAINT fk_cloud_shared_links_created_by
        FOREIGN KEY (tenant_id, created_by_user_id) REFERENCES users(tenant_id, id),
    CONSTRAINT fk_cloud_shared_links_file
        FOREIGN KEY (tenant_id, file_id) REFERENCES cloud_files(tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_cloud_shared_links_folder
        FOREIGN KEY (tenant_id, folder_id) REFERENCES cloud_folders(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX ix_cloud_shared_links_id ON cloud_shared_links(id);
CREATE INDEX ix_cloud_shared_links_tenant_active ON cloud_shared_links(tenant_id, index_id) WHERE NOT is_deleted;
CREATE UNIQUE INDEX ix_cloud_shared_links_tenant_id_lookup ON cloud_shared_links(tenant_id, id);
CREATE INDEX ix_cloud_shared_links_file
    ON cloud_shared_links(tenant_id, file_id) WHERE file_id IS NOT NULL AND NOT is_deleted;
CREATE INDEX ix_cloud_shared_links_folder
    ON cloud_shared_links(tenant_id, folder_id) WHERE folder_id IS NOT NULL AND NOT is_deleted;
CREATE INDEX ix_cloud_shared_links_expires
    ON cloud_shared_links(expires_at) WHERE expires_at IS NOT NULL AND is_active;

-- What a user has marked as deleted goes with the user; what is not keeps the user from being deleted.
CREATE TRIGGER users_take_deleted_cloud_rows BEFORE DELETE ON users
BEGIN
    DELETE FROM cloud_shared_links
        WHERE tenant_id = OLD.tenant_id AND created_by_user_id = OLD.id AND is_deleted;
    DELETE FROM cloud_connections WHERE tenant_id = OLD.tenant_id AND user_id = OLD.id AND is_deleted;
END;
