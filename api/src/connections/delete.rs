//! `DELETE /v1/connections/{id}`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    ids::ConnectionId,
    store::{
        audit::{self, Entry},
        connections,
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::forget_schema;
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::Id,
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(delete_connection)
}

/// Removes a connection, its permissions and its schema. Questions that were asked of it stay, without their rows being readable.
#[utoipa::path(delete, path = "/v1/connections/{id}", tag = "connections", params(("id" = uuid::Uuid, Path, description = "The connection")), responses((status = 204, description = "Removed")))]
async fn delete_connection(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<StatusCode> {
    let id = ConnectionId(id);
    let mut tx = app.pool.begin().await?;
    if !caller.may_use(id) || !connections::delete(&mut tx, id).await? {
        return Err(ApiError::not_found("connection"));
    }
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "connection.deleted",
        resource_type: "connection",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({}),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    forget_schema(&app, id).await;
    Ok(StatusCode::NO_CONTENT)
}
