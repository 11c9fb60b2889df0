//! Secrets are planted everywhere, the system is worked and broken, and then everything that it leaves is looked through for them.

mod seen;

use datagenie_tests::{Answer, Client, Process, Processes, Reader, Reply, Sink, TestApp, until};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use self::seen::Seen;

const PASSWORD_OF_BOB: &str = "planted-Phrase-of-nine-lives";
const NEW_PASSWORD: &str = "planted-Other-phrase-of-seven-seas";
const WRONG_PASSWORD: &str = "planted-Wrong-phrase-of-five-winds";
const CONNECTION_PASSWORD: &str = "planted-connection-password";
const MODEL_KEY: &str = "sk-planted-in-the-environment";
const STORED_KEY: &str = "sk-planted-in-a-setting";
const COLLECTOR_KEY: &str = "planted-collector-key";
const URL_TOKEN: &str = "planted-url-token";
/// Customers' data and words: in the database, since they are what is asked for, and in no log.
const CELL: &str = "planted-cell-of-a-workbook";
const ROW: &str = "planted-row-of-a-customer";
const WORDS: &str = "planted-words-of-a-question";

/// The system under test: real programs with verbose logs, spans exported, and health ports.
struct Rig {
    app: TestApp,
    seen: Seen,
    url: String,
    client: Client,
    api: Process,
    workers: Vec<Process>,
    scheduler: Process,
    ports: Vec<u16>,
}

impl Rig {
    async fn start() -> Self {
        let seen = Seen::default();
        let spans = seen::collector(seen.clone()).await;
        let app = TestApp::builder().no_worker().no_scheduler().with_setting("webhooks.allow_cidrs", "127.0.0.1/32").start().await;
        seen::hear(&app, seen.clone()).await;
        let programs = Processes::of(&app)
            .with_setting("llm.api_key", "")
            .with_setting("log.filter", "debug")
            .with_setting("traces.endpoint", &spans)
            .with_setting("traces.headers", &format!("x-key={COLLECTOR_KEY}"))
            .with_setting("jobs.max_attempts", "2");
        let ports = datagenie_local::net::lasting_ports::<3>().expect("free ports");
        let (api, url) = programs.api().await;
        // One worker has its key by the environment, the other by a setting: an empty variable counts as not set.
        let worker = |key: &str, port: u16| {
            programs.clone().with_setting("llm.api_key", key).with_setting("worker.health_port", &port.to_string()).worker()
        };
        let workers = vec![worker(MODEL_KEY, ports[0]), worker("", ports[1])];
        let scheduler = programs.clone().with_setting("scheduler.health_port", &ports[2].to_string()).scheduler();
        let client = app.admin.at(&url);
        Self { app, seen, url, client, api, workers, scheduler, ports: ports.to_vec() }
    }

    async fn send(&self, client: &Client, method: Method, path: &str, body: Value) -> Reply {
        let reply = client.send(client.request(method, path).json(&body)).await;
        self.seen.reply(&reply);
        reply
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(&self.client, Method::POST, path, body).await
    }

    async fn upload(&self, content: &str) -> Reply {
        let body = format!("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{content}\r\n--x--\r\n");
        let request = self.client.request(Method::POST, "/v1/files").header("content-type", "multipart/form-data; boundary=x");
        let reply = self.client.send(request.body(body)).await;
        self.seen.reply(&reply);
        reply
    }

    /// What everybody leaves behind.
    async fn look_through_everything(&self) {
        for (name, process) in
            [("api", &self.api), ("scheduler", &self.scheduler)].into_iter().chain(self.workers.iter().map(|w| ("worker", w)))
        {
            self.seen.add(format!("log of the {name}"), process.log().as_bytes());
        }
        let ports = self.ports.iter().map(|port| format!("http://127.0.0.1:{port}"));
        for url in ports {
            let metrics = self.app.anonymous().at(&url).get("/metrics", None).await.expect(200);
            self.seen.add("metrics", metrics.text.as_bytes());
        }
        self.seen.add("metrics", self.client.get("/metrics", None).await.expect(200).text.as_bytes());
        for path in [
            "/v1/audit-logs",
            "/v1/jobs",
            "/v1/dead-jobs",
            "/v1/connections",
            "/v1/settings",
            "/v1/webhooks",
            "/v1/upkeep",
            "/v1/workers",
            "/v1/api-keys",
            "/v1/users",
        ] {
            self.seen.add("lists", self.client.get(path, None).await.text.as_bytes());
        }
        seen::look_through_redis(&self.app, &self.seen).await;
        seen::dump_the_database(&self.app, &self.seen).await;
    }
}

/// Makes a connection that works, for as long as its database is held, and others of all kinds of wrong, whose errors could name the
/// password.
async fn connections(rig: &Rig) -> (Reader, Uuid, Vec<Uuid>) {
    let reader = rig.app.reader(&format!("CREATE TABLE customers (id int, note text); INSERT INTO customers VALUES (1, '{ROW}')")).await;
    let made =
        rig.post("/v1/connections", json!({ "name": "good", "db_type": "postgresql", "config": reader.config })).await.expect(201).id();
    let with = |changes: Value| {
        let mut config = reader.config.clone();
        for (name, value) in changes.as_object().into_iter().flatten() {
            config[name] = value.clone();
        }
        config
    };
    let mysql = json!({ "host": "127.0.0.1", "port": 9, "database": "d", "username": "u", "password": CONNECTION_PASSWORD });
    let wrong = [
        ("wrong-password", "postgresql", with(json!({ "password": CONNECTION_PASSWORD }))),
        ("closed-port", "postgresql", with(json!({ "port": 9, "password": CONNECTION_PASSWORD }))),
        ("no-host", "postgresql", with(json!({ "host": "no.such.host.invalid", "password": CONNECTION_PASSWORD }))),
        ("no-database", "postgresql", with(json!({ "database": "no_such", "password": CONNECTION_PASSWORD }))),
        ("no-mysql", "mysql", mysql.clone()),
        // What answers is no MySQL.
        ("other-protocol", "mysql", with(json!({ "password": CONNECTION_PASSWORD }))),
    ];
    let mut ids = Vec::new();
    for (name, db_type, config) in wrong {
        ids.push(rig.post("/v1/connections", json!({ "name": name, "db_type": db_type, "config": config })).await.expect(201).id());
    }
    // And requests that are refused, with the password where it belongs and where it does not.
    for config in [
        with(json!({ "password": CONNECTION_PASSWORD, "port": "5432" })),
        with(json!({ "password": CONNECTION_PASSWORD, "colour": "red" })),
        with(json!({ "password": { "text": CONNECTION_PASSWORD } })),
        json!(format!("postgres://u:{CONNECTION_PASSWORD}@127.0.0.1/d")),
    ] {
        let body = json!({ "name": "refused", "db_type": "postgresql", "config": config });
        let reply = rig.client.post("/v1/connections", body).await;
        assert_eq!(reply.status, 422, "{}", reply.text);
        // The caller reads what he sent himself; nobody else may.
        if !reply.text.contains("planted") {
            rig.seen.reply(&reply);
        }
    }
    (reader, made, ids)
}

/// Signs in and out, rightly and wrongly: the secrets that came of it.
async fn people(rig: &Rig) -> Vec<String> {
    let bob = json!({ "username": "bob", "email": "bob@example.com", "password": PASSWORD_OF_BOB, "role": "user" });
    let request = rig.client.request(Method::POST, "/v1/users").header("idempotency-key", "bob").json(&bob);
    let _ = rig.client.send(request).await.expect(201);
    let anonymous = rig.app.anonymous().at(&rig.url);
    let login = |password: &str| json!({ "username": "bob", "password": password });
    let token = rig.send(&anonymous, Method::POST, "/v1/auth/login", login(PASSWORD_OF_BOB)).await.expect(200).body["token"].clone();
    let token = token.as_str().unwrap_or_default().to_owned();
    let signed_in = anonymous.with_token(&token);
    rig.send(&anonymous, Method::POST, "/v1/auth/login", login(WRONG_PASSWORD)).await.problem(401, "invalid_credentials");
    let change = json!({ "current_password": PASSWORD_OF_BOB, "new_password": NEW_PASSWORD });
    let _ = rig.send(&signed_in, Method::POST, "/v1/auth/password", change).await.expect(204);
    let key = rig.send(&signed_in, Method::POST, "/v1/api-keys", json!({ "name": "k", "scopes": ["read"] })).await;
    let key = key.body["key"].as_str().map(str::to_owned);
    for wrong in ["dg_planted.wrong", "not a token at all", &format!("{token}x")] {
        let _ = rig.send(&anonymous.with_token(wrong), Method::GET, "/v1/me", json!({})).await;
    }
    // A token where none belongs.
    let _ = rig.send(&anonymous, Method::GET, &format!("/v1/me?token={token}"), json!({})).await;
    if let Some(key) = &key {
        let _ = rig.send(&anonymous.with_token(key), Method::GET, "/v1/questions", json!({})).await;
        let _ = rig.send(&anonymous.with_token(key), Method::GET, "/v1/settings", json!({})).await;
    }
    key.into_iter().chain([token, rig.client.token().to_owned()]).collect()
}

impl Rig {
    /// Asks while the model fails in every way.
    async fn ask(&self, connection: Uuid) {
        until(
            || async { (self.client.get(format!("/v1/connections/{connection}"), None).await.body["state"] == "ready").then_some(()) },
            "the connection is ready",
        )
        .await;
        let ask = |more: Value| {
            let mut body = json!({ "question": WORDS, "connection_id": connection, "cache": "skip", "deadline_seconds": 3 });
            for (name, value) in more.as_object().into_iter().flatten() {
                body[name] = value.clone();
            }
            body
        };
        let well = Answer::Sql("SELECT note FROM customers");
        for answer in [Answer::Status(401), Answer::Status(500), Answer::Status(400), Answer::BrokenBody, Answer::Close] {
            self.app.stub.say(answer);
            let _ = self.client.answer(ask(json!({ "deadline_seconds": 1 }))).await;
        }
        for answer in [well.clone(), well] {
            self.app.stub.say(answer);
            let _ = self.client.answer(ask(json!({}))).await;
        }
        let refused = json!({ "sql": format!("SELECT '{WORDS}' FROM no_such_table"), "question": null });
        let _ = self.client.answer(ask(refused)).await;
        let statement = format!("SELECT note FROM customers WHERE note <> '{WORDS}'");
        let ran = self.client.answer(ask(json!({ "sql": statement, "question": null }))).await;
        assert_eq!(ran["status"], "success", "{ran}");
        let file = self.upload(&format!("name,amount\n{CELL},1\n{CELL}2,2\n")).await.expect(201).id();
        let _ = self.client.answer(json!({ "question": "total amount?", "file_id": file, "deadline_seconds": 10 })).await;
        let _ = self.upload(&format!("\u{0}\u{1}{CELL}")).await;
        // Many at once, so that queues, batches and caches come into play.
        let load = (0..20).map(|number| self.client.answer(ask(json!({ "sql": format!("SELECT note, {number} AS n FROM customers") }))));
        futures::future::join_all(load).await;
        // A request that breaks off in the middle of a body with a secret in it.
        let _ = self
            .client
            .send(
                self.client
                    .request(Method::POST, "/v1/users")
                    .header("content-type", "application/json")
                    .body(format!("{{\"password\": \"{WRONG_PASSWORD}")),
            )
            .await;
    }
}

/// Makes endpoints, of which one takes what it is sent, and the callbacks' secret: what they sign with.
async fn webhooks(rig: &Rig, sink: &Sink) -> Vec<String> {
    let hook = |url: String| json!({ "url": url, "events": ["*"] });
    let mut made = Vec::new();
    for url in [
        format!("{}?token={URL_TOKEN}", sink.url()),
        format!("http://127.0.0.1:9/{URL_TOKEN}"),
        format!("https://no.such.host.invalid/{URL_TOKEN}"),
    ] {
        made.push(rig.post("/v1/webhooks", hook(url)).await.expect(201).body["secret"].clone());
    }
    made.push(rig.client.get("/v1/webhooks/callback-secret", None).await.expect(200).body["secret"].clone());
    made.push(rig.post("/v1/webhooks/callback-secret", json!({})).await.expect(200).body["secret"].clone());
    let _ = rig.post("/v1/webhooks", hook(format!("http://10.0.0.1/{URL_TOKEN}"))).await;
    made.iter().filter_map(Value::as_str).map(|secret| secret.trim_start_matches("whsec_").to_owned()).collect()
}

/// Asks the databases that can't be reached.
async fn ask_in_vain(rig: &Rig, connections: Vec<Uuid>) {
    let asking = connections.into_iter().map(|id| async move {
        let path = format!("/v1/connections/{id}");
        let looked = || async { (rig.client.get(&path, None).await.body["state"] != "probing").then_some(()) };
        until(looked, "the connection was looked at").await;
        let asked = rig.post("/v1/questions", json!({ "sql": "SELECT 1 AS n", "connection_id": id, "deadline_seconds": 1 })).await;
        if asked.status == 202 {
            let _ = rig.client.wait(asked.id()).await;
        }
    });
    futures::future::join_all(asking).await;
}

const PLACES: [&str; 10] = [
    "log of the api",
    "log of the worker",
    "log of the scheduler",
    "metrics",
    "Redis",
    "the dump of the database",
    "errors of the api",
    "messages",
    "traces",
    "lists",
];
/// What is shown to its owner and kept for him.
const KEPT: [&str; 3] = ["the dump of the database", "lists", "Redis"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_secrets_are_found_nowhere() {
    let rig = Rig::start().await;
    let _ = rig.send(&rig.client, Method::PUT, "/v1/settings/openai_api_key", json!({ "value": STORED_KEY })).await.expect(200);
    let _ = rig.send(&rig.client, Method::PUT, "/v1/settings/openai_api_key", json!({ "value": [STORED_KEY] })).await;
    let (_customer, good, wrong) = connections(&rig).await;
    let minted = people(&rig).await;
    let sink = Sink::start().await;
    let signing = webhooks(&rig, &sink).await;
    rig.ask(good).await;
    ask_in_vain(&rig, wrong).await;
    sink.has(1).await;
    let asked_with = |key: &str| rig.app.stub.authorizations().iter().any(|header| header.contains(key));
    assert!(asked_with(MODEL_KEY) || asked_with(STORED_KEY), "the keys were used");
    until(|| async { (rig.seen.size("traces") > 100).then_some(()) }, "spans are sent").await;
    rig.look_through_everything().await;
    for place in PLACES {
        assert!(rig.seen.size(place) > 100, "{place}: nothing was there to be looked through");
    }

    let of_environment = [rig.app.environment["DATAGENIE_SEALING__KEY"].clone(), MODEL_KEY.to_owned(), COLLECTOR_KEY.to_owned()];
    let passwords = [PASSWORD_OF_BOB, NEW_PASSWORD, WRONG_PASSWORD, rig.app.password(), CONNECTION_PASSWORD, "only-reads", STORED_KEY];
    let secrets: Vec<String> = of_environment.into_iter().chain(passwords.map(str::to_owned)).chain(signing).chain(minted).collect();
    assert!(secrets.len() >= 15 && secrets.iter().all(|secret| secret.len() >= 8), "{}", secrets.len());
    let mut found: Vec<String> = Vec::new();
    for secret in &secrets {
        found.extend(rig.seen.places_of(secret).into_iter().map(|place| format!("{secret} in {place}")));
    }
    // Told to nobody else.
    for private in [CELL, ROW, WORDS, URL_TOKEN] {
        let places = rig.seen.places_of(private).into_iter().filter(|place| !KEPT.contains(&place.as_str()));
        found.extend(places.map(|place| format!("{private} in {place}")));
    }
    assert!(found.is_empty(), "{found:#?}");
}
