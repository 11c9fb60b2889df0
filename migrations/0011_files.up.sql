-- Uploaded spreadsheets. What was uploaded twice is kept, read and analysed once: several files may be of one workbook.
CREATE TABLE workbooks (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    kind text NOT NULL CHECK (kind IN ('xlsx', 'xlsm', 'xlsb', 'xls', 'ods', 'csv', 'tsv')),
    size bigint NOT NULL CHECK (size >= 0),
    include_hidden boolean NOT NULL DEFAULT false,
    content_path text NOT NULL,
    tables jsonb,
    database_path text,
    database_bytes bigint,
    analysis_path text,
    analysis_bytes bigint,
    language text CHECK (language IN ('ko', 'en')),
    read_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    CONSTRAINT workbooks_once UNIQUE (user_id, sha256, include_hidden),
    CONSTRAINT workbooks_read CHECK ((read_at IS NULL) = (tables IS NULL) AND (read_at IS NULL) = (database_path IS NULL) AND (read_at IS NULL) = (analysis_path IS NULL))
);
COMMENT ON TABLE workbooks IS 'Contents of uploaded files, one row for each content and owner';
COMMENT ON COLUMN workbooks.content_path IS 'Where the content lies in file storage';
COMMENT ON COLUMN workbooks.tables IS 'What the SQLite file holds, as questions are linked to it; NULL until it was read';
COMMENT ON COLUMN workbooks.database_path IS 'The SQLite file in file storage that questions are asked of; made once';
COMMENT ON COLUMN workbooks.analysis_path IS 'The analysis as JSON in file storage';
COMMENT ON COLUMN workbooks.language IS 'The language of the analysis'' sentences';

CREATE TABLE files (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    workbook_id uuid NOT NULL REFERENCES workbooks (id),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL DEFAULT dg_now()
);
CREATE INDEX files_user ON files (user_id, id DESC);
CREATE INDEX files_workbook ON files (workbook_id);
COMMENT ON TABLE files IS 'Uploads as their owners see them';

ALTER TABLE query_history ADD COLUMN file_id uuid REFERENCES files (id) ON DELETE CASCADE;
CREATE INDEX idx_query_history_file ON query_history (file_id) WHERE file_id IS NOT NULL;
COMMENT ON COLUMN query_history.file_id IS 'The file that it is asked of, or (with an empty question) whose analysis it is';
