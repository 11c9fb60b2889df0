//! `webhook_callback_secrets`: what signs the callbacks of a user.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use crate::{ids::UserId, store::Result};

/// A user's callback secret.
#[derive(Clone, Debug)]
pub struct CallbackSecret {
    /// Sealed.
    pub secret: Value,
    /// Until when the one before signs too.
    pub old_secret_until: Option<DateTime<Utc>>,
}

/// A user's callback secret, if he has one.
///
/// # Errors
/// If the database fails.
pub async fn callback_secret(pool: &PgPool, user: UserId) -> Result<Option<CallbackSecret>> {
    Ok(sqlx::query_as!(
        CallbackSecret,
        "SELECT secret, CASE WHEN old_secret_until > dg_now() THEN old_secret_until END AS old_secret_until
         FROM webhook_callback_secrets WHERE user_id = $1",
        user.0
    )
    .fetch_optional(pool)
    .await?)
}

/// Stores a first sealed secret, unless there is one already.
///
/// # Errors
/// If the database fails.
pub async fn put_callback_secret(pool: &PgPool, user: UserId, sealed: &Value) -> Result<()> {
    sqlx::query!("INSERT INTO webhook_callback_secrets (user_id, secret) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING", user.0, sealed)
        .execute(pool)
        .await?;
    Ok(())
}

/// Puts a new sealed secret in the place of a user's; the one before, if there was one, signs too for 24 hours more: until when.
///
/// # Errors
/// If the database fails.
pub async fn rotate_callback_secret(conn: &mut PgConnection, user: UserId, sealed: &Value) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!(
        "INSERT INTO webhook_callback_secrets AS s (user_id, secret) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET old_secret = s.secret, old_secret_until = dg_now() + interval '24 hours',
             secret = EXCLUDED.secret, rotated_at = dg_now()
         RETURNING old_secret_until",
        user.0,
        sealed
    )
    .fetch_one(conn)
    .await?)
}
