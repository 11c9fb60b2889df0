//! Signing in and out, and the ways in which a token is carried.

use datagenie_tests::{TestApp, until};
use reqwest::Method;
use serde_json::json;

use super::without_request_id;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let login = |username: &'static str, password: &'static str| {
        let nobody = app.anonymous();
        async move { nobody.post("/v1/auth/login", json!({ "username": username, "password": password })).await }
    };
    let wrong = login("admin", "not the password").await;
    let unknown = login("nobody-of-this-name", "not the password").await;
    wrong.problem(401, "invalid_credentials");
    unknown.problem(401, "invalid_credentials");
    assert_eq!(without_request_id(&wrong.body), without_request_id(&unknown.body));
    assert_eq!(wrong.header("set-cookie"), "");
    for empty in [login("", "").await, login("admin", "").await] {
        empty.problem(401, "invalid_credentials");
    }
    let failed: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action = 'login' AND result <> 'success'")
        .fetch_one(&app.pool)
        .await
        .expect("the audit log is read");
    assert_eq!(failed, 4, "every failed login is in the audit log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_tells_who_one_is_and_a_logout_ends_its_token_only() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (first, second) = (app.client("alice").await, app.client("alice").await);
    assert_ne!(first.token(), second.token());
    let me = first.get("/v1/me", None).await.expect(200).body;
    assert_eq!((&me["username"], &me["role"], &me["is_active"]), (&json!("alice"), &json!("user"), &json!(true)));
    assert!(me["last_login_at"].is_string());
    assert!(!me.to_string().contains("argon2"), "no hash is shown");

    let reply = first.post("/v1/auth/logout", None).await.expect(204);
    assert!(reply.header("set-cookie").contains("Max-Age=0"));
    first.get("/v1/me", None).await.problem(401, "unauthenticated");
    let _ = second.get("/v1/me", None).await.expect(200);

    // Another api may have looked at it within the second before.
    let (url, _api) = app.start_api().await;
    let elsewhere = second.at(&url);
    let _ = elsewhere.get("/v1/me", None).await.expect(200);
    let _ = second.post("/v1/auth/logout", None).await.expect(204);
    until(|| async { (elsewhere.get("/v1/me", None).await.status == 401).then_some(()) }, "the other api refuses the token").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_comes_by_header_cookie_or_subprotocol() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let nobody = app.anonymous();
    let token = alice.token();
    let me = || nobody.request(Method::GET, "/v1/me");
    let cookie = format!("other=1; datagenie_session={token}");

    let _ = nobody.send(me().header("authorization", format!("bearer {token}"))).await.expect(200);
    let _ = nobody.send(me().header("cookie", &cookie)).await.expect(200);
    let _ = nobody.send(me().header("sec-websocket-protocol", format!("chat, bearer.{token}"))).await.expect(200);
    nobody.send(nobody.request(Method::GET, format!("/v1/me?token={token}"))).await.problem(401, "unauthenticated");
    for authorization in
        [String::from("Basic YWRtaW46YWRtaW4="), format!("Bearer {token}x"), "Bearer".to_owned(), "Bearer dg_nothing".to_owned()]
    {
        let refused = nobody.send(me().header("authorization", authorization)).await;
        refused.problem(401, "unauthenticated");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }

    // What changes something must come from a page of our own where the browser sends the cookie by itself.
    let logout = || nobody.request(Method::POST, "/v1/auth/logout").header("cookie", &cookie);
    nobody.send(logout()).await.problem(403, "permission_denied");
    nobody.send(logout().header("origin", "https://elsewhere.example")).await.problem(403, "permission_denied");
    let _ = nobody.send(logout().header("origin", &app.url)).await.expect(204);
}
