//! Targets that are away, and workers that die.

use datagenie_common::model::jobs::Lane;
use datagenie_tests::{Sink, Takes, until};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{builder, delivery, endpoint, is_signed_by, run, worker_of};

/// Seconds until a delivery's next attempt, once so many were made.
async fn wait_after(app: &datagenie_tests::TestApp, job: Uuid, attempts: i16) -> f64 {
    until(
        || async {
            let row: Option<(f64,)> = sqlx::query_as(
                "SELECT extract(epoch FROM run_at - dg_now())::float8 FROM jobs WHERE id = $1 AND attempt = $2 AND state = 'waiting'",
            )
            .bind(job)
            .bind(attempts)
            .fetch_optional(&app.pool)
            .await
            .expect("the job is read");
            row.map(|(seconds,)| seconds)
        },
        "the next attempt waits",
    )
    .await
}

async fn make_due(app: &datagenie_tests::TestApp, job: Uuid) {
    sqlx::query("UPDATE jobs SET run_at = dg_now() WHERE id = $1").bind(job).execute(&app.pool).await.expect("its time comes");
}

fn job_of(delivery: &Value) -> Uuid {
    delivery["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a delivery has a job")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_down_is_tried_ten_times_by_the_schedule_each_with_the_same_id() {
    let app = builder().start().await;
    let sink = Sink::start().await;
    let (id, secret) = endpoint(&app.admin, &sink, &["question.*"]).await;
    sink.next([Takes::StatusAfter(429, 3600)]);
    sink.next((0..9).map(|_| Takes::Status(503)));
    run(&app, &app.admin, json!({})).await;
    let job = job_of(&delivery(&app.admin, id, "pending").await);
    let waits = [3_600.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0];
    for (attempts, least) in (1_i16..).zip(waits) {
        let wait = wait_after(&app, job, attempts).await;
        assert!(wait > least - 60.0 && wait < least * 1.1 + 60.0, "after {attempts} attempts: {wait}, not about {least}");
        make_due(&app, job).await;
    }
    let failed = delivery(&app.admin, id, "failed").await;
    let attempts = failed["attempts"].as_array().expect("a list");
    assert_eq!(attempts.len(), 10, "every attempt is visible: {failed}");
    assert!(attempts[1..].iter().all(|attempt| attempt["status_code"] == 503 && attempt["error"].is_string()), "{failed}");
    assert!(!failed.to_string().contains("sink-secret"), "no error quotes the URL: {failed}");
    let received = sink.received();
    assert!(received.iter().all(|one| one.header("webhook-id") == received[0].header("webhook-id") && is_signed_by(one, &secret)));

    let path = format!("/v1/webhooks/{id}/deliveries/{}/replay", failed["id"].as_str().expect("an id"));
    let _ = app.admin.post(path, None).await.expect(202);
    delivery(&app.admin, id, "delivered").await;
    assert_eq!(sink.has(11).await[10].header("webhook-id"), received[0].header("webhook-id"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_while_nobody_delivers_is_delivered_later() {
    let mut app = builder().with_setting("worker.lanes", "interactive,maintenance").start().await;
    let sink = Sink::start().await;
    let (id, _) = endpoint(&app.admin, &sink, &["question.*"]).await;
    let question = run(&app, &app.admin, json!({ "callback_url": sink.url() })).await;
    assert_eq!(delivery(&app.admin, id, "pending").await["attempts"], json!([]));
    let _worker = worker_of(&mut app, Lane::Webhook).await;
    let received = sink.has(2).await;
    assert!(received.iter().all(|one| one.event()["subject"] == question["id"]), "the endpoint and the callback");
    delivery(&app.admin, id, "delivered").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_in_the_middle_leads_to_another_delivery_with_the_same_id() {
    let mut app = builder().with_setting("worker.lanes", "interactive,maintenance").with_setting("jobs.lease_seconds", "2").start().await;
    let sink = Sink::start().await;
    let (id, _) = endpoint(&app.admin, &sink, &["question.*"]).await;
    sink.next([Takes::Never]);
    run(&app, &app.admin, json!({})).await;
    let dies = worker_of(&mut app, Lane::Webhook).await;
    let first = sink.has(1).await.remove(0);
    dies.crash().await;
    let _next = app.start_worker().await;
    let again = sink.has(2).await.remove(1);
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(again.body, first.body);
    let shown = delivery(&app.admin, id, "delivered").await;
    assert_eq!(shown["attempts"].as_array().map(Vec::len), Some(2), "the attempt that died too: {shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_addresses_are_not_called() {
    let app = datagenie_tests::TestApp::builder().offline().start().await;
    let sink = Sink::start().await;
    let (id, _) = endpoint(&app.admin, &sink, &["question.*"]).await;
    run(&app, &app.admin, json!({ "callback_url": "http://169.254.169.254/latest/meta-data/" })).await;
    let job = job_of(&delivery(&app.admin, id, "pending").await);
    wait_after(&app, job, 1).await;
    let shown = delivery(&app.admin, id, "pending").await;
    assert!(shown["attempts"][0]["error"].as_str().is_some_and(|error| error.contains("no public address")), "{shown}");
    assert!(sink.received().is_empty());
}
