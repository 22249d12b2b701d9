-- Tenants and their users. Every other row belongs to a tenant.

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

-- One row while a copy of another book arrives here: until it is whole, nobody may take it for a book.
CREATE TABLE book_copy (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number = 1),
    begun_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER))
) STRICT;
