//! Taking questions in: the same key twice, and waiting for the answer.

use std::{collections::BTreeSet, time::Duration};

use datagenie_tests::{Answer, Client, Reply, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

async fn send(client: &Client, key: &str, body: Value) -> Reply {
    client.send(client.request(Method::POST, "/v1/questions").header("idempotency-key", key).json(&body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_is_the_same_question() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let body = json!({ "question": "how many?" });
    let first = send(&alice, "key-1", body.clone()).await.expect(202);
    let again = send(&alice, "key-1", body.clone()).await.expect(202);
    assert_eq!(first.id(), again.id());
    assert_eq!(first.header("location"), format!("/v1/questions/{}", first.id()));
    send(&alice, "key-1", json!({ "question": "how many more?" })).await.problem(422, "idempotency_key_reused");
    assert_ne!(send(&alice, "key-2", body.clone()).await.expect(202).id(), first.id());
    assert_ne!(send(&bob, "key-1", body.clone()).await.expect(202).id(), first.id(), "keys are one's own");
    send(&alice, &"k".repeat(256), body.clone()).await.problem(422, "invalid_request");

    let path = format!("/v1/questions/{}/cancel", first.id());
    let _ = alice.post(path, None).await.expect(200);
    assert_eq!(send(&alice, "key-1", body).await.expect(200).body["status"], "cancelled", "the question as it is now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_sends_at_once_make_one_question() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let sends = (0..20).map(|_| send(&alice, "once", json!({ "question": "how many?" })));
    let replies = futures::future::join_all(sends).await;
    let ids: BTreeSet<_> = replies.into_iter().map(|reply| reply.expect(202).id()).collect();
    assert_eq!(ids.len(), 1);
    let (questions, jobs): (i64, i64) = sqlx::query_as("SELECT (SELECT count(*) FROM query_history), (SELECT count(*) FROM jobs)")
        .fetch_one(&app.pool)
        .await
        .expect("the ledger is read");
    assert_eq!((questions, jobs), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_waits_for_the_answer_as_long_as_it_prefers() {
    let app = TestApp::builder().no_scheduler().start().await;
    app.stub.say(Answer::Json(json!({ "answer": "hello to you" })));
    let alice = app.client("alice").await;
    let ask = |seconds: u32, text: &str| {
        alice.request(Method::POST, "/v1/questions").header("prefer", format!("wait={seconds}")).json(&json!({ "question": text }))
    };
    let answered = alice.send(ask(30, "hello?")).await.expect(200);
    assert_eq!((&answered.body["status"], &answered.body["summary"]), (&json!("success"), &json!("hello to you")), "{}", answered.text);

    app.worker.stop().await;
    let began = Instant::now();
    let pending = alice.send(ask(1, "are you there?")).await.expect(202);
    assert_eq!(pending.body["status"], "pending");
    assert!((Duration::from_secs(1)..Duration::from_secs(10)).contains(&began.elapsed()), "{:?}", began.elapsed());
    // One who waits is woken by the end, not by his next look.
    let path = format!("/v1/questions/{}", pending.id());
    let (reader, stop) = (alice.clone(), format!("{path}/cancel"));
    let (woken, stopped) = tokio::join!(reader.get_waiting(&path, 30), alice.post(stop, None));
    assert_eq!((woken.status, stopped.status), (200, 200), "{}", woken.text);
    assert_eq!(woken.body["status"], "cancelled");
}
