//! `GET /v1/connections/{id}`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use datagenie_common::{
    ids::ConnectionId,
    store::connections::{self, Connection},
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::ConnectionView;
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, etagged},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_connection)
}

/// A connection that the caller may see and that his key may use.
///
/// # Errors
/// 404, and what the store says.
pub async fn seen(app: &App, caller: &Caller, id: ConnectionId) -> Result<Connection> {
    let unknown = || ApiError::not_found("connection");
    if !caller.may_use(id) {
        return Err(unknown());
    }
    connections::find(&app.pool, caller.viewer(), id).await?.ok_or_else(unknown)
}

/// A connection.
#[utoipa::path(
    get, path = "/v1/connections/{id}", tag = "connections", params(("id" = uuid::Uuid, Path, description = "The connection")),
    responses((status = 200, description = "The connection", body = ConnectionView), (status = 304, description = "As the caller has it"))
)]
async fn get_connection(State(app): State<App>, caller: Caller, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    let connection = seen(&app, &caller, ConnectionId(id)).await?;
    etagged(StatusCode::OK, &headers, &ConnectionView::seen_by(&caller, connection))
}
