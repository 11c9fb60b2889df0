//! The calls: what is made, shown, changed and refused.

use datagenie_tests::{TestApp, until};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{fire, hourly, make, runs, scheduler};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_made_shown_changed_paused_and_deleted() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let made = alice.post("/v1/schedules", hourly("all")).await.expect(201);
    let id = made.id();
    assert_eq!(made.header("location"), format!("/v1/schedules/{id}"));
    assert_eq!((&made.body["time_zone"], &made.body["paused"]), (&json!("Asia/Seoul"), &json!(false)));
    assert!(made.body["next_run_at"].is_string());
    let shown = alice.get(format!("/v1/schedules/{id}"), None).await.expect(200).body;
    assert_eq!(shown, made.body);
    assert_eq!(alice.get("/v1/schedules", None).await.expect(200).body["items"], json!([shown]));

    let changed = alice.patch(format!("/v1/schedules/{id}"), json!({ "cron": "30 9 * * MON", "name": "weekly" })).await.expect(200).body;
    assert_eq!((&changed["name"], &changed["catch_up"]), (&json!("weekly"), &json!("all")));
    assert!(changed["next_run_at"].as_str().is_some_and(|time| time.contains("T00:30:00")), "half past nine in Seoul: {changed}");
    let paused = alice.post(format!("/v1/schedules/{id}/pause"), None).await.expect(200).body;
    assert_eq!((&paused["paused"], &paused["next_run_at"]), (&json!(true), &json!(null)));
    fire(&scheduler(&app, "P8D")).await;
    assert!(runs(&alice, id).await.is_empty(), "it rests");
    let resumed = alice.post(format!("/v1/schedules/{id}/resume"), None).await.expect(200).body;
    assert_eq!(resumed["next_run_at"], changed["next_run_at"]);
    let _ = alice.delete(format!("/v1/schedules/{id}"), None).await.expect(204);
    alice.get(format!("/v1/schedules/{id}"), None).await.problem(404, "not_found");
    let actions: Vec<String> = sqlx::query_scalar("SELECT action::text FROM audit_logs WHERE resource_id = $1 ORDER BY created_at")
        .bind(id.to_string())
        .fetch_all(&app.pool)
        .await
        .expect("the log is read");
    assert_eq!(actions, ["schedule.created", "schedule.changed", "schedule.paused", "schedule.resumed", "schedule.deleted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_is_said_field_by_field() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let with = |field: &str, value: Value| {
        let mut body = hourly("skip");
        body[field] = value;
        body
    };
    let wrong = [
        (with("cron", json!("0 0 30 2 *")), "cron"),
        (with("cron", json!("every day")), "cron"),
        (with("time_zone", json!("Mars/Olympus")), "time_zone"),
        (with("name", json!(" ")), "name"),
        (with("catch_up_max", json!(0)), "catch_up_max"),
        (with("action", json!({ "kind": "tea" })), "action"),
        (with("action", json!({ "kind": "question" })), "action.question"),
        (with("action", json!({ "kind": "question", "sql": "SELECT 1" })), "action.connection_id"),
    ];
    for (body, field) in wrong {
        let reply = alice.post("/v1/schedules", body).await;
        assert_eq!(reply.problem(422, "invalid_request")["errors"][0]["field"], field, "{}", reply.text);
    }
    alice.post("/v1/schedules", with("action", json!({ "kind": "batch", "questions": [] }))).await.problem(422, "invalid_request");
    for action in [json!({ "kind": "maintenance", "task": "files" }), json!({ "kind": "schema_sync", "connection_id": Uuid::now_v7() })] {
        alice.post("/v1/schedules", with("action", action)).await.problem(403, "permission_denied");
    }
    let foreign = json!({ "kind": "question", "question": "?", "connection_id": app.shop_sqlite().await });
    alice.post("/v1/schedules", with("action", foreign)).await.problem(404, "not_found");
    app.client("viewer").await.post("/v1/schedules", hourly("skip")).await.problem(403, "permission_denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_schedule_is_an_unknown_one_and_an_admin_only_stops_it() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let id = make(&alice, hourly("skip")).await;
    for (method, path) in [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::POST, "/pause"),
        (Method::POST, "/resume"),
        (Method::POST, "/run"),
        (Method::GET, "/runs"),
    ] {
        let call = |id: Uuid| bob.send(bob.request(method.clone(), format!("/v1/schedules/{id}{path}")));
        call(id).await.problem(404, "not_found");
        call(Uuid::now_v7()).await.problem(404, "not_found");
    }
    bob.patch(format!("/v1/schedules/{id}"), json!({ "name": "mine" })).await.problem(404, "not_found");
    app.admin.patch(format!("/v1/schedules/{id}"), json!({ "name": "mine" })).await.problem(403, "permission_denied");
    app.admin.post(format!("/v1/schedules/{id}/run"), None).await.problem(403, "permission_denied");
    let _ = app.admin.post(format!("/v1/schedules/{id}/pause"), None).await.expect(200);
    assert_eq!(bob.get("/v1/schedules", None).await.expect(200).body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_made_once_for_one_key() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let send = || alice.send(alice.request(Method::POST, "/v1/schedules").header("idempotency-key", "s").json(&hourly("skip")));
    let (first, again) = (send().await.expect(201), send().await.expect(201));
    assert_eq!(first.id(), again.id());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_by_hand_and_maintenance_are_done_by_the_scheduler() {
    let app = TestApp::builder().no_worker().start().await;
    let body = json!({ "name": "tidy", "cron": "0 4 * * *", "action": { "kind": "maintenance", "task": "sessions" } });
    let id = make(&app.admin, body).await;
    let asked = app.admin.post(format!("/v1/schedules/{id}/run"), None).await.expect(202).body;
    assert_eq!((&asked["state"], &asked["by_hand"]), (&json!("asked"), &json!(true)));
    let fired = until(
        || async { runs(&app.admin, id).await.into_iter().find(|run| run["id"] == asked["id"] && run["state"] == "fired") },
        "the scheduler makes it",
    )
    .await;
    until(
        || async {
            let listed = app.admin.get("/v1/upkeep?task=sessions", None).await.expect(200).body;
            let items = listed["items"].as_array().cloned().unwrap_or_default();
            items.into_iter().find(|run| run["id"] == fired["upkeep_run_id"] && run["state"] == "done" && run["asked_at"].is_string())
        },
        "the upkeep runs and leaves its record",
    )
    .await;
}
