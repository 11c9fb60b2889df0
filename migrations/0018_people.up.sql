-- People: what names are compared by, passwords that must be changed, the addresses that somebody is known at.

ALTER TABLE users
    ADD COLUMN username_key text,
    ADD COLUMN email_key text,
    ADD COLUMN must_change_password boolean NOT NULL DEFAULT false,
    ADD COLUMN password_changed_at timestamptz;

-- The program folds look-alike letters too. Who has a name that is another's but for its case keeps it: a blank is in no folded name.
ALTER TABLE users DISABLE TRIGGER users_touch;
UPDATE users u SET
    username_key = f.name || CASE WHEN f.nth_name > 1 THEN ' ' || u.id ELSE '' END,
    email_key = f.email || CASE WHEN f.nth_email > 1 THEN ' ' || u.id ELSE '' END
FROM (
    SELECT id, lower(normalize(username, NFKC)) AS name, lower(email) AS email,
        row_number() OVER (PARTITION BY lower(normalize(username, NFKC)) ORDER BY created_at, id) AS nth_name,
        row_number() OVER (PARTITION BY lower(email) ORDER BY created_at, id) AS nth_email
    FROM users
) f WHERE f.id = u.id;
ALTER TABLE users ENABLE TRIGGER users_touch;
ALTER TABLE users ALTER COLUMN username_key SET NOT NULL, ALTER COLUMN email_key SET NOT NULL;
CREATE UNIQUE INDEX users_username_key_unique ON users (username_key);
CREATE UNIQUE INDEX users_email_key_unique ON users (email_key);
COMMENT ON COLUMN users.username_key IS 'The name without case, width and look-alike letters: unique, and what a login is looked up by';
COMMENT ON COLUMN users.email_key IS 'The address in lower case: unique';
COMMENT ON COLUMN users.must_change_password IS 'Somebody else knows the password (it was generated, or set by an administrator): until it is changed its sessions do nothing else';

CREATE FUNCTION fold_user_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.username_key IS NULL OR TG_OP = 'UPDATE' AND NEW.username <> OLD.username AND NEW.username_key = OLD.username_key THEN
        NEW.username_key := lower(normalize(NEW.username, NFKC));
    END IF;
    NEW.email_key := lower(NEW.email);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION fold_user_names() IS 'Fills in the folded name where the program has not, and the folded address';
CREATE TRIGGER users_fold BEFORE INSERT OR UPDATE OF username, email ON users FOR EACH ROW EXECUTE FUNCTION fold_user_names();

CREATE TABLE user_addresses (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address inet NOT NULL,
    last_login_at timestamptz NOT NULL DEFAULT dg_now(),
    PRIMARY KEY (user_id, address)
);
COMMENT ON TABLE user_addresses IS 'Where somebody has signed in from lately: strangers who guess his password from elsewhere do not hold him up there';
COMMENT ON COLUMN user_addresses.address IS 'Of IPv6 the /64';

CREATE TABLE api_key_addresses (
    api_key_id uuid NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    address inet NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT dg_now(),
    PRIMARY KEY (api_key_id, address)
);
COMMENT ON TABLE api_key_addresses IS 'Where a key has been used from: the first use from an address is in the audit log';
COMMENT ON COLUMN api_key_addresses.address IS 'Of IPv6 the /64';

-- Every question that is answered has a line of what ran, as it has one of what was asked.
DROP INDEX idx_audit_logs_action;
CREATE INDEX idx_audit_logs_action ON audit_logs (action) WHERE action NOT IN ('question.asked', 'sql.run');
