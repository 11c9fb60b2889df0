//! What is sent: every form of it, every line of it checked, nothing of it kept that is not taken in.

use datagenie_common::model::upkeep::UpkeepTask;
use datagenie_tests::{TestApp, until};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

use super::{batch, count, ended, field, lines, send_lines};

const ITEMS: &str = "SELECT count(*) FROM batch_items";

async fn quiet() -> TestApp {
    TestApp::builder().offline().no_worker().no_scheduler().start().await
}

fn general(custom_id: &str) -> Value {
    json!({ "custom_id": custom_id, "question": format!("What of {custom_id}?") })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_lines_are_told_by_number_and_name_and_nothing_is_kept() {
    let app = quiet().await;
    let foreign = Uuid::now_v7();
    let questions = json!([
        general("a"),
        { "custom_id": "b" },
        general("a"),
        { "custom_id": "d", "question": "?", "connection_id": foreign },
        { "custom_id": "e", "question": "?", "tea": true },
        7,
    ]);
    let refused = app.admin.post("/v1/batches", json!({ "questions": questions })).await;
    let problem = refused.problem(422, "invalid_request");
    let told: Vec<Value> = problem["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| json!([error["line"], error["custom_id"], error["code"]]))
        .collect();
    let expected = json!([
        [2, "b", "invalid_request"],
        [3, "a", "duplicate_custom_id"],
        [4, "d", "not_found"],
        [5, "e", "invalid_request"],
        [6, null, "invalid_request"],
    ]);
    assert_eq!(json!(told), expected, "{}", refused.text);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with("5 of 6 lines")), "{}", refused.text);
    assert_eq!((count(&app.pool, ITEMS).await, count(&app.pool, "SELECT count(*) FROM batches").await), (0, 0));

    let many: Vec<Value> = (0..300).map(|n| json!({ "custom_id": n.to_string() })).collect();
    let refused = app.admin.post("/v1/batches", json!({ "questions": many })).await;
    let problem = refused.problem(422, "invalid_request");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(100));
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains("300 of 300") && detail.contains("first 100")),
        "{}",
        refused.text
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_lines_run_without_the_bad_ones_where_that_is_wanted() {
    let app = TestApp::builder().offline().start().await;
    let shop = app.shop_sqlite().await;
    let text = "\u{FEFF}{\"custom_id\":\"a\",\"sql\":\"SELECT 1 AS n FROM orders LIMIT 1\"}\r\n\r\nnot json\r\n{\"custom_id\":\"c\"}\n{\"custom_id\":\"a\",\"sql\":\"SELECT 2\"}";
    let query = format!("?connection_id={shop}&on_invalid=skip");
    let id = send_lines(&app.admin, &query, text).await.expect(202).id();
    let done = ended(&app.admin, id).await;
    assert_eq!(
        (&done["status"], &done["invalid"], &done["counts"]["success"], &done["counts"]["error"]),
        (&json!("completed"), &json!(3), &json!(1), &json!(3))
    );
    let found = lines(&app.admin, id).await;
    assert_eq!(field(&found, "custom_id"), [json!("a"), json!(null), json!("c"), json!("a")]);
    let codes: Vec<&Value> = found.iter().map(|line| &line["error"]["code"]).collect();
    assert_eq!(codes, [&json!(null), &json!("invalid_json"), &json!("invalid_request"), &json!("duplicate_custom_id")]);
    assert_eq!(found[0]["rows"], json!([[1]]));
    send_lines(&app.admin, "?on_invalid=skip", "no\nnot this either").await.problem(422, "invalid_request");
    assert_eq!(count(&app.pool, ITEMS).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_batch_is_refused_with_what_is_wrong() {
    let app = TestApp::builder()
        .offline()
        .no_worker()
        .no_scheduler()
        .with_setting("limits.batch_lines", "3")
        .with_setting("limits.batch_mb", "1")
        .start()
        .await;
    let post = |kind: &'static str, body: Vec<u8>| {
        let request = app.admin.request(reqwest::Method::POST, "/v1/batches").header("content-type", kind).body(body);
        app.admin.send(request)
    };
    let json_body = |value: Value| value.to_string().into_bytes();
    let one = json!([general("a")]);
    for (body, status, code) in [
        ([b"\xEF\xBB\xBF".as_slice(), &json_body(json!({ "questions": [{ "custom_id": "a" }] }))].concat(), 422, "invalid_request"),
        (b"".to_vec(), 400, "invalid_json"),
        (b"[]".to_vec(), 422, "invalid_request"),
        (br#"{"questions":{"custom_id":"a"}}"#.to_vec(), 422, "invalid_request"),
        (br#"{"questions":[{"custom_id":"a","#.to_vec(), 400, "invalid_json"),
        (br#"{"questions":[],"questions":[]}"#.to_vec(), 400, "invalid_json"),
        (b"{\"questions\":\xFF}".to_vec(), 400, "invalid_json"),
        (json_body(json!({})), 422, "invalid_request"),
        (json_body(json!({ "questions": [] })), 422, "invalid_request"),
        (json_body(json!({ "questions": one, "colour": "red" })), 422, "invalid_request"),
        (json_body(json!({ "questions": one, "on_invalid": "maybe" })), 422, "invalid_request"),
        (json_body(json!({ "questions": one, "budget": {} })), 422, "invalid_request"),
        (json_body(json!({ "questions": one, "budget": { "tokens": 0 } })), 422, "invalid_request"),
        (json_body(json!({ "questions": one, "budget": { "cost": -1 } })), 422, "invalid_request"),
        (json_body(json!({ "questions": one, "callback_url": "ftp://x" })), 422, "invalid_request"),
        (json_body(json!({ "questions": one, "connection_id": "x" })), 422, "invalid_request"),
        (json_body(json!({ "questions": [general("a"), general("b"), general("c"), general("d")] })), 422, "invalid_request"),
        (format!("{{\"questions\":[{}{}]}}", "[".repeat(20_000), "]".repeat(20_000)).into_bytes(), 422, "invalid_request"),
        (json_body(json!({ "questions": ["a".repeat(1_048_576)] })), 413, "body_too_large"),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let reply = post("application/json", body).await;
        assert_eq!((reply.status, &reply.body["code"]), (status, &json!(code)), "{shown}: {}", reply.text);
        reply.problem(status, code);
    }
    post("text/csv", b"a,b".to_vec()).await.problem(415, "unsupported_media_type");
    let packed =
        app.admin.request(reqwest::Method::POST, "/v1/batches").header("content-encoding", "gzip").json(&json!({ "questions": one }));
    app.admin.send(packed).await.problem(415, "unsupported_media_type");
    send_lines(&app.admin, "?budget_tokens=0", general("a").to_string()).await.problem(422, "invalid_request");
    send_lines(&app.admin, "", b"\xFF\xFE\n".to_vec()).await.problem(422, "invalid_request");
    let both = app.admin.request(reqwest::Method::POST, "/v1/batches?budget_tokens=5").json(&json!({ "questions": one }));
    app.admin.send(both).await.problem(422, "invalid_request");
    assert_eq!((count(&app.pool, ITEMS).await, count(&app.pool, "SELECT count(*) FROM batches").await), (0, 0));
    let _ = send_lines(&app.admin, "?budget_tokens=5&budget_cost=0.5", general("a").to_string()).await.expect(202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_batch_is_neither_a_long_queue_nor_a_long_transaction() {
    let app = TestApp::builder().offline().no_worker().start().await;
    let text: String = (0..6_000).map(|n| format!("{}\n", general(&n.to_string()))).collect();
    let id = send_lines(&app.admin, "", text).await.expect(202).id();
    assert_eq!(count(&app.pool, ITEMS).await, 6_000);
    let jobs = count(&app.pool, "SELECT count(*) FROM jobs WHERE batch_id IS NOT NULL").await;
    assert!(jobs <= 1_024, "{jobs} jobs are made at once");
    // Lines lie in the transactions that stored them: none of these is of many.
    let most: i64 = count(&app.pool, "SELECT max(n) FROM (SELECT count(*) AS n FROM batch_items GROUP BY xmin) t").await;
    assert!(most <= 500, "{most} lines in one transaction");
    assert_eq!(batch(&app.admin, id).await["counts"]["waiting"], 6_000);
    let order: Vec<i32> = sqlx::query_scalar(
        "SELECT i.line FROM jobs j JOIN batch_items i ON i.question_id = j.subject_id WHERE j.batch_id IS NOT NULL ORDER BY j.run_at, j.id",
    )
    .fetch_all(&app.pool)
    .await
    .expect("the jobs are read");
    assert!(order.is_sorted(), "in the order of the lines");
}

/// A connection on which an upload has begun: a thousand lines of more.
async fn begun(app: &TestApp) -> TcpStream {
    let address = app.url.trim_start_matches("http://");
    let head = format!(
        "POST /v1/batches HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/jsonl\r\ncontent-length: 1000000\r\n\r\n",
        app.admin.token()
    );
    let mut stream = TcpStream::connect(address).await.expect("it connects");
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    for n in 0..1_000 {
        stream.write_all(format!("{}\n", general(&n.to_string())).as_bytes()).await.expect("it is sent");
    }
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_comes_to_a_standstill_is_given_up() {
    let app = TestApp::builder().offline().no_worker().no_scheduler().with_setting("api.slow_client_seconds", "1").start().await;
    let mut stream = begun(&app).await;
    let mut answer = [0; 32];
    stream.read_exact(&mut answer).await.expect("it is answered");
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(count(&app.pool, ITEMS).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let app = quiet().await;
    let stream = begun(&app).await;
    app.api.crash().await;
    drop(stream);
    assert_eq!((count(&app.pool, ITEMS).await, count(&app.pool, "SELECT count(*) FROM batches").await), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_an_api_left_when_it_was_killed_are_removed_and_old_batches_with_theirs() {
    let app = quiet().await;
    let kept = send_lines(&app.admin, "", format!("{}\n", general("a"))).await.expect(202).id();
    sqlx::query(
        "INSERT INTO batch_items (batch_id, line, question_id, first_line, payload)
         SELECT uuid7_at(dg_now() - interval '2 hours'), n, gen_random_uuid(), n, '{}'::jsonb FROM generate_series(1, 1200) n
         UNION ALL SELECT uuid7_at(dg_now() - interval '10 minutes'), 1, gen_random_uuid(), 1, '{}'",
    )
    .execute(&app.pool)
    .await
    .expect("they are left");
    let run = crate::upkeep::keep(&app, UpkeepTask::Batches).await;
    assert_eq!((&run["state"], &run["removed"]), (&json!("done"), &json!({ "lines": 1200 })), "{run}");
    assert_eq!(count(&app.pool, ITEMS).await, 2, "what may still be uploaded stays, and what has its batch");

    sqlx::query("UPDATE jobs SET state = 'succeeded', in_flight = NULL, finished_at = dg_now() WHERE batch_id IS NOT NULL")
        .execute(&app.pool)
        .await
        .expect("it is done");
    let scheduler = app.start_scheduler().await;
    until(|| async { (batch(&app.admin, kept).await["status"] == "completed").then_some(()) }, "the sweep finds that it is over").await;
    scheduler.stop().await;
    let run = crate::upkeep::keep_in(&app, UpkeepTask::Batches, "P91D").await;
    assert_eq!(run["removed"], json!({ "batches": 1, "lines": 2 }), "{run}");
    app.admin.get(format!("/v1/batches/{kept}"), None).await.problem(404, "not_found");
}
