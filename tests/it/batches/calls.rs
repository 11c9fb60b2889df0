//! The calls: what is made, shown, stopped and refused.

use std::collections::BTreeSet;

use datagenie_tests::{Answer, Reply, TestApp, until};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{batch, count, ended, field, lines, number, numbers, on_shop, send, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_taken_in_asked_and_told_of_once() {
    let app = TestApp::builder().offline().start().await;
    let alice = app.client("alice").await;
    app.grant(app.shop_sqlite().await, &alice).await;
    let mut questions = numbers(3);
    questions.push(json!({ "custom_id": "same", "sql": " SELECT 2 AS n FROM orders LIMIT 1; " }));
    questions.extend(["wrong", "wrong too"].map(|id| json!({ "custom_id": id, "sql": "SELECT nothing FROM orders" })));
    let made = alice.post("/v1/batches", on_shop(&app, questions).await).await.expect(202);
    let id = made.id();
    assert_eq!(made.header("location"), format!("/v1/batches/{id}"));
    assert_eq!((&made.body["counts"]["total"], &made.body["questions"]), (&json!(6), &json!(4)), "{}", made.text);

    let done = ended(&alice, id).await;
    assert_eq!(done["status"], "completed", "{done}");
    let expected = json!({ "total": 6, "waiting": 0, "running": 0, "success": 4, "error": 2, "timeout": 0, "cancelled": 0 });
    assert_eq!((&done["counts"], &done["progress"]["done"]), (&expected, &json!(6)));
    assert!(done["finished_at"].is_string());

    let found = lines(&alice, id).await;
    assert_eq!(field(&found, "custom_id"), ["1", "2", "3", "same", "wrong", "wrong too"]);
    assert_eq!(field(&found, "rows")[..4], [json!([[1]]), json!([[2]]), json!([[3]]), json!([[2]])]);
    assert_eq!(found[1]["question_id"], found[3]["question_id"], "computed once");
    assert_eq!((&found[4]["status"], &found[4]["error"]["code"]), (&json!("error"), &json!("sql_invalid")), "{}", found[4]);
    assert_eq!((&found[5]["error"], &found[5]["question_id"]), (&found[4]["error"], &found[4]["question_id"]), "failed once too");
    let question = alice.get(format!("/v1/questions/{}", found[0]["question_id"].as_str().expect("an id")), None).await.expect(200);
    assert_eq!(question.body["rows"], json!([[1]]), "a question like any other");

    assert_eq!(told(&app.pool).await, ["batch.completed"]);
    assert_eq!(count(&app.pool, "SELECT count(*) FROM jobs WHERE lane = 'bulk' AND batch_id IS NOT NULL").await, 4);
    assert_eq!(count(&app.pool, "SELECT count(*) FROM events WHERE type LIKE 'question.%'").await, 4);
    assert_eq!(count(&app.pool, "SELECT count(*) FROM audit_logs WHERE action IN ('batch.created', 'batch.read')").await, 2);
    let listed = alice.get("/v1/batches?status=completed", None).await.expect(200).body;
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["counts"]), (&json!(id), &expected));
    assert_eq!(alice.get("/v1/batches?status=running", None).await.expect(200).body["items"], json!([]));
    alice.post(format!("/v1/batches/{id}/cancel"), None).await.problem(409, "already_ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_is_sent_again_makes_no_second_batch_and_a_look_is_not_repeated() {
    let app = TestApp::builder().offline().no_worker().start().await;
    let body = on_shop_unready(&app).await;
    let post = |body: &Value| app.admin.send(app.admin.request(Method::POST, "/v1/batches").header("idempotency-key", "k").json(body));
    let (first, again) = (post(&body).await.expect(202), post(&body).await.expect(202));
    assert_eq!(first.id(), again.id());
    let mut other = body.clone();
    other["questions"][0]["question"] = json!("another?");
    post(&other).await.problem(422, "idempotency_key_reused");
    assert_eq!(count(&app.pool, "SELECT count(*) FROM batches").await, 1);

    let path = format!("/v1/batches/{}", first.id());
    let tag = app.admin.get(&path, None).await.expect(200).header("etag").to_owned();
    let unchanged = app.admin.send(app.admin.request(Method::GET, &path).header("if-none-match", tag)).await;
    assert_eq!(unchanged.status, 304);
    let waited = app.admin.get_waiting(&path, 1).await;
    assert_eq!((waited.status, &waited.body["status"]), (202, &json!("running")), "it waits for a worker");

    // Sent to two processes at once, it is made once, and nothing is left or taken of the others.
    let (other, _running) = app.start_api().await;
    let alice = app.client("alice").await;
    let limits = json!({ "questions_per_hour": 100 });
    let _ = app.admin.put(format!("/v1/users/{}/limits", alice.user_id), limits).await.expect(200);
    let elsewhere = alice.at(&other);
    let sends = (0..8).map(|n| {
        let client = if n % 2 == 0 { &alice } else { &elsewhere };
        client.send(client.request(Method::POST, "/v1/batches").header("idempotency-key", "k").json(&body))
    });
    let replies = futures::future::join_all(sends).await;
    let made: BTreeSet<Uuid> = replies.iter().filter(|reply| reply.status == 202).map(Reply::id).collect();
    assert_eq!(made.len(), 1, "{replies:?}");
    assert!(replies.iter().all(|reply| matches!(reply.status, 202 | 409)), "{replies:?}");
    let settled = || async {
        let left = alice.get("/v1/me/limits", None).await.expect(200).body["left"][0]["left"].clone();
        (count(&app.pool, "SELECT count(*) FROM batch_items").await == 4 && left == 98).then_some(())
    };
    until(settled, "what came to nothing is taken back").await;
    assert_eq!(count(&app.pool, "SELECT count(*) FROM batches").await, 2);
}

/// General questions, which need no connection.
async fn on_shop_unready(_app: &TestApp) -> Value {
    json!({ "questions": [{ "custom_id": "a", "question": "What is new?" }, { "custom_id": "b", "question": "And now?" }] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_not_begun_ends_at_once_when_it_is_cancelled() {
    let app = TestApp::builder().offline().no_worker().start().await;
    let questions: Vec<Value> = (0..1_000).map(|n| json!({ "custom_id": n.to_string(), "question": format!("Question {n}?") })).collect();
    let id = send(&app.admin, json!({ "questions": questions })).await;
    let jobs = count(&app.pool, "SELECT count(*) FROM jobs WHERE batch_id IS NOT NULL").await;
    assert!((256..1_000).contains(&jobs), "{jobs} jobs: a few at a time");
    let cancels = futures::future::join_all((0..4).map(|_| app.admin.post(format!("/v1/batches/{id}/cancel"), None))).await;
    assert!(cancels.iter().all(|reply| matches!(reply.status, 200 | 202 | 409)), "{cancels:?}");
    let done = ended(&app.admin, id).await;
    assert_eq!((&done["status"], &done["counts"]["cancelled"]), (&json!("cancelled"), &json!(1_000)), "{done}");
    assert_eq!(told(&app.pool).await, ["batch.cancelled"]);
    assert_eq!(count(&app.pool, "SELECT count(*) FROM events WHERE type = 'question.cancelled'").await, jobs, "each job has its end");
    assert_eq!(count(&app.pool, "SELECT count(*) FROM jobs WHERE finished_at IS NULL").await, 0);
    app.admin.post(format!("/v1/batches/{id}/cancel"), None).await.problem(409, "already_ended");
    assert_eq!(count(&app.pool, "SELECT count(*) FROM audit_logs WHERE action = 'batch.cancelled'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_stays_when_the_rest_is_cancelled() {
    let app = TestApp::builder().with_setting("jobs.batch_window", "2").start().await;
    app.stub.say(Answer::Text("It is so."));
    app.stub.say(Answer::Hang);
    let questions: Vec<Value> = (0..20).map(|n| json!({ "custom_id": n.to_string(), "question": format!("Question {n}?") })).collect();
    let id = send(&app.admin, json!({ "questions": questions })).await;
    let running = || async {
        let seen = batch(&app.admin, id).await;
        (seen["counts"]["success"] == 1 && seen["counts"]["running"] == 2).then_some(())
    };
    until(running, "one is answered and two hang").await;
    let stopping = app.admin.post(format!("/v1/batches/{id}/cancel"), None).await;
    assert!(matches!(stopping.status, 200 | 202), "{}", stopping.text);
    let done = ended(&app.admin, id).await;
    assert_eq!((&done["status"], &done["counts"]["success"], &done["counts"]["cancelled"]), (&json!("cancelled"), &json!(1), &json!(19)));
    let found = lines(&app.admin, id).await;
    assert_eq!(found.iter().filter(|line| line["status"] == "success").count(), 1);
    assert_eq!(told(&app.pool).await, ["batch.cancelled"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_budget_ends_the_rest() {
    let app = TestApp::builder().with_setting("jobs.batch_window", "1").start().await;
    app.stub.say(Answer::Text("It is so."));
    let questions: Vec<Value> = (0..30).map(|n| json!({ "custom_id": n.to_string(), "question": format!("Question {n}?") })).collect();
    // Each costs 120 tokens: the third one spends it.
    let id = send(&app.admin, json!({ "questions": questions, "budget": { "tokens": 300 } })).await;
    let done = ended(&app.admin, id).await;
    assert_eq!(done["status"], "budget_spent", "{done}");
    let asked = done["counts"]["success"].as_i64().expect("a number");
    assert!((3..30).contains(&asked), "{done}");
    assert_eq!(done["counts"]["cancelled"], 30 - asked);
    assert_eq!(done["usage"]["prompt_tokens"].as_i64().zip(done["usage"]["completion_tokens"].as_i64()), Some((asked * 100, asked * 20)));
    let found = lines(&app.admin, id).await;
    assert!(found.iter().filter(|line| line["status"] == "cancelled").all(|line| line["error"]["code"] == "budget_spent"), "{found:?}");
    assert_eq!(told(&app.pool).await, ["batch.cancelled"]);
    let data: Value =
        sqlx::query_scalar("SELECT data FROM events WHERE type LIKE 'batch.%'").fetch_one(&app.pool).await.expect("it is told");
    assert_eq!((&data["status"], &data["counts"]["success"]), (&json!("budget_spent"), &json!(asked)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_batch_is_an_unknown_one_and_an_admin_only_stops_it() {
    let app = TestApp::builder().offline().no_worker().start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let id = send(&alice, json!({ "questions": [{ "custom_id": "a", "question": "What is new?" }] })).await;
    for (method, path) in [(Method::GET, ""), (Method::GET, "/results"), (Method::POST, "/cancel")] {
        let call = |id: Uuid| bob.send(bob.request(method.clone(), format!("/v1/batches/{id}{path}")));
        call(id).await.problem(404, "not_found");
        call(Uuid::now_v7()).await.problem(404, "not_found");
    }
    assert_eq!(bob.get("/v1/batches", None).await.expect(200).body["items"], json!([]));
    app.client("viewer").await.post("/v1/batches", json!({})).await.problem(403, "permission_denied");
    assert_eq!(batch(&app.admin, id).await["user_id"], json!(alice.user_id));
    app.admin.get(format!("/v1/batches/{id}/results"), None).await.problem(403, "permission_denied");
    let _ = app.admin.post(format!("/v1/batches/{id}/cancel"), None).await;
    assert_eq!(ended(&alice, id).await["status"], "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_for_some_connections_sees_batches_of_no_others() {
    let app = TestApp::builder().offline().no_scheduler().start().await;
    let (shop, other) = (app.shop_sqlite().await, app.shop_pg().await);
    app.worker.stop().await;
    let key = json!({ "name": "k", "scopes": ["ask", "read"], "connections": [shop] });
    let key = app.admin.post("/v1/api-keys", key).await.expect(201);
    let key = app.admin.with_token(key.body["key"].as_str().expect("the key is shown"));
    let line = |connection: Uuid| json!({ "custom_id": connection, "question": "How many orders?", "connection_id": connection });
    let own = send(&app.admin, json!({ "questions": [line(shop), number("n", 1)], "connection_id": shop })).await;
    let mixed = send(&app.admin, json!({ "questions": [line(shop), line(other)] })).await;
    let _ = key.get(format!("/v1/batches/{own}"), None).await.expect(200);
    key.get(format!("/v1/batches/{mixed}"), None).await.problem(404, "not_found");
    let listed = key.get("/v1/batches", None).await.expect(200).body;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    let refused = key.post("/v1/batches", json!({ "questions": [line(other)] })).await;
    assert_eq!(refused.problem(422, "invalid_request")["errors"][0]["code"], "not_found", "{}", refused.text);
    let by_connection = app.admin.get(format!("/v1/batches?connection_id={other}"), None).await.expect(200).body;
    assert_eq!(by_connection["items"][0]["id"], json!(mixed));
}
