//! A question that kills every worker that takes it.

use datagenie_tests::{Answer, until};
use serde_json::json;

use super::{
    COUNT_ORDERS, assert_answered, question,
    rig::{On, Rig, sturdy},
};

on_both_brokers!(a_question_that_kills_its_workers_ends_dead_and_keeps_no_other_from_being_answered);

async fn a_question_that_kills_its_workers_ends_dead_and_keeps_no_other_from_being_answered(on: On) {
    const ATTEMPTS: usize = 3;
    let rig = Rig::with(on, sturdy().with_setting("jobs.max_attempts", ATTEMPTS.to_string())).await;
    let (_api, url) = rig.processes.api().await;
    let _scheduler = rig.processes.scheduler();
    let workers = [rig.processes.worker(), rig.processes.worker()];
    let client = rig.app.admin.at(&url);
    rig.app.stub.say(Answer::Hang);
    let poison = client.ask(question(rig.shop, 0)).await;
    for attempt in 1..=ATTEMPTS {
        let holder = until(|| holder(&rig, poison, attempt), "a worker has the question in hand").await;
        // The model is asked once by it and hangs; the next one that asks is another question.
        let calls = 2 * attempt - 1;
        until(|| async { (rig.app.stub.calls().len() == calls).then_some(()) }, "the model is asked").await;
        rig.app.stub.say(Answer::Sql(COUNT_ORDERS));
        let other = client.ask(question(rig.shop, attempt)).await;
        assert_answered(&client.wait(other).await);
        rig.app.stub.say(Answer::Hang);
        let worker = workers.iter().find(|worker| holder.starts_with(&format!("worker-{}-", worker.pid()))).expect("it is one of them");
        worker.kill9();
        assert_eq!(worker.exit_code().await, None, "a signal ends it");
        worker.restart();
    }
    let answer = client.wait(poison).await;
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!("error"), &json!("attempts_spent")), "{answer}");
    let (dead, attempts, rows): (bool, i16, i64) = sqlx::query_as(
        "SELECT dead, attempt, (SELECT count(*) FROM job_attempts a WHERE a.job_id = j.id) FROM jobs j WHERE subject_id = $1",
    )
    .bind(poison)
    .fetch_one(&rig.app.pool)
    .await
    .expect("it is read");
    assert_eq!((dead, usize::from(attempts.unsigned_abs()), rows), (true, ATTEMPTS, 3), "it did not spin");
    assert_eq!(rig.app.stub.calls().len(), 2 * ATTEMPTS, "nobody takes it up again");
}

/// Who has a question in hand, if this is its attempt of that number.
async fn holder(rig: &Rig, question: uuid::Uuid, attempt: usize) -> Option<String> {
    sqlx::query_scalar("SELECT worker FROM jobs WHERE subject_id = $1 AND state = 'running' AND attempt = $2 AND lease_until > dg_now()")
        .bind(question)
        .bind(i16::try_from(attempt).expect("a small number"))
        .fetch_optional(&rig.app.pool)
        .await
        .expect("it is read")
}
