-- Links that open a file of a volume: a shared link refers to `files` or to what a cloud holds.
ALTER TABLE cloud_shared_links ADD COLUMN volume_file_id uuid;

ALTER TABLE cloud_shared_links DROP CONSTRAINT ck_cloud_shared_links_resource;
ALTER TABLE cloud_shared_links ADD CONSTRAINT ck_cloud_shared_links_resource CHECK (
    (resource_type = 'file' AND (file_id IS NULL) <> (volume_file_id IS NULL) AND folder_id IS NULL)
    OR (resource_type = 'folder' AND folder_id IS NOT NULL AND file_id IS NULL AND volume_file_id IS NULL));
ALTER TABLE cloud_shared_links ADD CONSTRAINT fk_cloud_shared_links_volume_file
    FOREIGN KEY (tenant_id, volume_file_id) REFERENCES files(tenant_id, id) ON DELETE CASCADE;

-- Deleted ones too: a file that is purged takes its links along.
CREATE INDEX ix_cloud_shared_links_volume_file
    ON cloud_shared_links(tenant_id, volume_file_id) WHERE volume_file_id IS NOT NULL;
