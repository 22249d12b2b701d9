-- What an application may spend of a service's budget, shared by all processes that use the book.

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

SELECT portbook_isolate('unit_budget', 'tenant_id');
SELECT portbook_isolate_by('unit_grant', 'budget_id', 'unit_budget');
