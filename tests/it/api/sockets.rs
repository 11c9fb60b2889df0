//! Sockets and streams: every end once and in order whatever is held open, and an end with the session.

use std::{pin::pin, time::Duration};

use datagenie_common::{
    events::LIVE_CHANNEL,
    ids::{JobId, UserId},
    store::events,
};
use datagenie_tests::{Client, DEADLINE, Gate, Processes, TestApp};
use futures::StreamExt;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sqlx::{PgConnection, postgres::PgConnectOptions};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, handshake::client::Request, http::HeaderValue},
};
use uuid::Uuid;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longer than the look each second.
const A_LOOK: Duration = Duration::from_millis(1_300);
const A_SECOND: Duration = Duration::from_secs(1);

async fn idle_app() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

pub(super) fn request(client: &Client, url: &str, after: Option<&str>) -> Request {
    let query = after.map(|after| format!("?after={after}")).unwrap_or_default();
    let address = format!("{}/v1/events{query}", url.replacen("http://", "ws://", 1));
    let mut request = address.as_str().into_client_request().expect("the address is one of a socket");
    let token = HeaderValue::from_str(&format!("Bearer {}", client.token())).expect("a token is a header's text");
    request.headers_mut().insert("authorization", token);
    request
}

pub(super) async fn socket(client: &Client, url: &str, after: Option<&str>) -> Socket {
    Box::pin(connect_async(request(client, url, after))).await.expect("the socket opens").0
}

/// The next message that is text; none: the socket is over.
pub(super) async fn message(socket: &mut Socket) -> Option<Value> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(text.as_str()).expect("a message is JSON")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

/// The subject of the next durable event.
pub(super) async fn subject(socket: &mut Socket) -> String {
    let read = async {
        loop {
            let event = message(socket).await.expect("the socket stays open");
            if event["sequence"].is_string() {
                return event["subject"].as_str().unwrap_or_default().to_owned();
            }
        }
    };
    timeout(DEADLINE, read).await.expect("an event comes")
}

pub(super) async fn ended(socket: &mut Socket) {
    while message(socket).await.is_some() {}
}

/// Writes a question's end, in the transaction that the connection is in.
pub(super) async fn put(conn: &mut PgConnection, user: Uuid, question: &Value, data: &Value) {
    let job = question["job_id"].as_str().and_then(|id| id.parse().ok()).map(JobId);
    let subject = question["id"].as_str().expect("a question has an id");
    events::insert(conn, "question.cancelled", subject, UserId(user), job, data).await.expect("the event is stored");
}

/// Tells the apis that a question has ended, as workers do.
pub(super) async fn tell(app: &TestApp, user: Uuid, question: &Value) {
    let messages = json!([{ "user_id": user, "subject": question["id"] }]).to_string();
    let mut redis = app.redis.connect().await;
    redis::cmd("PUBLISH").arg(LIVE_CHANNEL).arg(messages).exec_async(&mut redis).await.expect("Redis takes it");
}

pub(super) async fn asked(client: &Client) -> Value {
    client.post("/v1/questions", json!({ "question": "how many?" })).await.expect(202).body
}

pub(super) async fn stream(client: &Client, question: &Value) -> Response {
    let path = format!("/v1/questions/{}/events", question["id"].as_str().unwrap_or_default());
    client.request(Method::GET, path).send().await.expect("the stream opens")
}

pub(super) async fn whole(stream: Response) -> String {
    timeout(DEADLINE, stream.text()).await.expect("the stream ends").expect("it ends by itself")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_that_are_committed_out_of_order_come_once_each_and_in_order() {
    let app = idle_app().await;
    let alice = app.client("alice").await;
    let (first, second, third) = (asked(&alice).await, asked(&alice).await, asked(&alice).await);
    let (of_first, of_second) = (stream(&alice, &first).await, stream(&alice, &second).await);
    let mut early = socket(&alice, &app.url, None).await;

    let mut rolled_back = app.pool.begin().await.expect("a transaction");
    put(&mut rolled_back, alice.user_id, &third, &json!({})).await;
    let mut held = app.pool.begin().await.expect("a transaction");
    put(&mut held, alice.user_id, &first, &json!({})).await;
    let mut quick = app.pool.begin().await.expect("a transaction");
    put(&mut quick, alice.user_id, &second, &json!({})).await;
    quick.commit().await.expect("it is committed");
    tell(&app, alice.user_id, &second).await;

    assert!(whole(of_second).await.contains(second["id"].as_str().unwrap_or_default()), "one end waits for no other transaction");
    let start = "0".repeat(32);
    let mut late = socket(&alice, &app.url, Some(&start)).await;
    assert!(timeout(A_LOOK, subject(&mut early)).await.is_err(), "the first would be skipped by one who has had the second");
    held.commit().await.expect("it is committed");
    rolled_back.rollback().await.expect("it is rolled back");
    tell(&app, alice.user_id, &first).await;

    assert!(whole(of_first).await.contains("event: question.cancelled"));
    let expected = [first["id"].as_str().unwrap_or_default(), second["id"].as_str().unwrap_or_default()];
    assert_eq!([subject(&mut early).await, subject(&mut early).await], expected);
    assert_eq!([subject(&mut late).await, subject(&mut late).await], expected);
    let mut conn = app.pool.acquire().await.expect("a connection");
    put(&mut conn, alice.user_id, &third, &json!({})).await;
    for socket in [&mut early, &mut late] {
        assert_eq!(subject(socket).await, third["id"].as_str().unwrap_or_default(), "and nothing twice before it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_and_sockets_that_come_at_any_time_none_misses_or_doubles_one() {
    const WRITERS: usize = 4;
    const EACH: usize = 30;
    let app = idle_app().await;
    let alice = app.client("alice").await;
    let bystander = app.client("bob").await;
    let writers = futures::future::join_all((0..WRITERS).map(|writer| {
        let (pool, user, bob) = (app.pool.clone(), alice.user_id, bystander.user_id);
        async move {
            for n in 0..EACH {
                let mut tx = pool.begin().await.expect("a transaction");
                put(&mut tx, user, &json!({ "id": format!("{writer}-{n}") }), &json!({})).await;
                put(&mut tx, bob, &json!({ "id": "not hers" }), &json!({})).await;
                // Commits overtake each other.
                tokio::time::sleep(Duration::from_millis(((writer * 7 + n * 3) % 11) as u64)).await;
                tx.commit().await.expect("it is committed");
            }
        }
    }));
    let start = "0".repeat(32);
    let readers = futures::future::join_all((0..6).map(|number| {
        let (alice, url, start) = (&alice, &app.url, start.as_str());
        async move {
            tokio::time::sleep(Duration::from_millis(number * 40)).await;
            let mut socket = socket(alice, url, Some(start)).await;
            let mut subjects = Vec::new();
            while subjects.len() < WRITERS * EACH {
                subjects.push(subject(&mut socket).await);
            }
            subjects
        }
    }));
    let (_, read) = tokio::join!(writers, readers);
    let stored: Vec<String> = sqlx::query_scalar("SELECT subject FROM events WHERE user_id = $1 ORDER BY xid, seq")
        .bind(alice.user_id)
        .fetch_all(&app.pool)
        .await
        .expect("the events are read");
    assert_eq!(stored.len(), WRITERS * EACH);
    for subjects in read {
        assert_eq!(subjects, stored);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_come_while_redis_is_away() {
    let app = idle_app().await;
    let alice = app.client("alice").await;
    let question = asked(&alice).await;
    let mut open = socket(&alice, &app.url, None).await;
    let of_question = stream(&alice, &question).await;
    app.redis.kill();
    let path = format!("/v1/questions/{}", question["id"].as_str().unwrap_or_default());
    let (waited, stopped) = tokio::join!(alice.get_waiting(&path, 20), alice.post(format!("{path}/cancel"), None));
    assert_eq!((waited.status, stopped.status), (200, 200), "{}", waited.text);
    assert_eq!(waited.body["status"], "cancelled");
    assert_eq!(subject(&mut open).await, question["id"].as_str().unwrap_or_default());
    assert!(whole(of_question).await.contains("event: question.cancelled"));
}

/// How long this took, without the time by which a short wait and a look at the database were late meanwhile: that is the machine's.
async fn unhindered(app: &TestApp, work: impl Future<Output = ()>) -> Duration {
    const USUAL: Duration = Duration::from_millis(20);
    let began = Instant::now();
    let mut late = Duration::ZERO;
    let mut work = pin!(work);
    loop {
        let turn = Instant::now();
        let look = async {
            sleep(USUAL / 2).await;
            sqlx::query("SELECT 1").execute(&app.pool).await.expect("the database answers");
        };
        let over = tokio::select! {
            () = &mut work => true,
            () = look => false,
        };
        late += turn.elapsed().saturating_sub(USUAL);
        if over {
            return began.elapsed().saturating_sub(late);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_and_streams_end_within_a_second_of_what_they_were_opened_with() {
    let app = idle_app().await;
    for cause in ["logout", "key", "expiry", "role", "inactive"] {
        let user = app.client(&format!("user-{cause}")).await;
        let question = asked(&user).await;
        let made = user.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read"] })).await.expect(201);
        let caller = if cause == "key" { user.with_token(made.body["key"].as_str().expect("the key is shown")) } else { user.clone() };
        let other = app.client("bystander").await;
        let mut open = socket(&caller, &app.url, None).await;
        let mut of_other = socket(&other, &app.url, None).await;
        let of_question = stream(&caller, &question).await;
        let path = format!("/v1/users/{}", user.user_id);
        match cause {
            "logout" => drop(user.post("/v1/auth/logout", None).await.expect(204)),
            "key" => drop(user.delete(format!("/v1/api-keys/{}", made.id()), None).await.expect(204)),
            "role" => drop(app.admin.patch(path, json!({ "role": "viewer" })).await.expect(200)),
            "inactive" => drop(app.admin.patch(path, json!({ "is_active": false })).await.expect(200)),
            _ => {
                let expire = "UPDATE user_sessions SET expires_at = dg_now() WHERE user_id = $1";
                sqlx::query(expire).bind(user.user_id).execute(&app.pool).await.expect("the session expires");
            }
        }
        let both = async {
            timeout(DEADLINE, ended(&mut open)).await.expect("the socket ends");
            whole(of_question).await;
        };
        let took = unhindered(&app, both).await;
        assert!(took < A_SECOND, "{cause}: {took:?}");
        let mut conn = app.pool.acquire().await.expect("a connection");
        put(&mut conn, other.user_id, &json!({ "id": cause }), &json!({})).await;
        assert_eq!(subject(&mut of_other).await, cause, "somebody else's goes on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_outlives_an_outage_of_the_database() {
    let app = idle_app().await;
    let options: PgConnectOptions = app.database.url.parse().expect("the database has a URL");
    let gate = Gate::before(options.get_host(), options.get_port()).await;
    let url = app.environment.get("DATAGENIE_DATABASE__URL").expect("the database is configured");
    let through = url.replacen(&format!(":{}/", options.get_port()), &format!(":{}/", gate.port()), 1);
    let (_api, url) = Processes::of(&app).with_setting("database.url", &through).api().await;
    let alice = app.client("alice").await;
    let mut open = socket(&alice, &url, None).await;
    gate.shut();
    assert!(timeout(A_LOOK, ended(&mut open)).await.is_err(), "no reason to end a session");
    let mut conn = app.pool.acquire().await.expect("a connection");
    put(&mut conn, alice.user_id, &json!({ "id": "meanwhile" }), &json!({})).await;
    gate.open();
    assert_eq!(subject(&mut open).await, "meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_long_comes_without_what_is_long_and_the_next_follows() {
    let app = idle_app().await;
    let alice = app.client("alice").await;
    let mut live = socket(&alice, &app.url, None).await;
    let mut conn = app.pool.acquire().await.expect("a connection");
    let data = json!({ "connection_id": null, "status": "error", "error": { "detail": "x".repeat(300_000) } });
    put(&mut conn, alice.user_id, &json!({ "id": "long" }), &data).await;
    put(&mut conn, alice.user_id, &json!({ "id": "next" }), &json!({})).await;
    let mut replayed = socket(&alice, &app.url, Some(&"0".repeat(32))).await;
    for socket in [&mut live, &mut replayed] {
        let event = timeout(DEADLINE, message(socket)).await.expect("an event comes").expect("the socket stays open");
        assert_eq!(event["subject"], "long");
        assert_eq!(event["data"], json!({ "connection_id": null, "status": "error", "cut": true }));
        assert_eq!(subject(socket).await, "next");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_stops_tells_its_sockets_to_come_back() {
    let app = idle_app().await;
    let alice = app.client("alice").await;
    let mut open = socket(&alice, &app.url, None).await;
    let closed = async {
        loop {
            if let Message::Close(frame) = open.next().await.expect("a close comes before the end").expect("a message is whole") {
                return frame.map(|frame| u16::from(frame.code));
            }
        }
    };
    let (code, ()) = tokio::join!(async { timeout(DEADLINE, closed).await.expect("it is closed") }, app.api.stop());
    assert_eq!(code, Some(1012));
}
