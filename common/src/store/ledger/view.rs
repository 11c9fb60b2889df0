//! Reading jobs, every kind in one shape.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

pub use super::{
    cancel::{Cancelled, cancel},
    dead::{Replayed, replay},
};
use crate::{
    ids::{JobId, UserId},
    jobs::JobKind,
    model::jobs::JobState,
    store::Result,
};

/// A job as shown.
#[derive(Clone, Debug)]
pub struct JobView {
    /// Its id.
    pub id: Uuid,
    /// What it does.
    pub kind: String,
    /// Where it rings.
    pub lane: String,
    /// Where it stands.
    pub state: String,
    /// What a running one is doing.
    pub stage: Option<String>,
    /// How far it is.
    pub progress: Option<Value>,
    /// For whom.
    pub user_id: Uuid,
    /// On which connection.
    pub connection_id: Option<Uuid>,
    /// What it is about.
    pub subject_id: Option<Uuid>,
    /// The batch that it is of.
    pub batch_id: Option<Uuid>,
    /// The name of its line there; of lines that are the same, the first one's.
    pub custom_id: Option<String>,
    /// Attempts begun.
    pub attempt: i16,
    /// Attempts that it may cost.
    pub max_attempts: i16,
    /// Whether it is among the dead jobs.
    pub dead: bool,
    /// Why it has no result.
    pub error: Option<Value>,
    /// The job that it repeats.
    pub replay_of: Option<Uuid>,
    /// When it may begin.
    pub run_at: DateTime<Utc>,
    /// When it is given up.
    pub deadline: DateTime<Utc>,
    /// When it came into being.
    pub created_at: DateTime<Utc>,
    /// When its first attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Jobs of its owner (or batch) before it in its lane, while it waits; at most 1,000 are counted; 0 once it is rung. Not in lists.
    pub queue_position: Option<i64>,
    /// How long the first of them has waited, in milliseconds. Not in lists.
    pub queue_head_ms: Option<i64>,
}

/// A job of this user; admins see everybody's (`owner` none).
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, owner: Option<UserId>, id: JobId) -> Result<Option<JobView>> {
    let row = sqlx::query_as!(
        JobView,
        "SELECT j.id, j.kind, j.lane, j.state, j.stage, j.progress, j.user_id, j.connection_id, j.subject_id,
                CASE WHEN j.kind <> 'deliver_webhook' THEN j.batch_id END AS batch_id,
                j.payload ->> 'custom_id' AS custom_id, j.attempt, j.max_attempts, j.dead, j.error, j.replay_of,
                j.run_at, j.deadline, j.created_at, j.started_at, j.finished_at,
                CASE j.state WHEN 'queued' THEN 0::int8 WHEN 'waiting' THEN
                    (SELECT count(*) FROM (SELECT FROM jobs w WHERE NOT w.in_flight AND w.lane = j.lane AND w.user_id = j.user_id
                         AND coalesce(w.batch_id, w.user_id) = coalesce(j.batch_id, j.user_id)
                         AND (w.run_at, w.id) < (j.run_at, j.id) LIMIT 1000) ahead)
                END AS queue_position,
                CASE j.state WHEN 'queued' THEN (extract(epoch FROM dg_now() - j.run_at) * 1000)::int8 WHEN 'waiting' THEN
                    (SELECT (extract(epoch FROM dg_now() - w.run_at) * 1000)::int8 FROM jobs w WHERE NOT w.in_flight AND w.lane = j.lane
                         AND w.user_id = j.user_id AND coalesce(w.batch_id, w.user_id) = coalesce(j.batch_id, j.user_id)
                     ORDER BY w.run_at, w.id LIMIT 1)
                END AS queue_head_ms
         FROM jobs j WHERE j.id = $1 AND ($2::uuid IS NULL OR j.user_id = $2)",
        id.0,
        owner.map(|id| id.0)
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// Whether a job has ended, for those who wait for it.
///
/// # Errors
/// If the database fails.
pub async fn has_ended(pool: &PgPool, id: JobId) -> Result<bool> {
    let finished = sqlx::query_scalar!("SELECT finished_at FROM jobs WHERE id = $1", id.0).fetch_optional(pool).await?;
    Ok(finished.is_none_or(|at| at.is_some()))
}

/// A page of a user's jobs, newest first, before a cursor; of these connections and of none, where `usable` names some.
///
/// # Errors
/// If the database fails.
pub async fn list(
    pool: &PgPool,
    owner: UserId,
    kind: Option<JobKind>,
    state: Option<JobState>,
    usable: Option<&[Uuid]>,
    before: Option<JobId>,
    limit: i64,
) -> Result<Vec<JobView>> {
    let rows = sqlx::query_as!(
        JobView,
        "SELECT id, kind, lane, state, stage, progress, user_id, connection_id, subject_id,
                CASE WHEN kind <> 'deliver_webhook' THEN batch_id END AS batch_id,
                payload ->> 'custom_id' AS custom_id, attempt, max_attempts, dead, error, replay_of, run_at, deadline,
                created_at, started_at, finished_at, NULL::int8 AS queue_position, NULL::int8 AS queue_head_ms
         FROM jobs WHERE user_id = $1 AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR state = $3)
           AND ($4::uuid IS NULL OR id < $4)
           AND ($6::uuid[] IS NULL OR connection_id IS NULL OR connection_id = ANY($6))
         ORDER BY id DESC LIMIT $5",
        owner.0,
        kind.map(JobKind::as_str),
        state.map(JobState::as_str),
        before.map(|id| id.0),
        limit,
        usable
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct AttemptView {
    /// Which attempt.
    pub attempt: i16,
    /// Who made it.
    pub worker: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// `succeeded`, `failed`, `retry`, `later`, `crashed`, `cancelled` or `given_back`.
    pub outcome: String,
    /// What it was doing.
    pub stage: Option<String>,
    /// Why it brought no result.
    pub error: Option<Value>,
}

/// The attempts at a job that are over, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn attempts(pool: &PgPool, id: JobId) -> Result<Vec<AttemptView>> {
    let rows = sqlx::query_as!(
        AttemptView,
        "SELECT attempt, worker, started_at, ended_at, outcome, stage, error FROM job_attempts WHERE job_id = $1 ORDER BY ended_at, attempt",
        id.0
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}
