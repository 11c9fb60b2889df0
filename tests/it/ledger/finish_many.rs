//! Many ends in one commit: they write what single ends write, each fenced for itself.

use datagenie_common::{
    model::questions::FailureCode,
    store::ledger::{
        Claimed, Outcome,
        finish::{self, Finished},
        finish_many::{self, End, Written},
        sweep,
    },
};
use serde_json::{Value, json};

use super::{LONG, Ledger, SPENT, answered, failed};

fn end<'a>(job: &'a Claimed, outcome: &'a Outcome) -> End<'a> {
    End { job, stage: None, outcome }
}

/// Everything stored of a job, without what differs between any two.
fn comparable(mut stored: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| {
                    !name.ends_with("_at")
                        && name != "run_from"
                        && !name.ends_with("id")
                        && !matches!(name.as_str(), "seq" | "subject" | "payload" | "lease_until" | "deadline")
                });
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut stored);
    stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_write_what_single_ends_write() {
    let ledger = Ledger::new().await;
    let outcomes = [answered(), failed(FailureCode::Timeout, false), failed(FailureCode::Internal, true)];
    let mut claimed = Vec::new();
    for _ in 0..6 {
        claimed.push(ledger.claim(ledger.asked().await.job_id, LONG).await.expect("it is due"));
    }
    let (single, many) = claimed.split_at(3);
    for (job, outcome) in single.iter().zip(&outcomes) {
        finish::finish(&ledger.pool, job.lease, None, outcome).await.expect("it is written");
    }
    let ends: Vec<End<'_>> = many.iter().zip(&outcomes).map(|(job, outcome)| end(job, outcome)).collect();
    assert!(ends.iter().all(End::is_plain));
    let written = finish_many::finish_many(&ledger.pool, &ends).await.expect("they are written");
    assert!(written.iter().all(|written| matches!(written, Written::Ended { more_wait: false, .. })), "{written:?}");
    for (one, other) in single.iter().zip(many) {
        let (one, other) = (ledger.everything(one.lease.job_id).await, ledger.everything(other.lease.job_id).await);
        assert_eq!(comparable(one), comparable(other));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lease_among_them_touches_nothing_and_keeps_no_other() {
    let ledger = Ledger::new().await;
    let lost = ledger.claim(ledger.asked().await.job_id, SPENT).await.expect("it is due");
    let kept = ledger.claim(ledger.asked().await.job_id, LONG).await.expect("it is due");
    sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");
    let before = ledger.everything(lost.lease.job_id).await;
    let outcome = answered();
    let ends = [end(&lost, &outcome), end(&kept, &outcome)];
    let written = finish_many::finish_many(&ledger.pool, &ends).await.expect("they are written");
    assert_eq!(written[0], Written::NotRunning);
    assert!(matches!(written[1], Written::Ended { .. }));
    assert_eq!(ledger.everything(lost.lease.job_id).await, before);
    // Sent again, it changes nothing, and a single end knows that it was written.
    let after = ledger.everything(kept.lease.job_id).await;
    let again = finish_many::finish_many(&ledger.pool, &ends).await.expect("it is decided");
    assert_eq!(again, [Written::NotRunning, Written::NotRunning]);
    assert!(matches!(finish::finish(&ledger.pool, kept.lease, None, &outcome).await.expect("it is decided"), Finished::Written(_)));
    assert_eq!(ledger.everything(kept.lease.job_id).await, after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cannot_be_stored_leaves_all_as_they_were() {
    let ledger = Ledger::new().await;
    let good = ledger.claim(ledger.asked().await.job_id, LONG).await.expect("it is due");
    let bad = ledger.claim(ledger.asked().await.job_id, LONG).await.expect("it is due");
    let before = (ledger.everything(good.lease.job_id).await, ledger.everything(bad.lease.job_id).await);
    let (fine, mut refused) = (answered(), answered());
    if let Outcome::Answered { ending, .. } = &mut refused {
        // A NUL, which PostgreSQL's text can't hold.
        ending.sql = Some("SELECT '\0'".to_owned());
    }
    let error = finish_many::finish_many(&ledger.pool, &[end(&good, &fine), end(&bad, &refused)]).await.expect_err("one is refused");
    assert!(!error.is_outage());
    assert_eq!((ledger.everything(good.lease.job_id).await, ledger.everything(bad.lease.job_id).await), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_whose_next_ones_wait() {
    let ledger = Ledger::new().await;
    let slice: Vec<_> = (0..2).map(|_| ledger.question()).collect();
    datagenie_common::store::ledger::intake::submit(&ledger.pool, &slice, 1).await.expect("it is stored");
    let job = ledger.claim(slice[0].job_id, LONG).await.expect("it was let in");
    let outcome = answered();
    let written = finish_many::finish_many(&ledger.pool, &[end(&job, &outcome)]).await.expect("it is written");
    let Written::Ended { more_wait, ended } = &written[0] else { panic!("{written:?}") };
    assert!(more_wait);
    assert_eq!(json!(ended.subject), json!(slice[0].id));
}
