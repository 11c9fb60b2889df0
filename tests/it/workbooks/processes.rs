//! The real worker and its reading processes: what they know, and what is left when one of them is killed.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use datagenie_local::with_servers::TempFolder;
use datagenie_tests::{DEADLINE, Process, Processes, TestApp, bin_dir, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

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
        let (worker, scratch) = (self.worker.pid(), self.scratch.clone());
        let stopped = tokio::task::spawn_blocking(move || {
            let deadline = Instant::now() + DEADLINE;
            while Instant::now() < deadline {
                // In one go: between a look and a signal it would read on.
                if let Some(pid) = reader_of(worker, &scratch).filter(|pid| kill_process(*pid, Signal::STOP).is_ok()) {
                    return Some(pid);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            None
        });
        stopped.await.expect("the look-out does not panic").expect("a workbook is being read")
    }
}

/// Rows of a file whose reading takes longer than it takes to see its reader, and no longer than a test may.
const ROWS: usize = 30_000;

/// The reading process whose parent is this one, when it has begun to read: then it has a file of its folder open.
fn reader_of(parent: u32, scratch: &Path) -> Option<Pid> {
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in brackets, may hold anything.
        let after_name = stat.rsplit_once(')')?.1;
        let mut fields = after_name.split_whitespace();
        let (state, its_parent) = (fields.next()?, fields.next()?);
        let is_child = its_parent.parse() == Ok(parent) && state != "Z";
        let pid = is_child.then(|| Pid::from_raw(pid)).flatten()?;
        // Until it has become another program it is the worker's own copy.
        let is_reader = fs::read_to_string(entry.path().join("cmdline")).is_ok_and(|line| line.contains("read-workbook"));
        (is_reader && open_files(pid).iter().any(|file| file.starts_with(scratch))).then_some(pid)
    })
}

/// What a process has open.
fn open_files(pid: Pid) -> Vec<PathBuf> {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).into_iter().flatten();
    descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}

/// Whether it has ended, reaped or not.
fn is_gone(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.rsplit_once(')').is_none_or(|(_, fields)| fields.trim_start().starts_with('Z')))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_knows_no_secret_and_one_that_is_killed_is_followed_by_another() {
    let rig = Rig::start().await;
    let file = upload(&rig.app, "csv", &fixtures::long_csv(ROWS)).await;
    let (question, _) = order(&rig.app, file, None).await;
    let reader = rig.reader().await;
    let environment = fs::read(format!("/proc/{}/environ", reader.as_raw_nonzero())).expect("it is ours");
    assert_eq!(String::from_utf8_lossy(&environment), "MALLOC_ARENA_MAX=1\0");
    let open = open_files(reader);
    let others = open.iter().filter(|file| !file.starts_with(&rig.scratch)).count();
    assert_eq!(others, 3, "nothing but its standard streams comes from the worker: {open:?}");
    kill_process(reader, Signal::KILL).expect("it is there");
    let found = ended(&rig.app, question).await;
    assert_eq!((found.status.as_str(), found.row_count), ("success", Some(30_000)), "{found:?}");
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
    let file = upload(&rig.app, "csv", &fixtures::long_csv(ROWS)).await;
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
    let file = upload(&rig.app, "csv", &fixtures::long_csv(ROWS)).await;
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

/// What a reading process that works in `folder` says of an order, at its end.
fn said(folder: &Path, order: &Value) -> Value {
    let mut child = Command::new(bin_dir().join("datagenie-worker"))
        .args(["read-workbook", "--memory-mb", "256", "--seconds", "20"])
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the worker is built");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(format!("{order}\n").as_bytes()).expect("it takes its order");
    let mut answer = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut answer).expect("it answers");
    drop(stdin);
    let _ = child.wait();
    serde_json::from_str(answer.lines().last().unwrap_or_default()).expect("it says what it has to say")
}

#[test]
fn a_reader_opens_nothing_but_what_lies_in_its_folder() {
    let place = TempFolder::new("reader").expect("a folder for temporary files");
    let (own, other) = (place.path().join("own"), place.path().join("other"));
    for folder in [&own, &other] {
        fs::create_dir(folder).expect("a folder");
        fs::write(folder.join("input"), "a,b\n1,2\n3,4\n").expect("a file");
    }
    let order = |input: &Path, output: &Path| {
        let options = json!({ "include_hidden": false });
        let request =
            json!({ "input": input.join("input"), "database": output.join("tables.sqlite"), "language": null, "options": options });
        json!({ "request": request, "analysis": output.join("analysis.json") })
    };
    let found = said(&own, &order(&own, &own));
    assert!(found["found"].is_object(), "{found}");
    for file in ["tables.sqlite", "analysis.json"] {
        fs::remove_file(own.join(file)).expect("it was written");
    }
    // A kernel that does not know how to shut it in leaves it to the system calls.
    if datagenie_worker::workbooks::can_shut_in() {
        for refused in [said(&own, &order(&other, &own)), said(&own, &order(&own, &other))] {
            assert_eq!(refused["error"]["code"], "internal", "{refused}");
        }
        assert_eq!(fs::read_dir(&other).map(Iterator::count).ok(), Some(1), "nothing is written elsewhere");
    }
}
