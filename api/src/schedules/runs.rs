//! `GET /v1/schedules/{id}/runs`.

use axum::extract::State;
use datagenie_common::store::schedules;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{ScheduleRunView, seen};
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Id, Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_schedule_runs)
}

/// What came of a schedule's times, newest first.
#[utoipa::path(get, path = "/v1/schedules/{id}/runs", tag = "schedules", params(("id" = uuid::Uuid, Path, description = "The schedule"), PageQuery), responses((status = 200, description = "A page of runs", body = Page<ScheduleRunView>)))]
async fn list_schedule_runs(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<ScheduleRunView>>> {
    let limit = page.limit()?;
    let schedule = seen(&app, &caller, id).await?;
    let runs = schedules::list_runs(&app.pool, schedule.id, page.before()?, limit + 1).await?;
    Ok(axum::Json(Page::of(runs, limit, |run| run.id, ScheduleRunView::from)))
}
