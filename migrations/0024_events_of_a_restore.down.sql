-- What came after a restore lies ahead of this server's own numbers: their order among themselves is kept by seq.
UPDATE events SET xid = pg_current_xact_id() WHERE xid >= pg_current_xact_id();
ALTER TABLE events ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
DROP FUNCTION rebase_events();
DROP FUNCTION event_horizon(pg_snapshot);
DROP FUNCTION event_xid();
