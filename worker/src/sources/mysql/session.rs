//! One session: a connection inside a read-only transaction. It is kept for the next one only after a reset that surely happened; in
//! every other case, also when its future is dropped, the socket is closed.

use std::{sync::Arc, time::Duration};

use datagenie_common::lifecycle;
use futures::future::BoxFuture;
use mysql_async::{Conn, Error, Row, prelude::Queryable as _};
use tokio::time::{Instant, error::Elapsed, sleep, timeout};

use super::{
    cells, errors,
    server::Bounds,
    wire::{Connection, Connector},
};
use crate::sources::{
    SourceError,
    idle::{self, Idle},
    slots::Place,
};

/// Time for the reset.
const RESET_WAIT: Duration = Duration::from_secs(1);
/// Time for the second connection that ends what the first one runs.
const KILL_WAIT: Duration = Duration::from_secs(2);
/// How often the server is asked whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long the client waits beyond the server's own limit, which is no hard one: some functions never look at the clock.
pub(super) const GRACE: Duration = Duration::from_secs(2);

pub(super) struct Session {
    /// None only after the connection was given back or closed.
    connection: Option<Connection>,
    opened: Instant,
    connector: Arc<Connector>,
    idle: Arc<Idle<Connection>>,
    /// Whether the server may be at work on a statement, or holds rows of one that were not read.
    is_at_work: bool,
    /// What the server lets a statement take.
    limit: Duration,
    /// Dropped last: until then the session is at work.
    place: Option<Place>,
}

impl Session {
    pub(super) fn new(
        connection: Connection,
        opened: Instant,
        place: Place,
        connector: Arc<Connector>,
        idle: Arc<Idle<Connection>>,
    ) -> Self {
        idle.begun();
        Self { connection: Some(connection), opened, connector, idle, is_at_work: false, limit: Duration::ZERO, place: Some(place) }
    }

    /// Gives up a session that has not begun: its connection is closed, its place may serve another one.
    pub(super) fn into_place(mut self) -> Option<Place> {
        self.place.take()
    }

    pub(super) async fn begin(&mut self, bounds: &Bounds) -> Result<(), SourceError> {
        self.limit = bounds.time;
        self.connection()?.begin(bounds).await
    }

    pub(super) fn connection(&mut self) -> Result<&mut Connection, SourceError> {
        self.connection.as_mut().ok_or_else(|| SourceError::internal("the session is over"))
    }

    /// The driver's connection, to run something on: from here on the server may be at work.
    pub(super) fn start(&mut self) -> Result<&mut Conn, SourceError> {
        self.is_at_work = true;
        self.connection()?.conn()
    }

    /// Notes that what was started is over, to its last row.
    pub(super) fn ended(&mut self) {
        self.is_at_work = false;
    }

    /// Reads with statements of our own, within a time, and ends the session.
    pub(super) async fn look<T, F>(mut self, time: Duration, read: F) -> Result<T, SourceError>
    where
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, Error>>,
    {
        let conn = self.start()?;
        let looked = timeout(time, read(conn)).await;
        if let Ok(read) = &looked {
            // An error of the server is the end of a statement too.
            self.is_at_work = matches!(read, Err(error) if error.is_fatal());
        }
        let read = looked.map(|read| read.map_err(|error| errors::beginning(&error)));
        self.settle(Some(read), time.as_secs()).await
    }

    /// Ends the session by what became of its statement: nothing, if it was cancelled.
    pub(super) async fn settle<T>(self, outcome: Option<Result<Result<T, SourceError>, Elapsed>>, seconds: u64) -> Result<T, SourceError> {
        match outcome {
            None => {
                self.abort().await;
                Err(SourceError::Cancelled)
            }
            Some(Err(_elapsed)) => {
                self.abort().await;
                Err(SourceError::Timeout { seconds })
            }
            Some(Ok(Err(error))) => {
                // A server that is away can't be told to end anything; dropping the session closes what is left of it.
                if !error.is_outage() {
                    self.finish().await;
                }
                Err(error)
            }
            Some(Ok(Ok(found))) => {
                self.finish().await;
                Ok(found)
            }
        }
    }

    /// Undoes everything and gives the connection to the next one; closes it if that fails, or if there are more than are needed.
    async fn finish(mut self) {
        if self.is_at_work {
            return self.abort().await;
        }
        let Some(mut connection) = self.connection.take() else { return };
        if timeout(RESET_WAIT, connection.reset()).await != Ok(true) {
            return;
        }
        if let Some(surplus) = self.idle.put(connection, self.opened) {
            idle::close(surplus).await;
        }
    }

    /// Ends what the session runs, by a second connection, and closes its socket. The task is its own: whoever waits for it may go away,
    /// and the session's place is taken until the statement is over.
    pub(super) async fn abort(mut self) {
        let Some(connection) = self.connection.take() else { return };
        let ending = lifecycle::spawn("session.abort", async move {
            if timeout(KILL_WAIT, end(&self.connector, &self.idle, connection)).await == Ok(true) {
                return;
            }
            tracing::warn!("a statement could not be ended on its server; the server's own time limit ends it");
            let (place, limit) = (self.place.take(), self.limit);
            drop(self);
            sleep(limit).await;
            drop(place);
        });
        let _ = timeout(KILL_WAIT + RESET_WAIT, ending).await;
    }
}

/// Ends what runs on a connection; whether it surely is over. The number is surely still the session's as long as it is open.
async fn end(connector: &Connector, idle: &Idle<Connection>, first: Connection) -> bool {
    let Some(id) = first.id() else { return true };
    let mut second = match connector.connect().await {
        Ok(connection) => connection,
        // The server may be full; one of ours may lie idle all the same.
        Err(_) => match idle.take() {
            Some(kept) => kept.connection,
            None => return false,
        },
    };
    if second.server().identity != first.server().identity {
        // Several servers answer at this address: there the number is somebody else's.
        idle::close(second).await;
        return false;
    }
    let is_over = match second.conn() {
        Ok(conn) => {
            // The session and not only its statement: one that was sent and has not begun would not hear the latter.
            let killed = conn.query_drop(format!("KILL CONNECTION {id}")).await;
            drop(first);
            match killed {
                Ok(()) => is_gone(conn, id).await,
                Err(Error::Server(error)) => error.code == errors::UNKNOWN_THREAD,
                Err(_) => false,
            }
        }
        Err(_) => false,
    };
    idle::close(second).await;
    is_over
}

/// Waits until a session is not at work any more. Every role sees its own.
async fn is_gone(conn: &mut Conn, id: u32) -> bool {
    let sql = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {id} AND COMMAND <> 'Sleep'");
    loop {
        match conn.query_first::<Row, _>(sql.as_str()).await {
            Ok(Some(row)) if cells::count(&row, 0).is_some_and(|count| count > 0) => sleep(LOOK_EVERY).await,
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A connection that is still here is in an unknown state: dropping it closes the socket.
        self.connection = None;
        self.idle.ended();
    }
}
