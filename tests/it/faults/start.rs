//! Programs that cannot work refuse to start, and say what to do without showing a secret.

use std::collections::BTreeMap;

use datagenie_common::crypto::sealing;
use datagenie_tests::{Processes, TestApp};

const KEY: &str = "DATAGENIE_SEALING__KEY";
const PROGRAMS: [&str; 3] = ["datagenie-api", "datagenie-worker", "datagenie-scheduler"];

/// An app for programs that refuse to work beside it. Each writes a log of its own.
struct Rig {
    app: TestApp,
    processes: Processes,
}

/// Starts a program that must refuse, and gives what it said.
async fn refusal(Rig { app, processes }: &Rig, program: &str, environment: &BTreeMap<String, String>) -> String {
    let process = processes.start(program, &[], environment);
    let code = process.exit_code().await;
    let said = process.log();
    assert_eq!(code, Some(1), "{program}: {said}");
    assert!(said.contains(program), "{program} says who speaks: {said}");
    assert!(!said.contains("panicked"), "{program}: {said}");
    for secret in [app.environment[KEY].as_str(), "sk-of-the-tests"] {
        assert!(!said.contains(secret), "{program} shows a secret: {said}");
    }
    said
}

async fn without_a_sealing_key_no_program_starts(rig: &Rig) {
    let mut environment = rig.app.environment.clone();
    environment.remove(KEY);
    for program in PROGRAMS {
        let said = refusal(rig, program, &environment).await;
        assert!(said.contains("sealing.key") && said.contains(KEY), "{program} says what to set: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{program} says it in one line: {said}");
    }
}

async fn with_a_sealing_key_that_is_none_no_program_starts(rig: &Rig) {
    let mut environment = rig.app.environment.clone();
    environment.insert(KEY.to_owned(), "a-word-that-is-no-key".to_owned());
    for program in PROGRAMS {
        let said = refusal(rig, program, &environment).await;
        assert!(said.contains("sealing"), "{program} says what is wrong: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{program} says it in one line: {said}");
        assert!(!said.contains("a-word-that-is-no-key"), "{program} shows it: {said}");
    }
}

async fn with_another_databases_sealing_key_no_program_starts(rig: &Rig) {
    let other = sealing::generate_key();
    let mut environment = rig.app.environment.clone();
    environment.insert(KEY.to_owned(), other.clone());
    for program in PROGRAMS {
        let said = refusal(rig, program, &environment).await;
        assert_eq!(said.trim().lines().count(), 1, "{program} says it in one line: {said}");
        assert!(said.contains("sealing.key") && said.contains("not the key"), "{program} says what is wrong: {said}");
        assert!(!said.contains(&other), "{program} shows it: {said}");
    }
}

async fn a_port_in_use_is_told_with_what_to_do(rig: &Rig) {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    let mut environment = rig.app.environment.clone();
    environment.insert("DATAGENIE_API__PORT".to_owned(), port.clone());
    let said = refusal(rig, "datagenie-api", &environment).await;
    assert!(said.contains(&port) && said.contains("DATAGENIE_API__PORT"), "{said}");
}

async fn a_newer_database_is_refused_by_every_program(rig: &Rig) {
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'from the future', true, '\\x00', 0)")
        .execute(&rig.app.pool)
        .await
        .expect("a newer migration");
    for program in PROGRAMS {
        let said = refusal(rig, program, &rig.app.environment).await;
        assert!(said.contains("9999") && said.contains("newer than this program"), "{program}: {said}");
    }
}

async fn all_wrong_settings_are_told_at_once(rig: &Rig) {
    let mut environment = rig.app.environment.clone();
    environment.insert("DATAGENIE_JOBS__LEASE_SECONDS".to_owned(), "soon".to_owned());
    environment.insert("DATAGENIE_QUERY__MAX_ROWS".to_owned(), "-1".to_owned());
    environment.insert("DATAGENIE_WORKER__CONCURENCY".to_owned(), "4".to_owned());
    for program in PROGRAMS {
        let said = refusal(rig, program, &environment).await;
        for name in ["jobs.lease_seconds", "query.max_rows", "DATAGENIE_WORKER__CONCURENCY", "DATAGENIE_WORKER__CONCURRENCY"] {
            assert!(said.contains(name), "{program} does not name {name}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_cannot_work_does_not_start() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let rig = Rig { processes: Processes::of(&app), app };
    without_a_sealing_key_no_program_starts(&rig).await;
    with_a_sealing_key_that_is_none_no_program_starts(&rig).await;
    with_another_databases_sealing_key_no_program_starts(&rig).await;
    a_port_in_use_is_told_with_what_to_do(&rig).await;
    all_wrong_settings_are_told_at_once(&rig).await;
    a_newer_database_is_refused_by_every_program(&rig).await;
}
