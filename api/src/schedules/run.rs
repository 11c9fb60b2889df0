//! `POST /v1/schedules/{id}/run`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::store::schedules;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{ScheduleRunView, audited, locked};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::Id,
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(run_schedule)
}

/// Asks for a run now, whatever the cron says, paused or not. A scheduler makes it within a second, under the same rules as any other;
/// `GET …/runs` tells what came of it. An administrator can't run what is somebody else's, because it runs as its owner.
#[utoipa::path(post, path = "/v1/schedules/{id}/run", tag = "schedules", params(("id" = uuid::Uuid, Path, description = "The schedule")), responses((status = 202, description = "The run, asked for", body = ScheduleRunView)))]
async fn run_schedule(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
) -> Result<(StatusCode, axum::Json<ScheduleRunView>)> {
    let mut tx = app.pool.begin().await?;
    let schedule = locked(&mut tx, &caller, id).await?;
    if schedule.user_id != caller.user_id {
        return Err(ApiError::new(Code::PermissionDenied, "it runs as its owner: only he may have it run now"));
    }
    let run = schedules::ask(&mut tx, schedule.id).await?;
    audited(&mut tx, &framed, &caller, "schedule.run_asked", &schedule).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, axum::Json(run.into())))
}
