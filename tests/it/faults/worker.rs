//! Workers that are killed, stand still, or are told to stop in the middle of a question.

use std::time::Duration;

use datagenie_tests::{Answer, Processes, TestApp, TestAppBuilder, until};
use serde_json::json;

use super::{COUNT_ORDERS, assert_answered, assert_ended_once, attempts, everything, outcomes, question};

fn without_worker() -> TestAppBuilder {
    TestApp::builder().no_worker().with_setting("jobs.lease_seconds", "2")
}

/// Waits until the model has been called so many times.
async fn model_called(app: &TestApp, times: usize) {
    until(|| async { (app.stub.calls().len() >= times).then_some(()) }, "the model is called").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_whose_worker_is_killed_is_answered_once_by_another() {
    let app = without_worker().start().await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Hang);
    app.stub.say(Answer::Sql(COUNT_ORDERS));
    let processes = Processes::of(&app);
    let first = processes.worker();
    let id = app.admin.ask(question(shop, 1)).await;
    model_called(&app, 1).await;
    let second = processes.worker();
    first.kill9();

    assert_answered(&app.admin.wait(id).await);
    assert_ended_once(&app.pool, id).await;
    let attempts = attempts(&app, id).await;
    assert_eq!(attempts.iter().map(|(outcome, _)| outcome.as_str()).collect::<Vec<_>>(), ["crashed", "succeeded"]);
    assert_ne!(attempts[0].1, attempts[1].1, "another worker");
    assert_eq!(app.stub.calls().len(), 2);
    assert!(second.is_running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_kills_every_worker_is_dead_in_the_end() {
    let app = without_worker().with_setting("jobs.max_attempts", "2").start().await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Hang);
    let processes = Processes::of(&app);
    let id = app.admin.ask(question(shop, 1)).await;
    for attempt in 1..=2 {
        let worker = processes.worker();
        model_called(&app, attempt).await;
        worker.kill9();
    }
    let answer = app.admin.wait(id).await;
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!("error"), &json!("attempts_spent")), "{answer}");
    assert_eq!(outcomes(&app, id).await, ["crashed", "failed"]);
    let dead: bool =
        sqlx::query_scalar("SELECT dead FROM jobs WHERE subject_id = $1").bind(id).fetch_one(&app.pool).await.expect("it is read");
    assert!(dead, "an administrator finds it among the dead jobs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_late_write_of_a_worker_that_stood_still_touches_nothing() {
    let app = without_worker().start().await;
    let shop = app.shop_pg().await;
    // The first answer is there long before the first worker can take it.
    app.stub.say(Answer::Slow(Duration::from_millis(500), Box::new(Answer::Sql("SELECT 1 AS wrong"))));
    app.stub.say(Answer::Sql(COUNT_ORDERS));
    let processes = Processes::of(&app);
    let first = processes.worker();
    let id = app.admin.ask(question(shop, 1)).await;
    model_called(&app, 1).await;
    first.stop();
    let second = processes.worker();
    assert_answered(&app.admin.wait(id).await);
    let before = everything(&app, id).await;

    first.cont();
    until(
        || async {
            assert!(first.is_running(), "it ended: {}", first.log());
            first.log().contains("the lease was lost").then_some(())
        },
        "the first worker finds its lease lost",
    )
    .await;
    assert_eq!(everything(&app, id).await, before);
    assert_ended_once(&app.pool, id).await;
    assert_eq!(outcomes(&app, id).await, ["crashed", "succeeded"]);

    // It is none the worse for it.
    second.kill9();
    let next = app.admin.ask(question(shop, 2)).await;
    assert_answered(&app.admin.wait(next).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_to_stop_gives_back_what_it_cannot_finish() {
    // One attempt is all there is: giving back must not cost it.
    let app = without_worker().with_setting("jobs.max_attempts", "1").start().await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Hang);
    app.stub.say(Answer::Sql(COUNT_ORDERS));
    let processes = Processes::of(&app).with_setting("worker.grace_seconds", "0");
    let first = processes.worker();
    let id = app.admin.ask(question(shop, 1)).await;
    model_called(&app, 1).await;
    first.terminate();
    assert_eq!(first.exit_code().await, Some(0), "{}", first.log());
    assert_eq!(outcomes(&app, id).await, ["given_back"]);
    let attempt: i16 =
        sqlx::query_scalar("SELECT attempt FROM jobs WHERE subject_id = $1").bind(id).fetch_one(&app.pool).await.expect("it is read");
    assert_eq!(attempt, 0);

    let _second = processes.worker();
    assert_answered(&app.admin.wait(id).await);
    assert_eq!(outcomes(&app, id).await, ["given_back", "succeeded"]);
    assert_ended_once(&app.pool, id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_to_stop_finishes_what_it_can() {
    let app = without_worker().start().await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Slow(Duration::from_millis(500), Box::new(Answer::Sql(COUNT_ORDERS))));
    let processes = Processes::of(&app).with_setting("worker.grace_seconds", "15");
    let worker = processes.worker();
    let id = app.admin.ask(question(shop, 1)).await;
    model_called(&app, 1).await;
    worker.terminate();
    assert_eq!(worker.exit_code().await, Some(0), "{}", worker.log());
    assert_eq!(outcomes(&app, id).await, ["succeeded"]);
    assert_answered(&app.admin.wait(id).await);
}
