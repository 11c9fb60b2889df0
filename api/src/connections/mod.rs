//! Customers' databases, as registered. The api seals and stores how to reach them; only workers ever do.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod look;
pub mod permissions;
pub mod schema;
pub mod update;

use chrono::{DateTime, Utc};
use datagenie_common::{
    crypto::Keyring,
    ids::{ConnectionId, JobId, UserId},
    jobs::{JobKind, LookAtConnection, PAYLOAD_VERSION},
    model::{
        connections::{ConnectionConfig, ConnectionState, DbType, FileConfig, ServerConfig},
        questions::Failure,
    },
    store::{connections::Connection, ledger::NewJob},
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    app::App,
    error::{ApiError, Result},
    frame::Framed,
};

/// A connection as shown; its configuration is never returned.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConnectionView {
    /// Its id.
    pub id: Uuid,
    /// Unique name.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// What it is.
    pub description: Option<String>,
    /// `postgresql`, `mysql` or `sqlite`.
    #[schema(value_type = String)]
    pub db_type: DbType,
    /// `probing`, `ready`, `refused` or `unreachable`.
    #[schema(value_type = String)]
    pub state: ConnectionState,
    /// Why it is refused or unreachable.
    #[schema(value_type = Option<Object>)]
    pub error: Option<Failure>,
    /// Whether questions may be asked of it.
    pub is_active: bool,
    /// Whether its role can only read.
    pub is_readonly: bool,
    /// Sessions on it at once, of one worker process.
    pub max_connections: i32,
    /// Whether a role that can write was allowed.
    pub allow_writable_role: bool,
    /// What its role could change, in words.
    pub role_warnings: Vec<String>,
    /// What the server says it is.
    pub server_version: Option<String>,
    /// When its schema was last read.
    pub last_schema_sync: Option<DateTime<Utc>>,
    /// Moves with the schema.
    pub schema_version: i64,
    /// Who registered it.
    pub created_by: Option<Uuid>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

impl From<Connection> for ConnectionView {
    fn from(c: Connection) -> Self {
        Self {
            id: c.id.0,
            name: c.name,
            display_name: c.display_name,
            description: c.description,
            db_type: c.db_type,
            state: c.state,
            error: c.error,
            is_active: c.is_active,
            is_readonly: c.is_readonly,
            max_connections: c.max_connections,
            allow_writable_role: c.allow_writable_role,
            role_warnings: c.role_warnings,
            server_version: c.server_version,
            last_schema_sync: c.last_schema_sync,
            schema_version: c.schema_version,
            created_by: c.created_by,
            created_at: c.created_at,
            updated_at: c.updated_at,
        }
    }
}

/// Seconds that a look at a connection has until it is given up.
const LOOK_DEADLINE: f64 = 600.0;

/// A job that looks at a connection.
fn look_job(app: &App, framed: &Framed, user: UserId, connection: ConnectionId, kind: JobKind) -> NewJob {
    let payload = LookAtConnection { v: PAYLOAD_VERSION, connection_id: connection };
    NewJob {
        id: JobId::new(),
        kind,
        user_id: user,
        connection_id: Some(connection),
        batch_id: None,
        subject_id: Some(connection.0),
        replay_of: None,
        deadline_seconds: LOOK_DEADLINE,
        run_seconds: None,
        max_attempts: i16::try_from(app.settings.jobs.max_attempts).unwrap_or(i16::MAX),
        payload: serde_json::json!(payload),
        traceparent: Some(framed.trace.render()),
    }
}

/// Reads a configuration as its engine has it.
fn read_config(db_type: DbType, config: Value) -> Result<ConnectionConfig> {
    let wrong = |error: serde_json::Error| ApiError::field("config", config_hint(db_type, &error));
    let config = match db_type {
        DbType::Postgresql | DbType::Mysql => ConnectionConfig::Server(serde_json::from_value(config).map_err(wrong)?),
        DbType::Sqlite => ConnectionConfig::File(serde_json::from_value(config).map_err(wrong)?),
    };
    match &config {
        ConnectionConfig::Server(server) => check_server(server)?,
        ConnectionConfig::File(file) => check_file(file)?,
    }
    Ok(config)
}

// serde's message names fields and types, and a value only where it is of a wrong type: a password that is no text is not repeated.
fn config_hint(db_type: DbType, error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = if message.starts_with("missing field") || message.starts_with("unknown field") || message.starts_with("unknown variant") {
        message
    } else {
        "a value is of the wrong type".to_owned()
    };
    match db_type {
        DbType::Postgresql | DbType::Mysql => format!("{what}; expected {{host, port, database, username, password, ssl_mode?}}"),
        DbType::Sqlite => format!("{what}; expected {{database: \"/path/file.sqlite\"}}"),
    }
}

fn check_server(server: &ServerConfig) -> Result<()> {
    for (field, text) in [("config.host", &server.host), ("config.database", &server.database), ("config.username", &server.username)] {
        if text.trim().is_empty() || text.len() > 255 || text.contains('\0') {
            return Err(ApiError::field(field, "must have 1 to 255 characters"));
        }
    }
    if server.port == 0 {
        return Err(ApiError::field("config.port", "must be 1 to 65535"));
    }
    Ok(())
}

fn check_file(file: &FileConfig) -> Result<()> {
    if file.database.starts_with('/') && file.database.len() <= 4096 && !file.database.contains('\0') {
        return Ok(());
    }
    Err(ApiError::field("config.database", "must be the absolute path of a SQLite file"))
}

/// Seals a configuration for the row of this id.
fn seal(keyring: &Keyring, id: ConnectionId, config: &ConnectionConfig) -> Result<Value> {
    let clear = serde_json::to_vec(config).map_err(|error| ApiError::internal(&error))?;
    keyring.seal("database_connections", "connection_config", id.0, &clear).map_err(|error| ApiError::internal(&error))
}

fn check_max_connections(given: Option<i32>) -> Result<()> {
    match given {
        Some(1..=1000) | None => Ok(()),
        Some(_) => Err(ApiError::field("max_connections", "must be 1 to 1000")),
    }
}
