//! `POST /v1/api-keys`.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use datagenie_common::{
    crypto::tokens,
    ids::{ApiKeyId, ConnectionId},
    model::limits::LimitChanges,
    store::{
        api_keys::{self, ApiKey, NewKey},
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
    extract::{Json, moment},
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
    #[serde(default, deserialize_with = "moment")]
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
    let terms = terms(&app, &caller, new).await?;
    let minted = tokens::mint_api_key();
    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, &caller, &key, Uuid::nil()).await? {
        tx.rollback().await?;
        return as_it_is(&app, &caller, ApiKeyId(earlier)).await;
    }
    let row = NewKey {
        name: &terms.name,
        prefix: &minted.prefix,
        key_hash: &minted.hash,
        scopes: &terms.scopes,
        connections: terms.connections,
        expires_at: terms.expires_at,
        limits: terms.limits,
    };
    let stored = api_keys::insert(&mut tx, caller.user_id, row).await?;
    idempotency::made(&mut tx, &caller, &key, stored.id.0).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "api_key.created",
        resource_type: "api_key",
        resource_id: Some(stored.id.to_string()),
        success: true,
        details: json!({
            "name": stored.name, "scopes": stored.scopes, "connections": stored.connections, "expires_at": stored.expires_at,
        }),
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

/// What the new key is to be: what is asked for, and if a key makes it no more than that.
struct Terms {
    name: String,
    scopes: Vec<String>,
    connections: Option<Vec<Uuid>>,
    expires_at: Option<DateTime<Utc>>,
    limits: LimitChanges,
}

async fn terms(app: &App, caller: &Caller, new: NewApiKey) -> Result<Terms> {
    let name = new.name.trim().to_owned();
    if !(1..=100).contains(&name.chars().count()) {
        return Err(ApiError::field("name", "must have 1 to 100 characters"));
    }
    let maker = maker(app, caller).await?;
    let scopes = scopes(caller, maker.as_ref(), &new.scopes)?;
    if new.expires_at.is_some_and(|at| at <= app.clock.now()) {
        return Err(ApiError::field("expires_at", "must be in the future"));
    }
    let limits = new.limits.map(|limits| limits.changes()).transpose()?;
    let connections = connections_of(app, caller, maker.as_ref(), new.connections).await?;
    let Some(maker) = maker else {
        return Ok(Terms { name, scopes, connections, expires_at: new.expires_at, limits: limits.unwrap_or_default() });
    };
    if limits.is_some() {
        return Err(ApiError::field("limits", "can't be given by a key: what it makes has its own limits"));
    }
    // Never after the key that makes it.
    let expires_at = match (new.expires_at, maker.expires_at) {
        (Some(wanted), Some(last)) => Some(wanted.min(last)),
        (wanted, last) => wanted.or(last),
    };
    Ok(Terms { name, scopes, connections, expires_at, limits: maker.limits.0 })
}

/// The key that makes this one, as it is stored now: what the caller is remembered by may be a second old, and of before it lost a scope.
async fn maker(app: &App, caller: &Caller) -> Result<Option<ApiKey>> {
    let Via::ApiKey { id, .. } = &caller.via else { return Ok(None) };
    // Revoked since this request came in.
    let gone = || ApiError::new(Code::Unauthenticated, "the token is not valid, or no longer");
    find(app, caller.user_id, *id).await?.map(Some).ok_or_else(gone)
}

fn scopes(caller: &Caller, maker: Option<&ApiKey>, wanted: &[String]) -> Result<Vec<String>> {
    if wanted.is_empty() {
        return Err(ApiError::field("scopes", "must name at least one of read, ask, manage, admin"));
    }
    let mut scopes: Vec<String> = Vec::new();
    for scope in wanted {
        let scope: Scope = scope.parse().map_err(|message: String| ApiError::field("scopes", message))?;
        if maker.is_some_and(|maker| !maker.scopes.iter().any(|held| held == scope.as_str())) {
            return Err(ApiError::new(Code::PermissionDenied, format!("a key can't make one with a scope that it lacks: `{scope}`")));
        }
        if scope == Scope::Admin && !caller.is_admin() {
            return Err(ApiError::new(Code::PermissionDenied, "only admins have keys with the scope `admin`"));
        }
        if !scopes.iter().any(|held| held == scope.as_str()) {
            scopes.push(scope.to_string());
        }
    }
    Ok(scopes)
}

async fn connections_of(app: &App, caller: &Caller, maker: Option<&ApiKey>, wanted: Option<Vec<Uuid>>) -> Result<Option<Vec<Uuid>>> {
    let held = maker.and_then(|maker| maker.connections.as_ref());
    let Some(mut wanted) = wanted else { return Ok(held.cloned()) };
    wanted.sort_unstable();
    wanted.dedup();
    for id in &wanted {
        let is_held = held.is_none_or(|held| held.contains(id));
        if !is_held || connections::find(&app.pool, caller.viewer(), ConnectionId(*id)).await?.is_none() {
            return Err(ApiError::not_found("connection"));
        }
    }
    Ok(Some(wanted))
}
