CREATE TABLE query_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    connection_id uuid REFERENCES database_connections (id) ON DELETE SET NULL,
    question text NOT NULL,
    generated_sql text,
    query_type varchar(20) NOT NULL CHECK (query_type IN ('database', 'excel', 'general')),
    -- `cancelled` is missing from the document, which has a way to cancel but no state for it.
    status varchar(20) NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'success', 'error', 'timeout', 'cancelled')),
    error_message text,
    row_count integer,
    execution_time_ms integer,
    result_hash varchar(64),
    file_info jsonb,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    -- Not in the document: the rest of an answer.
    job_id uuid NOT NULL,
    follows uuid,
    error jsonb,
    dialect text,
    confidence real CHECK (confidence BETWEEN 0 AND 1),
    provenance jsonb,
    usage jsonb,
    timings jsonb,
    cached boolean NOT NULL DEFAULT false,
    truncated boolean NOT NULL DEFAULT false,
    policy_version text,
    finished_at timestamptz,
    CONSTRAINT query_exec_time_check CHECK (execution_time_ms >= 0),
    CONSTRAINT query_row_count_check CHECK (row_count >= 0 OR row_count IS NULL)
) WITH (fillfactor = 80);
-- By user and time in one index: a list is always of one user, newest first (an id is ordered by time).
CREATE INDEX idx_query_history_user ON query_history (user_id, id DESC);
CREATE INDEX idx_query_history_connection ON query_history (connection_id);
CREATE INDEX idx_query_history_type ON query_history (query_type);
CREATE INDEX idx_query_history_created ON query_history (created_at);
CREATE INDEX idx_query_history_hash ON query_history (result_hash);
-- idx_query_history_status of the document is left out: with it, the one update that each question gets could never be a
-- HOT update. A status is looked up within one user's questions (idx_query_history_user) or within days (idx_query_history_created).
COMMENT ON TABLE query_history IS 'Questions and how they ended';
COMMENT ON COLUMN query_history.question IS 'As asked; empty where only a statement was given';
COMMENT ON COLUMN query_history.generated_sql IS 'The statement that ran, as the guard rendered it';
COMMENT ON COLUMN query_history.result_hash IS 'Key of the cached result; NULL where the cache was not used, which keeps the update HOT';
COMMENT ON COLUMN query_history.job_id IS 'The newest job that answers it';
COMMENT ON COLUMN query_history.error IS '{"code","stage","message","hint","retryable","position","clarification"}';
COMMENT ON COLUMN query_history.policy_version IS 'The state of the permissions that the rows were read under';

CREATE TABLE analysis_results (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    query_history_id uuid NOT NULL REFERENCES query_history (id) ON DELETE CASCADE,
    chart_type varchar(50),
    chart_config jsonb,
    summary_text text,
    insights jsonb,
    result_files jsonb,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    -- Not in the document: the rows themselves while they are small, and what the chart is drawn from.
    job_id uuid NOT NULL,
    columns jsonb NOT NULL DEFAULT '[]',
    first_rows jsonb NOT NULL DEFAULT '[]',
    rows_inline bytea,
    chart jsonb,
    CONSTRAINT analysis_results_once UNIQUE (job_id)
);
CREATE INDEX idx_analysis_results_query ON analysis_results (query_history_id);
CREATE INDEX idx_analysis_results_chart_type ON analysis_results (chart_type);
COMMENT ON TABLE analysis_results IS 'Answers: one row a job that succeeded';
COMMENT ON COLUMN analysis_results.chart_config IS 'Vega-Lite specification';
COMMENT ON COLUMN analysis_results.chart IS 'The chart model that pictures are drawn from';
COMMENT ON COLUMN analysis_results.result_files IS '{"rows": {"path","bytes","offsets"}, "chart.svg": …}: what lies in file storage';
COMMENT ON COLUMN analysis_results.first_rows IS 'The first page (at most 100 rows), as arrays';
COMMENT ON COLUMN analysis_results.rows_inline IS 'All rows as JSON lines, up to 64 KiB; larger ones lie in file storage';
