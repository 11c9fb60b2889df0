//! Sessions over time: listed, revoked, moved by use, ended by settings; the row and its entry in Redis go together.

use datagenie_tests::{Client, TestApp, until};
use serde_json::{Value, json};
use uuid::Uuid;

async fn app() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

async fn sessions(client: &Client, path: &str) -> Vec<Value> {
    client.get(path, None).await.expect(200).body["items"].as_array().cloned().unwrap_or_default()
}

fn current(sessions: &[Value]) -> Uuid {
    let current = sessions.iter().find(|session| session["current"] == true).expect("one is the caller's");
    current["id"].as_str().and_then(|id| id.parse().ok()).expect("it has an id")
}

async fn execute(app: &TestApp, statement: &'static str, id: Uuid) {
    let done = sqlx::query(statement).bind(id).execute(&app.pool).await.expect("the statement runs");
    assert_eq!(done.rows_affected(), 1, "{statement}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_listed_and_revoked_by_their_user_and_by_administrators() {
    let app = app().await;
    let (alice, laptop, phone, bob) =
        (app.client("alice").await, app.client("alice").await, app.client("alice").await, app.client("bob").await);
    let listed = sessions(&alice, "/v1/auth/sessions").await;
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|session| session["ip_address"] == "127.0.0.1" && session["created_at"].is_string()), "{listed:?}");
    assert_eq!(listed.iter().filter(|session| session["current"] == true).count(), 1);

    let laptops = current(&sessions(&laptop, "/v1/auth/sessions").await);
    bob.delete(format!("/v1/auth/sessions/{laptops}"), None).await.problem(404, "not_found");
    let _ = laptop.get("/v1/me", None).await.expect(200);
    let _ = alice.delete(format!("/v1/auth/sessions/{laptops}"), None).await.expect(204);
    laptop.get("/v1/me", None).await.problem(401, "unauthenticated");
    alice.delete(format!("/v1/auth/sessions/{laptops}"), None).await.problem(404, "not_found");
    alice.delete("/v1/auth/sessions/no-id", None).await.problem(404, "not_found");

    assert_eq!(alice.delete("/v1/auth/sessions", None).await.expect(200).body["revoked"], 1);
    phone.get("/v1/me", None).await.problem(401, "unauthenticated");
    let _ = alice.get("/v1/me", None).await.expect(200);

    let path = format!("/v1/users/{}/sessions", alice.user_id);
    bob.get(&path, None).await.problem(403, "permission_denied");
    let one = sessions(&app.admin, &path).await;
    assert_eq!(one.len(), 1);
    let id = one[0]["id"].as_str().unwrap_or_default();
    app.admin.delete(format!("/v1/users/{}/sessions/{id}", bob.user_id), None).await.problem(404, "not_found");
    let _ = app.admin.delete(format!("{path}/{id}"), None).await.expect(204);
    alice.get("/v1/me", None).await.problem(401, "unauthenticated");
    let alice = app.client("alice").await;
    assert_eq!(app.admin.delete(&path, None).await.expect(200).body["revoked"], 1);
    alice.get("/v1/me", None).await.problem(401, "unauthenticated");
    app.admin.get(format!("/v1/users/{}/sessions", Uuid::now_v7()), None).await.problem(404, "not_found");
    let _ = bob.get("/v1/me", None).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_without_use_and_after_its_longest_time_and_use_moves_its_end() {
    let app = app().await;
    let alice = app.client("alice").await;
    let before = sessions(&alice, "/v1/auth/sessions").await;
    let id = current(&before);
    // Used a minute ago or more: this use is noted, and moves the end. One right after it writes nothing.
    execute(&app, "UPDATE user_sessions SET last_activity_at = last_activity_at - interval '2 hours', expires_at = expires_at - interval '2 hours' WHERE id = $1", id).await;
    until(
        || async {
            (sessions(&alice, "/v1/auth/sessions").await[0]["expires_at"].as_str() >= before[0]["expires_at"].as_str()).then_some(())
        },
        "the end has moved",
    )
    .await;
    let written = |app: &TestApp| {
        let pool = app.pool.clone();
        async move {
            sqlx::query_scalar::<_, String>("SELECT xmin::text FROM user_sessions WHERE id = $1")
                .bind(id)
                .fetch_one(&pool)
                .await
                .expect("it is there")
        }
    };
    let last = written(&app).await;
    let (url, _other) = app.start_api().await;
    for client in [&alice, &alice.at(&url)] {
        let _ = client.get("/v1/me", None).await.expect(200);
    }
    assert_eq!(written(&app).await, last, "at most once a minute");
    // The id is no secret, and alone it keeps nothing alive.
    execute(&app, "UPDATE user_sessions SET last_activity_at = last_activity_at - interval '2 hours' WHERE id = $1", id).await;
    let last = written(&app).await;
    let forged = format!("{}{}", &alice.token()[..alice.token().len() - 4], "AAAA");
    app.anonymous().with_token(forged).at(&url).get("/v1/me", None).await.problem(401, "unauthenticated");
    assert_eq!(written(&app).await, last, "a forged token is no use");

    execute(&app, "UPDATE user_sessions SET last_activity_at = last_activity_at - interval '25 hours' WHERE id = $1", id).await;
    until(|| async { (alice.get("/v1/me", None).await.status == 401).then_some(()) }, "it has ended without use").await;

    let alice = app.client("alice").await;
    let id = current(&sessions(&alice, "/v1/auth/sessions").await);
    // Near its longest time a use moves the end up to that.
    execute(&app, "UPDATE user_sessions SET created_at = created_at - interval '167 hours', last_activity_at = last_activity_at - interval '1 hour' WHERE id = $1", id).await;
    let ends_soon = "SELECT expires_at < dg_now() + interval '61 minutes' FROM user_sessions WHERE id = $1";
    until(
        || async {
            let _ = alice.get("/v1/me", None).await.expect(200);
            sqlx::query_scalar::<_, bool>(ends_soon).bind(id).fetch_one(&app.pool).await.expect("it is there").then_some(())
        },
        "the end is the longest time",
    )
    .await;
    execute(&app, "UPDATE user_sessions SET created_at = created_at - interval '2 hours' WHERE id = $1", id).await;
    until(|| async { (alice.get("/v1/me", None).await.status == 401).then_some(()) }, "it has ended after its longest time").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_out_of_the_settings_holds_for_sessions_of_before() {
    let app = app().await;
    let alice = app.client("alice").await;
    let id = current(&sessions(&alice, "/v1/auth/sessions").await);
    execute(&app, "UPDATE user_sessions SET last_activity_at = last_activity_at - interval '90 minutes' WHERE id = $1", id).await;
    sqlx::query("UPDATE system_settings SET value = '1' WHERE key = 'session_timeout_hours'").execute(&app.pool).await.expect("it is set");
    // Whether the use or the setting came first: then it is noted as used now, and the row is moved back again.
    until(
        || async {
            sqlx::query("UPDATE user_sessions SET last_activity_at = dg_now() - interval '90 minutes' WHERE id = $1")
                .bind(id)
                .execute(&app.pool)
                .await
                .expect("the row is written");
            (alice.get("/v1/me", None).await.status == 401).then_some(())
        },
        "an hour and a half without use is too long now",
    )
    .await;
}

/// Whether Redis holds an entry of this session.
async fn is_cached(app: &TestApp, id: Uuid) -> bool {
    let mut redis = app.redis.connect().await;
    redis::cmd("EXISTS").arg(format!("datagenie:session:{id}")).query_async::<bool>(&mut redis).await.expect("Redis answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_and_entry_of_a_revoked_session_go_together_with_redis_up_and_down() {
    let app = app().await;
    let (url, _other) = app.start_api().await;
    for redis_is_away in [false, true] {
        let alice = app.client("alice").await;
        let elsewhere = alice.at(&url);
        let id = current(&sessions(&alice, "/v1/auth/sessions").await);
        until(
            || async {
                let _ = elsewhere.get("/v1/me", None).await.expect(200);
                is_cached(&app, id).await.then_some(())
            },
            "the session is cached",
        )
        .await;
        if redis_is_away {
            app.redis.pause();
        }
        let _ = alice.delete(format!("/v1/auth/sessions/{id}"), None).await.expect(204);
        alice.get("/v1/me", None).await.problem(401, "unauthenticated");
        until(|| async { (elsewhere.get("/v1/me", None).await.status == 401).then_some(()) }, "the other api refuses it").await;
        if redis_is_away {
            // It comes back as it was, with the entry: that is trusted by nobody, and goes.
            app.redis.resume();
            elsewhere.get("/v1/me", None).await.problem(401, "unauthenticated");
        }
        until(|| async { (!is_cached(&app, id).await).then_some(()) }, "the entry is gone").await;
        elsewhere.get("/v1/me", None).await.problem(401, "unauthenticated");
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM user_sessions WHERE id = $1")
            .bind(id)
            .fetch_one(&app.pool)
            .await
            .expect("it is counted");
        assert_eq!(rows, 0);
    }
    // Nobody tells of a row that is deleted in the database.
    let alice = app.client("alice").await;
    let id = current(&sessions(&alice, "/v1/auth/sessions").await);
    execute(&app, "DELETE FROM user_sessions WHERE id = $1", id).await;
    until(|| async { (alice.get("/v1/me", None).await.status == 401).then_some(()) }, "it is refused").await;
    assert!(!is_cached(&app, id).await, "who is refused takes the entry with him");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deactivated_user_is_refused_by_session_and_key() {
    let app = app().await;
    let alice = app.client("alice").await;
    let key = alice.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read"] })).await.expect(201);
    let key = alice.with_token(key.body["key"].as_str().unwrap_or_default());
    let _ = key.get("/v1/me", None).await.expect(200);
    let path = format!("/v1/users/{}", alice.user_id);
    let _ = app.admin.patch(&path, json!({ "is_active": false })).await.expect(200);
    alice.get("/v1/me", None).await.problem(401, "unauthenticated");
    until(|| async { (key.get("/v1/me", None).await.status == 401).then_some(()) }, "the key is refused").await;
    let _ = app.admin.patch(&path, json!({ "is_active": true })).await.expect(200);
    alice.get("/v1/me", None).await.problem(401, "unauthenticated");
    until(|| async { (key.get("/v1/me", None).await.status == 200).then_some(()) }, "a key is usable again with its user").await;
}
