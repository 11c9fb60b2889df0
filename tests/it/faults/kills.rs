//! kill -9 of workers, api and schedulers in turn, while questions flow.

use std::time::Duration;

use datagenie_tests::{Addresses, Answer, Asker, Plan, Process, Victims, until};

use super::{
    COUNT_ORDERS,
    rig::{On, Rig},
};

on_both_brokers!(
    everything_is_killed_in_turn_and_nothing_is_lost_or_doubled,
    a_killed_workers_questions_run_again_within_the_lease_and_a_second
);

/// The rhythm of the kills.
const EVERY: Duration = Duration::from_secs(1);
/// By design a job is rung again as soon as its lease is over, a sweep later (50 ms here), and claimed at once: a second. The rest is for
/// a machine whose two cores are shared by several tests.
const AGAIN_WITHIN: f64 = 1.0 + 2.0;

/// Kills it, and waits until it is dead.
async fn kill(process: &Process) {
    process.kill9();
    assert_eq!(process.exit_code().await, None, "a signal ends it");
}

async fn everything_is_killed_in_turn_and_nothing_is_lost_or_doubled(on: On) {
    let rig = Rig::start(on).await;
    rig.app.stub.say(Answer::Slow(Duration::from_millis(100), Box::new(Answer::Sql(COUNT_ORDERS))));
    let (api, url) = rig.processes.api().await;
    let workers = [rig.processes.worker(), rig.processes.worker()];
    let schedulers = [rig.processes.scheduler(), rig.processes.scheduler()];
    let addresses = Addresses::new([url.as_str()]);
    let reader = rig.reader(&addresses);
    let asker = Asker::start(rig.plan(&addresses));
    let order = [&workers[0], &api, &schedulers[0], &workers[1], &api, &workers[0], &schedulers[1], &workers[1]];
    for process in order {
        tokio::time::sleep(EVERY).await;
        kill(process).await;
        process.restart();
    }
    api.serves(&url).await;
    let asked = asker.stop().await;
    assert!(asked.tried_again > 0, "the api was away for a client: {asked:?}");
    let account = rig.settle(asked, reader).await;
    assert!(account.heard.sockets > 1, "the reader came back: {account:?}");
}

async fn a_killed_workers_questions_run_again_within_the_lease_and_a_second(on: On) {
    const ASKED: usize = 10;
    let rig = Rig::start(on).await;
    rig.app.stub.say(Answer::Slow(Duration::from_millis(700), Box::new(Answer::Sql(COUNT_ORDERS))));
    let (_api, url) = rig.processes.api().await;
    let _scheduler = rig.processes.scheduler();
    let addresses = Addresses::new([url]);
    let reader = rig.reader(&addresses);
    let first = rig.processes.worker();
    let asker = Asker::start(Plan { at_once: ASKED, ..rig.plan_of(&addresses, ASKED) });
    rig.running(4).await;
    let second = rig.processes.worker();
    second.says("worker is up").await;
    let asked = asker.finish().await;
    // Asked without an end, until the first one has its share of them: which worker hears a bell is chance.
    let more = Asker::start(Plan { at_once: ASKED, ..rig.plan(&addresses) });
    let mut victims = Victims::default();
    until(|| async { (held(&rig, &first).await >= 2).then_some(()) }, "the first worker has questions in hand").await;
    kill(&first).await;
    let count = victims.add(&rig.app.pool, first.pid()).await.expect("the ledger is read");
    assert!(count > 0, "it died with questions in hand");
    let asked = asked.and(more.stop().await);
    let account = rig.settle(asked, reader).await;
    let recovery = victims.recovery(&rig.app.pool).await.expect("the ledger is read");
    assert!(recovery.first_crashes > 0 && recovery.recovered == recovery.first_crashes, "{recovery:?}");
    assert!(recovery.worst_after_lease <= AGAIN_WITHIN, "{recovery:?}");
    assert_eq!(account.standing.crashes, recovery.crashed, "nothing else crashed: {account:?}");
}

async fn held(rig: &Rig, worker: &Process) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM jobs WHERE state = 'running' AND worker LIKE 'worker-' || $1 || '-%'")
        .bind(worker.pid().to_string())
        .fetch_one(&rig.app.pool)
        .await
        .expect("they are counted")
}
