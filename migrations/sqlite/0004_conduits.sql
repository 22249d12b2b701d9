-- Conduits, their generations, and what a person decides about them: conflicts, selection rules, pins.

CREATE TABLE sync_conduit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    source_entry_id INTEGER NOT NULL,
    target_entry_id INTEGER NOT NULL,
    name TEXT CHECK (length(name) BETWEEN 1 AND 255),
    sync_mode TEXT NOT NULL CHECK (sync_mode IN ('mirror', 'bidirectional', 'selective')),
    conflict_policy TEXT NOT NULL DEFAULT 'keep-both'
        CHECK (conflict_policy IN ('source-wins', 'destination-wins', 'latest-wins', 'keep-both')),
    name_clash TEXT NOT NULL DEFAULT 'skip' CHECK (name_clash IN ('skip', 'alias')),
    filters TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(filters)),
    filter_fingerprint BLOB,
    exact INTEGER NOT NULL DEFAULT 0 CHECK (exact IN (0, 1)),
    verify TEXT NOT NULL DEFAULT 'size' CHECK (verify IN ('none', 'size', 'checksum')),
    max_delete TEXT NOT NULL DEFAULT '50%' CHECK (length(max_delete) BETWEEN 1 AND 20),
    enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    schedule TEXT NOT NULL DEFAULT 'manual' CHECK (
        schedule IN ('instant', 'manual') OR schedule LIKE 'interval:_%' OR schedule LIKE 'cron:_%'),
    use_index_rules INTEGER NOT NULL DEFAULT 1 CHECK (use_index_rules IN (0, 1)),
    index_mode_override TEXT CHECK (index_mode_override IN ('shallow', 'content', 'deep')),
    parallel_transfers INTEGER NOT NULL DEFAULT 3 CHECK (parallel_transfers > 0),
    bandwidth_limit_mbps INTEGER CHECK (bandwidth_limit_mbps > 0),
    bandwidth_timetable TEXT CHECK (bandwidth_timetable <> ''),
    source_root_identity TEXT,
    target_root_identity TEXT,
    next_pair_id INTEGER NOT NULL DEFAULT 1 CHECK (next_pair_id > 0),
    unclean INTEGER NOT NULL DEFAULT 0 CHECK (unclean IN (0, 1)),
    lease_owner TEXT CHECK (length(lease_owner) <= 255),
    lease_expires_at INTEGER,
    last_sync_completed_at INTEGER,
    sync_generation INTEGER NOT NULL DEFAULT 0 CHECK (sync_generation >= 0),
    last_sync_error TEXT,
    total_syncs INTEGER NOT NULL DEFAULT 0 CHECK (total_syncs >= 0),
    files_synced INTEGER NOT NULL DEFAULT 0 CHECK (files_synced >= 0),
    bytes_transferred INTEGER NOT NULL DEFAULT 0 CHECK (bytes_transferred >= 0),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, source_entry_id, target_entry_id),
    CHECK ((lease_owner IS NULL) = (lease_expires_at IS NULL)),
    FOREIGN KEY (tenant_id, source_entry_id) REFERENCES entry(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, target_entry_id) REFERENCES entry(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX idx_sync_conduit_enabled ON sync_conduit(enabled);
CREATE INDEX idx_sync_conduit_target ON sync_conduit(tenant_id, target_entry_id);
CREATE UNIQUE INDEX idx_sync_conduit_name ON sync_conduit(tenant_id, name) WHERE name IS NOT NULL;

CREATE TRIGGER sync_conduit_ends_are_directories_insert BEFORE INSERT ON sync_conduit
WHEN EXISTS (SELECT 1 FROM entry WHERE id IN (NEW.source_entry_id, NEW.target_entry_id) AND kind <> 1)
BEGIN SELECT RAISE(ABORT, 'both ends of a conduit must be directories'); END;

CREATE TRIGGER sync_conduit_ends_are_directories_update BEFORE UPDATE OF source_entry_id, target_entry_id ON sync_conduit
WHEN EXISTS (SELECT 1 FROM entry WHERE id IN (NEW.source_entry_id, NEW.target_entry_id) AND kind <> 1)
BEGIN SELECT RAISE(ABORT, 'both ends of a conduit must be directories'); END;

CREATE TABLE sync_generation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id BLOB NOT NULL,
    conduit_id INTEGER NOT NULL,
    generation INTEGER NOT NULL CHECK (generation > 0),
    status TEXT NOT NULL DEFAULT 'running' CHECK (
        status IN ('running', 'completed', 'completed_with_errors', 'failed', 'cancelled', 'paused')),
    preview_id BLOB CHECK (length(preview_id) = 16),
    started_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    completed_at INTEGER,
    files_copied INTEGER NOT NULL DEFAULT 0 CHECK (files_copied >= 0),
    files_new INTEGER NOT NULL DEFAULT 0 CHECK (files_new >= 0),
    files_updated INTEGER NOT NULL DEFAULT 0 CHECK (files_updated >= 0),
    files_deleted INTEGER NOT NULL DEFAULT 0 CHECK (files_deleted >= 0),
    files_moved INTEGER NOT NULL DEFAULT 0 CHECK (files_moved >= 0),
    files_unchanged INTEGER NOT NULL DEFAULT 0 CHECK (files_unchanged >= 0),
    files_skipped INTEGER NOT NULL DEFAULT 0 CHECK (files_skipped >= 0),
    conflicts_resolved INTEGER NOT NULL DEFAULT 0 CHECK (conflicts_resolved >= 0),
    conflicts_pending INTEGER NOT NULL DEFAULT 0 CHECK (conflicts_pending >= 0),
    bytes_transferred INTEGER NOT NULL DEFAULT 0 CHECK (bytes_transferred >= 0),
    errors_encountered INTEGER NOT NULL DEFAULT 0 CHECK (errors_encountered >= 0),
    error_message TEXT,
    verified_at INTEGER,
    verification_status TEXT NOT NULL DEFAULT 'unverified' CHECK (
        verification_status IN ('unverified', 'waiting_watcher', 'waiting_library_sync', 'verified')
        OR verification_status LIKE 'failed:_%'),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, conduit_id) REFERENCES sync_conduit(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX idx_sync_generation_conduit ON sync_generation(conduit_id, generation);
CREATE INDEX idx_sync_generation_tenant ON sync_generation(tenant_id, conduit_id);

-- A conflict that waits for a person, and what was decided about it. The states are what each side of the conduit showed;
-- null where it had nothing. A decision waits until a run carries it out (carried_in, set before its first effect), which
-- closes the conflict; a decision that came to nothing is taken back, and the note says why.
CREATE TABLE sync_conflict (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id BLOB NOT NULL,
    conduit_id INTEGER NOT NULL,
    parent_id INTEGER NOT NULL,
    pair_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    path BLOB NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('name_collision', 'name_not_allowed', 'move_cycle', 'suspect')),
    reason_side INTEGER CHECK (reason_side IN (1, 2)),
    left_state BLOB,
    right_state BLOB,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    decision TEXT CHECK (decision IN ('source', 'destination', 'both', 'rename-source', 'rename-destination')),
    new_name BLOB,
    decided_at INTEGER,
    decided_by BLOB,
    carried_in INTEGER,
    note TEXT,
    resolved_at INTEGER,
    resolution TEXT CHECK (
        resolution IN ('source', 'destination', 'both', 'rename-source', 'rename-destination', 'dropped')),
    CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CHECK ((new_name IS NOT NULL) = (decision IS NOT NULL AND decision LIKE 'rename-%')),
    CHECK ((resolved_at IS NULL) = (resolution IS NULL)),
    FOREIGN KEY (tenant_id, decided_by) REFERENCES users(tenant_id, id),
    FOREIGN KEY (tenant_id, conduit_id) REFERENCES sync_conduit(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE TRIGGER users_leave_conflicts BEFORE DELETE ON users
BEGIN UPDATE sync_conflict SET decided_by = NULL WHERE tenant_id = OLD.tenant_id AND decided_by = OLD.id; END;

CREATE UNIQUE INDEX idx_sync_conflict_open ON sync_conflict(conduit_id, path) WHERE resolved_at IS NULL;
CREATE INDEX idx_sync_conflict_conduit ON sync_conflict(tenant_id, conduit_id, id);

-- Selective mode: the first rule that matches decides; pins outrank rules.
CREATE TABLE sync_selection_rule (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id BLOB NOT NULL,
    conduit_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    pattern TEXT NOT NULL CHECK (length(pattern) > 0),
    is_included INTEGER NOT NULL CHECK (is_included IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, conduit_id, position),
    FOREIGN KEY (tenant_id, conduit_id) REFERENCES sync_conduit(tenant_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE sync_pin (
    tenant_id BLOB NOT NULL,
    conduit_id INTEGER NOT NULL,
    path BLOB NOT NULL,
    is_held INTEGER NOT NULL CHECK (is_held IN (0, 1)),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    PRIMARY KEY (tenant_id, conduit_id, path),
    FOREIGN KEY (tenant_id, conduit_id) REFERENCES sync_conduit(tenant_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
