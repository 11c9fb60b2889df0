//! What only an attacker sends: tokens that are none, bodies that are bombs, texts that are SQL. No 5xx, nothing that helps him.

use datagenie_tests::{Client, Reply, TestApp};
use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

async fn idle() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

async fn body(client: &Client, body: impl Into<String>) -> Reply {
    client.send(client.request(Method::POST, "/v1/questions").header("content-type", "application/json").body(body.into())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_not_ones_own_open_nothing() {
    let app = idle().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let made = alice.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read", "ask"] })).await.expect(201);
    let key = made.body["key"].as_str().expect("the key is shown").to_owned();
    let expiring =
        alice.post("/v1/api-keys", json!({ "name": "e", "scopes": ["read"], "expires_at": "2999-01-01T00:00:00Z" })).await.expect(201);
    let expired = expiring.body["key"].as_str().expect("the key is shown").to_owned();
    sqlx::query("UPDATE api_keys SET expires_at = dg_now() - interval '1 second' WHERE id = $1")
        .bind(expiring.id())
        .execute(&app.pool)
        .await
        .expect("it has expired");
    let (head, secret) = key.split_at(key.len() - 43);
    let forged = [
        format!("{head}{}", "A".repeat(43)),
        format!("dg_aaaaaaaaaaaa_{secret}"),
        key[..key.len() - 1].to_owned(),
        format!("{key}A"),
        key.to_uppercase(),
        expired.clone(),
        // The session of one with the secret of another.
        format!("{}{}", &alice.token()[..27], &bob.token()[27..]),
        alice.token()[..40].to_owned(),
        "x".repeat(5_000),
        "dg_' OR 1=1 --".to_owned(),
    ];
    let mut details = Vec::new();
    for token in forged {
        let refused = alice.with_token(token.clone()).get("/v1/me", None).await;
        details.push(refused.problem(401, "unauthenticated")["detail"].clone());
        assert!(!refused.text.contains(&token), "a token is not sent back: {}", refused.text);
    }
    details.dedup();
    assert_eq!(details.len(), 1, "which of its parts is wrong is not told: {details:?}");
    for query in [format!("access_token={key}"), format!("q=1&{key}"), format!("token={}", alice.token())] {
        for client in [&app.anonymous(), &alice] {
            let refused = client.get(format!("/v1/questions?{query}"), None).await;
            assert!(refused.problem(401, "unauthenticated")["detail"].as_str().is_some_and(|detail| detail.contains("query string")));
            assert!(!refused.text.contains(secret), "{}", refused.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_loses_scopes_or_its_owners_role_loses_them_everywhere() {
    let app = idle().await;
    let (other, _running) = app.start_api().await;
    let made = app.admin.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read", "ask", "manage", "admin"] })).await.expect(201);
    let key = app.admin.with_token(made.body["key"].as_str().expect("the key is shown"));
    let there = key.at(&other);
    let _ = there.post("/v1/questions", json!({ "question": "how many?" })).await.expect(202);
    let question = super::sockets::asked(&key).await;
    let open = super::sockets::stream(&there, &question).await;
    let path = format!("/v1/api-keys/{}", made.id());
    assert_eq!(app.admin.get(&path, None).await.expect(200).body["scopes"], made.body["scopes"]);
    let changed = app.admin.patch(&path, json!({ "name": "reads", "scopes": ["read"] })).await.expect(200).body;
    assert_eq!((&changed["name"], &changed["scopes"]), (&json!("reads"), &json!(["read"])));
    key.post("/v1/questions", json!({ "question": "how many?" })).await.problem(403, "permission_denied");
    let refused = || async { (there.post("/v1/questions", json!({ "question": "how many?" })).await.status == 403).then_some(()) };
    datagenie_tests::until(refused, "the other process knows").await;
    assert!(!super::sockets::whole(open).await.contains("event: question.succeeded"), "what it had opened ends");
    let _ = there.get("/v1/me", None).await.expect(200);
    for more in [json!({ "scopes": ["read", "ask"] }), json!({ "scopes": [] }), json!({ "expires_at": "2001-01-01T00:00:00Z" })] {
        app.admin.patch(&path, more).await.problem(422, "invalid_request");
    }
    let mallory = app.client("mallory").await;
    for call in [mallory.get(&path, None).await, mallory.patch(&path, json!({ "name": "mine" })).await] {
        call.problem(404, "not_found");
    }
    let _ = app.admin.patch(&path, json!({ "expires_at": "2999-01-01T00:00:00Z" })).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_bombs_are_refused_for_what_they_are() {
    let app = idle().await;
    let alice = app.client("alice").await;
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    for (sent, status) in [
        (deep(100_000), 400),
        (format!(r#"{{"question":{}}}"#, deep(100_000)), 400),
        (format!("{}1{}", r#"{"question":"#.repeat(50_000), "}".repeat(50_000)), 400),
        (r#"{"question":"a","question":"b"}"#.to_owned(), 422),
        (r#"["how many?",null,null,null,null,null,null,null]"#.to_owned(), 422),
        (r#"{"question":"a","deadline_seconds":-0}"#.to_owned(), 422),
        (r#"{"question":"a","deadline_seconds":18446744073709551616}"#.to_owned(), 422),
        (r#"{"question":"a","deadline_seconds":1e400}"#.to_owned(), 400),
        (r#"{"question":"a","deadline_seconds":123456789012345678901234567890}"#.to_owned(), 422),
        (r#"{"question":"a","deadline_seconds":NaN}"#.to_owned(), 400),
        (format!(r#"{{"question":"a","deadline_seconds":1{}}}"#, "0".repeat(200_000)), 400),
        (r#"{"question":"\ud800"}"#.to_owned(), 400),
        (format!(r#"{{{}"question":"a"}}"#, (0..20_000).map(|n| format!(r#""k{n}":{n},"#)).collect::<String>()), 422),
        (format!(r#"{{"question":"{}"}}"#, "a".repeat(1_048_577)), 413),
    ] {
        let refused = body(&alice, sent.clone()).await;
        let shown: String = sent.chars().take(60).collect();
        assert!(refused.status == status || (status == 400 && refused.status == 422), "{shown}: {} {}", refused.status, refused.text);
        assert!(refused.text.len() < 2_000, "{shown}: an answer is short");
    }
    for content_type in ["text/html", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""] {
        let request = alice.request(Method::POST, "/v1/questions").header("content-type", content_type).body(r#"{"question":"a"}"#);
        alice.send(request).await.problem(415, "unsupported_media_type");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_and_headers_lead_nowhere_else() {
    let app = idle().await;
    let alice = app.client("alice").await;
    for id in [
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "1 OR 1=1",
        "'; DROP TABLE users; --",
        "00000000-0000-0000-0000-00000000000g",
        "%ff",
    ] {
        for route in [
            "/v1/questions/{}",
            "/v1/questions/{}/result",
            "/v1/files/{}",
            "/v1/files/{}/analysis/charts/0.svg",
            "/v1/jobs/{}",
            "/v1/api-keys/{}",
        ] {
            let reply = alice.get(route.replace("{}", id), None).await;
            assert!(matches!(reply.status, 200 | 400 | 404 | 405) && reply.status != 500, "{route} {id}: {} {}", reply.status, reply.text);
            assert!(!reply.text.contains("root:"), "{}", reply.text);
        }
    }
    let injected = "evil\tvalue; Set-Cookie: a=b";
    for header in ["x-request-id", "traceparent", "user-agent", "prefer", "if-none-match", "last-event-id", "idempotency-key"] {
        let reply = alice.send(alice.request(Method::GET, "/v1/questions").header(header, injected)).await;
        assert_eq!(reply.status, 200, "{header}: {}", reply.text);
        assert!(reply.headers.values().all(|value| !value.as_bytes().windows(4).any(|window| window == b"evil")), "{:?}", reply.headers);
    }
    let forwarded =
        alice.request(Method::GET, "/v1/me").header("x-forwarded-for", "1.2.3.4, \"; DROP TABLE users").header("host", "evil.example");
    let _ = alice.send(forwarded).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_in_a_text_is_a_text() {
    const TEXT: &str = "x'); DROP TABLE users; -- \" ; SELECT pg_sleep(10) \\' %s {{7*7}} ${jndi:ldap://x} <script>alert(1)</script>";
    let app = idle().await;
    let alice = app.client("alice").await;
    let question = alice.post("/v1/questions", json!({ "question": TEXT })).await.expect(202);
    assert_eq!(alice.get(format!("/v1/questions/{}", question.id()), None).await.expect(200).body["question"], TEXT);
    let name: String = TEXT.chars().take(90).collect();
    let made = alice.post("/v1/api-keys", json!({ "name": name, "scopes": ["read"] })).await.expect(201);
    assert_eq!(made.body["name"], name);
    let calls: [(&str, Value); 7] = [
        ("/v1/auth/login", json!({ "username": TEXT, "password": TEXT })),
        ("/v1/users", json!({ "username": TEXT, "email": TEXT, "password": TEXT, "full_name": TEXT, "role": "user" })),
        ("/v1/users", json!({ "username": "mallory", "email": "mallory@example.com", "password": "long enough it is", "role": TEXT })),
        ("/v1/connections", json!({ "name": TEXT, "description": TEXT, "db_type": "sqlite", "config": { "database": TEXT } })),
        ("/v1/webhooks", json!({ "url": TEXT, "events": [TEXT], "description": TEXT })),
        ("/v1/schedules", json!({ "name": TEXT, "cron": TEXT, "time_zone": TEXT, "catch_up": TEXT, "action": { "kind": TEXT } })),
        ("/v1/questions", json!({ "question": TEXT, "callback_url": TEXT })),
    ];
    for (path, sent) in calls {
        let reply = app.admin.post(path, sent).await;
        assert!((400..500).contains(&reply.status) || reply.status == 201, "{path}: {} {}", reply.status, reply.text);
        for word in ["sqlx", "postgres", "syntax error", "panicked", "/src/"] {
            assert!(!reply.text.to_lowercase().contains(word), "{path} tells of the inside: {}", reply.text);
        }
    }
    for query in
        ["status='; DROP TABLE users", "connection_id=1%20OR%201=1", "cursor=%27%3B--", "limit=1;--", "limit=99999999999999999999", "x=y"]
    {
        alice.get(format!("/v1/questions?{query}"), None).await.problem(422, "invalid_request");
    }
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&app.pool).await.expect("the table is there");
    assert!(users >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_one_address_is_answered_and_keeps_nobody_out() {
    const FLOOD: usize = 4_000;
    // It fills with 10 a second, which is not as fast as the flood is.
    let limited = TestApp::builder().no_worker().no_scheduler().with_setting("api.anonymous_per_minute", "600");
    let app = limited.start().await;
    let alice = app.client("alice").await;
    let nobody = app.anonymous();
    let flood = stream::iter(0..FLOOD).map(|n| {
        let client = match n % 3 {
            0 => nobody.clone(),
            1 => nobody.with_token(format!("dg_aaaaaaaa{:04}_{}", n % 10_000, "A".repeat(43))),
            _ => nobody.with_token("nonsense"),
        };
        async move { client.get(format!("/v1/questions/{}", Uuid::from_u128(n as u128)), None).await.status }
    });
    let statuses = async { flood.buffer_unordered(100).collect::<Vec<_>>().await };
    let work = async {
        for _ in 0..20 {
            let _ = alice.post("/v1/questions", json!({ "question": "how many?" })).await.expect(202);
        }
    };
    let (statuses, ()) = tokio::join!(statuses, work);
    assert!(statuses.iter().all(|&status| status == 401 || status == 429), "no 5xx: {statuses:?}");
    assert!(statuses.contains(&429), "nobody was refused");
    // One more than there is room for: whatever the time that the flood took.
    let refused = datagenie_tests::until(
        || async { Some(nobody.get("/nowhere", None).await).filter(|reply| reply.status == 429) },
        "an address that asks too much waits",
    );
    let refused = refused.await;
    refused.problem(429, "too_many_requests");
    assert_eq!(refused.header("ratelimit-policy"), r#""anonymous";q=600;w=60"#);
    assert!(refused.header("ratelimit").starts_with(r#""anonymous";r=0;t="#), "{:?}", refused.headers);
    assert_eq!(refused.header("retry-after"), "1");
    for path in ["/healthz", "/readyz"] {
        let _ = nobody.get(path, None).await.expect(200);
    }
    let _ = nobody.login("alice", app.password()).await;
    let elsewhere = nobody.from_address("127.0.40.1").get("/nowhere", None).await;
    elsewhere.problem(404, "not_found");
}
