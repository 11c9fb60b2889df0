//! `POST /v1/schedules/{id}/pause` and `…/resume`.

use axum::extract::State;
use datagenie_common::store::schedules;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{ScheduleView, audited, locked, timing};
use crate::{access::Caller, app::App, error::Result, extract::Id, frame::Framed};

/// The route of a pause.
pub fn pause_route() -> UtoipaMethodRouter<App> {
    routes!(pause_schedule)
}

/// The route of its end.
pub fn resume_route() -> UtoipaMethodRouter<App> {
    routes!(resume_schedule)
}

/// Puts a schedule to rest; what runs goes on.
#[utoipa::path(post, path = "/v1/schedules/{id}/pause", tag = "schedules", params(("id" = uuid::Uuid, Path, description = "The schedule")), responses((status = 200, description = "The schedule", body = ScheduleView)))]
async fn pause_schedule(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<axum::Json<ScheduleView>> {
    set(&app, &framed, &caller, id, true).await
}

/// Ends its rest: it fires at its next time from now on. Times of its rest are not made up for.
#[utoipa::path(post, path = "/v1/schedules/{id}/resume", tag = "schedules", params(("id" = uuid::Uuid, Path, description = "The schedule")), responses((status = 200, description = "The schedule", body = ScheduleView)))]
async fn resume_schedule(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<axum::Json<ScheduleView>> {
    set(&app, &framed, &caller, id, false).await
}

async fn set(app: &App, framed: &Framed, caller: &Caller, id: uuid::Uuid, paused: bool) -> Result<axum::Json<ScheduleView>> {
    let mut tx = app.pool.begin().await?;
    let mut schedule = locked(&mut tx, caller, id).await?;
    if schedule.paused != paused {
        let now = schedules::now(&mut tx).await?;
        if !paused {
            schedule.next_run_at = timing(&schedule.cron, &schedule.time_zone)?.after(now);
        }
        schedule.paused = paused;
        schedule.updated_at = now;
        schedules::put(&mut tx, &schedule).await?;
        audited(&mut tx, framed, caller, if paused { "schedule.paused" } else { "schedule.resumed" }, &schedule).await?;
    }
    tx.commit().await?;
    Ok(axum::Json(schedule.into()))
}
