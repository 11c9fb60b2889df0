//! `system_settings`.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgPool;

use super::Result;

/// Every stored setting by its key.
///
/// # Errors
/// If the database fails.
pub async fn all(pool: &PgPool) -> Result<BTreeMap<String, Value>> {
    let rows = sqlx::query!("SELECT key, value FROM system_settings").fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
}

/// One stored setting.
///
/// # Errors
/// If the database fails.
pub async fn get(pool: &PgPool, key: &str) -> Result<Option<Value>> {
    Ok(sqlx::query_scalar!("SELECT value FROM system_settings WHERE key = $1", key).fetch_optional(pool).await?)
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
