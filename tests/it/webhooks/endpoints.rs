//! Endpoints and whose they are.

use datagenie_tests::{Sink, until};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::{builder, delivery, endpoint, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_its_owners_alone() {
    let app = builder().no_worker().no_scheduler().start().await;
    let (alice, bob, viewer) = (app.client("alice").await, app.client("bob").await, app.client("viewer").await);
    let sink = Sink::start().await;
    let (id, _) = endpoint(&alice, &sink, &["*"]).await;
    let calls = [
        (Method::GET, format!("/v1/webhooks/{id}"), None),
        (Method::PATCH, format!("/v1/webhooks/{id}"), Some(json!({ "active": false }))),
        (Method::DELETE, format!("/v1/webhooks/{id}"), None),
        (Method::POST, format!("/v1/webhooks/{id}/rotate"), None),
        (Method::POST, format!("/v1/webhooks/{id}/test"), None),
        (Method::GET, format!("/v1/webhooks/{id}/deliveries"), None),
        (Method::POST, format!("/v1/webhooks/{id}/replay"), Some(json!({ "since": "2026-01-01T00:00:00Z" }))),
        (Method::POST, format!("/v1/webhooks/{id}/deliveries/{}/replay", Uuid::now_v7()), None),
    ];
    for (method, path, body) in calls {
        let send = |client: &datagenie_tests::Client| {
            let request = client.request(method.clone(), &path);
            let request = if let Some(body) = &body { request.json(body) } else { request };
            let client = client.clone();
            async move { client.send(request).await }
        };
        for other in [&bob, &app.admin] {
            send(other).await.problem(404, "not_found");
        }
        send(&viewer).await.problem(403, "permission_denied");
    }
    let shown = alice.get(format!("/v1/webhooks/{id}"), None).await.expect(200).body;
    assert!(shown["active"] == true && shown.get("secret").is_none(), "{shown}");
    for (field, value) in [
        ("url", json!("file:///etc/passwd")),
        ("url", json!(format!("https://example.com/{}", "x".repeat(2048)))),
        ("events", json!([])),
        ("events", json!(["question.started"])),
        ("colour", json!("red")),
    ] {
        let mut body = json!({ "url": "https://example.com/", "events": ["*"] });
        body[field] = value;
        alice.post("/v1/webhooks", body).await.problem(422, "invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_gone_is_disabled_and_its_owner_told() {
    let app = builder().start().await;
    let (gone, other) = (Sink::start().await, Sink::start().await);
    let (id, _) = endpoint(&app.admin, &gone, &["question.*"]).await;
    endpoint(&app.admin, &other, &["webhook.disabled"]).await;
    gone.next([datagenie_tests::Takes::Status(410)]);
    run(&app, &app.admin, json!({})).await;
    let told = other.has(1).await[0].event();
    assert_eq!((&told["type"], &told["data"]["reason"], &told["subject"]), (&json!("webhook.disabled"), &json!("gone"), &json!(id)));
    let shown = app.admin.get(format!("/v1/webhooks/{id}"), None).await.expect(200).body;
    assert_eq!((&shown["active"], &shown["disabled_reason"]), (&json!(false), &json!("gone")));
    let failed = delivery(&app.admin, id, "failed").await;
    assert_eq!(failed["attempts"].as_array().map(Vec::len), Some(1));

    // What happens meanwhile is not sent, and can be, later.
    run(&app, &app.admin, json!({})).await;
    let replay = json!({ "since": "2020-01-01T00:00:00Z" });
    app.admin.post(format!("/v1/webhooks/{id}/replay"), replay.clone()).await.problem(409, "webhook_disabled");
    let _ = app.admin.patch(format!("/v1/webhooks/{id}"), json!({ "active": true })).await.expect(200);
    let replayed = app.admin.post(format!("/v1/webhooks/{id}/replay"), replay).await.expect(202).body;
    assert_eq!((&replayed["replayed"], &replayed["more"]), (&json!(2), &json!(false)));
    let received = gone.has(3).await;
    assert!(received[1..].iter().any(|again| again.header("webhook-id") == received[0].header("webhook-id")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_goes_through_all_events_of_one_time_call_by_call() {
    let app = builder().no_worker().no_scheduler().start().await;
    let sink = Sink::start().await;
    let (id, _) = endpoint(&app.admin, &sink, &["question.*"]).await;
    sqlx::query(
        "INSERT INTO events (id, type, subject, user_id, data, created_at)
         SELECT gen_random_uuid(), 'question.succeeded', gen_random_uuid()::text, $1, '{}', dg_now() - interval '1 day'
         FROM generate_series(1, 1200)",
    )
    .bind(app.admin.user_id)
    .execute(&app.pool)
    .await
    .expect("many events of one commit");
    let path = format!("/v1/webhooks/{id}/replay");
    let first = app.admin.post(&path, json!({ "since": "2020-01-01T00:00:00Z" })).await.expect(202).body;
    assert_eq!((&first["replayed"], &first["more"]), (&json!(1000), &json!(true)));
    let next = json!({ "since": "2020-01-01T00:00:00Z", "cursor": first["next_cursor"] });
    let rest = app.admin.post(&path, next).await.expect(202).body;
    assert_eq!((&rest["replayed"], &rest["more"], &rest["next_cursor"]), (&json!(200), &json!(false), &json!(null)));
    for wrong in ["", "1", "a.b", "1.1"] {
        app.admin.post(&path, json!({ "since": "2020-01-01T00:00:00Z", "cursor": wrong })).await.problem(422, "invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_days_of_nothing_but_failures_disable() {
    let app = builder().start().await;
    let sink = Sink::start().await;
    let (id, _) = endpoint(&app.admin, &sink, &["question.*"]).await;
    let path = format!("/v1/webhooks/{id}");
    for (days, active) in [(4, true), (6, false)] {
        sqlx::query("UPDATE webhook_endpoints SET failing_since = dg_now() - $1 * interval '1 day'")
            .bind(f64::from(days))
            .execute(&app.pool)
            .await
            .expect("it fails since then");
        sink.next([datagenie_tests::Takes::Status(500)]);
        run(&app, &app.admin, json!({})).await;
        until(
            || async {
                let newest = app.admin.get(format!("{path}/deliveries"), None).await.expect(200).body["items"][0]["attempts"].clone();
                (newest.as_array().map(Vec::len) == Some(1)).then_some(())
            },
            "an attempt is noted",
        )
        .await;
        assert_eq!(app.admin.get(&path, None).await.expect(200).body["active"], active, "after {days} days");
        // So that its second attempt, which would work, does not come in between.
        sqlx::query("UPDATE jobs SET run_at = dg_now() + interval '1 day' WHERE kind = 'deliver_webhook' AND state = 'waiting'")
            .execute(&app.pool)
            .await
            .expect("the next attempt is put off");
    }
    assert_eq!(app.admin.get(&path, None).await.expect(200).body["disabled_reason"], "failing");
}
