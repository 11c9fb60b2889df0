//! Registered customer databases.

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
    /// How the wire to a PostgreSQL server is secured, in libpq's words.
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
