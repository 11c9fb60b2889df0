//! Guessing passwords: it gets slower and slower, costs the service little, and holds nobody up but who guesses.

use std::time::Duration;

use datagenie_common::cache::{Attempt, Cache, Rules, Verdict};
use datagenie_tests::{Client, Reply, TestApp};
use futures::{StreamExt, stream};
use serde_json::json;

async fn app() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

async fn login(client: &Client, username: &str, password: &str) -> Reply {
    client.post("/v1/auth/login", json!({ "username": username, "password": password })).await
}

/// Guesses until the address has to wait: after how many, and the refusal.
async fn guess_until_refused(client: &Client, username: &str) -> (usize, Reply) {
    for tried in 0..200 {
        let reply = login(client, username, "a wrong password").await;
        if reply.status == 429 {
            return (tried, reply);
        }
        reply.problem(401, "invalid_credentials");
    }
    panic!("nobody stops the guessing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_cost_a_wait_and_the_owner_gets_in_from_elsewhere_with_redis_up_and_down() {
    let app = app().await;
    let nobody = app.anonymous();
    for (redis_is_away, net) in [(false, 10), (true, 20)] {
        let name = if redis_is_away { "bob" } else { "alice" };
        // He has signed in from here before.
        let _ = app.client(name).await;
        if redis_is_away {
            app.redis.kill();
        }
        let guesser = nobody.from_address(&format!("127.0.{net}.1"));
        let (tried, refused) = guess_until_refused(&guesser, name).await;
        assert_eq!(tried, 10);
        refused.problem(429, "too_many_requests");
        assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=60).contains(&seconds)), "{:?}", refused.headers);
        assert_eq!(login(&guesser, name, app.password()).await.status, 429, "the right one is not told from a wrong one meanwhile");
        // A success comes at once where he is known, and where he has never been.
        let _ = nobody.login(name, app.password()).await;
        let _ = nobody.from_address(&format!("127.0.{net}.2")).login(name, app.password()).await;

        // Many who guess from many addresses leave him one try everywhere, and all of them where he is known.
        let strangers = (100..130).map(|number| nobody.from_address(&format!("127.0.{net}.{number}")));
        stream::iter(strangers)
            .for_each_concurrent(8, |stranger| async move {
                login(&stranger, name, "a wrong password").await.problem(401, "invalid_credentials");
            })
            .await;
        let _ = nobody.from_address(&format!("127.0.{net}.200")).login(name, app.password()).await;
        let stranger = nobody.from_address(&format!("127.0.{net}.201"));
        assert_eq!(
            (login(&stranger, name, "a wrong password").await.status, login(&stranger, name, "a wrong password").await.status),
            (401, 429)
        );
        for _ in 0..5 {
            login(&nobody, name, "a typing error").await.problem(401, "invalid_credentials");
        }
        let _ = nobody.login(name, app.password()).await;
    }
    let throttled: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action = 'login.throttled' AND result = 'failure'")
        .fetch_one(&app.pool)
        .await
        .expect("the audit log is read");
    assert!((4..=8).contains(&throttled), "a line for each wait, not for each refusal: {throttled}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_logins_from_one_address_is_refused_at_once_and_others_are_served() {
    let app = app().await;
    let _ = app.client("alice").await;
    let guesser = app.anonymous().from_address("127.0.30.1");
    let _ = guesser.login("alice", app.password()).await;
    let flood = stream::iter(0..2_000).map(|number| {
        let guesser = guesser.clone();
        async move { login(&guesser, &format!("user{number}"), "a wrong password").await.status }
    });
    let flood = async { flood.buffer_unordered(64).collect::<Vec<u16>>().await };
    let known = async {
        for _ in 0..3 {
            let _ = guesser.login("alice", app.password()).await;
        }
    };
    let (replies, ()) = tokio::join!(flood, known);
    let count = |status: u16| replies.iter().filter(|&&found| found == status).count();
    assert_eq!(count(401) + count(429) + count(503), replies.len(), "nothing breaks");
    assert!((20..=60).contains(&count(401)), "{} passwords were looked at", count(401));
    // Who signs in from elsewhere, and who is known at the address that floods, is served.
    let _ = guesser.login("alice", app.password()).await;
    let _ = app.anonymous().from_address("127.0.30.2").login("alice", app.password()).await;
    let logged: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action LIKE 'login%' AND result = 'failure'")
        .fetch_one(&app.pool)
        .await
        .expect("the audit log is read");
    assert!(logged < 200, "the log is not flooded: {logged}");
    let mut redis = app.redis.connect().await;
    let counted: Vec<String> = redis::cmd("KEYS").arg("datagenie:attempts:*").query_async(&mut redis).await.expect("Redis answers");
    assert!(counted.len() < 200, "who is refused is not remembered: {}", counted.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_session_does_not_find_the_password_out() {
    let app = app().await;
    let alice = app.client("alice").await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let body = json!({ "current_password": "a wrong password", "new_password": "seven cats on a roof" });
        statuses.push(alice.post("/v1/auth/password", body).await.status);
    }
    assert_eq!(statuses.iter().filter(|&&status| status == 422).count(), 10);
    assert_eq!(statuses.last(), Some(&429));
    // Signing in is another matter.
    let _ = app.client("alice").await;
    what_was_not_looked_at_forgives_nothing(&app).await;
}

/// In Redis; without it a unit test of the net says the same.
async fn what_was_not_looked_at_forgives_nothing(app: &TestApp) {
    let second = Duration::from_secs(1);
    let rules = Rules {
        free_of_pair: 3,
        free_of_address: 9,
        siege: 20,
        first_wait: 60 * second,
        longest_of_pair: 60 * second,
        longest_of_known: 60 * second,
        longest_of_address: 60 * second,
        window: 3_600 * second,
    };
    let cache = Cache::connect(app.redis.url(), second).expect("a URL");
    let attempt = Attempt { address: "an address", pair: "a pair", name: "a name", known: false };
    let ask = || async { cache.attempt(&attempt, &rules).await.expect("Redis answers") };
    assert_eq!((ask().await, ask().await), (Verdict::Enter, Verdict::Enter));
    for _ in 0..5 {
        assert_eq!(ask().await, Verdict::Enter);
        assert!(cache.take_back(&attempt).await);
    }
    assert_eq!(ask().await, Verdict::Enter);
    assert!(matches!(ask().await, Verdict::Wait { first: true, .. }), "the failures before are counted still");
    assert!(cache.forgive(&attempt).await);
    assert_eq!(ask().await, Verdict::Enter);
}
