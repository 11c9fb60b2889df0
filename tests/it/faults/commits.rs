//! Connections to the system database cut in the middle of a commit: the statement has arrived, its answer never comes back.

use std::time::Duration;

use datagenie_tests::{Addresses, Answer, Asked, Asker, Plan, Proxy, until};

use super::rig::{On, Rig};

/// In every question that an asker asks, and so in the values of the statement that stores it. Statements are prepared: what they
/// are made of goes over the wire only once, before anything runs.
const ASKED: &[u8] = b"How many orders are there?";
/// In every answer, and so in the values of the statement that stores it.
const ANSWERED: &[u8] = b"never_heard_of";
const DRAFT: &str = "SELECT count(*) AS never_heard_of FROM orders";
/// In the values of the statement that claims: the worker's name.
const CLAIMED: &[u8] = b"worker-";

/// Asks so many questions, one after another; before each the proxy is told what to cut next: the first statement with this in it,
/// not the second try of the same. `surely`: it is sent by a worker, who may take his time, so the first cut is waited for.
async fn ask(rig: &Rig, addresses: &Addresses, proxy: &Proxy, pattern: &[u8], total: usize, surely: bool) -> Asked {
    let before = proxy.cuts();
    proxy.cut_answer_to(pattern.to_vec(), 1);
    let plan = Plan { at_once: 1, pause: Duration::from_millis(100), ..rig.plan_of(addresses, total) };
    let asker = Asker::start(plan);
    for accepted in 1..=total {
        until(|| async { (asker.accepted() >= accepted).then_some(()) }, "a question is taken in").await;
        proxy.cut_answer_to(pattern.to_vec(), 1);
    }
    if surely {
        until(|| async { (proxy.cuts() > before).then_some(()) }, "an answer is cut off").await;
    }
    let asked = asker.finish().await;
    // Nothing is cut any more where nothing was asked for.
    proxy.cut_answer_to(pattern.to_vec(), 0);
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_whose_commit_got_no_answer_is_stored_once() {
    const TOTAL: usize = 12;
    let rig = Rig::start(On::Redis).await;
    rig.app.stub.say(Answer::Sql(DRAFT));
    let (proxy, database) = rig.proxy_before_database().await;
    let (_api, url) = rig.processes.clone().with_setting("database.url", &database).api().await;
    let _programs = [rig.processes.worker(), rig.processes.scheduler()];
    let addresses = Addresses::new([url]);
    let reader = rig.reader(&addresses);
    let asked = ask(&rig, &addresses, &proxy, ASKED, TOTAL, false).await;
    // Half of them have no key: the api itself sends them again, under the ids that it chose before the first try.
    assert!(proxy.cuts() >= TOTAL / 2, "answers were cut off: {}", proxy.cuts());
    assert_eq!((asked.tried_again, asked.unknown), (0, 0), "no client saw it: {asked:?}");
    rig.settle(asked, reader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_or_a_claim_whose_commit_got_no_answer_counts_once() {
    const TOTAL: usize = 4;
    let rig = Rig::start(On::Redis).await;
    rig.app.stub.say(Answer::Sql(DRAFT));
    let (proxy, database) = rig.proxy_before_database().await;
    let (_api, url) = rig.processes.api().await;
    let worker = rig.processes.clone().with_setting("database.url", &database).worker();
    let _scheduler = rig.processes.scheduler();
    worker.says("worker is up").await;
    let addresses = Addresses::new([url]);
    let reader = rig.reader(&addresses);
    let mut cuts = Vec::new();
    let mut asked = Asked::default();
    // A program that commits with each statement never says COMMIT.
    for (pattern, surely) in [(ANSWERED, true), (CLAIMED, true), (&b"COMMIT"[..], false)] {
        let before = proxy.cuts();
        asked = asked.and(ask(&rig, &addresses, &proxy, pattern, TOTAL, surely).await);
        cuts.push(proxy.cuts() - before);
    }
    rig.settle(asked, reader).await;
    assert!(cuts[0] > 0 && cuts[1] > 0, "answers were cut off: {cuts:?}");
}
