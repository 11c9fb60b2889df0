DROP INDEX idx_audit_logs_action;
CREATE INDEX idx_audit_logs_action ON audit_logs (action) WHERE action <> 'question.asked';
DROP TABLE api_key_addresses;
DROP TABLE user_addresses;
DROP TRIGGER users_fold ON users;
DROP FUNCTION fold_user_names();
ALTER TABLE users
    DROP COLUMN username_key,
    DROP COLUMN email_key,
    DROP COLUMN must_change_password,
    DROP COLUMN password_changed_at;
