-- Volumes with what they are reached by, their files and quotas, and the directories that conduits start from.

CREATE TABLE storage_volumes (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    driver text COLLATE "C" NOT NULL CHECK (driver IN ('local', 's3', 'ftp', 'http')),
    config jsonb NOT NULL DEFAULT '{}',
    default_prefix text COLLATE "C",
    enforce_hierarchy boolean NOT NULL DEFAULT true,
    path_delimiter text COLLATE "C" NOT NULL DEFAULT '/' CHECK (length(path_delimiter) BETWEEN 1 AND 5),
    use_query_params boolean NOT NULL DEFAULT false,
    auto_path_strategy text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (auto_path_strategy IN ('none', 'uuid', 'hash')),
    versioning_mode text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (versioning_mode IN ('none', 'source', 'target')),
    quota_limit bigint CHECK (quota_limit >= 0),
    quota_used bigint NOT NULL DEFAULT 0 CHECK (quota_used >= 0),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id)
);

CREATE UNIQUE INDEX idx_storage_volumes_name ON storage_volumes(tenant_id, name);

CREATE TABLE local_paths (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    path text COLLATE "C" NOT NULL CHECK (length(path) > 0),
    description text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id)
);

CREATE UNIQUE INDEX idx_local_paths_path ON local_paths(tenant_id, path);

-- What a user may hold on a volume, and holds. No limit: only counted.
CREATE TABLE user_quotas (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    user_id uuid NOT NULL,
    volume_id uuid NOT NULL,
    quota_limit bigint CHECK (quota_limit >= 0),
    quota_used bigint NOT NULL DEFAULT 0 CHECK (quota_used >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX idx_user_quotas_user_volume ON user_quotas(tenant_id, user_id, volume_id);
CREATE INDEX idx_user_quotas_volume ON user_quotas(tenant_id, volume_id, id);

-- The same for an app.
CREATE TABLE app_quotas (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    app_id text COLLATE "C" NOT NULL CHECK (length(app_id) BETWEEN 1 AND 100),
    volume_id uuid NOT NULL,
    quota_limit bigint CHECK (quota_limit >= 0),
    quota_used bigint NOT NULL DEFAULT 0 CHECK (quota_used >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX idx_app_quotas_app_volume ON app_quotas(tenant_id, app_id, volume_id);
CREATE INDEX idx_app_quotas_volume ON app_quotas(tenant_id, volume_id, id);

-- Room that a transfer under way has been promised: it counts as used until its owner books or releases it, or until it
-- expires, so that a process that dies does not keep it. Its bytes are never part of quota_used.
CREATE TABLE quota_reservation (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    volume_id uuid NOT NULL,
    user_id uuid,
    app_id text COLLATE "C" CHECK (length(app_id) BETWEEN 1 AND 100),
    bytes bigint NOT NULL CHECK (bytes >= 0),
    owner text COLLATE "C" NOT NULL CHECK (length(owner) BETWEEN 1 AND 255),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_quota_reservation_volume ON quota_reservation(tenant_id, volume_id, id);
CREATE INDEX idx_quota_reservation_user ON quota_reservation(tenant_id, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX idx_quota_reservation_expires ON quota_reservation(tenant_id, expires_at);

CREATE TABLE s3_buckets (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    endpoint_url text COLLATE "C" NOT NULL CHECK (length(endpoint_url) > 0),
    bucket_name text COLLATE "C" NOT NULL CHECK (length(bucket_name) BETWEEN 1 AND 255),
    region text COLLATE "C" CHECK (length(region) <= 50),
    use_ssl boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id)
);

CREATE INDEX idx_s3_buckets_name ON s3_buckets(tenant_id, bucket_name, id);

-- secret_key and session_token are sealed.
CREATE TABLE s3_credentials (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    bucket_id uuid NOT NULL,
    access_key text COLLATE "C" NOT NULL CHECK (length(access_key) > 0),
    secret_key bytea NOT NULL,
    session_token bytea,
    description text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, bucket_id) REFERENCES s3_buckets(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_s3_credentials_bucket ON s3_credentials(tenant_id, bucket_id, id);

CREATE TABLE http_endpoints (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    url text COLLATE "C" NOT NULL CHECK (length(url) > 0),
    description text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id)
);

CREATE INDEX idx_http_endpoints_url ON http_endpoints(tenant_id, url, id);

-- credentials is a sealed JSON document.
CREATE TABLE http_credentials (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    endpoint_id uuid NOT NULL,
    auth_type text COLLATE "C" NOT NULL CHECK (auth_type IN ('basic', 'bearer', 'custom_header', 'digest')),
    credentials bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES http_endpoints(tenant_id, id) ON DELETE CASCADE
);

CREATE INDEX idx_http_credentials_endpoint ON http_credentials(tenant_id, endpoint_id, id);

-- password and passphrase are sealed. No port: the protocol's own, 21 or 22, or 990 for FTPS that begins with TLS.
CREATE TABLE ftp_endpoints (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    host text COLLATE "C" NOT NULL CHECK (length(host) BETWEEN 1 AND 255),
    port bigint CHECK (port BETWEEN 1 AND 65535),
    protocol text COLLATE "C" NOT NULL CHECK (protocol IN ('ftp', 'sftp')),
    ftps_mode text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (ftps_mode IN ('none', 'explicit', 'implicit')),
    username text COLLATE "C" CHECK (length(username) <= 100),
    password bytea,
    key_path text COLLATE "C",
    passphrase bytea,
    host_key text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    CHECK (protocol = 'ftp' OR ftps_mode = 'none')
);

CREATE INDEX idx_ftp_endpoints_host ON ftp_endpoints(tenant_id, host, id);

-- The index of a volume. A version that is kept is a row of its own, at a path of its own, that names the file it was
-- of; it goes before the file does. A file outlives its user: the bytes are still there.
CREATE TABLE files (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    volume_id uuid NOT NULL,
    user_id uuid,
    app_id text COLLATE "C" CHECK (length(app_id) BETWEEN 1 AND 100),
    namespace text COLLATE "C" NOT NULL CHECK (namespace IN ('users', 'apps')),
    filename text COLLATE "C" NOT NULL CHECK (length(filename) > 0),
    storage_path text COLLATE "C" NOT NULL CHECK (length(storage_path) > 0),
    mime_type text COLLATE "C" CHECK (length(mime_type) <= 100),
    size bigint NOT NULL CHECK (size >= 0),
    digest bytea CHECK (length(digest) = 32),
    version_of uuid,
    version_no bigint NOT NULL DEFAULT 1 CHECK (version_no > 0),
    metadata jsonb NOT NULL DEFAULT '{}',
    is_public boolean NOT NULL DEFAULT false,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users(tenant_id, id) ON DELETE SET NULL (user_id),
    FOREIGN KEY (tenant_id, version_of) REFERENCES files(tenant_id, id)
);

CREATE UNIQUE INDEX idx_files_storage_path ON files(tenant_id, volume_id, storage_path) WHERE deleted_at IS NULL;
CREATE INDEX idx_files_volume ON files(tenant_id, volume_id, id);
CREATE INDEX idx_files_user ON files(tenant_id, user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX idx_files_app ON files(tenant_id, app_id, id) WHERE app_id IS NOT NULL;
CREATE UNIQUE INDEX idx_files_version ON files(tenant_id, version_of, version_no) WHERE version_of IS NOT NULL;

-- One row per directory that a conduit starts from or a host names; never one per synced file.
-- kind: 0 file, 1 directory, 2 symbolic link. cloud_folder_id gets its foreign key with the clouds.
CREATE TABLE entry (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    volume_id uuid,
    cloud_folder_id uuid,
    provider_id bytea,
    path bytea NOT NULL,
    name bytea NOT NULL,
    kind smallint NOT NULL DEFAULT 1 CHECK (kind IN (0, 1, 2)),
    observed_state text COLLATE "C" NOT NULL DEFAULT 'unknown' CHECK (observed_state IN ('present', 'absent', 'unknown')),
    observed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, volume_id) REFERENCES storage_volumes(tenant_id, id) ON DELETE CASCADE,
    CHECK (volume_id IS NULL OR cloud_folder_id IS NULL)
);

CREATE UNIQUE INDEX idx_entry_place ON entry(tenant_id,
    coalesce(volume_id, '00000000-0000-0000-0000-000000000000'),
    coalesce(cloud_folder_id, '00000000-0000-0000-0000-000000000000'), path);
CREATE INDEX idx_entry_cloud_folder ON entry(tenant_id, cloud_folder_id) WHERE cloud_folder_id IS NOT NULL;

SELECT portbook_isolate('storage_volumes', 'tenant_id');
SELECT portbook_isolate('local_paths', 'tenant_id');
SELECT portbook_isolate('user_quotas', 'tenant_id');
SELECT portbook_isolate('app_quotas', 'tenant_id');
SELECT portbook_isolate('quota_reservation', 'tenant_id');
SELECT portbook_isolate('s3_buckets', 'tenant_id');
SELECT portbook_isolate('s3_credentials', 'tenant_id');
SELECT portbook_isolate('http_endpoints', 'tenant_id');
SELECT portbook_isolate('http_credentials', 'tenant_id');
SELECT portbook_isolate('ftp_endpoints', 'tenant_id');
SELECT portbook_isolate('files', 'tenant_id');
SELECT portbook_isolate('entry', 'tenant_id');
