DROP TABLE idempotency_keys;
DROP TABLE events;
DROP TABLE job_attempts;
DROP TABLE job_payloads;
DROP TABLE jobs;
