//! One attempt at a job: claiming it, keeping the lease alive, giving it back.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::admit::{Flows, Window};
use crate::{
    ids::{BatchId, ConnectionId, JobId, LeaseId, UserId},
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
    /// In which batch.
    pub batch_id: Option<BatchId>,
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
    /// Seconds since its first attempt began, without the time in which it waited for its turn; 0 in that one.
    pub seconds_since_first: f64,
    /// What kept the attempt before from its end.
    pub error: Option<Failure>,
    /// What it needs.
    pub payload: Value,
    /// The trace that it continues.
    pub traceparent: Option<String>,
    /// The version of its user's policy on its connection, as of the claim.
    pub policy_version: Option<PolicyVersion>,
    /// The version of its connection's row, as of the claim: compared for equality only.
    pub connection_version: Option<String>,
    /// When it came into being.
    pub created_at: DateTime<Utc>,
    /// When this attempt began.
    pub claimed_at: DateTime<Utc>,
}

/// Claims a job for one attempt, or finds that there is nothing to claim.
///
/// # Errors
/// If the database fails.
pub async fn claim(pool: &PgPool, job: JobId, worker: &str, lease_seconds: f64) -> Result<Option<Claimed>> {
    let lease = Lease { job_id: job, lease_id: LeaseId::new() };
    Ok(claim_many(pool, &[lease], worker, lease_seconds).await?.pop().flatten())
}

/// Claims jobs for one attempt each with leases minted for them, in one UPDATE; one answer for each, in their order. None: there is nothing to claim; it is
/// running, over, gone, not due, paused, locked by somebody, or of a kind that only a newer program knows.
///
/// The commit may wait for the disk or not (`synchronous_commit`): a claim that is lost with a crash of the database takes its
/// `lease_id` with it, so nothing that the attempt writes later touches anything.
///
/// # Errors
/// If the database fails.
pub async fn claim_many(executor: impl PgExecutor<'_>, leases: &[Lease], worker: &str, lease_seconds: f64) -> Result<Vec<Option<Claimed>>> {
    let ids: Vec<Uuid> = leases.iter().map(|lease| lease.job_id.0).collect();
    let lease_ids: Vec<Uuid> = leases.iter().map(|lease| lease.lease_id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"WITH due AS (
               SELECT j.id, c.lease_id FROM jobs j JOIN UNNEST($1::uuid[], $2::uuid[]) AS c(job_id, lease_id) ON c.job_id = j.id
               WHERE j.state IN ('waiting', 'queued') AND j.run_at <= dg_now() AND j.kind = ANY($5)
                 AND NOT EXISTS (SELECT FROM queue_pauses p WHERE p.name = j.lane OR p.name = j.kind)
               FOR NO KEY UPDATE OF j SKIP LOCKED
           ), claimed AS (
               UPDATE jobs SET state = 'running', in_flight = true, lease_id = due.lease_id,
                   lease_until = dg_now() + $3 * interval '1 second', worker = $4, attempt = attempt + 1, claimed_at = dg_now(),
                   started_at = coalesce(started_at, dg_now()),
                   run_from = least(dg_now(), coalesce(run_from + (dg_now() - run_at), dg_now())), stage = NULL, progress = NULL
               FROM due WHERE jobs.id = due.id
               RETURNING jobs.*
           )
           SELECT j.id AS "id!", j.kind AS "kind!", j.lane AS "lane!", j.user_id AS "user_id!", j.connection_id, j.batch_id, j.subject_id,
               j.lease_id AS "lease_id!", j.attempt AS "attempt!", j.max_attempts AS "max_attempts!", j.payload AS "payload!",
               j.traceparent, j.created_at AS "created_at!", j.claimed_at AS "claimed_at!",
               extract(epoch FROM least(j.deadline, j.run_from + j.run_seconds * interval '1 second') - dg_now())::float8 AS "seconds_left!",
               extract(epoch FROM dg_now() - j.run_at)::float8 AS "waited!",
               extract(epoch FROM dg_now() - j.run_from)::float8 AS "since_first!", j.error,
               'u' || u.policy_version || '.c' || c.policy_version || '.p' || coalesce(v.version, 0) AS policy_version,
               c.xmin::text AS connection_version
           FROM claimed j
           LEFT JOIN users u ON u.id = j.user_id
           LEFT JOIN database_connections c ON c.id = j.connection_id
           LEFT JOIN permission_versions v ON v.user_id = j.user_id AND v.connection_id = j.connection_id"#,
        &ids,
        &lease_ids,
        lease_seconds,
        worker,
        &JobKind::known()
    )
    .fetch_all(executor)
    .await?;
    let mut claimed: HashMap<Uuid, Claimed> = HashMap::with_capacity(rows.len());
    for row in rows {
        claimed.insert(row.id, row.try_into()?);
    }
    Ok(ids.iter().map(|id| claimed.remove(id)).collect())
}

/// Claims the next waiting jobs of flows, without a bell, by a worker that has just ended others of theirs and has their slots free:
/// at most so many of each flow, as far as its window has room. Jobs that are leaving, since their ends are being written, take none.
///
/// # Errors
/// If the database fails.
pub async fn claim_next(
    executor: impl PgExecutor<'_>,
    wanted: &[(Window, u32)],
    leaving: &[JobId],
    batch_window: u32,
    leases: &[LeaseId],
    worker: &str,
    lease_seconds: f64,
) -> Result<Vec<Claimed>> {
    let windows: Vec<Window> = wanted.iter().map(|(window, _)| *window).collect();
    let most: Vec<i32> = wanted.iter().map(|(_, most)| i32::try_from(*most).unwrap_or(i32::MAX)).collect();
    let lease_ids: Vec<Uuid> = leases.iter().map(|lease| lease.0).collect();
    let leaving: Vec<Uuid> = leaving.iter().map(|job| job.0).collect();
    let flows = Flows::of(&windows);
    let rows = sqlx::query_as!(
        Row,
        r#"WITH next AS MATERIALIZED (
               SELECT id, row_number() OVER () AS n FROM next_jobs($1, $2, $3, $4, $5, $12, $6, $7, $8) AS next(id)
           ), claimed AS (
               -- Said so that no index on the waiting ones fits: a plan made while few wait would read them all for each claim.
               UPDATE jobs SET state = 'running', in_flight = true, lease_id = l.lease_id,
                   lease_until = dg_now() + $9 * interval '1 second', worker = $10, attempt = attempt + 1, claimed_at = dg_now(),
                   started_at = coalesce(started_at, dg_now()),
                   run_from = least(dg_now(), coalesce(run_from + (dg_now() - run_at), dg_now())), stage = NULL, progress = NULL
               FROM next JOIN UNNEST($11::uuid[]) WITH ORDINALITY AS l(lease_id, n) ON l.n = next.n
               WHERE jobs.id = next.id AND NOT coalesce(jobs.in_flight, true)
               RETURNING jobs.*
           )
           SELECT j.id AS "id!", j.kind AS "kind!", j.lane AS "lane!", j.user_id AS "user_id!", j.connection_id, j.batch_id, j.subject_id,
               j.lease_id AS "lease_id!", j.attempt AS "attempt!", j.max_attempts AS "max_attempts!", j.payload AS "payload!",
               j.traceparent, j.created_at AS "created_at!", j.claimed_at AS "claimed_at!",
               extract(epoch FROM least(j.deadline, j.run_from + j.run_seconds * interval '1 second') - dg_now())::float8 AS "seconds_left!",
               extract(epoch FROM dg_now() - j.run_at)::float8 AS "waited!",
               extract(epoch FROM dg_now() - j.run_from)::float8 AS "since_first!", j.error,
               'u' || u.policy_version || '.c' || c.policy_version || '.p' || coalesce(v.version, 0) AS policy_version,
               c.xmin::text AS connection_version
           FROM claimed j
           LEFT JOIN users u ON u.id = j.user_id
           LEFT JOIN database_connections c ON c.id = j.connection_id
           LEFT JOIN permission_versions v ON v.user_id = j.user_id AND v.connection_id = j.connection_id"#,
        &flows.classes,
        &flows.lanes,
        &flows.owners,
        &flows.sizes,
        &most,
        i64::from(batch_window),
        &flows.kinds,
        &flows.kind_lanes,
        lease_seconds,
        worker,
        &lease_ids,
        &leaving
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(Claimed::try_from).collect()
}

/// A claimed row.
struct Row {
    id: Uuid,
    kind: String,
    lane: String,
    user_id: Uuid,
    connection_id: Option<Uuid>,
    batch_id: Option<Uuid>,
    subject_id: Option<Uuid>,
    lease_id: Uuid,
    attempt: i16,
    max_attempts: i16,
    payload: Value,
    traceparent: Option<String>,
    created_at: DateTime<Utc>,
    claimed_at: DateTime<Utc>,
    seconds_left: f64,
    waited: f64,
    since_first: f64,
    error: Option<Value>,
    policy_version: Option<String>,
    connection_version: Option<String>,
}

impl TryFrom<Row> for Claimed {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let unreadable = |what| move |detail| StoreError::Unreadable { what, detail };
        let kind: JobKind = row.kind.parse().map_err(unreadable("jobs.kind"))?;
        Ok(Self {
            lease: Lease { job_id: JobId(row.id), lease_id: LeaseId(row.lease_id) },
            kind,
            lane: row.lane.parse().map_err(unreadable("jobs.lane"))?,
            user_id: UserId(row.user_id),
            connection_id: row.connection_id.map(ConnectionId),
            // Of a delivery it is the target, whose window it counts in.
            batch_id: row.batch_id.filter(|_| kind != JobKind::DeliverWebhook).map(BatchId),
            subject_id: row.subject_id,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            seconds_left: row.seconds_left,
            waited_seconds: row.waited,
            seconds_since_first: row.since_first,
            error: row.error.and_then(|error| serde_json::from_value(error).ok()),
            payload: row.payload,
            traceparent: row.traceparent,
            policy_version: row.policy_version.map(PolicyVersion),
            connection_version: row.connection_version,
            created_at: row.created_at,
            claimed_at: row.claimed_at,
        })
    }
}

/// Gives back what was claimed by claims whose answer never came, if they were made at all: as if they had not been.
///
/// # Errors
/// If the database fails.
pub async fn disown(pool: &PgPool, leases: &[LeaseId]) -> Result<u64> {
    let lease_ids: Vec<Uuid> = leases.iter().map(|lease| lease.0).collect();
    // Among what is in flight, which is not much: leases are in no index.
    let done = sqlx::query!(
        "UPDATE jobs SET state = 'waiting', in_flight = false, lease_id = NULL, lease_until = NULL, worker = NULL, rung_at = NULL,
             attempt = attempt - 1
         WHERE in_flight AND lease_id = ANY($1) AND state = 'running' AND cancel_requested_at IS NULL",
        &lease_ids
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
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

/// Which of these jobs their owners want stopped: the net below the signal, read often and touching nothing.
///
/// # Errors
/// If the database fails.
pub async fn wanted_stopped(pool: &PgPool, jobs: &[JobId]) -> Result<Vec<JobId>> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.0).collect();
    let flagged = sqlx::query_scalar!("SELECT id FROM jobs WHERE id = ANY($1) AND cancel_requested_at IS NOT NULL AND in_flight", &ids)
        .fetch_all(pool)
        .await?;
    Ok(flagged.into_iter().map(JobId).collect())
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
               SELECT id, attempt, worker, claimed_at FROM jobs
               WHERE id = $1 AND lease_id = $2 AND state = 'running' AND cancel_requested_at IS NULL FOR UPDATE
           ), noted AS (
               INSERT INTO job_attempts (job_id, lease_id, attempt, worker, started_at, outcome, stage, error)
               SELECT id, $2, attempt, worker, coalesce(claimed_at, dg_now()), $3, $4, $5 FROM mine
           )
           UPDATE jobs SET state = 'waiting', in_flight = false, lease_id = NULL, lease_until = NULL, worker = NULL, stage = NULL,
               rung_at = NULL, run_at = CASE WHEN $3 = 'given_back' THEN run_at ELSE dg_now() + $6 * interval '1 second' END, error = coalesce($5, error),
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
