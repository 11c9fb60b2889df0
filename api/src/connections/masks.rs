//! `/v1/connections/{id}/masks`: which columns' values are masked, and which the last sync proposed.

use std::collections::HashSet;

use axum::extract::State;
use datagenie_common::{
    ids::ConnectionId,
    model::{
        connections::DbType,
        policies::{ColumnMask, MaskKind},
        schemas::SourceSchema,
        users::Role,
    },
    store::{
        audit::{self, Entry},
        connections::{self, Connection},
        permissions::{self, Mask},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::{forget_schema, get::seen};
use crate::{
    access::Caller,
    app::App,
    error::{ApiError, Result},
    extract::{Id, Json},
    frame::Framed,
};

/// The route of put.
pub fn put_route() -> UtoipaMethodRouter<App> {
    routes!(put_masks)
}

/// The route of get.
pub fn get_route() -> UtoipaMethodRouter<App> {
    routes!(get_masks)
}

/// Masks of one connection.
const MOST_MASKS: usize = 10_000;

/// All masks of a connection.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct MasksRequest {
    /// At most 10,000; they replace those that the connection has.
    #[schema(max_items = 10000)]
    masks: Vec<MaskBody>,
}

/// A masked column.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct MaskBody {
    /// Its schema; the connection's default one if not given.
    schema: Option<String>,
    /// Its table.
    table: String,
    /// Its name.
    column: String,
    /// `email`, `phone`, `card_number` or `name`.
    #[schema(value_type = crate::openapi::words::MaskKind)]
    kind: MaskKind,
    /// Roles (`admin`, `user`, `viewer`) of users who see it as it is; none if not given.
    #[serde(default)]
    #[schema(value_type = Vec<crate::openapi::words::Role>)]
    exempt_roles: Vec<Role>,
}

/// The masks of a connection.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct MasksView {
    /// As an administrator set them.
    masks: Vec<MaskBody>,
    /// What the last sync found to look personal, by name or by values, and is not masked. Nothing is masked until it is put.
    proposed: Vec<MaskBody>,
}

impl MaskBody {
    fn of(column: ColumnMask, exempt_roles: Vec<Role>) -> Self {
        Self { schema: Some(column.schema), table: column.table, column: column.column, kind: column.kind, exempt_roles }
    }
}

/// Sets the masks of a connection.
///
/// They hold at once, also for answers that were stored before: a result under another policy is not shown. What the last sync sampled
/// of these columns is forgotten.
#[utoipa::path(
    put, path = "/v1/connections/{id}/masks", tag = "connections", request_body = MasksRequest,
    params(("id" = uuid::Uuid, Path, description = "The connection")),
    responses((status = 200, description = "The masks", body = MasksView))
)]
async fn put_masks(
    State(app): State<App>,
    framed: Framed,
    caller: Caller,
    Id(id): Id,
    body: Json<MasksRequest>,
) -> Result<axum::Json<MasksView>> {
    let connection = seen(&app, &caller, ConnectionId(id)).await?;
    let schema = connections::schema(&app.pool, connection.id).await?.map(|(schema, _)| schema);
    let (known, _) = permissions::masks(&app.pool, connection.id).await?;
    let masks = resolve(body.value.masks, &connection, schema.as_ref(), &known)?;
    let columns: Vec<ColumnMask> = masks.iter().map(|mask| mask.column.clone()).collect();
    let mut tx = app.pool.begin().await?;
    permissions::set_masks(&mut tx, connection.id, &masks).await.map_err(|error| {
        if error.is_constraint("column_masks_connection_id_fkey") { ApiError::not_found("connection") } else { error.into() }
    })?;
    connections::forget_values(&mut tx, connection.id, &columns).await?;
    let entry = Entry {
        user_id: Some(caller.user_id),
        action: "masks.changed",
        resource_type: "connection",
        resource_id: Some(id.to_string()),
        success: true,
        details: json!({ "masks": masks.iter().map(|mask| MaskBody::of(mask.column.clone(), mask.exempt_roles.clone())).collect::<Vec<_>>() }),
    };
    audit::insert(&mut tx, &framed.origin, entry).await?;
    tx.commit().await?;
    // What workers hold there for a day has the samples still.
    forget_schema(&app, connection.id).await;
    view(&app, connection.id).await
}

/// The masks of a connection, and what the last sync proposes.
#[utoipa::path(
    get, path = "/v1/connections/{id}/masks", tag = "connections", params(("id" = uuid::Uuid, Path, description = "The connection")),
    responses((status = 200, description = "The masks", body = MasksView))
)]
async fn get_masks(State(app): State<App>, caller: Caller, Id(id): Id) -> Result<axum::Json<MasksView>> {
    let connection = seen(&app, &caller, ConnectionId(id)).await?;
    view(&app, connection.id).await
}

async fn view(app: &App, id: ConnectionId) -> Result<axum::Json<MasksView>> {
    let (masks, proposed) = permissions::masks(&app.pool, id).await?;
    Ok(axum::Json(MasksView {
        masks: masks.into_iter().map(|mask| MaskBody::of(mask.column, mask.exempt_roles)).collect(),
        proposed: proposed.into_iter().map(|column| MaskBody::of(column, Vec::new())).collect(),
    }))
}

/// The masks by the catalogue's own names. A mask that is on nothing would protect nothing, so it is refused; but for one that stands
/// already: its column may be out of sight for a while, and must not come back unmasked.
fn resolve(bodies: Vec<MaskBody>, connection: &Connection, schema: Option<&SourceSchema>, known: &[Mask]) -> Result<Vec<Mask>> {
    if bodies.len() > MOST_MASKS {
        return Err(ApiError::field("masks", format!("must hold at most {MOST_MASKS} masks")));
    }
    let name = |column: &ColumnMask| (column.schema.clone(), column.table.clone(), column.column.clone());
    // One that was set before the first sync may be spelled otherwise than the catalogue has it.
    let folded = |column: &ColumnMask| match connection.db_type {
        DbType::Postgresql => name(column),
        DbType::Mysql | DbType::Sqlite => {
            let (schema, table, column) = name(column);
            (schema.to_ascii_lowercase(), table.to_ascii_lowercase(), column.to_ascii_lowercase())
        }
    };
    let known: HashSet<_> = known.iter().map(|mask| name(&mask.column)).collect();
    let mut taken = HashSet::with_capacity(bodies.len());
    let mut masks: Vec<Mask> = Vec::with_capacity(bodies.len());
    for (n, body) in bodies.into_iter().enumerate() {
        let written = as_written(n, &body, connection.db_type);
        let column = match (schema, written) {
            (_, Ok(written)) if known.contains(&name(&written)) => written,
            (Some(schema), _) => in_catalogue(n, &body, connection.db_type, schema)?,
            (None, written) => written?,
        };
        if !taken.insert(folded(&column)) {
            return Err(ApiError::field(format!("masks[{n}]"), "masks a column that another one masks already"));
        }
        let mut exempt_roles = body.exempt_roles;
        exempt_roles.sort_unstable();
        exempt_roles.dedup();
        masks.push(Mask { column, exempt_roles });
    }
    Ok(masks)
}

fn in_catalogue(n: usize, body: &MaskBody, db_type: DbType, schema: &SourceSchema) -> Result<ColumnMask> {
    let wanted = body.schema.as_deref().unwrap_or(&schema.default_schema);
    let find = |field: &str, what: String| ApiError::field(format!("masks[{n}].{field}"), what);
    let (schema_name, tables) = named(db_type, &schema.schemas, wanted)
        .ok_or_else(|| find("schema", format!("there is no schema `{wanted}` in the catalogue; sync the connection if it is new")))?;
    let (table_name, table) = named(db_type, tables, &body.table)
        .ok_or_else(|| find("table", format!("there is no table `{}` in `{schema_name}`; sync the connection if it is new", body.table)))?;
    let (column_name, _) = named(db_type, &table.columns, &body.column).ok_or_else(|| {
        find("column", format!("there is no column `{}` in `{table_name}`; sync the connection if it is new", body.column))
    })?;
    Ok(ColumnMask { schema: schema_name.to_owned(), table: table_name.to_owned(), column: column_name.to_owned(), kind: body.kind })
}

/// Before the first sync nothing is known to compare with.
fn as_written(n: usize, body: &MaskBody, db_type: DbType) -> Result<ColumnMask> {
    let schema = match (&body.schema, db_type) {
        (Some(schema), _) => schema.clone(),
        (None, DbType::Postgresql | DbType::Sqlite) => db_type.default_schema("").to_owned(),
        (None, DbType::Mysql) => {
            return Err(ApiError::field(format!("masks[{n}].schema"), "must be given until the connection has been synced"));
        }
    };
    for (field, text) in [("schema", &schema), ("table", &body.table), ("column", &body.column)] {
        if text.trim().is_empty() || text.chars().count() > 255 || text.contains('\0') {
            return Err(ApiError::field(format!("masks[{n}].{field}"), "must have 1 to 255 characters"));
        }
    }
    Ok(ColumnMask { schema, table: body.table.clone(), column: body.column.clone(), kind: body.kind })
}

// PostgreSQL's `"Secret"` and `secret` are two names; the others compare without case.
fn named<'m, V>(db_type: DbType, map: &'m std::collections::BTreeMap<String, V>, name: &str) -> Option<(&'m str, &'m V)> {
    let exact = map.get_key_value(name);
    let found = match db_type {
        DbType::Postgresql => exact,
        DbType::Mysql | DbType::Sqlite => exact.or_else(|| map.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))),
    };
    found.map(|(known, value)| (known.as_str(), value))
}
