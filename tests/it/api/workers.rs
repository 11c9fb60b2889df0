//! `/v1/workers`: who works, and who is lost.

use datagenie_tests::{TestApp, until};
use serde_json::{Value, json};

async fn workers(app: &TestApp) -> Vec<Value> {
    let listed = app.admin.get("/v1/workers", None).await.expect(200).body;
    listed["items"].as_array().cloned().expect("a list has items")
}

/// Waits until so many workers are listed.
async fn until_listed(app: &TestApp, count: usize, what: &str) -> Vec<Value> {
    until(|| async { Some(workers(app).await).filter(|found| found.len() == count) }, what).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_are_listed_while_they_work_and_leave_when_they_stop() {
    let app = TestApp::builder().no_scheduler().start().await;
    let second = app.start_worker().await;
    let both = until_listed(&app, 2, "both workers tell of themselves").await;
    assert_ne!(both[0]["instance"], both[1]["instance"]);
    for worker in &both {
        assert_eq!(
            (&worker["state"], &worker["running"], &worker["pid"]),
            (&json!("up"), &json!(0), &json!(std::process::id())),
            "{worker}"
        );
        assert_eq!(worker["lanes"]["interactive"], json!({ "slots": 10, "share": 8 }), "a fifth is kept for others: {worker}");
        assert!(["host", "version", "started_at", "seen_at"].iter().all(|field| worker[field].is_string()), "{worker}");
    }
    let queue = app.admin.get("/v1/queues/interactive", None).await.expect(200).body;
    assert_eq!((&queue["workers"], &queue["slots"], &queue["share"]), (&json!(2), &json!(20), &json!(16)), "{queue}");
    app.client("alice").await.get("/v1/workers", None).await.problem(403, "permission_denied");

    let seen = both[0]["seen_at"].clone();
    let first = both[0]["instance"].clone();
    let told_again = || async { workers(&app).await.into_iter().find(|worker| worker["instance"] == first && worker["seen_at"] != seen) };
    until(told_again, "it tells again").await;
    second.stop().await;
    until_listed(&app, 1, "the one that stopped has left").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_tells_nothing_is_lost_and_then_forgotten() {
    let mut app = TestApp::builder().no_scheduler().start().await;
    until_listed(&app, 1, "the worker tells of itself").await;
    app.worker.crash().await;
    let silent_for = |interval: &'static str| {
        let sql = format!("UPDATE workers SET seen_at = dg_now() - interval '{interval}'");
        let pool = app.pool.clone();
        async move { sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.expect("the row is changed") }
    };
    silent_for("4 seconds").await;
    assert_eq!(workers(&app).await[0]["state"], "up");
    silent_for("11 seconds").await;
    assert_eq!(workers(&app).await[0]["state"], "lost");
    let queue = app.admin.get("/v1/queues/interactive", None).await.expect(200).body;
    assert_eq!((&queue["workers"], &queue["slots"]), (&json!(0), &json!(0)), "{queue}");

    silent_for("61 minutes").await;
    app.scheduler = app.start_scheduler().await;
    until_listed(&app, 0, "the scheduler forgets it").await;
}
