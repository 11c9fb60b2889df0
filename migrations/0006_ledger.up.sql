-- The ledger: PostgreSQL is the truth about every piece of work, the broker only rings.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    lane text NOT NULL CHECK (lane IN ('interactive', 'bulk', 'maintenance', 'webhook')),
    state text NOT NULL CHECK (state IN ('waiting', 'queued', 'running', 'succeeded', 'failed', 'cancelled')),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    connection_id uuid,
    batch_id uuid,
    subject_id uuid,
    replay_of uuid,
    run_at timestamptz NOT NULL DEFAULT dg_now(),
    deadline timestamptz NOT NULL,
    attempt smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL DEFAULT 3,
    crashes smallint NOT NULL DEFAULT 0,
    dead boolean NOT NULL DEFAULT false,
    lease_id uuid,
    lease_until timestamptz,
    worker text,
    rung_at timestamptz,
    stage text,
    progress jsonb,
    cancel_requested_at timestamptz,
    error jsonb,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT jobs_terminal CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT jobs_leased CHECK (state <> 'running' OR (lease_id IS NOT NULL AND lease_until IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
-- What the sweep reads: work that is not over, by lane and due time. Claims and heartbeats change none of these columns.
CREATE INDEX jobs_open ON jobs (lane, run_at, id) WHERE finished_at IS NULL;
-- What the rescue reads: the few that are running, however many wait.
CREATE INDEX jobs_running ON jobs (id) WHERE state = 'running';
CREATE INDEX jobs_dead ON jobs (id) WHERE dead;
CREATE INDEX jobs_user ON jobs (user_id, id DESC);
COMMENT ON TABLE jobs IS 'The ledger: one row a piece of work; updated in place, kept small';
COMMENT ON COLUMN jobs.subject_id IS 'What it is about: a question, a connection. Without a foreign key: a job outlives its subject only until its next write, which then touches nothing';
COMMENT ON COLUMN jobs.lease_id IS 'Fencing token of the current (or the finishing) attempt: random, new with every claim; every later write names it';
COMMENT ON COLUMN jobs.lease_until IS 'When the attempt counts as dead. In no index, so that heartbeats are HOT updates';
COMMENT ON COLUMN jobs.rung_at IS 'When its bell was last rung; the sweep rings again where this is stale';
COMMENT ON COLUMN jobs.attempt IS 'Attempts begun, without those that ended in Later or were given back';
COMMENT ON COLUMN jobs.crashes IS 'Attempts whose lease ran out';
COMMENT ON COLUMN jobs.dead IS 'Failed with its attempts spent or by a fault of ours: listed, and can be replayed';

-- Apart from the ledger row, so that this stays small enough for HOT updates.
CREATE TABLE job_payloads (
    job_id uuid PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    payload jsonb NOT NULL,
    traceparent text
);
COMMENT ON TABLE job_payloads IS 'What a job needs to run: written once, read by claims';

CREATE TABLE job_attempts (
    job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    lease_id uuid NOT NULL,
    attempt smallint NOT NULL,
    worker text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT dg_now(),
    outcome text NOT NULL CHECK (outcome IN ('succeeded', 'failed', 'retry', 'later', 'crashed', 'cancelled', 'given_back')),
    stage text,
    error jsonb,
    PRIMARY KEY (job_id, lease_id)
);
COMMENT ON TABLE job_attempts IS 'How each attempt ended; written at its end';

CREATE TABLE events (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id uuid NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    job_id uuid,
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    CONSTRAINT events_once UNIQUE (job_id)
);
CREATE INDEX events_user ON events (user_id, xid, seq);
CREATE INDEX events_all ON events (xid, seq);
COMMENT ON TABLE events IS 'Durable events: rows of the commit that they tell of';
COMMENT ON COLUMN events.xid IS 'The commit''s transaction. Read in the order (xid, seq) and below pg_snapshot_xmin, no commit is ever skipped';

CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash bytea NOT NULL,
    resource_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
COMMENT ON TABLE idempotency_keys IS 'Which resource a retried POST made; written in the same commit as that resource';
