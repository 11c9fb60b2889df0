//! The account that the other tests end with: it finds what it is there to find.

use std::time::Duration;

use datagenie_tests::{Addresses, Answer, Asker, Conservation, DEADLINE, EventReader, Plan, Standing, TestApp};
use uuid::Uuid;

use super::{COUNT_ORDERS, question};

/// Does something to what is stored that no program of ours may do.
async fn spoil(app: &TestApp, sql: &'static str, question: Uuid) {
    let done = sqlx::query(sql).bind(question).execute(&app.pool).await.expect("the database lets it happen");
    assert_eq!(done.rows_affected(), 1, "{sql}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_loss_and_every_double_is_found() {
    let app = TestApp::builder().no_scheduler().start().await;
    let shop = app.shop_pg().await;
    app.stub.say(Answer::Sql(COUNT_ORDERS));
    let mut ids = Vec::new();
    for number in 0..4 {
        let id = app.admin.ask(question(shop, number)).await;
        app.admin.wait(id).await;
        ids.push(id);
    }
    let sound = Standing::of(&app.pool, &ids).await.expect("the tables are read");
    assert_eq!((sound.faults(), sound.accepted, sound.succeeded), (Vec::new(), 4, 4), "{sound:?}");

    spoil(&app, "DELETE FROM events WHERE subject = $1::text", ids[0]).await;
    spoil(&app, "INSERT INTO analysis_results (query_history_id, job_id) VALUES ($1, gen_random_uuid())", ids[1]).await;
    let revived = "UPDATE jobs SET state = 'running', finished_at = NULL, in_flight = true, lease_id = gen_random_uuid(),
                   lease_until = dg_now() + interval '1 hour', attempt = max_attempts + 1 WHERE subject_id = $1";
    spoil(&app, revived, ids[2]).await;
    spoil(&app, "DELETE FROM analysis_results WHERE query_history_id = $1", ids[3]).await;
    let spoilt = Standing::of(&app.pool, &[ids[0], Uuid::nil()]).await.expect("the tables are read");
    assert_eq!((spoilt.lost, spoilt.without_event, spoilt.doubled_results, spoilt.without_result), (1, 1, 1, 1), "{spoilt:?}");
    assert_eq!((spoilt.open, spoilt.leases, spoilt.wrong_events, spoilt.contradictions, spoilt.overspent), (1, 1, 1, 1, 1), "{spoilt:?}");
    assert_eq!(spoilt.faults().len(), 9, "{:?}", spoilt.faults());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_stored_and_never_heard_is_found() {
    let app = TestApp::builder().no_scheduler().start().await;
    app.stub.say(Answer::Text("an answer"));
    let addresses = Addresses::new([app.url.as_str()]);
    let (client, pause) = (app.admin.clone(), Duration::ZERO);
    let plan = Plan { client, addresses: addresses.clone(), connection: None, at_once: 2, pause, total: Some(6) };
    // Alice hears of her own questions alone, and these are the administrator's.
    let (admin, alice) = (EventReader::start(&app.admin, &addresses), EventReader::start(&app.client("alice").await, &addresses));
    let asked = Asker::start(plan).finish().await;
    Conservation::of(&app.pool, asked, admin, DEADLINE).await.expect("the tables are read").assert_all_answered();
    let heard = alice.compare(&app.pool, Duration::from_millis(200)).await.expect("the tables are read");
    assert_eq!((heard.stored, heard.heard, heard.missing), (6, 0, 6), "{heard:?}");
    assert_eq!(heard.faults(), ["6 events were never heard"]);
}
