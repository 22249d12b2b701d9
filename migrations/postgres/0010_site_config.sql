-- How a site is reached, beside its address, as `database_instances.config` says it of databases: the zone that its days
-- begin in, another Graph than the usual one.
ALTER TABLE sharepoint_sites ADD COLUMN config jsonb NOT NULL DEFAULT '{}';
