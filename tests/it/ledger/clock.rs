//! The one clock of the system, shifted: due, lease and expiry times follow `dg_now()` and nothing else.

use datagenie_common::{
    model::questions::{Failure, FailureCode},
    store::ledger::{
        Submitted,
        claim::{self, Release},
        intake, sweep,
    },
};

use super::{LONG, Ledger, with_key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_is_shifted_by_a_setting_of_the_session() {
    let ledger = Ledger::new().await;
    let ahead = ledger.database.shifted("PT2H").await;
    let behind = ledger.database.shifted("-1 day").await;
    for (pool, seconds) in [(&ledger.pool, 0.0), (&ahead, 7200.0), (&behind, -86400.0)] {
        let offset: f64 = sqlx::query_scalar("SELECT extract(epoch FROM dg_now() - statement_timestamp())::float8")
            .fetch_one(pool)
            .await
            .expect("the clock is read");
        assert!((offset - seconds).abs() < 1e-6, "{offset}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_lives_by_it() {
    let ledger = Ledger::new().await;
    let later = ledger.database.shifted("PT2H").await;

    // Due.
    let waiting = ledger.asked().await.job_id;
    let lease = ledger.claim(waiting, LONG).await.expect("it is due").lease;
    let failure = Failure::new(FailureCode::ModelUnavailable, "no model answers");
    claim::release(&ledger.pool, lease, None, &Release::Later { failure, seconds: 3600.0 }).await.expect("it is put off");
    assert!(ledger.claim(waiting, LONG).await.is_none());
    let lease = claim::claim(&later, waiting, "worker-1", LONG).await.expect("it is decided").expect("an hour has passed").lease;
    assert!(claim::release(&later, lease, None, &Release::GivenBack).await.expect("it is written"));

    // Rung.
    let unheard = ledger.asked().await.job_id;
    assert!(sweep::ring_again(&ledger.pool, super::INTERACTIVE, 3600.0, 10).await.expect("it is swept").is_empty());
    let rings = sweep::ring_again(&later, super::INTERACTIVE, 3600.0, 10).await.expect("it is swept");
    assert!(rings.iter().any(|ring| ring.job_id == unheard));

    // Leased.
    let running = ledger.asked().await.job_id;
    ledger.claim(running, LONG).await.expect("it is due");
    assert!(sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is swept").rings.is_empty());
    assert_eq!(sweep::rescue(&later, 0.0, 10).await.expect("it is swept").rings.len(), 1);

    // Expired: all three had ten minutes.
    assert!(sweep::expire(&ledger.pool, 10).await.expect("it is swept").is_empty());
    assert_eq!(sweep::expire(&later, 10).await.expect("it is swept").len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_is_kept_for_a_day_of_it() {
    let ledger = Ledger::new().await;
    let first = with_key(ledger.question(), "k", b"a");
    ledger.submit(std::slice::from_ref(&first)).await;
    let almost = ledger.database.shifted("PT23H").await;
    let outcome = intake::submit(&almost, &[with_key(ledger.question(), "k", b"a")], super::WIDE).await.expect("it is decided").outcomes;
    assert_eq!(outcome, [Submitted::Earlier(first.id)]);
    let next_day = ledger.database.shifted("PT25H").await;
    let outcome = intake::submit(&next_day, &[with_key(ledger.question(), "k", b"a")], super::WIDE).await.expect("it is decided").outcomes;
    assert_eq!(outcome, [Submitted::New { rung: true }]);
}
