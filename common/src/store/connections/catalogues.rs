//! The catalogue of a connection as looks bring it: stored where it has changed, without what is known of masked columns.

use std::borrow::Cow;

use sqlx::{PgConnection, PgPool};

use crate::{
    ids::ConnectionId,
    model::{
        policies::{ColumnMask, ColumnSet},
        schemas::{SourceSchema, TableColumn},
    },
    store::{Result, StoreError},
};

/// The masked columns. Without case: a value too many lost costs nothing, one too few leaks.
pub(super) async fn masked(conn: &mut PgConnection, id: ConnectionId) -> Result<ColumnSet> {
    let rows = sqlx::query!("SELECT schema_name, table_name, column_name FROM column_masks WHERE connection_id = $1", id.0)
        .fetch_all(conn)
        .await?;
    Ok(ColumnSet::new(rows.iter().map(|row| [row.schema_name.as_str(), row.table_name.as_str(), row.column_name.as_str()]), true))
}

/// The catalogue without what is known of the values of masked columns; the same one where nothing is.
pub(super) fn without_masked<'a>(schema: &'a SourceSchema, masked: &ColumnSet) -> Cow<'a, SourceSchema> {
    let holds_values = |column: &TableColumn| column.profile.is_some() || !column.values.is_empty();
    let leaks = schema.tables().any(|(schema_name, name, table)| {
        table.columns.iter().any(|(column_name, column)| holds_values(column) && masked.contains(schema_name, name, column_name))
    });
    if !leaks {
        return Cow::Borrowed(schema);
    }
    let mut cleared = schema.clone();
    for (schema_name, tables) in &mut cleared.schemas {
        for (name, table) in tables {
            for (column_name, column) in &mut table.columns {
                if masked.contains(schema_name, name, column_name) {
                    column.profile = None;
                    column.values.clear();
                }
            }
        }
    }
    Cow::Owned(cleared)
}

/// A look at a connection that may be used.
pub(super) struct Look<'a> {
    pub id: ConnectionId,
    pub config_version: i64,
    pub server_version: &'a str,
    pub role_warnings: &'a [String],
    pub notes: &'a [String],
    pub schema: &'a SourceSchema,
    pub proposed_masks: &'a [ColumnMask],
}

impl Look<'_> {
    /// Stores it in the locked row: the schema's version from now on, and the catalogue that an earlier look of the same configuration
    /// found, if it was another one. A catalogue that is the same is not written again.
    pub(super) async fn store(&self, conn: &mut PgConnection) -> Result<(i64, Option<SourceSchema>)> {
        let unreadable = |error: serde_json::Error| StoreError::Unreadable { what: "schema", detail: error.to_string() };
        // As text: a large catalogue is several megabytes, and its tree several times that.
        let info = serde_json::to_string(self.schema).map_err(unreadable)?;
        let proposed = serde_json::to_value(self.proposed_masks).map_err(unreadable)?;
        let row = sqlx::query!(
            r#"WITH given AS MATERIALIZED (SELECT $5::text::jsonb AS info),
                    before AS MATERIALIZED (
                        SELECT b.schema_info, b.schema_config_version, g.info AS given, b.schema_info IS NOT DISTINCT FROM g.info AS same
                        FROM database_connections b CROSS JOIN given g WHERE b.id = $1)
               UPDATE database_connections c SET state = 'ready', state_error = NULL, server_version = $3, role_warnings = $4,
                   is_readonly = (cardinality($4::text[]) = 0), last_schema_sync = dg_now(), looked_at = dg_now(),
                   schema_config_version = $2, proposed_masks = $6, probe_notes = $7,
                   schema_info = CASE WHEN before.same THEN c.schema_info ELSE before.given END
               FROM before WHERE c.id = $1 AND c.config_version = $2
               RETURNING c.schema_version AS "schema_version!",
                   CASE WHEN before.schema_config_version = $2 AND NOT before.same THEN before.schema_info::text END AS "earlier?""#,
            self.id.0,
            self.config_version,
            self.server_version,
            self.role_warnings,
            info,
            proposed,
            self.notes
        )
        .fetch_one(conn)
        .await?;
        // One that an older program wrote and this one can't read is as good as none.
        Ok((row.schema_version, row.earlier.and_then(|text| serde_json::from_str(&text).ok())))
    }
}

/// The catalogue that the last look of this configuration found; none: there was no such look, or it can't be read any more.
///
/// # Errors
/// If the database fails.
pub async fn earlier_schema(pool: &PgPool, id: ConnectionId, config_version: i64) -> Result<Option<SourceSchema>> {
    let text = sqlx::query_scalar!(
        r#"SELECT schema_info::text AS "info?" FROM database_connections WHERE id = $1 AND schema_config_version = $2"#,
        id.0,
        config_version
    )
    .fetch_optional(pool)
    .await?;
    Ok(text.flatten().and_then(|text| serde_json::from_str(&text).ok()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::schemas::{ColumnProfile, Table};

    #[test]
    fn what_is_known_of_masked_columns_is_left_out() {
        let column = |values: &[&str]| TableColumn {
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            profile: Some(ColumnProfile::default()),
            ..TableColumn::default()
        };
        let columns = BTreeMap::from([("Email".to_owned(), column(&["a@example.com"])), ("city".to_owned(), column(&["서울"]))]);
        let table = Table { columns, ..Table::default() };
        let schemas = BTreeMap::from([("public".to_owned(), BTreeMap::from([("customers".to_owned(), table)]))]);
        let schema = SourceSchema { schemas, ..SourceSchema::default() };
        let mask = |column| ColumnSet::new([["public", "Customers", column]], true);
        assert!(matches!(without_masked(&schema, &mask("gone")), Cow::Borrowed(_)));
        let cleared = without_masked(&schema, &mask("email"));
        let columns = &cleared.table("public", "customers").expect("it is there").columns;
        assert_eq!((columns["Email"].values.len(), &columns["Email"].profile), (0, &None));
        assert_eq!(columns["city"].values, ["서울"]);
        assert!(columns["city"].profile.is_some());
        assert!(matches!(without_masked(&cleared, &mask("email")), Cow::Borrowed(_)), "there is nothing left to clear");
    }
}
