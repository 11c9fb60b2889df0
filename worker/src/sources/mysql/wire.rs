//! Connections to a MySQL server, one at a time: where it is, how the wire is secured, what answers there, and how a connection ends.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use datagenie_common::model::connections::{ServerConfig, SslMode};
use futures::FutureExt as _;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Row, prelude::Queryable as _};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::{
    errors,
    server::{self, Bounds, Server},
    tls,
};
use crate::sources::{SourceError, idle::KeptConnection};

/// The largest packet that is read, and so the largest row that is held: more than any result may have.
const MAX_PACKET: usize = 32 * 1024 * 1024;
/// The kernel asks after this long whether a silent server still is there.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// The names that a server's socket has in its folder.
const SOCKETS: [&str; 3] = ["mysqld.sock", "mysql.sock", "mariadb.sock"];

/// How to reach a server.
pub(super) struct Connector {
    plain: OptsBuilder,
    secured: Option<Opts>,
    /// Whether a server without TLS will do.
    falls_back: bool,
    /// A socket, or the folder that holds one.
    socket: Option<PathBuf>,
    connect_timeout: Duration,
}

impl Connector {
    /// Does not connect.
    pub(super) fn new(config: &ServerConfig, connect_timeout: Duration) -> Result<Self, SourceError> {
        // The handshake ends its strings with NUL: what stood behind one would be read as something else.
        let texts = [&config.host, &config.database, &config.username];
        if texts.iter().any(|text| text.is_empty() || text.contains('\0')) {
            return Err(SourceError::refused("host, database and username must be given, and hold no NUL"));
        }
        let tls = tls::options(config)?;
        let password = config.password.expose_secret();
        let plain = OptsBuilder::default()
            .ip_or_hostname(config.host.trim_matches(['[', ']']))
            .tcp_port(config.port)
            .user(Some(config.username.as_str()))
            .pass((!password.is_empty()).then_some(password))
            .db_name(Some(config.database.as_str()))
            .tcp_keepalive(Some(KEEPALIVE))
            // A statement is prepared once and gone with the reset of its session.
            .stmt_cache_size(0)
            // All that the driver would ask the server for after the handshake.
            .prefer_socket(false)
            .max_allowed_packet(Some(MAX_PACKET))
            .wait_timeout(Some(0));
        let socket = config.host.starts_with('/').then(|| PathBuf::from(&config.host));
        let secured = tls.map(|tls| Opts::from(plain.clone().ssl_opts(tls)));
        let falls_back = config.effective_ssl_mode() == SslMode::Prefer;
        Ok(Self { plain, secured, falls_back, socket, connect_timeout })
    }

    /// A connection that has signed in, and knows its server.
    pub(super) async fn connect(&self) -> Result<Connection, SourceError> {
        let signed_in = self.sign_in().await?;
        let mut conn = signed_in.map_err(|error| errors::connecting(&error))?;
        let told = self.in_time(conn.query_first::<Row, _>(server::ASK)).await?.map_err(|error| errors::beginning(&error))?;
        let server = told.as_ref().and_then(Server::told);
        let server = server.ok_or_else(|| SourceError::refused("what answers at this address is neither MySQL nor MariaDB"))?;
        Ok(Connection { conn: Some(conn), server })
    }

    // Nobody listens on the wire of a socket, so it is never secured; libpq does the same.
    async fn sign_in(&self) -> Result<Result<Conn, Error>, SourceError> {
        if let Some(socket) = &self.socket {
            let path = socket_at(socket).await.to_string_lossy().into_owned();
            return self.in_time(Conn::new(self.plain.clone().socket(Some(path)))).await;
        }
        if let Some(secured) = &self.secured {
            match self.in_time(Conn::new(secured.clone())).await? {
                Err(error) if self.falls_back && errors::is_tls(&error) => {}
                signed_in => return Ok(signed_in),
            }
        }
        self.in_time(Conn::new(self.plain.clone())).await
    }

    /// Gives a step of connecting its time.
    pub(super) async fn in_time<F: Future>(&self, step: F) -> Result<F::Output, SourceError> {
        let no_answer = |_elapsed| SourceError::unreachable(format!("no answer within {} ms", self.connect_timeout.as_millis()));
        timeout(self.connect_timeout, step).await.map_err(no_answer)
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }
}

async fn socket_at(path: &Path) -> PathBuf {
    if !tokio::fs::metadata(path).await.is_ok_and(|found| found.is_dir()) {
        return path.to_owned();
    }
    for name in SOCKETS {
        let socket = path.join(name);
        if tokio::fs::try_exists(&socket).await.unwrap_or(false) {
            return socket;
        }
    }
    path.join(SOCKETS[0])
}

/// A connection. Dropped, it closes its socket at once, whatever is on the wire.
pub(super) struct Connection {
    /// None only once it is over.
    conn: Option<Conn>,
    server: Server,
}

impl Connection {
    /// The driver's connection.
    pub(super) fn conn(&mut self) -> Result<&mut Conn, SourceError> {
        self.conn.as_mut().ok_or_else(|| SourceError::internal("the connection is over"))
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// The server's number of this session; none once it is over.
    pub(super) fn id(&self) -> Option<u32> {
        self.conn.as_ref().map(Conn::id)
    }

    /// Sets the session up and begins a read-only transaction, which nothing that runs in it can turn into another one.
    pub(super) async fn begin(&mut self, bounds: &Bounds) -> Result<(), SourceError> {
        let settings = self.server.settings(bounds);
        let conn = self.conn()?;
        conn.query_drop(settings).await.map_err(|error| errors::beginning(&error))?;
        conn.query_drop("START TRANSACTION READ ONLY").await.map_err(|error| errors::beginning(&error))
    }

    /// Rolls back and undoes whatever the session was told: settings, variables, locks, prepared statements, temporary tables. Whether
    /// that surely happened.
    pub(super) async fn reset(&mut self) -> bool {
        match &mut self.conn {
            Some(conn) => matches!(conn.reset().await, Ok(true)),
            None => false,
        }
    }
}

impl KeptConnection for Connection {
    async fn close(mut self) {
        if let Some(conn) = self.conn.take() {
            let _said_or_not = conn.disconnect().await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Left to itself the driver would read on until the end of the result, in a task of its own. A farewell that is given up after its
        // first step has already told it that the connection is over; then it only closes the socket.
        if let Some(conn) = self.conn.take() {
            let _given_up = conn.disconnect().now_or_never();
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn config(host: &str) -> ServerConfig {
        ServerConfig {
            host: host.to_owned(),
            port: 3307,
            database: "shop".to_owned(),
            username: "reader".to_owned(),
            password: SecretString::from("secret"),
            ssl_mode: None,
            ssl_root_cert: None,
            pool_size: None,
            max_overflow: None,
        }
    }

    fn connector(host: &str) -> Connector {
        Connector::new(&config(host), Duration::from_secs(1)).expect("it is a good configuration")
    }

    #[test]
    fn a_nul_cannot_reach_the_handshake() {
        let mut hostile = config("localhost");
        hostile.username = "reader\0mysql".to_owned();
        assert!(matches!(Connector::new(&hostile, Duration::from_secs(1)), Err(SourceError::Refused { .. })));
        hostile.username = String::new();
        assert!(matches!(Connector::new(&hostile, Duration::from_secs(1)), Err(SourceError::Refused { .. })));
    }

    #[test]
    fn the_driver_asks_for_nothing_and_answers_no_request_for_files() {
        let opts = Opts::from(connector("[::1]").plain);
        assert_eq!((opts.ip_or_hostname(), opts.tcp_port(), opts.user(), opts.db_name()), ("::1", 3307, Some("reader"), Some("shop")));
        assert_eq!((opts.max_allowed_packet(), opts.wait_timeout(), opts.prefer_socket()), (Some(MAX_PACKET), Some(0), false));
        assert!(opts.local_infile_handler().is_none() && !opts.enable_cleartext_plugin() && opts.secure_auth());
        assert!(opts.init().is_empty() && opts.setup().is_empty() && opts.stmt_cache_size() == 0);
    }

    #[test]
    fn only_preferred_tls_is_done_without() {
        let local = connector("localhost");
        assert!(local.secured.is_some() && local.falls_back);
        let remote = connector("db.example.com");
        assert!(remote.secured.is_some() && !remote.falls_back);
    }

    #[tokio::test]
    async fn a_socket_is_a_file_or_in_a_folder() {
        let folder = std::env::temp_dir().join(format!("datagenie-mysql-{}", std::process::id()));
        tokio::fs::create_dir_all(&folder).await.expect("a folder can be made");
        assert_eq!(socket_at(&folder).await, folder.join("mysqld.sock"), "the usual name");
        let socket = folder.join("mysql.sock");
        tokio::fs::write(&socket, "").await.expect("a file can be made");
        assert_eq!(socket_at(&folder).await, socket);
        assert_eq!(socket_at(&socket).await, socket);
        tokio::fs::remove_dir_all(&folder).await.expect("it goes away");
    }
}
