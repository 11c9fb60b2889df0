//! A company's first day: the administrator registers its shop and its analyst, who asks in two languages, reads all of a result, looks at
//! a chart, works by a key from a program, and hears of the end.

use datagenie_tests::{TestApp, shop};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_registering_to_reading_the_result() {
    let app = TestApp::builder().offline().start().await;
    let admin = &app.admin;

    // The administrator registers the shop, and gives the analyst all of it but the customers' names.
    let reader = app.reader(&shop::postgres()).await;
    let connection = app.connect("our shop", "postgresql", reader.config.clone()).await;
    let analyst = json!({ "username": "analyst", "email": "analyst@example.com", "password": "first day here", "role": "user" });
    let analyst_id = admin.post("/v1/users", analyst).await.expect(201).id();
    let permission = json!({ "can_query": true, "allowed_tables": ["orders", "order_items", "products"], "max_rows_per_query": 1000, "max_execution_time_seconds": 10 });
    let _ = admin.put(format!("/v1/connections/{connection}/permissions/{analyst_id}"), permission).await.expect(200);

    // The analyst signs in, finds the shop and what it holds.
    let analyst = app.anonymous().login("analyst", "first day here").await;
    let seen = analyst.get("/v1/connections", None).await.expect(200).body;
    assert_eq!((seen["items"].as_array().map(Vec::len), &seen["items"][0]["name"]), (Some(1), &json!("our shop")));
    let schema = analyst.get(format!("/v1/connections/{connection}/schema"), None).await.expect(200).body;
    assert_eq!(schema["schemas"]["public"].as_object().map(serde_json::Map::len), Some(3));

    // A question in Korean, which is waited for.
    let ask = |question: &str| json!({ "question": question, "connection_id": connection });
    let korean = analyst.request(Method::POST, "/v1/questions").header("prefer", "wait=30").json(&ask("2025년 월별 매출 추이를 보여줘"));
    let korean = analyst.send(korean).await.expect(200).body;
    assert_eq!((&korean["status"], &korean["row_count"]), (&json!("success"), &json!(12)), "{korean}");
    assert_eq!(korean["chart"]["type"], "line");
    let summary = korean["summary"].as_str().unwrap_or_default();
    assert!(summary.chars().any(|c| ('가'..='힣').contains(&c)), "a Korean question has a Korean summary: {summary}");
    let picture = analyst.get(korean["chart"]["png_url"].as_str().unwrap_or_default(), None).await.expect(200);
    assert_eq!(picture.header("content-type"), "image/png");

    // One in English, whose answer is right.
    let english = analyst.answer(ask("Average order amount by channel")).await;
    assert_eq!((&english["status"], &english["row_count"]), (&json!("success"), &json!(3)), "{english}");
    assert!(english["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{}", english["summary"]);
    // What is not his is not his, whoever asks for it.
    let customers = analyst.answer(json!({ "sql": "SELECT name FROM customers", "connection_id": connection })).await;
    assert_eq!((&customers["status"], &customers["rows"]), (&json!("error"), &json!([])), "{customers}");

    // A long result by a program with a key, page by page.
    let key =
        analyst.post("/v1/api-keys", json!({ "name": "report", "scopes": ["ask", "read"], "connections": [connection] })).await.expect(201);
    let program = app.anonymous().with_token(key.body["key"].as_str().unwrap_or_default());
    let items = program.answer(json!({ "sql": "SELECT id, quantity FROM order_items ORDER BY id", "connection_id": connection })).await;
    assert_eq!((&items["row_count"], items["rows"].as_array().map(Vec::len)), (&json!(shop::ITEMS), Some(100)), "{items}");
    let path = format!("/v1/questions/{}/result", items["id"].as_str().unwrap_or_default());
    let (mut read, mut cursor) = (Vec::<i64>::new(), String::new());
    loop {
        let page = program.get(format!("{path}?limit=50{cursor}"), None).await.expect(200).body;
        read.extend(page["rows"].as_array().into_iter().flatten().filter_map(|row| row[0].as_i64()));
        let Value::String(next) = &page["next_cursor"] else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(read, (1..=shop::ITEMS).collect::<Vec<_>>());

    // His history has all of it; the administrator's, none.
    let history = analyst.get("/v1/questions", None).await.expect(200).body;
    assert_eq!(history["items"].as_array().map(Vec::len), Some(4));
    assert_eq!(admin.get("/v1/questions", None).await.expect(200).body["items"], json!([]));
    let _ = analyst.post("/v1/auth/logout", None).await.expect(204);
    analyst.get("/v1/me", None).await.problem(401, "unauthenticated");
}
