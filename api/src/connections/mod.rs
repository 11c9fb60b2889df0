//! Customers' databases, as registered. The api seals and stores how to reach them; only workers ever do.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod look;
pub mod masks;
pub mod permissions;
pub mod schema;
pub mod update;

use std::time::Duration;

use chrono::{DateTime, Utc};
use datagenie_common::{
    cache::CacheKey,
    crypto::Keyring,
    ids::{ConnectionId, JobId, UserId},
    jobs::{JobKind, LookAtConnection, PAYLOAD_VERSION},
    lifecycle,
    model::{
        connections::{ConnectionConfig, ConnectionState, DbType, FileConfig, ServerConfig},
        questions::Failure,
    },
    objects,
    store::{connections::Connection, ledger::NewJob},
};
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    access::Caller,
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
    #[schema(value_type = crate::openapi::words::DbType)]
    pub db_type: DbType,
    /// `probing`, `ready`, `refused` or `unreachable`.
    #[schema(value_type = crate::openapi::words::ConnectionState)]
    pub state: ConnectionState,
    /// Why it is refused or unreachable; of a refusal only administrators are told more than that.
    #[schema(value_type = Option<crate::openapi::shapes::Failure>)]
    pub error: Option<Failure>,
    /// Whether questions may be asked of it.
    pub is_active: bool,
    /// Whether its role can only read.
    pub is_readonly: bool,
    /// Sessions at work on it at once, over all workers.
    pub max_connections: i32,
    /// A statement whose plan costs more, in the planner's own units, is refused; null: none is.
    pub max_plan_cost: Option<f64>,
    /// Functions that the guard lets through besides its own list.
    pub extra_functions: Vec<String>,
    /// Whether a role that can write was allowed.
    pub allow_writable_role: bool,
    /// What its role could change, in words; shown to administrators only.
    pub role_warnings: Vec<String>,
    /// What an administrator should know of the server or its role besides, in words; shown to administrators only.
    pub probe_notes: Vec<String>,
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
            max_plan_cost: c.max_plan_cost,
            extra_functions: c.extra_functions,
            allow_writable_role: c.allow_writable_role,
            role_warnings: c.role_warnings,
            probe_notes: c.probe_notes,
            server_version: c.server_version,
            last_schema_sync: c.last_schema_sync,
            schema_version: c.schema_version,
            created_by: c.created_by,
            created_at: c.created_at,
            updated_at: c.updated_at,
        }
    }
}

impl ConnectionView {
    /// The connection as this caller may see it. What a look found out about its role names tables, and not everybody may see them all.
    fn seen_by(caller: &Caller, connection: Connection) -> Self {
        let mut view = Self::from(connection);
        if !caller.is_admin() {
            view.role_warnings.clear();
            view.probe_notes.clear();
            if view.state == ConnectionState::Refused {
                let untold = |error: Failure| Failure { message: REFUSED.to_owned(), hint: None, ..error };
                view.error = view.error.map(untold);
            }
        }
        view
    }
}

/// What who is no administrator is told of a refusal.
pub const REFUSED: &str = "the connection was refused; an administrator sees why";

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
        DbType::Postgresql | DbType::Mysql => ConnectionConfig::Server(objects::from_value(config).map_err(wrong)?),
        DbType::Sqlite => ConnectionConfig::File(objects::from_value(config).map_err(wrong)?),
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
        DbType::Postgresql | DbType::Mysql => {
            format!("{what}; expected {{host, port, database, username, password, ssl_mode?, ssl_root_cert?, pool_size?, max_overflow?}}")
        }
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
    if let Some(pem) = &server.ssl_root_cert
        && (pem.len() > 256 * 1024 || !pem.contains("-----BEGIN CERTIFICATE-----"))
    {
        return Err(ApiError::field(
            "config.ssl_root_cert",
            "must hold certificates in PEM (-----BEGIN CERTIFICATE-----), at most 256 KiB",
        ));
    }
    for (field, size) in [("config.pool_size", server.pool_size), ("config.max_overflow", server.max_overflow)] {
        if size.is_some_and(|size| size > 1000) {
            return Err(ApiError::field(field, "must be 0 to 1000"));
        }
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

fn check_max_plan_cost(given: Option<f64>) -> Result<()> {
    match given {
        Some(cost) if !(cost.is_finite() && cost > 0.0) => {
            Err(ApiError::field("max_plan_cost", "must be above 0, in the units of the database's planner"))
        }
        _ => Ok(()),
    }
}

/// Functions of one connection.
const MOST_FUNCTIONS: usize = 1_000;

fn check_extra_functions(given: &[String]) -> Result<()> {
    if given.len() > MOST_FUNCTIONS {
        return Err(ApiError::field("extra_functions", format!("must hold at most {MOST_FUNCTIONS} names")));
    }
    for (n, name) in given.iter().enumerate() {
        let parts: Vec<&str> = name.split('.').collect();
        let is_name = |part: &&str| {
            !part.is_empty() && part.chars().count() <= 63 && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
        };
        if parts.len() > 2 || !parts.iter().all(is_name) {
            return Err(ApiError::field(format!("extra_functions[{n}]"), "must be the name of a function, `name` or `schema.name`"));
        }
    }
    Ok(())
}

/// How soon Redis is asked again to forget something.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Has Redis forget what it holds of a connection's schema, which may be samples of values. Asked again each second, beside the answer, until
/// Redis has confirmed it: one that was slow for a moment would keep them for a day.
async fn forget_schema(app: &App, connection: ConnectionId) {
    let cache = app.cache.clone();
    let key = CacheKey::SchemaInfo { connection };
    if cache.delete(&key).await {
        return;
    }
    lifecycle::spawn("connections.forget_schema", async move {
        while !cache.delete(&key).await {
            sleep(ASK_AGAIN).await;
        }
    });
}
