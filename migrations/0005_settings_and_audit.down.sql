DROP TABLE audit_logs;
DROP FUNCTION ensure_audit_partitions(integer);
DROP TABLE system_settings;
