//! A cleanup whose process is killed half way: what was removed is gone whole, the rest goes with the next one, and the record says so.

use datagenie_common::model::upkeep::UpkeepTask;
use datagenie_tests::{Processes, TestApp, until};
use serde_json::Value;
use sqlx::PgPool;

use super::{QUESTIONS, count, execute};

const OLD: i64 = 6_000;
const HALVES: &str = "SELECT (SELECT count(*) FROM analysis_results) - (SELECT count(*) FROM query_history)";

async fn old_questions_with_answers(pool: &PgPool) {
    execute(
        pool,
        "WITH q AS (
             INSERT INTO query_history (id, user_id, question, query_type, status, job_id, created_at)
             SELECT uuid7_at(at), (SELECT id FROM users WHERE username = 'admin'), 'q', 'general', 'success', uuid7_at(at), at
             FROM (SELECT dg_now() - interval '91 days' - n * interval '1 millisecond' AS at FROM generate_series(1, 6000) n) q
             RETURNING id, job_id
         )
         INSERT INTO analysis_results (query_history_id, job_id) SELECT id, job_id FROM q",
    )
    .await;
}

async fn runs(app: &TestApp) -> Vec<Value> {
    let listed = app.admin.get(format!("/v1/upkeep?task={}", UpkeepTask::Questions), None).await.expect(200).body;
    listed["items"].as_array().cloned().expect("a list has items")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduler_that_is_killed_half_way_leaves_no_half_and_the_next_one_goes_on() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    old_questions_with_answers(&app.pool).await;
    let processes = Processes::of(&app);
    let first = processes.scheduler();
    let look = || async { (count(&app.pool, QUESTIONS).await < OLD).then_some(()) };
    until(look, "the cleanup has begun").await;
    first.kill9();
    // A step that was under way at the server may still be committed or rolled back; both are whole.
    let left = count(&app.pool, QUESTIONS).await;
    assert!(left > 0, "it was killed before its end");
    assert_eq!(count(&app.pool, HALVES).await, 0, "no question lost its answer, and no answer its question");
    assert_eq!(runs(&app).await[0]["state"], "running");

    // A minute of silence.
    execute(&app.pool, "UPDATE upkeep_runs SET seen_at = seen_at - interval '2 minutes' WHERE ended_at IS NULL").await;
    let _second = processes.scheduler();
    let look = || async { (runs(&app).await[0]["state"] == "done").then_some(()) };
    until(look, "the next run comes to its end").await;
    assert_eq!((count(&app.pool, QUESTIONS).await, count(&app.pool, HALVES).await), (0, 0));
    let all = runs(&app).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all[1]["error"].as_str().is_some_and(|error| error.starts_with("interrupted")), "{all:?}");
    let removed = all[0]["removed"]["questions"].as_i64().unwrap_or_default();
    assert!(removed > 0 && removed <= left, "{all:?}");
}
