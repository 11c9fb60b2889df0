//! What kind of failure a statement met: it decides whether the same one is sent again, or given up.

use datagenie_common::store::StoreError;
use datagenie_tests::until;
use sqlx::PgConnection;

use super::Ledger;

async fn run(conn: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(conn).await.expect("it runs");
}

async fn failure(conn: &mut PgConnection, sql: &'static str) -> StoreError {
    sqlx::raw_sql(sql).execute(conn).await.expect_err("it fails").into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_and_what_is_an_outage_are_told_from_what_stays() {
    let ledger = Ledger::new().await;
    let mut conn = ledger.pool.acquire().await.expect("a connection").detach();
    let kind = |error: &StoreError| (error.is_passing(), error.is_outage());

    let wrong = failure(&mut conn, "SELECT 1 / 0").await;
    assert_eq!(kind(&wrong), (false, false), "{wrong:?}");
    run(&mut conn, "SET statement_timeout = '10ms'").await;
    let cancelled = failure(&mut conn, "SELECT pg_sleep(60)").await;
    assert_eq!(kind(&cancelled), (true, false), "{cancelled:?}");
    run(&mut conn, "SET statement_timeout = 0; SET lock_timeout = '10ms'").await;
    let mut other = ledger.pool.begin().await.expect("a transaction");
    run(&mut other, "LOCK TABLE jobs").await;
    let locked = failure(&mut conn, "SELECT FROM jobs").await;
    assert_eq!(kind(&locked), (true, false), "{locked:?}");
    other.rollback().await.expect("it is rolled back");

    // A process that stood still in the middle of a transaction finds its session ended.
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut conn).await.expect("it has one");
    run(&mut conn, "SET idle_in_transaction_session_timeout = '10ms'; BEGIN").await;
    let gone = || async {
        let lives: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)")
            .bind(pid)
            .fetch_one(&ledger.pool)
            .await
            .expect("the sessions are read");
        (!lives).then_some(())
    };
    until(gone, "the session is ended").await;
    let ended = failure(&mut conn, "SELECT 1").await;
    assert_eq!(kind(&ended), (false, true), "{ended:?}");
}
