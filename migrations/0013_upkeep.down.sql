DROP FUNCTION drop_audit_partition(integer);
DROP INDEX analysis_results_files;
DROP TABLE upkeep_runs;
DROP FUNCTION uuid7_at(timestamptz);
DELETE FROM system_settings WHERE category = 'upkeep';
