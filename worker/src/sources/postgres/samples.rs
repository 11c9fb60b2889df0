//! The values of text columns that are lists of choices (`status`, `city`): they tell a question's words apart from table names.
//! Sampling is a courtesy: what fails or takes too long is left out.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use tokio::time::{Instant, timeout};

use super::{catalogue::Relation, connect::Sessions, errors};
use crate::sources::{SAMPLED_CHARS, SAMPLED_ROWS, SAMPLED_VALUES, SchemaLimits, SourceError, choices, sql_text::quote_identifier};

/// Time for one table.
const TABLE_TIME: Duration = Duration::from_secs(3);
/// Less time than this is not worth beginning a table.
const LEAST_TIME: Duration = Duration::from_millis(50);
/// Columns sampled by one statement.
const COLUMNS_AT_ONCE: usize = 50;

/// Adds values to the columns of stored relations, until the time is over.
pub(super) async fn add(sessions: &Sessions, relations: &mut [Relation], limits: &SchemaLimits) {
    let deadline = Instant::now() + Duration::from_secs(limits.sample_seconds);
    for relation in relations.iter_mut().filter(|relation| relation.stored) {
        let open = |column: &String| !limits.is_masked(&relation.schema, &relation.name, column);
        let columns: Vec<String> = relation.textual.iter().filter(|column| open(column)).cloned().collect();
        for some in columns.chunks(COLUMNS_AT_ONCE) {
            let left = deadline.saturating_duration_since(Instant::now()).min(TABLE_TIME);
            if left < LEAST_TIME {
                tracing::debug!("sampling ended by its time limit; later tables have no values");
                return;
            }
            match sample(sessions, relation, some, left).await {
                Ok(values) => keep(relation, some, values),
                // The server is away or full: asking on would only disturb it.
                Err(error) if error.is_outage() => return,
                Err(error) => tracing::debug!(%error, "a table could not be sampled"),
            }
        }
    }
}

fn keep(relation: &mut Relation, columns: &[String], values: Vec<Vec<String>>) {
    for (name, values) in columns.iter().zip(values) {
        if let Some(column) = relation.table.columns.get_mut(name) {
            column.values = choices(values);
        }
    }
}

async fn sample(sessions: &Sessions, relation: &Relation, columns: &[String], time: Duration) -> Result<Vec<Vec<String>>, SourceError> {
    let sql = statement(&relation.schema, &relation.name, columns);
    let mut session = sessions.begin_to_look(time).await?;
    let Ok(values) = timeout(time + LEAST_TIME, fetch(session.connection()?, sql, columns.len())).await else {
        session.abort().await;
        return Err(SourceError::Timeout { seconds: time.as_secs() });
    };
    session.finish().await;
    values.map_err(|error| errors::beginning(&error))
}

async fn fetch(connection: &mut PgConnection, sql: String, columns: usize) -> Result<Vec<Vec<String>>, sqlx::Error> {
    // Made of catalogue names only, each of them quoted.
    let row = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_one(&mut *connection).await?;
    (0..columns).map(|index| row.try_get(index)).collect()
}

/// One pass over the first rows; values are cut before they are compared, so that long ones cost little.
fn statement(schema: &str, table: &str, columns: &[String]) -> String {
    let cut = SAMPLED_CHARS + 1;
    let most = SAMPLED_VALUES + 1;
    let read = columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("left({}::text, {cut}) AS c{index}", quote_identifier(column)))
        .collect::<Vec<_>>()
        .join(", ");
    let distinct = (0..columns.len())
        .map(|index| format!("ARRAY(SELECT DISTINCT c{index} FROM sampled WHERE c{index} IS NOT NULL LIMIT {most})"))
        .collect::<Vec<_>>()
        .join(", ");
    let from = format!("{}.{}", quote_identifier(schema), quote_identifier(table));
    format!("WITH sampled AS (SELECT {read} FROM {from} LIMIT {SAMPLED_ROWS}) SELECT {distinct}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_values_bounded() {
        let sql = statement("public", "a\"b", &["status".to_owned(), "x; DROP".to_owned()]);
        assert_eq!(
            sql,
            "WITH sampled AS (SELECT left(\"status\"::text, 61) AS c0, left(\"x; DROP\"::text, 61) AS c1 \
             FROM \"public\".\"a\"\"b\" LIMIT 5000) \
             SELECT ARRAY(SELECT DISTINCT c0 FROM sampled WHERE c0 IS NOT NULL LIMIT 51), \
             ARRAY(SELECT DISTINCT c1 FROM sampled WHERE c1 IS NOT NULL LIMIT 51)"
        );
    }
}
