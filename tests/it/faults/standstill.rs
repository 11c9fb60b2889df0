//! A worker that stands still past its leases and goes on: whatever it writes then touches nothing.

use std::time::Duration;

use datagenie_tests::{Addresses, Answer, Asker, Plan, Standing, Victims, until};

use super::{
    COUNT_ORDERS, assert_answered, question,
    rig::{On, Rig, SETTLED},
};

on_both_brokers!(the_late_writes_of_a_worker_that_stood_still_touch_nothing);

const LOST: &str = "the lease was lost";

async fn the_late_writes_of_a_worker_that_stood_still_touch_nothing(on: On) {
    const ASKED: usize = 6;
    let rig = Rig::start(on).await;
    // The model's answers are there long before the first worker can take them.
    rig.app.stub.say(Answer::Slow(Duration::from_millis(800), Box::new(Answer::Sql(COUNT_ORDERS))));
    let (_api, url) = rig.processes.api().await;
    let _scheduler = rig.processes.scheduler();
    let addresses = Addresses::new([url.as_str()]);
    let reader = rig.reader(&addresses);
    let first = rig.processes.worker();
    let asker = Asker::start(Plan { at_once: ASKED, ..rig.plan_of(&addresses, ASKED) });
    rig.running(2).await;
    first.stop();
    // What it had sent before is done at the server: claims too.
    let at_work = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'datagenie-worker%' AND state = 'active'
                       AND datname = current_database()";
    let look = || async {
        let working: i64 = sqlx::query_scalar(at_work).fetch_one(&rig.app.pool).await.expect("the server's sessions are read");
        (working == 0).then_some(())
    };
    until(look, "the server has done what the worker sent").await;
    let mut held = Victims::default();
    let count = held.add(&rig.app.pool, first.pid()).await.expect("the ledger is read");
    assert!(count > 0, "it stands still with questions in hand");
    let second = rig.processes.worker();
    let asked = asker.finish().await;
    // All of them are answered by the other one while the first one stands still.
    let standing = Standing::settled(&rig.app.pool, &asked.ids, SETTLED).await.expect("the tables are read");
    assert_eq!(standing.succeeded, standing.accepted, "{standing:?}");
    let before = rig.digest().await;
    first.cont();
    until(
        || async {
            assert!(first.is_running(), "it ended: {}", first.log());
            (first.log().matches(LOST).count() >= count).then_some(())
        },
        "the first worker finds its leases lost",
    )
    .await;
    assert_eq!(rig.digest().await, before, "its late writes changed something");
    let account = rig.settle(asked, reader).await;
    let recovery = held.recovery(&rig.app.pool).await.expect("the ledger is read");
    assert_eq!((account.standing.crashes, recovery.recovered), (recovery.crashed, recovery.first_crashes), "{recovery:?}");

    // It is none the worse for it, and alone now.
    second.kill9();
    assert_answered(&rig.app.admin.at(&url).answer(question(rig.shop, ASKED)).await);
}
