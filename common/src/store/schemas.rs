//! `cached_schema_info`: the columns of a customer database as rows, beside the document in `schema_info`.

use sqlx::PgConnection;

use super::Result;
use crate::{ids::ConnectionId, model::schemas::SourceSchema};

/// Makes what is stored of a connection's columns what they are now. Only what came, went or changed is written: of forty thousand
/// columns, which a large database has, mostly none.
///
/// # Errors
/// If the database fails.
pub async fn replace(conn: &mut PgConnection, connection: ConnectionId, schema: &SourceSchema) -> Result<()> {
    let (mut schemas, mut tables, mut names, mut types) = (vec![], vec![], vec![], vec![]);
    let (mut nullable, mut defaults, mut keys) = (vec![], vec![], vec![]);
    for (schema_name, table_name, table) in schema.tables() {
        for (column_name, column) in &table.columns {
            schemas.push(schema_name.to_owned());
            tables.push(table_name.to_owned());
            names.push(column_name.clone());
            types.push(column.data_type.clone());
            nullable.push(column.nullable);
            defaults.push(column.default.clone());
            keys.push(column.primary_key);
        }
    }
    // Of a connection that the table's statistics don't know yet one row is expected, and every column would be compared with every one.
    sqlx::query_scalar!("SELECT set_config('enable_nestloop', 'off', true)").fetch_one(&mut *conn).await?;
    // The parts see the table as it was before the statement: what is taken out is none of what is put in.
    sqlx::query!(
        "WITH given AS MATERIALIZED (
             SELECT * FROM UNNEST($2::text[], $3::text[], $4::text[], $5::text[], $6::bool[], $7::text[], $8::bool[])
                 AS g(schema_name, table_name, column_name, data_type, is_nullable, column_default, is_primary_key)
         ), gone AS (
             DELETE FROM cached_schema_info c WHERE c.connection_id = $1 AND NOT EXISTS (
                 SELECT FROM given g
                 WHERE g.schema_name = c.schema_name AND g.table_name = c.table_name AND g.column_name = c.column_name)
         )
         INSERT INTO cached_schema_info (connection_id, schema_name, table_name, column_name, data_type, is_nullable, column_default, is_primary_key)
         SELECT $1, g.* FROM given g
         LEFT JOIN cached_schema_info c ON c.connection_id = $1 AND c.schema_name = g.schema_name AND c.table_name = g.table_name
             AND c.column_name = g.column_name
         WHERE c.connection_id IS NULL OR (c.data_type, c.is_nullable, c.column_default, c.is_primary_key)
             IS DISTINCT FROM (g.data_type, g.is_nullable, g.column_default, g.is_primary_key)
         ON CONFLICT (connection_id, schema_name, table_name, column_name) DO UPDATE SET data_type = EXCLUDED.data_type,
             is_nullable = EXCLUDED.is_nullable, column_default = EXCLUDED.column_default, is_primary_key = EXCLUDED.is_primary_key,
             cached_at = EXCLUDED.cached_at",
        connection.0,
        &schemas,
        &tables,
        &names,
        &types,
        &nullable,
        &defaults as &[Option<String>],
        &keys
    )
    .execute(&mut *conn)
    .await?;
    // cleanup_old_data() removes what was cached 30 days ago: once a day is often enough to say that it still holds.
    sqlx::query!(
        "UPDATE cached_schema_info SET cached_at = dg_now() WHERE connection_id = $1 AND cached_at < dg_now() - interval '1 day'",
        connection.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
