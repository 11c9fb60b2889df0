//! What is sent, and how it is signed.

use datagenie_tests::{Sink, until};
use reqwest::Method;
use serde_json::json;

use super::{builder, delivery, endpoint, is_signed_by, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_told_once_with_an_envelope_that_the_public_library_verifies() {
    let app = builder().start().await;
    let sink = Sink::start().await;
    let (id, secret) = endpoint(&app.admin, &sink, &["question.*"]).await;
    let question = run(&app, &app.admin, json!({})).await;
    let told = &sink.has(1).await[0];
    assert!(is_signed_by(told, &secret) && !is_signed_by(told, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    let event = told.event();
    assert_eq!((&event["type"], &event["subject"]), (&json!("question.succeeded"), &question["id"]));
    assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!("/datagenie")));
    assert!(event["sequence"].is_string() && event["data"].get("rows").is_none(), "{event}");
    assert_eq!(event["id"], told.header("webhook-id"));
    let shown = delivery(&app.admin, id, "delivered").await;
    assert_eq!((&shown["attempts"][0]["status_code"], &shown["event_id"]), (&json!(204), &event["id"]));
    assert_eq!(sink.received().len(), 1, "schema_sync is not in the filter, and one event is told once");
    let ended = app.admin.get(format!("/v1/jobs/{}", shown["job_id"].as_str().expect("an id")), None).await.expect(200);
    assert_eq!(ended.body["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_is_signed_with_the_askers_secret_and_can_be_replayed() {
    let app = builder().start().await;
    let sink = Sink::start().await;
    let question = run(&app, &app.admin, json!({ "callback_url": sink.url() })).await;
    let first = sink.has(1).await.remove(0);
    let secret = app.admin.get("/v1/webhooks/callback-secret", None).await.expect(200).body["secret"].clone();
    assert!(is_signed_by(&first, secret.as_str().expect("a text")));
    assert_eq!(first.event()["subject"], question["id"]);

    let rotated = app.admin.post("/v1/webhooks/callback-secret", None).await.expect(200).body;
    assert_ne!(rotated["secret"], secret);
    // One that is still on its way would stay as it is.
    let look = || async {
        let listed = app.admin.get("/v1/webhooks/callback-deliveries", None).await.expect(200).body;
        let newest = &listed["items"][0];
        (newest["state"] != "pending").then(|| newest["id"].as_str().expect("an id").to_owned())
    };
    let delivery = until(look, "the callback counts as delivered").await;
    let replay = format!("/v1/webhooks/callback-deliveries/{delivery}/replay");
    let send = || app.admin.send(app.admin.request(Method::POST, &replay).header("idempotency-key", "again"));
    assert_eq!(send().await.expect(202).body["state"], "pending");
    let again = sink.has(2).await.remove(1);
    until(look, "it counts as delivered once more").await;
    assert_eq!(send().await.expect(202).body["state"], "delivered", "the same key sends it no third time");
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    for secret in [&secret, &rotated["secret"]] {
        assert!(is_signed_by(&again, secret.as_str().expect("a text")), "both sign for a day");
    }
    for wrong in ["ftp://example.com/", "nonsense", "http://user:word@example.com/"] {
        let ask = app.admin.post("/v1/questions", json!({ "question": "how many?", "callback_url": wrong })).await;
        ask.problem(422, "invalid_request");
        assert!(!ask.text.contains("user:word"), "{}", ask.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rotation_both_secrets_sign_for_a_day_and_then_the_new_one_alone() {
    let app = builder().start().await;
    let sink = Sink::start().await;
    let (id, old) = endpoint(&app.admin, &sink, &["*"]).await;
    let rotated = app.admin.post(format!("/v1/webhooks/{id}/rotate"), None).await.expect(200).body;
    let new = rotated["secret"].as_str().expect("shown once").to_owned();
    let _ = app.admin.post(format!("/v1/webhooks/{id}/test"), None).await.expect(202);
    let both = sink.has(1).await.remove(0);
    assert_eq!(both.event()["type"], "webhook.test");
    assert!(is_signed_by(&both, &old) && is_signed_by(&both, &new));
    assert_eq!(both.header("webhook-signature").split(' ').count(), 2);
    // A key that is lost takes the old one with it, and holds nothing up.
    sqlx::query("UPDATE webhook_endpoints SET old_secret = jsonb_set(old_secret, '{key_id}', '\"lost\"')")
        .execute(&app.pool)
        .await
        .expect("its key is lost");
    let _ = app.admin.post(format!("/v1/webhooks/{id}/test"), None).await.expect(202);
    let alone = sink.has(2).await.remove(1);
    assert!(!is_signed_by(&alone, &old) && is_signed_by(&alone, &new));
    sqlx::query("UPDATE webhook_endpoints SET old_secret_until = dg_now() - interval '1 second'")
        .execute(&app.pool)
        .await
        .expect("a day passes");
    let _ = app.admin.post(format!("/v1/webhooks/{id}/test"), None).await.expect(202);
    let one = sink.has(3).await.remove(2);
    assert!(!is_signed_by(&one, &old) && is_signed_by(&one, &new));
    let stored: String = sqlx::query_scalar("SELECT (SELECT string_agg(to_jsonb(w)::text, '') FROM webhook_endpoints w) || (SELECT string_agg(to_jsonb(a)::text, '') FROM audit_logs a)")
        .fetch_one(&app.pool)
        .await
        .expect("the rows are read");
    assert!(!stored.contains(&new[6..]) && !stored.contains(&old[6..]), "secrets are sealed, and in no audit row");
}
