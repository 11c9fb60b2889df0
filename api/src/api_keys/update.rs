//! `PATCH /v1/api-keys/{id}`: a key is renamed, or may do less; never more.

use axum::extract::State;
use chrono::{DateTime, Utc};
use datagenie_common::{
    ids::ApiKeyId,
    store::{
        api_keys::{self, ApiKey, KeyChange},
        audit::{self, Entry},
    },
};
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};
use uuid::Uuid;

use super::{ApiKeyView, find};
use crate::{
    access::{Caller, Scope, Via},
    app::App,
    error::{ApiError, Code, Result},
    extract::{Id, Json, moment},
    frame::Framed,
    limits::shown::LimitSet,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(update_api_key)
}

/// What is to change; what is not given stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ApiKeyPatch {
    /// What its owner calls it: 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Some of the scopes that it has.
    #[schema(value_type = Option<Vec<crate::openapi::words::Scope>>, min_items = 1)]
    scopes: Option<Vec<String>>,
    /// Some of the connections that it may use.
    connections: Option<Vec<Uuid>>,
    /// When it ends. By a key only sooner than it does.
    #[serde(default, deserialize_with = "moment")]
    expires_at: Option<DateTime<Utc>>,
    /// What may be used up by it alone, in place of all that held of it. Not by a key.
    limits: Option<LimitSet>,
}

/// Changes a key. It may do less from then on, never more: for that another one is made. What it may not do any more is refused
/// everywhere within a second, and streams that were opened by it end.
#[utoipa::path(
    patch, path = "/v1/api-keys/{id}", tag = "session", request_body = ApiKeyPatch, params(("id" = uuid::Uuid, Path, description = "The key")),
    responses((status = 200, description = "The key", body = ApiKeyView))
)]
async fn update_api_key(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    body: Json<ApiKeyPatch>,
) -> Result<axum::Json<ApiKeyView>> {
    let (id, patch) = (ApiKeyId(id), body.value);
    let key = find(&app, caller.user_id, id).await?.ok_or_else(|| ApiError::not_found("API key"))?;
    check(&app, &caller, &key, &patch)?;
    let limits = patch.limits.map(|limits| limits.changes()).transpose()?;
    let name = patch.name.map(|name| name.trim().to_owned());
    let only_sooner = matches!(caller.via, Via::ApiKey { .. });
    let change =
        KeyChange { name, scopes: patch.scopes, connections: patch.connections, expires_at: patch.expires_at, only_sooner, limits };
    let mut tx = app.pool.begin().await?;
    let more = || ApiError::field("scopes", "the key was changed or revoked meanwhile, and can't be given back what it lost");
    let changed = api_keys::update(&mut tx, caller.user_id, id, &change).await?.ok_or_else(more)?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "api_key.changed",
        resource_type: "api_key",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({
            "name": changed.name, "scopes": changed.scopes, "connections": changed.connections, "expires_at": changed.expires_at,
            "limits": changed.limits,
        }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    app.keys.forget(id);
    app.limits.forget(caller.user_id);
    Ok(axum::Json(changed.into()))
}

fn check(app: &App, caller: &Caller, key: &ApiKey, patch: &ApiKeyPatch) -> Result<()> {
    if patch.name.as_ref().is_some_and(|name| !(1..=100).contains(&name.trim().chars().count())) {
        return Err(ApiError::field("name", "must have 1 to 100 characters"));
    }
    if let Some(scopes) = &patch.scopes {
        if scopes.is_empty() {
            return Err(ApiError::field("scopes", "must name at least one of read, ask, manage, admin; DELETE revokes the key"));
        }
        for scope in scopes {
            let scope: Scope = scope.parse().map_err(|message: String| ApiError::field("scopes", message))?;
            if !key.scopes.iter().any(|held| held == scope.as_str()) {
                return Err(ApiError::field(
                    "scopes",
                    format!("the key lacks `{scope}`, and is not given more than it has: make another one"),
                ));
            }
        }
    }
    let may_use = |id: &Uuid| key.connections.as_ref().is_none_or(|held| held.contains(id)) && caller.may_see(Some(*id));
    if patch.connections.as_ref().is_some_and(|connections| !connections.iter().all(may_use)) {
        return Err(ApiError::field("connections", "are not all among those that the key may use: make another one"));
    }
    if patch.expires_at.is_some_and(|at| at <= app.clock.now()) {
        return Err(ApiError::field("expires_at", "must be in the future; DELETE revokes the key"));
    }
    // Whoever has stolen a key keeps it no longer, and uses no more, than its owner has meant.
    let by_key = matches!(caller.via, Via::ApiKey { .. });
    let ends_later = |at: DateTime<Utc>| key.expires_at.is_some_and(|last| at > last);
    if by_key && (patch.limits.is_some() || patch.expires_at.is_some_and(ends_later)) {
        return Err(ApiError::new(Code::PermissionDenied, "a key can't give itself or others more time or more to use up"));
    }
    Ok(())
}
