//! Results past their keeping time, or lost with their file: 410, and asked for again.

use datagenie_common::model::upkeep::UpkeepTask;
use datagenie_tests::{Answer, TestApp};
use serde_json::json;
use uuid::Uuid;

use super::{count, keep_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_result_is_gone_and_can_be_asked_for_again() {
    let app = TestApp::builder().no_scheduler().start().await;
    let shop = app.shop_sqlite().await;
    app.stub.say(Answer::Sql("SELECT count(*) FROM orders"));
    let id = app.admin.ask(json!({ "question": "How many orders are there?", "connection_id": shop })).await;
    let first = app.admin.wait(id).await;
    assert_eq!(first["status"], "success", "{first}");
    app.admin.post(format!("/v1/questions/{id}/rerun"), None).await.problem(409, "already_ended");

    assert_eq!(keep_in(&app, UpkeepTask::Results, "P89D").await["removed"], json!({}));
    assert_eq!(keep_in(&app, UpkeepTask::Results, "P91D").await["removed"], json!({ "results": 1 }));
    let path = format!("/v1/questions/{id}");
    app.admin.get(format!("{path}/result"), None).await.problem(410, "gone");
    app.admin.get(format!("{path}/result?format=csv"), None).await.problem(410, "gone");
    app.admin.get(format!("{path}/chart.svg"), None).await.problem(410, "gone");
    let shown = app.admin.get(&path, None).await.expect(200).body;
    assert_eq!((&shown["status"], &shown["error"]["code"], &shown["rows"]), (&json!("success"), &json!("result_expired"), &json!([])));

    let again = app.admin.post(format!("{path}/rerun"), None).await.expect(202).body;
    assert_eq!((&again["status"], &again["replay_of"]), (&json!("pending"), &first["job_id"]), "{again}");
    let answered = app.admin.wait(id).await;
    assert_eq!((&answered["status"], &answered["rows"]), (&first["status"], &first["rows"]), "{answered}");
    assert_eq!(app.admin.get(format!("{path}/result"), None).await.expect(200).body["rows"], first["rows"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_older_than_questions_are_kept_is_gone_whoever_asks() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let at = |days: i32| {
        let pool = app.pool.clone();
        async move {
            let id: Uuid = sqlx::query_scalar("SELECT uuid7_at(dg_now() - make_interval(days => $1))")
                .bind(days)
                .fetch_one(&pool)
                .await
                .expect("an id");
            id
        }
    };
    let alice = app.client("alice").await;
    alice.get(format!("/v1/questions/{}/result", at(91).await), None).await.problem(410, "gone");
    alice.get(format!("/v1/questions/{}/result", at(89).await), None).await.problem(404, "not_found");
    assert_eq!(count(&app.pool, "SELECT count(*) FROM query_history").await, 0);
}
