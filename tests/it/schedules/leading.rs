//! Processes: the leader stands still, another one fires, and the first finds nothing left to do when it wakes up.

use std::time::Duration;

use datagenie_tests::{Processes, TestApp, until};
use tokio::time::Instant;

use super::{make, runs};

/// What replaces a leader: five idle seconds, and a second to ask again.
const REPLACED: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_stopped_is_replaced_within_ten_seconds_and_fires_nothing_twice() {
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
    let stopped = Instant::now();
    sqlx::query("UPDATE schedules SET next_run_at = date_trunc('hour', dg_now())").execute(&app.pool).await.expect("its time has come");
    second.says("leading").await;
    let replaced = stopped.elapsed();
    until(|| async { (!runs(&alice, id).await.is_empty()).then_some(()) }, "the new leader fires it").await;
    first.cont();
    first.says("the lead was lost").await;
    assert_eq!(runs(&alice, id).await.len(), 1, "one fire");
    assert!(replaced < REPLACED, "the promise of the contract: {replaced:?}");
}
