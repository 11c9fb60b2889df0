//! Attempts that are not the last one: what each way of giving a job back costs.

use datagenie_common::{
    model::questions::{Failure, FailureCode, Stage},
    store::ledger::claim::{self, Release},
};
use serde_json::json;

use super::{LONG, Ledger};

fn failure() -> Failure {
    Failure::new(FailureCode::ModelRateLimited, "the model says: too many requests").retryable()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_costs_an_attempt_and_waits() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
    let released =
        claim::release(&ledger.pool, lease, Some(Stage::Drafting), &Release::Retry { failure: failure(), seconds: 3600.0 }).await;
    assert!(released.expect("it is written"));
    let stored = ledger.everything(job).await;
    assert_eq!(stored["job"]["state"], "waiting");
    assert_eq!(stored["job"]["attempt"], 1);
    assert_eq!(stored["job"]["lease_id"], json!(null));
    assert_eq!(stored["job"]["error"]["code"], "model_rate_limited");
    assert_eq!(stored["attempts"][0]["outcome"], "retry");
    assert_eq!(stored["attempts"][0]["stage"], "drafting");
    assert_eq!(stored["events"], json!([]));
    assert_eq!(stored["question"]["status"], "pending");
    assert!(ledger.claim(job, LONG).await.is_none(), "its wait is not over");
    ledger.make_due(job).await;
    assert_eq!(ledger.claim(job, LONG).await.expect("its wait is over").attempt, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_costs_no_attempt_however_often() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    for _ in 0..5 {
        let claimed = ledger.claim(job, LONG).await.expect("it is due");
        assert_eq!(claimed.attempt, 1);
        let released = claim::release(&ledger.pool, claimed.lease, None, &Release::Later { failure: failure(), seconds: 0.0 }).await;
        assert!(released.expect("it is written"));
    }
    assert_eq!(ledger.everything(job).await["job"]["attempt"], 0);
    assert_eq!(ledger.outcomes(job).await, ["later"; 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_given_back_costs_no_attempt_and_has_the_next_turn() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
    assert!(claim::release(&ledger.pool, lease, None, &Release::GivenBack).await.expect("it is written"));
    let stored = ledger.everything(job).await;
    assert_eq!(
        (&stored["job"]["state"], &stored["job"]["attempt"], &stored["job"]["rung_at"]),
        (&json!("waiting"), &json!(0), &json!(null))
    );
    assert_eq!(ledger.let_in(ledger.user, 1).await, [job]);
    assert_eq!(ledger.claim(job, LONG).await.expect("it is due").attempt, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_release_with_the_same_lease_touches_nothing() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
    assert!(claim::release(&ledger.pool, lease, None, &Release::GivenBack).await.expect("it is written"));
    let before = ledger.everything(job).await;
    assert!(!claim::release(&ledger.pool, lease, None, &Release::GivenBack).await.expect("it is decided"));
    assert_eq!(ledger.everything(job).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_in_the_queue_uses_up_nothing_of_the_time_to_run() {
    let ledger = Ledger::new().await;
    let mut question = ledger.question();
    question.run_seconds = Some(120.0);
    question.deadline_seconds = 86_400.0;
    ledger.submit(std::slice::from_ref(&question)).await;
    let job = question.job_id;
    // An hour until its turn, then an attempt of half a minute and a wait of ten seconds, then an hour again.
    let later = ledger.database.shifted("PT1H").await;
    let first = claim::claim(&later, job, "worker-1", LONG).await.expect("it is decided").expect("it is due");
    assert!((119.0..=120.0).contains(&first.seconds_left), "{}", first.seconds_left);
    let after = ledger.database.shifted("PT1H30S").await;
    assert!(claim::release(&after, first.lease, None, &Release::Later { failure: failure(), seconds: 10.0 }).await.expect("it is written"));
    let much_later = ledger.database.shifted("PT2H").await;
    let second = claim::claim(&much_later, job, "worker-1", LONG).await.expect("it is decided").expect("it is due");
    assert!((78.0..=81.0).contains(&second.seconds_left), "{}", second.seconds_left);
    assert!((39.0..=42.0).contains(&second.seconds_since_first), "{}", second.seconds_since_first);
    assert_eq!(second.error.map(|error| error.code), Some(FailureCode::ModelRateLimited), "what was in its way");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_given_back_keeps_its_place_before_those_that_came_later() {
    let ledger = Ledger::new().await;
    let first = ledger.asked().await.job_id;
    let lease = ledger.claim(first, LONG).await.expect("it is due").lease;
    ledger.asked().await;
    assert!(claim::release(&ledger.pool, lease, None, &Release::GivenBack).await.expect("it is written"));
    assert_eq!(ledger.let_in(ledger.user, 2).await, [first]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_whose_answer_never_came_are_given_back_as_if_they_had_not_been() {
    let ledger = Ledger::new().await;
    let (heard, other) = (ledger.asked().await.job_id, ledger.asked().await.job_id);
    let lease = ledger.claim(heard, LONG).await.expect("it is due").lease;
    ledger.claim(other, LONG).await.expect("it is due");
    let never_made = datagenie_common::ids::LeaseId::new();
    assert_eq!(claim::disown(&ledger.pool, &[lease.lease_id, never_made]).await.expect("it is written"), 1);
    let stored = ledger.everything(heard).await;
    assert_eq!((&stored["job"]["state"], &stored["job"]["attempt"], &stored["attempts"]), (&json!("waiting"), &json!(0), &json!([])));
    assert_eq!(ledger.everything(other).await["job"]["state"], "running");
    assert_eq!(ledger.let_in(ledger.user, 2).await, [heard]);
}
