//! Permissions that change while a question waits, runs, or is answered.

use std::time::Duration;

use datagenie_tests::{Answer, Client, TestApp, until};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{BY_CHANNEL, COUNT, Shop, assert_error, assert_success};

async fn withdraw(app: &TestApp, connection: Uuid, from: &Client) {
    let path = format!("/v1/connections/{connection}/permissions/{}", from.user_id);
    let _ = app.admin.delete(path, None).await.expect(204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_withdrawn_while_the_question_waits_is_withdrawn() {
    let shop = Shop::sqlite().await;
    let alice = shop.app.client("alice").await;
    shop.app.grant(shop.id, &alice).await;
    shop.app.worker.stop().await;
    let id = alice.ask(shop.question("how many?")).await;
    withdraw(&shop.app, shop.id, &alice).await;
    let _worker = shop.app.start_worker().await;
    assert_error(&alice.wait(id).await, "permission_denied");
    assert!(shop.app.stub.calls().is_empty(), "the model is not even asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_withdrawn_while_the_model_thinks_is_withdrawn() {
    let shop = Shop::sqlite().await;
    let alice = shop.app.client("alice").await;
    shop.app.grant(shop.id, &alice).await;
    shop.app.stub.say(Answer::Slow(Duration::from_millis(1500), Box::new(Answer::Sql(COUNT))));
    let id = alice.ask(shop.question("how many?")).await;
    until(|| async { (!shop.app.stub.calls().is_empty()).then_some(()) }, "the model is asked").await;
    withdraw(&shop.app, shop.id, &alice).await;
    let refused = alice.wait(id).await;
    assert_error(&refused, "permission_denied");
    assert_eq!(refused["row_count"], Value::Null, "nothing was read: {refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_withheld_from_one_who_may_no_longer_read_it() {
    let shop = Shop::sqlite_of(TestApp::builder().offline().start().await).await;
    let alice = shop.app.client("alice").await;
    shop.app.grant(shop.id, &alice).await;
    let answer = alice.answer(shop.statement(BY_CHANNEL)).await;
    assert_success(&answer);
    let path = format!("/v1/questions/{}", answer["id"].as_str().unwrap_or_default());

    // A change that still allows all that was read withholds nothing.
    shop.app.permit(shop.id, &alice, json!({ "allowed_tables": ["orders"] })).await;
    assert_eq!(alice.get(&path, None).await.expect(200).body["rows"], answer["rows"]);
    shop.app.permit(shop.id, &alice, json!({ "allowed_tables": ["products"] })).await;
    let withheld = alice.get(&path, None).await.expect(200).body;
    assert_eq!((&withheld["rows"], &withheld["error"]["code"]), (&json!([]), &json!("permission_denied")), "{withheld}");
    assert_eq!((&withheld["summary"], &withheld["chart"], &withheld["insights"]), (&Value::Null, &Value::Null, &json!([])));
    assert_eq!((&withheld["sql"], &withheld["provenance"]), (&Value::Null, &Value::Null), "they name what she may not see");
    for part in ["result", "result?format=csv", "chart.svg", "chart.png"] {
        alice.get(format!("{path}/{part}"), None).await.problem(403, "permission_denied");
    }
    shop.app.grant(shop.id, &alice).await;
    assert_eq!(alice.get(&path, None).await.expect(200).body["rows"], answer["rows"], "it was kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_not_told_of_an_earlier_statement_that_may_no_longer_run() {
    let shop = Shop::sqlite().await;
    let alice = shop.app.client("alice").await;
    shop.app.grant(shop.id, &alice).await;
    shop.app.stub.say(Answer::Sql("SELECT count(*) AS n FROM customers WHERE city = '서울'"));
    let first = alice.answer(shop.question("how many of them are there?")).await;
    assert_success(&first);
    let ask_on = async |text: &str| {
        let mut follow = shop.question(text);
        follow["follows"] = first["id"].clone();
        alice.answer(follow).await;
        shop.app.stub.calls().pop().map(|call| call["messages"].to_string()).unwrap_or_default()
    };
    let told = ask_on("and how many are there now?").await;
    assert!(told.contains("<previous_sql>") && told.contains("how many of them"), "{told}");

    // Masked, its values are in no filter; not allowed, nobody hears of it.
    shop.app.stub.say(Answer::Sql(COUNT));
    let masks = json!({ "masks": [{ "table": "customers", "column": "city", "kind": "name" }] });
    let _ = shop.app.admin.put(format!("/v1/connections/{}/masks", shop.id), masks).await.expect(200);
    let told = ask_on("and how many are masked?").await;
    assert!(!told.contains("previous_sql") && !told.contains("서울"), "{told}");
    shop.app.permit(shop.id, &alice, json!({ "allowed_tables": ["orders"] })).await;
    let told = ask_on("and how many may she see?").await;
    assert!(told.contains("orders") && !told.contains("customers") && !told.contains("how many of them"), "{told}");
}
