//! `GET /v1/schedules/{id}`.

use axum::extract::State;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{ScheduleView, seen};
use crate::{access::Caller, app::App, error::Result, extract::Id};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_schedule)
}

/// A schedule.
#[utoipa::path(get, path = "/v1/schedules/{id}", tag = "schedules", params(("id" = uuid::Uuid, Path, description = "The schedule")), responses((status = 200, description = "The schedule", body = ScheduleView)))]
async fn get_schedule(State(app): State<App>, caller: Caller, Id(id): Id) -> Result<axum::Json<ScheduleView>> {
    Ok(axum::Json(seen(&app, &caller, id).await?.into()))
}
