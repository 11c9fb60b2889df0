-- Every question adds a row to query_history and one to audit_logs, and so an entry to each of their indexes. Those on a column that
-- nearly all rows have the same word in find nothing faster for that word; those on a time that only grows need one entry for
-- many rows. Names are the document's.

-- Nearly every question is asked of a database: who looks for those reads by user, connection or time.
DROP INDEX idx_query_history_type;
CREATE INDEX idx_query_history_type ON query_history (query_type) WHERE query_type <> 'database';
-- Rows come in the order of their time: a block range says from when to when.
DROP INDEX idx_query_history_created;
CREATE INDEX idx_query_history_created ON query_history USING brin (created_at) WITH (pages_per_range = 16, autosummarize = on);

-- What was asked is found by its user, its question or its time.
DROP INDEX idx_audit_logs_action;
CREATE INDEX idx_audit_logs_action ON audit_logs (action) WHERE action <> 'question.asked';
DROP INDEX idx_audit_logs_result;
CREATE INDEX idx_audit_logs_result ON audit_logs (result) WHERE result <> 'success';
DROP INDEX idx_audit_logs_created;
CREATE INDEX idx_audit_logs_created ON audit_logs USING brin (created_at) WITH (pages_per_range = 16, autosummarize = on);
