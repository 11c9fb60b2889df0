//! Connections to a PostgreSQL server: how they are secured, how many there are, and how long anybody waits for one.

use std::{net::IpAddr, sync::Arc, time::Duration};

use datagenie_common::model::connections::{ServerConfig, SslMode};
use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{errors, session::Session};
use crate::sources::SourceError;

/// A connection is closed after this long, whatever its state.
const RECYCLE: Duration = Duration::from_secs(3_600);
/// A connection nobody used this long is closed: the customer's server has other clients.
const IDLE: Duration = Duration::from_secs(600);
/// Time to wait while all sessions are at work.
const QUEUE_WAIT: Duration = Duration::from_secs(10);
/// Time for closing politely.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// The sessions of one source. A slot is taken before a connection is asked for, so that waiting for one another and waiting for the
/// server are told apart.
pub(super) struct Sessions {
    options: Arc<PgConnectOptions>,
    pool: PgPool,
    slots: Arc<Semaphore>,
    connect_timeout: Duration,
}

impl Sessions {
    pub(super) fn new(config: &ServerConfig, connect_timeout: Duration, max_sessions: u32) -> Result<Self, SourceError> {
        let options = options(config)?;
        let pool = PgPoolOptions::new()
            .max_connections(max_sessions)
            .acquire_timeout(connect_timeout)
            .max_lifetime(RECYCLE)
            .idle_timeout(IDLE)
            .test_before_acquire(true)
            .connect_lazy_with(options.clone());
        let slots = Arc::new(Semaphore::new(max_sessions as usize));
        Ok(Self { options: Arc::new(options), pool, slots, connect_timeout })
    }

    /// A session in a read-only transaction, whose statements may take `max_time` each.
    pub(super) async fn begin(&self, max_time: Duration) -> Result<Session, SourceError> {
        let slot = self.slot().await?;
        let connection = self.acquire().await?;
        let mut session = Session::new(connection, slot, Arc::clone(&self.options));
        match timeout(self.connect_timeout, session.begin(max_time)).await {
            Ok(begun) => begun.map(|()| session),
            Err(_elapsed) => Err(self.no_answer()),
        }
    }

    /// A connection of its own, for looking at the server: its errors are the server's, at once.
    pub(super) async fn connect(&self) -> Result<PgConnection, SourceError> {
        match timeout(self.connect_timeout, PgConnection::connect_with(&self.options)).await {
            Ok(connected) => connected.map_err(|error| errors::connecting(&error)),
            Err(_elapsed) => Err(self.no_answer()),
        }
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Closes the idle sessions; those at work close when they are given back.
    pub(super) async fn close(&self) {
        if timeout(CLOSE_WAIT, self.pool.close()).await.is_err() {
            tracing::debug!("a source is closed while statements run; their sessions end with them");
        }
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit, SourceError> {
        match timeout(QUEUE_WAIT, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_closed)) => Err(SourceError::internal("the source is closed")),
            Err(_elapsed) => Err(SourceError::TooManyConnections),
        }
    }

    async fn acquire(&self) -> Result<PoolConnection<Postgres>, SourceError> {
        match self.pool.acquire().await {
            Ok(connection) => Ok(connection),
            // The pool tries again while a server refuses or starts up, and then only says that the time is over: ask the server why.
            Err(sqlx::Error::PoolTimedOut) => {
                let connection = self.connect().await?;
                let _closed = timeout(CLOSE_WAIT, connection.close()).await;
                self.pool.acquire().await.map_err(|error| errors::connecting(&error))
            }
            Err(error) => Err(errors::connecting(&error)),
        }
    }

    fn no_answer(&self) -> SourceError {
        SourceError::unreachable(format!("no answer within {} ms", self.connect_timeout.as_millis()))
    }
}

fn options(config: &ServerConfig) -> Result<PgConnectOptions, SourceError> {
    // The start-up message ends its strings with NUL: one inside would begin another parameter.
    let texts = [&config.host, &config.database, &config.username];
    if texts.iter().any(|text| text.is_empty() || text.contains('\0')) {
        return Err(SourceError::refused("host, database and username must be given, and hold no NUL"));
    }
    Ok(PgConnectOptions::new_without_pgpass()
        .host(&config.host)
        .port(config.port)
        .database(&config.database)
        .username(&config.username)
        .password(config.password.expose_secret())
        .ssl_mode(ssl_mode(config))
        .application_name("datagenie")
        // Connection poolers refuse start-up parameters they don't know, and mix up named statements: neither is used.
        .extra_float_digits(None::<i8>)
        .statement_cache_capacity(0)
        // Statements hold customers' literals.
        .disable_statement_logging())
}

fn ssl_mode(config: &ServerConfig) -> PgSslMode {
    match config.ssl_mode {
        Some(SslMode::Disable) => PgSslMode::Disable,
        Some(SslMode::Prefer) => PgSslMode::Prefer,
        Some(SslMode::Require) => PgSslMode::Require,
        Some(SslMode::VerifyCa) => PgSslMode::VerifyCa,
        Some(SslMode::VerifyFull) => PgSslMode::VerifyFull,
        None if is_local(&config.host) => PgSslMode::Prefer,
        None => PgSslMode::Require,
    }
}

/// A socket folder or a loopback address: nobody listens on that wire.
fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn config(host: &str, ssl_mode: Option<SslMode>) -> ServerConfig {
        ServerConfig {
            host: host.to_owned(),
            port: 5432,
            database: "shop".to_owned(),
            username: "reader".to_owned(),
            password: SecretString::from("secret"),
            ssl_mode,
        }
    }

    #[test]
    fn tls_is_required_but_on_this_machine() {
        for host in ["localhost", "127.0.0.1", "127.8.0.1", "::1", "[::1]", "/var/run/postgresql"] {
            assert!(matches!(ssl_mode(&config(host, None)), PgSslMode::Prefer), "{host}");
        }
        for host in ["db.example.com", "10.0.0.5", "localhost.example.com", "128.0.0.1"] {
            assert!(matches!(ssl_mode(&config(host, None)), PgSslMode::Require), "{host}");
        }
        assert!(matches!(ssl_mode(&config("localhost", Some(SslMode::VerifyFull))), PgSslMode::VerifyFull));
        assert!(matches!(ssl_mode(&config("10.0.0.5", Some(SslMode::Disable))), PgSslMode::Disable));
    }

    #[test]
    fn a_nul_cannot_reach_the_startup_message() {
        let mut hostile = config("localhost", None);
        hostile.username = "reader\0options\0-c x=y".to_owned();
        assert!(matches!(options(&hostile), Err(SourceError::Refused { .. })));
        assert!(options(&config("localhost", None)).is_ok());
    }
}
