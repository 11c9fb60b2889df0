//! How much may wait: of one user, and in all. What is too much is refused at once, whichever way it comes in.

use datagenie_tests::{Client, Reply, TestApp, until};
use serde_json::{Value, json};
use uuid::Uuid;

/// No worker: what is asked stays.
async fn narrow(per_user: &str, in_all: &str) -> TestApp {
    let builder = TestApp::builder().no_worker().no_scheduler();
    builder.with_setting("limits.waiting_per_user", per_user).with_setting("limits.waiting", in_all).start().await
}

async fn try_to_ask(client: &Client) -> Reply {
    client.post("/v1/questions", json!({ "question": "how many?" })).await
}

fn job(asked: &Reply) -> Uuid {
    asked.body["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a question has a job")
}

/// Asks until there is room, which is known a tenth of a second after there is: the question's job.
async fn ask(client: &Client) -> Uuid {
    let accepted = || async { Some(try_to_ask(client).await).filter(|reply| reply.status == 202) };
    job(&until(accepted, "there is room again").await)
}

async fn cancel(client: &Client, job: Uuid) {
    let _ = client.post(format!("/v1/jobs/{job}/cancel"), None).await.expect(200);
}

/// Asks, and lets the job die.
async fn dead(app: &TestApp, client: &Client) -> Uuid {
    let id = ask(client).await;
    let error = json!({ "code": "internal", "message": "it went wrong", "retryable": false });
    sqlx::query("UPDATE jobs SET state = 'failed', in_flight = NULL, dead = true, finished_at = dg_now(), error = $2 WHERE id = $1")
        .bind(id)
        .bind(error)
        .execute(&app.pool)
        .await
        .expect("the job dies");
    id
}

async fn waiting(app: &TestApp) -> i64 {
    let waiting = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE finished_at IS NULL").fetch_one(&app.pool);
    waiting.await.expect("they are counted")
}

/// Checks that it says no to this user, and when to come again.
#[track_caller]
fn is_too_many_of_his(refused: &Reply) {
    let problem = refused.problem(429, "too_many_requests");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("limits.waiting_per_user")), "{problem}");
    assert_eq!(problem["retryable"], true);
    let headers = ["retry-after", "ratelimit-policy", "ratelimit"].map(|name| refused.header(name));
    assert_eq!(headers, ["1", "\"waiting\";q=3", "\"waiting\";r=0;t=1"]);
}

#[track_caller]
fn is_too_many_in_all(refused: &Reply) {
    let problem = refused.problem(503, "unavailable");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("(limits.waiting)")), "{problem}");
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit")), ("2", ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_refused_until_there_is_room_again() {
    let app = narrow("3", "5").await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let mut of_alice = Vec::new();
    for _ in 0..3 {
        of_alice.push(job(&try_to_ask(&alice).await.expect(202)));
    }
    is_too_many_of_his(&try_to_ask(&alice).await);
    for _ in 0..2 {
        let _ = try_to_ask(&bob).await.expect(202);
    }
    is_too_many_in_all(&try_to_ask(&bob).await);
    is_too_many_of_his(&try_to_ask(&alice).await);
    assert_eq!(waiting(&app).await, 5, "nothing of what was refused is stored");

    cancel(&alice, of_alice[0]).await;
    ask(&bob).await;
    // She has room, and the service has none.
    until(|| async { Some(try_to_ask(&alice).await).filter(|reply| reply.status == 503) }, "her own count is renewed").await;
    cancel(&alice, of_alice[1]).await;
    ask(&alice).await;
    assert_eq!(waiting(&app).await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_is_shown_what_it_made_whatever_waits() {
    let app = narrow("3", "5").await;
    let alice = app.client("alice").await;
    let send = || {
        let request = alice.request(reqwest::Method::POST, "/v1/questions").header("idempotency-key", "once");
        alice.send(request.json(&json!({ "question": "how many?" })))
    };
    let first = send().await.expect(202);
    for _ in 0..2 {
        let _ = try_to_ask(&alice).await.expect(202);
    }
    is_too_many_of_his(&try_to_ask(&alice).await);
    assert_eq!(send().await.expect(202).id(), first.id());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_job_is_retried_only_where_there_is_room() {
    let app = narrow("3", "100").await;
    let alice = app.client("alice").await;
    let died = dead(&app, &alice).await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.push(ask(&alice).await);
    }
    for (client, path) in [(&alice, format!("/v1/jobs/{died}/retry")), (&app.admin, format!("/v1/dead-jobs/{died}/replay"))] {
        is_too_many_of_his(&client.post(path, None).await);
    }
    alice.post(format!("/v1/jobs/{}/retry", jobs[0]), None).await.problem(409, "not_dead");
    cancel(&alice, jobs[0]).await;
    let path = format!("/v1/jobs/{died}/retry");
    until(|| async { Some(alice.post(&path, None).await).filter(|reply| reply.status == 202) }, "there is room again").await;
    assert_eq!(waiting(&app).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_jobs_are_replayed_as_far_as_there_is_room() {
    let app = narrow("3", "100").await;
    let alice = app.client("alice").await;
    let died = [dead(&app, &alice).await, dead(&app, &alice).await, dead(&app, &alice).await];
    let job = ask(&alice).await;
    let replay = || app.admin.post("/v1/dead-jobs/replay", json!({ "all": true }));
    // Her count may be a little old, and with it the room.
    let mut replayed = Vec::new();
    let two = || async {
        let reply = replay().await;
        (reply.status == 200).then_some(reply.body)
    };
    while replayed.len() < 2 {
        let body = until(two, "there is room").await;
        assert_eq!(body["more"], true, "{body}");
        replayed.extend(body["jobs"].as_array().cloned().unwrap_or_default());
    }
    assert_eq!((replayed.len(), waiting(&app).await), (2, 3));
    is_too_many_of_his(&replay().await);

    cancel(&alice, job).await;
    let body = until(two, "there is room again").await;
    assert_eq!((&body["replayed"], &body["more"]), (&json!(1), &json!(false)), "{body}");
    replayed.extend(body["jobs"].as_array().cloned().unwrap_or_default());
    let mut of = Vec::new();
    for new in &replayed {
        let shown = alice.get(format!("/v1/jobs/{}", new.as_str().unwrap_or_default()), None).await.expect(200).body;
        of.push(shown["replay_of"].clone());
    }
    assert_eq!(Value::from(of), json!(died), "the oldest first");
}
