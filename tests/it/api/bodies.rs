//! Bodies that can't be taken: each gets a clear problem, and nothing is stored.

use datagenie_tests::{Client, Reply, TestApp};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

async fn post(client: &Client, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    client.send(client.request(Method::POST, "/v1/questions").header("content-type", content_type).body(body.into())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_question_is_refused_and_leaves_nothing() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let json_type = "application/json";

    for broken in ["", "{", "{\"question\": }", "nonsense", "{\"question\":\"a\"} trailing"] {
        post(&alice, json_type, broken).await.problem(400, "invalid_json");
    }
    post(&alice, json_type, b"{\"question\":\"\xff\xfe\"}".as_slice()).await.problem(400, "invalid_json");
    post(&alice, json_type, r#"{"question":"a\u0000b"}"#).await.problem(422, "invalid_request");
    post(&alice, json_type, "{\"question\":\"a\u{0}b\"}").await.problem(400, "invalid_json");
    post(&alice, "text/plain", r#"{"question":"a"}"#).await.problem(415, "unsupported_media_type");
    post(&alice, "application/x-www-form-urlencoded", "question=a").await.problem(415, "unsupported_media_type");

    let too_long = json!({ "question": "가".repeat(100 * 1024 / 3) });
    for (body, field) in [
        (json!({ "question": "   " }), "question"),
        (json!({ "question": "" }), "question"),
        (json!({}), "question"),
        (too_long, "question"),
        (json!({ "sql": "SELECT 1" }), "connection_id"),
        (json!({ "question": "a", "deadline_seconds": 0 }), "deadline_seconds"),
        (json!({ "question": "a", "follows": Uuid::now_v7() }), "follows"),
    ] {
        let refused = alice.post("/v1/questions", body).await;
        assert_eq!(refused.problem(422, "invalid_request")["errors"][0]["field"], field, "{}", refused.text);
    }
    for body in [
        json!({ "question": "a", "colour": "red" }),
        json!({ "question": 7 }),
        json!(["question"]),
        json!({ "question": "a", "cache": "no" }),
    ] {
        alice.post("/v1/questions", body).await.problem(422, "invalid_request");
    }
    alice.post("/v1/questions", json!({ "question": "a", "file_id": Uuid::now_v7() })).await.problem(404, "not_found");
    alice.post("/v1/questions", json!({ "question": "a", "connection_id": Uuid::now_v7() })).await.problem(404, "not_found");

    let huge = format!("{{\"question\":\"{}\"}}", "a".repeat(2 * 1024 * 1024));
    post(&alice, json_type, huge).await.problem(413, "body_too_large");

    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM query_history").fetch_one(&app.pool).await.expect("the history is read");
    assert_eq!(stored, 0, "what is refused is not stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_has_the_one_form() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    alice.get("/v1/nothing/here", None).await.problem(404, "not_found");
    app.anonymous().get("/v1/nothing/here", None).await.problem(404, "not_found");
    alice.delete("/v1/questions", None).await.problem(405, "method_not_allowed");
    alice.get("/v1/questions/no-uuid", None).await.problem(404, "not_found");
    alice.get("/v1/questions?colour=red", None).await.problem(422, "invalid_request");
    alice.get("/v1/questions?status=%00", None).await.problem(422, "invalid_request");
    alice.get("/v1/events", None).await.problem(422, "invalid_request");
    alice.get("/v1/users", None).await.problem(403, "permission_denied");
    app.anonymous().get("/v1/me", None).await.problem(401, "unauthenticated");
}
