//! Puts a test app together.

use std::{collections::BTreeMap, path::Path};

use datagenie_common::{
    crypto::{passwords, sealing},
    settings::{Settings, Sources},
    store::{self, migrations, system_settings, users},
    telemetry,
};
use datagenie_local::with_servers::TempFolder;
use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::{
    app::{ADMIN, PASSWORD, TestApp},
    client::Client,
    install_tls,
    model_stub::ModelStub,
    redis::TestRedis,
    running::Running,
    servers::Servers,
};

/// A filter of log lines (`info,sqlx=warn`): what the programs in this process do is then written to standard error.
const LOG_VARIABLE: &str = "DATAGENIE_TEST_LOG";

/// What a test app is to be.
#[derive(Default)]
pub struct TestAppBuilder {
    settings: Vec<(String, String)>,
    no_worker: bool,
    no_scheduler: bool,
    offline: bool,
    model: Option<ModelStub>,
    sources: bool,
}

/// The environment variable of a setting: `jobs.lease_seconds` is `DATAGENIE_JOBS__LEASE_SECONDS`.
pub(crate) fn variable(name: &str) -> String {
    format!("DATAGENIE_{}", name.to_ascii_uppercase().replace('.', "__"))
}

impl TestAppBuilder {
    /// Sets `section.key`, as its environment variable would.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((name.to_owned(), value.into()));
        self
    }

    /// Without a worker, until one is started.
    #[must_use]
    pub fn no_worker(mut self) -> Self {
        self.no_worker = true;
        self
    }

    /// Without a scheduler, until one is started.
    #[must_use]
    pub fn no_scheduler(mut self) -> Self {
        self.no_scheduler = true;
        self
    }

    /// Without a model: the planner answers.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.offline = true;
        self
    }

    /// With this model instead of one of its own.
    #[must_use]
    pub fn model(mut self, stub: ModelStub) -> Self {
        self.model = Some(stub);
        self
    }

    /// With both shops registered and ready.
    #[must_use]
    pub fn sources(mut self) -> Self {
        self.sources = true;
        self
    }

    /// Starts everything.
    ///
    /// # Panics
    /// If something does not start.
    pub async fn start(self) -> TestApp {
        Box::pin(self.assemble()).await
    }

    async fn assemble(self) -> TestApp {
        install_tls();
        let folder = TempFolder::new("it").expect("a folder for temporary files");
        std::fs::create_dir(folder.path().join("sqlite")).expect("a folder for SQLite files");
        let servers = Servers::start(folder.path()).await;
        let (database, redis) = tokio::join!(migrated(&servers), TestRedis::start(folder.path()));
        let stub = match &self.model {
            Some(stub) => stub.clone(),
            None => ModelStub::start().await,
        };
        let environment = self.environment(folder.path(), &database.url, redis.url(), &stub);
        let pool = store::connect(&database.url, 8, "datagenie-tests").expect("the database has a URL");
        let stored = system_settings::all(&pool).await.expect("the stored settings are read");
        let settings =
            Settings::load(&Sources { environment: environment.clone(), file: None, stored }).expect("the test's settings are right");
        log(&settings);
        let mut conn = pool.acquire().await.expect("the database answers");
        users::put_admin(&mut conn, ADMIN, "admin@example.com", &password_hash(), false).await.expect("the administrator is made");
        drop(conn);
        let (url, api) = crate::app::start_api(settings.clone()).await;
        let admin = Client::anonymous(&url).login(ADMIN, PASSWORD).await;
        let mut app = TestApp {
            worker: Running::nothing("worker"),
            scheduler: Running::nothing("scheduler"),
            api,
            url,
            admin,
            pool,
            settings,
            environment,
            stub,
            redis,
            shop_pg: OnceCell::new(),
            shop_sqlite: OnceCell::new(),
            shop_mysql: OnceCell::new(),
            database,
            servers,
            folder,
        };
        if !self.no_worker {
            app.worker = app.start_worker().await;
        }
        if !self.no_scheduler {
            app.scheduler = app.start_scheduler().await;
        }
        if self.sources {
            app.shop_pg().await;
            app.shop_sqlite().await;
        }
        app
    }

    fn environment(&self, folder: &Path, database: &str, redis: &str, stub: &ModelStub) -> BTreeMap<String, String> {
        let path = |name: &str| folder.join(name).display().to_string();
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: String| environment.insert(variable(name), value);
        set("database.url", database.to_owned());
        // The server is shared by all tests that run at the same time.
        set("database.pool_size", "8".to_owned());
        set("redis.url", redis.to_owned());
        set("sealing.key", sealing::generate_key());
        set("files.root", path("files"));
        set("sources.sqlite_roots", path("sqlite"));
        set("sources.connect_timeout_seconds", "2".to_owned());
        set("api.port", "0".to_owned());
        set("worker.concurrency", "8".to_owned());
        set("worker.grace_seconds", "2".to_owned());
        set("jobs.sweep_ms", "50".to_owned());
        if !self.offline {
            set("llm.base_url", stub.base_url());
            set("llm.api_key", "sk-of-the-tests".to_owned());
            set("llm.model", "stub-1".to_owned());
        }
        for (name, value) in &self.settings {
            set(name, value.clone());
        }
        environment
    }
}

async fn migrated(servers: &Servers) -> crate::servers::Database {
    let database = servers.database("system").await;
    migrations::up(&database.url).await.expect("the migrations run");
    database
}

/// The hash of [`PASSWORD`], made once a process: hashing is slow on purpose.
pub(crate) fn password_hash() -> String {
    static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HASH.get_or_init(|| passwords::hash(&SecretString::from(PASSWORD)).expect("a password is hashed")).clone()
}

fn log(settings: &Settings) {
    if let Ok(filter) = std::env::var(LOG_VARIABLE) {
        let log = datagenie_common::settings::Log { format: datagenie_common::settings::LogFormat::Text, filter };
        // A second app of the same process finds the subscriber there.
        let _ = telemetry::init(&log, &settings.traces, "tests", &settings.api.host);
    }
}
