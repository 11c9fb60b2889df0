//! The sessions of a MySQL server: how many there are, and how long anybody waits for one.

use std::{sync::Arc, time::Duration};

use datagenie_common::{ids::UserId, model::connections::ServerConfig};
use tokio::time::Instant;

use super::{
    server::Bounds,
    session::Session,
    wire::{Connection, Connector},
};
use crate::{
    breaker::Breaker,
    sources::{
        SourceError,
        idle::Idle,
        slots::{Place, Places, Slots},
    },
};

/// The sessions of one source.
pub(super) struct Sessions {
    connector: Arc<Connector>,
    idle: Arc<Idle<Connection>>,
    places: Places,
    breaker: Breaker,
}

impl Sessions {
    pub(super) fn new(config: &ServerConfig, connect_timeout: Duration, slots: Slots) -> Result<Self, SourceError> {
        let places = Places::new(config, slots);
        Ok(Self {
            connector: Arc::new(Connector::new(config, connect_timeout)?),
            idle: Arc::new(Idle::new(config.kept_sessions())),
            breaker: places.breaker(),
            places,
        })
    }

    /// A session in a read-only transaction for a user's statement.
    pub(super) async fn begin(&self, bounds: &Bounds, user: UserId) -> Result<Session, SourceError> {
        self.breaker.check().map_err(|open| SourceError::Resting { after: open.retry_after })?;
        let place = self.places.take(user).await?;
        self.open(bounds, place).await
    }

    /// The same for a look of our own.
    pub(super) async fn begin_to_look(&self, bounds: &Bounds) -> Result<Session, SourceError> {
        let place = self.place_to_look().await?;
        self.open(bounds, place).await
    }

    /// A place for a look that connects by itself.
    pub(super) async fn place_to_look(&self) -> Result<Place, SourceError> {
        self.places.take_to_look().await
    }

    async fn open(&self, bounds: &Bounds, place: Place) -> Result<Session, SourceError> {
        let call = self.breaker.enter().map_err(|open| SourceError::Resting { after: open.retry_after })?;
        let opened = self.open_any(bounds, place).await;
        match &opened {
            Err(SourceError::Unreachable { .. }) => call.failed(),
            // A server that refuses answers.
            _ => call.succeeded(),
        }
        opened
    }

    /// On a connection that was kept, or a new one. The session's first statement tells whether a kept one still is a connection, so
    /// it is not asked beforehand.
    async fn open_any(&self, bounds: &Bounds, mut place: Place) -> Result<Session, SourceError> {
        while let Some(kept) = self.idle.take() {
            let mut session = self.session(kept.connection, kept.opened, place);
            let begun = self.connector.in_time(session.begin(bounds)).await;
            let hangs = match begun {
                Ok(Ok(())) => return Ok(session),
                Ok(Err(SourceError::Unreachable { .. })) => false,
                Ok(Err(error)) => return Err(error),
                Err(_no_answer) => true,
            };
            place = session.into_place().ok_or_else(|| SourceError::internal("the session is over"))?;
            // One that was lost says nothing about the next one. One that hangs says that a wire between us and the server has forgotten
            // what lay idle.
            if hangs {
                break;
            }
        }
        let connection = self.connector.connect().await?;
        let mut session = self.session(connection, Instant::now(), place);
        self.connector.in_time(session.begin(bounds)).await??;
        Ok(session)
    }

    fn session(&self, connection: Connection, opened: Instant, place: Place) -> Session {
        Session::new(connection, opened, place, Arc::clone(&self.connector), Arc::clone(&self.idle))
    }

    /// A connection of its own, for looking at the server: its errors are the server's, at once.
    pub(super) async fn connect(&self) -> Result<Connection, SourceError> {
        self.connector.connect().await
    }

    /// Notes that the server was seen to work.
    pub(super) fn seen_to_work(&self) {
        self.breaker.works();
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.connector.connect_timeout()
    }

    /// Closes the idle sessions; those at work close when they are over.
    pub(super) async fn close(&self) {
        self.idle.close().await;
    }
}
