//! `cached_schema_info`: the columns of a customer database as rows, beside the document in `schema_info`.

use sqlx::PgConnection;

use super::Result;
use crate::{ids::ConnectionId, model::schemas::SourceSchema};

/// Replaces what is stored of a connection's columns.
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
    sqlx::query!("DELETE FROM cached_schema_info WHERE connection_id = $1", connection.0).execute(&mut *conn).await?;
    sqlx::query!(
        "INSERT INTO cached_schema_info (connection_id, schema_name, table_name, column_name, data_type, is_nullable, column_default, is_primary_key)
         SELECT $1, * FROM UNNEST($2::text[], $3::text[], $4::text[], $5::text[], $6::bool[], $7::text[], $8::bool[])",
        connection.0,
        &schemas,
        &tables,
        &names,
        &types,
        &nullable,
        &defaults as &[Option<String>],
        &keys
    )
    .execute(conn)
    .await?;
    Ok(())
}
