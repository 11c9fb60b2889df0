CREATE VIEW query_performance_stats AS
SELECT
    date_trunc('hour', created_at) AS hour,
    connection_id,
    query_type,
    count(*) AS total_queries,
    avg(execution_time_ms) AS avg_execution_time,
    max(execution_time_ms) AS max_execution_time,
    count(*) FILTER (WHERE status = 'error') AS error_count,
    count(*) FILTER (WHERE status = 'timeout') AS timeout_count
FROM query_history
WHERE created_at >= dg_now() - interval '7 days'
GROUP BY 1, 2, 3
ORDER BY 1 DESC;
COMMENT ON VIEW query_performance_stats IS 'Questions of the last seven days by hour, connection and type';

CREATE VIEW user_activity_stats AS
SELECT
    u.username,
    u.role,
    count(qh.id) AS total_queries,
    max(qh.created_at) AS last_query_at,
    count(DISTINCT date(qh.created_at)) AS active_days
FROM users u
LEFT JOIN query_history qh ON u.id = qh.user_id
WHERE u.is_active = true
GROUP BY u.id, u.username, u.role
ORDER BY total_queries DESC;
COMMENT ON VIEW user_activity_stats IS 'How much each active user asks';

-- Returns how many it removed, where the document's returns nothing.
CREATE FUNCTION cleanup_expired_sessions() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    removed bigint;
BEGIN
    DELETE FROM user_sessions WHERE expires_at < dg_now();
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION cleanup_expired_sessions() IS 'Removes expired sessions; returns how many';

-- In small steps that lock little, where the document deletes all at once: at most max_rows of each kind a call, and it says
-- what was removed. Call it again while any count equals max_rows.
CREATE FUNCTION cleanup_old_data(max_rows integer DEFAULT 1000)
RETURNS TABLE (what text, removed bigint) LANGUAGE plpgsql AS $$
BEGIN
    what := 'query_history';
    DELETE FROM query_history WHERE id IN (
        SELECT id FROM query_history WHERE created_at < dg_now() - interval '90 days' AND status <> 'pending'
        ORDER BY created_at LIMIT max_rows FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;

    what := 'user_sessions';
    DELETE FROM user_sessions WHERE id IN (
        SELECT id FROM user_sessions WHERE expires_at < dg_now() LIMIT max_rows FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;

    what := 'audit_logs';
    DELETE FROM audit_logs WHERE (id, created_at) IN (
        SELECT id, created_at FROM audit_logs WHERE created_at < dg_now() - interval '180 days'
        LIMIT max_rows FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;

    what := 'cached_schema_info';
    DELETE FROM cached_schema_info c USING (
        SELECT connection_id, schema_name, table_name, column_name FROM cached_schema_info
        WHERE cached_at < dg_now() - interval '30 days' LIMIT max_rows FOR UPDATE SKIP LOCKED) old
    WHERE (c.connection_id, c.schema_name, c.table_name, c.column_name)
        = (old.connection_id, old.schema_name, old.table_name, old.column_name);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION cleanup_old_data(integer) IS 'Removes what is past its keeping time (questions 90 days, audit 180, schemas 30, expired sessions), at most max_rows of each';

-- The document leaves values that are too short for its patterns as they are: here they are masked wholly, and so is a
-- value of an unknown kind.
CREATE FUNCTION mask_personal_data(data_type varchar, original_value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF original_value IS NULL THEN
        RETURN NULL;
    END IF;
    CASE data_type
        WHEN 'email' THEN
            IF original_value ~ '^[^@]{3,}@[^@]+$' THEN
                RETURN left(original_value, 2) || '***' || substring(original_value FROM position('@' IN original_value));
            END IF;
            RETURN '***';
        WHEN 'phone' THEN
            IF length(original_value) > 7 THEN
                RETURN left(original_value, 3) || '***' || right(original_value, 4);
            END IF;
            RETURN '***';
        WHEN 'card_number' THEN
            IF length(original_value) > 8 THEN
                RETURN left(original_value, 4) || '****' || right(original_value, 4);
            END IF;
            RETURN '****';
        WHEN 'name' THEN
            IF length(original_value) > 1 THEN
                RETURN left(original_value, 1) || repeat('*', length(original_value) - 1);
            END IF;
            RETURN '*';
        ELSE
            RETURN '***';
    END CASE;
END
$$;
COMMENT ON FUNCTION mask_personal_data(varchar, text) IS 'Masks an email, phone, card_number or name; short values wholly';

-- Where the server offers it and the role may: the demo's does; a managed server may need its own administrator.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') THEN
        CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'pg_stat_statements is offered but this role may not create it';
END
$$;
