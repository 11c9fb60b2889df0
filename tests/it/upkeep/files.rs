//! File storage and rows: what nobody names goes, and who lost his file says so.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use datagenie_common::model::upkeep::UpkeepTask;
use datagenie_tests::TestApp;
use serde_json::json;
use uuid::Uuid;

use super::{count, keep, quiet};

/// Writes a file of the storage that is so many hours old.
fn write(app: &TestApp, path: &str, hours: u64) -> PathBuf {
    let place = app.folder().join("files").join(path);
    fs::create_dir_all(place.parent().expect("it lies in a folder")).expect("a folder");
    fs::write(&place, "[1]\n").expect("a file");
    let file = fs::File::options().write(true).open(&place).expect("the file opens");
    let written = file.metadata().and_then(|meta| meta.modified()).expect("it has a time");
    file.set_modified(written - Duration::from_secs(hours * 3600)).expect("its time is set");
    place
}

/// A question with an answer whose rows lie in this file.
async fn answered(app: &TestApp, job: Uuid, path: &str) {
    sqlx::query(
        "WITH q AS (INSERT INTO query_history (id, user_id, question, query_type, status, job_id)
                    SELECT gen_random_uuid(), id, 'q', 'general', 'success', $1 FROM users WHERE username = 'admin' RETURNING id)
         INSERT INTO analysis_results (query_history_id, job_id, result_files)
         SELECT id, $1, jsonb_build_object('rows', jsonb_build_object('path', $2::text, 'bytes', 4, 'offsets', '[0]'::jsonb, 'stride', 1),
             'chart.svg', 'charts/' || id || '/' || $1 || '.svg') FROM q",
    )
    .bind(job)
    .bind(path)
    .execute(&app.pool)
    .await
    .expect("an answer is stored");
}

fn exists(places: &[&Path]) -> Vec<bool> {
    places.iter().map(|place| place.exists()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_without_a_row_go_and_rows_without_a_file_say_so() {
    let app = quiet().await;
    let (kept, lost, lease) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::new_v4());
    let named = format!("results/{kept}/{lease}/rows.jsonl");
    answered(&app, kept, &named).await;
    answered(&app, lost, &format!("results/{lost}/{lease}/rows.jsonl")).await;
    let job = Uuid::now_v7();
    sqlx::query("INSERT INTO jobs (id, kind, lane, state, in_flight, user_id, deadline) SELECT $1, 'answer_question', 'interactive', 'waiting', false, id, dg_now() FROM users LIMIT 1")
        .bind(job)
        .execute(&app.pool)
        .await
        .expect("a job is under way");
    let named = write(&app, &named, 30);
    let other_attempt = write(&app, &format!("results/{kept}/{}/rows.jsonl", Uuid::new_v4()), 30);
    let unfinished = write(&app, &format!("results/{kept}/{lease}/rows.jsonl#7"), 30);
    let long_ago: Uuid = sqlx::query_scalar("SELECT uuid7_at(dg_now() - interval '30 hours')").fetch_one(&app.pool).await.expect("an id");
    let upload = write(&app, &format!("workbooks/{long_ago}/content"), 30);
    // A copy of an old content, whose row is about to be written.
    let copied = write(&app, &format!("workbooks/{}/content", Uuid::now_v7()), 30);
    let young = write(&app, &format!("results/{}/{lease}/rows.jsonl", Uuid::now_v7()), 20);
    let under_way = write(&app, &format!("results/{job}/{lease}/rows.jsonl"), 30);
    let stranger = write(&app, "notes/read-me.txt", 3000);

    let run = keep(&app, UpkeepTask::Files).await;
    assert_eq!(
        (&run["state"], &run["removed"]),
        (
            &json!("done"),
            &json!({ "files_without_a_row": 2, "unfinished_files": 1, "bytes": 12, "answers_without_their_file": 1, "pictures_forgotten": 1 })
        ),
        "{run}"
    );
    assert_eq!(exists(&[&named, &young, &under_way, &copied, &stranger]), [true; 5]);
    assert_eq!(exists(&[&other_attempt, &unfinished, &upload]), [false; 3]);
    assert!(!other_attempt.parent().is_some_and(Path::exists), "no empty folders are left");
    assert_eq!(count(&app.pool, "SELECT count(*) FROM analysis_results").await, 1);
    let question: Uuid =
        sqlx::query_scalar("SELECT id FROM query_history WHERE job_id = $1").bind(lost).fetch_one(&app.pool).await.expect("it stays");
    app.admin.get(format!("/v1/questions/{question}/result"), None).await.problem(410, "gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_lacks_everything_costs_no_answer() {
    let app = quiet().await;
    for _ in 0..2 {
        let job = Uuid::now_v7();
        answered(&app, job, &format!("results/{job}/{}/rows.jsonl", Uuid::new_v4())).await;
    }
    let run = keep(&app, UpkeepTask::Files).await;
    assert!(run["error"].as_str().is_some_and(|error| error.contains("mounted")), "{run}");
    assert_eq!(count(&app.pool, "SELECT count(*) FROM analysis_results").await, 2);
}
