//! A key that is limited to some connections: whatever its owner may do, it does on those alone.

use datagenie_tests::{Client, TestApp};
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};
use uuid::Uuid;

/// Two connections, and a key of the administrator that may use the first one.
struct Limited {
    app: TestApp,
    ours: Uuid,
    other: Uuid,
    key: Client,
}

async fn limited() -> Limited {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let ours = app.shop_sqlite().await;
    let file = app.sqlite_folder().join("other.sqlite");
    std::fs::copy(app.sqlite_folder().join("shop.sqlite"), &file).expect("the shop's file is copied");
    let other = app.connect("other", "sqlite", json!({ "database": file })).await;
    let body = json!({ "name": "limited", "scopes": ["read", "ask", "manage", "admin"], "connections": [ours] });
    let made = app.admin.post("/v1/api-keys", body).await.expect(201);
    let key = app.admin.with_token(made.body["key"].as_str().expect("the key is shown"));
    Limited { app, ours, other, key }
}

/// Asks on a connection, or on none: the question and its job.
async fn ask(client: &Client, connection: Option<Uuid>) -> (Uuid, Uuid) {
    let asked = client.post("/v1/questions", json!({ "question": "how many?", "connection_id": connection })).await.expect(202);
    (asked.id(), asked.body["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a question has a job"))
}

/// Everything of a list, two items a page, every page but the last one full.
async fn all(client: &Client, path: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(format!("{path}?limit=2{cursor}"), None).await.expect(200).body;
        let items = page["items"].as_array().expect("a page has items");
        found.extend(items.iter().cloned());
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => return found,
        }
        assert_eq!(items.len(), 2, "a page with a next one is full");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_other_connections_is_unknown_to_it() {
    let Limited { app, ours, other, key } = limited().await;
    let ((foreign, foreign_job), (own, own_job), (general, general_job)) =
        (ask(&app.admin, Some(other)).await, ask(&app.admin, Some(ours)).await, ask(&app.admin, None).await);
    for _ in 0..3 {
        ask(&app.admin, Some(other)).await;
    }
    let permission = format!("/v1/connections/{other}/permissions/{}", app.client("alice").await.user_id);
    app.grant(other, &app.client("alice").await).await;
    let calls = [
        (Method::GET, format!("/v1/questions/{foreign}")),
        (Method::GET, format!("/v1/questions/{foreign}/result")),
        (Method::GET, format!("/v1/questions/{foreign}/chart.svg")),
        (Method::GET, format!("/v1/questions/{foreign}/events")),
        (Method::POST, format!("/v1/questions/{foreign}/cancel")),
        (Method::GET, format!("/v1/jobs/{foreign_job}")),
        (Method::POST, format!("/v1/jobs/{foreign_job}/cancel")),
        (Method::POST, format!("/v1/jobs/{foreign_job}/retry")),
        (Method::GET, permission.clone()),
        (Method::DELETE, permission.clone()),
    ];
    for (method, path) in calls {
        key.send(key.request(method, path)).await.problem(404, "not_found");
    }
    key.get("/v1/audit-logs", None).await.problem(403, "permission_denied");
    let body = json!({ "can_query": false, "max_rows_per_query": 1, "max_execution_time_seconds": 1 });
    key.put(&permission, body).await.problem(404, "not_found");
    assert_eq!(app.admin.get(&permission, None).await.expect(200).body["can_query"], true, "it stays as it was");
    key.post("/v1/questions", json!({ "question": "and then?", "follows": foreign })).await.problem(422, "invalid_request");

    for (question, job) in [(own, own_job), (general, general_job)] {
        let _ = key.get(format!("/v1/questions/{question}"), None).await.expect(200);
        let _ = key.get(format!("/v1/jobs/{job}"), None).await.expect(200);
    }
    let questions: Vec<Value> = all(&key, "/v1/questions").await.into_iter().map(|line| line["id"].clone()).collect();
    assert_eq!(questions, [json!(general), json!(own)]);
    let jobs = all(&key, "/v1/jobs").await;
    assert!(jobs.iter().any(|job| job["id"] == json!(own_job)), "{jobs:?}");
    assert!(jobs.iter().all(|job| job["connection_id"] != json!(other)), "{jobs:?}");
    assert_eq!(all(&app.admin, "/v1/questions").await.len(), 6, "its owner sees all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_it_makes_is_as_limited_and_ends_no_later() {
    let Limited { app, ours, other, key } = limited().await;
    let child = key.post("/v1/api-keys", json!({ "name": "child", "scopes": ["read"] })).await.expect(201);
    assert_eq!(child.body["connections"], json!([ours]));
    let child = key.with_token(child.body["key"].as_str().expect("the key is shown"));
    child.get(format!("/v1/connections/{other}"), None).await.problem(404, "not_found");
    let _ = child.get(format!("/v1/connections/{ours}"), None).await.expect(200);

    let body = json!({ "name": "short", "scopes": ["manage", "read"], "expires_at": "2999-01-01T00:00:00Z" });
    let short = app.admin.post("/v1/api-keys", body).await.expect(201);
    let short_key = key.with_token(short.body["key"].as_str().expect("the key is shown"));
    for (wanted, expected) in [
        (json!(null), "2999-01-01T00:00:00Z"),
        (json!("3000-01-01T00:00:00Z"), "2999-01-01T00:00:00Z"),
        (json!("2998-01-01T00:00:00Z"), "2998-01-01T00:00:00Z"),
    ] {
        let made = short_key.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read"], "expires_at": wanted })).await.expect(201);
        assert_eq!(made.body["expires_at"], expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_socket_brings_nothing_of_other_connections() {
    let Limited { app, ours, other, key } = limited().await;
    let address = format!("{}/v1/events?after={}", app.url.replacen("http://", "ws://", 1), "0".repeat(32));
    let mut request = address.as_str().into_client_request().expect("the address is one of a socket");
    let token = HeaderValue::from_str(&format!("Bearer {}", key.token())).expect("a token is a header's text");
    request.headers_mut().insert("authorization", token);
    let (mut socket, _) = Box::pin(connect_async(request)).await.expect("the socket opens");
    for connection in [Some(other), None, Some(ours)] {
        let (question, _) = ask(&app.admin, connection).await;
        let _ = app.admin.post(format!("/v1/questions/{question}/cancel"), None).await.expect(200);
    }
    let read = async {
        let mut events: Vec<Value> = Vec::new();
        loop {
            if let Message::Text(text) = socket.next().await.expect("the socket stays open").expect("a message is whole") {
                let event: Value = serde_json::from_str(text.as_str()).expect("a message is JSON");
                let is_last = event["type"] == "question.cancelled" && event["data"]["connection_id"] == json!(ours);
                events.push(event);
                if is_last {
                    return events;
                }
            }
        }
    };
    let events = timeout(datagenie_tests::DEADLINE, read).await.expect("the events come");
    assert!(events.iter().all(|event| event["sequence"].is_string()), "no progress: {events:?}");
    assert!(events.iter().all(|event| event["data"]["connection_id"] != json!(other)), "{events:?}");
    assert_eq!(events.iter().filter(|event| event["type"] == "question.cancelled").count(), 2, "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_key_makes_no_unlimited_user() {
    let limited = limited().await;
    let new = json!({ "username": "mallory", "email": "mallory@example.com", "password": "long enough", "role": "admin" });
    limited.key.post("/v1/users", new).await.problem(403, "permission_denied");
}
