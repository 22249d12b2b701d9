-- Row-level security, then tenants, their users, and the keys of their secrets. Every other row belongs to a tenant.

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

-- Grants a role what it needs to use the book, and nothing else: it owns no table, and reaches partitions only through
-- their parent. Grants nothing that it has already, as a grant is a change of the catalog.
CREATE FUNCTION portbook_grant(role_name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    here regnamespace := quote_ident(current_schema())::regnamespace;
    target regclass;
BEGIN
    IF NOT has_schema_privilege(role_name, here, 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', here, role_name);
    END IF;
    FOR target IN SELECT oid FROM pg_class
        WHERE relnamespace = here AND relkind IN ('r', 'p') AND NOT relispartition AND relforcerowsecurity
        AND NOT (has_table_privilege(role_name, oid, 'SELECT') AND has_table_privilege(role_name, oid, 'INSERT')
            AND has_table_privilege(role_name, oid, 'UPDATE') AND has_table_privilege(role_name, oid, 'DELETE'))
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', target, role_name);
    END LOOP;
    IF NOT has_table_privilege(role_name, 'schema_migration', 'SELECT') THEN
        EXECUTE format('GRANT SELECT ON schema_migration TO %I', role_name);
    END IF;
END;
$$;

-- The last write of each connection, in the same transaction as what it wrote: whoever lost a connection while it
-- committed asks here what became of it. A connection sees its own mark; marks of a day ago may be cleared by anyone.
CREATE TABLE write_mark (
    writer uuid NOT NULL PRIMARY KEY,
    number bigint NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

SELECT portbook_police('write_mark', NULL, 'writer = nullif(current_setting(''portbook.writer'', true), '''')::uuid');
ALTER POLICY write_mark_select ON write_mark USING (
    writer = nullif(current_setting('portbook.writer', true), '')::uuid OR written_at < now() - INTERVAL '1 day');
ALTER POLICY write_mark_delete ON write_mark USING (written_at < now() - INTERVAL '1 day');

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

-- What wraps the data keys of all tenants: one row, in slot 1, from the first secret on. Slot 0 is filled only inside of
-- the transaction that rotates the key. Nothing here is a secret.
CREATE TABLE vault_key (
    slot bigint NOT NULL PRIMARY KEY CHECK (slot IN (0, 1)),
    key_id uuid NOT NULL UNIQUE,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('raw', 'passphrase', 'host')),
    salt bytea CHECK (length(salt) >= 16),
    memory_kib bigint CHECK (memory_kib > 0),
    passes bigint CHECK (passes > 0),
    lanes bigint CHECK (lanes > 0),
    check_value bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'passphrase') = (salt IS NOT NULL)),
    CHECK ((salt IS NULL) = (memory_kib IS NULL)),
    CHECK ((salt IS NULL) = (passes IS NULL)),
    CHECK ((salt IS NULL) = (lanes IS NULL))
);

-- A tenant's keys, wrapped; the newest seals, all open. The reference to what wrapped them keeps a rotation from leaving
-- one behind, and a process with the old key from adding one meanwhile.
CREATE TABLE data_key (
    tenant_id uuid NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    generation bigint NOT NULL CHECK (generation BETWEEN 1 AND 4294967295),
    key_id uuid NOT NULL REFERENCES vault_key(key_id) ON DELETE RESTRICT,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, generation)
);

CREATE INDEX idx_data_key_key ON data_key(key_id);

SELECT portbook_isolate('tenants', 'id');
SELECT portbook_isolate('users', 'tenant_id');
SELECT portbook_isolate('data_key', 'tenant_id');

-- Every tenant needs the book's key; none may change it.
SELECT portbook_police('vault_key', NULL, 'current_setting(''portbook.tenant'', true) = ''*''');
ALTER POLICY vault_key_select ON vault_key USING (true);

-- Upkeep asks for the list of tenants with the setting `*`, which is no tenant: every table but these two refuses it.
ALTER POLICY tenants_select ON tenants USING (CASE current_setting('portbook.tenant', true) WHEN '*' THEN true
    ELSE id = nullif(current_setting('portbook.tenant', true), '')::uuid END);

-- One row while a copy of another book arrives here: until it is whole, nobody may take it for a book.
CREATE TABLE book_copy (
    number bigint NOT NULL PRIMARY KEY CHECK (number = 1),
    begun_at timestamptz NOT NULL DEFAULT now()
);

-- It is nobody's, and says nothing about anybody.
SELECT portbook_police('book_copy', NULL, 'true');

-- Lets the numbers of a table go on after those that a copy has brought. Whoever may write the tables may not set their
-- sequences: this raises one, and only while a copy arrives.
CREATE FUNCTION portbook_number_on(target text, numbered text, at_least bigint) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    sequence text := pg_get_serial_sequence(target, numbered);
BEGIN
    IF NOT EXISTS (SELECT 1 FROM book_copy) OR at_least < nextval(sequence) THEN
        RETURN 0;
    END IF;
    RETURN setval(sequence, at_least);
END;
$$;
