//! Stopping a question whose worker died, and stopping one while Redis, which would carry the word, is away.

use std::time::Duration;

use datagenie_tests::{Answer, until};
use serde_json::json;
use uuid::Uuid;

use super::{
    assert_answered, outcomes, question,
    rig::{On, Rig, sturdy},
};

on_both_brokers!(a_question_that_is_to_stop_and_whose_worker_died_is_cancelled_and_not_run_again);

/// Waits for the end of a question that was to stop, and checks that it is the only one.
async fn assert_cancelled(rig: &Rig, url: &str, id: Uuid) {
    let ended = rig.app.admin.at(url).wait(id).await;
    assert_eq!(ended["status"], "cancelled", "{ended}");
    let events: Vec<String> = sqlx::query_scalar("SELECT type FROM events WHERE subject = $1::text")
        .bind(id)
        .fetch_all(&rig.app.pool)
        .await
        .expect("they are read");
    assert_eq!(events, ["question.cancelled"]);
    assert_eq!(rig.app.stub.calls().len(), 1, "it was not run again");
}

async fn a_question_that_is_to_stop_and_whose_worker_died_is_cancelled_and_not_run_again(on: On) {
    let rig = Rig::start(on).await;
    rig.app.stub.say(Answer::Hang);
    let (_api, url) = rig.processes.api().await;
    let _scheduler = rig.processes.scheduler();
    let worker = rig.processes.worker();
    let client = rig.app.admin.at(&url);
    let id = client.ask(question(rig.shop, 1)).await;
    until(|| async { (rig.app.stub.calls().len() == 1).then_some(()) }, "the model is asked").await;
    // It can't hear what is asked of it, and dies.
    worker.stop();
    let reply = client.post(format!("/v1/questions/{id}/cancel"), None).await.expect(202);
    assert_eq!(reply.body["status"], "pending", "{}", reply.text);
    worker.kill9();
    let _other = rig.processes.worker();
    assert_cancelled(&rig, &url, id).await;
    assert_eq!(outcomes(&rig.app, id).await.len(), 1, "one attempt");
    rig.app.stub.say(Answer::Sql(super::COUNT_ORDERS));
    assert_answered(&client.answer(question(rig.shop, 2)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_stopped_soon_although_redis_is_away() {
    // Heartbeats, which would find it too, are twenty seconds apart.
    let rig = Rig::with(On::Redis, sturdy().with_setting("jobs.lease_seconds", "60")).await;
    rig.app.stub.say(Answer::Hang);
    let (_api, url) = rig.processes.api().await;
    let _programs = [rig.processes.worker(), rig.processes.scheduler()];
    let client = rig.app.admin.at(&url);
    let id = client.ask(question(rig.shop, 1)).await;
    until(|| async { (rig.app.stub.calls().len() == 1).then_some(()) }, "the model is asked").await;
    rig.app.redis.kill();
    let reply = client.post(format!("/v1/questions/{id}/cancel"), None).await.expect(202);
    assert_eq!(reply.body["status"], json!("pending"), "{}", reply.text);
    assert_cancelled(&rig, &url, id).await;
    let seconds: f64 =
        sqlx::query_scalar("SELECT extract(epoch FROM finished_at - cancel_requested_at)::float8 FROM jobs WHERE subject_id = $1")
            .bind(id)
            .fetch_one(&rig.app.pool)
            .await
            .expect("it is read");
    // A look every half second, and a second at most to wind down; the rest is for a busy machine, and less than to the next heartbeat.
    assert!(seconds < Duration::from_secs(15).as_secs_f64(), "it took {seconds} s");
}
