//! `/v1/queues`: how much waits, and what is paused.

use datagenie_tests::{Client, TestApp};
use serde_json::{Value, json};
use uuid::Uuid;

/// A statement that counts the shop's orders.
const COUNT: &str = "SELECT count(*) AS n FROM orders";

/// Asks of no database: the question's job.
async fn ask(client: &Client) -> Uuid {
    let asked = client.post("/v1/questions", json!({ "question": "how many?" })).await.expect(202);
    asked.body["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a question has a job")
}

async fn queue(app: &TestApp, name: &str) -> Value {
    app.admin.get(format!("/v1/queues/{name}"), None).await.expect(200).body
}

/// A job of another lane, from its request to its end: the worker is alive, and has heard what was rung before.
async fn sync(app: &TestApp, connection: Uuid) {
    let request = app.admin.request(reqwest::Method::POST, format!("/v1/connections/{connection}/sync")).header("prefer", "wait=30");
    let ended = app.admin.send(request).await.expect(200);
    assert_eq!(ended.body["state"], "succeeded", "{}", ended.text);
}

async fn audited(app: &TestApp, action: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action = $1 AND result = 'success'")
        .bind(action)
        .fetch_one(&app.pool)
        .await
        .expect("the audit log is read")
}

/// Asks while `name` is paused, and sees that nothing is begun until it is resumed.
async fn paused_and_resumed(app: &TestApp, connection: Uuid, name: &str) {
    let paused = app.admin.post(format!("/v1/queues/{name}/pause"), json!({ "reason": "the model is being moved" })).await.expect(200);
    let pause = &paused.body["paused"];
    assert_eq!((&pause["by"], &pause["reason"]), (&json!(app.admin.user_id), &json!("the model is being moved")), "{}", paused.text);
    assert!(pause["since"].is_string(), "{}", paused.text);
    let asked = app.admin.post("/v1/questions", json!({ "sql": COUNT, "connection_id": connection, "cache": "skip" })).await.expect(202);
    let job = format!("/v1/jobs/{}", asked.body["job_id"].as_str().unwrap_or_default());
    for _ in 0..2 {
        sync(app, connection).await;
        let seen = app.admin.get(&job, None).await.expect(200).body;
        assert!(["waiting", "queued"].contains(&seen["state"].as_str().unwrap_or_default()), "{seen}");
        assert_eq!((&seen["attempts"], &seen["attempt"]), (&json!([]), &json!(0)), "{seen}");
    }

    let resumed = app.admin.post(format!("/v1/queues/{name}/resume"), None).await.expect(200);
    assert_eq!(resumed.body["paused"], Value::Null, "{}", resumed.text);
    // Its bell will not be stale for ten minutes, which nobody waits for here.
    let answered = app.admin.wait(asked.id()).await;
    assert_eq!((&answered["status"], &answered["rows"]), (&json!("success"), &json!([[60]])), "{answered}");
    let seen = app.admin.get(&job, None).await.expect(200).body;
    assert_eq!(seen["attempts"].as_array().map(Vec::len), Some(1), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_paused_lane_or_kind_is_begun_until_it_is_resumed() {
    let app = TestApp::builder().offline().with_setting("jobs.stale_ring_seconds", "600").start().await;
    let connection = app.shop_sqlite().await;
    for name in ["interactive", "answer_question"] {
        paused_and_resumed(&app, connection, name).await;
    }
    assert_eq!((audited(&app, "queue.paused").await, audited(&app, "queue.resumed").await), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_rung_before_the_pause_is_begun_soon_after_it() {
    let app = TestApp::builder().offline().no_worker().with_setting("jobs.stale_ring_seconds", "600").start().await;
    let connection = app.shop_sqlite().await;
    let asked = app.admin.post("/v1/questions", json!({ "sql": COUNT, "connection_id": connection })).await.expect(202);
    let _ = app.admin.post("/v1/queues/answer_question/pause", None).await.expect(200);
    // Its bell is heard under the pause.
    let _worker = app.start_worker().await;
    sync(&app, connection).await;
    let job = app.admin.get(format!("/v1/jobs/{}", asked.body["job_id"].as_str().unwrap_or_default()), None).await.expect(200).body;
    assert_eq!((&job["attempts"], &job["attempt"]), (&json!([]), &json!(0)), "{job}");
    let _ = app.admin.post("/v1/queues/answer_question/resume", json!({})).await.expect(200);
    assert_eq!(app.admin.wait(asked.id()).await["status"], "success", "before its bell is stale");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_what_is_paused_and_resuming_what_is_not_change_nothing() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let first = app.admin.post("/v1/queues/bulk/pause", json!({ "reason": "first" })).await.expect(200).body;
    let second = app.admin.post("/v1/queues/bulk/pause", json!({ "reason": "second" })).await.expect(200).body;
    assert_eq!((&second["paused"], &second["paused"]["reason"]), (&first["paused"], &json!("first")));
    assert_eq!(queue(&app, "bulk").await["paused"], first["paused"]);
    for _ in 0..2 {
        let resumed = app.admin.post("/v1/queues/bulk/resume", None).await.expect(200).body;
        assert_eq!(resumed["paused"], Value::Null);
    }
    assert_eq!((audited(&app, "queue.paused").await, audited(&app, "queue.resumed").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_counted_lane_by_lane() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let jobs = [ask(&alice).await, ask(&alice).await, ask(&alice).await, ask(&app.admin).await];
    for (job, change) in [
        (jobs[0], "state = 'waiting', in_flight = false, rung_at = NULL, run_at = dg_now() + interval '1 hour'"),
        (jobs[1], "state = 'waiting', in_flight = false, rung_at = NULL, run_at = dg_now() - interval '90 seconds'"),
        (jobs[2], "state = 'running', in_flight = true, lease_id = gen_random_uuid(), lease_until = dg_now() + interval '1 hour'"),
        (jobs[3], "state = 'queued', in_flight = true, rung_at = dg_now()"),
    ] {
        let sql = format!("UPDATE jobs SET {change} WHERE id = $1");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(job).execute(&app.pool).await.expect("the job is changed");
    }
    let all = app.admin.get("/v1/queues", None).await.expect(200).body;
    let names: Vec<&str> = all["items"].as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect();
    assert_eq!(names, ["interactive", "bulk", "maintenance", "webhook"]);
    let interactive = &all["items"][0];
    let counts = ["waiting", "delayed", "queued", "running", "slots", "share", "workers"].map(|field| interactive[field].as_i64());
    assert_eq!(counts, [1_i64, 1, 1, 1, 0, 0, 0].map(Some), "{interactive}");
    let oldest = interactive["oldest_waiting_seconds"].as_f64().unwrap_or_default();
    assert!((90.0..150.0).contains(&oldest), "{interactive}");
    assert!(interactive["in_broker"].is_u64() && interactive["paused"].is_null(), "{interactive}");
    assert_eq!(all["items"][1]["oldest_waiting_seconds"], Value::Null);
    let kinds: Vec<&str> = all["kinds"].as_array().into_iter().flatten().filter_map(|kind| kind["name"].as_str()).collect();
    assert!(kinds.contains(&"answer_question") && kinds.contains(&"sync_schema"), "{kinds:?}");
    assert_eq!(queue(&app, "answer_question").await, json!({ "name": "answer_question", "paused": null }));
    assert_eq!(queue(&app, "interactive").await["running"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_counts_what_is_before_it_in_its_own_flow() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let _others = [ask(&bob).await, ask(&bob).await];
    let jobs = [ask(&alice).await, ask(&alice).await, ask(&alice).await];
    assert_eq!(alice.get(format!("/v1/jobs/{}", jobs[2]), None).await.expect(200).body["queue"]["position"], 0, "it is rung");
    sqlx::query("UPDATE jobs SET state = 'waiting', in_flight = false, rung_at = NULL").execute(&app.pool).await.expect("they wait");
    for (job, position) in jobs.iter().zip(0..) {
        let seen = alice.get(format!("/v1/jobs/{job}"), None).await.expect(200).body;
        assert_eq!(seen["queue"]["position"], json!(position), "{seen}");
        let question = alice.get(format!("/v1/questions/{}", seen["subject_id"].as_str().unwrap_or_default()), None).await.expect(200);
        assert_eq!(question.body["queue"], seen["queue"], "{}", question.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_admins_see_and_pause_queues_and_only_those_that_there_are() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    for path in ["/v1/queues", "/v1/queues/bulk"] {
        alice.get(path, None).await.problem(403, "permission_denied");
    }
    for path in ["/v1/queues/bulk/pause", "/v1/queues/bulk/resume"] {
        alice.post(path, json!({})).await.problem(403, "permission_denied");
    }
    for (method, path) in [("GET", "/v1/queues/bulky"), ("POST", "/v1/queues/bulky/pause"), ("POST", "/v1/queues/%FF/resume")] {
        let method = method.parse().expect("it is a method");
        let reply = app.admin.send(app.admin.request(method, path)).await;
        let detail = reply.problem(404, "not_found")["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("interactive") && detail.contains("answer_question"), "{detail}");
    }
    for body in [json!({ "reason": 5 }), json!({ "colour": "red" }), json!({ "reason": "x".repeat(501) })] {
        app.admin.post("/v1/queues/bulk/pause", body).await.problem(422, "invalid_request");
    }
    app.admin.post("/v1/queues/bulk/resume", json!({ "reason": "x" })).await.problem(422, "invalid_request");
    let body = json!({ "name": "limited", "scopes": ["read", "admin"], "connections": [] });
    let made = app.admin.post("/v1/api-keys", body).await.expect(201);
    let key = app.admin.with_token(made.body["key"].as_str().expect("the key is shown"));
    for path in ["/v1/queues/bulk/pause", "/v1/queues/bulk/resume"] {
        key.post(path, json!({})).await.problem(403, "permission_denied");
    }
    assert_eq!(queue(&app, "bulk").await["paused"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_needs_no_body() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let pause = || app.admin.request(reqwest::Method::POST, "/v1/queues/bulk/pause");
    // Chunked: its length, which is none, is not told beforehand.
    let chunked = || reqwest::Body::wrap_stream(futures::stream::empty::<Result<Vec<u8>, std::io::Error>>());
    for request in [pause(), pause().body(""), pause().body(chunked()), pause().header("content-type", "application/json").body(chunked())]
    {
        let paused = app.admin.send(request).await.expect(200).body;
        assert!(paused["paused"].is_object() && paused["paused"]["reason"].is_null(), "{paused}");
    }
    let document = app.anonymous().get("/openapi.json", None).await.expect(200).body;
    let body = &document["paths"]["/v1/queues/{name}/pause"]["post"]["requestBody"];
    assert!(body.is_object() && body["required"] != true, "{body}");
}
