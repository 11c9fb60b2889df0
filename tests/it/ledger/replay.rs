//! A dead job asked for once more.

use datagenie_common::{
    ids::JobId,
    model::{jobs::JobState, questions::FailureCode},
    store::{
        ledger::{
            NewJob, NewQuestion, finish,
            view::{self, Replayed},
        },
        questions,
    },
};
use serde_json::json;

use super::{LONG, Ledger, add_user, answered, failed};

impl Ledger {
    async fn replay(&self, job: JobId) -> Replayed {
        let mut tx = self.pool.begin().await.expect("a transaction");
        let replayed = view::replay(&mut tx, Some(self.user), job).await.expect("it is decided");
        tx.commit().await.expect("it is committed");
        replayed
    }

    async fn dead(&self) -> NewQuestion {
        let question = self.asked().await;
        let lease = self.claim(question.job_id, LONG).await.expect("it is due").lease;
        finish::finish(&self.pool, lease, None, &failed(FailureCode::Internal, true)).await.expect("it is written");
        question
    }

    async fn replayed(&self, job: JobId) -> NewJob {
        let Replayed::New(new) = self.replay(job).await else { panic!("it was dead") };
        *new
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_a_new_job_and_the_question_waits_for_it() {
    let ledger = Ledger::new().await;
    let question = ledger.dead().await;
    let new = ledger.replayed(question.job_id).await;
    assert_eq!((new.replay_of, new.subject_id, new.payload), (Some(question.job_id), Some(question.id.0), question.payload));
    assert_ne!(new.id, question.job_id);
    let shown = questions::find(&ledger.pool, Some(ledger.user), question.id).await.expect("it is read").expect("it is his");
    assert_eq!((shown.status.as_str(), shown.job_id, shown.replay_of), ("pending", new.id.0, Some(question.job_id.0)));
    assert!(shown.error.is_none() && shown.finished_at.is_none());
    let stored = ledger.everything(new.id).await;
    assert_eq!((&stored["job"]["state"], &stored["job"]["attempt"]), (&json!("waiting"), &json!(0)));

    let claimed = ledger.claim(new.id, LONG).await.expect("it is due");
    assert!(claimed.seconds_left > 500.0, "as much time as the first one had: {}", claimed.seconds_left);
    finish::finish(&ledger.pool, claimed.lease, None, &answered()).await.expect("it is written");
    let shown = questions::find(&ledger.pool, Some(ledger.user), question.id).await.expect("it is read").expect("it is his");
    assert_eq!((shown.status.as_str(), shown.summary_text.as_deref()), ("success", Some("There is one.")));
    // Each job has had its one terminal event.
    assert_eq!(ledger.everything(question.job_id).await["events"][0]["type"], "question.failed");
    assert_eq!(ledger.everything(new.id).await["events"][0]["type"], "question.succeeded");
    assert_eq!(ledger.count("events").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_dead_job_is_replayed_and_only_once() {
    let ledger = Ledger::new().await;
    let question = ledger.asked().await;
    assert!(matches!(ledger.replay(question.job_id).await, Replayed::NotDead(JobState::Queued)));
    let lease = ledger.claim(question.job_id, LONG).await.expect("it is due").lease;
    assert!(matches!(ledger.replay(question.job_id).await, Replayed::NotDead(JobState::Running)));
    finish::finish(&ledger.pool, lease, None, &failed(FailureCode::Unanswerable, false)).await.expect("it is written");
    assert!(matches!(ledger.replay(question.job_id).await, Replayed::NotDead(JobState::Failed)));

    let dead = ledger.dead().await;
    ledger.replayed(dead.job_id).await;
    assert!(matches!(ledger.replay(dead.job_id).await, Replayed::NotDead(JobState::Failed)), "the same work is not done twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_replays_the_job_of_another() {
    let ledger = Ledger::new().await;
    let job = ledger.dead().await.job_id;
    let stranger = add_user(&ledger.pool, "stranger").await;
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    assert!(matches!(view::replay(&mut conn, Some(stranger), job).await.expect("it is decided"), Replayed::Unknown));
    assert!(matches!(view::replay(&mut conn, None, JobId::new()).await.expect("it is decided"), Replayed::Unknown));
    assert!(matches!(view::replay(&mut conn, None, job).await.expect("it is written"), Replayed::New(_)), "an administrator may");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_dies_can_be_replayed_in_its_turn() {
    let ledger = Ledger::new().await;
    let first = ledger.dead().await;
    let second = ledger.replayed(first.job_id).await;
    let lease = ledger.claim(second.id, LONG).await.expect("it is due").lease;
    finish::finish(&ledger.pool, lease, None, &failed(FailureCode::Internal, true)).await.expect("it is written");
    let third = ledger.replayed(second.id).await;
    assert_eq!(third.replay_of, Some(second.id));
    let shown = questions::find(&ledger.pool, Some(ledger.user), first.id).await.expect("it is read").expect("it is his");
    assert_eq!((shown.status.as_str(), shown.job_id), ("pending", third.id.0));
}
