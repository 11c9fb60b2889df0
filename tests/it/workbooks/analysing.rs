//! From an upload to its analysis.

use datagenie_common::model::language::Language;
use datagenie_tests::TestApp;
use serde_json::json;
use uuid::Uuid;

use super::{Ended, analysed, ended, fixtures, order, upload};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workbook_is_analysed_and_its_tables_are_named_by_their_places() {
    let app = TestApp::builder().offline().start().await;
    let found = analysed(&app, "xlsx", &fixtures::shop()).await;
    assert_eq!((found.status.as_str(), found.row_count, found.cached), ("success", Some(9), false), "{found:?}");
    assert_eq!(found.provenance["tables"], json!(["주문!A1:D7", "고객!A1:C4"]));
    assert_eq!(found.provenance["model"], "computed");
    assert!(found.summary.is_some_and(|summary| summary.contains('9') || summary.contains('6')), "the summary counts");
    assert!(found.chart.is_object(), "{}", found.chart);
    assert_eq!(found.events, ["analysis.succeeded"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_once_is_not_read_again_unless_another_language_is_wanted() {
    let app = TestApp::builder().offline().start().await;
    let content = fixtures::shop();
    let file = upload(&app, "xlsx", &content).await;
    let analyse = async |language| -> Ended {
        let (question, _) = order(&app, file, language).await;
        ended(&app, question).await
    };
    let place = async || -> (String, String) {
        let reading = sqlx::query_as("SELECT database_path, language FROM workbooks");
        reading.fetch_one(&app.pool).await.expect("the workbook is there")
    };
    assert!(!analyse(None).await.cached);
    let (first, language) = place().await;
    assert_eq!(language, "ko", "its names are Korean");
    // Another upload of the same content by the same user is one of the same workbook.
    let again = upload(&app, "xlsx", &content).await;
    let (question, _) = order(&app, again, None).await;
    assert!(ended(&app, question).await.cached);
    assert!(analyse(Some(Language::Korean)).await.cached);
    assert_eq!(place().await.0, first);
    let english = analyse(Some(Language::English)).await;
    assert!(!english.cached);
    let (second, language) = place().await;
    assert_eq!(language, "en");
    assert_ne!(second, first);
    assert!(!app.settings.files.root.join(first).exists(), "what was replaced is deleted");
    assert!(app.settings.files.root.join(second).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_want_the_same_workbook_at_once_have_it_read_once() {
    let app = TestApp::builder().offline().start().await;
    let file = upload(&app, "csv", &fixtures::long_csv(2_000)).await;
    let mut asked: Vec<Uuid> = Vec::new();
    for _ in 0..4 {
        asked.push(order(&app, file, None).await.0);
    }
    let mut read = 0;
    for question in asked {
        let found = ended(&app, question).await;
        assert_eq!(found.status, "success", "{found:?}");
        read += u32::from(!found.cached);
    }
    assert_eq!(read, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_gone_is_told() {
    let app = TestApp::builder().offline().no_worker().start().await;
    let file = upload(&app, "xlsx", &fixtures::shop()).await;
    // Its row is there and its content is not.
    std::fs::remove_dir_all(app.settings.files.root.join("workbooks")).expect("it was stored");
    let (question, _) = order(&app, file, None).await;
    let _worker = app.start_worker().await;
    super::assert_refused(&ended(&app, question).await, "file_not_found");
}
