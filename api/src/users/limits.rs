//! `GET` and `PUT /v1/users/{id}/limits`.

use axum::extract::State;
use datagenie_common::{
    ids::UserId,
    store::{
        audit::{self, Entry},
        limits,
    },
};
use serde::Serialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::refuse_limited;
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, Json},
    frame::Framed,
    limits::shown::{LimitSet, StandingView},
};

/// The route that shows them.
pub fn get_route() -> UtoipaMethodRouter<App> {
    routes!(get_user_limits)
}

/// The route that sets them.
pub fn put_route() -> UtoipaMethodRouter<App> {
    routes!(put_user_limits)
}

/// A user's limits.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct UserLimitsView {
    /// What is stored of him in place of the settings; null: the setting holds.
    stored: LimitSet,
    /// What holds, and what is left of it.
    now: StandingView,
}

/// What a user may use up, and what is left of it.
#[utoipa::path(
    get, path = "/v1/users/{id}/limits", tag = "users", params(("id" = uuid::Uuid, Path, description = "The user")),
    responses((status = 200, description = "The limits", body = UserLimitsView))
)]
async fn get_user_limits(State(app): State<App>, Id(id): Id) -> Result<axum::Json<UserLimitsView>> {
    shown(&app, UserId(id)).await
}

/// Sets what a user may use up, in place of all that was stored of him; what is left out is as the settings have it. It holds in all
/// processes within a second.
#[utoipa::path(
    put, path = "/v1/users/{id}/limits", tag = "users", request_body = LimitSet, params(("id" = uuid::Uuid, Path, description = "The user")),
    responses((status = 200, description = "The limits", body = UserLimitsView))
)]
async fn put_user_limits(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    body: Json<LimitSet>,
) -> Result<axum::Json<UserLimitsView>> {
    refuse_limited(&caller)?;
    let changes = body.value.changes()?;
    let mut tx = app.pool.begin().await?;
    if !limits::put(&mut tx, UserId(id), &changes).await? {
        return Err(ApiError::not_found("user"));
    }
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "user.limits_changed",
        resource_type: "user",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "limits": changes }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    app.limits.forget(UserId(id));
    shown(&app, UserId(id)).await
}

async fn shown(app: &App, id: UserId) -> Result<axum::Json<UserLimitsView>> {
    let stored = limits::find(&app.pool, id, None).await?.ok_or_else(|| ApiError::not_found("user"))?.user;
    let now = app.limits.standing(app, id, None).await.into();
    Ok(axum::Json(UserLimitsView { stored: stored.into(), now }))
}
