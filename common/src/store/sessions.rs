//! `user_sessions`: found by id, compared by the token's hash.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Result, StoreError, audit::Origin};
use crate::{
    ids::{SessionId, UserId},
    model::users::Role,
};

/// A session and what its user may do, as cached in `datagenie:session:{session_id}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// His role now.
    pub role: Role,
    /// SHA-256 of the token, in hex.
    pub token_hash: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Opens a session that lasts so many hours; returns when it ends.
///
/// # Errors
/// If the database fails.
pub async fn insert(
    conn: &mut PgConnection,
    id: SessionId,
    user: UserId,
    token_hash: &str,
    hours: f64,
    origin: &Origin,
) -> Result<DateTime<Utc>> {
    let expires_at = sqlx::query_scalar!(
        "INSERT INTO user_sessions (id, user_id, session_token, ip_address, user_agent, expires_at)
         VALUES ($1, $2, $3, $4, $5, dg_now() + $6 * interval '1 hour') RETURNING expires_at",
        id.0,
        user.0,
        token_hash,
        origin.network(),
        origin.user_agent,
        hours,
    )
    .fetch_one(conn)
    .await?;
    Ok(expires_at)
}

/// A session that has not ended, of a user who is active.
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, id: SessionId) -> Result<Option<Session>> {
    let row = sqlx::query!(
        "SELECT s.user_id, s.session_token, s.expires_at, u.role FROM user_sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND s.expires_at > dg_now() AND u.is_active",
        id.0
    )
    .fetch_optional(pool)
    .await?;
    row.map(|r| {
        Ok(Session {
            id,
            user_id: UserId(r.user_id),
            role: r.role.parse().map_err(|detail| StoreError::Unreadable { what: "users.role", detail })?,
            token_hash: r.session_token,
            expires_at: r.expires_at,
        })
    })
    .transpose()
}

/// Those of these sessions that have not ended, of users who are active, each with its user's role now: one look for all open streams.
///
/// # Errors
/// If the database fails.
pub async fn active_among(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<(SessionId, Role)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "SELECT s.id, u.role FROM user_sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = ANY($1) AND s.expires_at > dg_now() AND u.is_active",
        ids
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|r| Ok((SessionId(r.id), r.role.parse::<Role>().map_err(|detail| StoreError::Unreadable { what: "users.role", detail })?)))
        .collect()
}

/// Ends a session; whether there was one.
///
/// # Errors
/// If the database fails.
pub async fn delete(conn: &mut PgConnection, id: SessionId) -> Result<bool> {
    Ok(sqlx::query!("DELETE FROM user_sessions WHERE id = $1", id.0).execute(conn).await?.rows_affected() > 0)
}

/// Ends all sessions of a user; their ids.
///
/// # Errors
/// If the database fails.
pub async fn delete_of_user(conn: &mut PgConnection, user: UserId) -> Result<Vec<SessionId>> {
    let ids = sqlx::query_scalar!("DELETE FROM user_sessions WHERE user_id = $1 RETURNING id", user.0).fetch_all(conn).await?;
    Ok(ids.into_iter().map(SessionId).collect())
}
