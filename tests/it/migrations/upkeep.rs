//! Audit partitions, the clean-up functions and the two views.

use std::collections::BTreeMap;

use futures::future::join_all;
use sqlx::PgPool;

use crate::bare::BareDatabase;

async fn run(pool: &PgPool, statement: &'static str) {
    sqlx::query(statement).execute(pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Which partitions hold how many rows with this action.
async fn places(pool: &PgPool, action: &str) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> = sqlx::query_as("SELECT tableoid::regclass::text, count(*) FROM audit_logs WHERE action = $1 GROUP BY 1")
        .bind(action)
        .fetch_all(pool)
        .await
        .expect("the rows are found");
    rows.into_iter().collect()
}

async fn ensure(pool: &PgPool, months_ahead: i32) -> i32 {
    sqlx::query_scalar("SELECT ensure_audit_partitions($1)").bind(months_ahead).fetch_one(pool).await.expect("partitions are made")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_month_without_a_partition_are_kept_and_move_into_it() {
    let database = BareDatabase::migrated().await;
    let pool = &database.pool;
    run(pool, "INSERT INTO audit_logs (action, resource_type) VALUES ('now', 'test')").await;
    let this_month: String = sqlx::query_scalar("SELECT 'audit_logs_' || to_char(dg_now() AT TIME ZONE 'UTC', 'YYYY_MM')")
        .fetch_one(pool)
        .await
        .expect("a name");
    assert_eq!(places(pool, "now").await, BTreeMap::from([(this_month, 1)]));

    run(
        pool,
        "INSERT INTO audit_logs (action, resource_type, created_at)
         SELECT 'later', 'test', (date_trunc('month', dg_now() AT TIME ZONE 'UTC') + interval '5 months' + n * interval '10 days') AT TIME ZONE 'UTC'
         FROM generate_series(0, 2) n",
    )
    .await;
    assert_eq!(places(pool, "later").await, BTreeMap::from([("audit_logs_default".to_owned(), 3)]));
    assert_eq!(ensure(pool, 3).await, 0, "they were made by the migration");
    assert_eq!(ensure(pool, 4).await, 1);
    assert_eq!(places(pool, "later").await, BTreeMap::from([("audit_logs_default".to_owned(), 3)]), "another month's partition");
    assert_eq!(ensure(pool, 5).await, 1);
    let name: String = sqlx::query_scalar(
        "SELECT 'audit_logs_' || to_char(date_trunc('month', dg_now() AT TIME ZONE 'UTC') + interval '5 months', 'YYYY_MM')",
    )
    .fetch_one(pool)
    .await
    .expect("a name");
    assert_eq!(places(pool, "later").await, BTreeMap::from([(name, 3)]));
    assert_eq!(ensure(pool, 5).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_schedulers_make_each_partition_once() {
    let database = BareDatabase::migrated().await;
    let made: i32 = join_all((0..4).map(|_| ensure(&database.pool, 9))).await.into_iter().sum();
    assert_eq!(made, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_sessions_are_removed_and_counted() {
    let database = BareDatabase::migrated().await;
    let pool = &database.pool;
    fill(pool).await;
    let removed: i64 = sqlx::query_scalar("SELECT cleanup_expired_sessions()").fetch_one(pool).await.expect("it is cleaned");
    assert_eq!(removed, 5);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM user_sessions").fetch_one(pool).await.expect("it is counted");
    assert_eq!(left, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_data_goes_in_steps_that_are_bounded_and_counted() {
    let database = BareDatabase::migrated().await;
    let pool = &database.pool;
    fill(pool).await;
    let kinds = ["query_history", "user_sessions", "audit_logs", "cached_schema_info"];
    for step in [2_i64, 2, 1, 0] {
        let removed: Vec<(String, i64)> =
            sqlx::query_as("SELECT what, removed FROM cleanup_old_data(2)").fetch_all(pool).await.expect("it is cleaned");
        assert_eq!(removed, kinds.map(|kind| (kind.to_owned(), step)));
    }
    // What is young stays, and so does an old question that is not over.
    let left: (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM query_history), (SELECT count(*) FROM user_sessions), (SELECT count(*) FROM audit_logs),
                (SELECT count(*) FROM cached_schema_info)",
    )
    .fetch_one(pool)
    .await
    .expect("they are counted");
    assert_eq!(left, (2, 1, 1, 1));
}

/// Five old rows of each kind, a young one of each, and an old question that still waits.
async fn fill(pool: &PgPool) {
    run(pool, "INSERT INTO users (username, email, password_hash) VALUES ('asker', 'asker@example.com', 'x')").await;
    run(
        pool,
        "INSERT INTO database_connections (name, display_name, db_type, connection_config) VALUES ('shop', 'Shop', 'postgresql', '{}')",
    )
    .await;
    run(
        pool,
        "INSERT INTO query_history (user_id, question, query_type, status, job_id, created_at)
         SELECT id, 'old', 'general', 'success', gen_random_uuid(), dg_now() - interval '91 days' FROM users, generate_series(1, 5)
         UNION ALL SELECT id, 'old and waiting', 'general', 'pending', gen_random_uuid(), dg_now() - interval '91 days' FROM users
         UNION ALL SELECT id, 'young', 'general', 'success', gen_random_uuid(), dg_now() - interval '89 days' FROM users",
    )
    .await;
    run(
        pool,
        "INSERT INTO user_sessions (user_id, session_token, created_at, expires_at)
         SELECT id, 'old' || n, dg_now() - interval '2 days', dg_now() - interval '1 day' FROM users, generate_series(1, 5) n
         UNION ALL SELECT id, 'young', dg_now(), dg_now() + interval '1 day' FROM users",
    )
    .await;
    run(
        pool,
        "INSERT INTO audit_logs (action, resource_type, created_at)
         SELECT 'old', 'test', dg_now() - interval '181 days' FROM generate_series(1, 5)
         UNION ALL SELECT 'young', 'test', dg_now() - interval '179 days'",
    )
    .await;
    run(
        pool,
        "INSERT INTO cached_schema_info (connection_id, schema_name, table_name, column_name, cached_at)
         SELECT id, 'public', 'old', 'c' || n, dg_now() - interval '31 days' FROM database_connections, generate_series(1, 5) n
         UNION ALL SELECT id, 'public', 'young', 'c', dg_now() - interval '29 days' FROM database_connections",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_views_count_what_was_asked() {
    let database = BareDatabase::migrated().await;
    let pool = &database.pool;
    run(
        pool,
        "INSERT INTO users (username, email, password_hash, is_active) VALUES
         ('asker', 'asker@example.com', 'x', true), ('silent', 'silent@example.com', 'x', true), ('gone', 'gone@example.com', 'x', false)",
    )
    .await;
    // All in one hour of three days ago, and one that is older than the view looks.
    run(
        pool,
        "INSERT INTO query_history (user_id, question, query_type, status, execution_time_ms, job_id, created_at)
         SELECT u.id, 'q', 'general', s.status, s.ms, gen_random_uuid(), date_trunc('hour', dg_now() - interval '3 days')
         FROM users u, (VALUES ('success', 10), ('success', 30), ('error', NULL), ('timeout', 20)) s(status, ms) WHERE u.username = 'asker'
         UNION ALL
         SELECT u.id, 'q', 'general', 'success', 1000, gen_random_uuid(), dg_now() - interval '8 days' FROM users u WHERE u.username = 'asker'",
    )
    .await;
    let hours: Vec<(i64, f64, i32, i64, i64)> = sqlx::query_as(
        "SELECT total_queries, avg_execution_time::float8, max_execution_time, error_count, timeout_count FROM query_performance_stats",
    )
    .fetch_all(pool)
    .await
    .expect("the view is read");
    assert_eq!(hours, [(4, 20.0, 30, 1, 1)]);
    let users: Vec<(String, i64, i64)> = sqlx::query_as("SELECT username::text, total_queries, active_days FROM user_activity_stats")
        .fetch_all(pool)
        .await
        .expect("the view is read");
    assert_eq!(users, [("asker".to_owned(), 5, 2), ("silent".to_owned(), 0, 0)]);
}
