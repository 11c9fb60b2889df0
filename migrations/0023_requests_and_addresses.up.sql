-- What was done in one request. Ids of requests are made in the order of time, so that page ranges find them, as they do times; those
-- that clients send themselves are of any order, which the ranges bear. A new line costs nothing: its range is summed up later.
CREATE INDEX idx_audit_logs_request ON audit_logs USING brin (request_id uuid_minmax_multi_ops) WITH (pages_per_range = 16, autosummarize = on);

-- Who is known at an address where somebody guesses passwords.
CREATE INDEX user_addresses_by_address ON user_addresses (address);
