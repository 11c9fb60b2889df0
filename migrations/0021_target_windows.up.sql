-- Deliveries to one target have a window of their own within their owner's, as the questions of one batch have: a target that is slow or
-- dead must not take all the slots of its owner's other targets.

COMMENT ON COLUMN jobs.batch_id IS 'What has a window of its own within its owner''s: the batch that it is of; of a delivery of the lane webhook, its target (delivery_target)';

-- What deliveries share a window: an endpoint; callbacks by their host, in sixteen parts of each owner, however many hosts he names.
CREATE FUNCTION delivery_target(owner uuid, endpoint uuid, callback text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(endpoint,
        md5(owner::text || (hashtext(lower(coalesce(substring(callback FROM '^[^:/?#]+://([^/?#]*)'), ''))) & 15)::text)::uuid)
$$;
COMMENT ON FUNCTION delivery_target(uuid, uuid, text) IS 'Which deliveries share a window: those to one endpoint, or callbacks of one owner to one of sixteen parts of all hosts';

UPDATE jobs SET batch_id = delivery_target(d.user_id, d.endpoint_id, d.callback_url)
FROM webhook_deliveries d WHERE jobs.kind = 'deliver_webhook' AND (jobs.finished_at IS NULL OR jobs.dead) AND d.id = jobs.subject_id;

CREATE OR REPLACE FUNCTION tell_webhooks(seq bigint, event uuid, event_type text, owner uuid, callback text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
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
        RETURNING id, job_id, endpoint_id, callback_url
    )
    INSERT INTO jobs (id, kind, lane, state, in_flight, user_id, batch_id, subject_id, deadline, max_attempts, payload)
    SELECT h.job_id, 'deliver_webhook', 'webhook', 'waiting', false, owner, delivery_target(owner, h.endpoint_id, h.callback_url), h.id,
        dg_now() + interval '14 days', 10, jsonb_build_object('v', 1, 'delivery_id', h.id)
    FROM hooked h;
    GET DIAGNOSTICS told = ROW_COUNT;
    RETURN told;
END
$$;

-- How many deliveries to one target may be in flight, of as many as its owner may have: an endpoint leaves an eighth to the others; one
-- whose last word was a failure gets an eighth, which is enough to find out that it is well again; of callbacks no more is known than
-- their number, so they share by halves.
CREATE FUNCTION target_window(target uuid, size bigint) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT greatest(1, coalesce((SELECT CASE WHEN w.failing_since IS NULL THEN size - greatest(1, size / 8) ELSE size / 8 END
        FROM webhook_endpoints w WHERE w.id = target), size / 2))
$$;
COMMENT ON FUNCTION target_window(uuid, bigint) IS 'Deliveries to one target that may be in flight within its owner''s window';

-- As before, but for targets, which have windows of this kind where batches have batch_window.
CREATE OR REPLACE FUNCTION next_jobs(lock_classes integer[], lanes text[], owners uuid[], sizes integer[], most integer[], leaving uuid[],
    batch_window bigint, kinds text[], kind_lanes text[]) RETURNS SETOF uuid LANGUAGE plpgsql VOLATILE ROWS 20 AS $$
BEGIN
    -- In one order, so that two calls for several flows don't wait for each other in a circle.
    PERFORM pg_advisory_xact_lock(l.class, l.owner) FROM (
        SELECT DISTINCT w.class, uuid_hash(w.owner) AS owner FROM unnest(lock_classes, owners) AS w(class, owner) ORDER BY 1, 2) l;
    RETURN QUERY
    WITH room AS MATERIALIZED (
        SELECT w.lane, w.owner, w.size, least(w.most, w.size - (SELECT count(*) FROM (SELECT FROM jobs j
            WHERE j.in_flight AND j.lane = w.lane AND j.user_id = w.owner AND j.id <> ALL (leaving) LIMIT w.size) f)) AS free
        FROM unnest(lanes, owners, sizes, next_jobs.most) AS w(lane, owner, size, most)
        WHERE NOT EXISTS (SELECT FROM queue_pauses p WHERE p.name = w.lane)
          AND EXISTS (SELECT FROM unnest(kind_lanes, kinds) AS k(lane, kind) WHERE k.lane = w.lane
              AND NOT EXISTS (SELECT FROM queue_pauses p WHERE p.name = k.kind))
    )
    SELECT chosen.id FROM room r
    CROSS JOIN LATERAL (
        WITH RECURSIVE parts(part) AS (
            (SELECT coalesce(j.batch_id, j.user_id) FROM jobs j WHERE NOT j.in_flight AND j.lane = r.lane AND j.user_id = r.owner
             ORDER BY coalesce(j.batch_id, j.user_id) LIMIT 1)
            UNION ALL
            SELECT (SELECT coalesce(j.batch_id, j.user_id) FROM jobs j WHERE NOT j.in_flight AND j.lane = r.lane
                        AND j.user_id = r.owner AND coalesce(j.batch_id, j.user_id) > parts.part
                    ORDER BY coalesce(j.batch_id, j.user_id) LIMIT 1)
            FROM parts WHERE parts.part IS NOT NULL
        )
        SELECT due.id FROM (SELECT part FROM parts WHERE part IS NOT NULL
            AND (SELECT true FROM jobs j WHERE NOT j.in_flight AND j.lane = r.lane AND j.user_id = r.owner
                 AND coalesce(j.batch_id, j.user_id) = parts.part AND j.run_at <= dg_now() LIMIT 1) LIMIT 128) p
        CROSS JOIN LATERAL (
            SELECT d.id, d.run_at, row_number() OVER (ORDER BY d.run_at, d.id) AS turn FROM (
                SELECT j.id, j.run_at FROM jobs j
                WHERE NOT j.in_flight AND j.lane = r.lane AND j.user_id = r.owner
                  AND coalesce(j.batch_id, j.user_id) = p.part AND j.run_at <= dg_now() AND j.kind = ANY (kinds)
                  AND NOT EXISTS (SELECT FROM queue_pauses q WHERE q.name = j.kind)
                ORDER BY j.run_at, j.id
                LIMIT greatest(0, CASE WHEN p.part = r.owner THEN r.free ELSE least(r.free,
                    CASE WHEN r.lane = 'webhook' THEN target_window(p.part, r.size) ELSE batch_window END
                    - (SELECT count(*) FROM jobs f WHERE f.in_flight AND f.lane = r.lane AND f.user_id = r.owner
                        AND f.batch_id = p.part AND (r.lane <> 'webhook' OR f.id <> ALL (leaving)))) END)
                FOR UPDATE SKIP LOCKED
            ) d
        ) due
        ORDER BY due.turn, due.run_at, due.id
        LIMIT greatest(0, r.free)
    ) chosen
    WHERE r.free > 0;
END
$$;
