//! What waits is let in by windows: fair and bounded (invariant 8).

use std::collections::BTreeSet;

use datagenie_common::{
    ids::{BatchId, JobId, LeaseId, UserId},
    jobs::JobKind,
    model::jobs::Lane,
    store::ledger::{
        Flow, NewJob, Submitted,
        admit::{self, Window},
        claim, intake, pauses,
    },
};
use futures::future::join_all;
use serde_json::json;

use super::{INTERACTIVE, LONG, Ledger, add_user, answered, question_of};

impl Ledger {
    /// Lets the next jobs of a user in, as far as a window of this size has room.
    pub(super) async fn let_in(&self, user_id: UserId, size: u32) -> Vec<JobId> {
        self.let_in_lane(INTERACTIVE, user_id, size).await
    }

    async fn let_in_lane(&self, lane: Lane, user_id: UserId, size: u32) -> Vec<JobId> {
        let window = Window { flow: Flow { lane, user_id }, size };
        let rings = admit::admit(&self.pool, &[window], 8).await.expect("they are let in");
        rings.into_iter().map(|ring| ring.job_id).collect()
    }

    async fn submit_within(&self, user: UserId, count: usize, window: u32) -> Vec<JobId> {
        let slice: Vec<_> = (0..count).map(|_| question_of(user)).collect();
        intake::submit(&self.pool, &slice, window).await.expect("it is stored");
        slice.into_iter().map(|question| question.job_id).collect()
    }

    async fn in_flight(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM jobs WHERE in_flight").fetch_one(&self.pool).await.expect("they are counted")
    }

    /// A job of a batch.
    async fn add_to_batch(&self, batch: BatchId) -> JobId {
        self.add(JobKind::AnswerQuestion, Some(batch)).await
    }

    async fn add(&self, kind: JobKind, batch_id: Option<BatchId>) -> JobId {
        let id = JobId::new();
        let job = NewJob {
            id,
            kind,
            user_id: self.user,
            connection_id: None,
            batch_id,
            subject_id: None,
            replay_of: None,
            deadline_seconds: LONG,
            run_seconds: None,
            max_attempts: 1,
            payload: json!({ "v": 1 }),
            traceparent: None,
        };
        let mut conn = self.pool.acquire().await.expect("a connection");
        intake::insert(&mut conn, &job).await.expect("it is stored");
        id
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_lets_in_as_many_as_the_window_has_room_for() {
    let ledger = Ledger::new().await;
    let slice: Vec<_> = (0..5).map(|_| ledger.question()).collect();
    let taken = intake::submit(&ledger.pool, &slice, 3).await.expect("it is stored");
    let rung: Vec<bool> = taken.outcomes.iter().map(|outcome| matches!(outcome, Submitted::New { rung: true })).collect();
    assert_eq!(rung, [true, true, true, false, false], "in their order");
    let states: Vec<String> =
        sqlx::query_scalar("SELECT state FROM jobs ORDER BY id").fetch_all(&ledger.pool).await.expect("they are read");
    assert_eq!(states, ["queued", "queued", "queued", "waiting", "waiting"]);
    // Others are not kept waiting by it.
    let other = add_user(&ledger.pool, "other").await;
    let taken = intake::submit(&ledger.pool, &[question_of(other)], 3).await.expect("it is stored");
    assert_eq!(taken.outcomes, [Submitted::New { rung: true }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_overtakes_his_own_waiting_questions() {
    let ledger = Ledger::new().await;
    let jobs = ledger.submit_within(ledger.user, 3, 2).await;
    let claimed = ledger.claim(jobs[0], LONG).await.expect("it was let in");
    datagenie_common::store::ledger::finish::finish(&ledger.pool, claimed.lease, None, &answered()).await.expect("it is written");
    // There is room for one, and the third waits for it.
    let late = ledger.question();
    let taken = intake::submit(&ledger.pool, std::slice::from_ref(&late), 2).await.expect("it is stored");
    assert_eq!(
        (taken.outcomes, taken.let_in),
        (vec![Submitted::New { rung: false }], vec![ledger.user]),
        "its owner's next ones are to be let in"
    );
    assert_eq!(ledger.let_in(ledger.user, 2).await, [jobs[2]]);
    assert_eq!(ledger.let_in(ledger.user, 2).await, [], "the window is full");
    assert_eq!(ledger.let_in(ledger.user, 3).await, [late.job_id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_hold_however_many_let_in_at_once() {
    let ledger = Ledger::new().await;
    let jobs = ledger.submit_within(ledger.user, 60, 0).await;
    assert_eq!(ledger.in_flight().await, 0);
    let rounds = join_all((0..12).map(|_| ledger.let_in(ledger.user, 10))).await;
    let let_in: Vec<JobId> = rounds.into_iter().flatten().collect();
    assert_eq!(let_in.len(), 10);
    assert_eq!(
        let_in.into_iter().collect::<BTreeSet<_>>(),
        jobs[..10].iter().copied().collect::<BTreeSet<_>>(),
        "the first ones, each once"
    );
    assert_eq!(ledger.in_flight().await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_serves_many_owners_each_within_his_window() {
    let ledger = Ledger::new().await;
    let mut users = Vec::new();
    for n in 0..4 {
        let user = add_user(&ledger.pool, &format!("user-{n}")).await;
        ledger.submit_within(user, 6, 1).await;
        users.push(user);
    }
    let windows: Vec<Window> = users.iter().map(|&user_id| Window { flow: Flow { lane: INTERACTIVE, user_id }, size: 3 }).collect();
    assert_eq!(admit::admit(&ledger.pool, &windows, 8).await.expect("they are let in").len(), 4 * 2);
    let each: Vec<i64> = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE in_flight GROUP BY user_id")
        .fetch_all(&ledger.pool)
        .await
        .expect("they are counted");
    assert_eq!(each, [3; 4]);
    let mut owners = admit::owners(&ledger.pool, INTERACTIVE, None, 3).await.expect("they are read");
    assert_eq!(owners.len(), 3);
    owners.extend(admit::owners(&ledger.pool, INTERACTIVE, owners.last().copied(), 3).await.expect("they are read"));
    users.sort();
    assert_eq!(owners, users, "the round goes on where it stopped");
    assert!(admit::owners(&ledger.pool, Lane::Bulk, None, 3).await.expect("they are read").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_one_owner_take_turns_within_windows_of_their_own() {
    let ledger = Ledger::new().await;
    let (first, second) = (BatchId::new(), BatchId::new());
    let mut of_first = BTreeSet::new();
    for _ in 0..30 {
        of_first.insert(ledger.add_to_batch(first).await);
    }
    let mut of_second = BTreeSet::new();
    for _ in 0..5 {
        of_second.insert(ledger.add_to_batch(second).await);
    }
    let some: BTreeSet<_> = ledger.let_in_lane(Lane::Bulk, ledger.user, 6).await.into_iter().collect();
    assert_eq!((some.intersection(&of_first).count(), some.intersection(&of_second).count()), (3, 3), "they take turns");
    // The window of a batch is 8 here, that of the owner has room for more.
    let more: BTreeSet<_> = ledger.let_in_lane(Lane::Bulk, ledger.user, 100).await.into_iter().collect();
    assert_eq!((more.intersection(&of_first).count(), more.intersection(&of_second).count()), (5, 2));
    assert_eq!(ledger.let_in(ledger.user, 100).await, [], "in a lane of their own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_to_a_slow_or_dead_target_leave_slots_to_the_others() {
    let ledger = Ledger::new().await;
    sqlx::query(
        "INSERT INTO webhook_endpoints (id, user_id, url, events, secret, failing_since)
         SELECT md5(n::text)::uuid, $1, 'https://' || n || '.example/', ARRAY[n], '{}', CASE n WHEN 'dead' THEN dg_now() END
         FROM unnest(ARRAY['sound', 'dead']) n",
    )
    .bind(ledger.user.0)
    .execute(&ledger.pool)
    .await
    .expect("two endpoints");
    // Thirty events for each of them, the dead one's first, and then three callbacks.
    sqlx::query(
        "SELECT tell_webhooks(n, gen_random_uuid(), t, $1, c) FROM generate_series(1, 30) n, LATERAL (VALUES ('dead', NULL), ('sound', NULL)) k(t, c)
         UNION ALL SELECT tell_webhooks(100 + n, gen_random_uuid(), 'none', $1, 'https://' || u || n) FROM generate_series(1, 9) n, unnest(ARRAY['one.example/']) u",
    )
    .bind(ledger.user.0)
    .execute(&ledger.pool)
    .await
    .expect("they are told");
    let in_flight = || async {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT d.event_type, count(*) FROM jobs j JOIN webhook_deliveries d ON d.id = j.subject_id WHERE j.in_flight GROUP BY 1 ORDER BY 1",
        )
        .fetch_all(&ledger.pool)
        .await
        .expect("they are counted");
        rows.into_iter().map(|(target, count)| format!("{target} {count}")).collect::<Vec<_>>().join(", ")
    };
    ledger.let_in_lane(Lane::Webhook, ledger.user, 16).await;
    assert_eq!(in_flight().await, "dead 2, none 7, sound 7", "an eighth for the dead one; the others take turns");
    // The last word of the dead one was a success: it is as good as the other, and neither takes it all.
    sqlx::query("UPDATE webhook_endpoints SET failing_since = NULL").execute(&ledger.pool).await.expect("it is well again");
    sqlx::query("UPDATE jobs SET state = 'waiting', in_flight = false WHERE batch_id = md5('dead')::uuid AND in_flight")
        .execute(&ledger.pool)
        .await
        .expect("they wait again");
    sqlx::query("UPDATE jobs SET state = 'succeeded', in_flight = NULL, finished_at = dg_now() WHERE batch_id <> md5('dead')::uuid")
        .execute(&ledger.pool)
        .await
        .expect("the others have ended");
    ledger.let_in_lane(Lane::Webhook, ledger.user, 16).await;
    assert_eq!(in_flight().await, "dead 14", "some are left to who comes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_due_or_paused_is_not_let_in() {
    let ledger = Ledger::new().await;
    let jobs = ledger.submit_within(ledger.user, 2, 0).await;
    sqlx::query("UPDATE jobs SET run_at = dg_now() + interval '1 hour' WHERE id = $1")
        .bind(jobs[0].0)
        .execute(&ledger.pool)
        .await
        .expect("it is put off");
    sqlx::query("INSERT INTO queue_pauses (name) VALUES ('answer_question')").execute(&ledger.pool).await.expect("it is paused");
    assert_eq!(ledger.let_in(ledger.user, 9).await, []);
    let taken = intake::submit(&ledger.pool, &[ledger.question()], 9).await.expect("it is stored");
    assert_eq!((taken.outcomes, taken.let_in), (vec![Submitted::New { rung: false }], vec![]));
    assert!(ledger.claim(jobs[1], LONG).await.is_none(), "a bell that was rung before finds nothing");
    sqlx::query("DELETE FROM queue_pauses").execute(&ledger.pool).await.expect("it goes on");
    assert_eq!(ledger.let_in(ledger.user, 1).await, [jobs[1]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_counted_up_to_a_bound() {
    let ledger = Ledger::new().await;
    ledger.submit_within(ledger.user, 20, 4).await;
    let other = add_user(&ledger.pool, "other").await;
    let jobs = ledger.submit_within(other, 5, 4).await;
    ledger.claim(jobs[0], LONG).await.expect("it was let in");
    assert_eq!(admit::waiting(&ledger.pool, Some(other), 100).await.expect("they are counted"), 4, "one runs");
    assert_eq!(admit::waiting(&ledger.pool, None, 1000).await.expect("they are counted"), 24);
    assert!((8..=14).contains(&admit::waiting(&ledger.pool, Some(ledger.user), 10).await.expect("they are counted")), "not to the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_rung_before_its_kind_was_paused_leaves_its_places_to_other_kinds() {
    let ledger = Ledger::new().await;
    let asked: BTreeSet<JobId> = ledger.submit_within(ledger.user, 2, 2).await.into_iter().collect();
    let analysis = ledger.add(JobKind::AnalyseFile, None).await;
    assert_eq!(pauses::unring_paused(&ledger.pool).await.expect("nothing is paused"), 0);
    sqlx::query("INSERT INTO queue_pauses (name) VALUES ('answer_question')").execute(&ledger.pool).await.expect("it is paused");
    assert_eq!(ledger.let_in(ledger.user, 2).await, [], "the questions hold both places");
    assert_eq!(pauses::unring_paused(&ledger.pool).await.expect("they wait again"), 2);
    assert_eq!(ledger.let_in(ledger.user, 2).await, [analysis]);
    assert_eq!(pauses::unring_paused(&ledger.pool).await.expect("it is done"), 0, "other kinds stay rung");
    sqlx::query("DELETE FROM queue_pauses").execute(&ledger.pool).await.expect("it is resumed");
    assert_eq!(ledger.let_in(ledger.user, 3).await.into_iter().collect::<BTreeSet<_>>(), asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submissions_of_several_apis_at_once_do_not_fill_a_window_twice() {
    let ledger = Ledger::new().await;
    let slices: Vec<Vec<_>> = (0..12).map(|_| (0..4).map(|_| ledger.question()).collect()).collect();
    let taken = join_all(slices.iter().map(|slice| intake::submit(&ledger.pool, slice, 10))).await;
    assert!(taken.iter().all(Result::is_ok));
    assert!(ledger.in_flight().await <= 10, "{}", ledger.in_flight().await);
    // Who was not at the window is let in later.
    ledger.let_in(ledger.user, 10).await;
    assert_eq!(ledger.in_flight().await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_leaving_takes_no_room_of_its_owners_nor_of_its_batchs() {
    let ledger = Ledger::new().await;
    let batch = BatchId::new();
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(ledger.add_to_batch(batch).await);
    }
    let window = Window { flow: Flow { lane: Lane::Bulk, user_id: ledger.user }, size: 2 };
    let next = async |leaving: &[JobId], batch_window: u32| {
        let claimed = claim::claim_next(&ledger.pool, &[(window, 1)], leaving, batch_window, &[LeaseId::new()], "worker-1", LONG).await;
        claimed.expect("it is decided").into_iter().map(|claimed| claimed.lease.job_id).collect::<Vec<_>>()
    };
    assert_eq!(next(&[], 1).await, [jobs[0]]);
    assert_eq!(next(&[], 1).await, [], "the batch has no more room");
    assert_eq!(next(&[jobs[0]], 1).await, [jobs[1]], "what is leaving takes none of the batch's");
    assert_eq!(next(&[], 8).await, [], "the owner has no more room");
    assert_eq!(next(&[jobs[0]], 8).await, [jobs[2]], "what is leaving takes none of the owner's");
    assert_eq!(next(&[jobs[0]], 8).await, [], "two are under way, and are not leaving");
}
