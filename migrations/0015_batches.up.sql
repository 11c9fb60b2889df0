-- Batches: thousands of questions at once. A batch exists with its row and not before: its lines are written first, in commits of their
-- own, so that no transaction stands open for as long as an upload takes.

CREATE TABLE batches (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'cancelling', 'completed', 'cancelled', 'budget_spent')),
    stopped_by text CHECK (stopped_by IN ('owner', 'budget')),
    on_invalid text NOT NULL CHECK (on_invalid IN ('reject', 'skip')),
    connection_id uuid,
    connections uuid[] NOT NULL DEFAULT '{}',
    callback_url text CHECK (length(callback_url) BETWEEN 1 AND 2048),
    budget_tokens bigint CHECK (budget_tokens > 0),
    budget_cost double precision CHECK (budget_cost > 0),
    total integer NOT NULL CHECK (total > 0),
    invalid integer NOT NULL DEFAULT 0 CHECK (invalid BETWEEN 0 AND total),
    questions integer NOT NULL CHECK (questions > 0),
    last_line integer NOT NULL,
    next_line integer NOT NULL DEFAULT 1,
    tally jsonb NOT NULL,
    tallied_at timestamptz,
    traceparent text,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    finished_at timestamptz,
    CONSTRAINT batches_finished CHECK ((status IN ('running', 'cancelling')) = (finished_at IS NULL)),
    CONSTRAINT batches_stopped CHECK ((status IN ('running', 'completed')) = (stopped_by IS NULL))
) WITH (fillfactor = 50);
CREATE INDEX batches_user ON batches (user_id, id DESC);
CREATE INDEX batches_open ON batches (id) WHERE finished_at IS NULL;
COMMENT ON TABLE batches IS 'Batches of questions, decided from the rows of their jobs';
COMMENT ON COLUMN batches.connections IS 'Every connection that a line is asked of: a key limited to some sees the batch only if it may use all';
COMMENT ON COLUMN batches.callback_url IS 'Called once at its end; may hold a secret in its path or query';
COMMENT ON COLUMN batches.questions IS 'Questions to compute: lines that are the same share one';
COMMENT ON COLUMN batches.next_line IS 'The lines before it have their jobs. The others have none yet: a few are made at a time, as earlier ones end';
COMMENT ON COLUMN batches.tally IS '{"counts": {…}, "usage": {…}} as last counted; after the end as of then';

CREATE TABLE batch_items (
    -- Without a foreign key: a batch's row is written after its lines. Lines without a batch are what an upload left that came to nothing.
    batch_id uuid NOT NULL,
    line integer NOT NULL CHECK (line > 0),
    custom_id text,
    question_id uuid,
    first_line integer NOT NULL,
    payload jsonb,
    deadline_seconds double precision,
    error jsonb,
    PRIMARY KEY (batch_id, line),
    CONSTRAINT batch_items_one_of CHECK ((question_id IS NULL) = (error IS NOT NULL))
);
COMMENT ON TABLE batch_items IS 'The lines of batches as they were sent: written once';
COMMENT ON COLUMN batch_items.question_id IS 'The question that answers it, made when it is its turn; lines that are the same have the same one. NULL: the line was refused';
COMMENT ON COLUMN batch_items.first_line IS 'The first line with that question: its own, or the one whose answer it shares';
COMMENT ON COLUMN batch_items.payload IS 'Payload of the job; NULL: it shares another line''s, or was refused';

ALTER TABLE schedule_runs ADD COLUMN batch_id uuid;
COMMENT ON COLUMN schedules.action IS '{"kind": "question" | "batch" | "schema_sync" | "maintenance", …}';

INSERT INTO system_settings (key, value, description, category) VALUES
    ('batch_retention_days', '90', '일괄 질문(배치) 보관 기간 (일)', 'upkeep')
ON CONFLICT (key) DO NOTHING;
