//! What a database says of a statement before it runs: what that would cost, and whether it would read more than the guard allowed; and
//! the functions that an administrator adds to the guard's own.

use datagenie_tests::{Answer, TestApp, shop};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{COUNT, assert_error, assert_success};

/// 216,000 rows to count: thousands in PostgreSQL's units, 219,660 rows looked at for MariaDB. `COUNT` costs less than 100 in both.
const DEAR: &str = "SELECT count(*) AS n FROM orders a CROSS JOIN orders b CROSS JOIN orders c";

/// Changes a connection, which stays as ready as it was.
async fn change(app: &TestApp, id: Uuid, change: Value) -> Value {
    let changed = app.admin.patch(format!("/v1/connections/{id}"), change).await.expect(200).body;
    assert_eq!(changed["state"], "ready", "{changed}");
    changed
}

async fn run(app: &TestApp, id: Uuid, sql: &str) -> Value {
    app.admin.answer(json!({ "sql": sql, "connection_id": id, "cache": "skip" })).await
}

#[track_caller]
fn assert_rows(answer: &Value, rows: &Value) {
    assert_success(answer);
    assert_eq!(&answer["rows"], rows, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_dearer_than_the_connection_allows_is_refused_with_advice() {
    let app = TestApp::start().await;
    let (pg, mysql) = (app.shop_pg().await, app.shop_mysql().await);
    app.shop_pg_database().await.database.execute("ANALYZE orders").await;
    app.shop_mysql_database().await.execute("ANALYZE TABLE orders").await;
    for id in [pg, mysql] {
        assert_rows(&run(&app, id, DEAR).await, &json!([[shop::ORDERS.pow(3)]]));
        assert_eq!(change(&app, id, json!({ "max_plan_cost": 1000 })).await["max_plan_cost"], json!(1000.0));
        let refused = run(&app, id, DEAR).await;
        assert_error(&refused, "too_costly");
        assert!(refused["error"]["message"].as_str().is_some_and(|message| message.contains("1000")), "{refused}");
        assert!(refused["error"]["hint"].as_str().is_some_and(|hint| hint.contains("filter")), "it says what to do: {refused}");
        assert_rows(&run(&app, id, COUNT).await, &json!([[shop::ORDERS]]));

        // A model is told, and has one more try.
        for answer in [Answer::Sql(DEAR), Answer::Sql(COUNT)] {
            app.stub.say(answer);
        }
        let mended = app.admin.answer(json!({ "question": format!("how many, on {id}?"), "connection_id": id })).await;
        assert_rows(&mended, &json!([[shop::ORDERS]]));
        assert_eq!(mended["provenance"]["attempts"][0]["error"]["code"], "too_costly", "{mended}");

        assert_eq!(change(&app, id, json!({ "description": "as dear" })).await["max_plan_cost"], json!(1000.0), "it stays");
        assert_error(&run(&app, id, DEAR).await, "too_costly");
        assert_eq!(change(&app, id, json!({ "max_plan_cost": null })).await["max_plan_cost"], Value::Null);
        assert_rows(&run(&app, id, DEAR).await, &json!([[shop::ORDERS.pow(3)]]));
    }
    let sqlite = app.shop_sqlite().await;
    change(&app, sqlite, json!({ "max_plan_cost": 0.001 })).await;
    assert_rows(&run(&app, sqlite, COUNT).await, &json!([[shop::ORDERS]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_on_cost_and_the_names_of_functions_are_checked() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let new = |name: &str| json!({ "name": name, "db_type": "sqlite", "config": { "database": "/data/x.sqlite" } });
    let mut body = new("limited");
    (body["max_plan_cost"], body["extra_functions"]) = (json!(0.5), json!(["with_tax", "tax.Rate_of$"]));
    let made = app.admin.post("/v1/connections", body).await.expect(201);
    assert_eq!((&made.body["max_plan_cost"], &made.body["extra_functions"]), (&json!(0.5), &json!(["with_tax", "tax.Rate_of$"])));
    let path = format!("/v1/connections/{}", made.id());

    let many: Vec<String> = (0..1_001).map(|n| format!("f{n}")).collect();
    for (field, value, told) in [
        ("max_plan_cost", json!(0), Some("max_plan_cost")),
        ("max_plan_cost", json!(-1), Some("max_plan_cost")),
        ("max_plan_cost", json!("NaN"), None),
        ("max_plan_cost", json!("1000"), None),
        ("max_plan_cost", json!([1]), None),
        ("extra_functions", json!(["fine", "a.b.c"]), Some("extra_functions[1]")),
        ("extra_functions", json!([""]), Some("extra_functions[0]")),
        ("extra_functions", json!(["tax("]), Some("extra_functions[0]")),
        ("extra_functions", json!(["tax; DROP TABLE orders"]), Some("extra_functions[0]")),
        ("extra_functions", json!(many), Some("extra_functions")),
        ("extra_functions", json!("with_tax"), None),
    ] {
        let mut body = new("wrong");
        body[field] = value.clone();
        for refused in [app.admin.post("/v1/connections", body).await, app.admin.patch(&path, json!({ field: value })).await] {
            let problem = refused.problem(422, "invalid_request");
            assert!(told.is_none_or(|told| problem["errors"][0]["field"] == told), "{field}: {problem}");
        }
    }
    let kept = app.admin.get(&path, None).await.expect(200).body;
    assert_eq!((&kept["max_plan_cost"], &kept["extra_functions"]), (&json!(0.5), &json!(["with_tax", "tax.Rate_of$"])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_added_function_passes_until_it_is_taken_away() {
    let app = TestApp::builder().offline().start().await;
    let (pg, mysql, sqlite) = (app.shop_pg().await, app.shop_mysql().await, app.shop_sqlite().await);
    let function = "CREATE FUNCTION doubled(amount integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT amount * 2'";
    app.shop_pg_database().await.database.execute(function).await;
    let database = app.shop_mysql_database().await;
    database.execute("CREATE FUNCTION doubled(amount int) RETURNS int DETERMINISTIC RETURN amount * 2").await;
    database.execute(format!("GRANT EXECUTE ON FUNCTION doubled TO {}", database.user())).await;
    let statement = "SELECT count(*) AS n FROM orders WHERE doubled(amount) > 50000";
    let expected = shop::orders().iter().filter(|order| order.amount * 2 > 50_000).count();
    assert!((1..60).contains(&expected), "the function decides: {expected}");
    for (id, name, sql, expected) in [
        (pg, "doubled", statement, Some(expected)),
        (pg, "public.doubled", "SELECT count(*) AS n FROM orders WHERE public.doubled(amount) > 50000", Some(expected)),
        (mysql, "Doubled", statement, Some(expected)),
        // It is SQLite's own, and on no list: the lock behind the guard must let it pass as well.
        (sqlite, "sqlite_version", "SELECT sqlite_version() AS v", None),
    ] {
        let refused = run(&app, id, sql).await;
        assert_error(&refused, "sql_refused");
        assert!(refused["error"]["message"].as_str().is_some_and(|message| message.contains("is not on the list")), "{refused}");
        assert_eq!(change(&app, id, json!({ "extra_functions": [name] })).await["extra_functions"], json!([name]));
        let answer = run(&app, id, sql).await;
        assert_success(&answer);
        assert!(expected.is_none_or(|expected| answer["rows"] == json!([[expected]])), "{answer}");
        change(&app, id, json!({ "extra_functions": [] })).await;
        assert_error(&run(&app, id, sql).await, "sql_refused");
    }
}

/// A function that reads another table, which the planner writes into the statement that calls it.
const PEEK: &str = "CREATE TABLE secrets (id integer, word text); INSERT INTO secrets VALUES (1, 'rosebud');
    CREATE FUNCTION peek() RETURNS TABLE (word text) LANGUAGE sql STABLE AS 'SELECT word FROM secrets'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_is_seen_to_read_another_table_is_refused() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_pg().await;
    app.shop_pg_database().await.database.execute(PEEK).await;
    change(&app, id, json!({ "extra_functions": ["peek"] })).await;
    let alice = app.client("alice").await;
    app.permit(id, &alice, json!({ "allowed_tables": ["orders"] })).await;
    for client in [&alice, &app.admin] {
        for sql in ["SELECT * FROM peek()", "SELECT count(*) AS n FROM orders CROSS JOIN peek()"] {
            let refused = client.answer(json!({ "sql": sql, "connection_id": id })).await;
            assert_error(&refused, "sql_refused");
            assert!(refused["error"]["message"].as_str().is_some_and(|message| message.contains("would read more")), "{refused}");
            assert!(!refused.to_string().contains("secrets") && !refused.to_string().contains("rosebud"), "{refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_asked_for_an_opinion_where_none_is_wanted() {
    let app = TestApp::builder().offline().with_setting("sources.second_opinion", "false").start().await;
    let id = app.shop_pg().await;
    app.shop_pg_database().await.database.execute(PEEK).await;
    change(&app, id, json!({ "extra_functions": ["peek"] })).await;
    assert_rows(&run(&app, id, "SELECT * FROM peek()").await, &json!([["rosebud"]]));
    // A limit on cost needs the plan all the same, and looks at nothing else of it.
    change(&app, id, json!({ "max_plan_cost": 1000 })).await;
    assert_rows(&run(&app, id, "SELECT * FROM peek()").await, &json!([["rosebud"]]));
    assert_error(&run(&app, id, DEAR).await, "too_costly");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_relation_is_made_of_may_be_read_with_it() {
    let app = TestApp::builder().offline().start().await;
    let views =
        "CREATE VIEW recent AS SELECT * FROM visits WHERE day >= '2025-01-01'; CREATE VIEW counted AS SELECT count(*) AS n FROM recent";
    let rows = "INSERT INTO visits VALUES (1, '2024-06-01'), (2, '2025-06-01'), (3, '2025-07-01')";
    let pg = format!(
        "CREATE TABLE visits (id integer, day date) PARTITION BY RANGE (day);
         CREATE TABLE visits_2024 PARTITION OF visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
         CREATE TABLE visits_2025 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
         {rows}; {views};
         CREATE TABLE places (id integer); CREATE TABLE far_places () INHERITS (places); INSERT INTO far_places VALUES (1);
         CREATE MATERIALIZED VIEW kept AS SELECT id FROM recent"
    );
    let pg = app.reader(&pg).await;
    let partitioned = "CREATE TABLE visits (id int, day date) PARTITION BY RANGE (YEAR(day)) \
                       (PARTITION early VALUES LESS THAN (2025), PARTITION late VALUES LESS THAN MAXVALUE)";
    let statements: Vec<&str> = [partitioned, rows].into_iter().chain(views.split("; ")).collect();
    let mysql = app.mysql_reader(&statements).await;
    // Else the server explains no statement that reads a view.
    mysql.execute(format!("GRANT SHOW VIEW ON {}.* TO {}", mysql.database, mysql.user())).await;
    let ids = [
        (
            app.connect("made-of-pg", "postgresql", pg.config.clone()).await,
            vec!["SELECT count(*) AS n FROM places", "SELECT count(*) - 1 AS n FROM kept"],
        ),
        (app.connect("made-of-mysql", "mysql", mysql.config.clone()).await, Vec::new()),
    ];
    let alice = app.client("alice").await;
    for (id, more) in ids {
        assert_rows(&run(&app, id, "SELECT count(*) AS n FROM visits").await, &json!([[3]]));
        assert_rows(&run(&app, id, "SELECT count(*) AS n FROM recent").await, &json!([[2]]));
        assert_rows(&run(&app, id, "WITH visits AS (SELECT n FROM counted) SELECT n FROM visits").await, &json!([[2]]));
        for sql in more {
            assert_rows(&run(&app, id, sql).await, &json!([[1]]));
        }
        // Who may read a view may read what it shows of a table that he may not read.
        app.permit(id, &alice, json!({ "allowed_tables": ["counted"] })).await;
        assert_rows(&alice.answer(json!({ "sql": "SELECT n FROM counted", "connection_id": id })).await, &json!([[2]]));
        assert_error(&alice.answer(json!({ "sql": "SELECT id FROM visits", "connection_id": id })).await, "permission_denied");
    }
}
