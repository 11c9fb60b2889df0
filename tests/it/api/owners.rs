//! What is unknown and what is somebody else's get the same answer, byte for byte.

use datagenie_tests::TestApp;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::without_request_id;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_ids_are_unknown_ones() {
    let app = TestApp::builder().no_scheduler().start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let connection = app.shop_sqlite().await;
    app.grant(connection, &alice).await;
    app.worker.stop().await;
    let asked = alice.post("/v1/questions", json!({ "question": "how many?", "connection_id": connection })).await.expect(202);
    let (question, job) = (asked.id(), asked.body["job_id"].as_str().and_then(|id| id.parse::<Uuid>().ok()).expect("a question has a job"));

    let calls = [
        (Method::GET, "/v1/questions/{}", question),
        (Method::GET, "/v1/questions/{}/result", question),
        (Method::GET, "/v1/questions/{}/result?format=csv", question),
        (Method::GET, "/v1/questions/{}/chart.svg", question),
        (Method::GET, "/v1/questions/{}/chart.png", question),
        (Method::GET, "/v1/questions/{}/events", question),
        (Method::POST, "/v1/questions/{}/cancel", question),
        (Method::GET, "/v1/jobs/{}", job),
        (Method::POST, "/v1/jobs/{}/cancel", job),
        (Method::POST, "/v1/jobs/{}/retry", job),
        (Method::GET, "/v1/connections/{}", connection),
        (Method::GET, "/v1/connections/{}/schema", connection),
    ];
    for (method, template, id) in calls {
        let call = |id: Uuid| bob.send(bob.request(method.clone(), template.replace("{}", &id.to_string())));
        let (foreign, unknown) = (call(id).await, call(Uuid::now_v7()).await);
        foreign.problem(404, "not_found");
        unknown.problem(404, "not_found");
        assert_eq!(without_request_id(&foreign.body), without_request_id(&unknown.body), "{method} {template}");
    }
    for (field, id, status) in [("connection_id", connection, 404), ("follows", question, 422)] {
        let ask = |id: Uuid| bob.post("/v1/questions", json!({ "question": "how many?", field: id }));
        let (foreign, unknown) = (ask(id).await, ask(Uuid::now_v7()).await);
        assert_eq!((foreign.status, unknown.status), (status, status), "{}", foreign.text);
        assert_eq!(without_request_id(&foreign.body), without_request_id(&unknown.body));
    }
    assert_eq!(alice.get(format!("/v1/questions/{question}"), None).await.expect(200).body["status"], "pending", "nobody else stopped it");
    for path in ["/v1/questions", "/v1/jobs", "/v1/connections"] {
        assert_eq!(bob.get(path, None).await.expect(200).body["items"], json!([]), "{path}");
    }
}
