-- As before, but jobs that are leaving take no place in the window of their batch either: a slot goes on while the end is being written.
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
                        AND f.batch_id = p.part AND f.id <> ALL (leaving))) END)
                FOR UPDATE SKIP LOCKED
            ) d
        ) due
        ORDER BY due.turn, due.run_at, due.id
        LIMIT greatest(0, r.free)
    ) chosen
    WHERE r.free > 0;
END
$$;
