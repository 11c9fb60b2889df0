//! Registered customer databases.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::word_enum;

word_enum! {
    /// The engine of a customer database; also the SQL dialect spoken to it.
    pub enum DbType {
        /// PostgreSQL.
        Postgresql = "postgresql",
        /// MySQL or MariaDB.
        Mysql = "mysql",
        /// A SQLite file below a configured folder.
        Sqlite = "sqlite",
    }
}

impl DbType {
    /// The schema an unqualified table name means, in the catalogue's words. MySQL's is the connection's own database.
    #[must_use]
    pub fn default_schema(self, database: &str) -> &str {
        match self {
            Self::Postgresql => "public",
            Self::Mysql => database,
            Self::Sqlite => "main",
        }
    }
}

word_enum! {
    /// Where a connection stands: `probing → ready | refused | unreachable`.
    pub enum ConnectionState {
        /// A job is looking at the database; questions wait.
        Probing = "probing",
        /// Questions run.
        Ready = "ready",
        /// The database answered, and must not or cannot be used as configured (writable role, wrong password …).
        Refused = "refused",
        /// The database does not answer; a later test or sync may find it.
        Unreachable = "unreachable",
    }
}

word_enum! {
    /// How the wire to a server is secured, in libpq's words.
    pub enum SslMode {
        /// Plain text.
        Disable = "disable",
        /// TLS if offered.
        Prefer = "prefer",
        /// TLS, certificate not checked.
        Require = "require",
        /// TLS, certificate checked against the trusted roots.
        VerifyCa = "verify-ca",
        /// TLS, certificate and host name checked.
        VerifyFull = "verify-full",
    }
}

/// How to reach a customer database: the clear text of `connection_config`. Its `Debug` shows no password.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ConnectionConfig {
    /// A server reached over TCP or a unix socket.
    Server(ServerConfig),
    /// A file of this machine.
    File(FileConfig),
}

/// A database server. `host` may be a folder that holds a unix socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Host name, address or socket folder.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database name.
    pub database: String,
    /// Role to sign in as; it should only be able to read.
    pub username: String,
    /// Its password.
    #[serde(serialize_with = "expose", deserialize_with = "conceal")]
    pub password: SecretString,
    /// How the wire is secured; none given: `require`, on loopback and sockets `prefer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_mode: Option<SslMode>,
    /// The certificate authorities that `verify-ca` and `verify-full` trust, in PEM; none given: the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_root_cert: Option<String>,
    /// Sessions that a worker process keeps open for the next statement; none given: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_size: Option<u32>,
    /// Sessions that a worker process opens beyond `pool_size` while they are needed; none given: 10. `max_connections` wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_overflow: Option<u32>,
}

/// The design document's sizes of a pool.
const POOL_SIZE: u32 = 5;
const MAX_OVERFLOW: u32 = 10;

impl ServerConfig {
    /// Sessions that a process keeps open for the next statement.
    #[must_use]
    pub fn kept_sessions(&self) -> u32 {
        self.pool_size.unwrap_or(POOL_SIZE)
    }

    /// Sessions that a process has at most, at least 1.
    #[must_use]
    pub fn most_sessions(&self) -> u32 {
        self.kept_sessions().saturating_add(self.max_overflow.unwrap_or(MAX_OVERFLOW)).max(1)
    }

    /// How the wire is secured.
    #[must_use]
    pub fn effective_ssl_mode(&self) -> SslMode {
        self.ssl_mode.unwrap_or(if is_local(&self.host) { SslMode::Prefer } else { SslMode::Require })
    }
}

/// A socket folder or a loopback address: nobody listens on that wire.
fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A database file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// Absolute path, below one of the configured folders.
    pub database: String,
}

// Serialised only to be sealed; a `Serialize` of the secret anywhere else would have to name these functions.
fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn conceal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.contains('\0') {
        return Err(D::Error::custom("a password holds no NUL"));
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(host: &str, ssl_mode: Option<SslMode>) -> ServerConfig {
        ServerConfig {
            host: host.to_owned(),
            port: 5432,
            database: "shop".to_owned(),
            username: "reader".to_owned(),
            password: SecretString::from("secret"),
            ssl_mode,
            ssl_root_cert: None,
            pool_size: None,
            max_overflow: None,
        }
    }

    #[test]
    fn tls_is_required_but_on_this_machine() {
        for host in ["localhost", "127.0.0.1", "127.8.0.1", "::1", "[::1]", "/var/run/postgresql"] {
            assert_eq!(config(host, None).effective_ssl_mode(), SslMode::Prefer, "{host}");
        }
        for host in ["db.example.com", "10.0.0.5", "localhost.example.com", "128.0.0.1"] {
            assert_eq!(config(host, None).effective_ssl_mode(), SslMode::Require, "{host}");
        }
        assert_eq!(config("localhost", Some(SslMode::VerifyFull)).effective_ssl_mode(), SslMode::VerifyFull);
        assert_eq!(config("10.0.0.5", Some(SslMode::Disable)).effective_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn a_pool_has_the_documents_sizes_and_at_least_one_session() {
        let mut given = config("localhost", None);
        assert_eq!((given.kept_sessions(), given.most_sessions()), (5, 15));
        (given.pool_size, given.max_overflow) = (Some(0), Some(0));
        assert_eq!((given.kept_sessions(), given.most_sessions()), (0, 1));
    }
}
