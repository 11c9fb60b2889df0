//! API keys: shown once, held to their scopes, and gone when revoked.

use datagenie_tests::TestApp;
use serde_json::json;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_shown_once_and_refused_once_revoked() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let made = alice.post("/v1/api-keys", json!({ "name": "nightly", "scopes": ["read", "ask"] })).await.expect(201);
    let key = made.body["key"].as_str().expect("the key is shown").to_owned();
    assert!(key.starts_with("dg_"), "{key}");

    let list = alice.get("/v1/api-keys", None).await.expect(200);
    assert_eq!(list.body["items"].as_array().map(Vec::len), Some(1));
    assert!(!list.text.contains(&key), "a list never shows a key");
    let stored: String = sqlx::query_scalar("SELECT key_hash FROM api_keys").fetch_one(&app.pool).await.expect("the key is stored");
    assert_ne!(stored, key, "only its hash is stored");

    let by_key = alice.with_token(&key);
    assert_eq!(by_key.get("/v1/me", None).await.expect(200).body["username"], "alice");
    by_key.post("/v1/auth/logout", None).await.problem(422, "invalid_request");
    let path = format!("/v1/api-keys/{}", made.id());
    app.client("bob").await.delete(&path, None).await.problem(404, "not_found");
    let _ = alice.delete(&path, None).await.expect(204);
    by_key.get("/v1/me", None).await.problem(401, "unauthenticated");
    alice.delete(&path, None).await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_does_what_its_scopes_say() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let make = |scopes: serde_json::Value| {
        let alice = alice.clone();
        async move {
            let made = alice.post("/v1/api-keys", json!({ "name": "k", "scopes": scopes })).await.expect(201);
            alice.with_token(made.body["key"].as_str().expect("the key is shown"))
        }
    };
    let (reads, asks) = (make(json!(["read"])).await, make(json!(["ask"])).await);
    let _ = reads.get("/v1/questions", None).await.expect(200);
    reads.post("/v1/questions", json!({ "question": "hello?" })).await.problem(403, "permission_denied");
    let _ = asks.post("/v1/questions", json!({ "question": "hello?" })).await.expect(202);
    asks.get("/v1/questions", None).await.problem(403, "permission_denied");
    reads.post("/v1/api-keys", json!({ "name": "more", "scopes": ["read"] })).await.problem(403, "permission_denied");

    alice.post("/v1/api-keys", json!({ "name": "k", "scopes": ["admin"] })).await.problem(403, "permission_denied");
    for wrong in [json!([]), json!(["fly"])] {
        alice.post("/v1/api-keys", json!({ "name": "k", "scopes": wrong })).await.problem(422, "invalid_request");
    }
    let past = json!({ "name": "k", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z" });
    alice.post("/v1/api-keys", past).await.problem(422, "invalid_request");
    let foreign = json!({ "name": "k", "scopes": ["read"], "connections": [Uuid::now_v7()] });
    alice.post("/v1/api-keys", foreign).await.problem(404, "not_found");
}
