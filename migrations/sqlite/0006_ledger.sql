-- The file ledger: what both sides of a conduit last agreed on, intents, and resumable transfers.

-- Clustered by directory, so that one range read gives a directory's children in the order of their names. The
-- states are in the binary form of the ledger's codec. The id is in the key because two rows may have one name for a
-- while, in the middle of a swap. It has no tenant column: its conduit has one, and 16 bytes a
-- row are a tenth of the ledger.
CREATE TABLE file_pair (
    conduit_id INTEGER NOT NULL REFERENCES sync_conduit(id) ON DELETE CASCADE,
    parent_id INTEGER NOT NULL,
    name BLOB NOT NULL CHECK (length(name) > 0),
    id INTEGER NOT NULL CHECK (id > 0),
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 5),
    content BLOB CHECK (length(content) = 32),
    left_state BLOB NOT NULL,
    right_state BLOB NOT NULL,
    PRIMARY KEY (conduit_id, parent_id, name, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_file_pair_directory ON file_pair(conduit_id, id) WHERE kind = 2;

-- What is about to be done, durable before the first effect: a range of a preview's changes, or a list of its own.
CREATE TABLE file_intent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id BLOB NOT NULL,
    conduit_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    preview_id BLOB CHECK (length(preview_id) = 16),
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),
    first_seq INTEGER,
    last_seq INTEGER,
    detail BLOB,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    CHECK (first_seq <= last_seq),
    FOREIGN KEY (tenant_id, conduit_id) REFERENCES sync_conduit(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_file_intent_conduit ON file_intent(tenant_id, conduit_id, id);

-- One row per large file that is being carried, kept while a later run may continue it. `source` is the version that is
-- read: of another one nothing is continued. `attempt` goes up with each run that takes it up, and a checkpoint of an
-- earlier one is refused. `session` is the place's own form (parts, an upload's id); URLs in it are sealed.
CREATE TABLE transfer_session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id BLOB NOT NULL,
    conduit_id INTEGER NOT NULL,
    path BLOB NOT NULL,
    side INTEGER NOT NULL CHECK (side IN (1, 2)),
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'complete', 'abandoned')),
    generation INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 1 CHECK (attempt > 0),
    tag TEXT NOT NULL CHECK (tag <> ''),
    source BLOB NOT NULL,
    session BLOB,
    offset_bytes INTEGER NOT NULL DEFAULT 0 CHECK (offset_bytes >= 0),
    expires_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, conduit_id, side, path),
    FOREIGN KEY (tenant_id, conduit_id) REFERENCES sync_conduit(tenant_id, id) ON DELETE CASCADE
) STRICT;
