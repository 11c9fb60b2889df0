//! `PATCH /v1/users/{id}`.

use axum::extract::State;
use datagenie_common::{
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

use super::refuse_limited;
use crate::{
    access::Caller,
    app::App,
    auth::{UserView, check_password, login::unchecked},
    error::{ApiError, Code, Result},
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
    #[schema(value_type = Option<crate::openapi::words::Role>)]
    role: Option<Role>,
    /// Whether he may sign in.
    is_active: Option<bool>,
    /// At least 12 characters (`auth.password_min_length`), at most 128. He has to change it before anything else, since you know it. Your
    /// own is changed by `POST /v1/auth/password`.
    #[schema(value_type = Option<String>, format = Password, max_length = 128)]
    password: Option<SecretString>,
}

/// Changes a user.
///
/// A deactivation and a new password end his sessions everywhere within a second; his API keys are refused while he is not active. There
/// is always an active administrator.
#[utoipa::path(
    patch, path = "/v1/users/{id}", tag = "users", request_body = UserPatch, params(("id" = uuid::Uuid, Path, description = "The user")),
    responses((status = 200, description = "The user", body = UserView), (status = 409, description = "He is the last active administrator", body = crate::error::Problem, content_type = "application/problem+json"))
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
    if id == caller.user_id && patch.password.is_some() {
        // Whoever has only his session or key must not get his password by it.
        return Err(ApiError::field("password", "is your own: change it by POST /v1/auth/password, which asks for the old one"));
    }
    let ends_sessions = patch.is_active == Some(false) || patch.password.is_some();
    let details = json!({ "role": patch.role, "is_active": patch.is_active, "password": patch.password.is_some() });
    let password_hash = match patch.password {
        Some(password) => {
            let user = users::find(&app.pool, id).await?.ok_or_else(|| ApiError::not_found("user"))?;
            check_password(&app, "password", &password, &user.username, &user.email)?;
            Some(passwords::hash_blocking(password).await.map_err(|error| unchecked(&error))?)
        }
        None => None,
    };
    let mut tx = app.pool.begin().await?;
    if loses_admin && !users::is_other_admin_active(&mut tx, id).await? {
        return Err(ApiError::new(Code::LastAdmin, "there would be no active administrator left"));
    }
    let change = UserChange { role: patch.role, is_active: patch.is_active, password_hash };
    let user = users::update(&mut tx, id, &change).await?.ok_or_else(|| ApiError::not_found("user"))?;
    let ended = if ends_sessions { sessions::delete_of_user(&mut tx, id, None).await? } else { Vec::new() };
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
    app.ended.end(&app.sessions, ended).await;
    Ok(axum::Json(user.into()))
}
