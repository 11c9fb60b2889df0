//! `POST /v1/auth/login`.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use datagenie_common::{
    crypto::{PasswordError, passwords, tokens},
    ids::SessionId,
    store::{
        addresses,
        audit::{self, Entry},
        sessions,
        users::{self, User},
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{UserView, lifetime, throttle};
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
    /// Its case does not matter.
    username: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// A session.
#[derive(Serialize, utoipa::ToSchema)]
struct LoginReply {
    /// To be sent as `Authorization: Bearer …`; shown here only.
    token: String,
    /// When it ends unless it is used: each use moves the end, up to `auth.session_max_hours` after the login.
    expires_at: DateTime<Utc>,
    /// Who signed in.
    user: UserView,
}

/// Opens a session.
///
/// A wrong password and an unknown user are the same answer, after the same work. After some failures of a name at an address, or of an
/// address, the next attempt has to wait (429 with `Retry-After`), longer each time. While `must_change_password` of the user is true the
/// session can change the password (`POST /v1/auth/password`), see `/v1/me` and sign out; all else is 403 `password_change_required`.
#[utoipa::path(
    post, path = "/v1/auth/login", tag = "session", request_body = LoginRequest,
    responses((status = 200, description = "Signed in; the token is also set as a cookie for browsers", body = LoginReply), (status = 401, description = "User name or password is wrong", body = crate::error::Problem, content_type = "application/problem+json"), (status = 429, description = "Too many attempts have failed; wait for Retry-After", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn login(State(app): State<App>, framed: Framed, body: Json<LoginRequest>) -> Result<Response> {
    let LoginRequest { username, password } = body.value;
    let attempt = match throttle::login(&app, &username, framed.origin.ip).await {
        Ok(attempt) => attempt,
        Err(turned_away) => {
            if turned_away.first {
                refused(&app, &framed, "login.throttled", &username, None).await?;
            }
            return Err(turned_away.error);
        }
    };
    match tried(&app, &framed, &username, password).await {
        Ok(Tried::Opened(reply)) => {
            attempt.forgiven(&app).await;
            Ok(reply)
        }
        Ok(Tried::Wrong(user)) => {
            refused(&app, &framed, "login", &username, user).await?;
            Err(ApiError::new(Code::InvalidCredentials, "user name or password is wrong"))
        }
        Err(error) => {
            attempt.taken_back(&app).await;
            Err(error)
        }
    }
}

/// What came of looking at a password.
enum Tried {
    /// It is the right one.
    Opened(Response),
    /// It is not, of this user if there is one, or he is switched off.
    Wrong(Option<User>),
}

async fn tried(app: &App, framed: &Framed, username: &str, password: SecretString) -> Result<Tried> {
    let found = users::find_for_login(&app.pool, username).await?;
    let (user, hash) = found.map_or((None, None), |(user, hash)| (Some(user), Some(hash)));
    // Whoever may not sign in is checked against the same hash that nobody has, so that it takes as long.
    let hash = hash.filter(|_| user.as_ref().is_some_and(|user| user.is_active));
    let matches = passwords::verify_blocking(password, hash.clone()).await.map_err(|error| unchecked(&error))?;
    if let (Some(user), Some(hash), true) = (&user, &hash, matches)
        && let Some(reply) = open(app, framed, user.clone(), hash).await?
    {
        return Ok(Tried::Opened(reply));
    }
    Ok(Tried::Wrong(user))
}

/// Why a password was not checked: nothing that the caller could do better.
pub(crate) fn unchecked(error: &PasswordError) -> ApiError {
    match error {
        PasswordError::Busy | PasswordError::Stopping => {
            ApiError::new(Code::Unavailable, "too many are signing in; try again").retry_after(std::time::Duration::from_secs(1))
        }
        _ => ApiError::internal(error),
    }
}

async fn refused(app: &App, framed: &Framed, action: &str, username: &str, user: Option<User>) -> Result<()> {
    let shown: String = username.chars().take(50).collect();
    let entry = Entry {
        // Who it was is not known, only whose name he gave.
        user_id: None,
        action,
        resource_type: "user",
        resource_id: user.map(|user| user.id.to_string()),
        success: false,
        details: json!({ "username": shown }),
    };
    let mut conn = app.pool.acquire().await?;
    Ok(audit::insert(&mut conn, &framed.origin, entry).await?)
}

/// Opens the session of somebody whose password was the one of this hash; none: while it was checked, he got another one, or was switched
/// off.
async fn open(app: &App, framed: &Framed, user: User, hash: &str) -> Result<Option<Response>> {
    let id = SessionId::new();
    let minted = tokens::mint_session(id);
    let lifetime = lifetime(app);
    let mut tx = app.pool.begin().await?;
    if !users::logged_in(&mut tx, user.id, hash).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    let expires_at = sessions::insert(&mut tx, id, user.id, &minted.hash, lifetime, &framed.origin).await?;
    if let Some(ip) = framed.origin.ip {
        addresses::signed_in(&mut tx, user.id, ip).await?;
    }
    let entry = Entry {
        user_id: Some(user.id),
        action: "login",
        resource_type: "session",
        resource_id: Some(id.to_string()),
        success: true,
        details: Value::Object(serde_json::Map::new()),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;

    let token = minted.token.expose_secret().to_owned();
    let secure = app.settings.api.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    // The browser keeps it for as long as the session may last; the service says when it has ended.
    let cookie = format!(
        "{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}",
        lifetime.most.as_secs(),
        if secure { "; Secure" } else { "" }
    );
    let reply = axum::Json(LoginReply { token, expires_at, user: user.into() });
    let mut response = reply.into_response();
    response.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_str(&cookie).map_err(|error| ApiError::internal(&error))?);
    Ok(Some(response))
}
