//! Questions over a file, as they are taken in.

use datagenie_tests::TestApp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::upload;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_asked_of_a_file_of_ones_own() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let file = upload(&alice, "a.csv", b"a,b\n1,2\n").await.expect(201).id();
    let asked = alice.post("/v1/questions", json!({ "question": "how many rows?", "file_id": file })).await.expect(202);
    assert_eq!((&asked.body["file_id"], &asked.body["connection_id"]), (&json!(file), &json!(null)));
    let stored: (String, Option<Uuid>, Value) =
        sqlx::query_as("SELECT q.query_type, q.file_id, j.payload FROM query_history q JOIN jobs j ON j.id = q.job_id WHERE q.id = $1")
            .bind(asked.id())
            .fetch_one(&app.pool)
            .await
            .expect("the question is read");
    assert_eq!((stored.0.as_str(), stored.1, &stored.2["file_id"]), ("excel", Some(file), &json!(file)));

    let statement = alice.post("/v1/questions", json!({ "sql": "SELECT 1", "file_id": file })).await.expect(202);
    let follow = alice.post("/v1/questions", json!({ "question": "and columns?", "follows": asked.id() })).await.expect(202);
    assert_eq!(follow.body["file_id"], json!(file), "who follows asks of the same file");
    let general = alice.post("/v1/questions", json!({ "question": "hello?" })).await.expect(202);
    assert_eq!(general.body["file_id"], json!(null));
    let found = alice.get(format!("/v1/questions/{}", statement.id()), None).await.expect(200);
    assert_eq!(found.body["file_id"], json!(file));
    let of_file = alice.get(format!("/v1/questions?file_id={file}"), None).await.expect(200).body;
    assert_eq!(of_file["items"].as_array().map(Vec::len), Some(3));
    assert!(of_file["items"].as_array().is_some_and(|items| items.iter().all(|item| item["file_id"] == json!(file))), "{of_file}");

    let both = alice.post("/v1/questions", json!({ "question": "?", "file_id": file, "connection_id": Uuid::now_v7() })).await;
    assert_eq!(both.problem(422, "invalid_request")["errors"][0]["field"], "file_id");
    for client in [&bob, &app.admin] {
        client.post("/v1/questions", json!({ "question": "how many?", "file_id": file })).await.problem(404, "not_found");
    }
    alice.post("/v1/questions", json!({ "question": "how many?", "file_id": Uuid::now_v7() })).await.problem(404, "not_found");

    let _ = alice.delete(format!("/v1/files/{file}"), None).await.expect(204);
    alice.get(format!("/v1/questions/{}", asked.id()), None).await.problem(404, "not_found");
    let _ = alice.get(format!("/v1/questions/{}", general.id()), None).await.expect(200);
}
