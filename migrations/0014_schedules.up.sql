-- Work that comes by itself: when, what, and every time that it did.

CREATE TABLE schedules (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    cron text NOT NULL CHECK (length(cron) BETWEEN 9 AND 200),
    time_zone text NOT NULL,
    catch_up text NOT NULL DEFAULT 'skip' CHECK (catch_up IN ('skip', 'once', 'all')),
    catch_up_max integer NOT NULL DEFAULT 10 CHECK (catch_up_max BETWEEN 1 AND 100),
    action jsonb NOT NULL CHECK (jsonb_typeof(action) = 'object'),
    connection_id uuid,
    paused boolean NOT NULL DEFAULT false,
    allow_overlap boolean NOT NULL DEFAULT false,
    next_run_at timestamptz,
    last_fire_time timestamptz,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    updated_at timestamptz NOT NULL DEFAULT dg_now()
) WITH (fillfactor = 80);
CREATE INDEX schedules_due ON schedules (next_run_at) WHERE NOT paused;
CREATE INDEX schedules_user ON schedules (user_id, id DESC);
COMMENT ON TABLE schedules IS 'What runs by itself, for whom and when';
COMMENT ON COLUMN schedules.cron IS 'Five fields, in the wall clock time of time_zone';
COMMENT ON COLUMN schedules.catch_up IS 'What becomes of times that were missed: skip: nothing; once: one run for all of them; all: one each, of the newest catch_up_max';
COMMENT ON COLUMN schedules.action IS '{"kind": "question" | "schema_sync" | "maintenance", …}';
COMMENT ON COLUMN schedules.connection_id IS 'The connection that the action names; without a foreign key: a schedule outlives it, and says so at its next time';
COMMENT ON COLUMN schedules.next_run_at IS 'Kept, not computed: a time is neither lost by a stop nor fired twice by a clock that goes back. NULL: its cron has no further time';

CREATE TABLE schedule_runs (
    id uuid PRIMARY KEY,
    schedule_id uuid NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    fire_time timestamptz NOT NULL,
    by_hand boolean NOT NULL DEFAULT false,
    state text NOT NULL CHECK (state IN ('asked', 'fired', 'skipped', 'refused')),
    reason text,
    job_id uuid,
    question_id uuid,
    upkeep_run_id uuid,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    -- One fire for each schedule and time, whatever number of schedulers runs.
    CONSTRAINT schedule_runs_once UNIQUE (schedule_id, fire_time)
);
CREATE INDEX schedule_runs_list ON schedule_runs (schedule_id, id DESC);
CREATE INDEX schedule_runs_asked ON schedule_runs (id) WHERE state = 'asked';
COMMENT ON TABLE schedule_runs IS 'The times of schedules, and what was made of each';
COMMENT ON COLUMN schedule_runs.fire_time IS 'The time that it stands for; by hand: when somebody asked';
COMMENT ON COLUMN schedule_runs.state IS 'asked (by hand) → fired: its job was made; skipped: missed, or an earlier run still goes; refused: its owner may not, or not any more';
