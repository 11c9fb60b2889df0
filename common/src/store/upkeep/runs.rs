//! `upkeep_runs`: which task of the upkeep is due, and what each run did.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::store::Result;

/// Seconds without a word after which a run counts as interrupted.
const SILENT: f64 = 60.0;

/// A run as stored.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its id, ordered by time.
    pub id: Uuid,
    /// What it keeps.
    pub task: String,
    /// When somebody or a schedule asked for it; none: its time had come.
    pub asked_at: Option<DateTime<Utc>>,
    /// When it began; none: it has not.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Counts by what was removed or made.
    pub removed: Value,
    /// Why it did not come to its end.
    pub error: Option<String>,
}

/// Which of these tasks are due, by their times in seconds: those that were asked for, and those whose last run that was not interrupted
/// began longer ago. One that began later than now was begun by a clock that was ahead, and does not count. Runs that have said nothing for a minute are ended as interrupted first, so that their tasks are due again.
///
/// # Errors
/// If the database fails.
pub async fn due(pool: &PgPool, tasks: &[&str], seconds: &[f64]) -> Result<Vec<String>> {
    sqlx::query!(
        "UPDATE upkeep_runs SET ended_at = seen_at, error = 'interrupted: the scheduler that ran it has ended or stood still'
         WHERE ended_at IS NULL AND started_at IS NOT NULL
           AND (seen_at < dg_now() - $1 * interval '1 second' OR seen_at > dg_now() + interval '1 minute')",
        SILENT
    )
    .execute(pool)
    .await?;
    let tasks: Vec<String> = tasks.iter().map(|task| (*task).to_owned()).collect();
    let due = sqlx::query_scalar!(
        r#"SELECT t.task AS "task!" FROM unnest($1::text[], $2::float8[]) WITH ORDINALITY AS t(task, seconds, n)
           WHERE NOT EXISTS (SELECT FROM upkeep_runs r WHERE r.task = t.task AND r.started_at IS NOT NULL AND r.ended_at IS NULL)
             AND (EXISTS (SELECT FROM upkeep_runs r WHERE r.task = t.task AND r.started_at IS NULL AND r.ended_at IS NULL)
                  OR NOT EXISTS (SELECT FROM upkeep_runs r WHERE r.task = t.task AND coalesce(r.error NOT LIKE 'interrupted:%', true)
                                 AND r.started_at > dg_now() - t.seconds * interval '1 second'
                                 AND r.started_at < dg_now() + interval '1 minute'))
           ORDER BY t.n"#,
        &tasks,
        seconds
    )
    .fetch_all(pool)
    .await?;
    Ok(due)
}

/// Asks for a run of a task, in the transaction of what asks; it begins within seconds.
///
/// # Errors
/// If the database fails.
pub async fn ask(conn: &mut PgConnection, task: &str) -> Result<Uuid> {
    let id = Uuid::now_v7();
    sqlx::query!("INSERT INTO upkeep_runs (id, task, asked_at) VALUES ($1, $2, dg_now())", id, task).execute(conn).await?;
    Ok(id)
}

/// Begins a run: the oldest one that was asked for, or one of its own.
///
/// # Errors
/// If the database fails.
pub async fn begin(pool: &PgPool, task: &str) -> Result<Uuid> {
    let asked = sqlx::query_scalar!(
        "UPDATE upkeep_runs SET started_at = dg_now(), seen_at = dg_now() WHERE id = (
             SELECT id FROM upkeep_runs WHERE task = $1 AND started_at IS NULL AND ended_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING id",
        task
    )
    .fetch_optional(pool)
    .await?;
    if let Some(id) = asked {
        return Ok(id);
    }
    let id = Uuid::now_v7();
    sqlx::query!("INSERT INTO upkeep_runs (id, task, started_at, seen_at) VALUES ($1, $2, dg_now(), dg_now())", id, task)
        .execute(pool)
        .await?;
    Ok(id)
}

/// Says how far a run is.
///
/// # Errors
/// If the database fails.
pub async fn seen(pool: &PgPool, id: Uuid, removed: &Value) -> Result<()> {
    sqlx::query!("UPDATE upkeep_runs SET seen_at = dg_now(), removed = $2 WHERE id = $1 AND ended_at IS NULL", id, removed)
        .execute(pool)
        .await?;
    Ok(())
}

/// Ends a run.
///
/// # Errors
/// If the database fails.
pub async fn end(pool: &PgPool, id: Uuid, removed: &Value, error: Option<&str>) -> Result<()> {
    sqlx::query!(
        "UPDATE upkeep_runs SET seen_at = dg_now(), ended_at = dg_now(), removed = $2, error = $3 WHERE id = $1",
        id,
        removed,
        error
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A page of runs, newest first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn list(pool: &PgPool, task: Option<&str>, before: Option<Uuid>, limit: i64) -> Result<Vec<Run>> {
    let runs = sqlx::query_as!(
        Run,
        "SELECT id, task, asked_at, started_at, ended_at, removed, error FROM upkeep_runs
         WHERE ($1::text IS NULL OR task = $1) AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        task,
        before,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(runs)
}
