DROP FUNCTION tell_webhooks(bigint, uuid, text, uuid, text);
ALTER TABLE query_history DROP COLUMN callback_url;
DROP TABLE webhook_attempts;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_callback_secrets;
DROP TABLE webhook_endpoints;
DROP FUNCTION uuid7();
