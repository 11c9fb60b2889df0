//! Times that come, are missed, or come while an earlier run still goes.

use datagenie_common::clock::Clock;
use datagenie_scheduler::tasks::fire_schedules;
use datagenie_tests::{TestApp, until};
use futures::future::join_all;
use serde_json::json;

use super::{counted, fire, hourly, make, runs, scheduler, states};

async fn quiet() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

/// Ends all jobs, as if they had been done.
async fn end_all(app: &TestApp) {
    sqlx::query("UPDATE jobs SET state = 'succeeded', in_flight = NULL, finished_at = dg_now() WHERE finished_at IS NULL")
        .execute(&app.pool)
        .await
        .expect("the jobs are ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_is_fired_once_by_however_many_schedulers() {
    let app = quiet().await;
    let alice = app.client("alice").await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(make(&alice, hourly("once")).await);
    }
    let now = scheduler(&app, "PT0S");
    fire(&now).await;
    assert!(runs(&alice, ids[0]).await.is_empty(), "its time has not come");
    let later: Vec<_> = (0..4).map(|_| scheduler(&app, "PT1H")).collect();
    join_all(later.iter().flat_map(|one| [fire(one), fire(one)])).await;
    for &id in &ids {
        let all = runs(&alice, id).await;
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0]["state"], "fired");
        let question = alice.get(format!("/v1/questions/{}", all[0]["question_id"].as_str().expect("it asked")), None).await.expect(200);
        assert_eq!((&question.body["question"], &question.body["job_id"]), (&json!("What is new?"), &all[0]["job_id"]));
    }
    let (jobs, told): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM jobs WHERE kind = 'answer_question'), (SELECT count(*) FROM events WHERE type = 'schedule.fired')",
    )
    .fetch_one(&app.pool)
    .await
    .expect("they are counted");
    assert_eq!((jobs, told), (20, 20));
    // A next time that is set back meets the run that is there.
    sqlx::query("UPDATE schedules SET next_run_at = last_fire_time").execute(&app.pool).await.expect("the clocks go back");
    fire(&later[0]).await;
    assert_eq!(runs(&alice, ids[0]).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_steps_over_times_follows_the_catch_up_policy() {
    let app = quiet().await;
    let alice = app.client("alice").await;
    let [skip, once, all] = [make(&alice, hourly("skip")).await, make(&alice, hourly("once")).await, make(&alice, hourly("all")).await];
    // Ten times were missed, and the newest of them half an hour ago.
    let stepped = scheduler(&app, "PT10H");
    fire(&stepped).await;
    assert_eq!(states(&alice, skip).await, counted(&[("skipped", 1)]));
    assert_eq!(states(&alice, once).await, counted(&[("fired", 1), ("skipped", 1)]));
    assert_eq!(states(&alice, all).await, counted(&[("fired", 3), ("skipped", 1)]));
    let skipped = runs(&alice, skip).await;
    assert!(skipped[0]["reason"].as_str().is_some_and(|reason| reason.starts_with("missed")), "{skipped:?}");
    let ahead: bool = sqlx::query_scalar("SELECT bool_and(next_run_at > dg_now() + interval '10 hours') FROM schedules")
        .fetch_one(&app.pool)
        .await
        .expect("it is read");
    assert!(ahead, "the next times are kept, and lie ahead");

    // Back where it was: nothing fires again.
    end_all(&app).await;
    let back = scheduler(&app, "PT1H");
    fire(&back).await;
    assert_eq!(states(&alice, all).await, counted(&[("fired", 3), ("skipped", 1)]));
    // Nor do they rest until the clock is there again: times that were not taken are, when they come, and no other.
    fire_schedules::go_on_from_now(&back).await.expect("they go on");
    fire(&back).await;
    assert_eq!(states(&alice, all).await, counted(&[("fired", 3), ("skipped", 1)]));
    fire(&scheduler(&app, "PT2H")).await;
    assert_eq!(states(&alice, all).await, counted(&[("fired", 4), ("skipped", 1)]));
    assert_eq!(states(&alice, skip).await, counted(&[("skipped", 2)]), "half an hour ago is missed");
    end_all(&app).await;
    fire(&stepped).await;
    assert_eq!(states(&alice, all).await, counted(&[("fired", 4), ("skipped", 2)]), "its newest three had been fired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_still_goes_is_not_doubled_unless_allowed() {
    let app = quiet().await;
    let alice = app.client("alice").await;
    let single = make(&alice, hourly("once")).await;
    let mut body = hourly("once");
    body["allow_overlap"] = json!(true);
    let doubled = make(&alice, body).await;
    fire(&scheduler(&app, "PT1H")).await;
    fire(&scheduler(&app, "PT2H")).await;
    assert_eq!(states(&alice, single).await, counted(&[("fired", 1), ("skipped", 1)]));
    assert!(runs(&alice, single).await[0]["reason"].as_str().is_some_and(|reason| reason.contains("still goes")));
    assert_eq!(states(&alice, doubled).await, counted(&[("fired", 2)]));
    // However many of its times are skipped meanwhile, and however often somebody asks by hand.
    sqlx::query(
        "INSERT INTO schedule_runs (id, schedule_id, fire_time, state) SELECT uuid7(), $1, dg_now() - n * interval '1 minute', 'skipped'
         FROM generate_series(1, 30) n",
    )
    .bind(single)
    .execute(&app.pool)
    .await
    .expect("half an hour of skipped times");
    let asked = alice.post(format!("/v1/schedules/{single}/run"), None).await.expect(202).id();
    fire(&scheduler(&app, "PT3H")).await;
    assert_eq!(states(&alice, single).await, counted(&[("fired", 1), ("skipped", 33)]));
    assert!(runs(&alice, single).await.iter().any(|run| run["id"] == json!(asked) && run["state"] == "skipped"));
    end_all(&app).await;
    fire(&scheduler(&app, "PT4H")).await;
    assert_eq!(states(&alice, single).await, counted(&[("fired", 2), ("skipped", 33)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_owner_may_is_judged_at_its_time() {
    let app = quiet().await;
    let shop = app.shop_sqlite().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    app.grant(shop, &alice).await;
    let mut body = hourly("once");
    body["action"] = json!({ "kind": "question", "question": "How many orders are there?", "connection_id": shop });
    let id = make(&alice, body).await;
    let bobs = make(&bob, hourly("once")).await;
    let sync = make(
        &app.admin,
        json!({ "name": "sync", "cron": "0 * * * *", "catch_up": "once", "action": { "kind": "schema_sync", "connection_id": shop } }),
    )
    .await;
    fire(&scheduler(&app, "PT1H")).await;
    assert_eq!(states(&alice, id).await, counted(&[("fired", 1)]));
    assert_eq!(states(&app.admin, sync).await, counted(&[("fired", 1)]));

    end_all(&app).await;
    let _ = app.admin.delete(format!("/v1/connections/{shop}/permissions/{}", alice.user_id), None).await.expect(204);
    sqlx::query("UPDATE users SET is_active = false WHERE username = 'bob'").execute(&app.pool).await.expect("he is stopped");
    fire(&scheduler(&app, "PT2H")).await;
    let newest = runs(&alice, id).await[0].clone();
    assert_eq!((&newest["state"], &newest["job_id"]), (&json!("refused"), &json!(null)), "{newest}");
    assert_eq!(states(&app.admin, bobs).await, counted(&[("fired", 1), ("refused", 1)]));
    let audited: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action = 'schedule.refused' AND result = 'failure'")
        .fetch_one(&app.pool)
        .await
        .expect("the log is read");
    assert_eq!(audited, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_owner_has_too_much_waiting_is_refused_and_says_so() {
    let app = TestApp::builder().no_worker().no_scheduler().with_setting("limits.waiting_per_user", "1").start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let (crowded, free) = (make(&alice, hourly("once")).await, make(&bob, hourly("once")).await);
    alice.ask(json!({ "question": "What is old?" })).await;
    fire(&scheduler(&app, "PT1H")).await;
    let run = runs(&alice, crowded).await[0].clone();
    assert_eq!(run["state"], "refused", "{run}");
    assert!(run["reason"].as_str().is_some_and(|reason| reason.contains("limits.waiting_per_user")), "{run}");
    assert_eq!(states(&bob, free).await, counted(&[("fired", 1)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_owners_day_or_hour_is_used_up_is_refused_and_says_so() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let (alice, bob) = (app.client("alice").await, app.client("bob").await);
    let (spent, free) = (make(&alice, hourly("once")).await, make(&bob, hourly("once")).await);
    let usage = json!({ "prompt_tokens": 900, "completion_tokens": 100, "cost": 0 });
    // Asked at the time of the firing, so that it is of that day whatever the time of the test is.
    let then = Clock::new(3_600).now();
    let milliseconds = u64::try_from(then.timestamp_millis()).expect("it is after 1970");
    sqlx::query("INSERT INTO query_history (id, user_id, question, query_type, job_id, usage, created_at) VALUES ($1, $2, '', 'general', $1, $3, $4)")
        .bind(uuid::Builder::from_unix_timestamp_millis(milliseconds, &[7; 10]).into_uuid())
        .bind(alice.user_id)
        .bind(usage)
        .bind(then)
        .execute(&app.pool)
        .await
        .expect("it is stored");
    for user in [&alice, &bob] {
        let _ = app.admin.put(format!("/v1/users/{}/limits", user.user_id), json!({ "tokens_per_day": 1_000 })).await.expect(200);
    }
    let carol = app.client("carol").await;
    let hers = [make(&carol, hourly("once")).await, make(&carol, hourly("once")).await];
    let _ = app.admin.put(format!("/v1/users/{}/limits", carol.user_id), json!({ "questions_per_hour": 1 })).await.expect(200);
    fire(&scheduler(&app, "PT1H")).await;
    let runs_of_hers = [runs(&carol, hers[0]).await[0].clone(), runs(&carol, hers[1]).await[0].clone()];
    let refused: Vec<_> = runs_of_hers.iter().filter(|run| run["state"] == "refused").collect();
    assert_eq!(refused.len(), 1, "an hour takes one of them: {runs_of_hers:?}");
    assert!(refused[0]["reason"].as_str().is_some_and(|reason| reason.contains("limits.questions_per_hour")), "{refused:?}");
    let run = runs(&alice, spent).await[0].clone();
    assert_eq!(run["state"], "refused", "{run}");
    assert!(run["reason"].as_str().is_some_and(|reason| reason.contains("limits.tokens_per_day")), "{run}");
    assert_eq!(states(&bob, free).await, counted(&[("fired", 1)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_cant_be_read_is_paused_and_keeps_no_other_from_its_time() {
    let app = quiet().await;
    let alice = app.client("alice").await;
    let (broken, sound) = (make(&alice, hourly("once")).await, make(&alice, hourly("once")).await);
    sqlx::query("UPDATE schedules SET cron = 'a b c d e' WHERE id = $1").bind(broken).execute(&app.pool).await.expect("it is broken");
    fire(&scheduler(&app, "PT1H")).await;
    assert_eq!(states(&alice, sound).await, counted(&[("fired", 1)]));
    assert_eq!(states(&alice, broken).await, counted(&[("refused", 1)]));
    assert_eq!(alice.get(format!("/v1/schedules/{broken}"), None).await.expect(200).body["paused"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduler_that_stands_still_in_the_middle_keeps_nothing_from_the_next() {
    let app = quiet().await;
    let alice = app.client("alice").await;
    let id = make(&alice, hourly("once")).await;
    // What a stopped process leaves: an open transaction that has taken the time, as far as it got.
    let stopped = scheduler(&app, "PT1H");
    let mut tx = stopped.pool.begin().await.expect("a transaction");
    let now = datagenie_common::store::schedules::now(&mut tx).await.expect("the time");
    let due = datagenie_common::store::schedules::due(&mut tx, 10).await.expect("what is due");
    assert_eq!((due.len(), now.timestamp() > 0), (1, true));
    let next = scheduler(&app, "PT1H");
    fire(&next).await;
    assert!(runs(&alice, id).await.is_empty(), "it is at it");
    until(
        || async {
            fire(&next).await;
            (states(&alice, id).await == counted(&[("fired", 1)])).then_some(())
        },
        "the server ends the transaction that stands still, and the time is fired",
    )
    .await;
    assert!(tx.commit().await.is_err(), "the one that wakes up can't finish");
}
