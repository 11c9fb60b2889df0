//! From an upload to its analysis.

use datagenie_common::{
    analyses::Analysis,
    files::{Files, ObjectPath},
    ids::{JobId, LeaseId, UserId},
    model::{language::Language, workbooks::Prepared},
    store::files,
};
use datagenie_tests::{TestApp, until};
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
    assert!(!app.stored(&first).exists(), "what was replaced is deleted");
    assert!(app.stored(&second).exists());
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
async fn what_was_made_of_a_workbook_and_is_lost_is_made_again() {
    let app = TestApp::builder().offline().start().await;
    let file = upload(&app, "xlsx", &fixtures::shop()).await;
    let (question, _) = order(&app, file, None).await;
    assert_eq!(ended(&app, question).await.status, "success");
    let lose = async |column: &'static str| {
        let path: String = sqlx::query_scalar(column).fetch_one(&app.pool).await.expect("the workbook is there");
        std::fs::remove_file(app.stored(&path)).expect("it was stored");
    };
    lose("SELECT analysis_path FROM workbooks").await;
    app.admin.get(format!("/v1/files/{file}/analysis"), None).await.problem(410, "gone");
    let (question, _) = order(&app, file, None).await;
    let found = ended(&app, question).await;
    assert_eq!((found.status.as_str(), found.cached), ("success", false), "{found:?}");
    // The same for who asks, in a process that has not fetched the tables yet.
    lose("SELECT database_path FROM workbooks").await;
    let answer = app.admin.answer(json!({ "sql": "SELECT count(*) FROM \"주문\"", "file_id": file })).await;
    assert_eq!((&answer["status"], &answer["rows"]), (&json!("success"), &json!([[6]])), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_gone_is_told() {
    let app = TestApp::builder().offline().no_worker().start().await;
    let file = upload(&app, "xlsx", &fixtures::shop()).await;
    // Its row is there and its content is not.
    std::fs::remove_dir_all(app.stored("workbooks")).expect("it was stored");
    let (question, _) = order(&app, file, None).await;
    let _worker = app.start_worker().await;
    super::assert_refused(&ended(&app, question).await, "file_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_reads_is_waited_for_as_long_as_its_lease_holds() {
    let app = TestApp::builder().offline().start().await;
    let file = upload(&app, "csv", b"a,b\n1,2\n3,4\n").await;
    let book = files::of_file(&app.pool, UserId(app.admin.user_id), file).await.expect("it is read").expect("it is there");
    // Another worker's attempt at it, as it stands in the ledger.
    let (job, lease) = (JobId::new(), LeaseId::new());
    sqlx::query(
        "INSERT INTO jobs (id, kind, lane, state, user_id, deadline, in_flight, attempt, lease_id, lease_until, worker)
         VALUES ($1, 'analyse_file', 'interactive', 'running', $2, dg_now() + interval '1 hour', true, 1, $3, dg_now() + interval '1 hour', 'elsewhere')",
    )
    .bind(job.0)
    .bind(app.admin.user_id)
    .bind(lease.0)
    .execute(&app.pool)
    .await
    .expect("a job runs elsewhere");
    assert!(files::claim(&app.pool, book.id, job, lease).await.expect("the database answers"));
    assert!(files::claim(&app.pool, book.id, job, lease).await.expect("the database answers"), "sent again");
    assert!(!files::claim(&app.pool, book.id, JobId::new(), LeaseId::new()).await.expect("the database answers"));

    let (waiting, waiting_job) = order(&app, file, None).await;
    let running = || async {
        let state: String =
            sqlx::query_scalar("SELECT state FROM jobs WHERE id = $1").bind(waiting_job.0).fetch_one(&app.pool).await.expect("it is there");
        (state == "running").then_some(())
    };
    until(running, "a worker has taken the second analysis").await;
    let (database, path) = (ObjectPath::Tables { workbook: book.id, lease }, ObjectPath::Analysis { workbook: book.id, lease });
    let storage = Files::open(&app.settings.files.root).expect("the storage opens");
    storage.put_bytes(database, b"a database".to_vec()).await.expect("it is stored");
    let found = Analysis { summary: "Read elsewhere.".to_owned(), ..Analysis::default() };
    storage.put_bytes(path, serde_json::to_vec(&found).expect("it is JSON")).await.expect("it is stored");
    let reading = files::Reading {
        prepared: Prepared::default(),
        database_path: database.to_string(),
        database_bytes: 10,
        analysis_path: path.to_string(),
        analysis_bytes: 10,
        language: Language::English,
    };
    let published = files::publish(&app.pool, book.id, None, &reading).await.expect("the database answers");
    assert!(matches!(published, files::Published::Ours { .. }), "nobody else has read it");
    let ended_by_it = ended(&app, waiting).await;
    assert_eq!((ended_by_it.status.as_str(), ended_by_it.cached), ("success", true), "{ended_by_it:?}");
    assert_eq!(ended_by_it.summary.as_deref(), Some("Read elsewhere."));

    // A lease that has run out holds nothing up.
    assert!(files::claim(&app.pool, book.id, job, lease).await.expect("the database answers"));
    sqlx::query("UPDATE jobs SET lease_until = dg_now() - interval '1 second' WHERE id = $1")
        .bind(job.0)
        .execute(&app.pool)
        .await
        .expect("its time is over");
    let (korean, _) = order(&app, file, Some(Language::Korean)).await;
    let read_again = ended(&app, korean).await;
    assert_eq!((read_again.status.as_str(), read_again.cached), ("success", false), "{read_again:?}");
}
