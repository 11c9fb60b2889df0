//! Masks of columns: who sets them, what they may name, what they hide, and from when on.

use datagenie_tests::{Answer, Client, Reply, TestApp, shop, until};
use serde_json::{Value, json};
use uuid::Uuid;

/// The shop in every engine: its connection, and the schema of its tables.
async fn shops(app: &TestApp) -> [(Uuid, String); 3] {
    let (pg, sqlite, mysql) = (app.shop_pg().await, app.shop_sqlite().await, app.shop_mysql().await);
    let database = app.shop_mysql_database().await.database.clone();
    [(pg, "public".to_owned()), (sqlite, "main".to_owned()), (mysql, database)]
}

fn path(id: Uuid) -> String {
    format!("/v1/connections/{id}/masks")
}

/// A mask of a column of `customers`.
fn mask(column: &str, kind: &str) -> Value {
    json!({ "table": "customers", "column": column, "kind": kind })
}

/// The same mask with another value of this field.
fn changed(mask: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut mask = mask.clone();
    mask[field] = value.into();
    mask
}

async fn put(app: &TestApp, id: Uuid, masks: &Value) -> Reply {
    app.admin.put(path(id), json!({ "masks": masks })).await
}

/// Sets masks: what there is then, masked and proposed.
async fn set(app: &TestApp, id: Uuid, masks: &Value) -> Value {
    put(app, id, masks).await.expect(200).body
}

/// The columns of a list of masks, as `table.column kind`.
fn named(masks: &Value) -> Vec<String> {
    let text = |mask: &Value, field: &str| mask[field].as_str().unwrap_or_default().to_owned();
    let named = |mask: &Value| format!("{}.{} {}", text(mask, "table"), text(mask, "column"), text(mask, "kind"));
    masks.as_array().expect("masks are a list").iter().map(named).collect()
}

/// The columns of `customers`, as somebody sees them, and all that he sees of the schema.
async fn customers(client: &Client, id: Uuid, schema: &str) -> (Value, String) {
    let seen = client.get(format!("/v1/connections/{id}/schema"), None).await.expect(200);
    (seen.body["schemas"][schema]["customers"]["columns"].clone(), seen.text)
}

async fn run(client: &Client, id: Uuid, sql: &str) -> Value {
    client.answer(json!({ "sql": sql, "connection_id": id })).await
}

#[track_caller]
fn assert_rows(answer: &Value, rows: &Value) {
    assert_eq!((&answer["status"], &answer["rows"]), (&json!("success"), rows), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_administrators_see_and_set_masks() {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_sqlite().await;
    let (alice, viewer) = (app.client("alice").await, app.client("viewer-vera").await);
    app.grant(id, &alice).await;
    app.grant(id, &viewer).await;
    let other = json!({ "name": "other", "db_type": "sqlite", "config": { "database": "/data/other.sqlite" } });
    let other = app.admin.post("/v1/connections", other).await.expect(201).id();
    let key = async |body: Value| {
        let made = app.admin.post("/v1/api-keys", body).await.expect(201);
        app.admin.with_token(made.body["key"].as_str().expect("the key is shown"))
    };
    let without_scope = key(json!({ "name": "manages", "scopes": ["read", "ask", "manage"] })).await;
    let elsewhere = key(json!({ "name": "elsewhere", "scopes": ["admin"], "connections": [other] })).await;
    let body = json!({ "masks": [mask("email", "email")] });
    for (client, status, code) in [
        (app.anonymous(), 401, "unauthenticated"),
        (alice, 403, "permission_denied"),
        (viewer, 403, "permission_denied"),
        (without_scope, 403, "permission_denied"),
        (elsewhere, 404, "not_found"),
    ] {
        client.get(path(id), None).await.problem(status, code);
        client.put(path(id), body.clone()).await.problem(status, code);
    }
    let unknown = Uuid::now_v7();
    app.admin.get(path(unknown), None).await.problem(404, "not_found");
    app.admin.put(path(unknown), body.clone()).await.problem(404, "not_found");
    assert_eq!(app.admin.get(path(id), None).await.expect(200).body["masks"], json!([]), "nobody of them has set any");

    let key = key(json!({ "name": "masks", "scopes": ["admin"] })).await;
    assert_eq!(named(&key.put(path(id), body).await.expect(200).body["masks"]), ["customers.email email"]);
    assert_eq!(named(&key.get(path(id), None).await.expect(200).body["masks"]), ["customers.email email"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mask_must_be_on_a_column_of_the_catalogue() {
    let app = TestApp::builder().offline().start().await;
    for (id, schema) in shops(&app).await {
        let (email, phone) = (mask("email", "email"), mask("phone", "phone"));
        for (wrong, field) in [
            (changed(&phone, "column", "nothing"), "masks[1].column"),
            (changed(&phone, "table", "nowhere"), "masks[1].table"),
            (changed(&phone, "schema", "nowhere"), "masks[1].schema"),
            (email.clone(), "masks[1]"),
            (changed(&changed(&email, "kind", "name"), "schema", schema.clone()), "masks[1]"),
        ] {
            let refused = put(&app, id, &json!([email, wrong])).await;
            let problem = refused.problem(422, "invalid_request");
            assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        }
        for wrong in [
            changed(&phone, "kind", "fingerprint"),
            changed(&phone, "exempt_roles", json!(["chief"])),
            changed(&phone, "colour", "red"),
            json!({ "column": "phone", "kind": "phone" }),
            json!("customers.phone"),
        ] {
            put(&app, id, &json!([email, wrong])).await.problem(422, "invalid_request");
        }
        let many: Vec<Value> = (0..10_001).map(|n| mask(&format!("c{n}"), "name")).collect();
        let refused = put(&app, id, &json!(many)).await;
        assert_eq!(refused.problem(422, "invalid_request")["errors"][0]["field"], "masks");
        app.admin.put(path(id), json!({})).await.problem(422, "invalid_request");
        assert_eq!(app.admin.get(path(id), None).await.expect(200).body["masks"], json!([]), "nothing of it was set");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masks_are_replaced_as_a_whole_and_say_where_they_are() {
    let app = TestApp::builder().offline().start().await;
    for (id, schema) in shops(&app).await {
        let whole = |column: &str, kind: &str, exempt_roles: Value| {
            let mask = changed(&mask(column, kind), "schema", schema.clone());
            changed(&mask, "exempt_roles", exempt_roles)
        };
        let first = set(&app, id, &json!([mask("phone", "phone"), mask("email", "email")])).await;
        assert_eq!(first["masks"], json!([whole("email", "email", json!([])), whole("phone", "phone", json!([]))]), "in order");
        let exempting = changed(&mask("phone", "card_number"), "exempt_roles", json!(["user", "admin", "user"]));
        let second = set(&app, id, &json!([changed(&exempting, "schema", schema.clone())])).await;
        assert_eq!(second["masks"], json!([whole("phone", "card_number", json!(["admin", "user"]))]), "the other one is gone");
        assert_eq!(app.admin.get(path(id), None).await.expect(200).body, second);
        assert_eq!(set(&app, id, &json!([])).await["masks"], json!([]));
    }
    let written: Vec<(Option<Uuid>, String, Value)> =
        sqlx::query_as("SELECT user_id, resource_id, details FROM audit_logs WHERE action = 'masks.changed' ORDER BY created_at")
            .fetch_all(&app.pool)
            .await
            .expect("the audit log is read");
    assert_eq!(written.len(), 9, "a line for each change: {written:?}");
    let (who, of, details) = &written[0];
    assert_eq!((*who, of), (Some(app.admin.user_id), &app.shop_pg().await.to_string()));
    assert_eq!(named(&details["masks"]), ["customers.phone phone", "customers.email email"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masks_take_the_spelling_of_the_catalogue_where_case_means_nothing() {
    let app = TestApp::builder().offline().start().await;
    let alice = app.client("alice").await;
    let shouted = json!([{ "table": "CUSTOMERS", "column": "Email", "kind": "email" }]);
    let pg = app.shop_pg().await;
    let refused = put(&app, pg, &shouted).await;
    assert_eq!(refused.problem(422, "invalid_request")["errors"][0]["field"], "masks[0].table", "it would be another table");
    for id in [app.shop_sqlite().await, app.shop_mysql().await] {
        app.grant(id, &alice).await;
        assert_eq!(named(&set(&app, id, &shouted).await["masks"]), ["customers.email email"]);
        assert_rows(&run(&alice, id, "SELECT EMAIL FROM customers WHERE id = 11").await, &json!([["c1***@example.com"]]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_first_sync_masks_are_taken_as_they_are_written() {
    let app = TestApp::builder().offline().no_worker().no_scheduler().start().await;
    let server = json!({ "host": "localhost", "port": 5432, "database": "shop", "username": "reader", "password": "secret" });
    for (db_type, config, is_twice) in [("postgresql", server, false), ("sqlite", json!({ "database": "/data/shop.sqlite" }), true)] {
        let new = json!({ "name": db_type, "db_type": db_type, "config": config });
        let id = app.admin.post("/v1/connections", new).await.expect(201).id();
        let shouted = json!({ "table": "CUSTOMERS", "column": "Email", "kind": "email" });
        assert_eq!(named(&set(&app, id, &json!([shouted])).await["masks"]), ["CUSTOMERS.Email email"]);
        // Where case means nothing it is the same column.
        let both = put(&app, id, &json!([shouted, mask("email", "email")])).await;
        if is_twice {
            assert_eq!(both.problem(422, "invalid_request")["errors"][0]["field"], "masks[1]");
        } else {
            let mut both = named(&both.expect(200).body["masks"]);
            both.sort_unstable();
            assert_eq!(both, ["CUSTOMERS.Email email", "customers.email email"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_last_sync_proposes_can_be_put_as_it_is() {
    let app = TestApp::builder().offline().start().await;
    for (id, _) in shops(&app).await {
        let found = app.admin.get(path(id), None).await.expect(200).body;
        assert_eq!(named(&found["proposed"]), ["customers.email email", "customers.name name", "customers.phone phone"]);
        assert_eq!(found["masks"], json!([]), "nothing is masked by itself");
        let all = set(&app, id, &found["proposed"]).await;
        assert_eq!((&all["masks"], &all["proposed"]), (&found["proposed"], &json!([])));
        let fewer = set(&app, id, &json!([mask("name", "name")])).await;
        assert_eq!(named(&fewer["proposed"]), ["customers.email email", "customers.phone phone"], "what is not masked is proposed again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masked_values_are_masked_wherever_an_answer_is_shown_but_to_an_exempt_role() {
    let app = TestApp::builder().offline().start().await;
    let alice = app.client("alice").await;
    let names: Vec<&str> = shop::customers().iter().take(5).map(|customer| customer.name).collect();
    let by_customer = "SELECT c.name, sum(o.amount) AS total FROM customers c JOIN orders o ON o.customer_id = c.id \
                       WHERE c.id <= 5 GROUP BY c.id ORDER BY total DESC";
    let one = "SELECT name, email, phone FROM customers WHERE id = 11";
    for (id, _) in shops(&app).await {
        app.grant(id, &alice).await;
        let exempting = |column: &str, kind: &str| changed(&mask(column, kind), "exempt_roles", json!(["admin"]));
        set(&app, id, &json!([exempting("name", "name"), exempting("email", "email"), exempting("phone", "phone")])).await;

        assert_rows(&run(&app.admin, id, one).await, &json!([["김민준", "c11@example.com", "010-0000-0011"]]));
        let hers = run(&alice, id, one).await;
        assert_rows(&hers, &json!([["김**", "c1***@example.com", "010***0011"]]));
        assert!(hers["summary"].as_str().is_some_and(|text| text.contains("김**") && !text.contains("김민준")), "{hers}");

        let raw = run(&app.admin, id, by_customer).await;
        assert!(names.iter().all(|name| raw["chart"]["spec"].to_string().contains(name)), "the chart names them: {raw}");
        assert!(names.iter().any(|name| raw["insights"].to_string().contains(name)), "an insight names one: {raw}");
        let hers = run(&alice, id, by_customer).await;
        let mut shown: Vec<&str> = hers["rows"].as_array().into_iter().flatten().filter_map(|row| row[0].as_str()).collect();
        shown.sort_unstable();
        assert_eq!(shown, ["김**", "박**", "이**", "정**", "최**"], "{hers}");
        for part in ["chart", "insights", "summary"] {
            assert!(hers[part].to_string().contains("**"), "{part} shows masked values: {hers}");
        }
        let question = format!("/v1/questions/{}", hers["id"].as_str().unwrap_or_default());
        for part in ["", "/result", "/result?format=csv", "/chart.svg", "/events"] {
            let text = alice.get(format!("{question}{part}"), None).await.expect(200).text;
            assert!(!names.iter().any(|name| text.contains(name)), "{question}{part}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_masked_column_may_be_shown_or_counted_and_nothing_else() {
    let app = TestApp::builder().offline().start().await;
    let alice = app.client("alice").await;
    for (id, _) in shops(&app).await {
        app.grant(id, &alice).await;
        set(&app, id, &json!([mask("email", "email")])).await;
        for (sql, place) in [
            ("SELECT id FROM customers WHERE email = 'c1@example.com'", "WHERE"),
            ("SELECT id FROM customers ORDER BY email", "ORDER BY"),
            ("SELECT upper(email) AS e FROM customers", "a function"),
            ("SELECT count(*) AS n FROM customers GROUP BY email", "GROUP BY"),
            ("SELECT c.id FROM customers c JOIN customers d ON c.email = d.email", "a join condition"),
        ] {
            let refused = run(&alice, id, sql).await;
            assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!("error"), &json!("sql_refused")), "{sql}: {refused}");
            let message = refused["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains("email` is masked for you") && message.contains(place), "{sql}: {refused}");
        }
        let counted = "SELECT count(email) AS n FROM customers WHERE city = '서울'";
        assert_rows(&run(&alice, id, counted).await, &json!([[2]]));
        let present = "SELECT count(*) AS n FROM customers WHERE email IS NOT NULL";
        assert_rows(&run(&alice, id, present).await, &json!([[shop::CUSTOMERS]]));
        let all = run(&alice, id, "SELECT * FROM customers WHERE id = 11").await;
        assert!(all["rows"][0].to_string().contains("c1***@example.com") && !all["rows"].to_string().contains("c11@"), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_from_before_a_mask_is_not_shown_any_more() {
    let app = TestApp::builder().offline().start().await;
    let alice = app.client("alice").await;
    let sql = "SELECT email, id FROM customers WHERE id = 11";
    for (id, _) in shops(&app).await {
        app.grant(id, &alice).await;
        let (before, elsewhere) = (run(&alice, id, sql).await, run(&alice, id, "SELECT count(*) AS n FROM orders").await);
        assert_rows(&before, &json!([["c11@example.com", 11]]));
        let question = |answer: &Value| format!("/v1/questions/{}", answer["id"].as_str().unwrap_or_default());
        let (before, elsewhere) = (question(&before), question(&elsewhere));

        set(&app, id, &json!([mask("email", "email")])).await;
        let withheld = alice.get(&before, None).await.expect(200);
        assert_eq!(
            (&withheld.body["rows"], &withheld.body["error"]["code"]),
            (&json!([]), &json!("permission_denied")),
            "{}",
            withheld.text
        );
        assert!(!withheld.text.contains("c11@"), "{}", withheld.text);
        for part in ["result", "result?format=csv", "chart.svg", "chart.png"] {
            alice.get(format!("{before}/{part}"), None).await.problem(403, "permission_denied");
        }
        assert_eq!(alice.get(elsewhere, None).await.expect(200).body["rows"], json!([[shop::ORDERS]]), "it read another table");
        let again = run(&alice, id, sql).await;
        assert_rows(&again, &json!([["c1***@example.com", 11]]));
        assert_eq!(again["cached"], false, "rows from before are in no cache of hers");

        set(&app, id, &json!([])).await;
        assert_eq!(alice.get(before, None).await.expect(200).body["rows"], json!([["c11@example.com", 11]]), "it was kept");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sampled_of_a_column_is_forgotten_when_it_is_masked() {
    let app = TestApp::start().await;
    app.stub.say(Answer::Sql("SELECT count(*) AS n FROM customers"));
    for (id, schema) in shops(&app).await {
        let prompt = async |text: &str| {
            let answer = app.admin.answer(json!({ "question": text, "connection_id": id, "cache": "skip" })).await;
            assert_rows(&answer, &json!([[shop::CUSTOMERS]]));
            app.stub.calls().pop().map(|call| call["messages"].to_string()).unwrap_or_default()
        };
        let (columns, _) = customers(&app.admin, id, &schema).await;
        assert!(columns["city"]["values"].to_string().contains("서울") && columns["email"]["profile"].is_object(), "{columns}");
        let told = prompt("How many customers live in each city?").await;
        assert!(told.contains("서울"), "the model is told what there is to choose from: {told}");
        // As workers share it, for a day.
        let mut redis = app.redis.connect().await;
        let key = format!("datagenie:schema:{id}");
        redis::cmd("SET").arg(&key).arg("서울").exec_async(&mut redis).await.expect("Redis takes it");

        // The administrator is exempt, and still nothing of it is kept: values are for those who may not see them too.
        let exempting = changed(&mask("city", "name"), "exempt_roles", json!(["admin"]));
        set(&app, id, &json!([exempting, mask("email", "email")])).await;
        let look = || {
            let (mut redis, key) = (redis.clone(), key.clone());
            async move {
                let held: Option<String> = redis::cmd("GET").arg(&key).query_async(&mut redis).await.expect("Redis answers");
                held.is_none().then_some(())
            }
        };
        until(look, "Redis has forgotten it").await;
        let (columns, text) = customers(&app.admin, id, &schema).await;
        for column in ["city", "email"] {
            assert_eq!((&columns[column]["values"], &columns[column]["profile"]), (&Value::Null, &Value::Null), "{column}: {columns}");
        }
        assert!(!text.contains("서울") && !text.contains("c1@example.com"), "{text}");
        let stored: String = sqlx::query_scalar("SELECT schema_info::text FROM database_connections WHERE id = $1")
            .bind(id)
            .fetch_one(&app.pool)
            .await
            .expect("the connection is read");
        assert!(!stored.contains("서울") && !stored.contains("c1@example.com"), "nothing of it is stored");
        let told = prompt("How many customers are there in which city?").await;
        assert!(told.contains("customers") && told.contains("city"), "the column is told: {told}");
        assert!(!told.contains("서울") && !told.contains("c1@example.com"), "its values are not: {told}");
    }
}
