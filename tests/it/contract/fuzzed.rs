//! Schemathesis over the whole api, as an administrator and as a user: whatever is sent, the answer is one of the document's, in its form,
//! and never a fault of ours. Its seed is fixed, so that a run is like the one before.
//!
//! `deploy/test.sh` installs it and says where it is. Where it is neither said nor installed, these tests say so and check nothing.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use datagenie_tests::{Client, TestApp};
use serde_json::{Value, json};

use super::{
    Operation, document, operations,
    things::{self, Things, filled},
};

/// Says where `st` is; else it is where `python_tools` of deploy/setup.sh puts it.
const PROGRAM: &str = "DATAGENIE_TEST_SCHEMATHESIS";

fn program() -> Option<PathBuf> {
    let installed = || {
        let test = std::env::current_exe().expect("this program has a path");
        // target/debug/deps/it-… → target
        let target = test.ancestors().nth(3).map(Path::to_owned)?;
        Some(target.join("python/schemathesis/bin/st")).filter(|program| program.exists())
    };
    std::env::var_os(PROGRAM).filter(|path| !path.is_empty()).map(PathBuf::from).or_else(installed)
}

/// What is left out, each for its reason.
const LEFT_OUT: &[(&str, &str)] = &[
    ("event_socket", "is a WebSocket: there is no answer but the upgrade; tests/it/api/sockets.rs"),
    ("cancel_jobs", "goes on for up to 20 s a call over all that the others have asked; tests/it/api/cancel_many.rs"),
];

const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance";

/// Requests of chance for an operation, beside those that follow from the document.
const BY_CHANCE: &str = "4";

/// Which part of the api a run goes over, and how. All of it at once, with every bound of every field, takes a test too long.
struct Run {
    who: &'static str,
    /// `coverage` goes to every bound and just past it: some forty requests an operation.
    phases: &'static str,
    takes: fn(&Operation) -> bool,
}

/// For every operation whose path has placeholders the real things in their place; what is deleted stays a thing of chance, so that the
/// others still find theirs.
fn config(things: &Things) -> String {
    let mut text = String::new();
    for operation in operations(&document()) {
        if !operation.has_path_ids() || operation.method == "DELETE" {
            continue;
        }
        let (real, template) = (filled(&operation.path, things), operation.path.split('/'));
        let values = template.zip(real.split('/')).filter_map(|(name, value)| {
            let name = name.strip_prefix('{')?.strip_suffix('}')?;
            Some(format!("\"path.{name}\" = {value:?}"))
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "[[operations]]\ninclude-operation-id = {:?}\nparameters = {{ {values} }}\n", operation.id);
    }
    text
}

/// The document without what Schemathesis takes amiss: it can write no JSON lines, and holds each event of a stream against the schema of
/// the whole body.
fn for_schemathesis(mut document: Value) -> Value {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths.filter_map(Value::as_object_mut).flat_map(|path| path.values_mut()) {
        if let Some(content) = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut) {
            content.retain(|kind, _| !matches!(kind.as_str(), "application/jsonl" | "application/x-ndjson"));
        }
        if let Some(stream) = operation.pointer_mut("/responses/200/content/text~1event-stream").and_then(Value::as_object_mut) {
            stream.remove("schema");
        }
    }
    document
}

#[expect(clippy::print_stderr, reason = "who runs the tests by hand is told that nothing was checked, and how to have it checked")]
async fn fuzzed(run: Run, key: impl AsyncFnOnce(&TestApp, &Client) -> Client) {
    let Some(program) = program() else {
        eprintln!("schemathesis is not installed: nothing is checked; ./deploy/test.sh contract::fuzzed installs it");
        return;
    };
    let app = TestApp::builder().offline().no_scheduler().with_setting("limits.max_wait_seconds", "1").start().await;
    let alice = app.client("alice").await;
    let mut things = things::make(&app, &alice).await;
    app.worker.stop().await;
    things::make_waiting(&app, &alice, &mut things).await;
    let caller = key(&app, &alice).await;

    let all = operations(&document());
    let left_out = |operation: &&Operation| LEFT_OUT.iter().any(|(id, _)| *id == operation.id);
    let (taken, others): (Vec<&Operation>, Vec<&Operation>) =
        all.iter().partition(|&operation| !left_out(&operation) && (run.takes)(operation));
    let (schema, settings) = (app.folder().join("openapi.json"), app.folder().join("schemathesis.toml"));
    fs::write(&schema, for_schemathesis(document()).to_string()).expect("a file is written");
    fs::write(&settings, config(&things)).expect("a file is written");
    let mut command = Command::new(program);
    command.arg("--config-file").arg(&settings).arg("run").arg(&schema).current_dir(app.folder());
    command.args(["--url", &app.url, "--header", &format!("Authorization: Bearer {}", caller.token())]);
    command.args(["--checks", CHECKS, "--phases", run.phases, "--max-examples", BY_CHANCE]);
    command.args(["--seed", "7", "--generation-deterministic", "--no-shrink", "--workers", "1"]);
    command.args(["--continue-on-failure", "--request-timeout", "20", "--no-color", "--warnings", "off"]);
    for operation in others {
        command.args(["--exclude-operation-id", &operation.id]);
    }
    let ran = tokio::task::spawn_blocking(move || command.output().expect("schemathesis starts")).await.expect("it ends");
    let said = String::from_utf8_lossy(&ran.stdout);
    let told = format!("schemathesis as {}: {}\n{said}\n{}", run.who, ran.status, String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{told}");
    let tested = said.lines().find_map(|line| line.trim().strip_prefix("Tested: ")?.parse::<usize>().ok()).unwrap_or_default();
    assert!(tested * 10 >= taken.len() * 9, "of {} operations only {tested} were tested\n{told}", taken.len());
}

async fn key(owner: &Client, scopes: &[&str]) -> Client {
    let made = owner.post("/v1/api-keys", json!({ "name": "schemathesis", "scopes": scopes })).await.expect(201);
    owner.with_token(made.body["key"].as_str().expect("a new key is shown"))
}

/// By an administrator's key with every scope.
async fn as_an_administrator(takes: fn(&Operation) -> bool) {
    let run = Run { who: "an administrator", phases: "examples,coverage,fuzzing", takes };
    fuzzed(run, async |app: &TestApp, _: &Client| key(&app.admin, &["read", "ask", "manage", "admin"]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_administrators_alone_may_call_keeps_to_the_document_whatever_is_sent() {
    as_an_administrator(|operation| operation.who == "admin").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_keeps_to_the_document_whatever_is_sent() {
    as_an_administrator(|operation| operation.who != "admin" && operation.method == "GET").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_keeps_to_the_document_whatever_is_sent() {
    as_an_administrator(|operation| operation.who != "admin" && operation.method != "GET").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_keeps_to_the_document_whatever_a_user_sends() {
    let run = Run { who: "a user", phases: "examples,fuzzing", takes: |_| true };
    fuzzed(run, async |_: &TestApp, alice: &Client| key(alice, &["read", "ask", "manage"]).await).await;
}
