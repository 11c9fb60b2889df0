//! The sessions that may be at work on one database: a slot of the fleet's is held from before a session begins until it is over, and on a
//! server a place of this process's, too.

use std::{sync::Arc, time::Duration};

use datagenie_common::{ids::UserId, model::connections::ServerConfig};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use uuid::Uuid;

use super::SourceError;
use crate::{
    breaker::Breaker,
    capacity::{Capacity, Permit, Resource},
};

/// How long a statement waits for a slot, and for a place of this process's; after that its job waits in the queue.
const STATEMENT_WAIT: Duration = Duration::from_secs(10);
/// How long a look at the database (a probe, a sync) waits: what it finds decides about the connection.
const LOOK_WAIT: Duration = Duration::from_secs(60);
/// For whom the database is looked at: nobody in particular.
const NOBODY: UserId = UserId(Uuid::nil());
/// Failures to connect in a row after which a server is left alone, and for how long: a server that hangs in its handshake must not
/// hold every slot.
const FAILURES: u32 = 5;
const REST: Duration = Duration::from_secs(5);

/// The slots of one database.
pub(super) struct Slots {
    capacity: Capacity,
    resource: Resource,
    limit: u32,
}

impl Slots {
    /// Of a database on which the fleet may have so many sessions at work.
    pub(super) fn new(capacity: Capacity, resource: Resource, limit: u32) -> Self {
        Self { capacity, resource, limit: limit.max(1) }
    }

    /// A slot for a user's statement.
    pub(super) async fn take(&self, user: UserId) -> Result<Permit, SourceError> {
        self.take_within(STATEMENT_WAIT, user).await
    }

    /// A slot for a look of our own.
    pub(super) async fn take_to_look(&self) -> Result<Permit, SourceError> {
        self.take_within(LOOK_WAIT, NOBODY).await
    }

    async fn take_within(&self, wait: Duration, user: UserId) -> Result<Permit, SourceError> {
        let slot = self.capacity.acquire(&self.resource, self.limit, user);
        timeout(wait, slot).await.map_err(|_elapsed| SourceError::TooManyConnections)
    }
}

/// What a session at work holds: a place of this process's and a slot of the fleet's.
pub(super) struct Place {
    _own: OwnedSemaphorePermit,
    _slot: Permit,
}

/// The places of one server. One is taken before a connection is asked for, so that waiting for one another and waiting for the server
/// are told apart.
pub(super) struct Places {
    /// The sessions that the configuration lets this process have.
    own: Arc<Semaphore>,
    slots: Slots,
}

impl Places {
    /// As many as the configuration says.
    pub(super) fn new(config: &ServerConfig, slots: Slots) -> Self {
        let most = usize::try_from(config.most_sessions()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { own: Arc::new(Semaphore::new(most)), slots }
    }

    /// A breaker for the same server.
    pub(super) fn breaker(&self) -> Breaker {
        Breaker::new("source", self.slots.resource.name().to_owned(), FAILURES, REST)
    }

    /// A place for a user's statement. This process's comes first: a slot of the fleet's is not to be held by somebody who waits.
    pub(super) async fn take(&self, user: UserId) -> Result<Place, SourceError> {
        Ok(Place { _own: self.own(STATEMENT_WAIT).await?, _slot: self.slots.take(user).await? })
    }

    /// A place for a look of our own.
    pub(super) async fn take_to_look(&self) -> Result<Place, SourceError> {
        Ok(Place { _own: self.own(LOOK_WAIT).await?, _slot: self.slots.take_to_look().await? })
    }

    async fn own(&self, wait: Duration) -> Result<OwnedSemaphorePermit, SourceError> {
        let place = timeout(wait, Arc::clone(&self.own).acquire_owned()).await.map_err(|_elapsed| SourceError::TooManyConnections)?;
        place.map_err(|_closed| SourceError::internal("the sessions of this process are closed"))
    }
}

#[cfg(test)]
mod tests {
    use datagenie_common::ids::ConnectionId;
    use futures::FutureExt as _;
    use secrecy::SecretString;

    use super::*;

    fn config(pool_size: u32, max_overflow: u32) -> ServerConfig {
        ServerConfig {
            host: "localhost".to_owned(),
            port: 1,
            database: "shop".to_owned(),
            username: "reader".to_owned(),
            password: SecretString::from("secret"),
            ssl_mode: None,
            ssl_root_cert: None,
            pool_size: Some(pool_size),
            max_overflow: Some(max_overflow),
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_place_here_holds_no_slot_of_the_fleets() {
        let (capacity, resource) = (Capacity::alone(), Resource::source(ConnectionId::new()));
        let places = Places::new(&config(1, 0), Slots::new(capacity.clone(), resource.clone(), 2));
        let first = places.take(UserId::new()).await.expect("one is free");
        let mut second = Box::pin(places.take(UserId::new()));
        assert!(second.as_mut().now_or_never().is_none(), "there is no other one");
        assert_eq!(capacity.used(&resource), 1);
        drop(first);
        assert!(second.await.is_ok());
        assert_eq!(capacity.used(&resource), 0, "what was given is given back");
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_for_the_fleet_leaves_his_place_here() {
        let (capacity, resource) = (Capacity::alone(), Resource::source(ConnectionId::new()));
        let places = Places::new(&config(2, 3), Slots::new(capacity.clone(), resource.clone(), 1));
        let first = places.take(UserId::new()).await.expect("one is free");
        let mut second = Box::pin(places.take(UserId::new()));
        assert!(second.as_mut().now_or_never().is_none(), "the fleet may have one");
        assert_eq!(places.own.available_permits(), 3);
        drop(second);
        assert_eq!(places.own.available_permits(), 4);
        drop(first);
        assert_eq!((places.own.available_permits(), capacity.used(&resource)), (5, 0));
    }
}
