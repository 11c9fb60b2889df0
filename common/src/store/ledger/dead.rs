//! Dead jobs: those whose attempts are spent. They are listed, replayed as new jobs, or discarded.

use chrono::{DateTime, Utc};
use sqlx::{Acquire, PgConnection, PgPool};
use uuid::Uuid;

use super::{NewJob, intake, view::JobView};
use crate::{
    ids::{BatchId, ConnectionId, DeliveryId, JobId, QuestionId, UserId},
    jobs::JobKind,
    model::{jobs::JobState, questions::FailureCode},
    store::{Result, StoreError, questions, webhooks},
};

/// Which dead jobs; what is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct DeadFilter {
    /// Of this kind.
    pub kind: Option<JobKind>,
    /// Of this user.
    pub user_id: Option<UserId>,
    /// On this connection.
    pub connection_id: Option<ConnectionId>,
    /// That failed with this code.
    pub code: Option<FailureCode>,
    /// That died before this time.
    pub before: Option<DateTime<Utc>>,
    /// On these connections or on none: what the caller's key may see.
    pub usable: Option<Vec<Uuid>>,
}

/// A page of dead jobs, newest first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn list(pool: &PgPool, filter: &DeadFilter, before: Option<JobId>, limit: i64) -> Result<Vec<JobView>> {
    let rows = sqlx::query_as!(
        JobView,
        "SELECT id, kind, lane, state, stage, progress, user_id, connection_id, subject_id,
                CASE WHEN kind <> 'deliver_webhook' THEN batch_id END AS batch_id,
                payload ->> 'custom_id' AS custom_id, attempt, max_attempts, dead, error, replay_of, run_at, deadline,
                created_at, started_at, finished_at, NULL::int8 AS queue_position, NULL::int8 AS queue_head_ms
         FROM jobs WHERE dead AND ($1::uuid IS NULL OR id < $1)
           AND ($3::text IS NULL OR kind = $3) AND ($4::uuid IS NULL OR user_id = $4) AND ($5::uuid IS NULL OR connection_id = $5)
           AND ($6::text IS NULL OR error ->> 'code' = $6) AND ($7::timestamptz IS NULL OR finished_at < $7)
           AND ($8::uuid[] IS NULL OR connection_id IS NULL OR connection_id = ANY($8))
         ORDER BY id DESC LIMIT $2",
        before.map(|id| id.0),
        limit,
        filter.kind.map(JobKind::as_str),
        filter.user_id.map(|id| id.0),
        filter.connection_id.map(|id| id.0),
        filter.code.map(FailureCode::as_str),
        filter.before,
        filter.usable.as_deref()
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// How many jobs are dead.
///
/// # Errors
/// If the database fails.
pub async fn count(pool: &PgPool) -> Result<i64> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "dead!" FROM jobs WHERE dead"#).fetch_one(pool).await?)
}

/// The newest dead job by its id, which a walk over the dead ones ends at: an id made here and now would leave out those of a process whose
/// clock is ahead. None: nothing is dead.
///
/// # Errors
/// If the database fails.
pub async fn newest(pool: &PgPool) -> Result<Option<JobId>> {
    let id = sqlx::query_scalar!("SELECT id FROM jobs WHERE dead ORDER BY id DESC LIMIT 1").fetch_optional(pool).await?;
    Ok(id.map(JobId))
}

/// One of many dead jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadJob {
    /// Which.
    pub id: JobId,
    /// Whose.
    pub user_id: UserId,
}

/// Dead jobs after `after` up to `upto`, oldest first. Kinds that this program does not know are passed over, and where they are to be
/// replayed also those whose question has a newer job, or is gone.
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, filter: &DeadFilter, after: JobId, upto: JobId, to_replay: bool, limit: i64) -> Result<Vec<DeadJob>> {
    let rows = sqlx::query!(
        "SELECT id, user_id FROM jobs WHERE dead AND id > $1 AND id <= $2 AND kind = ANY($9)
           AND ($4::text IS NULL OR kind = $4) AND ($5::uuid IS NULL OR user_id = $5) AND ($6::uuid IS NULL OR connection_id = $6)
           AND ($7::text IS NULL OR error ->> 'code' = $7) AND ($8::timestamptz IS NULL OR finished_at < $8)
           AND ($10::uuid[] IS NULL OR connection_id IS NULL OR connection_id = ANY($10))
           AND (NOT $11 OR kind NOT IN ('answer_question', 'analyse_file') OR (SELECT q.job_id FROM query_history q WHERE q.id = jobs.subject_id) = jobs.id)
         ORDER BY id LIMIT $3",
        after.0,
        upto.0,
        limit,
        filter.kind.map(JobKind::as_str),
        filter.user_id.map(|id| id.0),
        filter.connection_id.map(|id| id.0),
        filter.code.map(FailureCode::as_str),
        filter.before,
        &JobKind::known(),
        filter.usable.as_deref(),
        to_replay
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| DeadJob { id: JobId(row.id), user_id: UserId(row.user_id) }).collect())
}

/// Locks those of these jobs that are still dead, oldest first; those that somebody else has locked are passed over.
///
/// # Errors
/// If the database fails.
pub async fn lock(conn: &mut PgConnection, ids: &[JobId]) -> Result<Vec<JobId>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let locked = sqlx::query_scalar!("SELECT id FROM jobs WHERE id = ANY($1) AND dead ORDER BY id FOR UPDATE SKIP LOCKED", &ids)
        .fetch_all(conn)
        .await?;
    Ok(locked.into_iter().map(JobId).collect())
}

/// Whether one of these jobs is dead.
///
/// # Errors
/// If the database fails.
pub async fn is_any_dead(pool: &PgPool, ids: &[JobId]) -> Result<bool> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let dead = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM jobs WHERE id = ANY($1) AND dead) AS "dead!""#, &ids);
    Ok(dead.fetch_one(pool).await?)
}

/// Takes jobs off the dead ones: they stay failed. Those that are not dead are passed over; how many were.
///
/// # Errors
/// If the database fails.
pub async fn discard(conn: &mut PgConnection, ids: &[JobId]) -> Result<u64> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let done = sqlx::query!("UPDATE jobs SET dead = false WHERE id = ANY($1) AND dead", &ids).execute(conn).await?;
    Ok(done.rows_affected())
}

/// What came of asking for a dead job once more.
#[derive(Clone, Debug)]
pub enum Replayed {
    /// A new job repeats it: after the commit, let its owner's next jobs in.
    New(Box<NewJob>),
    /// It is not dead.
    NotDead(JobState),
    /// Its question has a newer job, or is gone: a repetition would have nowhere to put its answer.
    Superseded,
    /// There is no such job, or it is not this user's.
    Unknown,
}

/// Makes a new job that repeats a dead one, with as much time as that had; a question then waits for the new one.
///
/// # Errors
/// If the database fails.
pub async fn replay(conn: &mut PgConnection, owner: Option<UserId>, id: JobId) -> Result<Replayed> {
    let row = sqlx::query!(
        r#"SELECT kind, state, user_id, connection_id, batch_id, subject_id, max_attempts, dead, payload, traceparent, run_seconds,
                  extract(epoch FROM deadline - created_at)::float8 AS "seconds!",
                  (SELECT q.job_id FROM query_history q WHERE q.id = jobs.subject_id) AS newest
           FROM jobs WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) FOR UPDATE"#,
        id.0,
        owner.map(|id| id.0)
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(Replayed::Unknown) };
    if !row.dead {
        let state = row.state.parse().map_err(|detail| StoreError::Unreadable { what: "jobs.state", detail })?;
        return Ok(Replayed::NotDead(state));
    }
    let kind: JobKind = row.kind.parse().map_err(|detail| StoreError::Unreadable { what: "jobs.kind", detail })?;
    if matches!(kind, JobKind::AnswerQuestion | JobKind::AnalyseFile) && row.newest != Some(id.0) {
        return Ok(Replayed::Superseded);
    }
    let job = NewJob {
        id: JobId::new(),
        kind,
        user_id: UserId(row.user_id),
        connection_id: row.connection_id.map(ConnectionId),
        batch_id: row.batch_id.map(BatchId),
        subject_id: row.subject_id,
        replay_of: Some(id),
        deadline_seconds: row.seconds,
        run_seconds: row.run_seconds,
        max_attempts: row.max_attempts,
        payload: row.payload,
        traceparent: row.traceparent,
    };
    intake::insert(conn, &job).await?;
    // It has had its replay; a second one would run the same work beside it.
    sqlx::query!("UPDATE jobs SET dead = false WHERE id = $1", id.0).execute(&mut *conn).await?;
    match (job.kind, job.subject_id) {
        (JobKind::AnswerQuestion | JobKind::AnalyseFile, Some(question)) => questions::wait_for(conn, QuestionId(question), job.id).await?,
        (JobKind::DeliverWebhook, Some(delivery)) => webhooks::wait_for(conn, DeliveryId(delivery), job.id).await?,
        _ => {}
    }
    Ok(Replayed::New(Box::new(job)))
}

/// Replays one of many, whose row is locked, within a savepoint, so that one that can't be stored keeps no other; none: it can't be, which
/// is said.
///
/// # Errors
/// If the database fails.
pub async fn replay_apart(conn: &mut PgConnection, id: JobId) -> Result<Option<Replayed>> {
    let mut savepoint = conn.begin().await?;
    match replay(&mut savepoint, None, id).await {
        Ok(replayed) => {
            savepoint.commit().await?;
            Ok(Some(replayed))
        }
        Err(error) if error.is_outage() => Err(error),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, job_id = %id, "a dead job can't be replayed");
            savepoint.rollback().await?;
            Ok(None)
        }
    }
}
