-- Links that open a file of a volume: a shared link refers to `files` or to what a cloud holds.
--
-- SQLite changes no CHECK of a table that is there: it is made anew, with its numbers. The trigger that names it is made anew,
-- too, or it would go on naming the old one.
DROP TRIGGER users_take_deleted_cloud_rows;
ALTER TABLE cloud_shared_links RENAME TO old_cloud_shared_links;

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
    volume_file_id BLOB,
    CONSTRAINT ck_cloud_shared_links_resource CHECK (
        (resource_type = 'file' AND (file_id IS NULL) <> (volume_file_id IS NULL) AND folder_id IS NULL)
        OR (resource_type = 'folder' AND folder_id IS NOT NULL AND file_id IS NULL AND volume_file_id IS NULL)),
    CONSTRAINT fk_cloud_shared_links_created_by
        FOREIGN KEY (tenant_id, created_by_user_id) REFERENCES users(tenant_id, id),
    CONSTRAINT fk_cloud_shared_links_file
        FOREIGN KEY (tenant_id, file_id) REFERENCES cloud_files(tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_cloud_shared_links_folder
        FOREIGN KEY (tenant_id, folder_id) REFERENCES cloud_folders(tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_cloud_shared_links_volume_file
        FOREIGN KEY (tenant_id, volume_file_id) REFERENCES files(tenant_id, id) ON DELETE CASCADE
) STRICT;

INSERT INTO cloud_shared_links (
    index_id, id, tenant_id, created_at, updated_at, is_deleted, created_by_user_id, resource_type, file_id, folder_id,
    provider_share_id, share_url, share_type, password_protected, expires_at, access_count, last_accessed_at, is_active)
SELECT
    index_id, id, tenant_id, created_at, updated_at, is_deleted, created_by_user_id, resource_type, file_id, folder_id,
    provider_share_id, share_url, share_type, password_protected, expires_at, access_count, last_accessed_at, is_active
FROM old_cloud_shared_links;

-- Numbers of rows that are gone are not given again.
DELETE FROM sqlite_sequence WHERE name = 'cloud_shared_links';
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'cloud_shared_links', seq FROM sqlite_sequence WHERE name = 'old_cloud_shared_links';

DROP TABLE old_cloud_shared_links;

CREATE UNIQUE INDEX ix_cloud_shared_links_id ON cloud_shared_links(id);
CREATE INDEX ix_cloud_shared_links_tenant_active ON cloud_shared_links(tenant_id, index_id) WHERE NOT is_deleted;
CREATE UNIQUE INDEX ix_cloud_shared_links_tenant_id_lookup ON cloud_shared_links(tenant_id, id);
CREATE INDEX ix_cloud_shared_links_file
    ON cloud_shared_links(tenant_id, file_id) WHERE file_id IS NOT NULL AND NOT is_deleted;
CREATE INDEX ix_cloud_shared_links_folder
    ON cloud_shared_links(tenant_id, folder_id) WHERE folder_id IS NOT NULL AND NOT is_deleted;
CREATE INDEX ix_cloud_shared_links_expires
    ON cloud_shared_links(expires_at) WHERE expires_at IS NOT NULL AND is_active;
-- Deleted ones too: a file that is purged takes its links along.
CREATE INDEX ix_cloud_shared_links_volume_file
    ON cloud_shared_links(tenant_id, volume_file_id) WHERE volume_file_id IS NOT NULL;

-- What a user has marked as deleted goes with the user; what is not keeps the user from being deleted.
CREATE TRIGGER users_take_deleted_cloud_rows BEFORE DELETE ON users
BEGIN
    DELETE FROM cloud_shared_links
        WHERE tenant_id = OLD.tenant_id AND created_by_user_id = OLD.id AND is_deleted;
    DELETE FROM cloud_connections WHERE tenant_id = OLD.tenant_id AND user_id = OLD.id AND is_deleted;
END;
