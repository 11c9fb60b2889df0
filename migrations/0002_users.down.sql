DROP TABLE api_keys;
DROP TABLE user_sessions;
DROP TABLE users;
DROP FUNCTION bump_user_policy();
