-- Webhooks and callbacks: who is told of which events, and every attempt to tell them.

-- Ids are made by the programs; these rows are made by the commit of somebody else's end, without a round trip for their ids.
CREATE FUNCTION uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;
COMMENT ON FUNCTION uuid7() IS 'A UUIDv7: ordered by the time of its making, to the millisecond';

CREATE TABLE webhook_endpoints (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    events text[] NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 32),
    description text CHECK (length(description) <= 500),
    secret jsonb NOT NULL,
    old_secret jsonb,
    old_secret_until timestamptz,
    is_active boolean NOT NULL DEFAULT true,
    disabled_reason text CHECK (disabled_reason IN ('owner', 'gone', 'failing')),
    disabled_at timestamptz,
    failing_since timestamptz,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    updated_at timestamptz NOT NULL DEFAULT dg_now(),
    CONSTRAINT webhook_endpoints_disabled CHECK (is_active = (disabled_at IS NULL) AND is_active = (disabled_reason IS NULL)),
    CONSTRAINT webhook_endpoints_old_secret CHECK ((old_secret IS NULL) = (old_secret_until IS NULL))
);
CREATE INDEX webhook_endpoints_user ON webhook_endpoints (user_id, id DESC);
-- What the commit of every end looks into.
CREATE INDEX webhook_endpoints_active ON webhook_endpoints (user_id) WHERE is_active;
CREATE TRIGGER webhook_endpoints_touch BEFORE UPDATE ON webhook_endpoints FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
COMMENT ON TABLE webhook_endpoints IS 'Where users want to be told of their events';
COMMENT ON COLUMN webhook_endpoints.url IS 'May hold a secret in its path or query: shown to its owner, never logged';
COMMENT ON COLUMN webhook_endpoints.events IS 'Types (question.succeeded), families (question.*) or * for all';
COMMENT ON COLUMN webhook_endpoints.secret IS 'Sealed for its column and row';
COMMENT ON COLUMN webhook_endpoints.old_secret IS 'What secret held before the rotation, sealed for the column secret; signs beside it until old_secret_until';
COMMENT ON COLUMN webhook_endpoints.failing_since IS 'The first failure since the last success';

CREATE TABLE webhook_callback_secrets (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret jsonb NOT NULL,
    old_secret jsonb,
    old_secret_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    rotated_at timestamptz NOT NULL DEFAULT dg_now(),
    CONSTRAINT webhook_callback_secrets_old_secret CHECK ((old_secret IS NULL) = (old_secret_until IS NULL))
);
COMMENT ON TABLE webhook_callback_secrets IS 'What signs the callbacks of a user, sealed; made at their first use';

CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    -- Without a foreign key: the commit of somebody's end must not wait for the row of an endpoint that is being changed or removed.
    endpoint_id uuid,
    callback_url text CHECK (length(callback_url) BETWEEN 1 AND 2048),
    event_seq bigint NOT NULL,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    job_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT dg_now(),
    finished_at timestamptz,
    CONSTRAINT webhook_deliveries_target CHECK ((endpoint_id IS NULL) <> (callback_url IS NULL)),
    CONSTRAINT webhook_deliveries_finished CHECK ((state = 'pending') = (finished_at IS NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (endpoint_id, event_seq) WHERE endpoint_id IS NOT NULL;
CREATE UNIQUE INDEX webhook_deliveries_callback_once ON webhook_deliveries (event_seq) WHERE callback_url IS NOT NULL;
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint_id, id DESC) WHERE endpoint_id IS NOT NULL;
CREATE INDEX webhook_deliveries_callbacks ON webhook_deliveries (user_id, id DESC) WHERE callback_url IS NOT NULL;
COMMENT ON TABLE webhook_deliveries IS 'One row for each event and endpoint, and for each callback; the body is rendered from the event';
COMMENT ON COLUMN webhook_deliveries.event_id IS 'The webhook-id of every attempt';
COMMENT ON COLUMN webhook_deliveries.job_id IS 'The newest job that delivers it; a replay has a new one';

CREATE TABLE webhook_attempts (
    delivery_id uuid NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    lease_id uuid NOT NULL,
    job_id uuid NOT NULL,
    attempt smallint NOT NULL,
    started_at timestamptz NOT NULL,
    duration_ms integer NOT NULL CHECK (duration_ms >= 0),
    status_code smallint,
    error text,
    PRIMARY KEY (delivery_id, lease_id)
);
COMMENT ON TABLE webhook_attempts IS 'Every request that was sent, or could not be';

ALTER TABLE query_history ADD COLUMN callback_url text CHECK (length(callback_url) BETWEEN 1 AND 2048);
COMMENT ON COLUMN query_history.callback_url IS 'Called once at its end; may hold a secret in its path or query';

-- Deliveries and their jobs of one event; how many. Called in the commit of the event, only where somebody may have to be told.
CREATE FUNCTION tell_webhooks(seq bigint, event uuid, event_type text, owner uuid, callback text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    told bigint;
BEGIN
    WITH hooked AS (
        INSERT INTO webhook_deliveries (id, user_id, endpoint_id, callback_url, event_seq, event_id, event_type, job_id)
        SELECT uuid7(), owner, t.endpoint_id, t.callback_url, seq, event, tell_webhooks.event_type, uuid7()
        FROM (SELECT w.id AS endpoint_id, NULL::text AS callback_url FROM webhook_endpoints w
              WHERE w.user_id = owner AND w.is_active
                AND w.events && ARRAY[tell_webhooks.event_type, split_part(tell_webhooks.event_type, '.', 1) || '.*', '*']
              UNION ALL
              SELECT NULL, callback WHERE callback IS NOT NULL) t
        RETURNING id, job_id
    )
    INSERT INTO jobs (id, kind, lane, state, in_flight, user_id, subject_id, deadline, max_attempts, payload)
    SELECT h.job_id, 'deliver_webhook', 'webhook', 'waiting', false, owner, h.id, dg_now() + interval '14 days', 10,
        jsonb_build_object('v', 1, 'delivery_id', h.id)
    FROM hooked h;
    GET DIAGNOSTICS told = ROW_COUNT;
    RETURN told;
END
$$;
COMMENT ON FUNCTION tell_webhooks(bigint, uuid, text, uuid, text) IS 'Makes the deliveries of an event, and their jobs';
