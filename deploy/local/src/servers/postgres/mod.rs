//! A private PostgreSQL on 127.0.0.1.

pub mod cluster;
mod command;
pub mod installation;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::time::Instant;

use crate::child::Child;
use crate::error::{LocalError, on_database};
use crate::net::free_port;
use crate::servers::place::place;
use crate::servers::user::ServerUser;
use crate::spawn::log_tail;
use command::launch;
use installation::Installation;

const READY_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(30);

/// How a private PostgreSQL is to run.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Its data folder. An existing one is started again.
    pub data_dir: PathBuf,
    /// Whether a commit waits for the disk. `false` is for tests: a power cut may destroy the data.
    pub durable: bool,
    /// The TCP port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// The password of the superuser `postgres`; `None` trusts everybody on this machine, for tests.
    pub password: Option<String>,
    /// The log file; `None` is `data_dir` with the extension `log`.
    pub log: Option<PathBuf>,
}

impl PostgresOptions {
    /// A fast server without a password, for tests.
    #[must_use]
    pub fn for_tests(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), durable: false, port: None, password: None, log: None }
    }
}

/// A running private PostgreSQL. Dropping it stops it at once.
pub struct Postgres {
    child: Child,
    options: PostgresOptions,
    port: u16,
}

impl Postgres {
    /// Makes the data folder if need be, starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`LocalError::ProgramMissing`], [`LocalError::DataInUse`], [`LocalError::Died`] with the end of the log,
    /// [`LocalError::NotReady`], or what making the folder gave.
    pub async fn start(options: PostgresOptions) -> Result<Self, LocalError> {
        let installation = Installation::find()?;
        let user = ServerUser::when_root("postgres", "postgresql")?;
        let data = place("PostgreSQL", &options.data_dir, user.as_ref())?;
        let log = options.log.clone().unwrap_or_else(|| options.data_dir.with_extension("log"));
        cluster::create(&installation, user.as_ref(), &data, options.password.as_deref(), options.durable).await?;
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            if let Some(pid) = cluster::live_server(&data)? {
                return Err(LocalError::DataInUse { path: data, pid });
            }
            let port = options.port.map_or_else(free_port, Ok)?;
            let launch = launch(&installation, user.clone(), &data, port, options.durable);
            let mut server = Self { child: Child::start(&launch, &log)?, options: options.clone(), port };
            match server.wait_ready(deadline, &log).await {
                Ok(()) => return Ok(server),
                // Somebody took the port meanwhile, or processes of a killed server are about to end: once more.
                Err(LocalError::Died { tail, .. }) if passes(&tail, options.port) && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The URL of one of its databases for the superuser, by TCP.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let password = self.options.password.as_ref().map(|password| format!(":{password}")).unwrap_or_default();
        format!("postgres://postgres{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of one of its databases for another user.
    #[must_use]
    pub fn url_for(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Connects as the superuser.
    ///
    /// # Errors
    /// [`LocalError::Database`] with the server's answer.
    pub async fn connect(&self, database: &str) -> Result<PgConnection, LocalError> {
        let options = self.connect_options(database);
        Box::pin(options.connect()).await.map_err(on_database(format!("connecting to the database {database}")))
    }

    /// Makes a database unless it is there; `name` consists of small letters, digits and `_`.
    ///
    /// # Errors
    /// [`LocalError::Refused`] for another name, [`LocalError::Database`] with the server's answer.
    pub async fn create_database(&self, name: &str) -> Result<(), LocalError> {
        let mut connection = self.connect("postgres").await?;
        create_database(&mut connection, name, "postgres").await?;
        connection.close().await.map_err(on_database("closing a connection"))
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Its TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What starts the same server again: same folder, same port.
    #[must_use]
    pub fn options(&self) -> PostgresOptions {
        PostgresOptions { port: Some(self.port), ..self.options.clone() }
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_exit().is_some()
    }

    /// Sends a signal to the server process, for tests of faults.
    pub fn signal(&mut self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Stops it in order: sessions are ended and everything is written down.
    pub async fn stop(mut self) {
        self.child.signal(Signal::INT);
        if self.child.exited_within(Duration::from_secs(20)).await.is_none() {
            self.child.signal(Signal::QUIT);
            self.child.exited_within(Duration::from_secs(5)).await;
        }
    }

    fn connect_options(&self, database: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .database(database)
            .ssl_mode(PgSslMode::Disable);
        match &self.options.password {
            Some(password) => options.password(password),
            None => options,
        }
    }

    async fn wait_ready(&mut self, deadline: Instant, log: &Path) -> Result<(), LocalError> {
        loop {
            if self.child.try_exit().is_some() {
                return Err(self.child.died());
            }
            let options = self.connect_options("postgres");
            let last = match tokio::time::timeout(Duration::from_secs(5), Box::pin(options.connect())).await {
                Ok(Ok(connection)) => {
                    drop(connection.close().await);
                    return Ok(());
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if Instant::now() >= deadline {
                return Err(LocalError::NotReady {
                    program: "PostgreSQL".to_owned(),
                    seconds: READY_LIMIT.as_secs(),
                    last: format!("{last}; {}", log_tail(log)),
                    log: log.to_path_buf(),
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, without a checkpoint; the write-ahead log makes it whole again.
        self.child.signal(Signal::QUIT);
        self.child.signal(Signal::CONT);
        self.child.exited_within_blocking(Duration::from_secs(5));
    }
}

/// Makes a database owned by `owner` unless it is there.
///
/// # Errors
/// [`LocalError::Refused`] for a name that is not made of small letters, digits and `_`, [`LocalError::Database`].
pub async fn create_database(connection: &mut PgConnection, name: &str, owner: &str) -> Result<(), LocalError> {
    for word in [name, owner] {
        if word.is_empty() || !word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            return Err(LocalError::Refused(format!("{word:?} is no name for a database: use small letters, digits and _")));
        }
    }
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_optional(&mut *connection)
        .await
        .map_err(on_database("listing databases"))?;
    if found.is_none() {
        let sql = format!("CREATE DATABASE \"{name}\" OWNER \"{owner}\"");
        sqlx::query(AssertSqlSafe(sql)).execute(connection).await.map_err(on_database(format!("creating the database {name}")))?;
    }
    Ok(())
}

/// Whether an early end is one that a second try gets past.
fn passes(log: &str, port: Option<u16>) -> bool {
    log.contains("pre-existing shared memory block") || port.is_none() && log.contains("already in use")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_troubles_are_tried_again() {
        assert!(passes("FATAL: could not bind: Address already in use", None));
        assert!(!passes("FATAL: could not bind: Address already in use", Some(5432)));
        assert!(passes("FATAL: pre-existing shared memory block (key 1) is still in use", Some(5432)));
        assert!(!passes("FATAL: database files are incompatible with server", None));
    }
}
