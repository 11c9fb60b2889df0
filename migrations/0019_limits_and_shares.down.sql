DROP TABLE shares;
ALTER TABLE api_keys DROP COLUMN version, DROP COLUMN limits;
ALTER TABLE users DROP COLUMN limits;
