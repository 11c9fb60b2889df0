//! Answers: rows, chart, summary, insights, and where they come from.

use datagenie_tests::{Answer, TestApp};
use serde_json::{Value, json};

use super::{BY_CHANNEL, COUNT, Shop, assert_error, assert_success};

async fn answered_whole(shop: &Shop, dialect: &str) {
    let said = json!({
        "sql": BY_CHANNEL, "explanation": "by channel", "chart": "bar", "answerable": true, "clarification": "",
        "summary": "The best channel is {first.channel} with {first.total} of {sum.total}.",
    });
    let answer = shop.told([Answer::Json(said)], "Which channel sells most?").await;
    assert_success(&answer);
    assert_eq!(answer["rows"], json!([["web", 590_000], ["app", 580_000], ["store", 410_000]]));
    let names: Vec<&str> = answer["columns"].as_array().into_iter().flatten().filter_map(|column| column["name"].as_str()).collect();
    assert_eq!(names, ["channel", "total"]);
    assert_eq!((&answer["row_count"], &answer["truncated"], &answer["dialect"]), (&json!(3), &json!(false), &json!(dialect)));
    assert_eq!(answer["summary"], "The best channel is web with 590,000 of 1,580,000.");
    assert_eq!(answer["chart"]["type"], "bar");
    assert!(answer["chart"]["spec"]["$schema"].as_str().is_some_and(|schema| schema.contains("vega-lite")), "{}", answer["chart"]);
    assert!(answer["chart"]["svg_url"].as_str().is_some_and(|url| url.ends_with("/chart.svg")));
    let insights = answer["insights"].as_array().expect("insights are a list");
    assert!(!insights.is_empty() && insights.iter().all(|insight| insight["kind"].is_string() && insight["text"].is_string()), "{answer}");
    assert!(insights.iter().any(|insight| insight["text"].as_str().is_some_and(|text| text.contains("web"))), "{insights:?}");
    assert_eq!(answer["provenance"]["model"], "stub-1");
    assert!(answer["provenance"]["tables"].to_string().contains("orders"));
    assert_eq!(answer["provenance"]["attempts"].as_array().map(Vec::len), Some(1));
    assert_eq!((&answer["usage"]["prompt_tokens"], &answer["usage"]["completion_tokens"]), (&json!(100), &json!(20)));
    assert!(answer["timings_ms"]["total"].is_u64() && answer["confidence"].as_f64().is_some_and(|c| (0.5..=1.0).contains(&c)));
    assert_eq!((&answer["cached"], &answer["stage"]), (&json!(false), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_to_postgresql_is_answered_whole() {
    let shop = Shop::pg().await;
    answered_whole(&shop, "postgresql").await;
    let call = shop.app.stub.calls().remove(0);
    let prompt = call["messages"].to_string();
    assert!(prompt.contains("order_items") && prompt.contains("주문 금액"), "the model is told the schema: {prompt}");
    assert!(prompt.contains("Which channel sells most?"));
    assert_eq!((&call["model"], &call["response_format"]["type"]), (&json!("stub-1"), &json!("json_schema")));
    assert_eq!(shop.app.stub.authorizations(), ["Bearer sk-of-the-tests"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_to_sqlite_is_answered_whole() {
    answered_whole(&Shop::sqlite().await, "sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sloppy_answer_of_the_model_is_understood() {
    let shop = Shop::sqlite().await;
    let answers = [
        ("```json\n{\"sql\": \"SELECT count(*) AS n FROM orders\"}\n```", "fenced?"),
        ("SELECT count(*) AS n FROM orders;", "bare?"),
        ("Here you are:\n```sql\nSELECT count(*) AS n FROM orders\n```\nEnjoy!", "fenced sql?"),
        ("Sure! {\"sql\": \"SELECT count(*) AS n FROM orders\", \"chart\": 7, \"summary\": null}", "amid prose?"),
        ("<think>maybe {\"sql\": \"SELECT 1\"}</think>{\"sql\": \"SELECT count(*) AS n FROM orders\"}", "thinking?"),
    ];
    for (said, question) in answers {
        let answer = shop.told([Answer::Text(said)], question).await;
        assert_success(&answer);
        assert_eq!(answer["rows"], json!([[60]]), "{said}");
    }
    assert_eq!(shop.app.stub.calls().len(), 5, "none of them was asked for again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_the_model_made_up_are_not_shown() {
    let shop = Shop::sqlite().await;
    for (summary, question) in [
        ("There are 12345 orders.", "how many orders?"),
        ("There are twelve orders.", "how many orders are there?"),
        ("The worst is {worst.n}.", "how many orders in all?"),
        ("It is {first.nothing}.", "how many orders, please?"),
    ] {
        let answer = shop.told([Answer::Json(json!({ "sql": COUNT, "summary": summary }))], question).await;
        assert_success(&answer);
        let shown = answer["summary"].as_str().expect("there is a summary");
        assert!(shown.contains("60") && !shown.contains("12345") && !shown.contains('{'), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_model_declines_is_told_as_it_is() {
    let shop = Shop::sqlite().await;
    let unanswerable = json!({ "sql": null, "answerable": false, "explanation": "the shop keeps no weather" });
    let answer = shop.told([Answer::Json(unanswerable)], "How is the weather?").await;
    assert_error(&answer, "unanswerable");
    assert_eq!(answer["error"]["message"], "the shop keeps no weather");
    let unclear = json!({ "sql": null, "answerable": false, "clarification": "By revenue or by number?" });
    let answer = shop.told([Answer::Json(unclear)], "What is the best?").await;
    assert_error(&answer, "needs_clarification");
    assert_eq!(answer["error"]["clarification"], "By revenue or by number?");
    let job = shop.app.admin.get(format!("/v1/jobs/{}", answer["job_id"].as_str().unwrap_or_default()), None).await.expect(200).body;
    assert_eq!((&job["state"], &job["dead"]), (&json!("failed"), &json!(false)), "nothing is broken that could be replayed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_may_refer_to_an_earlier_one() {
    let shop = Shop::sqlite().await;
    let first = shop.told([Answer::Sql(BY_CHANNEL)], "Which channel sells most?").await;
    assert_success(&first);
    shop.app.stub.say(Answer::Sql(COUNT));
    let mut follow = shop.question("And how many orders is that?");
    follow["follows"] = first["id"].clone();
    let second = shop.app.admin.answer(follow).await;
    assert_success(&second);
    assert_eq!(second["follows"], first["id"]);
    let prompt = shop.app.stub.calls().pop().map(|call| call["messages"].to_string()).unwrap_or_default();
    assert!(prompt.contains("Which channel sells most?"), "the model is told what went before: {prompt}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_without_a_database_is_answered_in_text() {
    let app = TestApp::start().await;
    app.stub.say(Answer::Text("A median is the middle value."));
    let answer = app.admin.answer(json!({ "question": "What is a median?" })).await;
    assert_success(&answer);
    assert_eq!((&answer["summary"], &answer["connection_id"]), (&json!("A median is the middle value."), &Value::Null));
    let offline = TestApp::builder().offline().start().await;
    let declined = offline.admin.answer(json!({ "question": "What is a median?" })).await;
    assert_error(&declined, "unanswerable");
    assert_eq!(declined["provenance"]["model"], "offline-planner");
}
