//! A sample of a table's values as text. Of a large table blocks from all over it are read, always the same ones, so that two looks at an
//! unchanged table see the same.

use tokio::time::timeout;

use super::{
    connect::Sessions,
    errors,
    session::Session,
    wire::{Batch, WireError},
};
use crate::sources::{Sample, SampledRow, SourceError, sql_text::quote_identifier};

/// A table with more rows than this many times the wanted ones is sampled.
const LARGE: u64 = 20;
/// How many times the wanted rows a sample is to hit: it hits whole blocks, and the estimate may be old.
const SPARE: f64 = 2.0;
/// `feature_not_supported`: only tables and materialized views can be sampled.
const CANNOT_BE_SAMPLED: &str = "0A000";

pub(super) async fn sample(sessions: &Sessions, sample: &Sample<'_>) -> Result<Vec<SampledRow>, SourceError> {
    if let Some(percent) = percent(sample)
        && let Some(rows) = read(sessions, sample, Some(percent)).await?
        // A table may have shrunk since its rows were estimated, and few blocks may be missed altogether.
        && rows.len() >= sample.rows / 2
    {
        return Ok(rows);
    }
    Ok(read(sessions, sample, None).await?.unwrap_or_default())
}

/// None: this relation can't be sampled.
async fn read(sessions: &Sessions, sample: &Sample<'_>, percent: Option<f64>) -> Result<Option<Vec<SampledRow>>, SourceError> {
    let mut batch = Batch::default();
    batch.query(&statement(sample, percent), &[])?;
    batch.rollback()?;
    let mut session = sessions.begin_to_look(sample.time, &batch).await?;
    let Ok(taken) = timeout(sample.time, take(&mut session)).await else {
        session.abort().await;
        return Err(SourceError::Timeout { seconds: sample.time.as_secs() });
    };
    session.finish().await;
    match taken {
        Ok(rows) => Ok(Some(rows)),
        Err(WireError::Server(error)) if percent.is_some() && error.state == CANNOT_BE_SAMPLED => Ok(None),
        Err(error) => Err(errors::looking(&error, sample.time.as_secs())),
    }
}

async fn take(session: &mut Session) -> Result<Vec<SampledRow>, WireError> {
    let wire = session.wire().map_err(|_over| WireError::Closed)?;
    let mut rows = Vec::new();
    wire.each(|row| {
        rows.push(row.rest());
        Ok(())
    })
    .await?;
    Ok(rows)
}

/// The part of a large table that is read, in percent; none: it is read from its beginning.
fn percent(sample: &Sample<'_>) -> Option<f64> {
    let (estimate, wanted) = (sample.row_estimate?, sample.rows as u64);
    (estimate > wanted.saturating_mul(LARGE)).then(|| 100.0 * SPARE * wanted as f64 / estimate as f64)
}

/// Made of catalogue names only, each of them quoted, and numbers. A value of bytes says nothing as text, and costs much.
fn statement(sample: &Sample<'_>, percent: Option<f64>) -> String {
    let chars = sample.chars;
    let value = |column: &String| {
        let name = quote_identifier(column);
        format!("CASE WHEN pg_typeof({name}) <> 'pg_catalog.bytea'::regtype THEN left({name}::text, {chars}) END")
    };
    let values = sample.columns.iter().map(value).collect::<Vec<_>>().join(", ");
    let from = format!("{}.{}", quote_identifier(sample.schema), quote_identifier(sample.table));
    // Six digits after the point: a percent of ten thousand million rows is still told apart from nothing.
    let part = percent.map(|percent| format!(" TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE (1)")).unwrap_or_default();
    format!("SELECT {values} FROM {from}{part} LIMIT {}", sample.rows)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asked(columns: &[String], row_estimate: Option<u64>) -> Sample<'_> {
        Sample { schema: "public", table: "a\"b", columns, row_estimate, rows: 1_000, chars: 60, time: Duration::from_secs(3) }
    }

    #[test]
    fn names_are_quoted_and_values_cut() {
        let columns = ["status".to_owned(), "x; DROP".to_owned()];
        assert_eq!(
            statement(&asked(&columns, None), None),
            "SELECT CASE WHEN pg_typeof(\"status\") <> 'pg_catalog.bytea'::regtype THEN left(\"status\"::text, 60) END, \
             CASE WHEN pg_typeof(\"x; DROP\") <> 'pg_catalog.bytea'::regtype THEN left(\"x; DROP\"::text, 60) END \
             FROM \"public\".\"a\"\"b\" LIMIT 1000"
        );
    }

    #[test]
    fn only_a_large_table_is_sampled() {
        assert_eq!(percent(&asked(&[], None)), None);
        assert_eq!(percent(&asked(&[], Some(20_000))), None);
        assert_eq!(percent(&asked(&[], Some(2_000_000))), Some(0.1));
        let columns = ["a".to_owned()];
        let sql = statement(&asked(&columns, None), Some(0.1));
        assert!(sql.ends_with("FROM \"public\".\"a\"\"b\" TABLESAMPLE SYSTEM (0.100000) REPEATABLE (1) LIMIT 1000"), "{sql}");
    }
}
