-- The order of events is that of their transactions' numbers, and these belong to a server: in a database that is restored into another
-- one they begin anew. Without more, its old events would count as not committed yet, and readers would wait for new ones behind a place
-- that these don't reach for years. Both sides of the comparison go through a function, so that a restore can move the numbers on. As
-- written here they are inlined and cost nothing.
CREATE FUNCTION event_xid() RETURNS xid8 LANGUAGE sql STABLE AS $$ SELECT pg_current_xact_id() $$;
COMMENT ON FUNCTION event_xid() IS 'The number of this transaction in the order of events';

CREATE FUNCTION event_horizon(snapshot pg_snapshot) RETURNS xid8 LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT pg_snapshot_xmin($1) $$;
COMMENT ON FUNCTION event_horizon(pg_snapshot) IS 'The first number, in the order of events, of which a transaction may be open still';

ALTER TABLE events ALTER COLUMN xid SET DEFAULT event_xid();

-- Beyond all events that there are, and by four thousand million more: readers may have heard of later ones, which the backup is too old for.
CREATE FUNCTION rebase_events() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    newest numeric := coalesce((SELECT e.xid::text::numeric FROM events e ORDER BY e.xid DESC, e.seq DESC LIMIT 1), 0);
    ahead numeric := greatest(newest - pg_current_xact_id()::text::numeric, 0) + 4294967296;
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION event_xid() RETURNS xid8 LANGUAGE sql STABLE AS '
        '$f$ SELECT (pg_current_xact_id()::text::numeric + %s)::text::xid8 $f$', ahead);
    EXECUTE format('CREATE OR REPLACE FUNCTION event_horizon(snapshot pg_snapshot) RETURNS xid8 LANGUAGE sql STABLE PARALLEL SAFE AS '
        '$f$ SELECT (pg_snapshot_xmin($1)::text::numeric + %s)::text::xid8 $f$', ahead);
END
$$;
COMMENT ON FUNCTION rebase_events() IS 'To be called once a database was restored, while no program uses it: moves the order of events on';

-- Restored before there was this.
DO $$
BEGIN
    IF EXISTS (SELECT FROM events WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())) THEN
        PERFORM rebase_events();
    END IF;
END
$$;
