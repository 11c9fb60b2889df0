//! `docs/asyncapi.json` describes every event that there is, and real ones are as it says.

use std::collections::BTreeSet;

use datagenie_common::{
    events::{Event, WEBHOOK_TEST, WEBHOOK_TYPES, terminal_type},
    jobs::JobKind,
    model::{drift::Drift, jobs::JobState},
};
use datagenie_tests::{DEADLINE, TestApp};
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{bodies::form, committed, schema};

fn described() -> Value {
    serde_json::from_str(&committed("docs/asyncapi.json")).expect("docs/asyncapi.json is JSON")
}

/// The messages of the document by their type: whether each is durable, and itself.
fn messages(document: &Value) -> Vec<(String, bool, Value)> {
    let all = document["components"]["messages"].as_object().into_iter().flatten();
    all.map(|(_, message)| (message["name"].as_str().unwrap_or_default().to_owned(), message["x-durable"] == true, message.clone()))
        .collect()
}

/// The types that a channel has.
fn of_channel(document: &Value, name: &str) -> BTreeSet<String> {
    let all = document["channels"][name]["messages"].as_object().into_iter().flatten();
    all.map(|(_, message)| {
        let path = message["$ref"].as_str().unwrap_or_default().trim_start_matches('#');
        document.pointer(path).and_then(|message| message["name"].as_str()).unwrap_or("nothing").to_owned()
    })
    .collect()
}

#[test]
fn every_type_of_event_is_described_on_its_channels() {
    let document = described();
    let durable: BTreeSet<String> = messages(&document).into_iter().filter(|(_, durable, _)| *durable).map(|(name, ..)| name).collect();
    let known: BTreeSet<String> = WEBHOOK_TYPES.iter().copied().chain([WEBHOOK_TEST]).map(str::to_owned).collect();
    assert_eq!(durable, known, "the durable types of docs/asyncapi.json and of common/src/events.rs");
    for &kind in JobKind::ALL {
        let ends = JobState::ALL.iter().filter_map(|&state| terminal_type(kind, state));
        assert_eq!(ends.filter(|end| !durable.contains(end)).collect::<Vec<_>>(), [""; 0], "{kind}");
    }
    assert_eq!(of_channel(&document, "webhooks"), known);
    let on_sockets: BTreeSet<String> = messages(&document).into_iter().map(|(name, ..)| name).filter(|name| name != WEBHOOK_TEST).collect();
    assert_eq!(of_channel(&document, "events"), on_sockets);
    let of_questions: BTreeSet<String> = on_sockets.into_iter().filter(|name| name.starts_with("question.")).collect();
    assert_eq!(of_channel(&document, "questionEvents"), of_questions);
}

#[test]
fn every_example_of_an_event_is_one() {
    let document = described();
    for (name, durable, message) in messages(&document) {
        let examples = message["examples"].as_array().cloned().unwrap_or_default();
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            let example = &example["payload"];
            assert_eq!(schema::check(&document, &message["payload"], example), [""; 0], "{name}");
            if name == "events_lost" {
                continue;
            }
            let event: Event = serde_json::from_value(example.clone()).expect("an example is an event");
            assert_eq!((event.event_type.as_str(), event.sequence.is_some()), (name.as_str(), durable));
            assert_eq!(serde_json::to_value(&event).expect("an event is JSON"), *example, "it is all of the event and nothing else");
        }
    }
    let drift = &document["components"]["schemas"]["Drift"];
    assert_eq!(schema::check(&document, drift, &json!(Drift::default())), [""; 0]);
}

/// What a socket brings until a durable event of this type is there.
async fn until_told(app: &TestApp, last: &str, act: impl AsyncFnOnce()) -> Vec<Value> {
    let address = format!("{}/v1/events", app.url.replacen("http://", "ws://", 1));
    let mut request = address.as_str().into_client_request().expect("the address is one of a socket");
    let token = HeaderValue::from_str(&format!("Bearer {}", app.admin.token())).expect("a token is a header's text");
    request.headers_mut().insert("authorization", token);
    let (mut socket, _) = Box::pin(connect_async(request)).await.expect("the socket opens");
    act().await;
    let read = async {
        let mut events: Vec<Value> = Vec::new();
        loop {
            if let Message::Text(text) = socket.next().await.expect("the socket stays open").expect("a message is whole") {
                let event: Value = serde_json::from_str(text.as_str()).expect("a message is JSON");
                let is_last = event["type"] == last;
                events.push(event);
                if is_last {
                    return events;
                }
            }
        }
    };
    timeout(DEADLINE, read).await.expect("the events come")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_events_are_as_described() {
    let document = described();
    let app = TestApp::builder().offline().no_scheduler().start().await;
    let connection = app.shop_sqlite().await;
    let ask = |sql: &str| json!({ "sql": sql, "connection_id": connection });
    let mut told = until_told(&app, "question.succeeded", async || {
        app.admin.ask(ask("SELECT count(*) AS n FROM orders")).await;
    })
    .await;
    told.extend(
        until_told(&app, "question.failed", async || {
            app.admin.ask(ask("DROP TABLE orders")).await;
        })
        .await,
    );
    told.extend(
        until_told(&app, "schema_sync.succeeded", async || {
            let _ = app.admin.post(format!("/v1/connections/{connection}/sync"), None).await.expect(202);
        })
        .await,
    );
    told.extend(
        until_told(&app, "batch.completed", async || {
            let line = |id: &str| json!({ "custom_id": id, "sql": "SELECT count(*) AS n FROM orders", "connection_id": connection });
            let _ = app.admin.post("/v1/batches", json!({ "questions": [line("a"), line("b")] })).await.expect(202);
        })
        .await,
    );
    told.extend(
        until_told(&app, "analysis.succeeded", async || {
            let (content_type, body) = form(&[("name=\"file\"; filename=\"a.csv\"", b"city,n\nSeoul,1\nBusan,2\n")]);
            let upload = app.admin.request(Method::POST, "/v1/files").header("content-type", content_type).body(body);
            let file = app.admin.send(upload).await.expect(201).id();
            let _ = app.admin.post(format!("/v1/files/{file}/analysis"), None).await.expect(202);
        })
        .await,
    );
    told.extend(
        until_told(&app, "question.cancelled", async || {
            app.worker.stop().await;
            let id = app.admin.ask(ask("SELECT count(*) AS n FROM orders WHERE id > 1")).await;
            let _ = app.admin.post(format!("/v1/questions/{id}/cancel"), None).await.expect(200);
        })
        .await,
    );
    let messages = messages(&document);
    let types: BTreeSet<&str> = told.iter().filter_map(|event| event["type"].as_str()).collect();
    assert!(types.len() >= 6, "each of these, and the progress that was not lost: {types:?}");
    for event in &told {
        let name = event["type"].as_str().unwrap_or_default();
        let found = messages.iter().find(|(known, ..)| known == name);
        let (_, durable, message) = found.unwrap_or_else(|| panic!("docs/asyncapi.json does not describe {name}: {event}"));
        assert_eq!(schema::check(&document, &message["payload"], event), [""; 0], "{event}");
        assert_eq!(event["sequence"].is_string(), *durable, "{event}");
    }
}
