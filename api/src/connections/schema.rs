//! `GET /v1/connections/{id}/schema`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use datagenie_common::{
    ids::ConnectionId,
    model::schemas::SourceSchema,
    store::{connections, permissions},
};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::get::seen;
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, etagged},
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_schema)
}

/// The schema of a connection, as last synced: only what the caller may query.
#[utoipa::path(
    get, path = "/v1/connections/{id}/schema", tag = "connections", params(("id" = uuid::Uuid, Path, description = "The connection")),
    responses((status = 200, description = "`{schemas: {schema: {table: {columns: {…}, indexes: […]}}}}`", body = crate::openapi::shapes::SchemaView), (status = 304, description = "As the caller has it"), (status = 409, description = "Not read yet", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn get_schema(State(app): State<App>, caller: Caller, Id(id): Id, headers: HeaderMap) -> Result<Response> {
    let connection = seen(&app, &caller, ConnectionId(id)).await?;
    let policy = permissions::policy(&app.pool, caller.user_id, connection.id, app.live_settings.get().query.limits())
        .await?
        .ok_or_else(|| ApiError::not_found("connection"))?;
    let (schema, _): (SourceSchema, _) = connections::schema(&app.pool, connection.id).await?.ok_or_else(|| {
        ApiError::new(Code::ConnectionNotReady, format!("the schema has not been read yet; the connection is {}", connection.state))
    })?;
    let mut visible = policy.visible(&schema);
    visible.cached_at = connection.last_schema_sync;
    etagged(StatusCode::OK, &headers, &visible)
}
