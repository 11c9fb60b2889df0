-- Customers' databases: what an administrator may add to a connection, what a sync proposes to mask, and who sees a column as it is.

ALTER TABLE database_connections
    ADD COLUMN max_plan_cost double precision CHECK (max_plan_cost > 0),
    ADD COLUMN extra_functions text[] NOT NULL DEFAULT '{}',
    ADD COLUMN proposed_masks jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(proposed_masks) = 'array'),
    ADD COLUMN schema_config_version bigint,
    ADD COLUMN probe_notes text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN database_connections.probe_notes IS 'What an administrator should know of the server or its role, in words, and what does not make it writable';
COMMENT ON COLUMN database_connections.max_plan_cost IS 'A statement whose plan costs more, in the planner''s own units, is refused; NULL: none is';
COMMENT ON COLUMN database_connections.extra_functions IS 'Functions that the guard lets through besides its own list, as name or schema.name';
COMMENT ON COLUMN database_connections.proposed_masks IS 'Columns that the last sync found to look personal: [{"schema","table","column","kind"}]';
COMMENT ON COLUMN database_connections.schema_config_version IS 'The config_version that schema_info was read with; NULL: not known. Only catalogues of one configuration are compared';

ALTER TABLE column_masks ADD COLUMN exempt_roles text[] NOT NULL DEFAULT '{}'
    CHECK (exempt_roles <@ ARRAY['admin', 'user', 'viewer']);
COMMENT ON COLUMN column_masks.exempt_roles IS 'Roles of users who see the column as it is';

-- Once a statement: a row at a time, a connection with ten thousand masks would get as many new versions of its row.
DROP TRIGGER column_masks_version ON column_masks;
DROP FUNCTION bump_mask_version();
CREATE FUNCTION bump_mask_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE database_connections SET policy_version = policy_version + 1 WHERE id IN (SELECT connection_id FROM changed);
    RETURN NULL;
END
$$;
CREATE TRIGGER column_masks_inserted AFTER INSERT ON column_masks REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION bump_mask_version();
CREATE TRIGGER column_masks_updated AFTER UPDATE ON column_masks REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION bump_mask_version();
CREATE TRIGGER column_masks_deleted AFTER DELETE ON column_masks REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION bump_mask_version();
