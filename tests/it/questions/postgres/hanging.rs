//! A server that hangs or is cut off, at every point of a statement, and how many sessions it ever sees.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

use datagenie_tests::{DEADLINE, Proxy, TestApp, shop, until};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{AT_WORK, Customer};
use crate::questions::{COUNT, assert_success};

/// Two and a half thousand million rows to count: longer than any test waits, also where nobody stops it.
const LONG: &str = "SELECT count(*) AS n FROM order_items a CROSS JOIN order_items b CROSS JOIN order_items c CROSS JOIN order_items d \
                    CROSS JOIN products e";
/// A row of 5 KB every twentieth of a second, longer than any test waits.
const DRIPPING: &str = "CREATE VIEW dripping AS SELECT g AS n, repeat('x', 5000) AS filler, pg_sleep(0.05) IS NULL AS slept \
                        FROM generate_series(1, 8000) g;";
/// A time limit, in seconds, that is longer than any test waits: where it holds, what ends was ended by something else.
const NO_LIMIT: &str = "300";

/// The shop behind a proxy that can hold everything up.
async fn proxied(app: TestApp) -> (Customer, Proxy) {
    let reader = app.reader(&format!("{}{DRIPPING}", shop::postgres())).await;
    let (host, port) = (reader.config["host"].as_str().expect("a host"), reader.config["port"].as_u64().expect("a port"));
    let port = u16::try_from(port).expect("a port");
    let upstream: SocketAddr = (host, port).to_socket_addrs().expect("the server has an address").next().expect("it has one");
    let proxy = Proxy::start(upstream).await;
    let mut config = reader.config.clone();
    (config["host"], config["port"]) = (json!(proxy.address().ip().to_string()), json!(proxy.address().port()));
    let new = json!({ "name": "proxied", "db_type": "postgresql", "config": config });
    let id = app.admin.post("/v1/connections", new).await.expect(201).id();
    (Customer { app, reader, id }, proxy)
}

async fn ready(customer: &Customer) {
    let connection = customer.app.looked_at(customer.id).await;
    assert_eq!(connection["state"], "ready", "{connection}");
}

async fn cancel(customer: &Customer, question: Uuid) {
    let _ = customer.app.admin.post(format!("/v1/questions/{question}/cancel"), None).await.expect(202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_in_its_handshake_is_unreachable_until_it_speaks() {
    let app = TestApp::builder().offline().no_worker().with_setting("sources.connect_timeout_seconds", "1").start().await;
    let (customer, proxy) = proxied(app).await;
    proxy.stall();
    let _worker = customer.app.start_worker().await;
    let away = customer.app.looked_at(customer.id).await;
    assert_eq!((&away["state"], &away["error"]["code"]), (&json!("unreachable"), &json!("source_unreachable")), "{away}");
    assert!(away["error"]["message"].as_str().is_some_and(|message| message.contains("no answer within 1000 ms")), "{away}");
    proxy.resume();
    let _ = customer.app.admin.post(format!("/v1/connections/{}/test", customer.id), None).await.expect(202);
    let path = format!("/v1/connections/{}", customer.id);
    until(|| async { (customer.app.admin.get(&path, None).await.body["state"] == "ready").then_some(()) }, "it speaks again").await;
    assert_success(&customer.run(COUNT).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_session_that_hangs_or_is_gone_costs_the_question_nothing() {
    let app = TestApp::builder().offline().with_setting("sources.connect_timeout_seconds", "1").start().await;
    let (customer, proxy) = proxied(app).await;
    ready(&customer).await;
    assert_success(&customer.run(COUNT).await);
    proxy.stall();
    let asked = customer.app.admin.ask(customer.statement(COUNT)).await;
    let given_up = || async {
        let sql = "SELECT count(*) FROM job_attempts WHERE error->>'message' LIKE '%no answer within 1000 ms'";
        let told: i64 = sqlx::query_scalar(sql).fetch_one(&customer.app.pool).await.expect("the attempts are read");
        (told > 0).then_some(())
    };
    until(given_up, "the attempt was given up").await;
    proxy.resume();
    assert_success(&customer.app.admin.wait(asked).await);
    // Broken while nobody used them: the next question does not notice.
    proxy.cut();
    let answered = customer.run(COUNT).await;
    assert_success(&answered);
    let job = answered["job_id"].as_str().unwrap_or_default();
    let attempts: i64 = sqlx::query_scalar("SELECT count(*) FROM job_attempts WHERE job_id = $1::uuid")
        .bind(job)
        .fetch_one(&customer.app.pool)
        .await
        .expect("the attempts are read");
    assert_eq!(attempts, 1, "{answered}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_in_the_middle_of_rows_is_given_up_in_time() {
    let app = TestApp::builder().offline().with_setting("query.max_seconds", "2").start().await;
    let (customer, proxy) = proxied(app).await;
    ready(&customer).await;
    let asked = customer.app.admin.ask(customer.statement("SELECT n, filler FROM dripping WHERE NOT slept")).await;
    customer.until_at_work(true, "rows are coming").await;
    proxy.stall();
    let ended = customer.app.admin.wait(asked).await;
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("timeout"), &json!("timeout")), "{ended}");
    customer.until_at_work(false, "the server's own limit ended it").await;
    proxy.resume();
    assert_success(&customer.run(COUNT).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_hangs_ends_the_question_all_the_same() {
    let app = TestApp::builder().offline().with_setting("query.max_seconds", NO_LIMIT).start().await;
    let (customer, proxy) = proxied(app).await;
    ready(&customer).await;
    let asked = customer.app.admin.ask(customer.statement(LONG)).await;
    customer.until_at_work(true, "the statement runs").await;
    proxy.stall();
    cancel(&customer, asked).await;
    let ended = customer.app.admin.wait(asked).await;
    assert_eq!(ended["status"], "cancelled", "{ended}");
    assert!(!customer.sessions(AT_WORK).await.is_empty(), "the server has not heard of it");
    proxy.resume();
    assert_success(&customer.run(COUNT).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_ends_rows_that_are_coming() {
    let app = TestApp::builder().offline().with_setting("query.max_seconds", NO_LIMIT).start().await;
    let (customer, _proxy) = proxied(app).await;
    ready(&customer).await;
    let asked = customer.app.admin.ask(customer.statement("SELECT n, filler FROM dripping WHERE NOT slept")).await;
    customer.until_at_work(true, "rows are coming").await;
    cancel(&customer, asked).await;
    let ended = customer.app.admin.wait(asked).await;
    assert_eq!(ended["status"], "cancelled", "{ended}");
    customer.until_at_work(false, "the server rests").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_is_cut_off_runs_again() {
    let (customer, proxy) = proxied(TestApp::builder().offline().start().await).await;
    ready(&customer).await;
    // Twenty million rows to count: long enough to be seen.
    let sql = "SELECT count(*) AS n FROM order_items a CROSS JOIN order_items b CROSS JOIN order_items c CROSS JOIN products d";
    let asked = customer.app.admin.ask(customer.statement(sql)).await;
    customer.until_at_work(true, "the statement runs").await;
    proxy.cut();
    let answered = customer.app.admin.wait(asked).await;
    assert_success(&answered);
    assert_eq!(answered["rows"], json!([[shop::ITEMS.pow(3) * shop::PRODUCTS]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cut_wire_leaves_behind_on_the_server_is_ended() {
    let app = TestApp::builder().offline().with_setting("query.max_seconds", NO_LIMIT).start().await;
    let (customer, proxy) = proxied(app).await;
    ready(&customer).await;
    let asked = customer.app.admin.ask(customer.statement(LONG)).await;
    customer.until_at_work(true, "the statement runs").await;
    let before = customer.sessions(AT_WORK).await;
    proxy.cut();
    // It is run again, on another session; the first one would count on without anybody to tell the result to.
    until_gone(&customer, &before, "the server hears that nobody waits").await;
    // At once, where it waits for its second attempt.
    let _ = customer.app.admin.post(format!("/v1/questions/{asked}/cancel"), None).await;
    assert_eq!(customer.app.admin.wait(asked).await["status"], "cancelled");
}

/// Waits until none of these sessions is left.
async fn until_gone(customer: &Customer, sessions: &[i32], what: &str) {
    until(|| async { (!customer.sessions("TRUE").await.iter().any(|left| sessions.contains(left))).then_some(()) }, what).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_sessions_end_when_the_connection_is_changed_or_the_worker_stops() {
    let customer = Customer::of(TestApp::builder().offline().start().await, &shop::postgres()).await;
    assert_success(&customer.run(COUNT).await);
    let before = customer.sessions("state = 'idle'").await;
    assert!(!before.is_empty(), "a session is kept for the next question");
    assert_success(&customer.run(COUNT).await);
    assert_eq!(customer.sessions("state = 'idle'").await, before, "which uses it");
    let mut config = customer.reader.config.clone();
    config["pool_size"] = json!(1);
    let _ = customer.app.admin.patch(format!("/v1/connections/{}", customer.id), json!({ "config": config })).await.expect(200);
    ready(&customer).await;
    assert_success(&customer.run(COUNT).await);
    until_gone(&customer, &before, "the sessions of the old configuration end").await;
    let now = customer.sessions("TRUE").await;
    assert!(!now.is_empty());
    customer.app.worker.stop().await;
    until_gone(&customer, &now, "the worker closes its sessions").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_sessions_end_when_the_connection_is_switched_off_or_deleted() {
    let customer = Customer::of(TestApp::builder().offline().start().await, &shop::postgres()).await;
    let path = format!("/v1/connections/{}", customer.id);
    assert_success(&customer.run(COUNT).await);
    let kept = customer.sessions("TRUE").await;
    assert!(!kept.is_empty(), "a session is kept for the next question");
    let _ = customer.app.admin.patch(&path, json!({ "is_active": false })).await.expect(200);
    until_gone(&customer, &kept, "nobody asks again, and the sessions end").await;

    let _ = customer.app.admin.patch(&path, json!({ "is_active": true })).await.expect(200);
    assert_success(&customer.run(COUNT).await);
    let kept = customer.sessions("TRUE").await;
    assert!(!kept.is_empty());
    let _ = customer.app.admin.delete(&path, None).await.expect(204);
    until_gone(&customer, &kept, "the sessions of a deleted connection end").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_has_no_more_sessions_than_its_pool_may_have() {
    let app = TestApp::builder().offline().start().await;
    let reader = app.reader(&shop::postgres()).await;
    let mut config = reader.config.clone();
    (config["pool_size"], config["max_overflow"]) = (json!(1), json!(1));
    let id = app.connect("narrow", "postgresql", config).await;
    let customer = Customer { app, reader, id };
    let mut asked = Vec::new();
    for n in 0..20 {
        let sql =
            format!("SELECT count(*) AS n FROM order_items a CROSS JOIN order_items b CROSS JOIN products c WHERE a.quantity + {n} > -1");
        asked.push(customer.app.admin.ask(customer.statement(&sql)).await);
    }
    let deadline = Instant::now() + DEADLINE;
    let mut most = 0;
    let pending = || async {
        let sql = "SELECT count(*) FROM query_history WHERE status = 'pending'";
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&customer.app.pool).await.expect("the questions are counted");
        count > 0
    };
    while pending().await {
        most = most.max(customer.sessions("TRUE").await.len());
        assert!(Instant::now() < deadline, "the questions do not end");
        sleep(Duration::from_millis(2)).await;
    }
    for question in asked {
        let answer: Value = customer.app.admin.wait(question).await;
        assert_success(&answer);
    }
    assert!((1..=2).contains(&most), "{most} sessions were there at once");
}
