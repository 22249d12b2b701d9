-- Tenants, their users, and the keys of their secrets. Every other row belongs to a tenant.

CREATE TABLE tenants (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER))
) STRICT;

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    email TEXT CHECK (length(email) <= 320),
    display_name TEXT NOT NULL DEFAULT '' CHECK (length(display_name) <= 255),
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    UNIQUE (tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX idx_users_email ON users(tenant_id, email) WHERE email IS NOT NULL;

-- What wraps the data keys of all tenants: one row, in slot 1, from the first secret on. Slot 0 is filled only inside of
-- the transaction that rotates the key. Nothing here is a secret.
CREATE TABLE vault_key (
    slot INTEGER NOT NULL PRIMARY KEY CHECK (slot IN (0, 1)),
    key_id BLOB NOT NULL UNIQUE CHECK (length(key_id) = 16),
    kind TEXT NOT NULL CHECK (kind IN ('raw', 'passphrase', 'host')),
    salt BLOB CHECK (length(salt) >= 16),
    memory_kib INTEGER CHECK (memory_kib > 0),
    passes INTEGER CHECK (passes > 0),
    lanes INTEGER CHECK (lanes > 0),
    check_value BLOB NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    CHECK ((kind = 'passphrase') = (salt IS NOT NULL)),
    CHECK ((salt IS NULL) = (memory_kib IS NULL)),
    CHECK ((salt IS NULL) = (passes IS NULL)),
    CHECK ((salt IS NULL) = (lanes IS NULL))
) STRICT;

-- A tenant's keys, wrapped; the newest seals, all open. The reference to what wrapped them keeps a rotation from leaving
-- one behind, and a process with the old key from adding one meanwhile.
CREATE TABLE data_key (
    tenant_id BLOB NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    generation INTEGER NOT NULL CHECK (generation BETWEEN 1 AND 4294967295),
    key_id BLOB NOT NULL REFERENCES vault_key(key_id) ON DELETE RESTRICT,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    PRIMARY KEY (tenant_id, generation)
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_data_key_key ON data_key(key_id);

-- One row while a copy of another book arrives here: until it is whole, nobody may take it for a book.
CREATE TABLE book_copy (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number = 1),
    begun_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER))
) STRICT;
