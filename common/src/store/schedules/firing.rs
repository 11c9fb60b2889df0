//! What the scheduler does with schedules: all of it in the transaction that also makes the jobs.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Row, Schedule};
use crate::{
    ids::{BatchId, JobId, QuestionId, ScheduleId, UserId},
    model::users::Role,
    store::{Result, StoreError},
};

/// A schedule, or which one can't be read and why.
pub type Read = std::result::Result<Schedule, (ScheduleId, StoreError)>;

fn read(row: Row) -> Read {
    let id = ScheduleId(row.id);
    Schedule::try_from(row).map_err(|error| (id, error))
}

/// The database's time, which decides. Ends a transaction whose process stands still before others wait for its locks too long.
///
/// # Errors
/// If the database fails.
pub async fn now(conn: &mut PgConnection) -> Result<DateTime<Utc>> {
    let now = sqlx::query_scalar!(r#"SELECT dg_now() AS "now!" FROM set_config('idle_in_transaction_session_timeout', '3s', true)"#);
    Ok(now.fetch_one(conn).await?)
}

/// Schedules whose time has come, the most overdue first, locked; those that another scheduler is at are passed over. One that can't be
/// read is given as its id and the reason.
///
/// # Errors
/// If the database fails.
pub async fn due(conn: &mut PgConnection, limit: i64) -> Result<Vec<Read>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, cron, time_zone, catch_up, catch_up_max, action, paused, allow_overlap, next_run_at, last_fire_time,
                created_at, updated_at
         FROM schedules WHERE NOT paused AND next_run_at <= dg_now() ORDER BY next_run_at LIMIT $1 FOR UPDATE SKIP LOCKED",
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Runs that somebody asked for, with their schedules, locked.
///
/// # Errors
/// If the database fails.
pub async fn asked(conn: &mut PgConnection, limit: i64) -> Result<Vec<(Uuid, DateTime<Utc>, ScheduleId)>> {
    let rows = sqlx::query!(
        "SELECT r.id, r.fire_time, r.schedule_id FROM schedule_runs r JOIN schedules s ON s.id = r.schedule_id
         WHERE r.state = 'asked' ORDER BY r.id LIMIT $1 FOR UPDATE SKIP LOCKED",
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.fire_time, ScheduleId(row.schedule_id))).collect())
}

/// Owners as they are now: their role; none of whom is no longer active.
///
/// # Errors
/// If the database fails.
pub async fn owners(conn: &mut PgConnection, users: &[UserId]) -> Result<HashMap<UserId, Role>> {
    let ids: Vec<Uuid> = users.iter().map(|id| id.0).collect();
    let rows = sqlx::query!("SELECT id, role FROM users WHERE id = ANY($1) AND is_active", &ids).fetch_all(conn).await?;
    rows.into_iter()
        .map(|row| Ok((UserId(row.id), row.role.parse().map_err(|detail| StoreError::Unreadable { what: "users.role", detail })?)))
        .collect()
}

/// What is to be written of a time.
#[derive(Clone, Debug)]
pub struct Made {
    /// The run.
    pub id: Uuid,
    /// Of which schedule.
    pub schedule: ScheduleId,
    /// The time that it stands for.
    pub fire_time: DateTime<Utc>,
    /// `fired`, `skipped` or `refused`.
    pub state: &'static str,
    /// Why it was skipped or refused.
    pub reason: Option<String>,
    /// The job that it made.
    pub job_id: Option<JobId>,
    /// The question that it asked.
    pub question_id: Option<QuestionId>,
    /// The batch that it made.
    pub batch_id: Option<BatchId>,
    /// The run of the upkeep that it asked for.
    pub upkeep_run_id: Option<Uuid>,
}

/// Takes these times: those of the runs that are ours. A time that had a run before has it still, and is not fired again.
///
/// # Errors
/// If the database fails.
pub async fn claim(conn: &mut PgConnection, runs: &[Made]) -> Result<Vec<Uuid>> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.id).collect();
    let schedules: Vec<Uuid> = runs.iter().map(|run| run.schedule.0).collect();
    let times: Vec<DateTime<Utc>> = runs.iter().map(|run| run.fire_time).collect();
    let claimed = sqlx::query_scalar!(
        "INSERT INTO schedule_runs (id, schedule_id, fire_time, state)
         SELECT id, schedule_id, fire_time, 'asked' FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t(id, schedule_id, fire_time)
         ON CONFLICT (schedule_id, fire_time) DO NOTHING RETURNING id",
        &ids,
        &schedules,
        &times
    )
    .fetch_all(conn)
    .await?;
    Ok(claimed)
}

/// Writes what came of runs that were claimed or asked for.
///
/// # Errors
/// If the database fails.
pub async fn outcomes(conn: &mut PgConnection, runs: &[Made]) -> Result<()> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.id).collect();
    let states: Vec<String> = runs.iter().map(|run| run.state.to_owned()).collect();
    let reasons: Vec<Option<String>> = runs.iter().map(|run| run.reason.clone()).collect();
    let jobs: Vec<Option<Uuid>> = runs.iter().map(|run| run.job_id.map(|id| id.0)).collect();
    let questions: Vec<Option<Uuid>> = runs.iter().map(|run| run.question_id.map(|id| id.0)).collect();
    let batches: Vec<Option<Uuid>> = runs.iter().map(|run| run.batch_id.map(|id| id.0)).collect();
    let upkeep: Vec<Option<Uuid>> = runs.iter().map(|run| run.upkeep_run_id).collect();
    sqlx::query!(
        "WITH told AS (
             UPDATE schedule_runs r SET state = t.state, reason = t.reason, job_id = t.job_id, question_id = t.question_id,
                 upkeep_run_id = t.upkeep_run_id, batch_id = t.batch_id
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[])
                 AS t(id, state, reason, job_id, question_id, upkeep_run_id, batch_id)
             WHERE r.id = t.id RETURNING r.id, r.schedule_id, r.state, r.reason, r.fire_time, r.job_id
         )
         INSERT INTO audit_logs (user_id, action, resource_type, resource_id, details, result)
         SELECT s.user_id, 'schedule.' || told.state, 'schedule', s.id::text,
             jsonb_build_object('run_id', told.id, 'fire_time', told.fire_time, 'job_id', told.job_id, 'reason', told.reason),
             CASE told.state WHEN 'refused' THEN 'failure' ELSE 'success' END
         FROM told JOIN schedules s ON s.id = told.schedule_id",
        &ids,
        &states,
        &reasons as &[Option<String>],
        &jobs as &[Option<Uuid>],
        &questions as &[Option<Uuid>],
        &upkeep as &[Option<Uuid>],
        &batches as &[Option<Uuid>]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Where a schedule goes on.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    /// Which.
    pub id: ScheduleId,
    /// When it fires next; none: never.
    pub at: Option<DateTime<Utc>>,
    /// The newest time that was dealt with.
    pub last: DateTime<Utc>,
}

/// Moves schedules on to their next times.
///
/// # Errors
/// If the database fails.
pub async fn advance(conn: &mut PgConnection, next: &[Next]) -> Result<()> {
    let ids: Vec<Uuid> = next.iter().map(|next| next.id.0).collect();
    let times: Vec<Option<DateTime<Utc>>> = next.iter().map(|next| next.at).collect();
    let last: Vec<DateTime<Utc>> = next.iter().map(|next| next.last).collect();
    sqlx::query!(
        "UPDATE schedules s SET next_run_at = t.next, last_fire_time = greatest(s.last_fire_time, t.last)
         FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS t(id, next, last) WHERE s.id = t.id",
        &ids,
        &times as &[Option<DateTime<Utc>>],
        &last
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Schedules whose newest time lies an hour ahead or more: a clock that was ahead has dealt with it. Locked; those that another scheduler is at
/// are passed over.
///
/// # Errors
/// If the database fails.
pub async fn ahead(conn: &mut PgConnection, limit: i64) -> Result<Vec<Read>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, cron, time_zone, catch_up, catch_up_max, action, paused, allow_overlap, next_run_at, last_fire_time,
                created_at, updated_at
         FROM schedules WHERE NOT paused AND last_fire_time > dg_now() + interval '1 hour' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED",
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Has schedules go on at these times, whatever was dealt with before.
///
/// # Errors
/// If the database fails.
pub async fn begin_from(conn: &mut PgConnection, next: &[Next]) -> Result<()> {
    let ids: Vec<Uuid> = next.iter().map(|next| next.id.0).collect();
    let times: Vec<Option<DateTime<Utc>>> = next.iter().map(|next| next.at).collect();
    let last: Vec<DateTime<Utc>> = next.iter().map(|next| next.last).collect();
    sqlx::query!(
        "UPDATE schedules s SET next_run_at = t.next, last_fire_time = t.last
         FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS t(id, next, last) WHERE s.id = t.id",
        &ids,
        &times as &[Option<DateTime<Utc>>],
        &last
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of these schedules that have a run that still goes, among the newest twenty that they fired: however many times were skipped
/// since.
///
/// # Errors
/// If the database fails.
pub async fn running(conn: &mut PgConnection, schedules: &[ScheduleId]) -> Result<Vec<ScheduleId>> {
    let ids: Vec<Uuid> = schedules.iter().map(|id| id.0).collect();
    let running = sqlx::query_scalar!(
        r#"SELECT t.id AS "id!" FROM unnest($1::uuid[]) AS t(id) WHERE EXISTS (
               SELECT FROM (SELECT job_id, upkeep_run_id, batch_id FROM schedule_runs r
                     WHERE r.schedule_id = t.id AND r.state = 'fired' ORDER BY r.id DESC LIMIT 20) r
               WHERE EXISTS (SELECT FROM jobs j WHERE j.id = r.job_id AND j.finished_at IS NULL)
                  OR EXISTS (SELECT FROM batches b WHERE b.id = r.batch_id AND b.finished_at IS NULL)
                  OR EXISTS (SELECT FROM upkeep_runs u WHERE u.id = r.upkeep_run_id AND u.ended_at IS NULL))"#,
        &ids
    )
    .fetch_all(conn)
    .await?;
    Ok(running.into_iter().map(ScheduleId).collect())
}

/// Schedules by their ids, whatever their times.
///
/// # Errors
/// If the database fails.
pub async fn by_ids(conn: &mut PgConnection, schedules: &[ScheduleId]) -> Result<Vec<Read>> {
    let ids: Vec<Uuid> = schedules.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, cron, time_zone, catch_up, catch_up_max, action, paused, allow_overlap, next_run_at, last_fire_time,
                created_at, updated_at
         FROM schedules WHERE id = ANY($1)",
        &ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Puts a schedule that can't be read to rest, so that it does not come up again at once; its owner sees it paused.
///
/// # Errors
/// If the database fails.
pub async fn rest(conn: &mut PgConnection, id: ScheduleId) -> Result<()> {
    sqlx::query!("UPDATE schedules SET paused = true, updated_at = dg_now() WHERE id = $1", id.0).execute(conn).await?;
    Ok(())
}
