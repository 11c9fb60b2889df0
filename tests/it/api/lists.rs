//! Lists by cursor, and what has not changed since.

use std::collections::BTreeSet;

use datagenie_tests::TestApp;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_paged_newest_first_without_gaps_or_doubles() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let mut asked = Vec::new();
    for number in 0..5 {
        asked.push(alice.ask(json!({ "question": format!("question {number}?") })).await.to_string());
    }
    let (mut seen, mut cursor, mut sizes) = (Vec::<String>::new(), String::new(), Vec::new());
    loop {
        let page = alice.get(format!("/v1/questions?limit=2{cursor}"), None).await.expect(200).body;
        let items = page["items"].as_array().expect("a page has items");
        sizes.push(items.len());
        seen.extend(items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)));
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break,
        }
        // What comes meanwhile is newer than the first page and moves nothing.
        alice.ask(json!({ "question": "one more?" })).await;
    }
    asked.reverse();
    assert_eq!((seen, sizes), (asked, vec![2, 2, 1]));

    for query in ["limit=0", "limit=201", "limit=two", "cursor=nonsense", "status=unknown"] {
        alice.get(format!("/v1/questions?{query}"), None).await.problem(422, "invalid_request");
    }
    let pending = alice.get("/v1/questions?status=pending&limit=200", None).await.expect(200).body;
    let ids: BTreeSet<&str> = pending["items"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_str()).collect();
    assert_eq!(ids.len(), 7);
    assert_eq!(alice.get("/v1/questions?status=success", None).await.expect(200).body["items"], json!([]));
    let jobs = alice.get("/v1/jobs?limit=200", None).await.expect(200).body;
    assert_eq!(jobs["items"].as_array().map(Vec::len), Some(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_caller_has_is_not_sent_again() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let id = alice.ask(json!({ "question": "to be stopped?" })).await;
    let path = format!("/v1/questions/{id}");
    let waited = alice.send(alice.request(Method::GET, &path).header("prefer", "wait=1")).await.expect(202);
    assert_eq!((waited.header("location"), waited.header("retry-after")), (path.as_str(), "1"));
    let pending = alice.get(&path, None).await.expect(200);
    let before = pending.header("etag").to_owned();
    let _ = alice.post(format!("{path}/cancel"), None).await.expect(200);

    let with_tag = |tag: &str| alice.request(Method::GET, &path).header("if-none-match", tag);
    let ended = alice.send(with_tag(&before)).await.expect(200);
    assert_eq!(ended.body["status"], "cancelled");
    let tag = ended.header("etag").to_owned();
    assert_ne!(tag, before, "the tag moves with the body");
    for same in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let unchanged = alice.send(with_tag(&same)).await.expect(304);
        assert_eq!((unchanged.text.as_str(), unchanged.header("etag")), ("", tag.as_str()));
    }
    alice.post(format!("{path}/cancel"), None).await.problem(409, "already_ended");
    alice.get(format!("{path}/result"), None).await.problem(409, "not_answered");
}
