//! `system_settings`, and the version that moves with every change of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::Result;
use crate::ids::UserId;

/// A row.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What it holds; of a sensitive one, what is sealed.
    pub value: Value,
    /// Who changed it last; none: a migration, or somebody who is gone.
    pub updated_by: Option<Uuid>,
    /// When.
    pub updated_at: DateTime<Utc>,
}

/// Every stored setting by its key.
///
/// # Errors
/// If the database fails.
pub async fn all(pool: &PgPool) -> Result<BTreeMap<String, Value>> {
    let rows = sqlx::query!("SELECT key, value FROM system_settings").fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
}

/// Every row by its key.
///
/// # Errors
/// If the database fails.
pub async fn rows(executor: impl PgExecutor<'_>) -> Result<BTreeMap<String, Stored>> {
    let rows = sqlx::query!("SELECT key, value, updated_by, updated_at FROM system_settings").fetch_all(executor).await?;
    let stored = rows.into_iter().map(|row| {
        let stored = Stored { value: row.value, updated_by: row.updated_by, updated_at: row.updated_at };
        (row.key, stored)
    });
    Ok(stored.collect())
}

/// Says which state of all of them together it is: it moves with every change. Opaque; beside the number it names the row's own version, so
/// that a database that was restored, and counts on from an older number, is never taken for the one before.
pub type Version = String;

/// The version of all of them together; empty: somebody has taken away the row that tells it, and they must be read each time.
///
/// # Errors
/// If the database fails.
pub async fn version(pool: &PgPool) -> Result<Version> {
    let version = sqlx::query_scalar!(r#"SELECT version || '.' || xmin::text AS "version!" FROM settings_version"#);
    Ok(version.fetch_optional(pool).await?.unwrap_or_default())
}

/// All of them, and the version that they are.
///
/// # Errors
/// If the database fails.
pub async fn versioned(pool: &PgPool) -> Result<(Version, BTreeMap<String, Value>)> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(v.version, '') AS "version!", s.key AS "key?", s.value AS "value?"
           FROM (SELECT (SELECT version || '.' || xmin::text FROM settings_version) AS version) v LEFT JOIN system_settings s ON true"#
    )
    .fetch_all(pool)
    .await?;
    let version = rows.first().map(|row| row.version.clone()).unwrap_or_default();
    Ok((version, rows.into_iter().filter_map(|row| Some((row.key?, row.value?))).collect()))
}

/// Waits for one's turn to change settings: until the end of the transaction nobody else does.
///
/// # Errors
/// If the database fails.
pub async fn take_turn(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("SELECT version FROM settings_version FOR UPDATE").fetch_optional(conn).await?;
    Ok(())
}

/// A change of a setting.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its new value; of a sensitive one, sealed.
    pub value: &'a Value,
    /// Its group.
    pub category: &'a str,
    /// What it does; a description that is there stays.
    pub description: &'a str,
    /// Whether the value is sealed.
    pub is_sensitive: bool,
}

/// Stores a setting.
///
/// # Errors
/// If the database fails.
pub async fn put(conn: &mut PgConnection, change: &Change<'_>, by: UserId) -> Result<()> {
    sqlx::query!(
        "INSERT INTO system_settings AS s (key, value, category, description, is_sensitive, updated_by) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (key) DO UPDATE
             SET value = EXCLUDED.value, is_sensitive = EXCLUDED.is_sensitive, updated_by = EXCLUDED.updated_by,
                 description = coalesce(s.description, EXCLUDED.description)",
        change.key,
        change.value,
        change.category,
        change.description,
        change.is_sensitive,
        by.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a setting, so that what stands below it holds; whether it was there.
///
/// # Errors
/// If the database fails.
pub async fn remove(conn: &mut PgConnection, key: &str) -> Result<bool> {
    Ok(sqlx::query!("DELETE FROM system_settings WHERE key = $1", key).execute(conn).await?.rows_affected() > 0)
}

/// Stores a setting unless there is one of this key; the one that is stored then.
///
/// # Errors
/// If the database fails.
pub async fn get_or_insert(pool: &PgPool, key: &str, value: &Value, category: &str, sensitive: bool) -> Result<Value> {
    sqlx::query!(
        "INSERT INTO system_settings (key, value, category, is_sensitive) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING",
        key,
        value,
        category,
        sensitive
    )
    .execute(pool)
    .await?;
    Ok(sqlx::query_scalar!("SELECT value FROM system_settings WHERE key = $1", key).fetch_one(pool).await?)
}
