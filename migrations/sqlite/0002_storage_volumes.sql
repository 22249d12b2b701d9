-- Volumes with what they are reached by, their files and quotas, and the directories that conduits start from.

CREATE TABLE storage_volumes (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    driver TEXT NOT NULL CHECK (driver IN ('local', 's3', 'ftp', 'http')),
    config TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(config)),
    default_prefix TEXT,
    enforce_hierarchy INTEGER NOT NULL DEFAULT 1 CHECK (enforce_hierarchy IN (0, 1)),
    path_delimiter TEXT NOT NULL DEFAULT '/' CHECK (length(path_delimiter) BETWEEN 1 AND 5),
    use_query_params INTEGER NOT NULL DEFAULT 0 CHECK (use_query_params IN (0, 1)),
    auto_path_strategy TEXT NOT NULL DEFAULT 'none' CHECK (auto_path_strategy IN ('none', 'uuid', 'hash')),
    versioning_mode TEXT NOT NULL DEFAULT 'none' CHECK (versioning_mode IN ('none', 'source', 'target')),
    quota_limit INTEGER CHECK (quota_limit >= 0),
    quota_used INTEGER NOT NULL DEFAULT 0 CHECK (quota_used >= 0),
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_storage_volumes_name ON storage_volumes(tenant_id, name);

CREATE TABLE local_paths (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    path TEXT NOT NULL CHECK (length(path) > 0),
    description TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_local_paths_path ON local_paths(tenant_id, path);

-- What a user may hold on a volume, and holds. No limit: only counted.
CREATE TABLE user_quotas (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    user_id BLOB NOT NULL,
    volume_id BLOB NOT NULL,
    quota_limit INTEGER CHECK (quota_limit >= 0),
    quota_used INTEGER NOT NULL DEFAULT 0 CHECK (quota_used >= 0),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX idx_user_quotas_user_volume ON user_quotas(tenant_id, user_id, volume_id);
CREATE INDEX idx_user_quotas_volume ON user_quotas(tenant_id, volume_id, id);

-- The same for an app.
CREATE TABLE app_quotas (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    app_id TEXT NOT NULL CHECK (length(app_id) BETWEEN 1 AND 100),
    volume_id BLOB NOT NULL,
    quota_limit INTEGER CHECK (quota_limit >= 0),
    quota_used INTEGER NOT NULL DEFAULT 0 CHECK (quota_used >= 0),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX idx_app_quotas_app_volume ON app_quotas(tenant_id, app_id, volume_id);
CREATE INDEX idx_app_quotas_volume ON app_quotas(tenant_id, volume_id, id);

-- Room that a transfer under way has been promised: it counts as used until its owner books or releases it, or until it
-- expires, so that a process that dies does not keep it. Its bytes are never part of quota_used.
CREATE TABLE quota_reservation (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    volume_id BLOB NOT NULL,
    user_id BLOB,
    app_id TEXT CHECK (length(app_id) BETWEEN 1 AND 100),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    owner TEXT NOT NULL CHECK (length(owner) BETWEEN 1 AND 255),
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_quota_reservation_volume ON quota_reservation(tenant_id, volume_id, id);
CREATE INDEX idx_quota_reservation_user ON quota_reservation(tenant_id, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX idx_quota_reservation_expires ON quota_reservation(tenant_id, expires_at);

CREATE TABLE s3_buckets (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    endpoint_url TEXT NOT NULL CHECK (length(endpoint_url) > 0),
    bucket_name TEXT NOT NULL CHECK (length(bucket_name) BETWEEN 1 AND 255),
    region TEXT CHECK (length(region) <= 50),
    use_ssl INTEGER NOT NULL DEFAULT 1 CHECK (use_ssl IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id)
) STRICT;

CREATE INDEX idx_s3_buckets_name ON s3_buckets(tenant_id, bucket_name, id);

-- secret_key and session_token are sealed.
CREATE TABLE s3_credentials (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    bucket_id BLOB NOT NULL,
    access_key TEXT NOT NULL CHECK (length(access_key) > 0),
    secret_key BLOB NOT NULL,
    session_token BLOB,
    description TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, bucket_id) REFERENCES s3_buckets(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_s3_credentials_bucket ON s3_credentials(tenant_id, bucket_id, id);

CREATE TABLE http_endpoints (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    url TEXT NOT NULL CHECK (length(url) > 0),
    description TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id)
) STRICT;

CREATE INDEX idx_http_endpoints_url ON http_endpoints(tenant_id, url, id);

-- credentials is a sealed JSON document.
CREATE TABLE http_credentials (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    endpoint_id BLOB NOT NULL,
    auth_type TEXT NOT NULL CHECK (auth_type IN ('basic', 'bearer', 'custom_header', 'digest')),
    credentials BLOB NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES http_endpoints(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_http_credentials_endpoint ON http_credentials(tenant_id, endpoint_id, id);

-- password and passphrase are sealed. No port: the protocol's own, 21 or 22, or 990 for FTPS that begins with TLS.
CREATE TABLE ftp_endpoints (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    host TEXT NOT NULL CHECK (length(host) BETWEEN 1 AND 255),
    port INTEGER CHECK (port BETWEEN 1 AND 65535),
    protocol TEXT NOT NULL CHECK (protocol IN ('ftp', 'sftp')),
    ftps_mode TEXT NOT NULL DEFAULT 'none' CHECK (ftps_mode IN ('none', 'explicit', 'implicit')),
    username TEXT CHECK (length(username) <= 100),
    password BLOB,
    key_path TEXT,
    passphrase BLOB,
    host_key TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    CHECK (protocol = 'ftp' OR ftps_mode = 'none')
) STRICT;

CREATE INDEX idx_ftp_endpoints_host ON ftp_endpoints(tenant_id, host, id);

-- The index of a volume. A version that is kept is a row of its own, at a path of its own, that names the file it was
-- of; it goes before the file does. A file outlives its user: the bytes are still there.
CREATE TABLE files (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    volume_id BLOB NOT NULL,
    user_id BLOB,
    app_id TEXT CHECK (length(app_id) BETWEEN 1 AND 100),
    namespace TEXT NOT NULL CHECK (namespace IN ('users', 'apps')),
    filename TEXT NOT NULL CHECK (length(filename) > 0),
    storage_path TEXT NOT NULL CHECK (length(storage_path) > 0),
    mime_type TEXT CHECK (length(mime_type) <= 100),
    size INTEGER NOT NULL CHECK (size >= 0),
    digest BLOB CHECK (length(digest) = 32),
    version_of BLOB,
    version_no INTEGER NOT NULL DEFAULT 1 CHECK (version_no > 0),
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(metadata)),
    is_public INTEGER NOT NULL DEFAULT 0 CHECK (is_public IN (0, 1)),
    deleted_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, id),
    FOREIGN KEY (tenant_id, version_of) REFERENCES files(tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_files_storage_path ON files(tenant_id, volume_id, storage_path) WHERE deleted_at IS NULL;
CREATE INDEX idx_files_volume ON files(tenant_id, volume_id, id);
CREATE INDEX idx_files_user ON files(tenant_id, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX idx_files_app ON files(tenant_id, app_id, id) WHERE app_id IS NOT NULL;
CREATE UNIQUE INDEX idx_files_version ON files(tenant_id, version_of, version_no) WHERE version_of IS NOT NULL;

-- SQLite has no ON DELETE SET NULL of one column of a composite key.
CREATE TRIGGER users_leave_files BEFORE DELETE ON users
BEGIN UPDATE files SET user_id = NULL WHERE tenant_id = OLD.tenant_id AND user_id = OLD.id; END;

-- One row per directory that a conduit starts from or a host names; never one per synced file.
-- kind: 0 file, 1 directory, 2 symbolic link.
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    volume_id BLOB,
    cloud_folder_id BLOB,
    provider_id BLOB,
    path BLOB NOT NULL,
    name BLOB NOT NULL,
    kind INTEGER NOT NULL DEFAULT 1 CHECK (kind IN (0, 1, 2)),
    observed_state TEXT NOT NULL DEFAULT 'unknown' CHECK (observed_state IN ('present', 'absent', 'unknown')),
    observed_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE,
    -- The table comes with the clouds; SQLite resolves the name when it is used.
    FOREIGN KEY (tenant_id, cloud_folder_id) REFERENCES cloud_folders(tenant_id, id) ON DELETE CASCADE,
    CHECK (volume_id IS NULL OR cloud_folder_id IS NULL)
) STRICT;

CREATE UNIQUE INDEX idx_entry_place ON entry(tenant_id, ifnull(volume_id, x''), ifnull(cloud_folder_id, x''), path);
CREATE INDEX idx_entry_cloud_folder ON entry(tenant_id, cloud_folder_id) WHERE cloud_folder_id IS NOT NULL;
