//! A batch leaves its owner's own questions, and everybody else's, their place.

use datagenie_tests::{Answer, TestApp, until};
use serde_json::{Value, json};

use super::{batch, ended, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_answered_while_a_batch_fills_all_of_its_slots() {
    let app = TestApp::builder().with_setting("worker.bulk_concurrency", "3").with_setting("llm.max_concurrency", "5").start().await;
    app.worker_is_known().await;
    let bob = app.client("bob").await;
    app.stub.say(Answer::Hang);
    let questions: Vec<Value> = (0..300).map(|n| json!({ "custom_id": n.to_string(), "question": format!("Question {n}?") })).collect();
    let id = send(&app.admin, json!({ "questions": questions })).await;
    until(|| async { (app.stub.calls().len() >= 3).then_some(()) }, "its slots are full").await;
    // The batch calls no more, so all of these are for others.
    app.stub.say(Answer::Text("It is so."));
    for asker in [&app.admin, &bob] {
        let answer = asker.answer(json!({ "question": "and mine?" })).await;
        assert_eq!(answer["status"], "success", "{answer}");
    }
    let events: Vec<String> = sqlx::query_scalar("SELECT type FROM events ORDER BY seq").fetch_all(&app.pool).await.expect("they are read");
    assert_eq!(events.iter().filter(|kind| kind.starts_with("question.")).count(), 2, "before any of three hundred: {events:?}");
    let running = batch(&app.admin, id).await;
    assert_eq!((&running["status"], &running["counts"]["success"]), (&json!("running"), &json!(0)));
    assert!(app.stub.most_at_once() <= 5);
    let _ = app.admin.post(format!("/v1/batches/{id}/cancel"), None).await;
    assert_eq!(ended(&app.admin, id).await["counts"]["cancelled"], 300);
}
