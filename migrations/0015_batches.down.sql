DELETE FROM system_settings WHERE key = 'batch_retention_days';
COMMENT ON COLUMN schedules.action IS '{"kind": "question" | "schema_sync" | "maintenance", …}';
ALTER TABLE schedule_runs DROP COLUMN batch_id;
DROP TABLE batch_items;
DROP TABLE batches;
