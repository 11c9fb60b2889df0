CREATE TABLE database_connections (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(100) UNIQUE NOT NULL,
    display_name varchar(200) NOT NULL,
    description text,
    db_type varchar(20) NOT NULL CHECK (db_type IN ('postgresql', 'mysql', 'sqlite')),
    connection_config jsonb NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    is_readonly boolean NOT NULL DEFAULT true,
    max_connections integer NOT NULL DEFAULT 10 CHECK (max_connections BETWEEN 1 AND 1000),
    schema_info jsonb,
    last_schema_sync timestamptz,
    -- A user who leaves does not take his connections along (the document's reference would forbid his leaving).
    created_by uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    updated_at timestamptz NOT NULL DEFAULT dg_now(),
    -- Not in the document: where the connection stands.
    state text NOT NULL DEFAULT 'probing' CHECK (state IN ('probing', 'ready', 'refused', 'unreachable')),
    state_since timestamptz NOT NULL DEFAULT dg_now(),
    state_error jsonb,
    looked_at timestamptz,
    allow_writable_role boolean NOT NULL DEFAULT false,
    role_warnings text[] NOT NULL DEFAULT '{}',
    server_version text,
    config_version bigint NOT NULL DEFAULT 1,
    schema_version bigint NOT NULL DEFAULT 0,
    policy_version bigint NOT NULL DEFAULT 1,
    CONSTRAINT conn_config_check CHECK (jsonb_typeof(connection_config) = 'object')
);
-- idx_db_connections_name of the document is left out: UNIQUE has made the same index.
CREATE INDEX idx_db_connections_type ON database_connections (db_type);
CREATE INDEX idx_db_connections_active ON database_connections (is_active);
CREATE TRIGGER database_connections_touch BEFORE UPDATE ON database_connections FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
COMMENT ON TABLE database_connections IS 'Customers'' databases';
COMMENT ON COLUMN database_connections.connection_config IS 'Sealed: {"v","key_id","nonce","ciphertext"}, AES-256-GCM bound to this row''s id';
COMMENT ON COLUMN database_connections.schema_info IS 'The catalogue as last synced';
COMMENT ON COLUMN database_connections.state IS 'probing → ready | refused | unreachable';
COMMENT ON COLUMN database_connections.looked_at IS 'When a probe or sync last found something out';
COMMENT ON COLUMN database_connections.role_warnings IS 'What the role could change, in words; empty: it can only read';
COMMENT ON COLUMN database_connections.config_version IS 'Moves when connection_config or allow_writable_role change; pools and cached results belong to one version';
COMMENT ON COLUMN database_connections.schema_version IS 'Moves when schema_info changes';

CREATE FUNCTION bump_connection_versions() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER database_connections_versions BEFORE UPDATE ON database_connections
    FOR EACH ROW EXECUTE FUNCTION bump_connection_versions();

CREATE TABLE connection_permissions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL REFERENCES database_connections (id) ON DELETE CASCADE,
    can_query boolean NOT NULL DEFAULT true,
    allowed_schemas text[],
    allowed_tables text[],
    max_rows_per_query integer NOT NULL DEFAULT 10000 CHECK (max_rows_per_query > 0),
    max_execution_time_seconds integer NOT NULL DEFAULT 30 CHECK (max_execution_time_seconds > 0),
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    UNIQUE (user_id, connection_id)
);
-- idx_conn_perms_user of the document is left out: the UNIQUE index begins with user_id.
CREATE INDEX idx_conn_perms_connection ON connection_permissions (connection_id);
COMMENT ON TABLE connection_permissions IS 'Who may query which connection; admins need no row';
COMMENT ON COLUMN connection_permissions.allowed_schemas IS 'NULL: all; empty: none';
COMMENT ON COLUMN connection_permissions.allowed_tables IS 'table (of the default schema) or schema.table; NULL: all; empty: none';

-- A version that outlives the permission row, so that a permission withdrawn and given again is a new version.
CREATE TABLE permission_versions (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL REFERENCES database_connections (id) ON DELETE CASCADE,
    version bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (user_id, connection_id)
);
COMMENT ON TABLE permission_versions IS 'Moved by a trigger with every change of a permission; read in the claim, checked before execution and reading';

CREATE FUNCTION bump_permission_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    target record;
BEGIN
    IF TG_OP = 'DELETE' THEN target := OLD; ELSE target := NEW; END IF;
    -- A cascade from a deleted user or connection has nobody left to version.
    INSERT INTO permission_versions (user_id, connection_id)
    SELECT u.id, c.id FROM users u, database_connections c WHERE u.id = target.user_id AND c.id = target.connection_id
    ON CONFLICT (user_id, connection_id) DO UPDATE SET version = permission_versions.version + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER connection_permissions_version AFTER INSERT OR UPDATE OR DELETE ON connection_permissions
    FOR EACH ROW EXECUTE FUNCTION bump_permission_version();

-- Not in the document: which columns go through mask_personal_data().
CREATE TABLE column_masks (
    connection_id uuid NOT NULL REFERENCES database_connections (id) ON DELETE CASCADE,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('email', 'phone', 'card_number', 'name')),
    PRIMARY KEY (connection_id, schema_name, table_name, column_name)
);
COMMENT ON TABLE column_masks IS 'Columns whose values are masked in results, samples, prompts, caches and exports';

CREATE FUNCTION bump_mask_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE database_connections SET policy_version = policy_version + 1
    WHERE id = (CASE WHEN TG_OP = 'DELETE' THEN OLD.connection_id ELSE NEW.connection_id END);
    RETURN NULL;
END
$$;
CREATE TRIGGER column_masks_version AFTER INSERT OR UPDATE OR DELETE ON column_masks
    FOR EACH ROW EXECUTE FUNCTION bump_mask_version();

CREATE TABLE cached_schema_info (
    connection_id uuid REFERENCES database_connections (id) ON DELETE CASCADE,
    -- TEXT where the document has VARCHAR(100): names and types of real databases are longer (an enum or array type, say).
    schema_name text,
    table_name text,
    column_name text,
    data_type text,
    is_nullable boolean,
    column_default text,
    is_primary_key boolean NOT NULL DEFAULT false,
    cached_at timestamptz NOT NULL DEFAULT dg_now(),
    PRIMARY KEY (connection_id, schema_name, table_name, column_name)
);
-- idx_cached_schema_connection and idx_cached_schema_table of the document are left out: they are prefixes of the primary key.
COMMENT ON TABLE cached_schema_info IS 'The columns of the customers'' databases, as last synced';

-- One word for the state of everything that a policy is made of; compared for equality only.
CREATE FUNCTION policy_version(of_user uuid, on_connection uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('u%s.c%s.p%s', u.policy_version, c.policy_version, coalesce(p.version, 0))
    FROM users u CROSS JOIN database_connections c
    LEFT JOIN permission_versions p ON p.user_id = u.id AND p.connection_id = c.id
    WHERE u.id = of_user AND c.id = on_connection
$$;
COMMENT ON FUNCTION policy_version(uuid, uuid) IS 'The version of a user''s policy on a connection';
