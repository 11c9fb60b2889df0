DROP VIEW sealed_values;

CREATE OR REPLACE FUNCTION bump_connection_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What an earlier look found out no longer holds when either changes: looks name the version that they looked at.
    IF (NEW.connection_config IS DISTINCT FROM OLD.connection_config OR NEW.allow_writable_role <> OLD.allow_writable_role)
        AND NEW.config_version = OLD.config_version THEN
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

CREATE OR REPLACE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := dg_now();
    RETURN NEW;
END
$$;
DROP FUNCTION is_resealing();

DROP TRIGGER system_settings_version_truncated ON system_settings;
DROP TRIGGER system_settings_version ON system_settings;
DROP FUNCTION bump_settings_version();
DROP TABLE settings_version;
