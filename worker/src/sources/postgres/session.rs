//! One session: a connection inside a read-only transaction. It is kept for the next one only after a rollback that surely happened;
//! in every other case, also when its future is dropped, the socket is closed.

use std::{sync::Arc, time::Duration};

use datagenie_common::lifecycle;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout};

use super::{
    errors,
    idle::{self, Idle},
};
use crate::{capacity::Permit, sources::SourceError};

/// Time for the rollback, and for reading what a stopped fetch left on the wire.
const ROLLBACK_WAIT: Duration = Duration::from_secs(1);
/// Time for the second connection that cancels what the first one runs.
const CANCEL_WAIT: Duration = Duration::from_secs(2);
/// A statement waits this long for a lock, in milliseconds: a reader waits only for somebody who changes the table itself.
const LOCK_TIMEOUT_MS: u64 = 3_000;
/// How long a transaction may wait for us beyond the statement's time, in milliseconds; after that the server ends it.
const IDLE_TIMEOUT_MS: u64 = 30_000;

/// Begins the transaction and sets what holds for it, in one message of text that is ours alone. The settings are also the
/// transaction's first query: after it READ ONLY can't be flipped back.
/// `pg_catalog` stands first and `pg_temp` last in the path, so nobody's function or temporary table passes for a system one.
/// NOTICEs carry data into logs, hence `client_min_messages`. With strings not conforming to the standard the server would read
/// literals otherwise than the guard did. A cursor is planned for its first rows unless told that all are wanted.
fn beginning(statement_ms: u64) -> String {
    let idle_ms = statement_ms + IDLE_TIMEOUT_MS;
    format!(
        "BEGIN READ ONLY; SELECT \
         set_config('statement_timeout', '{statement_ms}', true), \
         set_config('lock_timeout', '{LOCK_TIMEOUT_MS}', true), \
         set_config('idle_in_transaction_session_timeout', '{idle_ms}', true), \
         set_config('search_path', 'pg_catalog, public, pg_temp', true), \
         set_config('standard_conforming_strings', 'on', true), \
         set_config('client_min_messages', 'error', true), \
         set_config('cursor_tuple_fraction', '1', true), \
         set_config('DateStyle', 'ISO, MDY', true), \
         set_config('IntervalStyle', 'postgres', true), \
         set_config('TimeZone', 'UTC', true), \
         set_config('bytea_output', 'hex', true), \
         set_config('extra_float_digits', '3', true), \
         pg_backend_pid() AS pid"
    )
}

/// Begins a read-only transaction with limits, in one round trip; answers the server process's id.
pub(super) async fn begin(connection: &mut PgConnection, max_time: Duration) -> Result<i32, sqlx::Error> {
    // At least 1: 0 means no limit.
    let statement_ms = u64::try_from(max_time.as_millis()).unwrap_or(u64::MAX).clamp(1, i32::MAX as u64 - IDLE_TIMEOUT_MS);
    let row = connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(beginning(statement_ms)))).await?;
    row.try_get("pid")
}

pub(super) struct Session {
    /// None only after the connection was given back or closed.
    connection: Option<PgConnection>,
    opened: Instant,
    options: Arc<PgConnectOptions>,
    idle: Arc<Idle>,
    pid: Option<i32>,
    /// What the server lets a statement take.
    limit: Duration,
    /// Dropped last: until then the session is at work.
    slot: Option<Permit>,
}

impl Session {
    pub(super) fn new(connection: PgConnection, opened: Instant, slot: Permit, options: Arc<PgConnectOptions>, idle: Arc<Idle>) -> Self {
        idle.begun();
        Self { connection: Some(connection), opened, options, idle, pid: None, limit: Duration::ZERO, slot: Some(slot) }
    }

    /// Gives up a session that has not begun: its connection is closed, its slot may serve another one.
    pub(super) fn into_slot(mut self) -> Option<Permit> {
        self.slot.take()
    }

    pub(super) async fn begin(&mut self, max_time: Duration) -> Result<(), SourceError> {
        let pid = begin(self.connection()?, max_time).await.map_err(|error| errors::beginning(&error))?;
        self.pid = Some(pid);
        self.limit = max_time;
        Ok(())
    }

    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, SourceError> {
        self.connection.as_mut().ok_or_else(|| SourceError::internal("the session is over"))
    }

    /// Rolls back and gives the connection to the next one; closes it if that fails, or if there are more than are needed.
    pub(super) async fn finish(mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let rolled_back = timeout(ROLLBACK_WAIT, connection.execute(sqlx::raw_sql("ROLLBACK"))).await;
        if matches!(rolled_back, Ok(Ok(_))) {
            if let Some(surplus) = self.idle.put(connection, self.opened) {
                idle::close(surplus).await;
            }
        } else {
            // Still inside a fetch, most likely: end it on the server too. `self` closes the socket.
            self.connection = Some(connection);
            self.abort().await;
        }
    }

    /// Ends what the session runs, by a second connection, then closes its socket. In this order the process id is surely still ours.
    /// The task is its own: whoever waits for it may go away, and the session's place is taken until the statement is over.
    pub(super) async fn abort(mut self) {
        let Some(pid) = self.pid else { return };
        let ending = lifecycle::spawn("session.abort", async move {
            if timeout(CANCEL_WAIT, cancel(&self.options, pid)).await.is_ok_and(|cancelled| cancelled.is_ok()) {
                return;
            }
            tracing::warn!("a statement could not be cancelled on its server; the server's own time limit ends it");
            let (slot, limit) = (self.slot.take(), self.limit);
            drop(self);
            sleep(limit).await;
            drop(slot);
        });
        let _ = timeout(CANCEL_WAIT + ROLLBACK_WAIT, ending).await;
    }
}

async fn cancel(options: &PgConnectOptions, pid: i32) -> Result<(), sqlx::Error> {
    let mut second = PgConnection::connect_with(options).await?;
    sqlx::query("SELECT pg_catalog.pg_cancel_backend($1)").persistent(false).bind(pid).execute(&mut second).await?;
    second.close().await
}

impl Drop for Session {
    fn drop(&mut self) {
        // A connection that is still here is in an unknown state: dropping it closes the socket.
        self.connection = None;
        self.idle.ended();
    }
}
