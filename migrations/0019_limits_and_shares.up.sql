-- What one user or one key may use up, where that differs from the settings: {"requests_per_minute": 600, …}; 0: no limit.
ALTER TABLE users ADD COLUMN limits jsonb NOT NULL DEFAULT '{}' CONSTRAINT users_limits_check CHECK (jsonb_typeof(limits) = 'object');
ALTER TABLE api_keys ADD COLUMN limits jsonb NOT NULL DEFAULT '{}' CONSTRAINT api_keys_limits_check CHECK (jsonb_typeof(limits) = 'object');
-- Moves with every change of what a key may do: a stream that was opened by the key as it was ends.
ALTER TABLE api_keys ADD COLUMN version bigint NOT NULL DEFAULT 1;
COMMENT ON COLUMN users.limits IS 'Limits in place of the settings'' ones; 0: none';
COMMENT ON COLUMN api_keys.limits IS 'Limits of this key alone, besides its owner''s';
COMMENT ON COLUMN api_keys.version IS 'Moved by each change of its scopes or connections';

-- Who may read a question, or what was found in a file, besides its owner: under his own permissions. The file itself is nobody else's.
CREATE TABLE shares (
    question_id uuid REFERENCES query_history (id) ON DELETE CASCADE,
    file_id uuid REFERENCES files (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    shared_by uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    CONSTRAINT shares_of_one CHECK (num_nonnulls(question_id, file_id) = 1),
    CONSTRAINT shares_question UNIQUE (question_id, user_id),
    CONSTRAINT shares_file UNIQUE (file_id, user_id)
);
CREATE INDEX shares_user_questions ON shares (user_id, question_id DESC) WHERE question_id IS NOT NULL;
CREATE INDEX shares_user_files ON shares (user_id, file_id DESC) WHERE file_id IS NOT NULL;
CREATE INDEX shares_by ON shares (shared_by) WHERE shared_by IS NOT NULL;
COMMENT ON TABLE shares IS 'Who may read a question, or the analysis of a file, besides its owner';
