//! What a user may see and query of a connection.

use datagenie_tests::TestApp;
use serde_json::{Value, json};
use uuid::Uuid;

fn tables(schema: &Value) -> Vec<String> {
    schema["schemas"]["main"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_permission_a_connection_does_not_exist() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_sqlite().await;
    let alice = app.client("alice").await;
    let path = format!("/v1/connections/{id}");
    let permission = format!("{path}/permissions/{}", alice.user_id);
    alice.get(&path, None).await.problem(404, "not_found");
    app.admin.get(&permission, None).await.problem(404, "not_found");

    app.permit(id, &alice, json!({ "allowed_tables": ["orders", "main.products"] })).await;
    let stored = app.admin.get(&permission, None).await.expect(200).body;
    assert_eq!((&stored["allowed_tables"], &stored["can_query"]), (&json!(["orders", "main.products"]), &json!(true)));
    assert_eq!(alice.get(&path, None).await.expect(200).body["state"], "ready");
    let schema = alice.get(format!("{path}/schema"), None).await.expect(200);
    assert_eq!(tables(&schema.body), ["orders", "products"], "only what he may query");
    assert!(!schema.text.contains("customers"), "not even by a foreign key: {}", schema.text);
    assert_eq!(tables(&app.admin.get(format!("{path}/schema"), None).await.expect(200).body).len(), 4);

    for (fields, seen) in [(json!({ "allowed_tables": [] }), 0), (json!({ "allowed_schemas": ["other"] }), 0), (json!({}), 4)] {
        app.permit(id, &alice, fields).await;
        assert_eq!(tables(&alice.get(format!("{path}/schema"), None).await.expect(200).body).len(), seen);
    }
    let _ = app.admin.delete(&permission, None).await.expect(204);
    alice.get(&path, None).await.problem(404, "not_found");
    app.admin.delete(&permission, None).await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_queried_is_refused_by_name() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_sqlite().await;
    let alice = app.client("alice").await;
    app.permit(id, &alice, json!({ "allowed_tables": ["orders"] })).await;
    let run = |sql: &str| alice.answer(json!({ "sql": sql, "connection_id": id }));
    let allowed = run("SELECT count(*) AS n FROM orders").await;
    assert_eq!((&allowed["status"], &allowed["rows"]), (&json!("success"), &json!([[60]])), "{allowed}");
    for sql in [
        "SELECT name FROM customers",
        "SELECT count(*) FROM orders WHERE customer_id IN (SELECT id FROM customers)",
        "WITH orders AS (SELECT id FROM customers) SELECT count(*) FROM orders",
    ] {
        let refused = run(sql).await;
        assert_eq!(refused["status"], "error", "{sql}: {refused}");
        let code = refused["error"]["code"].as_str().unwrap_or_default();
        assert!(["permission_denied", "sql_refused"].contains(&code), "{sql}: {refused}");
        assert_eq!(refused["rows"], json!([]));
    }

    app.permit(id, &alice, json!({ "can_query": false })).await;
    let ask = json!({ "question": "How many orders are there?", "connection_id": id });
    alice.post("/v1/questions", ask).await.problem(403, "permission_denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_names_a_user_and_a_connection_that_exist() {
    let app = TestApp::builder().no_scheduler().start().await;
    let id = app.shop_sqlite().await;
    let alice = app.client("alice").await;
    let body = json!({ "can_query": true, "max_rows_per_query": 10, "max_execution_time_seconds": 5 });
    let put = |connection: Uuid, user: Uuid, body: Value| app.admin.put(format!("/v1/connections/{connection}/permissions/{user}"), body);
    put(id, Uuid::now_v7(), body.clone()).await.problem(404, "not_found");
    put(Uuid::now_v7(), alice.user_id, body.clone()).await.problem(404, "not_found");
    for (field, value) in [
        ("max_rows_per_query", json!(0)),
        ("max_execution_time_seconds", json!(-1)),
        ("allowed_tables", json!([" "])),
        ("colour", json!("red")),
    ] {
        let mut wrong = body.clone();
        wrong[field] = value;
        put(id, alice.user_id, wrong).await.problem(422, "invalid_request");
    }
    let path = format!("/v1/connections/{id}/permissions/{}", alice.user_id);
    alice.put(path, body).await.problem(403, "permission_denied");
}
