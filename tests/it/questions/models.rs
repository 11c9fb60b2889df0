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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_fails_again_and_again_is_left_alone_and_costs_no_attempt() {
    let app = TestApp::builder().with_setting("llm.breaker_failures", "3").with_setting("llm.breaker_seconds", "1").start().await;
    let shop = Shop::sqlite_of(app).await;
    shop.app.stub.say(Answer::Status(503));
    let mut asked = Vec::new();
    for n in 0..6 {
        let mut question = shop.question(&format!("left alone, {n}?"));
        question["cache"] = json!("skip");
        asked.push(shop.app.admin.ask(question).await);
    }
    let resting = "the model does not answer, and is left alone for a while";
    until(
        || async {
            let told: i64 = sqlx::query_scalar("SELECT count(*) FROM job_attempts WHERE error->>'message' = $1")
                .bind(resting)
                .fetch_one(&shop.app.pool)
                .await
                .expect("the attempts are read");
            (told > 0).then_some(())
        },
        "it is left alone",
    )
    .await;
    shop.app.stub.say(Answer::Sql(COUNT));
    for id in asked {
        let answer = shop.app.admin.wait(id).await;
        assert_success(&answer);
        let path = format!("/v1/jobs/{}", answer["job_id"].as_str().unwrap_or_default());
        let job = shop.app.admin.get(path, None).await.expect(200).body;
        assert_eq!(job["attempt"], 1, "waiting for a model costs no attempt: {job}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_and_tokens_of_a_minute_are_kept_to() {
    let app = TestApp::builder().with_setting("llm.requests_per_minute", "3").start().await;
    let shop = Shop::sqlite_of(app).await;
    shop.app.stub.say(Answer::Sql(COUNT));
    let mut answers = Vec::new();
    for n in 0..5 {
        let mut question = with_deadline(shop.question(&format!("within a minute, {n}?")), 2);
        question["cache"] = json!("skip");
        answers.push(shop.app.admin.answer(question).await);
    }
    answers[..3].iter().for_each(assert_success);
    for refused in &answers[3..] {
        assert_error(refused, "model_rate_limited");
        assert!(refused["error"]["hint"].as_str().is_some_and(|hint| hint.contains("llm.requests_per_minute")), "{refused}");
    }
    assert_eq!(shop.app.stub.calls().len(), 3, "the model is not even asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_charged_the_tokens_that_it_really_used() {
    // An estimate is more than 500 tokens, that is half a second of this window; the model tells 120.
    let app = TestApp::builder().with_setting("llm.tokens_per_minute", "60000").start().await;
    let shop = Shop::sqlite_of(app).await;
    shop.app.stub.say(Answer::Sql(COUNT));
    for n in 0..20 {
        let mut question = shop.question(&format!("what is used, {n}?"));
        question["cache"] = json!("skip");
        assert_success(&shop.app.admin.answer(question).await);
    }
    let owed: f64 =
        sqlx::query_scalar("SELECT extract(epoch FROM full_at - dg_now())::float8 FROM rate_windows WHERE resource LIKE '%:tokens'")
            .fetch_one(&shop.app.pool)
            .await
            .expect("the window is there");
    assert!(owed <= 2.4, "twenty calls of 120 tokens are 2.4 s of the window, not {owed}");
}
