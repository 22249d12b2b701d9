-- What an application may spend of a service's budget, shared by all processes that use the book; rows that wait for a
-- person; by which columns the last change wins.

-- One row per application in a tenant of Entra. Whoever takes or gives back units moves the version on, and does it only if
-- nobody has meanwhile. `day` is the number of the day since 1970 (UTC) that `day_units` were taken in.
CREATE TABLE unit_budget (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    authority text COLLATE "C" NOT NULL CHECK (length(authority) > 0),
    entra_tenant text COLLATE "C" NOT NULL CHECK (length(entra_tenant) > 0),
    client_id text COLLATE "C" NOT NULL CHECK (length(client_id) > 0),
    units_per_minute bigint NOT NULL CHECK (units_per_minute > 0),
    units_per_day bigint NOT NULL CHECK (units_per_day > 0),
    day bigint NOT NULL DEFAULT 0 CHECK (day >= 0),
    day_units bigint NOT NULL DEFAULT 0 CHECK (day_units >= 0),
    paused_until timestamptz,
    version bigint NOT NULL DEFAULT 0 CHECK (version >= 0)
);

CREATE UNIQUE INDEX idx_unit_budget_account ON unit_budget(tenant_id, authority, entra_tenant, client_id);

-- Units that a process has taken ahead of use. They count until then, whether they were spent or not, unless they are given
-- back.
CREATE TABLE unit_grant (
    budget_id uuid NOT NULL REFERENCES unit_budget(id) ON DELETE CASCADE,
    id uuid NOT NULL,
    units bigint NOT NULL CHECK (units >= 0),
    counts_until timestamptz NOT NULL,
    PRIMARY KEY (budget_id, id)
);

-- Rows that both sides of a definition changed and that wait for a person. A hash that is null: the side has no such row. What
-- they hold is not kept. `choice` is SOURCE, TARGET, or an object with the side of each field; `merged_hash` is what the
-- target's row became when fields of both were joined there.
CREATE TABLE sync_row_conflict (
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    sync_def_id uuid NOT NULL,
    source_identity_hash bytea NOT NULL CHECK (length(source_identity_hash) = 32),
    source_identity text COLLATE "C" NOT NULL,
    source_hash bytea CHECK (length(source_hash) = 32),
    target_hash bytea CHECK (length(target_hash) = 32),
    source_key bytea,
    target_key bytea,
    generation bigint NOT NULL CHECK (generation >= 0),
    choice text COLLATE "C" CHECK (CASE WHEN choice IS NULL OR choice IN ('SOURCE', 'TARGET') THEN true ELSE choice::jsonb IS NOT NULL END),
    decided_at timestamptz,
    decided_by uuid,
    merged_hash bytea CHECK (length(merged_hash) = 32),
    note text COLLATE "C",
    created_at timestamptz NOT NULL,
    met_at timestamptz NOT NULL,
    PRIMARY KEY (sync_def_id, source_identity_hash),
    FOREIGN KEY (tenant_id, sync_def_id) REFERENCES sync_definitions(tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, decided_by) REFERENCES users(tenant_id, id) ON DELETE SET NULL (decided_by)
);

-- By which column of each side it is told who changed a row last, how far apart both clocks may be, and who counts then.
ALTER TABLE sync_definition_state
    ADD COLUMN source_clock text COLLATE "C",
    ADD COLUMN target_clock text COLLATE "C",
    ADD COLUMN clock_skew_ms bigint NOT NULL DEFAULT 0 CHECK (clock_skew_ms >= 0),
    ADD COLUMN clock_tie text COLLATE "C" NOT NULL DEFAULT 'SOURCE' CHECK (clock_tie IN ('SOURCE', 'TARGET'));

SELECT portbook_isolate('unit_budget', 'tenant_id');
SELECT portbook_isolate_by('unit_grant', 'budget_id', 'unit_budget');
SELECT portbook_isolate('sync_row_conflict', 'tenant_id');
