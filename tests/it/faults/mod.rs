//! Faults of every part while questions are under way: nothing accepted is lost, nothing is answered twice.

/// A test on either broker, as `on_redis::…` and `on_rabbitmq::…`: its function takes which one.
macro_rules! on_both_brokers {
    (@each $broker:ident; $($test:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                Box::pin(super::$test($crate::faults::rig::On::$broker)).await;
            }
        )+
    };
    ($($test:ident),+ $(,)?) => {
        mod on_redis {
            on_both_brokers!(@each Redis; $($test),+);
        }
        mod on_rabbitmq {
            on_both_brokers!(@each Rabbitmq; $($test),+);
        }
    };
}

mod account;
mod api;
mod broker;
mod cancelling;
mod clocks;
mod commits;
mod database;
mod dead;
mod full;
mod kills;
mod model;
mod postgres;
mod redis;
mod rig;
mod scheduler;
mod standstill;
mod start;
mod stopping;

use datagenie_tests::TestApp;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

/// What the model drafts; the shop has so many orders.
const COUNT_ORDERS: &str = "SELECT count(*) FROM orders";

/// A question whose answer is in no cache.
fn question(connection: Uuid, number: usize) -> Value {
    json!({ "question": format!("How many orders are there? Ask no. {number}"), "connection_id": connection, "cache": "skip" })
}

/// Checks that a question ended well, and what it says.
#[track_caller]
fn assert_answered(answer: &Value) {
    assert_eq!(answer["status"], "success", "{answer}");
    assert_eq!(answer["rows"], json!([[datagenie_tests::shop::ORDERS]]), "{answer}");
}

/// Checks that a question has one terminal event, one answer, and one attempt that ended it.
async fn assert_ended_once(pool: &PgPool, question: Uuid) {
    let counts: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM events WHERE subject = $1::text),
                (SELECT count(*) FROM analysis_results WHERE query_history_id = $1),
                (SELECT count(*) FROM job_attempts a JOIN jobs j ON j.id = a.job_id
                 WHERE j.subject_id = $1 AND a.outcome IN ('succeeded', 'failed', 'cancelled'))",
    )
    .bind(question)
    .fetch_one(pool)
    .await
    .expect("they are counted");
    assert_eq!(counts, (1, 1, 1), "events, answers, last attempts of {question}");
}

/// How the attempts at a question ended that are over, oldest first.
async fn outcomes(app: &TestApp, question: Uuid) -> Vec<String> {
    sqlx::query_scalar("SELECT a.outcome FROM job_attempts a JOIN jobs j ON j.id = a.job_id WHERE j.subject_id = $1 ORDER BY a.ended_at")
        .bind(question)
        .fetch_all(&app.pool)
        .await
        .expect("the attempts are read")
}
