//! Sampled rows of a table, the first ones: SQLite counts no rows, so that it could not spread a sample without reading all.

use rusqlite::{Connection, Result, types::ValueRef};

use super::catalogue;
use crate::sources::{Sample, SampledRow, sql_text::quote_identifier};

/// The statement, made of catalogue names only, each of them quoted. Bytes are shown as NULL: they are no text.
pub(super) fn statement(sample: &Sample<'_>) -> String {
    let read = |column: &String| {
        let name = quote_identifier(column);
        format!("CASE typeof({name}) WHEN 'blob' THEN NULL ELSE substr(CAST({name} AS TEXT), 1, {}) END", sample.chars)
    };
    let columns: Vec<String> = sample.columns.iter().map(read).collect();
    let (schema, table) = (quote_identifier(catalogue::SCHEMA), quote_identifier(sample.table));
    format!("SELECT {} FROM {schema}.{table} LIMIT {}", columns.join(", "), sample.rows)
}

/// Reads the rows. What is not UTF-8 is shown with U+FFFD in it.
pub(super) fn read(connection: &Connection, sql: &str, columns: usize) -> Result<Vec<SampledRow>> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut sampled = Vec::new();
    while let Some(row) = rows.next()? {
        let value = |at: usize| -> Result<Option<String>> {
            Ok(match row.get_ref(at)? {
                ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
                _ => None,
            })
        };
        sampled.push((0..columns).map(value).collect::<Result<SampledRow>>()?);
    }
    Ok(sampled)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_are_quoted_and_values_cut() {
        let columns = ["city".to_owned(), "a\"; DROP TABLE b; --".to_owned()];
        let sample =
            Sample { schema: "main", table: "my\"table", columns: &columns, row_estimate: None, rows: 7, chars: 9, time: Duration::ZERO };
        assert_eq!(
            statement(&sample),
            "SELECT CASE typeof(\"city\") WHEN 'blob' THEN NULL ELSE substr(CAST(\"city\" AS TEXT), 1, 9) END, \
             CASE typeof(\"a\"\"; DROP TABLE b; --\") WHEN 'blob' THEN NULL \
             ELSE substr(CAST(\"a\"\"; DROP TABLE b; --\" AS TEXT), 1, 9) END FROM \"main\".\"my\"\"table\" LIMIT 7"
        );
    }
}
