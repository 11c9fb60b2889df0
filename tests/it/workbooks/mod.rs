//! Uploaded workbooks as workers handle them: read by a process of its own, analysed, asked like a database; and the files that break
//! their readers.

mod analysing;
mod asking;
mod bucket;
mod fixtures;
mod processes;
mod surviving;

use std::path::Path;

use datagenie_common::{
    files::{Files, ObjectPath},
    ids::{FileId, JobId, QuestionId, UserId, WorkbookId},
    jobs::{AnalyseFile, JobKind, PAYLOAD_VERSION},
    model::language::Language,
    store::{
        files::{self, NewAnalysis, NewContent, NewFile},
        ledger::intake::{self, NewJob},
    },
};
use datagenie_tests::{TestApp, until};
use serde_json::{Value, json};
use sqlx::Row;
use uuid::Uuid;

/// Uploads a file of the administrator's, past the checks of the api: also what it would refuse.
async fn upload(app: &TestApp, kind: &str, content: &[u8]) -> FileId {
    let (id, workbook_id) = (FileId::new(), WorkbookId::new());
    let path = ObjectPath::Content { workbook: workbook_id };
    let storage = Files::open(&app.settings.files.root).expect("the storage opens");
    storage.put_bytes(path, content.to_vec()).await.expect("it is stored");
    let (path, name, sha256) = (path.to_string(), format!("book.{kind}"), digest(content));
    let content = NewContent {
        workbook_id,
        kind,
        size: i64::try_from(content.len()).expect("a small file"),
        sha256: &sha256,
        include_hidden: false,
        path: &path,
    };
    let mut conn = app.pool.acquire().await.expect("the database answers");
    let file = NewFile { id, user_id: UserId(app.admin.user_id), name: &name, content };
    files::insert(&mut conn, &file).await.expect("the file is kept");
    id
}

/// Something that is one for each content, as a hash is; the database wants 64 digits.
fn digest(content: &[u8]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{:064x}", hasher.finish())
}

/// Asks for the analysis of a file: its id among the questions, and its job.
async fn order(app: &TestApp, file: FileId, language: Option<Language>) -> (Uuid, JobId) {
    let (question_id, job_id, user_id) = (QuestionId::new(), JobId::new(), UserId(app.admin.user_id));
    let payload = AnalyseFile { v: PAYLOAD_VERSION, question_id, file_id: file, language };
    let job = NewJob {
        id: job_id,
        kind: JobKind::AnalyseFile,
        user_id,
        connection_id: None,
        batch_id: None,
        subject_id: Some(question_id.0),
        replay_of: None,
        deadline_seconds: 600.0,
        run_seconds: None,
        max_attempts: 2,
        payload: json!(payload),
        traceparent: None,
    };
    let mut tx = app.pool.begin().await.expect("the database answers");
    let analysis = NewAnalysis { id: question_id, job_id, user_id, file_id: file, file_info: json!({}) };
    files::ask(&mut tx, &analysis).await.expect("the analysis is kept");
    intake::insert(&mut tx, &job).await.expect("the job is kept");
    tx.commit().await.expect("it is committed");
    (question_id.0, job_id)
}

/// How an analysis ended.
#[derive(Debug)]
struct Ended {
    status: String,
    error: Value,
    provenance: Value,
    row_count: Option<i32>,
    cached: bool,
    summary: Option<String>,
    chart: Value,
    events: Vec<String>,
}

async fn ended(app: &TestApp, question: Uuid) -> Ended {
    let look = || async {
        let row = sqlx::query(
            "SELECT q.status, q.error, q.provenance, q.row_count, q.cached, a.summary_text, a.chart,
                    ARRAY(SELECT e.type FROM events e WHERE e.subject = q.id::text) AS events
             FROM query_history q LEFT JOIN analysis_results a ON a.job_id = q.job_id WHERE q.id = $1 AND q.status <> 'pending'",
        )
        .bind(question)
        .fetch_optional(&app.pool)
        .await
        .expect("the analysis is read")?;
        Some(Ended {
            status: row.get("status"),
            error: row.get::<Option<Value>, _>("error").unwrap_or_default(),
            provenance: row.get::<Option<Value>, _>("provenance").unwrap_or_default(),
            row_count: row.get("row_count"),
            cached: row.get("cached"),
            summary: row.get("summary_text"),
            chart: row.get::<Option<Value>, _>("chart").unwrap_or_default(),
            events: row.get("events"),
        })
    };
    until(look, "the analysis has ended").await
}

/// Uploads a file and has it analysed.
async fn analysed(app: &TestApp, kind: &str, content: &[u8]) -> Ended {
    let file = upload(app, kind, content).await;
    let (question, _) = order(app, file, None).await;
    ended(app, question).await
}

/// Checks that an analysis failed with this code.
#[track_caller]
fn assert_refused(ended: &Ended, code: &str) {
    assert_eq!((ended.status.as_str(), &ended.error["code"]), ("error", &json!(code)), "{ended:?}");
    assert!(ended.error["message"].as_str().is_some_and(|message| !message.is_empty()), "{ended:?}");
}

/// What lies in the folders for temporary files of workers below `folder`, which keep nothing but what questions are asked of.
fn left_over(folder: &Path) -> Vec<String> {
    let mut left = Vec::new();
    let Ok(workers) = std::fs::read_dir(folder) else { return left };
    for worker in workers.flatten().filter(|entry| entry.path().is_dir()) {
        for entry in std::fs::read_dir(worker.path()).into_iter().flatten().flatten() {
            left.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    left.retain(|name| name != "databases");
    left
}
