-- Settings at run time, and the rotation of sealing keys.

-- The version of all settings together: moved by a trigger with every change of a row, so that a process sees by one number whether it
-- has to read them again, whoever changed them.
CREATE TABLE settings_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL DEFAULT 1
);
INSERT INTO settings_version DEFAULT VALUES;
COMMENT ON TABLE settings_version IS 'One row: moves with every change of system_settings; its lock puts those who change settings in order';

CREATE FUNCTION bump_settings_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE settings_version SET version = version + 1;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION bump_settings_version() IS 'Trigger: system_settings changed';
CREATE TRIGGER system_settings_version AFTER INSERT OR UPDATE OR DELETE ON system_settings
    FOR EACH ROW EXECUTE FUNCTION bump_settings_version();
-- A TRUNCATE fires no trigger of a row.
CREATE TRIGGER system_settings_version_truncated AFTER TRUNCATE ON system_settings
    FOR EACH STATEMENT EXECUTE FUNCTION bump_settings_version();

-- A value that is only sealed again, under another key, is no change: nobody has to look at a connection again, and no time of a last
-- change moves. Who re-seals says so, in its own transaction.
CREATE FUNCTION is_resealing() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('datagenie.resealing', true), '') = 'on'
$$;
COMMENT ON FUNCTION is_resealing() IS 'Whether this transaction puts sealed values under another key and changes nothing else';

CREATE OR REPLACE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT is_resealing() THEN
        NEW.updated_at := dg_now();
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION bump_connection_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What an earlier look found out no longer holds when either changes: looks name the version that they looked at.
    IF (NEW.connection_config IS DISTINCT FROM OLD.connection_config OR NEW.allow_writable_role <> OLD.allow_writable_role)
        AND NEW.config_version = OLD.config_version AND NOT is_resealing() THEN
        NEW.config_version := OLD.config_version + 1;
    END IF;
    IF NEW.state <> OLD.state THEN
        NEW.state_since := dg_now();
    END IF;
    IF NEW.schema_info IS DISTINCT FROM OLD.schema_info THEN
        NEW.schema_version := OLD.schema_version + 1;
    END IF;
    IF NEW.is_active IS DISTINCT FROM OLD.is_active THEN
        NEW.policy_version := OLD.policy_version + 1;
    END IF;
    RETURN NEW;
END
$$;

-- Everything that is sealed, each with the row that it is bound to. What seals something new adds it here, or a rotation would not find it.
CREATE VIEW sealed_values AS
    SELECT 'connection_config' AS place, id::text AS id, connection_config AS value FROM database_connections
    UNION ALL SELECT 'webhook_secret', id::text, secret FROM webhook_endpoints
    UNION ALL SELECT 'old_webhook_secret', id::text, old_secret FROM webhook_endpoints WHERE old_secret IS NOT NULL
    UNION ALL SELECT 'callback_secret', user_id::text, secret FROM webhook_callback_secrets
    UNION ALL SELECT 'old_callback_secret', user_id::text, old_secret FROM webhook_callback_secrets WHERE old_secret IS NOT NULL
    UNION ALL SELECT 'setting', key, value FROM system_settings WHERE is_sensitive;
COMMENT ON VIEW sealed_values IS 'Every value that is sealed, by its place: what a rotation of keys goes through';
