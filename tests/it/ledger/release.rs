//! Attempts that are not the last one: what each way of giving a job back costs.

use datagenie_common::{
    model::questions::{Failure, FailureCode, Stage},
    store::ledger::claim::{self, Release},
};
use serde_json::json;

use super::{INTERACTIVE, LONG, Ledger};

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
async fn a_job_given_back_costs_no_attempt_and_is_rung_at_once() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
    assert!(claim::release(&ledger.pool, lease, None, &Release::GivenBack).await.expect("it is written"));
    let stored = ledger.everything(job).await;
    assert_eq!(
        (&stored["job"]["state"], &stored["job"]["attempt"], &stored["job"]["rung_at"]),
        (&json!("waiting"), &json!(0), &json!(null))
    );
    let rings = datagenie_common::store::ledger::sweep::ring_again(&ledger.pool, INTERACTIVE, 3600.0, 10).await.expect("it is swept");
    assert_eq!(rings.into_iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [job]);
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
