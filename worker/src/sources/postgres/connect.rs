//! Sessions on a PostgreSQL server: how many there are, how long anybody waits for one, and what a server that does not answer costs.

use std::{sync::Arc, time::Duration};

use datagenie_common::{ids::UserId, model::connections::ServerConfig};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    errors,
    session::Session,
    wire::{Batch, Target, Wire},
};
use crate::{
    breaker::Breaker,
    sources::{
        SourceError,
        idle::{Idle, Kept},
        slots::{Place, Places, Slots},
    },
};

/// The sessions of one source.
pub(super) struct Sessions {
    target: Arc<Target>,
    idle: Arc<Idle<Wire>>,
    places: Places,
    breaker: Breaker,
    connect_timeout: Duration,
}

impl Sessions {
    pub(super) fn new(config: &ServerConfig, connect_timeout: Duration, slots: Slots) -> Result<Self, SourceError> {
        let places = Places::new(config, slots);
        Ok(Self {
            target: Arc::new(Target::new(config)?),
            idle: Arc::new(Idle::new(config.kept_sessions())),
            breaker: places.breaker(),
            places,
            connect_timeout,
        })
    }

    /// A session in a read-only transaction for a user's statement, which may take `max_time`. What follows is sent in the same write as
    /// the transaction's beginning; its answers are the caller's to read.
    pub(super) async fn begin(
        &self,
        max_time: Duration,
        user: UserId,
        then: &Batch,
        cancel: &CancellationToken,
    ) -> Result<Session, SourceError> {
        self.breaker.check().map_err(|open| SourceError::Resting { after: open.retry_after })?;
        let place = cancel.run_until_cancelled(self.places.take(user)).await.ok_or(SourceError::Cancelled)??;
        self.open(max_time, then, place, cancel).await
    }

    /// The same for a look of our own, whose statements may take `max_time` each.
    pub(super) async fn begin_to_look(&self, max_time: Duration, then: &Batch) -> Result<Session, SourceError> {
        let place = self.place_to_look().await?;
        self.open(max_time, then, place, &CancellationToken::new()).await
    }

    /// A place for a look that connects by itself.
    pub(super) async fn place_to_look(&self) -> Result<Place, SourceError> {
        self.places.take_to_look().await
    }

    async fn open(&self, max_time: Duration, then: &Batch, place: Place, cancel: &CancellationToken) -> Result<Session, SourceError> {
        let call = self.breaker.enter().map_err(|open| SourceError::Resting { after: open.retry_after })?;
        let opened = self.open_any(max_time, then, place, cancel).await;
        match &opened {
            Err(SourceError::Unreachable { .. }) => call.failed(),
            // It tells nothing about the server.
            Err(SourceError::Cancelled) => drop(call),
            // A server that refuses answers.
            _ => call.succeeded(),
        }
        opened
    }

    /// On a connection that was kept, or a new one.
    async fn open_any(
        &self,
        max_time: Duration,
        then: &Batch,
        mut place: Place,
        cancel: &CancellationToken,
    ) -> Result<Session, SourceError> {
        while let Some(kept) = self.idle.take() {
            match self.open_on(kept, max_time, then, place, cancel).await? {
                Ok(session) => return Ok(session),
                Err(unused) => place = unused,
            }
        }
        let wire = cancel.run_until_cancelled(self.connect()).await.ok_or(SourceError::Cancelled)??;
        let session = self.session(wire, Instant::now(), place);
        match self.begun(session, max_time, then, cancel).await {
            Ok(session) => Ok(session),
            Err((error, _unused)) => Err(error),
        }
    }

    /// On a connection that was kept. Gives the place back if it was lost meanwhile, which says nothing about the next one. What the
    /// caller wants may be sent twice then: it only reads.
    async fn open_on(
        &self,
        mut kept: Kept<Wire>,
        max_time: Duration,
        then: &Batch,
        place: Place,
        cancel: &CancellationToken,
    ) -> Result<Result<Session, Place>, SourceError> {
        if !kept.connection.is_quiet() {
            return Ok(Err(place));
        }
        let session = self.session(kept.connection, kept.opened, place);
        match self.begun(session, max_time, then, cancel).await {
            Ok(session) => Ok(Ok(session)),
            Err((SourceError::Unreachable { .. }, Some(unused))) => Ok(Err(unused)),
            Err((error, _)) => Err(error),
        }
    }

    fn session(&self, wire: Wire, opened: Instant, place: Place) -> Session {
        Session::new(wire, opened, place, Arc::clone(&self.target), Arc::clone(&self.idle))
    }

    /// Begins in time. With an error comes the place, if the connection broke and nobody waited for it in vain.
    async fn begun(
        &self,
        mut session: Session,
        max_time: Duration,
        then: &Batch,
        cancel: &CancellationToken,
    ) -> Result<Session, (SourceError, Option<Place>)> {
        let begun = cancel.run_until_cancelled(self.in_time(session.begin(max_time, then))).await;
        match begun {
            None => {
                // What follows the beginning may be running already.
                session.abort().await;
                Err((SourceError::Cancelled, None))
            }
            Some(Err(no_answer)) => {
                // It may be running all the same, or be run when the server wakes up.
                session.abort().await;
                Err((no_answer, None))
            }
            Some(Ok(Err(error))) => Err((error, session.into_place())),
            Some(Ok(Ok(()))) => Ok(session),
        }
    }

    /// A connection of its own. For looking at the server: its errors are the server's, at once.
    pub(super) async fn connect(&self) -> Result<Wire, SourceError> {
        let connected = self.in_time(Box::pin(Wire::connect(&self.target))).await?;
        connected.map_err(|error| errors::connecting(&error))
    }

    /// Notes that the server was seen to work.
    pub(super) fn seen_to_work(&self) {
        self.breaker.works();
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Closes the idle sessions; those at work close when they are over.
    pub(super) async fn close(&self) {
        self.idle.close().await;
    }

    async fn in_time<F: Future>(&self, step: F) -> Result<F::Output, SourceError> {
        let no_answer = |_elapsed| SourceError::unreachable(format!("no answer within {} ms", self.connect_timeout.as_millis()));
        timeout(self.connect_timeout, step).await.map_err(no_answer)
    }
}
