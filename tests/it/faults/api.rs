//! An api that dies between taking a question in and answering it.

use std::sync::atomic::{AtomicUsize, Ordering};

use datagenie_tests::{Answer, Client, Processes, TestApp, until};
use futures::future::{join, join_all};
use reqwest::Method;
use uuid::Uuid;

use super::{COUNT_ORDERS, assert_answered, assert_ended_once, question};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_api_has_taken_in_is_answered_after_its_death() {
    let app = TestApp::builder().no_worker().start().await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Sql(COUNT_ORDERS));
    let processes = Processes::of(&app);
    let (api, url) = processes.api().await;
    let id = app.admin.at(&url).ask(question(shop, 1)).await;
    api.kill9();
    let _worker = app.start_worker().await;
    assert_answered(&app.admin.wait(id).await);
    assert_ended_once(&app.pool, id).await;
}

/// Asks with an idempotency key; none: no answer came.
async fn ask_with_key(client: &Client, connection: Uuid, number: usize) -> Option<Uuid> {
    let request = client.request(Method::POST, "/v1/questions").header("idempotency-key", format!("ask-{number}"));
    let response = request.json(&question(connection, number)).send().await.ok()?;
    let status = response.status().as_u16();
    let body: serde_json::Value = response.json().await.ok()?;
    assert!(matches!(status, 200 | 202), "{status} {body}");
    body["id"].as_str()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submissions_whose_api_is_killed_are_sent_again_and_stored_once() {
    const ASKED: usize = 100;
    let app = TestApp::builder().no_worker().start().await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Sql(COUNT_ORDERS));
    let processes = Processes::of(&app);
    let (api, url) = processes.api().await;
    let (dying, answered) = (app.admin.at(&url), AtomicUsize::new(0));
    let asks = join_all((0..ASKED).map(|number| {
        let (dying, answered) = (&dying, &answered);
        async move {
            let id = ask_with_key(dying, shop, number).await;
            if id.is_some() {
                answered.fetch_add(1, Ordering::SeqCst);
            }
            id
        }
    }));
    let killing = async {
        until(|| async { (answered.load(Ordering::SeqCst) > 0).then_some(()) }, "the first submission is taken in").await;
        api.kill9();
    };
    let (first, ()) = join(asks, killing).await;
    // Every one again at another api, whether its answer came or not.
    let second = join_all((0..ASKED).map(|number| ask_with_key(&app.admin, shop, number))).await;
    for (number, (first, second)) in first.into_iter().zip(&second).enumerate() {
        assert!(second.is_some(), "ask {number} is taken in now");
        assert!(first.is_none() || first == *second, "ask {number} is the same question in both answers");
    }
    let asked: i64 = sqlx::query_scalar("SELECT count(*) FROM query_history").fetch_one(&app.pool).await.expect("they are counted");
    assert_eq!(asked, i64::try_from(ASKED).expect("a small number"));
    let _worker = app.start_worker().await;
    for id in second.into_iter().flatten() {
        assert_answered(&app.admin.wait(id).await);
        assert_ended_once(&app.pool, id).await;
    }
}
