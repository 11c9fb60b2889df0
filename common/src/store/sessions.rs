//! `user_sessions`: found by id, compared by the token's hash.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Result, StoreError, audit::Origin};
use crate::{
    crypto::tokens::same_hash,
    ids::{SessionId, UserId},
    model::users::Role,
};

/// A session and what its user may do, as cached in `datagenie:session:{session_id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// His role now.
    pub role: Role,
    /// SHA-256 of the token, in hex.
    pub token_hash: String,
    /// When it ends, unless it is used until then.
    pub expires_at: DateTime<Utc>,
    /// Its user has to change his password before anything else.
    #[serde(default)]
    pub must_change_password: bool,
}

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Without a request.
    pub idle: Duration,
    /// However much it is used.
    pub most: Duration,
}

/// A session as its user and administrators see it.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Its last use, to the minute.
    pub last_activity_at: DateTime<Utc>,
    /// When it ends, unless it is used until then.
    pub expires_at: DateTime<Utc>,
    /// Where it was opened.
    pub ip_address: Option<IpNetwork>,
    /// By which program.
    pub user_agent: Option<String>,
}

/// Opens a session; returns when it ends unless it is used.
///
/// # Errors
/// If the database fails.
pub async fn insert(
    conn: &mut PgConnection,
    id: SessionId,
    user: UserId,
    token_hash: &str,
    lifetime: Lifetime,
    origin: &Origin,
) -> Result<DateTime<Utc>> {
    let expires_at = sqlx::query_scalar!(
        "INSERT INTO user_sessions (id, user_id, session_token, ip_address, user_agent, expires_at)
         VALUES ($1, $2, $3, $4, $5, dg_now() + $6 * interval '1 second') RETURNING expires_at",
        id.0,
        user.0,
        token_hash,
        origin.network(),
        origin.user_agent,
        lifetime.idle.min(lifetime.most).as_secs_f64(),
    )
    .fetch_one(conn)
    .await?;
    Ok(expires_at)
}

/// A session that has not ended, of a user who is active. Its use is noted, and moves its end, once a minute, if this is its token's
/// hash: whoever knows only its id does not use it.
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, id: SessionId, hash: &str, lifetime: Lifetime) -> Result<Option<Session>> {
    let (idle, most) = (lifetime.idle.as_secs_f64(), lifetime.most.as_secs_f64());
    // The settings of now hold for sessions of before too.
    let row = sqlx::query!(
        r#"SELECT s.user_id, s.session_token, s.expires_at, u.role, u.must_change_password,
                s.last_activity_at < dg_now() - interval '1 minute' AS "stale!"
         FROM user_sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND s.expires_at > dg_now() AND u.is_active
           AND s.last_activity_at > dg_now() - $2 * interval '1 second' AND s.created_at > dg_now() - $3 * interval '1 second'"#,
        id.0,
        idle,
        most
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let moved = if row.stale && same_hash(&row.session_token, hash) { touch(pool, id, lifetime).await? } else { None };
    Ok(Some(Session {
        id,
        user_id: UserId(row.user_id),
        role: row.role.parse().map_err(|detail| StoreError::Unreadable { what: "users.role", detail })?,
        token_hash: row.session_token,
        expires_at: moved.unwrap_or(row.expires_at),
        must_change_password: row.must_change_password,
    }))
}

/// Notes that a session is used; its new end. None: somebody else has noted it, or is at the row, or it is gone.
async fn touch(pool: &PgPool, id: SessionId, lifetime: Lifetime) -> Result<Option<DateTime<Utc>>> {
    let moved = sqlx::query_scalar!(
        "UPDATE user_sessions SET last_activity_at = dg_now(),
             expires_at = least(dg_now() + $2 * interval '1 second', created_at + $3 * interval '1 second')
         WHERE id = (SELECT id FROM user_sessions WHERE id = $1 AND last_activity_at < dg_now() - interval '1 minute' FOR UPDATE SKIP LOCKED)
           AND created_at > dg_now() - $3 * interval '1 second'
         RETURNING expires_at",
        id.0,
        lifetime.idle.as_secs_f64(),
        lifetime.most.as_secs_f64(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(moved)
}

/// A user's sessions that have not ended, newest first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn list(pool: &PgPool, user: UserId, before: Option<SessionId>, limit: i64, lifetime: Lifetime) -> Result<Vec<SessionRow>> {
    let rows = sqlx::query_as!(
        SessionRow,
        r#"SELECT id AS "id: SessionId", created_at, last_activity_at, expires_at, ip_address, user_agent FROM user_sessions
         WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2) AND expires_at > dg_now()
           AND last_activity_at > dg_now() - $4 * interval '1 second' AND created_at > dg_now() - $5 * interval '1 second'
         ORDER BY id DESC LIMIT $3"#,
        user.0,
        before.map(|id| id.0),
        limit,
        lifetime.idle.as_secs_f64(),
        lifetime.most.as_secs_f64(),
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// The ids of a user's sessions, the newest ones, ended or not.
///
/// # Errors
/// If the database fails.
pub async fn ids(pool: &PgPool, user: UserId, limit: i64) -> Result<Vec<SessionId>> {
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id: SessionId" FROM user_sessions WHERE user_id = $1 ORDER BY id DESC LIMIT $2"#,
        user.0,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(ids)
}

/// Those of these sessions that have not ended, of users who are active, each with its user's role now: one look for all open streams.
/// The settings of now hold for sessions of before too.
///
/// # Errors
/// If the database fails.
pub async fn active_among(pool: &PgPool, ids: &[Uuid], lifetime: Lifetime) -> Result<Vec<(SessionId, Role)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "SELECT s.id, u.role FROM user_sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = ANY($1) AND s.expires_at > dg_now() AND u.is_active
           AND s.last_activity_at > dg_now() - $2 * interval '1 second' AND s.created_at > dg_now() - $3 * interval '1 second'",
        ids,
        lifetime.idle.as_secs_f64(),
        lifetime.most.as_secs_f64()
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|r| Ok((SessionId(r.id), r.role.parse::<Role>().map_err(|detail| StoreError::Unreadable { what: "users.role", detail })?)))
        .collect()
}

/// Ends a session of this user; whether there was one.
///
/// # Errors
/// If the database fails.
pub async fn delete(conn: &mut PgConnection, user: UserId, id: SessionId) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM user_sessions WHERE id = $1 AND user_id = $2", id.0, user.0).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// Ends all sessions of a user, but for this one; their ids.
///
/// # Errors
/// If the database fails.
pub async fn delete_of_user(conn: &mut PgConnection, user: UserId, but: Option<SessionId>) -> Result<Vec<SessionId>> {
    let ids = sqlx::query_scalar!(
        "DELETE FROM user_sessions WHERE user_id = $1 AND ($2::uuid IS NULL OR id <> $2) RETURNING id",
        user.0,
        but.map(|id| id.0)
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(SessionId).collect())
}
