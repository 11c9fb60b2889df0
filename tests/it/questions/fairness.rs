//! Nobody is starved: a user with a long queue leaves slots to others, and his own queue goes on without a pause.

use std::time::Duration;

use datagenie_tests::{Answer, TestApp, until};
use futures::future::join_all;
use serde_json::json;

/// Long enough for others to come in between.
const SLOW: Duration = Duration::from_millis(250);

async fn with_a_worker_known() -> TestApp {
    let app = TestApp::builder().with_setting("worker.concurrency", "4").start().await;
    app.stub.say(Answer::Slow(SLOW, Box::new(Answer::Text("It is so."))));
    // Before it has told of itself, nobody knows how many slots there are.
    until(
        || async { (!app.admin.get("/v1/workers", None).await.expect(200).body["items"][0].is_null()).then_some(()) },
        "the worker is known",
    )
    .await;
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_of_one_user_leaves_the_last_fifth_of_the_slots_to_others() {
    let app = with_a_worker_known().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let asked = join_all((0..20).map(|n| alice.ask(json!({ "question": format!("why {n}?") })))).await;
    until(|| async { (app.stub.calls().len() >= 8).then_some(()) }, "the queue is worked on").await;
    assert!(app.stub.most_at_once() <= 4, "{} at once", app.stub.most_at_once());
    let question = bob.ask(json!({ "question": "and mine?" })).await;
    let answered = bob.wait(question).await;
    assert_eq!(answered["status"], "success");
    let waiting: i64 =
        sqlx::query_scalar("SELECT count(*) FROM jobs WHERE NOT in_flight").fetch_one(&app.pool).await.expect("they are counted");
    assert!(waiting > 0, "it did not wait for the twenty before it");
    for question in asked {
        assert_eq!(alice.wait(question).await["status"], "success");
    }
    assert!(app.stub.most_at_once() <= 5, "{} at once", app.stub.most_at_once());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_goes_on_with_its_owners_next_questions_without_a_bell() {
    let app = with_a_worker_known().await;
    let alice = app.client("alice").await;
    let asked = join_all((0..16).map(|n| alice.ask(json!({ "question": format!("why {n}?") })))).await;
    for question in asked {
        assert_eq!(alice.wait(question).await["status"], "success");
    }
    let (jobs, unrung): (i64, i64) =
        sqlx::query_as("SELECT count(*), count(*) FILTER (WHERE rung_at IS NULL) FROM jobs WHERE kind = 'answer_question'")
            .fetch_one(&app.pool)
            .await
            .expect("they are counted");
    assert_eq!(jobs, 16);
    // The first four are rung by their submission; the sweep, which runs often here, may let in some of the others.
    assert!(unrung >= 4, "{unrung} of 16 were taken without a bell");
}
