ALTER TABLE column_masks DROP COLUMN exempt_roles;
ALTER TABLE database_connections DROP COLUMN max_plan_cost, DROP COLUMN extra_functions, DROP COLUMN proposed_masks, DROP COLUMN probe_notes,
    DROP COLUMN schema_config_version;
