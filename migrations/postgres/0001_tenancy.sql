-- Tenants and their users. Every other row belongs to a tenant.

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
