//! `GET /v1/schedules`.

use axum::extract::State;
use datagenie_common::{ids::ScheduleId, store::schedules};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{ScheduleView, owner};
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_schedules)
}

/// The caller's schedules, newest first; admins see everybody's, by a key with the scope `admin`.
#[utoipa::path(get, path = "/v1/schedules", tag = "schedules", params(PageQuery), responses((status = 200, description = "A page of schedules", body = Page<ScheduleView>)))]
async fn list_schedules(State(app): State<App>, caller: Caller, Query(page): Query<PageQuery>) -> Result<axum::Json<Page<ScheduleView>>> {
    let limit = page.limit()?;
    let usable = caller.limited_to();
    let before = page.before()?.map(ScheduleId);
    let found = schedules::list(&app.pool, owner(&caller), usable.as_deref(), before, limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |schedule| schedule.id.0, ScheduleView::from)))
}
