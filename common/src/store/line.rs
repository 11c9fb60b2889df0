//! A connection of one's own, for who sends one statement after the other: a pool would ask the server for a sign of life after each.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{Mutex, MutexGuard};

use super::{Result, StoreError};

/// A connection, opened on first use and again after a failure.
pub struct Line {
    options: PgConnectOptions,
    connection: Mutex<Option<PgConnection>>,
}

/// The line while a statement is sent on it. Dropped in the middle, or not [`kept`](Call::kept), the connection is closed: what is on
/// it is not known.
pub struct Call<'a> {
    place: MutexGuard<'a, Option<PgConnection>>,
    connection: PgConnection,
}

impl Line {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: Mutex::new(None) }
    }

    /// The connection, when nobody else is at it.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn call(&self) -> Result<Call<'_>> {
        let mut place = self.connection.lock().await;
        let connection = match place.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await.map_err(StoreError::from)?,
        };
        Ok(Call { place, connection })
    }
}

impl Call<'_> {
    /// For a statement.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Keeps the connection for the next call if this one's statement did not fail by it.
    pub fn kept<T>(mut self, result: Result<T>) -> Result<T> {
        if !result.as_ref().is_err_and(StoreError::is_outage) {
            *self.place = Some(self.connection);
        }
        result
    }
}
