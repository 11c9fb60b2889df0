//! `GET /v1/connections`.

use axum::extract::State;
use datagenie_common::{ids::ConnectionId, store::connections};
use serde::Deserialize;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::ConnectionView;
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_connections)
}

/// `?name=&limit=&cursor=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only the one of this name.
    name: Option<String>,
    /// Items a page, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The connections that the caller may see, newest first.
#[utoipa::path(get, path = "/v1/connections", tag = "connections", params(ListQuery), responses((status = 200, description = "A page of connections", body = Page<ConnectionView>)))]
async fn list_connections(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<Page<ConnectionView>>> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let before = page.before()?.map(ConnectionId);
    let usable = caller.limited_to();
    let found = connections::list(&app.pool, caller.viewer(), query.name.as_deref(), usable.as_deref(), before, limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |connection| connection.id.0, |connection| ConnectionView::seen_by(&caller, connection))))
}
