//! Webhooks and callbacks: signed so that the public library of Standard Webhooks takes them, tried again by the schedule, never lost.

mod endpoints;
mod outages;
mod signed;

use datagenie_common::model::jobs::Lane;
use datagenie_tests::{Client, Received, Sink, TestApp, TestAppBuilder, until};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use uuid::Uuid;

/// An app that may call sinks on this machine.
fn builder() -> TestAppBuilder {
    TestApp::builder().offline().with_setting("webhooks.allow_cidrs", "127.0.0.1/32")
}

/// Makes an endpoint of somebody: its id and its secret.
async fn endpoint(owner: &Client, sink: &Sink, events: &[&str]) -> (Uuid, String) {
    let made = owner.post("/v1/webhooks", json!({ "url": sink.url(), "events": events })).await.expect(201);
    (made.id(), made.body["secret"].as_str().expect("its secret is shown once").to_owned())
}

/// Whether the public library takes what came, by this secret.
fn is_signed_by(received: &Received, secret: &str) -> bool {
    Webhook::new(secret).expect("a secret of Standard Webhooks").verify(&received.body, &received.headers).is_ok()
}

/// Runs a statement to its end as somebody; the question.
async fn run(app: &TestApp, asker: &Client, more: Value) -> Value {
    let mut body = json!({ "sql": "SELECT count(*) AS n FROM orders", "connection_id": app.shop_sqlite().await });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    asker.answer(body).await
}

/// The newest delivery to an endpoint, once it is in this state.
async fn delivery(owner: &Client, endpoint: Uuid, state: &str) -> Value {
    let path = format!("/v1/webhooks/{endpoint}/deliveries");
    until(
        || async {
            let newest = owner.get(&path, None).await.expect(200).body["items"][0].clone();
            (newest["state"] == state).then_some(newest)
        },
        state,
    )
    .await
}

/// A worker more, which serves this lane alone.
async fn worker_of(app: &mut TestApp, lane: Lane) -> datagenie_tests::Running {
    app.settings.worker.lanes = vec![lane];
    app.start_worker().await
}
