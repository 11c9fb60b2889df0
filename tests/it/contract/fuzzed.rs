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

/// Requests of chance for an operation and caller, beside those that follow from the document.
const BY_CHANCE: &str = "1";

/// What many operations have in common, read by one extractor each. Sent to each of them with every wrong value they are a quarter of all
/// requests: it is enough to send them to questions, and to what reads its own.
const COMMON: [&str; 5] = ["limit", "cursor", "Prefer", "Idempotency-Key", "If-None-Match"];
const WITH_THEM: [&str; 3] = ["/v1/questions", "/v1/audit-logs", "/v1/stats"];

/// What holds for all operations. Methods that a path has not are tried elsewhere (tests/it/api/bodies.rs): they are a sixth of the requests.
const PHASES: &str = "[phases.coverage]\nunexpected-methods = []\n\n";

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
    let mut text = PHASES.to_owned();
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

/// The document without what Schemathesis takes amiss (it can write no JSON lines, and holds each event of a stream against the schema of
/// the whole body), and without what is enough to be sent to some operations.
fn for_schemathesis(mut document: Value) -> Value {
    for (path, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        for operation in operations.as_object_mut().into_iter().flat_map(|operations| operations.values_mut()) {
            if let Some(content) = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut) {
                content.retain(|kind, _| !matches!(kind.as_str(), "application/jsonl" | "application/x-ndjson"));
            }
            if let Some(stream) = operation.pointer_mut("/responses/200/content/text~1event-stream").and_then(Value::as_object_mut) {
                stream.remove("schema");
            }
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            if let Some(parameters) = parameters.filter(|_| !WITH_THEM.iter().any(|with| path.starts_with(with))) {
                parameters.retain(|parameter| !COMMON.iter().any(|name| parameter["name"] == *name));
            }
        }
    }
    document
}

/// Somebody's things, and keys to call with.
struct World {
    program: PathBuf,
    app: TestApp,
    things: Things,
    /// With every scope, of the administrator.
    admin: Client,
    /// With what a user may have, of the owner of the things.
    user: Client,
}

impl World {
    /// None: the program is not installed.
    #[expect(clippy::print_stderr, reason = "who runs the tests by hand is told that nothing was checked, and how to have it checked")]
    async fn make() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("schemathesis is not installed: nothing is checked; ./deploy/test.sh contract::fuzzed installs it");
            return None;
        };
        let app = TestApp::builder().offline().no_scheduler().with_setting("limits.max_wait_seconds", "1").start().await;
        let alice = app.client("alice").await;
        let mut things = things::make(&app, &alice).await;
        app.worker.stop().await;
        things::make_waiting(&app, &alice, &mut things).await;
        let admin = key(&app.admin, &["read", "ask", "manage", "admin"]).await;
        let user = key(&alice, &["read", "ask", "manage"]).await;
        Some(Self { program, app, things, admin, user })
    }

    async fn fuzzed(&self, run: Run, caller: &Client) {
        let all = operations(&document());
        let left_out = |operation: &&Operation| LEFT_OUT.iter().any(|(id, _)| *id == operation.id);
        let (taken, others): (Vec<&Operation>, Vec<&Operation>) =
            all.iter().partition(|&operation| !left_out(&operation) && (run.takes)(operation));
        let (schema, settings) = (self.app.folder().join("openapi.json"), self.app.folder().join("schemathesis.toml"));
        fs::write(&schema, for_schemathesis(document()).to_string()).expect("a file is written");
        fs::write(&settings, config(&self.things)).expect("a file is written");
        let mut command = Command::new(&self.program);
        command.arg("--config-file").arg(&settings).arg("run").arg(&schema).current_dir(self.app.folder());
        command.args(["--url", &self.app.url, "--header", &format!("Authorization: Bearer {}", caller.token())]);
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

    /// By an administrator's key with every scope.
    async fn as_an_administrator(&self, takes: fn(&Operation) -> bool) {
        let run = Run { who: "an administrator", phases: "examples,coverage,fuzzing", takes };
        self.fuzzed(run, &self.admin).await;
    }
}

async fn key(owner: &Client, scopes: &[&str]) -> Client {
    let made = owner.post("/v1/api-keys", json!({ "name": "schemathesis", "scopes": scopes })).await.expect(201);
    owner.with_token(made.body["key"].as_str().expect("a new key is shown"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_administrators_alone_may_call_keeps_to_the_document_whatever_is_sent() {
    let Some(world) = World::make().await else { return };
    world.as_an_administrator(|operation| operation.who == "admin").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_and_all_that_a_user_sends_keeps_to_the_document() {
    let Some(world) = World::make().await else { return };
    world.as_an_administrator(|operation| operation.who != "admin" && operation.method == "GET").await;
    // What he sends changes things, so it comes after the looks.
    let run = Run { who: "a user", phases: "examples,fuzzing", takes: |_| true };
    world.fuzzed(run, &world.user).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_keeps_to_the_document_whatever_is_sent() {
    let Some(world) = World::make().await else { return };
    world.as_an_administrator(|operation| operation.who != "admin" && operation.method != "GET").await;
}
