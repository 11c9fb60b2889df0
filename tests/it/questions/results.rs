//! Results: their limits, their pages, and where large ones lie.

use std::{
    io::{Cursor, Read},
    path::Path,
};

use datagenie_tests::{TestApp, shop, until};
use serde_json::{Value, json};

use super::{BY_CHANNEL, Shop, assert_success};

const IDS: &str = "SELECT id FROM orders ORDER BY id";

fn numbers(rows: &Value) -> Vec<i64> {
    rows.as_array().into_iter().flatten().filter_map(|row| row[0].as_i64()).collect()
}

/// All rows, by pages of this size, and how many pages there were.
async fn paged(shop: &Shop, id: &str, limit: usize) -> (Vec<Value>, usize) {
    let (mut rows, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = shop.app.admin.get(format!("/v1/questions/{id}/result?limit={limit}{cursor}"), None).await.expect(200).body;
        pages += 1;
        rows.extend(page["rows"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (rows, pages),
        }
    }
}

fn files_below(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_cuts_a_result_off_and_says_so() {
    let app = TestApp::builder().offline().with_setting("query.max_rows", "10").start().await;
    let (pg, sqlite) = (app.shop_pg().await, app.shop_sqlite().await);
    let alice = app.client("alice").await;
    for id in [pg, sqlite] {
        let cut = app.admin.answer(json!({ "sql": IDS, "connection_id": id })).await;
        assert_success(&cut);
        assert_eq!((&cut["row_count"], &cut["truncated"]), (&json!(10), &json!(true)), "{cut}");
        assert_eq!(numbers(&cut["rows"]), (1..=10).collect::<Vec<_>>());
        let path = format!("/v1/questions/{}/result", cut["id"].as_str().unwrap_or_default());
        assert_eq!(app.admin.get(path, None).await.expect(200).body["truncated"], true);
        app.permit(id, &alice, json!({ "max_rows_per_query": 4 })).await;
        let hers = alice.answer(json!({ "sql": IDS, "connection_id": id })).await;
        assert_eq!((&hers["row_count"], &hers["truncated"]), (&json!(4), &json!(true)), "{hers}");
        let exact = app.admin.answer(json!({ "sql": "SELECT id FROM orders WHERE id <= 10", "connection_id": id })).await;
        assert_eq!((&exact["row_count"], &exact["truncated"]), (&json!(10), &json!(false)), "as many as allowed is not cut off");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_is_paged_and_comes_whole_as_csv() {
    let shop = Shop::sqlite_of(TestApp::builder().offline().start().await).await;
    let answer = shop.run(IDS).await;
    let id = answer["id"].as_str().unwrap_or_default();
    let all: Vec<i64> = (1..=shop::ORDERS).collect();
    assert_eq!(numbers(&answer["rows"]), all);
    let (rows, pages) = paged(&shop, id, 25).await;
    assert_eq!((numbers(&json!(rows)), pages), (all.clone(), 3));
    assert_eq!(paged(&shop, id, 60).await.1, 1, "a page that ends with the result has no next one");

    let csv = shop.app.admin.get(format!("/v1/questions/{id}/result?format=csv"), None).await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    let lines: Vec<&str> = csv.text.split_terminator("\r\n").collect();
    assert_eq!((lines[0], lines.len()), ("id", all.len() + 1));
    assert_eq!((lines[1], lines[60]), ("1", "60"));
    let formula = shop.run("SELECT '=1+1' AS \"a,b\", 'x\"y' AS q, NULL AS missing").await;
    assert_success(&formula);
    let path = format!("/v1/questions/{}/result?format=csv", formula["id"].as_str().unwrap_or_default());
    assert_eq!(shop.app.admin.get(path, None).await.expect(200).text, "\"a,b\",q,missing\r\n'=1+1,\"x\"\"y\",\r\n");

    let result = format!("/v1/questions/{id}/result");
    for query in
        ["limit=0", "limit=1001", "cursor=x", "format=pdf", "format=csv&limit=5", "format=xlsx&bom=true", "bom=true", "all=true&cursor=5"]
    {
        shop.app.admin.get(format!("{result}?{query}"), None).await.problem(422, "invalid_request");
    }
    let beyond = shop.app.admin.get(format!("{result}?cursor=1000"), None).await.expect(200).body;
    assert_eq!((&beyond["rows"], &beyond["next_cursor"]), (&json!([]), &Value::Null));
    // Six before, and none of what was refused.
    has_read(&shop, 7).await;
}

/// Waits until the audit log has so many readings of results, and no more.
async fn has_read(shop: &Shop, expected: i64) {
    until(|| async { (reads(shop).await >= expected).then_some(()) }, "the readings are in the audit log").await;
    assert_eq!(reads(shop).await, expected, "each reading of a result is in the audit log");
}

async fn reads(shop: &Shop) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action = 'result.read'")
        .fetch_one(&shop.app.pool)
        .await
        .expect("the audit log is read")
}

/// The text of a part of a workbook; none if there is no such part.
fn part(workbook: &[u8], name: &str) -> Option<String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(workbook)).expect("a zip file");
    let mut text = String::new();
    archive.by_name(name).ok()?.read_to_string(&mut text).expect("is text");
    Some(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_comes_whole_as_a_workbook_with_its_picture() {
    let shop = Shop::sqlite_of(TestApp::builder().offline().start().await).await;
    let answer = shop.run(BY_CHANNEL).await;
    assert_success(&answer);
    let path = format!("/v1/questions/{}/result?format=xlsx", answer["id"].as_str().unwrap_or_default());
    let book = shop.app.admin.get(&path, None).await.expect(200);
    assert_eq!(book.header("content-type"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
    assert_eq!(book.header("content-disposition"), "attachment; filename=\"result.xlsx\"");
    assert_eq!(book.header("content-length"), book.bytes.len().to_string());
    let rows = part(&book.bytes, "xl/worksheets/sheet1.xml").expect("rows");
    assert!(rows.contains("channel") && rows.contains("web") && rows.contains("<v>590000</v>") && rows.contains("A1:B4"), "{rows}");
    let mut archive = zip::ZipArchive::new(Cursor::new(&book.bytes)).expect("a zip file");
    assert!(archive.by_name("xl/media/image1.png").is_ok(), "the picture of the chart");
    has_read(&shop, 1).await;
    shop.app.client("bob").await.get(&path, None).await.problem(404, "not_found");

    let table = shop.run("SELECT name, email FROM customers ORDER BY id").await;
    let path = format!("/v1/questions/{}/result?format=xlsx", table["id"].as_str().unwrap_or_default());
    let book = shop.app.admin.get(path, None).await.expect(200);
    assert_eq!(part(&book.bytes, "xl/worksheets/sheet2.xml"), None, "a table has no picture");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_comes_whole_as_json_and_as_csv_with_a_mark() {
    let shop = Shop::sqlite_of(TestApp::builder().offline().start().await).await;
    let answer = shop.run(IDS).await;
    let path = format!("/v1/questions/{}/result", answer["id"].as_str().unwrap_or_default());
    let whole = shop.app.admin.get(format!("{path}?all=true"), None).await.expect(200);
    assert_eq!(numbers(&whole.body["rows"]), (1..=shop::ORDERS).collect::<Vec<_>>());
    assert_eq!((&whole.body["columns"][0]["name"], &whole.body["truncated"]), (&json!("id"), &json!(false)));
    assert_eq!((&whole.body["row_count"], &whole.body["next_cursor"]), (&json!(shop::ORDERS), &Value::Null));
    let none = shop.run("SELECT id FROM orders WHERE id < 0").await;
    let empty = format!("/v1/questions/{}/result?all=true", none["id"].as_str().unwrap_or_default());
    assert_eq!(shop.app.admin.get(empty, None).await.expect(200).body["rows"], json!([]));

    let marked = shop.app.admin.get(format!("{path}?format=csv&bom=true"), None).await.expect(200);
    let plain = shop.app.admin.get(format!("{path}?format=csv"), None).await.expect(200);
    assert_eq!(marked.bytes, [b"\xEF\xBB\xBF", plain.bytes.as_slice()].concat());
    let cells = shop.run("SELECT -5 AS n, '-5' AS t, '+8210' AS \"=name\", '@x' AS at").await;
    assert_success(&cells);
    let path = format!("/v1/questions/{}/result?format=csv", cells["id"].as_str().unwrap_or_default());
    assert_eq!(shop.app.admin.get(path, None).await.expect(200).text, "n,t,'=name,at\r\n-5,'-5,'+8210,'@x\r\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_of_a_cut_result_say_so() {
    let app = TestApp::builder().offline().with_setting("query.max_rows", "10").start().await;
    let shop = Shop::sqlite_of(app).await;
    let cut = shop.run(IDS).await;
    let path = format!("/v1/questions/{}/result", cut["id"].as_str().unwrap_or_default());
    for format in ["csv", "xlsx"] {
        let file = shop.app.admin.get(format!("{path}?format={format}"), None).await.expect(200);
        assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"result-truncated.{format}\""));
        if format == "xlsx" {
            let notes = part(&file.bytes, "xl/worksheets/sheet2.xml").or_else(|| part(&file.bytes, "xl/worksheets/sheet3.xml"));
            assert!(notes.is_some_and(|notes| notes.contains("cut off at a limit: it has 10 rows")));
        }
    }
    assert_eq!(shop.app.admin.get(format!("{path}?all=true"), None).await.expect(200).body["truncated"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_result_lies_in_a_file_and_is_paged_like_a_small_one() {
    let shop = Shop::pg_of(TestApp::builder().offline().start().await).await;
    let files = shop.app.folder().join("files");
    assert_success(&shop.run(IDS).await);
    assert_eq!(files_below(&files), 0, "a small result needs no file");

    let sql = "SELECT i.id AS item, o.id AS ord, 'some words to fill the row' AS filler FROM order_items i CROSS JOIN orders o ORDER BY i.id, o.id";
    let answer = shop.run(sql).await;
    assert_success(&answer);
    let count = usize::try_from(shop::ITEMS * shop::ORDERS).unwrap_or_default();
    assert_eq!((answer["row_count"].as_u64(), answer["rows"].as_array().map(Vec::len)), (Some(count as u64), Some(100)));
    assert_eq!(files_below(&files), 1, "a large one is in one");

    let id = answer["id"].as_str().unwrap_or_default();
    let (rows, pages) = paged(&shop, id, 1000).await;
    assert_eq!((rows.len(), pages), (count, 8));
    let expected = (1..=shop::ITEMS).flat_map(|item| (1..=shop::ORDERS).map(move |order| (item, order)));
    for (row, (item, order)) in rows.iter().zip(expected) {
        assert_eq!((row[0].as_i64(), row[1].as_i64()), (Some(item), Some(order)));
    }
    let middle = shop.app.admin.get(format!("/v1/questions/{id}/result?limit=1&cursor=4999"), None).await.expect(200).body;
    assert_eq!(middle["rows"][0], rows[4999], "reading begins in the middle of the file");
    let csv = shop.app.admin.get(format!("/v1/questions/{id}/result?format=csv"), None).await.expect(200);
    assert_eq!(csv.text.lines().count(), count + 1);
    let book = shop.app.admin.get(format!("/v1/questions/{id}/result?format=xlsx"), None).await.expect(200);
    let sheet = part(&book.bytes, "xl/worksheets/sheet1.xml").expect("rows");
    assert_eq!(sheet.matches("<row ").count(), count + 1);
}
