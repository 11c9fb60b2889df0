//! `GET /v1/jobs`.

use axum::extract::State;
use datagenie_common::{ids::JobId, jobs::JobKind, model::jobs::JobState, store::ledger::view};
use serde::Deserialize;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::JobView;
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_jobs)
}

/// `?kind=&state=&limit=&cursor=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only of this kind.
    #[param(inline, value_type = Option<crate::openapi::words::JobKind>)]
    kind: Option<JobKind>,
    /// Only in this state.
    #[param(inline, value_type = Option<crate::openapi::words::JobState>)]
    state: Option<JobState>,
    /// Items a page, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The caller's jobs, newest first; by a key that is limited to some connections, those on these and on none.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", params(ListQuery), responses((status = 200, description = "A page of jobs", body = Page<JobView>)))]
async fn list_jobs(State(app): State<App>, caller: Caller, Query(query): Query<ListQuery>) -> Result<axum::Json<Page<JobView>>> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let before = page.before()?.map(JobId);
    let found = view::list(&app.pool, caller.user_id, query.kind, query.state, caller.limited_to().as_deref(), before, limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |job| job.id, JobView::from)))
}
