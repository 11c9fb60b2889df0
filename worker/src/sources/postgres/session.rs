//! One session: a connection inside a read-only transaction. It is kept for the next one only when it surely is outside of one again,
//! with no answer to come; in every other case, also when its future is dropped, the socket is closed.

use std::{sync::Arc, time::Duration};

use datagenie_common::{lifecycle, model::policies::Limits};
use tokio::time::{Instant, error::Elapsed, sleep, timeout};

use super::{
    errors,
    wire::{Batch, Target, Wire, WireError},
};
use crate::sources::{
    SourceError, Statement,
    idle::{self, Idle},
    slots::Place,
};

/// How long the client waits beyond the server's own limit, which is no hard one: some functions never look at the clock.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// Time for the rollback and for reading what a stopped statement left on the wire, and how much of that is read: what is more is not
/// worth waiting for.
const SETTLE_WAIT: Duration = Duration::from_secs(1);
const SETTLE_BYTES: usize = 1024 * 1024;
/// Time for ending what the server runs, and for its answer to one wish to end it: a session between two statements of a batch does not
/// hear it.
const CANCEL_WAIT: Duration = Duration::from_secs(2);
const CANCEL_AGAIN: Duration = Duration::from_millis(300);
/// What may be on its way when a statement ends. More than that is one message, and a server in the middle of a message hears nothing
/// but that its client is gone.
const CANCEL_BYTES: usize = 16 * 1024 * 1024;

pub(super) struct Session {
    /// None only after the connection was given back or closed.
    wire: Option<Wire>,
    opened: Instant,
    target: Arc<Target>,
    idle: Arc<Idle<Wire>>,
    /// Whether something may be left on the connection that no rollback takes away.
    is_spent: bool,
    /// What the server lets a statement take.
    limit: Duration,
    /// Dropped last: until then the session is at work.
    place: Option<Place>,
}

impl Session {
    pub(super) fn new(wire: Wire, opened: Instant, place: Place, target: Arc<Target>, idle: Arc<Idle<Wire>>) -> Self {
        idle.begun();
        Self { wire: Some(wire), opened, target, idle, is_spent: false, limit: Duration::ZERO, place: Some(place) }
    }

    /// Gives up a session that has not begun: its connection is closed, its place may serve another one.
    pub(super) fn into_place(mut self) -> Option<Place> {
        self.place.take()
    }

    /// Begins a transaction and sends what follows with it. The answers to that are still to come then.
    pub(super) async fn begin(&mut self, max_time: Duration, then: &Batch) -> Result<(), SourceError> {
        let mut batch = Batch::begin(max_time)?;
        batch.append(then);
        self.limit = max_time;
        let wire = self.wire()?;
        let begun = async {
            wire.send(&batch).await?;
            wire.done().await
        };
        begun.await.map_err(|error| errors::beginning(&error))
    }

    /// Notes what runs on the session. The guard's own functions leave nothing behind; of those that an administrator added nobody knows
    /// (a lock that the session holds until its end, a prepared statement), so the connection is not kept.
    pub(super) fn spend_on(&mut self, statement: &Statement) {
        self.is_spent |= statement.may_call_extra_functions();
    }

    pub(super) fn wire(&mut self) -> Result<&mut Wire, SourceError> {
        self.wire.as_mut().ok_or_else(|| SourceError::internal("the session is over"))
    }

    /// Ends the session as its reading ended: with what was read, an error, no end in time, or a wish to stop (none).
    pub(super) async fn end<T>(self, reading: Option<Result<Result<T, SourceError>, Elapsed>>, limits: &Limits) -> Result<T, SourceError> {
        match reading {
            None => {
                self.abort().await;
                Err(SourceError::Cancelled)
            }
            Some(Err(_elapsed)) => {
                self.abort().await;
                Err(SourceError::Timeout { seconds: limits.max_seconds })
            }
            Some(Ok(Ok(read))) => {
                self.finish().await;
                Ok(read)
            }
            Some(Ok(Err(error))) => {
                // After an error that the statement caused a rollback makes the session as good as new; after others it is dropped.
                if error.is_about_the_statement()
                    || matches!(error, SourceError::Permission | SourceError::Sink(_) | SourceError::RowTooLarge { .. })
                {
                    self.finish().await;
                } else if error.is_outage() {
                    self.abandon();
                }
                Err(error)
            }
        }
    }

    /// Rolls back and gives the connection to the next one; closes it if that fails, or if there are more than are needed.
    pub(super) async fn finish(mut self) {
        let Some(mut wire) = self.wire.take() else { return };
        let settled = match rollback() {
            Ok(rollback) => timeout(SETTLE_WAIT, wire.settle(SETTLE_BYTES, &rollback)).await.is_ok_and(|settled| settled.is_ok()),
            Err(_) => false,
        };
        if settled {
            let surplus = if self.is_spent { Some(wire) } else { self.idle.put(wire, self.opened) };
            if let Some(surplus) = surplus {
                idle::close(surplus).await;
            }
        } else {
            // Still inside a statement, most likely: end it on the server too. `self` closes the socket.
            self.wire = Some(wire);
            self.abort().await;
        }
    }

    /// Ends what the session runs, by a second connection, then closes its socket. In this order the key is surely still ours.
    /// The task is its own: whoever waits for it may go away, and the session's place is taken until the statement is over.
    pub(super) async fn abort(mut self) {
        let ending = lifecycle::spawn("session.abort", async move {
            if timeout(CANCEL_WAIT, self.cancel()).await.is_ok_and(|cancelled| cancelled.is_ok()) {
                return;
            }
            tracing::warn!("a statement could not be cancelled on its server; the server's own time limit ends it");
            let (place, limit) = (self.place.take(), self.limit);
            drop(self);
            sleep(limit).await;
            drop(place);
        });
        let _ = timeout(CANCEL_WAIT + SETTLE_WAIT, ending).await;
    }

    /// Asks the server once to end what a broken wire left behind: it would notice only when it has something to say. Nobody waits for it,
    /// and a server that does not hear it may be gone: the place is free after the one attempt.
    fn abandon(self) {
        let canceller = self.wire.as_ref().filter(|wire| !wire.is_answered()).and_then(Wire::canceller);
        let Some(canceller) = canceller else { return };
        lifecycle::spawn("session.abandon", async move {
            let _heard_or_not = timeout(CANCEL_WAIT, canceller.cancel(&self.target)).await;
            drop(self);
        });
    }

    /// Cancels until no answer is to come any more.
    async fn cancel(&mut self) -> Result<(), WireError> {
        let Some(wire) = self.wire.as_mut() else { return Ok(()) };
        loop {
            if wire.is_answered() {
                return Ok(());
            }
            // Without a key, which some poolers don't give, nothing can be cancelled.
            let canceller = wire.canceller().ok_or(WireError::Protocol)?;
            canceller.cancel(&self.target).await?;
            // A connection that is broken, or full of one message, has nothing more to say: closing it ends the rest.
            if timeout(CANCEL_AGAIN, wire.drain(CANCEL_BYTES)).await.is_ok() {
                return Ok(());
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A connection that is still here is in an unknown state: dropping it closes the socket.
        self.wire = None;
        self.idle.ended();
    }
}

fn rollback() -> Result<Batch, SourceError> {
    let mut batch = Batch::default();
    batch.rollback()?;
    Ok(batch)
}
