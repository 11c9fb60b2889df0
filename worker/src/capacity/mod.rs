//! What the fleet may use at once: sessions on a customer's database, calls of a model. A process leases units in PostgreSQL, as many
//! as it has work for, and hands them out by itself, so that taking one is a matter of this process as long as it has work. What all
//! processes hold never exceeds the limit; who holds more than an equal share gives back as units come free, while others want some.
//!
//! A lease is measured monotonically from before its statement: a process that stood still, or cannot reach PostgreSQL, begins nothing
//! new on a lease that ran out. What it has begun ends by its own time limits.

mod fair;
mod keeper;
pub mod peak;
mod units;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use datagenie_common::ids::{ConnectionId, UserId};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use self::{fair::Ticket, units::Units};

/// How often a process that holds or wants something looks at what others want.
const TICK: Duration = Duration::from_millis(250);

/// Something of which the fleet may use so much at once.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Resource {
    kind: &'static str,
    /// As in the table.
    name: Arc<str>,
}

impl Resource {
    /// The sessions of a customer's database.
    #[must_use]
    pub fn source(id: ConnectionId) -> Self {
        Self { kind: "source", name: format!("source:{id}").into() }
    }

    /// The calls of a model: the same one has the same endpoint and name.
    #[must_use]
    pub fn model(endpoint: &str, model: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [endpoint, model] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let short = hex::encode(&hash.finalize()[..16]);
        Self { kind: "model", name: format!("model:{short}").into() }
    }

    /// Its name in the tables.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What this process has of the fleet's resources. Clones share it. [`Capacity::keep`] must run, or nothing is ever given.
#[derive(Clone)]
pub struct Capacity {
    shared: Arc<Shared>,
}

struct Shared {
    pool: PgPool,
    instance: String,
    lease: Duration,
    units: Mutex<HashMap<Resource, Units>>,
    wake: Notify,
    /// Nobody to share with.
    #[cfg(test)]
    alone: bool,
}

impl Capacity {
    /// Of the process of this name, which leases units for so long.
    #[must_use]
    pub fn new(pool: PgPool, instance: String, lease: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                pool,
                instance,
                lease,
                units: Mutex::default(),
                wake: Notify::new(),
                #[cfg(test)]
                alone: false,
            }),
        }
    }

    /// Of a process that shares with nobody: every limit is its own.
    #[cfg(test)]
    pub(crate) fn alone() -> Self {
        let pool = sqlx::postgres::PgPoolOptions::new().connect_lazy_with(sqlx::postgres::PgConnectOptions::new_without_pgpass());
        let (instance, lease) = ("alone".to_owned(), Duration::from_secs(10));
        Self { shared: Arc::new(Shared { pool, instance, lease, units: Mutex::default(), wake: Notify::new(), alone: true }) }
    }

    /// Takes a unit of a resource of which the fleet may use `limit`, for a user: until the permit is dropped. Waits for one; among
    /// those who wait in this process the user who has fewest units goes first. Dropping the future leaves nothing behind.
    pub async fn acquire(&self, resource: &Resource, limit: u32, user: UserId) -> Permit {
        let began = Instant::now();
        let queued = self.take_or_wait(resource, limit, user, began);
        if let Some((ticket, told)) = queued {
            self.shared.wake.notify_one();
            let mut place = Place { capacity: self, resource, user, ticket, is_left: false };
            // The sender goes away only with a unit given.
            let _ = told.await;
            place.is_left = true;
        }
        metrics::histogram!("datagenie_capacity_wait_seconds", "kind" => resource.kind).record(began.elapsed().as_secs_f64());
        Permit { capacity: self.clone(), resource: resource.clone(), user }
    }

    // None: taken.
    fn take_or_wait(&self, resource: &Resource, limit: u32, user: UserId, now: Instant) -> Option<(Ticket, oneshot::Receiver<()>)> {
        let mut all = self.lock();
        let units = all.entry(resource.clone()).or_insert_with(Units::new);
        units.limit(limit);
        #[cfg(test)]
        if self.shared.alone {
            units.own(now);
        }
        if units.try_take(user, now) { None } else { Some(units.wait(user, now)) }
    }

    /// Units of a resource in use in this process.
    #[must_use]
    pub fn used(&self, resource: &Resource) -> u32 {
        self.lock().get(resource).map_or(0, Units::used)
    }

    fn change(&self, resource: &Resource, change: impl FnOnce(&mut Units, Instant)) {
        let now = Instant::now();
        let mut all = self.lock();
        let Some(units) = all.get_mut(resource) else { return };
        change(units, now);
        if units.is_urgent(now) {
            self.shared.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Resource, Units>> {
        self.shared.units.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue. Left before the turn came, it leaves nothing behind.
struct Place<'a> {
    capacity: &'a Capacity,
    resource: &'a Resource,
    user: UserId,
    ticket: Ticket,
    is_left: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_left {
            self.capacity.change(self.resource, |units, now| units.leave(self.user, self.ticket, now));
        }
    }
}

/// One unit in use; dropping it gives it back.
pub struct Permit {
    capacity: Capacity,
    resource: Resource,
    user: UserId,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit({:?})", self.resource)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.capacity.change(&self.resource, |units, now| units.put_back(self.user, now));
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_permit_is_given_back_when_it_is_dropped() {
        let capacity = Capacity::alone();
        let (resource, user) = (Resource::source(ConnectionId::new()), UserId::new());
        let first = capacity.acquire(&resource, 1, user).await;
        assert_eq!(capacity.used(&resource), 1);
        assert!(capacity.acquire(&resource, 1, user).now_or_never().is_none(), "there is only one");
        drop(first);
        let again = capacity.acquire(&resource, 1, user).now_or_never();
        assert!(again.is_some(), "who gave up waiting left nothing behind");
    }

    #[tokio::test]
    async fn a_unit_given_to_somebody_who_left_goes_on_to_the_next() {
        let capacity = Capacity::alone();
        let (resource, user) = (Resource::source(ConnectionId::new()), UserId::new());
        let first = capacity.acquire(&resource, 1, user).await;
        let mut leaves = Box::pin(capacity.acquire(&resource, 1, user));
        let mut stays = Box::pin(capacity.acquire(&resource, 1, UserId::new()));
        assert!(leaves.as_mut().now_or_never().is_none());
        assert!(stays.as_mut().now_or_never().is_none());
        // Given to the first in the queue, who does not look any more.
        drop(first);
        drop(leaves);
        assert!(stays.as_mut().now_or_never().is_some());
    }

    #[test]
    fn a_model_is_its_endpoint_and_name() {
        let one = Resource::model("http://a/v1", "gpt");
        assert_eq!(one, Resource::model("http://a/v1", "gpt"));
        assert_ne!(one, Resource::model("http://a/v", "1gpt"));
        assert_eq!(one.name().len(), "model:".len() + 32);
    }
}
