//! The sessions that the fleet may have at work on one database: a slot is held from before a session begins until it is over.

use std::time::Duration;

use datagenie_common::ids::UserId;
use tokio::time::timeout;
use uuid::Uuid;

use super::SourceError;
use crate::capacity::{Capacity, Permit, Resource};

/// How long a statement waits for a slot; after that its job waits in the queue.
const STATEMENT_WAIT: Duration = Duration::from_secs(10);
/// How long a look at the database (a probe, a sync) waits: what it finds decides about the connection.
const LOOK_WAIT: Duration = Duration::from_secs(60);
/// For whom the database is looked at: nobody in particular.
const NOBODY: UserId = UserId(Uuid::nil());

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

    /// Which database, in words for the log.
    pub(super) fn name(&self) -> &str {
        self.resource.name()
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
