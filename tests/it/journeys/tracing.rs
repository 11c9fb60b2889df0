//! One trace from the request to the customer's database, across processes.

use datagenie_tests::{Answer, Processes, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callers_trace_goes_on_in_the_worker_to_its_last_query() {
    let app = TestApp::start().await;
    let connection = app.shop_pg().await;
    app.worker.stop().await;
    let worker = Processes::of(&app).worker();
    app.stub.say(Answer::Sql("SELECT count(*) AS n FROM orders"));
    let ask = app
        .admin
        .request(Method::POST, "/v1/questions")
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .json(&json!({ "question": "how many orders?", "connection_id": connection }));
    let id = app.admin.send(ask).await.expect(202).id();
    assert_eq!(app.admin.wait(id).await["status"], "success");

    let log = worker.log();
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for (message, span) in [("model answered", "job:model.complete"), ("query ran", "job:source.query")] {
        let line = lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("no line says `{message}`:\n{log}"));
        assert_eq!(line["trace_id"], TRACE, "{line}");
        // Whatever task runs it: below one of the process, jobs without a caller's trace would share one.
        assert_eq!(line["span"], span, "{line}");
        for field in ["time", "level", "service", "instance", "target", "job_id"] {
            assert!(line[field].is_string(), "every line has `{field}`: {line}");
        }
    }
}
