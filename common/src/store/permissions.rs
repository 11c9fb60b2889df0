//! `connection_permissions` and `column_masks`: what a [`Policy`] is made of.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};

use super::{Result, StoreError};
use crate::{
    ids::{ConnectionId, UserId},
    model::{
        policies::{ColumnMask, ColumnSet, Limits, Policy, PolicyVersion},
        users::Role,
    },
};

/// A user's permission on a connection.
#[derive(Clone, Debug)]
pub struct Permission {
    /// Whether he may query.
    pub can_query: bool,
    /// None: all; empty: none.
    pub allowed_schemas: Option<Vec<String>>,
    /// None: all; empty: none.
    pub allowed_tables: Option<Vec<String>>,
    /// Rows a statement may return.
    pub max_rows_per_query: i32,
    /// Seconds a statement may take.
    pub max_execution_time_seconds: i32,
    /// Since when.
    pub created_at: Option<DateTime<Utc>>,
}

/// A user's permission on a connection, if he has one.
///
/// # Errors
/// If the database fails.
pub async fn find(pool: &PgPool, user: UserId, connection: ConnectionId) -> Result<Option<Permission>> {
    let row = sqlx::query_as!(
        Permission,
        r#"SELECT can_query, allowed_schemas, allowed_tables, max_rows_per_query, max_execution_time_seconds,
                  created_at AS "created_at: Option<DateTime<Utc>>"
           FROM connection_permissions WHERE user_id = $1 AND connection_id = $2"#,
        user.0,
        connection.0
    )
    .fetch_optional(pool)
    .await?;
    Ok(row)
}

/// Gives a user a permission, in place of the one he had.
///
/// # Errors
/// [`StoreError::Constraint`] with `connection_permissions_user_id_fkey` or `…_connection_id_fkey` if one does not exist.
pub async fn put(conn: &mut PgConnection, user: UserId, connection: ConnectionId, permission: &Permission) -> Result<()> {
    sqlx::query!(
        "INSERT INTO connection_permissions
             (user_id, connection_id, can_query, allowed_schemas, allowed_tables, max_rows_per_query, max_execution_time_seconds)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (user_id, connection_id) DO UPDATE SET can_query = EXCLUDED.can_query,
             allowed_schemas = EXCLUDED.allowed_schemas, allowed_tables = EXCLUDED.allowed_tables,
             max_rows_per_query = EXCLUDED.max_rows_per_query,
             max_execution_time_seconds = EXCLUDED.max_execution_time_seconds",
        user.0,
        connection.0,
        permission.can_query,
        permission.allowed_schemas.as_deref(),
        permission.allowed_tables.as_deref(),
        permission.max_rows_per_query,
        permission.max_execution_time_seconds
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a permission away; whether there was one.
///
/// # Errors
/// If the database fails.
pub async fn delete(conn: &mut PgConnection, user: UserId, connection: ConnectionId) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM connection_permissions WHERE user_id = $1 AND connection_id = $2", user.0, connection.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The version of a user's policy on a connection; none: one of them does not exist.
///
/// # Errors
/// If the database fails.
pub async fn version(pool: &PgPool, user: UserId, connection: ConnectionId) -> Result<Option<PolicyVersion>> {
    let version = sqlx::query_scalar!("SELECT policy_version($1, $2)", user.0, connection.0).fetch_one(pool).await?;
    Ok(version.map(PolicyVersion))
}

/// The versions of several users' policies on connections, in one statement; one answer for each pair, in their order.
///
/// # Errors
/// If the database fails.
pub async fn versions(executor: impl PgExecutor<'_>, pairs: &[(UserId, ConnectionId)]) -> Result<Vec<Option<PolicyVersion>>> {
    let users: Vec<uuid::Uuid> = pairs.iter().map(|(user, _)| user.0).collect();
    let connections: Vec<uuid::Uuid> = pairs.iter().map(|(_, connection)| connection.0).collect();
    let versions = sqlx::query_scalar!(
        "SELECT policy_version(t.user_id, t.connection_id) FROM UNNEST($1::uuid[], $2::uuid[]) WITH ORDINALITY AS t(user_id, connection_id, n)
         ORDER BY t.n",
        &users,
        &connections
    )
    .fetch_all(executor)
    .await?;
    Ok(versions.into_iter().map(|version| version.map(PolicyVersion)).collect())
}

/// A user's policy on a connection, read in one snapshot; none: he has none, and is to be told that there is no such connection.
/// `defaults` are the limits of the settings: admins have them, and nobody has more.
///
/// # Errors
/// If the database fails.
pub async fn policy(pool: &PgPool, user: UserId, connection: ConnectionId, defaults: Limits) -> Result<Option<Policy>> {
    let row = sqlx::query!(
        r#"SELECT u.role, u.is_active AS user_active, c.is_active AS connection_active, c.db_type,
                  policy_version(u.id, c.id) AS "version!",
                  p.can_query AS "can_query?", p.allowed_schemas AS "allowed_schemas?", p.allowed_tables AS "allowed_tables?",
                  p.max_rows_per_query AS "max_rows?", p.max_execution_time_seconds AS "max_seconds?",
                  coalesce((SELECT jsonb_agg(jsonb_build_object('schema', schema_name, 'table', table_name, 'column', column_name, 'kind', kind)
                            ORDER BY schema_name, table_name, column_name)
                            FROM column_masks m WHERE m.connection_id = c.id AND u.role <> ALL (m.exempt_roles)), '[]') AS "masks!"
           FROM users u CROSS JOIN database_connections c
           LEFT JOIN connection_permissions p ON p.user_id = u.id AND p.connection_id = c.id
           WHERE u.id = $1 AND c.id = $2"#,
        user.0,
        connection.0
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let is_admin = row.role == "admin";
    if !is_admin && row.can_query.is_none() {
        return Ok(None);
    }
    let masks: Vec<ColumnMask> =
        serde_json::from_value(row.masks).map_err(|e| StoreError::Unreadable { what: "column_masks", detail: e.to_string() })?;
    let least = |given: Option<i32>, default: u64| given.and_then(|n| u64::try_from(n).ok()).map_or(default, |n| n.min(default));
    Ok(Some(Policy {
        user_id: user,
        connection_id: connection,
        db_type: row.db_type.parse().map_err(|detail| StoreError::Unreadable { what: "database_connections.db_type", detail })?,
        version: PolicyVersion(row.version),
        can_query: row.user_active && row.connection_active && row.can_query.unwrap_or(is_admin),
        // An admin's own permission row, if somebody gave him one, narrows what he queries as it does for others.
        schemas: row.allowed_schemas,
        tables: row.allowed_tables,
        masks,
        limits: Limits {
            max_rows: least(row.max_rows, defaults.max_rows),
            max_bytes: defaults.max_bytes,
            max_seconds: least(row.max_seconds, defaults.max_seconds),
        },
    }))
}

/// The masked columns of a connection.
///
/// # Errors
/// If the database fails.
pub async fn masked_columns(pool: &PgPool, connection: ConnectionId) -> Result<Vec<ColumnMask>> {
    let rows = sqlx::query!(
        "SELECT schema_name, table_name, column_name, kind FROM column_masks WHERE connection_id = $1 ORDER BY 1, 2, 3",
        connection.0
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = row.kind.parse().map_err(|detail| StoreError::Unreadable { what: "column_masks.kind", detail })?;
            Ok(ColumnMask { schema: row.schema_name, table: row.table_name, column: row.column_name, kind })
        })
        .collect()
}

/// A mask as an administrator sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The column and how it is masked.
    pub column: ColumnMask,
    /// Roles of users who see it as it is.
    pub exempt_roles: Vec<Role>,
}

/// The masks of a connection, and what the last sync proposed besides.
///
/// # Errors
/// If the database fails.
pub async fn masks(pool: &PgPool, connection: ConnectionId) -> Result<(Vec<Mask>, Vec<ColumnMask>)> {
    let rows = sqlx::query!(
        "SELECT schema_name, table_name, column_name, kind, exempt_roles FROM column_masks WHERE connection_id = $1 ORDER BY 1, 2, 3",
        connection.0
    )
    .fetch_all(pool)
    .await?;
    let unreadable = |detail| StoreError::Unreadable { what: "column_masks", detail };
    let masks = rows
        .into_iter()
        .map(|row| {
            let kind = row.kind.parse().map_err(unreadable)?;
            let exempt_roles = row.exempt_roles.iter().map(|role| role.parse().map_err(unreadable)).collect::<Result<_>>()?;
            let column = ColumnMask { schema: row.schema_name, table: row.table_name, column: row.column_name, kind };
            Ok(Mask { column, exempt_roles })
        })
        .collect::<Result<Vec<Mask>>>()?;
    let proposed = sqlx::query_scalar!("SELECT proposed_masks FROM database_connections WHERE id = $1", connection.0)
        .fetch_optional(pool)
        .await?
        .map(serde_json::from_value::<Vec<ColumnMask>>)
        .transpose()
        .map_err(|error| unreadable(error.to_string()))?
        .unwrap_or_default();
    // What was masked since the sync is no proposal any more.
    let masked = ColumnSet::of(masks.iter().map(|mask| &mask.column), false);
    let proposed = proposed.into_iter().filter(|column| !masked.contains(&column.schema, &column.table, &column.column)).collect();
    Ok((masks, proposed))
}

/// Sets the masks of a connection, in place of all it had. Masks that stay as they are do not move the policy's version.
///
/// # Errors
/// If the database fails; [`StoreError::Constraint`] with `column_masks_connection_id_fkey` if there is no such connection.
pub async fn set_masks(conn: &mut PgConnection, connection: ConnectionId, masks: &[Mask]) -> Result<()> {
    // Two administrators at once: one after the other. The key stays free, so that questions are taken in meanwhile.
    sqlx::query!("SELECT id FROM database_connections WHERE id = $1 FOR NO KEY UPDATE", connection.0).fetch_optional(&mut *conn).await?;
    let wanted: HashSet<(&str, &str, &str)> =
        masks.iter().map(|mask| (mask.column.schema.as_str(), mask.column.table.as_str(), mask.column.column.as_str())).collect();
    let (mut schemas, mut tables, mut columns) = (vec![], vec![], vec![]);
    for row in sqlx::query!("SELECT schema_name, table_name, column_name FROM column_masks WHERE connection_id = $1", connection.0)
        .fetch_all(&mut *conn)
        .await?
    {
        if !wanted.contains(&(row.schema_name.as_str(), row.table_name.as_str(), row.column_name.as_str())) {
            schemas.push(row.schema_name);
            tables.push(row.table_name);
            columns.push(row.column_name);
        }
    }
    // By the key of each: a list of ten thousand names that a row must not be in would be gone through for each row.
    sqlx::query!(
        "DELETE FROM column_masks m USING UNNEST($2::text[], $3::text[], $4::text[]) AS gone(s, t, c)
         WHERE m.connection_id = $1 AND m.schema_name = gone.s AND m.table_name = gone.t AND m.column_name = gone.c",
        connection.0,
        &schemas,
        &tables,
        &columns
    )
    .execute(&mut *conn)
    .await?;
    let (mut schemas, mut tables, mut columns, mut kinds, mut exempt) = (vec![], vec![], vec![], vec![], vec![]);
    for mask in masks {
        schemas.push(mask.column.schema.clone());
        tables.push(mask.column.table.clone());
        columns.push(mask.column.column.clone());
        kinds.push(mask.column.kind.as_str().to_owned());
        // A list in a list is no rectangle for PostgreSQL: the words are joined, and split again.
        exempt.push(mask.exempt_roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(","));
    }
    sqlx::query!(
        "INSERT INTO column_masks AS m (connection_id, schema_name, table_name, column_name, kind, exempt_roles)
         SELECT $1, t.schema_name, t.table_name, t.column_name, t.kind, coalesce(string_to_array(nullif(t.exempt, ''), ','), '{}')
         FROM (SELECT s, t, c, k, coalesce(e, '') FROM UNNEST($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS u(s, t, c, k, e))
             AS t(schema_name, table_name, column_name, kind, exempt)
         ON CONFLICT (connection_id, schema_name, table_name, column_name)
             DO UPDATE SET kind = EXCLUDED.kind, exempt_roles = EXCLUDED.exempt_roles
             WHERE (m.kind, m.exempt_roles) IS DISTINCT FROM (EXCLUDED.kind, EXCLUDED.exempt_roles)",
        connection.0,
        &schemas,
        &tables,
        &columns,
        &kinds,
        &exempt
    )
    .execute(conn)
    .await?;
    Ok(())
}
