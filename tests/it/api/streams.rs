//! A question's stream of events: how it is resumed, and how it ends.

use datagenie_tests::{Client, Reply, TestApp};
use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

async fn after(client: &Client, path: &str, last: &str) -> Reply {
    client.send(client.request(Method::GET, path).header("last-event-id", last)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_has_had_the_end_is_told_that_there_is_nothing_more() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let id = alice.ask(json!({ "question": "to be stopped?" })).await;
    let path = format!("/v1/questions/{id}/events");
    let _ = alice.post(format!("/v1/questions/{id}/cancel"), None).await.expect(200);
    let whole = alice.get(&path, None).await.expect(200);
    let end = whole.text.lines().find_map(|line| line.strip_prefix("id:")).map(str::trim).expect("the end has an id").to_owned();

    assert_eq!(after(&alice, &path, &end).await.expect(204).text, "");
    assert_eq!(after(&alice, &path, &"7".repeat(32)).await.expect(204).text, "", "what comes later includes it");
    assert!(after(&alice, &path, &"0".repeat(32)).await.expect(200).text.contains(&end), "one who has not had it gets it");
    for strange in ["0", "nonsense", &"z".repeat(32)] {
        let refused = after(&alice, &path, strange).await;
        assert_eq!(refused.problem(422, "invalid_request")["errors"][0]["field"], "Last-Event-ID");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_its_session_or_key() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let made = alice.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read"] })).await.expect(201);
    let by_key = alice.with_token(made.body["key"].as_str().expect("the key is shown"));
    let path = format!("/v1/questions/{}/events", alice.ask(json!({ "question": "how many?" })).await);

    let stream = by_key.request(Method::GET, &path).send().await.expect("the stream opens");
    let _ = alice.delete(format!("/v1/api-keys/{}", made.id()), None).await.expect(204);
    timeout(datagenie_tests::DEADLINE, stream.text()).await.expect("it ends with its key").expect("it ends by itself");

    let stream = alice.request(Method::GET, &path).send().await.expect("the stream opens");
    let _ = alice.post("/v1/auth/logout", None).await.expect(204);
    timeout(datagenie_tests::DEADLINE, stream.text()).await.expect("it ends with its session").expect("it ends by itself");
}
