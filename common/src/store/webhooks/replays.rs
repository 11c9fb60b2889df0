//! Deliveries that are wanted once more, and such as their owner only wants to see.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{DEADLINE_SECONDS, MAX_ATTEMPTS};
use crate::{
    events::WEBHOOK_TEST,
    ids::{DeliveryId, EventId, UserId, WebhookId},
    store::Result,
};

/// Events that one call replays at most.
pub const MOST_REPLAYED: i64 = 1_000;

/// What came of asking for a delivery once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// A new job sends it: let its owner's next jobs in.
    Again,
    /// It is on its way already.
    Pending,
    /// Its endpoint is disabled or deleted.
    Disabled,
    /// There is no such delivery, or it is not this user's.
    Unknown,
}

/// Sends a delivery once more, with the same `webhook-id`; `endpoint`: only if it goes there, none: only if it is a callback.
///
/// # Errors
/// If the database fails.
pub async fn replay(conn: &mut PgConnection, owner: UserId, endpoint: Option<WebhookId>, id: DeliveryId) -> Result<Replayed> {
    let row = sqlx::query!(
        r#"SELECT d.state, d.endpoint_id IS NULL OR coalesce(w.is_active, false) AS "may_go!"
           FROM webhook_deliveries d LEFT JOIN webhook_endpoints w ON w.id = d.endpoint_id
           WHERE d.id = $1 AND d.user_id = $2 AND d.endpoint_id IS NOT DISTINCT FROM $3 FOR UPDATE OF d"#,
        id.0,
        owner.0,
        endpoint.map(|id| id.0)
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(Replayed::Unknown) };
    if row.state == "pending" {
        return Ok(Replayed::Pending);
    }
    if !row.may_go {
        return Ok(Replayed::Disabled);
    }
    again(conn, owner, &[id.0]).await?;
    Ok(Replayed::Again)
}

/// Gives deliveries that are over new jobs.
async fn again(conn: &mut PgConnection, owner: UserId, deliveries: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "WITH again AS (
             UPDATE webhook_deliveries SET job_id = uuid7(), state = 'pending', finished_at = NULL
             WHERE id = ANY($1) AND state <> 'pending' RETURNING id, job_id, endpoint_id, callback_url
         )
         INSERT INTO jobs (id, kind, lane, state, in_flight, user_id, batch_id, subject_id, deadline, max_attempts, payload)
         SELECT job_id, 'deliver_webhook', 'webhook', 'waiting', false, $2, delivery_target($2, endpoint_id, callback_url), id, dg_now() + $3::float8 * interval '1 second', $4,
             jsonb_build_object('v', 1, 'delivery_id', id)
         FROM again",
        deliveries,
        owner.0,
        DEADLINE_SECONDS,
        MAX_ATTEMPTS
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How far a replay of all since a time came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// Events that are sent (again).
    pub replayed: i64,
    /// The last event that was looked at; none: there was none.
    pub reached: Option<Place>,
    /// Whether there are more after it.
    pub more: bool,
}

/// Where among the events, by their times: many may be of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The event's time.
    pub at: DateTime<Utc>,
    /// Its number.
    pub seq: i64,
}

/// Sends an endpoint of this user every event of his after a place that its filter takes, oldest first, whether it was sent before or
/// not; what is on its way is passed over. At most [`MOST_REPLAYED`] events are looked at.
///
/// # Errors
/// If the database fails.
pub async fn replay_since(conn: &mut PgConnection, owner: UserId, endpoint: WebhookId, after: Place) -> Result<Since> {
    let rows = sqlx::query!(
        r#"SELECT e.seq, e.id, e.type AS event_type, e.created_at FROM events e JOIN webhook_endpoints w ON w.id = $2 AND w.user_id = $1
           WHERE e.user_id = $1 AND e.created_at >= $3 AND (e.created_at, e.seq) > ($3, $6) AND w.events && ARRAY[e.type, split_part(e.type, '.', 1) || '.*', '*']
             AND e.type <> $5
           ORDER BY e.created_at, e.seq LIMIT $4"#,
        owner.0,
        endpoint.0,
        after.at,
        MOST_REPLAYED + 1,
        WEBHOOK_TEST,
        after.seq
    )
    .fetch_all(&mut *conn)
    .await?;
    let limit = usize::try_from(MOST_REPLAYED).unwrap_or(usize::MAX);
    let taken = &rows[..rows.len().min(limit)];
    let (seqs, ids): (Vec<i64>, Vec<Uuid>) = taken.iter().map(|row| (row.seq, row.id)).unzip();
    let types: Vec<String> = taken.iter().map(|row| row.event_type.clone()).collect();
    let replayed = sqlx::query_scalar!(
        r#"WITH wanted AS (
               INSERT INTO webhook_deliveries AS d (id, user_id, endpoint_id, event_seq, event_id, event_type, job_id)
               SELECT uuid7(), $1, $2, t.seq, t.id, t.type, uuid7() FROM UNNEST($3::int8[], $4::uuid[], $5::text[]) AS t(seq, id, type)
               ON CONFLICT (endpoint_id, event_seq) WHERE endpoint_id IS NOT NULL
                   DO UPDATE SET job_id = uuid7(), state = 'pending', finished_at = NULL WHERE d.state <> 'pending'
               RETURNING id, job_id
           ), rung AS (
               INSERT INTO jobs (id, kind, lane, state, in_flight, user_id, batch_id, subject_id, deadline, max_attempts, payload)
               SELECT job_id, 'deliver_webhook', 'webhook', 'waiting', false, $1, delivery_target($1, $2, NULL), id, dg_now() + $6::float8 * interval '1 second', $7,
                   jsonb_build_object('v', 1, 'delivery_id', id)
               FROM wanted
           )
           SELECT count(*) AS "replayed!" FROM wanted"#,
        owner.0,
        endpoint.0,
        &seqs,
        &ids,
        &types,
        DEADLINE_SECONDS,
        MAX_ATTEMPTS
    )
    .fetch_one(conn)
    .await?;
    Ok(Since { replayed, reached: taken.last().map(|row| Place { at: row.created_at, seq: row.seq }), more: rows.len() > taken.len() })
}

/// Makes an event that goes to this endpoint alone, and its delivery.
///
/// # Errors
/// If the database fails.
pub async fn test(conn: &mut PgConnection, owner: UserId, endpoint: WebhookId) -> Result<DeliveryId> {
    let id = DeliveryId::new();
    let event = EventId::new();
    sqlx::query!(
        "WITH told AS (
             INSERT INTO events (id, type, subject, user_id, data) VALUES ($1, $2, $3::text, $4, $5) RETURNING seq, id, type
         ), made AS (
             INSERT INTO webhook_deliveries (id, user_id, endpoint_id, event_seq, event_id, event_type, job_id)
             SELECT $6, $4, $3::text::uuid, seq, id, type, uuid7() FROM told RETURNING id, job_id
         )
         INSERT INTO jobs (id, kind, lane, state, in_flight, user_id, batch_id, subject_id, deadline, max_attempts, payload)
         SELECT job_id, 'deliver_webhook', 'webhook', 'waiting', false, $4, delivery_target($4, $3::text::uuid, NULL), id, dg_now() + $7::float8 * interval '1 second', $8,
             jsonb_build_object('v', 1, 'delivery_id', id)
         FROM made",
        event.0,
        WEBHOOK_TEST,
        endpoint.to_string(),
        owner.0,
        json!({ "webhook_id": endpoint }),
        id.0,
        DEADLINE_SECONDS,
        MAX_ATTEMPTS
    )
    .execute(conn)
    .await?;
    Ok(id)
}
