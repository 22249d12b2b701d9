-- Volumes, approved local paths, and the directories that conduits start from.

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

-- One row per directory that a conduit starts from or a host names; never one per synced file.
-- kind: 0 file, 1 directory, 2 symbolic link. cloud_folder_id gets its foreign key with the clouds.
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    volume_id BLOB,
    cloud_folder_id BLOB CHECK (length(cloud_folder_id) = 16),
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
    CHECK (volume_id IS NULL OR cloud_folder_id IS NULL)
) STRICT;

CREATE UNIQUE INDEX idx_entry_place ON entry(tenant_id, ifnull(volume_id, x''), ifnull(cloud_folder_id, x''), path);
