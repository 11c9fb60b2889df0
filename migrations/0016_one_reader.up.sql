-- Who reads a workbook now: others of the same one, in other processes too, wait for what he brings. Not a lock: it holds as long as the
-- attempt that it names does, and falls with it.
ALTER TABLE workbooks ADD COLUMN reading_job uuid, ADD COLUMN reading_lease uuid;
COMMENT ON COLUMN workbooks.reading_job IS 'The job that reads it, as long as its lease is the one named beside';
COMMENT ON COLUMN workbooks.reading_lease IS 'The lease of the attempt that reads it';
