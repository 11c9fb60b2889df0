//! The table of what the audit log says of each operation, tried: every operation is called, and its line, or that there is none, is
//! looked for by the request's id.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use datagenie_api::audited::{Audited, OPERATIONS};
use datagenie_tests::{Client, Reply, Sink, TestApp, until};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::files::upload;

/// Those whose calls are made elsewhere, and where.
const ELSEWHERE: &[(&str, &str)] = &[("GET /v1/events", "a WebSocket: tests/it/api/sockets.rs opens it")];

/// Calls that were made: operation and request.
struct Walk {
    app: TestApp,
    made: Mutex<Vec<(String, Uuid)>>,
}

impl Walk {
    /// Calls an operation with these in the places of its path, and remembers the request.
    async fn call(&self, client: &Client, operation: &str, places: &[&dyn std::fmt::Display], body: Option<Value>) -> Reply {
        let (method, template) = operation.split_once(' ').expect("a method and a path");
        let mut places = places.iter();
        let mut fill = |segment: &str| {
            if segment.starts_with('{') { places.next().expect("an id for each place").to_string() } else { segment.to_owned() }
        };
        let segments = template.split('/').map(&mut fill);
        let path = segments.collect::<Vec<_>>().join("/");
        let request = client.request(method.parse::<Method>().expect("a method"), path);
        let reply = client.send(if let Some(body) = body { request.json(&body) } else { request }).await;
        assert!(reply.status < 400, "{operation}: {} {}", reply.status, reply.text);
        self.made(operation, &reply);
        reply
    }

    fn made(&self, operation: &str, reply: &Reply) {
        let request = reply.header("x-request-id").parse().expect("every answer has its request's id");
        self.made.lock().expect("nobody panicked").push((operation.to_owned(), request));
    }

    async fn get(&self, operation: &str, places: &[&dyn std::fmt::Display]) -> Reply {
        self.call(&self.app.admin, operation, places, None).await
    }

    async fn put(&self, operation: &str, places: &[&dyn std::fmt::Display], body: Value) -> Reply {
        self.call(&self.app.admin, operation, places, Some(body)).await
    }

    async fn lines_of(&self, request: Uuid) -> Vec<String> {
        sqlx::query_scalar("SELECT action::text FROM audit_logs WHERE request_id = $1")
            .bind(request)
            .fetch_all(&self.app.pool)
            .await
            .expect("the log is read")
    }
}

async fn people(walk: &Walk) {
    let app = &walk.app;
    let nobody = app.anonymous();
    let body = json!({ "username": "walker", "email": "walker@example.com", "password": "seven cats on a roof", "role": "user" });
    let id = walk.put("POST /v1/users", &[], body).await.id();
    let login = json!({ "username": "walker", "password": "seven cats on a roof" });
    let signed_in = walk.call(&nobody, "POST /v1/auth/login", &[], Some(login)).await;
    let walker = nobody.with_token(signed_in.body["token"].as_str().expect("a token"));
    let new = json!({ "current_password": "seven cats on a roof", "new_password": "eight cats on a roof" });
    let _ = walk.call(&walker, "POST /v1/auth/password", &[], Some(new)).await;
    let _ = walk.call(&walker, "GET /v1/me", &[], None).await;
    let listed = walk.call(&walker, "GET /v1/auth/sessions", &[], None).await;
    let _ = walk.call(&walker, "DELETE /v1/auth/sessions", &[], None).await;
    let session = listed.body["items"][0]["id"].clone();
    let _ = walk.call(&walker, "DELETE /v1/auth/sessions/{id}", &[&session.as_str().unwrap_or_default()], None).await;
    let walker = nobody.login("walker", "eight cats on a roof").await;
    let _ = walk.call(&walker, "POST /v1/auth/logout", &[], None).await;

    let _ = walk.get("GET /v1/users", &[]).await;
    let _ = walk.get("GET /v1/users/{id}", &[&id]).await;
    let _ = walk.put("PATCH /v1/users/{id}", &[&id], json!({ "role": "viewer" })).await;
    let _ = nobody.login("walker", "eight cats on a roof").await;
    let listed = walk.get("GET /v1/users/{id}/sessions", &[&id]).await;
    let session = listed.body["items"][0]["id"].clone();
    let _ = walk.get("DELETE /v1/users/{id}/sessions/{session_id}", &[&id, &session.as_str().unwrap_or_default()]).await;
    let _ = walk.get("DELETE /v1/users/{id}/sessions", &[&id]).await;

    let key = walk.put("POST /v1/api-keys", &[], json!({ "name": "k", "scopes": ["read"] })).await.id();
    let _ = walk.get("GET /v1/api-keys", &[]).await;
    let _ = walk.get("GET /v1/api-keys/{id}", &[&key]).await;
    let _ = walk.put("PATCH /v1/api-keys/{id}", &[&key], json!({ "name": "another" })).await;
    let _ = walk.get("DELETE /v1/api-keys/{id}", &[&key]).await;
    let _ = walk.get("GET /v1/me/limits", &[]).await;
    let _ = walk.get("GET /v1/users/{id}/limits", &[&id]).await;
    let _ = walk.put("PUT /v1/users/{id}/limits", &[&id], json!({ "requests_per_minute": 1_000 })).await;
    let _ = walk.get("GET /v1/audit-logs", &[]).await;
}

async fn connections(walk: &Walk) -> Uuid {
    let app = &walk.app;
    let shop = app.shop_sqlite().await;
    let bob = app.client("bob").await;
    let body = json!({ "name": "other", "db_type": "sqlite", "config": { "database": app.sqlite_folder().join("shop.sqlite") } });
    let id = walk.put("POST /v1/connections", &[], body).await.id();
    app.looked_at(id).await;
    let _ = walk.get("GET /v1/connections", &[]).await;
    let _ = walk.get("GET /v1/connections/{id}", &[&id]).await;
    let _ = walk.put("PATCH /v1/connections/{id}", &[&id], json!({ "description": "the same shop" })).await;
    for operation in ["POST /v1/connections/{id}/test", "POST /v1/connections/{id}/sync"] {
        let _ = walk.get(operation, &[&id]).await;
        app.looked_at(id).await;
    }
    let _ = walk.get("GET /v1/connections/{id}/schema", &[&id]).await;
    let allowed = json!({ "can_query": true, "max_rows_per_query": 10, "max_execution_time_seconds": 30 });
    let _ = walk.put("PUT /v1/connections/{id}/permissions/{user_id}", &[&id, &bob.user_id], allowed).await;
    let _ = walk.get("GET /v1/connections/{id}/permissions/{user_id}", &[&id, &bob.user_id]).await;
    let _ = walk.get("DELETE /v1/connections/{id}/permissions/{user_id}", &[&id, &bob.user_id]).await;
    let masks = json!({ "masks": [{ "table": "customers", "column": "email", "kind": "email" }] });
    let _ = walk.put("PUT /v1/connections/{id}/masks", &[&id], masks).await;
    let _ = walk.get("GET /v1/connections/{id}/masks", &[&id]).await;
    let _ = walk.get("DELETE /v1/connections/{id}", &[&id]).await;
    shop
}

async fn questions(walk: &Walk, shop: Uuid) {
    let app = &walk.app;
    let asked = json!({ "sql": "SELECT channel, count(*) AS orders FROM orders GROUP BY channel", "connection_id": shop });
    let id = walk.put("POST /v1/questions", &[], asked).await.id();
    let answer = app.admin.wait(id).await;
    assert_eq!(answer["status"], "success", "{answer}");
    for operation in [
        "GET /v1/questions/{id}",
        "GET /v1/questions/{id}/result",
        "GET /v1/questions/{id}/chart.svg",
        "GET /v1/questions/{id}/chart.png",
        "GET /v1/questions/{id}/events",
    ] {
        let _ = walk.get(operation, &[&id]).await;
    }
    let _ = walk.get("GET /v1/questions", &[]).await;
    let bob = app.client("bob").await.user_id;
    let _ = walk.get("PUT /v1/questions/{id}/shares/{user_id}", &[&id, &bob]).await;
    let _ = walk.get("GET /v1/questions/{id}/shares", &[&id]).await;
    let _ = walk.get("DELETE /v1/questions/{id}/shares/{user_id}", &[&id, &bob]).await;
    sqlx::query("DELETE FROM analysis_results WHERE query_history_id = $1").bind(id).execute(&app.pool).await.expect("its answer goes");
    let _ = walk.get("POST /v1/questions/{id}/rerun", &[&id]).await;
    app.admin.wait(id).await;

    let file = upload(&app.admin, "numbers.csv", b"city,people\nSeoul,9\nBusan,3\nDaegu,2\n").await.expect(201);
    walk.made("POST /v1/files", &file);
    let file = file.id();
    let _ = walk.get("GET /v1/files", &[]).await;
    let _ = walk.get("GET /v1/files/{id}", &[&file]).await;
    let _ = walk.get("POST /v1/files/{id}/analysis", &[&file]).await;
    let charts = until(
        || async {
            let analysis = app.admin.get(format!("/v1/files/{file}/analysis"), None).await.expect(200).body;
            (analysis["status"] == "success").then(|| analysis["charts"].clone())
        },
        "the file is analysed",
    )
    .await;
    let _ = walk.get("GET /v1/files/{id}/analysis", &[&file]).await;
    let picture = charts.as_array().into_iter().flatten().find_map(|chart| chart["svg_url"].as_str()).expect("there is a picture");
    let picture = picture.rsplit('/').next().unwrap_or_default();
    let _ = walk.get("GET /v1/files/{id}/analysis/charts/{picture}", &[&file, &picture]).await;
    let _ = walk.get("PUT /v1/files/{id}/analysis/shares/{user_id}", &[&file, &bob]).await;
    let _ = walk.get("GET /v1/files/{id}/analysis/shares", &[&file]).await;
    let _ = walk.get("DELETE /v1/files/{id}/analysis/shares/{user_id}", &[&file, &bob]).await;
    let _ = walk.get("DELETE /v1/files/{id}", &[&file]).await;
}

/// Asks while nobody answers: the question and its job.
async fn waiting(app: &TestApp) -> (Uuid, Uuid) {
    let asked = app.admin.post("/v1/questions", json!({ "question": "how many?" })).await.expect(202);
    (asked.id(), asked.body["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a question has a job"))
}

async fn dead(app: &TestApp) -> Uuid {
    let (_, job) = waiting(app).await;
    let error = json!({ "code": "internal", "message": "it went wrong", "retryable": false });
    sqlx::query(
        "WITH died AS (UPDATE jobs SET state = 'failed', in_flight = NULL, dead = true, finished_at = dg_now(), attempt = 3, error = $2
                       WHERE id = $1 RETURNING subject_id)
         UPDATE query_history SET status = 'error', error = $2, finished_at = dg_now() FROM died WHERE id = died.subject_id",
    )
    .bind(job)
    .bind(error)
    .execute(&app.pool)
    .await
    .expect("the job dies");
    job
}

async fn jobs(walk: &Walk, shop: Uuid) {
    let app = &walk.app;
    let (question, job) = waiting(app).await;
    let _ = walk.get("GET /v1/jobs", &[]).await;
    let _ = walk.get("GET /v1/jobs/{id}", &[&job]).await;
    let _ = walk.get("POST /v1/questions/{id}/cancel", &[&question]).await;
    let (_, job) = waiting(app).await;
    let _ = walk.get("POST /v1/jobs/{id}/cancel", &[&job]).await;
    waiting(app).await;
    let _ = walk.put("POST /v1/jobs/cancel", &[], json!({ "kind": "answer_question" })).await;
    for operation in ["POST /v1/jobs/{id}/retry", "POST /v1/dead-jobs/{id}/replay", "DELETE /v1/dead-jobs/{id}"] {
        let job = dead(app).await;
        let _ = walk.get(operation, &[&job]).await;
    }
    for operation in ["POST /v1/dead-jobs/replay", "POST /v1/dead-jobs/discard"] {
        dead(app).await;
        let _ = walk.put(operation, &[], json!({ "kind": "answer_question" })).await;
    }
    let _ = walk.get("GET /v1/dead-jobs", &[]).await;

    let batch = json!({ "connection_id": shop, "questions": [{ "custom_id": "one", "sql": "SELECT 1" }] });
    let batch = walk.put("POST /v1/batches", &[], batch).await.id();
    let _ = walk.get("GET /v1/batches", &[]).await;
    let _ = walk.get("GET /v1/batches/{id}", &[&batch]).await;
    let _ = walk.get("GET /v1/batches/{id}/results", &[&batch]).await;
    let _ = walk.get("POST /v1/batches/{id}/cancel", &[&batch]).await;
}

async fn service(walk: &Walk, shop: Uuid) {
    for operation in ["GET /v1/queues", "GET /v1/workers", "GET /v1/upkeep", "GET /v1/stats/queries", "GET /v1/stats/users"] {
        let _ = walk.get(operation, &[]).await;
    }
    for operation in ["GET /v1/queues/{name}", "POST /v1/queues/{name}/pause", "POST /v1/queues/{name}/resume"] {
        let _ = walk.get(operation, &[&"bulk"]).await;
    }
    for operation in ["GET /healthz", "GET /readyz", "GET /metrics"] {
        let _ = walk.call(&walk.app.anonymous(), operation, &[], None).await;
    }
    let _ = walk.get("GET /v1/settings", &[]).await;
    let _ = walk.get("GET /v1/settings/{key}", &[&"max_query_rows"]).await;
    let _ = walk.put("PUT /v1/settings/{key}", &[&"max_query_rows"], json!({ "value": 5_000 })).await;
    let _ = walk.get("DELETE /v1/settings/{key}", &[&"max_query_rows"]).await;

    let action = json!({ "kind": "question", "sql": "SELECT 1", "connection_id": shop });
    let schedule = json!({ "name": "daily", "cron": "0 9 * * *", "time_zone": "UTC", "catch_up": "skip", "action": action });
    let id = walk.put("POST /v1/schedules", &[], schedule).await.id();
    let _ = walk.get("GET /v1/schedules", &[]).await;
    let _ = walk.put("PATCH /v1/schedules/{id}", &[&id], json!({ "name": "every day" })).await;
    for operation in [
        "GET /v1/schedules/{id}",
        "POST /v1/schedules/{id}/pause",
        "POST /v1/schedules/{id}/resume",
        "POST /v1/schedules/{id}/run",
        "GET /v1/schedules/{id}/runs",
        "DELETE /v1/schedules/{id}",
    ] {
        let _ = walk.get(operation, &[&id]).await;
    }
}

async fn webhooks(walk: &Walk) {
    let app = &walk.app;
    let sink = Sink::start().await;
    let _ = walk.get("GET /v1/webhooks/callback-secret", &[]).await;
    let _ = walk.get("POST /v1/webhooks/callback-secret", &[]).await;
    let body = json!({ "url": sink.url(), "events": ["question.*"] });
    let id = walk.put("POST /v1/webhooks", &[], body).await.id();
    let _ = walk.get("GET /v1/webhooks", &[]).await;
    let _ = walk.get("GET /v1/webhooks/{id}", &[&id]).await;
    let _ = walk.put("PATCH /v1/webhooks/{id}", &[&id], json!({ "description": "of a test" })).await;
    let _ = walk.get("POST /v1/webhooks/{id}/rotate", &[&id]).await;
    let _ = walk.get("POST /v1/webhooks/{id}/test", &[&id]).await;
    let sent = |path: String| {
        let admin = app.admin.clone();
        let what = path.clone();
        async move {
            until(
                || async {
                    let page = admin.get(&path, None).await.expect(200).body;
                    let done = page["items"].as_array().into_iter().flatten().find(|delivery| delivery["state"] != "pending").cloned();
                    done.and_then(|delivery| delivery["id"].as_str().map(str::to_owned))
                },
                &what,
            )
            .await
        }
    };
    let delivery = sent(format!("/v1/webhooks/{id}/deliveries")).await;
    let _ = walk.get("GET /v1/webhooks/{id}/deliveries", &[&id]).await;
    let _ = walk.get("POST /v1/webhooks/{id}/deliveries/{delivery_id}/replay", &[&id, &delivery]).await;
    let _ = walk.put("POST /v1/webhooks/{id}/replay", &[&id], json!({ "since": "2020-01-01T00:00:00Z" })).await;
    let asked = json!({ "sql": "SELECT 1 AS one", "connection_id": app.shop_sqlite().await, "callback_url": sink.url() });
    let _ = app.admin.answer(asked).await;
    let delivery = sent("/v1/webhooks/callback-deliveries".to_owned()).await;
    let _ = walk.get("GET /v1/webhooks/callback-deliveries", &[]).await;
    let _ = walk.get("POST /v1/webhooks/callback-deliveries/{id}/replay", &[&delivery]).await;
    let _ = walk.get("DELETE /v1/webhooks/{id}", &[&id]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_leaves_the_line_that_the_table_says() {
    let app = TestApp::builder().offline().no_scheduler().with_setting("webhooks.allow_cidrs", "127.0.0.0/8").start().await;
    let walk = Walk { app, made: Mutex::default() };
    people(&walk).await;
    let shop = connections(&walk).await;
    questions(&walk, shop).await;
    webhooks(&walk).await;
    walk.app.worker.stop().await;
    jobs(&walk, shop).await;
    service(&walk, shop).await;

    let expected: BTreeMap<&str, &Audited> = OPERATIONS.iter().map(|(operation, audited)| (*operation, audited)).collect();
    let made = walk.made.lock().expect("nobody panicked").clone();
    for (operation, request) in &made {
        let audited = expected.get(operation.as_str()).unwrap_or_else(|| panic!("{operation} is not in the table"));
        match audited {
            Audited::Not(_) => assert_eq!(walk.lines_of(*request).await, [""; 0], "{operation}"),
            Audited::Change(actions) | Audited::Both(actions, ..) => {
                let lines = walk.lines_of(*request).await;
                assert!(lines.iter().any(|line| actions.contains(&line.as_str())), "{operation} has {lines:?} and not {actions:?}");
            }
            // A moment later, with others.
            Audited::Read(action, _) => {
                until(|| async { walk.lines_of(*request).await.iter().any(|line| line == action).then_some(()) }, operation).await;
            }
        }
    }
    let called: BTreeSet<&str> =
        made.iter().map(|(operation, _)| operation.as_str()).chain(ELSEWHERE.iter().map(|(name, _)| *name)).collect();
    let uncalled: Vec<&&str> = expected.keys().filter(|operation| !called.contains(**operation)).collect();
    assert!(uncalled.is_empty(), "the audit lines of {uncalled:?} are not tried here: call them, or say where they are");

    let ran: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM audit_logs WHERE action = 'sql.run' AND result = 'success' AND user_id = $1 AND details->>'sql' LIKE 'SELECT%'
         AND details->>'connection_id' = $2",
    )
    .bind(walk.app.admin.user_id)
    .bind(shop.to_string())
    .fetch_one(&walk.app.pool)
    .await
    .expect("the log is read");
    assert!(ran >= 2, "what ran on the shop is in the log: {ran}");
}
