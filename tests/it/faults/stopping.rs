//! Programs that are told to stop: in order, at once, and one after the other while clients ask.

use std::time::Duration;

use datagenie_tests::{Addresses, Answer, Asker, Plan, Process, until};

use super::{
    COUNT_ORDERS, assert_answered, assert_ended_once, outcomes, question,
    rig::{On, Rig, sturdy},
};

on_both_brokers!(
    what_a_stopping_worker_gives_back_costs_no_attempt,
    a_second_signal_stops_a_worker_at_once,
    a_rolling_restart_is_seen_by_nobody
);

/// Signals it to stop, and waits for an orderly end.
async fn stopped(process: &Process) {
    process.terminate();
    assert_eq!(process.exit_code().await, Some(0), "{}", process.log());
}

async fn what_a_stopping_worker_gives_back_costs_no_attempt(on: On) {
    const ASKED: usize = 12;
    // One attempt is all there is.
    let rig = Rig::with(on, sturdy().with_setting("jobs.max_attempts", "1").with_setting("worker.grace_seconds", "0")).await;
    rig.app.stub.say(Answer::Slow(Duration::from_millis(600), Box::new(Answer::Sql(COUNT_ORDERS))));
    let (_api, url) = rig.processes.api().await;
    let _scheduler = rig.processes.scheduler();
    let addresses = Addresses::new([url]);
    let reader = rig.reader(&addresses);
    let first = rig.processes.worker();
    let asker = Asker::start(Plan { at_once: ASKED, ..rig.plan_of(&addresses, ASKED) });
    rig.running(4).await;
    stopped(&first).await;
    let given_back: i64 = sqlx::query_scalar("SELECT count(*) FROM job_attempts WHERE outcome = 'given_back'")
        .fetch_one(&rig.app.pool)
        .await
        .expect("they are counted");
    assert!(given_back > 0, "it had questions in hand");
    let _second = rig.processes.worker();
    let account = rig.settle(asker.finish().await, reader).await;
    assert_eq!(account.standing.crashes, 0, "{account:?}");
}

async fn a_second_signal_stops_a_worker_at_once(on: On) {
    // A grace time that no test waits for, and one attempt.
    let rig = Rig::with(on, sturdy().with_setting("jobs.max_attempts", "1").with_setting("worker.grace_seconds", "600")).await;
    rig.app.stub.say(Answer::Hang);
    rig.app.stub.say(Answer::Sql(COUNT_ORDERS));
    let (_api, url) = rig.processes.api().await;
    let _scheduler = rig.processes.scheduler();
    let worker = rig.processes.worker();
    let client = rig.app.admin.at(&url);
    let id = client.ask(question(rig.shop, 1)).await;
    until(|| async { (rig.app.stub.calls().len() == 1).then_some(()) }, "the model is asked").await;
    worker.terminate();
    worker.says("stopping").await;
    assert!(worker.is_running(), "it waits for what it has begun: {}", worker.log());
    stopped(&worker).await;
    assert_eq!(outcomes(&rig.app, id).await, ["given_back"]);
    let _other = rig.processes.worker();
    assert_answered(&client.wait(id).await);
    assert_ended_once(&rig.app.pool, id).await;
    assert_eq!(outcomes(&rig.app, id).await, ["given_back", "succeeded"]);
}

async fn a_rolling_restart_is_seen_by_nobody(on: On) {
    // What is begun is finished.
    let rig = Rig::with(on, sturdy().with_setting("worker.grace_seconds", "15")).await;
    rig.app.stub.say(Answer::Slow(Duration::from_millis(200), Box::new(Answer::Sql(COUNT_ORDERS))));
    let (old, url) = rig.processes.api().await;
    let workers = [rig.processes.worker(), rig.processes.worker()];
    let _scheduler = rig.processes.scheduler();
    let addresses = Addresses::new([url.as_str()]);
    let reader = rig.reader(&addresses);
    let asker = Asker::start(rig.plan(&addresses));
    let flows = async |count: usize| {
        let before = asker.accepted();
        until(|| async { (asker.accepted() >= before + count).then_some(()) }, "questions flow").await;
    };
    flows(10).await;
    let mut successors = Vec::new();
    for worker in &workers {
        stopped(worker).await;
        successors.push(rig.processes.worker());
        flows(10).await;
    }
    // The new api is there before the old one goes, as behind any balancer.
    let (_new, next) = rig.processes.api().await;
    addresses.set([url.as_str(), next.as_str()]);
    flows(5).await;
    addresses.set([next.as_str()]);
    stopped(&old).await;
    flows(10).await;
    let account = rig.settle(asker.stop().await, reader).await;
    assert_eq!(account.standing.crashes, 0, "{account:?}");
    let most: i16 = sqlx::query_scalar("SELECT max(attempt) FROM jobs").fetch_one(&rig.app.pool).await.expect("it is read");
    assert_eq!(most, 1, "no question cost a second attempt");
}
