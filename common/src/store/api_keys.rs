//! `api_keys`: found by prefix, compared by hash.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, types::Json};
use uuid::Uuid;

use super::{Result, StoreError, limits::written};
use crate::{
    crypto::tokens::same_hash,
    ids::{ApiKeyId, ConnectionId, UserId},
    model::{limits::LimitChanges, users::Role},
};

/// A key as shown to its owner.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// What it may do: `read`, `ask`, `manage`, `admin`.
    pub scopes: Vec<String>,
    /// The connections it may use; none: all of its owner's.
    pub connections: Option<Vec<Uuid>>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// What may be used up by it alone, besides its owner's limits.
    pub limits: Json<LimitChanges>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// A usable key, for signing in.
#[derive(Clone, Debug)]
pub struct ActiveKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose.
    pub user_id: UserId,
    /// His role now.
    pub role: Role,
    /// SHA-256 of the whole key, in hex.
    pub key_hash: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The connections it may use; none: all of its owner's.
    pub connections: Option<Vec<ConnectionId>>,
    /// Moved by each change of its scopes or connections.
    pub version: i64,
}

/// What a new key is made of.
#[derive(Clone, Debug)]
pub struct NewKey<'a> {
    /// What its owner calls it.
    pub name: &'a str,
    /// Its first characters.
    pub prefix: &'a str,
    /// SHA-256 of the whole key, in hex.
    pub key_hash: &'a str,
    /// What it may do.
    pub scopes: &'a [String],
    /// The connections it may use.
    pub connections: Option<Vec<Uuid>>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// What may be used up by it alone.
    pub limits: LimitChanges,
}

/// Adds a key.
///
/// # Errors
/// If the database fails.
pub async fn insert(conn: &mut PgConnection, owner: UserId, key: NewKey<'_>) -> Result<ApiKey> {
    let row = sqlx::query_as!(
        ApiKey,
        r#"INSERT INTO api_keys (id, user_id, name, prefix, key_hash, scopes, connections, expires_at, limits)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         RETURNING id AS "id: ApiKeyId", name, prefix, scopes, connections, expires_at, last_used_at,
             limits AS "limits: Json<LimitChanges>", created_at"#,
        ApiKeyId::new().0,
        owner.0,
        key.name,
        key.prefix,
        key.key_hash,
        key.scopes,
        key.connections.as_deref(),
        key.expires_at,
        written(&key.limits)?,
    )
    .fetch_one(conn)
    .await?;
    Ok(row)
}

/// A user's keys that are not revoked, newest first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn list(pool: &PgPool, owner: UserId, before: Option<ApiKeyId>, limit: i64) -> Result<Vec<ApiKey>> {
    let keys = sqlx::query_as!(
        ApiKey,
        r#"SELECT id AS "id: ApiKeyId", name, prefix, scopes, connections, expires_at, last_used_at,
             limits AS "limits: Json<LimitChanges>", created_at FROM api_keys
         WHERE user_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"#,
        owner.0,
        before.map(|id| id.0),
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(keys)
}

/// What is to change about a key; none: it stays.
#[derive(Clone, Debug, Default)]
pub struct KeyChange {
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it may do from now on: not more than until now.
    pub scopes: Option<Vec<String>>,
    /// The connections it may use from now on: no others than until now.
    pub connections: Option<Vec<Uuid>>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// Not later than it does, whoever has changed that meanwhile.
    pub only_sooner: bool,
    /// What may be used up by it alone.
    pub limits: Option<LimitChanges>,
}

/// Changes a key of this user; none: there is no such key, or it would be able to do more than it is.
///
/// # Errors
/// If the database fails.
pub async fn update(conn: &mut PgConnection, owner: UserId, id: ApiKeyId, change: &KeyChange) -> Result<Option<ApiKey>> {
    let limits = change.limits.as_ref().map(written).transpose()?;
    let row = sqlx::query_as!(
        ApiKey,
        r#"UPDATE api_keys SET name = coalesce($3, name), scopes = coalesce($4, scopes), connections = coalesce($5, connections),
             expires_at = CASE WHEN $8 THEN least($6, expires_at) ELSE coalesce($6, expires_at) END, limits = coalesce($7, limits),
             version = version + CASE WHEN $4::text[] IS NULL AND $5::uuid[] IS NULL THEN 0 ELSE 1 END
         WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL
           AND ($4::text[] IS NULL OR $4 <@ scopes) AND ($5::uuid[] IS NULL OR connections IS NULL OR $5 <@ connections)
         RETURNING id AS "id: ApiKeyId", name, prefix, scopes, connections, expires_at, last_used_at,
             limits AS "limits: Json<LimitChanges>", created_at"#,
        id.0,
        owner.0,
        change.name,
        change.scopes.as_deref(),
        change.connections.as_deref(),
        change.expires_at,
        limits,
        change.only_sooner
    )
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Revokes a key of this user; whether there was one.
///
/// # Errors
/// If the database fails.
pub async fn revoke(conn: &mut PgConnection, owner: UserId, id: ApiKeyId) -> Result<bool> {
    let done =
        sqlx::query!("UPDATE api_keys SET revoked_at = dg_now() WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL", id.0, owner.0)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// The usable key of this prefix. Notes its use once a minute, if this is its hash: whoever has only seen the prefix does not use it.
///
/// # Errors
/// If the database fails.
pub async fn find_active(pool: &PgPool, prefix: &str, hash: &str) -> Result<Option<ActiveKey>> {
    let row = sqlx::query!(
        "SELECT k.id, k.user_id, k.key_hash, k.scopes, k.connections, k.version, u.role,
                (k.last_used_at IS NULL OR k.last_used_at < dg_now() - interval '1 minute') AS \"stale!\"
         FROM api_keys k JOIN users u ON u.id = k.user_id
         WHERE k.prefix = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > dg_now()) AND u.is_active",
        prefix
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.stale && same_hash(&row.key_hash, hash) {
        sqlx::query!("UPDATE api_keys SET last_used_at = dg_now() WHERE id = $1", row.id).execute(pool).await?;
    }
    Ok(Some(ActiveKey {
        id: ApiKeyId(row.id),
        user_id: UserId(row.user_id),
        role: row.role.parse().map_err(|detail| StoreError::Unreadable { what: "users.role", detail })?,
        key_hash: row.key_hash,
        scopes: row.scopes,
        connections: row.connections.map(|ids| ids.into_iter().map(ConnectionId).collect()),
        version: row.version,
    }))
}

/// Those of these keys that are usable, each with its version and its owner's role now: one look for all open streams. Notes no use.
///
/// # Errors
/// If the database fails.
pub async fn active_among(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<(ApiKeyId, i64, Role)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "SELECT k.id, k.version, u.role FROM api_keys k JOIN users u ON u.id = k.user_id
         WHERE k.id = ANY($1) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > dg_now()) AND u.is_active",
        ids
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|r| {
            Ok((ApiKeyId(r.id), r.version, r.role.parse::<Role>().map_err(|detail| StoreError::Unreadable { what: "users.role", detail })?))
        })
        .collect()
}
