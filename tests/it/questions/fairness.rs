//! Nobody is starved: a user with a long queue leaves slots to others, and his own queue goes on without a pause.

use std::time::Duration;

use datagenie_tests::{Answer, TestApp, TestAppBuilder, until};
use futures::future::join_all;
use serde_json::json;

/// Long enough for others to come in between.
const SLOW: Duration = Duration::from_millis(250);

async fn with_a_worker_known(slow: Duration) -> TestApp {
    with_a_worker_of(TestApp::builder(), slow).await
}

async fn with_a_worker_of(builder: TestAppBuilder, slow: Duration) -> TestApp {
    let app = builder.with_setting("worker.concurrency", "4").start().await;
    app.stub.say(Answer::Slow(slow, Box::new(Answer::Text("It is so."))));
    app.worker_is_known().await;
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_of_one_user_leaves_the_last_fifth_of_the_slots_to_others() {
    let app = with_a_worker_known(SLOW).await;
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
    let app = with_a_worker_known(SLOW).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_goes_on_while_the_end_before_it_is_being_written() {
    // The sweep would let some in between an end and the claim that follows it: that slot would not know that more wait.
    let unswept = TestApp::builder().with_setting("jobs.sweep_ms", "30000").with_setting("jobs.lease_seconds", "120");
    let app = with_a_worker_of(unswept, Duration::from_secs(3)).await;
    let alice = app.client("alice").await;
    let asked = join_all((0..16).map(|n| alice.ask(json!({ "question": format!("why {n}?") })))).await;
    let stored = || async {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM analysis_results").fetch_one(&app.pool).await.expect("they are counted")
    };
    // Four at once: all of the second round ask the model, and that more wait is known from the ends of the first.
    until(
        || async { (app.stub.calls().len() >= 8 && stored().await == 4).then_some(()) },
        "the second round is under way, and the first is stored",
    )
    .await;
    let mut lock = app.pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE analysis_results IN SHARE MODE").execute(&mut *lock).await.expect("nothing can be stored");
    assert_eq!(app.stub.calls().len(), 8, "the second round is under way still");
    // Not all of the slots need to: whose claim finds the window full leaves its place to a bell.
    until(|| async { (app.stub.calls().len() > 8).then_some(()) }, "the third round begins without the ends of the second").await;
    assert_eq!(stored().await, 4);
    lock.rollback().await.expect("it is over");
    for question in asked {
        assert_eq!(alice.wait(question).await["status"], "success");
    }
    assert_eq!(app.stub.calls().len(), 16, "each was asked once");
}
