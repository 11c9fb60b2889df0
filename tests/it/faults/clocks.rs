//! Machines whose clocks are minutes apart: PostgreSQL's decides.

use std::time::Duration;

use datagenie_tests::{Addresses, Answer, Asker, Victims, until};

use super::{
    COUNT_ORDERS,
    rig::{On, Rig},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_ten_minutes_apart_neither_lose_nor_hurry_anything() {
    let rig = Rig::start(On::Redis).await;
    let slow = || Answer::Slow(Duration::from_millis(400), Box::new(Answer::Sql(COUNT_ORDERS)));
    rig.app.stub.say(Answer::StatusAfter(429, 1));
    rig.app.stub.say(slow());
    let (ahead, behind) = ("600", "-600");
    let at = |offset: &str| rig.processes.clone().with_setting("clock.offset_seconds", offset);
    let (_api, url) = at(behind).api().await;
    let workers = [at(ahead).worker(), at(behind).worker()];
    let schedulers = [at(ahead).scheduler(), at(behind).scheduler()];
    let addresses = Addresses::new([url]);
    let reader = rig.reader(&addresses);
    let asker = Asker::start(rig.plan(&addresses));
    let mut victims = Victims::default();
    for (worker, scheduler) in workers.iter().zip(&schedulers) {
        let taken = asker.accepted();
        until(|| async { (asker.accepted() >= taken + 20).then_some(()) }, "questions flow").await;
        worker.kill9();
        scheduler.kill9();
        assert_eq!(worker.exit_code().await, None, "a signal ends it");
        victims.add(&rig.app.pool, worker.pid()).await.expect("the ledger is read");
        worker.restart();
        scheduler.restart();
    }
    let asked = asker.stop().await;
    let account = rig.settle(asked, reader).await;
    // A clock that is ahead would find the leases of living workers over, and a clock that is behind those of dead ones never.
    let recovery = victims.recovery(&rig.app.pool).await.expect("the ledger is read");
    assert_eq!((account.standing.crashes, recovery.recovered), (recovery.crashed, recovery.first_crashes), "{recovery:?} {account:?}");
    let shifted: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM jobs WHERE greatest(created_at, run_at, started_at, finished_at) > dg_now()
             OR least(created_at, started_at, finished_at) < dg_now() - interval '5 minutes'",
    )
    .fetch_one(&rig.app.pool)
    .await
    .expect("they are counted");
    assert_eq!(shifted, 0, "times of the ledger are PostgreSQL's");
}
