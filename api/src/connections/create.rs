//! `POST /v1/connections`.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use datagenie_common::{
    ids::ConnectionId,
    jobs::JobKind,
    model::connections::DbType,
    store::{
        audit::{self, Entry},
        connections::{self, NewConnection},
        ledger::intake,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{ConnectionView, check_extra_functions, check_max_connections, check_max_plan_cost, look_job, read_config, seal};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Code, Result},
    extract::Json,
    frame::Framed,
    idempotency,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(create_connection)
}

/// What is to be registered.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewConnectionRequest {
    /// 1 to 100 characters; unique.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// At most 200 characters; the name if not given.
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    /// What it holds.
    description: Option<String>,
    /// `postgresql`, `mysql` or `sqlite`.
    #[schema(value_type = crate::openapi::words::DbType)]
    db_type: DbType,
    /// `{host, port, database, username, password, ssl_mode?, ssl_root_cert?, pool_size?, max_overflow?}` or, for SQLite,
    /// `{database: "/path/file.sqlite"}`; never returned. `ssl_mode`: `disable`, `prefer`, `require`, `verify-ca` or `verify-full`;
    /// `ssl_root_cert`: what the last two trust, in PEM. A worker keeps `pool_size` (5) sessions open and opens `max_overflow` (10) more.
    #[schema(value_type = Object)]
    config: Value,
    /// Sessions at work on it at once over all workers, 1 to 1000; 10 if not given. It wins over the sizes of pools.
    #[schema(minimum = 1, maximum = 1000)]
    max_connections: Option<i32>,
    /// A statement whose plan costs more is refused, in the planner's own units (PostgreSQL: total cost; MySQL: query cost; MariaDB:
    /// rows looked at; SQLite has none); no limit if not given.
    #[schema(exclusive_minimum = 0)]
    max_plan_cost: Option<f64>,
    /// Functions that the guard lets through besides its own list, as `name` or `schema.name`: what they do is the giver's business.
    #[serde(default)]
    #[schema(max_items = 1000)]
    extra_functions: Vec<String>,
    /// Take a role that could write; it stays marked.
    #[serde(default)]
    allow_writable_role: bool,
}

/// Registers a database.
///
/// Answers at once, in state `probing`: a job looks whether it answers, whether its role can only read, and what it holds, and makes
/// it `ready`, `refused` or `unreachable`.
#[utoipa::path(
    post, path = "/v1/connections", tag = "connections", request_body = NewConnectionRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body gives the same connection")),
    responses((status = 201, description = "Registered, being looked at", body = ConnectionView, headers(("Location" = String))), (status = 404, description = "What this Idempotency-Key registered has been removed", body = crate::error::Problem, content_type = "application/problem+json"))
)]
async fn create_connection(State(app): State<App>, framed: Framed, caller: Caller, body: Json<NewConnectionRequest>) -> Result<Response> {
    if caller.is_limited() {
        return Err(ApiError::new(Code::PermissionDenied, "a key that is limited to connections may not register others"));
    }
    let new = body.value;
    let name = new.name.trim();
    if !(1..=100).contains(&name.chars().count()) {
        return Err(ApiError::field("name", "must have 1 to 100 characters"));
    }
    let display_name = new.display_name.as_deref().unwrap_or(name);
    if !(1..=200).contains(&display_name.chars().count()) {
        return Err(ApiError::field("display_name", "must have 1 to 200 characters"));
    }
    check_max_connections(new.max_connections)?;
    check_max_plan_cost(new.max_plan_cost)?;
    check_extra_functions(&new.extra_functions)?;
    let id = ConnectionId::new();
    let config = seal(&app.keyring, id, &read_config(new.db_type, new.config)?)?;

    let mut tx = app.pool.begin().await?;
    if let Some(earlier) = idempotency::take(&mut tx, &caller, &body.idempotency, id.0).await? {
        tx.rollback().await?;
        let earlier = connections::find(&app.pool, caller.viewer(), ConnectionId(earlier)).await?;
        return created(earlier.ok_or_else(|| ApiError::not_found("connection"))?.into());
    }
    let row = NewConnection {
        id,
        name,
        display_name,
        description: new.description.as_deref(),
        db_type: new.db_type,
        config: &config,
        max_connections: new.max_connections.unwrap_or(10),
        max_plan_cost: new.max_plan_cost,
        extra_functions: &new.extra_functions,
        allow_writable_role: new.allow_writable_role,
    };
    let connection = connections::insert(&mut tx, caller.user_id, &row).await.map_err(|error| {
        if error.is_constraint("database_connections_name_key") {
            ApiError::new(Code::NameTaken, format!("there is a connection named `{name}` already"))
        } else {
            error.into()
        }
    })?;
    let job = look_job(&app, &framed, caller.user_id, id, JobKind::ProbeConnection);
    intake::insert(&mut tx, &job).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "connection.created",
        resource_type: "connection",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "name": name, "db_type": new.db_type, "allow_writable_role": new.allow_writable_role, "extra_functions": new.extra_functions }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    app.let_in(&job);
    created(connection.into())
}

fn created(connection: ConnectionView) -> Result<Response> {
    let location = HeaderValue::from_str(&format!("/v1/connections/{}", connection.id)).map_err(|error| ApiError::internal(&error))?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(connection)).into_response())
}
