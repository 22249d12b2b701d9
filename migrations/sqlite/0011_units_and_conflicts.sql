-- What an application may spend of a service's budget, shared by all processes that use the book; rows that wait for a
-- person; by which columns the last change wins.

-- One row per application in a tenant of Entra. Whoever takes or gives back units moves the version on, and does it only if
-- nobody has meanwhile. `day` is the number of the day since 1970 (UTC) that `day_units` were taken in.
CREATE TABLE unit_budget (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    authority TEXT NOT NULL CHECK (length(authority) > 0),
    entra_tenant TEXT NOT NULL CHECK (length(entra_tenant) > 0),
    client_id TEXT NOT NULL CHECK (length(client_id) > 0),
    units_per_minute INTEGER NOT NULL CHECK (units_per_minute > 0),
    units_per_day INTEGER NOT NULL CHECK (units_per_day > 0),
    day INTEGER NOT NULL DEFAULT 0 CHECK (day >= 0),
    day_units INTEGER NOT NULL DEFAULT 0 CHECK (day_units >= 0),
    paused_until INTEGER,
    version INTEGER NOT NULL DEFAULT 0 CHECK (version >= 0)
) STRICT;

CREATE UNIQUE INDEX idx_unit_budget_account ON unit_budget(tenant_id, authority, entra_tenant, client_id);

-- Units that a process has taken ahead of use. They count until then, whether they were spent or not, unless they are given
-- back.
CREATE TABLE unit_grant (
    budget_id BLOB NOT NULL REFERENCES unit_budget(id) ON DELETE CASCADE,
    id BLOB NOT NULL CHECK (length(id) = 16),
    units INTEGER NOT NULL CHECK (units >= 0),
    counts_until INTEGER NOT NULL,
    PRIMARY KEY (budget_id, id)
) STRICT, WITHOUT ROWID;

-- Rows that both sides of a definition changed and that wait for a person. A hash that is null: the side has no such row. What
-- they hold is not kept. `choice` is SOURCE, TARGET, or an object with the side of each field; `merged_hash` is what the
-- target's row became when fields of both were joined there.
CREATE TABLE sync_row_conflict (
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id BLOB NOT NULL,
    source_identity_hash BLOB NOT NULL CHECK (length(source_identity_hash) = 32),
    source_identity TEXT NOT NULL,
    source_hash BLOB CHECK (length(source_hash) = 32),
    target_hash BLOB CHECK (length(target_hash) = 32),
    source_key BLOB,
    target_key BLOB,
    generation INTEGER NOT NULL CHECK (generation >= 0),
    choice TEXT CHECK (choice IN ('SOURCE', 'TARGET') OR json_valid(choice)),
    decided_at INTEGER,
    decided_by BLOB,
    merged_hash BLOB CHECK (length(merged_hash) = 32),
    note TEXT,
    created_at INTEGER NOT NULL,
    met_at INTEGER NOT NULL,
    PRIMARY KEY (sync_def_id, source_identity_hash),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, decided_by) REFERENCES users(tenant_id, id)
) STRICT, WITHOUT ROWID;

-- SQLite has no ON DELETE SET NULL of one column of a composite key.
CREATE TRIGGER users_leave_row_conflicts BEFORE DELETE ON users
BEGIN UPDATE sync_row_conflict SET decided_by = NULL WHERE tenant_id = OLD.tenant_id AND decided_by = OLD.id; END;

-- By which column of each side it is told who changed a row last, how far apart both clocks may be, and who counts then.
ALTER TABLE sync_definition_state ADD COLUMN source_clock TEXT;
ALTER TABLE sync_definition_state ADD COLUMN target_clock TEXT;
ALTER TABLE sync_definition_state ADD COLUMN clock_skew_ms INTEGER NOT NULL DEFAULT 0 CHECK (clock_skew_ms >= 0);
ALTER TABLE sync_definition_state ADD COLUMN clock_tie TEXT NOT NULL DEFAULT 'SOURCE'
    CHECK (clock_tie IN ('SOURCE', 'TARGET'));
