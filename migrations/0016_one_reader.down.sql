ALTER TABLE workbooks DROP COLUMN reading_lease, DROP COLUMN reading_job;
