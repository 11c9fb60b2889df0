//! `database_connections`.

mod catalogues;
mod looks;

use std::{borrow::Cow, collections::HashMap};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Result, StoreError};
use crate::{
    ids::{ConnectionId, UserId},
    model::{
        connections::{ConnectionState, DbType},
        policies::{ColumnMask, ColumnSet},
        questions::Failure,
        schemas::SourceSchema,
    },
};

pub use self::{
    catalogues::earlier_schema,
    looks::{Found, found, probe_failed, to_look_at},
};

/// A connection as shown; its configuration is not part of it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// Unique name.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// What it is.
    pub description: Option<String>,
    /// Its engine.
    pub db_type: DbType,
    /// Where it stands.
    pub state: ConnectionState,
    /// Why it is refused or unreachable.
    pub error: Option<Failure>,
    /// Whether questions may be asked of it at all.
    pub is_active: bool,
    /// Whether its role can only read.
    pub is_readonly: bool,
    /// Sessions at work on it at once, over all workers.
    pub max_connections: i32,
    /// The most that a statement's plan may cost, in the planner's own units; none: no limit.
    pub max_plan_cost: Option<f64>,
    /// Functions that the guard lets through besides its own list.
    pub extra_functions: Vec<String>,
    /// Whether a role that can write was allowed.
    pub allow_writable_role: bool,
    /// What its role could change, in words.
    pub role_warnings: Vec<String>,
    /// What an administrator should know besides, in words.
    pub probe_notes: Vec<String>,
    /// What the server says it is.
    pub server_version: Option<String>,
    /// When its schema was last read.
    pub last_schema_sync: Option<DateTime<Utc>>,
    /// Moves with the configuration.
    pub config_version: i64,
    /// Moves with the schema.
    pub schema_version: i64,
    /// Who registered it.
    pub created_by: Option<Uuid>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Last change.
    pub updated_at: DateTime<Utc>,
}

struct Record {
    id: Uuid,
    name: String,
    display_name: String,
    description: Option<String>,
    db_type: String,
    state: String,
    state_error: Option<Value>,
    is_active: bool,
    is_readonly: bool,
    max_connections: i32,
    max_plan_cost: Option<f64>,
    extra_functions: Vec<String>,
    allow_writable_role: bool,
    role_warnings: Vec<String>,
    probe_notes: Vec<String>,
    server_version: Option<String>,
    last_schema_sync: Option<DateTime<Utc>>,
    config_version: i64,
    schema_version: i64,
    created_by: Option<Uuid>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Record> for Connection {
    type Error = StoreError;
    fn try_from(r: Record) -> Result<Self> {
        Ok(Self {
            id: ConnectionId(r.id),
            name: r.name,
            display_name: r.display_name,
            description: r.description,
            db_type: r.db_type.parse().map_err(|detail| StoreError::Unreadable { what: "database_connections.db_type", detail })?,
            state: r.state.parse().map_err(|detail| StoreError::Unreadable { what: "database_connections.state", detail })?,
            error: r.state_error.and_then(|value| serde_json::from_value(value).ok()),
            is_active: r.is_active,
            is_readonly: r.is_readonly,
            max_connections: r.max_connections,
            max_plan_cost: r.max_plan_cost,
            extra_functions: r.extra_functions,
            allow_writable_role: r.allow_writable_role,
            role_warnings: r.role_warnings,
            probe_notes: r.probe_notes,
            server_version: r.server_version,
            last_schema_sync: r.last_schema_sync,
            config_version: r.config_version,
            schema_version: r.schema_version,
            created_by: r.created_by,
            created_at: r.created_at,
            updated_at: r.updated_at,
        })
    }
}

/// What a new connection is made of. The configuration is already sealed for the id.
#[derive(Clone, Debug)]
pub struct NewConnection<'a> {
    /// Minted before sealing, since the seal names it.
    pub id: ConnectionId,
    /// Unique name.
    pub name: &'a str,
    /// Name for people.
    pub display_name: &'a str,
    /// What it is.
    pub description: Option<&'a str>,
    /// Its engine.
    pub db_type: DbType,
    /// Sealed.
    pub config: &'a Value,
    /// Sessions at work on it at once, over all workers.
    pub max_connections: i32,
    /// The most that a statement's plan may cost; none: no limit.
    pub max_plan_cost: Option<f64>,
    /// Functions beside the guard's own list.
    pub extra_functions: &'a [String],
    /// Whether a role that can write is allowed.
    pub allow_writable_role: bool,
}

/// Adds a connection, in state `probing`.
///
/// # Errors
/// [`StoreError::Constraint`] with `database_connections_name_key`.
pub async fn insert(conn: &mut PgConnection, creator: UserId, new: &NewConnection<'_>) -> Result<Connection> {
    sqlx::query_as!(
        Record,
        "INSERT INTO database_connections
             (id, name, display_name, description, db_type, connection_config, max_connections, allow_writable_role, created_by,
              max_plan_cost, extra_functions)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         RETURNING id, name, display_name, description, db_type, state, state_error, is_active, is_readonly, max_connections,
             max_plan_cost, extra_functions, allow_writable_role, role_warnings, probe_notes, server_version, last_schema_sync, config_version, schema_version, created_by,
             created_at, updated_at",
        new.id.0,
        new.name,
        new.display_name,
        new.description,
        new.db_type.as_str(),
        new.config,
        new.max_connections,
        new.allow_writable_role,
        creator.0,
        new.max_plan_cost,
        new.extra_functions
    )
    .fetch_one(conn)
    .await?
    .try_into()
}

/// Who asks for a connection: admins see all, others those that they have a permission row for.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// Who.
    pub user_id: UserId,
    /// Whether he is an admin.
    pub is_admin: bool,
}

/// A connection that the viewer may see.
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, viewer: Viewer, id: ConnectionId) -> Result<Option<Connection>> {
    let record = sqlx::query_as!(
        Record,
        "SELECT c.id, name, display_name, description, db_type, state, state_error, is_active, is_readonly, max_connections,
             max_plan_cost, extra_functions, allow_writable_role, role_warnings, probe_notes, server_version, last_schema_sync, config_version, schema_version, created_by,
             c.created_at, updated_at
         FROM database_connections c
         WHERE c.id = $1 AND ($2 OR EXISTS (SELECT FROM connection_permissions p WHERE p.connection_id = c.id AND p.user_id = $3))",
        id.0,
        viewer.is_admin,
        viewer.user_id.0
    )
    .fetch_optional(pool)
    .await?;
    record.map(Connection::try_from).transpose()
}

/// A page of the connections that the viewer may see, newest first, before a cursor; `usable`: only these (of a limited key).
///
/// # Errors
/// If the database fails.
pub async fn list(
    pool: &PgPool,
    viewer: Viewer,
    name: Option<&str>,
    usable: Option<&[Uuid]>,
    before: Option<ConnectionId>,
    limit: i64,
) -> Result<Vec<Connection>> {
    let records = sqlx::query_as!(
        Record,
        "SELECT c.id, name, display_name, description, db_type, state, state_error, is_active, is_readonly, max_connections,
             max_plan_cost, extra_functions, allow_writable_role, role_warnings, probe_notes, server_version, last_schema_sync, config_version, schema_version, created_by,
             c.created_at, updated_at
         FROM database_connections c
         WHERE ($1 OR EXISTS (SELECT FROM connection_permissions p WHERE p.connection_id = c.id AND p.user_id = $2))
           AND ($3::uuid IS NULL OR c.id < $3) AND ($4::text IS NULL OR name = $4)
           AND ($6::uuid[] IS NULL OR c.id = ANY($6))
         ORDER BY c.id DESC LIMIT $5",
        viewer.is_admin,
        viewer.user_id.0,
        before.map(|id| id.0),
        name,
        limit,
        usable
    )
    .fetch_all(pool)
    .await?;
    records.into_iter().map(Connection::try_from).collect()
}

/// What may change about a connection; none: as it is.
#[derive(Clone, Debug, Default)]
pub struct ConnectionChange {
    /// Name for people.
    pub display_name: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// A new configuration, sealed: the connection is probed anew.
    pub config: Option<Value>,
    /// Sessions at work on it at once, over all workers.
    pub max_connections: Option<i32>,
    /// The most that a statement's plan may cost; an inner none takes the limit away.
    pub max_plan_cost: Option<Option<f64>>,
    /// Functions beside the guard's own list.
    pub extra_functions: Option<Vec<String>>,
    /// Whether questions may be asked of it.
    pub is_active: Option<bool>,
    /// Whether a role that can write is allowed: the connection is probed anew.
    pub allow_writable_role: Option<bool>,
}

impl ConnectionChange {
    /// Whether what was found out about the connection may no longer hold.
    #[must_use]
    pub fn needs_probe(&self) -> bool {
        self.config.is_some() || self.allow_writable_role.is_some()
    }
}

/// Changes a connection; none: there is no such one.
///
/// # Errors
/// If the database fails.
pub async fn update(conn: &mut PgConnection, id: ConnectionId, change: &ConnectionChange) -> Result<Option<Connection>> {
    let record = sqlx::query_as!(
        Record,
        "UPDATE database_connections SET display_name = coalesce($2, display_name), description = coalesce($3, description),
             connection_config = coalesce($4, connection_config), max_connections = coalesce($5, max_connections),
             is_active = coalesce($6, is_active), allow_writable_role = coalesce($7, allow_writable_role),
             max_plan_cost = CASE WHEN $9 THEN $10 ELSE max_plan_cost END, extra_functions = coalesce($11, extra_functions),
             state = CASE WHEN $8 THEN 'probing' ELSE state END, state_error = CASE WHEN $8 THEN NULL ELSE state_error END
         WHERE id = $1
         RETURNING id, name, display_name, description, db_type, state, state_error, is_active, is_readonly, max_connections,
             max_plan_cost, extra_functions, allow_writable_role, role_warnings, probe_notes, server_version, last_schema_sync, config_version, schema_version, created_by,
             created_at, updated_at",
        id.0,
        change.display_name,
        change.description,
        change.config,
        change.max_connections,
        change.is_active,
        change.allow_writable_role,
        change.needs_probe(),
        change.max_plan_cost.is_some(),
        change.max_plan_cost.flatten(),
        change.extra_functions.as_deref()
    )
    .fetch_optional(conn)
    .await?;
    record.map(Connection::try_from).transpose()
}

/// Removes a connection and what hangs on it; questions asked of it stay. Whether there was one.
///
/// # Errors
/// If the database fails.
pub async fn delete(conn: &mut PgConnection, id: ConnectionId) -> Result<bool> {
    Ok(sqlx::query!("DELETE FROM database_connections WHERE id = $1", id.0).execute(conn).await?.rows_affected() > 0)
}

/// What is to be known of a connection before a question is taken in for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Askable {
    /// Whether questions may be asked of it.
    pub is_active: bool,
    /// Where it stands.
    pub state: ConnectionState,
    /// Why.
    pub error: Option<Failure>,
    /// Whether the asker may query it, by a permission of his own; none: he has none, and only admins see it.
    pub can_query: Option<bool>,
}

impl Askable {
    /// From its columns; none: there is no such connection.
    pub(super) fn read(
        is_active: Option<bool>,
        state: Option<&str>,
        error: Option<Value>,
        can_query: Option<bool>,
    ) -> Result<Option<Self>> {
        let (Some(is_active), Some(state)) = (is_active, state) else { return Ok(None) };
        let state = state.parse().map_err(|detail| StoreError::Unreadable { what: "database_connections.state", detail })?;
        Ok(Some(Self { is_active, state, error: error.and_then(|value| serde_json::from_value(value).ok()), can_query }))
    }
}

/// What a worker needs to use a connection.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its engine.
    pub db_type: DbType,
    /// Sealed.
    pub config: Value,
    /// Of this version.
    pub config_version: i64,
    /// Of the schema.
    pub schema_version: i64,
    /// Where it stands.
    pub state: ConnectionState,
    /// Why.
    pub error: Option<Failure>,
    /// Whether questions may be asked of it.
    pub is_active: bool,
    /// Sessions at work on it at once, over all workers.
    pub max_connections: i32,
    /// The most that a statement's plan may cost, in the planner's own units; none: no limit.
    pub max_plan_cost: Option<f64>,
    /// Functions that the guard lets through besides its own list.
    pub extra_functions: Vec<String>,
    /// Whether a role that can write is allowed.
    pub allow_writable_role: bool,
    /// Whether a look at this configuration has seen the role, and it may be used. A database that is away keeps what was found before.
    pub is_role_known: bool,
    /// The version of the whole row, as a claim brings it; compared for equality only.
    pub row_version: String,
}

/// A connection for use by a worker: the caller has the user's policy checked beside it.
///
/// # Errors
/// If the database fails.
pub async fn target(pool: &PgPool, id: ConnectionId) -> Result<Option<Target>> {
    let row = sqlx::query!(
        r#"SELECT db_type, connection_config, config_version, schema_version, state, state_error, is_active, max_connections,
                  max_plan_cost, extra_functions, allow_writable_role, xmin::text AS "row_version!",
                  schema_config_version IS NOT DISTINCT FROM config_version AND (is_readonly OR allow_writable_role) AS "is_role_known!"
           FROM database_connections WHERE id = $1"#,
        id.0
    )
    .fetch_optional(pool)
    .await?;
    row.map(|r| {
        Ok(Target {
            db_type: r.db_type.parse().map_err(|detail| StoreError::Unreadable { what: "database_connections.db_type", detail })?,
            config: r.connection_config,
            config_version: r.config_version,
            schema_version: r.schema_version,
            state: r.state.parse().map_err(|detail| StoreError::Unreadable { what: "database_connections.state", detail })?,
            error: r.state_error.and_then(|value| serde_json::from_value(value).ok()),
            is_active: r.is_active,
            max_connections: r.max_connections,
            max_plan_cost: r.max_plan_cost,
            extra_functions: r.extra_functions,
            allow_writable_role: r.allow_writable_role,
            is_role_known: r.is_role_known,
            row_version: r.row_version,
        })
    })
    .transpose()
}

/// The catalogue of a connection as last synced, with its version.
///
/// # Errors
/// If the database fails or the stored document can't be read.
pub async fn schema(pool: &PgPool, id: ConnectionId) -> Result<Option<(SourceSchema, i64)>> {
    let row = sqlx::query!("SELECT schema_info, schema_version FROM database_connections WHERE id = $1", id.0).fetch_optional(pool).await?;
    let Some((Some(info), version)) = row.map(|r| (r.schema_info, r.schema_version)) else { return Ok(None) };
    let schema = serde_json::from_value(info)
        .map_err(|error| StoreError::Unreadable { what: "database_connections.schema_info", detail: error.to_string() })?;
    Ok(Some((schema, version)))
}

/// The versions of configurations of those of these connections that may be used.
///
/// # Errors
/// If the database fails.
pub async fn config_versions(pool: &PgPool, ids: &[ConnectionId]) -> Result<HashMap<ConnectionId, i64>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!("SELECT id, config_version FROM database_connections WHERE id = ANY($1) AND is_active", &ids);
    Ok(rows.fetch_all(pool).await?.into_iter().map(|row| (ConnectionId(row.id), row.config_version)).collect())
}

/// The schema that an unqualified name means, as the last sync found it.
///
/// # Errors
/// If the database fails.
pub async fn default_schema(pool: &PgPool, id: ConnectionId) -> Result<Option<String>> {
    let found = sqlx::query_scalar!(r#"SELECT schema_info ->> 'default_schema' FROM database_connections WHERE id = $1"#, id.0);
    Ok(found.fetch_optional(pool).await?.flatten())
}

/// Takes sample values and profiles of these columns out of the stored catalogue: they are masked from now on.
///
/// # Errors
/// If the database fails or the stored document can't be read.
pub async fn forget_values(conn: &mut PgConnection, id: ConnectionId, masks: &[ColumnMask]) -> Result<()> {
    // The key stays free, so that questions are taken in meanwhile.
    let info = sqlx::query_scalar!("SELECT schema_info FROM database_connections WHERE id = $1 FOR NO KEY UPDATE", id.0)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(Some(info)) = info else { return Ok(()) };
    let schema: SourceSchema = serde_json::from_value(info)
        .map_err(|error| StoreError::Unreadable { what: "database_connections.schema_info", detail: error.to_string() })?;
    // Without case: a value too many lost costs nothing, one too few leaks.
    if let Cow::Owned(cleared) = catalogues::without_masked(&schema, &ColumnSet::of(masks, true)) {
        let info = serde_json::to_value(&cleared).map_err(|error| StoreError::Unreadable { what: "schema", detail: error.to_string() })?;
        sqlx::query!("UPDATE database_connections SET schema_info = $2 WHERE id = $1", id.0, info).execute(conn).await?;
    }
    Ok(())
}
