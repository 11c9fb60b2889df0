//! A disk without room: who needs some is told so, and nothing is half written.

use std::{fs, path::Path, process::Command};

use datagenie_tests::{TestApp, until};
use reqwest::Method;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

/// While it is there, no file of this process and of its children grows beyond so many bytes, as if the disk were full. A test is a process
/// of its own.
struct Full {
    before: Rlimit,
}

impl Full {
    fn beyond(bytes: u64) -> Self {
        // Where the signal is heard the write fails; else it would end the process.
        drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).expect("the signal is heard"));
        let before = getrlimit(Resource::Fsize);
        setrlimit(Resource::Fsize, Rlimit { current: Some(bytes), ..before }).expect("the limit is set");
        Self { before }
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        setrlimit(Resource::Fsize, self.before).expect("there is room again");
    }
}

/// Files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path().display().to_string()] }).collect()
}

async fn back_up(app: &TestApp, to: &Path) -> std::process::Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").join("deploy/backup.sh");
    let (url, files, to) = (app.database.url.clone(), app.folder().join("files"), to.to_owned());
    let running = tokio::task::spawn_blocking(move || {
        let mut command = Command::new("bash");
        command.arg(script).arg("--to").arg(to).arg("--files").arg(files).env("DATAGENIE_DATABASE__URL", url);
        command.output().expect("bash runs")
    });
    running.await.expect("it ends")
}

async fn upload(app: &TestApp, content: &str) -> datagenie_tests::Reply {
    let body = format!("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{content}\r\n--b--\r\n");
    let request = app.admin.request(Method::POST, "/v1/files").header("content-type", "multipart/form-data; boundary=b");
    app.admin.send(request.body(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_nothing_is_half_written() {
    let app = TestApp::builder().no_scheduler().with_setting("query.inline_bytes", "1024").start().await;
    let (shop, root, backups) = (app.shop_sqlite().await, app.folder().join("files"), app.folder().join("backups"));
    // What a backup that was killed has left.
    fs::create_dir_all(backups.join(".part_20200101_000000")).expect("a folder");
    let (long, longer) = ("a,b\n1,2\n".repeat(200), "a,b\n1,2\n".repeat(400_000));

    let full = Full::beyond(512);
    for content in [&long, &longer] {
        upload(&app, content).await.problem(507, "storage_full");
    }
    let id = app.admin.ask(json!({ "sql": "SELECT * FROM orders", "connection_id": shop })).await;
    let told = || async {
        let error: Option<String> = sqlx::query_scalar("SELECT error ->> 'message' FROM jobs WHERE subject_id = $1 AND state = 'waiting'")
            .bind(id)
            .fetch_optional(&app.pool)
            .await
            .expect("the job is read")
            .flatten();
        error
    };
    assert_eq!(until(told, "it waits for room").await, "the service has no room left for files");
    let failed = back_up(&app, &backups).await;
    assert!(!failed.status.success() && !failed.stderr.is_empty(), "{failed:?}");
    until(|| async { files(&root).is_empty().then_some(()) }, "nothing is left in file storage").await;
    let left: Vec<String> = files(&backups).into_iter().filter(|name| !name.ends_with("/.lock")).collect();
    assert_eq!((left.len(), fs::read_dir(&backups).expect("the folder").count()), (0, 1), "no part of a backup: {left:?}");
    let rows: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM files) + (SELECT count(*) FROM workbooks) + (SELECT count(*) FROM analysis_results)",
    )
    .fetch_one(&app.pool)
    .await
    .expect("the tables are read");
    assert_eq!(rows, 0);

    drop(full);
    let _ = upload(&app, &longer).await.expect(201);
    sqlx::query("UPDATE jobs SET run_at = dg_now() WHERE finished_at IS NULL").execute(&app.pool).await.expect("it is due");
    let _scheduler = app.start_scheduler().await;
    let answered = app.admin.wait(id).await;
    assert_eq!((&answered["status"], answered["row_count"].as_i64() > Some(0)), (&json!("success"), true), "{answered}");
    let jobs: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM jobs WHERE kind = 'answer_question'").fetch_all(&app.pool).await.expect("they are read");
    assert_eq!(jobs.len(), 1, "the same job");
    let done = back_up(&app, &backups).await;
    assert!(done.status.success(), "{done:?}");
    assert_eq!(files(&backups).iter().filter(|name| !name.ends_with("/.lock")).count(), 4);
}
