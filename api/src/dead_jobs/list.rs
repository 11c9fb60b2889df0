//! `GET /v1/dead-jobs`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::{ConnectionId, JobId, UserId},
    jobs::JobKind,
    model::questions::FailureCode,
    store::ledger::dead::{self, DeadFilter},
};
use serde::Deserialize;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Page, PageQuery, Query, moment},
    jobs::JobView,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_dead_jobs)
}

/// `?kind=&user_id=&connection_id=&code=&before=&limit=&cursor=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only of this kind.
    #[param(inline, value_type = Option<crate::openapi::words::JobKind>)]
    kind: Option<JobKind>,
    /// Only of this user.
    user_id: Option<Uuid>,
    /// Only on this connection.
    connection_id: Option<Uuid>,
    /// Only those that failed with this code.
    #[param(inline, value_type = Option<crate::openapi::words::FailureCode>)]
    code: Option<FailureCode>,
    /// Only those that died before this time.
    #[serde(default, deserialize_with = "moment")]
    before: Option<DateTime<Utc>>,
    /// Items a page, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Everybody's dead jobs, newest first; by a key that is limited to some connections, those on these and on none.
#[utoipa::path(get, path = "/v1/dead-jobs", tag = "operation", params(ListQuery), responses((status = 200, description = "A page of dead jobs", body = Page<JobView>)))]
async fn list_dead_jobs(State(app): State<App>, caller: Caller, Query(query): Query<ListQuery>) -> Result<axum::Json<Page<JobView>>> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let cursor = page.before()?.map(JobId);
    let filter = DeadFilter {
        kind: query.kind,
        user_id: query.user_id.map(UserId),
        connection_id: query.connection_id.map(ConnectionId),
        code: query.code,
        before: query.before,
        usable: caller.limited_to(),
    };
    let found = dead::list(&app.pool, &filter, cursor, limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |job| job.id, JobView::from)))
}
