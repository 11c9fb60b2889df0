//! The offline planner, from the question to the answer, on both engines.

use datagenie_tests::{TestApp, shop};
use serde_json::Value;
use uuid::Uuid;

use super::{assert_error, assert_success};

fn number(cell: &Value) -> Option<f64> {
    cell.as_f64().or_else(|| cell.as_str()?.parse().ok())
}

async fn ask(app: &TestApp, id: Uuid, question: &str) -> Value {
    app.admin.answer(serde_json::json!({ "question": question, "connection_id": id })).await
}

/// The one number of an answer.
async fn one(app: &TestApp, id: Uuid, question: &str) -> f64 {
    let answer = ask(app, id, question).await;
    assert_success(&answer);
    assert_eq!(answer["provenance"]["model"], "offline-planner");
    assert_eq!(answer["row_count"], 1, "{question}: {answer}");
    let row = answer["rows"][0].as_array().expect("a row is an array");
    row.iter().rev().find_map(number).unwrap_or_else(|| panic!("{question}: no number in {row:?}"))
}

/// The last number of each row of an answer, sorted.
async fn many(app: &TestApp, id: Uuid, question: &str) -> Vec<f64> {
    let answer = ask(app, id, question).await;
    assert_success(&answer);
    let rows = answer["rows"].as_array().into_iter().flatten();
    let mut found: Vec<f64> = rows.filter_map(|row| row.as_array()?.iter().rev().find_map(number)).collect();
    found.sort_by(f64::total_cmp);
    found
}

#[expect(clippy::cast_precision_loss, reason = "the shop is small")]
fn exact(number: i64) -> f64 {
    number as f64
}

async fn answers_the_tour(app: &TestApp, id: Uuid) {
    let orders = shop::orders();
    let revenue_2024: i64 = orders.iter().filter(|order| order.year == 2024).map(|order| order.amount).sum();
    assert_eq!(one(app, id, "What was the total revenue in 2024?").await, exact(revenue_2024));
    assert_eq!(one(app, id, "How many customers are there?").await, exact(shop::CUSTOMERS));
    let customers = shop::customers();
    let from_seoul = |customer: i64| customers.iter().any(|c| c.id == customer && c.city == "서울");
    let seoul = orders.iter().filter(|order| from_seoul(order.customer_id)).count();
    assert_eq!(one(app, id, "서울 고객의 주문은 몇 건이야?").await, exact(i64::try_from(seoul).unwrap_or_default()));

    let cities = many(app, id, "도시별 고객 수는?").await;
    assert_eq!((cities.len(), cities.iter().sum::<f64>()), (12, exact(shop::CUSTOMERS)));
    let mut averages: Vec<f64> = ["web", "app", "store"]
        .map(|channel| {
            let amounts: Vec<i64> = orders.iter().filter(|order| order.channel == channel).map(|order| order.amount).collect();
            exact(amounts.iter().sum()) / exact(i64::try_from(amounts.len()).unwrap_or(1))
        })
        .to_vec();
    averages.sort_by(f64::total_cmp);
    assert_eq!(many(app, id, "Average order amount by channel").await, averages);
    assert_eq!(many(app, id, "How many orders were cancelled per year?").await, [4.0, 4.0, 4.0]);

    assert_error(&ask(app, id, "내일 날씨는 어때?").await, "unanswerable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_planner_answers_on_postgresql() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_pg().await;
    answers_the_tour(&app, id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_planner_answers_on_sqlite() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_sqlite().await;
    answers_the_tour(&app, id).await;
}
