//! The upkeep: what is past its time goes, what is not stays, and every run says what it did.

mod bucket;
mod files;
mod killed;
mod results;

use std::collections::BTreeMap;

use datagenie_common::{
    model::upkeep::UpkeepTask,
    settings::{Settings, Sources},
    store::upkeep,
};
use datagenie_scheduler::{start::Scheduler, tasks::upkeep as tasks};
use datagenie_tests::TestApp;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::bare::BareDatabase;

async fn quiet() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

/// A scheduler that does only what the test tells it, its database's clock shifted by an interval such as `P91D`.
fn scheduler(app: &TestApp, shifted: &str) -> Scheduler {
    let mut environment = app.environment.clone();
    environment.insert("DATAGENIE_DATABASE__URL".to_owned(), format!("{}?options[datagenie.clock_offset]={shifted}", app.database.url));
    let settings = Settings::load(&Sources { environment, file: None, stored: BTreeMap::new() }).expect("the test's settings are right");
    datagenie_scheduler::start::environment(settings, format!("scheduler-{}", Uuid::new_v4())).expect("a scheduler is put together")
}

/// Runs a task: its record.
pub(crate) async fn keep(app: &TestApp, task: UpkeepTask) -> Value {
    keep_in(app, task, "PT0S").await
}

/// The same after an interval.
pub(crate) async fn keep_in(app: &TestApp, task: UpkeepTask, shifted: &str) -> Value {
    tasks::record(&scheduler(app, shifted), task).await;
    let listed = app.admin.get(format!("/v1/upkeep?task={task}&limit=1"), None).await.expect(200).body;
    listed["items"][0].clone()
}

async fn execute(pool: &PgPool, statement: &'static str) {
    sqlx::query(statement).execute(pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn count(pool: &PgPool, of: &'static str) -> i64 {
    sqlx::query_scalar(of).fetch_one(pool).await.unwrap_or_else(|error| panic!("{of}: {error}"))
}

/// 1,200 old questions, an old one that is not over, and a young one; the ids are of their times, as real ones are.
async fn questions(pool: &PgPool) {
    execute(
        pool,
        "INSERT INTO query_history (id, user_id, question, query_type, status, job_id, created_at)
         SELECT uuid7_at(at), (SELECT id FROM users WHERE username = 'admin'), 'q', 'general', status, gen_random_uuid(), at
         FROM (SELECT dg_now() - interval '91 days' + n * interval '1 millisecond' AS at, 'success' AS status FROM generate_series(1, 1200) n
               UNION ALL SELECT dg_now() - interval '92 days', 'pending'
               UNION ALL SELECT dg_now() - interval '89 days', 'success') q",
    )
    .await;
}

const QUESTIONS: &str = "SELECT count(*) FROM query_history";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_questions_go_in_steps_past_what_others_hold() {
    let app = quiet().await;
    questions(&app.pool).await;
    let mut held = app.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM query_history WHERE status = 'success' ORDER BY id LIMIT 1 FOR UPDATE")
        .execute(&mut *held)
        .await
        .expect("a row is held");
    let run = keep(&app, UpkeepTask::Questions).await;
    assert_eq!((&run["state"], &run["removed"]), (&json!("done"), &json!({ "questions": 1199 })), "{run}");
    assert!(run["took_ms"].is_i64());
    assert_eq!(count(&app.pool, QUESTIONS).await, 3);
    held.rollback().await.expect("it is let go");
    let run = keep(&app, UpkeepTask::Questions).await;
    assert_eq!(run["removed"], json!({ "questions": 1 }));
    assert_eq!(count(&app.pool, QUESTIONS).await, 2, "the young one, and the one that is not over");
    assert_eq!(keep(&app, UpkeepTask::Questions).await["removed"], json!({}));
    // One that was imported: its id is of another time.
    execute(
        &app.pool,
        "UPDATE query_history SET created_at = dg_now() - interval '91 days', id = gen_random_uuid() WHERE status = 'success'",
    )
    .await;
    assert_eq!(keep(&app, UpkeepTask::Questions).await["removed"], json!({ "questions": 1 }));
    app.client("alice").await.get("/v1/upkeep", None).await.problem(403, "permission_denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeping_times_are_settings_and_one_that_is_none_removes_nothing() {
    let app = quiet().await;
    questions(&app.pool).await;
    execute(&app.pool, "UPDATE system_settings SET value = '\"soon\"' WHERE key = 'query_history_retention_days'").await;
    let run = keep(&app, UpkeepTask::Questions).await;
    assert!(run["error"].as_str().is_some_and(|error| error.contains("query_history_retention_days")), "{run}");
    assert_eq!((&run["state"], count(&app.pool, QUESTIONS).await), (&json!("failed"), 1202));
    execute(&app.pool, "UPDATE system_settings SET value = '120' WHERE key = 'query_history_retention_days'").await;
    assert_eq!(keep(&app, UpkeepTask::Questions).await["removed"], json!({}));
    execute(&app.pool, "UPDATE system_settings SET value = '30' WHERE key = 'query_history_retention_days'").await;
    assert_eq!(keep(&app, UpkeepTask::Questions).await["removed"], json!({ "questions": 1201 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn months_of_audit_logs_are_dropped_whole_and_made_ahead() {
    let app = quiet().await;
    execute(&app.pool, "CREATE TABLE audit_logs_2020_01 PARTITION OF audit_logs FOR VALUES FROM ('2020-01-01Z') TO ('2020-02-01Z')").await;
    execute(
        &app.pool,
        "INSERT INTO audit_logs (action, resource_type, created_at) SELECT 'old', 'test', '2020-01-15Z'::timestamptz FROM generate_series(1, 1000)
         UNION ALL SELECT 'old', 'test', '2019-06-15Z'::timestamptz FROM generate_series(1, 700)
         UNION ALL SELECT 'kept', 'test', dg_now() - interval '100 days'",
    )
    .await;
    // The last of the months ahead is missing.
    let ahead: String = sqlx::query_scalar("SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'audit_logs'::regclass AND inhrelid::regclass::text ~ '\\d$'")
        .fetch_one(&app.pool)
        .await
        .expect("months are made ahead");
    sqlx::query(sqlx::AssertSqlSafe(format!("DROP TABLE {ahead}"))).execute(&app.pool).await.expect("it is dropped");
    let run = keep(&app, UpkeepTask::AuditLogs).await;
    assert_eq!(run["removed"]["months_made"], 1, "{run}");
    assert_eq!((&run["removed"]["months_dropped"], &run["removed"]["rows"]), (&json!(1), &json!(700)), "{run}");
    assert_eq!(count(&app.pool, "SELECT count(*) FROM audit_logs WHERE action = 'old'").await, 0);
    assert_eq!(count(&app.pool, "SELECT count(*) FROM audit_logs WHERE action = 'kept'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_events_sessions_keys_and_catalogues_past_their_time_go() {
    let app = quiet().await;
    let shop = app.shop_sqlite().await;
    execute(
        &app.pool,
        "INSERT INTO jobs (id, kind, lane, state, user_id, deadline, dead, created_at, finished_at)
         SELECT uuid7_at(at), 'sync_schema', 'maintenance', 'failed', (SELECT id FROM users LIMIT 1), at, dead, at, at
         FROM (VALUES (dg_now() - interval '31 days', false), (dg_now() - interval '29 days', false), (dg_now() - interval '32 days', true),
                      (dg_now() - interval '91 days', true)) j(at, dead)",
    )
    .await;
    execute(
        &app.pool,
        "INSERT INTO job_attempts (job_id, lease_id, attempt, started_at, outcome)
         SELECT id, gen_random_uuid(), 1, created_at, 'failed' FROM jobs WHERE created_at < dg_now() - interval '1 day'",
    )
    .await;
    assert_eq!(keep(&app, UpkeepTask::Jobs).await["removed"], json!({ "jobs": 2 }));
    assert_eq!(count(&app.pool, "SELECT count(*) FROM job_attempts WHERE started_at < dg_now() - interval '1 day'").await, 2);

    execute(&app.pool, "UPDATE events SET created_at = dg_now() - interval '31 days'").await;
    execute(
        &app.pool,
        "INSERT INTO events (id, type, subject, user_id, data) VALUES (gen_random_uuid(), 'schedule.fired', 'x', gen_random_uuid(), '{}')",
    )
    .await;
    keep(&app, UpkeepTask::Events).await;
    assert_eq!(count(&app.pool, "SELECT count(*) FROM events").await, 1, "the young one");

    execute(
        &app.pool,
        "INSERT INTO user_sessions (user_id, session_token, created_at, expires_at)
         SELECT id, 'old', dg_now() - interval '2 days', dg_now() - interval '1 day' FROM users LIMIT 1",
    )
    .await;
    assert_eq!(keep(&app, UpkeepTask::Sessions).await["removed"], json!({ "sessions": 1 }));
    execute(
        &app.pool,
        "INSERT INTO idempotency_keys (user_id, key, request_hash, resource_id, expires_at)
         VALUES (gen_random_uuid(), 'k', '', gen_random_uuid(), dg_now() - interval '1 second')",
    )
    .await;
    assert_eq!(keep(&app, UpkeepTask::IdempotencyKeys).await["removed"], json!({ "idempotency_keys": 1 }));
    let columns = count(&app.pool, "SELECT count(*) FROM cached_schema_info").await;
    execute(&app.pool, "UPDATE cached_schema_info SET cached_at = dg_now() - interval '31 days'").await;
    assert_eq!(keep(&app, UpkeepTask::CachedSchemas).await["removed"], json!({ "columns": columns }));

    let syncs = "SELECT count(*) FROM jobs WHERE kind = 'sync_schema' AND finished_at IS NULL";
    assert_eq!((keep(&app, UpkeepTask::StaleSchemas).await["removed"].clone(), count(&app.pool, syncs).await), (json!({}), 0));
    sqlx::query("UPDATE database_connections SET last_schema_sync = dg_now() - interval '25 hours', looked_at = NULL WHERE id = $1")
        .bind(shop)
        .execute(&app.pool)
        .await
        .expect("it is stale");
    assert_eq!(keep(&app, UpkeepTask::StaleSchemas).await["removed"], json!({ "syncs_begun": 1 }));
    assert_eq!((keep(&app, UpkeepTask::StaleSchemas).await["removed"].clone(), count(&app.pool, syncs).await), (json!({}), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_killed_is_said_to_be_and_run_anew() {
    let database = BareDatabase::migrated().await;
    let pool = &database.pool;
    let due = |pool: PgPool| async move { upkeep::due(&pool, &["questions"], &[3600.0]).await.expect("what is due is known") };
    assert_eq!(due(pool.clone()).await, ["questions"], "it never ran");
    let id = upkeep::begin(pool, "questions").await.expect("it begins");
    assert_eq!(due(pool.clone()).await, [""; 0], "it runs");
    let later = database.shifted("PT61S").await;
    assert_eq!(due(later.clone()).await, ["questions"], "it says nothing any more");
    let runs = upkeep::list(pool, None, None, 10).await.expect("they are listed");
    assert!(runs[0].id == id && runs[0].error.as_deref().is_some_and(|error| error.starts_with("interrupted")), "{runs:?}");
    let id = upkeep::begin(&later, "questions").await.expect("it begins");
    upkeep::end(&later, id, &json!({ "questions": 3 }), None).await.expect("it ends");
    assert_eq!(due(later).await, [""; 0]);
    assert_eq!(due(database.shifted("PT62M").await).await, ["questions"], "an hour later");
    assert_eq!(due(database.shifted("P-1D").await).await, ["questions"], "the clock was ahead when it ran");
}
