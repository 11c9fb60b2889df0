//! The same `Idempotency-Key` twice, call by call: what the first request made, as it now is.

use datagenie_tests::{Client, Reply, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

async fn post(client: &Client, path: &str, key: &str, body: Option<Value>) -> Reply {
    let request = client.request(Method::POST, path).header("idempotency-key", key);
    client
        .send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_shown_again_whatever_has_changed_since() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let connection = app.shop_sqlite().await;
    let alice = app.client("alice").await;
    app.grant(connection, &alice).await;
    let body = json!({ "question": "how many?", "connection_id": connection });
    let first = post(&alice, "/v1/questions", "q", Some(body.clone())).await.expect(202);
    let _ = app.admin.delete(format!("/v1/connections/{connection}/permissions/{}", alice.user_id), None).await.expect(204);
    let again = post(&alice, "/v1/questions", "q", Some(body.clone())).await.expect(202);
    assert_eq!((again.id(), again.header("location")), (first.id(), first.header("location")));
    let mut other = body.clone();
    other["question"] = json!("how many more?");
    post(&alice, "/v1/questions", "q", Some(other)).await.problem(422, "idempotency_key_reused");
    post(&alice, "/v1/questions", "new", Some(body)).await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_made_once() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let body = json!({ "username": "bella", "email": "bella@example.com", "password": "a long password", "role": "user" });
    let first = post(&app.admin, "/v1/users", "u", Some(body.clone())).await.expect(201);
    assert_eq!(post(&app.admin, "/v1/users", "u", Some(body.clone())).await.expect(201).id(), first.id());
    let mut other = body.clone();
    other["role"] = json!("viewer");
    post(&app.admin, "/v1/users", "u", Some(other)).await.problem(422, "idempotency_key_reused");
    post(&app.admin, "/v1/users", "another", Some(body)).await.problem(409, "name_taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_key_is_made_once_and_not_shown_again() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let body = json!({ "name": "nightly", "scopes": ["read"] });
    let sends = (0..5).map(|_| post(&alice, "/v1/api-keys", "k", Some(body.clone())));
    let replies: Vec<Reply> = futures::future::join_all(sends).await.into_iter().map(|reply| reply.expect(201)).collect();
    assert!(replies.iter().all(|reply| reply.id() == replies[0].id()));
    assert_eq!(replies.iter().filter(|reply| reply.body["key"].is_string()).count(), 1, "shown once");
    assert!(replies.iter().all(|reply| reply.body.get("key").is_some()), "null where it is not shown");
    assert_eq!(alice.get("/v1/api-keys", None).await.expect(200).body["items"].as_array().map(Vec::len), Some(1));
    let _ = alice.delete(format!("/v1/api-keys/{}", replies[0].id()), None).await.expect(204);
    post(&alice, "/v1/api-keys", "k", Some(body)).await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_looked_at_once() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let connection = app.shop_sqlite().await;
    for what in ["test", "sync"] {
        let path = format!("/v1/connections/{connection}/{what}");
        let first = post(&app.admin, &path, what, None).await.expect(202);
        assert_eq!(post(&app.admin, &path, what, Some(json!({}))).await.expect(202).id(), first.id());
        assert_ne!(post(&app.admin, &path, &format!("{what}-2"), None).await.expect(202).id(), first.id());
        let _ = app.admin.post(format!("/v1/jobs/{}/cancel", first.id()), None).await.expect(200);
        assert_eq!(post(&app.admin, &path, what, None).await.expect(200).body["state"], "cancelled", "the job as it is now");
        for body in [json!({ "deep": true }), json!([]), json!(null)] {
            app.admin.post(&path, json!(body)).await.problem(422, "invalid_request");
        }
        let broken = app.admin.request(Method::POST, &path).body("nonsense");
        app.admin.send(broken).await.problem(422, "invalid_request");
    }
    let path = format!("/v1/connections/{connection}/sync");
    post(&app.admin, &path, "test", None).await.problem(422, "idempotency_key_reused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_job_is_retried_once() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let asked = alice.post("/v1/questions", json!({ "question": "how many?" })).await.expect(202);
    let job = asked.body["job_id"].as_str().unwrap_or_default().to_owned();
    sqlx::query("UPDATE jobs SET state = 'failed', in_flight = NULL, finished_at = dg_now(), dead = true")
        .execute(&app.pool)
        .await
        .expect("the job is dead");
    let path = format!("/v1/jobs/{job}/retry");
    let first = post(&alice, &path, "r", None).await.expect(202);
    assert_eq!((&first.body["replay_of"], first.header("retry-after")), (&json!(job), "1"));
    let again = post(&alice, &path, "r", None).await.expect(202);
    assert_eq!((again.id(), again.header("location")), (first.id(), first.header("location")));
    post(&alice, &path, "another", None).await.problem(409, "not_dead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_of_a_request_tells_nobody_its_password() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let new = json!({ "username": "carol", "email": "carol@example.com", "password": "guess me if you can", "role": "user" });
    let body = serde_json::to_vec(&new).expect("it is JSON");
    let ask = app
        .admin
        .request(Method::POST, "/v1/users")
        .header("content-type", "application/json")
        .header("idempotency-key", "one")
        .body(body.clone());
    let _ = app.admin.send(ask).await.expect(201);
    let plain = [b"POST\0/v1/users\0".as_slice(), &body].concat();
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_keys WHERE request_hash = sha256($1)")
        .bind(plain)
        .fetch_one(&app.pool)
        .await
        .expect("they are counted");
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_keys").fetch_one(&app.pool).await.expect("they are counted");
    assert_eq!((found, kept), (0, 1), "a hash without a key could be guessed at");
}
