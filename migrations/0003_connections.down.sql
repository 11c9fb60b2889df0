DROP FUNCTION policy_version(uuid, uuid);
DROP TABLE cached_schema_info;
DROP TABLE column_masks;
DROP TABLE permission_versions;
DROP TABLE connection_permissions;
DROP TABLE database_connections;
DROP FUNCTION bump_mask_version();
DROP FUNCTION bump_permission_version();
DROP FUNCTION bump_connection_versions();
