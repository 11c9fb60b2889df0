//! What one user, and one key of his, may use up: over all processes, with Redis and without, told as the draft of RateLimit headers has it.

use datagenie_tests::{Client, Reply, TestApp, until};
use serde_json::{Value, json};
use uuid::Uuid;

async fn idle() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

/// Sets a user's limits.
async fn limit(app: &TestApp, user: &Client, limits: Value) -> Value {
    app.admin.put(format!("/v1/users/{}/limits", user.user_id), limits).await.expect(200).body
}

async fn ask(client: &Client) -> Reply {
    client.post("/v1/questions", json!({ "question": "how many?" })).await
}

/// A key of a user with limits of its own.
async fn key_with(user: &Client, limits: Value) -> (Client, Uuid) {
    let made = user.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read", "ask"], "limits": limits })).await.expect(201);
    (user.with_token(made.body["key"].as_str().expect("the key is shown")), made.id())
}

/// A question that no answer is kept of.
async fn ask_anew(client: &Client, number: usize) -> Reply {
    client.post("/v1/questions", json!({ "question": format!("how many of {number}?"), "cache": "skip" })).await
}

#[track_caller]
fn assert_refused(reply: &Reply, policy: &str, level: &str) {
    reply.problem(429, "too_many_requests");
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|wait| wait > 0), "{:?}", reply.headers);
    let told = (reply.header("ratelimit-policy"), reply.header("ratelimit"));
    assert!(told.0.contains(policy) && told.1.contains(level), "{told:?}");
}

/// What is left of a limit.
async fn left(client: &Client, name: &str) -> Option<u64> {
    let limits = client.get("/v1/me/limits", None).await.expect(200).body;
    let found = limits["left"].as_array().into_iter().flatten().find(|limit| limit["name"] == name).cloned();
    found.and_then(|limit| limit["left"].as_u64())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted_over_all_processes_and_told_with_every_answer() {
    let app = idle().await;
    let (other, _running) = app.start_api().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let free = alice.get("/v1/me", None).await.expect(200);
    assert!(!free.headers.contains_key("ratelimit"), "where no limit holds, none is told: {:?}", free.headers);
    let shown = limit(&app, &alice, json!({ "requests_per_minute": 2 })).await;
    assert_eq!((&shown["stored"]["requests_per_minute"], &shown["now"]["limits"]["requests_per_minute"]), (&json!(2), &json!(2)));
    assert_eq!(shown["stored"]["questions_per_hour"], Value::Null);

    let first = alice.get("/v1/me", None).await.expect(200);
    assert_eq!(first.header("ratelimit-policy"), r#""requests";q=2;w=60"#);
    assert!(first.header("ratelimit").starts_with(r#""requests";r=1;t="#), "{}", first.header("ratelimit"));
    let second = alice.at(&other).get("/v1/questions/nonsense", None).await;
    second.problem(404, "not_found");
    assert!(second.header("ratelimit").starts_with(r#""requests";r=0;t="#), "an error tells it too: {:?}", second.headers);
    for url in [&app.url, &other] {
        assert_refused(&alice.at(url).get("/v1/me", None).await, r#""requests";q=2;w=60"#, r#""requests";r=0;t="#);
    }
    let _ = bob.get("/v1/me", None).await.expect(200);

    limit(&app, &alice, json!({ "requests_per_minute": 0 })).await;
    until(|| async { (alice.at(&other).get("/v1/me", None).await.status == 200).then_some(()) }, "no limit holds any more").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_count_when_they_are_taken_in_and_keys_have_limits_of_their_own() {
    let app = idle().await;
    let alice = app.client("alice").await;
    limit(&app, &alice, json!({ "questions_per_hour": 3 })).await;
    let made =
        alice.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read", "ask", "manage"], "limits": { "questions_per_hour": 1 } }));
    let made = made.await.expect(201);
    assert_eq!(made.body["limits"]["questions_per_hour"], 1);
    let key = alice.with_token(made.body["key"].as_str().expect("the key is shown"));

    alice.post("/v1/questions", json!({ "question": "" })).await.problem(422, "invalid_request");
    until(|| async { (left(&alice, "questions").await == Some(3)).then_some(()) }, "what was refused is given back").await;
    let _ = ask(&key).await.expect(202);
    let refused = ask(&key).await;
    assert_refused(&refused, r#""key-questions";q=1;w=3600"#, r#""key-questions";r=0;t="#);
    assert!(refused.body["detail"].as_str().is_some_and(|detail| detail.starts_with("this API key")), "{}", refused.text);
    assert_eq!((left(&key, "key-questions").await, left(&key, "questions").await), (Some(0), Some(2)), "nothing was taken of the owner's");
    for _ in 0..2 {
        let _ = ask(&alice).await.expect(202);
    }
    assert_refused(&ask(&alice).await, r#""questions";q=3;w=3600"#, r#""questions";r=0;t="#);
    let _ = alice.get("/v1/questions", None).await.expect(200);

    // A batch counts as many questions as are computed, and as a whole.
    let bob = app.client("bob").await;
    limit(&app, &bob, json!({ "questions_per_hour": 3 })).await;
    let batch = |words: &[&str]| {
        let line = |(n, word): (usize, &&str)| json!({ "custom_id": n.to_string(), "question": format!("how many {word}?") });
        bob.post("/v1/batches", json!({ "questions": words.iter().enumerate().map(line).collect::<Vec<_>>() }))
    };
    let _ = batch(&["orders", "orders", "customers"]).await.expect(202);
    assert_eq!(left(&bob, "questions").await, Some(1), "each question once");
    assert_refused(&batch(&["a", "b"]).await, r#""questions";q=3;w=3600"#, r#""questions";r=1;t="#);
    batch(&["a", "b", "c", "d"]).await.problem(422, "invalid_request");
    let _ = batch(&["a"]).await.expect(202);

    // A key lifts no limit: not its own, not that of one that it makes.
    let more = json!({ "limits": {} });
    key.patch(format!("/v1/api-keys/{}", made.id()), more.clone()).await.problem(403, "permission_denied");
    let child = key.post("/v1/api-keys", json!({ "name": "child", "scopes": ["read"] })).await.expect(201);
    assert_eq!(child.body["limits"]["questions_per_hour"], 1);
    let _ = alice.patch(format!("/v1/api-keys/{}", made.id()), more).await.expect(200);
    assert_eq!(left(&key, "key-questions").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_process_counts_for_itself_and_nothing_fails() {
    let app = idle().await;
    let alice = app.client("alice").await;
    limit(&app, &alice, json!({ "questions_per_hour": 2 })).await;
    app.redis.kill();
    for _ in 0..2 {
        let _ = ask(&alice).await.expect(202);
    }
    assert_refused(&ask(&alice).await, r#""questions";q=2;w=3600"#, r#""questions";r=0;t="#);
    app.redis.restart().await;
    until(|| async { (ask(&alice).await.status == 202).then_some(()) }, "Redis counts again, from nothing").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_questions_are_unanswered_than_may_be() {
    let app = idle().await;
    let alice = app.client("alice").await;
    limit(&app, &alice, json!({ "concurrent_questions": 3 })).await;
    let replies = futures::future::join_all((0..12).map(|_| ask(&alice))).await;
    let asked: Vec<Uuid> = replies.iter().filter(|reply| reply.status == 202).map(Reply::id).collect();
    assert_eq!(asked.len(), 3, "sent at once, as many as may be are taken in");
    for refused in replies.iter().filter(|reply| reply.status != 202) {
        assert_refused(refused, r#""unanswered";q=3"#, r#""unanswered";r=0"#);
    }
    // A key that may ask less than its owner counts for itself: what he has asked takes none of its room.
    let bob = app.client("bob").await;
    let (key, _) = key_with(&bob, json!({ "concurrent_questions": 1 })).await;
    let _ = ask(&bob).await.expect(202);
    let of_key = ask(&key).await.expect(202).id();
    assert_refused(&ask(&key).await, r#""key-unanswered";q=1"#, r#""key-unanswered";r=0"#);
    let _ = ask(&bob).await.expect(202);
    let _ = bob.post(format!("/v1/questions/{of_key}/cancel"), None).await.expect(200);
    until(|| async { (ask(&key).await.status == 202).then_some(()) }, "its question is answered").await;
    let _ = alice.post(format!("/v1/questions/{}/cancel", asked[0]), None).await.expect(200);
    until(|| async { (ask(&alice).await.status == 202).then_some(()) }, "who has his answer may ask the next").await;
    assert_refused(&ask(&alice).await, r#""unanswered";q=3"#, r#""unanswered";r=0"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_tokens_are_those_of_its_questions() {
    let app = idle().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let first = ask(&alice).await.expect(202).id();
    let usage = json!({ "prompt_tokens": 80, "completion_tokens": 30, "cost": 0.5 });
    sqlx::query("UPDATE query_history SET usage = $2 WHERE id = $1")
        .bind(first)
        .bind(usage)
        .execute(&app.pool)
        .await
        .expect("it is stored");
    for (limits, refused) in [
        (json!({ "tokens_per_day": 110 }), true),
        (json!({ "tokens_per_day": 111 }), false),
        (json!({ "cost_per_day": 0.5 }), true),
        (json!({ "tokens_per_day": 0, "cost_per_day": 0.6 }), false),
    ] {
        limit(&app, &alice, limits.clone()).await;
        let reply = ask(&alice).await;
        if refused {
            reply.problem(429, "too_many_requests");
            let wait: u64 = reply.header("retry-after").parse().expect("it says when");
            assert!((1..=86_400).contains(&wait), "until midnight: {wait}");
        } else {
            assert_eq!(reply.status, 202, "{limits}: {}", reply.text);
        }
        let _ = alice.get("/v1/questions", None).await.expect(200);
    }
    limit(&app, &alice, json!({ "tokens_per_day": 200 })).await;
    assert_eq!(alice.get("/v1/me/limits", None).await.expect(200).body["tokens_today"], json!(110.0));
    let _ = ask(&bob).await.expect(202);
    // Of a key those count that were asked by it.
    let (key, id) = key_with(&alice, json!({})).await;
    let by_key = ask(&key).await.expect(202).id();
    sqlx::query("UPDATE query_history SET usage = $2 WHERE id = $1")
        .bind(by_key)
        .bind(json!({ "prompt_tokens": 40, "completion_tokens": 10, "cost": 0 }))
        .execute(&app.pool)
        .await
        .expect("it is stored");
    let _ = alice.patch(format!("/v1/api-keys/{id}"), json!({ "limits": { "tokens_per_day": 50 } })).await.expect(200);
    let refused = || async { Some(ask(&key).await).filter(|reply| reply.status == 429) };
    assert_refused(&until(refused, "its day is used up").await, r#""key-tokens";q=50;w=86400;qu="tokens""#, r#""key-tokens";r=0;t="#);
    let _ = ask(&alice).await.expect(202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_are_counted_by_number_and_by_size() {
    let app = idle().await;
    let alice = app.client("alice").await;
    let csv = |rows: usize| format!("a,b\n{}", "1,2\n".repeat(rows)).into_bytes();
    limit(&app, &alice, json!({ "uploads_per_hour": 1 })).await;
    let _ = super::files::upload(&alice, "one.csv", &csv(5)).await.expect(201);
    assert_refused(&super::files::upload(&alice, "two.csv", &csv(6)).await, r#""uploads";q=1;w=3600"#, r#""uploads";r=0;t="#);
    limit(&app, &alice, json!({ "uploads_per_hour": 0, "upload_mb_per_day": 1 })).await;
    let _ = super::files::upload(&alice, "three.csv", &csv(150_000)).await.expect(201);
    let refused = super::files::upload(&alice, "four.csv", &csv(150_001)).await;
    assert_refused(&refused, r#""upload-bytes";q=1048576;w=86400;qu="content-bytes""#, r#""upload-bytes";r="#);
    super::files::upload(&alice, "five.csv", &csv(270_000)).await.problem(413, "body_too_large");
    // In chunks nobody knows how many bytes will come: the last one may be too many, and the next one is not let in.
    let in_chunks = |name: &str, rows| {
        let chunks: Vec<_> =
            super::files::upload_form(name, &csv(rows)).chunks(100_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
        let content_type = format!("multipart/form-data; boundary={}", super::files::BOUNDARY);
        let request = alice.request(reqwest::Method::POST, "/v1/files").header("content-type", content_type);
        alice.send(request.body(reqwest::Body::wrap_stream(futures::stream::iter(chunks))))
    };
    limit(&app, &alice, json!({ "uploads_per_hour": 0, "upload_mb_per_day": 4 })).await;
    let before = left(&alice, "upload-bytes").await.expect("there is a limit");
    let _ = in_chunks("six.csv", 5).await.expect(201);
    let after = left(&alice, "upload-bytes").await.expect("there is a limit");
    assert!(after > before - 10_000, "it counts as what it is: {before} {after}");
    let _ = in_chunks("seven.csv", 600_000).await.expect(201);
    assert!(left(&alice, "upload-bytes").await.is_some_and(|left| left < 100_000), "what is too much is counted too");
    let policy = r#""upload-bytes";q=4194304;w=86400;qu="content-bytes""#;
    assert_refused(&in_chunks("eight.csv", 5).await, policy, r#""upload-bytes";r="#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_in_is_not_put_to_the_model_once_the_days_tokens_are_used_up() {
    let app = idle().await;
    let alice = app.client("alice").await;
    limit(&app, &alice, json!({ "tokens_per_day": 200 })).await;
    let mut asked = Vec::new();
    for n in 0..3 {
        asked.push(ask_anew(&alice, n).await.expect(202).id());
    }
    // As much as another one cost that was asked today and has ended meanwhile.
    sqlx::query(
        "INSERT INTO query_history (id, user_id, question, query_type, job_id, usage, created_at)
         SELECT $3, user_id, '', 'general', $3, $2, created_at FROM query_history WHERE id = $1",
    )
    .bind(asked[0])
    .bind(json!({ "prompt_tokens": 150, "completion_tokens": 50, "cost": 0 }))
    .bind(Uuid::now_v7())
    .execute(&app.pool)
    .await
    .expect("it is stored");
    app.stub.say(datagenie_tests::Answer::Text("An answer."));
    let worker = app.start_worker().await;
    let ended = async |id: Uuid| {
        let path = format!("/v1/questions/{id}");
        let look = || async {
            let question = alice.get(&path, None).await.expect(200).body;
            (question["status"] != "pending").then_some(question)
        };
        until(look, "the question ends").await
    };
    for id in asked {
        let question = ended(id).await;
        assert_eq!((&question["status"], &question["error"]["code"]), (&json!("error"), &json!("daily_limit")), "{question}");
    }
    assert!(app.stub.calls().is_empty(), "the model is not asked");
    limit(&app, &alice, json!({ "tokens_per_day": 201 })).await;
    let answered = || async {
        let asked = ask_anew(&alice, 3).await.expect(202).id();
        (ended(asked).await["status"] == "success").then_some(())
    };
    until(answered, "the raised limit holds in the worker").await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_set_by_administrators_and_checked() {
    let app = idle().await;
    let alice = app.client("alice").await;
    let path = format!("/v1/users/{}/limits", alice.user_id);
    alice.put(&path, json!({})).await.problem(403, "permission_denied");
    alice.get(&path, None).await.problem(403, "permission_denied");
    app.admin.put(format!("/v1/users/{}/limits", Uuid::now_v7()), json!({})).await.problem(404, "not_found");
    for wrong in
        [json!({ "requests_per_minute": -1 }), json!({ "cost_per_day": -0.5 }), json!({ "colour": 1 }), json!({ "tokens_per_day": 1e300 })]
    {
        app.admin.put(&path, wrong).await.problem(422, "invalid_request");
    }
    limit(&app, &alice, json!({ "uploads_per_hour": 7 })).await;
    let audited: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action = 'user.limits_changed' AND resource_id = $1")
        .bind(alice.user_id.to_string())
        .fetch_one(&app.pool)
        .await
        .expect("the audit log is read");
    assert_eq!(audited, 1);
    let mine = alice.get("/v1/me/limits", None).await.expect(200).body;
    assert_eq!((&mine["limits"]["uploads_per_hour"], &mine["key_limits"]), (&json!(7), &Value::Null));
}
