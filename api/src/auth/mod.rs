//! Signing in and out.

pub mod first_admin;
pub mod limits;
pub mod login;
pub mod logout;
pub mod me;
pub mod password;
pub mod sessions;
pub mod throttle;

use chrono::{DateTime, Utc};
use datagenie_common::{
    crypto::password_policy,
    live_settings::LiveSettings,
    model::users::Role,
    store::{sessions::Lifetime, users::User},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    app::App,
    error::{ApiError, Result},
};

/// How long sessions last by the settings of now.
#[must_use]
pub fn lifetime(app: &App) -> Lifetime {
    lifetime_by(&app.live_settings)
}

/// The same, by these settings.
#[must_use]
pub fn lifetime_by(settings: &LiveSettings) -> Lifetime {
    let settings = settings.get();
    Lifetime { idle: settings.auth.session_timeout(), most: settings.auth.session_max() }
}

/// Checks a new password of somebody by the settings of now.
///
/// # Errors
/// 422 on this field, with what is wrong.
pub fn check_password(app: &App, field: &str, password: &SecretString, username: &str, email: &str) -> Result<()> {
    let shortest = app.live_settings.get().auth.password_min_length;
    password_policy::check(password.expose_secret(), &[username, email], shortest)
        .map_err(|weakness| ApiError::field(field, weakness.to_string()))
}

/// A user as shown.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UserView {
    /// His id.
    pub id: Uuid,
    /// The name he signs in with.
    pub username: String,
    /// His address.
    pub email: String,
    /// His name.
    pub full_name: Option<String>,
    /// `admin`, `user` or `viewer`.
    #[schema(value_type = crate::openapi::words::Role)]
    pub role: Role,
    /// Whether he may sign in.
    pub is_active: bool,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Last login.
    pub last_login_at: Option<DateTime<Utc>>,
    /// Somebody else knows his password: until he has changed it (`POST /v1/auth/password`) his sessions do nothing else.
    pub must_change_password: bool,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            username: user.username,
            email: user.email,
            full_name: user.full_name,
            role: user.role,
            is_active: user.is_active,
            created_at: user.created_at,
            last_login_at: user.last_login_at,
            must_change_password: user.must_change_password,
        }
    }
}
