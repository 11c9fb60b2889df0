//! The sweep that rings what was not heard.

use std::collections::BTreeSet;

use datagenie_common::{
    model::jobs::Lane,
    store::ledger::{
        claim::{self, Release},
        sweep,
    },
};
use futures::future::join_all;

use super::{INTERACTIVE, LONG, Ledger};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_bell_that_went_unheard_is_rung_again() {
    let ledger = Ledger::new().await;
    let question = ledger.asked().await;
    let rings = || async { sweep::ring_again(&ledger.pool, INTERACTIVE, 5.0, 10).await.expect("it is swept") };
    assert!(rings().await.is_empty(), "just rung by its submission");
    ledger.rung_ago(question.job_id, 6.0).await;
    assert_eq!(rings().await, [question.ring()], "with its trace");
    assert!(rings().await.is_empty(), "just rung by the sweep");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_over_waits_for_its_time_or_is_in_another_lane_is_not_rung() {
    let ledger = Ledger::new().await;
    let slice: Vec<_> = (0..4).map(|_| ledger.question()).collect();
    ledger.submit(&slice).await;
    ledger.claim(slice[0].job_id, LONG).await.expect("it is due");
    let lease = ledger.claim(slice[1].job_id, LONG).await.expect("it is due").lease;
    datagenie_common::store::ledger::finish::finish(&ledger.pool, lease, None, &super::answered()).await.expect("it is written");
    let lease = ledger.claim(slice[2].job_id, LONG).await.expect("it is due").lease;
    let failure =
        datagenie_common::model::questions::Failure::new(datagenie_common::model::questions::FailureCode::Internal, "it went wrong");
    claim::release(&ledger.pool, lease, None, &Release::Retry { failure, seconds: 3600.0 }).await.expect("it is written");
    for question in &slice {
        ledger.rung_ago(question.job_id, 60.0).await;
    }
    for lane in [Lane::Bulk, Lane::Maintenance, Lane::Webhook] {
        assert!(sweep::ring_again(&ledger.pool, lane, 5.0, 10).await.expect("it is swept").is_empty(), "{lane}");
    }
    let rings = sweep::ring_again(&ledger.pool, INTERACTIVE, 5.0, 10).await.expect("it is swept");
    assert_eq!(rings, [slice[3].ring()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_is_bounded_and_takes_the_oldest_first() {
    let ledger = Ledger::new().await;
    let slice: Vec<_> = (0..30).map(|_| ledger.question()).collect();
    ledger.submit(&slice).await;
    for (n, question) in slice.iter().enumerate() {
        ledger.rung_ago(question.job_id, 60.0).await;
        sqlx::query("UPDATE jobs SET run_at = dg_now() - $2 * interval '1 minute' WHERE id = $1")
            .bind(question.job_id.0)
            .bind(f64::from(u32::try_from(n).expect("a small number")))
            .execute(&ledger.pool)
            .await
            .expect("it is made older");
    }
    let rings = sweep::ring_again(&ledger.pool, INTERACTIVE, 5.0, 10).await.expect("it is swept");
    let oldest: BTreeSet<_> = slice[20..].iter().map(|question| question.job_id).collect();
    assert_eq!(rings.len(), 10);
    assert_eq!(rings.into_iter().map(|ring| ring.job_id).collect::<BTreeSet<_>>(), oldest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_sweeps_ring_each_bell_once() {
    let ledger = Ledger::new().await;
    let slice: Vec<_> = (0..40).map(|_| ledger.question()).collect();
    ledger.submit(&slice).await;
    for question in &slice {
        ledger.rung_ago(question.job_id, 60.0).await;
    }
    let sweeps = join_all((0..8).map(|_| sweep::ring_again(&ledger.pool, INTERACTIVE, 5.0, 100))).await;
    let rung: Vec<_> = sweeps.into_iter().flat_map(|rings| rings.expect("it is swept")).map(|ring| ring.job_id).collect();
    let last = sweep::ring_again(&ledger.pool, INTERACTIVE, 5.0, 100).await.expect("it is swept");
    // Sweeps at once may leave a bell to the next one; none rings it twice.
    assert_eq!(rung.len() + last.len(), 40);
    let all: BTreeSet<_> = rung.into_iter().chain(last.into_iter().map(|ring| ring.job_id)).collect();
    assert_eq!(all, slice.iter().map(|question| question.job_id).collect::<BTreeSet<_>>());
}
