//! The PostgreSQL server of the tests and databases of one test's own on it; the RabbitMQ of the run and nodes of one test's own.

use std::path::Path;

use datagenie_local::{
    Postgres, PostgresOptions, Rabbitmq, RabbitmqOptions,
    with_servers::{AMQP_URL, POSTGRES_URL},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The server that all tests share (`datagenie-local with-servers` names it), or a private one where there is none.
pub struct Servers {
    url: String,
    // Stops with its owner.
    _private: Option<Postgres>,
}

impl Servers {
    /// Finds the server, or starts one below `folder`.
    ///
    /// # Panics
    /// If none can be started.
    pub async fn start(folder: &Path) -> Self {
        if let Ok(url) = std::env::var(POSTGRES_URL)
            && !url.is_empty()
        {
            return Self { url, _private: None };
        }
        let options = PostgresOptions::for_tests(folder.join("postgres"));
        let server = Box::pin(Postgres::start(options)).await.expect("a private PostgreSQL starts");
        Self { url: server.url("postgres"), _private: Some(server) }
    }

    /// The superuser's URL, with the database `postgres`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The superuser's URL of another database.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        let (server, _) = self.url.rsplit_once('/').expect("the server's URL names a database");
        format!("{server}/{database}")
    }

    /// Makes an empty database that is dropped with the answer. `purpose` consists of small letters.
    ///
    /// # Panics
    /// If the server does not make it.
    pub async fn database(&self, purpose: &str) -> Database {
        let name = format!("dg_{purpose}_{}", word());
        let mut connection = PgConnection::connect(&self.url).await.expect("the test's PostgreSQL answers");
        execute(&mut connection, format!("CREATE DATABASE \"{name}\"")).await;
        connection.close().await.expect("a connection closes");
        let drops = vec![format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")];
        Database { url: self.url_of(&name), name, server: self.url.clone(), drops }
    }
}

/// The URL of the RabbitMQ that all tests of this run share: a test names its own queues by [`word`] and deletes them.
///
/// # Panics
/// If the tests do not run beside one.
#[must_use]
pub fn amqp_url() -> String {
    std::env::var(AMQP_URL).ok().filter(|url| !url.is_empty()).unwrap_or_else(|| {
        panic!(
            "{AMQP_URL} is not set: run the tests by ./deploy/test.sh, or by datagenie-local with-servers --rabbitmq -- COMMAND; \
             or set it to the URL of a RabbitMQ for tests, amqp://USER:PASSWORD@HOST:PORT/%2f"
        )
    })
}

/// A RabbitMQ of one test's own below `folder`, to be killed, wiped and started again. It takes five seconds to start, so the names
/// of such tests contain `rabbitmq_node`: these run one at a time.
///
/// # Panics
/// If it can't be started.
pub async fn own_rabbitmq(folder: &Path) -> Rabbitmq {
    let options = RabbitmqOptions::for_tests(folder.join("rabbitmq"));
    Box::pin(Rabbitmq::start(options)).await.expect("a private RabbitMQ starts")
}

/// A random word of small letters and digits, for names that must be unique on a shared server.
#[must_use]
pub fn word() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..12].to_owned()
}

/// A database of one test's own; dropping it drops it.
pub struct Database {
    /// The superuser's URL of it.
    pub url: String,
    /// Its name.
    pub name: String,
    server: String,
    drops: Vec<String>,
}

impl Database {
    /// Runs statements in it.
    ///
    /// # Panics
    /// If one fails.
    pub async fn execute(&self, sql: impl Into<String>) {
        let mut connection = PgConnection::connect(&self.url).await.expect("the test's database answers");
        execute(&mut connection, sql.into()).await;
        connection.close().await.expect("a connection closes");
    }

    /// A statement to run on the server once the database is gone.
    pub fn afterwards(&mut self, statement: String) {
        self.drops.push(statement);
    }
}

async fn execute(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.expect("the test's own statements run");
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, drops) = (self.server.clone(), std::mem::take(&mut self.drops));
        // A destructor can't await, and the test's runtime may be ending: a thread with one of its own does it.
        let dropping = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                // A server that is gone took the database with it.
                let Ok(mut connection) = PgConnection::connect(&server).await else { return };
                for statement in drops {
                    let _ = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await;
                }
            });
        });
        let _ = dropping.join();
    }
}
