//! `webhook_attempts`: what came of every request that was sent, and what that means for its endpoint.

use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::{
    events::WEBHOOK_DISABLED,
    ids::{DeliveryId, JobId, LeaseId, UserId, WebhookId},
    store::{Result, events, ledger::Claimed},
};

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// How long the whole exchange took.
    pub duration_ms: i32,
    /// What the target answered.
    pub status_code: Option<i16>,
    /// Why it failed: words of ours, with nothing of the URL or the answer.
    pub error: Option<String>,
}

/// Whether the target said that it is gone for good (410).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It did: the endpoint is disabled at once.
    Yes,
    /// It only failed.
    No,
}

/// Whether an endpoint was disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disabling {
    /// It is as it was.
    None,
    /// Since its target is gone, or has failed for five days; its owner is told by an event.
    Disabled {
        /// Who is told.
        owner: UserId,
    },
}

/// Notes a failed attempt. An endpoint whose target is gone, or has done nothing but fail for five days, is disabled, and its owner told
/// in the same commit.
///
/// Not fenced by the lease: a request that was sent was sent, whoever has the job now.
///
/// # Errors
/// If the database fails.
pub async fn failed(
    pool: &PgPool,
    job: &Claimed,
    delivery: DeliveryId,
    endpoint: Option<WebhookId>,
    attempt: &Attempt,
    gone: Gone,
) -> Result<Disabling> {
    let mut tx = pool.begin().await?;
    note(&mut tx, delivery, job.lease.job_id, job.lease.lease_id, attempt).await?;
    let mut disabling = Disabling::None;
    if let Some(endpoint) = endpoint {
        // Written only where something changes: many deliveries to one endpoint may fail at the same time.
        let changed = sqlx::query!(
            r#"UPDATE webhook_endpoints SET failing_since = coalesce(failing_since, dg_now()),
                   is_active = NOT ($2 OR coalesce(failing_since <= dg_now() - interval '5 days', false)),
                   disabled_reason = CASE WHEN $2 THEN 'gone' WHEN failing_since <= dg_now() - interval '5 days' THEN 'failing' END,
                   disabled_at = CASE WHEN $2 OR failing_since <= dg_now() - interval '5 days' THEN dg_now() END
               WHERE id = $1 AND is_active AND ($2 OR failing_since IS NULL OR failing_since <= dg_now() - interval '5 days')
               RETURNING user_id, is_active, disabled_reason, description, failing_since"#,
            endpoint.0,
            gone == Gone::Yes
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(row) = changed.filter(|row| !row.is_active) {
            let owner = UserId(row.user_id);
            let data = json!({
                "webhook_id": endpoint, "description": row.description, "reason": row.disabled_reason, "failing_since": row.failing_since,
            });
            events::insert(&mut tx, WEBHOOK_DISABLED, &endpoint.to_string(), owner, None, &data).await?;
            disabling = Disabling::Disabled { owner };
        }
    }
    tx.commit().await?;
    Ok(disabling)
}

async fn note(conn: &mut PgConnection, delivery: DeliveryId, job: JobId, lease: LeaseId, attempt: &Attempt) -> Result<()> {
    sqlx::query!(
        "INSERT INTO webhook_attempts (delivery_id, lease_id, job_id, attempt, started_at, duration_ms, status_code, error)
         SELECT d.id, $2, $3, j.attempt, dg_now() - $4::int4 * interval '1 millisecond', $4, $5, $6
         FROM webhook_deliveries d JOIN jobs j ON j.id = $3 WHERE d.id = $1
         ON CONFLICT (delivery_id, lease_id) DO NOTHING",
        delivery.0,
        lease.0,
        job.0,
        attempt.duration_ms,
        attempt.status_code,
        attempt.error
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes a successful attempt, in the commit of its job's end.
pub(in crate::store) async fn succeeded(
    conn: &mut PgConnection,
    delivery: DeliveryId,
    job: JobId,
    lease: LeaseId,
    attempt: &Attempt,
) -> Result<()> {
    super::ended(&mut *conn, delivery, job, "delivered").await?;
    note(&mut *conn, delivery, job, lease, attempt).await?;
    sqlx::query!(
        "UPDATE webhook_endpoints SET failing_since = NULL
         WHERE id = (SELECT d.endpoint_id FROM webhook_deliveries d WHERE d.id = $1) AND failing_since IS NOT NULL",
        delivery.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
