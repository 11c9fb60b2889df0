//! `POST /v1/api-keys`.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use datagenie_common::{
    crypto::tokens,
    ids::ConnectionId,
    store::{
        api_keys::{self, NewKey},
        audit::{self, Entry},
        connections,
    },
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::ApiKeyView;
use crate::{
    access::{Caller, Scope},
    app::App,
    error::{ApiError, Code, Result},
    extract::Json,
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(create_api_key)
}

/// What the key is to be.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewApiKey {
    /// What its owner calls it: 1 to 100 characters.
    name: String,
    /// At least one of `read`, `ask`, `manage`, `admin`.
    scopes: Vec<String>,
    /// The connections it may use; not given: all of its owner's.
    connections: Option<Vec<Uuid>>,
    /// When it ends; not given: never.
    expires_at: Option<DateTime<Utc>>,
}

/// The new key.
#[derive(Serialize, utoipa::ToSchema)]
struct CreatedApiKey {
    /// To be sent as `Authorization: Bearer …`; shown here only.
    key: String,
    #[serde(flatten)]
    view: ApiKeyView,
}

/// Makes an API key, shown once.
#[utoipa::path(
    post, path = "/v1/api-keys", tag = "session", request_body = NewApiKey,
    responses((status = 201, description = "The key; it is not shown again", body = CreatedApiKey))
)]
async fn create_api_key(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    body: Json<NewApiKey>,
) -> Result<(StatusCode, axum::Json<CreatedApiKey>)> {
    let new = body.value;
    if !(1..=100).contains(&new.name.trim().chars().count()) {
        return Err(ApiError::field("name", "must have 1 to 100 characters"));
    }
    if new.scopes.is_empty() {
        return Err(ApiError::field("scopes", "must name at least one of read, ask, manage, admin"));
    }
    for scope in &new.scopes {
        let scope: Scope = scope.parse().map_err(|message: String| ApiError::field("scopes", message))?;
        if caller.lacks(scope) {
            return Err(ApiError::new(Code::PermissionDenied, format!("a key can't make one with a scope that it lacks: `{scope}`")));
        }
        if scope == Scope::Admin && !caller.is_admin() {
            return Err(ApiError::new(Code::PermissionDenied, "only admins have keys with the scope `admin`"));
        }
    }
    if new.expires_at.is_some_and(|at| at <= app.clock.now()) {
        return Err(ApiError::field("expires_at", "must be in the future"));
    }
    for id in new.connections.iter().flatten().copied().map(ConnectionId) {
        if !caller.may_use(id) || connections::find(&app.pool, caller.viewer(), id).await?.is_none() {
            return Err(ApiError::not_found("connection"));
        }
    }
    let minted = tokens::mint_api_key();
    let mut tx = app.pool.begin().await?;
    let key = NewKey {
        name: new.name.trim(),
        prefix: &minted.prefix,
        key_hash: &minted.hash,
        scopes: &new.scopes,
        connections: new.connections,
        expires_at: new.expires_at,
    };
    let stored = api_keys::insert(&mut tx, caller.user_id, key).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "api_key.created",
        resource_type: "api_key",
        resource_id: Some(stored.id.to_string()),
        success: true,
        details: json!({ "name": stored.name, "scopes": stored.scopes }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    let reply = CreatedApiKey { key: minted.key.expose_secret().to_owned(), view: stored.into() };
    Ok((StatusCode::CREATED, axum::Json(reply)))
}
