//! `analyze` and `files`: a spreadsheet from the disk to what is in it, and to a question about it.

use datagenie_tests::TestApp;
use serde_json::json;

use super::Cli;

const SALES: &str =
    "도시,금액,날짜\n서울,10000,2024-03-01\n부산,20000,2024-03-02\n서울,30000,2024-03-03\n대구,15000,2024-03-04\n부산,40000,2024-03-05\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spreadsheet_is_uploaded_analysed_saved_and_asked() {
    let app = TestApp::builder().offline().start().await;
    let alice = app.client("alice").await;
    let cli = Cli::of(&app, &alice);
    let file = cli.write("매출.csv", SALES);
    let name = file.display().to_string();

    let shown = cli.run(&["analyze", &name, "--language", "en"]).await.expect(0);
    assert!(shown.out.contains("금액") && shown.out.contains("5 rows") && shown.out.contains("40,000"), "{shown:#?}");
    let listed = cli.run(&["files", "--json"]).await.expect(0).json();
    let id = listed[0]["id"].as_str().expect("a file has an id").to_owned();
    assert_eq!((&listed[0]["name"], &listed[0]["analysed"]), (&json!("매출.csv"), &json!(true)));

    // An uploaded one is not uploaded again.
    let again = cli.run(&["analyze", &id, "--out", "found.xlsx", "--json"]).await.expect(0);
    assert_eq!((&again.json()["status"], &again.json()["file_id"]), (&json!("success"), &json!(id)));
    assert!(std::fs::read(cli.path("found.xlsx")).expect("it is saved").starts_with(b"PK"));
    let _ = cli.run(&["analyze", &id, "--out", "found.txt", "--export", "csv"]).await.expect(0);
    assert!(super::text(&cli.path("found.txt")).contains("금액"));
    assert_eq!(cli.run(&["files", "--json"]).await.expect(0).json().as_array().map(Vec::len), Some(1));

    let asked = cli.run(&["ask", "도시별 금액 합계", "--file", &id, "--json"]).await.expect(0).json();
    assert_eq!((&asked["file_id"], &asked["row_count"]), (&json!(id), &json!(3)), "{asked}");
    let of_disk = cli.run(&["ask", "--sql", "DROP TABLE x", "--file", &name]).await.expect(1);
    assert!(of_disk.out.contains("not answered"), "{of_disk:#?}");

    let _ = cli.run(&["files", "delete", &id]).await.expect(0);
    let gone = cli.run(&["analyze", &id]).await.expect(2);
    assert!(gone.err.contains("HTTP 404"), "{}", gone.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_spreadsheet_is_told_from_what_is_none_of_ours() {
    let app = TestApp::builder().offline().start().await;
    let cli = Cli::of(&app, &app.admin);
    let missing = cli.run(&["analyze", "no-such.xlsx"]).await.expect(2);
    assert!(missing.err.contains("no-such.xlsx is no file here"), "{}", missing.err);
    let folder = cli.run(&["analyze", "sales.xlsx", "--out", "no-such-folder/found.xlsx"]).await.expect(2);
    assert!(folder.err.contains("there is no folder no-such-folder"), "{}", folder.err);
    let _ = cli.write("picture.xlsx", "\u{1}\u{2}\u{0}\u{3} no text");
    let refused = cli.run(&["analyze", "picture.xlsx"]).await.expect(2);
    assert!(refused.err.contains("unsupported_format"), "{}", refused.err);
}
