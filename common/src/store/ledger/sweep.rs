//! What the scheduler does for the ledger: ring again what was not heard, rescue what a dead worker left. Safe to run twice.

use sqlx::{Acquire, PgPool, Postgres, Transaction};

use super::{
    Ring,
    finish::{Ended, Job, Outcome, write},
};
use crate::{
    ids::{JobId, UserId},
    jobs::JobKind,
    model::{
        jobs::Lane,
        questions::{Failure, FailureCode, Stage},
    },
    store::{Result, StoreError},
};

/// Jobs of a lane whose bell was rung and went unheard for so many seconds. They count as rung now: the caller rings.
///
/// # Errors
/// If the database fails.
pub async fn ring_again(pool: &PgPool, lane: Lane, stale_seconds: f64, limit: i64) -> Result<Vec<Ring>> {
    let rows = sqlx::query!(
        "UPDATE jobs SET rung_at = dg_now()
         FROM (SELECT id FROM jobs WHERE in_flight AND lane = $1 AND state = 'queued' AND run_at <= dg_now()
                   AND (rung_at IS NULL OR rung_at < dg_now() - $2 * interval '1 second') AND kind = ANY($4)
                   AND NOT EXISTS (SELECT FROM queue_pauses p WHERE p.name = jobs.lane OR p.name = jobs.kind)
               ORDER BY run_at, id LIMIT $3 FOR UPDATE SKIP LOCKED) due
         WHERE jobs.id = due.id
         RETURNING jobs.id, kind, traceparent",
        lane.as_str(),
        stale_seconds,
        limit,
        &JobKind::known()
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = row.kind.parse().map_err(|detail| StoreError::Unreadable { what: "jobs.kind", detail })?;
            Ok(Ring { job_id: JobId(row.id), kind, lane, traceparent: row.traceparent })
        })
        .collect()
}

/// What a rescue did.
#[derive(Debug, Default)]
pub struct Rescued {
    /// Put back into the queue, and due at once: ring.
    pub rings: Vec<Ring>,
    /// Put back to wait for a backoff.
    pub delayed: usize,
    /// Ended: their attempts were spent, or their owner had wanted them stopped.
    pub ended: Vec<Ended>,
}

/// Takes jobs whose lease ran out from the workers that held them: the first time at once, then with a backoff; attempts spent:
/// failed and dead; wanted stopped: cancelled. Crashes cost an attempt.
///
/// After a restart of PostgreSQL nothing is rescued for one lease: its workers could not renew while it was away.
///
/// # Errors
/// If the database fails.
pub async fn rescue(pool: &PgPool, lease_seconds: f64, limit: i64) -> Result<Rescued> {
    let mut tx = pool.begin().await?;
    impatient(&mut tx).await?;
    let rows = sqlx::query!(
        r#"SELECT id, kind, lane, user_id, subject_id, connection_id, lease_id, attempt, max_attempts, crashes, stage, worker,
                  cancel_requested_at IS NOT NULL AS "cancel_requested!", traceparent
           FROM jobs
           WHERE in_flight AND state = 'running' AND lease_until < dg_now() AND kind = ANY($3)
             AND pg_postmaster_start_time() < clock_timestamp() - $1 * interval '1 second'
           ORDER BY id LIMIT $2 FOR UPDATE OF jobs SKIP LOCKED"#,
        lease_seconds,
        limit,
        &JobKind::known()
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut rescued = Rescued::default();
    for row in rows {
        let unreadable = |what| move |detail| StoreError::Unreadable { what, detail };
        let job = Job {
            id: JobId(row.id),
            lease_id: row.lease_id,
            kind: row.kind.parse().map_err(unreadable("jobs.kind"))?,
            user_id: UserId(row.user_id),
            subject_id: row.subject_id,
            connection_id: row.connection_id,
        };
        let lane: Lane = row.lane.parse().map_err(unreadable("jobs.lane"))?;
        let stage: Option<Stage> = row.stage.and_then(|stage| stage.parse().ok());
        let crashed = Failure::new(FailureCode::AttemptsSpent, format!("the worker died with it, {} times", row.crashes + 1))
            .hint("an administrator can look at the dead jobs and replay it");
        let last = row.attempt >= row.max_attempts;
        if row.cancel_requested || last {
            let outcome =
                if row.cancel_requested { Outcome::Cancelled } else { Outcome::Failed { failure: crashed, dead: true, ending: None } };
            if let Some(ended) = end(&mut tx, &job, stage, &outcome).await? {
                rescued.ended.push(ended);
                // So that a late finish of the dead attempt finds its lease lost, and does not take this end for its own.
                sqlx::query!("UPDATE jobs SET lease_id = NULL WHERE id = $1", row.id).execute(&mut *tx).await?;
            }
            continue;
        }
        // 0, 2, 4, 8 … seconds, at most a minute, and up to as much again: those who went down together do not come back together.
        let wait =
            if row.crashes == 0 { 0.0 } else { f64::from(1_u32 << row.crashes.clamp(0, 6)).min(60.0) * (1.0 + rand::random::<f64>()) };
        sqlx::query!(
            "INSERT INTO job_attempts (job_id, lease_id, attempt, worker, started_at, outcome, stage)
             SELECT id, lease_id, attempt, worker, coalesce(claimed_at, dg_now()), 'crashed', stage FROM jobs WHERE id = $1",
            row.id
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE jobs SET state = CASE WHEN $2 = 0.0::float8 THEN 'queued' ELSE 'waiting' END, in_flight = ($2 = 0.0::float8),
                 lease_id = NULL, lease_until = NULL, worker = NULL, stage = NULL, crashes = crashes + 1, run_at = dg_now() + $2::float8 * interval '1 second',
                 rung_at = CASE WHEN $2 = 0.0::float8 THEN dg_now() END
             WHERE id = $1",
            row.id,
            wait
        )
        .execute(&mut *tx)
        .await?;
        if wait == 0.0 {
            rescued.rings.push(Ring { job_id: job.id, kind: job.kind, lane, traceparent: row.traceparent });
        } else {
            rescued.delayed += 1;
        }
    }
    tx.commit().await?;
    Ok(rescued)
}

/// Ends waiting jobs whose deadline has passed; a running one is its worker's to end.
///
/// # Errors
/// If the database fails.
pub async fn expire(pool: &PgPool, limit: i64) -> Result<Vec<Ended>> {
    let mut tx = pool.begin().await?;
    impatient(&mut tx).await?;
    let rows = sqlx::query!(
        r#"SELECT j.id, j.kind, j.user_id, j.subject_id, j.connection_id, j.error FROM jobs j
           WHERE j.id IN (
                   (SELECT id FROM jobs WHERE NOT in_flight AND deadline < dg_now() AND kind = ANY($2) ORDER BY deadline LIMIT $1)
                   UNION ALL
                   (SELECT id FROM jobs WHERE in_flight AND state = 'queued' AND deadline < dg_now() AND kind = ANY($2) LIMIT $1))
             AND j.state IN ('waiting', 'queued') AND j.deadline < dg_now()
           ORDER BY j.id LIMIT $1 FOR UPDATE SKIP LOCKED"#,
        limit,
        &JobKind::known()
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut ended = Vec::with_capacity(rows.len());
    for row in rows {
        let job = Job {
            id: JobId(row.id),
            lease_id: None,
            kind: row.kind.parse().map_err(|detail| StoreError::Unreadable { what: "jobs.kind", detail })?,
            user_id: UserId(row.user_id),
            subject_id: row.subject_id,
            connection_id: row.connection_id,
        };
        // What kept it from running, if that is known, tells more than that its time is over.
        let failure = row.error.and_then(|error| serde_json::from_value::<Failure>(error).ok()).unwrap_or_else(deadline_passed);
        ended.extend(end(&mut tx, &job, None, &Outcome::Failed { failure, dead: false, ending: None }).await?);
    }
    tx.commit().await?;
    Ok(ended)
}

/// A row that somebody has locked must not hold up all the others, and a scheduler that stands still in the middle must not keep what it
/// has locked from its successor.
async fn impatient(tx: &mut Transaction<'_, Postgres>) -> Result<()> {
    sqlx::query!(
        "SELECT set_config('lock_timeout', '500ms', true) AS lock, set_config('idle_in_transaction_session_timeout', '3s', true) AS idle"
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

/// Ends one of many jobs within a savepoint: one that can't be ended is said, and does not keep the others.
async fn end(tx: &mut Transaction<'_, Postgres>, job: &Job, stage: Option<Stage>, outcome: &Outcome) -> Result<Option<Ended>> {
    let mut savepoint = tx.begin().await?;
    match write(&mut savepoint, job, stage, outcome).await {
        Ok(ended) => {
            savepoint.commit().await?;
            Ok(Some(ended))
        }
        Err(error) if error.is_outage() => Err(error),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, job_id = %job.id, "a job can't be ended");
            savepoint.rollback().await?;
            Ok(None)
        }
    }
}

/// The failure of a job whose time is over.
#[must_use]
pub fn deadline_passed() -> Failure {
    Failure::new(FailureCode::DeadlinePassed, "its deadline passed before it could be done")
        .hint("ask again, or give it more time with deadline_seconds")
        .retryable()
}
