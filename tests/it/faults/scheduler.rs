//! Schedulers: one leads, and another does when that one stands still or dies.

use datagenie_common::{ids::JobId, store::ledger::claim};
use datagenie_tests::{Answer, Process, Processes, TestApp, until};
use uuid::Uuid;

use super::{COUNT_ORDERS, assert_answered, assert_ended_once, question};

async fn says(process: &Process, words: &str) {
    until(
        || async {
            assert!(process.is_running(), "it ended: {}", process.log());
            process.log().contains(words).then_some(())
        },
        words,
    )
    .await;
}

/// Sessions that hold the lead.
async fn leaders(app: &TestApp) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = 'datagenie-scheduler-lead' AND a.datname = current_database()",
    )
    .fetch_one(&app.pool)
    .await
    .expect("the locks are read")
}

/// Leaves a question as a dead worker would: claimed, and the lease run out. Only a scheduler can mend it.
async fn abandon(app: &TestApp, shop: Uuid, number: usize) -> Uuid {
    let id = app.admin.ask(question(shop, number)).await;
    let job: Uuid =
        sqlx::query_scalar("SELECT job_id FROM query_history WHERE id = $1").bind(id).fetch_one(&app.pool).await.expect("it is read");
    let claimed = claim::claim(&app.pool, JobId(job), "a-dead-worker", -1.0).await.expect("it is decided");
    assert!(claimed.is_some(), "no worker runs yet");
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_scheduler_leads_when_the_leader_stands_still_and_when_it_dies() {
    let app = TestApp::builder().no_worker().no_scheduler().with_setting("jobs.lease_seconds", "2").start().await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Sql(COUNT_ORDERS));
    let processes = Processes::of(&app);
    let first = processes.scheduler();
    says(&first, "leading").await;
    let second = processes.scheduler();
    says(&second, "scheduler is up").await;
    assert!(!second.log().contains("leading"), "one leads");
    assert_eq!(leaders(&app).await, 1);

    first.stop();
    let abandoned = abandon(&app, shop, 1).await;
    says(&second, "leading").await;
    let worker = app.start_worker().await;
    assert_answered(&app.admin.wait(abandoned).await);
    assert_ended_once(&app.pool, abandoned).await;

    first.cont();
    says(&first, "the lead was lost").await;
    assert_eq!(leaders(&app).await, 1);

    // The first one comes back to lead when the second dies.
    worker.stop().await;
    second.kill9();
    let abandoned = abandon(&app, shop, 2).await;
    let _worker = app.start_worker().await;
    assert_answered(&app.admin.wait(abandoned).await);
    assert_ended_once(&app.pool, abandoned).await;
    assert_eq!(first.log().matches("leading").count(), 2);
}
