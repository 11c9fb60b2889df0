DROP TRIGGER column_masks_deleted ON column_masks;
DROP TRIGGER column_masks_updated ON column_masks;
DROP TRIGGER column_masks_inserted ON column_masks;
DROP FUNCTION bump_mask_version();
CREATE FUNCTION bump_mask_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE database_connections SET policy_version = policy_version + 1
    WHERE id = (CASE WHEN TG_OP = 'DELETE' THEN OLD.connection_id ELSE NEW.connection_id END);
    RETURN NULL;
END
$$;
CREATE TRIGGER column_masks_version AFTER INSERT OR UPDATE OR DELETE ON column_masks
    FOR EACH ROW EXECUTE FUNCTION bump_mask_version();
ALTER TABLE column_masks DROP COLUMN exempt_roles;
ALTER TABLE database_connections DROP COLUMN max_plan_cost, DROP COLUMN extra_functions, DROP COLUMN proposed_masks, DROP COLUMN probe_notes,
    DROP COLUMN schema_config_version;
