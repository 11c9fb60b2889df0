//! What keeps the tables in shape, by the functions of the design document.

use sqlx::PgPool;

use super::Result;

/// Makes the missing monthly partitions of `audit_logs`; how many.
///
/// # Errors
/// If the database fails.
pub async fn ensure_audit_partitions(pool: &PgPool, months_ahead: i32) -> Result<i32> {
    let made = sqlx::query_scalar!(r#"SELECT ensure_audit_partitions($1) AS "made!""#, months_ahead).fetch_one(pool).await?;
    Ok(made)
}

/// Removes expired sessions; how many.
///
/// # Errors
/// If the database fails.
pub async fn expired_sessions(pool: &PgPool) -> Result<i64> {
    Ok(sqlx::query_scalar!(r#"SELECT cleanup_expired_sessions() AS "removed!""#).fetch_one(pool).await?)
}

/// Removes expired idempotency keys, at most so many; how many.
///
/// # Errors
/// If the database fails.
pub async fn expired_idempotency_keys(pool: &PgPool, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM idempotency_keys WHERE (user_id, key) IN (
             SELECT user_id, key FROM idempotency_keys WHERE expires_at < dg_now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
        limit
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
