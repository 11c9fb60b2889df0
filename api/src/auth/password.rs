//! `POST /v1/auth/password`.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    crypto::{password_policy::prepared, passwords},
    store::{
        audit::{self, Entry},
        sessions, users,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{check_password, login::unchecked, throttle};
use crate::{
    access::{Caller, Via},
    app::App,
    error::{ApiError, Code, Result},
    extract::Json,
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(change_password)
}

/// The old password and the new one.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password of now.
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    /// At least 12 characters (`auth.password_min_length`), at most 128, and none of those that everybody tries first.
    #[schema(value_type = String, format = Password, max_length = 128)]
    new_password: SecretString,
}

/// Changes the caller's password.
///
/// It needs the old one, and a session: an API key changes no password. All other sessions of the caller end; API keys stay.
#[utoipa::path(
    post, path = "/v1/auth/password", tag = "session", request_body = PasswordChange,
    responses((status = 204, description = "Changed"), (status = 409, description = "It was changed by another request meanwhile", body = crate::error::Problem, content_type = "application/problem+json"), (status = 429, description = "Too many attempts have failed; wait for Retry-After", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn change_password(State(app): State<App>, framed: Framed, caller: Caller, body: Json<PasswordChange>) -> Result<StatusCode> {
    let Via::Session(session) = caller.via else {
        return Err(ApiError::new(Code::PermissionDenied, "an API key can't change the password; sign in with it"));
    };
    let PasswordChange { current_password, new_password } = body.value;
    let user = users::find(&app.pool, caller.user_id).await?.ok_or_else(|| ApiError::not_found("user"))?;
    check_password(&app, "new_password", &new_password, &user.username, &user.email)?;
    let attempt = throttle::change(&app, &caller.user_id.to_string(), framed.origin.ip).await?;
    let old_hash = users::password_hash(&app.pool, caller.user_id).await?.ok_or_else(|| ApiError::not_found("user"))?;
    let same = prepared(current_password.expose_secret()) == prepared(new_password.expose_secret());
    let matches = match passwords::verify_blocking(current_password, Some(old_hash.clone())).await {
        Ok(matches) => matches,
        Err(error) => {
            attempt.taken_back(&app).await;
            return Err(unchecked(&error));
        }
    };
    let entry = |success, details| Entry {
        user_id: Some(caller.user_id),
        action: "password.changed",
        resource_type: "user",
        resource_id: Some(caller.user_id.to_string()),
        success,
        details,
    };
    if !matches {
        let mut conn = app.pool.acquire().await?;
        audit::insert(&mut conn, &framed.origin, entry(false, json!({}))).await?;
        return Err(ApiError::field("current_password", "is not your password"));
    }
    attempt.forgiven(&app).await;
    if same {
        return Err(ApiError::field("new_password", "must differ from the current one"));
    }
    let new_hash = passwords::hash_blocking(new_password).await.map_err(|error| unchecked(&error))?;
    let mut tx = app.pool.begin().await?;
    if !users::change_password(&mut tx, caller.user_id, &old_hash, &new_hash).await? {
        return Err(ApiError::new(Code::InProgress, "the password was changed by another request meanwhile"));
    }
    let ended = sessions::delete_of_user(&mut tx, caller.user_id, Some(session)).await?;
    audit::insert(&mut tx, &framed.origin, entry(true, json!({ "sessions_ended": ended.len() }))).await?;
    tx.commit().await?;
    // This session's too: what is cached of it says that the password has to be changed.
    app.ended.end(&app.sessions, ended.into_iter().chain([session])).await;
    Ok(StatusCode::NO_CONTENT)
}
