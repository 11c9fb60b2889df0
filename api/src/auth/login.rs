//! `POST /v1/auth/login`.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use datagenie_common::{
    crypto::{passwords, tokens},
    ids::SessionId,
    store::{
        audit::{self, Entry},
        sessions, users,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::UserView;
use crate::{
    access::COOKIE,
    app::App,
    error::{ApiError, Code, Result},
    extract::Json,
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(login)
}

/// User name and password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    username: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// A session.
#[derive(Serialize, utoipa::ToSchema)]
struct LoginReply {
    /// To be sent as `Authorization: Bearer …`; shown here only.
    token: String,
    /// When it ends.
    expires_at: DateTime<Utc>,
    /// Who signed in.
    user: UserView,
}

/// Opens a session.
///
/// A wrong password and an unknown user are the same answer, after the same work.
#[utoipa::path(
    post, path = "/v1/auth/login", tag = "session", request_body = LoginRequest,
    responses((status = 200, description = "Signed in; the token is also set as a cookie for browsers", body = LoginReply), (status = 401, description = "User name or password is wrong", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn login(State(app): State<App>, framed: Framed, body: Json<LoginRequest>) -> Result<Response> {
    let LoginRequest { username, password } = body.value;
    let known = users::find_for_login(&app.pool, &username).await?.filter(|(user, _)| user.is_active);
    let (user, hash) = known.map_or((None, None), |(user, hash)| (Some(user), Some(hash)));
    let matches = passwords::verify_blocking(password, hash).await.map_err(|error| ApiError::internal(&error))?;
    let mut tx = app.pool.begin().await?;
    let Some(user) = user.filter(|_| matches) else {
        let shown: String = username.chars().take(50).collect();
        let entry = Entry {
            user_id: None,
            action: "login",
            resource_type: "session",
            resource_id: None,
            success: false,
            details: json!({ "username": shown }),
        };
        audit::insert(&mut tx, &framed.origin, entry).await?;
        tx.commit().await?;
        return Err(ApiError::new(Code::InvalidCredentials, "user name or password is wrong"));
    };
    let id = SessionId::new();
    let minted = tokens::mint_session(id);
    #[expect(clippy::cast_precision_loss, reason = "hours of a session are few")]
    let hours = app.settings.auth.session_timeout_hours as f64;
    let expires_at = sessions::insert(&mut tx, id, user.id, &minted.hash, hours, &framed.origin).await?;
    users::logged_in(&mut tx, user.id).await?;
    let entry = Entry {
        user_id: Some(user.id),
        action: "login",
        resource_type: "session",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({}),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;

    let token = minted.token.expose_secret().to_owned();
    let secure = app.settings.api.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let cookie = format!(
        "{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}",
        app.settings.auth.session_timeout().as_secs(),
        if secure { "; Secure" } else { "" }
    );
    let reply = axum::Json(LoginReply { token, expires_at, user: user.into() });
    let mut response = reply.into_response();
    response.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_str(&cookie).map_err(|error| ApiError::internal(&error))?);
    Ok(response)
}
