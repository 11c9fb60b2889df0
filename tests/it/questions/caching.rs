//! The cache of results: what it saves, and when it must not be used.

use datagenie_tests::{Answer, TestApp, until};
use serde_json::json;

use super::{BY_CHANNEL, Shop, assert_success};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_question_is_answered_from_the_cache() {
    let shop = Shop::pg().await;
    let first = shop.told([Answer::Sql(BY_CHANNEL)], "by channel?").await;
    let second = shop.app.admin.answer(shop.question("by channel?")).await;
    assert_success(&second);
    assert_eq!((&first["cached"], &second["cached"]), (&json!(false), &json!(true)));
    for field in ["rows", "columns", "row_count", "sql", "summary", "insights"] {
        assert_eq!(first[field], second[field], "{field}");
    }
    assert_eq!(shop.app.stub.calls().len(), 1, "the model's answer is kept too");
    let path = format!("/v1/questions/{}/result", second["id"].as_str().unwrap_or_default());
    assert_eq!(shop.app.admin.get(path, None).await.expect(200).body["rows"], first["rows"]);

    let mut anew = shop.question("by channel?");
    anew["cache"] = json!("skip");
    let third = shop.app.admin.answer(anew).await;
    assert_success(&third);
    assert_eq!((&third["cached"], shop.app.stub.calls().len()), (&json!(false), 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_permission_or_schema_is_another_result() {
    let shop = Shop::pg_of(TestApp::builder().offline().start().await).await;
    let (app, id) = (&shop.app, shop.id);
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    app.grant(id, &alice).await;
    app.grant(id, &bob).await;
    let cached = |client: &datagenie_tests::Client| {
        let (client, statement) = (client.clone(), shop.statement(BY_CHANNEL));
        async move {
            let answer = client.answer(statement).await;
            assert_success(&answer);
            answer["cached"] == true
        }
    };
    assert_eq!((cached(&alice).await, cached(&alice).await), (false, true));
    assert!(!cached(&bob).await, "one's own permissions, one's own results");
    app.permit(id, &alice, json!({ "max_rows_per_query": 100 })).await;
    assert_eq!((cached(&alice).await, cached(&alice).await), (false, true));

    let database = app.shop_pg_database().await;
    database.database.execute("ALTER TABLE products ADD COLUMN note text").await;
    let job = app.admin.post(format!("/v1/connections/{id}/sync"), None).await.expect(202).header("location").to_owned();
    until(|| async { app.admin.get(&job, None).await.body["finished_at"].is_string().then_some(()) }, "the sync has ended").await;
    assert_eq!((cached(&alice).await, cached(&alice).await), (false, true));
}
