-- The one clock of the system: every due, lease, schedule and expiry time is set and compared by it (invariant 4).
-- Tests shift it with the setting `datagenie.clock_offset` (an interval); nothing else sets that.
CREATE FUNCTION dg_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT statement_timestamp() + coalesce(nullif(current_setting('datagenie.clock_offset', true), '')::interval, interval '0')
$$;
COMMENT ON FUNCTION dg_now() IS 'The current time; shifted in tests by the setting datagenie.clock_offset';

-- The document declares updated_at columns and nothing that updates them: this does.
CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := dg_now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION touch_updated_at() IS 'Trigger: sets updated_at';
