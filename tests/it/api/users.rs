//! Users, which only administrators see.

use datagenie_tests::{TestApp, until};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_make_and_change_users() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let body =
        json!({ "username": "bella", "email": "bella@example.com", "password": "a long password", "role": "user", "full_name": "벨라" });
    let bella = app.admin.post("/v1/users", body.clone()).await.expect(201);
    assert!(!bella.text.contains("a long password") && !bella.text.contains("argon2"));
    let path = format!("/v1/users/{}", bella.id());
    assert_eq!(app.admin.get(&path, None).await.expect(200).body["full_name"], "벨라");

    app.admin.post("/v1/users", body.clone()).await.problem(409, "name_taken");
    for (field, value) in [("username", "b"), ("password", "short"), ("email", "no address"), ("role", "king")] {
        let mut wrong = body.clone();
        wrong["username"] = json!("charlie");
        wrong["email"] = json!("charlie@example.com");
        wrong[field] = json!(value);
        app.admin.post("/v1/users", wrong).await.problem(422, "invalid_request");
    }

    let signed_in = app.anonymous().login("bella", "a long password").await;
    let changed = app.admin.patch(&path, json!({ "role": "viewer" })).await.expect(200);
    assert_eq!(changed.body["role"], "viewer");
    until(|| async { (signed_in.get("/v1/me", None).await.body["role"] == "viewer").then_some(()) }, "the session has the new role").await;
    until(
        || async { (signed_in.post("/v1/questions", json!({ "question": "hello?" })).await.status == 403).then_some(()) },
        "a viewer may not ask",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_and_a_deactivation_end_all_sessions() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let path = format!("/v1/users/{}", alice.user_id);
    let _ = app.admin.patch(&path, json!({ "password": "another password" })).await.expect(200);
    alice.get("/v1/me", None).await.problem(401, "unauthenticated");
    let old = app.anonymous().post("/v1/auth/login", json!({ "username": "alice", "password": app.password() })).await;
    old.problem(401, "invalid_credentials");
    let alice = app.anonymous().login("alice", "another password").await;

    let _ = app.admin.patch(&path, json!({ "is_active": false })).await.expect(200);
    alice.get("/v1/me", None).await.problem(401, "unauthenticated");
    let gone = app.anonymous().post("/v1/auth/login", json!({ "username": "alice", "password": "another password" })).await;
    gone.problem(401, "invalid_credentials");

    let own = format!("/v1/users/{}", app.admin.user_id);
    app.admin.patch(&own, json!({ "role": "user" })).await.problem(422, "invalid_request");
    app.admin.patch(&own, json!({ "is_active": false })).await.problem(422, "invalid_request");
    app.admin.patch(&own, json!({ "password": "another password" })).await.problem(422, "invalid_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_viewers_do_not_do_what_administrators_do() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    for name in ["alice", "viewer"] {
        let client = app.client(name).await;
        for path in ["/v1/users", "/v1/stats/queries", "/v1/stats/users"] {
            client.get(path, None).await.problem(403, "permission_denied");
        }
        let connection = json!({ "name": "x", "db_type": "sqlite", "config": { "database": "/x.sqlite" } });
        client.post("/v1/connections", connection).await.problem(403, "permission_denied");
    }
    for path in ["/v1/stats/queries", "/v1/stats/users"] {
        let _ = app.admin.get(path, None).await.expect(200);
    }
}
