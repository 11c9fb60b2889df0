//! Asking a job to stop.

use datagenie_common::{
    ids::{ConnectionId, JobId},
    jobs::JobKind,
    model::jobs::JobState,
    store::ledger::{
        Beat, NewJob, Outcome,
        claim::{self, Release},
        finish::{self, Finished},
        intake,
        view::{self, Cancelled},
    },
};
use serde_json::json;

use super::{LONG, Ledger, add_user, answered};

impl Ledger {
    async fn cancel(&self, job: JobId) -> Cancelled {
        let mut tx = self.pool.begin().await.expect("a transaction");
        let cancelled = view::cancel(&mut tx, Some(self.user), job).await.expect("it is decided");
        tx.commit().await.expect("it is committed");
        cancelled
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waits_is_cancelled_at_once() {
    let ledger = Ledger::new().await;
    let question = ledger.asked().await;
    let Cancelled::AtOnce(ended) = ledger.cancel(question.job_id).await else { panic!("it had not begun") };
    assert_eq!((ended.state, ended.subject), (JobState::Cancelled, question.id.to_string()));
    let stored = ledger.everything(question.job_id).await;
    assert_eq!(stored["job"]["state"], "cancelled");
    assert_eq!(stored["question"]["status"], "cancelled");
    assert_eq!(stored["events"][0]["type"], "question.cancelled");
    assert_eq!(stored["attempts"], json!([]));
    assert!(ledger.claim(question.job_id, LONG).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_job_is_told_by_its_next_heartbeat() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
    assert_eq!(ledger.cancel(job).await, Cancelled::Asked);
    let asked = ledger.everything(job).await;
    assert_eq!(asked["job"]["state"], "running");
    assert_eq!(ledger.cancel(job).await, Cancelled::Asked);
    assert_eq!(ledger.everything(job).await, asked, "asked twice is asked once");

    let held = claim::heartbeat(&ledger.pool, &[Beat { lease, stage: None }], LONG).await.expect("it is written");
    assert!(held[0].cancel_requested);
    finish::finish(&ledger.pool, lease, None, &Outcome::Cancelled).await.expect("it is written");
    let stored = ledger.everything(job).await;
    assert_eq!((&stored["job"]["state"], &stored["question"]["status"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!(stored["events"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_came_before_the_wish_was_heard_stands() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
    assert_eq!(ledger.cancel(job).await, Cancelled::Asked);
    let finished = finish::finish(&ledger.pool, lease, None, &answered()).await.expect("it is written");
    assert!(matches!(finished, Finished::Written(ended) if ended.state == JobState::Succeeded));
    let before = ledger.everything(job).await;
    assert_eq!(ledger.cancel(job).await, Cancelled::TooLate);
    assert_eq!(ledger.everything(job).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_wanted_stopped_is_not_put_back_but_ended() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let lease = ledger.claim(job, LONG).await.expect("it is due").lease;
    assert_eq!(ledger.cancel(job).await, Cancelled::Asked);
    let held = claim::heartbeat(&ledger.pool, &[Beat { lease, stage: None }], LONG).await.expect("it is written");
    assert!(held[0].cancel_requested);
    assert!(!claim::release(&ledger.pool, lease, None, &Release::GivenBack).await.expect("it is decided"), "it would run again");
    let finished = finish::finish(&ledger.pool, lease, None, &Outcome::Cancelled).await.expect("it is written");
    assert!(matches!(finished, Finished::Written(ended) if ended.state == JobState::Cancelled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_cancels_the_job_of_another() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    let before = ledger.everything(job).await;
    let stranger = add_user(&ledger.pool, "stranger").await;
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    assert_eq!(view::cancel(&mut conn, Some(stranger), job).await.expect("it is decided"), Cancelled::Unknown);
    assert_eq!(view::cancel(&mut conn, None, JobId::new()).await.expect("it is decided"), Cancelled::Unknown);
    assert!(view::find(&ledger.pool, Some(stranger), job).await.expect("it is read").is_none());
    assert_eq!(ledger.everything(job).await, before);
    assert!(matches!(view::cancel(&mut conn, None, job).await.expect("it is written"), Cancelled::AtOnce(_)), "an administrator may");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_look_leaves_no_connection_probing() {
    let ledger = Ledger::new().await;
    let connection = ledger.add_connection().await;
    let job = NewJob {
        id: JobId::new(),
        kind: JobKind::ProbeConnection,
        user_id: ledger.user,
        connection_id: Some(ConnectionId(connection)),
        batch_id: None,
        subject_id: Some(connection),
        replay_of: None,
        deadline_seconds: LONG,
        run_seconds: None,
        max_attempts: 1,
        payload: json!({ "v": 1, "connection_id": connection }),
        traceparent: None,
    };
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    intake::insert(&mut conn, &job).await.expect("it is stored");
    assert!(matches!(ledger.cancel(job.id).await, Cancelled::AtOnce(_)));
    let state: String = sqlx::query_scalar("SELECT state FROM database_connections WHERE id = $1")
        .bind(connection)
        .fetch_one(&ledger.pool)
        .await
        .expect("it is read");
    assert_eq!(state, "unreachable", "questions would wait for ever");
}
