//! A model that often fails and sometimes never answers.

use std::time::Duration;

use datagenie_tests::{Addresses, Answer, Asker, Plan};

use super::{
    COUNT_ORDERS,
    rig::{On, Rig, sturdy},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_fails_and_hangs_delays_its_questions_and_costs_no_attempt() {
    const ASKED: usize = 60;
    // One attempt is all there is: outages of the model must not cost it.
    let rig = Rig::with(On::Redis, sturdy().with_setting("llm.timeout_seconds", "1").with_setting("jobs.max_attempts", "1")).await;
    let well = Answer::Slow(Duration::from_millis(20), Box::new(Answer::Sql(COUNT_ORDERS)));
    rig.app.stub.say(Answer::Mixed { errors: 20, hangs: 5, well: Box::new(well) });
    let (_api, url) = rig.processes.api().await;
    let _programs = [rig.processes.worker(), rig.processes.worker(), rig.processes.scheduler()];
    let addresses = Addresses::new([url]);
    let reader = rig.reader(&addresses);
    let asked = Asker::start(Plan { at_once: 8, ..rig.plan_of(&addresses, ASKED) }).finish().await;
    let account = rig.settle(asked, reader).await;
    assert_eq!((account.standing.crashes, account.standing.dead), (0, 0), "{account:?}");
    let later: i64 = sqlx::query_scalar("SELECT count(*) FROM job_attempts WHERE outcome = 'later'")
        .fetch_one(&rig.app.pool)
        .await
        .expect("they are counted");
    assert!(later >= 10, "a quarter of the calls failed: {later}");
}
