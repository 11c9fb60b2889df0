//! What a customer's database would give beyond any measure, and how little of it is taken.

use datagenie_tests::{TestApp, shop};
use serde_json::{Value, json};

use super::Customer;
use crate::questions::{COUNT, assert_error, assert_success};

/// A row of 300 MB, computed where it is asked for; ten rows of which the sixth is as large; a row of 3 MB; fifty million rows, also
/// with a type that is not built in.
const BEYOND: &str = "
    CREATE VIEW huge AS SELECT string_agg(repeat('x', 100000), '') AS body FROM generate_series(1, 3000);
    CREATE VIEW mixed AS SELECT g AS id, CASE WHEN g = 6 THEN (SELECT body FROM huge) ELSE 'small' END AS body FROM generate_series(1, 10) g;
    CREATE VIEW large AS SELECT string_agg(repeat('x', 100000), '') AS body FROM generate_series(1, 30);
    CREATE VIEW many AS SELECT generate_series(1, 50000000) AS n;
    CREATE TYPE mood AS ENUM ('fine');
    CREATE VIEW moods AS SELECT generate_series(1, 50000000) AS n, 'fine'::mood AS mood;
    CREATE VIEW wide_moods AS SELECT 'fine'::mood AS mood, repeat('x', 1000000) AS filler FROM generate_series(1, 50000);";

async fn beyond(app: TestApp) -> Customer {
    Customer::of(app, &format!("{}{BEYOND}", shop::postgres())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_300_mb_is_not_taken() {
    let customer = beyond(TestApp::builder().offline().start().await).await;
    assert_error(&customer.run("SELECT body FROM huge").await, "byte_limit");
    customer.until_at_work(false, "the server is done with it").await;
    // What came before it is a result that was cut off.
    let cut = customer.run("SELECT id, body FROM mixed").await;
    assert_success(&cut);
    assert_eq!((&cut["row_count"], &cut["truncated"]), (&json!(5), &json!(true)), "{}", cut["rows"]);
    // An error quotes the value, and can be as large.
    assert_error(&customer.run("SELECT CAST(body AS integer) AS n FROM large").await, "sql_invalid");
    assert_eq!(customer.run(COUNT).await["rows"], json!([[shop::ORDERS]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_million_rows_so_many_are_taken_as_may_be() {
    let customer = beyond(TestApp::builder().offline().start().await).await;
    let cut = customer.run("SELECT n FROM many").await;
    assert_success(&cut);
    assert_eq!((&cut["row_count"], &cut["truncated"]), (&json!(10_000), &json!(true)));
    customer.until_at_work(false, "the server does not go on").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_rows_than_come_at_once_come_one_after_the_other() {
    let app = TestApp::builder().offline().with_setting("query.max_rows", "45000").start().await;
    let customer = beyond(app).await;
    let page = async |answer: &Value, from: u64| {
        let path = format!("/v1/questions/{}/result?limit=1000&cursor={from}", answer["id"].as_str().unwrap_or_default());
        customer.app.admin.get(path, None).await.expect(200).body["rows"].clone()
    };
    let cut = customer.run("SELECT n FROM many").await;
    assert_success(&cut);
    assert_eq!((&cut["row_count"], &cut["truncated"]), (&json!(45_000), &json!(true)));
    for from in [0, 19_500, 39_500, 44_000] {
        let expected: Vec<Value> = (from + 1..=from + 1_000).map(|n| json!([n])).collect();
        assert_eq!(page(&cut, from).await, json!(expected), "from {from}");
    }
    // The first of them wait until a type is looked up.
    let moods = customer.run("SELECT n, mood FROM moods").await;
    assert_success(&moods);
    assert_eq!((&moods["row_count"], &moods["columns"][1]["type"]), (&json!(45_000), &json!("mood")));
    for from in [0, 19_500, 44_000] {
        let expected: Vec<Value> = (from + 1..=from + 1_000).map(|n| json!([n, "fine"])).collect();
        assert_eq!(page(&moods, from).await, json!(expected), "from {from}");
    }
    for count in [20_000, 40_000, 45_000] {
        let exact = customer.run(&format!("SELECT n FROM many LIMIT {count}")).await;
        assert_success(&exact);
        assert_eq!((&exact["row_count"], &exact["truncated"]), (&json!(count), &json!(false)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_is_too_large_is_cut_off_and_leaves_the_session_fit() {
    let app = TestApp::builder().offline().with_setting("query.max_bytes", "100000").start().await;
    let customer = beyond(app).await;
    // A hundred bytes a row, of which the server would send two million.
    for _ in 0..3 {
        let cut = customer
            .run("SELECT n, 'a filler of about eighty characters, so that not too many rows fit into the limit' AS filler FROM many")
            .await;
        assert_success(&cut);
        let count = cut["row_count"].as_u64().expect("a number of rows");
        assert!((900..1_200).contains(&count) && cut["truncated"] == true, "{count}");
    }
    assert_eq!(customer.run(COUNT).await["rows"], json!([[shop::ORDERS]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_wait_for_their_type_do_not_let_the_server_go_on_for_ever() {
    let customer = beyond(TestApp::builder().offline().start().await).await;
    // Ten thousand million bytes up to the limit of rows, of which a result takes sixteen million: dropped one by one, the others would
    // take longer than a statement may.
    let cut = customer.run("SELECT mood, filler FROM wide_moods").await;
    assert_success(&cut);
    assert_eq!((&cut["row_count"], &cut["truncated"]), (&json!(16), &json!(true)));
    customer.until_at_work(false, "the server does not go on").await;
    assert_eq!(customer.run(COUNT).await["rows"], json!([[shop::ORDERS]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_dropped_since_the_sync_is_told() {
    let customer = beyond(TestApp::builder().offline().start().await).await;
    customer.reader.database.execute("DROP TABLE order_items").await;
    let gone = customer.run("SELECT count(*) AS n FROM order_items").await;
    assert_error(&gone, "sql_invalid");
    assert!(gone["error"]["message"].as_str().is_some_and(|message| message.contains("table that does not exist")), "{gone}");
    assert!(gone["error"]["position"].is_object(), "{gone}");
    assert_eq!(customer.run(COUNT).await["rows"], json!([[shop::ORDERS]]));
}
