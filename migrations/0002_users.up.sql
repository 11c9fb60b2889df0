CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    username varchar(50) UNIQUE NOT NULL,
    email varchar(255) UNIQUE NOT NULL,
    password_hash varchar(255) NOT NULL,
    full_name varchar(100),
    role varchar(20) NOT NULL DEFAULT 'user' CHECK (role IN ('admin', 'user', 'viewer')),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    updated_at timestamptz NOT NULL DEFAULT dg_now(),
    last_login_at timestamptz,
    -- Part of every policy's version: moves when the role or the activation changes.
    policy_version bigint NOT NULL DEFAULT 1,
    CONSTRAINT users_username_check CHECK (length(username) >= 3),
    CONSTRAINT users_email_check CHECK (email ~* '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$')
);
-- idx_users_username and idx_users_email of the document are left out: UNIQUE has made the same indexes.
CREATE INDEX idx_users_role ON users (role);
CREATE INDEX idx_users_active ON users (is_active);
CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
COMMENT ON TABLE users IS 'People and programs that sign in';
COMMENT ON COLUMN users.password_hash IS 'argon2id, PHC string';
COMMENT ON COLUMN users.role IS 'admin: everything; user: asks what was permitted; viewer: reads what is shared';
COMMENT ON COLUMN users.policy_version IS 'Moved by a trigger when role or is_active change';

CREATE FUNCTION bump_user_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.role IS DISTINCT FROM OLD.role OR NEW.is_active IS DISTINCT FROM OLD.is_active THEN
        NEW.policy_version := OLD.policy_version + 1;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER users_policy BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION bump_user_policy();

CREATE TABLE user_sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_token varchar(255) UNIQUE NOT NULL,
    ip_address inet,
    user_agent text,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    last_activity_at timestamptz NOT NULL DEFAULT dg_now(),
    CONSTRAINT session_expires_check CHECK (expires_at > created_at)
);
-- idx_sessions_token of the document is left out: UNIQUE has made the same index.
CREATE INDEX idx_sessions_user_id ON user_sessions (user_id);
CREATE INDEX idx_sessions_expires ON user_sessions (expires_at);
COMMENT ON TABLE user_sessions IS 'Login sessions';
COMMENT ON COLUMN user_sessions.session_token IS 'SHA-256 of the token, in hex: the token itself is stored nowhere';

-- Not in the document: keys for programs.
CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name varchar(100) NOT NULL CHECK (length(name) > 0),
    prefix varchar(20) UNIQUE NOT NULL,
    key_hash varchar(64) NOT NULL,
    scopes text[] NOT NULL,
    connections uuid[],
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT dg_now()
);
CREATE INDEX idx_api_keys_user ON api_keys (user_id, id);
COMMENT ON TABLE api_keys IS 'API keys; shown once, found by their prefix, compared by their hash';
COMMENT ON COLUMN api_keys.key_hash IS 'SHA-256 of the whole key, in hex';
COMMENT ON COLUMN api_keys.connections IS 'The connections it may use; NULL: all of its owner''s';
