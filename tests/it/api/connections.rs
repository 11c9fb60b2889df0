//! Registering customers' databases: what a look at one finds, and what is never shown.

use datagenie_local::net::free_port;
use datagenie_tests::{TestApp, shop};
use reqwest::Method;
use serde_json::{Value, json};

const SECRET: &str = "only-reads";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_looked_at_and_gets_ready() {
    let app = TestApp::start().await;
    let reader = app.reader(&shop::postgres()).await;
    let body = json!({ "name": " shop ", "description": "the shop", "db_type": "postgresql", "config": reader.config });
    let made = app.admin.post("/v1/connections", body.clone()).await.expect(201);
    assert_eq!((&made.body["state"], &made.body["name"]), (&json!("probing"), &json!("shop")));
    let path = format!("/v1/connections/{}", made.id());
    assert_eq!(made.header("location"), path);
    let ready = app.looked_at(made.id()).await;
    assert_eq!((&ready["state"], &ready["error"], &ready["role_warnings"]), (&json!("ready"), &Value::Null, &json!([])), "{ready}");
    assert!(ready["server_version"].as_str().is_some_and(|version| version.starts_with("PostgreSQL")), "{ready}");
    assert!(ready["last_schema_sync"].is_string());
    app.admin.post("/v1/connections", body).await.problem(409, "name_taken");

    let schema = app.admin.get(format!("{path}/schema"), None).await.expect(200);
    let tables = schema.body["schemas"]["public"].as_object().expect("the schema public is there");
    let names: Vec<&str> = tables.keys().map(String::as_str).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(schema.text.contains("주문 금액"), "comments are read: {}", schema.text);

    // Asked for again, it is read again: what was added meanwhile is there.
    reader.database.execute("CREATE TABLE returns (id integer PRIMARY KEY, order_id integer)").await;
    let job = app.admin.post(format!("{path}/sync"), None).await.expect(202);
    let job_path = job.header("location").to_owned();
    let job = datagenie_tests::until(
        || async {
            let job = app.admin.get(&job_path, None).await.expect(200).body;
            job["finished_at"].is_string().then_some(job)
        },
        "the sync has ended",
    )
    .await;
    assert_eq!((&job["state"], &job["kind"]), (&json!("succeeded"), &json!("sync_schema")));
    let schema = app.admin.get(format!("{path}/schema"), None).await.expect(200).body;
    assert!(schema["schemas"]["public"]["returns"].is_object(), "{schema}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_is_never_shown() {
    let app = TestApp::start().await;
    let reader = app.reader(&shop::postgres()).await;
    let body = json!({ "name": "secret", "db_type": "postgresql", "config": reader.config });
    let made = app.admin.post("/v1/connections", body).await.expect(201);
    let path = format!("/v1/connections/{}", made.id());
    let role = reader.config["username"].as_str().unwrap_or_default().to_owned();
    app.looked_at(made.id()).await;

    let mut shown = vec![made];
    shown.push(app.admin.patch(&path, json!({ "description": "new" })).await.expect(200));
    shown.push(app.admin.post(format!("{path}/test"), None).await.expect(202));
    for read in [path.clone(), "/v1/connections".to_owned(), format!("{path}/schema"), "/v1/jobs".to_owned()] {
        shown.push(app.admin.get(read, None).await.expect(200));
    }
    let mut wrong = reader.config.clone();
    wrong["port"] = json!("not a port");
    shown.push(app.admin.post("/v1/connections", json!({ "name": "w", "db_type": "postgresql", "config": wrong })).await.expect(422));
    wrong["port"] = json!(1);
    wrong["pasword"] = json!(SECRET);
    shown.push(app.admin.post("/v1/connections", json!({ "name": "w", "db_type": "postgresql", "config": wrong })).await.expect(422));
    for reply in shown {
        assert!(!reply.text.contains(SECRET) && !reply.text.contains(&role), "{}", reply.text);
    }
    for (table, column) in [("database_connections", "connection_config"), ("audit_logs", "details"), ("jobs", "payload")] {
        let sql = format!("SELECT coalesce(string_agg({column}::text, ' '), '') FROM {table}");
        let stored: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&app.pool).await.expect("the table is read");
        assert!(!stored.contains(SECRET), "{table} holds the password");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_can_write_is_refused_until_an_administrator_says_otherwise() {
    let app = TestApp::start().await;
    let reader = app.reader(&shop::postgres()).await;
    let role = reader.config["username"].as_str().unwrap_or_default();
    reader.database.execute(format!("GRANT INSERT ON orders TO {role}")).await;
    let body = json!({ "name": "writes", "db_type": "postgresql", "config": reader.config });
    let id = app.admin.post("/v1/connections", body).await.expect(201).id();
    let refused = app.looked_at(id).await;
    assert_eq!((&refused["state"], &refused["error"]["code"]), (&json!("refused"), &json!("source_refused")), "{refused}");
    assert!(refused["role_warnings"].to_string().contains("orders"), "it says what could be changed: {refused}");
    let ask = json!({ "question": "how many are there?", "connection_id": id });
    let told = app.admin.post("/v1/questions", ask.clone()).await;
    assert!(told.problem(409, "connection_not_ready")["detail"].to_string().contains("orders"), "{}", told.text);

    // Others are not told of what: they may not see all tables.
    let path = format!("/v1/connections/{id}");
    let alice = app.client("alice").await;
    app.permit(id, &alice, json!({ "allowed_tables": ["products"] })).await;
    let seen = alice.get(&path, None).await.expect(200);
    assert_eq!((&seen.body["error"]["code"], &seen.body["is_readonly"]), (&json!("source_refused"), &json!(false)), "{}", seen.text);
    let listed = alice.get("/v1/connections", None).await.expect(200);
    let told = alice.post("/v1/questions", ask).await;
    told.problem(409, "connection_not_ready");
    for reply in [seen, listed, told] {
        assert!(!reply.text.contains("orders"), "{}", reply.text);
    }

    let patched = app.admin.patch(&path, json!({ "allow_writable_role": true })).await.expect(200);
    assert_eq!(patched.body["state"], "probing", "it is looked at anew");
    let ready = app.looked_at(id).await;
    assert_eq!(ready["state"], "ready", "{ready}");
    assert!(ready["role_warnings"].to_string().contains("orders"), "it stays marked: {ready}");
    assert_eq!(alice.get(&path, None).await.expect(200).body["role_warnings"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_unreachable_until_a_test_finds_it() {
    let app = TestApp::start().await;
    let reader = app.reader(&shop::postgres()).await;
    let mut config = reader.config.clone();
    config["port"] = json!(free_port().expect("a free port"));
    let id = app.admin.post("/v1/connections", json!({ "name": "away", "db_type": "postgresql", "config": config })).await.expect(201).id();
    let away = app.looked_at(id).await;
    assert_eq!((&away["state"], &away["error"]["code"]), (&json!("unreachable"), &json!("source_unreachable")), "{away}");
    let path = format!("/v1/connections/{id}");
    app.admin.get(format!("{path}/schema"), None).await.problem(409, "connection_not_ready");

    // A new configuration is looked at by itself.
    let patched = app.admin.patch(&path, json!({ "config": reader.config })).await.expect(200);
    assert_eq!(patched.body["state"], "probing");
    assert_eq!(app.looked_at(id).await["state"], "ready");

    let mut wrong = reader.config.clone();
    wrong["database"] = json!("no_such_database");
    let _ = app.admin.patch(&path, json!({ "config": wrong })).await.expect(200);
    let refused = app.looked_at(id).await;
    assert_eq!((&refused["state"], &refused["error"]["code"]), (&json!("refused"), &json!("source_refused")), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_must_lie_below_a_configured_folder() {
    let app = TestApp::start().await;
    let outside = app.folder().join("outside.sqlite");
    std::fs::write(&outside, b"").expect("a file is written");
    let inside = |name: &str| app.sqlite_folder().join(name).display().to_string();
    let paths = [outside.display().to_string(), "/etc/passwd".to_owned(), inside("gone.sqlite")];
    for (number, path) in paths.into_iter().enumerate() {
        let body = json!({ "name": format!("file-{number}"), "db_type": "sqlite", "config": { "database": path } });
        let id = app.admin.post("/v1/connections", body).await.expect(201).id();
        assert_eq!(app.looked_at(id).await["state"], "refused", "{path}");
    }
    let relative = json!({ "name": "relative", "db_type": "sqlite", "config": { "database": "shop.sqlite" } });
    app.admin.post("/v1/connections", relative).await.problem(422, "invalid_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_connection_is_unknown_and_its_questions_stay() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_sqlite().await;
    let path = format!("/v1/connections/{id}");
    let question = app.admin.answer(json!({ "sql": "SELECT name FROM customers ORDER BY id LIMIT 1", "connection_id": id })).await;
    assert_eq!(question["status"], "success", "{question}");
    let reply = app.admin.get(&path, None).await.expect(200);
    let same = app.admin.request(Method::GET, &path).header("if-none-match", reply.header("etag"));
    let _ = app.admin.send(same).await.expect(304);

    let _ = app.admin.delete(&path, None).await.expect(204);
    for gone in [path.clone(), format!("{path}/schema")] {
        app.admin.get(gone, None).await.problem(404, "not_found");
    }
    app.admin.delete(&path, None).await.problem(404, "not_found");
    let question_path = format!("/v1/questions/{}", question["id"].as_str().unwrap_or_default());
    let kept = app.admin.get(&question_path, None).await.expect(200).body;
    assert_eq!((&kept["rows"], &kept["error"]["code"]), (&json!([]), &json!("permission_denied")), "its rows are not readable: {kept}");
    app.admin.get(format!("{question_path}/result"), None).await.problem(403, "permission_denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registering_twice_with_one_key_makes_one_connection() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let send = |name: &str| {
        let body = json!({ "name": name, "db_type": "sqlite", "config": { "database": "/data/x.sqlite" } });
        app.admin.send(app.admin.request(Method::POST, "/v1/connections").header("idempotency-key", "c-1").json(&body))
    };
    let first = send("one").await.expect(201);
    assert_eq!(send("one").await.expect(201).id(), first.id());
    send("two").await.problem(422, "idempotency_key_reused");
    for (field, value) in [("name", json!("")), ("max_connections", json!(0)), ("db_type", json!("oracle")), ("config", json!({}))] {
        let mut body = json!({ "name": "three", "db_type": "postgresql", "config": { "host": "h", "port": 1, "database": "d", "username": "u", "password": "p" } });
        body[field] = value;
        app.admin.post("/v1/connections", body).await.problem(422, "invalid_request");
    }
}
