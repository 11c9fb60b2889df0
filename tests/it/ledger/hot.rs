//! What keeps the ledger cheap under load: claims and heartbeats touch no index.

use datagenie_common::{
    ids::LeaseId,
    model::{jobs::Lane, questions::Stage},
    store::{
        self,
        ledger::{Beat, Flow, Lease, admit::Window, claim, intake},
    },
};
use sqlx::PgPool;

use super::{LONG, Ledger};

/// Updates of a table, and how many of them were HOT; of a pool of one connection, whose counts are reported first.
async fn updates(pool: &PgPool, table: &str) -> (i64, i64) {
    // Without it the counts may come ten seconds later.
    sqlx::query("SELECT pg_stat_force_next_flush()").execute(pool).await.expect("the counts are reported");
    sqlx::query_as("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = $1")
        .bind(table)
        .fetch_one(pool)
        .await
        .expect("the counts are read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_and_wishes_to_stop_are_hot_updates() {
    let ledger = Ledger::new().await;
    let one = store::connect(&ledger.database.url, 1, "datagenie-test").expect("a pool");
    let mut beats = Vec::new();
    for _ in 0..5 {
        let job = ledger.asked().await.job_id;
        let claimed = claim::claim(&one, job, "worker-1", LONG).await.expect("it is decided").expect("it is due");
        beats.push(Beat { lease: claimed.lease, stage: None });
    }
    let (before, before_hot) = updates(&one, "jobs").await;
    for n in 0..10_usize {
        for beat in &mut beats {
            beat.stage = Stage::ALL.get(n).copied();
        }
        assert_eq!(claim::heartbeat(&one, &beats, LONG).await.expect("they are written").len(), 5);
    }
    let mut conn = one.acquire().await.expect("a connection");
    store::ledger::view::cancel(&mut conn, None, beats[0].lease.job_id).await.expect("it is written");
    drop(conn);
    let (after, after_hot) = updates(&one, "jobs").await;
    let (updates, hot) = (after - before, after_hot - before_hot);
    assert_eq!(updates, 51);
    // A full page moves its rows once, which is no HOT update; an index on a column that heartbeats change would leave none.
    assert!(hot * 2 > updates, "{hot} of {updates} updates were HOT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_are_hot_updates() {
    let ledger = Ledger::new().await;
    let one = store::connect_relaxed(&ledger.database.url, 1, "datagenie-test").expect("a pool");
    let slice: Vec<_> = (0..40).map(|_| ledger.question()).collect();
    ledger.submit(&slice).await;
    let leases: Vec<_> = slice.iter().map(|question| Lease { job_id: question.job_id, lease_id: LeaseId::new() }).collect();
    let (before, before_hot) = updates(&one, "jobs").await;
    let claimed = claim::claim_many(&one, &leases, "worker-1", LONG).await.expect("they are decided");
    assert!(claimed.iter().all(Option::is_some));
    let kept: Vec<_> = claimed.iter().flatten().map(|claimed| claimed.lease).collect();
    assert_eq!(kept, leases, "in their order");
    let (after, after_hot) = updates(&one, "jobs").await;
    let (updates, hot) = (after - before, after_hot - before_hot);
    assert_eq!(updates, 40);
    // What does not fit on its page moves once; an index on a column that a claim changes would leave none.
    assert!(hot >= 20, "{hot} of {updates} updates were HOT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_claims_the_next_does_not_read_those_who_wait() {
    let ledger = Ledger::new().await;
    let submit = async |count: usize| {
        let slice: Vec<_> = (0..count).map(|_| ledger.question()).collect();
        intake::submit(&ledger.pool, &slice, 0).await.expect("it is stored");
    };
    // What the planner knows is of a moment when few waited.
    submit(3).await;
    sqlx::query("ANALYZE jobs").execute(&ledger.pool).await.expect("it is looked at");
    submit(1_000).await;
    let window = Window { flow: Flow { lane: Lane::Interactive, user_id: ledger.user }, size: 50 };
    let mut transaction = ledger.pool.begin().await.expect("it begins");
    let claimed = claim::claim_next(&mut *transaction, &[(window, 1)], &[], 8, &[LeaseId::new()], "worker-1", LONG).await;
    assert_eq!(claimed.expect("it is decided").len(), 1);
    let read: i64 = sqlx::query_scalar("SELECT pg_stat_get_xact_tuples_fetched('jobs'::regclass)")
        .fetch_one(&mut *transaction)
        .await
        .expect("it is counted");
    assert!(read < 50, "{read} rows were read for one claim");
}
