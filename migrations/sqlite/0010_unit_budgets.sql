-- What an application may spend of a service's budget, shared by all processes that use the book.

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
