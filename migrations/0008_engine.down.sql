DROP FUNCTION next_jobs(integer[], text[], uuid[], integer[], integer[], uuid[], bigint, text[], text[]);
DROP FUNCTION window_room(integer, text, uuid, bigint);
DROP TABLE rate_windows;
DROP TABLE capacity_leases;
DROP TABLE workers;
DROP TABLE queue_pauses;

DROP INDEX idx_query_history_hash;
CREATE INDEX idx_query_history_hash ON query_history (result_hash);

DELETE FROM idempotency_keys k WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = k.user_id);
DELETE FROM events e WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = e.user_id);
DELETE FROM job_attempts a WHERE NOT EXISTS (SELECT FROM jobs j JOIN users u ON u.id = j.user_id WHERE j.id = a.job_id);
DELETE FROM jobs j WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = j.user_id);
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE events ADD CONSTRAINT events_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE job_attempts ADD CONSTRAINT job_attempts_job_id_fkey FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE;
ALTER TABLE jobs ADD CONSTRAINT jobs_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;

DROP INDEX jobs_waiting;
DROP INDEX jobs_in_flight;
DROP INDEX jobs_overdue;
CREATE INDEX jobs_open ON jobs (lane, run_at, id) WHERE finished_at IS NULL;
CREATE INDEX jobs_running ON jobs (id) WHERE state = 'running';

CREATE TABLE job_payloads (
    job_id uuid PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    payload jsonb NOT NULL,
    traceparent text
);
COMMENT ON TABLE job_payloads IS 'What a job needs to run: written once, read by claims';
ALTER TABLE jobs SET (fillfactor = 70);
INSERT INTO job_payloads (job_id, payload, traceparent) SELECT id, payload, traceparent FROM jobs;
ALTER TABLE jobs DROP CONSTRAINT jobs_in_flight_state, DROP COLUMN payload, DROP COLUMN traceparent, DROP COLUMN in_flight, DROP COLUMN claimed_at,
    DROP COLUMN run_seconds, DROP COLUMN run_from;
