//! `/v1/settings`: what is shown, what is refused and why, and that a change holds in every process.

mod live;

use std::collections::BTreeSet;

use datagenie_common::{live_settings, settings::keys};
use datagenie_tests::{Client, Reply, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

async fn quiet() -> TestApp {
    TestApp::builder().offline().no_worker().no_scheduler().start().await
}

async fn put(client: &Client, key: &str, value: Value) -> Reply {
    client.put(format!("/v1/settings/{key}"), json!({ "value": value })).await
}

/// The lines of the audit log about a setting, oldest first.
async fn audited(app: &TestApp, key: &str) -> Vec<(String, Value)> {
    sqlx::query_as("SELECT action, details FROM audit_logs WHERE action LIKE 'setting.%' AND resource_id = $1 ORDER BY created_at")
        .bind(key)
        .fetch_all(&app.pool)
        .await
        .expect("the audit log is read")
}

async fn stored(app: &TestApp, key: &str) -> Option<Value> {
    sqlx::query_scalar("SELECT value FROM system_settings WHERE key = $1").bind(key).fetch_optional(&app.pool).await.expect("it is read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_setting_is_listed_with_its_bounds_and_its_origin() {
    let app = quiet().await;
    let list = app.admin.get("/v1/settings", None).await.expect(200).body;
    let listed: BTreeSet<&str> = list["items"].as_array().into_iter().flatten().filter_map(|item| item["key"].as_str()).collect();
    assert_eq!(listed, keys::stored().filter_map(|key| key.stored).collect());
    for key in ["sealing_check", "max_query_row", "OPENAI_MODEL", "%FF", "x%2Fy"] {
        let reply = app.admin.get(format!("/v1/settings/{key}"), None).await;
        let detail = reply.problem(404, "not_found")["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("max_query_rows"), "the keys that there are: {detail}");
    }

    let rows = app.admin.get("/v1/settings/max_query_rows", None).await.expect(200).body;
    for (field, value) in [
        ("name", json!("query.max_rows")),
        ("category", json!("query")),
        ("type", json!("integer")),
        ("minimum", json!(1)),
        ("maximum", json!(10_000_000)),
        ("default", json!(10_000)),
        ("value", json!(10_000)),
        ("source", json!("system_settings")),
        ("held_by", Value::Null),
        ("environment", json!("DATAGENIE_QUERY__MAX_ROWS")),
        ("used_by", json!(["api", "worker"])),
        ("is_sensitive", json!(false)),
        ("problem", Value::Null),
    ] {
        assert_eq!(rows[field], value, "{field}: {rows}");
    }
    let of_group = app.admin.get("/v1/settings?category=cache", None).await.expect(200).body;
    assert_eq!(of_group["items"].as_array().map(Vec::len), Some(1), "{of_group}");
    app.admin.get("/v1/settings?colour=red", None).await.problem(422, "invalid_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_audited_with_what_was_before_and_a_reset_brings_back_what_stands_below() {
    let app = quiet().await;
    let changed = put(&app.admin, "max_query_rows", json!(500)).await.expect(200).body;
    assert_eq!((&changed["value"], &changed["updated_by"]), (&json!(500), &json!(app.admin.user_id)), "{changed}");
    assert_eq!(stored(&app, "max_query_rows").await, Some(json!(500)));
    // The same again changes nothing and tells nothing.
    let _ = put(&app.admin, "max_query_rows", json!(500)).await.expect(200);
    let reset = app.admin.delete("/v1/settings/max_query_rows", None).await.expect(200).body;
    assert_eq!((&reset["value"], &reset["source"], &reset["updated_at"]), (&json!(10_000), &json!("default"), &Value::Null), "{reset}");
    assert_eq!(stored(&app, "max_query_rows").await, None);
    let _ = app.admin.delete("/v1/settings/max_query_rows", None).await.expect(200);
    assert_eq!(
        audited(&app, "max_query_rows").await,
        [
            ("setting.changed".to_owned(), json!({ "old": 10_000, "new": 500 })),
            ("setting.reset".to_owned(), json!({ "old": 500, "new": null })),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_taken_is_refused_with_the_bound() {
    let app = quiet().await;
    for (key, value, part) in [
        ("max_query_rows", json!(0), "from 1 to 10000000"),
        ("max_query_rows", json!(10_000_001), "from 1 to 10000000"),
        ("max_query_rows", json!("500"), "a whole number"),
        ("max_query_rows", json!(5.5), "a whole number"),
        ("max_query_rows", json!(1e300), "a whole number"),
        ("max_query_rows", json!(null), "a whole number"),
        ("max_query_rows", json!([500]), "a whole number"),
        ("openai_temperature", json!(2.1), "from 0 to 2"),
        ("openai_temperature", json!({ "$numberDouble": "1" }), "from 0 to 2"),
        ("openai_model", json!("  "), "is empty"),
        ("openai_model", json!("gpt\n4"), "control character"),
        ("openai_model", json!("x".repeat(5_000)), "at most 4096 characters"),
        ("session_timeout_hours", json!(-1), "from 1 to 8760"),
        ("query_history_retention_days", json!(true), "from 1 to 36500"),
        ("openai_api_key", json!(17), "at most 4096 characters"),
        ("openai_api_key", json!("sk-ключ"), "not of ASCII"),
        ("event_retention_days", json!(14), "from 15 to 36500"),
    ] {
        let reply = put(&app.admin, key, value.clone()).await;
        let problem = reply.problem(422, "invalid_request");
        let message = problem["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(problem["errors"][0]["field"] == "value" && message.contains(part), "{key} {value}: {}", reply.text);
    }
    for body in [json!({}), json!({ "value": 5, "colour": "red" }), json!("5")] {
        app.admin.put("/v1/settings/max_query_rows", body).await.problem(422, "invalid_request");
    }
    put(&app.admin, "max_query_row", json!(5)).await.problem(404, "not_found");
    app.admin.delete("/v1/settings/sealing_check", None).await.problem(404, "not_found");
    assert_eq!(audited(&app, "max_query_rows").await, []);
    assert_eq!(stored(&app, "max_query_rows").await, Some(json!(10_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_environment_holds_can_not_be_changed() {
    let app = TestApp::builder().offline().no_worker().no_scheduler().with_setting("query.max_rows", "77").start().await;
    let shown = app.admin.get("/v1/settings/max_query_rows", None).await.expect(200).body;
    assert_eq!((&shown["value"], &shown["source"]), (&json!(77), &json!("environment")), "{shown}");
    assert_eq!(shown["held_by"], "DATAGENIE_QUERY__MAX_ROWS");
    let put = put(&app.admin, "max_query_rows", json!(5)).await;
    let detail = put.problem(409, "setting_held")["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("DATAGENIE_QUERY__MAX_ROWS"), "{detail}");
    app.admin.delete("/v1/settings/max_query_rows", None).await.problem(409, "setting_held");
    assert_eq!(stored(&app, "max_query_rows").await, Some(json!(10_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sensitive_setting_is_sealed_and_never_shown() {
    const SECRET: &str = "sk-planted-in-a-setting";
    let app = quiet().await;
    let before = app.admin.get("/v1/settings/openai_api_key", None).await.expect(200).body;
    assert_eq!((&before["is_set"], &before["is_sensitive"], &before["type"]), (&json!(false), &json!(true), &json!("secret")), "{before}");
    let put_reply = put(&app.admin, "openai_api_key", json!(SECRET)).await.expect(200);
    let listed = app.admin.get("/v1/settings", None).await.expect(200);
    let got = app.admin.get("/v1/settings/openai_api_key", None).await.expect(200);
    assert_eq!((&got.body["is_set"], &got.body["value"]), (&json!(true), &Value::Null), "{}", got.text);
    let sealed = stored(&app, "openai_api_key").await.expect("it is stored");
    let told = audited(&app, "openai_api_key").await;
    assert_eq!(told, [("setting.changed".to_owned(), json!({ "sensitive": true, "was_set": false, "is_set": true }))]);
    for text in [&put_reply.text, &listed.text, &got.text, &sealed.to_string(), &format!("{told:?}")] {
        assert!(!text.contains(SECRET), "{text}");
    }
    // Bound to its row: as another setting it does not open.
    let keyring = app.settings.sealing.keyring().expect("the app has a key");
    assert_eq!(live_settings::open(&keyring, "openai_api_key", &sealed).expect("it opens in its place"), json!(SECRET));
    assert!(live_settings::open(&keyring, "another_key", &sealed).is_err());
    let reset = app.admin.delete("/v1/settings/openai_api_key", None).await.expect(200).body;
    assert_eq!(reset["is_set"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_may_be_bound_to_what_was_seen() {
    let app = quiet().await;
    let path = "/v1/settings/cache_ttl_seconds";
    let seen = app.admin.get(path, None).await.expect(200).header("etag").to_owned();
    let change = |tag: &str, value: u32| {
        let request = app.admin.request(Method::PUT, path).header("if-match", tag).json(&json!({ "value": value }));
        app.admin.send(request)
    };
    let first = change(&seen, 60).await.expect(200);
    change(&seen, 70).await.problem(412, "precondition_failed");
    let unchanged = app.admin.send(app.admin.request(Method::GET, path).header("if-none-match", first.header("etag"))).await;
    assert_eq!(unchanged.status, 304, "{}", unchanged.text);
    let _ = change(first.header("etag"), 80).await.expect(200);
    let reset = app.admin.send(app.admin.request(Method::DELETE, path).header("if-match", first.header("etag"))).await;
    reset.problem(412, "precondition_failed");
    assert_eq!(stored(&app, "cache_ttl_seconds").await, Some(json!(80)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_change_at_the_same_time_are_both_audited_and_the_log_is_a_chain() {
    let app = quiet().await;
    let changes = (1..=8_u32).map(|n| {
        let admin = app.admin.clone();
        async move { put(&admin, "max_query_rows", json!(n)).await.expect(200) }
    });
    futures::future::join_all(changes).await;
    let told = audited(&app, "max_query_rows").await;
    assert_eq!(told.len(), 8, "{told:?}");
    let mut at = json!(10_000);
    // By time they may be told in another order than they were done: each begins where one ended.
    for _ in 0..told.len() {
        let next = told.iter().find(|(_, change)| change["old"] == at).unwrap_or_else(|| panic!("nobody changed {at}: {told:?}"));
        at = next.1["new"].clone();
    }
    assert_eq!(stored(&app, "max_query_rows").await, Some(at));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_administrators_see_and_change_settings() {
    let app = quiet().await;
    for client in [app.client("alice").await, app.client("viewer").await] {
        client.get("/v1/settings", None).await.problem(403, "permission_denied");
        client.get("/v1/settings/max_query_rows", None).await.problem(403, "permission_denied");
        put(&client, "max_query_rows", json!(5)).await.problem(403, "permission_denied");
        client.delete("/v1/settings/max_query_rows", None).await.problem(403, "permission_denied");
    }
    app.anonymous().get("/v1/settings", None).await.problem(401, "unauthenticated");
    for (scopes, connections) in [(json!(["read", "ask", "manage"]), Value::Null), (json!(["admin"]), json!([]))] {
        let made = app.admin.post("/v1/api-keys", json!({ "name": "k", "scopes": scopes, "connections": connections })).await.expect(201);
        let key = app.admin.with_token(made.body["key"].as_str().unwrap_or_default());
        put(&key, "max_query_rows", json!(5)).await.problem(403, "permission_denied");
    }
    assert_eq!(stored(&app, "max_query_rows").await, Some(json!(10_000)));
}
