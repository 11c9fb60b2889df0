//! Every batch ends once, with one event and one callback, whatever is killed when.

use datagenie_common::ids::BatchId;
use datagenie_tests::{Answer, Sink, TestApp, TestAppBuilder, until};
use futures::{StreamExt, future::join_all};
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};
use uuid::Uuid;

use super::{batch, count, ended, field, lines, numbers, on_shop, send, told};
use crate::schedules::scheduler;

fn builder() -> TestAppBuilder {
    TestApp::builder().offline().no_scheduler().with_setting("webhooks.allow_cidrs", "127.0.0.1/32").with_setting("jobs.lease_seconds", "2")
}

async fn all_jobs_end(app: &TestApp) {
    let left = || async {
        (count(&app.pool, "SELECT count(*) FROM jobs WHERE batch_id IS NOT NULL AND finished_at IS NULL").await == 0).then_some(())
    };
    until(left, "the last question ends").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_between_the_last_end_and_the_look_strands_nothing_and_nobody_tells_twice() {
    let app = builder().start().await;
    let sink = Sink::start().await;
    let mut body = on_shop(&app, numbers(5)).await;
    body["callback_url"] = json!(sink.url());
    app.worker.stop().await;
    let id = send(&app.admin, body).await;
    // Whoever wants to settle the batch waits for its row.
    let mut held = app.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM batches WHERE id = $1 FOR UPDATE").bind(id).execute(&mut *held).await.expect("the row is held");
    let worker = app.start_worker().await;
    all_jobs_end(&app).await;
    worker.crash().await;
    held.rollback().await.expect("the row is let go");
    assert_eq!((&batch(&app.admin, id).await["status"], told(&app.pool).await.len()), (&json!("running"), 0), "nobody has looked");

    let nets: Vec<_> = (0..3).map(|_| scheduler(&app, "PT0S")).collect();
    let (sweeps, settles) = tokio::join!(
        join_all(nets.iter().map(|net| net.settling.sweep())),
        join_all(nets.iter().map(|net| net.settling.settle(BatchId(id)))),
    );
    assert!(sweeps.into_iter().chain(settles).all(|done| done.is_ok()));
    let done = batch(&app.admin, id).await;
    assert_eq!((&done["status"], &done["counts"]["success"]), (&json!("completed"), &json!(5)));
    assert_eq!(told(&app.pool).await, ["batch.completed"]);
    assert_eq!(count(&app.pool, "SELECT count(*) FROM webhook_deliveries WHERE callback_url IS NOT NULL").await, 1, "in the same commit");

    // Killed again before the callback: it waits for the next worker.
    let _worker = app.start_worker().await;
    let _scheduler = app.start_scheduler().await;
    let received = sink.has(1).await;
    assert_eq!((&received[0].event()["type"], &received[0].event()["data"]["batch_id"]), (&json!("batch.completed"), &json!(id)));
    let delivered =
        || async { (count(&app.pool, "SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'").await == 1).then_some(()) };
    until(delivered, "the callback is delivered").await;
    assert_eq!(sink.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_in_the_middle_costs_an_attempt_and_no_line() {
    let app = TestApp::builder().with_setting("jobs.lease_seconds", "2").with_setting("jobs.batch_window", "4").start().await;
    app.stub.say(Answer::Slow(std::time::Duration::from_millis(40), Box::new(Answer::Text("It is so."))));
    let questions: Vec<Value> = (0..40).map(|n| json!({ "custom_id": n.to_string(), "question": format!("Question {n}?") })).collect();
    let id = send(&app.admin, json!({ "questions": questions })).await;
    let some = || async { (batch(&app.admin, id).await["counts"]["success"].as_i64() >= Some(5)).then_some(()) };
    until(some, "some are answered").await;
    app.worker.crash().await;
    assert_eq!(batch(&app.admin, id).await["status"], "running");
    let _other = app.start_worker().await;
    let done = ended(&app.admin, id).await;
    assert_eq!((&done["status"], &done["counts"]["success"]), (&json!("completed"), &json!(40)), "{done}");
    assert_eq!(told(&app.pool).await, ["batch.completed"]);
    assert_eq!(count(&app.pool, "SELECT count(*) FROM events WHERE type = 'question.succeeded'").await, 40);
    assert_eq!(count(&app.pool, "SELECT count(*) FROM jobs WHERE batch_id IS NOT NULL").await, 40, "each line once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_killed_after_its_commit_leaves_a_batch_that_runs() {
    let app = builder().start().await;
    let user = app.admin.user_id;
    // What the api's commit writes, and nothing that comes after it.
    let id = Uuid::now_v7();
    sqlx::query(
        "INSERT INTO batch_items (batch_id, line, custom_id, question_id, first_line, payload)
         SELECT $1, n, n::text, q, n, jsonb_build_object('v', 1, 'question_id', q, 'question', '', 'connection_id', $2::uuid, 'file_id', NULL,
             'sql', 'SELECT ' || n || ' AS n FROM orders LIMIT 1', 'follows', NULL, 'cache', 'use')
         FROM (SELECT n, uuid7() AS q FROM generate_series(1, 540) n) t",
    )
    .bind(id)
    .bind(app.shop_sqlite().await)
    .execute(&app.pool)
    .await
    .expect("the lines are stored");
    sqlx::query(
        "INSERT INTO batches (id, user_id, on_invalid, total, questions, last_line, tally)
         VALUES ($1, $2, 'reject', 540, 540, 540, '{\"counts\":{\"total\":540,\"waiting\":540,\"running\":0,\"success\":0,\"error\":0,\"timeout\":0,\"cancelled\":0},\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"cost\":0}}')",
    )
    .bind(id)
    .bind(user)
    .execute(&app.pool)
    .await
    .expect("the batch is stored");
    let _scheduler = app.start_scheduler().await;
    // In two halves: unoptimised programs take long over so many questions.
    let look = || async {
        let counts = app.admin.get(format!("/v1/batches/{id}"), None).await.expect(200).body["counts"].clone();
        (counts["success"].as_u64() >= Some(270)).then_some(())
    };
    until(look, "half of them are done").await;
    let done = ended(&app.admin, id).await;
    assert_eq!((&done["status"], &done["counts"]["success"]), (&json!("completed"), &json!(540)), "{done}");
    let found = lines(&app.admin, id).await;
    assert!(
        (1..=540)
            .zip(&found)
            .all(|(n, line)| line["custom_id"].as_str().and_then(|id| id.parse().ok()) == Some(n) && line["rows"] == json!([[n]])),
        "in their order"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_does_not_reopen_a_batch_and_its_line_shows_the_newest() {
    let app = builder().start().await;
    let id = send(&app.admin, on_shop(&app, numbers(3)).await).await;
    let done = ended(&app.admin, id).await;
    let question = lines(&app.admin, id).await[1]["question_id"].as_str().and_then(|id| id.parse::<Uuid>().ok()).expect("an id");
    let job: Uuid = sqlx::query_scalar("UPDATE jobs SET state = 'failed', dead = true WHERE subject_id = $1 RETURNING id")
        .bind(question)
        .fetch_one(&app.pool)
        .await
        .expect("it is dead");
    sqlx::query("UPDATE query_history SET status = 'error' WHERE id = $1").bind(question).execute(&app.pool).await.expect("it failed");
    assert_eq!(field(&lines(&app.admin, id).await, "status"), ["success", "error", "success"]);
    let _ = app.admin.post(format!("/v1/jobs/{job}/retry"), None).await.expect(202);
    assert_eq!(app.admin.wait(question).await["status"], "success");
    let lane: String =
        sqlx::query_scalar("SELECT lane FROM jobs WHERE replay_of = $1").bind(job).fetch_one(&app.pool).await.expect("a job");
    assert_eq!(lane, "bulk", "among its own kind");
    let again = batch(&app.admin, id).await;
    assert_eq!((&again["status"], &again["finished_at"]), (&json!("completed"), &done["finished_at"]));
    assert_eq!(again["counts"]["success"], 3);
    assert_eq!(field(&lines(&app.admin, id).await, "rows"), [json!([[1]]), json!([[2]]), json!([[3]])]);
    assert_eq!(told(&app.pool).await, ["batch.completed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_brings_how_far_a_batch_is() {
    let app = TestApp::builder().offline().no_worker().start().await;
    let address = format!("{}/v1/events", app.url.replacen("http://", "ws://", 1));
    let mut request = address.as_str().into_client_request().expect("the address is one of a socket");
    let token = HeaderValue::from_str(&format!("Bearer {}", app.admin.token())).expect("a token is a header's text");
    request.headers_mut().insert("authorization", token);
    let mut socket = Box::pin(connect_async(request)).await.expect("the socket opens").0;
    let told = async {
        loop {
            let text = socket.next().await.expect("it stays open").expect("it is read").into_text().expect("it is text");
            let event: Value = serde_json::from_str(&text).unwrap_or_default();
            if event["type"] == "batch.progress" {
                return event;
            }
        }
    };
    // Progress is told to those who listen: whoever has just come may miss some.
    let sending = async {
        for _ in 0..60 {
            send(&app.admin, json!({ "questions": [{ "custom_id": "a", "question": "What is new?" }] })).await;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let event = tokio::select! {
        event = told => event,
        () = sending => panic!("no progress is told"),
    };
    assert_eq!(
        (&event["data"]["progress"], &event["sequence"]),
        (&json!({ "done": 0, "total": 1, "unit": "lines" }), &json!(null)),
        "{event}"
    );
    assert_eq!((&event["data"]["batch_id"], &event["data"]["counts"]["waiting"]), (&event["subject"], &json!(1)));
}
