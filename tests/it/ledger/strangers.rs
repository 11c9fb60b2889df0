//! One row must not stand in the way of all the others: rows of newer programs, rows that somebody has
//! locked, and rows whose end the database refuses.

use datagenie_common::store::ledger::{Beat, claim, sweep};

use super::{LONG, Ledger, SPENT};

impl Ledger {
    /// Makes a job one of a kind that only a newer program knows.
    async fn make_strange(&self, job: datagenie_common::ids::JobId) {
        sqlx::query("UPDATE jobs SET kind = 'future_kind' WHERE id = $1").bind(job.0).execute(&self.pool).await.expect("it is written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_newer_program_are_left_to_it_and_keep_nobody() {
    let ledger = Ledger::new().await;
    let (strange, running, waiting) = (ledger.asked().await.job_id, ledger.asked().await.job_id, ledger.asked().await.job_id);
    ledger.claim(running, SPENT).await.expect("it is due");
    ledger.claim(strange, SPENT).await.expect("it is due");
    ledger.make_strange(strange).await;
    ledger.rung_ago(waiting, 60.0).await;

    let rescued = sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is swept");
    assert_eq!(rescued.rings.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [running]);
    let lane = datagenie_common::model::jobs::Lane::Interactive;
    let rung = sweep::ring_again(&ledger.pool, lane, 5.0, 10).await.expect("it is swept");
    assert_eq!(rung.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [waiting]);
    sweep::expire(&ledger.pool, 10).await.expect("it is swept");
    assert_eq!(ledger.everything(strange).await["job"]["state"], "running", "nothing of it was touched");

    let unclaimed = ledger.asked().await.job_id;
    ledger.make_strange(unclaimed).await;
    assert!(ledger.claim(unclaimed, LONG).await.is_none());
    assert_eq!(ledger.everything(unclaimed).await["job"]["state"], "queued", "a newer worker may claim it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_row_costs_no_other_lease() {
    let ledger = Ledger::new().await;
    let locked = ledger.claim(ledger.asked().await.job_id, LONG).await.expect("it is due").lease;
    let free = ledger.claim(ledger.asked().await.job_id, LONG).await.expect("it is due").lease;
    let lost = ledger.claim(ledger.asked().await.job_id, SPENT).await.expect("it is due").lease;
    sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is rescued");

    let mut other = ledger.pool.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM jobs WHERE id = $1 FOR UPDATE").bind(locked.job_id.0).execute(&mut *other).await.expect("it is locked");
    let beats = [locked, free, lost].map(|lease| Beat { lease, stage: None });
    let held = claim::heartbeat(&ledger.pool, &beats, LONG).await.expect("it is written");
    let renewed = |job| held.iter().find(|held| held.job_id == job).map(|held| held.renewed);
    assert_eq!(renewed(free.job_id), Some(true));
    assert_eq!(renewed(locked.job_id), Some(false), "it is still held, and was not waited for");
    assert_eq!(renewed(lost.job_id), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_be_ended_keeps_no_other_from_its_end() {
    let ledger = Ledger::new().await;
    let (refused, other) = (ledger.asked().await.job_id, ledger.asked().await.job_id);
    for job in [refused, other] {
        ledger.claim(job, SPENT).await.expect("it is due");
    }
    sqlx::query("UPDATE jobs SET attempt = max_attempts").execute(&ledger.pool).await.expect("their attempts are spent");
    let trigger = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.job_id = '{refused}' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$"
    );
    sqlx::query(sqlx::AssertSqlSafe(trigger)).execute(&ledger.pool).await.expect("the function is made");
    sqlx::query("CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()")
        .execute(&ledger.pool)
        .await
        .expect("the trigger is made");

    let rescued = sweep::rescue(&ledger.pool, 0.0, 10).await.expect("it is swept");
    assert_eq!(rescued.ended.iter().map(|ended| ended.job_id).collect::<Vec<_>>(), [other]);
    assert_eq!(ledger.everything(refused).await["job"]["state"], "running", "nothing of its end was kept");
}
