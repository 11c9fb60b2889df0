//! Processes: the leader stands still, another one fires, and the first finds nothing left to do when it wakes up.

use datagenie_tests::{Processes, TestApp, until};

use super::{make, runs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_stopped_is_replaced_and_fires_nothing_twice() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let processes = Processes::of(&app);
    let first = processes.scheduler();
    first.says("leading").await;
    let second = processes.scheduler();
    second.says("scheduler is up").await;

    let mut body = super::hourly("all");
    body["allow_overlap"] = serde_json::json!(true);
    let id = make(&alice, body).await;
    first.stop();
    sqlx::query("UPDATE schedules SET next_run_at = next_run_at - interval '1 hour'").execute(&app.pool).await.expect("its time has come");
    // How soon is a sum of constants, checked where they are: scheduler/src/leader.rs.
    second.says("leading").await;
    until(|| async { (!runs(&alice, id).await.is_empty()).then_some(()) }, "the new leader fires it").await;
    first.cont();
    first.says("the lead was lost").await;
    assert_eq!(runs(&alice, id).await.len(), 1, "one fire");
}
