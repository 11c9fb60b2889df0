//! Questions over a workbook.

use datagenie_tests::TestApp;
use serde_json::json;

use super::{fixtures, upload};

const BY_CITY: &str = r#"SELECT "도시", sum("금액") AS total FROM "주문" JOIN "고객" ON "주문"."고객번호" = "고객"."고객번호" GROUP BY "도시" ORDER BY total DESC"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sheets_are_joined_and_the_answer_names_their_places() {
    let app = TestApp::builder().offline().start().await;
    let file = upload(&app, "xlsx", &fixtures::shop()).await;
    let answer = app.admin.answer(json!({ "sql": BY_CITY, "file_id": file })).await;
    assert_eq!((&answer["status"], &answer["error"]), (&json!("success"), &json!(null)), "{answer}");
    assert_eq!(answer["rows"], json!([["서울", 80_000], ["부산", 60_000]]));
    let mut places: Vec<String> = serde_json::from_value(answer["provenance"]["tables"].clone()).expect("a list of names");
    places.sort();
    assert_eq!(places, ["고객!A1:C4", "주문!A1:D7"]);
    assert_eq!((&answer["dialect"], &answer["file_id"]), (&json!("sqlite"), &json!(file)));
    // Again, without reading or fetching anything.
    let again = app.admin.answer(json!({ "sql": BY_CITY, "file_id": file })).await;
    assert_eq!((&again["rows"], &again["cached"]), (&answer["rows"], &json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_korean_question_is_planned_over_the_sheets_and_followed_up() {
    let app = TestApp::builder().offline().start().await;
    let file = upload(&app, "xlsx", &fixtures::shop()).await;
    let answer = app.admin.answer(json!({ "question": "도시별 금액 합계", "file_id": file })).await;
    assert_eq!((&answer["status"], &answer["error"]), (&json!("success"), &json!(null)), "{answer}");
    let mut rows: Vec<(String, i64)> = serde_json::from_value(answer["rows"].clone()).expect("a city and its sum");
    rows.sort();
    assert_eq!(rows, [("부산".to_owned(), 60_000), ("서울".to_owned(), 80_000)]);
    let count = app.admin.answer(json!({ "question": "주문은 몇 건이야?", "file_id": file, "follows": answer["id"] })).await;
    assert_eq!(count["rows"], json!([[6]]), "{count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guard_stands_before_a_workbook_too() {
    let app = TestApp::builder().offline().start().await;
    let file = upload(&app, "xlsx", &fixtures::shop()).await;
    for sql in [r#"DELETE FROM "주문""#, "SELECT * FROM sqlite_schema", "ATTACH '/etc/passwd' AS x"] {
        let answer = app.admin.answer(json!({ "sql": sql, "file_id": file })).await;
        assert_eq!(answer["status"], "error", "{answer}");
        assert!(
            ["sql_refused", "sql_invalid", "permission_denied"].contains(&answer["error"]["code"].as_str().unwrap_or_default()),
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_workbook_is_what_is_wrong_with_its_questions() {
    let app = TestApp::builder().offline().start().await;
    let file = upload(&app, "xlsx", &fixtures::cut_off()).await;
    let answer = app.admin.answer(json!({ "sql": BY_CITY, "file_id": file })).await;
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!("error"), &json!("workbook_corrupt")), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_its_owners_alone_also_for_who_waits_in_the_queue() {
    let app = TestApp::builder().offline().no_worker().start().await;
    let file = upload(&app, "xlsx", &fixtures::shop()).await;
    let stranger = app.client("stranger").await;
    let refused = stranger.post("/v1/questions", json!({ "sql": BY_CITY, "file_id": file })).await;
    assert_eq!(refused.status, 404, "{}", refused.text);
    // Asked by its owner, and gone to another one before it is his turn.
    let id = app.admin.ask(json!({ "sql": BY_CITY, "file_id": file })).await;
    for statement in ["UPDATE workbooks SET user_id = $1", "UPDATE files SET user_id = $1"] {
        sqlx::query(statement).bind(stranger.user_id).execute(&app.pool).await.expect("it is set");
    }
    let _worker = app.start_worker().await;
    let answer = app.admin.wait(id).await;
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!("error"), &json!("file_not_found")), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn korean_names_of_columns_are_figures_groups_and_values() {
    let app = TestApp::builder().offline().start().await;
    let sales = "지역,품목,판매일,매출,수량\n서울,사과,2024-01-05,\"1,000\",10\n부산,배,2024-01-20,\"2,000\",20\n서울,배,2024-02-03,\"3,500\",30\n합계,,,\"6,500\",60\n";
    let file = upload(&app, "csv", sales.as_bytes()).await;
    let cases = [
        ("지역별 매출 합계는?", json!([["서울", 4_500], ["부산", 2_000]])),
        ("서울 매출 합계", json!([[4_500]])),
        ("월별 수량 합계", json!([["2024-01", 30], ["2024-02", 30]])),
        ("매출 상위 1개 품목", json!([["배", 5_500]])),
        ("모두 몇 건이야?", json!([[3]])),
    ];
    for (question, rows) in cases {
        let answer = app.admin.answer(json!({ "question": question, "file_id": file })).await;
        assert_eq!((&answer["status"], &answer["rows"]), (&json!("success"), &rows), "{question}: {answer}");
        assert_eq!(answer["provenance"]["tables"], json!(["book!A1:E5"]), "{question}");
    }
}
