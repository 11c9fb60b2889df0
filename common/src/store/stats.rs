//! The two views of the design document.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Result;

/// A row of `query_performance_stats`.
#[derive(Clone, Debug)]
pub struct QueryStats {
    /// The hour.
    pub hour: DateTime<Utc>,
    /// The connection; none: no database.
    pub connection_id: Option<Uuid>,
    /// `database`, `excel` or `general`.
    pub query_type: String,
    /// Questions asked.
    pub total_queries: i64,
    /// Milliseconds, of those that ran.
    pub avg_execution_time: Option<f64>,
    /// Milliseconds.
    pub max_execution_time: Option<i32>,
    /// Those that ended in `error`.
    pub error_count: i64,
    /// Those that ended in `timeout`.
    pub timeout_count: i64,
}

/// `query_performance_stats`, newest hours first.
///
/// # Errors
/// If the database fails.
pub async fn queries(pool: &PgPool, limit: i64) -> Result<Vec<QueryStats>> {
    let rows = sqlx::query_as!(
        QueryStats,
        r#"SELECT hour AS "hour!", connection_id, query_type AS "query_type!", total_queries AS "total_queries!",
                  avg_execution_time::float8 AS avg_execution_time, max_execution_time,
                  error_count AS "error_count!", timeout_count AS "timeout_count!"
           FROM query_performance_stats ORDER BY hour DESC, connection_id, query_type LIMIT $1"#,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// A row of `user_activity_stats`.
#[derive(Clone, Debug)]
pub struct UserStats {
    /// Who.
    pub username: String,
    /// As what.
    pub role: String,
    /// Questions asked.
    pub total_queries: i64,
    /// The last one.
    pub last_query_at: Option<DateTime<Utc>>,
    /// Days with a question.
    pub active_days: i64,
}

/// `user_activity_stats`, most active first.
///
/// # Errors
/// If the database fails.
pub async fn users(pool: &PgPool, limit: i64) -> Result<Vec<UserStats>> {
    let rows = sqlx::query_as!(
        UserStats,
        r#"SELECT username AS "username!", role AS "role!", total_queries AS "total_queries!", last_query_at,
                  active_days AS "active_days!"
           FROM user_activity_stats ORDER BY total_queries DESC, username LIMIT $1"#,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}
