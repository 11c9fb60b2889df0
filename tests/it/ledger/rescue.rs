//! What the scheduler does about dead workers and deadlines.

use std::collections::BTreeSet;

use datagenie_common::{
    model::{
        jobs::JobState,
        questions::{Failure, FailureCode},
    },
    store::ledger::{
        claim::{self, Release},
        finish::{self, Finished},
        sweep, view,
    },
};
use futures::future::join_all;
use serde_json::json;

use super::{LONG, Ledger, SPENT, answered};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_is_mended_at_once_then_with_a_backoff_and_then_the_job_is_dead() {
    let ledger = Ledger::new().await;
    let question = ledger.asked().await;
    let job = question.job_id;

    ledger.claim(job, SPENT).await.expect("it is due");
    let first = sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    assert_eq!(first.rings, [question.ring()], "the first time at once, with its trace");
    assert_eq!((first.delayed, first.ended.len()), (0, 0));
    assert_eq!(ledger.everything(job).await["job"]["crashes"], 1);

    assert_eq!(ledger.claim(job, SPENT).await.expect("it is due at once").attempt, 2);
    let second = sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    assert_eq!((second.rings.len(), second.delayed, second.ended.len()), (0, 1, 0));
    let stored = ledger.everything(job).await;
    assert_eq!((&stored["job"]["state"], &stored["job"]["rung_at"]), (&json!("waiting"), &json!(null)));
    let waits: bool = sqlx::query_scalar("SELECT run_at > dg_now() FROM jobs WHERE id = $1")
        .bind(job.0)
        .fetch_one(&ledger.pool)
        .await
        .expect("it is read");
    assert!(waits, "the second time after a backoff");

    ledger.make_due(job).await;
    assert_eq!(ledger.claim(job, SPENT).await.expect("its wait is over").attempt, 3);
    let third = sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    assert_eq!((third.rings.len(), third.delayed), (0, 0));
    assert_eq!(third.ended.iter().map(|ended| (ended.job_id, ended.state)).collect::<Vec<_>>(), [(job, JobState::Failed)]);
    let stored = ledger.everything(job).await;
    assert_eq!((&stored["job"]["state"], &stored["job"]["dead"]), (&json!("failed"), &json!(true)));
    assert_eq!(stored["question"]["status"], "error");
    assert_eq!(stored["question"]["error"]["code"], "attempts_spent");
    assert_eq!(stored["events"][0]["type"], "question.failed");
    assert_eq!(stored["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(ledger.outcomes(job).await, ["crashed", "crashed", "failed"]);

    let fourth = sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    assert!(fourth.rings.is_empty() && fourth.delayed == 0 && fourth.ended.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_comes_after_the_job_is_dead_changes_nothing() {
    let ledger = Ledger::new().await;
    let mut question = ledger.question();
    question.max_attempts = 1;
    ledger.submit(std::slice::from_ref(&question)).await;
    let lease = ledger.claim(question.job_id, SPENT).await.expect("it is due").lease;
    sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    let before = ledger.everything(question.job_id).await;
    let late = finish::finish(&ledger.pool, lease, None, &answered()).await.expect("it is decided");
    assert!(!matches!(&late, Finished::Written(ended) if ended.state == JobState::Succeeded), "{late:?}");
    assert_eq!(ledger.everything(question.job_id).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_living_lease_and_a_young_server_are_left_alone() {
    let ledger = Ledger::new().await;
    let living = ledger.asked().await.job_id;
    ledger.claim(living, LONG).await.expect("it is due");
    let overdue = ledger.asked().await.job_id;
    ledger.claim(overdue, SPENT).await.expect("it is due");
    let before = (ledger.everything(living).await, ledger.everything(overdue).await);
    // A lease of a hundred years: the server counts as just restarted, so nothing is rescued yet.
    let rescued = sweep::rescue(&ledger.pool, 3.2e9, 10).await.expect("it is swept");
    assert!(rescued.rings.is_empty() && rescued.ended.is_empty() && rescued.delayed == 0);
    assert_eq!((ledger.everything(living).await, ledger.everything(overdue).await), before);
    let rescued = sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is swept");
    assert_eq!(rescued.rings.into_iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [overdue]);
    assert_eq!(ledger.everything(living).await, before.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_workers_job_whose_owner_wanted_it_stopped_is_cancelled() {
    let ledger = Ledger::new().await;
    let job = ledger.asked().await.job_id;
    ledger.claim(job, SPENT).await.expect("it is due");
    let mut conn = ledger.pool.acquire().await.expect("a connection");
    assert_eq!(view::cancel(&mut conn, Some(ledger.user), job).await.expect("it is written"), view::Cancelled::Asked);
    drop(conn);
    let rescued = sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    assert_eq!(rescued.ended.iter().map(|ended| ended.state).collect::<Vec<_>>(), [JobState::Cancelled]);
    let stored = ledger.everything(job).await;
    assert_eq!((&stored["job"]["state"], &stored["job"]["dead"]), (&json!("cancelled"), &json!(false)));
    assert_eq!(stored["question"]["status"], "cancelled");
    assert_eq!(stored["events"][0]["type"], "question.cancelled");
    assert_eq!(ledger.outcomes(job).await, ["cancelled"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_rescues_share_the_work_and_keep_their_bounds() {
    let ledger = Ledger::new().await;
    let slice: Vec<_> = (0..30).map(|_| ledger.question()).collect();
    ledger.submit(&slice).await;
    for question in &slice {
        ledger.claim(question.job_id, SPENT).await.expect("it is due");
    }
    let bounded = sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    assert_eq!(bounded.rings.len(), 10);
    let rescues = join_all((0..6).map(|_| sweep::rescue(&ledger.pool, 0.0, 100))).await;
    let mut rung: Vec<_> = rescues.into_iter().flat_map(|rescued| rescued.expect("it is rescued").rings).map(|ring| ring.job_id).collect();
    rung.extend(bounded.rings.into_iter().map(|ring| ring.job_id));
    assert_eq!(rung.len(), 30, "none twice");
    assert_eq!(rung.into_iter().collect::<BTreeSet<_>>(), slice.iter().map(|question| question.job_id).collect::<BTreeSet<_>>());
    assert_eq!(ledger.count("job_attempts").await, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_jobs_end_at_their_deadline_and_running_ones_are_left_to_their_worker() {
    let ledger = Ledger::new().await;
    let mut slice: Vec<_> = (0..3).map(|_| ledger.question()).collect();
    for question in &mut slice {
        question.deadline_seconds = 0.0;
    }
    slice.push(ledger.question());
    ledger.submit(&slice).await;
    let (silent, delayed, running, young) = (slice[0].job_id, slice[1].job_id, slice[2].job_id, slice[3].job_id);
    let lease = ledger.claim(delayed, LONG).await.expect("it is due").lease;
    let failure = Failure::new(FailureCode::ModelUnavailable, "no model answers");
    claim::release(&ledger.pool, lease, None, &Release::Later { failure, seconds: 60.0 }).await.expect("it is put off");
    let claimed = ledger.claim(running, LONG).await.expect("it is due");
    assert!(claimed.seconds_left <= 0.0, "its worker learns that its time is over");

    let ended = sweep::expire(&ledger.pool, 10).await.expect("it is swept");
    let ended: BTreeSet<_> = ended.into_iter().map(|ended| ended.job_id).collect();
    assert_eq!(ended, BTreeSet::from([silent, delayed]));
    for (job, code) in [(silent, "deadline_passed"), (delayed, "model_unavailable")] {
        let stored = ledger.everything(job).await;
        assert_eq!((&stored["job"]["state"], &stored["job"]["dead"]), (&json!("failed"), &json!(false)));
        assert_eq!(stored["question"]["status"], "error");
        assert_eq!(stored["question"]["error"]["code"], code, "what was in its way, where that is known");
        assert_eq!(stored["events"][0]["type"], "question.failed");
    }
    assert_eq!(ledger.everything(running).await["job"]["state"], "running");
    assert_eq!(ledger.everything(young).await["job"]["state"], "queued");
    assert!(sweep::expire(&ledger.pool, 10).await.expect("it is swept").is_empty());
}
