#!/bin/sh
# Removes all questions and jobs and empties our Redis number; users, keys and the connection stay. Called while our programs are stopped.
set -eu
. "$(dirname "$0")/environment.sh"
psql "$TARGET_DSN" -qX -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
DO $$
DECLARE emptied text[] := ARRAY['query_history', 'analysis_results', 'jobs', 'job_payloads', 'job_attempts', 'events', 'idempotency_keys',
    'capacity_leases', 'rate_windows', 'workers'];
    found text;
BEGIN
    -- Not every version has every table.
    SELECT string_agg(quote_ident(relname), ', ') INTO found FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname = ANY (emptied);
    EXECUTE 'TRUNCATE ' || found || ' CASCADE';
END $$;
SQL
redis-cli -u "$TARGET_REDIS" FLUSHDB >/dev/null
date +%s%N >"$TARGET_STATE/reset"
