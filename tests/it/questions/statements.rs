//! Statements that must not run, those that a model mends, and those that are given.

use datagenie_tests::{Answer, shop};
use serde_json::json;

use super::{BY_CHANNEL, COUNT, Shop, assert_error, assert_success};

const HOSTILE: [&str; 7] = [
    "DROP TABLE customers",
    "SELECT 1; DROP TABLE customers",
    "SELECT 1; SELECT 2",
    "DELETE FROM customers",
    "SELECT name FROM customers FOR UPDATE",
    "WITH gone AS (DELETE FROM customers RETURNING id) SELECT * FROM gone",
    "SELECT pg_sleep(10)",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_more_than_read_is_refused_on_postgresql() {
    let shop = Shop::pg().await;
    for sql in HOSTILE {
        assert_error(&shop.run(sql).await, "sql_refused");
    }
    assert_eq!(shop.run("SELECT count(*) FROM customers").await["rows"], json!([[shop::CUSTOMERS]]), "nothing happened to it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_more_than_read_is_refused_on_sqlite() {
    let shop = Shop::sqlite().await;
    for sql in HOSTILE.iter().chain(&["PRAGMA table_list", "ATTACH 'other.sqlite' AS x", "SELECT * FROM sqlite_master"]) {
        let refused = shop.run(sql).await;
        let code = refused["error"]["code"].as_str().unwrap_or_default();
        // Some of them are no SQL of this engine at all.
        assert!(["sql_refused", "sql_invalid"].contains(&code), "{sql}: {refused}");
    }
    assert_eq!(shop.run("SELECT count(*) FROM customers").await["rows"], json!([[shop::CUSTOMERS]]), "nothing happened to it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_insists_on_a_refused_statement_is_refused() {
    let shop = Shop::sqlite().await;
    for (sql, question) in [("SELECT 1; SELECT 2", "two statements?"), ("DROP TABLE customers", "a drop?")] {
        let before = shop.app.stub.calls().len();
        let refused = shop.told([Answer::Sql(sql)], question).await;
        assert_error(&refused, "sql_refused");
        assert_eq!(refused["sql"], sql, "the last one tried is shown");
        assert_eq!(shop.app.stub.calls().len() - before, 2, "one repair, no more");
        assert_eq!(refused["provenance"]["attempts"].as_array().map(Vec::len), Some(2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_repair_mends_a_wrong_statement() {
    let shop = Shop::pg().await;
    let wrong =
        ["SELECT sum(price_total) AS n FROM orders", "SELECT 100 / (amount - amount) AS n FROM orders", "SELEC count(*) FROM orders"];
    for sql in wrong {
        let mended = shop.told([Answer::Sql(sql), Answer::Sql(COUNT)], &format!("mend {sql}")).await;
        assert_success(&mended);
        assert_eq!(mended["rows"], json!([[shop::ORDERS]]));
        let attempts = mended["provenance"]["attempts"].as_array().expect("attempts are told");
        assert_eq!(attempts.len(), 2, "{attempts:?}");
        assert!(attempts[0]["error"]["code"].is_string() && attempts[1]["error"].is_null(), "{attempts:?}");
        let last = shop.app.stub.calls().pop().expect("the model was asked");
        assert!(last["messages"].to_string().contains(sql), "the model is told what it wrote: {last}");
        let first_time = shop.told([Answer::Sql(COUNT)], &format!("at once, not {sql}")).await;
        assert!(mended["confidence"].as_f64() < first_time["confidence"].as_f64(), "a mended answer is less sure");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspiciously_empty_result_gets_a_second_look() {
    let shop = Shop::sqlite().await;
    let empty = Answer::Sql("SELECT id FROM orders WHERE status = 'PAID'");
    let found = shop.told([empty.clone(), Answer::Sql("SELECT id FROM orders WHERE status = 'paid'")], "paid ones?").await;
    assert_success(&found);
    assert_eq!(found["row_count"], 12);
    let still_empty = shop.told([empty], "PAID ones?").await;
    assert_success(&still_empty);
    assert_eq!((&still_empty["row_count"], &still_empty["rows"]), (&json!(0), &json!([])), "no row can be the right answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_given_statement_runs_without_a_model() {
    let shop = Shop::pg().await;
    let answer = shop.run(BY_CHANNEL).await;
    assert_success(&answer);
    assert_eq!((&answer["rows"][0], &answer["question"]), (&json!(["web", 590_000]), &serde_json::Value::Null));
    assert_eq!((&answer["provenance"]["model"], &answer["confidence"]), (&json!("given"), &json!(1.0)));
    assert_error(&shop.run("SELECT nothing FROM nowhere").await, "sql_invalid");
    assert!(shop.app.stub.calls().is_empty());
}
