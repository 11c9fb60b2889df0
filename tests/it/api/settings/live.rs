//! A changed setting holds in every process: the api that was told, another api, the worker, the scheduler, with Redis and without.

use datagenie_common::store::upkeep::Kept;
use datagenie_tests::{Answer, ModelStub, Processes, Reply, TestApp, until};
use reqwest::Method;
use serde_json::{Value, json};

use super::{put, quiet};

/// Sends a workbook of so many bytes.
async fn upload(client: &datagenie_tests::Client, bytes: usize) -> Reply {
    let mut body = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n".to_vec();
    body.extend(std::iter::repeat_n(*b"a,b\n", bytes / 4).flatten());
    body.extend_from_slice(b"\r\n--x--\r\n");
    let request = client.request(Method::POST, "/v1/files").header("content-type", "multipart/form-data; boundary=x");
    client.send(request.body(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_keeps_to_the_rows_and_the_time_in_the_cache_as_they_are_now() {
    let app = TestApp::builder().offline().no_scheduler().start().await;
    let shop = app.shop_sqlite().await;
    let client = app.client("alice").await;
    app.grant(shop, &client).await;
    let ask = || client.answer(json!({ "sql": "SELECT id FROM order_items ORDER BY id", "connection_id": shop }));
    // The policy is known to the worker, and to Redis, from here on.
    let before = ask().await;
    assert_eq!((&before["status"], &before["truncated"]), (&json!("success"), &json!(false)), "{before}");
    let _ = put(&app.admin, "cache_ttl_seconds", json!(77)).await.expect(200);
    for rows in [5, 20] {
        let _ = put(&app.admin, "max_query_rows", json!(rows)).await.expect(200);
        let answer = until(|| async { Some(ask().await).filter(|answer| answer["row_count"] == rows) }, "the limit holds").await;
        assert_eq!(answer["truncated"], true, "{answer}");
    }
    let mut redis = app.redis.connect().await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("datagenie:query:*").query_async(&mut redis).await.expect("Redis answers");
    let mut times = Vec::new();
    for key in &keys {
        times.push(redis::cmd("TTL").arg(key).query_async::<i64>(&mut redis).await.expect("Redis answers"));
    }
    assert!(times.iter().any(|seconds| (1..=77).contains(seconds)), "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_model_and_key_are_the_next_questions() {
    let stub = ModelStub::start().await;
    let base = stub.base_url();
    let app = TestApp::builder().offline().no_scheduler().model(stub).with_setting("llm.base_url", base).start().await;
    let shop = app.shop_sqlite().await;
    app.stub.say(Answer::Sql("SELECT count(*) AS n FROM orders"));
    let ask = || app.admin.answer(json!({ "question": "how many orders?", "connection_id": shop, "cache": "skip" }));
    assert_eq!(ask().await["provenance"]["model"], "gpt-4");
    let _ = put(&app.admin, "openai_model", json!("model-of-now")).await.expect(200);
    let _ = put(&app.admin, "openai_temperature", json!(0.5)).await.expect(200);
    let _ = put(&app.admin, "openai_api_key", json!("sk-of-now")).await.expect(200);
    let is_new = |call: &Value| call["model"] == "model-of-now" && call["temperature"] == 0.5;
    until(
        || async {
            let answer = ask().await;
            assert_eq!(answer["status"], "success", "{answer}");
            let asked_with_key = app.stub.authorizations().last().is_some_and(|header| header == "Bearer sk-of-now");
            (app.stub.calls().last().is_some_and(is_new) && asked_with_key).then_some(())
        },
        "the model is asked as it is set now",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_api_takes_uploads_and_logins_by_the_settings_of_now_with_redis_and_without() {
    let app = quiet().await;
    let (url, _second) = app.start_api().await;
    let admin = app.admin.at(&url);
    let _ = upload(&admin, 1_500_000).await.expect(201);
    let _ = put(&app.admin, "max_file_size_mb", json!(1)).await.expect(200);
    // The api that was told at once, the other one soon.
    upload(&app.admin, 1_500_000).await.problem(413, "body_too_large");
    until(|| async { (upload(&admin, 1_500_000).await.status == 413).then_some(()) }, "the other api knows it").await;
    let mut redis = app.redis.connect().await;
    let cached: String = redis::cmd("GET").arg("datagenie:settings:file").query_async(&mut redis).await.expect("Redis answers");
    assert!(cached.contains("max_file_size_mb"), "{cached}");

    app.redis.kill();
    let _ = put(&app.admin, "max_file_size_mb", json!(3)).await.expect(200);
    until(|| async { (upload(&admin, 1_500_000).await.status == 201).then_some(()) }, "the other api knows it without Redis").await;
    let _ = put(&app.admin, "session_timeout_hours", json!(2)).await.expect(200);
    let hours = || async {
        let signed_in = json!({ "username": "admin", "password": app.password() });
        let _ = app.anonymous().at(&url).post("/v1/auth/login", signed_in).await.expect(200);
        let newest =
            "SELECT extract(epoch FROM expires_at - created_at)::float8 / 3600 FROM user_sessions ORDER BY created_at DESC LIMIT 1";
        sqlx::query_scalar::<_, f64>(newest).fetch_one(&app.pool).await.expect("the sessions are read")
    };
    until(|| async { ((hours().await - 2.0).abs() < 0.1).then_some(()) }, "a session is as long as it is set").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_wrote_into_the_table_holds_and_nonsense_does_not() {
    let app = quiet().await;
    let shown = || async { app.admin.get("/v1/settings/max_query_rows", None).await.expect(200).body };
    let write = |value: Value| {
        let pool = app.pool.clone();
        async move {
            sqlx::query("UPDATE system_settings SET value = $1 WHERE key = 'max_query_rows'")
                .bind(value)
                .execute(&pool)
                .await
                .expect("written");
        }
    };
    write(json!(123)).await;
    assert_eq!(shown().await["value"], 123);
    // Until the process has taken it over: what held before is what it goes back to.
    let mut redis = app.redis.connect().await;
    until(
        || {
            let mut redis = redis.clone();
            async move {
                let cached: Option<String> = redis::cmd("GET").arg("datagenie:settings:query").query_async(&mut redis).await.ok()?;
                cached.filter(|text| text.contains("123")).map(drop)
            }
        },
        "the api has looked",
    )
    .await;
    let _: () = redis::cmd("FLUSHDB").query_async(&mut redis).await.expect("Redis answers");
    write(json!("many")).await;
    let view = until(|| async { Some(shown().await).filter(|view| view["problem"].is_string()) }, "it is told").await;
    assert_eq!(view["value"], 123, "{view}");
    // A program that starts now knows no earlier value: what stands below holds, and it serves, so that the row can be put right.
    let (started, url) = Processes::of(&app).api().await;
    let view = app.admin.at(&url).get("/v1/settings/max_query_rows", None).await.expect(200).body;
    assert!(view["value"] == 10_000 && view["problem"].is_string(), "{view}");
    until(|| async { started.log().contains("a stored setting can't be used").then_some(()) }, "its log says so").await;
    // Redis holds what is not so: the version and the mark tell.
    let forged = json!({ "version": "1.1", "values": "{\"max_query_rows\": 9}", "mark": "00" }).to_string();
    let _: () = redis::cmd("SET").arg("datagenie:settings:query").arg(forged).query_async(&mut redis).await.expect("Redis answers");
    let fixed = put(&app.admin, "max_query_rows", json!(50)).await.expect(200).body;
    assert_eq!((&fixed["value"], &fixed["problem"]), (&json!(50), &Value::Null), "{fixed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeping_times_may_come_from_the_environment() {
    let app = TestApp::builder().offline().no_worker().with_setting("upkeep.run_retention_days", "7").start().await;
    let shown = app.admin.get("/v1/settings/run_retention_days", None).await.expect(200).body;
    assert_eq!(
        (&shown["value"], &shown["source"], &shown["used_by"]),
        (&json!(7), &json!("environment"), &json!(["scheduler"])),
        "{shown}"
    );
    assert_eq!(Kept::Runs.of(&app.settings.upkeep), 7);
}
