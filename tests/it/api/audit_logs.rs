//! The audit log read: by filters, page by page, as files; and that no line of it is lost.

use datagenie_common::store::audit::{
    self,
    search::{self, Filter, Place, Walk},
};
use datagenie_tests::{Client, TestApp, until};
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{
    Row,
    postgres::PgPoolOptions,
    types::chrono::{DateTime, Utc},
};
use uuid::Uuid;

use crate::bare::BareDatabase;

async fn app() -> TestApp {
    TestApp::builder().no_worker().no_scheduler().start().await
}

async fn found(admin: &Client, query: &str) -> Vec<Value> {
    let page = admin.get(format!("/v1/audit-logs?{query}"), None).await.expect(200).body;
    page["items"].as_array().cloned().unwrap_or_default()
}

async fn count(app: &TestApp, action: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_logs WHERE action = $1")
        .bind(action)
        .fetch_one(&app.pool)
        .await
        .expect("the log is counted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_searched_by_each_filter() {
    let app = TestApp::builder().no_worker().no_scheduler().with_setting("api.trusted_proxies", "127.0.0.8/32").start().await;
    let alice = app.client("alice").await;
    let created = alice.post("/v1/api-keys", json!({ "name": "find me", "scopes": ["read"] })).await.expect(201);
    let request = created.header("x-request-id").to_owned();
    let refused =
        app.anonymous().from_address("127.0.0.7").post("/v1/auth/login", json!({ "username": "alice", "password": "wrong" })).await;
    refused.problem(401, "invalid_credentials");
    // Our proxy says for whom it asks; anybody else may say what he likes.
    for (from, claimed) in [("127.0.0.8", "6.6.6.6, 198.51.100.9"), ("127.0.0.7", "203.0.113.5")] {
        let body = json!({ "username": "alice", "password": "wrong" });
        let login = app.anonymous().from_address(from).request(reqwest::Method::POST, "/v1/auth/login").json(&body);
        app.anonymous().send(login.header("x-forwarded-for", claimed)).await.problem(401, "invalid_credentials");
    }
    let admin = &app.admin;
    let one = found(admin, &format!("request_id={request}")).await;
    assert_eq!(one.len(), 1, "{one:?}");
    let line = &one[0];
    assert_eq!(
        (&line["action"], &line["resource_type"], &line["result"]),
        (&json!("api_key.created"), &json!("api_key"), &json!("success"))
    );
    assert_eq!((&line["user_id"], &line["username"]), (&json!(alice.user_id), &json!("alice")));
    assert_eq!((&line["resource_id"], &line["ip_address"]), (&created.body["id"], &json!("127.0.0.1")));

    for (query, least) in [
        (format!("user_id={}", alice.user_id), 2),
        ("action=api_key.".to_owned(), 1),
        ("action=login".to_owned(), 2),
        ("resource_type=session".to_owned(), 2),
        (format!("resource_id={}", created.id()), 1),
        ("result=failure".to_owned(), 1),
        ("address=127.0.0.7".to_owned(), 2),
        ("address=198.51.100.9&action=login".to_owned(), 1),
        ("address=127.0.0.0/29&result=failure".to_owned(), 1),
        ("q=FIND%20ME".to_owned(), 1),
        ("from=2020-01-01T00:00:00Z".to_owned(), 4),
    ] {
        let lines = found(admin, &query).await;
        assert!(lines.len() >= least, "{query}: {lines:?}");
    }
    for query in [
        "q=nothing-of-this",
        "action=ogin",
        "address=10.0.0.0/8",
        "address=203.0.113.5",
        "address=6.6.6.6",
        "to=2020-01-01T00:00:00Z",
        "result=partial",
        "resource_id=x",
    ] {
        assert_eq!(found(admin, query).await, [json!(null); 0], "{query}");
    }
    for query in [
        "result=king",
        "address=home",
        "user_id=x",
        "from=yesterday",
        "limit=0",
        "limit=1001",
        "cursor=x",
        "format=pdf",
        "format=csv&limit=5",
        "colour=red",
        "q=%00",
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
    ] {
        admin.get(format!("/v1/audit-logs?{query}"), None).await.problem(422, "invalid_request");
    }
    alice.get("/v1/audit-logs", None).await.problem(403, "permission_denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_the_log_miss_and_double_nothing() {
    let app = app().await;
    let admin = &app.admin;
    sqlx::query("INSERT INTO audit_logs (action, resource_type, created_at) SELECT 'page.me', 'test', dg_now() - n / 7 * interval '13 hours' FROM generate_series(1, 100) n")
        .execute(&app.pool)
        .await
        .expect("lines are written");
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(format!("/v1/audit-logs?action=page.me&limit=9{cursor}"), None).await.expect(200).body;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        ids.extend(items.iter().map(|line| (line["created_at"].to_string(), line["id"].to_string())));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(ids.len(), 100);
    let mut distinct = ids.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 100, "none comes twice");

    // All of it at once, as an export reads it: in pieces of any size, across empty weeks and through many lines of one time.
    for limit in [3, 7, 1_000] {
        let filter = Filter { action: Some("page.me".to_owned()), ..Filter::default() };
        let latest = Place { at: DateTime::from_timestamp(6_000_000_000, 0).expect("a time to come"), id: Uuid::nil() };
        let mut walk = Walk::new(filter, DateTime::UNIX_EPOCH, latest);
        let mut walked = Vec::new();
        loop {
            let lines = walk.next(&app.pool, limit).await.expect("it is read").expect("in time");
            assert!(i64::try_from(lines.len()).is_ok_and(|count| count <= limit));
            if lines.is_empty() {
                break;
            }
            walked.extend(lines.into_iter().map(|line| format!("\"{}\"", line.id)));
        }
        assert_eq!(walked, ids.iter().map(|(_, id)| id.clone()).collect::<Vec<_>>(), "{limit} at a time");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_exported_whole_and_without_formulas_and_the_export_is_in_it() {
    let app = app().await;
    sqlx::query(
        "INSERT INTO audit_logs (action, resource_type, resource_id, user_agent, details, created_at)
         SELECT 'bulk.line', 'test', '=HYPERLINK(\"http://x\")', '@cmd', jsonb_build_object('n', n), dg_now() - n * interval '1 second' FROM generate_series(1, 2500) n",
    )
    .execute(&app.pool)
    .await
    .expect("lines are written");
    let csv = app.admin.get("/v1/audit-logs?action=bulk.&format=csv", None).await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv") && csv.header("content-disposition").contains("audit-logs.csv"));
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines.len(), 2501);
    assert!(lines[0].starts_with("created_at,id,user_id"), "{}", lines[0]);
    assert!(lines[1].contains("\"'=HYPERLINK(\"\"http://x\"\")\"") && lines[1].contains(",'@cmd,"), "{}", lines[1]);
    let jsonl = app.admin.get("/v1/audit-logs?action=bulk.&format=jsonl", None).await.expect(200);
    let numbers: Vec<i64> = jsonl
        .text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON")["details"]["n"].as_i64().expect("a number"))
        .collect();
    assert_eq!(numbers, (1..=2500).collect::<Vec<_>>(), "newest first, all of them");
    assert_eq!(count(&app, "audit.exported").await, 2);
    app.client("alice").await.get("/v1/audit-logs?format=csv", None).await.problem(403, "permission_denied");
    assert_eq!(count(&app, "audit.exported").await, 2);
    until(|| async { (count(&app, "access.denied").await == 1).then_some(()) }, "what was refused is in the log").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_looks_only_at_the_months_that_may_hold_what_is_looked_for() {
    let database = BareDatabase::migrated().await;
    // On one connection, whose statements can be explained.
    let pool = PgPoolOptions::new().max_connections(1).connect(&database.url).await.expect("the database answers");
    for generic in [false, true] {
        let mode = if generic { "SET plan_cache_mode = force_generic_plan" } else { "SET plan_cache_mode = force_custom_plan" };
        sqlx::query(mode).execute(&pool).await.expect("it is set");
        let (from, now): (DateTime<Utc>, DateTime<Utc>) =
            sqlx::query_as("SELECT dg_now() - interval '20 seconds', dg_now()").fetch_one(&pool).await.expect("the clock is read");
        let before = Place { at: now, id: Uuid::nil() };
        let lines = search::page(&pool, &Filter::default(), from, before, 10).await.expect("it is searched");
        assert!(lines.is_some_and(|lines| lines.is_empty()));
        let name: String = sqlx::query_scalar(
            "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%FROM audit_logs a LEFT JOIN%' AND statement NOT LIKE '%pg_prepared%'",
        )
        .fetch_one(&pool)
        .await
        .expect("the search is prepared");
        let explain = format!(
            "EXPLAIN EXECUTE {name}(dg_now() - interval '20 seconds', dg_now(), '{}', 10, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
            Uuid::nil()
        );
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&pool).await.expect("it is explained");
        let plan: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)).collect();
        let tables = plan.iter().filter(|line| line.contains(" on audit_logs_2")).count();
        assert!((1..=2).contains(&tables), "this month alone, or at its turn two: {plan:#?}");
        if generic {
            assert!(plan.iter().any(|line| line.contains("Subplans Removed")), "{plan:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_noted_is_not_shown_and_what_was_shown_is_noted() {
    let app = app().await;
    let trail = datagenie_api::trail::Trail::start(app.pool.clone());
    // Nobody can write the log: lines wait in memory until there is no room.
    let mut lock = app.pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.expect("the log is locked");
    let noted = join_all((0..4_500).map(|number| trail.note(line(&app, "try.held", &number.to_string())))).await;
    let held = noted.iter().filter(|noted| noted.is_ok()).count();
    assert!((4_096..4_500).contains(&held), "{held} have a place");
    for refused in noted.iter().filter_map(|noted| noted.as_ref().err()) {
        assert_eq!(refused.code, datagenie_api::error::Code::Unavailable);
    }
    assert_eq!(trail.unstored(), held);
    lock.rollback().await.expect("the log is free");
    trail.stored().await;
    assert_eq!(count(&app, "try.held").await, i64::try_from(held).expect("few"), "each is stored once, and no other");
}

fn line(app: &TestApp, action: &'static str, resource_id: &str) -> audit::Line {
    audit::Line {
        id: Uuid::now_v7(),
        at: DateTime::UNIX_EPOCH,
        origin: audit::Origin::default(),
        user_id: datagenie_common::ids::UserId(app.admin.user_id),
        action,
        resource_type: "test",
        resource_id: Some(resource_id.to_owned()),
        success: true,
        details: json!({}),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stops_stores_what_it_holds() {
    let app = app().await;
    for _ in 0..50 {
        let _ = app.admin.get("/v1/users", None).await.expect(200);
    }
    app.api.stop().await;
    assert_eq!(count(&app, "users.listed").await, 50);
    let lives: Vec<(String, Value)> =
        sqlx::query_as("SELECT action::text, details FROM audit_logs WHERE resource_type = 'api' ORDER BY created_at")
            .fetch_all(&app.pool)
            .await
            .expect("the log is read");
    let told: Vec<_> = lives.iter().map(|(action, details)| (action.as_str(), &details["lost"])).collect();
    assert_eq!(told, [("api.started", &Value::Null), ("api.stopped", &json!(0))], "one that has no end was killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_no_table_takes_does_not_keep_the_others() {
    let app = app().await;
    let trail = datagenie_api::trail::Trail::start(app.pool.clone());
    for line in [line(&app, "try.first", "1"), line(&app, "try.long", &"x".repeat(300)), line(&app, "try.last", "3")] {
        trail.note(line).await.expect("there is room");
    }
    trail.stored().await;
    assert_eq!((count(&app, "try.first").await, count(&app, "try.long").await, count(&app, "try.last").await), (1, 0, 1));
    // Sent again, as after an answer that got lost, a line is there once.
    let again = line(&app, "try.again", "4");
    for _ in 0..2 {
        audit::insert_lines(&app.pool, std::slice::from_ref(&again)).await.expect("it is stored");
    }
    assert_eq!(count(&app, "try.again").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_use_of_a_key_from_an_address_is_in_the_log() {
    let app = app().await;
    let alice = app.client("alice").await;
    let made = alice.post("/v1/api-keys", json!({ "name": "k", "scopes": ["read"] })).await.expect(201);
    let key = app.anonymous().with_token(made.body["key"].as_str().unwrap_or_default());
    let (url, _other) = app.start_api().await;
    for client in [key.clone(), key.clone(), key.at(&url), key.from_address("127.0.0.9"), key.from_address("127.0.0.9").at(&url)] {
        let _ = client.get("/v1/me", None).await.expect(200);
    }
    let lines = found(&app.admin, &format!("action=api_key.first_used_from&resource_id={}", made.id())).await;
    let mut addresses: Vec<&str> = lines.iter().filter_map(|line| line["ip_address"].as_str()).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, ["127.0.0.1", "127.0.0.9"], "{lines:?}");
}
