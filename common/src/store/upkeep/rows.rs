//! Rows past their keeping time, table by table.

use sqlx::PgPool;
use uuid::Uuid;

use super::{
    Step,
    walk::{self, Walked},
};
use crate::{
    ids::{ConnectionId, UserId, WorkbookId},
    store::Result,
};

/// Makes the missing monthly partitions of `audit_logs`; how many.
///
/// # Errors
/// If the database fails.
pub async fn ensure_audit_partitions(pool: &PgPool, months_ahead: i32) -> Result<i32> {
    let made = sqlx::query_scalar!(r#"SELECT ensure_audit_partitions($1) AS "made!""#, months_ahead).fetch_one(pool).await?;
    Ok(made)
}

/// Drops the oldest month of audit logs that is wholly older than so many days; its table, none: there is none.
///
/// # Errors
/// [`crate::store::StoreError::Locked`] where the log was not to be had for a moment: call it again; and if the database fails.
pub async fn drop_audit_partition(pool: &PgPool, days: i32) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!("SELECT drop_audit_partition($1)", days).fetch_one(pool).await?)
}

/// Removes old rows that lie in no month's partition; how many.
///
/// # Errors
/// If the database fails.
pub async fn old_audit_rows(pool: &PgPool, days: i32, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM audit_logs_default WHERE (id, created_at) IN (
             SELECT id, created_at FROM audit_logs_default WHERE created_at < dg_now() - make_interval(days => $1)
             LIMIT $2 FOR UPDATE SKIP LOCKED)",
        days,
        limit
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Removes expired sessions; how many.
///
/// # Errors
/// If the database fails.
pub async fn expired_sessions(pool: &PgPool, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM user_sessions WHERE id IN (
             SELECT id FROM user_sessions WHERE expires_at < dg_now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
        limit
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Removes expired idempotency keys; how many.
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

/// Removes columns of customers' databases that no sync has seen for so many days; how many. They are few beside other tables, so they
/// are found without an index.
///
/// # Errors
/// If the database fails.
pub async fn old_catalogues(pool: &PgPool, days: i32, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM cached_schema_info c USING (
             SELECT connection_id, schema_name, table_name, column_name FROM cached_schema_info
             WHERE cached_at < dg_now() - make_interval(days => $1) LIMIT $2 FOR UPDATE SKIP LOCKED) old
         WHERE (c.connection_id, c.schema_name, c.table_name, c.column_name)
             = (old.connection_id, old.schema_name, old.table_name, old.column_name)",
        days,
        limit
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Removes old events after this one. They are ordered by time, so the walk ends at the first step that finds none.
///
/// # Errors
/// If the database fails.
pub async fn old_events(pool: &PgPool, days: i32, after: i64, limit: i64) -> Result<Step<i64>> {
    let row = sqlx::query!(
        r#"WITH page AS (SELECT seq, created_at FROM events WHERE seq > $1 ORDER BY seq LIMIT $3),
               gone AS (DELETE FROM events WHERE seq IN (
                   SELECT e.seq FROM events e JOIN page p ON p.seq = e.seq WHERE p.created_at < dg_now() - make_interval(days => $2)
                   FOR UPDATE OF e SKIP LOCKED) RETURNING seq)
           SELECT (SELECT count(*) FROM gone) AS "removed!",
               (SELECT max(seq) FROM page WHERE created_at < dg_now() - make_interval(days => $2)) AS last"#,
        after,
        days,
        limit
    )
    .fetch_one(pool)
    .await?;
    Ok(Step { removed: u64::try_from(row.removed).unwrap_or_default(), next: row.last })
}

/// Removes jobs that ended so many days ago (dead ones by their own time), with their attempts, walking by their ids from after this one
/// up to those made at the keeping time.
///
/// # Errors
/// If the database fails.
pub async fn finished_jobs(pool: &PgPool, days: i32, dead_days: i32, after: Uuid, limit: i64) -> Result<Step> {
    let page = walk::page(pool, Walked::Jobs, days.min(dead_days), after, limit).await?;
    let done = sqlx::query!(
        "WITH old AS (
             SELECT id FROM jobs
             WHERE id = ANY($1) AND finished_at < dg_now() - make_interval(days => CASE WHEN dead THEN $3::int ELSE $2::int END)
             FOR UPDATE SKIP LOCKED
         ), attempts AS (
             DELETE FROM job_attempts a USING old WHERE a.job_id = old.id
         )
         DELETE FROM jobs j USING old WHERE j.id = old.id",
        &page,
        days,
        dead_days
    )
    .execute(pool)
    .await?;
    Ok(Step { removed: done.rows_affected(), next: page.last().copied() })
}

/// Removes webhook deliveries that ended so many days ago, with their attempts, walking by their ids.
///
/// # Errors
/// If the database fails.
pub async fn finished_deliveries(pool: &PgPool, days: i32, after: Uuid, limit: i64) -> Result<Step> {
    let page = walk::page(pool, Walked::Deliveries, days, after, limit).await?;
    let done = sqlx::query!(
        "DELETE FROM webhook_deliveries WHERE id IN (
             SELECT id FROM webhook_deliveries WHERE id = ANY($1) AND finished_at < dg_now() - make_interval(days => $2)
             FOR UPDATE SKIP LOCKED)",
        &page,
        days
    )
    .execute(pool)
    .await?;
    Ok(Step { removed: done.rows_affected(), next: page.last().copied() })
}

/// Removes records of runs of the upkeep that ended so many days ago; how many.
///
/// # Errors
/// If the database fails.
pub async fn old_runs(pool: &PgPool, days: i32, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM upkeep_runs WHERE id IN (
             SELECT id FROM upkeep_runs WHERE id < uuid7_at(dg_now() - make_interval(days => $1))
               AND ended_at < dg_now() - make_interval(days => $1)
             ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)",
        days,
        limit
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Removes contents that no file has been of for a day; which, so that their folders can be deleted.
///
/// # Errors
/// If the database fails.
pub async fn empty_workbooks(pool: &PgPool, limit: i64) -> Result<Vec<WorkbookId>> {
    let gone = sqlx::query_scalar!(
        "DELETE FROM workbooks WHERE id IN (
             SELECT w.id FROM workbooks w WHERE w.created_at < dg_now() - interval '1 day'
               AND NOT EXISTS (SELECT FROM files f WHERE f.workbook_id = w.id) LIMIT $1 FOR UPDATE SKIP LOCKED)
         RETURNING id",
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(gone.into_iter().map(WorkbookId).collect())
}

/// Connections whose schema was last read so many hours ago, and for whom it is read again: those that can be asked and have no such
/// job yet, the longest unread first.
///
/// # Errors
/// If the database fails.
pub async fn stale_schemas(pool: &PgPool, hours: i32, limit: i64) -> Result<Vec<(ConnectionId, UserId)>> {
    let rows = sqlx::query!(
        r#"SELECT c.id, owner.id AS "user_id!"
           FROM database_connections c
           CROSS JOIN LATERAL (SELECT u.id FROM users u WHERE u.is_active AND (u.id = c.created_by OR u.role = 'admin')
                               ORDER BY (u.id = c.created_by) DESC NULLS LAST, u.created_at LIMIT 1) owner
           WHERE c.is_active AND c.state = 'ready' AND c.last_schema_sync < dg_now() - make_interval(hours => $1)
             AND coalesce(c.looked_at, c.last_schema_sync) < dg_now() - interval '10 minutes'
             AND NOT EXISTS (SELECT FROM jobs j WHERE j.connection_id = c.id AND j.kind IN ('probe_connection', 'sync_schema')
                             AND j.lane = 'maintenance' AND NOT j.in_flight)
             AND NOT EXISTS (SELECT FROM jobs j WHERE j.connection_id = c.id AND j.kind IN ('probe_connection', 'sync_schema')
                             AND j.lane = 'maintenance' AND j.in_flight)
           ORDER BY c.last_schema_sync LIMIT $2"#,
        hours,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (ConnectionId(row.id), UserId(row.user_id))).collect())
}
