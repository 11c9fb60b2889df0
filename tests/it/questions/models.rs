//! A model that fails: what passes is tried again until the deadline, what does not is told at once.

use std::time::Duration;

use datagenie_tests::{Answer, TestApp, until};
use serde_json::{Value, json};

use super::{COUNT, Shop, assert_error, assert_success};

fn with_deadline(mut question: Value, seconds: u32) -> Value {
    question["deadline_seconds"] = json!(seconds);
    question
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prose_and_broken_json_are_asked_for_once_more() {
    let shop = Shop::sqlite().await;
    for (said, question) in [(Answer::Text("I would love to help you with that."), "prose?"), (Answer::BrokenJson, "broken?")] {
        let before = shop.app.stub.calls().len();
        let answer = shop.told([said], question).await;
        assert_error(&answer, "model_answer_invalid");
        assert_eq!((&answer["error"]["stage"], &answer["error"]["retryable"]), (&json!("drafting"), &json!(true)));
        assert_eq!(shop.app.stub.calls().len() - before, 2, "one repair, no more");
    }
    let mended = shop.told([Answer::Text("Let me see."), Answer::Sql(COUNT)], "mended?").await;
    assert_success(&mended);
    assert_eq!(mended["provenance"]["attempts"].as_array().map(Vec::len), Some(2), "{}", mended["provenance"]);
    assert_eq!(mended["usage"]["prompt_tokens"], 200, "both calls are counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_is_told_at_once_and_never_shown() {
    let shop = Shop::sqlite().await;
    for (status, code) in [(401, "model_unauthorised"), (403, "model_unauthorised"), (400, "model_unavailable")] {
        let before = shop.app.stub.calls().len();
        let answer = shop.told([Answer::Status(status)], &format!("status {status}?")).await;
        assert_error(&answer, code);
        assert!(answer["error"]["hint"].is_string() && !answer.to_string().contains("sk-of-the-tests"), "{answer}");
        assert_eq!(shop.app.stub.calls().len() - before, 1, "asking again would not help");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_or_broken_model_is_asked_again_later() {
    let shop = Shop::sqlite().await;
    for (failure, code, question) in [
        (Answer::StatusAfter(429, 1), "model_rate_limited", "busy?"),
        (Answer::Status(500), "model_unavailable", "broken?"),
        (Answer::Close, "model_unavailable", "cut off?"),
    ] {
        let answer = shop.told([failure, Answer::Sql(COUNT)], question).await;
        assert_success(&answer);
        let path = format!("/v1/jobs/{}", answer["job_id"].as_str().unwrap_or_default());
        let job = shop.app.admin.get(path, None).await.expect(200).body;
        assert_eq!(job["attempt"], 1, "waiting for a model costs no attempt: {job}");
        assert_eq!((&job["attempts"][0]["outcome"], &job["attempts"][0]["error"]["code"]), (&json!("later"), &json!(code)), "{job}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_is_down_is_waited_for_until_the_deadline() {
    let shop = Shop::sqlite().await;
    shop.app.stub.say(Answer::Sql(COUNT));
    shop.app.stub.down();
    let given_up = shop.app.admin.answer(with_deadline(shop.question("in vain?"), 2)).await;
    assert_error(&given_up, "model_unavailable");

    let asked = shop.app.admin.post("/v1/questions", shop.question("in the end?")).await.expect(202);
    let job = format!("/v1/jobs/{}", asked.body["job_id"].as_str().unwrap_or_default());
    until(
        || async { (shop.app.admin.get(&job, None).await.body["attempts"] != json!([])).then_some(()) },
        "it was tried while the model was down",
    )
    .await;
    shop.app.stub.up();
    assert_success(&shop.app.admin.wait(asked.id()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_model_is_waited_for_and_a_silent_one_is_not() {
    let shop = Shop::sqlite_of(TestApp::builder().with_setting("llm.timeout_seconds", "1").start().await).await;
    let slow = Answer::Slow(Duration::from_millis(300), Box::new(Answer::Sql(COUNT)));
    assert_success(&shop.told([slow], "slow?").await);
    shop.app.stub.say(Answer::Hang);
    let silent = shop.app.admin.answer(with_deadline(shop.question("silent?"), 3)).await;
    // The deadline may come in the middle of a call or between two.
    let code = silent["error"]["code"].as_str().unwrap_or_default();
    assert!(["model_unavailable", "deadline_passed"].contains(&code), "{silent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_completion_spends_the_attempts_and_can_be_replayed() {
    let shop = Shop::sqlite_of(TestApp::builder().with_setting("jobs.max_attempts", "1").start().await).await;
    let failed = shop.told([Answer::BrokenBody], "what is this?").await;
    assert_error(&failed, "model_answer_invalid");
    let path = format!("/v1/jobs/{}", failed["job_id"].as_str().unwrap_or_default());
    assert_eq!(shop.app.admin.get(&path, None).await.expect(200).body["dead"], true);
    shop.app.stub.say(Answer::Sql(COUNT));
    let replay = shop.app.admin.post(format!("{path}/retry"), None).await.expect(202);
    assert_eq!(replay.body["replay_of"], failed["job_id"]);
    let answered = shop.app.admin.wait(failed["id"].as_str().unwrap_or_default()).await;
    assert_success(&answered);
    assert_eq!((&answered["job_id"], &answered["replay_of"]), (&replay.body["id"], &failed["job_id"]));
    shop.app.admin.post(format!("{path}/retry"), None).await.problem(409, "not_dead");
}
