//! Connections to a PostgreSQL server: how they are secured, how many there are, and how long anybody waits for one.

use std::{net::IpAddr, sync::Arc, time::Duration};

use datagenie_common::{
    ids::UserId,
    model::connections::{ServerConfig, SslMode},
};
use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::time::{Instant, timeout};

use super::{
    errors,
    idle::{Idle, Kept},
    session::Session,
};
use crate::{
    breaker::Breaker,
    capacity::Permit,
    sources::{SourceError, slots::Slots},
};

/// A connection that lay idle longer than this is asked whether it still is one.
const FRESH: Duration = Duration::from_secs(1);
/// Failures to connect in a row after which the server is left alone, and for how long: a server that hangs in its handshake must not
/// hold every slot.
const FAILURES: u32 = 5;
const REST: Duration = Duration::from_secs(5);

/// The sessions of one source. A slot is taken before a connection is asked for, so that waiting for one another and waiting for the
/// server are told apart.
pub(super) struct Sessions {
    options: Arc<PgConnectOptions>,
    idle: Arc<Idle>,
    slots: Slots,
    breaker: Breaker,
    connect_timeout: Duration,
}

impl Sessions {
    pub(super) fn new(config: &ServerConfig, connect_timeout: Duration, slots: Slots) -> Result<Self, SourceError> {
        let options = Arc::new(options(config)?);
        let breaker = Breaker::new("source", slots.name().to_owned(), FAILURES, REST);
        Ok(Self { options, idle: Arc::new(Idle::new()), slots, breaker, connect_timeout })
    }

    /// A session in a read-only transaction for a user's statement, which may take `max_time`.
    pub(super) async fn begin(&self, max_time: Duration, user: UserId) -> Result<Session, SourceError> {
        self.breaker.check().map_err(|open| SourceError::Resting { after: open.retry_after })?;
        let slot = self.slots.take(user).await?;
        self.open(max_time, slot).await
    }

    /// The same for a look of our own, whose statements may take `max_time` each.
    pub(super) async fn begin_to_look(&self, max_time: Duration) -> Result<Session, SourceError> {
        let slot = self.slots.take_to_look().await?;
        self.open(max_time, slot).await
    }

    /// A slot for a look that connects by itself.
    pub(super) async fn slot_to_look(&self) -> Result<Permit, SourceError> {
        self.slots.take_to_look().await
    }

    async fn open(&self, max_time: Duration, slot: Permit) -> Result<Session, SourceError> {
        let call = self.breaker.enter().map_err(|open| SourceError::Resting { after: open.retry_after })?;
        let opened = self.open_any(max_time, slot).await;
        match &opened {
            Err(SourceError::Unreachable { .. }) => call.failed(),
            // A server that refuses answers.
            _ => call.succeeded(),
        }
        opened
    }

    /// On a connection that was kept, or a new one.
    async fn open_any(&self, max_time: Duration, mut slot: Permit) -> Result<Session, SourceError> {
        while let Some(kept) = self.idle.take() {
            match self.open_on(kept, max_time, slot).await? {
                Ok(session) => return Ok(session),
                Err(unused) => slot = unused,
            }
        }
        let connection = self.connect().await?;
        let mut session = Session::new(connection, Instant::now(), slot, Arc::clone(&self.options), Arc::clone(&self.idle));
        self.in_time(session.begin(max_time)).await??;
        Ok(session)
    }

    /// On a connection that was kept. Gives the slot back if it was lost meanwhile, which says nothing about the next one.
    async fn open_on(&self, mut kept: Kept, max_time: Duration, slot: Permit) -> Result<Result<Session, Permit>, SourceError> {
        if kept.since.elapsed() > FRESH && self.in_time(kept.connection.ping()).await?.is_err() {
            return Ok(Err(slot));
        }
        let mut session = Session::new(kept.connection, kept.opened, slot, Arc::clone(&self.options), Arc::clone(&self.idle));
        match self.in_time(session.begin(max_time)).await? {
            Ok(()) => Ok(Ok(session)),
            Err(error @ SourceError::Unreachable { .. }) => session.into_slot().map(Err).ok_or(error),
            Err(error) => Err(error),
        }
    }

    /// A connection of its own, for looking at the server: its errors are the server's, at once.
    pub(super) async fn connect(&self) -> Result<PgConnection, SourceError> {
        let connected = self.in_time(PgConnection::connect_with(&self.options)).await?;
        connected.map_err(|error| errors::connecting(&error))
    }

    /// Notes that the server was seen to work.
    pub(super) fn seen_to_work(&self) {
        self.breaker.works();
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Closes the idle sessions; those at work close when they are over.
    pub(super) async fn close(&self) {
        self.idle.close().await;
    }

    async fn in_time<F: Future>(&self, step: F) -> Result<F::Output, SourceError> {
        let no_answer = |_elapsed| SourceError::unreachable(format!("no answer within {} ms", self.connect_timeout.as_millis()));
        timeout(self.connect_timeout, step).await.map_err(no_answer)
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
