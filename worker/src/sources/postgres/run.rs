//! Running one guarded statement: a cursor in a read-only transaction, fetched as text in batches.
//!
//! The statement itself goes through the extended protocol, which takes exactly one; only our own `BEGIN`, `FETCH` and `ROLLBACK` use the
//! simple one. Memory holds one row at a time, as the wire brings it (a first batch at most, up to the byte limit, where a type must be
//! looked up): a single row of hundreds of megabytes is held once before the byte limit sees it.

use std::time::Duration;

use datagenie_common::{
    ids::UserId,
    model::{policies::Limits, results::Row},
};
use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, postgres::PgRow};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    connect::Sessions,
    errors::{self, Ran},
    types::{self, TypedColumn},
};
use crate::sources::{Flow, RowSink, RunEnd, SourceError, Statement, metered::MeteredSink, values::encoded_size};

/// What the user's SQL stands behind. Error positions count from its beginning.
const DECLARE: &str = "DECLARE dg_cursor NO SCROLL CURSOR FOR ";
/// How long the client waits beyond the server's own limit, which is no hard one: some functions never look at the clock.
const GRACE: Duration = Duration::from_secs(2);
/// Rows of the first batch; later ones hold about as many as fit into [`BATCH_BYTES`].
const FIRST_BATCH: u64 = 200;
const LARGEST_BATCH: u64 = 5_000;
const BATCH_BYTES: u64 = 1024 * 1024;

pub(super) async fn run(
    sessions: &Sessions,
    user: UserId,
    statement: &Statement,
    limits: &Limits,
    sink: &mut dyn RowSink,
    cancel: &CancellationToken,
) -> Result<RunEnd, SourceError> {
    let started = Instant::now();
    let begun = cancel.run_until_cancelled(sessions.begin(limits.max_time(), user)).await;
    let mut session = begun.ok_or(SourceError::Cancelled)??;
    let mut metered = MeteredSink::new(sink, limits);
    let connection = session.connection()?;
    let reading = timeout(limits.max_time() + GRACE, read(connection, statement.sql(), limits, &mut metered));
    let outcome = cancel.run_until_cancelled(reading).await;
    match outcome {
        None => {
            session.abort().await;
            Err(SourceError::Cancelled)
        }
        Some(Err(_elapsed)) => {
            session.abort().await;
            Err(SourceError::Timeout { seconds: limits.max_seconds })
        }
        Some(Ok(Err(error))) => {
            // After an error that the statement caused a rollback makes the session as good as new; after others it is dropped.
            if error.is_about_the_statement()
                || matches!(error, SourceError::Permission | SourceError::Sink(_) | SourceError::RowTooLarge { .. })
            {
                session.finish().await;
            }
            Err(error)
        }
        Some(Ok(Ok(()))) => {
            let elapsed = started.elapsed();
            session.finish().await;
            Ok(RunEnd { rows: metered.rows(), truncated: metered.truncated(), elapsed })
        }
    }
}

async fn read(connection: &mut PgConnection, sql: &str, limits: &Limits, metered: &mut MeteredSink<'_>) -> Result<(), SourceError> {
    let failed = |error: sqlx::Error| errors::running(&error, &Ran { sql, prefix: DECLARE.len(), seconds: limits.max_seconds });
    // Persistent false: an unnamed statement, so nothing is left on the server and poolers are content.
    sqlx::query(AssertSqlSafe(format!("{DECLARE}{sql}"))).persistent(false).execute(&mut *connection).await.map_err(failed)?;
    let mut batch = FIRST_BATCH;
    let mut columns: Option<Vec<TypedColumn>> = None;
    loop {
        let asked = batch.min(metered.wanted());
        let mut fetched = 0;
        let mut unresolved: Option<Unresolved> = None;
        {
            let fetch = AssertSqlSafe(format!("FETCH FORWARD {asked} FROM dg_cursor"));
            let mut rows = connection.fetch(sqlx::raw_sql(fetch));
            while let Some(row) = rows.try_next().await.map_err(failed)? {
                fetched += 1;
                if let Some(unresolved) = &mut unresolved {
                    unresolved.hold(&row, limits.max_bytes).map_err(failed)?;
                    continue;
                }
                if columns.is_none() {
                    let (known, all_known) = types::known_columns(&row);
                    if !all_known {
                        unresolved = Some(Unresolved::new(row, known).map_err(failed)?);
                        continue;
                    }
                    metered.start(known.iter().map(|typed| typed.column.clone()).collect())?;
                    columns = Some(known);
                }
                // What a stopped batch leaves on the wire is read off by the rollback.
                let decoded = types::decode_row(&row, columns.as_deref().unwrap_or_default()).map_err(failed)?;
                if metered.row(decoded)? == Flow::Stop {
                    return Ok(());
                }
            }
        }
        if let Some(unresolved) = unresolved {
            let resolved = types::columns_of(&unresolved.first, connection).await.map_err(failed)?;
            metered.start(resolved.iter().map(|typed| typed.column.clone()).collect())?;
            columns = Some(resolved);
            for row in unresolved.rows {
                if metered.row(row)? == Flow::Stop {
                    return Ok(());
                }
            }
        }
        if columns.is_none() {
            let columns = columns_of_nothing(connection, sql).await.map_err(failed)?;
            return metered.start(columns.into_iter().map(|typed| typed.column).collect());
        }
        if fetched < asked {
            return Ok(());
        }
        batch = next_batch(metered.rows(), metered.bytes());
    }
}

/// The rows of a first batch with a type that must be looked up, for which the connection must be between two queries.
struct Unresolved {
    first: PgRow,
    columns: Vec<TypedColumn>,
    rows: Vec<Row>,
    bytes: u64,
}

impl Unresolved {
    fn new(first: PgRow, columns: Vec<TypedColumn>) -> Result<Self, sqlx::Error> {
        let row = types::decode_row(&first, &columns)?;
        Ok(Self { bytes: encoded_size(&row), rows: vec![row], first, columns })
    }

    /// Holds one more row. Past the limit the rest is dropped: the result ends there.
    fn hold(&mut self, row: &PgRow, max_bytes: u64) -> Result<(), sqlx::Error> {
        if self.bytes <= max_bytes {
            let row = types::decode_row(row, &self.columns)?;
            self.bytes += encoded_size(&row);
            self.rows.push(row);
        }
        Ok(())
    }
}

/// Rows of about a megabyte, by the rows so far.
fn next_batch(rows: u64, bytes: u64) -> u64 {
    let row_bytes = (bytes / rows.max(1)).max(1);
    (BATCH_BYTES / row_bytes).clamp(1, LARGEST_BATCH)
}

/// The columns of a statement without rows: the driver shows columns only with a row, so the statement is outer-joined to one row on a
/// condition that is false, and thereby not executed. None where the server does not take the statement as a subquery.
async fn columns_of_nothing(connection: &mut PgConnection, sql: &str) -> Result<Vec<TypedColumn>, sqlx::Error> {
    match describe(connection, sql).await {
        Err(sqlx::Error::Database(_)) => {
            tracing::debug!("an empty result is shown without columns: the statement could not be described");
            Ok(Vec::new())
        }
        described => described,
    }
}

async fn describe(connection: &mut PgConnection, sql: &str) -> Result<Vec<TypedColumn>, sqlx::Error> {
    let described = format!(
        "DECLARE dg_columns NO SCROLL CURSOR FOR SELECT described.* FROM (SELECT 1) AS one LEFT JOIN ({sql}\n) AS described ON false"
    );
    sqlx::query(AssertSqlSafe(described)).persistent(false).execute(&mut *connection).await?;
    match connection.fetch_optional(sqlx::raw_sql("FETCH FORWARD 1 FROM dg_columns")).await? {
        Some(row) => types::columns_of(&row, connection).await,
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_the_width_of_the_rows() {
        assert_eq!(next_batch(200, 200 * 100), LARGEST_BATCH);
        assert_eq!(next_batch(200, 200 * 4_096), 256);
        assert_eq!(next_batch(1, 64 * BATCH_BYTES), 1);
        assert_eq!(next_batch(0, 0), LARGEST_BATCH);
    }
}
