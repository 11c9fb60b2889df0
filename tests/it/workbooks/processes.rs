//! The real worker and its reading processes: what they know, and what is left when one of them is killed.

use std::{fs, path::PathBuf};

use datagenie_tests::{Process, Processes, TestApp, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{ended, fixtures, left_over, order, upload};

/// A worker as a process, with a folder for temporary files of its own.
struct Rig {
    app: TestApp,
    worker: Process,
    scratch: PathBuf,
}

impl Rig {
    async fn start() -> Self {
        let app = TestApp::builder().offline().no_worker().with_setting("jobs.lease_seconds", "2").start().await;
        let temporary = app.folder().join("temporary");
        fs::create_dir(&temporary).expect("the test's folder can be written");
        let processes = Processes::of(&app).with_variable("TMPDIR", &temporary.display().to_string());
        let worker = processes.with_variable("SECRET_OF_THE_TEST", "only the worker knows").worker();
        worker.says("worker is up").await;
        let scratch = temporary.join(format!("datagenie-workbooks-{}", rustix::process::geteuid().as_raw()));
        Self { app, worker, scratch }
    }

    /// The worker's reading process, stopped as soon as it is seen.
    async fn reader(&self) -> Pid {
        let worker = self.worker.pid();
        let pid = until(|| async { child_of(worker) }, "a workbook is being read").await;
        kill_process(pid, Signal::STOP).expect("it is there");
        pid
    }
}

/// A process whose parent is this one.
fn child_of(parent: u32) -> Option<Pid> {
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in brackets, may hold anything.
        let after_name = stat.rsplit_once(')')?.1;
        let mut fields = after_name.split_whitespace();
        let (state, its_parent) = (fields.next()?, fields.next()?);
        (its_parent.parse() == Ok(parent) && state != "Z").then(|| Pid::from_raw(pid)).flatten()
    })
}

/// Whether it has ended, reaped or not.
fn is_gone(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.rsplit_once(')').is_none_or(|(_, fields)| fields.trim_start().starts_with('Z')))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_knows_no_secret_and_one_that_is_killed_is_followed_by_another() {
    let rig = Rig::start().await;
    let file = upload(&rig.app, "csv", &fixtures::long_csv(100_000)).await;
    let (question, _) = order(&rig.app, file, None).await;
    let reader = rig.reader().await;
    let environment = fs::read(format!("/proc/{}/environ", reader.as_raw_nonzero())).expect("it is ours");
    assert_eq!(String::from_utf8_lossy(&environment), "MALLOC_ARENA_MAX=1\0");
    kill_process(reader, Signal::KILL).expect("it is there");
    let found = ended(&rig.app, question).await;
    assert_eq!((found.status.as_str(), found.row_count), ("success", Some(100_000)), "{found:?}");
    let attempts: i64 = sqlx::query_scalar("SELECT count(*) FROM job_attempts").fetch_one(&rig.app.pool).await.expect("they are read");
    assert_eq!(attempts, 2);
    assert_eq!(left_over(&rig.scratch), [""; 0]);
    // A worker that ends leaves nothing at all.
    rig.worker.terminate();
    rig.worker.exit_code().await;
    assert_eq!(fs::read_dir(&rig.scratch).map(Iterator::count).ok(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_ends_the_reader() {
    let rig = Rig::start().await;
    let file = upload(&rig.app, "csv", &fixtures::long_csv(100_000)).await;
    let (question, job) = order(&rig.app, file, None).await;
    let reader = rig.reader().await;
    let cancelled = rig.app.admin.post(format!("/v1/jobs/{job}/cancel"), json!({})).await;
    assert!(cancelled.status < 300, "{}", cancelled.text);
    let found = ended(&rig.app, question).await;
    assert_eq!(found.status, "cancelled", "{found:?}");
    until(|| async { is_gone(reader).then_some(()) }, "the reader is gone").await;
    assert_eq!(left_over(&rig.scratch), [""; 0]);
    assert!(rig.worker.is_running());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_ends_with_its_worker_and_the_next_one_sweeps_and_reads_again() {
    let rig = Rig::start().await;
    let file = upload(&rig.app, "csv", &fixtures::long_csv(100_000)).await;
    let (question, _) = order(&rig.app, file, None).await;
    let reader = rig.reader().await;
    rig.worker.kill9();
    kill_process(reader, Signal::CONT).expect("it is there");
    until(|| async { is_gone(reader).then_some(()) }, "the reader is gone").await;
    assert_ne!(left_over(&rig.scratch), [""; 0], "nobody has swept yet");
    rig.worker.restart();
    let found = ended(&rig.app, question).await;
    assert_eq!(found.status, "success", "{found:?}");
    assert_eq!(left_over(&rig.scratch), [""; 0]);
}
