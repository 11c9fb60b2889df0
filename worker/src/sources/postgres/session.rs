//! One session: a connection inside a read-only transaction. It goes back to the pool only after a rollback that surely happened;
//! in every other case, also when its future is dropped, the socket is closed.

use std::{sync::Arc, time::Duration};

use sqlx::{Connection as _, Executor as _, PgConnection, Postgres, Row as _, pool::PoolConnection, postgres::PgConnectOptions};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::errors;
use crate::sources::SourceError;

/// Time for the rollback, and for reading what a stopped fetch left on the wire.
const ROLLBACK_WAIT: Duration = Duration::from_secs(1);
/// Time for the second connection that cancels what the first one runs.
const CANCEL_WAIT: Duration = Duration::from_secs(2);
/// A statement waits this long for a lock, in milliseconds: a reader waits only for somebody who changes the table itself.
const LOCK_TIMEOUT_MS: u64 = 3_000;
/// How long a transaction may wait for us beyond the statement's time, in milliseconds; after that the server ends it.
const IDLE_TIMEOUT_MS: u64 = 30_000;

/// The settings of the transaction, gone with it. It is also the transaction's first query: after it READ ONLY can't be flipped back.
/// `pg_catalog` stands first and `pg_temp` last in the path, so nobody's function or temporary table passes for a system one.
/// NOTICEs carry data into logs, hence `client_min_messages`. With strings not conforming to the standard the server would read
/// literals otherwise than the guard did. A cursor is planned for its first rows unless told that all are wanted.
const SETTINGS: &str = "SELECT \
    set_config('statement_timeout', $1, true), \
    set_config('lock_timeout', $2, true), \
    set_config('idle_in_transaction_session_timeout', $3, true), \
    set_config('search_path', 'pg_catalog, public, pg_temp', true), \
    set_config('standard_conforming_strings', 'on', true), \
    set_config('client_min_messages', 'error', true), \
    set_config('cursor_tuple_fraction', '1', true), \
    set_config('DateStyle', 'ISO, MDY', true), \
    set_config('IntervalStyle', 'postgres', true), \
    set_config('TimeZone', 'UTC', true), \
    set_config('bytea_output', 'hex', true), \
    set_config('extra_float_digits', '3', true), \
    pg_backend_pid() AS pid";

/// Begins a read-only transaction with limits; answers the server process's id.
pub(super) async fn begin(connection: &mut PgConnection, max_time: Duration) -> Result<i32, sqlx::Error> {
    // At least 1: 0 means no limit.
    let statement_ms = u64::try_from(max_time.as_millis()).unwrap_or(u64::MAX).clamp(1, i32::MAX as u64 - IDLE_TIMEOUT_MS);
    connection.execute(sqlx::raw_sql("BEGIN READ ONLY")).await?;
    let row = sqlx::query(SETTINGS)
        .persistent(false)
        .bind(statement_ms.to_string())
        .bind(LOCK_TIMEOUT_MS.to_string())
        .bind((statement_ms + IDLE_TIMEOUT_MS).to_string())
        .fetch_one(&mut *connection)
        .await?;
    row.try_get("pid")
}

pub(super) struct Session {
    /// None only after the connection was given back or closed.
    connection: Option<PoolConnection<Postgres>>,
    options: Arc<PgConnectOptions>,
    pid: Option<i32>,
    _slot: OwnedSemaphorePermit,
}

impl Session {
    pub(super) fn new(connection: PoolConnection<Postgres>, slot: OwnedSemaphorePermit, options: Arc<PgConnectOptions>) -> Self {
        Self { connection: Some(connection), options, pid: None, _slot: slot }
    }

    pub(super) async fn begin(&mut self, max_time: Duration) -> Result<(), SourceError> {
        let pid = begin(self.connection()?, max_time).await.map_err(|error| errors::beginning(&error))?;
        self.pid = Some(pid);
        Ok(())
    }

    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, SourceError> {
        self.connection.as_deref_mut().ok_or_else(|| SourceError::internal("the session is over"))
    }

    /// Rolls back and gives the connection to the next one; closes it if that fails.
    pub(super) async fn finish(mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let rolled_back = timeout(ROLLBACK_WAIT, connection.execute(sqlx::raw_sql("ROLLBACK"))).await;
        if matches!(rolled_back, Ok(Ok(_))) {
            drop(connection);
        } else {
            // Still inside a fetch, most likely: end it on the server too. `self` closes the socket.
            self.connection = Some(connection);
            self.abort().await;
        }
    }

    /// Ends what the session runs, by a second connection, then closes its socket. In this order the process id is surely still ours.
    pub(super) async fn abort(self) {
        let Some(pid) = self.pid else { return };
        if timeout(CANCEL_WAIT, cancel(&self.options, pid)).await.is_ok_and(|cancelled| cancelled.is_ok()) {
            return;
        }
        tracing::warn!("a statement could not be cancelled on its server; the server's own time limit ends it");
    }
}

async fn cancel(options: &PgConnectOptions, pid: i32) -> Result<(), sqlx::Error> {
    let mut second = PgConnection::connect_with(options).await?;
    sqlx::query("SELECT pg_catalog.pg_cancel_backend($1)").persistent(false).bind(pid).execute(&mut second).await?;
    second.close().await
}

impl Drop for Session {
    fn drop(&mut self) {
        // A connection that is still here is in an unknown state: out of the pool with it. Dropping it closes the socket.
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}
