//! Who has signed in lately from an address where somebody has to wait: read once for all attempts that come from there, so that a flood
//! of them costs the database next to nothing, and who is known there does not wait behind it.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use datagenie_common::store::addresses::{self, household};
use sqlx::PgPool;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

/// How long what was read is good.
const GOOD: Duration = Duration::from_secs(2);
/// How long an attempt waits for its turn to read.
const PATIENCE: Duration = Duration::from_secs(1);
/// Those who read at once.
const READERS: usize = 4;
/// Addresses that are remembered.
const ADDRESSES: usize = 1_000;
/// Names that are remembered of one. Behind an address with more of them each is looked up by itself.
const NAMES: usize = 200;

/// The names that are known at an address, and when they were read.
type Held = (Instant, Arc<HashSet<String>>);

/// The names that are known at addresses. Bounded.
pub(super) struct Neighbours {
    held: Mutex<HashMap<IpAddr, Held>>,
    turns: Semaphore,
}

impl Default for Neighbours {
    fn default() -> Self {
        Self { held: Mutex::default(), turns: Semaphore::new(READERS) }
    }
}

impl Neighbours {
    /// Whether this folded name is known at this address. A database that does not answer knows nobody.
    pub async fn knows(&self, pool: &PgPool, name: &str, address: Option<IpAddr>) -> bool {
        let Some(address) = address.map(household) else { return false };
        let names = match self.held(address) {
            Some(names) => names,
            None => {
                // Turns come in the order of asking: nobody is left behind by a flood.
                let Ok(Ok(_turn)) = timeout(PATIENCE, self.turns.acquire()).await else { return false };
                match self.held(address) {
                    Some(names) => names,
                    None => match addresses::known_at(pool, address, NAMES).await {
                        Ok(names) => self.keep(address, names),
                        Err(_) => return false,
                    },
                }
            }
        };
        if names.contains(name) {
            return true;
        }
        if names.len() < NAMES {
            return false;
        }
        let Ok(Ok(_turn)) = timeout(PATIENCE, self.turns.acquire()).await else { return false };
        addresses::is_known(pool, name, address).await.unwrap_or(false)
    }

    /// Somebody has signed in there.
    pub fn forget(&self, address: IpAddr) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&household(address));
    }

    fn held(&self, address: IpAddr) -> Option<Arc<HashSet<String>>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(&address).filter(|(read, _)| read.elapsed() < GOOD).map(|(_, names)| Arc::clone(names))
    }

    fn keep(&self, address: IpAddr, names: Vec<String>) -> Arc<HashSet<String>> {
        let names: Arc<HashSet<String>> = Arc::new(names.into_iter().collect());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= ADDRESSES {
            held.clear();
        }
        held.insert(address, (Instant::now(), Arc::clone(&names)));
        names
    }
}
