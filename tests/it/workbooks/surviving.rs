//! Files that break their readers cost nobody else anything.

use datagenie_tests::TestApp;
use serde_json::json;

use super::{analysed, assert_refused, ended, fixtures, order, upload};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_ends_in_its_own_code_while_others_are_answered() {
    let app = TestApp::builder().offline().start().await;
    let shop = app.shop_sqlite().await;
    let mut asked = Vec::new();
    let broken = [
        ("workbook_encrypted", fixtures::encrypted()),
        ("workbook_corrupt", fixtures::cut_off()),
        ("workbook_too_large", fixtures::bomb()),
    ];
    for (code, content) in broken {
        let file = upload(&app, "xlsx", &content).await;
        asked.push((code, order(&app, file, None).await.0));
    }
    let answer = app.admin.answer(json!({ "sql": "SELECT count(*) AS n FROM orders", "connection_id": shop })).await;
    assert_eq!(answer["status"], "success", "{answer}");
    for (code, question) in asked {
        let found = ended(&app, question).await;
        assert_refused(&found, code);
        assert_eq!(found.events, ["analysis.failed"]);
    }
    assert_eq!(analysed(&app, "xlsx", &fixtures::shop()).await.status, "success", "the worker goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_cells_far_apart_are_two_cells() {
    let app = TestApp::builder().offline().start().await;
    let found = analysed(&app, "xlsx", &fixtures::far_apart()).await;
    let codes = ["workbook_too_large", "workbook_empty"];
    assert!(
        found.status == "success" || codes.contains(&found.error["code"].as_str().unwrap_or_default()),
        "a result or a clear error: {found:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workbook_that_takes_more_memory_than_it_may_is_refused() {
    let app = TestApp::builder().offline().with_setting("files.reader_memory_mb", "64").start().await;
    let found = analysed(&app, "csv", &fixtures::wide_csv(80_000)).await;
    assert_refused(&found, "workbook_too_large");
    assert!(found.error["message"].as_str().is_some_and(|message| message.contains("memory")), "{found:?}");
    // The program itself does not count: an ordinary workbook takes little.
    assert_eq!(analysed(&app, "xlsx", &fixtures::shop()).await.status, "success");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workbook_that_takes_longer_than_it_may_is_refused() {
    let app = TestApp::builder().offline().with_setting("files.reader_seconds", "1").start().await;
    let found = analysed(&app, "csv", &fixtures::long_csv(1_000_000)).await;
    assert_refused(&found, "workbook_too_large");
    assert!(found.error["message"].as_str().is_some_and(|message| message.contains("longer than 1 s")), "{found:?}");
}
