//! The system database's connections cut while questions run.

use std::time::Duration;

use datagenie_common::store;
use datagenie_tests::{Answer, TestApp, until};
use sqlx::{Connection, PgConnection};

use super::{COUNT_ORDERS, assert_ended_once, question};

/// Ends every session on the app's database; how many there were.
async fn cut(app: &TestApp) -> usize {
    let mut server = PgConnection::connect(app.servers.url()).await.expect("the server answers");
    let cut: Vec<bool> =
        sqlx::query_scalar("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()")
            .bind(&app.database.name)
            .fetch_all(&mut server)
            .await
            .expect("the sessions are ended");
    cut.into_iter().filter(|&ended| ended).count()
}

/// How many questions have ended well and how many have not ended; none: this look was cut off itself.
async fn standing(app: &TestApp) -> Option<(i64, i64)> {
    sqlx::query_as("SELECT count(*) FILTER (WHERE status = 'success'), count(*) FILTER (WHERE status = 'pending') FROM query_history")
        .fetch_one(&app.pool)
        .await
        .ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_end_once_each_although_every_connection_is_cut_under_them() {
    const ASKED: usize = 24;
    // Outages cost no attempt; what a cut in the middle of one costs must not matter here.
    let app = TestApp::builder()
        .with_setting("jobs.lease_seconds", "3")
        .with_setting("jobs.stale_ring_seconds", "1")
        .with_setting("jobs.max_attempts", "20")
        .start()
        .await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Slow(Duration::from_millis(300), Box::new(Answer::Sql(COUNT_ORDERS))));
    let mut ids = Vec::new();
    for number in 0..ASKED {
        ids.push(app.admin.ask(question(shop, number)).await);
    }
    for round in 1..=3 {
        until(|| async { (app.stub.calls().len() >= 6 * round).then_some(()) }, "questions are under way").await;
        // Right after a cut there may be none for a moment.
        until(|| async { (cut(&app).await > 0).then_some(()) }, "there are sessions to end").await;
    }
    let (succeeded, _) = until(|| async { standing(&app).await.filter(|&(_, pending)| pending == 0) }, "all questions have ended").await;
    assert_eq!(succeeded, i64::try_from(ASKED).expect("a small number"));
    // The app's pool may still hold sessions that were cut.
    let fresh = store::connect(&app.database.url, 1, "datagenie-test").expect("the database has a URL");
    for id in ids {
        assert_ended_once(&fresh, id).await;
    }
}
