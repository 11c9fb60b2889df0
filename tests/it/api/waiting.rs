//! Jobs that somebody waits for.

use datagenie_tests::{TestApp, until};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_waits_for_a_job_is_told_of_its_end_or_to_look_again() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let connection = app.shop_sqlite().await;
    let sync = app.admin.request(Method::POST, format!("/v1/connections/{connection}/sync")).header("prefer", "wait=1");
    let pending = app.admin.send(sync).await.expect(202);
    let path = format!("/v1/jobs/{}", pending.id());
    assert_eq!((pending.header("location"), pending.header("retry-after")), (path.as_str(), "1"));
    let _ = app.admin.post(format!("/v1/connections/{connection}/test"), None).await.expect(202);

    let plain = app.admin.get(&path, None).await.expect(200);
    assert_eq!(plain.body["queue"]["position"], 0, "{}", plain.text);
    assert!(plain.body["queue"]["estimated_wait_ms"].is_number(), "{}", plain.text);
    let listed = app.admin.get("/v1/jobs?limit=2", None).await.expect(200).body;
    let queues: Vec<&Value> = listed["items"].as_array().into_iter().flatten().map(|job| &job["queue"]).collect();
    assert_eq!(queues, [&Value::Null, &Value::Null], "not in lists");
    let last = listed["items"][0]["id"].as_str().unwrap_or_default();
    assert_eq!(app.admin.get(format!("/v1/jobs/{last}"), None).await.expect(200).body["queue"]["position"], 0);

    let in_vain = app.admin.get_waiting(&path, 1).await.expect(202);
    assert_eq!((in_vain.header("location"), in_vain.header("retry-after")), (path.as_str(), "1"));
    let (waited, stopped) = tokio::join!(app.admin.get_waiting(&path, 30), app.admin.post(format!("{path}/cancel"), None));
    assert_eq!((waited.status, stopped.status), (200, 200), "{}", waited.text);
    assert_eq!((&waited.body["state"], &waited.body["queue"]), (&json!("cancelled"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_ends_while_one_waits_is_shown_at_its_end() {
    let app = TestApp::builder().no_scheduler().start().await;
    let connection = app.shop_sqlite().await;
    for what in ["test", "sync"] {
        let look = app.admin.request(Method::POST, format!("/v1/connections/{connection}/{what}")).header("prefer", "wait=30");
        let ended = app.admin.send(look).await.expect(200);
        assert_eq!(ended.body["state"], "succeeded", "{}", ended.text);
        assert_eq!(ended.body["attempts"].as_array().map(Vec::len), Some(1), "{}", ended.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_stops_a_running_job_is_told_where_to_look() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let asked = alice.post("/v1/questions", json!({ "question": "how many?" })).await.expect(202);
    let path = format!("/v1/jobs/{}", asked.body["job_id"].as_str().unwrap_or_default());
    sqlx::query("UPDATE jobs SET state = 'running', lease_id = gen_random_uuid(), lease_until = dg_now() + interval '1 hour'")
        .execute(&app.pool)
        .await
        .expect("the job runs");
    let stopping = alice.post(format!("{path}/cancel"), None).await.expect(202);
    assert_eq!((stopping.header("location"), stopping.header("retry-after")), (path.as_str(), "1"));
    assert_eq!(stopping.body["state"], "running");

    // One who is signed out while he waits waits no longer, and is shown nothing.
    let made = alice.post("/v1/api-keys", json!({ "name": "waits", "scopes": ["read"] })).await.expect(201);
    let key = alice.with_token(made.body["key"].as_str().expect("the key is shown")).from_address("127.0.0.40");
    let came_in = || async {
        let noted = sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT FROM api_key_addresses WHERE api_key_id = $1)").bind(made.id());
        noted.fetch_one(&app.pool).await.expect("it is looked up").then_some(())
    };
    let revoke = async {
        until(came_in, "the request has come in").await;
        let _ = alice.delete(format!("/v1/api-keys/{}", made.id()), None).await.expect(204);
    };
    let (held, ()) = tokio::join!(key.get_waiting(&path, 60), revoke);
    held.problem(401, "unauthenticated");
}
