//! Signing in and out.

pub mod login;
pub mod logout;
pub mod me;

use chrono::{DateTime, Utc};
use datagenie_common::{model::users::Role, store::users::User};
use serde::Serialize;
use uuid::Uuid;

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
    #[schema(value_type = String)]
    pub role: Role,
    /// Whether he may sign in.
    pub is_active: bool,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Last login.
    pub last_login_at: Option<DateTime<Utc>>,
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
        }
    }
}
