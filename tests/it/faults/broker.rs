//! The broker away, standing still, started anew, wiped; its messages doubled, disordered and mixed with strangers'.

use std::time::Duration;

use datagenie_local::with_servers::TempFolder;
use datagenie_tests::{Addresses, Answer, Asker, TestRedis, own_rabbitmq, until};

use super::{
    COUNT_ORDERS,
    rig::{CLIENTS, On, Rig, sturdy},
};

on_both_brokers!(
    a_broker_that_is_gone_for_a_while_delays_and_loses_nothing,
    a_broker_that_stands_still_keeps_no_client_waiting,
    a_wiped_broker_loses_nothing,
    doubled_disordered_and_foreign_messages_change_nothing
);

/// What a program says of a ring that the broker did not take in time.
const NOT_RUNG: &str = "bells not rung";

/// Asks while `fault` goes on, until a ring has failed and `enough` is content with what has been taken in since and with how many rings
/// have failed. No client may see the fault, and everything must end well.
async fn asked_through(rig: &Rig, fault: impl Fn(), over: impl Fn(), mut enough: impl FnMut(usize, usize) -> bool) {
    rig.app.stub.say(Answer::Slow(Duration::from_millis(50), Box::new(Answer::Sql(COUNT_ORDERS))));
    let (api, url) = rig.processes.api().await;
    let _programs = [rig.processes.worker(), rig.processes.worker(), rig.processes.scheduler()];
    let addresses = Addresses::new([url]);
    let reader = rig.reader(&addresses);
    let asker = Asker::start(rig.plan(&addresses));
    let flows = async |since: usize, what: &str| until(|| async { (asker.accepted() >= since + 8).then_some(()) }, what).await;
    flows(0, "questions flow").await;
    fault();
    let before = asker.accepted();
    let look = || {
        let (accepted, failed) = (asker.accepted() - before, api.log().matches(NOT_RUNG).count());
        let seen = enough(accepted, failed) && failed > 0;
        async move { seen.then_some(()) }
    };
    until(look, "clients are answered without the broker").await;
    over();
    flows(asker.accepted(), "questions flow again").await;
    let asked = asker.stop().await;
    assert_eq!(asked.tried_again, 0, "no client saw it: {asked:?}");
    rig.settle(asked, reader).await;
}

async fn a_broker_that_is_gone_for_a_while_delays_and_loses_nothing(on: On) {
    let rig = Rig::start(on).await;
    asked_through(&rig, || rig.proxy.refuse(), || rig.proxy.allow(), |accepted, _| accepted >= 24).await;
}

async fn a_broker_that_stands_still_keeps_no_client_waiting(on: On) {
    // Clients that are kept waiting get one answer each when a ring is given up, however long that takes; and so twice as many at most
    // between one failure that is seen and the next.
    const WAITING: usize = 2 * CLIENTS;
    let rig = Rig::start(on).await;
    let (mut since, mut known, mut is_proven) = (0, 0, false);
    let enough = |accepted: usize, failed: usize| {
        if failed != known {
            (since, known) = (accepted, failed);
        }
        is_proven |= accepted - since > WAITING;
        is_proven
    };
    asked_through(&rig, || rig.proxy.stall(), || rig.proxy.resume(), enough).await;
}

/// Asks while a server of this test's own, apart from the cache, is started anew.
async fn asked_through_a_restart(rig: &Rig, restart: impl Future<Output = ()>) {
    const ASKED: usize = 40;
    rig.app.stub.say(Answer::Slow(Duration::from_millis(100), Box::new(Answer::Sql(COUNT_ORDERS))));
    let (_api, url) = rig.processes.api().await;
    let _programs = [rig.processes.worker(), rig.processes.worker(), rig.processes.scheduler()];
    let addresses = Addresses::new([url]);
    let reader = rig.reader(&addresses);
    let asker = Asker::start(rig.plan_of(&addresses, ASKED));
    until(|| async { (asker.accepted() >= 10).then_some(()) }, "questions flow").await;
    restart.await;
    let asked = asker.finish().await;
    rig.settle(asked, reader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_comes_back_empty_loses_nothing() {
    // It outlives the server in it.
    let folder = TempFolder::new("broker").expect("a temporary folder");
    let redis = TestRedis::start(folder.path()).await;
    let app = Box::pin(sturdy().start()).await;
    let rig = Box::pin(Rig::before(app, redis.url())).await;
    Box::pin(asked_through_a_restart(&rig, redis.restart())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rabbitmq_node_that_is_started_anew_loses_nothing() {
    let folder = TempFolder::new("broker").expect("a temporary folder");
    let (mut node, app) = tokio::join!(own_rabbitmq(folder.path()), Box::pin(sturdy().start()));
    let rig = Box::pin(Rig::before(app, &node.url())).await;
    let restart = async { Box::pin(node.restart()).await.expect("RabbitMQ starts again") };
    Box::pin(asked_through_a_restart(&rig, restart)).await;
}

/// Lets a worker make the lanes; it is gone before there is anything to hear.
async fn make_lanes(rig: &Rig) {
    let worker = rig.processes.worker();
    worker.says("worker is up").await;
    until(|| async { rig.bells.waiting().await.ok() }, "the lanes are there").await;
    worker.terminate();
    assert_eq!(worker.exit_code().await, Some(0), "{}", worker.log());
}

async fn a_wiped_broker_loses_nothing(on: On) {
    const ASKED: usize = 30;
    let rig = Rig::start(on).await;
    // Long enough for some to wait still when the first ones are answered.
    rig.app.stub.say(Answer::Slow(Duration::from_millis(200), Box::new(Answer::Sql(COUNT_ORDERS))));
    let (_api, url) = rig.processes.api().await;
    let addresses = Addresses::new([url]);
    let reader = rig.reader(&addresses);
    make_lanes(&rig).await;
    let asked = Asker::start(rig.plan_of(&addresses, ASKED)).finish().await;
    until(|| async { rig.bells.waiting().await.is_ok_and(|count| count > 0).then_some(()) }, "bells wait").await;
    rig.bells.wipe().await.expect("it is wiped");
    let _programs = [rig.processes.worker(), rig.processes.scheduler()];
    // Once more under a listener, with whatever has been rung by then.
    let ended = "SELECT count(*) FROM jobs WHERE kind = 'answer_question' AND finished_at IS NOT NULL";
    until(
        || async { sqlx::query_scalar::<_, i64>(ended).fetch_one(&rig.app.pool).await.is_ok_and(|ended| ended > 0).then_some(()) },
        "the work goes on",
    )
    .await;
    rig.bells.wipe().await.expect("it is wiped");
    let account = rig.settle(asked, reader).await;
    assert_eq!(account.standing.crashes, 0, "{account:?}");
}

async fn doubled_disordered_and_foreign_messages_change_nothing(on: On) {
    // As many as are let in while no worker is up.
    const ASKED: usize = 16;
    let rig = Rig::start(on).await;
    rig.app.stub.say(Answer::Sql(COUNT_ORDERS));
    let (_api, url) = rig.processes.api().await;
    let addresses = Addresses::new([url]);
    let reader = rig.reader(&addresses);
    make_lanes(&rig).await;
    let asked = Asker::start(rig.plan_of(&addresses, ASKED)).finish().await;
    until(|| async { rig.bells.waiting().await.is_ok_and(|count| count >= 16).then_some(()) }, "a bell for each waits").await;
    let copies = rig.bells.copies().await.expect("the messages are read");
    assert_eq!(copies.len(), ASKED, "one for each question");
    let backwards: Vec<_> = copies.iter().rev().cloned().collect();
    rig.bells.put_strangers().await.expect("they are put");
    rig.bells.put(&backwards).await.expect("they are put");
    rig.bells.put_strangers().await.expect("they are put");
    rig.bells.put(&backwards).await.expect("they are put");
    let workers = [rig.processes.worker(), rig.processes.worker()];
    let _scheduler = rig.processes.scheduler();
    let account = rig.settle(asked, reader).await;
    assert_eq!((account.standing.attempts, account.standing.crashes), (account.standing.jobs, 0), "one attempt each: {account:?}");
    // And once more when all is over.
    let before = rig.digest().await;
    rig.bells.put(&copies).await.expect("they are put");
    rig.bells.put_strangers().await.expect("they are put");
    until(|| async { rig.bells.waiting().await.is_ok_and(|count| count == 0).then_some(()) }, "all of them are heard").await;
    for worker in &workers {
        worker.says("worker is up").await;
        // What it has heard it decides before it ends.
        worker.terminate();
        assert_eq!(worker.exit_code().await, Some(0), "{}", worker.log());
    }
    assert_eq!(rig.digest().await, before, "late messages changed something");
}
