//! `users.limits` and `api_keys.limits`, and what of a day's limits is used up.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::{Builder, Uuid};

use super::{Result, StoreError};
use crate::{
    ids::{ApiKeyId, UserId},
    model::limits::{LimitChanges, UserLimits},
};

/// Of a user, and of a key of his.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StoredLimits {
    /// In place of the settings.
    pub user: LimitChanges,
    /// Of the key alone, besides.
    pub key: LimitChanges,
}

/// What is stored of a user, and of the key that he comes by; none: there is no such user.
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, user: UserId, key: Option<ApiKeyId>) -> Result<Option<StoredLimits>> {
    let row = sqlx::query!(
        r#"SELECT u.limits, k.limits AS "of_key?" FROM users u LEFT JOIN api_keys k ON k.id = $2 AND k.user_id = u.id WHERE u.id = $1"#,
        user.0,
        key.map(|id| id.0)
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok(StoredLimits { user: read(row.limits)?, key: row.of_key.map(read).transpose()?.unwrap_or_default() })).transpose()
}

pub(super) fn read(stored: Value) -> Result<LimitChanges> {
    serde_json::from_value(stored).map_err(|error| StoreError::Unreadable { what: "limits", detail: error.to_string() })
}

pub(super) fn written(limits: &LimitChanges) -> Result<Value> {
    serde_json::to_value(limits).map_err(|error| StoreError::Unreadable { what: "limits", detail: error.to_string() })
}

/// Sets a user's limits in place of all that were stored; whether there is such a user.
///
/// # Errors
/// If the database fails.
pub async fn put(conn: &mut PgConnection, user: UserId, limits: &LimitChanges) -> Result<bool> {
    let done = sqlx::query!("UPDATE users SET limits = $2 WHERE id = $1", user.0, written(limits)?).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// What a user's questions of a day have used up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Tokens of the model.
    pub tokens: f64,
    /// Cost.
    pub cost: f64,
}

/// What the questions that a user asked since then have used up, as far as they have ended.
///
/// # Errors
/// If the database fails.
pub async fn spent(pool: &PgPool, user: UserId, since: DateTime<Utc>) -> Result<Spent> {
    let spent = sqlx::query_as!(
        Spent,
        r#"SELECT coalesce(sum(coalesce((usage ->> 'prompt_tokens')::float8, 0) + coalesce((usage ->> 'completion_tokens')::float8, 0)), 0)
                      AS "tokens!",
                  coalesce(sum((usage ->> 'cost')::float8), 0) AS "cost!"
           FROM query_history WHERE user_id = $1 AND id >= $2 AND created_at >= $3 AND usage IS NOT NULL"#,
        user.0,
        first_id(since),
        since
    )
    .fetch_one(pool)
    .await?;
    Ok(spent)
}

/// Whether what a user's questions of today may use up is used up: by what is stored of him, else by the settings.
///
/// # Errors
/// If the database fails.
pub async fn is_spent(pool: &PgPool, user: UserId, settings: UserLimits) -> Result<bool> {
    let limits = settings.changed(&find(pool, user, None).await?.unwrap_or_default().user);
    if !limits.has_day() {
        return Ok(false);
    }
    let today = sqlx::query_scalar!(r#"SELECT date_trunc('day', dg_now(), 'UTC') AS "today!""#).fetch_one(pool).await?;
    let spent = spent(pool, user, today).await?;
    Ok(limits.share(spent.tokens, spent.cost) >= 1.0)
}

// An id is minted a little before its row is made, perhaps by a clock that is a little behind: the index leads near, the time decides.
fn first_id(since: DateTime<Utc>) -> Uuid {
    let milliseconds = u64::try_from(since.timestamp_millis()).unwrap_or_default().saturating_sub(60_000);
    Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid()
}

/// Questions of a user that he asked singly and that are not answered yet; counting stops at `most`.
///
/// # Errors
/// If the database fails.
pub async fn unanswered(pool: &PgPool, user: UserId, most: i64) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM (SELECT FROM jobs WHERE NOT in_flight AND lane = 'interactive' AND user_id = $1
                       AND kind = 'answer_question' AND batch_id IS NULL LIMIT $2) w)
                + (SELECT count(*) FROM (SELECT FROM jobs WHERE in_flight AND lane = 'interactive' AND user_id = $1
                       AND kind = 'answer_question' AND batch_id IS NULL LIMIT $2) f) AS "unanswered!""#,
        user.0,
        most
    )
    .fetch_one(pool)
    .await?;
    Ok(count)
}
