-- What the engine of rows keeps beside the tables of the specification: who runs a definition, what its hashes were made
-- with, which rows failed; and previews that list rows.

-- One row per definition that was run. The version counts the mappings that its hashes were made with; the fingerprint tells
-- when the mapping is another one. The overlap is how long a transaction may take to commit where its database cannot tell
-- which ones are under way.
CREATE TABLE sync_definition_state (
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id uuid NOT NULL PRIMARY KEY,
    mapping_version bigint NOT NULL DEFAULT 0 CHECK (mapping_version >= 0),
    mapping_fingerprint bytea CHECK (length(mapping_fingerprint) = 32),
    generation bigint NOT NULL DEFAULT 0 CHECK (generation >= 0),
    cursor_overlap_ms bigint NOT NULL DEFAULT 120000 CHECK (cursor_overlap_ms >= 0),
    lease_owner text COLLATE "C",
    lease_expires_at timestamptz,
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE
);

-- Rows that were not carried, each told once; they are tried again by every run until they are. A cursor that has moved on
-- does not show them again, so that the key is kept by which they are read.
CREATE TABLE sync_row_failure (
    sync_def_id uuid NOT NULL REFERENCES sync_definitions(id) ON DELETE CASCADE,
    source_identity_hash bytea NOT NULL CHECK (length(source_identity_hash) = 32),
    source_identity text COLLATE "C" NOT NULL,
    source_key bytea,
    error_code text COLLATE "C" NOT NULL,
    error_message text COLLATE "C" NOT NULL,
    retry_count bigint NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    first_failed_at timestamptz NOT NULL,
    last_failed_at timestamptz NOT NULL,
    PRIMARY KEY (sync_def_id, source_identity_hash)
);

-- `item_kind` 6 is a row.
ALTER TABLE sync_preview_change DROP CONSTRAINT sync_preview_change_item_kind_check;
ALTER TABLE sync_preview_change ADD CONSTRAINT sync_preview_change_item_kind_check CHECK (item_kind BETWEEN 1 AND 6);

SELECT portbook_isolate('sync_definition_state', 'tenant_id');
SELECT portbook_isolate_by('sync_row_failure', 'sync_def_id', 'sync_definitions');
