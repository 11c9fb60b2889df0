//! `schedule_runs`, as their schedules' owners see them.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{ids::ScheduleId, store::Result};

/// A run, with how far what it made is.
#[derive(Clone, Debug)]
pub struct RunView {
    /// Its id.
    pub id: Uuid,
    /// The time that it stands for.
    pub fire_time: DateTime<Utc>,
    /// Whether somebody asked for it.
    pub by_hand: bool,
    /// `asked`, `fired`, `skipped` or `refused`.
    pub state: String,
    /// Why it was skipped or refused.
    pub reason: Option<String>,
    /// The job that it made.
    pub job_id: Option<Uuid>,
    /// That job's state; none: there is none, or it is past its keeping time.
    pub job_state: Option<String>,
    /// The question that it asked.
    pub question_id: Option<Uuid>,
    /// The batch that it made.
    pub batch_id: Option<Uuid>,
    /// The run of the upkeep that it asked for.
    pub upkeep_run_id: Option<Uuid>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// A page of runs, newest first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn list_runs(pool: &PgPool, schedule: ScheduleId, before: Option<Uuid>, limit: i64) -> Result<Vec<RunView>> {
    let runs = sqlx::query_as!(
        RunView,
        r#"SELECT r.id, r.fire_time, r.by_hand, r.state, r.reason, r.job_id, j.state AS "job_state?", r.question_id, r.batch_id, r.upkeep_run_id,
                  r.created_at
           FROM schedule_runs r LEFT JOIN jobs j ON j.id = r.job_id
           WHERE r.schedule_id = $1 AND ($2::uuid IS NULL OR r.id < $2) ORDER BY r.id DESC LIMIT $3"#,
        schedule.0,
        before,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(runs)
}

/// Asks for a run now, in the transaction of who asks; a scheduler makes it within a second.
///
/// # Errors
/// If the database fails.
pub async fn ask(conn: &mut PgConnection, schedule: ScheduleId) -> Result<RunView> {
    let run = sqlx::query_as!(
        RunView,
        r#"INSERT INTO schedule_runs (id, schedule_id, fire_time, by_hand, state) VALUES ($1, $2, dg_now(), true, 'asked')
           RETURNING id, fire_time, by_hand, state, reason, job_id, NULL::text AS job_state, question_id, batch_id, upkeep_run_id, created_at"#,
        Uuid::now_v7(),
        schedule.0
    )
    .fetch_one(conn)
    .await?;
    Ok(run)
}

/// Removes runs of so many days ago; how many. The newest of each schedule stays.
///
/// # Errors
/// If the database fails.
pub async fn old_runs(pool: &PgPool, days: i32, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM schedule_runs WHERE id IN (
             SELECT r.id FROM schedule_runs r JOIN schedules s ON s.id = r.schedule_id
             WHERE r.created_at < dg_now() - make_interval(days => $1) AND r.state <> 'asked'
               AND r.fire_time < s.last_fire_time
             LIMIT $2 FOR UPDATE OF r SKIP LOCKED)",
        days,
        limit
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
