//! `tail`: each durable event once, over every cut.

use std::process::Stdio;

use datagenie_tests::{DEADLINE, Proxy, TestApp, until};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::ChildStdout,
    time::timeout,
};

use super::{Cli, ended, interrupt};

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = timeout(DEADLINE, lines.next_line()).await.expect("an event comes").expect("it is read").expect("there are more");
    serde_json::from_str(&line).expect("an event is JSON in a line")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_comes_once_over_a_cut() {
    let app = TestApp::builder().offline().start().await;
    let connection = app.shop_sqlite().await;
    let alice = app.client("alice").await;
    app.grant(connection, &alice).await;
    let ask = || alice.answer(json!({ "sql": "SELECT 1", "connection_id": connection, "cache": "skip" }));
    let address = app.url.trim_start_matches("http://").parse().expect("an address");
    let network = Proxy::start(address).await;
    let cli = Cli::of(&app, &alice).with("DATAGENIE_URL", &format!("http://{}", network.address()));

    let mut child = cli
        .command(&["tail", "--json", "--types", "question.succeeded,question.failed"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it has a standard output")).lines();
    let mut talk = BufReader::new(child.stderr.take().expect("it has a standard error")).lines();
    let heard = timeout(DEADLINE, talk.next_line()).await.expect("it says so").expect("it is read").unwrap_or_default();
    assert!(heard.starts_with("listening at"), "{heard}");
    let first = ask().await;
    assert_eq!(next(&mut lines).await["subject"], first["id"]);

    network.refuse();
    network.cut();
    let (second, third) = (ask().await, ask().await);
    network.allow();
    let fourth = ask().await;
    for expected in [&second, &third, &fourth] {
        assert_eq!(next(&mut lines).await["subject"], expected["id"]);
    }

    interrupt(&child);
    let mut last = String::new();
    while let Some(line) = timeout(DEADLINE, talk.next_line()).await.expect("it ends").expect("it is read") {
        last = line;
    }
    assert_eq!(ended(child).await.code, 130);
    assert!(last.contains("goes on after it"), "{last}");

    // From the beginning again, or only after what was seen.
    let all = cli.run(&["tail", "--after", &"0".repeat(32), "--count", "4", "--types", "question"]).await.expect(0);
    let subjects: Vec<bool> = [&first, &second, &third, &fourth]
        .iter()
        .zip(all.out.lines())
        .map(|(question, line)| line.contains("question.succeeded") && line.contains(question["id"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(subjects, [true; 4], "{all:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_with_the_session() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let alice = app.client("alice").await;
    let cli = Cli::of(&app, &alice);
    let wrong = cli.run(&["tail", "--after", "yesterday"]).await.expect(2);
    assert!(wrong.err.contains("is not a sequence"), "{}", wrong.err);
    let mut child = cli.start(&["tail"]);
    let mut talk = BufReader::new(child.stderr.take().expect("it has a standard error")).lines();
    let _ = timeout(DEADLINE, talk.next_line()).await.expect("it listens");
    let _ = alice.post("/v1/auth/logout", None).await.expect(204);
    until(|| std::future::ready(child.try_wait().expect("it is looked at")), "the program ends").await;
    assert_eq!(ended(child).await.code, 4);
}
