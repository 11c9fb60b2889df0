//! File storage in a bucket: what nobody names goes from there, too.

use std::collections::BTreeMap;

use datagenie_common::{
    files::ObjectPath,
    ids::{JobId, LeaseId, WorkbookId},
    model::upkeep::UpkeepTask,
    settings::{Settings, Sources},
};
use datagenie_scheduler::tasks::upkeep as tasks;
use datagenie_tests::{TestApp, TestBucket};
use serde_json::json;

/// Runs the task two days later, as the scheduler has it.
async fn keep(app: &TestApp) -> serde_json::Value {
    let mut environment = app.environment.clone();
    environment.insert("DATAGENIE_CLOCK__OFFSET_SECONDS".to_owned(), "172800".to_owned());
    let settings = Settings::load(&Sources { environment, file: None, stored: BTreeMap::new() }).expect("the test's settings are right");
    let scheduler = datagenie_scheduler::start::environment(settings, "scheduler-of-the-test".to_owned()).expect("a scheduler");
    tasks::record(&scheduler, UpkeepTask::Files).await;
    app.admin.get("/v1/upkeep?task=files&limit=1", None).await.expect(200).body["items"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_without_a_row_go_from_the_bucket() {
    let bucket = TestBucket::make().await;
    let app = bucket.of(TestApp::builder().no_worker().no_scheduler()).start().await;
    let (job, lease) = (JobId::new(), LeaseId::new());
    let named = ObjectPath::Rows { job, lease };
    let orphans = [ObjectPath::Rows { job, lease: LeaseId::new() }, ObjectPath::Content { workbook: WorkbookId::new() }];
    for path in orphans.iter().chain([&named]) {
        bucket.files.put_bytes(*path, b"[1]\n".to_vec()).await.expect("it is stored");
    }
    sqlx::query(
        "WITH q AS (INSERT INTO query_history (id, user_id, question, query_type, status, job_id)
                    SELECT gen_random_uuid(), id, 'q', 'general', 'success', $1 FROM users WHERE username = 'admin' RETURNING id)
         INSERT INTO analysis_results (query_history_id, job_id, result_files)
         SELECT id, $1, jsonb_build_object('rows', jsonb_build_object('path', $2::text, 'bytes', 4, 'offsets', '[0]'::jsonb, 'stride', 1)) FROM q",
    )
    .bind(job.0)
    .bind(named.to_string())
    .execute(&app.pool)
    .await
    .expect("an answer is stored");

    let run = keep(&app).await;
    assert_eq!((&run["state"], &run["removed"]), (&json!("done"), &json!({ "files_without_a_row": 2, "bytes": 8 })), "{run}");
    assert_eq!(bucket.objects().await, [named.to_string()]);

    bucket.files.put_bytes(orphans[0], b"[1]\n".to_vec()).await.expect("it is stored");
    bucket.proxy.refuse();
    let run = keep(&app).await;
    assert_eq!(run["state"], "failed", "{run}");
    let answers: i64 = sqlx::query_scalar("SELECT count(*) FROM analysis_results").fetch_one(&app.pool).await.expect("they are counted");
    assert_eq!((answers, bucket.objects().await.len()), (1, 2), "a bucket that is away costs nothing");
}
