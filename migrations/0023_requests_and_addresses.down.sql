DROP INDEX user_addresses_by_address;
DROP INDEX idx_audit_logs_request;
