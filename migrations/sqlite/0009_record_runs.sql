-- What the engine of rows keeps beside the tables of the specification: who runs a definition, what its hashes were made
-- with, which rows failed; and previews that list rows.

-- One row per definition that was run. The version counts the mappings that its hashes were made with; the fingerprint tells
-- when the mapping is another one. The overlap is how long a transaction may take to commit where its database cannot tell
-- which ones are under way.
CREATE TABLE sync_definition_state (
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id BLOB NOT NULL PRIMARY KEY CHECK (length(sync_def_id) = 16),
    mapping_version INTEGER NOT NULL DEFAULT 0 CHECK (mapping_version >= 0),
    mapping_fingerprint BLOB CHECK (length(mapping_fingerprint) = 32),
    generation INTEGER NOT NULL DEFAULT 0 CHECK (generation >= 0),
    cursor_overlap_ms INTEGER NOT NULL DEFAULT 120000 CHECK (cursor_overlap_ms >= 0),
    lease_owner TEXT,
    lease_expires_at INTEGER,
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE
) STRICT;

-- Rows that were not carried, each told once; they are tried again by every run until they are. A cursor that has moved on
-- does not show them again, so that the key is kept by which they are read.
CREATE TABLE sync_row_failure (
    sync_def_id BLOB NOT NULL REFERENCES sync_definitions(id) ON DELETE CASCADE,
    source_identity_hash BLOB NOT NULL CHECK (length(source_identity_hash) = 32),
    source_identity TEXT NOT NULL,
    source_key BLOB,
    error_code TEXT NOT NULL,
    error_message TEXT NOT NULL,
    retry_count INTEGER NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    first_failed_at INTEGER NOT NULL,
    last_failed_at INTEGER NOT NULL,
    PRIMARY KEY (sync_def_id, source_identity_hash)
) STRICT, WITHOUT ROWID;

-- `item_kind` 6 is a row. SQLite changes no CHECK in place.
CREATE TABLE sync_preview_change_new (
    preview_id BLOB NOT NULL REFERENCES sync_preview_cache(id) ON DELETE CASCADE,
    ord INTEGER NOT NULL CHECK (ord >= 0),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    lead_seq INTEGER,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 7),
    direction INTEGER CHECK (direction IN (1, 2)),
    action INTEGER NOT NULL,
    item_kind INTEGER NOT NULL CHECK (item_kind BETWEEN 1 AND 6),
    path BLOB NOT NULL,
    bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    is_exception INTEGER NOT NULL DEFAULT 0 CHECK (is_exception IN (0, 1)),
    outcome TEXT CHECK (outcome IN ('applied', 'failed', 'stale', 'skipped')),
    detail BLOB NOT NULL,
    PRIMARY KEY (preview_id, ord, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO sync_preview_change_new SELECT preview_id, ord, seq, lead_seq, kind, direction, action, item_kind, path, bytes,
    is_exception, outcome, detail FROM sync_preview_change;
DROP TABLE sync_preview_change;
ALTER TABLE sync_preview_change_new RENAME TO sync_preview_change;
