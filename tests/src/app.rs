//! The whole system in this process: api, worker and scheduler on a database, a Redis and a model of the test's own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use datagenie_common::{
    model::users::Role,
    settings::Settings,
    store::users::{self, NewUser},
};
use datagenie_local::with_servers::TempFolder;
use serde_json::json;
use sqlx::PgPool;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::{
    builder::{TestAppBuilder, password_hash},
    client::Client,
    model_stub::ModelStub,
    mysql::MysqlReader,
    processes::bin_dir,
    redis::TestRedis,
    running::Running,
    servers::{Database, Servers},
    sources::Reader,
    wait::until,
};

/// The administrator's name.
pub(crate) const ADMIN: &str = "admin";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running system. Dropping it ends everything and removes what it left.
pub struct TestApp {
    // Programs end before what they use: fields are dropped in this order.
    /// The worker, if the builder was not told otherwise.
    pub worker: Running,
    /// The scheduler, likewise.
    pub scheduler: Running,
    /// The api.
    pub api: Running,
    /// Where the api is.
    pub url: String,
    /// The administrator, signed in.
    pub admin: Client,
    /// The system database, opened as the programs do.
    pub pool: PgPool,
    /// What the programs run with.
    pub settings: Settings,
    /// The same as environment variables.
    pub environment: BTreeMap<String, String>,
    /// The model.
    pub stub: ModelStub,
    /// Redis.
    pub redis: TestRedis,
    pub(crate) shop_pg: OnceCell<(Uuid, Arc<Reader>)>,
    pub(crate) shop_sqlite: OnceCell<Uuid>,
    pub(crate) shop_mysql: OnceCell<(Uuid, Arc<MysqlReader>)>,
    /// The system database, for its owner.
    pub database: Database,
    /// The PostgreSQL server.
    pub servers: Servers,
    pub(crate) folder: TempFolder,
}

impl TestApp {
    /// An app that is not the usual one.
    #[must_use]
    pub fn builder() -> TestAppBuilder {
        TestAppBuilder::default()
    }

    /// The usual app.
    ///
    /// # Panics
    /// If something does not start.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Somebody who is not signed in.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client::anonymous(&self.url)
    }

    /// Where an object of the file storage lies, which is a folder.
    ///
    /// # Panics
    /// If it is a bucket.
    #[must_use]
    pub fn stored(&self, path: &str) -> PathBuf {
        self.settings.files.root.folder().expect("the files of this test lie in a folder").join(path)
    }

    /// A user of this name, made if there is none and signed in. One whose name begins with `viewer` is a viewer, with `admin` an
    /// administrator.
    ///
    /// # Panics
    /// If he can't be made.
    pub async fn client(&self, username: &str) -> Client {
        let role = match username {
            name if name.starts_with("viewer") => Role::Viewer,
            name if name.starts_with("admin") => Role::Admin,
            _ => Role::User,
        };
        let known = users::find_for_login(&self.pool, username).await.expect("the users are read");
        if known.is_none() {
            let mut conn = self.pool.acquire().await.expect("the database answers");
            let (email, hash) = (format!("{username}@example.com"), password_hash());
            let user = NewUser { username, email: &email, password_hash: &hash, full_name: None, role, must_change_password: false };
            users::insert(&mut conn, &user).await.expect("the user is made");
        }
        self.anonymous().login(username, PASSWORD).await
    }

    /// Lets somebody query all of a connection.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn grant(&self, connection: Uuid, to: &Client) {
        self.permit(connection, to, json!({})).await;
    }

    /// Gives somebody a permission on a connection: everything, but for these fields.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn permit(&self, connection: Uuid, to: &Client, fields: serde_json::Value) {
        let mut body = json!({ "can_query": true, "max_rows_per_query": 10_000, "max_execution_time_seconds": 30 });
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let path = format!("/v1/connections/{connection}/permissions/{}", to.user_id);
        let _ = self.admin.put(path, body).await.expect(200);
    }

    /// Everybody's password.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Starts a worker, perhaps one more.
    pub async fn start_worker(&self) -> Running {
        let (settings, instance) = (self.settings.clone(), next("worker"));
        Running::start("worker", move |shutdown, started| async move {
            // This program is the test's; workbooks are read by the real one.
            let reader = bin_dir().join("datagenie-worker");
            let env = datagenie_worker::start::environment_reading_by(Some(reader), settings, instance)?;
            let _ = started.send(());
            datagenie_worker::start::serve(env, shutdown).await
        })
        .await
    }

    /// Starts a scheduler, perhaps one more.
    pub async fn start_scheduler(&self) -> Running {
        let (settings, instance) = (self.settings.clone(), next("scheduler"));
        Running::start("scheduler", move |shutdown, started| async move {
            let scheduler = datagenie_scheduler::start::environment(settings, instance)?;
            let _ = started.send(());
            datagenie_scheduler::start::serve(scheduler, shutdown).await
        })
        .await
    }

    /// Starts one more api: where it is, and itself.
    pub async fn start_api(&self) -> (String, Running) {
        start_api(self.settings.clone()).await
    }

    /// Waits until a worker has told of itself: before that, nobody knows how many slots there are.
    ///
    /// # Panics
    /// If none does in time.
    pub async fn worker_is_known(&self) {
        let known = || async {
            let workers = self.admin.get("/v1/workers", None).await.expect(200);
            (!workers.body["items"][0].is_null()).then_some(())
        };
        until(known, "a worker has told of itself").await;
    }

    /// Whether the app's own worker runs.
    #[must_use]
    pub fn has_worker(&self) -> bool {
        self.worker.is_running()
    }

    /// The test's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder from which SQLite files may be registered.
    #[must_use]
    pub fn sqlite_folder(&self) -> PathBuf {
        self.folder().join("sqlite")
    }
}

fn next(program: &str) -> String {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    format!("{program}-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed))
}

pub(crate) async fn start_api(settings: Settings) -> (String, Running) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a listener can be told not to block");
    let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
    let running = Running::start("api", move |shutdown, started| async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let app = datagenie_api::start::environment(settings, &next("api"), &shutdown).await?;
        let _ = started.send(());
        datagenie_api::start::serve(app, listener, shutdown).await
    })
    .await;
    (url, running)
}
