//! The values of text columns that are lists of choices. Sampling is a courtesy: it ends with its time, quietly.

use datagenie_common::model::schemas::SourceSchema;
use rusqlite::{Connection, Result};

use super::{catalogue, errors, values::is_textual};
use crate::sources::{SAMPLED_CHARS, SAMPLED_ROWS, SAMPLED_VALUES, SchemaLimits, choices, sql_text::quote_identifier};

/// Adds values to the text columns of tables. Views are left out: one may compute for minutes.
pub(super) fn add(connection: &Connection, schema: &mut SourceSchema, limits: &SchemaLimits) {
    if limits.sample_seconds == 0 {
        return;
    }
    let tables = schema.schemas.values_mut().flatten().filter(|(_, table)| table.kind == "table");
    for (name, table) in tables {
        for (column_name, column) in &mut table.columns {
            if !is_textual(&column.data_type) || limits.is_masked(catalogue::SCHEMA, name, column_name) {
                continue;
            }
            match distinct(connection, name, column_name) {
                Ok(values) => column.values = choices(values),
                Err(error) if errors::is_interrupted(&error) => {
                    tracing::debug!("sampling ended by its time limit; later tables have no values");
                    return;
                }
                Err(_) => tracing::debug!("a column could not be sampled"),
            }
        }
    }
}

fn distinct(connection: &Connection, table: &str, column: &str) -> Result<Vec<String>> {
    // Made of catalogue names only, each of them quoted.
    let sql = format!(
        "SELECT DISTINCT substr(value, 1, {}) FROM (SELECT {} AS value FROM {} LIMIT {SAMPLED_ROWS}) \
         WHERE typeof(value) = 'text' LIMIT {}",
        SAMPLED_CHARS + 1,
        quote_identifier(column),
        quote_identifier(table),
        SAMPLED_VALUES + 1,
    );
    connection.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
}
