//! Passwords: which are taken, how they are changed, and what a password that somebody else knows still lets one do.

use datagenie_tests::{Client, TestApp, until};
use serde_json::{Value, json};

const NEW: &str = "seven cats on a roof";

async fn app() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

async fn change(client: &Client, current: &str, new: &str) -> datagenie_tests::Reply {
    client.post("/v1/auth/password", json!({ "current_password": current, "new_password": new })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weak_passwords_and_names_that_look_like_others_are_refused_with_the_reason() {
    let app = app().await;
    let body = |username: &str, password: &str| json!({ "username": username, "email": "bella@example.com", "password": password, "role": "user" });
    let long = "x1y2-".repeat(26);
    for password in [
        "",
        "short",
        "elevenchars",
        "Password12345",
        "P@ssw0rd2024!",
        "bellabellabella",
        "bella@example.com",
        "123456789012",
        "aaaaaaaaaaaa",
        "with a\nline break",
        long.as_str(),
    ] {
        let refused = app.admin.post("/v1/users", body("bella", password)).await;
        let problem = refused.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["field"], "password", "{password}: {problem}");
        assert!(password.is_empty() || !refused.text.contains(password), "the password is not repeated: {}", refused.text);
    }
    for username in ["аdmin2", "ad\u{200B}min2", "ab", "a\u{7}bc", "\u{202E}abc", "bell\u{3164}a", "'; DROP TABLE users --", "two  blanks"]
    {
        let problem = app.admin.post("/v1/users", body(username, NEW)).await.problem(422, "invalid_request").clone();
        assert_eq!(problem["errors"][0]["field"], "username", "{username:?}: {problem}");
    }
    // The letters of the first are Cyrillic, each of which looks like a Latin one.
    for taken in ["ADMIN", "ａｄｍｉｎ", "Admin"] {
        app.admin.post("/v1/users", body(taken, NEW)).await.problem(409, "name_taken");
    }
    let _ = app.admin.post("/v1/users", body("paypa", NEW)).await.expect(201);
    let lookalike = json!({ "username": "раура", "email": "other@example.com", "password": NEW, "role": "user" });
    app.admin.post("/v1/users", lookalike).await.problem(409, "name_taken");
    let same_address = json!({ "username": "other", "email": "BELLA@example.com", "password": NEW, "role": "user" });
    app.admin.post("/v1/users", same_address).await.problem(409, "name_taken");
    let signed_in = app.anonymous().login("PayPa", NEW).await;
    assert_eq!(signed_in.get("/v1/me", None).await.expect(200).body["username"], "paypa");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_needs_the_old_password_and_ends_the_other_sessions() {
    let app = app().await;
    let (alice, elsewhere) = (app.client("alice").await, app.client("alice").await);
    let refused = change(&alice, "not the old one", NEW).await;
    assert_eq!(refused.problem(422, "invalid_request")["errors"][0]["field"], "current_password");
    assert_eq!(change(&alice, app.password(), "short").await.problem(422, "invalid_request")["errors"][0]["field"], "new_password");
    assert_eq!(change(&alice, app.password(), app.password()).await.problem(422, "invalid_request")["errors"][0]["field"], "new_password");
    let _ = elsewhere.get("/v1/me", None).await.expect(200);

    let key = alice.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read", "manage"] })).await.expect(201);
    let key = alice.with_token(key.body["key"].as_str().unwrap_or_default());
    change(&key, app.password(), NEW).await.problem(403, "permission_denied");

    let _ = change(&alice, app.password(), NEW).await.expect(204);
    let _ = alice.get("/v1/me", None).await.expect(200);
    elsewhere.get("/v1/me", None).await.problem(401, "unauthenticated");
    let _ = key.get("/v1/me", None).await.expect(200);
    let old = app.anonymous().post("/v1/auth/login", json!({ "username": "alice", "password": app.password() })).await;
    old.problem(401, "invalid_credentials");
    let _ = app.anonymous().login("alice", NEW).await;

    let lines: Vec<(String, Option<Value>)> = sqlx::query_as(
        "SELECT result::text, details FROM audit_logs WHERE action = 'password.changed' AND user_id = $1 ORDER BY created_at",
    )
    .bind(alice.user_id)
    .fetch_all(&app.pool)
    .await
    .expect("the audit log is read");
    let results: Vec<_> = lines.iter().map(|(result, _)| result.as_str()).collect();
    assert_eq!(results, ["failure", "success"], "what was refused before the old password was looked at is no attempt");
    assert_eq!(lines[1].1.as_ref().map(|details| details["sessions_ended"].clone()), Some(json!(1)));
    the_old_one_opens_nothing_while_it_is_changed(&app, &alice).await;
}

/// The old password is the right one when it is read and checked, and another one when the session is to be opened.
async fn the_old_one_opens_nothing_while_it_is_changed(app: &TestApp, alice: &Client) {
    let count = "SELECT count(*) FROM user_sessions WHERE user_id = $1";
    let sessions = || sqlx::query_scalar::<_, i64>(count).bind(alice.user_id).fetch_one(&app.pool);
    let before = sessions().await.expect("they are counted");
    let mut change = app.pool.begin().await.expect("a transaction");
    sqlx::query("UPDATE users SET password_hash = 'another' WHERE id = $1")
        .bind(alice.user_id)
        .execute(&mut *change)
        .await
        .expect("it is set");
    let nobody = app.anonymous();
    let login = nobody.post("/v1/auth/login", json!({ "username": "alice", "password": NEW }));
    let commit = async {
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                         AND query LIKE 'UPDATE users SET last_login_at%')";
        until(
            || async { sqlx::query_scalar::<_, bool>(waits).fetch_one(&app.pool).await.expect("it is looked up").then_some(()) },
            "the login waits for the change",
        )
        .await;
        change.commit().await.expect("it is changed");
    };
    let (refused, ()) = tokio::join!(login, commit);
    refused.problem(401, "invalid_credentials");
    assert_eq!(sessions().await.expect("they are counted"), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_by_an_administrator_must_be_changed_before_anything_else() {
    let app = app().await;
    let alice = app.client("alice").await;
    let key = alice.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read"] })).await.expect(201);
    let key = alice.with_token(key.body["key"].as_str().unwrap_or_default());
    let reset = "set by the administrator";
    let _ = app.admin.patch(format!("/v1/users/{}", alice.user_id), json!({ "password": reset })).await.expect(200);
    alice.get("/v1/me", None).await.problem(401, "unauthenticated");

    let alice = app.anonymous().login("alice", reset).await;
    assert_eq!(alice.get("/v1/me", None).await.expect(200).body["must_change_password"], true);
    for path in ["/v1/questions", "/v1/connections", "/v1/auth/sessions", "/v1/jobs", "/v1/users", "/v1/events", "/v1/api-keys"] {
        alice.get(path, None).await.problem(403, "password_change_required");
    }
    alice.post("/v1/questions", json!({ "question": "hello?" })).await.problem(403, "password_change_required");
    alice.post("/v1/api-keys", json!({ "name": "x", "scopes": ["read"] })).await.problem(403, "password_change_required");
    // It was made before, and does not depend on the password.
    let _ = key.get("/v1/questions", None).await.expect(200);

    assert_eq!(change(&alice, reset, reset).await.problem(422, "invalid_request")["errors"][0]["field"], "new_password");
    let _ = change(&alice, reset, NEW).await.expect(204);
    let _ = alice.get("/v1/questions", None).await.expect(200);
    assert_eq!(alice.get("/v1/me", None).await.expect(200).body["must_change_password"], false);
    let _ = alice.post("/v1/auth/logout", None).await.expect(204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_administrators_who_take_each_others_rights_leave_one() {
    let app = app().await;
    let other = app.client("admin2").await;
    for round in 0..5 {
        let (first, second) = tokio::join!(
            app.admin.patch(format!("/v1/users/{}", other.user_id), json!({ "is_active": false })),
            other.patch(format!("/v1/users/{}", app.admin.user_id), json!({ "role": "user" })),
        );
        let active: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE role = 'admin' AND is_active")
            .fetch_one(&app.pool)
            .await
            .expect("the users are counted");
        assert_eq!(active, 1, "round {round}: {} {}", first.status, second.status);
        let refused = [&first, &second].into_iter().filter(|reply| reply.status != 200).count();
        assert_eq!(refused, 1, "{} {}", first.text, second.text);
        sqlx::query("UPDATE users SET role = 'admin', is_active = true WHERE role = 'user' OR NOT is_active")
            .execute(&app.pool)
            .await
            .expect("both are administrators again");
        if other.get("/v1/me", None).await.status != 200 {
            break;
        }
    }
}
