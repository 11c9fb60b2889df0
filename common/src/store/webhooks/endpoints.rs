//! `webhook_endpoints`: where users want to be told of their events.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    ids::{UserId, WebhookId},
    store::Result,
};

/// An endpoint as its owner sees it, without its secret.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its id.
    pub id: Uuid,
    /// Where it is. May hold a secret: for its owner only, and in no log.
    pub url: String,
    /// Types, families (`question.*`) or `*`.
    pub events: Vec<String>,
    /// What its owner says of it.
    pub description: Option<String>,
    /// Whether it is told of events.
    pub is_active: bool,
    /// `owner`, `gone` or `failing`.
    pub disabled_reason: Option<String>,
    /// Since when it is not.
    pub disabled_at: Option<DateTime<Utc>>,
    /// The first failure since the last success.
    pub failing_since: Option<DateTime<Utc>>,
    /// Until when the secret before the last rotation signs too.
    pub old_secret_until: Option<DateTime<Utc>>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

/// A new endpoint; its secret is already sealed for its id.
#[derive(Clone, Copy, Debug)]
pub struct NewEndpoint<'a> {
    /// Minted before sealing.
    pub id: WebhookId,
    /// Where it is.
    pub url: &'a str,
    /// What it is told of.
    pub events: &'a [String],
    /// What its owner says of it.
    pub description: Option<&'a str>,
    /// Sealed.
    pub secret: &'a Value,
}

/// Adds an endpoint.
///
/// # Errors
/// If the database fails.
pub async fn insert(conn: &mut PgConnection, owner: UserId, new: &NewEndpoint<'_>) -> Result<Endpoint> {
    Ok(sqlx::query_as!(
        Endpoint,
        "INSERT INTO webhook_endpoints (id, user_id, url, events, description, secret) VALUES ($1, $2, $3, $4, $5, $6)
         RETURNING id, url, events, description, is_active, disabled_reason, disabled_at, failing_since, old_secret_until, created_at,
             updated_at",
        new.id.0,
        owner.0,
        new.url,
        new.events,
        new.description,
        new.secret
    )
    .fetch_one(conn)
    .await?)
}

/// How many endpoints a user has.
///
/// # Errors
/// If the database fails.
pub async fn endpoint_count(conn: &mut PgConnection, owner: UserId) -> Result<i64> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM webhook_endpoints WHERE user_id = $1"#, owner.0).fetch_one(conn).await?)
}

/// An endpoint of this user.
///
/// # Errors
/// If the database fails.
pub async fn endpoint(pool: &PgPool, owner: UserId, id: WebhookId) -> Result<Option<Endpoint>> {
    Ok(sqlx::query_as!(
        Endpoint,
        "SELECT id, url, events, description, is_active, disabled_reason, disabled_at, failing_since,
             CASE WHEN old_secret_until > dg_now() THEN old_secret_until END AS old_secret_until, created_at, updated_at
         FROM webhook_endpoints WHERE id = $1 AND user_id = $2",
        id.0,
        owner.0
    )
    .fetch_optional(pool)
    .await?)
}

/// A page of a user's endpoints, newest first, before a cursor.
///
/// # Errors
/// If the database fails.
pub async fn endpoints(pool: &PgPool, owner: UserId, before: Option<WebhookId>, limit: i64) -> Result<Vec<Endpoint>> {
    Ok(sqlx::query_as!(
        Endpoint,
        "SELECT id, url, events, description, is_active, disabled_reason, disabled_at, failing_since,
             CASE WHEN old_secret_until > dg_now() THEN old_secret_until END AS old_secret_until, created_at, updated_at
         FROM webhook_endpoints WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        owner.0,
        before.map(|id| id.0),
        limit
    )
    .fetch_all(pool)
    .await?)
}

/// What may change about an endpoint; none: as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Where it is.
    pub url: Option<String>,
    /// What it is told of.
    pub events: Option<Vec<String>>,
    /// What its owner says of it.
    pub description: Option<String>,
    /// Whether it is told of events; made active again it begins anew, whatever failed before.
    pub is_active: Option<bool>,
}

/// Changes an endpoint of this user; none: there is no such one.
///
/// # Errors
/// If the database fails.
pub async fn update(conn: &mut PgConnection, owner: UserId, id: WebhookId, change: &Change) -> Result<Option<Endpoint>> {
    Ok(sqlx::query_as!(
        Endpoint,
        "UPDATE webhook_endpoints SET url = coalesce($3, url), events = coalesce($4, events), description = coalesce($5, description),
             is_active = coalesce($6, is_active),
             disabled_reason = CASE WHEN coalesce($6, is_active) THEN NULL ELSE coalesce(disabled_reason, 'owner') END,
             disabled_at = CASE WHEN coalesce($6, is_active) THEN NULL ELSE coalesce(disabled_at, dg_now()) END,
             failing_since = CASE WHEN $6 OR $3 IS NOT NULL THEN NULL ELSE failing_since END
         WHERE id = $1 AND user_id = $2
         RETURNING id, url, events, description, is_active, disabled_reason, disabled_at, failing_since, old_secret_until, created_at,
             updated_at",
        id.0,
        owner.0,
        change.url,
        change.events.as_deref(),
        change.description,
        change.is_active
    )
    .fetch_optional(conn)
    .await?)
}

/// Removes an endpoint of this user; whether there was one. What is on its way to it ends at its next attempt.
///
/// # Errors
/// If the database fails.
pub async fn delete(conn: &mut PgConnection, owner: UserId, id: WebhookId) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM webhook_endpoints WHERE id = $1 AND user_id = $2", id.0, owner.0).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// Puts a new sealed secret in the place of an endpoint's; the one before signs too for 24 hours more. None: there is no such endpoint.
///
/// # Errors
/// If the database fails.
pub async fn rotate(conn: &mut PgConnection, owner: UserId, id: WebhookId, secret: &Value) -> Result<Option<DateTime<Utc>>> {
    let until = sqlx::query_scalar!(
        r#"UPDATE webhook_endpoints SET old_secret = secret, old_secret_until = dg_now() + interval '24 hours', secret = $3
           WHERE id = $1 AND user_id = $2 RETURNING old_secret_until AS "until!""#,
        id.0,
        owner.0,
        secret
    )
    .fetch_optional(conn)
    .await?;
    Ok(until)
}
