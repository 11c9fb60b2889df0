//! `webhook_deliveries`: events on their way to endpoints and callbacks.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    crypto::signing::Signs,
    events::{CONNECTION_DRIFTED, Event, SOURCE, WEBHOOK_TEST, sequence},
    ids::{DeliveryId, EventId, JobId, UserId, WebhookId},
    store::Result,
};

/// A delivery that is due, with all that sending it needs.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Where to. May hold a secret: in no log.
    pub url: String,
    /// The endpoint; none: a callback.
    pub endpoint: Option<WebhookId>,
    /// What its secrets sign for.
    pub signs: Signs,
    /// Sealed secrets, the newest first; empty: none was made yet.
    pub secrets: Vec<Value>,
    /// What to send.
    pub event: Event,
}

/// What became of looking for a delivery.
#[derive(Clone, Debug)]
pub enum DueDelivery {
    /// Send it.
    Due(Box<Delivery>),
    /// There is nothing to send any more, for this reason, in words.
    Void(&'static str),
}

/// Reads the delivery that a job is for.
///
/// # Errors
/// If the database fails.
pub async fn due(pool: &PgPool, id: DeliveryId, job: JobId) -> Result<DueDelivery> {
    let row = sqlx::query!(
        r#"SELECT d.job_id, d.user_id, d.endpoint_id, d.event_type, coalesce(w.url, d.callback_url) AS url, w.is_active AS "is_active?",
               coalesce(w.secret, s.secret) AS secret,
               CASE WHEN w.id IS NOT NULL THEN CASE WHEN w.old_secret_until > dg_now() THEN w.old_secret END
                    WHEN s.old_secret_until > dg_now() THEN s.old_secret END AS old_secret,
               coalesce(u.is_active, false) AS "owner_is_active!", coalesce(u.role = 'admin', false) AS "owner_is_admin!",
               e.xid::text AS "xid?", e.seq AS "seq?", e.id AS "event_id?", e.subject AS "subject?", e.data AS "data?",
               e.created_at AS "created_at?"
           FROM webhook_deliveries d
           LEFT JOIN webhook_endpoints w ON w.id = d.endpoint_id
           LEFT JOIN webhook_callback_secrets s ON s.user_id = d.user_id AND d.endpoint_id IS NULL
           LEFT JOIN users u ON u.id = d.user_id
           LEFT JOIN events e ON e.seq = d.event_seq
           WHERE d.id = $1"#,
        id.0
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(DueDelivery::Void("the delivery was removed")) };
    if row.job_id != job.0 {
        return Ok(DueDelivery::Void("a replay has taken its place"));
    }
    let Some(url) = row.url else { return Ok(DueDelivery::Void("the endpoint was deleted")) };
    if row.is_active == Some(false) && row.event_type != WEBHOOK_TEST {
        return Ok(DueDelivery::Void("the endpoint is disabled"));
    }
    if !row.owner_is_active {
        return Ok(DueDelivery::Void("its owner's account is switched off"));
    }
    // It names tables that others may not see, as on the WebSocket.
    if row.event_type == CONNECTION_DRIFTED && !row.owner_is_admin {
        return Ok(DueDelivery::Void("its owner is no administrator any more"));
    }
    let (Some(xid), Some(seq), Some(event), Some(subject), Some(data), Some(time)) =
        (row.xid, row.seq, row.event_id, row.subject, row.data, row.created_at)
    else {
        return Ok(DueDelivery::Void("the event was kept for its time and is gone"));
    };
    let event = Event {
        specversion: "1.0".to_owned(),
        id: EventId(event),
        source: SOURCE.to_owned(),
        event_type: row.event_type,
        time,
        subject,
        sequence: Some(sequence(xid.parse().unwrap_or(0), seq)),
        data,
    };
    let endpoint = row.endpoint_id.map(WebhookId);
    let signs = endpoint.map_or(Signs::Callbacks(row.user_id), |id| Signs::Endpoint(id.0));
    let secrets = row.secret.into_iter().chain(row.old_secret).collect();
    Ok(DueDelivery::Due(Box::new(Delivery { url, endpoint, signs, secrets, event })))
}

/// A delivery as shown.
#[derive(Clone, Debug)]
pub struct DeliveryView {
    /// Its id.
    pub id: Uuid,
    /// The endpoint; none: a callback.
    pub endpoint_id: Option<Uuid>,
    /// Where a callback goes.
    pub callback_url: Option<String>,
    /// The `webhook-id`.
    pub event_id: Uuid,
    /// What is told.
    pub event_type: String,
    /// The newest job that delivers it.
    pub job_id: Uuid,
    /// `pending`, `delivered`, `failed` or `cancelled`.
    pub state: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When it was delivered or given up.
    pub finished_at: Option<DateTime<Utc>>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// Whose deliveries are listed.
#[derive(Clone, Copy, Debug)]
pub enum ListOf {
    /// To one endpoint, which is this user's: the caller has looked.
    Endpoint(WebhookId),
    /// The callbacks of this user.
    Callbacks(UserId),
}

/// A page of deliveries, newest first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn list(pool: &PgPool, of: ListOf, before: Option<DeliveryId>, limit: i64) -> Result<Vec<DeliveryView>> {
    let before = before.map(|id| id.0);
    let rows = match of {
        ListOf::Endpoint(endpoint) => {
            sqlx::query_as!(
                DeliveryView,
                r#"SELECT d.id, d.endpoint_id, d.callback_url, d.event_id, d.event_type, d.job_id, d.state, d.created_at, d.finished_at,
                       CASE WHEN d.state = 'pending' AND j.state IN ('waiting', 'queued') THEN j.run_at END AS next_attempt_at
                   FROM webhook_deliveries d LEFT JOIN jobs j ON j.id = d.job_id
                   WHERE d.endpoint_id = $1 AND ($2::uuid IS NULL OR d.id < $2) ORDER BY d.id DESC LIMIT $3"#,
                endpoint.0,
                before,
                limit
            )
            .fetch_all(pool)
            .await?
        }
        ListOf::Callbacks(user) => {
            sqlx::query_as!(
                DeliveryView,
                r#"SELECT d.id, d.endpoint_id, d.callback_url, d.event_id, d.event_type, d.job_id, d.state, d.created_at, d.finished_at,
                       CASE WHEN d.state = 'pending' AND j.state IN ('waiting', 'queued') THEN j.run_at END AS next_attempt_at
                   FROM webhook_deliveries d LEFT JOIN jobs j ON j.id = d.job_id
                   WHERE d.user_id = $1 AND d.callback_url IS NOT NULL AND ($2::uuid IS NULL OR d.id < $2) ORDER BY d.id DESC LIMIT $3"#,
                user.0,
                before,
                limit
            )
            .fetch_all(pool)
            .await?
        }
    };
    Ok(rows)
}

/// One delivery of this user.
///
/// # Errors
/// If the database fails.
pub async fn delivery(pool: &PgPool, owner: UserId, id: DeliveryId) -> Result<Option<DeliveryView>> {
    Ok(sqlx::query_as!(
        DeliveryView,
        r#"SELECT d.id, d.endpoint_id, d.callback_url, d.event_id, d.event_type, d.job_id, d.state, d.created_at, d.finished_at,
               CASE WHEN d.state = 'pending' AND j.state IN ('waiting', 'queued') THEN j.run_at END AS next_attempt_at
           FROM webhook_deliveries d LEFT JOIN jobs j ON j.id = d.job_id WHERE d.id = $1 AND d.user_id = $2"#,
        id.0,
        owner.0
    )
    .fetch_optional(pool)
    .await?)
}

/// One attempt as shown.
#[derive(Clone, Debug)]
pub struct AttemptView {
    /// Of which delivery.
    pub delivery_id: Uuid,
    /// Which attempt of its job, from 1.
    pub attempt: i16,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took; none: its worker died with it.
    pub duration_ms: Option<i32>,
    /// What the target answered.
    pub status_code: Option<i16>,
    /// Why it failed.
    pub error: Option<String>,
}

/// The attempts at these deliveries, oldest first; those with which a worker died too.
///
/// # Errors
/// If the database fails.
pub async fn attempts_of(pool: &PgPool, deliveries: &[Uuid]) -> Result<Vec<AttemptView>> {
    Ok(sqlx::query_as!(
        AttemptView,
        r#"SELECT delivery_id AS "delivery_id!", attempt AS "attempt!", started_at AS "started_at!", duration_ms, status_code, error FROM (
               SELECT a.delivery_id, a.attempt, a.started_at, a.duration_ms, a.status_code, a.error FROM webhook_attempts a
               WHERE a.delivery_id = ANY($1)
               UNION ALL
               SELECT d.id, c.attempt, c.started_at, NULL, NULL, 'the worker died with it: whether it was delivered is not known'
               FROM webhook_deliveries d JOIN job_attempts c ON c.job_id = d.job_id AND c.outcome = 'crashed'
               WHERE d.id = ANY($1)
                 AND NOT EXISTS (SELECT FROM webhook_attempts a WHERE a.delivery_id = d.id AND a.lease_id = c.lease_id)
           ) all_attempts ORDER BY started_at, attempt"#,
        deliveries
    )
    .fetch_all(pool)
    .await?)
}

/// Notes how a delivery ended with a job; if another job has taken it over, it is left to that.
pub(in crate::store) async fn ended(conn: &mut PgConnection, id: DeliveryId, job: JobId, state: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE webhook_deliveries SET state = $3, finished_at = dg_now() WHERE id = $1 AND job_id = $2 AND state = 'pending'",
        id.0,
        job.0,
        state
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes a delivery wait for another job.
pub(in crate::store) async fn wait_for(conn: &mut PgConnection, id: DeliveryId, job: JobId) -> Result<()> {
    sqlx::query!("UPDATE webhook_deliveries SET job_id = $2, state = 'pending', finished_at = NULL WHERE id = $1", id.0, job.0)
        .execute(conn)
        .await?;
    Ok(())
}
