//! Sharing: what somebody else's question shows depends on one's own permissions, and ends when it is taken back.

use datagenie_tests::{Client, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::sockets::{asked, stream, whole};

fn path(question: impl std::fmt::Display) -> String {
    format!("/v1/questions/{question}")
}

fn share_path(question: Uuid, reader: &Client) -> String {
    format!("/v1/questions/{question}/shares/{}", reader.user_id)
}

async fn share(owner: &Client, question: Uuid, reader: &Client) {
    let _ = owner.put(share_path(question, reader), None).await.expect(201);
}

/// Runs a statement: the question, which has its answer.
async fn run(client: &Client, connection: Uuid, sql: &str) -> Uuid {
    let answer = client.answer(json!({ "sql": sql, "connection_id": connection })).await;
    assert_eq!(answer["status"], "success", "{answer}");
    answer["id"].as_str().and_then(|id| id.parse().ok()).expect("a question has an id")
}

/// The rows of a question as somebody sees them; none: they are not for him, and neither is its result.
async fn rows(reader: &Client, question: Uuid) -> Option<Value> {
    let shown = reader.get(path(question), None).await.expect(200).body;
    let result = reader.get(format!("{}/result", path(question)), None).await;
    if result.status == 200 {
        assert_eq!(shown["rows"], result.body["rows"]);
        return Some(shown["rows"].clone());
    }
    result.problem(403, "permission_denied");
    reader.get(format!("{}/result?format=csv", path(question)), None).await.problem(403, "permission_denied");
    reader.get(format!("{}/chart.svg", path(question)), None).await.problem(403, "permission_denied");
    assert_eq!((&shown["rows"], &shown["error"]["code"]), (&json!([]), &json!("permission_denied")), "{shown}");
    for field in ["sql", "provenance", "summary", "row_count", "chart", "usage", "dialect"] {
        assert_eq!(shown[field], Value::Null, "{field}: {shown}");
    }
    None
}

async fn unknown(reader: &Client, question: Uuid) {
    for part in ["", "/result", "/chart.svg", "/chart.png", "/events", "/shares"] {
        reader.get(format!("{}{part}", path(question)), None).await.problem(404, "not_found");
    }
}

async fn ids(reader: &Client, list: &str) -> Vec<Value> {
    let page = reader.get(list, None).await.expect(200).body;
    page["items"].as_array().into_iter().flatten().map(|item| item["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_answer_is_read_under_the_readers_own_permissions() {
    let app = TestApp::builder().offline().no_scheduler().start().await;
    let shop = app.shop_sqlite().await;
    let (alice, viewer, bob) = (app.client("alice").await, app.client("viewer1").await, app.client("bob").await);
    app.grant(shop, &alice).await;
    let question = run(&alice, shop, "SELECT id, name FROM customers ORDER BY id LIMIT 3").await;
    unknown(&viewer, question).await;
    share(&alice, question, &viewer).await;
    let again = alice.put(share_path(question, &viewer), None).await.expect(200).body;
    assert_eq!((&again["username"], &again["shared_by"]), (&json!("viewer1"), &json!(alice.user_id)));
    unknown(&bob, question).await;

    // Sharing gives no permission: he does not even learn which connection it was.
    assert_eq!(rows(&viewer, question).await, None);
    assert_eq!(viewer.get(path(question), None).await.expect(200).body["connection_id"], Value::Null);
    let line = viewer.get("/v1/questions?shared=true", None).await.expect(200).body["items"][0].clone();
    assert_eq!((&line["id"], &line["owner"]), (&json!(question), &json!("alice")));
    assert_eq!((&line["connection_id"], &line["row_count"]), (&Value::Null, &Value::Null), "{line}");
    assert_eq!(ids(&viewer, "/v1/questions").await, Vec::<Value>::new());

    app.grant(shop, &viewer).await;
    let seen = rows(&viewer, question).await.expect("his own permission covers it");
    assert_eq!(Some(&seen), rows(&alice, question).await.as_ref());
    assert_eq!(viewer.get("/v1/questions?shared=true", None).await.expect(200).body["items"][0]["connection_id"], json!(shop));
    for narrower in [
        json!({ "allowed_tables": ["orders"] }),
        json!({ "allowed_schemas": ["other"] }),
        json!({ "can_query": false }),
        json!({ "max_rows_per_query": 2 }),
    ] {
        app.permit(shop, &viewer, narrower.clone()).await;
        assert_eq!(rows(&viewer, question).await, None, "{narrower}");
    }
    app.permit(shop, &viewer, json!({ "allowed_tables": ["customers"] })).await;
    assert_eq!(rows(&viewer, question).await, Some(seen.clone()));

    // The owner's own permission is his affair.
    let _ = app.admin.delete(format!("/v1/connections/{shop}/permissions/{}", alice.user_id), None).await.expect(204);
    assert_eq!(rows(&viewer, question).await, Some(seen));
    for (method, part) in [(Method::POST, "/cancel"), (Method::POST, "/rerun")] {
        viewer.send(viewer.request(method, format!("{}{part}", path(question)))).await.problem(403, "permission_denied");
    }
    let _ = alice.delete(share_path(question, &viewer), None).await.expect(204);
    unknown(&viewer, question).await;
    assert_eq!(ids(&viewer, "/v1/questions?shared=true").await, Vec::<Value>::new());
    alice.delete(share_path(question, &viewer), None).await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_masked_for_the_reader_must_be_masked_in_the_stored_rows() {
    let app = TestApp::builder().offline().no_scheduler().start().await;
    let shop = app.shop_sqlite().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    app.grant(shop, &alice).await;
    app.grant(shop, &bob).await;
    let masks =
        |kind: &str, exempt: Value| json!({ "masks": [{ "table": "customers", "column": "email", "kind": kind, "exempt_roles": exempt }] });
    let set = |masks: Value| app.admin.put(format!("/v1/connections/{shop}/masks"), masks);
    let _ = set(masks("email", json!(["admin"]))).await.expect(200);
    let sql = "SELECT email FROM customers ORDER BY id LIMIT 1";
    let (whole_rows, masked) = (run(&app.admin, shop, sql).await, run(&alice, shop, sql).await);
    for (owner, question) in [(&app.admin, whole_rows), (&alice, masked)] {
        share(owner, question, &bob).await;
    }
    assert_eq!(rows(&bob, whole_rows).await, None, "the administrator saw what is masked for others");
    let seen = rows(&bob, masked).await.expect("it is masked for both");
    assert!(seen[0][0].as_str().is_some_and(|email| email.contains('*')), "{seen}");

    // Another mask: of what was stored under the one before, nobody knows whether it is enough.
    let _ = set(masks("name", json!(["admin"]))).await.expect(200);
    assert_eq!(rows(&bob, masked).await, None);
    let _ = set(json!({ "masks": [] })).await.expect(200);
    assert!(rows(&bob, masked).await.is_some() && rows(&bob, whole_rows).await.is_some(), "nothing is masked for him any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_its_owner_and_administrators_share_and_it_is_written_down() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, bob, viewer) = (app.client("alice").await, app.client("bob").await, app.client("viewer1").await);
    let question: Uuid = asked(&alice).await["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    bob.put(share_path(question, &bob), None).await.problem(404, "not_found");
    bob.delete(share_path(question, &viewer), None).await.problem(404, "not_found");
    viewer.put(share_path(question, &viewer), None).await.problem(403, "permission_denied");
    alice.put(share_path(question, &alice), None).await.problem(422, "invalid_request");
    alice.put(format!("{}/shares/{}", path(question), Uuid::now_v7()), None).await.problem(404, "not_found");
    alice.put(format!("{}/shares/nobody", path(question)), None).await.problem(404, "not_found");
    alice.put(share_path(Uuid::now_v7(), &bob), None).await.problem(404, "not_found");
    let made = alice.post("/v1/api-keys", json!({ "name": "asks", "scopes": ["read", "ask"] })).await.expect(201);
    let key = alice.with_token(made.body["key"].as_str().expect("the key is shown"));
    key.put(share_path(question, &bob), None).await.problem(403, "permission_denied");

    share(&app.admin, question, &bob).await;
    share(&alice, question, &viewer).await;
    let readers = alice.get(format!("{}/shares", path(question)), None).await.expect(200).body;
    let mut names: Vec<&str> = readers["items"].as_array().into_iter().flatten().filter_map(|reader| reader["username"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["bob", "viewer1"]);
    assert_eq!(bob.get(path(question), None).await.expect(200).body["status"], "pending");
    bob.post("/v1/questions", json!({ "question": "and then?", "follows": question })).await.problem(422, "invalid_request");
    let _ = alice.delete(share_path(question, &bob), None).await.expect(204);
    let written: Vec<(Option<Uuid>, String, Value)> = sqlx::query_as(
        "SELECT user_id, action, details FROM audit_logs WHERE resource_id = $1 AND action LIKE 'question.%shared' ORDER BY created_at",
    )
    .bind(question.to_string())
    .fetch_all(&app.pool)
    .await
    .expect("the audit log is read");
    let line = |by: &Client, action: &str, reader: &Client| (Some(by.user_id), action.to_owned(), json!({ "user_id": reader.user_id }));
    let expected =
        [line(&app.admin, "question.shared", &bob), line(&alice, "question.shared", &viewer), line(&alice, "question.unshared", &bob)];
    assert_eq!(written, expected);

    // Who is switched off reads nothing, and nothing is shared with him.
    let _ = app.admin.patch(format!("/v1/users/{}", bob.user_id), json!({ "is_active": false })).await.expect(200);
    alice.put(share_path(question, &bob), None).await.problem(404, "not_found");
    sqlx::query("DELETE FROM users WHERE id = $1").bind(viewer.user_id).execute(&app.pool).await.expect("he is deleted");
    assert_eq!(alice.get(format!("{}/shares", path(question)), None).await.expect(200).body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_of_a_question_ends_when_it_is_taken_back() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, viewer) = (app.client("alice").await, app.client("viewer1").await);
    let (kept, taken) = (asked(&alice).await, asked(&alice).await);
    let id = |question: &Value| question["id"].as_str().and_then(|id| id.parse::<Uuid>().ok()).expect("an id");
    for question in [&kept, &taken] {
        share(&alice, id(question), &viewer).await;
    }
    let (of_kept, of_taken) = (stream(&viewer, &kept).await, stream(&viewer, &taken).await);
    let _ = alice.delete(share_path(id(&taken), &viewer), None).await.expect(204);
    assert!(!whole(of_taken).await.contains("event: question.cancelled"), "it ends before the question does");
    viewer.get_waiting(path(id(&taken)), 5).await.problem(404, "not_found");
    let _ = alice.post(format!("{}/cancel", path(id(&kept))), None).await.expect(200);
    let read = whole(of_kept).await;
    assert!(read.contains("event: question.cancelled"), "{read}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_told_to_its_owner_alone() {
    let app = TestApp::builder().offline().no_scheduler().start().await;
    let shop = app.shop_sqlite().await;
    let (alice, viewer) = (app.client("alice").await, app.client("viewer1").await);
    app.grant(shop, &alice).await;
    app.permit(shop, &viewer, json!({ "allowed_tables": ["orders"] })).await;
    let failed = alice.answer(json!({ "sql": "SELECT secret_column FROM customers", "connection_id": shop })).await;
    let question = failed["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    share(&alice, question, &viewer).await;
    let shown = viewer.get(path(question), None).await.expect(200);
    assert_eq!((&shown.body["status"], &shown.body["error"]["code"]), (&failed["status"], &failed["error"]["code"]));
    assert!(!shown.text.contains("customers") && !shown.text.contains("secret_column"), "{}", shown.text);
    let told = whole(stream(&viewer, &shown.body).await).await;
    assert!(told.contains("event: question.failed") && !told.contains("secret_column"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sharing_an_analysis_does_not_share_the_file() {
    let app = TestApp::builder().offline().no_scheduler().start().await;
    let (alice, viewer) = (app.client("alice").await, app.client("viewer1").await);
    let file = super::files::upload(&alice, "sales.csv", b"city,amount\nSeoul,10\nBusan,20\nSeoul,30\n").await.expect(201).id();
    let _ = alice.post(format!("/v1/files/{file}/analysis"), None).await;
    let analysis = format!("/v1/files/{file}/analysis");
    let done = alice.get_waiting(&analysis, 30).await.expect(200);
    assert_eq!(done.body["status"], "success", "{}", done.text);
    viewer.get(&analysis, None).await.problem(404, "not_found");
    let shares = format!("{analysis}/shares/{}", viewer.user_id);
    viewer.put(&shares, None).await.problem(403, "permission_denied");
    let _ = alice.put(&shares, None).await.expect(201);

    let seen = viewer.get(&analysis, None).await.expect(200);
    assert_eq!(seen.body["tables"], done.body["tables"]);
    let _ = viewer.get(format!("{analysis}?format=csv"), None).await.expect(200);
    assert_eq!(ids(&viewer, "/v1/files?shared=true").await, [json!(file)]);
    assert_eq!(ids(&viewer, "/v1/files").await, Vec::<Value>::new());
    viewer.get(format!("/v1/files/{file}"), None).await.problem(404, "not_found");
    let bob = app.client("bob").await;
    let _ = alice.put(format!("{analysis}/shares/{}", bob.user_id), None).await.expect(201);
    bob.post("/v1/questions", json!({ "question": "how many rows?", "file_id": file })).await.problem(404, "not_found");
    bob.delete(format!("/v1/files/{file}"), None).await.problem(404, "not_found");
    bob.post(&analysis, None).await.problem(404, "not_found");

    let _ = alice.delete(&shares, None).await.expect(204);
    let tag = seen.header("etag").to_owned();
    viewer.send(viewer.request(Method::GET, &analysis).header("if-none-match", tag)).await.problem(404, "not_found");
}
