//! Stopping a batch: what has ended stays, what waits ends as cancelled, what runs is asked to stop or waited for.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{json, settle::Open, status};
use crate::{
    batches::BatchStatus,
    ids::{BatchId, JobId, UserId},
    model::{
        jobs::JobState,
        questions::{Failure, FailureCode},
    },
    store::{Result, ledger::finish::Ended},
};

/// What came of asking a batch to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It is being stopped: now, or since before.
    Stopping {
        /// Now.
        now: bool,
    },
    /// It was over before.
    TooLate(BatchStatus),
    /// There is no such batch, or it is not this user's.
    Unknown,
}

/// Asks a batch of this user (none: of anybody) to stop. What is done about it is up to [`super::settle`].
///
/// # Errors
/// If the database fails.
pub async fn stop(conn: &mut PgConnection, owner: Option<UserId>, id: BatchId) -> Result<Stopped> {
    let found = sqlx::query_scalar!(
        "SELECT status FROM batches WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) FOR UPDATE",
        id.0,
        owner.map(|id| id.0)
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(found) = found else { return Ok(Stopped::Unknown) };
    match status(&found)? {
        BatchStatus::Running => {
            mark(conn, id, "owner").await?;
            Ok(Stopped::Stopping { now: true })
        }
        BatchStatus::Cancelling => Ok(Stopped::Stopping { now: false }),
        over => Ok(Stopped::TooLate(over)),
    }
}

/// Begins to stop a batch whose row is locked.
pub(super) async fn begin_stop(conn: &mut PgConnection, batch: &mut Open, by: &str) -> Result<()> {
    mark(conn, batch.id, by).await?;
    batch.status = BatchStatus::Cancelling;
    batch.stopped_by = Some(by.to_owned());
    Ok(())
}

async fn mark(conn: &mut PgConnection, id: BatchId, by: &str) -> Result<()> {
    sqlx::query!("UPDATE batches SET status = 'cancelling', stopped_by = $2 WHERE id = $1 AND status = 'running'", id.0, by)
        .execute(conn)
        .await?;
    Ok(())
}

/// Why a question was not asked to the end; none: its owner did not want it.
pub(super) fn reason(stopped_by: Option<&str>) -> Option<Failure> {
    (stopped_by == Some("budget")).then(|| {
        Failure::new(FailureCode::BudgetSpent, "the budget of its batch was spent before it was its turn")
            .hint("ask the rest in a new batch, with a budget of its own")
    })
}

/// Ends the jobs of a batch that have not begun, at most so many of those that wait and of those that are rung: exactly what cancelling
/// them one by one writes.
pub(super) async fn end_waiting(conn: &mut PgConnection, batch: &Open, limit: i64) -> Result<Vec<Ended>> {
    let failure = reason(batch.stopped_by.as_deref());
    let error: Option<Value> = failure.as_ref().map(|failure| json(failure, "jobs.error")).transpose()?;
    let rows = sqlx::query!(
        r#"WITH found AS MATERIALIZED (
               (SELECT id FROM jobs WHERE NOT in_flight AND lane = 'bulk' AND user_id = $2 AND coalesce(batch_id, user_id) = $1
                ORDER BY run_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
           ), rung AS MATERIALIZED (
               (SELECT id FROM jobs WHERE in_flight AND state = 'queued' AND lane = 'bulk' AND user_id = $2 AND batch_id = $1
                LIMIT $3 FOR UPDATE SKIP LOCKED)
           ), ended AS (
               UPDATE jobs SET state = 'cancelled', in_flight = NULL, finished_at = dg_now(), error = $4, dead = false, stage = NULL,
                   progress = NULL
               WHERE id IN (SELECT id FROM found UNION ALL SELECT id FROM rung)
               RETURNING id, kind, user_id, subject_id, connection_id
           ), asked AS (
               UPDATE query_history q SET status = 'cancelled', error = $4, error_message = $5, finished_at = dg_now()
               FROM ended e WHERE q.id = e.subject_id AND q.job_id = e.id AND q.status = 'pending'
           ), told AS (
               INSERT INTO events (id, type, subject, user_id, job_id, data)
               SELECT uuid7(), 'question.cancelled', coalesce(e.subject_id, e.id)::text, e.user_id, e.id,
                   jsonb_build_object('job_id', e.id, 'kind', e.kind, 'state', 'cancelled', 'connection_id', e.connection_id,
                       'question_id', e.subject_id, 'status', 'cancelled')
                   || CASE WHEN $4::jsonb IS NULL THEN '{}' ELSE jsonb_build_object('error', $4) END
               FROM ended e
               RETURNING seq, id, type, user_id, job_id
           ), hooked AS (
               SELECT t.job_id, tell_webhooks(t.seq, t.id, t.type, t.user_id, NULL) AS deliveries FROM told t
               WHERE EXISTS (SELECT FROM webhook_endpoints w WHERE w.user_id = t.user_id AND w.is_active)
           )
           SELECT e.id AS "id!", e.subject_id, coalesce(h.deliveries, 0) > 0 AS "tells_webhooks!"
           FROM ended e LEFT JOIN hooked h ON h.job_id = e.id"#,
        batch.id.0,
        batch.user_id.0,
        limit,
        error,
        failure.as_ref().map(|failure| failure.message.as_str())
    )
    .fetch_all(conn)
    .await?;
    let ended = rows.into_iter().map(|row| Ended {
        job_id: JobId(row.id),
        user_id: batch.user_id,
        subject: row.subject_id.unwrap_or(row.id).to_string(),
        state: JobState::Cancelled,
        tells_webhooks: row.tells_webhooks,
    });
    Ok(ended.collect())
}

/// Asks the running jobs of a batch that its owner has stopped to stop too; which. Those of a spent budget run to their end: they are paid
/// for already.
pub(super) async fn ask_running(conn: &mut PgConnection, batch: &Open) -> Result<Vec<JobId>> {
    if batch.stopped_by.as_deref() != Some("owner") {
        return Ok(Vec::new());
    }
    let asked: Vec<Uuid> = sqlx::query_scalar!(
        "UPDATE jobs SET cancel_requested_at = dg_now() WHERE id IN (
             SELECT id FROM jobs WHERE in_flight AND state = 'running' AND lane = 'bulk' AND user_id = $2 AND batch_id = $1
               AND cancel_requested_at IS NULL FOR NO KEY UPDATE SKIP LOCKED)
         RETURNING id",
        batch.id.0,
        batch.user_id.0
    )
    .fetch_all(conn)
    .await?;
    Ok(asked.into_iter().map(JobId).collect())
}
