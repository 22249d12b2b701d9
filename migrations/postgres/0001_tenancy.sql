-- Row-level security, then tenants and their users. Every other row belongs to a tenant.

-- Isolates a table: a row is seen and written only by the transaction whose setting `portbook.tenant` names its tenant,
-- also when the table's owner asks. Without the setting there is no row. One policy per command, named after the table
-- unless told otherwise.
CREATE FUNCTION portbook_isolate(target regclass, tenant_column name, policy_prefix text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM portbook_police(target, policy_prefix,
        format('%I = nullif(current_setting(''portbook.tenant'', true), '''')::uuid', tenant_column));
END;
$$;

-- Isolates a table that has no tenant column by its parent: whoever sees the parent's row sees its children. The
-- parent's own policies bound the inner query, which is asked once per statement, not once per row.
CREATE FUNCTION portbook_isolate_by(target regclass, parent_column name, parent regclass, parent_key name DEFAULT 'id')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM portbook_police(target, NULL, format('%I IN (SELECT %I FROM %s)', parent_column, parent_key, parent));
END;
$$;

CREATE FUNCTION portbook_police(target regclass, policy_prefix text, rule text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    prefix text := coalesce(policy_prefix, (SELECT relname FROM pg_class WHERE oid = target));
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY %I ON %s FOR SELECT USING (%s)', prefix || '_select', target, rule);
    EXECUTE format('CREATE POLICY %I ON %s FOR INSERT WITH CHECK (%s)', prefix || '_insert', target, rule);
    EXECUTE format('CREATE POLICY %I ON %s FOR UPDATE USING (%s) WITH CHECK (%s)', prefix || '_update', target, rule, rule);
    EXECUTE format('CREATE POLICY %I ON %s FOR DELETE USING (%s)', prefix || '_delete', target, rule);
END;
$$;

CREATE TABLE tenants (
    id uuid NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    id uuid NOT NULL PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    email text COLLATE "C" CHECK (length(email) <= 320),
    display_name text COLLATE "C" NOT NULL DEFAULT '' CHECK (length(display_name) <= 255),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id)
);

CREATE UNIQUE INDEX idx_users_email ON users(tenant_id, email) WHERE email IS NOT NULL;

SELECT portbook_isolate('tenants', 'id');
SELECT portbook_isolate('users', 'tenant_id');

-- Upkeep asks for the list of tenants with the setting `*`, which is no tenant: every other table refuses it.
ALTER POLICY tenants_select ON tenants USING (CASE current_setting('portbook.tenant', true) WHEN '*' THEN true
    ELSE id = nullif(current_setting('portbook.tenant', true), '')::uuid END);
