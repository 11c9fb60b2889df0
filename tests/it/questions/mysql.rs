//! MariaDB as a customer's database: its values, its wire, its limits, and what becomes of a statement that nobody waits for any more.

use std::time::Duration;

use datagenie_common::lifecycle;
use datagenie_tests::{MysqlReader, Proxy, TestApp, mysql_ca, mysql_url, shop, until};
use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable as _};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{BY_CHANNEL, COUNT, Shop, assert_error, assert_success};

/// Two and a half thousand million rows to count: longer than any test waits, also where nobody stops it.
const LONG: &str = "SELECT count(*) AS n FROM order_items a CROSS JOIN order_items b CROSS JOIN order_items c CROSS JOIN order_items d \
                    CROSS JOIN products e";

async fn offline() -> Shop {
    let app = TestApp::builder().offline().start().await;
    let id = app.shop_mysql().await;
    Shop { app, id }
}

/// The server, for its administrator.
async fn administrator() -> Conn {
    let server = Opts::from_url(&mysql_url()).expect("the server has a URL");
    Conn::new(OptsBuilder::from_opts(server).prefer_socket(false)).await.expect("the server answers")
}

/// How many sessions of a connection's user are at work, or are there at all.
async fn sessions(server: &mut Conn, reader: &MysqlReader, which: &str) -> u64 {
    let user = reader.config["username"].as_str().unwrap_or_default();
    let sql = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '{user}' AND {which}");
    server.query_first(sql).await.expect("the server tells its sessions").unwrap_or_default()
}

const AT_WORK: &str = "COMMAND <> 'Sleep'";
/// The statement itself, not what comes before it: settings, the look at its plan.
const RUNNING: &str = "COMMAND <> 'Sleep' AND INFO LIKE 'SELECT%' AND TIME_MS > 100";
const AT_ALL: &str = "TRUE";

async fn until_at_work(reader: &MysqlReader, expected: bool, what: &str) {
    let mut server = administrator().await;
    let deadline = Instant::now() + datagenie_tests::DEADLINE;
    let which = if expected { RUNNING } else { AT_WORK };
    while (sessions(&mut server, reader, which).await > 0) != expected {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that a column can be, and the row that shows it exactly.
const KINDS: [&str; 2] = [
    "CREATE TABLE kinds (tiny tinyint, truth bool, big bigint, huge bigint unsigned, exact decimal(40,10), single float, wide double, \
        flags bit(10), born year, day date, no_day date, at datetime(3), no_time datetime, stamp timestamp NULL, span time(2), \
        word varchar(20), note text, raw varbinary(8), lump blob, mood enum('좋음','나쁨'), tags set('a','b'), doc json, nothing int)",
    "INSERT INTO kinds VALUES (-128, true, -9223372036854775808, 18446744073709551615, 123456789012345678901234567890.0123456789, 0.1, \
        1e300, b'1010101010', 1999, '2024-03-05', '0000-00-00', '2024-03-05 10:20:30.125', '0000-00-00 00:00:00', \
        '2024-03-05 10:20:30', '-838:59:59', '한국어 😀', '서울', 'ab', 'abc', '좋음', 'a,b', '{\"a\": 1}', NULL)",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_arrive_exactly_with_the_servers_names_of_their_types() {
    let app = TestApp::builder().offline().start().await;
    let reader = app.mysql_reader(&KINDS).await;
    let id = app.connect("kinds", "mysql", reader.config.clone()).await;
    let answer = app.admin.answer(json!({ "sql": "SELECT * FROM kinds", "connection_id": id })).await;
    assert_success(&answer);
    let expected = [
        ("tiny", "tinyint", "integer", json!(-128)),
        ("truth", "tinyint(1)", "integer", json!(1)),
        ("big", "bigint", "integer", json!("-9223372036854775808")),
        ("huge", "bigint unsigned", "integer", json!("18446744073709551615")),
        ("exact", "decimal(40,10)", "number", json!("123456789012345678901234567890.0123456789")),
        ("single", "float", "number", json!(0.1)),
        ("wide", "double", "number", json!(1e300)),
        ("flags", "bit(10)", "integer", json!(682)),
        ("born", "year", "integer", json!(1999)),
        ("day", "date", "date", json!("2024-03-05")),
        ("no_day", "date", "date", json!("0000-00-00")),
        ("at", "datetime(3)", "timestamp", json!("2024-03-05T10:20:30.125")),
        ("no_time", "datetime", "timestamp", json!("0000-00-00 00:00:00")),
        ("stamp", "timestamp", "timestamp", json!("2024-03-05T10:20:30Z")),
        ("span", "time(2)", "time", json!("-838:59:59.00")),
        ("word", "varchar(20)", "text", json!("한국어 😀")),
        ("note", "text", "text", json!("서울")),
        ("raw", "varbinary(8)", "binary", json!({ "base64": "YWI=", "truncated": false })),
        ("lump", "blob", "binary", json!({ "base64": "YWJj", "truncated": false })),
        ("mood", "enum", "text", json!("좋음")),
        ("tags", "set", "text", json!("a,b")),
        // MariaDB's JSON is a text.
        ("doc", "longtext", "text", json!("{\"a\": 1}")),
        ("nothing", "int", "integer", Value::Null),
    ];
    let (columns, row) = (answer["columns"].as_array().expect("columns"), &answer["rows"][0]);
    assert_eq!(columns.len(), expected.len());
    for (place, (name, type_name, kind, value)) in expected.into_iter().enumerate() {
        let column = &columns[place];
        assert_eq!((&column["name"], &column["type"], &column["kind"]), (&json!(name), &json!(type_name), &json!(kind)));
        assert_eq!(row[place], value, "{name}");
    }
    let twice = app.admin.answer(json!({ "sql": "SELECT day, day FROM kinds WHERE tiny > 0", "connection_id": id })).await;
    assert_success(&twice);
    let names: Vec<&Value> = twice["columns"].as_array().into_iter().flatten().map(|column| &column["name"]).collect();
    assert_eq!((names, &twice["rows"]), (vec![&json!("day"), &json!("day")], &json!([])), "columns are told of no rows too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_is_read_and_asked_in_korean() {
    let shop = offline().await;
    let connection = shop.app.admin.get(format!("/v1/connections/{}", shop.id), None).await.expect(200).body;
    assert!(connection["server_version"].as_str().is_some_and(|version| version.starts_with("MariaDB 1")), "{connection}");
    assert_eq!(connection["role_warnings"], json!([]));
    let schema = shop.app.admin.get(format!("/v1/connections/{}/schema", shop.id), None).await.expect(200).body;
    let database = shop.app.shop_mysql_database().await.database.clone();
    let orders = &schema["schemas"][&database]["orders"];
    assert_eq!(
        (&orders["kind"], &orders["comment"], &orders["columns"]["id"]["primary_key"]),
        (&json!("table"), &json!("주문"), &json!(true))
    );
    assert_eq!(orders["columns"]["status"]["type"], "varchar(20)");
    let key = json!({ "columns": ["customer_id"], "ref_schema": database, "ref_table": "customers", "ref_columns": ["id"] });
    assert_eq!(orders["foreign_keys"], json!([key]), "{orders}");

    assert_eq!(shop.run(BY_CHANNEL).await["rows"], json!([["web", "590000"], ["app", "580000"], ["store", "410000"]]));
    let seoul = shop.run("SELECT name, '서울 😀' AS `도시` FROM customers WHERE city = '서울' ORDER BY id").await;
    assert_success(&seoul);
    let expected: Vec<Value> = shop::customers().iter().filter(|c| c.city == "서울").map(|c| json!([c.name, "서울 😀"])).collect();
    assert_eq!(seoul["rows"], json!(expected));
    assert_eq!(seoul["columns"][1]["name"], "도시");
    let asked = shop.app.admin.answer(shop.question("서울 고객의 주문은 몇 건이야?")).await;
    assert_success(&asked);
    let from_seoul = |id: i64| shop::customers().iter().any(|customer| customer.id == id && customer.city == "서울");
    let count = shop::orders().iter().filter(|order| from_seoul(order.customer_id)).count();
    let told = asked["rows"][0].as_array().and_then(|row| row.last()).expect("it is one number");
    assert_eq!(told, &json!(count), "{asked}");
    // The driver must not take what a literal holds for a parameter of its own.
    let literals = shop.run("SELECT ':name' AS a, -'12:ab' AS b, 'what?' AS c, 'it\\'s :x' AS d").await;
    assert_eq!(literals["rows"], json!([[":name", -12.0, "what?", "it's :x"]]), "{literals}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_more_than_read_is_refused_and_errors_are_told_without_the_servers_words() {
    let shop = offline().await;
    for sql in ["DROP TABLE customers", "SELECT 1; SELECT 2", "SELECT name FROM customers FOR UPDATE", "SELECT sleep(10)"] {
        let refused = shop.run(sql).await;
        assert_error(&refused, "sql_refused");
    }
    assert_error(&shop.run("SELECT LOAD_FILE('/etc/passwd')").await, "sql_refused");
    let failed = shop.run("SELECT (SELECT id FROM orders) AS n").await;
    assert_error(&failed, "sql_invalid");
    assert_eq!(failed["error"]["message"], "a subquery used as a value returned more than one row");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_role_may_not_read_is_told() {
    let app = TestApp::builder().offline().start().await;
    let reader = app.mysql_reader(&shop::mysql()).await;
    let (database, user) = (&reader.database, reader.user());
    // Rights on single tables: those on a whole database hold for a session until it chooses its database anew.
    reader.execute(format!("REVOKE SELECT ON {database}.* FROM {user}")).await;
    for table in ["customers", "orders"] {
        reader.execute(format!("GRANT SELECT ON {database}.{table} TO {user}")).await;
    }
    let id = app.connect("narrow", "mysql", reader.config.clone()).await;
    reader.execute(format!("REVOKE SELECT ON {database}.customers FROM {user}")).await;
    let refused = app.admin.answer(json!({ "sql": "SELECT email FROM customers", "connection_id": id })).await;
    assert_error(&refused, "source_permission");
    assert_success(&app.admin.answer(json!({ "sql": COUNT, "connection_id": id })).await);
    let schema = app.admin.get(format!("/v1/connections/{id}/schema"), None).await.expect(200).body;
    let tables = schema["schemas"][database].as_object().expect("it has tables");
    assert_eq!(tables.keys().collect::<Vec<_>>(), ["customers", "orders"], "what it could not read was not there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_can_write_is_refused() {
    let app = TestApp::start().await;
    let reader = app.mysql_reader(&shop::mysql()).await;
    reader.execute(format!("GRANT INSERT ON {}.orders TO {}", reader.database, reader.user())).await;
    let new = json!({ "name": "writes", "db_type": "mysql", "config": reader.config });
    let id = app.admin.post("/v1/connections", new).await.expect(201).id();
    let refused = app.looked_at(id).await;
    assert_eq!((&refused["state"], &refused["error"]["code"]), (&json!("refused"), &json!("source_refused")), "{refused}");
    assert!(refused["role_warnings"].to_string().contains("INSERT"), "{refused}");
    reader.execute(format!("REVOKE INSERT ON {}.orders FROM {}", reader.database, reader.user())).await;
    let _ = app.admin.post(format!("/v1/connections/{id}/test"), None).await.expect(202);
    let path = format!("/v1/connections/{id}");
    until(|| async { (app.admin.get(&path, None).await.body["state"] == "ready").then_some(()) }, "it can only read now").await;

    // A role that sessions do not have by themselves may still be taken on.
    let role = format!("writers_{}", reader.database);
    for sql in [format!("CREATE ROLE {role}"), format!("GRANT DELETE ON {}.* TO {role}", reader.database)] {
        reader.execute(sql).await;
    }
    reader.execute(format!("GRANT {role} TO {}", reader.user())).await;
    let new = json!({ "name": "may write", "db_type": "mysql", "config": reader.config });
    let id = app.admin.post("/v1/connections", new).await.expect(201).id();
    let refused = app.looked_at(id).await;
    reader.execute(format!("DROP ROLE {role}")).await;
    assert_eq!((&refused["state"], &refused["error"]["code"]), (&json!("refused"), &json!("source_refused")), "{refused}");
    assert!(refused["role_warnings"].to_string().contains("DELETE"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_opinion_is_about_all_that_is_read() {
    let app = TestApp::builder().offline().start().await;
    let made = [
        // A comment that PostgreSQL could not store as it is.
        "CREATE TABLE orders (id int PRIMARY KEY COMMENT 'a\\0b', note varchar(20))",
        "INSERT INTO orders VALUES (1, 'one'), (2, 'two')",
        "CREATE TABLE largest (id int PRIMARY KEY)",
        "INSERT INTO largest VALUES (2)",
    ];
    let reader = app.mysql_reader(&made).await;
    let id = app.connect("careful", "mysql", reader.config.clone()).await;
    let run = async |sql: &str| app.admin.answer(json!({ "sql": sql, "connection_id": id, "cache": "skip" })).await;
    let schema = app.admin.get(format!("/v1/connections/{id}/schema"), None).await.expect(200).body;
    assert_eq!(schema["schemas"][&reader.database]["orders"]["columns"]["id"]["comment"], "a\u{FFFD}b");
    // The server knows the value of the subquery before it begins, so what it prints does not name the table.
    let folded = run("SELECT note FROM orders WHERE id = (SELECT max(id) FROM largest)").await;
    assert_success(&folded);
    assert_eq!(folded["rows"], json!([["two"]]));
    let made = run("SELECT j.n, o.note FROM JSON_TABLE('[2]', '$[*]' COLUMNS (n int PATH '$')) AS j JOIN orders o ON o.id = j.n").await;
    assert_success(&made);
    assert_eq!(made["rows"], json!([[2, "two"]]));
    // What MariaDB would print so that nobody can read it, and what leaves no room for the print.
    assert_error(&run("SELECT _utf8mb4'it''s' AS a FROM orders").await, "sql_invalid");
    let literals: Vec<String> = (0..1_100).map(|n| format!("'{n}a'")).collect();
    let noted = run(&format!("SELECT note FROM orders WHERE id IN ({})", literals.join(", "))).await;
    assert_success(&noted);
    assert_eq!(noted["row_count"], json!(2));
}

/// Registers a connection whose configuration has these fields: the state that a look finds, and the error.
async fn looked_at(app: &TestApp, reader: &MysqlReader, name: &str, fields: Value) -> (Value, String) {
    let mut config = reader.config.clone();
    for (field, value) in fields.as_object().into_iter().flatten() {
        config[field] = value.clone();
    }
    let new = json!({ "name": name, "db_type": "mysql", "config": config });
    let id = app.admin.post("/v1/connections", new).await.expect(201).id();
    let connection = app.looked_at(id).await;
    (connection["state"].clone(), connection["error"]["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mode_of_tls_checks_what_it_says() {
    let app = TestApp::start().await;
    let reader = app.mysql_reader(&shop::mysql()).await;
    assert_eq!(looked_at(&app, &reader, "plain", json!({ "ssl_mode": "disable" })).await.0, "ready");
    // From here on the server lets nobody in without TLS, so whoever is ready has it.
    reader.execute(format!("ALTER USER {} REQUIRE SSL", reader.user())).await;
    let (state, message) = looked_at(&app, &reader, "disable", json!({ "ssl_mode": "disable" })).await;
    assert_eq!((&state, message.contains("user name")), (&json!("refused"), true), "{message}");
    let ca = mysql_ca();
    let good = [
        ("prefer", json!({ "ssl_mode": "prefer" })),
        ("require", json!({ "ssl_mode": "require" })),
        ("verify-ca", json!({ "ssl_mode": "verify-ca", "ssl_root_cert": ca })),
        ("verify-full", json!({ "ssl_mode": "verify-full", "ssl_root_cert": ca })),
        ("localhost", json!({ "ssl_mode": "verify-full", "ssl_root_cert": ca, "host": "localhost" })),
    ];
    for (name, fields) in good {
        let (state, message) = looked_at(&app, &reader, name, fields).await;
        assert_eq!(state, "ready", "{name}: {message}");
    }
    // The public authorities did not sign it, and no certificate is trusted for having none.
    for mode in ["verify-ca", "verify-full"] {
        let (state, message) = looked_at(&app, &reader, &format!("public {mode}"), json!({ "ssl_mode": mode })).await;
        assert_eq!((&state, message.contains("not trusted")), (&json!("refused"), true), "{mode}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_customers_query_ends_with_its_question() {
    // Longer than any test waits: it is not this limit that ends the query.
    let app = TestApp::builder().offline().with_setting("query.max_seconds", "300").start().await;
    let shop = Shop { id: app.shop_mysql().await, app };
    let reader = shop.app.shop_mysql_database().await;
    let id = shop.app.admin.ask(shop.statement(LONG)).await;
    until_at_work(&reader, true, "the customer's database works").await;
    let _ = shop.app.admin.post(format!("/v1/questions/{id}/cancel"), None).await.expect(202);
    let ended = shop.app.admin.wait(id).await;
    assert_eq!((&ended["status"], &ended["rows"]), (&json!("cancelled"), &json!([])), "{ended}");
    until_at_work(&reader, false, "the customer's database rests").await;
    assert_success(&shop.run(COUNT).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_end_a_statement_and_leave_nothing_running() {
    let app = TestApp::builder().offline().with_setting("query.max_seconds", "1").with_setting("query.max_rows", "10").start().await;
    let shop = Shop { id: app.shop_mysql().await, app };
    let ended = shop.run(LONG).await;
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("timeout"), &json!("timeout")), "{ended}");
    // With and without a LIMIT, which decides whether the server stops by itself.
    for sql in ["SELECT id FROM orders ORDER BY id", "SELECT a.id FROM order_items a, order_items b, order_items c LIMIT 1000000"] {
        let cut = shop.run(sql).await;
        assert_success(&cut);
        assert_eq!((&cut["row_count"], &cut["truncated"]), (&json!(10), &json!(true)), "{cut}");
    }
    let exact = shop.run("SELECT id FROM orders WHERE id <= 10").await;
    assert_eq!((&exact["row_count"], &exact["truncated"]), (&json!(10), &json!(false)), "as many as allowed is not cut off");
    let reader = shop.app.shop_mysql_database().await;
    until_at_work(&reader, false, "nothing runs any more").await;
}

/// A connection through a proxy that can hold everything up.
async fn proxied(app: &TestApp) -> (MysqlReader, Proxy, Uuid) {
    let reader = app.mysql_reader(&shop::mysql()).await;
    let address = |field: &str| reader.config[field].to_string().trim_matches('"').to_owned();
    let upstream = format!("{}:{}", address("host"), address("port")).parse().expect("the server has an address");
    let proxy = Proxy::start(upstream).await;
    let mut config = reader.config.clone();
    (config["host"], config["port"]) = (json!(proxy.address().ip().to_string()), json!(proxy.address().port()));
    let id = app.connect("proxied", "mysql", config).await;
    (reader, proxy, id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_in_its_handshake_is_waited_for() {
    let app = TestApp::builder().offline().with_setting("sources.connect_timeout_seconds", "1").start().await;
    let (_reader, proxy, id) = proxied(&app).await;
    proxy.stall();
    let asked = app.admin.ask(json!({ "sql": COUNT, "connection_id": id, "cache": "skip" })).await;
    until(
        || async {
            let sql = "SELECT count(*) FROM job_attempts WHERE error->>'message' LIKE '%no answer within 1000 ms'";
            let told: i64 = sqlx::query_scalar(sql).fetch_one(&app.pool).await.expect("the attempts are read");
            (told > 0).then_some(())
        },
        "the attempt was given up",
    )
    .await;
    proxy.resume();
    assert_success(&app.admin.wait(asked).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_that_dies_in_the_middle_is_noticed_in_time() {
    let app = TestApp::builder().offline().with_setting("query.max_seconds", "2").start().await;
    let (reader, proxy, id) = proxied(&app).await;
    let statement = json!({ "sql": LONG, "connection_id": id, "cache": "skip" });
    let asked = app.admin.ask(statement.clone()).await;
    until_at_work(&reader, true, "the statement runs").await;
    proxy.stall();
    let ended = app.admin.wait(asked).await;
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("timeout"), &json!("timeout")), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_that_is_cut_in_the_middle_costs_the_question_nothing() {
    let app = TestApp::builder().offline().start().await;
    let (reader, proxy, id) = proxied(&app).await;
    // Twenty million rows to count: long enough to be seen.
    let sql = "SELECT count(*) AS n FROM order_items a CROSS JOIN order_items b CROSS JOIN order_items c CROSS JOIN products d";
    let asked = app.admin.ask(json!({ "sql": sql, "connection_id": id, "cache": "skip" })).await;
    until_at_work(&reader, true, "the statement runs").await;
    proxy.cut();
    let answered = app.admin.wait(asked).await;
    assert_success(&answered);
    assert_eq!(answered["rows"], json!([[shop::ITEMS.pow(3) * shop::PRODUCTS]]));
    let job = app.admin.get(format!("/v1/jobs/{}", answered["job_id"].as_str().unwrap_or_default()), None).await.expect(200).body;
    assert_eq!(job["attempt"], 1, "{job}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connections_sessions_are_never_more_than_it_may_have() {
    const SLOW: &str = "SELECT count(*) AS n FROM order_items a CROSS JOIN order_items b CROSS JOIN products c";
    let app = TestApp::builder().offline().start().await;
    let reader = app.mysql_reader(&shop::mysql()).await;
    let id = app.connect("narrow", "mysql", reader.config.clone()).await;
    let _ = app.admin.patch(format!("/v1/connections/{id}"), json!({ "max_connections": 3 })).await.expect(200);
    let mut asked = Vec::new();
    for n in 0..40 {
        let sql = format!("{SLOW} WHERE a.quantity + {n} > -1");
        asked.push(app.admin.ask(json!({ "sql": sql, "connection_id": id, "cache": "skip" })).await);
    }
    let over = CancellationToken::new();
    let watched = over.clone();
    let watching = lifecycle::spawn("test.watch", async move {
        let (mut server, mut most) = (administrator().await, (0, 0));
        while !watched.is_cancelled() {
            most.0 = most.0.max(sessions(&mut server, &reader, AT_WORK).await);
            most.1 = most.1.max(sessions(&mut server, &reader, AT_ALL).await);
            sleep(Duration::from_millis(2)).await;
        }
        (most, reader)
    });
    for question in asked {
        assert_success(&app.admin.wait(question).await);
    }
    over.cancel();
    let ((at_work, at_all), _reader) = watching.await.expect("the watch ends");
    assert!((1..=3).contains(&at_work), "{at_work} sessions were at work at once");
    assert!(at_all <= 5, "{at_all} sessions were open at once, more than are kept ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_and_masks_hold() {
    let shop = offline().await;
    let alice = shop.app.client("alice").await;
    shop.app.permit(shop.id, &alice, json!({ "allowed_tables": ["customers"] })).await;
    assert_error(&alice.answer(shop.statement(COUNT)).await, "permission_denied");
    let masks = json!({ "masks": [{ "table": "customers", "column": "email", "kind": "email" }] });
    let _ = shop.app.admin.put(format!("/v1/connections/{}/masks", shop.id), masks).await.expect(200);
    let masked = alice.answer(shop.statement("SELECT id, EMAIL FROM customers c WHERE id = 1")).await;
    assert_success(&masked);
    let shown = masked["rows"][0][1].as_str().unwrap_or_default().to_owned();
    assert!(shown.contains("***") && !shown.starts_with("c1@"), "{masked}");
    // This server tells the cases of table names apart: the guard takes it, the server does not.
    assert_error(&alice.answer(shop.statement("SELECT id, email FROM Customers WHERE id = 1")).await, "sql_invalid");
    assert_error(&alice.answer(shop.statement("SELECT id FROM customers WHERE email LIKE 'c1%'")).await, "sql_refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_would_have_to_look_at_can_be_limited() {
    let shop = offline().await;
    let reader = shop.app.shop_mysql_database().await;
    reader.execute("CREATE VIEW paid AS SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id").await;
    // On the view itself: a right on the whole database is not seen by sessions that are open already.
    reader.execute(format!("GRANT SHOW VIEW ON {}.paid TO {}", reader.database, reader.user())).await;
    let path = format!("/v1/connections/{}", shop.id);
    let job = shop.app.admin.post(format!("{path}/sync"), None).await.expect(202).header("location").to_owned();
    until(|| async { shop.app.admin.get(&job, None).await.body["finished_at"].is_string().then_some(()) }, "it is synced").await;
    let _ = shop.app.admin.patch(&path, json!({ "max_plan_cost": 10_000 })).await.expect(200);
    assert_success(&shop.run(COUNT).await);
    // The tables below a view are what it is made of: the server reads nothing that was not allowed.
    assert_success(&shop.run("SELECT count(*) AS n FROM paid").await);
    let refused = shop.run("SELECT count(*) AS n FROM order_items a CROSS JOIN order_items b").await;
    assert_error(&refused, "too_costly");
}
