//! `GET /v1/api-keys/{id}`.

use axum::extract::State;
use datagenie_common::ids::ApiKeyId;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{ApiKeyView, find};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::Id,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(get_api_key)
}

/// A key of the caller that is not revoked; never the key itself.
#[utoipa::path(
    get, path = "/v1/api-keys/{id}", tag = "session", params(("id" = uuid::Uuid, Path, description = "The key")),
    responses((status = 200, description = "The key", body = ApiKeyView))
)]
async fn get_api_key(State(app): State<App>, caller: Caller, Id(id): Id) -> Result<axum::Json<ApiKeyView>> {
    let key = find(&app, caller.user_id, ApiKeyId(id)).await?.ok_or_else(|| ApiError::not_found("API key"))?;
    Ok(axum::Json(key.into()))
}
