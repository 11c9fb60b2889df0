//! `schedules` and `schedule_runs`: what runs by itself, and what came of each time.

mod firing;
mod runs;

pub use self::{
    firing::{Made, Next, Read, advance, ahead, asked, begin_from, by_ids, claim, due, now, outcomes, owners, rest, running},
    runs::{RunView, ask, list_runs, old_runs},
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Result, StoreError};
use crate::{
    ids::{ScheduleId, UserId},
    schedules::{Action, CatchUp},
};

/// A schedule as stored.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// For whom it runs.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// Five fields.
    pub cron: String,
    /// In whose wall clock time.
    pub time_zone: String,
    /// What becomes of missed times.
    pub catch_up: CatchUp,
    /// How many of them at most.
    pub catch_up_max: i32,
    /// What it does.
    pub action: Action,
    /// Whether it rests.
    pub paused: bool,
    /// Whether it runs while an earlier run still goes.
    pub allow_overlap: bool,
    /// When it fires next; none: never.
    pub next_run_at: Option<DateTime<Utc>>,
    /// The newest time that was dealt with.
    pub last_fire_time: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    user_id: Uuid,
    name: String,
    cron: String,
    time_zone: String,
    catch_up: String,
    catch_up_max: i32,
    action: Value,
    paused: bool,
    allow_overlap: bool,
    next_run_at: Option<DateTime<Utc>>,
    last_fire_time: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Schedule {
    type Error = StoreError;

    fn try_from(r: Row) -> Result<Self> {
        Ok(Self {
            id: ScheduleId(r.id),
            user_id: UserId(r.user_id),
            name: r.name,
            cron: r.cron,
            time_zone: r.time_zone,
            catch_up: r.catch_up.parse().map_err(|detail| StoreError::Unreadable { what: "schedules.catch_up", detail })?,
            catch_up_max: r.catch_up_max,
            action: serde_json::from_value(r.action)
                .map_err(|error| StoreError::Unreadable { what: "schedules.action", detail: error.to_string() })?,
            paused: r.paused,
            allow_overlap: r.allow_overlap,
            next_run_at: r.next_run_at,
            last_fire_time: r.last_fire_time,
            created_at: r.created_at,
            updated_at: r.updated_at,
        })
    }
}

/// Writes a new schedule, or all that can be changed of the one that it is.
///
/// # Errors
/// If the database fails.
pub async fn put(conn: &mut PgConnection, schedule: &Schedule) -> Result<()> {
    let action = serde_json::to_value(&schedule.action)
        .map_err(|error| StoreError::Unreadable { what: "schedules.action", detail: error.to_string() })?;
    sqlx::query!(
        "INSERT INTO schedules (id, user_id, name, cron, time_zone, catch_up, catch_up_max, action, connection_id, paused, allow_overlap,
                                next_run_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
         ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, cron = EXCLUDED.cron, time_zone = EXCLUDED.time_zone,
             catch_up = EXCLUDED.catch_up, catch_up_max = EXCLUDED.catch_up_max, action = EXCLUDED.action,
             connection_id = EXCLUDED.connection_id, paused = EXCLUDED.paused, allow_overlap = EXCLUDED.allow_overlap,
             next_run_at = EXCLUDED.next_run_at, updated_at = EXCLUDED.updated_at",
        schedule.id.0,
        schedule.user_id.0,
        schedule.name,
        schedule.cron,
        schedule.time_zone,
        schedule.catch_up.as_str(),
        schedule.catch_up_max,
        action,
        schedule.action.connection().map(|id| id.0),
        schedule.paused,
        schedule.allow_overlap,
        schedule.next_run_at,
        schedule.updated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A schedule, of this user or (none) of anybody.
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, owner: Option<UserId>, id: ScheduleId) -> Result<Option<Schedule>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, cron, time_zone, catch_up, catch_up_max, action, paused, allow_overlap, next_run_at, last_fire_time,
                created_at, updated_at
         FROM schedules WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2)",
        id.0,
        owner.map(|id| id.0)
    )
    .fetch_optional(pool)
    .await?;
    row.map(Schedule::try_from).transpose()
}

/// The same, and nobody fires or changes it until the transaction is over.
///
/// # Errors
/// If the database fails.
pub async fn lock(conn: &mut PgConnection, owner: Option<UserId>, id: ScheduleId) -> Result<Option<Schedule>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, cron, time_zone, catch_up, catch_up_max, action, paused, allow_overlap, next_run_at, last_fire_time,
                created_at, updated_at
         FROM schedules WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) FOR UPDATE",
        id.0,
        owner.map(|id| id.0)
    )
    .fetch_optional(conn)
    .await?;
    row.map(Schedule::try_from).transpose()
}

/// A page of schedules, newest first, before a cursor: of this user or (none) of everybody, on these connections or none.
///
/// # Errors
/// If the database fails.
pub async fn list(
    pool: &PgPool,
    owner: Option<UserId>,
    usable: Option<&[Uuid]>,
    before: Option<ScheduleId>,
    limit: i64,
) -> Result<Vec<Schedule>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, cron, time_zone, catch_up, catch_up_max, action, paused, allow_overlap, next_run_at, last_fire_time,
                created_at, updated_at
         FROM schedules WHERE ($1::uuid IS NULL OR user_id = $1) AND ($2::uuid IS NULL OR id < $2)
           AND ($4::uuid[] IS NULL OR connection_id IS NULL OR connection_id = ANY($4))
         ORDER BY id DESC LIMIT $3",
        owner.map(|id| id.0),
        before.map(|id| id.0),
        limit,
        usable
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Schedule::try_from).collect()
}

/// How many schedules a user has.
///
/// # Errors
/// If the database fails.
pub async fn count(conn: &mut PgConnection, owner: UserId) -> Result<i64> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM schedules WHERE user_id = $1"#, owner.0).fetch_one(conn).await?)
}

/// Deletes a schedule and its runs; what they have made stays.
///
/// # Errors
/// If the database fails.
pub async fn delete(conn: &mut PgConnection, id: ScheduleId) -> Result<()> {
    sqlx::query!("DELETE FROM schedules WHERE id = $1", id.0).execute(conn).await?;
    Ok(())
}
