//! Running one guarded statement: prepared, so that it is exactly one, and read row by row as the server sends it. The driver's text
//! protocol takes several statements at once and carries ours alone.
//!
//! The server stops by itself after one row more than wanted, where the statement has no LIMIT of its own; else the statement is ended by
//! a second connection, and what it still sends is not read.

use std::time::Duration;

use datagenie_common::{ids::UserId, model::policies::Limits};
use futures::TryStreamExt as _;
use mysql_async::{Conn, Error, Params, Row, prelude::Queryable as _};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    connect::Sessions,
    errors::{self, Ran},
    prepared,
    server::Bounds,
    session::{GRACE, Session},
    types::{self, TypedColumn},
    values,
};
use crate::sources::{Flow, RowSink, RunEnd, SourceError, Statement, metered::MeteredSink};

/// How long the end of a result is waited for when no more rows are wanted: it stands right behind the row that showed there are more.
const LAST_WAIT: Duration = Duration::from_millis(100);

pub(super) async fn run(
    sessions: &Sessions,
    user: UserId,
    statement: &Statement,
    limits: &Limits,
    sink: &mut dyn RowSink,
    cancel: &CancellationToken,
) -> Result<RunEnd, SourceError> {
    let started = Instant::now();
    let sql = prepared::text(statement.sql())?;
    let mut metered = MeteredSink::new(sink, limits);
    let bounds = Bounds { time: limits.max_time(), rows: Some(metered.wanted()) };
    let begun = cancel.run_until_cancelled(sessions.begin(&bounds, user)).await;
    let mut session = begun.ok_or(SourceError::Cancelled)??;
    let reading = timeout(limits.max_time() + GRACE, read(&mut session, &sql, limits, &mut metered));
    let outcome = cancel.run_until_cancelled(reading).await;
    let elapsed = started.elapsed();
    session.settle(outcome, limits.max_seconds).await?;
    Ok(RunEnd { rows: metered.rows(), truncated: metered.truncated(), elapsed })
}

/// What ended a statement.
enum Ended {
    /// The driver or the server.
    There(Error),
    /// We did, before it ran.
    Before(SourceError),
    /// We did, while the server had rows left.
    Here(SourceError),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::There(error)
    }
}

impl From<SourceError> for Ended {
    fn from(error: SourceError) -> Self {
        Self::Here(error)
    }
}

async fn read(session: &mut Session, sql: &str, limits: &Limits, metered: &mut MeteredSink<'_>) -> Result<(), SourceError> {
    match feed(session.start()?, sql, metered).await {
        Ok(Flow::Continue) => {
            session.ended();
            Ok(())
        }
        Ok(Flow::Stop) => Ok(()),
        Err(Ended::There(error)) => {
            if !error.is_fatal() {
                session.ended();
            }
            Err(errors::running(&error, &Ran { sql, seconds: limits.max_seconds, bytes: limits.max_bytes }))
        }
        Err(Ended::Before(error)) => {
            session.ended();
            Err(error)
        }
        Err(Ended::Here(error)) => Err(error),
    }
}

/// Feeds the rows to the sink; `Continue` means that all of them were read.
async fn feed(conn: &mut Conn, sql: &str, metered: &mut MeteredSink<'_>) -> Result<Flow, Ended> {
    let statement = conn.prep(sql).await?;
    let not_rows = || Ended::Before(SourceError::invalid("the statement is not one that reads rows"));
    if statement.num_columns() == 0 || statement.num_params() > 0 {
        return Err(not_rows());
    }
    let mut result = conn.exec_iter(&statement, Params::Empty).await?;
    let mut rows = result.stream::<Row>().await?.ok_or_else(not_rows)?;
    let columns = rows.columns_ref().iter().map(TypedColumn::new).collect::<Option<Vec<_>>>();
    let columns = columns.ok_or_else(|| SourceError::Unsupported { what: types::UNKNOWN.to_owned() })?;
    metered.start(columns.iter().map(|typed| typed.column.clone()).collect())?;
    loop {
        let row = match rows.try_next().await {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Flow::Continue),
            Err(error) if errors::is_row_too_large(&error) => {
                metered.cut_off()?;
                return Ok(Flow::Stop);
            }
            Err(error) => return Err(Ended::There(error)),
        };
        if metered.row(values::decode_row(row, &columns))? == Flow::Stop {
            let last = timeout(LAST_WAIT, rows.try_next()).await;
            return Ok(if matches!(last, Ok(Ok(None))) { Flow::Continue } else { Flow::Stop });
        }
    }
}
