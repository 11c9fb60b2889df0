-- Upkeep: what is kept for how long, and a record of every run that removed something, or looked.

INSERT INTO system_settings (key, value, description, category) VALUES
    ('query_history_retention_days', '90', '질문 이력 보관 기간 (일)', 'upkeep'),
    ('result_retention_days', '90', '질문 결과 보관 기간 (일)', 'upkeep'),
    ('audit_log_retention_days', '180', '감사 로그 보관 기간 (일)', 'upkeep'),
    ('cached_schema_retention_days', '30', '캐시된 스키마 정보 보관 기간 (일)', 'upkeep'),
    ('event_retention_days', '30', '이벤트 보관 기간 (일)', 'upkeep'),
    ('job_retention_days', '30', '끝난 작업 보관 기간 (일)', 'upkeep'),
    ('dead_job_retention_days', '90', '실패 후 중단된 작업 보관 기간 (일)', 'upkeep'),
    ('delivery_retention_days', '30', '웹훅 전송 기록 보관 기간 (일)', 'upkeep'),
    ('run_retention_days', '90', '정리 및 예약 실행 기록 보관 기간 (일)', 'upkeep'),
    ('schema_resync_hours', '24', '스키마 재동기화 주기 (시간)', 'upkeep')
ON CONFLICT (key) DO NOTHING;

-- Ids are ordered by the time of their making: rows up to a time are found by their primary key, without an index on the time.
CREATE FUNCTION uuid7_at(at timestamptz) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(greatest(0, floor(extract(epoch FROM at) * 1000)::bigint)), 12, '0') || '70008000000000000000')::uuid
$$;
COMMENT ON FUNCTION uuid7_at(timestamptz) IS 'The smallest UUIDv7 of a time: all that were made before it are smaller';

CREATE TABLE upkeep_runs (
    id uuid PRIMARY KEY,
    task text NOT NULL,
    asked_at timestamptz,
    started_at timestamptz,
    seen_at timestamptz,
    ended_at timestamptz,
    removed jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(removed) = 'object'),
    error text,
    CONSTRAINT upkeep_runs_times CHECK (
        coalesce(asked_at, started_at) IS NOT NULL AND (started_at IS NULL) = (seen_at IS NULL) AND (ended_at IS NULL OR started_at IS NOT NULL))
);
CREATE INDEX upkeep_runs_task ON upkeep_runs (task, started_at DESC);
CREATE INDEX upkeep_runs_open ON upkeep_runs (task) WHERE ended_at IS NULL;
COMMENT ON TABLE upkeep_runs IS 'Every run of a task of the upkeep: what it removed and how long it took';
COMMENT ON COLUMN upkeep_runs.asked_at IS 'When somebody or a schedule asked for it; NULL: its time had come';
COMMENT ON COLUMN upkeep_runs.seen_at IS 'When it last wrote how far it is; one that has not for a minute was interrupted, and is run anew';
COMMENT ON COLUMN upkeep_runs.removed IS 'Counts by what was removed (or made)';

-- Answers with something in file storage: few, and looked through for files that are gone.
CREATE INDEX analysis_results_files ON analysis_results (job_id) WHERE result_files <> '{}';

-- Drops the oldest month of audit logs that is wholly older than so many days, and says which; NULL: there is none. The parent is locked
-- while the partition goes, so it waits for that lock only for a moment: who writes the log meanwhile waits as long. Call it again.
CREATE FUNCTION drop_audit_partition(keep_days integer) RETURNS text LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE
    name text;
BEGIN
    SELECT c.relname INTO name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit_logs'::regclass AND c.relname ~ '^audit_logs_[0-9]{4}_[0-9]{2}$'
      AND (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' <= dg_now() - make_interval(days => keep_days)
    ORDER BY c.relname LIMIT 1;
    IF name IS NOT NULL THEN
        EXECUTE format('DROP TABLE %I', name);
    END IF;
    RETURN name;
END
$$;
COMMENT ON FUNCTION drop_audit_partition(integer) IS 'Drops one month of audit logs that is older than so many days; returns its table, NULL: there is none';
