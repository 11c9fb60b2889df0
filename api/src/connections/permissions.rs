//! `/v1/connections/{id}/permissions/{user_id}`: put, get, delete.

use axum::{extract::State, http::StatusCode};
use datagenie_common::{
    ids::{ConnectionId, UserId},
    store::{
        audit::{self, Entry},
        permissions::{self, Permission},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Ids, Json},
    frame::Framed,
};

/// The route of put.
pub fn put_route() -> UtoipaMethodRouter<App> {
    routes!(put_permission)
}

/// The route of get.
pub fn get_route() -> UtoipaMethodRouter<App> {
    routes!(get_permission)
}

/// The route of delete.
pub fn delete_route() -> UtoipaMethodRouter<App> {
    routes!(delete_permission)
}

/// What a user may do on a connection.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PermissionBody {
    /// Whether he may query.
    can_query: bool,
    /// Not given: all; an empty list: none.
    allowed_schemas: Option<Vec<String>>,
    /// `table` (of the default schema) or `schema.table`; not given: all; an empty list: none.
    allowed_tables: Option<Vec<String>>,
    /// Rows a statement may return; at most the service's own limit holds.
    max_rows_per_query: i32,
    /// Seconds a statement may take; at most the service's own limit holds.
    max_execution_time_seconds: i32,
}

/// Names in one list of a permission.
const MOST_NAMES: usize = 10_000;

/// Gives a user a permission on a connection, in place of the one he had.
#[utoipa::path(
    put, path = "/v1/connections/{id}/permissions/{user_id}", tag = "connections", request_body = PermissionBody,
    params(("id" = uuid::Uuid, Path, description = "The connection"), ("user_id" = uuid::Uuid, Path, description = "The user")),
    responses((status = 200, description = "The permission", body = PermissionBody))
)]
async fn put_permission(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Ids(id, user_id): Ids,
    body: Json<PermissionBody>,
) -> Result<axum::Json<PermissionBody>> {
    let (id, user_id, body) = (ConnectionId(id), UserId(user_id), body.value);
    for (field, value) in [("max_rows_per_query", body.max_rows_per_query), ("max_execution_time_seconds", body.max_execution_time_seconds)]
    {
        if value < 1 {
            return Err(ApiError::field(field, "must be at least 1"));
        }
    }
    for (field, list) in [("allowed_schemas", &body.allowed_schemas), ("allowed_tables", &body.allowed_tables)] {
        if list.as_ref().is_some_and(|names| names.len() > MOST_NAMES || names.iter().any(|name| name.trim().is_empty())) {
            return Err(ApiError::field(field, format!("must hold at most {MOST_NAMES} names, none of them empty")));
        }
    }
    if !caller.may_use(id) {
        return Err(ApiError::not_found("connection"));
    }
    let permission = Permission {
        can_query: body.can_query,
        allowed_schemas: body.allowed_schemas.clone(),
        allowed_tables: body.allowed_tables.clone(),
        max_rows_per_query: body.max_rows_per_query,
        max_execution_time_seconds: body.max_execution_time_seconds,
        created_at: None,
    };
    let mut tx = app.pool.begin().await?;
    permissions::put(&mut tx, user_id, id, &permission).await.map_err(|error| {
        if error.is_constraint("connection_permissions_user_id_fkey") {
            ApiError::not_found("user")
        } else if error.is_constraint("connection_permissions_connection_id_fkey") {
            ApiError::not_found("connection")
        } else {
            error.into()
        }
    })?;
    let details = json!({ "user_id": user_id, "permission": body });
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "permission.changed",
        resource_type: "connection",
        resource_id: Some(id.to_string()),
        success: true,
        details,
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    Ok(axum::Json(body))
}

/// A user's permission on a connection.
#[utoipa::path(
    get, path = "/v1/connections/{id}/permissions/{user_id}", tag = "connections",
    params(("id" = uuid::Uuid, Path, description = "The connection"), ("user_id" = uuid::Uuid, Path, description = "The user")),
    responses((status = 200, description = "The permission", body = PermissionBody))
)]
async fn get_permission(State(app): State<App>, caller: Caller, Ids(id, user_id): Ids) -> Result<axum::Json<PermissionBody>> {
    let (id, user_id) = (ConnectionId(id), UserId(user_id));
    let found = if caller.may_use(id) { permissions::find(&app.pool, user_id, id).await? } else { None };
    let found = found.ok_or_else(|| ApiError::not_found("permission"))?;
    Ok(axum::Json(PermissionBody {
        can_query: found.can_query,
        allowed_schemas: found.allowed_schemas,
        allowed_tables: found.allowed_tables,
        max_rows_per_query: found.max_rows_per_query,
        max_execution_time_seconds: found.max_execution_time_seconds,
    }))
}

/// Takes a user's permission on a connection away.
#[utoipa::path(
    delete, path = "/v1/connections/{id}/permissions/{user_id}", tag = "connections",
    params(("id" = uuid::Uuid, Path, description = "The connection"), ("user_id" = uuid::Uuid, Path, description = "The user")),
    responses((status = 204, description = "Taken away"))
)]
async fn delete_permission(State(app): State<App>, framed: Framed, caller: Caller, Ids(id, user_id): Ids) -> Result<StatusCode> {
    let (id, user_id) = (ConnectionId(id), UserId(user_id));
    let mut tx = app.pool.begin().await?;
    if !caller.may_use(id) || !permissions::delete(&mut tx, user_id, id).await? {
        return Err(ApiError::not_found("permission"));
    }
    let details = json!({ "user_id": user_id });
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "permission.removed",
        resource_type: "connection",
        resource_id: Some(id.to_string()),
        success: true,
        details,
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
