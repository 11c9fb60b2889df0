CREATE TABLE system_settings (
    key varchar(100) PRIMARY KEY,
    value jsonb NOT NULL,
    description text,
    category varchar(50) NOT NULL DEFAULT 'general',
    is_sensitive boolean NOT NULL DEFAULT false,
    updated_by uuid REFERENCES users (id) ON DELETE SET NULL,
    updated_at timestamptz NOT NULL DEFAULT dg_now(),
    CONSTRAINT settings_key_format CHECK (key ~* '^[a-z][a-z0-9_]*$')
);
CREATE INDEX idx_settings_category ON system_settings (category);
CREATE TRIGGER system_settings_touch BEFORE UPDATE ON system_settings FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
COMMENT ON TABLE system_settings IS 'Settings kept in the database: below the environment, above the file';
INSERT INTO system_settings (key, value, description, category) VALUES
    ('openai_model', '"gpt-4"', 'OpenAI 모델 선택', 'llm'),
    ('openai_temperature', '0.0', 'OpenAI 온도 설정', 'llm'),
    ('max_file_size_mb', '50', '최대 파일 크기 (MB)', 'file'),
    ('max_query_rows', '10000', '최대 쿼리 결과 행 수', 'query'),
    ('session_timeout_hours', '24', '세션 만료 시간 (시간)', 'auth'),
    ('cache_ttl_seconds', '3600', '캐시 TTL (초)', 'cache');

CREATE TABLE audit_logs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id uuid REFERENCES users (id) ON DELETE SET NULL,
    action varchar(100) NOT NULL,
    resource_type varchar(50) NOT NULL,
    resource_id varchar(255),
    ip_address inet,
    user_agent text,
    request_id uuid,
    details jsonb,
    result varchar(20) CHECK (result IN ('success', 'failure', 'partial')),
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    CONSTRAINT audit_action_check CHECK (length(action) > 0),
    -- A partition key must be part of the primary key (the document's could not be partitioned).
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX idx_audit_logs_user ON audit_logs (user_id);
CREATE INDEX idx_audit_logs_action ON audit_logs (action);
CREATE INDEX idx_audit_logs_resource ON audit_logs (resource_type, resource_id);
CREATE INDEX idx_audit_logs_created ON audit_logs (created_at DESC);
CREATE INDEX idx_audit_logs_result ON audit_logs (result);
COMMENT ON TABLE audit_logs IS 'Who did what, when and from where; one partition a month';
-- Nothing is lost when a month's partition is missing.
CREATE TABLE audit_logs_default PARTITION OF audit_logs DEFAULT;

CREATE FUNCTION ensure_audit_partitions(months_ahead integer DEFAULT 3) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    month timestamptz;
    name text;
    made integer := 0;
BEGIN
    -- Two schedulers may come at once.
    PERFORM pg_advisory_xact_lock(hashtext('datagenie.audit_partitions'));
    FOR i IN 0..months_ahead LOOP
        month := (date_trunc('month', dg_now() AT TIME ZONE 'UTC') + make_interval(months => i)) AT TIME ZONE 'UTC';
        name := 'audit_logs_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
        IF to_regclass(name) IS NOT NULL THEN CONTINUE; END IF;
        -- Rows that came while the month had no partition move into it.
        EXECUTE format('CREATE TABLE %I (LIKE audit_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
        EXECUTE format('WITH moved AS (DELETE FROM audit_logs_default WHERE created_at >= %L AND created_at < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
            month, (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC', name);
        EXECUTE format('ALTER TABLE audit_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, month, (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION ensure_audit_partitions(integer) IS 'Makes the missing monthly partitions of audit_logs, this month''s and so many ahead; returns how many';
SELECT ensure_audit_partitions(3);
