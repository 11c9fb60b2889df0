//! `POST /v1/jobs/cancel`: stopping all jobs that fit.

use datagenie_tests::{Client, TestApp};
use serde_json::{Value, json};
use uuid::Uuid;

/// Asks of no database: the question and its job.
async fn ask(client: &Client) -> (Uuid, Uuid) {
    let asked = client.post("/v1/questions", json!({ "question": "how many?" })).await.expect(202);
    (asked.id(), asked.body["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a question has a job"))
}

async fn cancel(client: &Client, filter: Value) -> Value {
    client.post("/v1/jobs/cancel", filter).await.expect(200).body
}

async fn state(client: &Client, job: Uuid) -> Value {
    client.get(format!("/v1/jobs/{job}"), None).await.expect(200).body["state"].clone()
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&app.pool).await.expect("it is counted")
}

/// Puts so many jobs of bulk work, which are about nothing, into the ledger.
async fn bulk(app: &TestApp, client: &Client, jobs: i32) {
    sqlx::query(
        "INSERT INTO jobs (id, kind, lane, state, in_flight, user_id, deadline)
         SELECT gen_random_uuid(), 'sync_schema', 'bulk', 'waiting', false, $1, dg_now() + interval '1 hour' FROM generate_series(1, $2)",
    )
    .bind(client.user_id)
    .bind(jobs)
    .execute(&app.pool)
    .await
    .expect("the jobs are stored");
}

async fn run(app: &TestApp, job: Uuid) {
    sqlx::query(
        "UPDATE jobs SET state = 'running', in_flight = true, lease_id = gen_random_uuid(), lease_until = dg_now() + interval '1 hour'
         WHERE id = $1",
    )
    .bind(job)
    .execute(&app.pool)
    .await
    .expect("the job runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ones_own_jobs_are_cancelled_and_nobody_elses() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let (question, _) = ask(&alice).await;
    let (_, second) = ask(&alice).await;
    let (_, other) = ask(&bob).await;
    let (_, of_admin) = ask(&app.admin).await;
    assert_eq!(cancel(&alice, json!({ "kind": "sync_schema" })).await, json!({ "cancelled": 0, "asked": 0, "more": false }));
    assert_eq!(cancel(&alice, json!({ "all": true })).await, json!({ "cancelled": 2, "asked": 0, "more": false }));
    assert_eq!(alice.get(format!("/v1/questions/{question}"), None).await.expect(200).body["status"], "cancelled");
    assert_eq!((state(&alice, second).await, state(&bob, other).await), (json!("cancelled"), json!("queued")));
    assert_eq!(count(&app, "SELECT count(*) FROM events WHERE type = 'question.cancelled'").await, 2, "one event each");
    assert_eq!(cancel(&alice, json!({ "all": true })).await, json!({ "cancelled": 0, "asked": 0, "more": false }));

    // An administrator's are his own too, unless he says whose.
    assert_eq!(cancel(&app.admin, json!({ "lane": "interactive" })).await["cancelled"], 1);
    assert_eq!((state(&app.admin, of_admin).await, state(&bob, other).await), (json!("cancelled"), json!("queued")));
    let (_, third) = ask(&alice).await;
    assert_eq!(cancel(&app.admin, json!({ "user_id": bob.user_id })).await["cancelled"], 1);
    assert_eq!(cancel(&app.admin, json!({ "all_users": true, "all": true })).await["cancelled"], 1);
    assert_eq!((state(&alice, third).await, state(&bob, other).await), (json!("cancelled"), json!("cancelled")));
    assert_eq!(count(&app, "SELECT count(*) FROM audit_logs WHERE action = 'jobs.cancelled'").await, 4, "one line each that did something");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_asked_to_stop_once() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let ((_, waiting), (_, running)) = (ask(&alice).await, ask(&alice).await);
    run(&app, running).await;
    assert_eq!(cancel(&alice, json!({ "state": "running" })).await, json!({ "cancelled": 0, "asked": 1, "more": false }));
    assert_eq!((state(&alice, waiting).await, state(&alice, running).await), (json!("queued"), json!("running")));
    assert_eq!(count(&app, "SELECT count(*) FROM jobs WHERE cancel_requested_at IS NOT NULL").await, 1);
    assert_eq!(cancel(&alice, json!({ "state": "running" })).await, json!({ "cancelled": 0, "asked": 0, "more": false }), "it is asked");
    assert_eq!(cancel(&alice, json!({ "state": "waiting" })).await, json!({ "cancelled": 1, "asked": 0, "more": false }));
    assert_eq!(state(&alice, running).await, "running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_cancelled_in_steps_and_a_locked_one_is_left_for_the_next_call() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let (_, spared) = ask(&alice).await;
    bulk(&app, &alice, 450).await;
    bulk(&app, &app.client("bob").await, 3).await;
    let mut holder = app.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT id FROM jobs WHERE lane = 'bulk' AND user_id = $1 LIMIT 1 FOR UPDATE")
        .bind(alice.user_id)
        .fetch_one(&mut *holder)
        .await
        .expect("a row is locked");
    let filter = json!({ "lane": "bulk", "created_before": "2999-01-01T00:00:00Z" });
    assert_eq!(cancel(&alice, filter.clone()).await, json!({ "cancelled": 449, "asked": 0, "more": true }));
    holder.rollback().await.expect("the row is free");
    assert_eq!(cancel(&alice, filter).await, json!({ "cancelled": 1, "asked": 0, "more": false }));
    assert_eq!(count(&app, "SELECT count(*) FROM events").await, 450, "one event each");
    assert_eq!(count(&app, "SELECT count(*) FROM jobs WHERE state = 'waiting' AND lane = 'bulk'").await, 3, "another user's");
    assert_eq!(state(&alice, spared).await, "queued");
    // 200, 200, 49 and the one.
    assert_eq!(count(&app, "SELECT count(*) FROM audit_logs WHERE action = 'jobs.cancelled'").await, 4);
    let named = "SELECT count(DISTINCT named.job)
                 FROM audit_logs a CROSS JOIN LATERAL jsonb_array_elements_text(a.details -> 'cancelled') AS named(job)
                 JOIN jobs j ON j.id = named.job::uuid
                 WHERE a.action = 'jobs.cancelled' AND a.details -> 'owners' = jsonb_build_array(j.user_id)";
    assert_eq!(count(&app, named).await, 450, "each is named, and whose it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_and_which_must_be_said_and_allowed() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, bob, viewer) = (app.client("alice").await, app.client("bob").await, app.client("viewer").await);
    let (_, job) = ask(&alice).await;
    for filter in [
        json!({}),
        json!({ "all": false }),
        json!({ "state": "succeeded" }),
        json!({ "lane": "slow" }),
        json!({ "kind": "everything" }),
        json!({ "created_before": "yesterday" }),
        json!({ "colour": "red" }),
    ] {
        alice.post("/v1/jobs/cancel", filter).await.problem(422, "invalid_request");
    }
    let both = json!({ "all_users": true, "user_id": bob.user_id });
    app.admin.post("/v1/jobs/cancel", both).await.problem(422, "invalid_request");
    app.admin.post("/v1/jobs/cancel", json!({ "all_users": true })).await.problem(422, "invalid_request");
    for filter in [json!({ "user_id": alice.user_id }), json!({ "all_users": true, "all": true })] {
        bob.post("/v1/jobs/cancel", filter).await.problem(403, "permission_denied");
    }
    viewer.post("/v1/jobs/cancel", json!({ "all": true })).await.problem(403, "permission_denied");
    app.anonymous().post("/v1/jobs/cancel", json!({ "all": true })).await.problem(401, "unauthenticated");
    assert_eq!(state(&alice, job).await, "queued");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_key_cancels_on_its_connections_and_on_none() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let ((_, elsewhere), (_, general)) = (ask(&app.admin).await, ask(&app.admin).await);
    sqlx::query("UPDATE jobs SET connection_id = gen_random_uuid() WHERE id = $1").bind(elsewhere).execute(&app.pool).await.expect("moved");
    let body = json!({ "name": "limited", "scopes": ["read", "ask", "admin"], "connections": [] });
    let made = app.admin.post("/v1/api-keys", body).await.expect(201);
    let key = app.admin.with_token(made.body["key"].as_str().expect("the key is shown"));
    assert_eq!(cancel(&key, json!({ "all_users": true, "all": true })).await, json!({ "cancelled": 1, "asked": 0, "more": false }));
    assert_eq!((state(&app.admin, elsewhere).await, state(&app.admin, general).await), (json!("queued"), json!("cancelled")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_without_the_admins_scope_changes_nothing_of_others() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let bob = app.client("bob").await;
    let ((_, of_bob), (_, own)) = (ask(&bob).await, ask(&app.admin).await);
    let made = app.admin.post("/v1/api-keys", json!({ "name": "asks", "scopes": ["ask"] })).await.expect(201);
    let key = app.admin.with_token(made.body["key"].as_str().expect("the key is shown"));
    for filter in [json!({ "user_id": bob.user_id }), json!({ "all_users": true, "all": true })] {
        key.post("/v1/jobs/cancel", filter).await.problem(403, "permission_denied");
    }
    for what in ["cancel", "retry"] {
        let refused = key.post(format!("/v1/jobs/{of_bob}/{what}"), None).await;
        let detail = refused.problem(403, "permission_denied")["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("scope `admin`"), "{detail}");
    }
    assert_eq!((state(&bob, of_bob).await, state(&app.admin, own).await), (json!("queued"), json!("queued")));
    // What is one's own needs no more than before.
    let _ = key.post(format!("/v1/jobs/{own}/cancel"), None).await.expect(200);
    let (_, second) = ask(&app.admin).await;
    assert_eq!(cancel(&key, json!({ "all": true })).await["cancelled"], 1);
    assert_eq!((state(&app.admin, second).await, state(&bob, of_bob).await), (json!("cancelled"), json!("queued")));

    let made = app.admin.post("/v1/api-keys", json!({ "name": "admin", "scopes": ["ask", "admin"] })).await.expect(201);
    let admins = app.admin.with_token(made.body["key"].as_str().expect("the key is shown"));
    let _ = admins.post(format!("/v1/jobs/{of_bob}/cancel"), None).await.expect(200);
    let (_, third) = ask(&bob).await;
    assert_eq!(cancel(&admins, json!({ "all_users": true, "all": true })).await["cancelled"], 1);
    assert_eq!(state(&bob, third).await, "cancelled");
}
