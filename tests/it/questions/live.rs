//! Live answers: Server-Sent Events of one question, and the WebSocket with all of somebody's.

use std::time::Duration;

use datagenie_tests::{Answer, Client, TestApp};
use futures::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{COUNT, Shop};

/// A server-sent event.
struct Sent {
    id: Option<String>,
    event: String,
    data: Value,
}

fn sent(text: &str) -> Vec<Sent> {
    let field = |block: &str, name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()));
    let blocks = text.split("\n\n").filter(|block| block.lines().any(|line| line.starts_with("data:")));
    blocks
        .map(|block| Sent {
            id: field(block, "id:"),
            event: field(block, "event:").unwrap_or_default(),
            data: serde_json::from_str(&field(block, "data:").unwrap_or_default()).expect("the data are JSON"),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_of_a_question_shows_progress_and_ends_with_its_end() {
    let shop = Shop::sqlite().await;
    // Progress that is overtaken within a moment is not told: the model takes its time.
    shop.app.stub.say(Answer::Slow(Duration::from_millis(500), Box::new(Answer::Sql(COUNT))));
    shop.app.worker.stop().await;
    let admin = &shop.app.admin;
    let id = admin.ask(shop.question("how many?")).await;
    let path = format!("/v1/questions/{id}/events");
    // Once the head of the answer is there, the api listens.
    let stream = admin.request(Method::GET, &path).send().await.expect("the stream opens");
    let _worker = shop.app.start_worker().await;
    let events = sent(&stream.text().await.expect("the stream ends by itself"));
    let (last, progress) = events.split_last().expect("there are events");
    assert_eq!((last.event.as_str(), &last.data["type"]), ("question.succeeded", &json!("question.succeeded")));
    assert_eq!((last.id.as_deref(), &last.data["subject"]), (last.data["sequence"].as_str(), &json!(id)));
    assert!(last.id.is_some(), "the end is durable");
    assert!(progress.iter().all(|event| event.id.is_none() && event.data["sequence"].is_null()), "progress is not");
    let stages: Vec<&str> = progress.iter().filter_map(|event| event.data["data"]["stage"].as_str()).collect();
    assert!(stages.contains(&"drafting"), "{stages:?}");
    for event in &events {
        assert_eq!((&event.data["specversion"], &event.data["subject"]), (&json!("1.0"), &json!(id)));
    }

    let resumed = admin.send(admin.request(Method::GET, &path).header("last-event-id", "0".repeat(32))).await.expect(200);
    let resumed = sent(&resumed.text);
    assert_eq!((resumed.len(), &resumed[0].data), (1, &last.data), "one that comes late gets the end");
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn socket(client: &Client, url: &str, after: Option<&str>) -> Socket {
    let query = after.map(|after| format!("?after={after}")).unwrap_or_default();
    let address = format!("{}/v1/events{query}", url.replacen("http://", "ws://", 1));
    let mut request = address.as_str().into_client_request().expect("the address is one of a socket");
    let protocol = HeaderValue::from_str(&format!("bearer.{}", client.token())).expect("a token is a header's text");
    request.headers_mut().insert("sec-websocket-protocol", protocol.clone());
    let (socket, response) = Box::pin(connect_async(request)).await.expect("the socket opens");
    assert_eq!(response.headers().get("sec-websocket-protocol"), Some(&protocol), "the protocol that was offered is answered");
    socket
}

/// The next durable event.
async fn next(socket: &mut Socket) -> Value {
    let read = async {
        loop {
            match socket.next().await.expect("the socket stays open").expect("a message is whole") {
                Message::Text(text) => {
                    let event: Value = serde_json::from_str(text.as_str()).expect("a message is JSON");
                    if event["sequence"].is_string() {
                        return event;
                    }
                }
                Message::Close(_) => panic!("the socket was closed"),
                _ => {}
            }
        }
    };
    timeout(datagenie_tests::DEADLINE, read).await.expect("an event comes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_brings_every_end_once_and_replays_from_where_one_was() {
    let app = TestApp::start().await;
    app.stub.say(Answer::Text("an answer"));
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let mut hers = socket(&alice, &app.url, None).await;
    let mut his = socket(&bob, &app.url, None).await;
    let mut asked = Vec::new();
    for number in 0..3 {
        let id = alice.ask(json!({ "question": format!("question {number}?") })).await;
        alice.wait(id).await;
        asked.push(id.to_string());
    }
    let of_bob = bob.ask(json!({ "question": "mine?" })).await;
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(next(&mut hers).await);
    }
    let subject = |event: &Value| event["subject"].as_str().unwrap_or_default().to_owned();
    assert_eq!(events.iter().map(subject).collect::<Vec<_>>(), asked);
    assert!(events.iter().all(|event| event["type"] == "question.succeeded" && event["id"].is_string()), "{events:?}");
    let sequences: Vec<&str> = events.iter().filter_map(|event| event["sequence"].as_str()).collect();
    assert!(sequences.is_sorted() && sequences.len() == 3, "{sequences:?}");
    assert_eq!(subject(&next(&mut his).await), of_bob.to_string(), "nobody hears of somebody else's");

    let mut again = socket(&alice, &app.url, Some(sequences[0])).await;
    assert_eq!((next(&mut again).await, next(&mut again).await), (events[1].clone(), events[2].clone()));
    let one_more = alice.ask(json!({ "question": "one more?" })).await;
    assert_eq!(subject(&next(&mut again).await), one_more.to_string(), "a replay goes on live");
    again.close(None).await.expect("the socket closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_ends_with_its_session_and_needs_one() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let mut open = socket(&alice, &app.url, None).await;
    let _ = alice.post("/v1/auth/logout", None).await.expect(204);
    let ended = async {
        loop {
            match open.next().await {
                None | Some(Ok(Message::Close(_)) | Err(_)) => return,
                Some(Ok(_)) => {}
            }
        }
    };
    timeout(datagenie_tests::DEADLINE, ended).await.expect("the socket ends");
    let address = format!("{}/v1/events", app.url.replacen("http://", "ws://", 1));
    assert!(Box::pin(connect_async(address)).await.is_err(), "nobody gets in without a token");
    let bob = app.client("bob").await;
    bob.get("/v1/events?after=nonsense", None).await.problem(422, "invalid_request");
    let pinged = async {
        let mut his = socket(&bob, &app.url, None).await;
        his.send(Message::Ping(Vec::new().into())).await.expect("a ping is sent");
        loop {
            if let Message::Pong(_) = his.next().await.expect("the socket stays open").expect("a message is whole") {
                return;
            }
        }
    };
    timeout(datagenie_tests::DEADLINE, pinged).await.expect("a ping is answered");
}
