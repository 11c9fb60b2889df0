//! The end of an attempt: one commit, one terminal state, one terminal event.

use datagenie_common::{
    events::terminal_type,
    jobs::JobKind,
    model::{
        jobs::JobState,
        questions::{FailureCode, Stage},
    },
    store::{
        StoreError, events,
        ledger::{
            Outcome,
            finish::{self, Finished},
            sweep,
        },
        questions,
    },
};
use futures::future::{join, join_all};
use serde_json::json;

use super::{LONG, Ledger, SPENT, answered, failed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_is_one_commit_of_answer_state_attempt_and_event() {
    let ledger = Ledger::new().await;
    let question = ledger.asked().await;
    let claimed = ledger.claim(question.job_id, LONG).await.expect("it is due");
    finish::finish(&ledger.pool, claimed.lease, Some(Stage::Summarising), &answered()).await.expect("it is written");
    let stored = ledger.everything(question.job_id).await;
    assert_eq!(stored["job"]["state"], "succeeded");
    assert_eq!(stored["job"]["error"], json!(null));
    assert_eq!(stored["question"]["status"], "success");
    assert_eq!(stored["question"]["row_count"], 1);
    assert_eq!(stored["answers"][0]["summary_text"], "There is one.");
    assert_eq!(stored["attempts"][0]["outcome"], "succeeded");
    assert_eq!(stored["attempts"][0]["stage"], "summarising");
    let events = stored["events"].as_array().expect("a list");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "question.succeeded");
    assert_eq!(events[0]["subject"], json!(question.id));
    assert_eq!(events[0]["data"]["question_id"], json!(question.id));
    let data = events[0]["data"].to_string();
    assert!(!data.contains("There is one.") && !data.contains("row_count"), "an event outlives the permission to read the answer: {data}");
    let shown = questions::find(&ledger.pool, Some(ledger.user), question.id).await.expect("it is read").expect("it is his");
    assert_eq!(shown.summary_text.as_deref(), Some("There is one."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resent_finish_is_a_success_that_writes_nothing_twice() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
    let first = finish::finish(&ledger.pool, lease, None, &answered()).await.expect("it is written");
    let before = ledger.everything(job).await;
    let second = finish::finish(&ledger.pool, lease, None, &answered()).await.expect("it is known");
    assert!(matches!(&first, Finished::Written(ended) if ended.state == JobState::Succeeded));
    assert_eq!(first, second);
    assert_eq!(ledger.everything(job).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_concurrent_finishers_one_writes_and_all_learn_the_same_end() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
    let outcomes =
        [answered(), failed(FailureCode::SqlInvalid, false), Outcome::Cancelled, answered(), failed(FailureCode::Internal, true)];
    let ends = join_all(outcomes.iter().map(|outcome| finish::finish(&ledger.pool, lease, None, outcome))).await;
    let ends: Vec<Finished> = ends.into_iter().map(|end| end.expect("every finish is decided")).collect();
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
    let stored = ledger.everything(job).await;
    assert_eq!(stored["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(stored["attempts"].as_array().map(Vec::len), Some(1));
    let Finished::Written(ended) = &ends[0] else { panic!("the lease held") };
    assert_eq!(stored["job"]["state"], ended.state.as_str());
    assert_eq!(stored["events"][0]["type"], json!(terminal_type(JobKind::AnswerQuestion, ended.state)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finish_that_races_its_rescue_leaves_one_end() {
    let ledger = Ledger::new().await;
    for _ in 0..20 {
        let mut question = ledger.question();
        question.max_attempts = 1;
        ledger.submit(std::slice::from_ref(&question)).await;
        let lease = ledger.claim(question.job_id, SPENT).await.expect("it is due").lease;
        let outcome = answered();
        let (finished, rescued) = join(finish::finish(&ledger.pool, lease, None, &outcome), sweep::rescue(&ledger.pool, 0.0, 10)).await;
        finished.expect("the finish is decided");
        let rescued = rescued.expect("the rescue is decided");
        let stored = ledger.everything(question.job_id).await;
        assert_eq!(stored["events"].as_array().map(Vec::len), Some(1));
        assert_eq!(stored["attempts"].as_array().map(Vec::len), Some(1));
        if rescued.ended.is_empty() {
            assert_eq!(stored["job"]["state"], "succeeded");
            assert_eq!(stored["question"]["status"], "success");
            assert_eq!(stored["answers"].as_array().map(Vec::len), Some(1));
        } else {
            assert_eq!(stored["job"]["state"], "failed");
            assert_eq!(stored["question"]["status"], "error");
            assert_eq!(stored["answers"].as_array().map(Vec::len), Some(0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_terminal_event_of_a_job_is_refused_by_the_database() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
    finish::finish(&ledger.pool, lease, None, &answered()).await.expect("it is written");
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    let again = events::insert(&mut conn, "question.succeeded", "x", ledger.user, Some(job), &json!({})).await;
    assert!(again.as_ref().is_err_and(|error| error.is_constraint("events_once")), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_cannot_be_written_whole_is_not_written_at_all() {
    let ledger = Ledger::new().await;
    let question = ledger.asked().await;
    let lease = ledger.claim(question.job_id, LONG).await.expect("it is due").lease;
    sqlx::query("INSERT INTO analysis_results (query_history_id, job_id) VALUES ($1, $2)")
        .bind(question.id.0)
        .bind(question.job_id.0)
        .execute(&ledger.pool)
        .await
        .expect("an answer is in the way");
    let before = ledger.everything(question.job_id).await;
    let end = finish::finish(&ledger.pool, lease, None, &answered()).await;
    assert!(matches!(&end, Err(StoreError::Constraint(name)) if name == "analysis_results_once"), "{end:?}");
    assert_eq!(ledger.everything(question.job_id).await, before);
    assert_eq!(before["job"]["state"], "running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_told_in_job_question_attempt_and_event_alike() {
    let ledger = Ledger::new().await;
    // The failure, whether it is dead, and how the question's own state calls it.
    let cases =
        [(FailureCode::Unanswerable, false, "error"), (FailureCode::Timeout, false, "timeout"), (FailureCode::Internal, true, "error")];
    for (code, dead, status) in cases {
        let job = ledger.asked().await.job_id;
        let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
        finish::finish(&ledger.pool, lease, Some(Stage::Drafting), &failed(code, dead)).await.expect("it is written");
        let stored = ledger.everything(job).await;
        assert_eq!(stored["job"]["state"], "failed");
        assert_eq!(stored["job"]["dead"], dead);
        assert_eq!(stored["question"]["status"], status);
        assert_eq!(stored["question"]["error_message"], "it went wrong");
        assert_eq!(stored["events"][0]["type"], "question.failed");
        assert_eq!(stored["events"][0]["data"]["status"], status);
        for place in
            [&stored["job"]["error"], &stored["question"]["error"], &stored["attempts"][0]["error"], &stored["events"][0]["data"]["error"]]
        {
            assert_eq!(place["code"], code.as_str());
        }
    }
}
