//! Signing in to a server: with and without TLS, in every mode, and by every way in which a server asks for a password.

use std::{path::Path, process::Command};

use datagenie_local::{Postgres, PostgresOptions};
use datagenie_tests::{TestApp, shop, until};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::questions::COUNT;

/// Who is let in, and how: the first line that fits.
const RULES: [&str; 7] = [
    "local all all trust",
    "hostnossl all only_secured 127.0.0.1/32 reject",
    "host all postgres 127.0.0.1/32 trust",
    "host all hashed 127.0.0.1/32 md5",
    "host all said 127.0.0.1/32 password",
    "host all trusted 127.0.0.1/32 trust",
    "host all all 127.0.0.1/32 scram-sha-256",
];
const ROLES: [&str; 5] = ["reader", "only_secured", "hashed", "said", "trusted"];

/// A server of this test's own that speaks TLS, with the shop and roles that only read it; and its certificate.
struct Secured {
    server: Postgres,
    certificate: String,
}

impl Secured {
    async fn start(app: &TestApp) -> Self {
        let options = PostgresOptions::for_tests(app.folder().join("secured"));
        let server = Box::pin(Postgres::start(options)).await.expect("a private PostgreSQL starts");
        let (certificate, key) = certified(app.folder());
        let mut sql = shop::postgres();
        for role in ROLES {
            let hash = if role == "hashed" { "md5" } else { "scram-sha-256" };
            sql.push_str(&format!(
                "SET password_encryption = '{hash}'; CREATE ROLE {role} LOGIN PASSWORD 'only-reads';
                 GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};"
            ));
        }
        sql.push_str("REVOKE CREATE ON SCHEMA public FROM PUBLIC;");
        let this = Self { server, certificate };
        this.execute(&sql).await;
        // Written by the server itself: the files must be its own user's.
        let rules = RULES.join("\n");
        for (file, text) in [("server.crt", this.certificate.as_str()), ("server.key", key.as_str()), ("pg_hba.conf", rules.as_str())] {
            this.execute(&format!("COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) TO PROGRAM 'umask 077 && cat > {file}'")).await;
        }
        this.execute("ALTER SYSTEM SET ssl = on").await;
        this.execute("SELECT pg_reload_conf()").await;
        until(|| async { (this.shown("SELECT current_setting('ssl')").await == "on").then_some(()) }, "the server speaks TLS").await;
        this
    }

    async fn connection(&self) -> PgConnection {
        self.server.connect("postgres").await.expect("the server answers")
    }

    async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.connection().await).await.expect("the test's own statements run");
    }

    async fn shown(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql).fetch_one(&mut self.connection().await).await.expect("the server tells it")
    }

    /// Registers a connection whose configuration has these fields: the state that a look finds, and the error.
    async fn looked_at(&self, app: &TestApp, name: &str, fields: Value) -> (String, String) {
        let mut config = json!({
            "host": "127.0.0.1", "port": self.server.port(), "database": "postgres", "username": "reader", "password": "only-reads",
        });
        for (field, value) in fields.as_object().into_iter().flatten() {
            config[field] = value.clone();
        }
        let new = json!({ "name": name, "db_type": "postgresql", "config": config });
        let id = app.admin.post("/v1/connections", new).await.expect(201).id();
        let connection = app.looked_at(id).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&connection["state"]), text(&connection["error"]["message"]))
    }
}

/// A certificate for 127.0.0.1 that vouches for itself, and its key.
fn certified(folder: &Path) -> (String, String) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha384", "-days", "30"])
        .args(["-subj", "/CN=a test's own", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "server.key", "-out", "server.crt"])
        .current_dir(folder)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("openssl wrote it").trim().to_owned();
    (read("server.crt"), read("server.key"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mode_of_tls_checks_what_it_says() {
    let app = TestApp::builder().offline().start().await;
    let secured = Secured::start(&app).await;
    let own = secured.certificate.as_str();
    let good = [
        ("plain", json!({ "ssl_mode": "disable" })),
        // Here and below the server lets nobody in without TLS.
        ("by itself", json!({ "username": "only_secured" })),
        ("prefer", json!({ "username": "only_secured", "ssl_mode": "prefer" })),
        ("require", json!({ "username": "only_secured", "ssl_mode": "require" })),
        ("verify-ca", json!({ "username": "only_secured", "ssl_mode": "verify-ca", "ssl_root_cert": own })),
        ("verify-full", json!({ "username": "only_secured", "ssl_mode": "verify-full", "ssl_root_cert": own })),
        // Its name does not matter there.
        ("another name", json!({ "username": "only_secured", "ssl_mode": "verify-ca", "ssl_root_cert": own, "host": "localhost" })),
    ];
    for (name, fields) in good {
        let (state, message) = secured.looked_at(&app, name, fields).await;
        assert_eq!(state, "ready", "{name}: {message}");
    }
    let bad = [
        ("only plain", json!({ "username": "only_secured", "ssl_mode": "disable" }), "user name"),
        ("public ca", json!({ "ssl_mode": "verify-ca" }), "could not be secured"),
        ("public full", json!({ "ssl_mode": "verify-full" }), "could not be secured"),
        ("wrong name", json!({ "ssl_mode": "verify-full", "ssl_root_cert": own, "host": "localhost" }), "could not be secured"),
    ];
    for (name, fields, expected) in bad {
        let (state, message) = secured.looked_at(&app, name, fields).await;
        assert_eq!((state.as_str(), message.contains(expected)), ("refused", true), "{name}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_given_in_the_way_the_server_asks() {
    let app = TestApp::builder().offline().start().await;
    let secured = Secured::start(&app).await;
    for role in ["reader", "hashed", "said", "trusted"] {
        for mode in ["disable", "require"] {
            let (state, message) = secured.looked_at(&app, &format!("{role} {mode}"), json!({ "username": role, "ssl_mode": mode })).await;
            assert_eq!(state, "ready", "{role} {mode}: {message}");
        }
    }
    for role in ["reader", "hashed", "said"] {
        let fields = json!({ "username": role, "password": "something else" });
        let (state, message) = secured.looked_at(&app, &format!("wrong {role}"), fields).await;
        assert_eq!((state.as_str(), message.contains("password")), ("refused", true), "{role}: {message}");
        assert!(!message.contains("something else"), "{message}");
    }
    let (state, message) = secured.looked_at(&app, "nowhere", json!({ "database": "nowhere" })).await;
    assert_eq!((state.as_str(), message.as_str()), ("refused", "the database does not exist"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_cancelled_over_a_secured_wire_too() {
    let app = TestApp::builder().offline().start().await;
    let secured = Secured::start(&app).await;
    let config = json!({
        "host": "127.0.0.1", "port": secured.server.port(), "database": "postgres", "username": "only_secured", "password": "only-reads",
    });
    let id = app.connect("secured", "postgresql", config).await;
    let cross = "FROM order_items a CROSS JOIN order_items b CROSS JOIN order_items c CROSS JOIN order_items d CROSS JOIN products e";
    let slow = app.admin.ask(json!({ "sql": format!("SELECT count(*) AS n {cross}"), "connection_id": id })).await;
    let at_work =
        "SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'only_secured' AND state = 'active' AND query LIKE 'DECLARE%'";
    until(|| async { (secured.shown(at_work).await == "1").then_some(()) }, "the statement runs").await;
    let _ = app.admin.post(format!("/v1/questions/{slow}/cancel"), None).await.expect(202);
    assert_eq!(app.admin.wait(slow).await["status"], "cancelled");
    until(|| async { (secured.shown(at_work).await == "0").then_some(()) }, "the server rests").await;
    let counted = app.admin.answer(json!({ "sql": COUNT, "connection_id": id })).await;
    assert_eq!(counted["rows"], json!([[shop::ORDERS]]), "{counted}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_told_from_one_that_has_it() {
    let app = TestApp::builder().offline().start().await;
    let reader = app.reader(&shop::postgres()).await;
    for (mode, expected) in [("disable", "ready"), ("prefer", "ready"), ("require", "refused"), ("verify-full", "refused")] {
        let mut config = reader.config.clone();
        config["ssl_mode"] = json!(mode);
        let new = json!({ "name": mode, "db_type": "postgresql", "config": config });
        let id = app.admin.post("/v1/connections", new).await.expect(201).id();
        let connection = app.looked_at(id).await;
        assert_eq!(connection["state"], expected, "{mode}: {connection}");
        if expected == "refused" {
            assert_eq!(connection["error"]["code"], "source_refused");
            assert!(connection["error"]["message"].to_string().contains("offers no TLS"), "{connection}");
        }
    }
}
