//! Claiming, heartbeats, and writes of an attempt that has lost its lease.

use datagenie_common::{
    ids::JobId,
    model::questions::{Failure, FailureCode, Stage},
    store::ledger::{
        Beat,
        claim::{self, Release},
        finish::{self, Finished},
        sweep,
    },
};
use futures::future::join_all;
use serde_json::json;

use super::{LONG, Ledger, SPENT, answered};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_fifty_claims_wins() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let workers: Vec<String> = (0..50).map(|n| format!("worker-{n}")).collect();
    let claims = join_all(workers.iter().map(|worker| claim::claim(&ledger.pool, job, worker, LONG))).await;
    let won: Vec<_> = claims.into_iter().filter_map(|claim| claim.expect("every claim is decided")).collect();
    assert_eq!(won.len(), 1);
    let stored = ledger.everything(job).await;
    assert_eq!(stored["job"]["state"], "running");
    assert_eq!(stored["job"]["attempt"], 1);
    assert_eq!(stored["job"]["lease_id"], json!(won[0].lease.lease_id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_brings_all_that_an_attempt_needs() {
    let ledger = Ledger::new().await;
    let mut question = ledger.question();
    question.is_admin = true;
    question.connection_id = Some(datagenie_common::ids::ConnectionId(ledger.add_connection().await));
    ledger.submit(std::slice::from_ref(&question)).await;
    let claimed = ledger.claim(question.job_id, LONG).await.expect("it is due");
    assert_eq!(claimed.payload, question.payload);
    assert_eq!(claimed.traceparent, question.traceparent);
    assert_eq!(claimed.user_id, ledger.user);
    assert_eq!(claimed.subject_id, Some(question.id.0));
    assert_eq!((claimed.attempt, claimed.max_attempts), (1, 3));
    assert!(claimed.seconds_left > 500.0 && claimed.seconds_left <= 600.0, "{}", claimed.seconds_left);
    assert_eq!(claimed.policy_version.expect("it has a connection").0, "u1.c1.p0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_nothing_to_claim_in_a_job_that_is_unknown_not_due_running_or_over() {
    let ledger = Ledger::new().await;
    assert!(ledger.claim(JobId::new(), LONG).await.is_none(), "unknown");

    let job = ledger.asked().await.job_id;
    sqlx::query("UPDATE jobs SET run_at = dg_now() + interval '1 hour' WHERE id = $1")
        .bind(job.0)
        .execute(&ledger.pool)
        .await
        .expect("it is put off");
    assert!(ledger.claim(job, LONG).await.is_none(), "not due");

    ledger.make_due(job).await;
    let claimed = ledger.claim(job, LONG).await.expect("it is due");
    assert!(ledger.claim(job, LONG).await.is_none(), "running");

    finish::finish(&ledger.pool, claimed.lease, None, &answered()).await.expect("it is written");
    let before = ledger.everything(job).await;
    assert!(ledger.claim(job, LONG).await.is_none(), "over");
    assert_eq!(ledger.everything(job).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_job_whose_lease_ran_out_is_not_claimed_before_it_is_rescued() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let first = ledger.claim(job, SPENT).await.expect("it is due");
    assert!(ledger.claim(job, LONG).await.is_none());
    sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    let second = ledger.claim(job, LONG).await.expect("it was put back");
    assert_ne!(first.lease.lease_id, second.lease.lease_id);
    assert_eq!(second.attempt, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_write_with_an_old_lease_touches_nothing() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let old = ledger.claim(job, SPENT).await.expect("it is due").lease;
    sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    let new = ledger.claim(job, LONG).await.expect("it was put back").lease;
    let before = ledger.everything(job).await;

    let beat = Beat { lease: old, stage: Some(Stage::Executing) };
    assert!(claim::heartbeat(&ledger.pool, &[beat], LONG).await.expect("it is decided").is_empty());
    let failure = Failure::new(FailureCode::ModelUnavailable, "no model answers");
    for release in [Release::Retry { failure: failure.clone(), seconds: 1.0 }, Release::Later { failure, seconds: 1.0 }, Release::GivenBack]
    {
        assert!(!claim::release(&ledger.pool, old, None, &release).await.expect("it is decided"));
    }
    assert_eq!(finish::finish(&ledger.pool, old, None, &answered()).await.expect("it is decided"), Finished::LeaseLost);
    assert_eq!(ledger.everything(job).await, before);

    // The new attempt is as if nothing had happened.
    let finished = finish::finish(&ledger.pool, new, None, &answered()).await.expect("it is written");
    assert!(matches!(finished, Finished::Written(_)));
    let after = ledger.everything(job).await;
    // The old lease stays without effect after the end, too.
    finish::finish(&ledger.pool, old, None, &answered()).await.expect("it is decided");
    assert_eq!(ledger.everything(job).await, after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_heartbeat_renews_what_is_held_and_names_what_is_not() {
    let ledger = Ledger::new().await;
    let mut leases = Vec::new();
    for _ in 0..3 {
        let job = ledger.asked().await.job_id;
        leases.push(ledger.claim(job, SPENT).await.expect("it is due").lease);
    }
    // The second one is taken away.
    sqlx::query("UPDATE jobs SET lease_id = gen_random_uuid() WHERE id = $1")
        .bind(leases[1].job_id.0)
        .execute(&ledger.pool)
        .await
        .expect("it is taken");
    let stolen = ledger.everything(leases[1].job_id).await;
    let beats: Vec<Beat> =
        leases.iter().zip([Some(Stage::Drafting), Some(Stage::Checking), None]).map(|(&lease, stage)| Beat { lease, stage }).collect();
    let held = claim::heartbeat(&ledger.pool, &beats, LONG).await.expect("it is written");
    let mut jobs: Vec<JobId> = held.iter().map(|held| held.job_id).collect();
    jobs.sort();
    assert_eq!(jobs, [leases[0].job_id, leases[2].job_id]);
    assert!(held.iter().all(|held| !held.cancel_requested));
    assert_eq!(ledger.everything(leases[0].job_id).await["job"]["stage"], "drafting");
    assert_eq!(ledger.everything(leases[1].job_id).await, stolen);
    // Only the one that was not renewed has run out.
    let rescued = sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    assert_eq!(rescued.rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [leases[1].job_id]);
    assert!(claim::heartbeat(&ledger.pool, &[], LONG).await.expect("nothing is fine").is_empty());
}
