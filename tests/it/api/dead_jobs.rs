//! `/v1/dead-jobs`: listed, replayed, discarded, one by one or by filter.

use datagenie_tests::{Client, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// A question and its job, which is dead.
struct Dead {
    question: Uuid,
    job: Uuid,
}

/// Asks, and lets the job die of this code.
async fn dead(app: &TestApp, client: &Client, body: Value, code: &str) -> Dead {
    let asked = client.post("/v1/questions", body).await.expect(202);
    let question = asked.id();
    let job: Uuid = asked.body["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a question has a job");
    let error = json!({ "code": code, "message": "it went wrong", "retryable": false });
    sqlx::query(
        "WITH died AS (UPDATE jobs SET state = 'failed', in_flight = NULL, dead = true, finished_at = dg_now(), attempt = 3, error = $2
                       WHERE id = $1 RETURNING subject_id)
         UPDATE query_history SET status = 'error', error = $2, finished_at = dg_now() FROM died WHERE id = died.subject_id",
    )
    .bind(job)
    .bind(error)
    .execute(&app.pool)
    .await
    .expect("the job dies");
    Dead { question, job }
}

async fn general(app: &TestApp, client: &Client, code: &str) -> Dead {
    dead(app, client, json!({ "question": "how many?" }), code).await
}

/// The ids of a list.
async fn listed(client: &Client, query: &str) -> Vec<Value> {
    let page = client.get(format!("/v1/dead-jobs{query}"), None).await.expect(200).body;
    page["items"].as_array().into_iter().flatten().map(|job| job["id"].clone()).collect()
}

async fn replay(client: &Client, filter: Value) -> Value {
    client.post("/v1/dead-jobs/replay", filter).await.expect(200).body
}

async fn discard(client: &Client, filter: Value) -> Value {
    client.post("/v1/dead-jobs/discard", filter).await.expect(200).body
}

async fn audited(app: &TestApp, action: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action = $1")
        .bind(action)
        .fetch_one(&app.pool)
        .await
        .expect("the audit log is read")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_jobs_are_listed_newest_first_and_by_what_is_wanted() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    assert_eq!(listed(&app.admin, "").await, Vec::<Value>::new());
    let first = general(&app, &alice, "internal").await;
    let second = general(&app, &bob, "attempts_spent").await;
    let third = general(&app, &alice, "attempts_spent").await;
    let _alive = alice.ask(json!({ "question": "and this one?" })).await;
    assert_eq!(listed(&app.admin, "").await, [json!(third.job), json!(second.job), json!(first.job)]);
    let item = app.admin.get("/v1/dead-jobs?limit=1", None).await.expect(200).body;
    let job = &item["items"][0];
    assert_eq!((&job["dead"], &job["attempt"], &job["error"]["code"]), (&json!(true), &json!(3), &json!("attempts_spent")), "{job}");
    assert_eq!((&job["user_id"], &job["subject_id"]), (&json!(alice.user_id), &json!(third.question)), "{job}");
    let next = format!("?limit=1&cursor={}", item["next_cursor"].as_str().unwrap_or_default());
    assert_eq!(listed(&app.admin, &next).await, [json!(second.job)]);

    let of_alice = format!("?user_id={}", alice.user_id);
    for (query, expected) in [
        (of_alice.as_str(), vec![json!(third.job), json!(first.job)]),
        ("?code=internal", vec![json!(first.job)]),
        ("?kind=answer_question", vec![json!(third.job), json!(second.job), json!(first.job)]),
        ("?kind=sync_schema", vec![]),
        ("?before=2020-01-01T00:00:00Z", vec![]),
        ("?connection_id=0190a0e0-0000-7000-8000-000000000000", vec![]),
    ] {
        assert_eq!(listed(&app.admin, query).await, expected, "{query}");
    }
    for query in ["?code=strange", "?kind=strange", "?before=yesterday", "?limit=0", "?cursor=x", "?colour=red"] {
        app.admin.get(format!("/v1/dead-jobs{query}"), None).await.problem(422, "invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_admins_see_replay_and_discard_dead_jobs() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let job = general(&app, &alice, "internal").await.job;
    for (method, path) in [
        (Method::GET, "/v1/dead-jobs".to_owned()),
        (Method::POST, "/v1/dead-jobs/replay".to_owned()),
        (Method::POST, "/v1/dead-jobs/discard".to_owned()),
        (Method::POST, format!("/v1/dead-jobs/{job}/replay")),
        (Method::DELETE, format!("/v1/dead-jobs/{job}")),
    ] {
        let request = alice.request(method, path).json(&json!({ "all": true }));
        alice.send(request).await.problem(403, "permission_denied");
    }
    for path in ["/v1/dead-jobs/replay", "/v1/dead-jobs/discard"] {
        for body in [json!({}), json!({ "limit": 5 }), json!({ "all": true, "limit": 0 }), json!({ "all": true, "limit": 10_001 })] {
            app.admin.post(path, body).await.problem(422, "invalid_request");
        }
        for body in [json!({ "kind": "strange" }), json!({ "code": 5 }), json!({ "colour": "red" })] {
            app.admin.post(path, body).await.problem(422, "invalid_request");
        }
    }
    let unknown = Uuid::now_v7();
    app.admin.post(format!("/v1/dead-jobs/{unknown}/replay"), None).await.problem(404, "not_found");
    app.admin.delete(format!("/v1/dead-jobs/{unknown}"), None).await.problem(404, "not_found");
    assert_eq!(listed(&app.admin, "").await, [json!(job)], "it is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_job_is_a_new_one_that_a_worker_does() {
    let app = TestApp::builder().offline().no_worker().no_scheduler().start().await;
    let connection = app.shop_sqlite().await;
    let body = json!({ "sql": "SELECT count(*) AS n FROM orders", "connection_id": connection });
    let Dead { question, job } = dead(&app, &app.admin, body, "attempts_spent").await;
    let _worker = app.start_worker().await;
    let path = format!("/v1/dead-jobs/{job}/replay");
    let request = || app.admin.request(Method::POST, &path).header("prefer", "wait=30").header("idempotency-key", "replay-1");
    let replayed = app.admin.send(request()).await.expect(200);
    assert_eq!((&replayed.body["state"], &replayed.body["replay_of"]), (&json!("succeeded"), &json!(job)), "{}", replayed.text);
    let shown = app.admin.get(format!("/v1/questions/{question}"), None).await.expect(200).body;
    assert_eq!((&shown["status"], &shown["rows"]), (&json!("success"), &json!([[60]])), "{shown}");
    assert_eq!(app.admin.send(request()).await.expect(200).id(), replayed.id(), "the same key makes nothing twice");
    app.admin.post(&path, None).await.problem(409, "not_dead");
    assert_eq!(listed(&app.admin, "").await, Vec::<Value>::new());
    assert_eq!(audited(&app, "dead_job.replayed").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_jobs_are_replayed_by_filter_the_oldest_first() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let mut of_alice = Vec::new();
    for _ in 0..3 {
        of_alice.push(general(&app, &alice, "internal").await);
    }
    let of_bob = general(&app, &bob, "internal").await;
    let some = replay(&app.admin, json!({ "user_id": alice.user_id, "limit": 2 })).await;
    assert_eq!((&some["replayed"], &some["more"]), (&json!(2), &json!(true)), "{some}");
    assert_eq!(listed(&app.admin, "").await, [json!(of_bob.job), json!(of_alice[2].job)]);
    let rest = replay(&app.admin, json!({ "all": true })).await;
    assert_eq!((&rest["replayed"], &rest["more"]), (&json!(2), &json!(false)), "{rest}");
    assert_eq!(replay(&app.admin, json!({ "all": true })).await, json!({ "replayed": 0, "more": false, "jobs": [] }));
    for (asked, new) in of_alice.iter().chain([&of_bob]).zip(some["jobs"].as_array().into_iter().chain(rest["jobs"].as_array()).flatten()) {
        let job = app.admin.get(format!("/v1/jobs/{}", new.as_str().unwrap_or_default()), None).await.expect(200).body;
        assert_eq!((&job["replay_of"], &job["subject_id"]), (&json!(asked.job), &json!(asked.question)), "{job}");
    }
    let shown = bob.get(format!("/v1/questions/{}", of_bob.question), None).await.expect(200).body;
    assert_eq!((&shown["status"], &shown["job_id"]), (&json!("pending"), &rest["jobs"][1]), "{shown}");
    assert_eq!(audited(&app, "dead_jobs.replayed").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_has_a_newer_job_is_not_replayed_under_it() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let old = general(&app, &app.admin, "internal").await;
    sqlx::query("UPDATE query_history SET job_id = $2 WHERE id = $1")
        .bind(old.question)
        .bind(Uuid::now_v7())
        .execute(&app.pool)
        .await
        .expect("the question has another job");
    app.admin.post(format!("/v1/dead-jobs/{}/replay", old.job), None).await.problem(409, "not_dead");
    assert_eq!(replay(&app.admin, json!({ "all": true })).await, json!({ "replayed": 0, "more": false, "jobs": [] }));
    assert_eq!(listed(&app.admin, "").await, [json!(old.job)], "it can still be looked at and discarded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discarded_job_stays_failed_and_is_replayed_no_more() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let one = general(&app, &alice, "internal").await.job;
    let _ = app.admin.delete(format!("/v1/dead-jobs/{one}"), None).await.expect(204);
    app.admin.delete(format!("/v1/dead-jobs/{one}"), None).await.problem(409, "not_dead");
    app.admin.post(format!("/v1/dead-jobs/{one}/replay"), None).await.problem(409, "not_dead");
    let seen = alice.get(format!("/v1/jobs/{one}"), None).await.expect(200).body;
    assert_eq!((&seen["state"], &seen["dead"]), (&json!("failed"), &json!(false)), "{seen}");

    for code in ["internal", "attempts_spent", "internal", "internal"] {
        general(&app, &alice, code).await;
    }
    assert_eq!(discard(&app.admin, json!({ "code": "internal", "limit": 2 })).await, json!({ "discarded": 2, "more": true }));
    assert_eq!(discard(&app.admin, json!({ "code": "internal" })).await, json!({ "discarded": 1, "more": false }));
    assert_eq!(listed(&app.admin, "?code=internal").await, Vec::<Value>::new());
    assert_eq!(listed(&app.admin, "").await.len(), 1);
    assert_eq!((audited(&app, "dead_job.discarded").await, audited(&app, "dead_jobs.discarded").await), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_jobs_on_other_connections_are_unknown_to_a_limited_key() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (elsewhere, general) = (general(&app, &app.admin, "internal").await, general(&app, &app.admin, "internal").await);
    sqlx::query("UPDATE jobs SET connection_id = gen_random_uuid() WHERE id = $1")
        .bind(elsewhere.job)
        .execute(&app.pool)
        .await
        .expect("the job is on another connection");
    let body = json!({ "name": "limited", "scopes": ["read", "ask", "admin"], "connections": [] });
    let made = app.admin.post("/v1/api-keys", body).await.expect(201);
    let key = app.admin.with_token(made.body["key"].as_str().expect("the key is shown"));
    assert_eq!(listed(&key, "").await, [json!(general.job)]);
    key.post(format!("/v1/dead-jobs/{}/replay", elsewhere.job), None).await.problem(404, "not_found");
    key.delete(format!("/v1/dead-jobs/{}", elsewhere.job), None).await.problem(404, "not_found");
    assert_eq!(discard(&key, json!({ "all": true })).await, json!({ "discarded": 1, "more": false }));
    assert_eq!(replay(&key, json!({ "all": true })).await["replayed"], 0);
    assert_eq!(listed(&app.admin, "").await, [json!(elsewhere.job)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_replayed_keeps_no_other() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(general(&app, &app.admin, "internal").await);
    }
    let refused = all[1].job;
    let sql = format!("ALTER TABLE jobs ADD CONSTRAINT not_this_one CHECK (replay_of <> '{refused}')");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&app.pool).await.expect("the constraint is made");
    let replayed = replay(&app.admin, json!({ "all": true })).await;
    assert_eq!((&replayed["replayed"], &replayed["more"]), (&json!(2), &json!(false)), "{replayed}");
    assert_eq!(listed(&app.admin, "").await, [json!(refused)]);
    let still = app.admin.get(format!("/v1/questions/{}", all[1].question), None).await.expect(200).body;
    assert_eq!(still["status"], "error", "nothing of it is changed: {still}");

    sqlx::query("ALTER TABLE jobs DROP CONSTRAINT not_this_one").execute(&app.pool).await.expect("the constraint is gone");
    assert_eq!(replay(&app.admin, json!({ "all": true })).await["replayed"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_somebody_else_has_locked_are_left_for_the_next_call() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    for call in ["replay", "discard"] {
        let mut jobs = Vec::new();
        for _ in 0..3 {
            jobs.push(general(&app, &app.admin, "internal").await.job);
        }
        let mut holder = app.pool.begin().await.expect("a transaction");
        sqlx::query("SELECT FROM jobs WHERE id = $1 FOR UPDATE").bind(jobs[1]).execute(&mut *holder).await.expect("a row is locked");
        let path = format!("/v1/dead-jobs/{call}");
        let count = |body: &Value| (body["replayed"].as_u64().or(body["discarded"].as_u64()), body["more"].as_bool());
        let first = app.admin.post(&path, json!({ "all": true })).await.expect(200).body;
        assert_eq!(count(&first), (Some(2), Some(true)), "{first}");
        assert_eq!(listed(&app.admin, "").await, [json!(jobs[1])]);
        holder.rollback().await.expect("the row is free");
        let second = app.admin.post(&path, json!({ "all": true })).await.expect(200).body;
        assert_eq!(count(&second), (Some(1), Some(false)), "{second}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn superseded_ones_hold_up_no_replay() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    // More than a replay takes at once, and older than the one that can be replayed.
    sqlx::query(
        "INSERT INTO jobs (id, kind, lane, state, user_id, deadline, finished_at, dead, error, subject_id)
         SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'answer_question', 'interactive', 'failed', $1, dg_now(), dg_now(),
             true, '{\"code\": \"internal\"}', gen_random_uuid()
         FROM generate_series(1, 250) n",
    )
    .bind(app.admin.user_id)
    .execute(&app.pool)
    .await
    .expect("the jobs are stored");
    let last = general(&app, &app.admin, "internal").await;
    let replayed = replay(&app.admin, json!({ "all": true, "limit": 1 })).await;
    assert_eq!((&replayed["replayed"], &replayed["more"]), (&json!(1), &json!(false)), "{replayed}");
    let new = app.admin.get(format!("/v1/jobs/{}", replayed["jobs"][0].as_str().unwrap_or_default()), None).await.expect(200).body;
    assert_eq!(new["replay_of"], json!(last.job), "{new}");
    assert_eq!(discard(&app.admin, json!({ "all": true })).await, json!({ "discarded": 250, "more": false }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_clock_that_is_ahead_are_not_left_out() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    for (call, ahead) in [("replay", "7fffffff-0000-7000-8000-000000000001"), ("discard", "7fffffff-0000-7000-8000-000000000002")] {
        let Dead { job, .. } = general(&app, &app.admin, "internal").await;
        sqlx::query(
            "WITH moved AS (UPDATE query_history SET job_id = $2::uuid WHERE job_id = $1) UPDATE jobs SET id = $2::uuid WHERE id = $1",
        )
        .bind(job)
        .bind(ahead)
        .execute(&app.pool)
        .await
        .expect("the job has another id");
        assert_eq!(listed(&app.admin, "").await, [json!(ahead)]);
        let body = app.admin.post(format!("/v1/dead-jobs/{call}"), json!({ "all": true })).await.expect(200).body;
        assert_eq!((body["replayed"].as_u64().or(body["discarded"].as_u64()), &body["more"]), (Some(1), &json!(false)), "{body}");
    }
}
