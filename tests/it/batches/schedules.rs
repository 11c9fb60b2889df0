//! Batches that come by themselves.

use datagenie_tests::{TestApp, until};
use serde_json::{Value, json};

use super::{count, ended, number};
use crate::schedules::{fire, hourly, make, runs, scheduler};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_makes_a_batch_at_its_time() {
    let app = TestApp::builder().offline().no_scheduler().start().await;
    let (shop, alice) = (app.shop_sqlite().await, app.client("alice").await);
    app.grant(shop, &alice).await;
    let mut body = hourly("once");
    let action = json!({ "kind": "batch", "connection_id": shop, "questions": [number("a", 1), number("b", 2), number("c", 1)] });
    body["action"] = action.clone();
    let id = make(&alice, body.clone()).await;
    assert_eq!(alice.get(format!("/v1/schedules/{id}"), None).await.expect(200).body["action"], action);
    let an_hour_later = scheduler(&app, "PT1H");
    fire(&an_hour_later).await;
    let run = runs(&alice, id).await[0].clone();
    assert_eq!(run["state"], "fired", "{run}");
    let batch = run["batch_id"].as_str().and_then(|id| id.parse().ok()).expect("it made a batch");
    // Its jobs are made by a clock that is an hour ahead.
    let made = || async { (count(&app.pool, "SELECT count(*) FROM jobs WHERE batch_id IS NOT NULL").await == 2).then_some(()) };
    until(made, "the questions are made").await;
    sqlx::query("UPDATE jobs SET run_at = dg_now(), state = 'waiting', in_flight = false, rung_at = NULL WHERE batch_id IS NOT NULL")
        .execute(&app.pool)
        .await
        .expect("their time comes");
    let _scheduler = app.start_scheduler().await;
    let done = ended(&alice, batch).await;
    assert_eq!((&done["status"], &done["counts"]["success"], &done["questions"]), (&json!("completed"), &json!(3), &json!(2)), "{done}");

    let _ = app.admin.delete(format!("/v1/connections/{shop}/permissions/{}", alice.user_id), None).await.expect(204);
    fire(&scheduler(&app, "PT2H")).await;
    let refused = runs(&alice, id).await[0].clone();
    assert_eq!((&refused["state"], &refused["batch_id"]), (&json!("refused"), &json!(null)), "{refused}");
    assert!(refused["reason"].as_str().is_some_and(|reason| reason.starts_with("3 of 3")), "{refused}");
    assert_eq!(count(&app.pool, "SELECT count(*) FROM batches").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_still_runs_is_not_doubled_and_bad_ones_are_told_when_they_are_made() {
    let app = TestApp::builder().offline().no_worker().no_scheduler().start().await;
    let general = |custom_id: &str| json!({ "custom_id": custom_id, "question": "What is new?" });
    let with = |action: Value| {
        let mut body = hourly("once");
        body["action"] = action;
        body
    };
    let id = make(&app.admin, with(json!({ "kind": "batch", "questions": [general("a")] }))).await;
    fire(&scheduler(&app, "PT1H")).await;
    fire(&scheduler(&app, "PT2H")).await;
    let states: Vec<Value> = runs(&app.admin, id).await.into_iter().map(|run| run["state"].clone()).collect();
    assert_eq!(states, ["skipped", "fired"]);
    let shop = app.shop_sqlite().await;
    let many: Vec<Value> = (0..1_001).map(|n| general(&n.to_string())).collect();
    for action in [
        json!({ "kind": "batch", "questions": [] }),
        json!({ "kind": "batch", "questions": many }),
        json!({ "kind": "batch", "questions": [general("a"), general("a")] }),
        json!({ "kind": "batch", "questions": [{ "custom_id": "a" }] }),
        json!({ "kind": "batch", "questions": [general("a")], "budget": { "tokens": 0 } }),
        json!({ "kind": "batch", "questions": [general("a")], "tea": true }),
        json!({ "kind": "batch", "questions": [{ "custom_id": "a", "question": "?", "connection_id": shop }] }),
        json!({ "kind": "question", "question": "?", "connection_id": shop, "file_id": shop }),
    ] {
        let reply = app.admin.post("/v1/schedules", with(action.clone())).await;
        assert_eq!(reply.status, 422, "{action}: {}", reply.text);
    }
    let file = json!({ "kind": "question", "question": "?", "file_id": shop });
    app.admin.post("/v1/schedules", with(file)).await.problem(404, "not_found");
}
