//! `PATCH /v1/connections/{id}`.

use axum::extract::State;
use datagenie_common::{
    ids::ConnectionId,
    jobs::JobKind,
    store::{
        audit::{self, Entry},
        connections::{self, ConnectionChange},
        ledger::intake,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{ConnectionView, check_extra_functions, check_max_connections, check_max_plan_cost, get::seen, look_job, read_config, seal};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, Json},
    frame::Framed,
};

/// The route.
pub fn route() -> UtoipaMethodRouter<App> {
    routes!(update_connection)
}

/// What is to change; what is not given stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ConnectionPatch {
    /// 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    /// What it holds.
    description: Option<String>,
    /// A whole new configuration; the connection is looked at anew.
    #[schema(value_type = Option<Object>)]
    config: Option<Value>,
    /// 1 to 1000.
    #[schema(minimum = 1, maximum = 1000)]
    max_connections: Option<i32>,
    /// A statement whose plan costs more is refused; null takes the limit away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>, exclusive_minimum = 0)]
    max_plan_cost: Option<Option<f64>>,
    /// Functions that the guard lets through besides its own list, in place of those it has.
    #[schema(max_items = 1000)]
    extra_functions: Option<Vec<String>>,
    /// Whether questions may be asked of it.
    is_active: Option<bool>,
    /// Take a role that could write; the connection is looked at anew.
    allow_writable_role: Option<bool>,
}

// A null that is written is something else than a field that is left out.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Option<f64>>, D::Error> {
    Option::<f64>::deserialize(deserializer).map(Some)
}

/// Changes a connection.
#[utoipa::path(
    patch, path = "/v1/connections/{id}", tag = "connections", request_body = ConnectionPatch, params(("id" = uuid::Uuid, Path, description = "The connection")),
    responses((status = 200, description = "The connection", body = ConnectionView))
)]
async fn update_connection(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    body: Json<ConnectionPatch>,
) -> Result<axum::Json<ConnectionView>> {
    let (id, patch) = (ConnectionId(id), body.value);
    let known = seen(&app, &caller, id).await?;
    if patch.display_name.as_ref().is_some_and(|name| !(1..=200).contains(&name.chars().count())) {
        return Err(ApiError::field("display_name", "must have 1 to 200 characters"));
    }
    check_max_connections(patch.max_connections)?;
    check_max_plan_cost(patch.max_plan_cost.flatten())?;
    check_extra_functions(patch.extra_functions.as_deref().unwrap_or_default())?;
    let config = match patch.config {
        Some(config) => Some(seal(&app.keyring, id, &read_config(known.db_type, config)?)?),
        None => None,
    };
    let change = ConnectionChange {
        display_name: patch.display_name,
        description: patch.description,
        config,
        max_connections: patch.max_connections,
        max_plan_cost: patch.max_plan_cost,
        extra_functions: patch.extra_functions,
        is_active: patch.is_active,
        allow_writable_role: patch.allow_writable_role,
    };
    let mut tx = app.pool.begin().await?;
    let connection = connections::update(&mut tx, id, &change).await?.ok_or_else(|| ApiError::not_found("connection"))?;
    let probe = change.needs_probe().then(|| look_job(&app, &framed, caller.user_id, id, JobKind::ProbeConnection));
    if let Some(job) = &probe {
        intake::insert(&mut tx, job).await?;
    }
    let details = json!({
        "config": change.config.is_some(), "max_connections": change.max_connections, "is_active": change.is_active,
        "max_plan_cost": change.max_plan_cost, "extra_functions": change.extra_functions, "allow_writable_role": change.allow_writable_role,
    });
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "connection.updated",
        resource_type: "connection",
        resource_id: Some(id.to_string()),
        success: true,
        details,
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    if let Some(job) = &probe {
        app.let_in(job);
    }
    Ok(axum::Json(connection.into()))
}
