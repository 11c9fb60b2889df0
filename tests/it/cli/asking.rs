//! `ask` and `connections`: data on standard output, talk on standard error, and an exit code that tells how it ended.

use std::process::Stdio;

use datagenie_tests::{TestApp, until};
use serde_json::json;

use super::{Cli, ended, interrupt};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_shown_or_given_as_json_and_the_code_tells() {
    let app = TestApp::builder().offline().start().await;
    let connection = app.shop_sqlite().await;
    let cli = Cli::of(&app, &app.admin);

    let shown = cli.run(&["ask", "-c", "shop-sqlite", "--sql", "SELECT name AS 이름 FROM customers ORDER BY id LIMIT 2"]).await.expect(0);
    assert!(shown.out.contains("이름") && shown.out.contains("statement as given") && shown.err.is_empty(), "{shown:#?}");
    assert!(!shown.out.contains('\u{1b}'), "no colours and no live line in a pipe");
    let id = connection.to_string();
    let told = cli.run(&["ask", "How many customers are there?", "-c", &id, "--json", "--no-cache"]).await.expect(0);
    let answer = told.json();
    assert_eq!((&answer["status"], &answer["connection_id"]), (&json!("success"), &json!(connection)), "{answer}");
    let follows = answer["id"].as_str().expect("an id");
    let again = cli.run(&["ask", "--sql", "SELECT 1", "-c", "shop-sqlite", "--follows", follows, "--json"]).await.expect(0);
    assert_eq!(again.json()["rows"], json!([[1]]));

    let refused = cli.run(&["ask", "--sql", "DROP TABLE customers", "-c", "shop-sqlite", "--json"]).await.expect(1);
    assert_eq!(refused.json()["error"]["code"], "sql_refused");
    let unknown = cli.run(&["ask", "how many?", "-c", "warehouse"]).await.expect(2);
    assert!(unknown.err.contains("there are: shop-sqlite") && unknown.out.is_empty(), "{unknown:#?}");
    let follows_none = cli.run(&["ask", "how many?", "--follows", &id]).await;
    assert!([1, 2].contains(&follows_none.code) && follows_none.err.starts_with("error: "), "{follows_none:#?}");
    let _ = Cli::stranger(&app).with("DATAGENIE_API_KEY", "dg_wrong").run(&["ask", "how many?"]).await.expect(4);
    let away = Cli::of(&app, &app.admin).with("DATAGENIE_URL", "http://127.0.0.1:1").run(&["ask", "how many?"]).await.expect(3);
    assert!(away.err.starts_with("error: no answer from http://127.0.0.1:1/"), "{}", away.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_has_seen_enough_is_no_error() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let cli = Cli::of(&app, &app.admin);
    let mut child = cli.command(&["whoami"]).stdout(Stdio::piped()).spawn().expect("it starts");
    // Nobody reads any more, before anything is written.
    drop(child.stdout.take());
    let ran = ended(child).await.expect(0);
    assert_eq!(ran.err, "");

    // Ctrl-C is an end of its own: nobody answers here.
    let child = cli.start(&["ask", "how many?"]);
    let asked = || async {
        let asked: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM query_history)").fetch_one(&app.pool).await.expect("it is read");
        asked.then_some(())
    };
    until(asked, "the question is taken in").await;
    interrupt(&child);
    let ran = ended(child).await.expect(130);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_listed_shown_tested_and_synced() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_sqlite().await.to_string();
    let cli = Cli::of(&app, &app.admin);
    for args in [&["connections"][..], &["connections", "list"]] {
        let listed = cli.run(args).await.expect(0);
        assert!(listed.out.contains("shop-sqlite") && listed.out.contains("ready") && listed.out.contains(&id), "{listed:#?}");
    }
    assert_eq!(cli.run(&["connections", "--json"]).await.expect(0).json()[0]["id"], json!(id));
    for action in ["show", "test", "sync"] {
        let shown = cli.run(&["connections", action, "shop-sqlite"]).await.expect(0);
        assert!(shown.out.lines().any(|line| line.starts_with("state") && line.ends_with("ready")), "{shown:#?}");
    }
    let alice = app.client("alice").await;
    let hers = Cli::of(&app, &alice);
    assert!(hers.run(&["connections"]).await.expect(0).out.starts_with("no connections"));
    assert_eq!(hers.run(&["connections", "--json"]).await.expect(0).json(), json!([]));
    let jobs = cli.run(&["jobs", "--kind", "sync_schema", "--json"]).await.expect(0).json();
    let job = jobs[0]["id"].as_str().expect("the sync was a job");
    assert!(cli.run(&["jobs", "show", job]).await.expect(0).out.contains("succeeded"));
    let _ = cli.run(&["jobs", "cancel", job]).await.expect(1);
}
