//! `users.limits` and `api_keys.limits`, and what of a day's limits is used up.

use chrono::{DateTime, NaiveTime, Utc};
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

/// What the questions that a user asked on a day, or those of them that he asked by a key, have used up, as far as they have ended.
///
/// # Errors
/// If the database fails.
pub async fn spent(pool: &PgPool, user: UserId, key: Option<ApiKeyId>, day: DateTime<Utc>) -> Result<Spent> {
    let spent = sqlx::query_as!(
        Spent,
        r#"SELECT coalesce(sum(coalesce((usage ->> 'prompt_tokens')::float8, 0) + coalesce((usage ->> 'completion_tokens')::float8, 0)), 0)
                      AS "tokens!",
                  coalesce(sum((usage ->> 'cost')::float8), 0) AS "cost!"
           FROM query_history q
           WHERE user_id = $1 AND id >= $2 AND created_at >= $3 AND created_at < $3 + interval '24 hours' AND usage IS NOT NULL
             -- As a scalar, one look by its id for each: an EXISTS may be planned as a table of all jobs.
             AND ($4::text IS NULL OR (SELECT j.payload ->> 'api_key_id' FROM jobs j WHERE j.id = q.job_id) = $4)"#,
        user.0,
        first_id(day),
        day,
        key.map(|key| key.to_string())
    )
    .fetch_one(pool)
    .await?;
    Ok(spent)
}

/// Whose day it is, and which.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    /// Who asks.
    pub user: UserId,
    /// The key that he asks by.
    pub key: Option<ApiKeyId>,
    /// A time of that day (UTC); none: it is today.
    pub time: Option<DateTime<Utc>>,
}

/// Whether what a user's questions of a day may use up is used up, by what is stored of him, else by the settings; or what those by this
/// key may use up besides. `besides` is used up too, and not stored yet.
///
/// # Errors
/// If the database fails.
pub async fn is_spent(pool: &PgPool, day: Day, settings: UserLimits, besides: Spent) -> Result<bool> {
    let stored = find(pool, day.user, day.key).await?.unwrap_or_default();
    is_spent_of(pool, day, settings, stored, besides).await
}

/// The same, where it is known what is stored.
///
/// # Errors
/// If the database fails.
pub async fn is_spent_of(pool: &PgPool, day: Day, settings: UserLimits, stored: StoredLimits, besides: Spent) -> Result<bool> {
    let Day { user, key, time } = day;
    let (of_user, of_key) = (settings.changed(&stored.user), UserLimits::default().changed(&stored.key));
    if !of_user.has_day() && !of_key.has_day() {
        return Ok(false);
    }
    let time = match time {
        Some(time) => time,
        None => sqlx::query_scalar!(r#"SELECT dg_now() AS "now!""#).fetch_one(pool).await?,
    };
    let day = time.date_naive().and_time(NaiveTime::MIN).and_utc();
    for (limits, whose) in [(of_user, None), (of_key, key)] {
        if limits.has_day() {
            let spent = spent(pool, user, whose, day).await?;
            if limits.share(spent.tokens + besides.tokens, spent.cost + besides.cost) >= 1.0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// How many questions a user may still ask within the hour, by what is stored of him, else by the settings: all that he has asked within
/// the last hour is counted, singly, in batches and by schedules.
///
/// # Errors
/// If the database fails.
pub async fn left_of_the_hour(pool: &PgPool, user: UserId, settings: UserLimits) -> Result<u64> {
    let quota = settings.changed(&find(pool, user, None).await?.unwrap_or_default().user).questions_per_hour;
    if quota == 0 {
        return Ok(u64::MAX);
    }
    let since = sqlx::query_scalar!(r#"SELECT dg_now() - interval '1 hour' AS "since!""#).fetch_one(pool).await?;
    let asked = sqlx::query_scalar!(
        r#"SELECT count(*) AS "asked!" FROM (SELECT FROM query_history WHERE user_id = $1 AND id >= $2 AND created_at >= $3 LIMIT $4) q"#,
        user.0,
        first_id(since),
        since,
        i64::try_from(quota).unwrap_or(i64::MAX)
    )
    .fetch_one(pool)
    .await?;
    Ok(quota.saturating_sub(u64::try_from(asked).unwrap_or_default()))
}

// An id is minted a little before its row is made, perhaps by a clock that is a little behind: the index leads near, the time decides.
fn first_id(since: DateTime<Utc>) -> Uuid {
    let milliseconds = u64::try_from(since.timestamp_millis()).unwrap_or_default().saturating_sub(60_000);
    Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid()
}

/// Questions of a user that he asked singly (by this key) and that are not answered yet; counting stops at `most`.
///
/// # Errors
/// If the database fails.
pub async fn unanswered(pool: &PgPool, user: UserId, key: Option<ApiKeyId>, most: i64) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM (SELECT FROM jobs WHERE NOT in_flight AND lane = 'interactive' AND user_id = $1
                       AND kind = 'answer_question' AND batch_id IS NULL AND ($3::text IS NULL OR payload ->> 'api_key_id' = $3) LIMIT $2) w)
                + (SELECT count(*) FROM (SELECT FROM jobs WHERE in_flight AND lane = 'interactive' AND user_id = $1
                       AND kind = 'answer_question' AND batch_id IS NULL AND ($3::text IS NULL OR payload ->> 'api_key_id' = $3) LIMIT $2) f)
                   AS "unanswered!""#,
        user.0,
        most,
        key.map(|key| key.to_string())
    )
    .fetch_one(pool)
    .await?;
    Ok(count)
}
