//! Schedules: questions, syncs and upkeep that come by themselves.

mod action;
pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod pause;
pub mod run;
pub mod runs;
pub mod update;

use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::{ScheduleId, UserId},
    model::timing::{Timing, TimingError},
    schedules::{Action, CatchUp},
    store::{
        audit::{self, Entry},
        schedules::{self, RunView as StoredRun, Schedule},
    },
};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    access::{Caller, Scope},
    app::App,
    error::{ApiError, Code, FieldError, Result},
    frame::Framed,
};

/// A schedule as shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScheduleView {
    /// Its id.
    pub id: Uuid,
    /// For whom it runs, under his permissions of each time.
    pub user_id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// Five fields: minute, hour, day of month, month, day of week.
    pub cron: String,
    /// Of the IANA database; the cron is in its wall clock time.
    pub time_zone: String,
    /// `skip`, `once` or `all`: what becomes of times that were missed.
    #[schema(value_type = crate::openapi::words::CatchUp)]
    pub catch_up: CatchUp,
    /// With `all`: how many of the newest at most.
    pub catch_up_max: i32,
    /// `{kind: "question" | "batch" | "schema_sync" | "maintenance", …}`.
    #[schema(value_type = Object)]
    pub action: Action,
    /// Whether it rests.
    pub paused: bool,
    /// Whether it runs while an earlier run still goes.
    pub allow_overlap: bool,
    /// When it fires next; null: it is paused.
    pub next_run_at: Option<DateTime<Utc>>,
    /// The newest time that was dealt with.
    pub last_fire_time: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

impl From<Schedule> for ScheduleView {
    fn from(s: Schedule) -> Self {
        Self {
            id: s.id.0,
            user_id: s.user_id.0,
            name: s.name,
            cron: s.cron,
            time_zone: s.time_zone,
            catch_up: s.catch_up,
            catch_up_max: s.catch_up_max,
            action: s.action,
            next_run_at: s.next_run_at.filter(|_| !s.paused),
            paused: s.paused,
            allow_overlap: s.allow_overlap,
            last_fire_time: s.last_fire_time,
            created_at: s.created_at,
            updated_at: s.updated_at,
        }
    }
}

/// A run as shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScheduleRunView {
    /// Its id.
    pub id: Uuid,
    /// The time that it stands for.
    pub fire_time: DateTime<Utc>,
    /// Whether somebody asked for it.
    pub by_hand: bool,
    /// `asked` (a scheduler makes it within a second), `fired`, `skipped` or `refused`.
    pub state: String,
    /// Why it was skipped or refused.
    pub reason: Option<String>,
    /// The job that it made.
    pub job_id: Option<Uuid>,
    /// That job's state; null: there is none, or it is past its keeping time.
    pub job_state: Option<String>,
    /// The question that it asked.
    pub question_id: Option<Uuid>,
    /// The batch that it made.
    pub batch_id: Option<Uuid>,
    /// The run of the upkeep (`GET /v1/upkeep`) that it asked for.
    pub upkeep_run_id: Option<Uuid>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

impl From<StoredRun> for ScheduleRunView {
    fn from(r: StoredRun) -> Self {
        Self {
            id: r.id,
            fire_time: r.fire_time,
            by_hand: r.by_hand,
            state: r.state,
            reason: r.reason,
            job_id: r.job_id,
            job_state: r.job_state,
            question_id: r.question_id,
            batch_id: r.batch_id,
            upkeep_run_id: r.upkeep_run_id,
            created_at: r.created_at,
        }
    }
}

/// Whose schedules the caller may see: his own, an admin everybody's (by a key: one with the scope `admin`).
fn owner(caller: &Caller) -> Option<UserId> {
    (!caller.administers()).then_some(caller.user_id)
}

/// A schedule that the caller may see, on a connection that his key may use or on none.
async fn seen(app: &App, caller: &Caller, id: Uuid) -> Result<Schedule> {
    let found = schedules::find(&app.pool, owner(caller), ScheduleId(id)).await?;
    visible(caller, found)
}

/// The same, locked, if the caller may change it: an admin's key needs the scope `admin` for somebody else's.
async fn locked(conn: &mut PgConnection, caller: &Caller, id: Uuid) -> Result<Schedule> {
    // Which scope his key lacks is told to an administrator: he may know of the schedule.
    let found = schedules::lock(conn, (!caller.is_admin()).then_some(caller.user_id), ScheduleId(id)).await?;
    let schedule = visible(caller, found)?;
    if schedule.user_id != caller.user_id && caller.lacks(Scope::Admin) {
        return Err(ApiError::new(Code::PermissionDenied, "this API key lacks the scope `admin`, which a schedule of somebody else needs"));
    }
    Ok(schedule)
}

fn visible(caller: &Caller, found: Option<Schedule>) -> Result<Schedule> {
    let found = found.filter(|schedule| caller.may_see(schedule.action.connection().map(|id| id.0)));
    found.ok_or_else(|| ApiError::not_found("schedule"))
}

/// What can be said of the other fields by themselves.
fn check(name: &str, catch_up_max: i32) -> Result<()> {
    let mut wrong = Vec::new();
    let mut say = |field: &str, message: &str| {
        wrong.push(FieldError { field: field.to_owned(), message: message.to_owned(), ..FieldError::default() });
    };
    if !(1..=100).contains(&name.trim().chars().count()) {
        say("name", "must have 1 to 100 characters");
    }
    if !(1..=100).contains(&catch_up_max) {
        say("catch_up_max", "must be 1 to 100");
    }
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::fields(wrong)) }
}

/// Reads cron and zone.
fn timing(cron: &str, time_zone: &str) -> Result<Timing> {
    if cron.len() > 200 {
        return Err(ApiError::field("cron", "must have at most 200 characters"));
    }
    Timing::parse(cron, time_zone).map_err(|error| {
        let field = if matches!(error, TimingError::Zone(_)) { "time_zone" } else { "cron" };
        ApiError::field(field, error.to_string())
    })
}

/// The audit line of a change.
async fn audited(conn: &mut PgConnection, framed: &Framed, caller: &Caller, action: &str, schedule: &Schedule) -> Result<()> {
    let details = json!({ "name": schedule.name, "cron": schedule.cron, "time_zone": schedule.time_zone, "owner": schedule.user_id });
    let entry = Entry {
        user_id: Some(caller.user_id),
        action,
        resource_type: "schedule",
        resource_id: Some(schedule.id.to_string()),
        success: true,
        details,
    };
    Ok(audit::insert(conn, &framed.origin, entry).await?)
}
