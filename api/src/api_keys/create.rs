//! `POST /v1/api-keys`.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use datagenie_common::{
    crypto::tokens,
    ids::{ApiKeyId, ConnectionId},
    model::limits::LimitChanges,
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

use super::{ApiKeyView, find};
use crate::{
    access::{Caller, Scope, Via},
    app::App,
    error::{ApiError, Code, Result},
    extract::Json,
    frame::Framed,
    idempotency,
    limits::shown::LimitSet,
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
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// At least one of `read`, `ask`, `manage`, `admin`.
    #[schema(value_type = Vec<crate::openapi::words::Scope>, min_items = 1)]
    scopes: Vec<String>,
    /// The connections it may use; not given: all of its owner's, or those of the key that makes it.
    connections: Option<Vec<Uuid>>,
    /// When it ends; not given: never, or with the key that makes it. It never outlives that.
    expires_at: Option<DateTime<Utc>>,
    /// What may be used up by it alone, besides its owner's limits; not given: nothing is limited of it alone. Of a key that is made by a
    /// key the limits are those of that key.
    limits: Option<LimitSet>,
}

/// The new key.
#[derive(Serialize, utoipa::ToSchema)]
struct CreatedApiKey {
    /// To be sent as `Authorization: Bearer …`; shown here only, and only once: null where the same `Idempotency-Key` is sent again. Who
    /// has lost the first answer revokes the key and makes another.
    key: Option<String>,
    #[serde(flatten)]
    view: ApiKeyView,
}

/// Makes an API key, shown once. One that is made by a key can do no more than that: not with its scopes, not on other connections, and
/// not for longer.
#[utoipa::path(
    post, path = "/v1/api-keys", tag = "session", request_body = NewApiKey,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same API key, as it now is, without its secret")),
    responses((status = 201, description = "The key; it is not shown again", body = CreatedApiKey), (status = 404, description = "There is no such connection, or it is not yours; or what this Idempotency-Key made has been revoked", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn create_api_key(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    body: Json<NewApiKey>,
) -> Result<(StatusCode, axum::Json<CreatedApiKey>)> {
    let (new, key) = (body.value, body.idempotency);
    if let Some(earlier) = idempotency::find(&app, &caller, &key).await? {
        return as_it_is(&app, &caller, ApiKeyId(earlier)).await;
    }
    check(&app, &caller, &new).await?;
    let expires_at = end_of(&app, &caller, new.expires_at).await?;
    let limits = limits_of(&app, &caller, new.limits).await?;
    let minted = tokens::mint_api_key();
    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, &caller, &key, Uuid::nil()).await? {
        tx.rollback().await?;
        return as_it_is(&app, &caller, ApiKeyId(earlier)).await;
    }
    let row = NewKey {
        name: new.name.trim(),
        prefix: &minted.prefix,
        key_hash: &minted.hash,
        scopes: &new.scopes,
        connections: new.connections.or_else(|| caller.limited_to()),
        expires_at,
        limits,
    };
    let stored = api_keys::insert(&mut tx, caller.user_id, row).await?;
    idempotency::made(&mut tx, &caller, &key, stored.id.0).await?;
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
    let reply = CreatedApiKey { key: Some(minted.key.expose_secret().to_owned()), view: stored.into() };
    Ok((StatusCode::CREATED, axum::Json(reply)))
}

/// The key as it is, without its secret: that is not known any more.
async fn as_it_is(app: &App, caller: &Caller, id: ApiKeyId) -> Result<(StatusCode, axum::Json<CreatedApiKey>)> {
    let stored = find(app, caller.user_id, id).await?.ok_or_else(|| ApiError::not_found("API key"))?;
    Ok((StatusCode::CREATED, axum::Json(CreatedApiKey { key: None, view: stored.into() })))
}

async fn check(app: &App, caller: &Caller, new: &NewApiKey) -> Result<()> {
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
    Ok(())
}

/// What may be used up by the new key: a key that makes it hands its own limits on.
async fn limits_of(app: &App, caller: &Caller, wanted: Option<LimitSet>) -> Result<LimitChanges> {
    let wanted = wanted.map(|limits| limits.changes()).transpose()?;
    let Via::ApiKey { id, .. } = &caller.via else { return Ok(wanted.unwrap_or_default()) };
    if wanted.is_some() {
        return Err(ApiError::field("limits", "can't be given by a key: what it makes has its own limits"));
    }
    Ok(find(app, caller.user_id, *id).await?.map(|key| key.limits.0).unwrap_or_default())
}

/// When the new key ends: when it is asked to, and never after the key that makes it.
async fn end_of(app: &App, caller: &Caller, wanted: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>> {
    let Via::ApiKey { id, .. } = &caller.via else { return Ok(wanted) };
    // Revoked since this request came in.
    let gone = || ApiError::new(Code::Unauthenticated, "the token is not valid, or no longer");
    let last = find(app, caller.user_id, *id).await?.ok_or_else(gone)?.expires_at;
    match (wanted, last) {
        (Some(wanted), Some(last)) => Ok(Some(wanted.min(last))),
        (wanted, last) => Ok(wanted.or(last)),
    }
}
