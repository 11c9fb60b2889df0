//! `PATCH /v1/users/{id}`.

use axum::extract::State;
use datagenie_common::{
    cache::CacheKey,
    crypto::passwords,
    ids::UserId,
    model::users::Role,
    store::{
        audit::{self, Entry},
        sessions,
        users::{self, UserChange},
    },
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{check_password, refuse_limited};
use crate::{
    access::Caller,
    app::App,
    auth::UserView,
    error::{ApiError, Result},
    extract::{Id, Json},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(update_user)
}

/// What is to change; what is not given stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct UserPatch {
    /// `admin`, `user` or `viewer`.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// Whether he may sign in.
    is_active: Option<bool>,
    /// 8 to 256 characters.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
}

/// Changes a user. A deactivation and a new password end his sessions.
#[utoipa::path(
    patch, path = "/v1/users/{id}", tag = "users", request_body = UserPatch, params(("id" = uuid::Uuid, Path, description = "The user")),
    responses((status = 200, description = "The user", body = UserView))
)]
async fn update_user(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    body: Json<UserPatch>,
) -> Result<axum::Json<UserView>> {
    refuse_limited(&caller)?;
    let (id, patch) = (UserId(id), body.value);
    let loses_admin = patch.is_active == Some(false) || patch.role.is_some_and(|role| role != Role::Admin);
    if id == caller.user_id && loses_admin {
        return Err(ApiError::field("role", "you can't take your own admin rights away; let another admin do it"));
    }
    let ends_sessions = patch.is_active == Some(false) || patch.password.is_some();
    let details = json!({ "role": patch.role, "is_active": patch.is_active, "password": patch.password.is_some() });
    let password_hash = match patch.password {
        Some(password) => {
            check_password(&password)?;
            Some(passwords::hash_blocking(password).await.map_err(|error| ApiError::internal(&error))?)
        }
        None => None,
    };
    let mut tx = app.pool.begin().await?;
    let change = UserChange { role: patch.role, is_active: patch.is_active, password_hash };
    let user = users::update(&mut tx, id, &change).await?.ok_or_else(|| ApiError::not_found("user"))?;
    let ended = if ends_sessions { sessions::delete_of_user(&mut tx, id).await? } else { Vec::new() };
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "user.updated",
        resource_type: "user",
        resource_id: Some(id.to_string()),
        success: true,
        details,
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    for session in ended {
        app.sessions.forget(session);
        app.cache.delete(&CacheKey::Session { session }).await;
    }
    Ok(axum::Json(user.into()))
}
