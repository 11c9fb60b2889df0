//! One attempt at a job: claiming it, keeping the lease alive, giving it back.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    ids::{ConnectionId, JobId, LeaseId, UserId},
    jobs::JobKind,
    model::{
        jobs::Lane,
        policies::PolicyVersion,
        questions::{Failure, Stage},
    },
    store::{Result, StoreError},
};

/// An attempt's hold on a job: named by every write of the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Which job.
    pub job_id: JobId,
    /// The fencing token.
    pub lease_id: LeaseId,
}

/// A claimed job.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The hold on it.
    pub lease: Lease,
    /// What it does.
    pub kind: JobKind,
    /// Where it rang.
    pub lane: Lane,
    /// For whom.
    pub user_id: UserId,
    /// On which connection.
    pub connection_id: Option<ConnectionId>,
    /// What it is about.
    pub subject_id: Option<Uuid>,
    /// Which attempt this is, from 1.
    pub attempt: i16,
    /// Attempts that it may cost.
    pub max_attempts: i16,
    /// Seconds left until its deadline; negative: it has passed.
    pub seconds_left: f64,
    /// Seconds since it could have begun.
    pub waited_seconds: f64,
    /// What it needs.
    pub payload: Value,
    /// The trace that it continues.
    pub traceparent: Option<String>,
    /// The version of its user's policy on its connection, as of the claim.
    pub policy_version: Option<PolicyVersion>,
    /// When it came into being.
    pub created_at: DateTime<Utc>,
}

/// Claims a job for one attempt, or finds that there is nothing to claim: it is running, over, gone, not due, or of a kind that only
/// a newer program knows. One UPDATE.
///
/// # Errors
/// If the database fails.
pub async fn claim(pool: &PgPool, job: JobId, worker: &str, lease_seconds: f64) -> Result<Option<Claimed>> {
    let lease_id = LeaseId::new();
    let row = sqlx::query!(
        r#"UPDATE jobs SET state = 'running', lease_id = $2, lease_until = dg_now() + $3 * interval '1 second', worker = $4,
               attempt = attempt + 1, started_at = coalesce(started_at, dg_now()), stage = NULL, progress = NULL
           FROM job_payloads p
           WHERE jobs.id = $1 AND p.job_id = jobs.id AND state IN ('waiting', 'queued') AND run_at <= dg_now()
             AND kind = ANY($5)
           RETURNING kind, lane, user_id, connection_id, subject_id, attempt, max_attempts, p.payload, p.traceparent, created_at,
               extract(epoch FROM deadline - dg_now())::float8 AS "seconds_left!",
               extract(epoch FROM dg_now() - run_at)::float8 AS "waited!",
               policy_version(user_id, connection_id) AS policy_version"#,
        job.0,
        lease_id.0,
        lease_seconds,
        worker,
        &JobKind::known()
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let unreadable = |what| move |detail| StoreError::Unreadable { what, detail };
    Ok(Some(Claimed {
        lease: Lease { job_id: job, lease_id },
        kind: row.kind.parse().map_err(unreadable("jobs.kind"))?,
        lane: row.lane.parse().map_err(unreadable("jobs.lane"))?,
        user_id: UserId(row.user_id),
        connection_id: row.connection_id.map(ConnectionId),
        subject_id: row.subject_id,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        seconds_left: row.seconds_left,
        waited_seconds: row.waited,
        payload: row.payload,
        traceparent: row.traceparent,
        policy_version: row.policy_version.map(PolicyVersion),
        created_at: row.created_at,
    }))
}

/// What a process tells of one of its attempts.
#[derive(Clone, Debug)]
pub struct Beat {
    /// The hold.
    pub lease: Lease,
    /// What it is doing.
    pub stage: Option<Stage>,
}

/// What came of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which job is still held.
    pub job_id: JobId,
    /// Whether the lease was renewed; if not, its row was locked by somebody, and the lease runs on as it was.
    pub renewed: bool,
    /// Whether its owner wants it stopped.
    pub cancel_requested: bool,
}

/// Renews the leases of a process in one statement. A lease that is not among the answers is lost: its attempt must stop. A row that
/// somebody has locked is passed over: it must not make all the others wait until they are lost.
///
/// # Errors
/// If the database fails; the leases then run on as they were.
pub async fn heartbeat(pool: &PgPool, beats: &[Beat], lease_seconds: f64) -> Result<Vec<Held>> {
    let jobs: Vec<Uuid> = beats.iter().map(|beat| beat.lease.job_id.0).collect();
    let leases: Vec<Uuid> = beats.iter().map(|beat| beat.lease.lease_id.0).collect();
    let stages: Vec<Option<String>> = beats.iter().map(|beat| beat.stage.map(|stage| stage.as_str().to_owned())).collect();
    let rows = sqlx::query!(
        r#"WITH beats AS (
               SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::text[]) AS b(job_id, lease_id, stage)
           ), free AS (
               SELECT j.id, b.stage FROM jobs j JOIN beats b ON j.id = b.job_id AND j.lease_id = b.lease_id
               WHERE j.state = 'running' FOR NO KEY UPDATE OF j SKIP LOCKED
           ), renewed AS (
               UPDATE jobs SET lease_until = dg_now() + $4 * interval '1 second', stage = free.stage
               FROM free WHERE jobs.id = free.id
               RETURNING jobs.id
           )
           SELECT j.id, renewed.id IS NOT NULL AS "renewed!", j.cancel_requested_at IS NOT NULL AS "cancel_requested!"
           FROM jobs j JOIN beats b ON j.id = b.job_id AND j.lease_id = b.lease_id LEFT JOIN renewed ON renewed.id = j.id
           WHERE j.state = 'running'"#,
        &jobs,
        &leases,
        &stages as &[Option<String>],
        lease_seconds
    )
    .fetch_all(pool)
    .await?;
    let held = rows.into_iter();
    Ok(held.map(|row| Held { job_id: JobId(row.id), renewed: row.renewed, cancel_requested: row.cancel_requested }).collect())
}

/// How an attempt that is not the last one ends.
#[derive(Clone, Debug)]
pub enum Release {
    /// Something went wrong: the attempt counts, and the job runs again in so many seconds.
    Retry {
        /// What went wrong.
        failure: Failure,
        /// The wait.
        seconds: f64,
    },
    /// Nobody's fault: the attempt does not count.
    Later {
        /// What is in the way.
        failure: Failure,
        /// The wait.
        seconds: f64,
    },
    /// The worker is stopping: the attempt does not count, and the job may run at once.
    GivenBack,
}

/// Puts a job back into the queue; false: the lease was lost or its owner wants the job stopped (then finish it as cancelled), and
/// nothing was touched.
///
/// # Errors
/// If the database fails.
pub async fn release(pool: &PgPool, lease: Lease, stage: Option<Stage>, release: &Release) -> Result<bool> {
    let (outcome, failure, seconds, counts) = match release {
        Release::Retry { failure, seconds } => ("retry", Some(failure), *seconds, true),
        Release::Later { failure, seconds } => ("later", Some(failure), *seconds, false),
        Release::GivenBack => ("given_back", None, 0.0, false),
    };
    let error = failure.map(serde_json::to_value).transpose().unwrap_or_default();
    let row = sqlx::query!(
        r#"WITH mine AS (
               SELECT id, attempt, worker, started_at FROM jobs
               WHERE id = $1 AND lease_id = $2 AND state = 'running' AND cancel_requested_at IS NULL FOR UPDATE
           ), noted AS (
               INSERT INTO job_attempts (job_id, lease_id, attempt, worker, started_at, outcome, stage, error)
               SELECT id, $2, attempt, worker, coalesce(started_at, dg_now()), $3, $4, $5 FROM mine
           )
           UPDATE jobs SET state = 'waiting', lease_id = NULL, lease_until = NULL, worker = NULL, stage = NULL, rung_at = NULL,
               run_at = dg_now() + $6 * interval '1 second', error = coalesce($5, error),
               attempt = CASE WHEN $7 THEN jobs.attempt ELSE jobs.attempt - 1 END
           FROM mine WHERE jobs.id = mine.id
           RETURNING jobs.id"#,
        lease.job_id.0,
        lease.lease_id.0,
        outcome,
        stage.map(Stage::as_str),
        error,
        seconds,
        counts
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.is_some())
}
