//! `GET /v1/batches`.

use axum::extract::State;
use datagenie_common::{
    batches::BatchStatus,
    ids::{BatchId, ConnectionId},
    store::batches::{self, Filter},
};
use serde::Deserialize;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{BatchLineView, owner};
use crate::{
    access::Caller,
    app::App,
    error::Result,
    extract::{Page, PageQuery, Query},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(list_batches)
}

/// `?status=&connection_id=&limit=&cursor=`.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only in this state: `running`, `cancelling`, `completed`, `cancelled` or `budget_spent`.
    #[param(value_type = Option<String>)]
    status: Option<BatchStatus>,
    /// Only those of which a line is asked of this connection.
    connection_id: Option<Uuid>,
    /// Items a page, 1 to 200; 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The caller's batches (admins: everybody's), newest first; by a key that is limited to some connections, those that are asked of none
/// but these.
#[utoipa::path(get, path = "/v1/batches", tag = "batches", params(ListQuery), responses((status = 200, description = "A page of batches", body = Page<BatchLineView>)))]
async fn list_batches(State(app): State<App>, caller: Caller, Query(query): Query<ListQuery>) -> Result<axum::Json<Page<BatchLineView>>> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let filter = Filter { status: query.status, connection_id: query.connection_id.map(ConnectionId) };
    let (usable, before) = (caller.limited_to(), page.before()?.map(BatchId));
    let found = batches::list(&app.pool, owner(&caller), &filter, usable.as_deref(), before, limit + 1).await?;
    Ok(axum::Json(Page::of(found, limit, |line| line.id, BatchLineView::from)))
}
