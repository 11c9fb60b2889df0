//! Batches: thousands of questions at once, taken in whole or not at all, ended exactly once whatever dies meanwhile.

mod calls;
mod ending;
mod fairness;
mod results;
mod schedules;
mod uploads;

use datagenie_tests::{Client, Reply, TestApp, until};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

/// A line with a statement that brings one number.
fn number(custom_id: impl std::fmt::Display, number: usize) -> Value {
    json!({ "custom_id": custom_id.to_string(), "sql": format!("SELECT {number} AS n FROM orders LIMIT 1") })
}

/// So many lines, each with a question of its own.
fn numbers(count: usize) -> Vec<Value> {
    (1..=count).map(|n| number(n, n)).collect()
}

/// A batch of these on the SQLite shop.
async fn on_shop(app: &TestApp, questions: Vec<Value>) -> Value {
    json!({ "connection_id": app.shop_sqlite().await, "questions": questions })
}

/// Sends a batch; it must be taken in: its id.
async fn send(client: &Client, body: Value) -> Uuid {
    client.post("/v1/batches", body).await.expect(202).id()
}

/// Sends lines.
async fn send_lines(client: &Client, query: &str, lines: impl Into<Vec<u8>>) -> Reply {
    let request = client.request(reqwest::Method::POST, format!("/v1/batches{query}"));
    client.send(request.header("content-type", "application/jsonl").body(lines.into())).await
}

/// The batch as it is.
async fn batch(client: &Client, id: Uuid) -> Value {
    client.get(format!("/v1/batches/{id}"), None).await.expect(200).body
}

/// The batch once it has ended.
async fn ended(client: &Client, id: Uuid) -> Value {
    let seen = || async {
        let reply = client.get_waiting(format!("/v1/batches/{id}"), 10).await;
        (reply.status == 200).then_some(reply.body)
    };
    until(seen, "the batch ends").await
}

/// The lines of the results.
async fn lines(client: &Client, id: Uuid) -> Vec<Value> {
    let reply = client.get(format!("/v1/batches/{id}/results"), None).await.expect(200);
    assert_eq!(reply.header("content-type"), "application/jsonl; charset=utf-8");
    reply.text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// What a line of the results says of one field, for all of them.
fn field(lines: &[Value], name: &str) -> Vec<Value> {
    lines.iter().map(|line| line[name].clone()).collect()
}

async fn count(pool: &PgPool, of: &'static str) -> i64 {
    sqlx::query_scalar(of).fetch_one(pool).await.unwrap_or_else(|error| panic!("{of}: {error}"))
}

/// The types of the terminal events of batches, in their order.
async fn told(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("SELECT type FROM events WHERE type LIKE 'batch.%' ORDER BY seq").fetch_all(pool).await.expect("the events are read")
}
