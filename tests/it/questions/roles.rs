//! The scripts that make roles which can only read (`deploy/sql`), run by the servers' own clients, and what a look at a role finds.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use datagenie_tests::{Database, MysqlReader, TestApp, mysql_url, word};
use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable as _};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::{io::AsyncWriteExt as _, process::Command};
use uuid::Uuid;

use super::{assert_error, assert_success};

/// What every quoting must get through.
const PASSWORD: &str = r#"it's "only" a \ reader"#;
const SECRET: &str = "900101-1234567";
/// The insufficient privilege of PostgreSQL.
const DENIED: &str = "42501";
/// The refusals of MySQL: of a table, of a database.
const DENIED_MYSQL: [u16; 2] = [1142, 1044];

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/sql").join(name)
}

/// How a client ended, and all that it said.
struct Ran {
    is_success: bool,
    said: String,
}

async fn ran(mut command: Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut client = command.spawn().expect("the server's packages bring its client");
    let mut stdin = client.stdin.take().expect("it has an input");
    // A client that ends early says why.
    let _written = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = client.wait_with_output().await.expect("the client ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { is_success: output.status.success(), said: text(&output.stdout) + &text(&output.stderr) }
}

/// A customers' PostgreSQL database with an application of its own: the owner of `orders`, who may write only what everybody may.
struct Shop {
    database: Database,
    role: String,
    application: String,
}

impl Shop {
    async fn new(app: &TestApp) -> Self {
        let mut database = app.servers.database("roles").await;
        let (role, application) = (format!("made_{}", word()), format!("app_{}", word()));
        for role in [&role, &application] {
            database.afterwards(format!("DROP ROLE IF EXISTS {role}"));
        }
        let name = &database.name;
        // Roles of other tests on this server are none of this database's. Older servers let everybody create in `public`.
        let sql = format!(
            "CREATE ROLE {application} LOGIN; GRANT CREATE ON SCHEMA public TO PUBLIC;
             REVOKE CONNECT ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO {application};
             CREATE TABLE customers (id integer PRIMARY KEY, city text);
             CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer REFERENCES customers (id), amount integer);
             CREATE TABLE customers_personal_info (id integer PRIMARY KEY, number text);
             CREATE TABLE user_passwords (id integer, hash text) PARTITION BY RANGE (id);
             CREATE TABLE user_passwords_1 PARTITION OF user_passwords FOR VALUES FROM (0) TO (100);
             CREATE VIEW large_orders AS SELECT id, amount FROM orders WHERE amount > 100;
             INSERT INTO customers VALUES (1, '서울'); INSERT INTO orders VALUES (1, 1, 50), (2, 1, 150);
             INSERT INTO customers_personal_info VALUES (1, '{SECRET}'); INSERT INTO user_passwords VALUES (1, 'hash');
             ALTER TABLE orders OWNER TO {application}"
        );
        database.execute(sql).await;
        Self { database, role, application }
    }

    /// Runs the script for the role, with these variables besides.
    async fn script(&self, variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new("psql");
        command.args(["--no-psqlrc", "--dbname", &self.database.url]);
        for (name, value) in [("role", self.role.as_str()), ("password", PASSWORD)].iter().chain(variables) {
            command.arg("--set").arg(format!("{name}={value}"));
        }
        command.arg("--file").arg(script("postgresql-reader.sql"));
        ran(command, "").await
    }

    async fn assert_that(&self, condition: &str) {
        self.database.execute(format!("DO $$ BEGIN ASSERT {condition}; END $$")).await;
    }

    fn options(&self) -> PgConnectOptions {
        self.database.url.parse().expect("the database has a URL")
    }

    fn config(&self) -> Value {
        let options = self.options();
        json!({
            "host": options.get_host(), "port": options.get_port(), "database": self.database.name,
            "username": self.role, "password": PASSWORD,
        })
    }

    /// What the server says when the role itself runs a statement that may write: the code of its error, if it is one.
    async fn refusal(&self, sql: &str) -> Option<String> {
        let options = self.options().username(&self.role).password(PASSWORD);
        let mut connection = PgConnection::connect_with(&options).await.expect("the role signs in");
        let sql = format!("BEGIN READ WRITE; {sql}");
        let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
        let code = result.err().map(|error| error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned());
        connection.close().await.expect("a connection closes");
        code
    }
}

/// A customers' MariaDB database. Its user may read all of it: what the design document's own script made of him.
async fn mysql_shop(app: &TestApp) -> MysqlReader {
    let personal = format!("INSERT INTO customers_personal_info VALUES (1, '{SECRET}')");
    let statements: [&str; 8] = [
        "CREATE TABLE customers (id int PRIMARY KEY, city varchar(50))",
        "CREATE TABLE orders (id int PRIMARY KEY, customer_id int, amount int, FOREIGN KEY (customer_id) REFERENCES customers (id))",
        "CREATE TABLE customers_personal_info (id int PRIMARY KEY, number varchar(20))",
        "CREATE TABLE user_passwords (id int, hash varchar(20))",
        "CREATE VIEW large_orders AS SELECT id, amount FROM orders WHERE amount > 100",
        "INSERT INTO customers VALUES (1, '서울')",
        "INSERT INTO orders VALUES (1, 1, 50), (2, 1, 150)",
        &personal,
    ];
    app.mysql_reader(&statements).await
}

/// Runs the script in a database after these settings.
async fn mysql_script(reader: &MysqlReader, settings: &str) -> Ran {
    let is_there = |name: &&str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
    };
    let client = ["mariadb", "mysql"].into_iter().find(is_there).expect("MariaDB's packages bring its client");
    let server = Opts::from_url(&mysql_url()).expect("the server has a URL");
    let mut command = Command::new(client);
    command.args(["--no-defaults", "--protocol=tcp", "--default-character-set=utf8mb4", "--host", server.ip_or_hostname()]);
    command.arg(format!("--port={}", server.tcp_port())).arg(format!("--user={}", server.user().unwrap_or("root")));
    if let Some(password) = server.pass() {
        command.arg(format!("--password={password}"));
    }
    command.arg(&reader.database);
    let text = std::fs::read_to_string(script("mysql-reader.sql")).expect("the script is read");
    ran(command, &format!("SET {settings};\n{text}")).await
}

/// What the server says when a user himself runs a statement: the code of its error, if it is one.
async fn mysql_refusal(reader: &MysqlReader, user: &str, password: &str, sql: &str) -> Option<u16> {
    let server = Opts::from_url(&mysql_url()).expect("the server has a URL");
    let options = OptsBuilder::from_opts(server).user(Some(user)).pass(Some(password)).db_name(Some(&reader.database)).prefer_socket(false);
    let mut connection = Conn::new(options).await.expect("the user signs in");
    let result = connection.query_drop(sql).await;
    connection.disconnect().await.expect("a connection closes");
    match result {
        Ok(()) => None,
        Err(mysql_async::Error::Server(error)) => Some(error.code),
        Err(error) => panic!("the server's refusal was expected: {error}"),
    }
}

/// What an administrator sees of a connection, and of its tables.
async fn seen(app: &TestApp, id: Uuid, schema: &str) -> (Value, Vec<String>) {
    let connection = app.admin.get(format!("/v1/connections/{id}"), None).await.expect(200).body;
    let read = app.admin.get(format!("/v1/connections/{id}/schema"), None).await.expect(200).body;
    let tables = read["schemas"][schema].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    (connection, tables)
}

async fn run(app: &TestApp, id: Uuid, sql: &str) -> Value {
    app.admin.answer(json!({ "sql": sql, "connection_id": id, "cache": "skip" })).await
}

/// Checks that the connection's role only reads, and reads nothing that is hidden.
async fn assert_only_reads(app: &TestApp, id: Uuid, schema: &str) {
    let (connection, tables) = seen(app, id, schema).await;
    assert_eq!((&connection["state"], &connection["is_readonly"]), (&json!("ready"), &json!(true)), "{connection}");
    assert_eq!(connection["role_warnings"], json!([]));
    assert_eq!(tables, ["customers", "large_orders", "orders"]);
    for hidden in ["SELECT number FROM customers_personal_info", "SELECT count(*) AS n FROM user_passwords"] {
        let refused = run(app, id, hidden).await;
        assert_error(&refused, "sql_invalid");
        assert!(!refused.to_string().contains(SECRET), "{refused}");
    }
    let answer = run(app, id, "SELECT count(*) AS n FROM large_orders").await;
    assert_success(&answer);
    assert_eq!(answer["rows"], json!([[1]]));
}

/// Registers a role that can write `orders`: it is refused in words, and ready but marked once it is allowed.
async fn assert_refused_until_allowed(app: &TestApp, db_type: &str, config: Value, warning: &str) {
    let body = json!({ "name": format!("writes-{db_type}"), "db_type": db_type, "config": config });
    let id = app.admin.post("/v1/connections", body).await.expect(201).id();
    let refused = app.looked_at(id).await;
    assert_eq!((&refused["state"], &refused["error"]["code"]), (&json!("refused"), &json!("source_refused")), "{refused}");
    assert_eq!((&refused["is_readonly"], &refused["role_warnings"]), (&json!(false), &json!([warning])), "{refused}");
    assert!(refused["error"]["message"].as_str().is_some_and(|message| message.contains(warning)), "{refused}");
    let allowed = app.admin.patch(format!("/v1/connections/{id}"), json!({ "allow_writable_role": true })).await.expect(200).body;
    assert_eq!(allowed["state"], "probing", "it is looked at anew");
    let ready = app.looked_at(id).await;
    assert_eq!((&ready["state"], &ready["is_readonly"]), (&json!("ready"), &json!(false)), "{ready}");
    assert_eq!(ready["role_warnings"], json!([warning]), "it stays marked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_for_postgresql_makes_a_role_that_reads_all_but_what_is_hidden() {
    let app = TestApp::builder().offline().start().await;
    let shop = Shop::new(&app).await;
    let hidden = ("hidden", "customers_personal_info, public.user_passwords");
    let made = shop.script(&[hidden, ("statement_timeout", "90s")]).await;
    assert!(made.is_success, "{}", made.said);
    let id = app.connect("made", "postgresql", shop.config()).await;
    assert_only_reads(&app, id, "public").await;

    let (role, application) = (&shop.role, &shop.application);
    shop.assert_that(&format!("has_database_privilege('{application}', current_database(), 'TEMPORARY')")).await;
    shop.assert_that(&format!("has_schema_privilege('{application}', 'public', 'CREATE')")).await;
    shop.assert_that(&format!(
        "(SELECT rolconfig FROM pg_roles WHERE rolname = '{role}') = ARRAY['default_transaction_read_only=on', 'statement_timeout=90s']"
    ))
    .await;
    for sql in [
        "INSERT INTO orders VALUES (3, 1, 1)",
        "CREATE TABLE own (id integer)",
        "CREATE TEMPORARY TABLE own (id integer)",
        "CREATE SCHEMA own",
        "SELECT * FROM customers_personal_info",
        "SELECT * FROM user_passwords_1",
    ] {
        assert_eq!(shop.refusal(sql).await.as_deref(), Some(DENIED), "{sql}");
    }
    // The owner of tables makes another one: no script needs to be run for that.
    shop.database.execute(format!("SET ROLE {application}; CREATE TABLE later (id integer); RESET ROLE")).await;
    assert_eq!(shop.refusal("SELECT * FROM later").await, None);

    let again = shop.script(&[hidden, ("statement_timeout", "90s")]).await;
    assert!(again.is_success, "{}", again.said);
    assert_eq!(shop.refusal("SELECT * FROM orders").await, None);
    let more = shop.script(&[("hidden", "customers_personal_info,user_passwords,orders"), ("read_only", "off")]).await;
    assert!(more.is_success, "{}", more.said);
    assert!(more.said.contains("\"large_orders\""), "it warns of a view of what is hidden: {}", more.said);
    assert_error(&run(&app, id, "SELECT count(*) AS n FROM orders").await, "source_permission");
    shop.assert_that(&format!("(SELECT rolconfig FROM pg_roles WHERE rolname = '{role}') = ARRAY['statement_timeout=10min']")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_for_postgresql_changes_nothing_where_it_would_go_wrong() {
    let app = TestApp::builder().no_worker().no_scheduler().start().await;
    let shop = Shop::new(&app).await;
    let is_made = format!("EXISTS (SELECT FROM pg_roles WHERE rolname = '{}')", shop.role);
    for (name, value) in [("hidden", "user_password"), ("schemas", "nowhere"), ("new_tables", "perhaps"), ("statement_timeout", "soon")] {
        let refused = shop.script(&[(name, value)]).await;
        assert!(!refused.is_success && refused.said.contains(value), "{name}: {}", refused.said);
        shop.assert_that(&format!("NOT {is_made}")).await;
    }
    shop.database.execute("GRANT SELECT ON customers_personal_info TO PUBLIC").await;
    let refused = shop.script(&[("hidden", "customers_personal_info")]).await;
    assert!(!refused.is_success && refused.said.contains("reads the hidden customers_personal_info"), "{}", refused.said);
    shop.assert_that(&format!("NOT {is_made}")).await;

    // Somebody names the application's role by mistake.
    let refused = shop.script(&[("role", &shop.application)]).await;
    assert!(!refused.is_success && refused.said.contains("changes orders"), "{}", refused.said);
    let application = &shop.application;
    shop.assert_that(&format!("has_table_privilege('{application}', 'orders', 'INSERT')")).await;
    shop.assert_that(&format!("(SELECT rolconfig IS NULL FROM pg_roles WHERE rolname = '{application}')")).await;
    shop.assert_that("has_database_privilege('public', current_database(), 'TEMPORARY')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_for_mysql_makes_a_user_who_reads_all_but_what_is_hidden() {
    let app = TestApp::builder().offline().start().await;
    let reader = mysql_shop(&app).await;
    let hidden = "@datagenie_hidden = 'customers_personal_info, USER_PASSWORDS'";
    // The one who could read the whole database, and keeps his password.
    let known = reader.config["username"].as_str().unwrap_or_default();
    let narrowed = mysql_script(&reader, &format!("@datagenie_user = '{known}', {hidden}")).await;
    assert!(narrowed.is_success, "{}", narrowed.said);
    let id = app.connect("narrowed", "mysql", reader.config.clone()).await;
    assert_only_reads(&app, id, &reader.database).await;

    let user = format!("made_{}", word());
    let settings = format!("@datagenie_user = '{user}', {hidden}");
    let refused = mysql_script(&reader, &settings).await;
    assert!(!refused.is_success && refused.said.contains("@datagenie_password"), "{}", refused.said);
    let password = PASSWORD.replace('\\', "\\\\").replace('\'', "''");
    let made = mysql_script(&reader, &format!("{settings}, @datagenie_password = '{password}'")).await;
    assert!(made.is_success, "{}", made.said);
    let mut config = reader.config.clone();
    (config["username"], config["password"]) = (json!(user), json!(PASSWORD));
    let id = app.connect("made", "mysql", config.clone()).await;
    assert_only_reads(&app, id, &reader.database).await;
    // He may ask how a view would be read, so that the limit holds for it.
    let _ = app.admin.patch(format!("/v1/connections/{id}"), json!({ "max_plan_cost": 0.5 })).await.expect(200);
    assert_error(&run(&app, id, "SELECT count(*) AS n FROM large_orders").await, "too_costly");
    for sql in [
        "INSERT INTO orders VALUES (3, 1, 1)",
        "CREATE TABLE own (id int)",
        "CREATE TEMPORARY TABLE own (id int)",
        "SELECT * FROM customers_personal_info",
        "SELECT * FROM user_passwords",
    ] {
        let code = mysql_refusal(&reader, &user, PASSWORD, sql).await;
        assert!(code.is_some_and(|code| DENIED_MYSQL.contains(&code)), "{sql}: {code:?}");
    }

    reader.execute("CREATE TABLE later (id int)").await;
    assert!(mysql_refusal(&reader, &user, PASSWORD, "SELECT * FROM later").await.is_some(), "nobody has said that he reads it");
    let again = mysql_script(&reader, &format!("{settings}, @datagenie_password = NULL")).await;
    assert!(again.is_success, "{}", again.said);
    assert_eq!(mysql_refusal(&reader, &user, PASSWORD, "SELECT * FROM later").await, None);
    let more = mysql_script(&reader, &format!("@datagenie_user = '{user}', @datagenie_hidden = 'customers_personal_info,orders'")).await;
    assert!(more.is_success && more.said.contains("large_orders"), "it names a view of what is hidden: {}", more.said);
    assert!(mysql_refusal(&reader, &user, PASSWORD, "SELECT * FROM orders").await.is_some());

    let nowhere = mysql_script(&reader, &format!("@datagenie_user = '{user}', @datagenie_hidden = 'nowhere'")).await;
    assert!(!nowhere.is_success && nowhere.said.contains("nowhere"), "{}", nowhere.said);
    reader.execute(format!("GRANT DELETE ON customers TO '{user}'@'%'")).await;
    let writes = mysql_script(&reader, &settings).await;
    assert!(!writes.is_success && writes.said.contains("DELETE on"), "{}", writes.said);
    reader.execute(format!("DROP USER '{user}'@'%'")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_with_one_right_too_many_is_refused_in_words_until_it_is_allowed() {
    let app = TestApp::builder().offline().start().await;
    let shop = Shop::new(&app).await;
    let made = shop.script(&[("hidden", "customers_personal_info")]).await;
    assert!(made.is_success, "{}", made.said);
    shop.database.execute(format!("GRANT INSERT ON orders TO {}", shop.role)).await;
    assert_refused_until_allowed(&app, "postgresql", shop.config(), "may change the tables public.orders").await;

    let reader = mysql_shop(&app).await;
    reader.execute(format!("GRANT INSERT ON orders TO {}", reader.user())).await;
    let warning = format!("has INSERT on `{}`.`orders`", reader.database);
    assert_refused_until_allowed(&app, "mysql", reader.config.clone(), &warning).await;
}
