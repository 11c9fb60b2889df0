-- The engine's ledger: what waits stays here and is let in by windows; claims, heartbeats and stages are HOT updates.

-- One row a job again. A payload is a few hundred bytes (a long one lies out of line, where updates do not copy it), and a table
-- of its own costs every job a second row, a second index entry and a foreign key's check.
ALTER TABLE jobs ADD COLUMN payload jsonb, ADD COLUMN traceparent text, ADD COLUMN in_flight boolean, ADD COLUMN claimed_at timestamptz,
    ADD COLUMN run_seconds real, ADD COLUMN run_from timestamptz;
UPDATE jobs SET payload = p.payload, traceparent = p.traceparent FROM job_payloads p WHERE p.job_id = jobs.id;
UPDATE jobs SET in_flight = (state <> 'waiting') WHERE finished_at IS NULL;
ALTER TABLE jobs ALTER COLUMN payload SET DEFAULT '{}';
UPDATE jobs SET payload = '{}' WHERE payload IS NULL;
ALTER TABLE jobs ALTER COLUMN payload SET NOT NULL;
DROP TABLE job_payloads;
-- Room on each page for a new version of every row on it, so that the claims of a whole batch are HOT updates.
ALTER TABLE jobs SET (fillfactor = 50);
COMMENT ON COLUMN jobs.payload IS 'What it needs to run, versioned by its v; written once';
COMMENT ON COLUMN jobs.in_flight IS 'true: rung or running, within its owner''s window; false: waits; NULL: over. The partial indexes are on it and not on state, so that a claim, which changes state, is a HOT update';
COMMENT ON COLUMN jobs.run_seconds IS 'How long it may take from run_from on, which bounds it as the deadline does. NULL: until its deadline';
COMMENT ON COLUMN jobs.run_from IS 'When its first attempt began, moved on by the time that it waited for its turn since: a long queue uses up nothing of run_seconds';
COMMENT ON COLUMN jobs.claimed_at IS 'When the current (or the last) attempt began; started_at is the first one''s';
ALTER TABLE jobs ADD CONSTRAINT jobs_in_flight_state CHECK (
    CASE WHEN finished_at IS NOT NULL THEN in_flight IS NULL
         WHEN state = 'waiting' THEN NOT in_flight
         ELSE in_flight END);

DROP INDEX jobs_open;
DROP INDEX jobs_running;
-- What waits, by whose turn it is: a flow is a batch, or all that its owner asked one by one.
CREATE INDEX jobs_waiting ON jobs (lane, user_id, (coalesce(batch_id, user_id)), run_at, id) WHERE NOT in_flight;
-- What is rung or running: as much as the windows let in, however much waits. Read for the windows, the rescue and the lost bells.
CREATE INDEX jobs_in_flight ON jobs (lane, user_id) WHERE in_flight;
-- What waits and is overdue. A deadline never changes: no claim touches it.
CREATE INDEX jobs_overdue ON jobs (deadline) WHERE NOT in_flight;
COMMENT ON INDEX jobs_waiting IS 'A flow''s next jobs; also counts what waits';

-- A foreign key is checked row by row, and a question's own row (query_history) has the same owner and is checked. Nothing removes
-- users; what does so one day has to remove their rows here.
ALTER TABLE jobs DROP CONSTRAINT jobs_user_id_fkey;
ALTER TABLE job_attempts DROP CONSTRAINT job_attempts_job_id_fkey;
ALTER TABLE events DROP CONSTRAINT events_user_id_fkey;
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_user_id_fkey;

-- Most questions of a program skip the cache: they need no entry.
DROP INDEX idx_query_history_hash;
CREATE INDEX idx_query_history_hash ON query_history (result_hash) WHERE result_hash IS NOT NULL;

-- How many more jobs of an owner's lane a window has room for, and whether some that are due wait already; no row: somebody else is at
-- this window now. The lock is taken before anything is counted: each statement of a volatile function has a snapshot of its own,
-- where one statement alone would count what it saw before it had the lock. Where others wait nothing is let in, so none is needed.
CREATE FUNCTION window_room(lock_class integer, of_lane text, owner uuid, size bigint) RETURNS TABLE (room bigint, others_wait boolean)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    others boolean;
BEGIN
    -- With a LIMIT, because an EXISTS may be planned as a hash of all that waits.
    SELECT true INTO others FROM jobs j WHERE NOT j.in_flight AND j.lane = of_lane AND j.user_id = owner
        AND coalesce(j.batch_id, j.user_id) = owner AND j.run_at <= dg_now() LIMIT 1;
    IF others IS NULL AND NOT pg_try_advisory_xact_lock(lock_class, uuid_hash(owner)) THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT
        size - (SELECT count(*) FROM (SELECT FROM jobs j WHERE j.in_flight AND j.lane = of_lane AND j.user_id = owner LIMIT size) f),
        others IS NOT NULL;
END
$$;
COMMENT ON FUNCTION window_room(integer, text, uuid, bigint) IS 'What a submission may let in at once';

-- The next due jobs of these flows, locked, as far as their windows have room, at most so many of each: owners within their window,
-- batches within theirs, the batches of one owner in turn. Calls for one flow wait for each other, so that none fills the same room.
CREATE FUNCTION next_jobs(lock_classes integer[], lanes text[], owners uuid[], sizes integer[], most integer[], leaving uuid[],
    batch_window bigint, kinds text[], kind_lanes text[]) RETURNS SETOF uuid LANGUAGE plpgsql VOLATILE ROWS 20 AS $$
BEGIN
    -- In one order, so that two calls for several flows don't wait for each other in a circle.
    PERFORM pg_advisory_xact_lock(l.class, l.owner) FROM (
        SELECT DISTINCT w.class, uuid_hash(w.owner) AS owner FROM unnest(lock_classes, owners) AS w(class, owner) ORDER BY 1, 2) l;
    RETURN QUERY
    WITH room AS MATERIALIZED (
        SELECT w.lane, w.owner, least(w.most, w.size - (SELECT count(*) FROM (SELECT FROM jobs j
            WHERE j.in_flight AND j.lane = w.lane AND j.user_id = w.owner AND j.id <> ALL (leaving) LIMIT w.size) f)) AS free
        FROM unnest(lanes, owners, sizes, next_jobs.most) AS w(lane, owner, size, most)
        WHERE NOT EXISTS (SELECT FROM queue_pauses p WHERE p.name = w.lane)
          AND EXISTS (SELECT FROM unnest(kind_lanes, kinds) AS k(lane, kind) WHERE k.lane = w.lane
              AND NOT EXISTS (SELECT FROM queue_pauses p WHERE p.name = k.kind))
    )
    SELECT chosen.id FROM room r
    CROSS JOIN LATERAL (
        WITH RECURSIVE parts(part) AS (
            (SELECT coalesce(j.batch_id, j.user_id) FROM jobs j WHERE NOT j.in_flight AND j.lane = r.lane AND j.user_id = r.owner
             ORDER BY coalesce(j.batch_id, j.user_id) LIMIT 1)
            UNION ALL
            SELECT (SELECT coalesce(j.batch_id, j.user_id) FROM jobs j WHERE NOT j.in_flight AND j.lane = r.lane
                        AND j.user_id = r.owner AND coalesce(j.batch_id, j.user_id) > parts.part
                    ORDER BY coalesce(j.batch_id, j.user_id) LIMIT 1)
            FROM parts WHERE parts.part IS NOT NULL
        )
        SELECT due.id FROM (SELECT part FROM parts WHERE part IS NOT NULL
            AND (SELECT true FROM jobs j WHERE NOT j.in_flight AND j.lane = r.lane AND j.user_id = r.owner
                 AND coalesce(j.batch_id, j.user_id) = parts.part AND j.run_at <= dg_now() LIMIT 1) LIMIT 64) p
        CROSS JOIN LATERAL (
            SELECT d.id, d.run_at, row_number() OVER (ORDER BY d.run_at, d.id) AS turn FROM (
                SELECT j.id, j.run_at FROM jobs j
                WHERE NOT j.in_flight AND j.lane = r.lane AND j.user_id = r.owner
                  AND coalesce(j.batch_id, j.user_id) = p.part AND j.run_at <= dg_now() AND j.kind = ANY (kinds)
                  AND NOT EXISTS (SELECT FROM queue_pauses q WHERE q.name = j.kind)
                ORDER BY j.run_at, j.id
                LIMIT greatest(0, CASE WHEN p.part = r.owner THEN r.free ELSE least(r.free,
                    batch_window - (SELECT count(*) FROM jobs f WHERE f.in_flight AND f.lane = r.lane AND f.user_id = r.owner
                        AND f.batch_id = p.part)) END)
                FOR UPDATE SKIP LOCKED
            ) d
        ) due
        ORDER BY due.turn, due.run_at, due.id
        LIMIT greatest(0, r.free)
    ) chosen
    WHERE r.free > 0;
END
$$;
COMMENT ON FUNCTION next_jobs(integer[], text[], uuid[], integer[], integer[], uuid[], bigint, text[], text[]) IS 'Whose turn it is; jobs that are leaving (their ends are being written) take no room any more';

CREATE TABLE queue_pauses (
    name text PRIMARY KEY,
    paused_by uuid,
    reason text,
    paused_at timestamptz NOT NULL DEFAULT dg_now()
);
COMMENT ON TABLE queue_pauses IS 'Lanes and kinds of jobs that are not to be claimed';

CREATE TABLE workers (
    instance text PRIMARY KEY,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    -- {"interactive": {"slots": 62, "share": 50}, …}: share is what one user may hold of the slots.
    lanes jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('up', 'draining')),
    running integer NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT dg_now(),
    seen_at timestamptz NOT NULL DEFAULT dg_now()
) WITH (fillfactor = 50);
COMMENT ON TABLE workers IS 'Worker processes, as they last told of themselves; a clean stop removes the row';

CREATE TABLE capacity_leases (
    resource text NOT NULL,
    instance text NOT NULL,
    held integer NOT NULL CHECK (held >= 0),
    wanted integer NOT NULL DEFAULT 0 CHECK (wanted >= 0),
    until timestamptz NOT NULL,
    PRIMARY KEY (resource, instance)
) WITH (fillfactor = 50);
COMMENT ON TABLE capacity_leases IS 'How much of a limited resource (sessions of a connection, calls of a model) each process holds, fleet-wide';
COMMENT ON COLUMN capacity_leases.resource IS 'source:{connection} or model:{endpoint}';
COMMENT ON COLUMN capacity_leases.wanted IS 'How much more the process could use: those who hold more than their share give it back';

CREATE TABLE rate_windows (
    resource text PRIMARY KEY,
    -- The generic cell rate algorithm: the time at which the bucket would be full again.
    full_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE rate_windows IS 'Requests and tokens of a model within a minute, fleet-wide';
