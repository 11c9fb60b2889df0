//! `DELETE /v1/api-keys/{id}`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    ids::ApiKeyId,
    store::{
        api_keys,
        audit::{self, Entry},
    },
};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::Id,
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(revoke_api_key)
}

/// Revokes a key of the caller; it is refused everywhere within a second.
#[utoipa::path(delete, path = "/v1/api-keys/{id}", tag = "session", params(("id" = uuid::Uuid, Path, description = "The key")), responses((status = 204, description = "Revoked")))]
async fn revoke_api_key(State(app): State<App>, framed: Framed, caller: Caller, Id(id): Id) -> Result<StatusCode> {
    let id = ApiKeyId(id);
    let mut tx = app.pool.begin().await?;
    if !api_keys::revoke(&mut tx, caller.user_id, id).await? {
        return Err(ApiError::not_found("API key"));
    }
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "api_key.revoked",
        resource_type: "api_key",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({}),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    app.keys.forget(id);
    Ok(StatusCode::NO_CONTENT)
}
