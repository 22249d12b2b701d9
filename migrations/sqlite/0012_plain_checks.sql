-- The tables that take millions of rows check their values without a table of its own for each row: SQLite builds one for every
-- list of more than two values, each time that a row is written (its EXPLAIN shows OpenEphemeral). Nothing else changes; SQLite
-- changes no CHECK in place.
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
    outcome TEXT CHECK (outcome IN ('applied', 'failed') OR outcome IN ('stale', 'skipped')),
    detail BLOB NOT NULL,
    PRIMARY KEY (preview_id, ord, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO sync_preview_change_new SELECT preview_id, ord, seq, lead_seq, kind, direction, action, item_kind, path, bytes,
    is_exception, outcome, detail FROM sync_preview_change ORDER BY preview_id, ord, seq;
DROP TABLE sync_preview_change;
ALTER TABLE sync_preview_change_new RENAME TO sync_preview_change;

-- What names the ledger is made anew with it.
DROP TRIGGER sync_sources_leave_ledger;

CREATE TABLE sync_ledger_new (
    sync_def_id BLOB NOT NULL REFERENCES sync_definitions(id) ON DELETE CASCADE,
    source_identity_hash BLOB NOT NULL CHECK (length(source_identity_hash) = 32),
    id BLOB NOT NULL GENERATED ALWAYS AS (substr(source_identity_hash, 1, 16)) VIRTUAL,
    source_identity TEXT NOT NULL,
    source_key_strategy TEXT NOT NULL CHECK (
        source_key_strategy IN ('PRIMARY_KEY', 'UNIQUE_CONSTRAINT') OR source_key_strategy IN ('COMPOSITE_COLUMNS', 'HASHED')),
    source_instance_id BLOB,
    sp_list_id TEXT,
    sp_item_id INTEGER,
    target_key TEXT,
    state TEXT NOT NULL CHECK (state IN ('PENDING', 'CONFIRMED') OR state = 'CONFLICT'),
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

INSERT INTO sync_ledger_new (
    sync_def_id, source_identity_hash, source_identity, source_key_strategy, source_instance_id, sp_list_id, sp_item_id,
    target_key, state, attempt_id, etag, content_hash, remote_content_hash, mapping_version, last_source_ts, last_sync_ts,
    next_route_at, provenance, created_at, updated_at)
SELECT
    sync_def_id, source_identity_hash, source_identity, source_key_strategy, source_instance_id, sp_list_id, sp_item_id,
    target_key, state, attempt_id, etag, content_hash, remote_content_hash, mapping_version, last_source_ts, last_sync_ts,
    next_route_at, provenance, created_at, updated_at
FROM sync_ledger ORDER BY sync_def_id, source_identity_hash;
DROP TABLE sync_ledger;
ALTER TABLE sync_ledger_new RENAME TO sync_ledger;

CREATE INDEX idx_sync_ledger_item ON sync_ledger(sync_def_id, sp_item_id) WHERE sp_item_id IS NOT NULL;
CREATE INDEX idx_sync_ledger_pending ON sync_ledger(sync_def_id, attempt_id) WHERE state = 'PENDING';
CREATE INDEX idx_sync_ledger_route ON sync_ledger(sync_def_id, next_route_at) WHERE next_route_at IS NOT NULL;

CREATE TRIGGER sync_sources_leave_ledger BEFORE DELETE ON sync_sources
WHEN EXISTS (SELECT 1 FROM sync_definitions WHERE id = OLD.sync_def_id)
BEGIN
    UPDATE sync_ledger SET source_instance_id = NULL
    WHERE sync_def_id = OLD.sync_def_id AND source_instance_id = OLD.database_instance_id;
END;
