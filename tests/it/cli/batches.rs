//! `batch`: from a file of questions to a file of results, once, over Ctrl-C, lost answers and bad lines.

use std::collections::BTreeMap;

use datagenie_tests::{DEADLINE, Proxy, TestApp};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    time::timeout,
};

use super::{Cli, ended, interrupt, text};

fn lines(path: &std::path::Path) -> Vec<Value> {
    text(path).lines().map(|line| serde_json::from_str(line).expect("a result is JSON in a line")).collect()
}

/// So many statements, whose answers are their numbers.
fn statements(count: u32) -> String {
    (0..count).map(|n| format!("{{\"custom_id\": \"s{n}\", \"sql\": \"SELECT {n} AS n\"}}\n")).collect()
}

/// The batches that there are, by id.
async fn batches(cli: &Cli) -> BTreeMap<String, Value> {
    let listed = cli.run(&["batch", "list", "--json"]).await.expect(0).json();
    let items = listed.as_array().cloned().unwrap_or_default();
    items.into_iter().map(|batch| (batch["id"].as_str().unwrap_or_default().to_owned(), batch)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_of_a_file_become_results_in_their_order() {
    let app = TestApp::builder().offline().start().await;
    app.shop_sqlite().await;
    let cli = Cli::of(&app, &app.admin);
    let _ = cli.write("questions.jsonl", &statements(20));
    let ran = cli.run(&["batch", "run", "questions.jsonl", "--out", "results.jsonl", "-c", "shop-sqlite", "--json"]).await.expect(0);
    assert_eq!((&ran.json()["status"], &ran.json()["counts"]["success"]), (&json!("completed"), &json!(20)), "{ran:#?}");
    let results = lines(&cli.path("results.jsonl"));
    let expected: Vec<Value> = (0..20).map(|n| json!([format!("s{n}"), [[n]]])).collect();
    assert_eq!(results.iter().map(|line| json!([line["custom_id"], line["rows"]])).collect::<Vec<_>>(), expected);
    assert!(!cli.path("results.jsonl.batch").exists(), "nothing is left to go on with");

    // A table with a question that can't be answered.
    let _ = cli.write("questions.csv", "\u{feff}region,sql\n서울,SELECT 1\n부산,DROP TABLE orders\n");
    let ran = cli.run(&["batch", "run", "questions.csv", "--out", "results.csv", "-c", "shop-sqlite"]).await.expect(1);
    assert!(ran.err.contains("columns that are not used: region") && ran.err.contains("2 of 2: 1 answered, 1 not"), "{ran:#?}");
    let table = text(&cli.path("results.csv"));
    assert!(table.contains("line-2") && table.contains("line-3") && table.contains("sql_refused"), "{table}");

    // From standard input, and from the server again.
    let ran = cli.fed(&["batch", "run", "-", "--out", "piped.xlsx", "-c", "shop-sqlite", "--json"], &statements(2)).await.expect(0).json();
    assert!(std::fs::read(cli.path("piped.xlsx")).expect("it is saved").starts_with(b"PK"));
    let id = ran["id"].as_str().expect("an id");
    let printed = cli.run(&["batch", "results", id]).await.expect(0);
    assert_eq!(printed.out.lines().count(), 2);
    assert!(cli.run(&["batch", "status", id]).await.expect(0).out.contains("completed"));
    let _ = cli.run(&["batch", "cancel", id]).await.expect(1);
    assert_eq!(batches(&cli).await.len(), 3);

    // Nobody hears how far it is: the results come all the same. And they never replace the questions.
    let mut unheard = cli.start(&["batch", "run", "questions.jsonl", "--out", "unheard.jsonl", "-c", "shop-sqlite"]);
    drop(unheard.stderr.take());
    let _ = ended(unheard).await.expect(0);
    assert_eq!(lines(&cli.path("unheard.jsonl")).len(), 20);
    let over = cli.run(&["batch", "run", "questions.jsonl", "--out", "./questions.jsonl", "-c", "shop-sqlite"]).await.expect(2);
    assert!(over.err.contains("name another"), "{}", over.err);
    assert_eq!(text(&cli.path("questions.jsonl")), statements(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_lines_are_told_and_leave_nothing_to_go_on_with() {
    let app = TestApp::builder().offline().start().await;
    app.shop_sqlite().await;
    let cli = Cli::of(&app, &app.admin);
    let _ = cli.write("bad.jsonl", "{\"sql\": \"SELECT 1\"}\nnot JSON\n{\"custom_id\": \"empty\", \"question\": \"\"}\n");
    let run = ["batch", "run", "bad.jsonl", "--out", "results.jsonl", "-c", "shop-sqlite"];
    let refused = cli.run(&run).await.expect(2);
    assert!(refused.err.contains("line 2: ") && refused.err.contains("line 3 (empty): "), "{}", refused.err);
    assert!(!cli.path("results.jsonl").exists() && !cli.path("results.jsonl.batch").exists());
    let skipped = cli.run(&[&run[..], &["--on-invalid", "skip"]].concat()).await.expect(1);
    assert!(skipped.err.contains("3 of 3: 1 answered, 2 not"), "{}", skipped.err);
    assert_eq!(lines(&cli.path("results.jsonl")).len(), 3);

    let _ = cli.write("none.csv", "name,city\na,b\n");
    assert!(cli.run(&["batch", "run", "none.csv", "--out", "x.csv"]).await.expect(2).err.contains("must be `question`"));
    assert!(cli.run(&["batch", "run", "bad.jsonl", "--out", "results.pdf"]).await.expect(2).err.contains("does not tell its form"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_ctrl_c_the_same_command_goes_on_with_the_same_batch() {
    // Without a worker a batch does not end.
    let mut app = TestApp::builder().offline().no_worker().start().await;
    app.shop_sqlite().await;
    let cli = Cli::of(&app, &app.admin);
    let _ = cli.write("questions.jsonl", &statements(2));
    let run = ["batch", "run", "questions.jsonl", "--out", "results.jsonl", "-c", "shop-sqlite"];
    let mut child = cli.start(&run);
    let mut talk = BufReader::new(child.stderr.take().expect("it has a standard error")).lines();
    let begun = timeout(DEADLINE, talk.next_line()).await.expect("it begins").expect("it is read").unwrap_or_default();
    assert!(begun.starts_with("batch ") && begun.ends_with(": 2 questions"), "{begun}");
    interrupt(&child);
    let told = timeout(DEADLINE, talk.next_line()).await.expect("it says how to go on").expect("it is read").unwrap_or_default();
    assert!(told.contains("The same command picks it up"), "{told}");
    assert_eq!(ended(child).await.code, 130);
    assert!(cli.path("results.jsonl.batch").exists() && !cli.path("results.jsonl").exists());

    // Another command is not mistaken for it.
    let other = cli.run(&[&run[..], &["--budget-tokens", "1000"]].concat()).await.expect(2);
    assert!(other.err.contains("tells of another run") && other.err.contains("datagenie batch cancel"), "{}", other.err);

    // In a terminal a bar shows how far it is; one that is closed ends the program, and not the batch.
    let mut closed = cli.in_terminal(&run);
    let mut drawn = Vec::new();
    let mut terminal = closed.stdout.take().expect("a terminal");
    while !String::from_utf8_lossy(&drawn).contains("░   0 %  0 of 2: 0 answered") {
        let read = timeout(DEADLINE, terminal.read_buf(&mut drawn)).await.expect("it draws").expect("it is read");
        assert!(read > 0, "{}", String::from_utf8_lossy(&drawn));
    }
    assert!(String::from_utf8_lossy(&drawn).contains("\r\u{1b}[2K░"), "a line that is drawn over");
    closed.kill().await.expect("it is closed");

    app.worker = app.start_worker().await;
    let ran = cli.run(&run).await.expect(0);
    assert!(ran.err.starts_with("picking up batch "), "{}", ran.err);
    assert_eq!(lines(&cli.path("results.jsonl")).len(), 2);
    assert!(!cli.path("results.jsonl.batch").exists());
    assert_eq!(batches(&cli).await.len(), 1, "no second batch was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_makes_no_second_batch() {
    let app = TestApp::builder().offline().start().await;
    app.shop_sqlite().await;
    let address = app.url.trim_start_matches("http://").parse().expect("an address");
    let network = Proxy::start(address).await;
    let cli = Cli::of(&app, &app.admin).with("DATAGENIE_URL", &format!("http://{}", network.address()));
    let _ = cli.write("questions.jsonl", &statements(3));
    let run = ["batch", "run", "questions.jsonl", "--out", "results.jsonl", "-c", "shop-sqlite"];
    // The server takes the batch in each time, and no answer arrives: more often than the program tries.
    network.cut_answer_to(b"POST /v1/batches".to_vec(), 3);
    let lost = cli.run(&run).await.expect(3);
    assert!(lost.err.contains("asks nothing twice"), "{}", lost.err);
    assert!(cli.path("results.jsonl.batch").exists());
    let _ = cli.run(&run).await.expect(0);
    assert_eq!(lines(&cli.path("results.jsonl")).len(), 3);
    assert_eq!(batches(&cli).await.len(), 1);
    assert!(network.cuts() >= 3);
    // Another time is another batch.
    let _ = cli.run(&run).await.expect(0);
    assert_eq!(batches(&cli).await.len(), 2);
}
