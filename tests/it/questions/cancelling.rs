//! Stopping a question: while it waits, while the model thinks, while the customer's database works.

use std::time::Duration;

use datagenie_tests::{Answer, TestApp, until};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::{COUNT, Shop, assert_success};

/// Two and a half thousand million rows to count: longer than any test waits, also where nobody stops it.
const LONG: &str = "SELECT count(*) AS n FROM order_items a CROSS JOIN order_items b CROSS JOIN order_items c CROSS JOIN order_items d \
                    CROSS JOIN products e";

async fn cancel(shop: &Shop, id: Uuid, status: u16) -> Value {
    shop.app.admin.post(format!("/v1/questions/{id}/cancel"), None).await.expect(status).body
}

async fn assert_cancelled(shop: &Shop, id: Uuid) {
    let began = Instant::now();
    let ended = shop.app.admin.wait(id).await;
    assert_eq!((&ended["status"], &ended["rows"]), (&json!("cancelled"), &json!([])), "{ended}");
    // By itself neither the model's call nor the query would end within a minute.
    assert!(began.elapsed() < Duration::from_secs(30), "it took {:?}", began.elapsed());
    shop.app.admin.post(format!("/v1/questions/{id}/cancel"), None).await.problem(409, "already_ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_question_is_stopped_at_once_and_never_begun() {
    let shop = Shop::sqlite().await;
    shop.app.stub.say(Answer::Sql(COUNT));
    shop.app.worker.stop().await;
    let id = shop.app.admin.ask(shop.question("to be stopped?")).await;
    let other = shop.app.admin.ask(shop.question("to be answered?")).await;
    assert_eq!(cancel(&shop, id, 200).await["status"], "cancelled");
    let _worker = shop.app.start_worker().await;
    assert_success(&shop.app.admin.wait(other).await);
    assert_cancelled(&shop, id).await;
    assert_eq!(shop.app.stub.calls().len(), 1, "only the other one was drafted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_models_call_ends_with_its_question() {
    let shop = Shop::sqlite().await;
    shop.app.stub.say(Answer::Hang);
    let id = shop.app.admin.ask(shop.question("think for ever?")).await;
    until(|| async { (shop.app.stub.calls().len() == 1).then_some(()) }, "the model is asked").await;
    cancel(&shop, id, 202).await;
    assert_cancelled(&shop, id).await;
    until(|| async { (shop.app.stub.dropped() == 1).then_some(()) }, "the model's call is dropped").await;
}

/// Waits until a statement of ours runs on the customers' database, or until none does.
async fn until_at_work(shop: &Shop, expected: bool, what: &str) {
    let reader = shop.app.shop_pg_database().await;
    // The server tells the sessions of all of its databases.
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'datagenie' AND state = 'active'";
    let at_work = || async {
        let count: i64 =
            sqlx::query_scalar(sql).bind(&reader.database.name).fetch_one(&shop.app.pool).await.expect("the server tells its sessions");
        ((count > 0) == expected).then_some(())
    };
    until(at_work, what).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_customers_query_ends_with_its_question() {
    let shop = Shop::pg_of(TestApp::builder().offline().start().await).await;
    let id = shop.app.admin.ask(shop.statement(LONG)).await;
    until_at_work(&shop, true, "the customer's database works").await;
    cancel(&shop, id, 202).await;
    assert_cancelled(&shop, id).await;
    until_at_work(&shop, false, "the customer's database rests").await;
    assert_success(&shop.run(COUNT).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_on_a_file_ends_with_its_question() {
    let shop = Shop::sqlite_of(TestApp::builder().offline().start().await).await;
    let id = shop.app.admin.ask(shop.statement(LONG)).await;
    let path = format!("/v1/questions/{id}");
    // The stage is noted with the next heartbeat; until then only the job's state tells.
    until(
        || async {
            let job = shop.app.admin.get(&path, None).await.body["job_id"].as_str().unwrap_or_default().to_owned();
            (shop.app.admin.get(format!("/v1/jobs/{job}"), None).await.body["state"] == "running").then_some(())
        },
        "the question runs",
    )
    .await;
    cancel(&shop, id, 202).await;
    assert_cancelled(&shop, id).await;
    assert_success(&shop.run(COUNT).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_takes_too_long_is_ended() {
    let app = TestApp::builder().offline().with_setting("query.max_seconds", "1").start().await;
    for id in [app.shop_pg().await, app.shop_sqlite().await] {
        let ended = app.admin.answer(json!({ "sql": LONG, "connection_id": id })).await;
        assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("timeout"), &json!("timeout")), "{ended}");
    }
}
